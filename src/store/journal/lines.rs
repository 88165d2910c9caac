//! The lines of a file of events, read in large pieces: memory holds one piece and at most one line.
//!
//! Rule: the offsets are the file's own, so that a file can be cut behind any line that was given.

use std::io::{self, Read};

use bytes::Bytes;

use crate::api::ndjson::{Line, LineSplitter};

/// How much is read at once: enough that the calls cost nothing beside the decoding, and little enough to stay in the
/// processor's cache until it is decoded.
const PIECE: usize = 128 * 1024;

/// One line of a file, without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLine {
    /// The line.
    pub line: Line,
    /// Whether it ended in CR LF.
    pub marked: bool,
    /// Whether it has a line end: the last line of a file that was cut has none.
    pub ended: bool,
    /// The offset in the file behind it, its line end included.
    pub end: u64,
}

/// Gives a file's lines one by one.
#[derive(Debug)]
pub struct Lines<R> {
    file: R,
    splitter: LineSplitter,
    offset: u64,
    /// Bytes of the file that were read.
    read: u64,
    /// No more than so many bytes are read.
    limit: u64,
    at_end: bool,
}

impl<R: Read> Lines<R> {
    /// The lines of `file`, which stands at `offset`, up to the first `limit` bytes from there.
    pub fn new(file: R, offset: u64, limit: u64) -> Self {
        Self { file, splitter: LineSplitter::default(), offset, read: 0, limit, at_end: false }
    }

    /// The longest line that is kept whole, in bytes.
    #[must_use]
    pub fn line_limit(&self) -> usize {
        self.splitter.limit()
    }

    /// The offset in the file behind the last line that was given.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line, or `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<FileLine>> {
        loop {
            if let Some(line) = self.splitter.next_line() {
                return Ok(Some(self.file_line(line, true)));
            }
            if self.at_end {
                let rest = self.splitter.finish();
                return Ok(rest.map(|line| self.file_line(line, false)));
            }
            match self.piece()? {
                Some(piece) => self.splitter.push(piece),
                None => self.at_end = true,
            }
        }
    }

    fn file_line(&mut self, line: Line, ended: bool) -> FileLine {
        let (bytes, marked) = match &line {
            Line::Whole(line) => {
                let marked = self.splitter.ended_with_carriage_return();
                (line.len() as u64 + u64::from(marked), marked)
            }
            Line::TooLong { bytes, .. } => (*bytes, false),
        };
        self.offset += bytes + u64::from(ended);
        FileLine { line, marked, ended, end: self.offset }
    }

    fn piece(&mut self) -> io::Result<Option<Bytes>> {
        let room = usize::try_from(self.limit - self.read).unwrap_or(PIECE).min(PIECE);
        // So nothing is written that is read over at once.
        let mut piece = Vec::with_capacity(room);
        let bytes = self.file.by_ref().take(room as u64).read_to_end(&mut piece)?;
        self.read += bytes as u64;
        Ok((bytes > 0).then(|| piece.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut source: &[u8], limit: u64) -> Vec<(Vec<u8>, bool, bool, u64)> {
        let mut lines = Lines::new(&mut source, 0, limit);
        let mut found = Vec::new();
        while let Some(FileLine { line, marked, ended, end }) = lines.next_line().unwrap() {
            let Line::Whole(line) = line else { panic!("{line:?}") };
            found.push((line.to_vec(), marked, ended, end));
        }
        found
    }

    #[test]
    fn each_line_comes_with_its_mark_and_the_offset_behind_it() {
        let found = lines(b"one\ntwo\r\n\nrest", u64::MAX);
        let line = |text: &str, marked, ended, end| (text.as_bytes().to_vec(), marked, ended, end);
        assert_eq!(
            found,
            [
                line("one", false, true, 4),
                line("two", true, true, 9),
                line("", false, true, 10),
                line("rest", false, false, 14)
            ]
        );
    }

    #[test]
    fn no_more_is_read_than_was_allowed() {
        assert_eq!(lines(b"one\ntwo\n", 6).last().unwrap().0, b"tw");
        assert_eq!(lines(b"one\ntwo\n", 0), []);
    }

    #[test]
    fn offsets_hold_also_over_pieces_and_over_long_lines() {
        let long = vec![b'x'; 17 * 1024 * 1024];
        let text = [&long[..PIECE - 1], b"\n", &long, b"\r\n", b"end\n"].concat();
        let mut lines = Lines::new(text.as_slice(), 7, u64::MAX);
        let mut ends = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            ends.push(line.end - 7);
        }
        let (first, second) = (PIECE as u64, (PIECE + long.len() + 2) as u64);
        assert_eq!(ends, [first, second, second + 4]);
    }
}
