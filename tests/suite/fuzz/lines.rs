//! The stream: bytes to lines, lines to events.

use bytes::Bytes;
use relay_console::api::event::{Decoded, EventBody, canonical, decode};
use relay_console::api::ndjson::{Line, LineSplitter, PREFIX_KEPT};

use super::fuzz;

/// What the splitter should give, told in the plainest way.
fn reference(bytes: &[u8], limit: usize) -> Vec<Line> {
    let mut parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    // What follows the last line feed is a line only if there is something.
    if parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    let line = |part: &[u8]| {
        let bare = part.strip_suffix(b"\r").unwrap_or(part);
        if bare.len() <= limit {
            return Line::Whole(Bytes::copy_from_slice(bare));
        }
        let prefix = Bytes::copy_from_slice(&part[..PREFIX_KEPT.min(limit)]);
        Line::TooLong { bytes: part.len() as u64, prefix }
    };
    parts.into_iter().map(line).collect()
}

#[test]
fn the_splitter_gives_what_a_plain_split_gives_however_the_bytes_are_cut() {
    fuzz("line_splitter", &[b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"\xff\xfe", b"\0"], |input| {
        // The first bytes say the limit and how it is cut.
        let (head, bytes) = input.split_at(input.len().min(3));
        let at = |index: usize| usize::from(*head.get(index).unwrap_or(&7));
        let (limit, sizes) = (at(0) % 64, [1 + at(1) % 16, 1 + at(2)]);
        let mut splitter = LineSplitter::with_limit(limit);
        let mut lines = Vec::new();
        let (mut rest, mut turn) = (bytes, 0);
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(sizes[turn % 2].min(rest.len()));
            splitter.push(Bytes::copy_from_slice(chunk));
            lines.extend(std::iter::from_fn(|| splitter.next_line()));
            (rest, turn) = (after, turn + 1);
        }
        lines.extend(splitter.finish());
        assert_eq!(lines, reference(bytes, limit), "limit {limit}, sizes {sizes:?}");
    });
}

const WORDS: &[&[u8]] = &[
    b"\"type\":",
    b"\"node_waiting\"",
    b"\"node_user_ask\"",
    b"\"run_failed\"",
    b"\"keepalive\"",
    b"\"seq\":",
    b"\"v2\"",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-1",
    b"1e400",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"[[[[[[[[",
    b"\\ud800",
    b"\\u0000",
    b"\\u202e",
    b"\"\"",
    b"00000000-0000-0000-0000-000000000000",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\"node_id\":\"a\",",
];

#[test]
fn an_event_that_was_read_is_read_again_as_the_same_and_a_line_that_was_not_is_kept() {
    fuzz("event_decoder", WORDS, |input| {
        let line: Vec<u8> = input.iter().copied().filter(|byte| *byte != b'\n').collect();
        match decode(&line) {
            Ok(Decoded::Event(event)) => {
                assert!(event.seq > 0);
                let own = serde_json::to_string(&event).unwrap();
                let whole = canonical(&event, &line).unwrap();
                assert!(!whole.contains('\n'));
                for written in [own.as_bytes(), whole.as_bytes()] {
                    let Ok(Decoded::Event(again)) = decode(written) else { panic!("{}", written.escape_ascii()) };
                    // An event of an unknown type holds its own line, which may be spelt otherwise.
                    let is_unknown = matches!(event.body, EventBody::Unknown(_));
                    assert!(is_unknown || again == event, "{}", written.escape_ascii());
                    assert_eq!((again.run_id, again.seq, again.ts), (event.run_id, event.seq, event.ts));
                    assert_eq!(again.body.type_name(), event.body.type_name());
                    assert_eq!(again.body.node_id(), event.body.node_id());
                    assert_eq!(canonical(&again, written).unwrap().as_bytes(), written, "written once more");
                }
            }
            Ok(Decoded::Blank) => assert!(String::from_utf8_lossy(&line).trim().is_empty()),
            Ok(Decoded::Keepalive) => {
                assert!(line.windows(9).any(|word| word == b"keepalive") || line.contains(&b'\\'));
            }
            Err(error) => {
                assert_eq!(error.line.as_ref(), line.as_slice());
                assert!(!error.to_string().is_empty());
            }
        }
    });
}
