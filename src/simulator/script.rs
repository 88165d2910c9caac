//! What the stand-in models of a scenario say and when: the `script` tables of a scenario file.
//!
//! Owns the file's words and their defaults; `scenario` reads the file, `engine` plays it. Unknown words are refused,
//! because a misspelt one would otherwise be a scenario that silently does something else.
//!
//! A node's script is a list of steps, `[[script.NODE]]`, played in order; a model without one does what
//! `engine::improvise` says. A fan-out's items play the script of the subnode's id, or that of `"SUBNODE#INDEX"` where
//! there is one. Texts, arguments, results and events may hold `{{…}}`: a node's or an input's name, `item`,
//! `item:/pointer`, `index` (from 0), `number` (from 1), each of these with `outer.` before it for the fan-out around,
//! `round` (of a repeated step, from 1), `result:TOOL` or `result:CALL_ID` (with `:/pointer` for a place in its JSON),
//! `run:NAME` (a child run's id) and `uuid:LABEL`.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::api::event::Failure;

/// The scripts of a run's nodes, by node id.
pub(crate) type Script = IndexMap<String, Vec<Step>>;

/// One request to the stand-in model and what comes of it; without text, calls and failure only its events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Milliseconds before the first word.
    #[serde(default = "default_after_ms")]
    pub(crate) after_ms: u64,
    /// Plays the step only when this holds.
    #[serde(default)]
    pub(crate) when: Option<When>,
    /// How often it is played.
    #[serde(default = "default_repeat")]
    pub(crate) repeat: u32,
    /// What the model says.
    #[serde(default)]
    pub(crate) text: Option<String>,
    /// Milliseconds between two pieces of streamed text.
    #[serde(default = "default_pace_ms")]
    pub(crate) pace_ms: u64,
    /// Characters of a streamed piece, about.
    #[serde(default = "default_piece")]
    pub(crate) piece: usize,
    /// The model, where it is not the node's own.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// Tokens; estimated from the texts where the file does not say.
    #[serde(default)]
    pub(crate) usage: Option<UsageScript>,
    /// The tools that it calls.
    #[serde(default)]
    pub(crate) calls: Vec<CallScript>,
    /// The request fails so after the text; the node is tried again as its `retry` says.
    #[serde(default)]
    pub(crate) fail: Option<Failure>,
    /// Other events and child runs, after the calls that the server executes.
    #[serde(default)]
    pub(crate) emit: Vec<EmitScript>,
    /// Its texts stand as they are, `{{…}}` in them included: they were made when they were needed.
    #[serde(skip)]
    pub(crate) literal: bool,
}

fn default_after_ms() -> u64 {
    600
}

fn default_repeat() -> u32 {
    1
}

fn default_pace_ms() -> u64 {
    100
}

fn default_piece() -> usize {
    12
}

impl Step {
    /// A step that only says something, letter for letter, for nodes that have no script.
    pub(crate) fn saying(text: String) -> Self {
        Self {
            literal: true,
            after_ms: default_after_ms(),
            when: None,
            repeat: default_repeat(),
            text: Some(text),
            pace_ms: default_pace_ms(),
            piece: default_piece(),
            model: None,
            usage: None,
            calls: Vec::new(),
            fail: None,
            emit: Vec::new(),
        }
    }

    /// Whether it is a request to a model at all.
    pub(crate) fn asks_model(&self) -> bool {
        self.text.is_some() || !self.calls.is_empty() || self.fail.is_some()
    }
}

/// A condition on the last result of a tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct When {
    /// The tool's name or a call's id.
    pub(crate) tool: String,
    /// Whether the result was an error.
    #[serde(default)]
    pub(crate) error: Option<bool>,
    /// The place in the output's JSON that `equals` and `contains` look at; without it, the whole output.
    #[serde(default)]
    pub(crate) pointer: Option<String>,
    /// The text that stands there.
    #[serde(default)]
    pub(crate) equals: Option<String>,
    /// Any text but this stands there.
    #[serde(default)]
    pub(crate) differs: Option<String>,
}

/// Tokens of a request.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum UsageScript {
    /// `false`: the provider does not say.
    Said(bool),
    /// Counted.
    Counts {
        /// Tokens read.
        input: u64,
        /// Tokens written.
        output: u64,
    },
}

/// One tool call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallScript {
    /// The tool.
    pub(crate) name: String,
    /// The call's id; made from the seed where the file does not say.
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// The arguments: a text, or a table that is written as JSON.
    #[serde(default)]
    pub(crate) arguments: Option<Value>,
    /// Milliseconds that the server takes to execute it.
    #[serde(default = "default_after_ms")]
    pub(crate) after_ms: u64,
    /// The server's result; without `result` and `error` the call waits, unless the node's tools are the server's.
    #[serde(default)]
    pub(crate) result: Option<Value>,
    /// The server's error.
    #[serde(default)]
    pub(crate) error: Option<String>,
}

impl CallScript {
    /// A call for a node that has no script; with a result where the server executes it.
    pub(crate) fn calling(name: &str, arguments: Value, result: Option<Value>) -> Self {
        let (name, arguments) = (name.to_owned(), Some(arguments));
        Self { name, id: None, arguments, after_ms: default_after_ms(), result, error: None }
    }
}

/// An event of another kind, or a child run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmitScript {
    /// Milliseconds before it.
    #[serde(default)]
    pub(crate) after_ms: u64,
    /// The event's `type` and its parts; the values of `task_list` and `memory` become artifacts.
    #[serde(default)]
    pub(crate) event: Option<Value>,
    /// Starts the child run of this name.
    #[serde(default)]
    pub(crate) start_run: Option<String>,
    /// Goes on when the child run of this name has ended.
    #[serde(default)]
    pub(crate) await_run: Option<String>,
}

/// The run is canceled, as if from outside.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    /// Milliseconds after the run's start.
    pub(crate) after_ms: u64,
    /// The code of the run's error.
    #[serde(default)]
    pub(crate) code: Option<String>,
    /// Its words.
    pub(crate) message: String,
}
