//! A run of any size whose events are made as they are read, and never stored.
//!
//! Owns what such a run is made of: how many events and nodes, how fast, how much text, and that everything follows
//! from these and a seed. Does not own serving it. Rules: an event's line is a function of its seq alone, so that a
//! reader may begin anywhere; the snapshot is counted, not folded, and says at every seq what a fold of the events up to
//! it says.
//!
//! | module | what it owns |
//! | --- | --- |
//! | `lanes` | which node an event belongs to: several hundred work side by side, one after another in each lane |
//! | `traits` | what a node is: its name, its model, whether it fails, its ids and tokens |
//! | `life` | what happens in a node's life, event by event |
//! | `prose` | the text that is streamed |
//! | `line` | an event as a line of JSON |
//! | `snapshot` | what the run is after so many events |
//! | `clock` | when an event happens |
//! | `spec` | a flood as it is asked for in words |

mod clock;
mod lanes;
mod life;
mod line;
mod prose;
mod snapshot;
mod spec;
#[cfg(test)]
mod tests;
mod traits;

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::api::ids::RunId;

use super::plan::hex;
use clock::Clock;
use lanes::Lanes;
use life::Life;
use prose::Prose;
pub use spec::FloodError;
use traits::Traits;

/// Events that a flood has at most.
pub const MOST_EVENTS: u64 = 1_000_000_000;

/// A node has at least so many events on the average: it starts, does something, puts something out, and ends.
pub const EVENTS_PER_NODE: u64 = 4;

/// The events that are no node's: the run's two first ones and its last.
const OF_THE_RUN: u64 = 3;

/// Bytes of text for each event where nothing else is said: an event then has about 285 bytes.
const TEXT_PER_EVENT: u64 = 20;

/// What a flood is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodConfig {
    /// Events in all.
    pub events: u64,
    /// Nodes in all; several hundred of them work at a time.
    pub nodes: u64,
    /// Events a second, from the run's creation on; 0: all of them have happened already.
    pub rate: u64,
    /// Bytes of streamed text in all, spread over the deltas.
    pub text_bytes: u64,
    /// Texts, ids and the order of the nodes follow from it.
    pub seed: u64,
}

impl Default for FloodConfig {
    /// A million events of 1,000 nodes with 20 MB of text, all of which have happened already.
    fn default() -> Self {
        Self::of(1_000_000, 1000)
    }
}

impl FloodConfig {
    /// So many events and nodes, all of which have happened already, with as much text as such events have.
    #[must_use]
    pub const fn of(events: u64, nodes: u64) -> Self {
        Self { events, nodes, rate: 0, text_bytes: events.saturating_mul(TEXT_PER_EVENT), seed: 7 }
    }

    /// The fewest events that a run of so many nodes can have.
    #[must_use]
    pub const fn fewest_events(nodes: u64) -> u64 {
        nodes.saturating_mul(EVENTS_PER_NODE).saturating_add(OF_THE_RUN)
    }
}

/// A run that is made as it is read.
#[derive(Debug)]
pub struct Flood {
    config: FloodConfig,
    run_id: RunId,
    plan_hash: String,
    /// What every line begins with, up to the seq.
    head: String,
    lanes: Lanes,
    traits: Traits,
    clock: Clock,
    prose: Prose,
    /// Bytes of text of each delta, in parts of 2^32.
    text_per_delta: u128,
}

impl Flood {
    /// The run of this id; its first event is as old as the epoch until [`Self::starting_at`] says another time. What of
    /// `config` is too much or too little is brought to the nearest that can be: 7 to 1,000,000,000 events, 1 to a
    /// fourth as many nodes.
    #[must_use]
    pub fn new(config: FloodConfig, run_id: RunId) -> Self {
        let events = config.events.clamp(FloodConfig::fewest_events(1), MOST_EVENTS);
        let nodes = config.nodes.clamp(1, (events - OF_THE_RUN) / EVENTS_PER_NODE);
        let config = FloodConfig { events, nodes, ..config };
        let lanes = Lanes::new(nodes, events - OF_THE_RUN, config.seed);
        let traits = Traits::new(config.seed);
        let deltas: u64 = (0..nodes).map(|node| Life::new(lanes.length(node), traits.fails(node)).texts()).sum();
        Self {
            run_id,
            plan_hash: hex(&Sha256::digest(format!("{config:?}").as_bytes())),
            head: format!(r#"{{"envelope_version":"v2","run_id":"{run_id}","seq":"#),
            clock: Clock::new(Timestamp::UNIX_EPOCH, config.events, config.rate),
            prose: Prose::new(config.seed),
            text_per_delta: (u128::from(config.text_bytes) << 32) / u128::from(deltas.max(1)),
            lanes,
            traits,
            config,
        }
    }

    /// The same run with its first event at this time.
    #[must_use]
    pub fn starting_at(self, start: Timestamp) -> Self {
        Self { clock: Clock::new(start, self.config.events, self.config.rate), ..self }
    }

    /// What it is made of.
    #[must_use]
    pub fn config(&self) -> FloodConfig {
        self.config
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.run_id
    }

    /// How long it takes from the first event to the last by the times that the events carry.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.clock.elapsed(self.config.events)
    }

    /// The line of the event of this seq, with its newline, without outputs; empty where there is no such event.
    #[must_use]
    pub fn line(&self, seq: u64) -> String {
        let mut line = Vec::with_capacity(512);
        self.write_line(seq, false, &mut line);
        // Everything that is written is text.
        String::from_utf8(line).unwrap_or_default()
    }

    /// The lines of all events, made one at a time.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        (1..=self.config.events).map(|seq| self.line(seq))
    }

    /// The lines of these events in one piece of memory, as a server would send them.
    #[must_use]
    pub fn bytes(&self, seqs: RangeInclusive<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for seq in seqs {
            self.write_line(seq, false, &mut bytes);
        }
        bytes
    }
}
