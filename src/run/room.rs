//! The memory of all nodes together: what gives way when they hold too much.
//!
//! Owns the totals and the choice; how a node drops something, and counts it, is the node's. Rules: what was touched
//! longest ago gives way first, down to its newest part, and only where that is not enough altogether; the node that was
//! touched last keeps what it has. It is done in lumps, so that an event costs nothing where there is room, and about as
//! little where there is none. Sizes and order come from the events alone: two folds of the same events drop the same.

use indexmap::IndexMap;

use super::{Node, limits};
use crate::api::ids::NodeId;

/// A kind of content that can be dropped, since it can be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Calls,
    Steps,
    Outputs,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Text, Self::Calls, Self::Steps, Self::Outputs];

    fn limit(self) -> usize {
        match self {
            Self::Text => limits::ALL_STREAMED_TEXT,
            Self::Calls => limits::ALL_CALL_BYTES,
            Self::Steps => limits::ALL_STEP_BYTES,
            Self::Outputs => limits::ALL_INLINE_OUTPUTS,
        }
    }
}

/// Bytes of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) text: usize,
    pub(super) calls: usize,
    pub(super) steps: usize,
    pub(super) outputs: usize,
}

impl Held {
    fn of(self, kind: Kind) -> usize {
        match kind {
            Kind::Text => self.text,
            Kind::Calls => self.calls,
            Kind::Steps => self.steps,
            Kind::Outputs => self.outputs,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Text => &mut self.text,
            Kind::Calls => &mut self.calls,
            Kind::Steps => &mut self.steps,
            Kind::Outputs => &mut self.outputs,
        }
    }
}

/// What all nodes hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Room {
    held: Held,
}

impl Room {
    /// A node held `before` and holds `after`: makes room where that is too much.
    pub(super) fn changed(&mut self, nodes: &mut IndexMap<NodeId, Node>, before: Held, after: Held) {
        if before == after {
            return;
        }
        for kind in Kind::ALL {
            let (before, after) = (before.of(kind), after.of(kind));
            let held = self.held.of_mut(kind);
            *held = *held - before + after;
            // What did not grow was too much before, and could not be made less.
            if *held > kind.limit() && after > before {
                make_room(nodes, kind, held);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> Held {
        self.held
    }
}

/// Drops until three quarters of the limit are held.
fn make_room(nodes: &mut IndexMap<NodeId, Node>, kind: Kind, held: &mut usize) {
    let goal = kind.limit() / 4 * 3;
    let mut order: Vec<(u64, usize)> = nodes
        .values()
        .enumerate()
        .filter(|(_, node)| node.held().of(kind) > 0)
        .map(|(place, node)| (node.touched, place))
        .collect();
    order.sort_unstable();
    // It is being looked at, most likely, and what it holds alone is bounded.
    order.pop();
    for left in [limits::LEFT_TO_A_NODE, 0] {
        for (_, place) in &order {
            if *held <= goal {
                return;
            }
            let node = &mut nodes[*place];
            let before = node.held().of(kind);
            if before > left {
                node.shrink_to(kind, left);
                *held -= before - node.held().of(kind);
            }
        }
    }
}
