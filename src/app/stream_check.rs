//! What the stream has proved: whether it agrees with the server's snapshot, and what was odd about it.
//!
//! Rules: a snapshot is held only against a fold that stood still between the question and the answer, or that it fits
//! all the same; and since it may be ahead of the events that are on their way, or behind its own, a difference counts
//! only when it was found a few times at the same event. What was compared says at which seq; later events do not
//! change it.

use jiff::Timestamp;

use super::App;
use crate::api::run::RunSnapshot;
use crate::feed::{FeedItem, LinkState};
use crate::run::agreement::compare;
use crate::run::{Agreement, Odd, OddLog};

/// How many odd things are kept to be looked at.
const KEPT: usize = 100;

/// How often a difference is found at the same event before it counts.
const LOOKS: u8 = 3;

/// What is known of the stream besides the run that it adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamCheck {
    /// What was odd, the last hundred of it.
    pub odd: OddLog,
    /// The last comparison that counts.
    pub compared: Option<Compared>,
    /// The seq at which a difference was found, and how often.
    doubted: Option<(u64, u8)>,
}

/// A comparison with the server's snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The last seq applied then.
    pub seq: u64,
    /// What it has found; never [`Agreement::Absent`].
    pub agreement: Agreement,
}

impl Default for StreamCheck {
    fn default() -> Self {
        Self { odd: OddLog::of_the_last(KEPT), compared: None, doubted: None }
    }
}

impl App {
    /// Whether the run as it stands differs from the server's snapshot.
    #[must_use]
    pub fn differs(&self) -> bool {
        let compared = self.stream_check.compared.as_ref();
        compared.is_some_and(|compared| {
            compared.seq == self.run.last_seq && matches!(compared.agreement, Agreement::Differs(_))
        })
    }

    /// Notes what is odd about an item that is about to be applied.
    pub(super) fn note_item(&mut self, item: &FeedItem) {
        let odd = match item {
            FeedItem::Line(_) => None,
            FeedItem::Event(event) => Odd::event(event),
            FeedItem::Rejected(error) => Some(Odd::rejected(error)),
            FeedItem::Gap { first, last } => Some(Odd::Gap { first: *first, last: *last }),
            FeedItem::Duplicates(count) => Some(Odd::Duplicates { count: *count, until: self.run.last_seq }),
        };
        if let Some(odd) = odd {
            self.note(odd);
        }
    }

    /// Notes a connection that has to be made again.
    pub(super) fn note_link(&mut self, link: &LinkState) {
        if let LinkState::Retrying { cause, .. } = link {
            self.note(Odd::reconnect(cause));
        }
    }

    fn note(&mut self, odd: Odd) {
        let now: Timestamp = self.now.wall;
        self.stream_check.odd.note(self.run.last_seq, now, odd);
    }

    /// Holds a snapshot against the fold, where the link says that every event is here; it was asked for when the last
    /// seq applied was `asked_seq`. Returns whether the snapshot is to be read again before a difference counts.
    pub(super) fn hold_against(&mut self, snapshot: &RunSnapshot, asked_seq: u64) -> bool {
        if !matches!(self.link, LinkState::Live | LinkState::Ended) {
            return false;
        }
        let seq = self.run.last_seq;
        let agreement = compare(&self.run, Some(snapshot));
        if agreement == Agreement::Agrees {
            self.stream_check.doubted = None;
            self.stream_check.compared = Some(Compared { seq, agreement });
            return false;
        }
        if asked_seq != seq {
            return false;
        }
        let looks =
            self.stream_check.doubted.filter(|(at, _)| *at == seq).map_or(1, |(_, looks)| looks.saturating_add(1));
        self.stream_check.doubted = Some((seq, looks));
        if looks < LOOKS {
            return true;
        }
        self.stream_check.compared = Some(Compared { seq, agreement });
        false
    }
}
