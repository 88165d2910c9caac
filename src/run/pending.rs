//! The calls that wait for a result from outside.
//!
//! Rule: a call that is told by both `node_waiting` and `node_user_ask` is one call. A pending-tools answer counts
//! only if nothing has changed the pending calls since it was asked for: see [`PendingCalls::generation`]. One that
//! leaves out a call whose end no event has told is either ahead of the events or older than they are: it is believed,
//! and has to be asked for again: see [`PendingCalls::is_in_doubt`].

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::api::event::{UserAsk, Waiting};
use crate::api::ids::{CallId, NodeId, RequestId};
use crate::api::tool::{CallKey, PendingTools, Question, StepKey, ToolCall};

/// One call that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCall {
    /// Which call.
    pub key: CallKey,
    /// Tool and arguments.
    pub call: ToolCall,
    /// The question, where it is one.
    pub question: Option<Question>,
    /// Since when it waits, by the server's clock.
    pub since: Timestamp,
}

/// All calls that wait, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingCalls {
    calls: IndexMap<CallKey, PendingCall>,
    /// Calls that the server's list has left out, while no event has told their end.
    left_out: HashSet<CallKey>,
    /// How many of the calls are of each node; of nodes that have any.
    by_node: HashMap<NodeId, usize>,
    generation: u64,
}

impl PendingCalls {
    /// The calls, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &PendingCall> + ExactSizeIterator {
        self.calls.values()
    }

    /// How many calls wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The call with this key, while it waits.
    #[must_use]
    pub fn get(&self, key: &CallKey) -> Option<&PendingCall> {
        self.calls.get(key)
    }

    /// Where the call stands in the order.
    #[must_use]
    pub fn position(&self, key: &CallKey) -> Option<usize> {
        self.calls.get_index_of(key)
    }

    /// The call at a place in the order.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&PendingCall> {
        self.calls.get_index(index).map(|(_, call)| call)
    }

    /// The waiting calls of one step.
    pub fn of_step<'a>(&'a self, step: &'a StepKey) -> impl Iterator<Item = &'a PendingCall> {
        self.iter().filter(move |call| call.key.step == *step)
    }

    /// The waiting calls of one node.
    pub fn of_node<'a>(&'a self, node: &'a NodeId) -> impl Iterator<Item = &'a PendingCall> {
        self.iter().filter(move |call| call.key.step.node_id == *node)
    }

    /// Whether any call of a node waits; looks none of them through, since it is asked for each event.
    #[must_use]
    pub fn any_of_node(&self, node: &NodeId) -> bool {
        !self.by_node.is_empty() && self.by_node.contains_key(node)
    }

    /// Since when the oldest call waits.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.iter().map(|call| call.since).min()
    }

    /// Grows with each event that may change what waits; a pending-tools answer asked for at another generation is
    /// out of date.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the server's list has left a call out whose end no event has told yet.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        !self.left_out.is_empty()
    }

    /// About how many bytes they hold.
    pub(super) fn bytes(&self) -> usize {
        let large = |call: &PendingCall| {
            let question = call.question.as_ref();
            call.call.arguments().len() + question.map_or(0, |asked| asked.question.len() + asked.options.len() * 64)
        };
        self.iter().map(|call| 2 * size_of::<PendingCall>() + large(call)).sum()
    }

    /// No calls, of a generation that none of these had.
    pub(super) fn begun_anew(&self) -> Self {
        Self { generation: self.generation + 1, ..Self::default() }
    }

    pub(super) fn wait(&mut self, node: &NodeId, waiting: &Waiting, at: Timestamp) {
        let step = StepKey::new(node, waiting.step, waiting.request_id);
        for pending in &waiting.pending_tool_calls {
            self.add(&step, &pending.tool_call, None, at);
        }
        self.generation += 1;
    }

    pub(super) fn ask(&mut self, node: &NodeId, ask: &UserAsk, at: Timestamp) {
        let question = Question {
            question: ask.question.clone(),
            options: ask.options.clone(),
            allow_freeform: ask.allow_freeform,
        };
        self.add(&StepKey::new(node, ask.step, ask.request_id), &ask.tool_call, Some(question), at);
        self.generation += 1;
    }

    fn add(&mut self, step: &StepKey, call: &ToolCall, question: Option<Question>, since: Timestamp) {
        let key = step.call(&call.id);
        self.left_out.remove(&key);
        let question = question.or_else(|| call.question());
        if let Some(known) = self.calls.get_mut(&key) {
            known.question = question.or_else(|| known.question.take());
            // Not every way in which a call is told brings its arguments.
            if known.call.arguments().is_empty() && !call.arguments().is_empty() {
                known.call = call.clone();
            }
            return;
        }
        *self.by_node.entry(key.step.node_id.clone()).or_default() += 1;
        self.calls.insert(key.clone(), PendingCall { key, call: call.clone(), question, since });
    }

    pub(super) fn resolve(&mut self, node: &NodeId, step: u64, request: RequestId, call: &CallId) {
        self.generation += 1;
        if self.calls.is_empty() && self.left_out.is_empty() {
            return;
        }
        let key = StepKey::new(node, step, request).call(call);
        self.left_out.remove(&key);
        if self.calls.shift_remove(&key).is_some()
            && let Some(count) = self.by_node.get_mut(node)
        {
            *count -= 1;
            if *count == 0 {
                self.by_node.remove(node);
            }
        }
    }

    pub(super) fn end_node(&mut self, node: &NodeId) {
        self.left_out.retain(|key| key.step.node_id != *node);
        if self.by_node.remove(node).is_some() {
            self.calls.retain(|key, _| key.step.node_id != *node);
            self.generation += 1;
        }
    }

    pub(super) fn end_run(&mut self) {
        self.calls.clear();
        self.by_node.clear();
        self.left_out.clear();
        self.generation += 1;
    }

    /// Makes the calls equal to the server's list; what was known of them is kept.
    pub(super) fn replace(&mut self, answer: &PendingTools, at: Timestamp) {
        let listed: IndexMap<CallKey, &ToolCall> = answer.calls().collect();
        let left_out = self.calls.keys().filter(|key| !listed.contains_key(*key));
        self.left_out.extend(left_out.cloned());
        self.calls.retain(|key, _| listed.contains_key(key));
        self.by_node.clear();
        for key in self.calls.keys() {
            *self.by_node.entry(key.step.node_id.clone()).or_default() += 1;
        }
        for (key, call) in listed {
            self.add(&key.step, call, None, at);
        }
    }
}
