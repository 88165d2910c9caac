//! The workflow spec as clients send it.
//!
//! Owns the concise form of `wire/README.md`, "The workflow spec that is sent", as types, and nothing of what follows
//! from it: `plan` checks it. Rule: a field that is not read here is no error; it stays in the JSON that is hashed.

use serde::Deserialize;
use serde_json::Value;

use crate::api::run::NodeType;

use super::template;

/// The spec as it is sent. Fields that the simulator does not read are left in the JSON that it came from.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Spec {
    #[serde(default)]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) max_parallelism: Option<usize>,
    #[serde(default)]
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) nodes: Vec<NodeSpec>,
    #[serde(default)]
    pub(crate) outputs: Vec<OutputSpec>,
}

/// One named input.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct InputSpec {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) default: Option<Value>,
}

/// One named output of the run.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OutputSpec {
    pub(crate) name: String,
    pub(crate) from: String,
    #[serde(default)]
    pub(crate) pointer: Option<String>,
}

/// One node, the fields of all types together, as the concise form has them.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NodeSpec {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) node_type: String,
    #[serde(default)]
    pub(crate) depends_on: Vec<String>,
    #[serde(default)]
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) system: Option<String>,
    #[serde(default)]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) input: Option<Value>,
    #[serde(default)]
    pub(crate) stream: Option<bool>,
    #[serde(default)]
    pub(crate) tools: Vec<ToolSpec>,
    #[serde(default)]
    pub(crate) tool_execution: Option<ToolExecution>,
    #[serde(default)]
    pub(crate) retry: Option<Retry>,
    #[serde(default)]
    pub(crate) items_from: Option<String>,
    #[serde(default)]
    pub(crate) items_from_input: Option<String>,
    #[serde(default, alias = "items_path")]
    pub(crate) items_pointer: Option<String>,
    #[serde(default)]
    pub(crate) subnode: Option<Box<NodeSpec>>,
    #[serde(default)]
    pub(crate) max_parallelism: Option<usize>,
}

/// A tool that a node may call: by name alone, or as a whole function.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum ToolSpec {
    /// Its name.
    Name(String),
    /// `{type: "function", function: {name, …}}`
    Function {
        /// The function.
        function: FunctionSpec,
    },
}

impl ToolSpec {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Function { function } => &function.name,
        }
    }
}

/// A function that a model may call; only its name matters here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FunctionSpec {
    pub(crate) name: String,
}

/// Who executes a node's tool calls.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct ToolExecution {
    pub(crate) mode: ToolMode,
}

/// The mode of [`ToolExecution`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToolMode {
    /// The server executes every call.
    Server,
    /// Every call waits for a client.
    Client,
    /// The server executes the calls that it has a result for; the others wait.
    Agentic,
}

/// How often a failing node is tried. The published form is not known; both fields have defaults.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Retry {
    /// Attempts in all.
    #[serde(default = "one")]
    pub(crate) max_attempts: u32,
    /// Milliseconds before the second attempt, doubling after that.
    #[serde(default = "a_second")]
    pub(crate) backoff_ms: u64,
}

fn one() -> u32 {
    1
}

fn a_second() -> u64 {
    1000
}

impl NodeSpec {
    /// The node's type as snapshots name it.
    pub(crate) fn wire_type(&self) -> NodeType {
        match self.node_type.as_str() {
            "llm" => NodeType::LlmResponses,
            other => NodeType::from(other),
        }
    }

    /// Who executes its calls; where the spec does not say, what the server can do it does.
    pub(crate) fn tool_mode(&self) -> ToolMode {
        self.tool_execution.map_or(ToolMode::Agentic, |execution| execution.mode)
    }

    /// The names in `{{…}}` of everything that its model reads.
    pub(crate) fn placeholders(&self) -> Vec<String> {
        let mut names = Vec::new();
        for text in [&self.system, &self.user].into_iter().flatten() {
            names.extend(template::names(text));
        }
        if let Some(input) = &self.input {
            names.extend(template::names(&input.to_string()));
        }
        if let Some(subnode) = &self.subnode {
            names.extend(subnode.placeholders());
        }
        names
    }
}
