//! The model of one run: what its events add up to.
//!
//! Owns the fold and nothing else: no clock, no I/O, no formatting. [`Run::apply`] takes events in seq order, each
//! once (the feed sees to that). The server's snapshot is kept beside the fold and speaks only where the fold cannot:
//! before the first event, about money, and about what a permanent gap has swallowed.
//!
//! Memory is bounded: streamed text, inline outputs, call and step records and recent events are kept up to the limits
//! in [`limits`], which hold for each node and for all of them together; what is older is counted and can be read from
//! the journal or the server again.

pub mod agreement;
pub mod checkpoints;
pub mod cost;
pub mod history;
pub mod milestone;
pub mod node;
pub mod odd;
pub mod output;
mod packed;
pub mod pending;
pub mod recent;
mod room;
mod scheduler;
pub mod step;
mod tally;

use std::collections::HashMap;

use indexmap::IndexMap;
use jiff::Timestamp;

pub use agreement::Agreement;
pub use checkpoints::{Base, Checkpoints};
pub use cost::{Amount, CostRow, Ledger, Price, Prices};
pub use history::History;
pub use milestone::is_milestone;
pub use node::{CallRecord, Node};
pub use odd::{Odd, OddLog, Oddity};
pub use output::{Output, StreamedText};
pub use pending::{PendingCall, PendingCalls};
pub use recent::Recent;
pub use scheduler::{Agent, ChildRun, Scheduler};
pub use step::{StepRecord, StepRecords};
pub use tally::Tally;

use crate::api::event::{Event, EventBody, Failure, ProtocolError};
use crate::api::ids::{NodeId, PlanHash, RunId};
use crate::api::run::{NodeSnapshot, RunSnapshot, RunStatus};
use crate::api::tool::PendingTools;
use room::Room;
use tally::Circumstances;

/// How much of a run is kept in memory.
pub mod limits {
    /// Bytes of streamed text a node.
    pub const STREAMED_TEXT: usize = 256 * 1024;
    /// Bytes of an inline output; a larger one is read from the server when it is looked at.
    pub const INLINE_OUTPUT: usize = 64 * 1024;
    /// Tool calls a node.
    pub const CALL_RECORDS: usize = 500;
    /// Bytes of tool calls a node. The last call is kept whatever its size.
    pub const CALL_BYTES: usize = 4 * 1024 * 1024;
    /// Steps a node.
    pub const STEP_RECORDS: usize = 500;
    /// Child runs a scheduler node.
    pub const CHILD_RUNS: usize = 500;
    /// Recent events of the whole run.
    pub const RECENT_EVENTS: usize = 2_000;
    /// Bytes of recent events. The last event is kept whatever its size.
    pub const RECENT_BYTES: usize = 4 * 1024 * 1024;
    /// Bytes of streamed text of all nodes together.
    pub const ALL_STREAMED_TEXT: usize = 4 * 1024 * 1024;
    /// Bytes of the tool calls of all nodes together.
    pub const ALL_CALL_BYTES: usize = 4 * 1024 * 1024;
    /// Bytes of the steps of all nodes together.
    pub const ALL_STEP_BYTES: usize = 3 * 1024 * 1024;
    /// Bytes of the inline outputs of all nodes together.
    pub const ALL_INLINE_OUTPUTS: usize = 2 * 1024 * 1024;
    /// Where the nodes together hold too much of one kind, so many bytes of its newest are left to a node at first.
    pub const LEFT_TO_A_NODE: usize = 4 * 1024;
    /// Bytes of a rejected line.
    pub const REJECTED_LINE: usize = 16 * 1024;
}

/// One run, folded.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run's id.
    pub run_id: RunId,
    /// Hash of the plan, once known.
    pub plan_hash: Option<PlanHash>,
    /// The run that started this one, where the snapshot names one.
    pub parent_run_id: Option<RunId>,
    /// When the run started, by the server's clock.
    pub started_at: Option<Timestamp>,
    /// When it ended, by the server's clock.
    pub ended_at: Option<Timestamp>,
    /// Why it failed or was canceled.
    pub failure: Option<Failure>,
    /// The seq of the last event applied, rejected places and gaps included; 0 before the first.
    pub last_seq: u64,
    /// When the last event was recorded, by the server's clock.
    pub last_event_at: Option<Timestamp>,
    /// The nodes, in the server's order where it sent one, else in order of appearance.
    pub nodes: IndexMap<NodeId, Node>,
    /// The calls that wait for a result from outside.
    pub pending: PendingCalls,
    /// What the run costs.
    pub ledger: Ledger,
    /// The run's outputs.
    pub outputs: Option<Output>,
    /// Names of the memories that were written.
    pub memories: Vec<String>,
    /// How often the task list was written.
    pub task_list_updates: u64,
    /// What was odd.
    pub counts: Counts,
    /// The last events, and every rejected line that is still kept.
    pub history: History,
    /// What all nodes hold of what can be dropped.
    room: Room,
    tally: Tally,
    folded_status: Option<RunStatus>,
    snapshot_status: Option<(RunStatus, u64)>,
}

/// What was counted while folding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events applied.
    pub events: u64,
    /// Of these, events of unknown type.
    pub unknown: u64,
    /// Lines that broke the protocol.
    pub rejected: u64,
    /// Events that came again and were dropped.
    pub duplicates: u64,
    /// Permanent gaps.
    pub gaps: u64,
    /// Events that are missing in them.
    pub missing: u64,
}

impl Counts {
    /// Whether anything was odd.
    #[must_use]
    pub fn any_odd(&self) -> bool {
        self.unknown + self.rejected + self.duplicates + self.gaps > 0
    }
}

impl Run {
    /// A run of which nothing is known yet.
    #[must_use]
    pub fn new(run_id: RunId) -> Self {
        Self {
            run_id,
            plan_hash: None,
            parent_run_id: None,
            started_at: None,
            ended_at: None,
            failure: None,
            last_seq: 0,
            last_event_at: None,
            nodes: IndexMap::new(),
            pending: PendingCalls::default(),
            ledger: Ledger::default(),
            outputs: None,
            memories: Vec::new(),
            task_list_updates: 0,
            counts: Counts::default(),
            history: History::default(),
            room: Room::default(),
            tally: Tally::default(),
            folded_status: None,
            snapshot_status: None,
        }
    }

    /// The run's status in the server's word; `None` before anything is known.
    #[must_use]
    pub fn status(&self) -> Option<RunStatus> {
        let folded = self.folded_status();
        match (&folded, &self.snapshot_status) {
            (Some(folded), _) if folded.is_terminal() => Some(folded.clone()),
            // The snapshot was taken when the fold stood where it stands now, or says what only it can say.
            (_, Some((snapshot, at))) if snapshot.is_terminal() || *at >= self.last_seq => Some(snapshot.clone()),
            (Some(folded), _) => Some(folded.clone()),
            (None, snapshot) => snapshot.as_ref().map(|(status, _)| status.clone()),
        }
    }

    /// The status that the events alone add up to: `waiting` while any call waits.
    #[must_use]
    pub fn folded_status(&self) -> Option<RunStatus> {
        match &self.folded_status {
            Some(RunStatus::Running) if !self.pending.is_empty() => Some(RunStatus::Waiting),
            other => other.clone(),
        }
    }

    /// Whether an event has ended the run.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.folded_status.as_ref().is_some_and(RunStatus::is_terminal)
    }

    /// Places up to the last seq whose event could not be read: a rejected line stands there.
    #[must_use]
    pub fn unread_places(&self) -> u64 {
        self.last_seq.saturating_sub(self.counts.events.saturating_add(self.counts.missing))
    }

    /// Nodes that have ended, of all that are known.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (usize::try_from(self.tally.ended).unwrap_or(usize::MAX), self.nodes.len())
    }

    /// What the nodes add up to.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances { gaps: self.counts.gaps > 0, run_ended: self.has_ended() }
    }

    /// Counts all nodes anew, after what may have changed any of them.
    fn count_nodes(&mut self) {
        self.tally = Tally::of(&self.nodes, self.circumstances());
    }

    /// A node's status: the fold's, else the snapshot's.
    #[must_use]
    pub fn node_status(&self, node: &Node) -> crate::api::run::NodeStatus {
        node.status(self.counts.gaps > 0, self.has_ended())
    }

    /// Whether the run has ended before the node did, as far as events and snapshot say: nothing works on it any more.
    #[must_use]
    pub fn was_left_open(&self, node: &Node) -> bool {
        use crate::api::run::NodeStatus;
        self.has_ended() && matches!(self.node_status(node), NodeStatus::Running | NodeStatus::Waiting)
    }

    /// Applies the next event.
    pub fn apply(&mut self, event: Event) {
        self.last_seq = self.last_seq.max(event.seq);
        self.last_event_at = Some(event.ts);
        self.counts.events += 1;
        let circumstances = self.circumstances();
        self.apply_body(&event);
        if self.circumstances() != circumstances {
            self.count_nodes();
        }
        self.history.push(event);
    }

    fn apply_body(&mut self, event: &Event) {
        let ts = event.ts;
        match &event.body {
            EventBody::RunCompiled(e) => {
                self.plan_hash = Some(e.plan_hash.clone());
                self.folded_status.get_or_insert(RunStatus::Running);
            }
            EventBody::RunStarted(e) => {
                self.plan_hash = Some(e.plan_hash.clone());
                self.started_at = Some(ts);
                self.folded_status = Some(RunStatus::Running);
            }
            EventBody::RunCompleted(e) => {
                self.outputs = Some(Output::new(&e.outputs, event.seq));
                self.end(RunStatus::Succeeded, None, ts);
            }
            EventBody::RunFailed(e) => self.end(RunStatus::Failed, Some(&e.error), ts),
            EventBody::RunCanceled(e) => self.end(RunStatus::Canceled, Some(&e.error), ts),
            EventBody::TaskListUpdated(_) => self.task_list_updates += 1,
            EventBody::MemoryUpdated(e) => {
                if !self.memories.contains(&e.memory_key) {
                    self.memories.push(e.memory_key.clone());
                }
            }
            EventBody::Unknown(_) => self.counts.unknown += 1,
            _ => self.apply_to_node(event),
        }
    }

    fn apply_to_node(&mut self, event: &Event) {
        let Some(node_id) = event.body.node_id() else { return };
        match &event.body {
            // Whatever a server says after the end: nothing can be answered any more.
            EventBody::NodeWaiting(_) | EventBody::NodeUserAsk(_) if self.has_ended() => {}
            EventBody::NodeWaiting(e) => self.pending.wait(&e.node_id, &e.waiting, event.ts),
            EventBody::NodeUserAsk(e) => self.pending.ask(&e.node_id, &e.user_ask, event.ts),
            EventBody::NodeToolResult(e) => {
                let result = &e.tool_result;
                self.pending.resolve(node_id, result.step, result.request_id, &result.tool_call.id);
            }
            EventBody::NodeUserAnswer(e) => {
                let answer = &e.user_answer;
                self.pending.resolve(node_id, answer.step, answer.request_id, &answer.tool_call.id);
            }
            EventBody::NodeSucceeded(_) | EventBody::NodeFailed(_) => self.pending.end_node(node_id),
            EventBody::NodeLlmCall(e) => self.ledger.add_call(&e.llm_call),
            _ => {}
        }
        // Its own beginning may have been swallowed by a gap.
        self.folded_status.get_or_insert(RunStatus::Running);
        let still_waiting = self.pending.any_of_node(node_id);
        let circumstances = self.circumstances();
        let (at, tally) = match self.nodes.get_full(node_id) {
            Some((at, _, node)) => (at, Tally::of_one(node, circumstances)),
            None => (self.nodes.insert_full(node_id.clone(), Node::new(node_id.clone())).0, Tally::default()),
        };
        let node = &mut self.nodes[at];
        let held = node.held();
        node.apply(event, still_waiting);
        self.tally.change(&tally, &Tally::of_one(node, circumstances));
        let holds = node.held();
        self.room.changed(&mut self.nodes, held, holds);
    }

    fn end(&mut self, status: RunStatus, failure: Option<&Failure>, at: Timestamp) {
        self.folded_status = Some(status);
        self.failure = failure.cloned();
        self.ended_at = Some(at);
        self.pending.end_run();
    }

    /// Counts a line that broke the protocol; with a seq it takes that place in the order.
    pub fn reject(&mut self, error: ProtocolError) {
        self.counts.rejected += 1;
        if let Some(seq) = error.seq {
            self.last_seq = self.last_seq.max(seq);
        }
        self.history.push_rejected(error);
    }

    /// Records that the places `first..=last` stay empty.
    pub fn skip(&mut self, first: u64, last: u64) {
        self.counts.gaps += 1;
        self.counts.missing = self.counts.missing.saturating_add(last.saturating_sub(first).saturating_add(1));
        self.last_seq = self.last_seq.max(last);
        self.history.push_gap(first, last);
        if self.counts.gaps == 1 {
            self.count_nodes();
        }
    }

    /// Takes in a snapshot that was read while no event was applied: money, types, order, and statuses that no event
    /// has told yet.
    pub fn observe(&mut self, snapshot: &RunSnapshot) {
        self.observe_as_of(snapshot, self.last_seq);
    }

    /// Takes in a snapshot that was asked for when the last event applied was `asked_at`: what events have told since
    /// outweighs its status.
    pub fn observe_as_of(&mut self, snapshot: &RunSnapshot, asked_at: u64) {
        self.snapshot_status = Some((snapshot.status.clone(), asked_at));
        if let Some(plan_hash) = &snapshot.plan_hash {
            self.plan_hash.get_or_insert_with(|| plan_hash.clone());
        }
        self.parent_run_id = snapshot.parent_run_id.or(self.parent_run_id);
        if let Some(summary) = &snapshot.cost_summary {
            self.ledger.observe(summary);
        }
        let Some(listed) = &snapshot.nodes else { return };
        for node in listed {
            let known = self.nodes.entry(node.id.clone()).or_insert_with(|| Node::new(node.id.clone()));
            known.observe(node);
        }
        self.take_order_of(listed);
        self.count_nodes();
    }

    /// The server's order is the plan's order; nodes that it does not list follow.
    fn take_order_of(&mut self, listed: &[NodeSnapshot]) {
        if self.nodes.keys().zip(listed).all(|(id, listed)| *id == listed.id) {
            return;
        }
        let places: HashMap<&NodeId, usize> = listed.iter().enumerate().map(|(at, node)| (&node.id, at)).collect();
        self.nodes.sort_by_cached_key(|id, _| places.get(id).copied().unwrap_or(usize::MAX));
    }

    /// Forgets everything: its events come again from the first. An answer that was asked for before counts no more.
    pub fn begin_anew(&mut self) {
        *self = Self { pending: self.pending.begun_anew(), ..Self::new(self.run_id) };
    }

    /// Takes in a pending-tools answer that was asked for when the pending calls stood at `generation`.
    ///
    /// Returns false, changing nothing, when events have changed the pending calls since: ask again.
    pub fn observe_pending(&mut self, answer: &PendingTools, generation: u64, at: Timestamp) -> bool {
        if self.pending.generation() != generation {
            return false;
        }
        if !self.has_ended() {
            self.pending.replace(answer, at);
        }
        true
    }
}

#[cfg(test)]
mod tests;
