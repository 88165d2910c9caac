//! What a node has streamed, read from the end of a file of events backwards until there is enough.
//!
//! Blocks: until it has read the bytes that were asked for, or the whole file where the node has streamed less. Rules:
//! memory is bounded by the text that is asked for and by the longest line that is an event; only lines that name the
//! node are decoded; a line that is longer than any event is passed over.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use memchr::memmem::Finder;

use crate::api::event::{Decoded, Delta, Event, EventBody, decode};
use crate::api::ids::{NodeId, RunId};
use crate::api::ndjson::LINE_LIMIT;

/// How much is read at once.
const PIECE: usize = 256 * 1024;

/// The last pieces that a node has streamed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streamed {
    /// Each with the seq of its event, in seq order.
    pub deltas: Vec<(u64, Delta)>,
    /// Everything up to this seq that the file holds is in them; 0 where the file has no event.
    pub through: u64,
    /// Whether the file was read to its beginning: the node has streamed no more before them.
    pub whole: bool,
}

/// Reads at least the last `bytes` bytes of text that the node had streamed by the event `through`. After each piece
/// `watch` is asked whether to go on; returns `None` where it breaks.
///
/// # Errors
/// When the file cannot be read.
pub fn streamed(
    file: &File,
    run_id: RunId,
    node_id: &NodeId,
    through: u64,
    bytes: usize,
    mut watch: impl FnMut() -> ControlFlow<()>,
) -> io::Result<Option<Streamed>> {
    let named = format!("\"{node_id}\"");
    let finder = Finder::new(&named);
    let mut pieces = Backwards { file, end: file.metadata()?.len(), size: PIECE, buffer: Vec::new() };
    let mut found = VecDeque::new();
    let (mut read, mut last) = (0, None);
    while read < bytes
        && let Some(lines) = pieces.next_piece()?
    {
        last = last.or_else(|| last_seq(lines, run_id));
        // Found forwards, which is several times as fast as backwards.
        let mut hits: Vec<usize> = finder.find_iter(lines).collect();
        let mut end = lines.len();
        while read < bytes
            && let Some(at) = hits.pop()
        {
            if at >= end {
                // It stands in the line that was read last.
                continue;
            }
            let start = memchr::memrchr(b'\n', &lines[..at]).map_or(0, |end| end + 1);
            let line = memchr::memchr(b'\n', &lines[at..]).map_or(&lines[start..], |length| &lines[start..at + length]);
            if let Some((seq, delta)) = delta_of(line, run_id, node_id).filter(|(seq, _)| *seq <= through) {
                read += delta.text_delta.as_deref().map_or(0, str::len);
                found.push_front((seq, delta));
            }
            end = start;
        }
        if watch().is_break() {
            return Ok(None);
        }
    }
    let mut deltas = Vec::from(found);
    // A journal is in order; a file from elsewhere may not be, and may hold an event twice.
    deltas.sort_by_key(|(seq, _)| *seq);
    deltas.dedup_by_key(|(seq, _)| *seq);
    Ok(Some(Streamed { deltas, through: last.unwrap_or(0).min(through), whole: read < bytes }))
}

fn event_of(line: &[u8], run_id: RunId) -> Option<Event> {
    match decode(line.strip_suffix(b"\r").unwrap_or(line)) {
        Ok(Decoded::Event(event)) if event.run_id == run_id => Some(event),
        _ => None,
    }
}

fn delta_of(line: &[u8], run_id: RunId, node_id: &NodeId) -> Option<(u64, Delta)> {
    let event = event_of(line, run_id)?;
    match event.body {
        EventBody::NodeOutputDelta(e) if e.node_id == *node_id => Some((event.seq, e.delta)),
        _ => None,
    }
}

/// The seq of the last of these lines that is an event of the run.
pub(super) fn last_seq(lines: &[u8], run_id: RunId) -> Option<u64> {
    let mut end = lines.len();
    loop {
        let start = memchr::memrchr(b'\n', &lines[..end]).map_or(0, |end| end + 1);
        if let Some(event) = event_of(&lines[start..end], run_id) {
            return Some(event.seq);
        }
        end = start.checked_sub(1)?;
    }
}

/// Gives a file piece by piece, the last first, each of whole lines.
struct Backwards<'f> {
    file: &'f File,
    /// What stands behind it was given: the beginning of a line, or the file's end.
    end: u64,
    size: usize,
    buffer: Vec<u8>,
}

impl Backwards<'_> {
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        while self.end > 0 {
            let start = self.end.saturating_sub(self.size as u64);
            let length = usize::try_from(self.end - start).unwrap_or(self.size);
            self.buffer.resize(length, 0);
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(&mut self.buffer)?;
            if start == 0 {
                self.end = 0;
                return Ok(Some(&self.buffer));
            }
            // The last byte is the end of the last line, most likely.
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[..length - 1]) {
                self.end = start + at as u64 + 1;
                self.size = PIECE;
                return Ok(Some(&self.buffer[at + 1..]));
            }
            if self.size > LINE_LIMIT {
                // Of a line that is too long, this was the end, or a part.
                self.end = start;
                self.size = PIECE;
            } else {
                self.size = (self.size * 2).min(LINE_LIMIT + 2);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

    fn line(seq: u64, node: &str, text: &str) -> String {
        format!(
            r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-11-22T10:00:00Z","type":"node_output_delta","node_id":"{node}","delta":{{"kind":"message_delta","text_delta":"{text}"}}}}"#
        )
    }

    fn read(text: &str, node: &str, through: u64, bytes: usize) -> Streamed {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let go_on = || ControlFlow::Continue(());
        streamed(&file, RUN.parse().unwrap(), &node.parse().unwrap(), through, bytes, go_on).unwrap().unwrap()
    }

    fn seqs(read: &Streamed) -> Vec<u64> {
        read.deltas.iter().map(|(seq, _)| *seq).collect()
    }

    #[test]
    fn only_as_much_is_read_as_is_wanted_and_only_of_the_node() {
        let lines: Vec<String> =
            (1..=20_000).map(|seq| line(seq, if seq % 2 == 0 { "a" } else { "b" }, "12345")).collect();
        let file = lines.join("\n") + "\n";
        let end = read(&file, "a", u64::MAX, 11);
        assert_eq!((seqs(&end), end.through, end.whole), (vec![19_996, 19_998, 20_000], 20_000, false));
        let before = read(&file, "b", 100, 5);
        assert_eq!((seqs(&before), before.through, before.whole), (vec![99], 100, false), "later events are not told");
        let all = read(&file, "a", u64::MAX, usize::MAX);
        assert_eq!((all.deltas.len(), all.whole), (10_000, true));
        let none = read(&file, "c", u64::MAX, 1);
        assert_eq!((none.deltas.len(), none.through, none.whole), (0, 20_000, true));
    }

    #[test]
    fn what_is_longer_than_any_event_is_passed_over_and_what_is_being_written_waits() {
        let long = format!("{}\n{}", line(1, "a", "one"), line(2, "a", &"x".repeat(LINE_LIMIT + 2 * PIECE)));
        let whole = line(3, "a", &"y".repeat(LINE_LIMIT - 1_000));
        let torn = line(6, "a", "six");
        let file =
            format!("{long}\n{whole}\r\nno JSON with \"a\"\r\n{}\n{}", line(5, "a", "five"), &torn[..torn.len() - 4]);
        let found = read(&file, "a", u64::MAX, usize::MAX);
        assert_eq!((seqs(&found), found.through, found.whole), (vec![1, 3, 5], 5, true));
        assert_eq!(read("", "a", 7, 9), Streamed { whole: true, ..Streamed::default() });
        assert_eq!(seqs(&read(&torn, "a", 9, 9)), [6], "an event without a line end is one");
    }

    #[test]
    fn a_reading_that_is_not_wanted_ends() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all((line(1, "a", "one") + "\n").as_bytes()).unwrap();
        let stop = || ControlFlow::Break(());
        assert_eq!(streamed(&file, RUN.parse().unwrap(), &"a".parse().unwrap(), 1, 9, stop).unwrap(), None);
    }

    proptest! {
        #[test]
        fn read_backwards_or_forwards_it_is_the_same(
            events in prop::collection::vec((0_usize..3, 0_usize..3_000), 1..300),
            bytes in 0_usize..100_000,
        ) {
            let file: String =
                (1..).zip(&events).map(|(seq, (node, long))| line(seq, ["a", "b", "c"][*node], &"t".repeat(*long)) + "\n").collect();
            let all: Vec<(u64, usize)> =
                (1..).zip(&events).filter(|(_, (node, _))| *node == 1).map(|(seq, (_, long))| (seq, *long)).collect();
            let mut sum = 0;
            let enough = all.iter().rev().take_while(|(_, long)| { let more = sum < bytes; sum += long; more }).count();
            let wanted: Vec<u64> = all[all.len() - enough..].iter().map(|(seq, _)| *seq).collect();
            prop_assert_eq!(seqs(&read(&file, "b", u64::MAX, bytes)), wanted);
        }
    }
}
