//! The checks of a spec whose JSON has the right form: names, ids, models, conditions, cycles.
//!
//! Owns what must hold so that every run of the spec comes to an end, and the dependencies that follow from it: those
//! that a node names, those of its texts, its items and its values. Rule: all of it is checked, and each thing that is
//! wrong is said once with its own place.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};

use super::issues::{Issues, element, field};
use super::predicate::Condition;
use super::spec;
use super::template;
use crate::api::ids::NodeId;
use crate::api::run::NodeType;
use crate::api::workflow::{KIND, NodeSpec, ToolMode, ValueSource, Workflow};

/// More nodes than anybody draws; items of fan-outs come on top of them.
const MOST_NODES: usize = 1000;

/// The longest name of a model, in characters.
pub(crate) const LONGEST_MODEL: usize = 128;

/// The longest id of a node.
const LONGEST_ID: usize = 64;

/// What each fan-out adds to the id of an item: the separator and a number of six digits.
const ITEM_SUFFIX: usize = 8;

/// What stands between a fan-out's id and an item's number in the id of the item's node. It keeps to the published
/// pattern of node ids, so an item can wait for tool results like any other node.
pub(crate) const ITEM_SEPARATOR: &str = "__";

/// What stands for the item of the fan-out around a subnode, where a node's name could stand.
pub(crate) const ITEM: &str = "item";

/// What is known of a node beyond its spec.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// The nodes that must end before it, without duplicates.
    pub(crate) depends_on: IndexSet<String>,
    /// The condition of a join.
    pub(crate) condition: Option<Condition>,
}

/// Checks a whole workflow; what its nodes need, in their order.
pub(crate) fn check(workflow: &Workflow, scripted: &dyn Fn(&str) -> bool, issues: &mut Issues) -> Vec<Needs> {
    if let Some(kind) = workflow.kind.as_deref().filter(|kind| *kind != KIND) {
        let hint = if kind == "workflow.v1" { ": that is the compiled form, not the one that is sent" } else { "" };
        issues.add("INVALID_KIND", "$.kind", format!("is {kind:?}; only {KIND:?} is known{hint}"));
    }
    if workflow.model.as_deref().is_some_and(|model| model.trim().is_empty()) {
        issues.add("INVALID_FIELD", "$.model", "is blank");
    }
    match workflow.nodes.len() {
        0 => issues.add("EMPTY_NODES", "$.nodes", "is empty; a workflow needs at least one node"),
        count if count > MOST_NODES => {
            let message = format!("holds {count} nodes; this simulator runs up to {MOST_NODES}");
            issues.add("TOO_MANY_NODES", "$.nodes", message);
            return Vec::new();
        }
        _ => {}
    }
    let mut ids = HashMap::new();
    for (index, node) in workflow.nodes.iter().enumerate() {
        ids.entry(node.id.as_str()).or_insert(index);
    }
    let inputs = workflow.inputs.iter().map(|input| input.name.as_str()).collect();
    let mut check = Check { workflow, scripted, ids, inputs, issues };
    check.inputs();
    check.model_name(workflow.model.as_deref().unwrap_or_default(), "$.model".to_owned());
    let needs: Vec<Needs> = (0..workflow.nodes.len()).map(|index| check.node(index)).collect();
    check.outputs();
    check.item_ids();
    check.cycles(&needs);
    needs
}

struct Check<'a> {
    workflow: &'a Workflow,
    scripted: &'a dyn Fn(&str) -> bool,
    ids: HashMap<&'a str, usize>,
    inputs: HashSet<&'a str>,
    issues: &'a mut Issues,
}

impl Check<'_> {
    fn inputs(&mut self) {
        let mut seen = HashSet::new();
        for (index, input) in self.workflow.inputs.iter().enumerate() {
            let path = format!("$.inputs[{index}].name");
            if input.name.trim().is_empty() {
                self.issues.add("INVALID_FIELD", path, "is blank");
            } else if !seen.insert(&input.name) {
                self.issues.add("DUPLICATE_INPUT", path, format!("{:?} is the name of two inputs", input.name));
            } else if self.ids.contains_key(input.name.as_str()) {
                let message = format!("{:?} is a node too: {{{{{}}}}} could mean either", input.name, input.name);
                self.issues.add("AMBIGUOUS_NAME", path, message);
            }
        }
    }

    fn node(&mut self, index: usize) -> Needs {
        let node = &self.workflow.nodes[index];
        let path = element("$.nodes", index);
        if let Err(error) = NodeId::parse(&node.id) {
            self.issues.add("INVALID_ID", field(&path, "id"), error.to_string());
        }
        if let Some(first) = self.ids.get(node.id.as_str()).filter(|first| **first != index) {
            let message = format!("{:?} is the id of $.nodes[{first}] too", node.id);
            self.issues.add("DUPLICATE_ID", field(&path, "id"), message);
        }
        let mut needs = Needs::default();
        self.body(node, &path, 0, &mut needs);
        needs
    }

    /// What a node and, within a fan-out, a subnode have in common; `depth` fan-outs stand around it.
    fn body(&mut self, node: &NodeSpec, path: &str, depth: usize, needs: &mut Needs) {
        for (index, name) in node.depends_on.iter().enumerate() {
            let path = element(&field(path, "depends_on"), index);
            self.depend("UNKNOWN_DEPENDENCY", name, &path, needs);
        }
        for (path, name) in spec::placeholders(node, path) {
            if template::item_name(&name).is_some_and(|item| item.outward < depth) || self.inputs.contains(&*name) {
                continue;
            }
            if self.ids.contains_key(name.as_str()) {
                needs.depends_on.insert(name);
            } else {
                let message = format!("{{{{{name}}}}} names no node and no input of this workflow");
                self.issues.add("UNKNOWN_PLACEHOLDER", path, message);
            }
        }
        match node.wire_type() {
            NodeType::LlmResponses | NodeType::RouteSwitch => self.model(node, path),
            NodeType::JoinAll => {}
            NodeType::JoinAny | NodeType::JoinCollect => self.join(node, path, needs),
            NodeType::TransformJson => self.transform(node, path, depth, needs),
            NodeType::MapFanout => self.fan_out(node, path, depth, needs),
            _ if (self.scripted)(&node.id) => {}
            other => {
                let message = format!(
                    "{:?} cannot be run by this simulator; it runs llm, route.switch, join.all, join.any, \
                     join.collect, map.fanout and transform.json",
                    other.as_str()
                );
                self.issues.add("UNKNOWN_TYPE", field(path, "type"), message);
            }
        }
    }

    fn depend(&mut self, code: &str, name: &str, path: &str, needs: &mut Needs) {
        if self.ids.contains_key(name) {
            needs.depends_on.insert(name.to_owned());
        } else {
            self.issues.add(code, path, format!("{name:?} is no node of this workflow"));
        }
    }

    /// The published document knows no longer name, and the answers about a run repeat it.
    fn model_name(&mut self, model: &str, place: String) {
        if model.chars().count() > LONGEST_MODEL {
            self.issues.add("INVALID_FIELD", place, format!("has more than {LONGEST_MODEL} characters"));
        }
    }

    fn model(&mut self, node: &NodeSpec, path: &str) {
        let place = || field(path, "model");
        if let Some(model) = node.model.as_deref() {
            self.model_name(model, place());
        }
        match (&node.model, &self.workflow.model) {
            (None, None) => self.issues.add("MISSING_MODEL", place(), "is missing, and the workflow names none"),
            (Some(model), _) if model.trim().is_empty() => self.issues.add("MISSING_MODEL", place(), "is blank"),
            _ => {}
        }
        for (index, tool) in node.tools.iter().enumerate() {
            if !(1..=128).contains(&tool.name().chars().count()) {
                let path = element(&field(path, "tools"), index);
                self.issues.add("INVALID_FIELD", path, "the name of a tool has 1 to 128 characters");
            }
        }
        if let Some(ToolMode::Other(mode)) = node.tool_execution.as_ref().map(|execution| &execution.mode) {
            let message = format!("{mode:?} is none of server, client and agentic");
            self.issues.add("INVALID_FIELD", format!("{path}.tool_execution.mode"), message);
        }
    }

    fn join(&mut self, node: &NodeSpec, path: &str, needs: &mut Needs) {
        if node.depends_on.is_empty() && needs.depends_on.is_empty() {
            let message = format!("is missing: a {} takes from the nodes that it depends on", node.node_type);
            self.issues.add("MISSING_DEPENDENCY", field(path, "depends_on"), message);
        }
        let place = field(path, "predicate");
        needs.condition = node.predicate.as_ref().and_then(|predicate| Condition::read(predicate, &place, self.issues));
    }

    fn transform(&mut self, node: &NodeSpec, path: &str, depth: usize, needs: &mut Needs) {
        let values: Vec<(String, &ValueSource)> = match (&node.object, &node.merge) {
            (Some(object), None) if !object.is_empty() => {
                let path = field(path, "object");
                object.iter().map(|(name, source)| (field(&path, name), source)).collect()
            }
            (None, Some(merge)) if !merge.is_empty() => {
                let path = field(path, "merge");
                merge.iter().enumerate().map(|(index, source)| (element(&path, index), source)).collect()
            }
            _ => {
                self.issues.add("MISSING_VALUES", path, "needs one of object and merge, with at least one value");
                return;
            }
        };
        for (path, source) in values {
            let name = source.from.as_str();
            if self.ids.contains_key(name) {
                needs.depends_on.insert(name.to_owned());
            } else if !(self.inputs.contains(name) || depth > 0 && name == ITEM) {
                let message = format!("{name:?} is no node and no input of this workflow");
                self.issues.add("UNKNOWN_SOURCE", field(&path, "from"), message);
            }
            self.pointer(source.pointer.as_deref(), &path, "pointer");
        }
    }

    fn fan_out(&mut self, node: &NodeSpec, path: &str, depth: usize, needs: &mut Needs) {
        match (&node.items_from, &node.items_from_input) {
            (Some(name), None) if depth > 0 && name == ITEM => {}
            (Some(name), None) => self.depend("UNKNOWN_DEPENDENCY", name, &field(path, "items_from"), needs),
            (None, Some(name)) if self.inputs.contains(name.as_str()) => {}
            (None, Some(name)) => {
                let message = format!("{name:?} is no input of this workflow");
                self.issues.add("UNKNOWN_INPUT", field(path, "items_from_input"), message);
            }
            _ => self.issues.add("MISSING_ITEMS", path, "needs one of items_from and items_from_input"),
        }
        self.pointer(node.items_pointer.as_deref(), path, "items_pointer");
        self.pointer(node.items_path.as_deref(), path, "items_path");
        let path = field(path, "subnode");
        let Some(subnode) = node.subnode.as_deref() else {
            self.issues.add("MISSING_FIELD", path, "is missing; it is the node that works on each item");
            return;
        };
        if let Err(error) = NodeId::parse(&subnode.id) {
            self.issues.add("INVALID_ID", field(&path, "id"), error.to_string());
        }
        if matches!(subnode.wire_type(), NodeType::JoinAll | NodeType::JoinAny | NodeType::JoinCollect) {
            let message = format!("{:?} cannot be repeated: a join has nothing to do with an item", subnode.node_type);
            self.issues.add("INVALID_SUBNODE", field(&path, "type"), message);
            return;
        }
        self.body(subnode, &path, depth + 1, needs);
    }

    fn pointer(&mut self, pointer: Option<&str>, path: &str, name: &str) {
        let Some(pointer) = pointer else { return };
        let escapes = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if !(pointer.is_empty() || pointer.starts_with('/') && escapes) {
            let message = format!("{pointer:?} is no JSON pointer such as /a/0/b");
            self.issues.add("INVALID_POINTER", field(path, name), message);
        }
    }

    fn outputs(&mut self) {
        let mut seen = HashSet::new();
        for (index, output) in self.workflow.outputs.iter().enumerate() {
            let path = element("$.outputs", index);
            if output.name.trim().is_empty() {
                self.issues.add("INVALID_FIELD", field(&path, "name"), "is blank");
            } else if !seen.insert(&output.name) {
                let message = format!("{:?} is the name of two outputs", output.name);
                self.issues.add("DUPLICATE_OUTPUT", field(&path, "name"), message);
            }
            if !self.ids.contains_key(output.from.as_str()) {
                let message = format!("{:?} is no node of this workflow", output.from);
                self.issues.add("UNKNOWN_NODE", field(&path, "from"), message);
            }
            self.pointer(output.pointer.as_deref(), &path, "pointer");
        }
    }

    /// The ids of a fan-out's items must keep to the published form and be nobody else's.
    fn item_ids(&mut self) {
        for (index, fan_out) in self.workflow.nodes.iter().enumerate() {
            let depth = std::iter::successors(Some(fan_out), |node| node.subnode.as_deref())
                .take_while(|node| node.wire_type() == NodeType::MapFanout)
                .count();
            if depth == 0 || fan_out.id.is_empty() {
                continue;
            }
            let longest = LONGEST_ID.saturating_sub(depth * ITEM_SUFFIX);
            if fan_out.id.len() > longest {
                let message = format!("{}: the id of this fan-out has at most {longest} characters", fan_out.id);
                self.issues.add("INVALID_ID", format!("$.nodes[{index}].id"), message);
            }
            for (index, node) in self.workflow.nodes.iter().enumerate() {
                let rest = node.id.strip_prefix(fan_out.id.as_str());
                if rest.is_some_and(|rest| rest.starts_with(ITEM_SEPARATOR)) {
                    let message = format!("{} is the id of an item of the fan-out {}; rename it", node.id, fan_out.id);
                    self.issues.add("DUPLICATE_ID", format!("$.nodes[{index}].id"), message);
                }
            }
        }
    }

    /// Names every cycle once, by following dependencies among the nodes that can never start.
    fn cycles(&mut self, needs: &[Needs]) {
        let open: HashSet<usize> = {
            let mut done = vec![false; needs.len()];
            for index in order(&self.ids, needs) {
                done[index] = true;
            }
            (0..needs.len()).filter(|index| !done[*index]).collect()
        };
        let mut seen = HashSet::new();
        let mut starts: Vec<usize> = open.iter().copied().collect();
        starts.sort_unstable();
        for start in starts {
            let (mut walk, mut at) = (IndexMap::new(), start);
            while !seen.contains(&at) && walk.insert(at, ()).is_none() {
                let next = needs[at].depends_on.iter().filter_map(|name| self.ids.get(name.as_str()));
                let Some(next) = next.copied().find(|next| open.contains(next)) else {
                    walk.clear();
                    break;
                };
                at = next;
            }
            if let Some(begin) = walk.get_index_of(&at) {
                let ring = walk.keys().skip(begin).chain([&at]).map(|index| self.workflow.nodes[*index].id.as_str());
                let ring: Vec<&str> = ring.collect();
                let message = format!("these nodes wait for each other: {}", ring.join(" → "));
                self.issues.add("CYCLE", element("$.nodes", at), message);
            }
            seen.extend(walk.into_keys());
        }
    }
}

/// The places of the nodes in an order in which each comes after those that it needs; nodes that wait for each other,
/// and those that wait for them, are not in it.
pub(crate) fn order(ids: &HashMap<&str, usize>, needs: &[Needs]) -> Vec<usize> {
    let mut missing: Vec<usize> = vec![0; needs.len()];
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (index, of_node) in needs.iter().enumerate() {
        for needed in of_node.depends_on.iter().filter_map(|name| ids.get(name.as_str())) {
            missing[index] += 1;
            dependents[*needed].push(index);
        }
    }
    let mut order: Vec<usize> = (0..needs.len()).filter(|index| missing[*index] == 0).collect();
    let mut at = 0;
    while let Some(&done) = order.get(at) {
        for &dependent in &dependents[done] {
            missing[dependent] -= 1;
            if missing[dependent] == 0 {
                order.push(dependent);
            }
        }
        at += 1;
    }
    order
}
