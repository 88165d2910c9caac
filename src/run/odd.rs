//! What was odd about a stream, one by one: where it was, and enough of it to be looked at.
//!
//! Owns the list and its bounds; the counts that a run is judged by are [`Counts`](super::Counts). Does not own the
//! words. Rule: a server gone wild costs no memory: of each kind, or of all, a fixed number is kept, each of a bounded
//! size, and all are counted.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::api::event::{Event, EventBody, Problem, ProtocolError};

/// Bytes that are kept of a rejected line.
pub const TEXT_KEPT: usize = 512;

/// Bytes that are kept of a reason, a cause or a type: these may quote what was sent.
const WORDS_KEPT: usize = 200;

/// One odd thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// The last seq applied when it came.
    pub behind: u64,
    /// When it came, by the clock of whoever noticed it.
    pub at: Timestamp,
    /// What it was.
    pub what: Odd,
}

/// What was odd. The texts are foreign: not inert yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Odd {
    /// The places `first..=last` stay empty.
    Gap {
        /// The first missing seq.
        first: u64,
        /// The last missing seq.
        last: u64,
    },
    /// A line that broke the protocol.
    Rejected {
        /// Its place, where it has one.
        seq: Option<u64>,
        /// Its number, where it stands in a file.
        line_number: Option<u64>,
        /// Why.
        reason: String,
        /// Its first [`TEXT_KEPT`] bytes.
        line: String,
        /// Its whole length in bytes.
        bytes: u64,
    },
    /// An event of a type that this version does not know.
    Unknown {
        /// Its place.
        seq: u64,
        /// The type.
        type_name: String,
    },
    /// Events that came again, up to behind the seq `until`.
    Duplicates {
        /// How many.
        count: u64,
        /// The last seq applied when the last of them came.
        until: u64,
    },
    /// The connection had to be made again.
    Reconnect {
        /// Why.
        cause: String,
    },
}

impl Odd {
    /// An event that is odd; `None` for any other.
    #[must_use]
    pub fn event(event: &Event) -> Option<Self> {
        match &event.body {
            EventBody::Unknown(unknown) => {
                Some(Self::Unknown { seq: event.seq, type_name: kept(&unknown.type_name, WORDS_KEPT) })
            }
            _ => None,
        }
    }

    /// A line that broke the protocol.
    #[must_use]
    pub fn rejected(error: &ProtocolError) -> Self {
        let bytes = match error.problem {
            Problem::TooLong { bytes, .. } => bytes,
            _ => error.line.len() as u64,
        };
        // A character that is cut here is cut off below.
        let line = String::from_utf8_lossy(&error.line[..error.line.len().min(TEXT_KEPT + 4)]);
        let reason = kept(&error.problem.to_string(), WORDS_KEPT);
        let (seq, line_number) = (error.seq, error.line_number);
        Self::Rejected { seq, line_number, reason, line: kept(&line, TEXT_KEPT), bytes }
    }

    /// A connection that had to be made again.
    #[must_use]
    pub fn reconnect(cause: &str) -> Self {
        Self::Reconnect { cause: kept(cause, WORDS_KEPT) }
    }

    fn kind(&self) -> usize {
        match self {
            Self::Gap { .. } => 0,
            Self::Rejected { .. } => 1,
            Self::Unknown { .. } => 2,
            Self::Duplicates { .. } => 3,
            Self::Reconnect { .. } => 4,
        }
    }
}

fn kept(text: &str, most: usize) -> String {
    let end = (0..=text.len().min(most)).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or_default()].to_owned()
}

/// What is kept of all that was odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    FirstOfEach(u64),
    Last(usize),
}

/// A bounded list of what was odd, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddLog {
    keep: Keep,
    entries: VecDeque<Oddity>,
    /// Entries noted of each kind.
    noted: [u64; 5],
}

impl OddLog {
    /// A list of the first `count` of each kind.
    #[must_use]
    pub fn of_the_first(count: u64) -> Self {
        Self::new(Keep::FirstOfEach(count))
    }

    /// A list of the last `count` of all.
    #[must_use]
    pub fn of_the_last(count: usize) -> Self {
        Self::new(Keep::Last(count))
    }

    fn new(keep: Keep) -> Self {
        Self { keep, entries: VecDeque::new(), noted: [0; 5] }
    }

    /// The entries that are kept, oldest first.
    #[must_use]
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Oddity> + ExactSizeIterator {
        self.entries.iter()
    }

    /// How many entries were noted and are not kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.noted.iter().sum::<u64>() - self.entries.len() as u64
    }

    /// How often the connection was made again.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.noted[4]
    }

    /// Whether nothing was odd.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.noted.iter().all(|count| *count == 0)
    }

    /// Notes one thing more, which came behind the seq `behind`. Duplicates that follow each other are one entry.
    pub fn note(&mut self, behind: u64, at: Timestamp, what: Odd) {
        if let (
            Odd::Duplicates { count: more, until },
            Some(Oddity { what: Odd::Duplicates { count, until: before }, .. }),
        ) = (&what, self.entries.back_mut())
        {
            *count += more;
            *before = *until;
            return;
        }
        let kind = what.kind();
        self.noted[kind] += 1;
        match self.keep {
            Keep::FirstOfEach(most) if self.noted[kind] > most => return,
            Keep::Last(most) if self.entries.len() >= most => drop(self.entries.pop_front()),
            Keep::FirstOfEach(_) | Keep::Last(_) => {}
        }
        self.entries.push_back(Oddity { behind, at, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(at: u64) -> Odd {
        Odd::Gap { first: at, last: at }
    }

    fn note(log: &mut OddLog, what: Odd) {
        log.note(7, Timestamp::UNIX_EPOCH, what);
    }

    fn kept(log: &OddLog) -> Vec<Odd> {
        log.entries().map(|entry| entry.what.clone()).collect()
    }

    #[test]
    fn the_first_of_each_kind_are_kept_and_the_others_counted() {
        let mut log = OddLog::of_the_first(2);
        assert!(log.is_empty());
        (1..=5).for_each(|at| note(&mut log, gap(at)));
        note(&mut log, Odd::reconnect("cut"));
        assert_eq!(kept(&log), [gap(1), gap(2), Odd::reconnect("cut")]);
        assert_eq!((log.dropped(), log.reconnects(), log.is_empty()), (3, 1, false));
    }

    #[test]
    fn the_last_of_all_are_kept_and_the_others_counted() {
        let mut log = OddLog::of_the_last(2);
        (1..=5).for_each(|at| note(&mut log, gap(at)));
        assert_eq!((kept(&log), log.dropped()), (vec![gap(4), gap(5)], 3));
    }

    #[test]
    fn a_flood_of_duplicates_is_one_entry_with_its_extent() {
        let mut log = OddLog::of_the_last(3);
        note(&mut log, gap(1));
        for until in 7..1_000 {
            note(&mut log, Odd::Duplicates { count: 2, until });
        }
        assert_eq!(kept(&log), [gap(1), Odd::Duplicates { count: 2 * 993, until: 999 }]);
        assert_eq!((log.dropped(), log.entries().last().unwrap().behind), (0, 7));
    }

    #[test]
    fn a_line_of_any_length_costs_no_more_than_what_is_kept_of_it() {
        let line = bytes::Bytes::from("é".repeat(100_000));
        let Err(error) = crate::api::event::decode(&line) else { panic!() };
        let Odd::Rejected { line, bytes, .. } = Odd::rejected(&error) else { panic!() };
        assert!(line.len() <= TEXT_KEPT && bytes == 200_000);
        let Odd::Reconnect { cause } = Odd::reconnect(&"é".repeat(10_000)) else { panic!() };
        assert_eq!(cause.len(), WORDS_KEPT);
    }
}
