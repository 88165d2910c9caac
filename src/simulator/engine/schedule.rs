//! Which node begins when, and what the end of one means for the others.
//!
//! Owns the two limits: `max_parallelism` of the workflow counts every node and item that works or waits for somebody,
//! that of a fan-out its items. Fan-outs and the joins that choose do no work of their own and are not counted, so that
//! the lowest limit still lets everything through. A `join.any` or `join.collect` begins with the first of its
//! dependencies, every other node when all of its dependencies have succeeded; one that can never begin fails with
//! `DEPENDENCY_FAILED`. Rule: whenever a node ends, everything that can begin does.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::api::event::{EventBody, Failure, NodeFailed, NodeOutput, NodeSucceeded, RunCompleted, RunFailed};
use crate::api::ids::NodeId;
use crate::api::run::NodeType;
use crate::api::workflow::OutputSpec;

use super::super::ledger::artifact;
use super::super::plan::PlanNode;
use super::super::spec;
use super::task::{Act, Beat, Phase, Task};
use super::{AT_ONCE, Due, Engine};

impl Engine {
    /// Begins everything that can begin: items of fan-outs that are at work first, then nodes in the plan's order. Of
    /// very many some begin at once, and the others at the same time of the run, but after whatever is due then.
    pub(super) fn fill(&mut self) {
        for _ in 0..AT_ONCE {
            if self.ended {
                return;
            }
            let Some(id) = self.next_item().or_else(|| self.next_node()) else { return };
            self.begin(&id);
        }
        if !self.fill_is_due {
            self.fill_is_due = true;
            self.set_timer(self.now, Due::Fill);
        }
    }

    /// Whether there is room for a node's work.
    fn has_room_for(&self, task: &Task) -> bool {
        self.at_work < self.part.plan.max_parallelism || spec::is_watcher(&task.spec)
    }

    fn next_item(&mut self) -> Option<NodeId> {
        let startable = |fan_out: &NodeId| {
            let task = self.tasks.get(fan_out)?;
            let most = task.spec.max_parallelism.map_or(usize::MAX, |most| most as usize);
            let child = task.fan_out.children.get(task.fan_out.next)?;
            let room = task.fan_out.at_work < most && task.fan_out.failure.is_none();
            (room && self.has_room_for(self.tasks.get(child)?)).then(|| (fan_out.clone(), child.clone()))
        };
        let (fan_out, child) = self.fan_outs.iter().find_map(startable)?;
        let fan_out = &mut self.tasks.get_mut(&fan_out)?.fan_out;
        fan_out.next += 1;
        fan_out.at_work += 1;
        Some(child)
    }

    fn next_node(&self) -> Option<NodeId> {
        let startable = |node: &&PlanNode| {
            let task = self.tasks.get(&node.id).filter(|task| task.phase == Phase::Pending);
            task.is_some_and(|task| self.has_room_for(task) && self.is_ready(node))
        };
        self.part.plan.nodes.values().find(startable).map(|node| node.id.clone())
    }

    fn is_ready(&self, node: &PlanNode) -> bool {
        let mut phases = node.depends_on.iter().map(|id| self.phase(id));
        match node.spec.wire_type() {
            NodeType::JoinAny | NodeType::JoinCollect => phases.any(|phase| phase != Phase::Pending),
            _ => phases.all(|phase| phase == Phase::Succeeded),
        }
    }

    pub(super) fn phase(&self, id: &NodeId) -> Phase {
        self.tasks.get(id).map_or(Phase::Failed, |task| task.phase)
    }

    /// Moves a task to another phase and counts what that changes.
    pub(super) fn set_phase(&mut self, id: &NodeId, phase: Phase) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        let before = std::mem::replace(&mut task.phase, phase);
        if !spec::is_watcher(&task.spec) {
            self.at_work = self.at_work + usize::from(phase.holds_slot()) - usize::from(before.holds_slot());
        }
        if phase.has_ended() && !before.has_ended() {
            self.ends += 1;
            task.ended_as = self.ends;
            self.unended -= 1;
            self.fan_outs.retain(|fan_out| fan_out != id);
        }
    }

    pub(super) fn succeed(&mut self, id: &NodeId) {
        let (output, bytes) = match self.output_of(id) {
            Ok(output) => output,
            Err(failure) => return self.fail(id, failure),
        };
        self.kept_bytes += bytes;
        let key = format!("runs/{}/nodes/{id}/output", self.identity.run_id());
        let output_event = NodeOutput { node_id: id.clone(), output: artifact(key, &output) };
        self.append(EventBody::NodeOutput(output_event));
        self.append(EventBody::NodeSucceeded(NodeSucceeded { node_id: id.clone() }));
        let Some(task) = self.tasks.get_mut(id) else { return };
        (task.output, task.output_bytes) = (Some(output), bytes);
        let parent = task.item.as_ref().map(|item| item.parent.clone());
        self.set_phase(id, Phase::Succeeded);
        match parent {
            Some(parent) => self.item_ended(&parent, None),
            None => self.tell_joins(id),
        }
        self.fill();
        self.complete_when_done();
    }

    fn complete_when_done(&mut self) {
        if self.ended || self.unended > 0 {
            return;
        }
        // A pointer to nothing gives null: all the work is done, and the rest of the outputs is worth having.
        let value = |output: &OutputSpec| {
            let value = NodeId::from_wire(&output.from).and_then(|id| self.tasks.get(&id)?.output.as_ref());
            let value = value.and_then(|value| value.pointer(output.pointer.as_deref().unwrap_or_default()));
            (output.name.clone(), value.cloned().unwrap_or(Value::Null))
        };
        let outputs: Map<String, Value> = self.part.plan.outputs.iter().map(value).collect();
        let key = format!("runs/{}/outputs", self.identity.run_id());
        let outputs = artifact(key, &Value::Object(outputs));
        self.end(EventBody::RunCompleted(RunCompleted { plan_hash: self.part.plan.hash.clone(), outputs }));
    }

    /// A node has failed: it is tried again where its `retry` says so, otherwise whoever needs it hears of it.
    pub(super) fn fail(&mut self, id: &NodeId, failure: Failure) {
        self.append(EventBody::NodeFailed(NodeFailed { node_id: id.clone(), error: failure.clone() }));
        let Some(task) = self.tasks.get_mut(id) else { return };
        task.attempts += 1;
        // What only moves data would fail in the same way again.
        let retry = spec::retry(&task.spec).filter(|_| !spec::runs_by_itself(&task.spec));
        if let Some(retry) = retry.filter(|retry| task.attempts < retry.max_attempts) {
            let delay = Duration::from_millis(retry.backoff_ms << (task.attempts - 1).min(10));
            return self.give_beats(id, vec![Beat { delay, act: Act::Again }]);
        }
        task.failure = Some(failure.clone());
        let parent = task.item.as_ref().map(|item| item.parent.clone());
        self.set_phase(id, Phase::Failed);
        self.drop_items(id);
        match parent {
            Some(parent) => {
                let message = format!("item {id} failed: {}", failure.message);
                self.item_ended(&parent, Some(Failure { message, ..failure }));
            }
            None if self.part.plan.nodes.get(id).is_some_and(|node| node.may_fail) => self.fail_dependents(id),
            None => {
                let error = Failure { message: format!("node {id} failed: {}", failure.message), ..failure };
                return self.end(EventBody::RunFailed(RunFailed { plan_hash: self.part.plan.hash.clone(), error }));
            }
        }
        self.fill();
        self.complete_when_done();
    }

    /// The items of a failed fan-out that have not begun never will.
    fn drop_items(&mut self, id: &NodeId) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        let fan_out = std::mem::take(&mut task.fan_out);
        for child in &fan_out.children[fan_out.next.min(fan_out.children.len())..] {
            self.set_phase(child, Phase::Failed);
        }
    }

    /// The nodes that need a failed one fail with it, and those that need them; joins go on without.
    fn fail_dependents(&mut self, id: &NodeId) {
        let mut failed = vec![id.clone()];
        while let Some(id) = failed.pop() {
            let dependents = self.part.plan.nodes.get(&id).map(|node| node.dependents.clone()).unwrap_or_default();
            for dependent in dependents {
                let chooses = self
                    .tasks
                    .get(&dependent)
                    .is_some_and(|task| matches!(task.spec.wire_type(), NodeType::JoinAny | NodeType::JoinCollect));
                if chooses || self.phase(&dependent) != Phase::Pending {
                    continue;
                }
                let code = Some("DEPENDENCY_FAILED".to_owned());
                let failure = Failure { code, message: format!("it needs {id}, which has failed") };
                let error = failure.clone();
                self.append(EventBody::NodeFailed(NodeFailed { node_id: dependent.clone(), error }));
                if let Some(task) = self.tasks.get_mut(&dependent) {
                    task.failure = Some(failure);
                }
                self.set_phase(&dependent, Phase::Failed);
                failed.push(dependent);
            }
            self.tell_joins(&id);
        }
    }

    /// The joins that depend on a node that has ended look again.
    fn tell_joins(&mut self, id: &NodeId) {
        let dependents = self.part.plan.nodes.get(id).map(|node| node.dependents.clone()).unwrap_or_default();
        for dependent in dependents {
            self.look_at_join(&dependent);
        }
    }
}
