//! Tool calls that a run waits for, and the results that are sent back.
//!
//! Sources: `RunsPendingToolsResponse`, `RunsToolResultsRequest`, `RunsToolResultsResponse` in the published OpenAPI
//! document, and `wire/README.md`, "`user_ask`". Arguments and outputs are texts: they are carried byte for byte and
//! never re-serialised.

use serde::{Deserialize, Serialize};

use super::ids::{CallId, NodeId, RequestId, RunId, ToolName};
use super::run::RunStatus;

/// A tool call: which tool, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call's own id.
    pub id: CallId,
    /// The tool.
    pub name: ToolName,
    /// The arguments as the model wrote them: meant to be JSON, kept as text. Absent in results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
}

impl ToolCall {
    /// The arguments, or the empty text.
    #[must_use]
    pub fn arguments(&self) -> &str {
        self.arguments.as_deref().unwrap_or_default()
    }

    /// The same call without its arguments, as results name it.
    #[must_use]
    pub fn without_arguments(&self) -> Self {
        Self { arguments: None, ..self.clone() }
    }

    /// The question, where this is a call of `user_ask` (older: `user.ask`) with arguments that can be read as one.
    #[must_use]
    pub fn question(&self) -> Option<Question> {
        if !matches!(self.name.as_str(), "user_ask" | "user.ask") {
            return None;
        }
        serde_json::from_str::<Question>(self.arguments()).ok().filter(|asked| !asked.question.trim().is_empty())
    }
}

/// The step of a node that a call belongs to: what a submission must name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepKey {
    /// The node.
    pub node_id: NodeId,
    /// The node's step, counted by the server.
    pub step: u64,
    /// The LLM request that made the calls.
    pub request_id: RequestId,
}

impl StepKey {
    /// The step `step` of `node_id`, made by `request_id`.
    #[must_use]
    pub fn new(node_id: &NodeId, step: u64, request_id: RequestId) -> Self {
        Self { node_id: node_id.clone(), step, request_id }
    }

    /// The key of one of its calls.
    #[must_use]
    pub fn call(&self, call_id: &CallId) -> CallKey {
        CallKey { step: self.clone(), call_id: call_id.clone() }
    }
}

/// The identity of one pending call: a selection, a draft and a result follow it, never a row number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallKey {
    /// The step that it belongs to.
    #[serde(flatten)]
    pub step: StepKey,
    /// The call's own id.
    pub call_id: CallId,
}

/// `GET /runs/{id}/pending-tools`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingTools {
    /// The run.
    pub run_id: RunId,
    /// The steps that wait; absent on the wire means none.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub pending: Vec<PendingStep>,
}

impl PendingTools {
    /// Every pending call with its key, in the server's order.
    pub fn calls(&self) -> impl Iterator<Item = (CallKey, &ToolCall)> {
        self.pending.iter().flat_map(|pending| {
            pending.tool_calls.iter().map(|call| (pending.step.call(&call.tool_call.id), &call.tool_call))
        })
    }
}

/// A step of a node with its pending calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingStep {
    /// Node, step and request.
    #[serde(flatten)]
    pub step: StepKey,
    /// The calls; absent on the wire means none.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub tool_calls: Vec<PendingToolCall>,
}

/// The wire's wrapper round a pending call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingToolCall {
    /// The call, with its arguments.
    pub tool_call: ToolCall,
}

/// `POST /runs/{id}/tool-results`: results for one or more calls of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResultsRequest {
    /// Node, step and request, as pending-tools names them.
    #[serde(flatten)]
    pub step: StepKey,
    /// The results.
    pub results: Vec<ToolResult>,
}

impl ToolResultsRequest {
    /// The keys of the calls that it answers, in order.
    pub fn keys(&self) -> impl Iterator<Item = CallKey> {
        self.results.iter().map(|result| self.step.call(&result.tool_call.id))
    }
}

/// The result of one tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Which call; arguments may be left out.
    pub tool_call: ToolCall,
    /// The output, byte for byte.
    pub output: String,
    /// The error, where the tool failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The server's answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResultsReply {
    /// How many of the results were accepted.
    pub accepted: u64,
    /// The run's status after it; it may still be `waiting`.
    pub status: RunStatus,
}

/// What a `user_ask` call asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The question.
    pub question: String,
    /// The answers offered; may be empty.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<QuestionOption>,
    /// Whether an answer of one's own is allowed. Default true.
    #[serde(default = "allowed")]
    pub allow_freeform: bool,
}

fn allowed() -> bool {
    true
}

/// One answer that a question offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionOption {
    /// What is sent as the answer.
    pub label: String,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The output of a `user_ask` call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionAnswer {
    /// The answer, trimmed and never empty.
    pub answer: String,
    /// False when the answer is one of the options' labels.
    pub is_freeform: bool,
}

/// Why a text cannot answer a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nothing but white space.
    #[error("the answer is empty: choose an option or write one")]
    Empty,
    /// The question takes only its options.
    #[error("this question takes only one of its options, and this is none of them")]
    FreeformNotAllowed,
}

impl Question {
    /// The answer that `text` gives: trimmed, an option where it equals a label.
    ///
    /// # Errors
    /// When the text is blank, or is none of the options where only these are allowed.
    pub fn answer(&self, text: &str) -> Result<QuestionAnswer, AnswerError> {
        let answer = text.trim();
        if answer.is_empty() {
            return Err(AnswerError::Empty);
        }
        let is_freeform = !self.options.iter().any(|option| option.label.trim() == answer);
        if is_freeform && !self.allow_freeform {
            return Err(AnswerError::FreeformNotAllowed);
        }
        Ok(QuestionAnswer { answer: answer.to_owned(), is_freeform })
    }
}

impl QuestionAnswer {
    /// The JSON text that is sent as the call's output.
    #[must_use]
    pub fn to_output(&self) -> String {
        // A struct of a string and a bool always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &str) -> ToolCall {
        ToolCall {
            id: CallId::parse("c1").unwrap(),
            name: ToolName::parse(name).unwrap(),
            arguments: Some(arguments.to_owned()),
        }
    }

    #[test]
    fn pending_and_tool_calls_may_be_absent() {
        let none: PendingTools = serde_json::from_str(r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000"}"#).unwrap();
        assert_eq!(none.calls().count(), 0);
        let null: PendingTools =
            serde_json::from_str(r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000","pending":null}"#).unwrap();
        assert_eq!(null, none);
        let empty: PendingTools = serde_json::from_str(
            r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000","pending":[{"node_id":"a","step":0,
                "request_id":"550e8400-e29b-41d4-a716-446655440001"}]}"#,
        )
        .unwrap();
        assert_eq!(empty.calls().count(), 0);
        assert_eq!(empty.pending.len(), 1);
    }

    #[test]
    fn a_tool_whose_name_has_a_dot_is_read() {
        let call: PendingToolCall =
            serde_json::from_str(r#"{"tool_call":{"id":"x","name":"fs.search","arguments":"{}"}}"#).unwrap();
        assert_eq!(call.tool_call.name.as_str(), "fs.search");
    }

    #[test]
    fn a_question_is_read_under_both_names_and_from_no_other() {
        let arguments = r#"{"question":"Page them?","options":[{"label":"yes"}]}"#;
        for name in ["user_ask", "user.ask"] {
            let question = call(name, arguments).question().unwrap();
            assert!(question.allow_freeform);
            assert_eq!(question.options[0].label, "yes");
        }
        assert_eq!(call("lookup", arguments).question(), None);
        assert_eq!(call("user_ask", "not json").question(), None);
    }

    #[test]
    fn an_answer_is_trimmed_and_is_freeform_unless_it_is_a_label() {
        let question = call("user_ask", r#"{"question":"?","options":[{"label":"yes"}]}"#).question().unwrap();
        assert_eq!(question.answer(" yes\n").unwrap().to_output(), r#"{"answer":"yes","is_freeform":false}"#);
        assert_eq!(question.answer("no").unwrap().to_output(), r#"{"answer":"no","is_freeform":true}"#);
        assert_eq!(question.answer(" \n"), Err(AnswerError::Empty));
        let strict = Question { allow_freeform: false, ..question };
        assert_eq!(strict.answer("no"), Err(AnswerError::FreeformNotAllowed));
    }

    #[test]
    fn a_request_names_its_step_flat_as_the_wire_does() {
        let request = ToolResultsRequest {
            step: StepKey {
                node_id: NodeId::parse("a").unwrap(),
                step: 3,
                request_id: RequestId::parse("550e8400-e29b-41d4-a716-446655440001").unwrap(),
            },
            results: vec![ToolResult {
                tool_call: call("t", "{}").without_arguments(),
                output: "{ \"kept\" : 1.0 }".into(),
                error: None,
            }],
        };
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"node_id":"a","step":3,"request_id":"550e8400-e29b-41d4-a716-446655440001","results":[{"tool_call":{"id":"c1","name":"t"},"output":"{ \"kept\" : 1.0 }"}]}"#
        );
    }
}
