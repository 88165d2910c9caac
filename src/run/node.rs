//! One node of a run: status, times, steps, usage, calls and what it puts out.

use indexmap::IndexMap;
use jiff::Timestamp;

use super::cost::{Rate, Tokens, add_usage};
use super::output::{Output, StreamedText};
use super::recent::{Found, Recent, fingerprint};
use super::room::{Held, Kind};
use super::{Scheduler, StepRecord, StepRecords, limits};
use crate::api::event::{Event, EventBody, Failure, SteppedToolResult};
use crate::api::ids::NodeId;
use crate::api::run::{NodeSnapshot, NodeStatus, NodeType};
use crate::api::tool::{CallKey, StepKey, ToolCall};

/// One node, folded.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The node's id.
    pub id: NodeId,
    /// What it does; known only from the snapshot.
    pub node_type: Option<NodeType>,
    /// When it first started, by the server's clock.
    pub started_at: Option<Timestamp>,
    /// When it last ended, by the server's clock.
    pub ended_at: Option<Timestamp>,
    /// Its highest step seen.
    pub step: Option<u64>,
    /// How often it was started: more than once means that it was retried.
    pub starts: u64,
    /// How often it failed.
    pub failures: u64,
    /// Its last failure.
    pub failure: Option<Failure>,
    /// Its steps: what each asked of a model, and when.
    pub steps: StepRecords,
    /// LLM calls, by provider and model, with their tokens.
    pub usage: IndexMap<Rate, Tokens>,
    /// Tool calls, oldest first, up to [`limits::CALL_RECORDS`] and [`limits::CALL_BYTES`].
    pub calls: Recent<CallRecord>,
    /// Tool calls that were dropped from the front.
    pub dropped_calls: u64,
    /// About how many bytes `calls` hold.
    call_bytes: usize,
    /// What it has streamed.
    pub text: StreamedText,
    /// Its output.
    pub output: Option<Output>,
    /// Its agents, where it is a scheduler.
    pub scheduler: Option<Box<Scheduler>>,
    pub(super) folded: Option<NodeStatus>,
    snapshot: Option<NodeStatus>,
    /// The seq of its last event; 0 before the first.
    pub(super) touched: u64,
}

/// What the allocations of a call's id, name and texts take beside their contents.
const ALLOCATIONS: usize = 96;

/// A tool call and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// Which call.
    pub key: CallKey,
    /// Tool and arguments.
    pub call: ToolCall,
    /// When it was made, by the server's clock.
    pub called_at: Timestamp,
    /// The result, once there is one.
    pub result: Option<CallResult>,
}

impl CallRecord {
    /// About how many bytes it holds.
    fn bytes(&self) -> usize {
        let result = self.result.as_ref();
        size_of::<Self>()
            + ALLOCATIONS
            + self.call.id.as_str().len()
            + self.call.name.as_str().len()
            + self.call.arguments().len()
            + result.map_or(0, |result| result.output.len() + result.error.as_ref().map_or(0, String::len))
    }
}

/// The result of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// The output, byte for byte.
    pub output: String,
    /// The error, where the tool failed.
    pub error: Option<String>,
    /// When it was taken in, by the server's clock.
    pub at: Timestamp,
}

impl Node {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            node_type: None,
            started_at: None,
            ended_at: None,
            step: None,
            starts: 0,
            failures: 0,
            failure: None,
            steps: StepRecords::default(),
            usage: IndexMap::new(),
            calls: Recent::default(),
            dropped_calls: 0,
            call_bytes: 0,
            text: StreamedText::default(),
            output: None,
            scheduler: None,
            folded: None,
            snapshot: None,
            touched: 0,
        }
    }

    /// Tokens of all its LLM calls.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.usage.values().copied().sum()
    }

    /// How often it was started again.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.starts.saturating_sub(1)
    }

    /// The status that its events alone add up to; `None` before the first.
    #[must_use]
    pub fn folded_status(&self) -> Option<&NodeStatus> {
        self.folded.as_ref()
    }

    /// The calls of a step that are still kept, oldest first.
    pub fn calls_of<'a>(&'a self, step: &'a StepRecord) -> impl Iterator<Item = &'a CallRecord> {
        self.calls.iter().filter(|record| record.key.step == step.key)
    }

    /// What it holds of what can be dropped.
    pub(super) fn held(&self) -> Held {
        Held {
            text: self.text.kept(),
            calls: self.call_bytes,
            steps: self.steps.bytes(),
            outputs: self.output.as_ref().map_or(0, Output::held),
        }
    }

    /// The same without contents, which count as dropped, and without what only a snapshot tells.
    #[cfg(test)]
    pub(super) fn facts(&self) -> Self {
        Self {
            id: self.id.clone(),
            node_type: None,
            started_at: self.started_at,
            ended_at: self.ended_at,
            step: self.step,
            starts: self.starts,
            failures: self.failures,
            failure: self.failure.clone(),
            steps: self.steps.facts(),
            usage: self.usage.clone(),
            calls: self.calls.forgotten(),
            dropped_calls: self.dropped_calls + self.calls.len() as u64,
            call_bytes: 0,
            text: self.text.facts(),
            output: self.output.as_ref().map(Output::facts),
            scheduler: self.scheduler.clone(),
            folded: self.folded.clone(),
            snapshot: None,
            touched: self.touched,
        }
    }

    /// Drops the oldest of one kind until no more than `bytes` are held of it; counts what it drops.
    pub(super) fn shrink_to(&mut self, kind: Kind, bytes: usize) {
        match kind {
            Kind::Text => self.text.shrink_to(bytes),
            Kind::Calls => {
                while self.call_bytes > bytes && !self.calls.is_empty() {
                    self.drop_oldest_call();
                }
                self.calls.shrink();
            }
            Kind::Steps => self.steps.shrink_to(bytes),
            Kind::Outputs => {
                if let Some(output) = self.output.as_mut().filter(|output| output.held() > bytes) {
                    output.content = None;
                }
            }
        }
    }

    /// `gaps`: whether events are missing for good, so that the snapshot may know more than the fold.
    pub(super) fn status(&self, gaps: bool, run_ended: bool) -> NodeStatus {
        match (&self.folded, &self.snapshot) {
            (Some(folded), _) if folded.is_terminal() => folded.clone(),
            (Some(_), Some(snapshot)) if (gaps || run_ended) && snapshot.is_terminal() => snapshot.clone(),
            (Some(folded), _) => folded.clone(),
            (None, Some(snapshot)) => snapshot.clone(),
            (None, None) => NodeStatus::Pending,
        }
    }

    /// Whether [`Node::status`] is one that ends a node.
    pub(super) fn has_ended(&self, gaps: bool, run_ended: bool) -> bool {
        let snapshot = self.snapshot.as_ref().is_some_and(NodeStatus::is_terminal);
        match &self.folded {
            Some(folded) => folded.is_terminal() || ((gaps || run_ended) && snapshot),
            None => snapshot,
        }
    }

    pub(super) fn observe(&mut self, listed: &NodeSnapshot) {
        self.node_type = Some(listed.node_type.clone());
        self.snapshot = Some(listed.status.clone());
        if self.folded.is_none() {
            self.started_at = listed.started_at;
            self.ended_at = listed.ended_at;
            self.failure.clone_from(&listed.error);
        }
    }

    pub(super) fn apply(&mut self, event: &Event, still_waiting: bool) {
        self.touched = event.seq;
        match &event.body {
            EventBody::NodeStarted(_) => self.start(event.ts),
            EventBody::NodeSucceeded(_) => {
                self.folded = Some(NodeStatus::Succeeded);
                self.ended_at = Some(event.ts);
            }
            EventBody::NodeFailed(e) => {
                self.folded = Some(NodeStatus::Failed);
                self.failures += 1;
                self.failure = Some(e.error.clone());
                self.ended_at = Some(event.ts);
            }
            EventBody::NodeLlmCall(e) => {
                let call = &e.llm_call;
                self.saw_step(call.step);
                let key = StepKey::new(&self.id, call.step, call.request_id);
                if let Some(rate) = add_usage(&mut self.usage, call) {
                    self.steps.called(key, rate, call, event.ts);
                }
            }
            EventBody::NodeToolCall(e) => {
                self.saw_step(e.tool_call.step);
                let key = StepKey::new(&self.id, e.tool_call.step, e.tool_call.request_id);
                self.record_call(&key, &e.tool_call.tool_call, event.ts);
                self.steps.touched(key, event.ts);
            }
            EventBody::NodeToolResult(e) => self.record_result(&e.tool_result, event.ts),
            EventBody::NodeWaiting(e) => {
                self.saw_step(e.waiting.step);
                let key = StepKey::new(&self.id, e.waiting.step, e.waiting.request_id);
                for pending in &e.waiting.pending_tool_calls {
                    self.record_call(&key, &pending.tool_call, event.ts);
                }
                self.steps.waits(key, &e.waiting.reason, event.ts);
            }
            EventBody::NodeUserAsk(e) => {
                self.saw_step(e.user_ask.step);
                let key = StepKey::new(&self.id, e.user_ask.step, e.user_ask.request_id);
                self.record_call(&key, &e.user_ask.tool_call, event.ts);
                self.steps.touched(key, event.ts);
            }
            EventBody::NodeOutputDelta(e) => self.text.push(&e.delta),
            EventBody::NodeOutput(e) => self.output = Some(Output::new(&e.output, event.seq)),
            EventBody::NodeUserAnswer(e) => {
                self.steps.touched(StepKey::new(&self.id, e.user_answer.step, e.user_answer.request_id), event.ts);
            }
            body => self.scheduler.get_or_insert_default().apply(body, event.ts),
        }
        if !self.folded.as_ref().is_some_and(NodeStatus::is_terminal) {
            self.folded = Some(if still_waiting { NodeStatus::Waiting } else { NodeStatus::Running });
            self.started_at.get_or_insert(event.ts);
        }
    }

    fn start(&mut self, at: Timestamp) {
        self.starts += 1;
        self.steps.node_started(at);
        self.started_at = if self.starts == 1 { Some(at) } else { self.started_at.or(Some(at)) };
        self.ended_at = None;
        self.folded = Some(NodeStatus::Running);
    }

    fn saw_step(&mut self, step: u64) {
        self.step = self.step.max(Some(step));
    }

    /// Where the call's record stands; a new one where it is not known, `None` where it was forgotten.
    fn record_call(&mut self, step: &StepKey, call: &ToolCall, at: Timestamp) -> Option<usize> {
        let fingerprint = fingerprint(step.step, step.request_id, call.id.as_str());
        let is = |record: &CallRecord| record.key.call_id == call.id && record.key.step == *step;
        // A call is told up to three times: when made, when it waits, and when it is a question.
        match self.calls.find(fingerprint, is) {
            Found::Forgotten => None,
            Found::At(place) => {
                if let Some(known) = self.calls.get_mut(place)
                    && known.call.arguments().is_empty()
                    && !call.arguments().is_empty()
                {
                    self.call_bytes += call.arguments().len();
                    known.call = call.clone();
                }
                Some(place)
            }
            Found::Nowhere => {
                if self.calls.known() == limits::CALL_RECORDS {
                    self.drop_oldest_call();
                }
                let record = CallRecord { key: step.call(&call.id), call: call.clone(), called_at: at, result: None };
                self.call_bytes += record.bytes();
                self.calls.push(fingerprint, record);
                self.trim_calls();
                Some(self.calls.len() - 1)
            }
        }
    }

    /// Drops the oldest calls while all of them are larger than the limit; the last one stays.
    fn trim_calls(&mut self) {
        while self.call_bytes > limits::CALL_BYTES && self.calls.len() > 1 {
            self.drop_oldest_call();
        }
    }

    fn drop_oldest_call(&mut self) {
        if let Some(dropped) = self.calls.pop_front() {
            self.call_bytes -= dropped.bytes();
            self.dropped_calls += 1;
        }
    }

    fn record_result(&mut self, result: &SteppedToolResult, at: Timestamp) {
        self.saw_step(result.step);
        let step = StepKey::new(&self.id, result.step, result.request_id);
        let place = self.record_call(&step, &result.tool_call, at);
        if let Some(record) = place.and_then(|place| self.calls.get_mut(place)) {
            let before = record.bytes();
            record.result = Some(CallResult { output: result.output.clone(), error: result.error.clone(), at });
            self.call_bytes = self.call_bytes - before + record.bytes();
        }
        self.steps.touched(step, at);
        self.trim_calls();
    }
}
