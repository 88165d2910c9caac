//! One event's line, or all behind it, in a file whose events stand in seq order, found by halving.
//!
//! Blocks while it reads: at most a few hundred kilobytes, or as much as the longest lines there.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;

use super::Lines;
use crate::api::event::{Decoded, Event, decode};
use crate::api::ids::RunId;
use crate::api::ndjson::Line;
use crate::store::private_file;

/// A part of the file that is not larger is read from its beginning.
const READ_THROUGH: u64 = 256 * 1024;

/// So much is read of the middle of a part to see which events stand there.
const LOOKED_AT: u64 = 16 * 1024;

/// The line of the event `seq` of `run_id` in the file at `path`; `None` where it has none.
///
/// # Errors
/// When the file cannot be read or is not a regular file.
pub fn event_line(path: &Path, run_id: RunId, seq: u64) -> io::Result<Option<Bytes>> {
    let file = private_file::open_to_read(path)?;
    let end = file.metadata()?.len();
    let start = start_before(&file, run_id, seq, end)?;
    let mut lines = lines_from(&file, start, end)?;
    while let Some((event, line, _)) = next_event(&mut lines, run_id)? {
        if event.seq >= seq {
            return Ok((event.seq == seq).then_some(line));
        }
    }
    Ok(None)
}

/// The lines behind the event `seq` of `run_id` in the file at `path`; all of them for 0. Where it has no such event, those
/// from the next one of the run on.
///
/// # Errors
/// When the file cannot be read or is not a regular file.
pub fn lines_behind(path: &Path, run_id: RunId, seq: u64) -> io::Result<Lines<File>> {
    let mut file = private_file::open_to_read(path)?;
    let end = file.metadata()?.len();
    let mut start = 0;
    if seq > 0 {
        start = start_before(&file, run_id, seq, end)?;
        let mut lines = lines_from(&file, start, end)?;
        while let Some((event, _, begins)) = next_event(&mut lines, run_id)? {
            start = if event.seq > seq { begins } else { lines.offset() };
            if event.seq >= seq {
                break;
            }
        }
    }
    file.seek(SeekFrom::Start(start))?;
    Ok(Lines::new(file, start, u64::MAX))
}

/// An offset at which a line begins, before the event `seq` and not far from it.
fn start_before(file: &File, run_id: RunId, seq: u64, end: u64) -> io::Result<u64> {
    let (mut low, mut high) = (0, end);
    while high - low > READ_THROUGH {
        let middle = low + (high - low) / 2;
        // A line or two are enough, where they are not larger than this.
        let few = (middle + LOOKED_AT).min(high);
        let mut found = event_behind(file, run_id, middle, few)?;
        if found.is_none() && few < high {
            found = event_behind(file, run_id, middle, high)?;
        }
        match found {
            Some((found, start)) if found <= seq => low = start,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The seq of the first event that begins behind `start`, and where its line begins.
fn event_behind(file: &File, run_id: RunId, start: u64, end: u64) -> io::Result<Option<(u64, u64)>> {
    let mut lines = lines_from(file, start, end)?;
    // It stands within a line, most likely.
    lines.next_line()?;
    Ok(next_event(&mut lines, run_id)?.map(|(event, _, start)| (event.seq, start)))
}

fn lines_from(file: &File, start: u64, end: u64) -> io::Result<Lines<&File>> {
    let mut position = file;
    position.seek(SeekFrom::Start(start))?;
    Ok(Lines::new(file, start, end - start))
}

/// The next event of the run, its line, and the offset at which the line begins. What is none is passed over.
fn next_event(lines: &mut Lines<&File>, run_id: RunId) -> io::Result<Option<(Event, Bytes, u64)>> {
    while let Some(found) = lines.next_line()? {
        let Line::Whole(line) = found.line else { continue };
        if !found.ended {
            return Ok(None);
        }
        if let Ok(Decoded::Event(event)) = decode(&line)
            && event.run_id == run_id
        {
            let start = found.end - line.len() as u64 - 1 - u64::from(found.marked);
            return Ok(Some((event, line, start)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
    const OTHER: &str = "550e8400-e29b-41d4-a716-44665544000f";

    fn line(run: &str, seq: u64) -> String {
        format!(
            r#"{{"envelope_version":"v2","run_id":"{run}","seq":{seq},"ts":"2026-01-01T00:00:00Z","type":"node_started","node_id":"n{}"}}"#,
            "x".repeat(usize::try_from(seq % 60).unwrap())
        )
    }

    #[test]
    fn every_event_of_a_large_file_is_found_and_no_other() {
        let mut text = String::new();
        for seq in (1..=9_000).filter(|seq| seq % 1000 != 7) {
            let end = if seq % 1000 == 8 { "\r\n" } else { "\n" };
            let _ = write!(text, "{}{end}", line(RUN, seq));
            if seq % 100 == 0 {
                let _ = write!(text, "not JSON\r\n{}\r\n", line(OTHER, seq + 1));
            }
        }
        assert!(text.len() as u64 > 4 * READ_THROUGH);
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.ndjson");
        std::fs::write(&path, &text).unwrap();
        let run_id = RUN.parse().unwrap();
        for seq in (1..=9_010).step_by(13).chain([1, 8_999, 9_000, 9_001, 1_007, 2_007]) {
            let there = seq <= 9_000 && seq % 1000 != 7;
            let found = event_line(&path, run_id, seq).unwrap();
            assert_eq!(found, there.then(|| Bytes::from(line(RUN, seq))), "{seq}");
        }
        for seq in (0..=9_010).step_by(17).chain([8_999, 9_000, 1_007]) {
            let mut lines = lines_behind(&path, run_id, seq).unwrap();
            let mut seqs = Vec::new();
            while let Some(found) = lines.next_line().unwrap() {
                let Line::Whole(line) = found.line else { panic!() };
                if let Ok(Decoded::Event(event)) = decode(&line)
                    && event.run_id == run_id
                {
                    seqs.push(event.seq);
                }
            }
            let behind: Vec<u64> = (seq + 1..=9_000).filter(|seq| seq % 1000 != 7).collect();
            assert_eq!(seqs, behind, "{seq}");
        }
        // The last line is being written.
        std::fs::write(&path, line(RUN, 1)).unwrap();
        assert_eq!(event_line(&path, run_id, 1).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_none_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let run_id = RUN.parse().unwrap();
        assert!(event_line(home.path(), run_id, 1).is_err());
        assert!(event_line(&home.path().join("absent"), run_id, 1).is_err());
    }
}
