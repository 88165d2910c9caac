//! From the lines of a file to events in order, on a thread that may block.
//!
//! Two kinds of files come here. A journal of ours proves itself: the first line that cannot have been written so ends
//! the reading, and what stands before it counts ([`Trust::Journal`]). Any other file, such as one that `events --raw`
//! has written, is read as an answer of a server would be: what is odd is counted and the next line is read.
//!
//! Rule: gaps in a file are permanent. It was written when they had been read again, or by someone who left them out.

use std::io::Read;

use bytes::Bytes;

use super::outbox::{BYTES, ITEMS};
use super::sequence::Sequence;
use super::{FeedItem, events_named};
use crate::api::event::{Decoded, Decoder, ProtocolError};
use crate::api::ndjson::Line;
use crate::store::journal::{FileLine, Lines};

/// What a file is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A journal: whatever it cannot hold is damage.
    Journal,
    /// Anything.
    Nothing,
}

/// What a reading came to.
#[derive(Debug)]
pub(super) struct FileRead {
    /// The order behind the last line that was taken.
    pub(super) sequence: Sequence,
    /// The offset behind that line.
    pub(super) end: u64,
    /// The line that took the last place.
    pub(super) tail: Option<Bytes>,
    /// How it ended.
    pub(super) stop: Stop,
}

/// Why a reading ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The file has no more lines.
    End,
    /// The last line has no end and was not taken.
    Torn,
    /// A line cannot be the journal's: which, counted from 1, and why.
    Damaged {
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The file cannot be read further.
    Unreadable(String),
    /// Nobody wants the items any more.
    Closed,
}

/// Reads `lines` into `sequence` and gives the items, in bounded batches, to `give`, until it returns false.
pub(super) fn read<R: Read>(
    lines: Lines<R>,
    sequence: Sequence,
    trust: Trust,
    give: impl FnMut(Vec<FeedItem>) -> bool,
) -> FileRead {
    let read = FileRead { sequence: sequence.with_rereads(0), end: 0, tail: None, stop: Stop::End };
    let mut reader = Reader { lines, decoder: Decoder::default(), read, trust, items: Vec::new(), bytes: 0, give };
    reader.read.stop = reader.run();
    reader.read.sequence.settle(&mut reader.items);
    if reader.read.stop != Stop::Closed && !reader.flush() {
        reader.read.stop = Stop::Closed;
    }
    reader.read
}

struct Reader<R, G> {
    lines: Lines<R>,
    decoder: Decoder,
    read: FileRead,
    trust: Trust,
    items: Vec<FeedItem>,
    bytes: usize,
    give: G,
}

impl<R: Read, G: FnMut(Vec<FeedItem>) -> bool> Reader<R, G> {
    fn run(&mut self) -> Stop {
        let mut number = 0;
        loop {
            let found = match self.lines.next_line() {
                Ok(Some(found)) => found,
                Ok(None) => return Stop::End,
                Err(error) => return Stop::Unreadable(error.to_string()),
            };
            number += 1;
            let taken = match self.trust {
                Trust::Journal if !found.ended => return Stop::Torn,
                Trust::Journal => self.take_proved(&found),
                Trust::Nothing => {
                    self.take_any(&found, number);
                    Ok(())
                }
            };
            match taken {
                Ok(()) => self.read.end = found.end,
                Err(why) => return Stop::Damaged { line: number, why },
            }
            if (self.items.len() >= ITEMS || self.bytes >= BYTES) && !self.flush() {
                return Stop::Closed;
            }
        }
    }

    fn flush(&mut self) -> bool {
        self.bytes = 0;
        self.items.is_empty() || (self.give)(std::mem::take(&mut self.items))
    }

    /// Takes a line of a journal, or says why it cannot be one.
    fn take_proved(&mut self, found: &FileLine) -> Result<(), String> {
        let Line::Whole(line) = &found.line else { return Err("it is too long".into()) };
        self.bytes += line.len();
        let before = self.read.sequence.last();
        match self.decoder.decode(line) {
            Ok(Decoded::Event(event)) => {
                if event.run_id == self.read.sequence.run_id() {
                    self.check_place(event.seq, found.marked)?;
                    // The mark says that the server had not more, and that the event was believed.
                    self.read.sequence.skip_to(event.seq, &mut self.items);
                } else if !found.marked {
                    return Err(format!("it belongs to run {}", event.run_id));
                }
                self.read.sequence.event(event, line, false, &mut self.items);
            }
            Err(error) if found.marked => drop(self.read.sequence.rejected(error, &mut self.items)),
            Err(error) => return Err(error.problem.to_string()),
            Ok(Decoded::Keepalive | Decoded::Blank) => return Err("it is not an event".into()),
        }
        if self.read.sequence.last() > before {
            self.read.tail = Some(line.clone());
        }
        Ok(())
    }

    /// Whether a journal can have an event of its run here.
    fn check_place(&self, seq: u64, marked: bool) -> Result<(), String> {
        let before = self.read.sequence.last();
        if seq <= before {
            return Err(format!("event {seq} stands behind event {before}"));
        }
        if seq == before + 1 {
            return Ok(());
        }
        match self.read.sequence.missing(seq) {
            Some((first, last)) if !marked => Err(format!("{} missing before it", events_named(first, last))),
            _ => Ok(()),
        }
    }

    /// Takes a line as it comes; what is rejected in it tells its number. Behind a line without an end nothing comes
    /// that could take its place, so one that was cut is rejected as any other.
    fn take_any(&mut self, found: &FileLine, number: u64) {
        let before = self.items.len();
        let decoded = match &found.line {
            Line::Whole(line) => {
                self.bytes += line.len();
                self.decoder.decode(line).map(|decoded| (decoded, line))
            }
            Line::TooLong { bytes, prefix } => {
                self.bytes += prefix.len();
                Err(ProtocolError::too_long(*bytes, self.lines.line_limit() as u64, prefix.clone()))
            }
        };
        match decoded {
            Ok((Decoded::Event(event), line)) => drop(self.read.sequence.event(event, line, true, &mut self.items)),
            Ok(_) => {}
            Err(error) => drop(self.read.sequence.rejected(error, &mut self.items)),
        }
        for item in &mut self.items[before..] {
            if let FeedItem::Rejected(error) = item {
                error.line_number = Some(number);
            }
        }
    }
}
