//! One run event: envelope `v2`, 28 published types, each its own struct.
//!
//! Source: the published `run_event` schema and `wire/README.md`, "Run events". Decoding goes in two stages: the
//! envelope first, its parts untouched; then only the part that the type names. So an event of an unknown type, or
//! one with extra fields, is never refused for something that nobody here reads. A line whose type stands before its
//! parts, as nearly all do, is read in one pass, with the same outcome.
//!
//! Rule: [`decode()`] looks at one line only; what follows a bad line is not its business.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`payload`] | what each type carries, and which of it must not be empty |
//! | [`part`] | the parts that payloads are made of: calls, results, artifacts, deltas |
//! | [`mod@decode`] | a line to an event, or to the error that says what is wrong with it |
//! | `in_place` | the quick way for lines in which nothing is unusual |
//! | `recent` | what the last lines said, and the next is likely to say again |
//! | [`mod@canonical`] | an event to a line, in one form, unknown fields included |

pub mod canonical;
pub mod decode;
mod in_place;
pub mod part;
pub mod payload;
mod recent;

use jiff::Timestamp;
use serde::de::MapAccess;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

pub use canonical::canonical;
pub use decode::{Decoded, Decoder, Problem, ProtocolError, decode};
pub use part::*;
pub use payload::*;

use super::ids::{NodeId, RunId};
use decode::Envelope;
use in_place::Head;

/// The only envelope version that is understood.
pub const ENVELOPE_VERSION: &str = "v2";

/// One event of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The run that it belongs to.
    pub run_id: RunId,
    /// Its place: starts at 1, grows by 1.
    pub seq: u64,
    /// When the server recorded it.
    pub ts: Timestamp,
    /// What happened.
    pub body: EventBody,
}

macro_rules! event_bodies {
    ($($(#[$meta:meta])* $variant:ident($payload:ty) = $name:literal,)+) => {
        /// What happened, by the event's `type`.
        #[derive(Debug, Clone, PartialEq)]
        pub enum EventBody {
            $($(#[$meta])* $variant($payload),)+
            /// A type that this version has never heard of.
            Unknown(Unknown),
        }

        impl EventBody {
            /// Every published type's word, in the schema's order.
            pub const TYPES: &[&str] = &[$($name),+];

            /// The event's `type` on the wire.
            #[must_use]
            pub fn type_name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $name,)+
                    Self::Unknown(unknown) => &unknown.type_name,
                }
            }

            fn from_envelope(envelope: &Envelope<'_>, line: &str) -> Result<Self, Problem> {
                match envelope.event_type.as_deref() {
                    $(Some($name) => <$payload>::from_envelope(envelope).map(Self::$variant),)+
                    Some(other) => Ok(Self::Unknown(Unknown::new(other, envelope, line))),
                    None => Err(Problem::Missing("type")),
                }
            }

            /// Reads the rest of an envelope whose type stands before its parts.
            fn read<'de, M: MapAccess<'de>>(
                word: &str,
                map: &mut M,
                head: &mut Head<'_>,
            ) -> Result<Self, M::Error> {
                match word {
                    $($name => <$payload>::read(map, head).map(Self::$variant),)+
                    _ => Err(in_place::unusual()),
                }
            }

            fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match self {
                    $(Self::$variant(payload) => payload.serialize_fields(map),)+
                    Self::Unknown(unknown) => unknown.serialize_fields(map),
                }
            }
        }
    };
}

event_bodies! {
    /// The spec was compiled into a plan.
    RunCompiled(RunCompiled) = "run_compiled",
    /// Execution began.
    RunStarted(RunStarted) = "run_started",
    /// The run ended with outputs.
    RunCompleted(RunCompleted) = "run_completed",
    /// The run ended with an error.
    RunFailed(RunFailed) = "run_failed",
    /// The run was stopped.
    RunCanceled(RunCanceled) = "run_canceled",
    /// The run's task list was written.
    TaskListUpdated(TaskListUpdated) = "task_list_updated",
    /// A memory was written.
    MemoryUpdated(MemoryUpdated) = "memory_updated",
    /// A node began.
    NodeStarted(NodeStarted) = "node_started",
    /// A node ended well.
    NodeSucceeded(NodeSucceeded) = "node_succeeded",
    /// A node ended with an error.
    NodeFailed(NodeFailed) = "node_failed",
    /// A language model was called and answered.
    NodeLlmCall(NodeLlmCall) = "node_llm_call",
    /// A model called a tool.
    NodeToolCall(NodeToolCall) = "node_tool_call",
    /// A tool's result was taken in.
    NodeToolResult(NodeToolResult) = "node_tool_result",
    /// A node waits for results from outside.
    NodeWaiting(NodeWaiting) = "node_waiting",
    /// A node asks a person.
    NodeUserAsk(NodeUserAsk) = "node_user_ask",
    /// A person answered.
    NodeUserAnswer(NodeUserAnswer) = "node_user_answer",
    /// A piece of output as it streams.
    NodeOutputDelta(NodeOutputDelta) = "node_output_delta",
    /// A node's whole output.
    NodeOutput(NodeOutput) = "node_output",
    /// A scheduler began.
    SchedulerStarted(SchedulerStarted) = "scheduler_started",
    /// A scheduler's round began.
    SchedulerRoundStarted(SchedulerRoundStarted) = "scheduler_round_started",
    /// A scheduler's round ended.
    SchedulerRoundCompleted(SchedulerRoundCompleted) = "scheduler_round_completed",
    /// A scheduler's coordinator began to decide.
    SchedulerCoordinatorStarted(SchedulerCoordinatorStarted) = "scheduler_coordinator_started",
    /// A scheduler's coordinator decided.
    SchedulerCoordinatorCompleted(SchedulerCoordinatorCompleted) = "scheduler_coordinator_completed",
    /// An agent began its turn.
    SchedulerAgentStarted(SchedulerAgentStarted) = "scheduler_agent_started",
    /// An agent ended its turn.
    SchedulerAgentCompleted(SchedulerAgentCompleted) = "scheduler_agent_completed",
    /// A message was sent between agents.
    SchedulerMessageSent(SchedulerMessageSent) = "scheduler_message_sent",
    /// A message reached an agent.
    SchedulerMessageReceived(SchedulerMessageReceived) = "scheduler_message_received",
    /// A scheduler stopped.
    SchedulerStopped(SchedulerStopped) = "scheduler_stopped",
}

impl EventBody {
    /// The node that the event is about, if it is about one.
    #[must_use]
    pub fn node_id(&self) -> Option<&NodeId> {
        match self {
            Self::RunCompiled(_)
            | Self::RunStarted(_)
            | Self::RunCompleted(_)
            | Self::RunFailed(_)
            | Self::RunCanceled(_)
            | Self::TaskListUpdated(_)
            | Self::MemoryUpdated(_) => None,
            Self::NodeStarted(e) => Some(&e.node_id),
            Self::NodeSucceeded(e) => Some(&e.node_id),
            Self::NodeFailed(e) => Some(&e.node_id),
            Self::NodeLlmCall(e) => Some(&e.node_id),
            Self::NodeToolCall(e) => Some(&e.node_id),
            Self::NodeToolResult(e) => Some(&e.node_id),
            Self::NodeWaiting(e) => Some(&e.node_id),
            Self::NodeUserAsk(e) => Some(&e.node_id),
            Self::NodeUserAnswer(e) => Some(&e.node_id),
            Self::NodeOutputDelta(e) => Some(&e.node_id),
            Self::NodeOutput(e) => Some(&e.node_id),
            Self::SchedulerStarted(e) => Some(&e.node_id),
            Self::SchedulerRoundStarted(e) => Some(&e.node_id),
            Self::SchedulerRoundCompleted(e) => Some(&e.node_id),
            Self::SchedulerCoordinatorStarted(e) => Some(&e.node_id),
            Self::SchedulerCoordinatorCompleted(e) => Some(&e.node_id),
            Self::SchedulerAgentStarted(e) => Some(&e.node_id),
            Self::SchedulerAgentCompleted(e) => Some(&e.node_id),
            Self::SchedulerMessageSent(e) => Some(&e.node_id),
            Self::SchedulerMessageReceived(e) => Some(&e.node_id),
            Self::SchedulerStopped(e) => Some(&e.node_id),
            Self::Unknown(e) => e.node_id.as_ref(),
        }
    }

    /// Whether the run ends with this event.
    #[must_use]
    pub fn ends_run(&self) -> bool {
        matches!(self, Self::RunCompleted(_) | Self::RunFailed(_) | Self::RunCanceled(_))
    }
}

impl Serialize for Event {
    /// Writes the envelope as the schema orders it, then the fields of the type.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("envelope_version", ENVELOPE_VERSION)?;
        map.serialize_entry("run_id", &self.run_id)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("ts", &self.ts)?;
        map.serialize_entry("type", self.body.type_name())?;
        self.body.serialize_fields(&mut map)?;
        map.end()
    }
}

#[cfg(test)]
mod tests;
