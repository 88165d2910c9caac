//! What the nodes add up to, kept up to date event by event: a frame of ten thousand nodes walks none of them.
//!
//! Rule: at any time a tally is what counting all nodes anew gives ([`Tally::of`]).

use indexmap::IndexMap;

use super::Node;
use crate::api::ids::NodeId;
use crate::api::run::NodeType;

/// What the nodes add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Nodes that have ended.
    pub ended: u64,
    /// Nodes that have failed, also those that were started again since.
    pub failed: u64,
    /// Nodes that fan out.
    pub fan_outs: u64,
    /// Steps, those included that are no longer kept.
    pub steps: u64,
    /// Tool calls, those included that are no longer kept.
    pub calls: u64,
    /// Child runs that are kept.
    pub child_runs: u64,
    /// Bytes of the longest id.
    pub longest_id: usize,
    /// Bytes of the longest id of a node that was started again.
    pub longest_retried_id: usize,
}

/// What the standing of a node depends on beside its own events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Circumstances {
    /// Whether events are missing for good, so that the snapshot may know more than the fold.
    pub(super) gaps: bool,
    /// Whether an event has ended the run.
    pub(super) run_ended: bool,
}

impl Tally {
    /// Counts all nodes.
    pub(super) fn of(nodes: &IndexMap<NodeId, Node>, circumstances: Circumstances) -> Self {
        let mut tally = Self::default();
        for node in nodes.values() {
            tally.change(&Self::default(), &Self::of_one(node, circumstances));
        }
        tally
    }

    /// What one node adds.
    pub(super) fn of_one(node: &Node, Circumstances { gaps, run_ended }: Circumstances) -> Self {
        let id = node.id.as_str().len();
        Self {
            ended: u64::from(node.has_ended(gaps, run_ended)),
            failed: u64::from(node.failures > 0),
            fan_outs: u64::from(node.node_type == Some(NodeType::MapFanout)),
            steps: node.steps.count(),
            calls: node.calls.len() as u64 + node.dropped_calls,
            child_runs: node.scheduler.as_ref().map_or(0, |scheduler| scheduler.runs.len() as u64),
            longest_id: id,
            longest_retried_id: if node.retries() > 0 { id } else { 0 },
        }
    }

    /// A node that added `before` adds `after`. Ids and retries only grow, so that the longest ones do too.
    pub(super) fn change(&mut self, before: &Self, after: &Self) {
        let changed = |sum: &mut u64, before: u64, after: u64| *sum = (*sum + after).saturating_sub(before);
        changed(&mut self.ended, before.ended, after.ended);
        changed(&mut self.failed, before.failed, after.failed);
        changed(&mut self.fan_outs, before.fan_outs, after.fan_outs);
        changed(&mut self.steps, before.steps, after.steps);
        changed(&mut self.calls, before.calls, after.calls);
        changed(&mut self.child_runs, before.child_runs, after.child_runs);
        self.longest_id = self.longest_id.max(after.longest_id);
        self.longest_retried_id = self.longest_retried_id.max(after.longest_retried_id);
    }
}
