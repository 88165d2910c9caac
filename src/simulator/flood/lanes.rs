//! Which node an event belongs to.
//!
//! Owns the order of the nodes' events among each other. The nodes stand in lanes, as many as work side by side; in each
//! lane one node follows another, the cuts between them moved about, so that they do not all end at once. Events come
//! in rounds of one for each lane, in an order that changes from round to round; the last round may be short. Rule: both
//! ways, from an event to its place and back, are a few divisions, whatever the size.

use super::traits::{below, mix};

/// Nodes that work side by side at most, and the part of all nodes that does.
const WIDEST: u64 = 400;
const TURNS: u64 = 4;

/// Where an event stands in the life of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) node: u64,
    /// The node's events before this one.
    pub(super) position: u64,
    /// The node's events in all.
    pub(super) length: u64,
}

/// The order of a flood's events.
#[derive(Debug)]
pub(super) struct Lanes {
    nodes: u64,
    events: u64,
    width: u64,
    /// Coprime to the width, and its inverse: neighbouring slots of a round are far apart as lanes.
    stride: u64,
    back: u64,
    seed: u64,
}

impl Lanes {
    /// So many events of so many nodes: at least four for each.
    pub(super) fn new(nodes: u64, events: u64, seed: u64) -> Self {
        let width = nodes.div_ceil(TURNS).clamp(1, WIDEST);
        // Near the golden section of the width, which spreads best.
        let coprime = (width * 5 / 8 + 1..=width * 2).find(|stride| inverse(*stride, width).is_some()).unwrap_or(1);
        let back = inverse(coprime, width).unwrap_or(1);
        Self { nodes, events, width, stride: coprime, back, seed: mix(seed, 2, 0) }
    }

    /// The place of an event, counted from 0.
    pub(super) fn place(&self, event: u64) -> Place {
        let (round, slot) = (event / self.width, event % self.width);
        let lane = self.lane(round, slot);
        let (turns, rounds) = (self.turns(lane), self.rounds(lane));
        let mut turn = round * turns / rounds;
        // The cuts have been moved about: the node before it may still work, or the next one has begun.
        let mut start = self.cut(lane, turn, turns, rounds);
        while round < start {
            turn -= 1;
            start = self.cut(lane, turn, turns, rounds);
        }
        let mut end = self.cut(lane, turn + 1, turns, rounds);
        while end <= round {
            turn += 1;
            start = end;
            end = self.cut(lane, turn + 1, turns, rounds);
        }
        Place { node: turn * self.width + lane, position: round - start, length: end - start }
    }

    /// How many events a node has.
    pub(super) fn length(&self, node: u64) -> u64 {
        let (start, end) = self.span(node);
        end - start
    }

    /// How many of a node's events are among the first `events` of all.
    pub(super) fn count(&self, node: u64, events: u64) -> u64 {
        let (start, end) = self.span(node);
        let (round, slot) = (events / self.width, events % self.width);
        // Of the round that is not whole, the lanes whose turn has come.
        let lane = node % self.width;
        let begun = round + u64::from(self.slot(round, lane) < slot);
        begun.clamp(start, end) - start
    }

    /// The event at this position of a node's life.
    pub(super) fn event(&self, node: u64, position: u64) -> u64 {
        let round = self.span(node).0 + position;
        round * self.width + self.slot(round, node % self.width)
    }

    /// The rounds in which a node works, the last one not included.
    fn span(&self, node: u64) -> (u64, u64) {
        let (turn, lane) = (node / self.width, node % self.width);
        let (turns, rounds) = (self.turns(lane), self.rounds(lane));
        (self.cut(lane, turn, turns, rounds), self.cut(lane, turn + 1, turns, rounds))
    }

    /// The nodes of a lane.
    fn turns(&self, lane: u64) -> u64 {
        self.nodes / self.width + u64::from(lane < self.nodes % self.width)
    }

    /// The events of a lane.
    fn rounds(&self, lane: u64) -> u64 {
        self.events / self.width + u64::from(lane < self.events % self.width)
    }

    /// The round in which a turn of a lane begins, or the lane has ended.
    fn cut(&self, lane: u64, turn: u64, turns: u64, rounds: u64) -> u64 {
        if turn == 0 {
            return 0;
        }
        if turn >= turns {
            return rounds;
        }
        // No node becomes shorter than half of what it would be, and a short one stays as it is.
        let most = rounds / turns / 4;
        turn * rounds / turns + below(mix(self.seed, lane, turn), 2 * most + 1) - most
    }

    fn lane(&self, round: u64, slot: u64) -> u64 {
        if self.is_short(round) { slot } else { (slot * self.stride + self.turn(round)) % self.width }
    }

    fn slot(&self, round: u64, lane: u64) -> u64 {
        if self.is_short(round) {
            return lane;
        }
        (lane + self.width - self.turn(round)) * self.back % self.width
    }

    /// Whether a round has not an event for each lane; it then has the first ones, in their order.
    fn is_short(&self, round: u64) -> bool {
        round == self.events / self.width
    }

    /// How far the order of a round is turned.
    fn turn(&self, round: u64) -> u64 {
        below(mix(self.seed, round, u64::MAX), self.width)
    }
}

/// What `number` must be multiplied with to give 1 modulo `modulus`, which is at most [`WIDEST`].
fn inverse(number: u64, modulus: u64) -> Option<u64> {
    (1..=modulus).find(|candidate| number * candidate % modulus == 1 % modulus)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes with and without remainders, narrow and wide, as few events as can be and more.
    const SIZES: [(u64, u64); 9] =
        [(1, 4), (2, 8), (3, 13), (7, 29), (10, 1000), (64, 257), (150, 600), (1000, 4001), (2500, 12_345)];

    #[test]
    fn every_event_has_a_place_of_its_own_and_each_node_lives_from_its_first_to_its_last() {
        for (nodes, events) in SIZES {
            let lanes = Lanes::new(nodes, events, 7);
            let mut seen = vec![0; usize::try_from(nodes).unwrap()];
            for event in 0..events {
                let place = lanes.place(event);
                let node = &mut seen[usize::try_from(place.node).unwrap()];
                assert_eq!(place.position, *node, "event {event} of {nodes} nodes, {events} events");
                *node += 1;
                assert_eq!(lanes.event(place.node, place.position), event);
                assert_eq!(lanes.length(place.node), place.length);
            }
            let lengths: Vec<u64> = (0..nodes).map(|node| lanes.length(node)).collect();
            assert_eq!(seen, lengths);
            assert!(lengths.iter().all(|length| *length >= 2), "{lengths:?}");
        }
    }

    #[test]
    fn the_count_of_a_nodes_events_is_what_was_there_so_far() {
        for (nodes, events) in SIZES.into_iter().take(6) {
            let lanes = Lanes::new(nodes, events, 1);
            let mut counts = vec![0; usize::try_from(nodes).unwrap()];
            for event in 0..=events {
                for (node, count) in (0..nodes).zip(&counts) {
                    assert_eq!(lanes.count(node, event), *count, "node {node} before event {event}");
                }
                if event < events {
                    counts[usize::try_from(lanes.place(event).node).unwrap()] += 1;
                }
            }
        }
    }

    #[test]
    fn several_hundred_nodes_work_side_by_side() {
        let lanes = Lanes::new(1000, 200_000, 7);
        let working = (0..1000).filter(|node| (1..lanes.length(*node)).contains(&lanes.count(*node, 100_000))).count();
        assert!((200..=300).contains(&working), "{working}");
    }
}
