//! The workflow spec as clients send it: typed for building and checking, and passed through untouched for sending.
//!
//! Owns the concise form of `wire/README.md`, "The workflow spec that is sent". [`Workflow`] is that form as types,
//! [`WorkflowSpec`] (in `document`) the text that is sent. Rules: a field that is not known here is kept in `other` and
//! written out again; what a spec means, and whether it can be run, is the server's to say.

mod document;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::open_enum::open_enum;
use super::run::NodeType;

pub use document::{SpecError, WorkflowSpec};

/// The `kind` of every spec of this form.
pub const KIND: &str = "workflow";

/// Fields that are not known here, as they came.
pub type Other = Map<String, Value>;

/// A whole workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// [`KIND`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The model of every node that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many nodes may work at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallelism: Option<u32>,
    /// What the run is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputSpec>,
    /// The nodes of the graph.
    pub nodes: Vec<NodeSpec>,
    /// What the run puts out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputSpec>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

impl Workflow {
    /// A workflow of these nodes.
    #[must_use]
    pub fn new(nodes: Vec<NodeSpec>) -> Self {
        Self { kind: Some(KIND.to_owned()), nodes, ..Self::default() }
    }
}

/// One named input.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Its name, as `{{name}}` and `items_from_input` use it.
    pub name: String,
    /// What it is, in the spec's own words.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub input_type: Option<String>,
    /// Whether a run needs it; a default satisfies that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is where nobody gives it; a `null` is a default too.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub default: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// One named output of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// Its name in the run's outputs.
    pub name: String,
    /// The node that it is taken from.
    pub from: String,
    /// A JSON pointer (RFC 6901) into that node's output; absent or empty: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// One node: the fields of all types together, as the concise form has them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// The node's id.
    pub id: String,
    /// The spec's word for what it does: `llm`, `join.all`, `map.fanout`, …
    #[serde(rename = "type")]
    pub node_type: String,
    /// The nodes that it waits for, besides those that its texts name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// `llm`: the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `llm`: the system prompt, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// `llm`: the user's message, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `llm`: the whole input, whose texts are templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// `llm`: whether its text comes as deltas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// `llm`: the tools that it may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// `llm`: who executes its tool calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_execution: Option<ToolExecution>,
    /// `join.any`, `join.collect`: which dependencies count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<Predicate>,
    /// `join.collect`: how many are enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// `join.collect`: how long it waits, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// `map.fanout`: the node whose output holds the items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_from: Option<String>,
    /// `map.fanout`: the input that holds the items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_from_input: Option<String>,
    /// `map.fanout`: a JSON pointer to the items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_pointer: Option<String>,
    /// `map.fanout`: a JSON pointer to the items within what `items_pointer` points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_path: Option<String>,
    /// `map.fanout`: what is done for each item; `{{item}}` is the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnode: Option<Box<NodeSpec>>,
    /// `map.fanout`: how many items are worked on at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallelism: Option<u32>,
    /// `transform.json`: an object of values from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<indexmap::IndexMap<String, ValueSource>>,
    /// `transform.json`: objects from elsewhere, laid one over the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Vec<ValueSource>>,
    /// Everything else: `retry`, `max_output_tokens`, `output_format`, `stop`, and what nobody has thought of yet.
    #[serde(flatten)]
    pub other: Other,
}

impl NodeSpec {
    /// A node of this id and type, with nothing else said.
    #[must_use]
    pub fn new(id: &str, node_type: &str) -> Self {
        Self { id: id.to_owned(), node_type: node_type.to_owned(), ..Self::default() }
    }

    /// A call of a language model with this message.
    #[must_use]
    pub fn llm(id: &str, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..Self::new(id, "llm") }
    }

    /// The node's type as snapshots name it.
    #[must_use]
    pub fn wire_type(&self) -> NodeType {
        match self.node_type.as_str() {
            "llm" => NodeType::LlmResponses,
            other => NodeType::from(other),
        }
    }
}

/// A tool that a node may call: by name alone, or as a whole function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolSpec {
    /// Its name.
    Name(String),
    /// `{type: "function", function: {name, …}}`
    Function {
        /// `function`.
        #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
        tool_type: Option<String>,
        /// The function.
        function: FunctionSpec,
    },
}

impl ToolSpec {
    /// The tool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Function { function, .. } => &function.name,
        }
    }
}

/// A function that a model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionSpec {
    /// Its name.
    pub name: String,
    /// For the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// Who executes a node's tool calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolExecution {
    /// The mode.
    pub mode: ToolMode,
}

open_enum! {
    /// The mode of [`ToolExecution`].
    ToolMode {
        /// The server executes every call.
        Server = "server",
        /// Every call waits for a client.
        Client = "client",
        /// The server executes the calls that it can; the others wait.
        Agentic = "agentic",
    }
}

/// Which of its dependencies a join takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Predicate {
    /// `node_output` or `node_status`.
    pub source: String,
    /// `equals`, `matches` (a regular expression) or `exists`.
    pub op: String,
    /// Where in the output: `$` and what follows, such as `$.score`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What it is held against.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A value that is taken from a node's output, or from an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueSource {
    /// The node or the input.
    pub from: String,
    /// A JSON pointer into it; absent or empty: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A field that is there is `Some`, `null` included.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_written_out_as_it_came() {
        let spec = json!({
            "kind": "workflow", "model": "m", "budget": {"usd": 3},
            "inputs": [{"name": "topic", "default": null, "ui": "textarea"}],
            "nodes": [
                {"id": "a", "type": "llm", "user": "{{topic}}", "retry": {"odd": true}, "stop": ["x"],
                 "tools": ["t", {"type": "function", "function": {"name": "f", "strict": true}}],
                 "tool_execution": {"mode": "somewhere"}},
                {"id": "j", "type": "join.collect", "depends_on": ["a"], "limit": 1,
                 "predicate": {"source": "node_output", "op": "equals", "path": "$.x", "value": null}},
                {"id": "t", "type": "transform.json", "object": {"x": {"from": "a", "pointer": "/output"}}},
            ],
            "outputs": [{"name": "o", "from": "t", "pointer": "/x"}],
        });
        let workflow = Workflow::deserialize(&spec).unwrap();
        assert_eq!(serde_json::to_value(&workflow).unwrap(), spec);
        assert_eq!(workflow.nodes[0].wire_type(), NodeType::LlmResponses);
        assert_eq!(workflow.nodes[0].tools.iter().map(ToolSpec::name).collect::<Vec<_>>(), ["t", "f"]);
    }

    #[test]
    fn a_built_workflow_has_only_what_was_said() {
        let workflow = Workflow::new(vec![NodeSpec::llm("a", "hello")]);
        let expected = json!({"kind": "workflow", "nodes": [{"id": "a", "type": "llm", "user": "hello"}]});
        assert_eq!(serde_json::to_value(&workflow).unwrap(), expected);
    }
}
