//! One run event: envelope `v2`, 28 published types, each its own struct.
//!
//! Source: the published `run_event` schema and `wire/README.md`, "Run events". Decoding goes in two stages: the
//! envelope first, its parts untouched; then only the part that the type names. So an event of an unknown type, or
//! one with extra fields, is never refused for something that nobody here reads.
//!
//! Rule: [`decode`] looks at one line only; what follows a bad line is not its business.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::ids::{NodeId, PlanHash, RequestId, RunId};
use super::open_enum::open_enum;
use super::tool::{QuestionOption, ToolCall};

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

/// Declares an event's payload: its fields are parts of the envelope, by the same names.
macro_rules! payload {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl $name {
            fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Problem> {
                let payload = Self { $($field: part(stringify!($field), envelope.$field)?,)+ };
                payload.check()?;
                Ok(payload)
            }

            fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
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
    fn new(type_name: &str, envelope: &Envelope<'_>, line: &str) -> Self {
        let node_id = envelope.node_id.and_then(|raw| serde_json::from_str(raw.get()).ok());
        Self { type_name: type_name.into(), node_id, line: line.into() }
    }

    /// Writes out every field of the line that the envelope does not write itself.
    fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
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

/// Why a node or a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The server's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What went wrong, in words.
    pub message: String,
}

/// A value that the server stores: always its digest, sometimes the value itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Artifact {
    /// The server's name of it.
    pub artifact_key: String,
    /// Size, digest, and whether the value is inline.
    pub info: ArtifactInfo,
    /// The value as raw JSON; only when `include_output` was asked for and `info.included` is true. A `null` is a
    /// value, too.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub content: Option<Box<RawValue>>,
}

impl Artifact {
    /// The inline value as JSON text. A `null` counts only where the server says that the value is inline: elsewhere it
    /// stands for none.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        let content = self.content.as_deref().map(RawValue::get);
        content.filter(|text| self.info.included || *text != "null")
    }
}

/// Reads a field that stands there as a value, `null` included.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl PartialEq for Artifact {
    /// Compares the inline value by its text.
    fn eq(&self, other: &Self) -> bool {
        self.artifact_key == other.artifact_key && self.info == other.info && self.content() == other.content()
    }
}

/// What is known of an [`Artifact`]'s value without having it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactInfo {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, in lowercase hex.
    pub sha256: String,
    /// Whether the value is inline.
    pub included: bool,
}

/// One call of a language model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LlmCall {
    /// The node's step.
    pub step: u64,
    /// The request's id.
    pub request_id: RequestId,
    /// Who served it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<super::run::Provider>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Box<str>>,
    /// The provider's id of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<Box<str>>,
    /// Why the model stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<Box<str>>,
    /// Tokens; absent where the provider did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Tokens of one LLM call. Absent counts are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub input_tokens: u64,
    /// Tokens written.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub output_tokens: u64,
    /// Both, as the server adds them.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub total_tokens: u64,
}

/// A tool call with the step that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteppedToolCall {
    /// The node's step.
    pub step: u64,
    /// The LLM request that made it.
    pub request_id: RequestId,
    /// The call.
    pub tool_call: ToolCall,
}

/// A tool's result with the step that asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteppedToolResult {
    /// The node's step.
    pub step: u64,
    /// The LLM request that made the call.
    pub request_id: RequestId,
    /// The call.
    pub tool_call: ToolCall,
    /// The output.
    pub output: String,
    /// The error, where the tool failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a node waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The node's step.
    pub step: u64,
    /// The LLM request that made the calls.
    pub request_id: RequestId,
    /// Why it waits, in the server's word.
    pub reason: String,
    /// The calls; at least one.
    pub pending_tool_calls: Vec<super::tool::PendingToolCall>,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAsk {
    /// The node's step.
    pub step: u64,
    /// The LLM request that made the call.
    pub request_id: RequestId,
    /// The call that the answer goes to.
    pub tool_call: ToolCall,
    /// The question; never blank.
    pub question: String,
    /// The answers offered.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<QuestionOption>,
    /// Whether an answer of one's own is allowed.
    pub allow_freeform: bool,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAnswer {
    /// The node's step.
    pub step: u64,
    /// The LLM request that made the call.
    pub request_id: RequestId,
    /// The call that is answered.
    pub tool_call: ToolCall,
    /// The answer; never blank.
    pub answer: String,
    /// Whether it is none of the options.
    pub is_freeform: bool,
}

open_enum! {
    /// What a piece of streamed output is.
    DeltaKind {
        /// A message begins.
        MessageStart = "message_start",
        /// Text of a message.
        MessageDelta = "message_delta",
        /// A message ends.
        MessageStop = "message_stop",
        /// A tool call begins.
        ToolUseStart = "tool_use_start",
        /// Text of a tool call.
        ToolUseDelta = "tool_use_delta",
        /// A tool call ends.
        ToolUseStop = "tool_use_stop",
    }
}

/// A piece of streamed output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// What it is.
    pub kind: DeltaKind,
    /// The text that it adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_delta: Option<Box<str>>,
    /// The provider's id of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<Box<str>>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Box<str>>,
}

/// How a scheduler begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulerStart {
    /// What it is about.
    pub topic: String,
    /// Who takes part.
    pub participants: Vec<Participant>,
    /// Its limits.
    pub policy: SchedulerPolicy,
}

/// An agent in a scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// The agent.
    pub agent_id: String,
    /// The agent's definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_ref: Option<String>,
    /// Its role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A scheduler's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulerPolicy {
    /// Rounds at most.
    pub max_rounds: u64,
    /// Agents at once.
    pub max_concurrency: u64,
    /// Steps at most.
    pub max_steps: u64,
    /// Milliseconds at most.
    pub timeout_ms: u64,
}

/// A round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundStart {
    /// Its number.
    pub round_index: u64,
}

/// A round ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundEnd {
    /// Its number.
    pub round_index: u64,
    /// Messages that are still to be delivered.
    pub pending: u64,
}

/// A coordinator begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoordinatorStart {
    /// With which model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// A coordinator has decided.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CoordinatorEnd {
    /// The decision, any JSON.
    pub decision: Box<RawValue>,
}

impl PartialEq for CoordinatorEnd {
    fn eq(&self, other: &Self) -> bool {
        self.decision.get() == other.decision.get()
    }
}

/// An agent's turn begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStart {
    /// The agent.
    pub agent_id: String,
    /// The child run that is its turn; it can be followed itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_run_id: Option<RunId>,
    /// What it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

/// An agent's turn ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEnd {
    /// The agent.
    pub agent_id: String,
    /// The child run that was its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_run_id: Option<RunId>,
    /// How it ended, in the server's word.
    pub status: String,
    /// What it did, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// A message was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSent {
    /// Its id, a UUID.
    pub message_id: String,
    /// To whom.
    pub to: String,
}

/// A message was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageReceived {
    /// Its id, a UUID.
    pub message_id: String,
    /// From whom.
    pub from: String,
}

/// A scheduler stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulerStop {
    /// Why.
    pub reason: String,
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

/// A text that is borrowed from the line unless it holds an escape. (`Option<Cow<str>>` alone would always copy.)
#[derive(Deserialize)]
#[serde(transparent)]
struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::ops::Deref for Word<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

/// The envelope with every part that any type uses, none of them decoded yet.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the wire's own names")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    envelope_version: Option<Word<'a>>,
    #[serde(default)]
    run_id: Option<RunId>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(borrow, default)]
    ts: Option<Word<'a>>,
    #[serde(borrow, default, rename = "type")]
    event_type: Option<Word<'a>>,
    #[serde(borrow, default)]
    plan_hash: Option<&'a RawValue>,
    #[serde(borrow, default)]
    node_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    outputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    task_list: Option<&'a RawValue>,
    #[serde(borrow, default)]
    memory_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    memory: Option<&'a RawValue>,
    #[serde(borrow, default)]
    llm_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    waiting: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_ask: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_answer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_started: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_round_started: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_round_completed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_coordinator_started: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_coordinator_completed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_agent_started: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_agent_completed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_message_sent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_message_received: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scheduler_stopped: Option<&'a RawValue>,
}

fn part<T: DeserializeOwned>(name: &'static str, raw: Option<&RawValue>) -> Result<T, Problem> {
    let raw = raw.ok_or(Problem::Missing(name))?;
    serde_json::from_str(raw.get()).map_err(|error| Problem::Malformed(name, error.to_string()))
}

/// What a line of the stream holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// An event.
    Event(Event),
    /// `{"type":"keepalive"}`: the server is alive and has nothing to say.
    Keepalive,
    /// An empty line.
    Blank,
}

/// What exactly breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The line is not UTF-8.
    #[error("not UTF-8 after byte {0}")]
    NotUtf8(usize),
    /// The line is not a JSON object of the envelope's form.
    #[error("not an event: {0}")]
    NotAnEvent(String),
    /// A required field is missing or null.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A required field is empty or blank.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// A field has not the form that its type asks for.
    #[error("`{0}` cannot be read: {1}")]
    Malformed(&'static str, String),
    /// The envelope is of another version.
    #[error("envelope_version is {0:?}, expected \"v2\"")]
    Version(String),
    /// Seq starts at 1.
    #[error("seq is 0; it starts at 1")]
    ZeroSeq,
    /// The event is of another run than the one that was asked for.
    #[error("the event belongs to run {0}")]
    OtherRun(RunId),
    /// The line was longer than the limit and was skipped; only its beginning is kept.
    #[error("a line of {bytes} bytes, over the limit of {limit}")]
    TooLong {
        /// Its whole length in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

/// A line that breaks the protocol, with the line.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("protocol error{}: {problem}", .seq.map(|seq| format!(" at seq {seq}")).unwrap_or_default())]
pub struct ProtocolError {
    /// What is wrong.
    pub problem: Problem,
    /// The seq that the line claims, where one can be read: the line takes that place.
    pub seq: Option<u64>,
    /// The line as it came.
    pub line: bytes::Bytes,
}

impl ProtocolError {
    /// A line of `bytes` bytes, over `limit`, of which only `prefix` was kept.
    #[must_use]
    pub fn too_long(bytes: u64, limit: u64, prefix: bytes::Bytes) -> Self {
        Self { problem: Problem::TooLong { bytes, limit }, seq: claimed_seq(&prefix), line: prefix }
    }
}

impl fmt::Debug for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolError")
            .field("problem", &self.problem)
            .field("seq", &self.seq)
            .field("line", &String::from_utf8_lossy(&self.line))
            .finish()
    }
}

/// Decodes one line, without its line ending.
///
/// # Errors
/// When the line breaks the protocol; the error keeps the line and, where it can be read, its seq.
pub fn decode(line: &[u8]) -> Result<Decoded, ProtocolError> {
    decode_text(line).map_err(|problem| ProtocolError {
        seq: claimed_seq(line),
        problem,
        line: bytes::Bytes::copy_from_slice(line),
    })
}

fn decode_text(line: &[u8]) -> Result<Decoded, Problem> {
    let text = std::str::from_utf8(line).map_err(|error| Problem::NotUtf8(error.valid_up_to()))?;
    if text.trim().is_empty() {
        return Ok(Decoded::Blank);
    }
    if !text.trim_start().starts_with('{') {
        // A list of the fields' values would be read as an envelope, too.
        return Err(Problem::NotAnEvent("expected a JSON object".to_owned()));
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| Problem::NotAnEvent(error.to_string()))?;
    if envelope.event_type.as_deref() == Some("keepalive") && envelope.seq.is_none() {
        return Ok(Decoded::Keepalive);
    }
    match envelope.envelope_version.as_deref() {
        Some(ENVELOPE_VERSION) => {}
        Some(other) => return Err(Problem::Version(other.to_owned())),
        None => return Err(Problem::Missing("envelope_version")),
    }
    let seq = envelope.seq.ok_or(Problem::Missing("seq"))?;
    if seq == 0 {
        return Err(Problem::ZeroSeq);
    }
    let ts = envelope.ts.as_deref().ok_or(Problem::Missing("ts"))?;
    Ok(Decoded::Event(Event {
        run_id: envelope.run_id.ok_or(Problem::Missing("run_id"))?,
        seq,
        ts: ts.parse().map_err(|error: jiff::Error| Problem::Malformed("ts", error.to_string()))?,
        body: EventBody::from_envelope(&envelope, text)?,
    }))
}

/// The seq that a broken line claims, where one can still be read: also from a line that breaks off behind it.
fn claimed_seq(line: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(line);
    let claim = Cell::new(None);
    // Where the line is broken this fails, and what was read before stands in the cell.
    let _ = serde_json::Deserializer::from_str(&text).deserialize_map(ClaimReader(&claim));
    claim.get().filter(|seq| *seq > 0)
}

/// Notes an object's `seq` once the next field's name, or the object's end, proves that its number is whole.
struct ClaimReader<'c>(&'c Cell<Option<u64>>);

impl<'de> Visitor<'de> for ClaimReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut claim = None;
        while let Some(name) = map.next_key::<String>()? {
            self.0.set(claim);
            if name == "seq" {
                claim = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        self.0.set(claim);
        Ok(())
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
