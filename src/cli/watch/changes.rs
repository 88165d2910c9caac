//! What an event, or a snapshot, has changed, in words: pure functions over the model before and after.
//!
//! Rule: only what a person would want to be told of is a change. A piece of streamed text, a call of a model and an
//! output are none; a wait is told once, however many events tell of it.

use std::time::Duration;

use jiff::Timestamp;

use super::change::Change;
use super::change::Kind;
use super::change::brief;
use crate::api::event::{Event, EventBody, Failure};
use crate::api::ids::NodeId;
use crate::api::run::{NodeStatus, RunStatus};
use crate::api::tool::{CallKey, StepKey};
use crate::run::{Node, PendingCall, Run};
use crate::view::format;

/// What is told of the run as a whole.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    status: Option<RunStatus>,
    /// The server's bill, as it is shown.
    money: Option<String>,
}

impl Standing {
    pub(super) fn of(run: &Run) -> Self {
        Self { status: run.status(), money: money(run) }
    }
}

/// What an event may change, as it was before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Before {
    standing: Standing,
    node: Option<NodeStatus>,
    /// The node's waiting calls, and whether a question is known.
    waiting: Vec<(CallKey, bool)>,
}

impl Before {
    pub(super) fn of(run: &Run, event: &Event) -> Self {
        let node_id = event.body.node_id();
        let waiting = node_id.map(|id| run.pending.of_node(id)).into_iter().flatten();
        Self {
            standing: Standing::of(run),
            node: node_id.and_then(|id| run.nodes.get(id)).map(|node| run.node_status(node)),
            waiting: waiting.map(|call| (call.key.clone(), call.question.is_some())).collect(),
        }
    }

    fn waited(&self, key: &CallKey) -> bool {
        self.waiting.iter().any(|(known, _)| known == key)
    }
}

/// What the event has changed; `run` is the model after it was applied.
pub(super) fn changes(before: &Before, run: &Run, event: &Event) -> Vec<Change> {
    let change =
        |kind, text| Change { ts: event.ts, seq: event.seq, kind, node_id: event.body.node_id().cloned(), text };
    let mut changes = Vec::new();
    if let Some(node) = event.body.node_id().and_then(|id| run.nodes.get(id)) {
        changes.extend(node_change(before, run, node, &event.body).map(|text| change(Kind::Node, text)));
        for call in run.pending.of_node(&node.id) {
            let known = before.waiting.iter().find(|(key, _)| *key == call.key);
            if known.is_none_or(|(_, asked)| !asked && call.question.is_some()) {
                changes.push(change(Kind::Wait, waits(call)));
            }
        }
    }
    changes.extend(told(before, event).map(|(kind, text)| change(kind, text)));
    changes.extend(standing_changes(&before.standing, run, event.ts, event.seq));
    changes
}

/// What has changed about the run as a whole.
pub(super) fn standing_changes(before: &Standing, run: &Run, ts: Timestamp, seq: u64) -> Vec<Change> {
    let after = Standing::of(run);
    let change = |kind, text| Change { ts, seq, kind, node_id: None, text };
    let mut changes = Vec::new();
    // A run that has cost nothing yet is no news.
    if let Some(money) = after.money.filter(|money| before.money.as_deref().unwrap_or("$0.00") != money) {
        changes.push(change(Kind::Cost, format!("cost {money}")));
    }
    if let Some(status) = after.status.filter(|status| before.status.as_ref() != Some(status)) {
        changes.push(change(Kind::Run, run_is(&status, run)));
    }
    changes
}

/// The run's status in a line.
pub(super) fn run_is(status: &RunStatus, run: &Run) -> String {
    let took = match (run.started_at, run.ended_at) {
        (Some(from), Some(to)) if status.is_terminal() => format!(" after {}", between(from, to)),
        _ => String::new(),
    };
    match run.failure.as_ref().filter(|_| status.is_terminal()) {
        Some(failure) => format!("run {}{took}: {}", brief(status.as_str()), reason(failure)),
        None => format!("run {}{took}", brief(status.as_str())),
    }
}

/// What the server bills, as it is shown; `None` before it has said.
#[expect(clippy::cast_precision_loss, reason = "cents of a run stay far below 2^53")]
pub(super) fn money(run: &Run) -> Option<String> {
    let cents = run.ledger.billed_cents()?;
    Some(format::with_sign(&format::billed(cents as f64, run.ledger.billed_tokens())))
}

/// A waiting call in a line.
pub(super) fn waits(call: &PendingCall) -> String {
    let (node, id) = (&call.key.step.node_id, brief(call.key.call_id.as_str()));
    let Some(question) = &call.question else {
        let arguments = brief(call.call.arguments());
        let arguments = if arguments.is_empty() { arguments } else { format!(": {arguments}") };
        return format!("{node} waits for a result of {} (call {id}){arguments}", brief(call.call.name.as_str()));
    };
    let labels: Vec<String> = question.options.iter().map(|option| brief(&option.label)).collect();
    let own = question.allow_freeform.then(|| "text of your own".to_owned());
    let answers: Vec<String> = labels.into_iter().chain(own).collect();
    format!("{node} asks: {} (call {id}; answers: {})", brief(&question.question), brief(&answers.join(", ")))
}

fn node_change(before: &Before, run: &Run, node: &Node, body: &EventBody) -> Option<String> {
    let status = run.node_status(node);
    let id = &node.id;
    match body {
        EventBody::NodeStarted(_) if node.starts > 1 => Some(format!("{id} started again (start {})", node.starts)),
        EventBody::NodeStarted(_) => Some(format!("{id} started")),
        EventBody::NodeSucceeded(_) => Some(format!("{id} succeeded{}", after(node))),
        EventBody::NodeFailed(e) => Some(format!("{id} failed{}: {}", after(node), reason(&e.error))),
        _ if before.node.as_ref() == Some(&status) => None,
        _ if before.node == Some(NodeStatus::Waiting) && status == NodeStatus::Running => Some(format!("{id} goes on")),
        _ => Some(format!("{id} {}", brief(status.as_str()))),
    }
}

fn after(node: &Node) -> String {
    node.started_at.zip(node.ended_at).map(|(from, to)| format!(" after {}", between(from, to))).unwrap_or_default()
}

fn between(from: Timestamp, to: Timestamp) -> String {
    format::duration(Duration::try_from(to.duration_since(from)).unwrap_or_default())
}

fn reason(failure: &Failure) -> String {
    let code = failure.code.as_deref().map(|code| format!(" ({})", brief(code))).unwrap_or_default();
    format!("{}{code}", brief(&failure.message))
}

/// What an event tells that is neither its node's status nor a new wait.
fn told(before: &Before, event: &Event) -> Option<(Kind, String)> {
    let words = match &event.body {
        EventBody::NodeToolResult(e) => {
            let result = &e.tool_result;
            let key = StepKey::new(&e.node_id, result.step, result.request_id).call(&result.tool_call.id);
            if !before.waited(&key) {
                return None;
            }
            let what = if result.error.is_some() { "an error for" } else { "the result of" };
            let (name, id) = (brief(result.tool_call.name.as_str()), brief(key.call_id.as_str()));
            (Kind::Answer, format!("{} got {what} {name} (call {id})", e.node_id))
        }
        EventBody::NodeUserAnswer(e) => {
            let answer = &e.user_answer;
            let id = brief(answer.tool_call.id.as_str());
            (Kind::Answer, format!("{} was answered: {} (call {id})", e.node_id, brief(&answer.answer)))
        }
        EventBody::TaskListUpdated(e) => {
            (Kind::Tasks, format!("task list written, {}", format::plural(e.task_list.info.bytes, "byte")))
        }
        EventBody::MemoryUpdated(e) => (
            Kind::Memory,
            format!("memory {} written, {}", brief(&e.memory_key), format::plural(e.memory.info.bytes, "byte")),
        ),
        EventBody::Unknown(e) => (Kind::Problem, format!("an event of the unknown type {}", brief(&e.type_name))),
        body => (Kind::Scheduler, scheduler(body)?),
    };
    Some(words)
}

fn scheduler(body: &EventBody) -> Option<String> {
    let told = |node: &NodeId, words: String| Some(format!("{node}: {words}"));
    match body {
        EventBody::SchedulerStarted(e) => {
            let start = &e.scheduler_started;
            let agents = format::plural(start.participants.len() as u64, "agent");
            told(&e.node_id, format!("{agents} on {}", brief(&start.topic)))
        }
        EventBody::SchedulerRoundStarted(e) => {
            told(&e.node_id, format!("round {} started", e.scheduler_round_started.round_index))
        }
        EventBody::SchedulerRoundCompleted(e) => {
            let round = &e.scheduler_round_completed;
            told(
                &e.node_id,
                format!("round {} ended, {} to deliver", round.round_index, format::plural(round.pending, "message")),
            )
        }
        EventBody::SchedulerCoordinatorCompleted(e) => {
            told(&e.node_id, format!("decided {}", brief(e.scheduler_coordinator_completed.decision.get())))
        }
        EventBody::SchedulerAgentStarted(e) => {
            let turn = &e.scheduler_agent_started;
            let run = turn.agent_run_id.map(|run| format!(" (run {run})")).unwrap_or_default();
            told(&e.node_id, format!("{} started{run}", brief(&turn.agent_id)))
        }
        EventBody::SchedulerAgentCompleted(e) => {
            let turn = &e.scheduler_agent_completed;
            let summary = turn.summary.as_deref().map(|summary| format!(": {}", brief(summary))).unwrap_or_default();
            told(&e.node_id, format!("{} {}{summary}", brief(&turn.agent_id), brief(&turn.status)))
        }
        EventBody::SchedulerStopped(e) => told(&e.node_id, format!("stopped: {}", brief(&e.scheduler_stopped.reason))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
