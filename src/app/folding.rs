//! Fan-outs, folded: the items of one stand behind its own row as `k of n`.
//!
//! Rules: what fails or waits among folded items is counted on that row; the selected node is never folded away; a
//! filter looks into every item. An item is told by its id, which begins with the fan-out's: servers number items in
//! different ways, but none of them writes a plain node id.

use indexmap::IndexMap;

use super::App;
use crate::api::ids::NodeId;
use crate::api::run::{NodeStatus, NodeType};
use crate::run::Node;

/// A fan-out of more items than these is folded until the operator unfolds it.
const FOLDED_OVER: usize = 8;

/// A fan-out with its items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FanOut {
    /// Its items.
    pub items: usize,
    /// Items that have ended.
    pub ended: usize,
    /// Items that have failed.
    pub failed: usize,
    /// Items that wait for the operator.
    pub waiting: usize,
    /// Whether the items stand behind its row.
    pub folded: bool,
}

/// Whether `id` names an item of the fan-out `parent`.
fn is_item(id: &NodeId, parent: &NodeId) -> bool {
    let Some(rest) = id.as_str().strip_prefix(parent.as_str()) else { return false };
    let number =
        rest.strip_prefix("__").or_else(|| rest.strip_prefix(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

impl App {
    /// The fan-outs that have items, in the order of the nodes.
    #[must_use]
    pub fn fan_outs(&self) -> IndexMap<&NodeId, FanOut> {
        let is_fan_out = |node: &&Node| node.node_type == Some(NodeType::MapFanout);
        let mut found: IndexMap<&NodeId, FanOut> =
            self.run.nodes.values().filter(is_fan_out).map(|node| (&node.id, FanOut::default())).collect();
        if found.is_empty() {
            return found;
        }
        for node in self.run.nodes.values() {
            // Of nested fan-outs the innermost: its id is the longest.
            let parents = found.iter_mut().filter(|(parent, _)| is_item(&node.id, parent));
            let Some((_, fan_out)) = parents.max_by_key(|(parent, _)| parent.as_str().len()) else { continue };
            let status = self.run.node_status(node);
            fan_out.items += 1;
            fan_out.ended += usize::from(status.is_terminal());
            fan_out.failed += usize::from(status == NodeStatus::Failed);
            fan_out.waiting += usize::from(status == NodeStatus::Waiting && !self.run.was_left_open(node));
        }
        found.retain(|_, fan_out| fan_out.items > 0);
        for (id, fan_out) in &mut found {
            fan_out.folded = self.folds.get(*id).copied().unwrap_or(fan_out.items > FOLDED_OVER);
        }
        found
    }

    /// The nodes that have a row of their own: those that the filter shows, without the items of folded fan-outs.
    #[must_use]
    pub fn listed_nodes(&self, fan_outs: &IndexMap<&NodeId, FanOut>) -> Vec<&Node> {
        let folded: Vec<_> = fan_outs.iter().filter(|(_, fan_out)| fan_out.folded).map(|(id, _)| *id).collect();
        let selected = self.selected_node().map(|node| &node.id);
        let hidden = |node: &Node| {
            self.filter.is_empty()
                && selected != Some(&node.id)
                && folded.iter().any(|parent| is_item(&node.id, parent))
        };
        self.shown_nodes().filter(|node| !hidden(node)).collect()
    }

    /// The fan-out that a node is, or is an item of.
    #[must_use]
    pub fn fan_out_of(&self, id: &NodeId) -> Option<NodeId> {
        let fan_outs = self.fan_outs();
        if fan_outs.contains_key(id) {
            return Some(id.clone());
        }
        let parents = fan_outs.keys().filter(|parent| is_item(id, parent));
        parents.max_by_key(|parent| parent.as_str().len()).map(|parent| (*parent).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_told_from_a_node_that_only_begins_alike() {
        let id = |text: &str| NodeId::from_wire(text).unwrap();
        let parent = id("map");
        for item in ["map__0", "map[12]", "map.3", "map#4", "map[0].inner", "map__0__1"] {
            assert!(is_item(&id(item), &parent), "{item}");
        }
        for other in ["map", "map_2", "map_all", "mapping", "map2", "other__0", "map__x"] {
            assert!(!is_item(&id(other), &parent), "{other}");
        }
    }
}
