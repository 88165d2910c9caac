//! The runs that belong to this one: the run that started it, and those that its schedulers' agents are.
//!
//! Rule: a related run is followed by the same words that follow this one, on the same server; where these do not name
//! a run, as in the demo, there is no such command, and none is made up.

use super::{App, shell};
use crate::api::ids::{NodeId, RunId};
use crate::run::ChildRun;

/// A run that belongs to this one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RelatedRun<'a> {
    /// The run that started this one.
    Parent(RunId),
    /// One turn of a scheduler's agent.
    Child(&'a NodeId, &'a ChildRun),
}

impl RelatedRun<'_> {
    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        match self {
            Self::Parent(run_id) => *run_id,
            Self::Child(_, child) => child.run_id,
        }
    }
}

impl App {
    /// The runs that belong to what is selected: to a node its agents' runs, to the run its parent and all of these.
    #[must_use]
    pub fn related_runs(&self) -> Vec<RelatedRun<'_>> {
        let parent = self.shown_run().parent_run_id.filter(|_| self.selected_node().is_none());
        let mut runs: Vec<_> = parent.map(RelatedRun::Parent).into_iter().collect();
        for node in self.detail_nodes() {
            let children = node.scheduler.iter().flat_map(|scheduler| &scheduler.runs);
            runs.extend(children.map(|child| RelatedRun::Child(&node.id, child)));
        }
        runs
    }

    /// Whether any run belongs to what is selected.
    #[must_use]
    pub fn has_related_runs(&self) -> bool {
        match self.selected_node() {
            Some(node) => node.scheduler.as_ref().is_some_and(|scheduler| !scheduler.runs.is_empty()),
            None => self.shown_run().parent_run_id.is_some() || self.shown_run().tally().child_runs > 0,
        }
    }

    /// Where the selected one stands among them; the first where none was selected.
    #[must_use]
    pub fn selected_related(&self, runs: &[RelatedRun<'_>]) -> usize {
        let selected = self.detail.related;
        runs.iter().position(|run| Some(run.run_id()) == selected).unwrap_or(0)
    }

    /// The shell command that follows another run on this server; `None` where this one's names no run.
    #[must_use]
    pub fn command_to_follow(&self, other: RunId) -> Option<String> {
        let (this, other) = (self.run.run_id.to_string(), other.to_string());
        if !self.command.contains(&this) {
            return None;
        }
        let words = self.command.iter().map(|word| if *word == this { other.clone() } else { word.clone() });
        Some(shell::line(&words.collect::<Vec<_>>()))
    }
}
