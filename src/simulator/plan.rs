//! The plan that a workflow spec compiles to.
//!
//! Owns compiling a spec, what the engine must know of a node beyond its spec, and the ids of a fan-out's items. The
//! checks are in `shape` and `check`, the codes of what they find in `issues`, the published form in `compiled`. Does
//! not run anything.
//!
//! What the published form leaves open is decided here: a workflow without `outputs` puts out every node that no other
//! depends on, under its own id. A failed node fails the run at once, unless every way onward from it leads through a
//! `join.any` or `join.collect` and no output is taken from it; then the nodes that need it fail with it, and the joins
//! go on without it.
//!
//! Rule: every run of a spec that [`Plan::compile`] accepts comes to an end once its calls are answered; the hash is
//! that of the compiled form's text, so specs that mean the same have the same hash.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize as _;
use serde_json::Value;

use super::check::{self, Needs};
use super::compiled;
use super::issues::Issues;
use super::predicate::Condition;
use super::shape;
use crate::api::ids::{NodeId, PlanHash};
use crate::api::plan::Issue;
use crate::api::run::NodeType;
use crate::api::workflow::{InputSpec, NodeSpec, OutputSpec, Workflow};

pub(crate) use super::check::ITEM_SEPARATOR;
pub(crate) use super::compiled::hex;

/// A node of a plan: its spec and what follows from the others'.
#[derive(Debug, Clone)]
pub(crate) struct PlanNode {
    pub(crate) id: NodeId,
    pub(crate) spec: Arc<NodeSpec>,
    /// Named dependencies and those that `{{…}}`, items and values make, without duplicates.
    pub(crate) depends_on: Vec<NodeId>,
    /// The nodes that depend on it.
    pub(crate) dependents: Vec<NodeId>,
    /// Of a join: which dependencies count.
    pub(crate) condition: Option<Condition>,
    /// Whether the run can go on when it fails.
    pub(crate) may_fail: bool,
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

impl Plan {
    /// Checks a spec and works out what its nodes need. Any JSON may be given.
    ///
    /// # Errors
    /// Everything that is wrong with it; never an empty list. `scripted` says whether a script tells what the node of
    /// an id does.
    pub(crate) fn compile(json: &Value, scripted: &dyn Fn(&str) -> bool) -> Result<Self, Vec<Issue>> {
        let mut issues = Issues::default();
        let held = shape::workflow(json, &mut issues);
        let workflow = Workflow::deserialize(held).unwrap_or_else(|error| {
            issues.malformed("INVALID_FIELD", "$", error.to_string());
            Workflow::default()
        });
        let needs = check::check(&workflow, scripted, &mut issues);
        issues.into_result()?;
        Self::of(workflow, needs).ok_or_else(|| {
            // Everything that could be missing was checked.
            let message = "the plan cannot be hashed".to_owned();
            vec![Issue { code: "INVALID_FIELD".to_owned(), path: "$".to_owned(), message }]
        })
    }

    fn of(workflow: Workflow, needs: Vec<Needs>) -> Option<Self> {
        let ids: HashMap<&str, usize> = workflow.nodes.iter().map(|node| node.id.as_str()).zip(0..).collect();
        let order = check::order(&ids, &needs);
        let mut nodes = IndexMap::with_capacity(needs.len());
        for (spec, needs) in workflow.nodes.into_iter().zip(needs) {
            let id = NodeId::from_wire(&spec.id)?;
            let depends_on = needs.depends_on.iter().map(|name| NodeId::from_wire(name)).collect::<Option<_>>()?;
            let spec = Arc::new(spec);
            let node = PlanNode {
                id: id.clone(),
                spec,
                depends_on,
                dependents: Vec::new(),
                condition: needs.condition,
                may_fail: false,
            };
            nodes.insert(id, node);
        }
        link(&mut nodes);
        let outputs = if workflow.outputs.is_empty() { leaves(&nodes) } else { workflow.outputs };
        for index in order.into_iter().rev() {
            let node = &nodes[index];
            let absorbs = |id: &NodeId| {
                let node = &nodes[id];
                node.may_fail || matches!(node.spec.wire_type(), NodeType::JoinAny | NodeType::JoinCollect)
            };
            let wanted = outputs.iter().any(|output| output.from == node.id.as_str());
            nodes[index].may_fail = !wanted && !node.dependents.is_empty() && node.dependents.iter().all(absorbs);
        }
        let mut plan = Self {
            hash: PlanHash::from_wire("0")?,
            json: Value::Null,
            model: workflow.model,
            max_parallelism: workflow.max_parallelism.map_or(usize::MAX, |most| most as usize),
            inputs: workflow.inputs,
            nodes,
            outputs,
        };
        plan.json = compiled::json(&plan, workflow.name.as_deref());
        plan.hash = compiled::hash(&plan.json)?;
        Some(plan)
    }

    /// The plan in the published compiled form, keys sorted; the hash is that of its text without spaces.
    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    /// The spec of the node with this id; of a fan-out's item, that of the subnode.
    pub(crate) fn spec_of(&self, id: &str) -> Option<&NodeSpec> {
        if let Some(node) = NodeId::from_wire(id).and_then(|id| self.nodes.get(&id)) {
            return Some(&node.spec);
        }
        let (parent, _) = id.rsplit_once(ITEM_SEPARATOR)?;
        self.spec_of(parent)?.subnode.as_deref()
    }

    /// The type of a node as snapshots name it; of a fan-out's item, the type of its subnode.
    pub(crate) fn type_of(&self, id: &NodeId) -> Option<NodeType> {
        self.spec_of(id.as_str()).map(NodeSpec::wire_type)
    }

    /// Every spec of the plan, each subnode behind the node that it stands in.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &NodeSpec> + Clone {
        self.nodes.values().flat_map(|node| std::iter::successors(Some(&*node.spec), |spec| spec.subnode.as_deref()))
    }

    /// The model that a node asks, as the spec has it.
    pub(crate) fn model_of<'a>(&'a self, spec: &'a NodeSpec) -> Option<&'a str> {
        spec.model.as_deref().or(self.model.as_deref())
    }
}

/// The id of the node that works on item `index` of the fan-out `parent`.
pub(crate) fn item_id(parent: &NodeId, index: usize) -> Option<NodeId> {
    NodeId::from_wire(&format!("{parent}{ITEM_SEPARATOR}{index}"))
}

fn link(nodes: &mut IndexMap<NodeId, PlanNode>) {
    for index in 0..nodes.len() {
        let (id, needed) = (nodes[index].id.clone(), nodes[index].depends_on.clone());
        for needed in needed {
            if let Some(node) = nodes.get_mut(&needed) {
                node.dependents.push(id.clone());
            }
        }
    }
}

/// What a workflow puts out that does not say it.
fn leaves(nodes: &IndexMap<NodeId, PlanNode>) -> Vec<OutputSpec> {
    let last = nodes.values().filter(|node| node.dependents.is_empty());
    let output =
        |node: &PlanNode| OutputSpec { name: node.id.to_string(), from: node.id.to_string(), ..OutputSpec::default() };
    last.map(output).collect()
}

#[cfg(test)]
mod tests;
