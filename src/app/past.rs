//! The run as it stood at an earlier event.
//!
//! Owns which event is wanted and which model the panes show; does not own how a model is made: that is an effect.
//! Rules: what the operator has to act on (status, link, what waits) is never of the past; at most one model is made at
//! a time, and wishes that come meanwhile add up to one; nothing of after the shown event is shown with it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::App;
use crate::api::ids::NodeId;
use crate::run::history::Entry;
use crate::run::{Base, Run};

/// Where the operator wants to go, from the event that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// So many events forth, or back where it is negative.
    Events(i64),
    /// The same in milestones.
    Milestones(i64),
}

impl Wish {
    /// How far, whatever is counted.
    #[must_use]
    pub fn by(self) -> i64 {
        let (Self::Events(by) | Self::Milestones(by)) = self;
        by
    }

    /// This wish and then a newer one: of the same kind they add up, else the newer one takes its place.
    #[must_use]
    pub fn and(self, newer: Self) -> Self {
        match (self, newer) {
            (Self::Events(by), Self::Events(more)) => Self::Events(by.saturating_add(more)),
            (Self::Milestones(by), Self::Milestones(more)) => Self::Milestones(by.saturating_add(more)),
            (_, newer) => newer,
        }
    }
}

/// What the panes are at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// The model that they show; `None` until the first one is here.
    pub shown: Option<Arc<Run>>,
    /// The model that is being made: its number, and what was wished for.
    pub loading: Option<(u64, Wish)>,
    /// What was wished for since.
    pub next: Option<Wish>,
}

/// A model that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRequest {
    /// Which request it is.
    pub number: u64,
    /// The event from which the wish counts.
    pub from: u64,
    /// What is wished for.
    pub wish: Wish,
    /// The newest event of the run.
    pub through: u64,
    /// Where a fold may begin: enough before the event that is wanted to bring recent events, too.
    pub base: Base,
    /// The model that is shown: the way forth may begin there.
    pub model: Option<Arc<Run>>,
    /// The last entries in memory: the disk may not have them yet, and there may be none.
    pub recent: Vec<Entry>,
    /// Every entry from this seq on is among them.
    pub recent_from: u64,
}

/// So many events before the wanted one a fold begins at least: these are the recent events that the model shows.
pub const RECENT: u64 = 500;

impl App {
    /// The run as the panes show it: as it stands, or as it stood at an earlier event.
    #[must_use]
    pub fn shown_run(&self) -> &Run {
        self.past_run().unwrap_or(&self.run)
    }

    /// The run as it stood at the earlier event that the panes show; `None` while they show it as it stands.
    #[must_use]
    pub fn past_run(&self) -> Option<&Run> {
        self.past.as_ref().and_then(|past| past.shown.as_deref())
    }

    /// The time that the panes show: the server's now, or when the earlier event was recorded.
    #[must_use]
    pub fn shown_now(&self) -> Timestamp {
        let then = self.past_run().map(|run| run.last_event_at.or(run.started_at));
        then.flatten().unwrap_or_else(|| self.server_now())
    }

    /// How long ago something had happened by the time that the panes show; never negative.
    #[must_use]
    pub fn shown_age(&self, since: Timestamp) -> Duration {
        self.shown_now().duration_since(since).try_into().unwrap_or_default()
    }

    /// How long the run had taken by the time that the panes show; `None` before it had started.
    #[must_use]
    pub fn shown_elapsed(&self) -> Option<Duration> {
        let run = self.shown_run();
        let end = run.ended_at.unwrap_or_else(|| self.shown_now());
        Some(end.duration_since(run.started_at?).try_into().unwrap_or_default())
    }

    /// The node that worked last.
    pub(super) fn shown_active_node(&self) -> Option<&NodeId> {
        match self.past_run() {
            Some(run) => run.history.entries().rev().find_map(Entry::node_id),
            None => self.active_node.as_ref(),
        }
    }
}
