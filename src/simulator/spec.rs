//! What the simulator reads in a node's spec besides its plain fields ([`crate::api::workflow`]).
//!
//! Owns the defaults that the published form leaves open. Rule: reading never fails; what is wrong was refused when the
//! plan was compiled.

use serde::Deserialize;

use crate::api::workflow::{NodeSpec, ToolMode};

use super::template;

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

/// How often the node is tried, where its spec says so in a form that is understood.
pub(crate) fn retry(node: &NodeSpec) -> Option<Retry> {
    Retry::deserialize(node.other.get("retry")?).ok()
}

/// Who executes its calls; where the spec does not say, what the server can do it does.
pub(crate) fn tool_mode(node: &NodeSpec) -> ToolMode {
    node.tool_execution.as_ref().map_or(ToolMode::Agentic, |execution| execution.mode.clone())
}

/// The names in `{{…}}` of everything that its model reads.
pub(crate) fn placeholders(node: &NodeSpec) -> Vec<String> {
    let mut names = Vec::new();
    for text in [&node.system, &node.user].into_iter().flatten() {
        names.extend(template::names(text));
    }
    if let Some(input) = &node.input {
        names.extend(template::names(&input.to_string()));
    }
    if let Some(subnode) = &node.subnode {
        names.extend(placeholders(subnode));
    }
    names
}
