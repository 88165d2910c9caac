//! Fan-outs, folded: the items of one stand behind its own row as `k of n`.
//!
//! Rules: what fails or waits among folded items is counted on that row; the selected node is never folded away; a
//! filter looks into every item. An item is told by its id, which begins with the fan-out's: servers number items in
//! different ways, but none of them writes a plain node id.

use indexmap::{IndexMap, IndexSet};

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

/// The ids that `id` may be an item of, the longest first: of nested fan-outs the innermost. Behind the fan-out's id an
/// item's says its number, set off by two underscores or by something that is neither letter, digit nor underscore.
fn parents(id: &str) -> impl Iterator<Item = &str> {
    let bytes = id.as_bytes();
    (1..bytes.len()).rev().filter(|at| bytes[*at].is_ascii_digit()).filter_map(move |at| match bytes[at - 1] {
        b'_' => id[..at].strip_suffix("__"),
        byte if byte.is_ascii_alphanumeric() => None,
        _ => id[..at].char_indices().next_back().map(|(start, _)| &id[..start]),
    })
}

/// The nodes that have a row of their own, in order.
#[derive(Debug, Clone)]
pub enum Listing<'a> {
    /// Every node.
    All(&'a IndexMap<NodeId, Node>),
    /// Some of them.
    Some(Vec<&'a Node>),
}

impl<'a> Listing<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::All(nodes) => nodes.len(),
            Self::Some(nodes) => nodes.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nodes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a Node> {
        (0..self.len()).map_while(|place| self.at(place))
    }

    /// The node at a place.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&'a Node> {
        match self {
            Self::All(nodes) => nodes.get_index(place).map(|(_, node)| node),
            Self::Some(nodes) => nodes.get(place).copied(),
        }
    }

    /// Where a node stands.
    #[must_use]
    pub fn place(&self, id: &NodeId) -> Option<usize> {
        match self {
            Self::All(nodes) => nodes.get_index_of(id),
            Self::Some(nodes) => nodes.iter().position(|node| node.id == *id),
        }
    }
}

impl App {
    /// The fan-outs that have items, in the order of the nodes.
    #[must_use]
    pub fn fan_outs(&self) -> IndexMap<&NodeId, FanOut> {
        if self.shown_run().tally().fan_outs == 0 {
            return IndexMap::new();
        }
        let is_fan_out = |node: &&Node| node.node_type == Some(NodeType::MapFanout);
        let mut found: IndexMap<&str, (&NodeId, FanOut)> = self
            .shown_run()
            .nodes
            .values()
            .filter(is_fan_out)
            .map(|node| (node.id.as_str(), (&node.id, FanOut::default())))
            .collect();
        for node in self.shown_run().nodes.values() {
            let Some(parent) = parents(node.id.as_str()).find_map(|parent| found.get_index_of(parent)) else {
                continue;
            };
            let fan_out = &mut found[parent].1;
            let status = self.shown_run().node_status(node);
            fan_out.items += 1;
            fan_out.ended += usize::from(status.is_terminal());
            fan_out.failed += usize::from(status == NodeStatus::Failed);
            fan_out.waiting += usize::from(status == NodeStatus::Waiting && !self.shown_run().was_left_open(node));
        }
        let with_items = found.into_values().filter(|(_, fan_out)| fan_out.items > 0);
        with_items
            .map(|(id, mut fan_out)| {
                fan_out.folded = self.folds.get(id).copied().unwrap_or(fan_out.items > FOLDED_OVER);
                (id, fan_out)
            })
            .collect()
    }

    /// The nodes that have a row of their own: those that the filter shows, without the items of folded fan-outs.
    #[must_use]
    pub fn listed_nodes(&self, fan_outs: &IndexMap<&NodeId, FanOut>) -> Listing<'_> {
        if !self.filter.is_empty() {
            return Listing::Some(self.shown_nodes().collect());
        }
        let folded = fan_outs.iter().filter(|(_, fan_out)| fan_out.folded);
        let folded: IndexSet<&str> = folded.map(|(id, _)| id.as_str()).collect();
        if folded.is_empty() {
            return Listing::All(&self.shown_run().nodes);
        }
        let selected = self.selected_node().map(|node| &node.id);
        let hidden =
            |node: &Node| selected != Some(&node.id) && parents(node.id.as_str()).any(|id| folded.contains(id));
        Listing::Some(self.shown_run().nodes.values().filter(|node| !hidden(node)).collect())
    }

    /// The fan-out that a node is, or is an item of.
    #[must_use]
    pub fn fan_out_of(&self, id: &NodeId) -> Option<NodeId> {
        let fan_outs = self.fan_outs();
        if fan_outs.contains_key(id) {
            return Some(id.clone());
        }
        let known: IndexMap<&str, &NodeId> = fan_outs.keys().map(|id| (id.as_str(), *id)).collect();
        parents(id.as_str()).find_map(|parent| known.get(parent)).map(|id| (*id).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_told_from_a_node_that_only_begins_alike() {
        let is_item = |id: &str| parents(id).any(|parent| parent == "map");
        for item in ["map__0", "map[12]", "map.3", "map#4", "map[0].inner", "map__0__1", "map–7"] {
            assert!(is_item(item), "{item}");
        }
        for other in ["map", "map_2", "map_all", "mapping", "map2", "other__0", "map__x", ""] {
            assert!(!is_item(other), "{other}");
        }
        assert_eq!(parents("map__0[1].x").collect::<Vec<_>>(), ["map__0", "map"], "the innermost first");
    }
}
