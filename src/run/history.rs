//! The last events of a run, for looking at; not the run's whole history, which stays on the server.

use std::collections::VecDeque;

use super::limits;
use crate::api::event::{Artifact, Event, EventBody, ProtocolError};
use crate::api::ids::NodeId;

/// One place in the order of events.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// An event; inline contents are left out.
    Event(Event),
    /// A line that broke the protocol.
    Rejected(ProtocolError),
    /// Places that stay empty.
    Gap {
        /// The first missing seq.
        first: u64,
        /// The last missing seq.
        last: u64,
    },
}

impl Entry {
    /// The seq that it stands at, where it has one.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Event(event) => Some(event.seq),
            Self::Rejected(error) => error.seq,
            Self::Gap { first, .. } => Some(*first),
        }
    }

    /// The node that it is about, if it is about one.
    #[must_use]
    pub fn node_id(&self) -> Option<&NodeId> {
        match self {
            Self::Event(event) => event.body.node_id(),
            Self::Rejected(_) | Self::Gap { .. } => None,
        }
    }
}

/// The last entries, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    entries: VecDeque<Entry>,
    /// How many entries were dropped from the front.
    pub dropped: u64,
}

impl History {
    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    pub(super) fn push(&mut self, mut event: Event) {
        match &mut event.body {
            EventBody::RunCompleted(e) => strip(&mut e.outputs),
            EventBody::NodeOutput(e) => strip(&mut e.output),
            EventBody::TaskListUpdated(e) => strip(&mut e.task_list),
            EventBody::MemoryUpdated(e) => strip(&mut e.memory),
            _ => {}
        }
        self.add(Entry::Event(event));
    }

    pub(super) fn push_rejected(&mut self, mut error: ProtocolError) {
        if error.line.len() > limits::REJECTED_LINE {
            error.line = bytes::Bytes::copy_from_slice(&error.line[..limits::REJECTED_LINE]);
        }
        self.add(Entry::Rejected(error));
    }

    pub(super) fn push_gap(&mut self, first: u64, last: u64) {
        self.add(Entry::Gap { first, last });
    }

    fn add(&mut self, entry: Entry) {
        if self.entries.len() == limits::RECENT_EVENTS {
            self.entries.pop_front();
            self.dropped += 1;
        }
        self.entries.push_back(entry);
    }
}

fn strip(artifact: &mut Artifact) {
    artifact.content = None;
}
