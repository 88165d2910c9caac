//! `join.any` and `join.collect`: choosing among the dependencies that have ended, in the order of their ends.
//!
//! Owns when a join decides. Without a predicate a dependency counts that has succeeded; with one, any that has ended
//! and of which it holds, so that a failed one can count by its status. `join.any` takes the first that counts, and
//! fails with `NO_MATCH` when none can any more. `join.collect` takes every one that counts until it has `limit` of
//! them, or `timeout_ms` have passed since its first dependency began, or none is left; however few it has then, it
//! succeeds. The dependencies that were not waited for go on by themselves, and the run with them.
//!
//! Rule: a join decides once.

use std::time::Duration;

use crate::api::event::Failure;
use crate::api::ids::NodeId;
use crate::api::run::NodeType;

use super::super::predicate::{Condition, Ending};
use super::super::spec;
use super::task::{Act, Beat, Choice, Phase, Task};
use super::{Due, Engine, MOMENT};

impl Engine {
    pub(super) fn begin_join(&mut self, id: &NodeId) {
        let timeout = self.tasks.get(id).and_then(|task| task.spec.timeout_ms);
        let collects = self.tasks.get(id).is_some_and(|task| task.spec.wire_type() == NodeType::JoinCollect);
        if let Some(timeout) = timeout.filter(|_| collects) {
            self.set_timer(self.now + Duration::from_millis(timeout), Due::Timeout(id.clone()));
        }
        self.look_at_join(id);
    }

    /// A dependency has ended, or the join has begun: it decides if it can. Other nodes do nothing here.
    pub(super) fn look_at_join(&mut self, id: &NodeId) {
        let Some((task, spec)) = self.undecided(id) else { return };
        let (ended, open) = self.ended_dependencies(id);
        let taken = self.counting(id, &ended);
        if spec.wire_type() == NodeType::JoinAny {
            if let Some(first) = taken.first() {
                let choice = Choice { taken: vec![first.clone()], reason: "first" };
                self.decide(id, choice);
            } else if !open {
                let message = no_match(task.spec.predicate.is_some(), &ended);
                let act = Act::Fail(Failure { code: Some("NO_MATCH".to_owned()), message });
                self.give_beats(id, vec![Beat { delay: MOMENT, act }]);
            }
            return;
        }
        let limit = spec.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        if taken.len() >= limit {
            let taken = taken.into_iter().take(limit).collect();
            self.decide(id, Choice { taken, reason: "limit" });
        } else if !open {
            self.decide(id, Choice { taken, reason: "all" });
        }
    }

    /// The time of a join is over: it takes what there is.
    pub(super) fn stop_collecting(&mut self, id: &NodeId) {
        if self.undecided(id).is_some() {
            let taken = self.counting(id, &self.ended_dependencies(id).0);
            self.decide(id, Choice { taken, reason: "timeout" });
        }
    }

    fn undecided(&self, id: &NodeId) -> Option<(&Task, &crate::api::workflow::NodeSpec)> {
        let task = self.tasks.get(id)?;
        let joins = matches!(task.spec.wire_type(), NodeType::JoinAny | NodeType::JoinCollect);
        let open = joins && task.phase == Phase::Active && task.choice.is_none() && task.beats.is_empty();
        open.then_some((task, &*task.spec))
    }

    fn decide(&mut self, id: &NodeId, choice: Choice) {
        self.timers.retain(|std::cmp::Reverse((_, _, what))| *what != Due::Timeout(id.clone()));
        if let Some(task) = self.tasks.get_mut(id) {
            task.choice = Some(choice);
        }
        self.give_beats(id, vec![Beat { delay: MOMENT, act: Act::Succeed }]);
    }

    /// The dependencies that have ended, in the order of their ends, and whether any has not.
    fn ended_dependencies(&self, id: &NodeId) -> (Vec<NodeId>, bool) {
        let depends_on = self.part.plan.nodes.get(id).map(|node| node.depends_on.as_slice()).unwrap_or_default();
        let ended =
            depends_on.iter().filter_map(|id| Some((self.tasks.get(id)?.ended_as, id))).filter(|(at, _)| *at > 0);
        let mut ended: Vec<(u64, &NodeId)> = ended.collect();
        ended.sort_unstable();
        let open = ended.len() < depends_on.len();
        (ended.into_iter().map(|(_, id)| id.clone()).collect(), open)
    }

    fn counting(&self, id: &NodeId, ended: &[NodeId]) -> Vec<NodeId> {
        let condition = self.part.plan.nodes.get(id).and_then(|node| node.condition.as_ref());
        ended.iter().filter(|id| self.tasks.get(*id).is_some_and(|task| counts(task, condition))).cloned().collect()
    }
}

fn counts(task: &Task, condition: Option<&Condition>) -> bool {
    let succeeded = task.phase == Phase::Succeeded;
    let Some(condition) = condition else { return succeeded };
    condition.holds(Ending {
        status: if succeeded { "succeeded" } else { "failed" },
        output: task.output.as_deref(),
        text: Some(task.text.as_str()).filter(|_| spec::is_model(&task.spec)),
    })
}

fn no_match(has_predicate: bool, ended: &[NodeId]) -> String {
    let names: Vec<&str> = ended.iter().map(NodeId::as_str).collect();
    let names = names.join(", ");
    if has_predicate {
        format!("all dependencies have ended ({names}) and the predicate holds of none")
    } else {
        format!("all dependencies have failed: {names}")
    }
}
