//! A flood as it is asked for in words: `events=1000000,nodes=1000,rate=200000,text=50MB,seed=7`.
//!
//! Owns the words, and the bounds of what they say. Rule: whatever is wrong is said with its place and what to write
//! instead; nothing is guessed, and nothing that was asked for is changed.

use std::ops::RangeInclusive;

use super::{FloodConfig, MOST_EVENTS};

/// The words, with what stands behind each.
const WORDS: &str = "events=NUMBER, nodes=NUMBER, rate=NUMBER, text=SIZE and seed=NUMBER";

/// The most that can be asked for.
const FASTEST: u64 = 100_000_000;
const MOST_TEXT: u64 = 1 << 40;

/// Nodes where nothing is said, and events for each of them at least.
const NODES: u64 = 1000;
const EVENTS_OF_A_NODE: u64 = 100;

/// Units of sizes, in bytes.
const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Why there is no flood as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the flood {spec:?} cannot be had: {problem}")]
pub struct FloodError {
    spec: String,
    problem: String,
}

/// What was said; what was not is left out.
#[derive(Default)]
struct Words {
    events: Option<u64>,
    nodes: Option<u64>,
    rate: Option<u64>,
    text: Option<u64>,
    seed: Option<u64>,
}

impl FloodConfig {
    /// Reads a flood; nothing at all asks for a million events of 1,000 nodes. `seed` is taken where the words name
    /// none.
    ///
    /// # Errors
    /// When something cannot be understood, is said twice, or cannot be.
    pub fn parse(spec: &str, seed: u64) -> Result<Self, FloodError> {
        let config = Words::read(spec).and_then(|words| words.config(seed));
        config.map_err(|problem| FloodError { spec: spec.to_owned(), problem })
    }
}

impl Words {
    fn read(spec: &str) -> Result<Self, String> {
        let mut words = Self::default();
        for part in spec.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| format!("{part:?} has no value; there are {WORDS}"))?;
            let (name, value) = (name.trim(), value.trim());
            let (word, number) = match name {
                "events" => (&mut words.events, number(name, value, FloodConfig::fewest_events(1)..=MOST_EVENTS)?),
                "nodes" => (&mut words.nodes, number(name, value, 1..=MOST_EVENTS)?),
                "rate" => (&mut words.rate, number(name, value, 0..=FASTEST)?),
                "text" => (&mut words.text, size(value)?),
                "seed" => (&mut words.seed, number(name, value, 0..=u64::MAX)?),
                _ => return Err(format!("it knows no {name:?}; there are {WORDS}")),
            };
            if word.replace(number).is_some() {
                return Err(format!("{name} is said twice; leave one out"));
            }
        }
        Ok(words)
    }

    fn config(self, seed: u64) -> Result<FloodConfig, String> {
        let of_events = |events: u64| (events / EVENTS_OF_A_NODE).clamp(1, NODES);
        let default = FloodConfig::default();
        let events =
            self.events.unwrap_or_else(|| default.events.max(self.nodes.map_or(0, FloodConfig::fewest_events)));
        let nodes = self.nodes.unwrap_or_else(|| of_events(events));
        let fewest = FloodConfig::fewest_events(nodes);
        if events < fewest {
            return Err(format!("{nodes} nodes need at least {fewest} events; ask for more events or fewer nodes"));
        }
        if events > MOST_EVENTS {
            return Err(format!("{nodes} nodes need {fewest} events, and there are {MOST_EVENTS} at most"));
        }
        let FloodConfig { text_bytes, .. } = FloodConfig::of(events, nodes);
        Ok(FloodConfig {
            events,
            nodes,
            rate: self.rate.unwrap_or_default(),
            text_bytes: self.text.unwrap_or(text_bytes),
            seed: self.seed.unwrap_or(seed),
        })
    }
}

fn number(name: &str, text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let number = text.replace('_', "").parse().ok().filter(|number| range.contains(number));
    number
        .ok_or_else(|| format!("{name} must be a whole number from {} to {}, not {text:?}", range.start(), range.end()))
}

fn size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
    let bytes =
        unit.zip(digits.replace('_', "").parse::<u64>().ok()).and_then(|(unit, number)| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes <= MOST_TEXT).ok_or_else(|| {
        format!("text must be a whole number with B, kB, MB, GB, KiB, MiB or GiB, at most 1024GiB, such as 50MB, not {text:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_can_be_said_and_left_out() {
        let all = FloodConfig::parse("events=1_000_000, nodes=2000,rate=200000,text=50MB,seed=9", 7);
        let expected = FloodConfig { events: 1_000_000, nodes: 2000, rate: 200_000, text_bytes: 50_000_000, seed: 9 };
        assert_eq!(all, Ok(expected));
        assert_eq!(FloodConfig::parse("", 7), Ok(FloodConfig::default()));
        assert_eq!(FloodConfig::parse("events=500", 3), Ok(FloodConfig { seed: 3, ..FloodConfig::of(500, 5) }));
        assert_eq!(FloodConfig::parse("nodes=1000000", 7), Ok(FloodConfig::of(4_000_003, 1_000_000)));
        assert_eq!(FloodConfig::parse("text=1KiB", 7).unwrap().text_bytes, 1024);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_what_to_write() {
        for (spec, phrase) in [
            ("5", "\"5\" has no value; there are events=NUMBER"),
            ("speed=5", "it knows no \"speed\"; there are events=NUMBER"),
            ("events=many", "events must be a whole number from 7 to 1000000000, not \"many\""),
            ("events=6", "from 7 to"),
            ("events=1000000001", "from 7 to 1000000000"),
            ("rate=-1", "rate must be a whole number from 0"),
            ("nodes=0", "nodes must be a whole number from 1"),
            ("text=50", "such as 50MB, not \"50\""),
            ("text=50mb", "such as 50MB"),
            ("text=99999999999GB", "at most 1024GiB"),
            ("events=100,nodes=1000", "1000 nodes need at least 4003 events; ask for more events or fewer nodes"),
            ("nodes=1000000000", "there are 1000000000 at most"),
            ("seed=1,seed=2", "seed is said twice"),
        ] {
            let message = FloodConfig::parse(spec, 0).unwrap_err().to_string();
            assert!(message.contains(phrase), "{spec}: {message}");
            assert!(message.contains(&format!("the flood {spec:?} cannot be had")), "{message}");
        }
    }
}
