//! Each event once, in seq order: promise "nothing missed" as a pure state.
//!
//! Takes what a stream brings, in whatever order and however often, and gives what may be applied. Rule: `last` only
//! grows, and every place up to it was given out exactly once: as an event, as a rejected line, or within a gap.
//!
//! A rejected line's seq is a claim that nothing proves. Where it is the next one, the line takes that place. Further
//! ahead it moves nothing: the line is given out at once without its seq, and its claim is remembered, so that it is
//! neither given out twice nor counted as missing when the events around it come.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::FeedItem;
use crate::api::event::{Event, Problem, ProtocolError};
use crate::api::ids::RunId;

/// How often a gap is read again before it counts as permanent.
pub const REREADS: u8 = 3;

/// How many claims of rejected lines are remembered; more would be a server gone wild.
const CLAIMS_KEPT: usize = 4096;

/// What a line did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It moved `last`: something new.
    New,
    /// It was dropped, or only counted.
    Nothing,
    /// Events before it are missing: read again after [`Sequence::last`].
    Reread {
        /// The first missing seq.
        first: u64,
        /// The last missing seq.
        last: u64,
        /// How often it was read again, this time included.
        attempt: u8,
    },
}

/// Where the order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    run_id: RunId,
    last: u64,
    /// The gap behind `last` that is being read again.
    gap: Option<Gap>,
    /// Seqs beyond `last` that rejected lines claim.
    claims: BTreeSet<u64>,
}

/// A gap that may still heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    /// The last seq that was missing every time: what once was seen behind the gap is not part of it.
    last: u64,
    /// How often it was read again.
    attempts: u8,
}

impl Sequence {
    /// The order of `run_id`'s events after `last`; 0 for all.
    #[must_use]
    pub fn new(run_id: RunId, last: u64) -> Self {
        Self { run_id, last, gap: None, claims: BTreeSet::new() }
    }

    /// The last seq that was given out; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Takes an event with its line; what may be applied is put at the end of `out`.
    pub fn event(&mut self, event: Event, line: &Bytes, out: &mut Vec<FeedItem>) -> Effect {
        if event.run_id != self.run_id {
            // No seq: a place in another run's order is none in this one's.
            let error = ProtocolError { problem: Problem::OtherRun(event.run_id), seq: None, line: line.clone() };
            out.push(FeedItem::Rejected(error));
            return Effect::Nothing;
        }
        let seq = event.seq;
        if seq <= self.last {
            count_duplicate(out);
            return Effect::Nothing;
        }
        while let Some((first, last)) = Self::extent(&self.missing_before(seq)) {
            let seen = self.gap.unwrap_or(Gap { last, attempts: 0 });
            let gap = Gap { last: seen.last.min(last), attempts: seen.attempts + 1 };
            if gap.attempts <= REREADS {
                self.gap = Some(gap);
                return Effect::Reread { first, last, attempt: gap.attempts };
            }
            let permanent = self.missing_before(gap.last + 1);
            out.extend(permanent.iter().map(|(first, last)| FeedItem::Gap { first: *first, last: *last }));
            // What is still missing behind it was skipped less often: a gap of its own.
            self.advance(gap.last);
        }
        self.advance(seq);
        out.push(FeedItem::Event(event));
        Effect::New
    }

    /// Takes a line that breaks the protocol.
    pub fn rejected(&mut self, mut error: ProtocolError, out: &mut Vec<FeedItem>) -> Effect {
        match error.seq {
            Some(seq) if seq <= self.last => {
                count_duplicate(out);
                Effect::Nothing
            }
            Some(seq) if seq == self.last + 1 => {
                if !self.claims.contains(&seq) {
                    out.push(FeedItem::Rejected(error));
                }
                self.advance(seq);
                Effect::New
            }
            Some(seq) if self.claims.contains(&seq) => {
                count_duplicate(out);
                Effect::Nothing
            }
            claim => {
                if let Some(seq) = claim.filter(|_| self.claims.len() < CLAIMS_KEPT) {
                    self.claims.insert(seq);
                }
                error.seq = None;
                out.push(FeedItem::Rejected(error));
                Effect::Nothing
            }
        }
    }

    /// From the first to the last missing seq.
    fn extent(ranges: &[(u64, u64)]) -> Option<(u64, u64)> {
        Some((ranges.first()?.0, ranges.last()?.1))
    }

    fn advance(&mut self, seq: u64) {
        self.last = seq;
        self.gap = None;
        self.claims = self.claims.split_off(&seq.saturating_add(1));
    }

    /// The ranges between `last` and `seq` that no rejected line claims.
    fn missing_before(&self, seq: u64) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut next = self.last + 1;
        for claim in self.claims.range(next..seq).copied().chain([seq]) {
            if next < claim {
                missing.push((next, claim - 1));
            }
            next = claim.saturating_add(1);
        }
        missing
    }
}

fn count_duplicate(out: &mut Vec<FeedItem>) {
    match out.last_mut() {
        Some(FeedItem::Duplicates(count)) => *count += 1,
        _ => out.push(FeedItem::Duplicates(1)),
    }
}

#[cfg(test)]
mod tests;
