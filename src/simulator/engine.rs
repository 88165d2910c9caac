//! Runs a workflow: the one engine behind `demo`, `simulate` and the tests.
//!
//! Owns the order of things: what each node does next, and when; which node begins is `schedule`'s, what a join takes
//! `join`'s, what a node puts out `output`'s. It is a discrete-event simulation: pure and synchronous, its time is
//! whatever [`Engine::advance`] is told, and each node is a task with a queue of beats (a delay and an act) of which
//! the first is on a heap of timers. Whoever drives it sleeps until [`Engine::next_due`]; nothing ever polls. What a
//! beat does to the world outside are events in the ledger, and child runs for the driver to start.
//!
//! Rule: the same plan, script, seed and answers at the same times give the same events.

mod answer;
mod context;
mod fan_out;
mod improvise;
mod join;
mod output;
mod record;
mod request;
mod rival;
mod schedule;
mod task;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::api::event::{EventBody, Failure, NodeStarted, RunCanceled, RunCompiled, RunStarted};
use crate::api::ids::{NodeId, RunId};
use crate::api::run::{NodeType, RunStatus};

pub(crate) use answer::Refusal;
use task::{Act, Beat, Cursor, Phase, Task};

use super::identity::Identity;
use super::ledger::{Clock, Ledger};
use super::part::Part;
use super::script::Step;

/// How long a node takes that only moves data.
const MOMENT: Duration = Duration::from_millis(5);

/// How many things are done, or tasks begun, before others may look at the run.
const AT_ONCE: usize = 64;

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
    /// A timer is set for the tasks that can begin and have not.
    fill_is_due: bool,
    children_to_start: Vec<ChildRun>,
    children: IndexMap<String, Child>,
    /// The fan-outs that have begun and not ended, in that order.
    fan_outs: Vec<NodeId>,
    /// How many tasks count against `max_parallelism`.
    at_work: usize,
    /// How many tasks have not ended.
    unended: usize,
    /// How many tasks have ended.
    ends: u64,
    /// Bytes of outputs and requests that are kept.
    kept_bytes: usize,
    task_list: Vec<crate::api::task::Task>,
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
    /// A join has waited for as long as it may.
    Timeout(NodeId),
    /// The run is canceled.
    Cancel,
    /// More tasks could begin than do at once.
    Fill,
}

impl Engine {
    /// A run that has just started.
    pub(crate) fn start(part: Arc<Part>, identity: Identity, parent: Option<RunId>, clock: Clock) -> Self {
        let ledger = Ledger::new(identity.run_id(), parent, &part.plan, clock);
        let nodes = part.plan.nodes.values();
        let tasks: IndexMap<NodeId, Task> =
            nodes.map(|node| (node.id.clone(), Task::of_node(Arc::clone(&node.spec)))).collect();
        let mut engine = Self {
            unended: tasks.len(),
            tasks,
            part,
            identity,
            ledger,
            timers: BinaryHeap::new(),
            timers_set: 0,
            now: Duration::ZERO,
            ended: false,
            fill_is_due: false,
            children_to_start: Vec::new(),
            children: IndexMap::new(),
            fan_outs: Vec::new(),
            at_work: 0,
            ends: 0,
            kept_bytes: 0,
            task_list: Vec::new(),
        };
        let plan_hash = engine.part.plan.hash.clone();
        engine.append(EventBody::RunCompiled(RunCompiled { plan_hash: plan_hash.clone() }));
        engine.append(EventBody::RunStarted(RunStarted { plan_hash }));
        if let Some(cancel) = &engine.part.cancel {
            engine.set_timer(Duration::from_millis(cancel.after_ms), Due::Cancel);
        }
        engine.fill();
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
        while !self.advance_a_little(now) {}
    }

    /// Does some of what is due, each thing at its own time, so that others can look at the run in between; whether
    /// that was all.
    pub(crate) fn advance_a_little(&mut self, now: Duration) -> bool {
        for _ in 0..AT_ONCE {
            if self.ended || self.next_due().is_none_or(|due| due > now) {
                return true;
            }
            let Some(Reverse((due, _, what))) = self.timers.pop() else { return true };
            self.now = self.now.max(due);
            match what {
                Due::Beat(id) => self.beat(&id),
                Due::Timeout(id) => self.stop_collecting(&id),
                Due::Cancel => self.cancel(),
                Due::Fill => {
                    self.fill_is_due = false;
                    self.fill();
                    // That was much by itself.
                    return false;
                }
            }
        }
        false
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

    fn begin(&mut self, id: &NodeId) {
        let Some(task) = self.tasks.get(id) else { return };
        let node_type = task.spec.wire_type();
        self.set_phase(id, Phase::Active);
        self.append(EventBody::NodeStarted(NodeStarted { node_id: id.clone() }));
        match node_type {
            NodeType::JoinAll | NodeType::TransformJson => {
                self.give_beats(id, vec![Beat { delay: MOMENT, act: Act::Succeed }]);
            }
            NodeType::JoinAny | NodeType::JoinCollect => self.begin_join(id),
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
                    task.answered();
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

    /// Goes on with the next step of the script whose condition holds, or with what a model without a script does, or
    /// ends the node.
    fn next_step(&mut self, id: &NodeId) {
        let part = Arc::clone(&self.part);
        let Some(task) = self.tasks.get(id) else { return };
        let (step, cursor) = match task.script(&part.script) {
            Some(steps) => self.scripted_step(task, steps),
            None => (self.improvised_step(id, task).map(Cow::Owned), task.cursor.next()),
        };
        let beats = match step {
            Some(step) => {
                if let Some(task) = self.tasks.get_mut(id) {
                    task.cursor = cursor;
                }
                self.beats_of(id, &step)
            }
            None => vec![Beat { delay: Duration::ZERO, act: Act::Succeed }],
        };
        self.give_beats(id, beats);
    }

    /// The next step whose condition holds, and where the script stands after it.
    fn scripted_step<'a>(&self, task: &Task, steps: &'a [Step]) -> (Option<Cow<'a, Step>>, Cursor) {
        let mut cursor = task.cursor;
        while let Some(step) = steps.get(cursor.step) {
            if cursor.round < step.repeat && step.when.as_ref().is_none_or(|when| self.holds(task, when)) {
                cursor.round += 1;
                return (Some(Cow::Borrowed(step)), cursor);
            }
            cursor = cursor.next();
        }
        (None, cursor)
    }

    fn start_child(&mut self, name: String) {
        let identity = self.identity.child(&name);
        self.children.insert(name.clone(), Child { run_id: identity.run_id(), ended: false });
        self.children_to_start.push(ChildRun { name, identity, after: self.now });
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

    /// How long after its start the last thing happened.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// The status that the events so far fold into.
    pub(crate) fn status(&self) -> RunStatus {
        self.ledger.fold().status()
    }
}
