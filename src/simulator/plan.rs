//! The plan that a workflow spec compiles to.
//!
//! Owns the checks of a spec, the order of dependencies, the ids of a fan-out's items, and the plan's hash. Does not
//! run anything.
//!
//! Rule: a spec that [`Plan::compile`] accepts can be run to its end; the hash is that of the whole JSON, so two specs
//! that differ anywhere have different hashes.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::api::ids::{NodeId, PlanHash};
use crate::api::plan::Issue;
use crate::api::run::NodeType;

use super::spec::placeholders;
use super::template;
use crate::api::workflow::{InputSpec, NodeSpec, OutputSpec, Workflow};

/// A node of a plan: its spec and what it depends on.
#[derive(Debug, Clone)]
pub(crate) struct PlanNode {
    pub(crate) id: NodeId,
    pub(crate) spec: NodeSpec,
    /// Named dependencies and those that `{{…}}` and `items_from` make, without duplicates.
    pub(crate) depends_on: Vec<NodeId>,
}

/// A spec that was checked and can be run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) hash: PlanHash,
    json: Value,
    pub(crate) model: Option<String>,
    pub(crate) max_parallelism: usize,
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) nodes: IndexMap<NodeId, PlanNode>,
    pub(crate) outputs: Vec<OutputSpec>,
}

fn issue(path: impl Into<String>, message: impl Into<String>) -> Issue {
    Issue { code: "INVALID_FIELD".to_owned(), path: path.into(), message: message.into() }
}

/// Node types whose execution is written; every other type needs a script that says what it does.
const EXECUTED: &[&str] = &["llm", "llm.responses", "join.all", "map.fanout"];

impl Plan {
    /// Checks a spec and orders its nodes.
    ///
    /// # Errors
    /// Everything that is wrong with it. `scripted` says whether a script tells what the node of an id does.
    pub(crate) fn compile(json: &Value, scripted: &dyn Fn(&str) -> bool) -> Result<Self, Vec<Issue>> {
        Self::compile_first(json, scripted).map_err(|issue| vec![issue])
    }

    /// The plan in the published compiled form, in canonical order; its text is what the hash is of.
    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    fn compile_first(json: &Value, scripted: &dyn Fn(&str) -> bool) -> Result<Self, Issue> {
        let spec = Workflow::deserialize(json).map_err(|error| issue("$", error.to_string()))?;
        if let Some(kind) = spec.kind.as_deref().filter(|kind| *kind != "workflow") {
            return Err(issue("$.kind", format!("is {kind:?}; only \"workflow\" is known")));
        }
        if spec.nodes.is_empty() {
            return Err(issue("$.nodes", "is empty; a workflow needs at least one node"));
        }
        let mut nodes = IndexMap::new();
        for (index, node) in spec.nodes.iter().enumerate() {
            let path = format!("$.nodes[{index}]");
            let id = NodeId::parse(&node.id).map_err(|error| issue(format!("{path}.id"), error.to_string()))?;
            check_node(node, &path, spec.model.as_deref(), scripted)?;
            let depends_on = dependencies(node, &spec, &path)?;
            if nodes.insert(id.clone(), PlanNode { id, spec: node.clone(), depends_on }).is_some() {
                return Err(issue(format!("{path}.id"), format!("{:?} is the id of two nodes", node.id)));
            }
        }
        for (index, output) in spec.outputs.iter().enumerate() {
            if !nodes.keys().any(|id| id.as_str() == output.from) {
                let path = format!("$.outputs[{index}].from");
                return Err(issue(path, format!("{:?} is no node of this workflow", output.from)));
            }
        }
        check_item_ids(&nodes)?;
        check_acyclic(&nodes)?;
        Ok(Self {
            hash: hash(json)?,
            json: canonical(json),
            model: spec.model,
            max_parallelism: spec.max_parallelism.map_or(usize::MAX, |most| most as usize).max(1),
            inputs: spec.inputs,
            nodes,
            outputs: spec.outputs,
        })
    }

    /// The type of a node as snapshots name it; of a fan-out's item, the type of its subnode.
    pub(crate) fn type_of(&self, id: &NodeId) -> Option<NodeType> {
        if let Some(node) = self.nodes.get(id) {
            return Some(node.spec.wire_type());
        }
        let (parent, _) = id.as_str().rsplit_once(ITEM_SEPARATOR)?;
        let parent = self.nodes.iter().find(|(id, _)| id.as_str() == parent)?.1;
        Some(parent.spec.subnode.as_ref()?.wire_type())
    }
}

/// What stands between a fan-out's id and an item's number in the id of the item's node. It keeps to the published
/// pattern of node ids, so an item can wait for tool results like any other node.
pub(crate) const ITEM_SEPARATOR: &str = "__";

/// Leaves room, within the 64 characters of an id, for the separator and the number of an item.
const LONGEST_FAN_OUT_ID: usize = 56;

/// The id of the node that works on item `index` of the fan-out `parent`.
pub(crate) fn item_id(parent: &NodeId, index: usize) -> Option<NodeId> {
    NodeId::from_wire(&format!("{parent}{ITEM_SEPARATOR}{index}"))
}

fn check_node(node: &NodeSpec, path: &str, model: Option<&str>, scripted: &dyn Fn(&str) -> bool) -> Result<(), Issue> {
    if !EXECUTED.contains(&node.node_type.as_str()) && !scripted(&node.id) {
        return Err(issue(
            format!("{path}.type"),
            format!("{:?} cannot be run by this simulator; it runs {}", node.node_type, EXECUTED.join(", ")),
        ));
    }
    if node.wire_type() == NodeType::LlmResponses && node.model.is_none() && model.is_none() {
        return Err(issue(format!("{path}.model"), "is missing, and the workflow names none"));
    }
    if node.wire_type() == NodeType::MapFanout {
        let subnode = node.subnode.as_deref().ok_or_else(|| issue(format!("{path}.subnode"), "is missing"))?;
        if subnode.wire_type() != NodeType::LlmResponses {
            return Err(issue(format!("{path}.subnode.type"), "must be \"llm\""));
        }
        if node.items_from.is_some() == node.items_from_input.is_some() {
            return Err(issue(path, "needs one of items_from and items_from_input"));
        }
        NodeId::parse(&subnode.id).map_err(|error| issue(format!("{path}.subnode.id"), error.to_string()))?;
        return check_node(subnode, &format!("{path}.subnode"), model, scripted);
    }
    Ok(())
}

fn dependencies(node: &NodeSpec, spec: &Workflow, path: &str) -> Result<Vec<NodeId>, Issue> {
    let is_node = |name: &str| spec.nodes.iter().any(|other| other.id == name);
    let is_input = |name: &str| spec.inputs.iter().any(|input| input.name == name);
    let mut found: Vec<NodeId> = Vec::new();
    let mut add = |name: &str| {
        if let Some(id) = NodeId::from_wire(name).filter(|id| !found.contains(id)) {
            found.push(id);
        }
    };
    for name in node.depends_on.iter().chain(&node.items_from) {
        if !is_node(name) {
            return Err(issue(path, format!("depends on {name:?}, which is no node of this workflow")));
        }
        add(name);
    }
    if let Some(name) = node.items_from_input.as_deref().filter(|name| !is_input(name)) {
        return Err(issue(format!("{path}.items_from_input"), format!("{name:?} is no input of this workflow")));
    }
    for name in placeholders(node) {
        if is_node(&name) {
            add(&name);
        } else if !(is_input(&name) || node.subnode.is_some() && template::is_of_item(&name)) {
            return Err(issue(path, format!("{{{{{name}}}}} names no node and no input of this workflow")));
        }
    }
    Ok(found)
}

/// The ids of a fan-out's items must keep to the published form and be nobody else's.
fn check_item_ids(nodes: &IndexMap<NodeId, PlanNode>) -> Result<(), Issue> {
    let fan_outs = nodes.values().filter(|node| node.spec.wire_type() == NodeType::MapFanout);
    for (id, fan_out) in fan_outs.flat_map(|fan_out| nodes.keys().map(move |id| (id, &fan_out.id))) {
        if fan_out.as_str().len() > LONGEST_FAN_OUT_ID {
            let message = format!("{fan_out}: the id of a fan-out has at most {LONGEST_FAN_OUT_ID} characters");
            return Err(issue("$.nodes", message));
        }
        if id.as_str().strip_prefix(fan_out.as_str()).is_some_and(|rest| rest.starts_with(ITEM_SEPARATOR)) {
            return Err(issue("$.nodes", format!("{id} is the id of an item of the fan-out {fan_out}; rename it")));
        }
    }
    Ok(())
}

fn check_acyclic(nodes: &IndexMap<NodeId, PlanNode>) -> Result<(), Issue> {
    let mut done: Vec<&NodeId> = Vec::new();
    while done.len() < nodes.len() {
        let ready = nodes
            .values()
            .find(|node| !done.contains(&&node.id) && node.depends_on.iter().all(|id| done.contains(&id)));
        let Some(node) = ready else {
            let stuck: Vec<&str> = nodes.keys().filter(|id| !done.contains(id)).map(NodeId::as_str).collect();
            return Err(issue("$.nodes", format!("these wait for each other: {}", stuck.join(", "))));
        };
        done.push(&node.id);
    }
    Ok(())
}

/// SHA-256 of the spec's canonical JSON: keys sorted, no spaces.
fn hash(json: &Value) -> Result<PlanHash, Issue> {
    let text = canonical(json).to_string();
    let digest = hex(&Sha256::digest(text.as_bytes()));
    PlanHash::parse(&digest).map_err(|error| issue("$", error.to_string()))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compile(json: &Value) -> Result<Plan, Issue> {
        Plan::compile(json, &|_| false).map_err(|mut issues| issues.remove(0))
    }

    #[test]
    fn naming_a_node_in_a_text_makes_it_a_dependency() {
        let plan = compile(&json!({"model": "m", "inputs": [{"name": "topic"}], "nodes": [
            {"id": "a", "type": "llm", "user": "about {{topic}}"},
            {"id": "b", "type": "llm", "system": "be brief", "user": "sum up {{ a }} and {{a}}"},
        ]}))
        .unwrap();
        let depends: Vec<&str> = plan.nodes[1].depends_on.iter().map(NodeId::as_str).collect();
        assert_eq!(depends, ["a"]);
    }

    #[test]
    fn what_is_wrong_with_a_spec_is_said_with_its_place() {
        let llm = |id: &str, user: &str| json!({"id": id, "type": "llm", "user": user});
        let cases = [
            (json!({"nodes": [{"id": "a", "type": "llm"}]}), "$.nodes[0].model"),
            (json!({"model": "m", "nodes": []}), "$.nodes"),
            (json!({"model": "m", "nodes": [llm("A", "")]}), "$.nodes[0].id"),
            (json!({"model": "m", "nodes": [llm("a", ""), llm("a", "")]}), "id of two nodes"),
            (json!({"model": "m", "nodes": [llm("a", "{{b}}"), llm("b", "{{a}}")]}), "wait for each other: a, b"),
            (json!({"model": "m", "nodes": [llm("a", "{{nobody}}")]}), "{{nobody}} names no node"),
            (json!({"model": "m", "nodes": [{"id": "a", "type": "route.switch"}]}), "cannot be run"),
            (
                json!({"model": "m", "inputs": [{"name": "l"}], "nodes": [llm("f__0", ""), {"id": "f",
                    "type": "map.fanout", "items_from_input": "l", "subnode": llm("s", "")}]}),
                "f__0 is the id of an item",
            ),
            (json!({"model": "m", "nodes": [llm("a", "")], "outputs": [{"name": "x", "from": "b"}]}), "outputs[0]"),
        ];
        for (spec, expected) in cases {
            let message = compile(&spec).unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} should contain {expected:?}");
        }
    }

    #[test]
    fn the_hash_depends_on_every_field_and_on_no_order_of_keys() {
        let one = compile(&json!({"model": "m", "nodes": [{"id": "a", "type": "llm"}]})).unwrap();
        let same = compile(&json!({"nodes": [{"type": "llm", "id": "a"}], "model": "m"})).unwrap();
        let other = compile(&json!({"model": "m", "nodes": [{"id": "a", "type": "llm"}], "unread": 1})).unwrap();
        assert_eq!(one.hash, same.hash);
        assert_ne!(one.hash, other.hash);
    }

    #[test]
    fn the_item_of_a_fan_out_has_an_id_of_the_published_form_and_its_subnodes_type() {
        let plan = compile(&json!({"model": "m", "inputs": [{"name": "files"}], "nodes": [
            {"id": "fan", "type": "map.fanout", "items_from_input": "files",
             "subnode": {"id": "one", "type": "llm", "user": "read {{item}}"}},
        ]}))
        .unwrap();
        let id = item_id(&NodeId::parse("fan").unwrap(), 12).unwrap();
        assert!(NodeId::parse(id.as_str()).is_ok());
        assert_eq!(plan.type_of(&id), Some(NodeType::LlmResponses));
    }
}
