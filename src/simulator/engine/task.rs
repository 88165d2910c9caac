//! A node at work: where it stands in its script, what it does next, what it has got so far.
//!
//! Owns plain state; the engine moves it. Rule: at most one timer is set for a task at any time, for its first beat.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::event::{EventBody, Failure, Usage};
use crate::api::ids::{NodeId, RequestId, RunId};
use crate::api::run::NodeType;
use crate::api::tool::ToolCall;

use super::super::script::{Script, Step};
use super::record::StepRecord;
use crate::api::workflow::NodeSpec;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not begun.
    Pending,
    /// At work, or between two attempts.
    Active,
    /// Waits for results from outside.
    Waiting,
    /// Ended with an output.
    Succeeded,
    /// Ended without one.
    Failed,
}

impl Phase {
    /// Whether it has come to its end.
    pub(super) fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// Whether it counts against `max_parallelism`.
    pub(super) fn holds_slot(self) -> bool {
        matches!(self, Self::Active | Self::Waiting)
    }
}

/// Something that a task does, and how long after the one before.
#[derive(Debug)]
pub(super) struct Beat {
    pub(super) delay: Duration,
    pub(super) act: Act,
}

impl Beat {
    pub(super) fn after_ms(delay: u64, act: Act) -> Self {
        Self { delay: Duration::from_millis(delay), act }
    }

    pub(super) fn now(act: Act) -> Self {
        Self { delay: Duration::ZERO, act }
    }
}

/// What a beat does.
#[derive(Debug)]
pub(super) enum Act {
    /// Appends an event.
    Emit(Box<EventBody>),
    /// The model has answered: this is what it said.
    Responded { text: String, response: Response },
    /// A tool's result has come.
    Result(CallRecord),
    /// Waits until every one of these calls is answered.
    Wait { request: Request, calls: Vec<ToolCall> },
    /// Starts a child run.
    StartRun(String),
    /// Goes on when a child run has ended.
    AwaitRun(String),
    /// Appends an event that the script wrote out; its text is filled in when it happens.
    Event(Value),
    /// Goes on in the script.
    NextStep,
    /// The attempt fails.
    Fail(Failure),
    /// Begins the next attempt.
    Again,
    /// Ends well.
    Succeed,
}

/// Which LLM request of a node something belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) step: u64,
    pub(super) id: RequestId,
}

/// What a response was, besides its text.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) usage: Option<Usage>,
}

/// A tool call with its result.
#[derive(Debug, Clone)]
pub(super) struct CallRecord {
    pub(super) request: Request,
    pub(super) call: ToolCall,
    pub(super) output: String,
    pub(super) error: Option<String>,
}

/// The item that a fan-out's task works on.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) parent: NodeId,
    pub(super) index: usize,
    pub(super) value: Arc<Value>,
}

/// How far a fan-out is with its items.
#[derive(Debug, Default)]
pub(super) struct FanOut {
    /// The nodes of its items.
    pub(super) children: Vec<NodeId>,
    /// The first of them that has not begun.
    pub(super) next: usize,
    /// How many of them have begun and not ended.
    pub(super) at_work: usize,
    /// Why it fails once these have ended.
    pub(super) failure: Option<Failure>,
}

/// What a join has decided on.
#[derive(Debug)]
pub(super) struct Choice {
    /// The dependencies that it takes.
    pub(super) taken: Vec<NodeId>,
    /// Why it waits no longer.
    pub(super) reason: &'static str,
}

/// The next step of the script, and how often it was played already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor {
    pub(super) step: usize,
    pub(super) round: u32,
}

impl Cursor {
    /// The step after this one.
    pub(super) fn next(self) -> Self {
        Self { step: self.step + 1, round: 0 }
    }
}

/// A node, or the node of one item of a fan-out.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) spec: Arc<NodeSpec>,
    pub(super) item: Option<Item>,
    pub(super) phase: Phase,
    pub(super) cursor: Cursor,
    pub(super) beats: VecDeque<Beat>,
    /// LLM requests made so far; the next one's step.
    pub(super) requests: u64,
    pub(super) attempts: u32,
    pub(super) results: Vec<CallRecord>,
    pub(super) text: String,
    pub(super) response: Option<Response>,
    pub(super) output: Option<Arc<Value>>,
    /// The length of the output as JSON.
    pub(super) output_bytes: usize,
    /// Its place among the tasks that have ended, by the time of their ends.
    pub(super) ended_as: u64,
    /// Why it has failed.
    pub(super) failure: Option<Failure>,
    pub(super) fan_out: FanOut,
    pub(super) choice: Option<Choice>,
    /// The requests to its model.
    pub(super) steps: Vec<StepRecord>,
    pub(super) awaits_child: Option<RunId>,
}

impl Task {
    pub(super) fn of_node(spec: Arc<NodeSpec>) -> Self {
        Self {
            spec,
            item: None,
            phase: Phase::Pending,
            cursor: Cursor::default(),
            beats: VecDeque::new(),
            requests: 0,
            attempts: 0,
            results: Vec::new(),
            text: String::new(),
            response: None,
            output: None,
            output_bytes: 0,
            ended_as: 0,
            failure: None,
            fan_out: FanOut::default(),
            choice: None,
            steps: Vec::new(),
            awaits_child: None,
        }
    }

    pub(super) fn of_item(spec: Arc<NodeSpec>, parent: NodeId, index: usize, value: Value) -> Self {
        Self { item: Some(Item { parent, index, value: Arc::new(value) }), ..Self::of_node(spec) }
    }

    /// Its steps: an item's own where the script has some, else those of its node.
    pub(super) fn script<'a>(&self, script: &'a Script) -> Option<&'a [Step]> {
        let own = self.item.as_ref().and_then(|item| script.get(&format!("{}#{}", self.spec.id, item.index)));
        own.or_else(|| script.get(&self.spec.id)).map(Vec::as_slice)
    }

    /// The last result of a tool, by the tool's name or the call's id.
    pub(super) fn result(&self, tool: &str) -> Option<&CallRecord> {
        self.results.iter().rev().find(|record| record.call.name.as_str() == tool || record.call.id.as_str() == tool)
    }

    /// What it puts out, in the form of an LLM response.
    pub(super) fn llm_output(&self) -> Value {
        let content = json!([{"type": "text", "text": self.text}]);
        let mut output = json!({"output": [{"type": "message", "role": "assistant", "content": content}]});
        if let Some(response) = &self.response {
            output["id"] = json!(response.id);
            output["model"] = json!(response.model);
            output["stop_reason"] = json!("end_turn");
            if let Some(usage) = &response.usage {
                output["usage"] = json!(usage);
            }
        }
        if self.spec.wire_type() == NodeType::RouteSwitch {
            output["route"] = json!(self.text.trim());
        }
        output
    }
}
