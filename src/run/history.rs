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
    /// The size of each entry, and of all of them.
    sizes: VecDeque<usize>,
    bytes: usize,
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

    /// A line may be a slice of a large chunk: what is kept is a copy.
    pub(super) fn push_rejected(&mut self, mut error: ProtocolError) {
        let kept = error.line.len().min(limits::REJECTED_LINE);
        error.line = bytes::Bytes::copy_from_slice(&error.line[..kept]);
        self.add(Entry::Rejected(error));
    }

    pub(super) fn push_gap(&mut self, first: u64, last: u64) {
        self.add(Entry::Gap { first, last });
    }

    fn add(&mut self, entry: Entry) {
        let size = size(&entry);
        self.entries.push_back(entry);
        self.sizes.push_back(size);
        self.bytes += size;
        while self.entries.len() > limits::RECENT_EVENTS
            || (self.bytes > limits::RECENT_BYTES && self.entries.len() > 1)
        {
            self.entries.pop_front();
            self.bytes -= self.sizes.pop_front().unwrap_or_default();
            self.dropped += 1;
        }
    }
}

/// About how many bytes an entry holds.
fn size(entry: &Entry) -> usize {
    match entry {
        Entry::Event(event) => {
            let mut counter = Counter(0);
            // Counting cannot fail, and an event that cannot be written has nothing to count.
            let _ = serde_json::to_writer(&mut counter, event);
            counter.0
        }
        Entry::Rejected(error) => error.line.len(),
        Entry::Gap { .. } => 0,
    }
}

/// Counts what is written into it.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn strip(artifact: &mut Artifact) {
    artifact.content = None;
}
