//! What each type of event carries, one struct a type; its fields are parts of the envelope by the same names.
//!
//! Rule: beyond JSON's own forms, a payload is checked for what the protocol forbids to be empty.

use std::borrow::Cow;

use serde::de::MapAccess;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;

use super::decode::{Envelope, Problem, part};
use super::in_place::{Field, Head, Part, unusual};
use super::part::{
    AgentEnd, AgentStart, Artifact, CoordinatorEnd, CoordinatorStart, Delta, Failure, LlmCall, MessageReceived,
    MessageSent, RoundEnd, RoundStart, SchedulerStart, SchedulerStop, SteppedToolCall, SteppedToolResult, UserAnswer,
    UserAsk, Waiting,
};
use crate::api::ids::{NodeId, PlanHash};

/// Declares an event's payload: its fields are parts of the envelope, by the same names.
macro_rules! payload {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl $name {
            pub(super) fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Problem> {
                let payload = Self { $($field: part(stringify!($field), envelope.$field)?,)+ };
                payload.check()?;
                Ok(payload)
            }

            /// Reads the rest of an envelope in one pass.
            pub(super) fn read<'de, M: MapAccess<'de>>(map: &mut M, head: &mut Head<'_>) -> Result<Self, M::Error> {
                $(let mut $field = None;)+
                while let Some(field) = head.next_field(map)? {
                    match field {
                        $(Field::$field => $field = Some(<$type as Part>::read(map, head.recent)?),)+
                        other => head.take(other, map)?,
                    }
                }
                let ($(Some($field),)+) = ($($field,)+) else { return Err(unusual()) };
                let payload = Self { $($field,)+ };
                payload.check().map_err(|_| unusual())?;
                Ok(payload)
            }

            pub(super) fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $(map.serialize_entry(stringify!($field), &self.$field)?;)+
                Ok(())
            }
        }
    };
}

payload! {
    /// `run_compiled`
    RunCompiled {
        /// Hash of the plan.
        plan_hash: PlanHash,
    }
}
payload! {
    /// `run_started`
    RunStarted {
        /// Hash of the plan.
        plan_hash: PlanHash,
    }
}
payload! {
    /// `run_completed`
    RunCompleted {
        /// Hash of the plan.
        plan_hash: PlanHash,
        /// The run's outputs, an object by name.
        outputs: Artifact,
    }
}
payload! {
    /// `run_failed`
    RunFailed {
        /// Hash of the plan.
        plan_hash: PlanHash,
        /// Why.
        error: Failure,
    }
}
payload! {
    /// `run_canceled`
    RunCanceled {
        /// Hash of the plan.
        plan_hash: PlanHash,
        /// Why.
        error: Failure,
    }
}
payload! {
    /// `task_list_updated`
    TaskListUpdated {
        /// Hash of the plan.
        plan_hash: PlanHash,
        /// The list; never inline.
        task_list: Artifact,
    }
}
payload! {
    /// `memory_updated`
    MemoryUpdated {
        /// Hash of the plan.
        plan_hash: PlanHash,
        /// Which memory.
        memory_key: String,
        /// Its value; never inline.
        memory: Artifact,
    }
}
payload! {
    /// `node_started`
    NodeStarted {
        /// The node.
        node_id: NodeId,
    }
}
payload! {
    /// `node_succeeded`
    NodeSucceeded {
        /// The node.
        node_id: NodeId,
    }
}
payload! {
    /// `node_failed`
    NodeFailed {
        /// The node.
        node_id: NodeId,
        /// Why.
        error: Failure,
    }
}
payload! {
    /// `node_llm_call`
    NodeLlmCall {
        /// The node.
        node_id: NodeId,
        /// The call and its usage.
        llm_call: LlmCall,
    }
}
payload! {
    /// `node_tool_call`
    NodeToolCall {
        /// The node.
        node_id: NodeId,
        /// The call, with its arguments.
        tool_call: SteppedToolCall,
    }
}
payload! {
    /// `node_tool_result`
    NodeToolResult {
        /// The node.
        node_id: NodeId,
        /// The call and what came back.
        tool_result: SteppedToolResult,
    }
}
payload! {
    /// `node_waiting`
    NodeWaiting {
        /// The node.
        node_id: NodeId,
        /// What it waits for.
        waiting: Waiting,
    }
}
payload! {
    /// `node_user_ask`
    NodeUserAsk {
        /// The node.
        node_id: NodeId,
        /// The question.
        user_ask: UserAsk,
    }
}
payload! {
    /// `node_user_answer`
    NodeUserAnswer {
        /// The node.
        node_id: NodeId,
        /// The answer.
        user_answer: UserAnswer,
    }
}
payload! {
    /// `node_output_delta`
    NodeOutputDelta {
        /// The node.
        node_id: NodeId,
        /// The piece.
        delta: Delta,
    }
}
payload! {
    /// `node_output`
    NodeOutput {
        /// The node.
        node_id: NodeId,
        /// The output.
        output: Artifact,
    }
}
payload! {
    /// `scheduler_started`
    SchedulerStarted {
        /// The node.
        node_id: NodeId,
        /// Topic, participants and limits.
        scheduler_started: SchedulerStart,
    }
}
payload! {
    /// `scheduler_round_started`
    SchedulerRoundStarted {
        /// The node.
        node_id: NodeId,
        /// Which round.
        scheduler_round_started: RoundStart,
    }
}
payload! {
    /// `scheduler_round_completed`
    SchedulerRoundCompleted {
        /// The node.
        node_id: NodeId,
        /// Which round, and what is left.
        scheduler_round_completed: RoundEnd,
    }
}
payload! {
    /// `scheduler_coordinator_started`
    SchedulerCoordinatorStarted {
        /// The node.
        node_id: NodeId,
        /// With which model.
        scheduler_coordinator_started: CoordinatorStart,
    }
}
payload! {
    /// `scheduler_coordinator_completed`
    SchedulerCoordinatorCompleted {
        /// The node.
        node_id: NodeId,
        /// What was decided.
        scheduler_coordinator_completed: CoordinatorEnd,
    }
}
payload! {
    /// `scheduler_agent_started`
    SchedulerAgentStarted {
        /// The node.
        node_id: NodeId,
        /// Which agent.
        scheduler_agent_started: AgentStart,
    }
}
payload! {
    /// `scheduler_agent_completed`
    SchedulerAgentCompleted {
        /// The node.
        node_id: NodeId,
        /// Which agent, and how it ended.
        scheduler_agent_completed: AgentEnd,
    }
}
payload! {
    /// `scheduler_message_sent`
    SchedulerMessageSent {
        /// The node.
        node_id: NodeId,
        /// Which message, to whom.
        scheduler_message_sent: MessageSent,
    }
}
payload! {
    /// `scheduler_message_received`
    SchedulerMessageReceived {
        /// The node.
        node_id: NodeId,
        /// Which message, from whom.
        scheduler_message_received: MessageReceived,
    }
}
payload! {
    /// `scheduler_stopped`
    SchedulerStopped {
        /// The node.
        node_id: NodeId,
        /// Why.
        scheduler_stopped: SchedulerStop,
    }
}

/// An event of a type that this version does not know: its whole line is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The `type`, as it came.
    pub type_name: Box<str>,
    /// The node that it names, if it names one.
    pub node_id: Option<NodeId>,
    /// The line as it came.
    pub line: Box<str>,
}

impl Unknown {
    pub(super) fn new(type_name: &str, envelope: &Envelope<'_>, line: &str) -> Self {
        let node_id = envelope.node_id.and_then(|raw| serde_json::from_str(raw.get()).ok());
        Self { type_name: type_name.into(), node_id, line: line.into() }
    }

    /// Writes out every field of the line that the envelope does not write itself.
    pub(super) fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let fields: indexmap::IndexMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(&self.line).map_err(serde::ser::Error::custom)?;
        for (name, value) in fields {
            if !matches!(&*name, "envelope_version" | "run_id" | "seq" | "ts" | "type") {
                map.serialize_entry(&name, value)?;
            }
        }
        Ok(())
    }
}

/// What breaks the protocol beyond JSON's own rules (`wire/README.md`, "What a reader must reject").
trait Check {
    /// Finds the first violation.
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}

macro_rules! unchecked {
    ($($name:ident),+ $(,)?) => { $(impl Check for $name {})+ };
}

unchecked! {
    RunCompiled, RunStarted, RunCompleted, RunFailed, RunCanceled, TaskListUpdated, MemoryUpdated, NodeStarted,
    NodeSucceeded, NodeFailed, NodeLlmCall, NodeToolCall, NodeToolResult, NodeOutputDelta, NodeOutput,
    SchedulerStarted, SchedulerRoundStarted, SchedulerRoundCompleted, SchedulerCoordinatorStarted,
    SchedulerCoordinatorCompleted, SchedulerAgentStarted, SchedulerAgentCompleted, SchedulerMessageSent,
    SchedulerMessageReceived, SchedulerStopped,
}

impl Check for NodeWaiting {
    fn check(&self) -> Result<(), Problem> {
        if self.waiting.pending_tool_calls.is_empty() {
            return Err(Problem::Empty("waiting.pending_tool_calls"));
        }
        not_blank("waiting.reason", &self.waiting.reason)
    }
}

impl Check for NodeUserAsk {
    fn check(&self) -> Result<(), Problem> {
        not_blank("user_ask.question", &self.user_ask.question)
    }
}

impl Check for NodeUserAnswer {
    fn check(&self) -> Result<(), Problem> {
        not_blank("user_answer.answer", &self.user_answer.answer)
    }
}

fn not_blank(field: &'static str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() { Err(Problem::Empty(field)) } else { Ok(()) }
}
