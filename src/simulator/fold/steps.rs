//! The steps of a run, as its events tell them: which model was called, which tools, what came back.
//!
//! Owns what `include=steps` and the step endpoints show of a step. Does not know what a model was asked or what it said:
//! no event carries that, the engine remembers it. Rule: a step is known from the first event that names it, and its
//! calls and results stand in the order of their events.

use indexmap::IndexMap;

use crate::api::event::{Event, EventBody, LlmCall};
use crate::api::ids::{NodeId, RequestId};
use crate::api::step::{NodeStep, StepDetail, StepLlmCall, StepWaiting};
use crate::api::tool::{PendingToolCall, StepKey, ToolCall, ToolResult};

/// Every step of a run, by its node: a run may have ten thousand of each, and whoever reads them reads by node.
#[derive(Debug, Default)]
pub(super) struct Steps(IndexMap<NodeId, IndexMap<StepKey, Step>>);

/// One step.
#[derive(Debug, Default)]
pub(super) struct Step {
    llm_call: Option<StepLlmCall>,
    pub(super) tool_calls: Vec<ToolCall>,
    pub(super) tool_results: Vec<ToolResult>,
    /// Why it waits, or has waited.
    waiting_reason: Option<String>,
}

impl Steps {
    /// Takes in one event.
    pub(super) fn apply(&mut self, event: &Event) {
        match &event.body {
            EventBody::NodeLlmCall(body) => {
                let call = &body.llm_call;
                self.step(&body.node_id, call.step, call.request_id).llm_call = Some(of_event(call));
            }
            EventBody::NodeToolCall(body) => {
                let call = &body.tool_call;
                self.step(&body.node_id, call.step, call.request_id).tool_calls.push(call.tool_call.clone());
            }
            EventBody::NodeToolResult(body) => {
                let result = &body.tool_result;
                let kept = ToolResult {
                    tool_call: result.tool_call.clone(),
                    output: result.output.clone(),
                    error: result.error.clone(),
                };
                self.step(&body.node_id, result.step, result.request_id).tool_results.push(kept);
            }
            EventBody::NodeWaiting(body) => {
                let waiting = &body.waiting;
                self.step(&body.node_id, waiting.step, waiting.request_id).waiting_reason =
                    Some(waiting.reason.clone());
            }
            _ => {}
        }
    }

    fn step(&mut self, node: &NodeId, step: u64, request: RequestId) -> &mut Step {
        let of_node = self.0.entry(node.clone()).or_default();
        of_node.entry(StepKey::new(node, step, request)).or_default()
    }

    /// The steps of one node, the earliest first.
    pub(super) fn of_node(&self, node: &NodeId) -> Vec<(&StepKey, &Step)> {
        let mut steps: Vec<_> = self.0.get(node).into_iter().flatten().collect();
        steps.sort_by_key(|(key, _)| key.step);
        steps
    }

    /// Every step, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&StepKey, &Step)> {
        self.0.values().flatten()
    }
}

impl Step {
    /// The step as `GET /runs/{id}/steps` has it, without what the model was asked and said.
    pub(super) fn detail(&self, key: &StepKey) -> StepDetail {
        StepDetail {
            node_id: key.node_id.clone(),
            step: key.step,
            request_id: Some(key.request_id),
            llm_request: None,
            llm_response: None,
            llm_call: self.llm_call.clone(),
            tool_calls: wrapped(self.tool_calls.iter()),
            tool_results: self.tool_results.clone(),
        }
    }

    /// The step as a snapshot has it; `pending` are the calls that it waits for right now.
    pub(super) fn in_snapshot(&self, key: &StepKey, tool_calls: bool, pending: Vec<PendingToolCall>) -> NodeStep {
        let waiting = StepWaiting { reason: self.waiting_reason.clone(), pending_tool_calls: pending };
        NodeStep {
            step: key.step,
            request_id: key.request_id,
            llm_call: self.llm_call.clone(),
            tool_calls: if tool_calls { wrapped(self.tool_calls.iter()) } else { Vec::new() },
            tool_results: if tool_calls { self.tool_results.clone() } else { Vec::new() },
            waiting: (!waiting.pending_tool_calls.is_empty()).then_some(waiting),
        }
    }
}

/// Calls in the wire's wrapper.
pub(super) fn wrapped<'a>(calls: impl Iterator<Item = &'a ToolCall>) -> Vec<PendingToolCall> {
    calls.map(|call| PendingToolCall { tool_call: call.clone() }).collect()
}

fn of_event(call: &LlmCall) -> StepLlmCall {
    let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    StepLlmCall {
        provider: call.provider.clone(),
        model: owned(&call.model),
        response_id: owned(&call.response_id),
        stop_reason: owned(&call.stop_reason),
        usage: call.usage,
    }
}
