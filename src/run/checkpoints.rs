//! Where a run stood every so many events, so that its model at any event is a short fold away.
//!
//! Owns when a checkpoint is taken, what it holds, and how many are kept. Does not own the events between two of them:
//! whoever asks brings these, from the journal or the server, to [`Run::take_up_to`]. A checkpoint holds the facts of the
//! run and of the nodes that have changed since the one before; contents (texts, calls, steps, recent events) are left
//! out and count as dropped, and what only a snapshot tells is left out, since it is of no moment of the past.
//!
//! Rules: a model that begins at a checkpoint has the facts that a fold of all events has. Memory is bounded however
//! long the run is: where the checkpoints hold more than [`BUDGET`], every other one is dropped and twice as many events
//! stand between two from then on.

use std::collections::HashSet;
use std::mem::take;
use std::sync::Arc;

use indexmap::IndexMap;

use super::history::Entry;
use super::packed::PackedNode;
use super::room::Room;
use super::{Node, Run, Tally};
use crate::api::ids::{NodeId, RunId};

/// Bytes that all checkpoints together may hold, about.
pub const BUDGET: usize = 8 * 1024 * 1024;

/// Events between two checkpoints at first: fewer take no time to fold.
pub const SPACING: u64 = 8 * 1024;

/// The checkpoints of one run, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoints {
    kept: Vec<Arc<Checkpoint>>,
    spacing: u64,
    budget: usize,
    /// The seq of the last one taken; 0 before the first.
    taken: u64,
    /// The seq at which the next one is due.
    due: u64,
}

/// Where a run stood.
#[derive(Debug, Clone, PartialEq)]
struct Checkpoint {
    /// The run without its nodes.
    run: Run,
    /// The nodes that have changed since the checkpoint before.
    changed: Vec<PackedNode>,
    bytes: usize,
}

/// Where a fold up to some event begins: a checkpoint, or the beginning of the run. Cheap to copy and to send away.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    run_id: RunId,
    chain: Vec<Arc<Checkpoint>>,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self::new(SPACING, BUDGET)
    }
}

impl Checkpoints {
    /// None yet; one every `spacing` events, until they hold more than `budget` bytes.
    #[must_use]
    pub fn new(spacing: u64, budget: usize) -> Self {
        Self { kept: Vec::new(), spacing, budget, taken: 0, due: spacing }
    }

    /// Looks at the run after an event was applied, and takes a checkpoint where one is due: a comparison for almost
    /// every event. A run that began anew begins anew here, too.
    pub fn offer(&mut self, run: &Run) {
        if run.last_seq < self.taken {
            self.clear();
        }
        if run.last_seq >= self.due {
            self.take(run);
        }
    }

    /// Forgets all of them; the spacing stays what the run's length has made it.
    pub fn clear(&mut self) {
        *self = Self::new(self.spacing, self.budget);
    }

    /// Where to begin for the model at the event `seq`.
    #[must_use]
    pub fn before(&self, run_id: RunId, seq: u64) -> Base {
        let chain = self.kept.iter().take_while(|checkpoint| checkpoint.run.last_seq <= seq);
        Base { run_id, chain: chain.cloned().collect() }
    }

    /// How many events stand between two checkpoints.
    #[must_use]
    pub fn spacing(&self) -> u64 {
        self.spacing
    }

    /// How many checkpoints are kept, and about how many bytes they hold.
    #[must_use]
    pub fn extent(&self) -> (usize, usize) {
        (self.kept.len(), self.bytes())
    }

    fn bytes(&self) -> usize {
        self.kept.iter().map(|checkpoint| checkpoint.bytes).sum()
    }

    fn take(&mut self, run: &Run) {
        self.kept.push(Arc::new(Checkpoint::of(run, self.taken)));
        self.taken = run.last_seq;
        while self.kept.len() > 1 && self.bytes() > self.budget {
            self.thin();
        }
        self.due = (self.taken / self.spacing + 1) * self.spacing;
    }

    /// Drops every other one; what only it knew goes into the one behind it.
    fn thin(&mut self) {
        self.spacing *= 2;
        let mut all = take(&mut self.kept).into_iter();
        while let Some(earlier) = all.next() {
            let kept = match all.next() {
                Some(mut later) => {
                    Arc::make_mut(&mut later).absorb(Arc::unwrap_or_clone(earlier));
                    later
                }
                None => earlier,
            };
            self.kept.push(kept);
        }
    }
}

impl Checkpoint {
    fn of(run: &Run, since: u64) -> Self {
        let changed = run.nodes.values().filter(|node| node.touched > since);
        let changed = changed.map(|node| PackedNode::of(node, &run.ledger)).collect();
        let mut checkpoint = Self { run: run.facts(), changed, bytes: 0 };
        checkpoint.bytes = checkpoint.count_bytes();
        checkpoint
    }

    /// Takes over what `earlier` knows of nodes that have not changed since.
    fn absorb(&mut self, earlier: Self) {
        let newer = take(&mut self.changed);
        {
            let known: HashSet<&NodeId> = newer.iter().map(|node| &node.id).collect();
            self.changed = earlier.changed.into_iter().filter(|node| !known.contains(&node.id)).collect();
        }
        self.changed.extend(newer);
        self.changed.shrink_to_fit();
        self.bytes = self.count_bytes();
    }

    fn count_bytes(&self) -> usize {
        let memories: usize = self.run.memories.iter().map(|name| size_of::<String>() + name.len()).sum();
        let nodes: usize = self.changed.iter().map(PackedNode::bytes).sum();
        size_of::<Self>() + self.run.pending.bytes() + memories + nodes
    }
}

impl Base {
    /// The seq of the event behind which the fold goes on; 0 for the beginning of the run.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.chain.last().map_or(0, |checkpoint| checkpoint.run.last_seq)
    }

    /// The base before this one; `None` where this is the beginning of the run.
    #[must_use]
    pub fn earlier(&self) -> Option<Self> {
        let (_, earlier) = self.chain.split_last()?;
        Some(Self { run_id: self.run_id, chain: earlier.to_vec() })
    }

    /// The model there. Takes a while where there are many nodes: not for the loop.
    #[must_use]
    pub fn run(&self) -> Run {
        let Some(last) = self.chain.last() else { return Run::new(self.run_id) };
        // The newest of each, where it appeared first. A ledger only gains rates: those of earlier ones stand where they did.
        let mut newest: IndexMap<&NodeId, &PackedNode> = IndexMap::new();
        for node in self.chain.iter().flat_map(|checkpoint| &checkpoint.changed) {
            newest.insert(&node.id, node);
        }
        let nodes = newest.into_iter().map(|(id, node)| (id.clone(), node.node(&last.run.ledger))).collect();
        let mut run = Run { nodes, ..last.run.clone() };
        run.count_nodes();
        run
    }
}

impl Run {
    /// Takes in what stands in the order of events unless it stands behind the event `seq`; says whether there is more
    /// to come up to there.
    pub fn take_up_to(&mut self, seq: u64, entry: Entry) -> bool {
        if self.last_seq >= seq || entry.seq().is_some_and(|at| at > seq) {
            return false;
        }
        match entry {
            Entry::Event(event) => self.apply(event),
            Entry::Rejected(error) => self.reject(error),
            Entry::Gap { first, last } => self.skip(first, last),
        }
        self.last_seq < seq
    }

    /// Makes a model of the past comparable with the one of now: all nodes in the same order, those that had not begun
    /// included, with their types. No status is taken over.
    #[must_use]
    pub fn placed_as(mut self, now: &Self) -> Self {
        let mut nodes = IndexMap::with_capacity(now.nodes.len());
        for (id, node) in &now.nodes {
            let mut past = self.nodes.swap_remove(id).unwrap_or_else(|| Node::new(id.clone()));
            past.node_type.clone_from(&node.node_type);
            nodes.insert(id.clone(), past);
        }
        nodes.append(&mut self.nodes);
        self.nodes = nodes;
        self.count_nodes();
        self
    }

    /// The run's facts without its nodes, without contents, and without what only a snapshot tells.
    pub(super) fn facts(&self) -> Self {
        Self {
            run_id: self.run_id,
            plan_hash: self.plan_hash.clone(),
            parent_run_id: None,
            started_at: self.started_at,
            ended_at: self.ended_at,
            failure: self.failure.clone(),
            last_seq: self.last_seq,
            last_event_at: self.last_event_at,
            nodes: IndexMap::new(),
            pending: self.pending.clone(),
            ledger: self.ledger.facts(),
            outputs: self.outputs.as_ref().map(super::Output::facts),
            memories: self.memories.clone(),
            task_list_updates: self.task_list_updates,
            counts: self.counts,
            history: self.history.facts(),
            room: Room::default(),
            tally: Tally::default(),
            folded_status: self.folded_status.clone(),
            snapshot_status: None,
        }
    }
}
