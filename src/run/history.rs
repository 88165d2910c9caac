//! The last events of a run, for looking at; not the run's whole history, which stays on the server.

use std::collections::VecDeque;

use super::limits;
use crate::api::event::{Artifact, Event, EventBody, ProtocolError};
use crate::api::ids::NodeId;
use crate::api::tool::QuestionOption;

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
    /// About how many bytes they hold.
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

    /// The same with every entry dropped.
    pub(super) fn facts(&self) -> Self {
        Self { dropped: self.dropped + self.entries.len() as u64, ..Self::default() }
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
        self.bytes += size(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > limits::RECENT_EVENTS
            || (self.bytes > limits::RECENT_BYTES && self.entries.len() > 1)
        {
            let dropped = self.entries.pop_front();
            self.bytes -= dropped.as_ref().map_or(0, size);
            self.dropped += 1;
        }
    }
}

/// About how many bytes an entry holds: a fixed part for what is small, and its texts. To be the same each time that
/// it is asked, it looks at lengths only, never at what was reserved.
fn size(entry: &Entry) -> usize {
    let texts = match entry {
        Entry::Event(event) => body_texts(&event.body),
        Entry::Rejected(error) => error.line.len(),
        Entry::Gap { .. } => 0,
    };
    size_of::<Entry>() + SMALL_PARTS + texts
}

/// Ids, names and words of an event, each an allocation of its own.
const SMALL_PARTS: usize = 128;

/// The bytes of what may be long in an event. Inline contents are left out of what is kept.
fn body_texts(body: &EventBody) -> usize {
    match body {
        EventBody::NodeOutputDelta(e) => e.delta.text_delta.as_deref().map_or(0, str::len),
        EventBody::NodeToolCall(e) => e.tool_call.tool_call.arguments().len(),
        EventBody::NodeToolResult(e) => {
            let result = &e.tool_result;
            let error = result.error.as_ref().map_or(0, String::len);
            result.tool_call.arguments().len() + result.output.len() + error
        }
        EventBody::NodeWaiting(e) => {
            let calls = &e.waiting.pending_tool_calls;
            calls.iter().map(|pending| SMALL_PARTS + pending.tool_call.arguments().len()).sum()
        }
        EventBody::NodeUserAsk(e) => {
            let ask = &e.user_ask;
            let text =
                |option: &QuestionOption| option.label.len() + option.description.as_ref().map_or(0, String::len);
            let options: usize = ask.options.iter().map(|option| SMALL_PARTS + text(option)).sum();
            ask.tool_call.arguments().len() + ask.question.len() + options
        }
        EventBody::NodeUserAnswer(e) => e.user_answer.answer.len(),
        EventBody::NodeFailed(e) => e.error.message.len(),
        EventBody::RunFailed(e) => e.error.message.len(),
        EventBody::RunCanceled(e) => e.error.message.len(),
        EventBody::MemoryUpdated(e) => e.memory_key.len(),
        EventBody::SchedulerStarted(e) => {
            e.scheduler_started.topic.len() + e.scheduler_started.participants.len() * SMALL_PARTS
        }
        EventBody::SchedulerCoordinatorCompleted(e) => e.scheduler_coordinator_completed.decision.get().len(),
        EventBody::SchedulerAgentStarted(e) => e.scheduler_agent_started.input.as_ref().map_or(0, String::len),
        EventBody::SchedulerAgentCompleted(e) => e.scheduler_agent_completed.summary.as_ref().map_or(0, String::len),
        EventBody::SchedulerStopped(e) => e.scheduler_stopped.reason.len(),
        EventBody::Unknown(e) => e.line.len(),
        _ => 0,
    }
}

fn strip(artifact: &mut Artifact) {
    artifact.content = None;
}
