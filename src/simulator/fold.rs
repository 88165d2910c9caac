//! Folds a run's events into its snapshot and its pending tool calls.
//!
//! Owns what a run *is* according to its log: statuses, totals, costs, what waits and what was answered, and (in
//! `steps`) its steps. Rule: it learns from events only; the plan gives it the list of nodes and their types, nothing
//! else.

mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::api::event::{Event, EventBody, Failure, LlmCall};
use crate::api::ids::{CallId, NodeId, PlanHash, RunId};
use crate::api::run::{
    CostLine, CostSummary, NodeSnapshot, NodeStatus, NodeType, Provider, RunSnapshot, RunStatus, RunSummary,
};
use crate::api::step::{NodeSteps, StepDetail, ToolCallDetail};
use crate::api::tool::{PendingStep, PendingToolCall, PendingTools, StepKey, ToolCall};

use steps::{Step, Steps, wrapped};

use super::plan::{ITEM_SEPARATOR, Plan};
use super::prices;

/// The state of a run after some of its events.
#[derive(Debug)]
pub(crate) struct Fold {
    run_id: RunId,
    parent_run_id: Option<RunId>,
    plan_hash: PlanHash,
    ended: Option<RunStatus>,
    nodes: IndexMap<NodeId, NodeFold>,
    steps: BTreeSet<(NodeId, u64)>,
    totals: RunSummary,
    tokens: IndexMap<(Provider, String), Tokens>,
    outputs: IndexMap<String, Box<RawValue>>,
    /// Every step that ever waited, with its calls in order.
    waits: IndexMap<StepKey, IndexMap<CallId, Awaited>>,
    /// How many steps of each node wait, of every node that ever waited: looked at for every event, so it is kept.
    open: IndexMap<NodeId, usize>,
    details: Steps,
}

/// A call that a step waits for, or has waited for.
#[derive(Debug)]
struct Awaited {
    call: ToolCall,
    answered: bool,
}

/// Whether any of these calls is not answered.
fn is_open(calls: &IndexMap<CallId, Awaited>) -> bool {
    calls.values().any(|awaited| !awaited.answered)
}

#[derive(Debug, Default)]
struct Tokens {
    requests: u64,
    input: u64,
    output: u64,
}

#[derive(Debug)]
struct NodeFold {
    node_type: NodeType,
    status: NodeStatus,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    output: Option<Box<RawValue>>,
    error: Option<Failure>,
}

impl NodeFold {
    fn new(node_type: NodeType) -> Self {
        let status = NodeStatus::Pending;
        Self { node_type, status, started_at: None, ended_at: None, output: None, error: None }
    }
}

/// What a step is to somebody who wants to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepState {
    /// Some of its calls wait.
    Open,
    /// All of its calls are answered.
    Answered,
    /// The node has never waited.
    NeverWaited,
    /// The node waits, or has waited, but under another step or request.
    Other,
}

impl Fold {
    pub(crate) fn new(run_id: RunId, parent_run_id: Option<RunId>, plan: &Plan) -> Self {
        let nodes = plan.nodes.values().map(|node| (node.id.clone(), NodeFold::new(node.spec.wire_type())));
        Self {
            run_id,
            parent_run_id,
            plan_hash: plan.hash.clone(),
            ended: None,
            nodes: nodes.collect(),
            steps: BTreeSet::new(),
            totals: RunSummary::default(),
            tokens: IndexMap::new(),
            outputs: IndexMap::new(),
            waits: IndexMap::new(),
            open: IndexMap::new(),
            details: Steps::default(),
        }
    }

    /// Takes in one event.
    pub(crate) fn apply(&mut self, event: &Event, plan: &Plan) {
        self.details.apply(event);
        match &event.body {
            EventBody::RunCompleted(body) => {
                // The log has every output at hand, whether or not it will stand inline for a client.
                let stored = body.outputs.content.as_deref().map(RawValue::get);
                let outputs = stored.and_then(|text| serde_json::from_str(text).ok());
                self.outputs = outputs.unwrap_or_default();
                self.ended = Some(RunStatus::Succeeded);
            }
            EventBody::RunFailed(_) => self.stop(RunStatus::Failed, event.ts),
            EventBody::RunCanceled(_) => self.stop(RunStatus::Canceled, event.ts),
            EventBody::NodeLlmCall(body) => self.count_llm_call(&body.node_id, &body.llm_call),
            EventBody::NodeToolCall(_) => self.totals.total_tool_calls += 1,
            EventBody::NodeWaiting(body) => {
                let key = StepKey::new(&body.node_id, body.waiting.step, body.waiting.request_id);
                let calls = body.waiting.pending_tool_calls.iter().map(|pending| {
                    let call = pending.tool_call.clone();
                    (call.id.clone(), Awaited { call, answered: false })
                });
                let wait = self.waits.entry(key).or_default();
                let before = is_open(wait);
                wait.extend(calls);
                let more = usize::from(is_open(wait)) - usize::from(before);
                *self.open.entry(body.node_id.clone()).or_default() += more;
            }
            EventBody::NodeToolResult(body) => {
                let key = StepKey::new(&body.node_id, body.tool_result.step, body.tool_result.request_id);
                self.answer(&key, &body.tool_result.tool_call.id);
            }
            _ => {}
        }
        if let Some(id) = event.body.node_id() {
            self.apply_to_node(&id.clone(), event, plan);
        }
    }

    fn answer(&mut self, key: &StepKey, call: &CallId) {
        let Some(wait) = self.waits.get_mut(key) else { return };
        let before = is_open(wait);
        if let Some(awaited) = wait.get_mut(call) {
            awaited.answered = true;
        }
        if let Some(steps) = self.open.get_mut(&key.node_id).filter(|_| before && !is_open(wait)) {
            *steps -= 1;
        }
    }

    fn apply_to_node(&mut self, id: &NodeId, event: &Event, plan: &Plan) {
        let open = self.open.get(id).is_some_and(|steps| *steps > 0);
        let Some(node) = self.node(id, plan) else { return };
        match &event.body {
            EventBody::NodeStarted(_) => {
                node.status = NodeStatus::Running;
                node.started_at.get_or_insert(event.ts);
                (node.ended_at, node.error) = (None, None);
            }
            EventBody::NodeSucceeded(_) => {
                (node.status, node.ended_at) = (NodeStatus::Succeeded, Some(event.ts));
            }
            EventBody::NodeFailed(body) => {
                (node.status, node.ended_at) = (NodeStatus::Failed, Some(event.ts));
                node.error = Some(body.error.clone());
            }
            EventBody::NodeOutput(body) => node.output.clone_from(&body.output.content),
            EventBody::NodeWaiting(_) => node.status = NodeStatus::Waiting,
            EventBody::NodeToolResult(_) if node.status == NodeStatus::Waiting && !open => {
                node.status = NodeStatus::Running;
            }
            _ => {}
        }
    }

    /// The node of this id; an item of a fan-out appears behind its parent and its earlier neighbours.
    fn node(&mut self, id: &NodeId, plan: &Plan) -> Option<&mut NodeFold> {
        if !self.nodes.contains_key(id) {
            let node_type = plan.type_of(id)?;
            let parent = id.as_str().rsplit_once(ITEM_SEPARATOR).map_or("", |(parent, _)| parent).to_owned();
            let prefix = format!("{parent}{ITEM_SEPARATOR}");
            let behind =
                self.nodes.keys().rposition(|other| other.as_str() == parent || other.as_str().starts_with(&prefix));
            let place = behind.map_or(self.nodes.len(), |index| index + 1);
            self.nodes.shift_insert(place, id.clone(), NodeFold::new(node_type));
        }
        self.nodes.get_mut(id)
    }

    fn count_llm_call(&mut self, node: &NodeId, call: &LlmCall) {
        self.steps.insert((node.clone(), call.step));
        self.totals.total_steps = self.steps.len() as u64;
        self.totals.total_llm_calls += 1;
        let usage = call.usage.unwrap_or_default();
        self.totals.total_input_tokens += usage.input_tokens;
        self.totals.total_output_tokens += usage.output_tokens;
        // A model that nobody is known to serve has no price, and no line: 0 cents would say that it was billed.
        let (Some(provider), Some(model)) = (&call.provider, &call.model) else { return };
        let tokens = self.tokens.entry((provider.clone(), model.to_string())).or_default();
        tokens.requests += 1;
        tokens.input += usage.input_tokens;
        tokens.output += usage.output_tokens;
    }

    /// The run has ended before its nodes: those that were at work end with it, those that had not begun stay so.
    fn stop(&mut self, status: RunStatus, ts: Timestamp) {
        for node in self.nodes.values_mut() {
            if matches!(node.status, NodeStatus::Running | NodeStatus::Waiting) {
                (node.status, node.ended_at) = (NodeStatus::Canceled, Some(ts));
            }
        }
        self.ended = Some(status);
    }

    fn pending_steps(&self) -> impl Iterator<Item = (&StepKey, &IndexMap<CallId, Awaited>)> {
        let running = self.ended.is_none();
        self.waits.iter().filter(move |(_, calls)| running && is_open(calls))
    }

    /// The run's status: it waits while any of its nodes does.
    pub(crate) fn status(&self) -> RunStatus {
        match &self.ended {
            Some(status) => status.clone(),
            None if self.open.values().any(|steps| *steps > 0) => RunStatus::Waiting,
            None => RunStatus::Running,
        }
    }

    /// What the run waits for.
    pub(crate) fn pending(&self) -> PendingTools {
        let pending = self.pending_steps().map(|(key, calls)| PendingStep {
            step: key.clone(),
            tool_calls: wrapped(calls.values().filter(|awaited| !awaited.answered).map(|awaited| &awaited.call)),
        });
        PendingTools { run_id: self.run_id, pending: pending.collect() }
    }

    /// Whether a step can be answered.
    pub(crate) fn step(&self, key: &StepKey) -> StepState {
        match self.waits.get(key) {
            Some(calls) if is_open(calls) => StepState::Open,
            Some(_) => StepState::Answered,
            None if self.open.contains_key(&key.node_id) => StepState::Other,
            None => StepState::NeverWaited,
        }
    }

    /// A call that the step waits or has waited for, and whether it is answered.
    pub(crate) fn awaited(&self, key: &StepKey, call: &CallId) -> Option<(&ToolCall, bool)> {
        self.waits.get(key)?.get(call).map(|awaited| (&awaited.call, awaited.answered))
    }

    /// The snapshot.
    pub(crate) fn snapshot(&self) -> RunSnapshot {
        let cost_summary = self.costs();
        let nodes = self.nodes.iter().map(|(id, node)| NodeSnapshot {
            id: id.clone(),
            node_type: node.node_type.clone(),
            status: node.status.clone(),
            started_at: node.started_at,
            ended_at: node.ended_at,
            output: node.output.clone(),
            error: node.error.clone(),
        });
        RunSnapshot {
            run_id: self.run_id,
            status: self.status(),
            plan_hash: Some(self.plan_hash.clone()),
            summary: Some(RunSummary { total_cost_cents: cost_summary.total_usd_cents, ..self.totals }),
            cost_summary: Some(cost_summary),
            nodes: Some(nodes.collect()),
            steps: None,
            outputs: (self.ended == Some(RunStatus::Succeeded)).then(|| self.outputs.clone()),
            parent_run_id: self.parent_run_id,
        }
    }

    /// What the models said in the end, node by node.
    pub(crate) fn assistant_messages(&self) -> Vec<String> {
        let said = |node: &NodeFold| {
            let output: serde_json::Value = serde_json::from_str(node.output.as_deref()?.get()).ok()?;
            Some(output.pointer("/output/0/content/0/text")?.as_str()?.to_owned())
        };
        self.nodes.values().filter(|node| node.node_type == NodeType::LlmResponses).filter_map(said).collect()
    }

    /// The steps of every node that has any, as a snapshot has them, in the order of its nodes; with their calls and
    /// results where these were asked for.
    pub(crate) fn steps_by_node(&self, tool_calls: bool) -> Vec<NodeSteps> {
        let pending: HashMap<StepKey, Vec<PendingToolCall>> =
            self.pending().pending.into_iter().map(|waiting| (waiting.step, waiting.tool_calls)).collect();
        let step = |(key, step): (&StepKey, &Step)| {
            step.in_snapshot(key, tool_calls, pending.get(key).cloned().unwrap_or_default())
        };
        let steps = self.nodes.keys().map(|node| NodeSteps {
            node_id: node.clone(),
            steps: self.details.of_node(node).into_iter().map(step).collect(),
        });
        steps.filter(|node| !node.steps.is_empty()).collect()
    }

    /// Every step, in the order of the nodes and of their steps, without what the model was asked and said.
    pub(crate) fn steps(&self) -> Vec<StepDetail> {
        let of_node = |node| self.details.of_node(node).into_iter().map(|(key, step)| step.detail(key));
        self.nodes.keys().flat_map(of_node).collect()
    }

    /// The call of this id in a step of this number; two nodes may have steps of the same number.
    pub(crate) fn tool_call(&self, step: u64, call: &CallId) -> Option<ToolCallDetail> {
        let steps = self.nodes.keys().flat_map(|node| self.details.of_node(node)).filter(|(key, _)| key.step == step);
        steps.into_iter().find_map(|(key, step)| {
            let tool_call = step.tool_calls.iter().find(|made| made.id == *call)?.clone();
            let tool_result = step.tool_results.iter().find(|result| result.tool_call.id == *call).cloned();
            Some(ToolCallDetail { node_id: key.node_id.clone(), step: key.step, tool_call, tool_result })
        })
    }

    /// The numbers of the steps that have a call of this id, and their nodes.
    pub(crate) fn steps_with_call(&self, call: &CallId) -> Vec<(&NodeId, u64)> {
        let has = |step: &Step| step.tool_calls.iter().any(|made| made.id == *call);
        self.details.iter().filter(|(_, step)| has(step)).map(|(key, _)| (&key.node_id, key.step)).collect()
    }

    /// Each line is rounded to whole cents and the total is the sum of the lines, so that they always add up.
    fn costs(&self) -> CostSummary {
        let lines = self.tokens.iter().map(|((provider, model), tokens)| CostLine {
            provider_id: provider.clone(),
            model: model.clone(),
            requests: tokens.requests,
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            usd_cents: prices::usd_cents(model, tokens.input, tokens.output),
        });
        let line_items: Vec<CostLine> = lines.collect();
        CostSummary { total_usd_cents: line_items.iter().map(|line| line.usd_cents).sum(), line_items }
    }
}
