//! Each event once, in seq order: promise "nothing missed" as a pure state.
//!
//! Takes what a stream brings, in whatever order and however often, and gives what may be applied. Rule: `last` only
//! grows, and every place up to it was given out exactly once: as an event, as a rejected line, or within a gap.
//!
//! A rejected line's seq is a claim that nothing proves. Where it is the next one, the line takes that place. Further
//! ahead it moves nothing: the line is given out at once without its seq, and its claim is remembered, so that it is
//! neither given out twice nor counted as missing when the events around it come.
//!
//! An event far ahead of all others is a claim, too, unless a second one near it agrees: one wild number must not make
//! every real event behind it a duplicate.
//!
//! While a history is read, events beyond a gap may be held (bounded) until the answer ends: a server that sends them
//! out of order has not skipped any.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{FeedItem, journal_format};
use crate::api::event::{Event, Problem, ProtocolError};
use crate::api::ids::RunId;

/// How often a gap is read again before it counts as permanent.
pub const REREADS: u8 = 3;

/// How many claims of rejected lines are remembered; more would be a server gone wild.
const CLAIMS_KEPT: usize = 4096;

/// How many events beyond a gap are held, and about how many bytes of lines: what a server sends out of order lies
/// close together, and what is not held is read again.
const HELD_EVENTS: usize = 1024;
const HELD_BYTES: usize = 4 * 1024 * 1024;

/// An event further ahead than this is believed only in company: no server skips so much where it has not lost its
/// beginning, and then many events lie behind the gap.
const FAR: u64 = 1_000_000;

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
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    run_id: RunId,
    last: u64,
    /// The line of the event there; empty where there is none.
    last_line: Bytes,
    /// The gap behind `last` that is being read again.
    gap: Option<Gap>,
    /// Seqs beyond `last` that rejected lines claim.
    claims: BTreeSet<u64>,
    /// Events beyond a gap that this history may still fill.
    held: BTreeMap<u64, (Event, Bytes)>,
    held_bytes: usize,
    /// Events, and rejected lines in their place, given out since this was last asked.
    given: u64,
    run_ended: bool,
    /// Whether each event's line is given out before it.
    lines: bool,
    /// How often a gap is read again before it counts as permanent.
    rereads: u8,
    /// What was given out, as a journal has it, since it was last taken; `None` where nobody wants it.
    record: Option<Vec<u8>>,
    /// Only what stands behind this place is recorded.
    recorded_after: u64,
    /// Whether the next event stands behind a permanent gap.
    behind_gap: bool,
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
        Self {
            run_id,
            last,
            last_line: Bytes::new(),
            gap: None,
            claims: BTreeSet::new(),
            held: BTreeMap::new(),
            held_bytes: 0,
            given: 0,
            run_ended: false,
            lines: false,
            rereads: REREADS,
            record: None,
            recorded_after: 0,
            behind_gap: false,
        }
    }

    /// The same order, which gives out each event's line before it, or does not.
    #[must_use]
    pub fn with_lines(self, lines: bool) -> Self {
        Self { lines, ..self }
    }

    /// The same order, for which a gap is permanent once it was read again so often.
    #[must_use]
    pub fn with_rereads(self, rereads: u8) -> Self {
        Self { rereads, ..self }
    }

    /// Records from now on what is given out behind the place `after`, in the form of a journal; `None` ends it.
    pub fn record_after(&mut self, after: Option<u64>) {
        self.record = after.map(|_| Vec::new());
        self.recorded_after = after.unwrap_or_default();
    }

    /// What was recorded since this was last asked: whole lines with their ends.
    pub fn take_record(&mut self) -> Vec<u8> {
        let Some(record) = &mut self.record else { return Vec::new() };
        // What comes next is likely to be as long.
        let room = Vec::with_capacity(record.len());
        std::mem::replace(record, room)
    }

    /// How many bytes there are to take.
    #[must_use]
    pub fn record_len(&self) -> usize {
        self.record.as_ref().map_or(0, Vec::len)
    }

    /// From the first to the last place that an event `seq` would leave empty; `None` where it may come next.
    #[must_use]
    pub fn missing(&self, seq: u64) -> Option<(u64, u64)> {
        Self::extent(&self.missing_before(seq))
    }

    /// The run whose order it is.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.run_id
    }

    /// The last seq that was given out; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The line of the event at [`Self::last`]; `None` where that place holds no event, or was not given out here.
    #[must_use]
    pub fn last_line(&self) -> Option<&Bytes> {
        Some(&self.last_line).filter(|line| !line.is_empty())
    }

    /// How many items were given out in a place since this was last asked: events, and rejected lines with their seq.
    /// A place that a rejected line has claimed earlier is filled without an item, and does not count.
    pub fn take_given(&mut self) -> u64 {
        std::mem::take(&mut self.given)
    }

    /// Whether the run's last event was given out.
    #[must_use]
    pub fn run_ended(&self) -> bool {
        self.run_ended
    }

    /// Gives out the places before `seq` that are missing as permanent gaps, on the word of somebody who knows.
    pub fn skip_to(&mut self, seq: u64, out: &mut Vec<FeedItem>) {
        let missing = self.missing_before(seq);
        if let Some((_, last)) = Self::extent(&missing) {
            out.extend(missing.iter().map(|(first, last)| FeedItem::Gap { first: *first, last: *last }));
            self.advance(last);
            self.behind_gap = true;
        }
    }

    /// Takes an event with its line; what may be applied is put at the end of `out`. `hold`: what lies before it may
    /// still come, so that it is held, while there is room, until [`Self::settle`].
    pub fn event(&mut self, event: Event, line: &Bytes, hold: bool, out: &mut Vec<FeedItem>) -> Effect {
        if event.run_id != self.run_id {
            // No seq: a place in another run's order is none in this one's.
            let problem = Problem::OtherRun(event.run_id);
            let error = ProtocolError { problem, seq: None, line: line.clone(), line_number: None };
            self.reject(error, out);
            return Effect::Nothing;
        }
        let seq = event.seq;
        if seq <= self.last || self.held.contains_key(&seq) {
            count_duplicate(out);
            return Effect::Nothing;
        }
        let far = self.is_far(seq);
        if far && self.claims.contains(&seq) {
            count_duplicate(out);
            return Effect::Nothing;
        }
        if hold && !self.comes_next(seq) {
            self.held_bytes += line.len();
            // A copy where it is kept for itself: a slice would hold all that came with it.
            let kept = if far { Bytes::copy_from_slice(line) } else { line.clone() };
            self.held.insert(seq, (event, kept));
            let full = self.held.len() >= HELD_EVENTS || self.held_bytes >= HELD_BYTES;
            return if full { self.settle(out) } else { Effect::Nothing };
        }
        self.place(event, line.clone(), out)
    }

    fn reject(&mut self, error: ProtocolError, out: &mut Vec<FeedItem>) {
        if let Some(record) = self.record.as_mut().filter(|_| self.last >= self.recorded_after) {
            journal_format::write_rejected(record, &error);
        }
        out.push(FeedItem::Rejected(error));
    }

    /// Nothing more comes before the events that are held: gives them out, or says that a gap is to be read again.
    pub fn settle(&mut self, out: &mut Vec<FeedItem>) -> Effect {
        let mut effect = Effect::Nothing;
        while let Some((seq, (event, line))) = self.held.pop_first() {
            if self.is_far(seq) && self.held.range(seq..=seq.saturating_add(FAR)).next().is_none() {
                self.disbelieve(&event, line, out);
                continue;
            }
            effect = self.place(event, line, out);
            if matches!(effect, Effect::Reread { .. }) {
                break;
            }
        }
        self.forget();
        effect
    }

    /// Drops the events that are held: another connection brings them again.
    pub fn forget(&mut self) {
        self.held.clear();
        self.held_bytes = 0;
    }

    /// Gives an event out, with those held that it leads to, unless a gap before it is to be read again first.
    fn place(&mut self, event: Event, line: Bytes, out: &mut Vec<FeedItem>) -> Effect {
        let seq = event.seq;
        while let Some((first, last)) = Self::extent(&self.missing_before(seq)) {
            let seen = self.gap.unwrap_or(Gap { last, attempts: 0 });
            let gap = Gap { last: seen.last.min(last), attempts: seen.attempts + 1 };
            if gap.attempts <= self.rereads {
                self.gap = Some(gap);
                return Effect::Reread { first, last, attempt: gap.attempts };
            }
            if self.is_far(seq) && self.held.range(seq..=seq.saturating_add(FAR)).next().is_none() {
                self.gap = None;
                return self.disbelieve(&event, line, out);
            }
            let permanent = self.missing_before(gap.last + 1);
            out.extend(permanent.iter().map(|(first, last)| FeedItem::Gap { first: *first, last: *last }));
            // What is still missing behind it was skipped less often: a gap of its own.
            self.advance(gap.last);
            self.behind_gap = true;
        }
        self.give(event, line, out);
        self.release(out);
        Effect::New
    }

    fn is_far(&self, seq: u64) -> bool {
        seq - self.last > FAR
    }

    /// Takes an event that stands alone far ahead as a line that only claims its seq.
    fn disbelieve(&mut self, event: &Event, line: Bytes, out: &mut Vec<FeedItem>) -> Effect {
        let problem = Problem::FarAhead(event.seq - self.last);
        self.rejected(ProtocolError { problem, seq: Some(event.seq), line, line_number: None }, out)
    }

    fn give(&mut self, event: Event, line: Bytes, out: &mut Vec<FeedItem>) {
        self.advance(event.seq);
        self.given += 1;
        self.run_ended |= event.body.ends_run();
        let behind_gap = std::mem::take(&mut self.behind_gap);
        if let Some(record) = self.record.as_mut().filter(|_| event.seq > self.recorded_after) {
            journal_format::write_event(record, &line, behind_gap);
        }
        out.extend(self.lines.then(|| FeedItem::Line(line.clone())));
        self.last_line = line;
        out.push(FeedItem::Event(event));
    }

    /// Gives out the held events that nothing is missing before any more.
    fn release(&mut self, out: &mut Vec<FeedItem>) {
        while let Some(seq) = self.held.first_key_value().map(|(seq, _)| *seq) {
            if !self.comes_next(seq) {
                return;
            }
            if let Some((event, line)) = self.held.remove(&seq) {
                self.give(event, line, out);
            }
        }
        self.held_bytes = 0;
    }

    /// Takes a line that breaks the protocol.
    pub fn rejected(&mut self, mut error: ProtocolError, out: &mut Vec<FeedItem>) -> Effect {
        match error.seq {
            Some(seq) if seq <= self.last => {
                count_duplicate(out);
                Effect::Nothing
            }
            Some(seq) if seq == self.last.saturating_add(1) => {
                if !self.claims.contains(&seq) {
                    self.reject(error, out);
                    self.given += 1;
                }
                self.advance(seq);
                self.release(out);
                Effect::New
            }
            Some(seq) if self.claims.contains(&seq) || self.held.contains_key(&seq) => {
                count_duplicate(out);
                Effect::Nothing
            }
            claim => {
                if let Some(seq) = claim.filter(|_| self.claims.len() < CLAIMS_KEPT) {
                    self.claims.insert(seq);
                }
                error.seq = None;
                self.reject(error, out);
                Effect::Nothing
            }
        }
    }

    /// The seqs beyond [`Self::last`] that were given out without their place, so that they are no news.
    #[must_use]
    pub fn claims(&self) -> &BTreeSet<u64> {
        &self.claims
    }

    /// From the first to the last missing seq.
    fn extent(ranges: &[(u64, u64)]) -> Option<(u64, u64)> {
        Some((ranges.first()?.0, ranges.last()?.1))
    }

    fn advance(&mut self, seq: u64) {
        self.last = seq;
        self.last_line = Bytes::new();
        self.gap = None;
        if !self.claims.is_empty() {
            self.claims = self.claims.split_off(&seq.saturating_add(1));
        }
    }

    /// Whether nothing is missing before `seq`. Nearly always it is simply the next one.
    fn comes_next(&self, seq: u64) -> bool {
        seq == self.last.saturating_add(1) || self.missing_before(seq).is_empty()
    }

    /// The ranges between `last` and `seq` that no rejected line claims.
    fn missing_before(&self, seq: u64) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut next = self.last.saturating_add(1);
        if next == seq {
            return missing;
        }
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
