//! A draft a call: its text, what it is worth as an answer, and where it stands between typing and verdict.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::DraftText;
use super::json::Invalid;
use crate::api::ids::ToolName;
use crate::api::tool::{CallKey, Question, QuestionAnswer, ToolCall, ToolResult};
use crate::store::Draft;
use crate::submission::{CallVerdict, Progress};

/// The operator's answer to one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The call.
    pub key: CallKey,
    /// The tool's name, kept for when the call no longer waits.
    pub tool: ToolName,
    /// What was typed; while the editor is open it holds the same.
    pub text: DraftText,
    /// Whether the text is sent as an error.
    pub is_error: bool,
    /// Since when (uptime) there are changes that are not on disk.
    pub unsaved_since: Option<Duration>,
    /// When the disk last took it.
    pub saved_at: Option<Timestamp>,
    /// Why the disk did not take it, in words.
    pub save_failure: Option<String>,
    /// Whether it came from disk and has not been touched since.
    pub restored: bool,
    /// The submission that carries it.
    pub sending: Option<Sending>,
    /// How its last submission ended, while the text is still here.
    pub verdict: Option<CallVerdict>,
    /// What became of its call, once it no longer waits.
    pub fate: Fate,
}

/// What became of a call that no longer waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fate {
    /// It was not asked for.
    #[default]
    Unasked,
    /// It is looked for in the events.
    Asked,
    /// It has a result.
    Answered {
        /// The output, byte for byte.
        output: String,
        /// The error, byte for byte.
        error: Option<String>,
        /// When, by the server's clock.
        at: Timestamp,
    },
    /// The events have no result of it.
    Unanswered,
    /// The events could not be read; in words, not yet inert.
    Unreadable(String),
}

/// A submission on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// The submission.
    pub request_id: Uuid,
    /// Where it stands.
    pub progress: Progress,
}

impl Answer {
    /// An empty answer to a call.
    #[must_use]
    pub fn new(key: CallKey, tool: ToolName) -> Self {
        Self {
            key,
            tool,
            text: DraftText::from(""),
            is_error: false,
            unsaved_since: None,
            saved_at: None,
            save_failure: None,
            restored: false,
            sending: None,
            verdict: None,
            fate: Fate::default(),
        }
    }

    /// The answer that a submission of an ended process carried.
    #[must_use]
    pub fn of_result(key: CallKey, result: &ToolResult) -> Self {
        let said =
            serde_json::from_str::<QuestionAnswer>(&result.output).ok().filter(|_| is_question(&result.tool_call.name));
        let text = match (&result.error, said) {
            (Some(error), _) => error.clone(),
            (None, Some(said)) => said.answer,
            (None, None) => result.output.clone(),
        };
        let is_error = result.error.is_some();
        Self { text: DraftText::new(text), is_error, ..Self::new(key, result.tool_call.name.clone()) }
    }

    /// The answer that stood on disk; `None` where its tool's name is unusable.
    #[must_use]
    pub fn restored(draft: Draft) -> Option<Self> {
        let tool = ToolName::from_wire(&draft.tool)?;
        Some(Self {
            text: DraftText::new(draft.text),
            is_error: draft.is_error,
            saved_at: Some(draft.saved_at),
            restored: true,
            ..Self::new(draft.key, tool)
        })
    }

    /// The draft as it goes to disk.
    #[must_use]
    pub fn to_draft(&self, now: Timestamp) -> Draft {
        Draft {
            key: self.key.clone(),
            tool: self.tool.as_str().to_owned(),
            text: self.text.to_string(),
            is_error: self.is_error,
            saved_at: now,
        }
    }

    /// Whether there is a text that the server has not taken.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        !self.text.trim().is_empty()
    }

    /// Whether a result of its call says the same as its text, byte for byte; of a question's answer, which is sent
    /// trimmed and wrapped in JSON, the words.
    #[must_use]
    pub fn says(&self, output: &str, error: Option<&str>) -> bool {
        match error.filter(|error| !error.is_empty()) {
            Some(error) => self.is_error && *self.text == *error && output.is_empty(),
            None if self.is_error => false,
            None if *self.text == *output => true,
            None => {
                let asked = is_question(&self.tool);
                let said = serde_json::from_str::<QuestionAnswer>(output).ok().filter(|_| asked);
                said.is_some_and(|said| said.answer == self.text.trim())
            }
        }
    }

    /// What the text is worth as an answer.
    #[must_use]
    pub fn check(&self, question: Option<&Question>) -> Check {
        Check::of(&self.text, self.is_error, question)
    }

    /// The result that is sent for `call`: the text byte for byte, or the answer to a question.
    #[must_use]
    pub fn to_result(&self, call: &ToolCall, question: Option<&Question>) -> ToolResult {
        let tool_call = call.without_arguments();
        if self.is_error {
            return ToolResult { tool_call, output: String::new(), error: Some(self.text.to_string()) };
        }
        let answered = question.and_then(|question| question.answer(&self.text).ok());
        let output = answered.map_or_else(|| self.text.to_string(), |answer| answer.to_output());
        ToolResult { tool_call, output, error: None }
    }
}

fn is_question(tool: &ToolName) -> bool {
    matches!(tool.as_str(), "user_ask" | "user.ask")
}

/// What a text is worth as an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Nothing to send.
    Empty,
    /// A result that is valid JSON.
    Json,
    /// A result that is not JSON: it can be sent, a result is text.
    Text(Invalid),
    /// An error result.
    Error,
    /// One of the question's options.
    Choice,
    /// An answer of one's own to a question.
    Freeform,
    /// The question takes only its options, and this is none of them.
    NotAChoice,
}

impl Check {
    fn of(text: &DraftText, is_error: bool, question: Option<&Question>) -> Self {
        if text.trim().is_empty() {
            return Self::Empty;
        }
        if is_error {
            return Self::Error;
        }
        match question {
            Some(question) => match question.answer(text) {
                Ok(answer) if answer.is_freeform => Self::Freeform,
                Ok(_) => Self::Choice,
                Err(_) => Self::NotAChoice,
            },
            None => text.json().map_or_else(Self::Text, |()| Self::Json),
        }
    }

    /// Whether it can be sent.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::Empty | Self::NotAChoice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ids::{CallId, NodeId, RequestId};
    use crate::api::tool::StepKey;

    fn answer(text: &str) -> Answer {
        let step = StepKey::new(&NodeId::parse("a").unwrap(), 1, RequestId::random());
        let tool = ToolName::parse("look").unwrap();
        Answer { text: text.into(), ..Answer::new(step.call(&CallId::parse("c").unwrap()), tool) }
    }

    fn call() -> ToolCall {
        ToolCall {
            id: CallId::parse("c").unwrap(),
            name: ToolName::parse("look").unwrap(),
            arguments: Some("{}".into()),
        }
    }

    #[test]
    fn a_result_is_sent_byte_for_byte_and_an_error_in_its_own_field() {
        let typed = answer(" {\"x\" : 1.0}\n");
        assert_eq!(typed.check(None), Check::Json);
        assert_eq!(typed.to_result(&call(), None).output, " {\"x\" : 1.0}\n");
        let error = Answer { is_error: true, ..answer("no such host") };
        assert_eq!(error.check(None), Check::Error);
        let result = error.to_result(&call(), None);
        assert_eq!((result.output.as_str(), result.error.as_deref()), ("", Some("no such host")));
        assert_eq!(result.tool_call.arguments, None);
    }

    #[test]
    fn invalid_json_warns_and_does_not_block() {
        let check = answer("plain words").check(None);
        assert!(matches!(check, Check::Text(_)) && check.is_ready());
        assert!(!answer(" \n").check(None).is_ready());
    }

    #[test]
    fn an_answer_to_a_question_is_checked_against_its_options() {
        let question = Question { question: "?".into(), options: Vec::new(), allow_freeform: false };
        assert_eq!(answer("hm").check(Some(&question)), Check::NotAChoice);
        let open = Question { allow_freeform: true, ..question };
        assert_eq!(answer(" hm ").check(Some(&open)), Check::Freeform);
        assert_eq!(answer(" hm ").to_result(&call(), Some(&open)).output, r#"{"answer":"hm","is_freeform":true}"#);
    }
}
