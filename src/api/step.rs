//! The steps of a run: which model was asked what, which tools were called, and what came back.
//!
//! Source: `RunStepsResponse`, `RunToolCallDetail` and `RunNodeStepsV0` in the published OpenAPI document. Two shapes of
//! the same facts: `GET /runs/{id}/steps` has them step by step with requests and responses, a snapshot with
//! `include=steps` has them node by node without. Rule: requests and responses are raw JSON, never re-serialised.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event::Usage;
use super::ids::{NodeId, RequestId};
use super::run::Provider;
use super::tool::{PendingToolCall, ToolCall, ToolResult};

/// `GET /runs/{id}/steps`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSteps {
    /// The steps in the server's order; absent on the wire means none.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub steps: Vec<StepDetail>,
}

/// One step with everything that is known of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepDetail {
    /// The node.
    pub node_id: NodeId,
    /// The step, counted by the server within the node.
    pub step: u64,
    /// The LLM request of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// What the model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_request: Option<Box<RawValue>>,
    /// What the model answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_response: Option<Box<RawValue>>,
    /// Which model, and what it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_call: Option<StepLlmCall>,
    /// The tools that the model called.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<PendingToolCall>,
    /// What came back, in the order in which it came.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub tool_results: Vec<ToolResult>,
}

impl PartialEq for StepDetail {
    /// Compares JSON values by their text, which is how they came.
    fn eq(&self, other: &Self) -> bool {
        let text = |value: &Option<Box<RawValue>>| value.as_deref().map(|value| value.get().to_owned());
        self.node_id == other.node_id
            && self.step == other.step
            && self.request_id == other.request_id
            && text(&self.llm_request) == text(&other.llm_request)
            && text(&self.llm_response) == text(&other.llm_response)
            && self.llm_call == other.llm_call
            && self.tool_calls == other.tool_calls
            && self.tool_results == other.tool_results
    }
}

impl Eq for StepDetail {}

/// Which model a step called; a server may leave out any of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLlmCall {
    /// Who serves the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The provider's id of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    /// Why the model stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Tokens read and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// `GET /runs/{id}/steps/{step}/tool-calls/{tool_id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCallDetail {
    /// The node.
    pub node_id: NodeId,
    /// The step, counted by the server within the node.
    pub step: u64,
    /// The call with its arguments.
    pub tool_call: ToolCall,
    /// Its result, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_result: Option<ToolResult>,
}

/// The steps of one node in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSteps {
    /// The node.
    pub node_id: NodeId,
    /// Its steps; absent on the wire means none.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub steps: Vec<NodeStep>,
}

/// One step in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStep {
    /// The step, counted by the server within the node.
    pub step: u64,
    /// The LLM request of the step.
    pub request_id: RequestId,
    /// Which model, and what it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_call: Option<StepLlmCall>,
    /// The tools that the model called; only where they were asked for.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<PendingToolCall>,
    /// What came back; only where it was asked for.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub tool_results: Vec<ToolResult>,
    /// What the step waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<StepWaiting>,
}

/// What a step in a snapshot waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepWaiting {
    /// Why, in the server's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The calls that have no result yet.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub pending_tool_calls: Vec<PendingToolCall>,
}
