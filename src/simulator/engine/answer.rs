//! Waiting for results from outside, and taking them.
//!
//! Owns which submissions are accepted. Rule: a submission is taken whole or not at all, unless its caller wants less,
//! and a call is answered once.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::event::{
    EventBody, NodeToolResult, NodeUserAnswer, NodeUserAsk, NodeWaiting, SteppedToolResult, UserAnswer, UserAsk,
    Waiting,
};
use crate::api::ids::NodeId;
use crate::api::tool::{
    PendingToolCall, Question, QuestionAnswer, StepKey, ToolCall, ToolResult, ToolResultsReply, ToolResultsRequest,
};

use super::super::fold::StepState;
use super::Engine;
use super::task::{CallRecord, Phase, Request};

/// Why a submission is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400: the payload itself is wrong; with the field.
    Invalid { field: String, message: String },
    /// 404: nothing of that name waits.
    NotFound(String),
    /// 409: something waits, or has waited, but not for this.
    Conflict(String),
}

impl Engine {
    /// Takes results for the calls of one step, the first `most` of them.
    ///
    /// # Errors
    /// When any of them cannot be taken; then none is.
    pub(crate) fn submit(
        &mut self,
        now: Duration,
        submitted: &ToolResultsRequest,
        most: usize,
    ) -> Result<ToolResultsReply, Refusal> {
        self.advance_to(now);
        let step = &submitted.step;
        self.check_step(step)?;
        let mut seen = BTreeSet::new();
        let mut records = Vec::with_capacity(submitted.results.len());
        if submitted.results.is_empty() {
            return Err(invalid("results", "must hold at least one result"));
        }
        for (index, result) in submitted.results.iter().enumerate() {
            if !seen.insert(&result.tool_call.id) {
                let message = format!("holds two results for the call {}", result.tool_call.id);
                return Err(invalid(&format!("results[{index}]"), message));
            }
            records.push(self.check_result(step, index, result)?);
        }
        let accepted = records.len().min(most);
        for record in records.into_iter().take(most) {
            self.take_result(&step.node_id, record);
        }
        if self.ledger.fold().step(step) == StepState::Answered {
            if let Some(task) = self.tasks.get_mut(&step.node_id) {
                task.phase = Phase::Active;
            }
            self.schedule(&step.node_id);
        }
        Ok(ToolResultsReply { accepted: accepted as u64, status: self.status() })
    }

    fn check_step(&self, step: &StepKey) -> Result<(), Refusal> {
        let node = &step.node_id;
        match self.ledger.fold().step(step) {
            _ if self.ended => Err(Refusal::Conflict(format!("the run has ended: it is {}", self.status()))),
            StepState::Open | StepState::Answered => Ok(()),
            StepState::NeverWaited => {
                Err(Refusal::NotFound(format!("no pending tool calls: node {node} waits for nothing")))
            }
            StepState::Other => {
                let step = step.step;
                Err(Refusal::Conflict(format!("node {node} does not wait in step {step} under this request id")))
            }
        }
    }

    fn check_result(&self, step: &StepKey, index: usize, result: &ToolResult) -> Result<CallRecord, Refusal> {
        let id = &result.tool_call.id;
        let Some((call, answered)) = self.ledger.fold().awaited(step, id) else {
            return Err(Refusal::NotFound(format!("tool call {id} is not one of this step")));
        };
        if answered {
            return Err(Refusal::Conflict(format!("tool call {id} is answered already")));
        }
        if result.tool_call.name != call.name {
            let message =
                format!("is {:?}; the call {id} is of {:?}", result.tool_call.name.as_str(), call.name.as_str());
            return Err(invalid(&format!("results[{index}].tool_call.name"), message));
        }
        if let Some(question) = call.question().filter(|_| result.error.is_none()) {
            check_answer(&question, &result.output)
                .map_err(|message| invalid(&format!("results[{index}].output"), message))?;
        }
        Ok(CallRecord {
            request: Request { step: step.step, id: step.request_id },
            call: call.clone(),
            output: result.output.clone(),
            error: result.error.clone(),
        })
    }

    /// A result is there: into the log, and into what the model reads next.
    pub(super) fn take_result(&mut self, id: &NodeId, record: CallRecord) {
        let Request { step, id: request_id } = record.request;
        let tool_call = record.call.without_arguments();
        let tool_result = SteppedToolResult {
            step,
            request_id,
            tool_call: tool_call.clone(),
            output: record.output.clone(),
            error: record.error.clone(),
        };
        self.append(EventBody::NodeToolResult(NodeToolResult { node_id: id.clone(), tool_result }));
        let answer = record.call.question().filter(|_| record.error.is_none());
        let answer = answer.and_then(|_| serde_json::from_str::<QuestionAnswer>(&record.output).ok());
        if let Some(QuestionAnswer { answer, is_freeform }) = answer {
            let user_answer = UserAnswer { step, request_id, tool_call, answer, is_freeform };
            self.append(EventBody::NodeUserAnswer(NodeUserAnswer { node_id: id.clone(), user_answer }));
        }
        if record.error.is_none() {
            self.note_result(id, &record.call);
        }
        if let Some(task) = self.tasks.get_mut(id) {
            task.results.push(record);
        }
    }

    /// The task waits for these calls; its next beat is set when the last of them is answered.
    pub(super) fn wait(&mut self, id: &NodeId, request: Request, calls: &[ToolCall]) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.phase = Phase::Waiting;
        }
        let only_questions = calls.iter().all(|call| call.question().is_some());
        let waiting = Waiting {
            step: request.step,
            request_id: request.id,
            reason: if only_questions { "user_input" } else { "tool_execution" }.to_owned(),
            pending_tool_calls: calls.iter().map(|call| PendingToolCall { tool_call: call.clone() }).collect(),
        };
        self.append(EventBody::NodeWaiting(NodeWaiting { node_id: id.clone(), waiting }));
        for call in calls {
            let Some(Question { question, options, allow_freeform }) = call.question() else { continue };
            let user_ask = UserAsk {
                step: request.step,
                request_id: request.id,
                tool_call: call.clone(),
                question,
                options,
                allow_freeform,
            };
            self.append(EventBody::NodeUserAsk(NodeUserAsk { node_id: id.clone(), user_ask }));
        }
    }
}

fn invalid(field: &str, message: impl Into<String>) -> Refusal {
    Refusal::Invalid { field: field.to_owned(), message: message.into() }
}

/// Holds the output of a question to `wire/README.md`, "`user_ask`".
fn check_answer(question: &Question, output: &str) -> Result<(), String> {
    let given: QuestionAnswer = serde_json::from_str(output)
        .map_err(|error| format!("must be {{\"answer\": text, \"is_freeform\": bool}}: {error}"))?;
    let expected = question.answer(&given.answer).map_err(|error| error.to_string())?;
    if expected.is_freeform == given.is_freeform {
        Ok(())
    } else {
        Err(format!(
            "says is_freeform {}, but the answer is {}one of the options",
            given.is_freeform,
            if expected.is_freeform { "not " } else { "" }
        ))
    }
}
