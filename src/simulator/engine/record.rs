//! What is remembered of each step for `GET /runs/{id}/steps`, and of the run's task list.
//!
//! Owns the form of requests and responses there: the request as it would be sent to the model, messages filled in and
//! earlier tool results behind them, and the response in the form of a node's output. A task list is that of the last
//! event that a script emitted, or of the last call of `tasks.write` (or `tasks_write`) that has succeeded and whose
//! arguments hold one. Rule: what a step has not reached yet is not told.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use crate::api::event::Usage;
use crate::api::ids::{NodeId, RequestId};
use crate::api::step::{StepDetail, StepLlmCall};
use crate::api::task::RunTasks;
use crate::api::tool::{PendingToolCall, ToolCall, ToolResult};

use super::super::compiled;
use super::super::emitted::{self, Origin};
use super::Engine;
use super::output::LARGEST_RUN;
use super::request::Asked;
use super::task::{CallRecord, Task};

/// One request to a model and what comes of it.
#[derive(Debug)]
pub(super) struct StepRecord {
    step: u64,
    request_id: RequestId,
    request: Option<Box<RawValue>>,
    response: Option<Box<RawValue>>,
    llm_call: StepLlmCall,
    calls: Vec<ToolCall>,
    answered: bool,
}

impl Task {
    /// The model has answered the last request.
    pub(super) fn answered(&mut self) {
        if let Some(step) = self.steps.last_mut() {
            step.answered = true;
        }
    }
}

impl Engine {
    /// Every LLM request made so far with what came of it: node by node, step by step.
    pub(crate) fn step_details(&self) -> Vec<StepDetail> {
        self.tasks.iter().flat_map(|(id, task)| task.steps.iter().map(|step| detail(id, task, step))).collect()
    }

    /// The run's task list as it was written last.
    pub(crate) fn tasks(&self) -> Vec<crate::api::task::Task> {
        self.task_list.clone()
    }

    pub(super) fn record(&self, task: &Task, asked: &Asked<'_>, usage: Option<Usage>) -> StepRecord {
        let calls: Vec<ToolCall> = asked.calls.iter().map(|(call, _)| call.clone()).collect();
        let content = json!([{"type": "text", "text": asked.text}]);
        let mut message = json!({"type": "message", "role": "assistant", "content": content});
        if !calls.is_empty() {
            message["tool_calls"] = calls.iter().map(called).collect();
        }
        let mut response = json!({"id": asked.response_id, "model": asked.model, "output": [message]});
        response["stop_reason"] = json!(asked.stop_reason());
        if let Some(usage) = usage {
            response["usage"] = json!(usage);
        }
        // What the limit of a run leaves no room for is not remembered; the run itself goes on.
        let kept = |value: Value| (self.kept_bytes < LARGEST_RUN).then(|| to_raw_value(&value).ok()).flatten();
        StepRecord {
            step: asked.request.step,
            request_id: asked.request.id,
            request: kept(self.request_of(task, asked)),
            response: kept(response),
            llm_call: StepLlmCall {
                provider: asked.provider.clone(),
                model: Some(asked.model.clone()),
                response_id: Some(asked.response_id.clone()),
                stop_reason: Some(asked.stop_reason().to_owned()),
                usage,
            },
            calls,
            answered: false,
        }
    }

    fn request_of(&self, task: &Task, asked: &Asked<'_>) -> Value {
        let mut input = match self.render_value(task, &compiled::messages(&task.spec)) {
            Value::Array(messages) => messages,
            other => vec![other],
        };
        input.extend(task.results.iter().flat_map(exchange));
        let mut request: Map<String, Value> = Map::new();
        request.insert("model".to_owned(), json!(asked.model));
        request.insert("input".to_owned(), input.into());
        if !task.spec.tools.is_empty() {
            request.insert("tools".to_owned(), json!(task.spec.tools));
        }
        request.insert("stream".to_owned(), json!(asked.streams));
        request.extend(task.spec.other.clone());
        Value::Object(request)
    }

    /// A call has succeeded: one that writes the task list has written it.
    pub(super) fn note_result(&mut self, id: &NodeId, call: &ToolCall) {
        if !matches!(call.name.as_str(), "tasks.write" | "tasks_write") {
            return;
        }
        let Ok(list) = serde_json::from_str::<Value>(call.arguments()) else { return };
        if !self.keep_task_list(&list) {
            return;
        }
        let origin = Origin { run_id: self.identity.run_id(), plan_hash: &self.part.plan.hash, node: id };
        let event = json!({"type": "task_list_updated", "task_list": {"tasks": self.task_list}});
        match emitted::body(&event, origin) {
            Ok(body) => self.append(body),
            Err(problem) => tracing::warn!(node = %id, problem, "an event is left out"),
        }
    }

    /// Keeps a task list, where it is one.
    pub(super) fn keep_task_list(&mut self, list: &Value) -> bool {
        let Ok(RunTasks { tasks }) = serde_json::from_value(list.clone()) else { return false };
        self.task_list = tasks;
        true
    }
}

fn detail(id: &NodeId, task: &Task, step: &StepRecord) -> StepDetail {
    let results = task.results.iter().filter(|record| record.request.id == step.request_id);
    let answered = step.answered;
    StepDetail {
        node_id: id.clone(),
        step: step.step,
        request_id: Some(step.request_id),
        llm_request: step.request.clone(),
        llm_response: step.response.clone().filter(|_| answered),
        llm_call: answered.then(|| step.llm_call.clone()),
        tool_calls: step
            .calls
            .iter()
            .filter(|_| answered)
            .map(|call| PendingToolCall { tool_call: call.clone() })
            .collect(),
        tool_results: results
            .map(|record| ToolResult {
                tool_call: record.call.without_arguments(),
                output: record.output.clone(),
                error: record.error.clone(),
            })
            .collect(),
    }
}

fn called(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments()}})
}

/// A call and its result, as the model reads them in its next request.
fn exchange(record: &CallRecord) -> [Value; 2] {
    let text = record.error.as_ref().map_or_else(|| record.output.clone(), |error| format!("error: {error}"));
    [
        json!({"type": "message", "role": "assistant", "content": [], "tool_calls": [called(&record.call)]}),
        json!({"type": "message", "role": "tool", "tool_call_id": record.call.id,
            "content": [{"type": "text", "text": text}]}),
    ]
}
