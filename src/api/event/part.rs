//! The parts that events are made of, as the wire names them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::api::ids::{RequestId, RunId};
use crate::api::open_enum::open_enum;
use crate::api::run::Provider;
use crate::api::tool::{PendingToolCall, QuestionOption, ToolCall};

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
    pub provider: Option<Provider>,
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
    #[serde(default, deserialize_with = "crate::api::nullable::or_default")]
    pub input_tokens: u64,
    /// Tokens written.
    #[serde(default, deserialize_with = "crate::api::nullable::or_default")]
    pub output_tokens: u64,
    /// Both, as the server adds them.
    #[serde(default, deserialize_with = "crate::api::nullable::or_default")]
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
    pub pending_tool_calls: Vec<PendingToolCall>,
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
    #[serde(default, deserialize_with = "crate::api::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
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
