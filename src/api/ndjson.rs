//! Splits the bytes of a stream into lines, whatever the network cuts.
//!
//! Owns line ends and the limit on a line's length; knows nothing of JSON or UTF-8, so that a character cut in two
//! is whole again before anyone decodes it. Rule: how the bytes were chunked never changes the lines that come out,
//! and an over-long line costs only itself.

use bytes::{Buf, Bytes, BytesMut};

/// The longest line that is kept whole: 16 MiB. An inline output is at most 1 MB (`wire/README.md`, "Endpoints").
pub const LINE_LIMIT: usize = 16 * 1024 * 1024;

/// How much of the beginning of an over-long line is kept, in bytes: enough for its envelope.
pub const PREFIX_KEPT: usize = 4 * 1024;

/// What stood between two line ends, without the line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line within the limit; may be empty.
    Whole(Bytes),
    /// A line over the limit, skipped to its end.
    TooLong {
        /// Its whole length in bytes, a carriage return before the line feed included.
        bytes: u64,
        /// Its first [`PREFIX_KEPT`] bytes, or fewer where the limit is smaller.
        prefix: Bytes,
    },
}

/// Takes chunks, gives lines. Lines that lie within one chunk are slices of it, not copies.
#[derive(Debug)]
pub struct LineSplitter {
    limit: usize,
    /// The part of the last chunk that has not been looked at.
    chunk: Bytes,
    /// The beginning of a line whose end has not come yet.
    carried: BytesMut,
    /// Bytes of an over-long line that were skipped, where one is being skipped; `carried` is its prefix then.
    skipped: Option<u64>,
    /// Whether a carriage return was taken off the line that was given last.
    stripped: bool,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self::with_limit(LINE_LIMIT)
    }
}

impl LineSplitter {
    /// A splitter that keeps lines of at most `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, chunk: Bytes::new(), carried: BytesMut::new(), skipped: None, stripped: false }
    }

    /// The longest line that is kept whole, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether the whole line that was given last ended with a carriage return before its line feed.
    #[must_use]
    pub fn ended_with_carriage_return(&self) -> bool {
        self.stripped
    }

    /// Whether the line that has begun is over the limit: what comes of it is counted and dropped.
    #[must_use]
    pub fn is_skipping(&self) -> bool {
        self.skipped.is_some()
    }

    /// Takes the next chunk. Take every line with [`Self::next_line`] before the next push: what is left of the
    /// chunk before is joined with this one by copying.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut joined = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            joined.extend_from_slice(&self.chunk);
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        }
    }

    /// The next line that has ended; `None` when more bytes are needed.
    pub fn next_line(&mut self) -> Option<Line> {
        let Some(end) = memchr::memchr(b'\n', &self.chunk) else {
            let rest = std::mem::take(&mut self.chunk);
            self.carry(&rest);
            return None;
        };
        let head = self.chunk.split_to(end);
        // The line feed itself.
        self.chunk.advance(1);
        Some(self.end_line(head))
    }

    /// The last line, where the stream ended without a line feed; `None` when nothing is left. Take every ended line
    /// first.
    pub fn finish(&mut self) -> Option<Line> {
        let rest = std::mem::take(&mut self.chunk);
        self.carry(&rest);
        if self.carried.is_empty() && self.skipped.is_none() {
            return None;
        }
        Some(self.end_line(Bytes::new()))
    }

    /// Keeps what belongs to a line whose end has not come.
    fn carry(&mut self, part: &[u8]) {
        if let Some(skipped) = &mut self.skipped {
            *skipped += part.len() as u64;
            return;
        }
        // One byte more than the limit may still be a carriage return that does not count.
        if self.carried.len() + part.len() <= self.limit + 1 {
            self.carried.extend_from_slice(part);
            return;
        }
        let kept = PREFIX_KEPT.min(self.limit);
        let whole = (self.carried.len() + part.len()) as u64;
        let missing = kept.saturating_sub(self.carried.len()).min(part.len());
        self.carried.extend_from_slice(&part[..missing]);
        // A fresh buffer: the old one has grown to the limit.
        self.carried = BytesMut::from(&self.carried[..kept.min(self.carried.len())]);
        self.skipped = Some(whole - self.carried.len() as u64);
    }

    /// Makes a line of what was carried and of `head`, the part before the line end.
    fn end_line(&mut self, head: Bytes) -> Line {
        let mut whole = if self.carried.is_empty() && self.skipped.is_none() && head.len() <= self.limit + 1 {
            head
        } else {
            self.carry(&head);
            self.carried.split().freeze()
        };
        let skipped = self.skipped.take();
        let marked = whole.last() == Some(&b'\r');
        let bare = whole.len() - usize::from(marked);
        if skipped.is_none() && bare <= self.limit {
            self.stripped = marked;
            whole.truncate(bare);
            return Line::Whole(whole);
        }
        Line::TooLong {
            bytes: whole.len() as u64 + skipped.unwrap_or_default(),
            prefix: whole.slice(..whole.len().min(PREFIX_KEPT).min(self.limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Every line of `chunks`, the unended one included.
    fn split(limit: usize, chunks: &[&[u8]]) -> Vec<Line> {
        let mut splitter = LineSplitter::with_limit(limit);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(Bytes::copy_from_slice(chunk));
            lines.extend(std::iter::from_fn(|| splitter.next_line()));
        }
        lines.extend(splitter.finish());
        lines
    }

    fn whole(text: &str) -> Line {
        Line::Whole(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn lines_end_with_a_line_feed_with_both_or_with_the_stream() {
        assert_eq!(split(100, &[b"a\nb\r\n\nc"]), [whole("a"), whole("b"), whole(""), whole("c")]);
        assert_eq!(split(100, &[b"a\n"]), [whole("a")]);
        assert_eq!(split(100, &[b""]), []);
        assert_eq!(split(100, &[b"a\r", b"\nb\rc\n"]), [whole("a"), whole("b\rc")]);
    }

    #[test]
    fn the_kind_of_a_line_end_can_be_asked_for() {
        let mut splitter = LineSplitter::default();
        splitter.push(Bytes::from_static(b"a\r\nb\n\r\n"));
        for (line, carriage_return) in [("a", true), ("b", false), ("", true)] {
            assert_eq!(splitter.next_line(), Some(whole(line)));
            assert_eq!(splitter.ended_with_carriage_return(), carriage_return, "{line}");
        }
    }

    #[test]
    fn a_line_over_the_limit_is_reported_once_and_costs_only_itself() {
        let too_long = |bytes, prefix: &str| Line::TooLong { bytes, prefix: Bytes::copy_from_slice(prefix.as_bytes()) };
        assert_eq!(split(3, &[b"abc\nabcd\nabc\r\nx"]), [whole("abc"), too_long(4, "abc"), whole("abc"), whole("x")]);
        assert_eq!(split(3, &[b"ab", b"cdef", b"ghi", b"j\nxy\n"]), [too_long(10, "abc"), whole("xy")]);
        assert_eq!(split(3, &[b"abcdefgh"]), [too_long(8, "abc")]);
    }

    #[test]
    fn a_line_within_one_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"first\nsecond\n");
        let start = chunk.as_ptr() as usize;
        let mut splitter = LineSplitter::default();
        splitter.push(chunk);
        for offset in [0, 6] {
            let Some(Line::Whole(line)) = splitter.next_line() else { panic!("a line") };
            assert_eq!(line.as_ptr() as usize, start + offset);
        }
    }

    /// Bytes in which line ends are common.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b'\r')], 0..200)
    }

    proptest! {
        #[test]
        fn splitting_anywhere_gives_the_same_lines(data in bytes(), limit in 1_usize..40, mut cuts in vec(0_usize..200, 0..8)) {
            for cut in &mut cuts {
                *cut = (*cut).min(data.len());
            }
            cuts.sort_unstable();
            let ends = cuts.iter().copied().chain([data.len()]);
            let starts = [0].into_iter().chain(cuts.iter().copied());
            let chunks: Vec<&[u8]> = starts.zip(ends).map(|(start, end)| &data[start..end]).collect();
            prop_assert_eq!(split(limit, &chunks), split(limit, &[&data]));
        }

        #[test]
        fn the_lines_of_a_prefix_and_of_the_rest_are_the_lines_of_the_whole(head in bytes(), tail in bytes()) {
            let joined = [head.as_slice(), b"\n", &tail].concat();
            let mut parts = split(1000, &[&[head.as_slice(), b"\n"].concat()]);
            parts.extend(split(1000, &[&tail]));
            prop_assert_eq!(parts, split(1000, &[&joined]));
        }

        #[test]
        fn no_byte_is_lost(data in bytes(), limit in 1_usize..40) {
            let reference: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
            let lines = split(limit, &[&data]);
            let last_is_empty = reference.last().is_some_and(|last| last.is_empty());
            prop_assert_eq!(lines.len(), reference.len() - usize::from(last_is_empty));
            for (line, expected) in lines.iter().zip(&reference) {
                let bare = expected.strip_suffix(b"\r").unwrap_or(expected);
                match line {
                    Line::Whole(line) => prop_assert_eq!(line, bare),
                    Line::TooLong { bytes, prefix } => {
                        prop_assert!(bare.len() > limit);
                        prop_assert_eq!(*bytes, expected.len() as u64);
                        prop_assert_eq!(prefix, &expected[..limit]);
                    }
                }
            }
        }
    }
}
