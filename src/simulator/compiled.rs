//! The published compiled form of a plan (`workflow.v1`), and its hash.
//!
//! Owns the translation: texts become a request with a binding for each `{{…}}`, dependencies become edges, defaults
//! are spelled out. Rule: two specs that mean the same have the same compiled form, letter for letter, and what changes
//! a run changes it. So the workflow's `model` stands in each request and not by itself, and `depends_on` that a text
//! implies anyway makes no difference. Fields that no version knows are part of a request where they stand in a model's
//! node; elsewhere the published form has no place for them, and as nothing reads them they change no run.
//!
//! Where the published form has no words: a fan-out within a fan-out stands in the subnode as a node would, and `item`
//! and `index` of it are names of placeholders.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::plan::Plan;
use super::spec::{self, TEXT_POINTER};
use super::template::{self, ItemName, ItemPart};
use crate::api::ids::PlanHash;
use crate::api::run::NodeType;
use crate::api::workflow::{InputSpec, NodeSpec, ValueSource};

/// The kind of the compiled form.
const COMPILED_KIND: &str = "workflow.v1";

/// The compiled form of a plan, its keys sorted.
pub(super) fn json(plan: &Plan, name: Option<&str>) -> Value {
    let edges: BTreeSet<(&str, &str)> = plan
        .nodes
        .values()
        .flat_map(|node| node.depends_on.iter().map(|from| (from.as_str(), node.id.as_str())))
        .collect();
    let edges = edges.into_iter().map(|(from, to)| json!({"from": from, "to": to}));
    let nodes = plan.nodes.values().map(|node| compiled_node(plan, &node.spec));
    let outputs = plan.outputs.iter().map(|output| {
        let pointer = output.pointer.as_deref().filter(|pointer| !pointer.is_empty());
        given([
            ("name", Some(json!(output.name))),
            ("from", Some(json!(output.from))),
            ("pointer", pointer.map(Value::from)),
        ])
    });
    let execution = (plan.max_parallelism != usize::MAX).then(|| json!({"max_parallelism": plan.max_parallelism}));
    let inputs: Vec<Value> = plan.inputs.iter().map(declared).collect();
    canonical(&given([
        ("kind", Some(COMPILED_KIND.into())),
        ("name", name.map(Value::from)),
        ("execution", execution),
        ("inputs", (!inputs.is_empty()).then(|| inputs.into())),
        ("nodes", Some(nodes.collect())),
        ("edges", Some(edges.collect())),
        ("outputs", Some(outputs.collect())),
    ]))
}

/// SHA-256 of a compiled form.
pub(super) fn hash(json: &Value) -> Option<PlanHash> {
    PlanHash::from_wire(&hex(&Sha256::digest(json.to_string().as_bytes())))
}

/// An object of the fields that have a value.
fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn declared(input: &InputSpec) -> Value {
    given([
        ("name", Some(json!(input.name))),
        ("type", input.input_type.as_deref().map(Value::from)),
        ("required", input.required.then_some(Value::Bool(true))),
        ("description", input.description.as_deref().map(Value::from)),
        ("default", input.default.clone()),
    ])
}

fn compiled_node(plan: &Plan, node: &NodeSpec) -> Value {
    given([("id", Some(json!(node.id))), ("type", Some(json!(node.wire_type()))), ("input", input_of(plan, node))])
}

fn input_of(plan: &Plan, node: &NodeSpec) -> Option<Value> {
    let predicate = node.predicate.as_ref().map(|predicate| {
        let value = predicate.value.clone().filter(|_| predicate.op != "exists");
        let path = predicate.path.as_deref().map(Value::from);
        given([
            ("source", Some(json!(predicate.source))),
            ("op", Some(json!(predicate.op))),
            ("path", path),
            ("value", value),
        ])
    });
    match node.wire_type() {
        NodeType::LlmResponses | NodeType::RouteSwitch => Some(model_input(plan, node)),
        NodeType::JoinAll => None,
        NodeType::JoinAny => predicate.map(|predicate| json!({"predicate": predicate})),
        NodeType::JoinCollect => Some(given([
            ("limit", node.limit.map(Value::from)),
            ("timeout_ms", node.timeout_ms.map(Value::from)),
            ("predicate", predicate),
        ])),
        NodeType::TransformJson => {
            let object = node.object.as_ref().map(|object| {
                Value::Object(object.iter().map(|(name, source)| (name.clone(), value_source(source))).collect())
            });
            let merge = node.merge.as_ref().map(|merge| merge.iter().map(value_source).collect());
            Some(given([("object", object), ("merge", merge)]))
        }
        NodeType::MapFanout => Some(fan_out_input(plan, node)),
        // What a script plays is compiled as it stands.
        _ => {
            let mut fields = serde_json::to_value(node).ok()?;
            let fields = fields.as_object_mut()?;
            for name in ["id", "type", "depends_on"] {
                fields.remove(name);
            }
            Some(Value::Object(std::mem::take(fields)))
        }
    }
}

fn value_source(source: &ValueSource) -> Value {
    let pointer = source.pointer.as_deref().filter(|pointer| !pointer.is_empty());
    given([("from", Some(json!(source.from))), ("pointer", pointer.map(Value::from))])
}

fn model_input(plan: &Plan, node: &NodeSpec) -> Value {
    let mut request: Map<String, Value> = node.other.clone();
    request.insert("model".to_owned(), json!(plan.model_of(node)));
    request.insert("input".to_owned(), messages(node));
    if !node.tools.is_empty() {
        request.insert("tools".to_owned(), json!(node.tools));
    }
    let bindings = bindings(plan, node);
    given([
        ("request", Some(Value::Object(request))),
        ("bindings", (!bindings.is_empty()).then(|| bindings.into())),
        ("stream", Some(spec::streams(node).into())),
        ("tool_execution", (!node.tools.is_empty()).then(|| json!({"mode": spec::tool_mode(node)}))),
    ])
}

/// What a model is sent, as messages.
pub(super) fn messages(node: &NodeSpec) -> Value {
    let message =
        |role: &str, text: &str| json!({"type": "message", "role": role, "content": [{"type": "text", "text": text}]});
    let mut messages = Vec::new();
    messages.extend(node.system.as_deref().map(|text| message("system", text)));
    messages.extend(node.user.as_deref().map(|text| message("user", text)));
    match &node.input {
        Some(Value::Array(list)) => messages.extend(list.iter().cloned()),
        Some(Value::String(text)) => messages.push(message("user", text)),
        Some(other) => messages.push(other.clone()),
        None => {}
    }
    messages.into()
}

/// A binding for each node and input that the texts of a node name.
fn bindings(plan: &Plan, node: &NodeSpec) -> Vec<Value> {
    let names: BTreeSet<String> = names(node).filter(|name| is_bound(plan, name)).collect();
    let binding = |name: String| {
        let of_model = plan.spec_of(&name).is_some_and(spec::is_model);
        given([
            ("from", Some(json!(name))),
            ("pointer", of_model.then(|| TEXT_POINTER.into())),
            ("to_placeholder", Some(json!(name))),
            ("encoding", Some("json_string".into())),
        ])
    };
    names.into_iter().map(binding).collect()
}

/// Whether a name is a node or an input, and not an item.
fn is_bound(plan: &Plan, name: &str) -> bool {
    plan.spec_of(name).is_some() || plan.inputs.iter().any(|input| input.name == name)
}

fn names(node: &NodeSpec) -> impl Iterator<Item = String> {
    spec::placeholders(node, "").into_iter().map(|(_, name)| name)
}

fn fan_out_input(plan: &Plan, node: &NodeSpec) -> Value {
    let from = node.items_from.as_ref().or(node.items_from_input.as_ref());
    let source = node.items_from.as_deref().and_then(|id| plan.spec_of(id));
    let pointer = Some(spec::items_pointer(node, source)).filter(|pointer| !pointer.is_empty());
    let path = node.items_path.as_deref().filter(|path| !path.is_empty());
    let items = given([
        ("from", from.map(|from| json!(from))),
        ("pointer", pointer.map(Value::from)),
        ("path", path.map(Value::from)),
    ]);
    let subnode = node.subnode.as_deref();
    let placeholders: BTreeSet<String> = subnode.into_iter().flat_map(names).collect();
    let item_bindings: Vec<Value> = placeholders
        .iter()
        .filter_map(|name| {
            let ItemName { part, .. } = template::item_name(name)?;
            let path = if let ItemPart::Value(path) = part { path } else { "" };
            let path = (!path.is_empty()).then(|| Value::from(path));
            Some(given([("path", path), ("to_placeholder", Some(json!(name)))]))
        })
        .collect();
    given([
        ("items", Some(items)),
        ("item_bindings", (!item_bindings.is_empty()).then(|| item_bindings.into())),
        ("subnode", subnode.map(|subnode| compiled_node(plan, subnode))),
        ("max_parallelism", node.max_parallelism.map(Value::from)),
    ])
}

/// The same value with the keys of every object sorted.
fn canonical(json: &Value) -> Value {
    match json {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            Value::Object(sorted.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

/// Lowercase hex digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
