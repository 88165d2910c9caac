//! What the simulator reads in a node's spec besides its plain fields ([`crate::api::workflow`]).
//!
//! Owns the defaults that the published form leaves open. Rule: reading never fails; what is wrong was refused when the
//! plan was compiled.

use serde::Deserialize;
use serde_json::Value;

use super::issues::{element, field};
use super::template;
use crate::api::run::NodeType;
use crate::api::workflow::{NodeSpec, ToolMode};

/// Where the text of a model's output stands (`wire/README.md`, "The workflow spec that is sent").
pub(crate) const TEXT_POINTER: &str = "/output/0/content/0/text";

/// More attempts than anybody waits for, and the longest pause between two.
const MOST_ATTEMPTS: u32 = 100;
const LONGEST_BACKOFF_MS: u64 = 60 * 60 * 1000;

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
    let retry = Retry::deserialize(node.other.get("retry")?).ok()?;
    Some(Retry {
        max_attempts: retry.max_attempts.min(MOST_ATTEMPTS),
        backoff_ms: retry.backoff_ms.min(LONGEST_BACKOFF_MS),
    })
}

/// Who executes its calls; where the spec does not say, what the server can do it does.
pub(crate) fn tool_mode(node: &NodeSpec) -> ToolMode {
    node.tool_execution.as_ref().map_or(ToolMode::Agentic, |execution| execution.mode.clone())
}

/// Whether its text comes as deltas, where the spec does not say.
pub(crate) fn streams(node: &NodeSpec) -> bool {
    node.stream.unwrap_or(true)
}

/// Whether it asks a model.
pub(crate) fn is_model(node: &NodeSpec) -> bool {
    matches!(node.wire_type(), NodeType::LlmResponses | NodeType::RouteSwitch)
}

/// Whether it only waits for others: it does no work of its own, and takes no place among those that do.
pub(crate) fn is_watcher(node: &NodeSpec) -> bool {
    matches!(node.wire_type(), NodeType::JoinAny | NodeType::JoinCollect | NodeType::MapFanout)
}

/// Whether the simulator runs it by itself, whatever a script says.
pub(crate) fn runs_by_itself(node: &NodeSpec) -> bool {
    is_watcher(node) || matches!(node.wire_type(), NodeType::JoinAll | NodeType::TransformJson)
}

/// Where a fan-out's items stand in what its node has put out: of a model, in its text, unless the spec says otherwise.
pub(crate) fn items_pointer<'a>(fan_out: &'a NodeSpec, source: Option<&NodeSpec>) -> &'a str {
    match fan_out.items_pointer.as_deref() {
        None | Some("") if source.is_some_and(is_model) => TEXT_POINTER,
        given => given.unwrap_or_default(),
    }
}

/// The names in `{{…}}` of everything that a node's own model reads, each with its place.
pub(crate) fn placeholders(node: &NodeSpec, path: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, text) in [("system", &node.system), ("user", &node.user)] {
        let names = text.iter().flat_map(|text| template::names(text));
        found.extend(names.map(|placeholder| (field(path, name), placeholder)));
    }
    if let Some(input) = &node.input {
        in_value(input, &field(path, "input"), &mut found);
    }
    found
}

fn in_value(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.extend(template::names(text).into_iter().map(|name| (path.to_owned(), name))),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| in_value(value, &element(path, index), found));
        }
        Value::Object(map) => map.iter().for_each(|(name, value)| in_value(value, &field(path, name), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
