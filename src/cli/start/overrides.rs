//! Models in place of those of the spec, as the command line gives them.
//!
//! Rule: where the spec can be read as types, a node that it does not have is refused before anything is sent.

use indexmap::IndexMap;

use crate::api::create::{FanoutSubnodeModel, ModelOverrides};
use crate::api::workflow::{NodeSpec, Workflow};

/// `node=model`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeModel {
    node: String,
    model: String,
}

impl NodeModel {
    /// Reads the word.
    ///
    /// # Errors
    /// When either part is missing.
    pub fn parse(word: &str) -> Result<Self, String> {
        let parts = word.split_once('=').map(|(node, model)| (node.trim(), model.trim()));
        match parts {
            Some((node, model)) if !node.is_empty() && !model.is_empty() => {
                Ok(Self { node: node.to_owned(), model: model.to_owned() })
            }
            _ => Err("must be node=model".to_owned()),
        }
    }
}

/// `parent/subnode=model`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanoutModel {
    parent: String,
    subnode: String,
    model: String,
}

impl FanoutModel {
    /// Reads the word.
    ///
    /// # Errors
    /// When a part is missing.
    pub fn parse(word: &str) -> Result<Self, String> {
        let wrong = || "must be parent/subnode=model".to_owned();
        let NodeModel { node, model } = NodeModel::parse(word).map_err(|_| wrong())?;
        match node.split_once('/') {
            Some((parent, subnode)) if !parent.is_empty() && !subnode.is_empty() && !subnode.contains('/') => {
                Ok(Self { parent: parent.to_owned(), subnode: subnode.to_owned(), model })
            }
            _ => Err(wrong()),
        }
    }
}

/// All the overrides, checked against the spec where there is one that can be read.
///
/// # Errors
/// With a message, when a node is not in the spec or is named twice.
pub fn collect(
    nodes: &[NodeModel],
    subnodes: &[FanoutModel],
    workflow: Option<&Workflow>,
) -> Result<ModelOverrides, String> {
    let mut overrides = ModelOverrides { nodes: IndexMap::new(), fanout_subnodes: Vec::new() };
    let known: Option<Vec<String>> = workflow.map(|spec| spec.nodes.iter().map(|node| node.id.clone()).collect());
    for NodeModel { node, model } in nodes {
        check("--node-model", "node", node, known.as_deref())?;
        if overrides.nodes.insert(node.clone(), model.clone()).is_some() {
            return Err(format!("--node-model names the node {node} twice"));
        }
    }
    let known = workflow.map(|spec| spec.nodes.iter().flat_map(fan_outs).collect::<Vec<String>>());
    for FanoutModel { parent, subnode, model } in subnodes {
        let name = format!("{parent}/{subnode}");
        check("--fanout-model", "fan-out subnode", &name, known.as_deref())?;
        if overrides.fanout_subnodes.iter().any(|known| known.parent_id == *parent && known.subnode_id == *subnode) {
            return Err(format!("--fanout-model names {name} twice"));
        }
        overrides.fanout_subnodes.push(FanoutSubnodeModel {
            parent_id: parent.clone(),
            subnode_id: subnode.clone(),
            model: model.clone(),
        });
    }
    Ok(overrides)
}

fn check(option: &str, what: &str, name: &str, known: Option<&[String]>) -> Result<(), String> {
    match known {
        Some(known) if !known.iter().any(|known| known == name) => {
            let others = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(format!("{option}: the spec has no {what} {name}; it has {others}"))
        }
        _ => Ok(()),
    }
}

/// `parent/subnode` of a fan-out and of those inside it.
fn fan_outs(node: &NodeSpec) -> Vec<String> {
    let mut found = Vec::new();
    let mut parent = node;
    while let Some(subnode) = parent.subnode.as_deref() {
        found.push(format!("{}/{}", parent.id, subnode.id));
        parent = subnode;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(nodes: &[&str], subnodes: &[&str], spec: Option<&Workflow>) -> Result<ModelOverrides, String> {
        let nodes: Vec<NodeModel> = nodes.iter().map(|word| NodeModel::parse(word).unwrap()).collect();
        let subnodes: Vec<FanoutModel> = subnodes.iter().map(|word| FanoutModel::parse(word).unwrap()).collect();
        collect(&nodes, &subnodes, spec)
    }

    fn spec() -> Workflow {
        let nested =
            NodeSpec { subnode: Some(Box::new(NodeSpec::llm("leaf", ""))), ..NodeSpec::new("inner", "map.fanout") };
        let fan = NodeSpec { subnode: Some(Box::new(nested)), ..NodeSpec::new("fan", "map.fanout") };
        Workflow::new(vec![NodeSpec::llm("a", ""), fan])
    }

    #[test]
    fn models_go_to_the_nodes_that_the_spec_has_nested_fan_outs_included() {
        let overrides = collected(&["a=m=1"], &["fan/inner=x", "inner/leaf=y"], Some(&spec())).unwrap();
        let expected = r#"{"nodes":{"a":"m=1"},"fanout_subnodes":[{"parent_id":"fan","subnode_id":"inner","model":"x"},{"parent_id":"inner","subnode_id":"leaf","model":"y"}]}"#;
        assert_eq!(serde_json::to_string(&overrides).unwrap(), expected);
    }

    #[test]
    fn a_node_that_the_spec_does_not_have_is_refused_with_those_that_it_has() {
        let spec = spec();
        let refused = |nodes: &[&str], subnodes: &[&str]| collected(nodes, subnodes, Some(&spec)).unwrap_err();
        assert_eq!(refused(&["b=m"], &[]), "--node-model: the spec has no node b; it has a, fan");
        assert_eq!(
            refused(&[], &["fan/leaf=m"]),
            "--fanout-model: the spec has no fan-out subnode fan/leaf; it has fan/inner, inner/leaf"
        );
        assert!(refused(&["a=m", "a=n"], &[]).contains("twice"));
        assert!(refused(&[], &["fan/inner=m", "fan/inner=n"]).contains("twice"));
        assert!(collected(&["b=m"], &["x/y=m"], None).is_ok(), "without a spec the server says it");
    }

    #[test]
    fn words_without_all_their_parts_are_refused() {
        for word in ["", "a", "a=", "=m", " = "] {
            assert!(NodeModel::parse(word).is_err(), "{word}");
        }
        for word in ["a=m", "/b=m", "a/=m", "a/b/c=m", "a/b="] {
            assert!(FanoutModel::parse(word).is_err(), "{word}");
        }
    }
}
