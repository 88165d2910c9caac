//! A node's facts in few bytes: for the checkpoints, of which there are many.
//!
//! Owns the form, which never leaves the process. Rule: what is unpacked is what was packed, contents excepted, which
//! count as dropped ([`Node::facts`]). Numbers are written seven bits a byte, since most are small; what few nodes have
//! stands beside them as it is.

use std::collections::VecDeque;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::cost::{Ledger, Tokens};
use super::output::{Output, StreamedText};
use super::scheduler::Scheduler;
use super::step::StepRecords;
use super::{Node, Recent};
use crate::api::event::Failure;
use crate::api::ids::NodeId;
use crate::api::run::NodeStatus;

/// A node without contents.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PackedNode {
    pub(super) id: NodeId,
    numbers: Box<[u8]>,
    rare: Option<Box<Rare>>,
}

/// What few nodes have, or only once they have ended.
#[derive(Debug, Clone, PartialEq)]
struct Rare {
    failure: Option<Failure>,
    output: Option<Output>,
    scheduler: Option<Box<Scheduler>>,
}

impl PackedNode {
    /// The facts of a node; its rates are among those of `ledger`.
    pub(super) fn of(node: &Node, ledger: &Ledger) -> Self {
        let rare = (node.failure.is_some() || node.output.is_some() || node.scheduler.is_some()).then(|| {
            Box::new(Rare {
                failure: node.failure.clone(),
                output: node.output.as_ref().map(Output::facts),
                scheduler: node.scheduler.clone(),
            })
        });
        Self { id: node.id.clone(), numbers: numbers(node, ledger), rare }
    }

    /// About how many bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |rare| {
            let failure = rare.failure.as_ref().map_or(0, |failure| failure.message.len());
            let output = rare.output.as_ref().map_or(0, |output| output.info.sha256.len() + ALLOCATION);
            let scheduler = rare.scheduler.as_ref().map_or(0, |scheduler| scheduler.bytes());
            size_of::<Rare>() + ALLOCATION + failure + output + scheduler
        });
        size_of::<Self>() + ALLOCATION + self.numbers.len() + rare
    }

    /// The node; `ledger` has the rates that it was packed with.
    pub(super) fn node(&self, ledger: &Ledger) -> Node {
        let mut from = Reader(&self.numbers);
        let rare = self.rare.as_deref();
        let mut node = Node::new(self.id.clone());
        node.folded = from.text().map(NodeStatus::from);
        node.started_at = from.time();
        node.ended_at = from.time();
        node.touched = from.number();
        node.step = from.number().checked_sub(1);
        node.starts = from.number();
        node.failures = from.number();
        node.text = StreamedText::of_facts(from.number(), from.number(), from.number() == 1);
        node.dropped_calls = from.number();
        node.calls = Recent::of_forgotten(from.fingerprints());
        node.steps = StepRecords::of_facts(from.number(), from.time(), Recent::of_forgotten(from.fingerprints()));
        let rates = from.number();
        node.usage = (0..rates).filter_map(|_| from.usage(ledger)).collect::<IndexMap<_, _>>();
        node.failure = rare.and_then(|rare| rare.failure.clone());
        node.output = rare.and_then(|rare| rare.output.clone());
        node.scheduler = rare.and_then(|rare| rare.scheduler.clone());
        node
    }
}

/// What an allocation takes beside its content.
const ALLOCATION: usize = 16;

fn numbers(node: &Node, ledger: &Ledger) -> Box<[u8]> {
    let mut to = Writer(Vec::with_capacity(256));
    to.text(node.folded.as_ref().map(NodeStatus::as_str));
    to.time(node.started_at);
    to.time(node.ended_at);
    to.number(node.touched);
    to.number(node.step.map_or(0, |step| step.saturating_add(1)));
    to.number(node.starts);
    to.number(node.failures);
    let (dropped, revision, open) = node.text.as_facts();
    to.number(dropped);
    to.number(revision);
    to.number(u64::from(open));
    to.number(node.dropped_calls + node.calls.len() as u64);
    to.fingerprints(node.calls.fingerprints());
    to.number(node.steps.count());
    to.time(node.steps.heard_at());
    to.fingerprints(node.steps.fingerprints());
    to.number(node.usage.len() as u64);
    for (rate, tokens) in &node.usage {
        to.number(ledger.place_of(rate).map_or(0, |place| place as u64 + 1));
        to.number(tokens.requests);
        to.number(tokens.input);
        to.number(tokens.output);
    }
    to.0.into_boxed_slice()
}

struct Writer(Vec<u8>);

impl Writer {
    #[expect(clippy::cast_possible_truncation, reason = "seven bits, and the mark that more follow")]
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Positive and negative alike in few bytes.
    fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63).cast_unsigned());
    }

    fn text(&mut self, text: Option<&str>) {
        self.number(text.map_or(0, |text| text.len() as u64 + 1));
        self.0.extend_from_slice(text.unwrap_or_default().as_bytes());
    }

    /// Seconds, then milliseconds, or nanoseconds where these are no whole milliseconds.
    fn time(&mut self, time: Option<Timestamp>) {
        let Some(time) = time else { return self.number(0) };
        let nanos = time.subsec_nanosecond();
        let whole = nanos % 1_000_000 == 0;
        self.number(if whole { 1 } else { 2 });
        self.signed(time.as_second());
        self.signed(i64::from(if whole { nanos / 1_000_000 } else { nanos }));
    }

    fn fingerprints(&mut self, fingerprints: &VecDeque<u32>) {
        self.number(fingerprints.len() as u64);
        for one in fingerprints {
            self.0.extend_from_slice(&one.to_le_bytes());
        }
    }
}

/// Reads in the order of writing. What was not written reads as 0.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 63 {
                break;
            }
        }
        number
    }

    fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn length(&mut self) -> usize {
        usize::try_from(self.number()).unwrap_or_default()
    }

    fn text(&mut self) -> Option<&'a str> {
        let count = self.length().checked_sub(1)?;
        std::str::from_utf8(self.take(count)).ok()
    }

    fn time(&mut self) -> Option<Timestamp> {
        let unit = match self.number() {
            0 => return None,
            1 => 1_000_000,
            _ => 1,
        };
        let (second, part) = (self.signed(), self.signed());
        Timestamp::new(second, i32::try_from(part).ok()? * unit).ok()
    }

    fn fingerprints(&mut self) -> VecDeque<u32> {
        let count = self.length().saturating_mul(size_of::<u32>());
        let (fingerprints, _) = self.take(count).as_chunks();
        fingerprints.iter().map(|one| u32::from_le_bytes(*one)).collect()
    }

    fn usage(&mut self, ledger: &Ledger) -> Option<(super::cost::Rate, Tokens)> {
        let place = self.length();
        let tokens = Tokens { requests: self.number(), input: self.number(), output: self.number() };
        Some((ledger.rate_at(place.checked_sub(1)?)?.clone(), tokens))
    }
}
