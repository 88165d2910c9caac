//! Looking through a file of events for a text, from its beginning to its end.
//!
//! Owns the going through: pieces of a file in one reused buffer, the lines that may hold the text, how many do, and the
//! newest of them. What counts as holding a text is [`needle`]'s. Blocks: a gigabyte takes about a third of a second
//! where few lines hold the text, and about a second per million lines where most do.
//!
//! Rules: memory is bounded whatever the file holds, by the longest line that is an event
//! ([`LINE_LIMIT`]) and by [`KEPT`] matches; a line longer than that is passed over and
//! counted; a line is decoded only where it may hold the text.

pub mod needle;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::ControlFlow;

use jiff::Timestamp;

use needle::{Looked, Sieve};
pub use needle::{Needle, NoNeedle, Piece};

use super::streamed::last_seq;
use crate::api::event::{Decoded, ProtocolError, decode};
use crate::api::ids::{NodeId, RunId};
use crate::api::ndjson::LINE_LIMIT;

/// Matches that are kept, the newest: more than anybody looks through one by one.
pub const KEPT: usize = 1_000;

/// How much is read at once: what is read is looked through while it is still near the processor.
const PIECE: usize = 256 * 1024;

/// Bytes that are kept of a line that is no event.
const REJECTED_KEPT: usize = 4 * 1024;

/// A line that holds the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its seq; a line that is no event may have none.
    pub seq: Option<u64>,
    /// Where the line begins in the file, in bytes; `None` where it came from no file.
    pub offset: Option<u64>,
    /// What the line is.
    pub line: MatchedLine,
    /// The text with what stands round it; not yet inert.
    pub piece: Piece,
}

/// What a line is that holds the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchedLine {
    /// An event.
    Event {
        /// When the server recorded it.
        ts: Timestamp,
        /// Its type on the wire.
        event_type: Box<str>,
        /// The node that it is about.
        node_id: Option<NodeId>,
    },
    /// A line that breaks the protocol: why, and its beginning.
    Rejected(ProtocolError),
}

/// What a file holds of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The last [`KEPT`] matches, as they stand in the file.
    pub matches: VecDeque<Match>,
    /// How many lines match in all.
    pub count: u64,
    /// The seq of the last event in the file; 0 where it has none.
    pub last_seq: u64,
    /// Lines that were passed over, since they are longer than any event.
    pub too_long: u64,
}

impl Found {
    /// Adds a match behind the others.
    pub fn push(&mut self, found: Match) {
        self.count += 1;
        if self.matches.len() == KEPT {
            self.matches.pop_front();
        }
        self.matches.push_back(found);
    }
}

/// Which lines are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The run. Events of another are passed over.
    pub run_id: RunId,
    /// Only events of this node.
    pub node_id: Option<NodeId>,
}

/// Looks through `file` from where it stands. After each piece `watch` is told how many bytes were read by then; where
/// it breaks, the scan ends. Returns `None` where it was ended.
///
/// A last line without an end counts only where it is an event: the file may be being written.
///
/// # Errors
/// When the file cannot be read.
pub fn scan(
    file: impl Read,
    needle: &Needle,
    scope: &Scope,
    mut watch: impl FnMut(u64) -> ControlFlow<()>,
) -> io::Result<Option<Found>> {
    let mut pieces = Pieces::new(file);
    let mut found = Found::default();
    let (mut sieve, mut given) = (None, 0_u32);
    while let Some(piece) = pieces.next_piece()? {
        given = given.saturating_add(1);
        if given.is_power_of_two() {
            // What is rare in the first lines may be common in those behind.
            sieve = None;
        }
        let sieve = sieve.get_or_insert_with(|| needle.sieve(piece.lines));
        scan_piece(&piece, sieve, needle, scope, &mut found);
        if let Some(seq) = last_seq(piece.lines, scope.run_id) {
            found.last_seq = seq;
        }
        if watch(pieces.read).is_break() {
            return Ok(None);
        }
    }
    found.too_long = pieces.too_long;
    Ok(Some(found))
}

fn scan_piece(piece: &LinePiece<'_>, sieve: &Sieve, needle: &Needle, scope: &Scope, found: &mut Found) {
    let lines = piece.lines;
    let mut from = 0;
    while let Some(at) = sieve.find(&lines[from..]).map(|at| from + at) {
        let start = memchr::memrchr(b'\n', &lines[..at]).map_or(0, |end| end + 1);
        let end = memchr::memchr(b'\n', &lines[at..]).map(|length| at + length);
        let line = &lines[start..end.unwrap_or(lines.len())];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(matched) = match_line(line, needle, scope, Some(piece.offset + start as u64))
            && (end.is_some() || matches!(matched.line, MatchedLine::Event { .. }))
        {
            found.push(matched);
        }
        // At most once a line.
        let Some(end) = end else { return };
        from = end + 1;
    }
}

/// What one line, without its line end, holds of the text; it begins at `offset` of its file, if it has one.
#[must_use]
pub fn match_line(line: &[u8], needle: &Needle, scope: &Scope, offset: Option<u64>) -> Option<Match> {
    let Looked { piece, node_id } = needle.look(line)?;
    if let (Some(wanted), Some(node_id)) = (&scope.node_id, &node_id)
        && wanted.as_str() != node_id
    {
        return None;
    }
    match decode(line) {
        Ok(Decoded::Event(event)) => {
            let of_node = scope.node_id.is_none() || event.body.node_id() == scope.node_id.as_ref();
            (event.run_id == scope.run_id && of_node).then(|| Match {
                seq: Some(event.seq),
                offset,
                line: MatchedLine::Event {
                    ts: event.ts,
                    event_type: event.body.type_name().into(),
                    node_id: event.body.node_id().cloned(),
                },
                piece,
            })
        }
        Ok(Decoded::Keepalive | Decoded::Blank) => None,
        // Of a node are events only.
        Err(_) if scope.node_id.is_some() => None,
        Err(mut error) => {
            error.line.truncate(REJECTED_KEPT);
            // Truncating a shared slice keeps the whole of it.
            error.line = bytes::Bytes::copy_from_slice(&error.line);
            Some(Match { seq: error.seq, offset, line: MatchedLine::Rejected(error), piece })
        }
    }
}

/// Some whole lines of a file; only the last of a file may lack its end.
struct LinePiece<'a> {
    lines: &'a [u8],
    /// Where they begin in the file.
    offset: u64,
}

/// Gives a file piece by piece, each of whole lines, in one buffer.
struct Pieces<R> {
    file: R,
    buffer: Vec<u8>,
    /// The part of the buffer that was read and not given: the beginning of a line.
    rest: std::ops::Range<usize>,
    /// Bytes of the file that were read.
    read: u64,
    too_long: u64,
    /// Within a line that is too long.
    skipping: bool,
    at_end: bool,
}

impl<R: Read> Pieces<R> {
    fn new(file: R) -> Self {
        Self { file, buffer: vec![0; PIECE], rest: 0..0, read: 0, too_long: 0, skipping: false, at_end: false }
    }

    fn next_piece(&mut self) -> io::Result<Option<LinePiece<'_>>> {
        while !self.at_end {
            self.make_room();
            let new = self.rest.end;
            let bytes = read(&mut self.file, &mut self.buffer[new..])?;
            self.read += bytes as u64;
            self.rest.end += bytes;
            self.at_end = bytes == 0;
            if self.skipping {
                self.skip(new);
            }
            let end = if self.at_end {
                self.rest.end
            } else {
                memchr::memrchr(b'\n', &self.buffer[new.max(self.rest.start)..self.rest.end])
                    .map_or(self.rest.start, |at| new.max(self.rest.start) + at + 1)
            };
            let given = self.rest.start..end;
            if !given.is_empty() {
                self.rest.start = end;
                let offset = self.read - (self.rest.end - given.start) as u64;
                return Ok(Some(LinePiece { lines: &self.buffer[given], offset }));
            }
        }
        Ok(None)
    }

    /// Moves the beginning of a line to the front; a line that fills the buffer gets a larger one, up to the longest
    /// that an event can have.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        if self.rest.len() < self.buffer.len() {
            return;
        }
        if self.buffer.len() <= LINE_LIMIT {
            // A little more than the limit: the line's end has to come into it.
            self.buffer.resize((self.buffer.len() * 2).min(LINE_LIMIT + 2), 0);
            return;
        }
        self.too_long += 1;
        self.skipping = true;
        self.rest = 0..0;
        // The next lines are short again, most likely.
        self.buffer.truncate(PIECE);
        self.buffer.shrink_to_fit();
    }

    /// Drops what was read of a line that is too long, from `new` on.
    fn skip(&mut self, new: usize) {
        match memchr::memchr(b'\n', &self.buffer[new..self.rest.end]) {
            Some(at) => {
                self.skipping = false;
                self.rest.start = new + at + 1;
            }
            None => self.rest = 0..0,
        }
    }
}

fn read(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests;
