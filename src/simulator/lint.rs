//! What is doubtful about a spec, whether or not it compiles.
//!
//! Owns warnings, and (in `schema`) the strictness that providers ask of an answer's schema. What makes a spec
//! impossible to run is `check`'s to say, and is not said again here. Rule: any JSON may be given; what is not of the
//! right form is passed over.
//!
//! | code | what is doubtful |
//! | --- | --- |
//! | `SCHEMA_…` | the schema of an answer is not strict: see `schema` |
//! | `MISSING_SCHEMA` | an `output_format` of type `json_schema` without one |
//! | `UNUSED_INPUT` | nothing uses an input |
//! | `UNUSED_NODE` | nobody depends on a node, and no output is taken from it |
//! | `NO_OUTPUTS` | the workflow names no outputs, which the published form needs |
//! | `EMPTY_JOIN` | a `join.all` that waits for nothing |
//! | `DUPLICATE_DEPENDENCY` | a node names a dependency twice |
//! | `PLACEHOLDER_IN_JOIN` | a text in a node that reads no text |
//! | `MISPLACED_FIELD`, `UNKNOWN_FIELD` | a field of another node type; one that no version knows |
//! | `IGNORED_REQUIRED` | an input that is required and has a default, so that it never is missing |
//! | `NO_PROMPT` | a model is asked nothing |
//! | `QUESTION_ON_SERVER` | a node whose tools the server executes asks a person |

mod schema;

use std::collections::HashSet;

use serde::Deserialize as _;
use serde_json::Value;

use super::issues::{Issues, element, field};
use super::shape;
use super::spec;
use crate::api::plan::Issue;
use crate::api::run::NodeType;
use crate::api::workflow::{NodeSpec, ToolMode, Workflow};

/// What the linter finds; any JSON may be given.
#[must_use]
pub fn lint(json: &Value) -> Vec<Issue> {
    // What is wrong with the form is the compiler's to say.
    let held = shape::workflow(json, &mut Issues::default());
    let Ok(workflow) = Workflow::deserialize(held) else { return Vec::new() };
    let mut issues = Issues::default();
    for (index, node) in workflow.nodes.iter().enumerate() {
        of_node(node, &element("$.nodes", index), &mut issues);
    }
    unused(&workflow, &mut issues);
    issues.into_result().err().unwrap_or_default()
}

fn of_node(node: &NodeSpec, path: &str, issues: &mut Issues) {
    let node_type = node.wire_type();
    for name in misplaced(node, &node_type) {
        issues.add("MISPLACED_FIELD", field(path, name), format!("says nothing to a {}", node.node_type));
    }
    let mut seen = HashSet::new();
    for (index, name) in node.depends_on.iter().enumerate().filter(|(_, name)| !seen.insert(name.as_str())) {
        let path = element(&field(path, "depends_on"), index);
        issues.add("DUPLICATE_DEPENDENCY", path, format!("{name:?} is named twice"));
    }
    if spec::is_model(node) {
        of_model(node, path, issues);
    } else {
        for name in node.other.keys().filter(|_| spec::runs_by_itself(node)) {
            issues.add("UNKNOWN_FIELD", field(path, name), "is known to no version; the plan leaves it out");
        }
        for (path, name) in spec::placeholders(node, path).into_iter().filter(|_| spec::runs_by_itself(node)) {
            let message = format!("a {} reads no text: {{{{{name}}}}} only makes it wait", node.node_type);
            issues.add("PLACEHOLDER_IN_JOIN", path, message);
        }
    }
    if node_type == NodeType::JoinAll && node.depends_on.is_empty() && spec::placeholders(node, path).is_empty() {
        issues.add("EMPTY_JOIN", field(path, "depends_on"), "is empty: the join puts out nothing");
    }
    if let Some(subnode) = &node.subnode {
        of_node(subnode, &field(path, "subnode"), issues);
    }
}

fn of_model(node: &NodeSpec, path: &str, issues: &mut Issues) {
    let blank = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    if node.input.is_none() && blank(&node.user) && blank(&node.system) {
        issues.add("NO_PROMPT", path, "has no system, user or input: the model is asked nothing");
    }
    let asks = |tool: &crate::api::workflow::ToolSpec| matches!(tool.name(), "user_ask" | "user.ask");
    if let Some(index) = node.tools.iter().position(asks).filter(|_| spec::tool_mode(node) == ToolMode::Server) {
        let path = element(&field(path, "tools"), index);
        issues.add("QUESTION_ON_SERVER", path, "the server executes this node's tools, but only a person can answer");
    }
    let Some(format) = node.other.get("output_format") else { return };
    let path = field(path, "output_format");
    match format.get("json_schema") {
        Some(wrapped) => {
            let path = field(&path, "json_schema");
            match wrapped.get("schema") {
                Some(schema) => schema::lint(schema, &field(&path, "schema"), issues),
                None => schema::lint(wrapped, &path, issues),
            }
        }
        None if format.get("type").is_some_and(|kind| kind == "json_schema") => {
            issues.add("MISSING_SCHEMA", field(&path, "json_schema"), "is missing");
        }
        None => {}
    }
}

/// The known fields of a node that its type does not read.
fn misplaced(node: &NodeSpec, node_type: &NodeType) -> Vec<&'static str> {
    let model = spec::is_model(node);
    let chooses = matches!(node_type, NodeType::JoinAny | NodeType::JoinCollect);
    let (collects, transforms, fans_out) =
        (*node_type == NodeType::JoinCollect, *node_type == NodeType::TransformJson, *node_type == NodeType::MapFanout);
    if !model && !spec::runs_by_itself(node) {
        return Vec::new();
    }
    let fields = [
        ("model", node.model.is_some(), model),
        ("stream", node.stream.is_some(), model),
        ("tools", !node.tools.is_empty(), model),
        ("tool_execution", node.tool_execution.is_some(), model && !node.tools.is_empty()),
        ("predicate", node.predicate.is_some(), chooses),
        ("limit", node.limit.is_some(), collects),
        ("timeout_ms", node.timeout_ms.is_some(), collects),
        ("items_from", node.items_from.is_some(), fans_out),
        ("items_from_input", node.items_from_input.is_some(), fans_out),
        ("items_pointer", node.items_pointer.is_some(), fans_out),
        ("items_path", node.items_path.is_some(), fans_out),
        ("subnode", node.subnode.is_some(), fans_out),
        ("max_parallelism", node.max_parallelism.is_some(), fans_out),
        ("object", node.object.is_some(), transforms),
        ("merge", node.merge.is_some(), transforms),
    ];
    fields.into_iter().filter(|(_, given, read)| *given && !read).map(|(name, ..)| name).collect()
}

fn unused(workflow: &Workflow, issues: &mut Issues) {
    let mut used = HashSet::new();
    workflow.nodes.iter().for_each(|node| used_by(node, &mut used));
    let is_used = |name: &str| used.contains(name);
    for (index, input) in workflow.inputs.iter().enumerate() {
        let path = element("$.inputs", index);
        if !is_used(&input.name) {
            issues.add("UNUSED_INPUT", field(&path, "name"), format!("nothing uses {:?}", input.name));
        }
        if input.required && input.default.is_some() {
            issues.add("IGNORED_REQUIRED", field(&path, "required"), "has a default, so that it never is missing");
        }
    }
    if workflow.outputs.is_empty() {
        let message = "is empty; this simulator puts out every node that no other depends on, others may refuse it";
        issues.add("NO_OUTPUTS", "$.outputs", message);
        return;
    }
    for (index, node) in workflow.nodes.iter().enumerate() {
        let put_out = workflow.outputs.iter().any(|output| output.from == node.id);
        if !put_out && !is_used(&node.id) {
            let message = format!("nobody depends on {:?}, and no output is taken from it", node.id);
            issues.add("UNUSED_NODE", element("$.nodes", index), message);
        }
    }
}

/// The names that a node and those within it use.
fn used_by(node: &NodeSpec, used: &mut HashSet<String>) {
    let sources = node.object.iter().flat_map(|object| object.values()).chain(node.merge.iter().flatten());
    let needed = node.depends_on.iter().chain(&node.items_from).chain(&node.items_from_input);
    let placeholders = spec::placeholders(node, "").into_iter().map(|(_, name)| name);
    let names = needed.cloned().chain(sources.map(|source| source.from.clone())).chain(placeholders);
    used.extend(names);
    if let Some(subnode) = &node.subnode {
        used_by(subnode, used);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(spec: &Value) -> Vec<(String, String)> {
        lint(spec).into_iter().map(|issue| (issue.code, issue.path)).collect()
    }

    fn answering(schema: &Value) -> Value {
        json!({"nodes": [{"id": "a", "type": "llm", "user": "u", "output_format": {"type": "json_schema",
            "json_schema": {"name": "n", "schema": schema}}}], "outputs": [{"name": "a", "from": "a"}]})
    }

    #[test]
    fn a_strict_schema_and_a_plain_spec_raise_no_doubts() {
        let strict = json!({"type": "object", "additionalProperties": false, "required": ["a", "b"], "properties": {
            "a": {"type": ["string", "null"]}, "b": {"type": "array", "items": {"$ref": "#/$defs/c"}}},
            "$defs": {"c": {"enum": [1, 2]}}});
        assert_eq!(found(&answering(&strict)), []);
    }

    #[test]
    fn every_laxity_of_a_schema_has_its_code_and_its_place() {
        let closed = |schema: Value| json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": schema}});
        let cases = [
            (json!(7), "SCHEMA_INVALID", ""),
            (json!({"type": "array", "items": {"type": "string"}}), "SCHEMA_ROOT_NOT_OBJECT", ".type"),
            (json!({"type": "object", "properties": {}}), "SCHEMA_OPEN_OBJECT", ".additionalProperties"),
            (closed(json!({})), "SCHEMA_MISSING_TYPE", ".properties.a.type"),
            (closed(json!({"type": "array"})), "SCHEMA_MISSING_ITEMS", ".properties.a.items"),
            (closed(json!({"$ref": "#/$defs/x"})), "SCHEMA_UNRESOLVED_REF", ".properties.a[\"$ref\"]"),
            (closed(json!({"anyOf": [true]})), "SCHEMA_INVALID", ".properties.a.anyOf[0]"),
            (closed(json!({"allOf": [{"type": "null"}]})), "SCHEMA_UNSUPPORTED", ".properties.a.allOf"),
            (
                json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "null"}}}),
                "SCHEMA_OPTIONAL_PROPERTY",
                ".required",
            ),
            (
                json!({"type": "object", "additionalProperties": false, "required": ["z"]}),
                "SCHEMA_UNKNOWN_REQUIRED",
                ".required[0]",
            ),
        ];
        for (schema, code, place) in cases {
            let path = format!("$.nodes[0].output_format.json_schema.schema{place}");
            assert_eq!(found(&answering(&schema)), [(code.to_owned(), path)], "{schema}");
        }
    }

    #[test]
    fn every_doubt_about_a_spec_has_its_code_and_its_place() {
        let outputs = json!([{"name": "x", "from": "z"}]);
        let z = json!({"id": "z", "type": "llm", "user": "{{i}}"});
        let with = |node: Value| json!({"inputs": [{"name": "i"}], "nodes": [z, node], "outputs": outputs});
        let used = |mut node: Value| {
            node["id"] = json!("a");
            json!({"inputs": [{"name": "i"}], "nodes": [node, {"id": "z", "type": "llm", "user": "{{a}} {{i}}"}],
                "outputs": outputs})
        };
        let cases = [
            (
                json!({"inputs": [{"name": "i"}], "nodes": [{"id": "z", "type": "llm", "user": "u"}], "outputs": outputs}),
                "UNUSED_INPUT",
                "$.inputs[0].name",
            ),
            (with(json!({"id": "b", "type": "llm", "user": "u"})), "UNUSED_NODE", "$.nodes[1]"),
            (json!({"nodes": [{"id": "a", "type": "llm", "user": "u"}]}), "NO_OUTPUTS", "$.outputs"),
            (used(json!({"type": "join.all"})), "EMPTY_JOIN", "$.nodes[0].depends_on"),
            (
                used(json!({"type": "llm", "user": "u", "depends_on": ["z", "z"]})),
                "DUPLICATE_DEPENDENCY",
                "$.nodes[0].depends_on[1]",
            ),
            (used(json!({"type": "join.all", "user": "{{z}}"})), "PLACEHOLDER_IN_JOIN", "$.nodes[0].user"),
            (used(json!({"type": "llm", "user": "u", "limit": 1})), "MISPLACED_FIELD", "$.nodes[0].limit"),
            (
                used(json!({"type": "join.any", "depends_on": ["z"], "predicat": {}})),
                "UNKNOWN_FIELD",
                "$.nodes[0].predicat",
            ),
            (used(json!({"type": "llm"})), "NO_PROMPT", "$.nodes[0]"),
            (
                used(json!({"type": "llm", "user": "u", "tools": ["user_ask"], "tool_execution": {"mode": "server"}})),
                "QUESTION_ON_SERVER",
                "$.nodes[0].tools[0]",
            ),
            (
                used(json!({"type": "llm", "user": "u", "output_format": {"type": "json_schema"}})),
                "MISSING_SCHEMA",
                "$.nodes[0].output_format.json_schema",
            ),
            (
                json!({"inputs": [{"name": "i", "required": true, "default": 1}], "nodes": [z], "outputs": outputs}),
                "IGNORED_REQUIRED",
                "$.inputs[0].required",
            ),
        ];
        for (spec, code, path) in cases {
            assert_eq!(found(&spec), [(code.to_owned(), path.to_owned())], "{spec}");
        }
    }
}
