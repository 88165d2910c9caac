//! Runs a workflow: the one engine behind `demo`, `simulate` and the tests.
//!
//! Owns the order of things: which node starts when, what each does next, when the run ends. It is a discrete-event
//! simulation: pure and synchronous, its time is whatever [`Engine::advance`] is told, and each node is a task with a
//! queue of beats (a delay and an act) of which the first is on a heap of timers. Whoever drives it sleeps until
//! [`Engine::next_due`]; nothing ever polls. What a beat does to the world outside are events in the ledger, and child
//! runs for the driver to start.
//!
//! Rule: the same plan, script, seed and answers at the same times give the same events.

mod answer;
mod context;
mod fan_out;
mod request;
mod task;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::api::event::{
    EventBody, Failure, NodeFailed, NodeOutput, NodeStarted, NodeSucceeded, RunCanceled, RunCompiled, RunCompleted,
    RunFailed, RunStarted,
};
use crate::api::ids::{NodeId, RunId};
use crate::api::run::{NodeType, RunStatus};
use crate::api::step::StepDetail;

pub(crate) use answer::Refusal;
use task::{Act, Beat, Phase, Task};

use super::identity::Identity;
use super::ledger::{Clock, Ledger, artifact};
use super::part::Part;
use super::script::Step;
use super::spec;

/// How long a node takes that only moves data.
const MOMENT: Duration = Duration::from_millis(5);

/// A child run that a node starts.
#[derive(Debug)]
pub(crate) struct ChildRun {
    pub(crate) name: String,
    pub(crate) identity: Identity,
    /// How long after its parent's start.
    pub(crate) after: Duration,
}

/// One run.
#[derive(Debug)]
pub(crate) struct Engine {
    part: Arc<Part>,
    identity: Identity,
    ledger: Ledger,
    tasks: IndexMap<NodeId, Task>,
    timers: BinaryHeap<Reverse<(Duration, u64, Due)>>,
    /// Orders timers that are due at the same time by when they were set.
    timers_set: u64,
    now: Duration,
    ended: bool,
    children_to_start: Vec<ChildRun>,
    children: IndexMap<String, Child>,
}

/// A child run as its parent sees it.
#[derive(Debug)]
struct Child {
    run_id: RunId,
    ended: bool,
}

/// What a timer is for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The first beat of a task.
    Beat(NodeId),
    /// The run is canceled.
    Cancel,
}

impl Engine {
    /// A run that has just started.
    pub(crate) fn start(part: Arc<Part>, identity: Identity, parent: Option<RunId>, clock: Clock) -> Self {
        let ledger = Ledger::new(identity.run_id(), parent, &part.plan, clock);
        let tasks = part.plan.nodes.values().map(|node| (node.id.clone(), Task::of_node(node.spec.clone())));
        let mut engine = Self {
            tasks: tasks.collect(),
            part,
            identity,
            ledger,
            timers: BinaryHeap::new(),
            timers_set: 0,
            now: Duration::ZERO,
            ended: false,
            children_to_start: Vec::new(),
            children: IndexMap::new(),
        };
        let plan_hash = engine.part.plan.hash.clone();
        engine.append(EventBody::RunCompiled(RunCompiled { plan_hash: plan_hash.clone() }));
        engine.append(EventBody::RunStarted(RunStarted { plan_hash }));
        if let Some(cancel) = &engine.part.cancel {
            engine.set_timer(Duration::from_millis(cancel.after_ms), Due::Cancel);
        }
        engine.start_ready_nodes();
        engine
    }

    /// The log.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether the run has ended: nothing more will happen.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// How long after the run's start something happens next; `None` while it waits for somebody, or has ended.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.timers.peek().map(|Reverse((due, _, _))| *due)
    }

    /// Does everything that is due, each thing at its own time.
    pub(crate) fn advance(&mut self, now: Duration) {
        while let Some(Reverse((due, _, _))) = self.timers.peek() {
            if *due > now || self.ended {
                break;
            }
            let Some(Reverse((due, _, what))) = self.timers.pop() else { break };
            self.now = self.now.max(due);
            match what {
                Due::Beat(id) => self.beat(&id),
                Due::Cancel => self.cancel(),
            }
        }
    }

    /// Does everything that is due, and then it is `now`: something from outside happens.
    fn advance_to(&mut self, now: Duration) {
        self.advance(now);
        self.now = self.now.max(now);
    }

    /// Child runs that were asked for since the last call.
    pub(crate) fn take_children(&mut self) -> Vec<ChildRun> {
        std::mem::take(&mut self.children_to_start)
    }

    /// A child run has ended: whoever waits for it goes on.
    pub(crate) fn child_ended(&mut self, now: Duration, run_id: RunId) {
        self.advance_to(now);
        for child in self.children.values_mut().filter(|child| child.run_id == run_id) {
            child.ended = true;
        }
        let waiting: Vec<NodeId> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.awaits_child.is_some_and(|awaited| awaited == run_id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in waiting {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.awaits_child = None;
            }
            self.schedule(&id);
        }
    }

    fn append(&mut self, body: EventBody) {
        self.ledger.append(self.now, body, &self.part.plan);
    }

    fn set_timer(&mut self, due: Duration, what: Due) {
        self.timers_set += 1;
        self.timers.push(Reverse((due, self.timers_set, what)));
    }

    /// Sets the timer for a task's next beat, if it has one.
    fn schedule(&mut self, id: &NodeId) {
        if let Some(beat) = self.tasks.get(id).and_then(|task| task.beats.front()) {
            let due = self.now + beat.delay;
            self.set_timer(due, Due::Beat(id.clone()));
        }
    }

    fn start_ready_nodes(&mut self) {
        while !self.ended {
            let active = self.tasks.values().filter(|task| task.item.is_none() && task.phase.holds_slot()).count();
            let succeeded = |id: &NodeId| self.tasks.get(id).is_some_and(|task| task.phase == Phase::Succeeded);
            let ready = self.part.plan.nodes.values().find(|node| {
                self.tasks.get(&node.id).is_some_and(|task| task.phase == Phase::Pending)
                    && node.depends_on.iter().all(succeeded)
            });
            match ready.map(|node| node.id.clone()) {
                Some(id) if active < self.part.plan.max_parallelism => self.begin(&id),
                _ => break,
            }
        }
    }

    fn begin(&mut self, id: &NodeId) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        task.phase = Phase::Active;
        let node_type = task.spec.wire_type();
        self.append(EventBody::NodeStarted(NodeStarted { node_id: id.clone() }));
        match node_type {
            NodeType::JoinAll => self.give_beats(id, vec![Beat { delay: MOMENT, act: Act::Succeed }]),
            NodeType::MapFanout => self.fan_out(id),
            _ => self.next_step(id),
        }
    }

    fn give_beats(&mut self, id: &NodeId, beats: Vec<Beat>) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.beats = VecDeque::from(beats);
        }
        self.schedule(id);
    }

    /// Does the first beat of a task and sets the timer for the next.
    fn beat(&mut self, id: &NodeId) {
        let Some(beat) = self.tasks.get_mut(id).and_then(|task| task.beats.pop_front()) else { return };
        match beat.act {
            Act::Emit(body) => self.append(*body),
            Act::Responded { text, response } => {
                if let Some(task) = self.tasks.get_mut(id) {
                    (task.text, task.response) = (text, Some(response));
                }
            }
            Act::Result(record) => self.take_result(id, record),
            Act::Wait { request, calls } => return self.wait(id, request, &calls),
            Act::StartRun(name) => self.start_child(name),
            Act::AwaitRun(name) => {
                if let Some(child) = self.children.get(&name).filter(|child| !child.ended) {
                    if let Some(task) = self.tasks.get_mut(id) {
                        task.awaits_child = Some(child.run_id);
                    }
                    return;
                }
            }
            Act::Event(value) => self.scripted_event(id, &value),
            Act::NextStep => return self.next_step(id),
            Act::Fail(failure) => return self.fail(id, failure),
            Act::Again => {
                self.append(EventBody::NodeStarted(NodeStarted { node_id: id.clone() }));
                return self.next_step(id);
            }
            Act::Succeed => return self.succeed(id),
        }
        self.schedule(id);
    }

    /// Goes on with the next step of the script whose condition holds, or ends the node.
    fn next_step(&mut self, id: &NodeId) {
        let part = Arc::clone(&self.part);
        let Some(task) = self.tasks.get(id) else { return };
        let fallback;
        let steps = if let Some(steps) = task.script(&part.script) {
            steps
        } else {
            fallback = [Step::saying(context::stand_in_text(&self.prompt(task)))];
            &fallback
        };
        let mut cursor = task.cursor;
        let next = loop {
            let Some(step) = steps.get(cursor.step) else { break None };
            if cursor.round < step.repeat && step.when.as_ref().is_none_or(|when| self.holds(task, when)) {
                break Some(step);
            }
            cursor = task::Cursor { step: cursor.step + 1, round: 0 };
        };
        let beats = match next {
            Some(step) => {
                cursor.round += 1;
                if let Some(task) = self.tasks.get_mut(id) {
                    task.cursor = cursor;
                }
                self.beats_of(id, step)
            }
            None => vec![Beat { delay: Duration::ZERO, act: Act::Succeed }],
        };
        self.give_beats(id, beats);
    }

    fn start_child(&mut self, name: String) {
        let identity = self.identity.child(&name);
        self.children.insert(name.clone(), Child { run_id: identity.run_id(), ended: false });
        self.children_to_start.push(ChildRun { name, identity, after: self.now });
    }

    fn succeed(&mut self, id: &NodeId) {
        let output = self.output_of(id);
        let key = format!("runs/{}/nodes/{id}/output", self.identity.run_id());
        let output_event = NodeOutput { node_id: id.clone(), output: artifact(key, &output) };
        self.append(EventBody::NodeOutput(output_event));
        self.append(EventBody::NodeSucceeded(NodeSucceeded { node_id: id.clone() }));
        let Some(task) = self.tasks.get_mut(id) else { return };
        (task.phase, task.output) = (Phase::Succeeded, Some(output));
        match task.item.as_ref().map(|item| item.parent.clone()) {
            Some(parent) => self.continue_fan_out(&parent),
            None => self.start_ready_nodes(),
        }
        self.complete_when_done();
    }

    fn complete_when_done(&mut self) {
        if self.ended || self.tasks.values().any(|task| task.phase != Phase::Succeeded) {
            return;
        }
        let value = |output: &crate::api::workflow::OutputSpec| {
            let value = NodeId::from_wire(&output.from).and_then(|id| self.tasks.get(&id)?.output.as_ref());
            let value = value.and_then(|value| value.pointer(output.pointer.as_deref().unwrap_or_default()));
            (output.name.clone(), value.cloned().unwrap_or(Value::Null))
        };
        let outputs: Map<String, Value> = self.part.plan.outputs.iter().map(value).collect();
        let key = format!("runs/{}/outputs", self.identity.run_id());
        let outputs = artifact(key, &Value::Object(outputs));
        self.end(EventBody::RunCompleted(RunCompleted { plan_hash: self.part.plan.hash.clone(), outputs }));
    }

    /// A node has failed: it is tried again where its `retry` says so, otherwise the run fails with it.
    fn fail(&mut self, id: &NodeId, failure: Failure) {
        self.append(EventBody::NodeFailed(NodeFailed { node_id: id.clone(), error: failure.clone() }));
        let Some(task) = self.tasks.get_mut(id) else { return };
        task.attempts += 1;
        // A fan-out is not begun again: its items have their own attempts.
        let retry = spec::retry(&task.spec).filter(|_| task.spec.wire_type() != NodeType::MapFanout);
        if let Some(retry) = retry.filter(|retry| task.attempts < retry.max_attempts) {
            let delay = Duration::from_millis(retry.backoff_ms << (task.attempts - 1).min(10));
            return self.give_beats(id, vec![Beat { delay, act: Act::Again }]);
        }
        task.phase = Phase::Failed;
        let parent = task.item.as_ref().map(|item| item.parent.clone());
        if let Some(parent) = parent {
            let message = format!("item {id} failed: {}", failure.message);
            return self.fail(&parent, Failure { message, ..failure });
        }
        let error = Failure { message: format!("node {id} failed: {}", failure.message), ..failure };
        self.end(EventBody::RunFailed(RunFailed { plan_hash: self.part.plan.hash.clone(), error }));
    }

    fn cancel(&mut self) {
        if let Some(cancel) = self.part.cancel.clone() {
            let error = Failure { code: cancel.code, message: cancel.message };
            self.end(EventBody::RunCanceled(RunCanceled { plan_hash: self.part.plan.hash.clone(), error }));
        }
    }

    fn end(&mut self, body: EventBody) {
        self.append(body);
        self.ended = true;
        self.timers.clear();
    }

    /// Every LLM request made so far with what came of it: node by node, step by step.
    #[expect(clippy::unused_self, reason = "the interface stands before the work")]
    pub(crate) fn step_details(&self) -> Vec<StepDetail> {
        Vec::new()
    }

    /// The run's task list as it was written last.
    #[expect(clippy::unused_self, reason = "the interface stands before the work")]
    pub(crate) fn tasks(&self) -> Vec<crate::api::task::Task> {
        Vec::new()
    }

    /// How long after its start the last thing happened.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// The status that the events so far fold into.
    pub(crate) fn status(&self) -> RunStatus {
        self.ledger.fold().status()
    }

    fn output_of(&self, id: &NodeId) -> Value {
        let Some(task) = self.tasks.get(id) else { return Value::Null };
        let output = |id: &NodeId| self.tasks.get(id).and_then(|task| task.output.clone()).unwrap_or(Value::Null);
        match task.spec.wire_type() {
            NodeType::JoinAll => {
                let depends_on =
                    self.part.plan.nodes.get(id).map(|node| node.depends_on.as_slice()).unwrap_or_default();
                Value::Object(depends_on.iter().map(|id| (id.to_string(), output(id))).collect())
            }
            NodeType::MapFanout => json!({"items": task.children.iter().map(output).collect::<Vec<Value>>()}),
            _ => task.llm_output(),
        }
    }
}
