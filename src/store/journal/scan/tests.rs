//! What is found and what is not, at which place, in bounded memory.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const OTHER_RUN: &str = "550e8400-e29b-41d4-a716-44665544000f";

fn envelope(run: &str, seq: u64, rest: &str) -> String {
    format!(r#"{{"envelope_version":"v2","run_id":"{run}","seq":{seq},"ts":"2026-11-22T10:00:00Z",{rest}}}"#)
}

fn delta(seq: u64, node: &str, json_text: &str) -> String {
    let delta = format!(r#"{{"kind":"message_delta","text_delta":{json_text}}}"#);
    envelope(RUN, seq, &format!(r#""type":"node_output_delta","node_id":"{node}","delta":{delta}"#))
}

fn scope(node: Option<&str>) -> Scope {
    Scope { run_id: RUN.parse().unwrap(), node_id: node.map(|node| node.parse().unwrap()) }
}

/// Gives at most so many bytes at once.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

fn found_in(file: &[u8], text: &str, node: Option<&str>) -> Found {
    let go_on = |_| ControlFlow::Continue(());
    scan(file, &Needle::new(text).unwrap(), &scope(node), go_on).unwrap().unwrap()
}

fn seqs(file: &str, text: &str) -> Vec<u64> {
    found_in(file.as_bytes(), text, None).matches.iter().filter_map(|found| found.seq).collect()
}

#[test]
fn a_match_tells_its_place_its_event_and_what_stands_round_it() {
    let lines = [delta(1, "a", r#""one""#), delta(2, "b", r#""the pool \"size\" is 7""#)];
    let found = found_in(format!("{}\r\n{}\n", lines[0], lines[1]).as_bytes(), "\"Size\"", None);
    assert_eq!((found.count, found.last_seq), (0, 2), "a capital counts");
    let found = found_in(format!("{}\r\n{}\n", lines[0], lines[1]).as_bytes(), "\"size\"", None);
    let line = MatchedLine::Event {
        ts: "2026-11-22T10:00:00Z".parse().unwrap(),
        event_type: "node_output_delta".into(),
        node_id: Some("b".parse().unwrap()),
    };
    let piece = Piece { text: "the pool \"size\" is 7".into(), at: 9..15 };
    assert_eq!(found.matches, [Match { seq: Some(2), offset: Some(lines[0].len() as u64 + 2), line, piece }]);
}

#[test]
fn what_an_event_says_is_found_and_the_wires_own_words_are_not() {
    let call = r#""type":"node_tool_call","node_id":"fetch","tool_call":{"step":31,"request_id":"550e8400-e29b-41d4-a716-446655440001","tool_call":{"id":"c1","name":"logs.search","arguments":"{\"pool\":7}"}}"#;
    let output = r#""type":"node_output","node_id":"fetch","output":{"artifact_key":"k","info":{"bytes":9,"sha256":"00","included":true},"content":{"refund_id":4711,"x":null}}"#;
    let file = format!("{}\n{}\n", envelope(RUN, 1, call), envelope(RUN, 2, output));
    for (text, wanted) in [
        ("node_tool", vec![1]),
        ("fetch", vec![1, 2]),
        ("logs.s", vec![1]),
        ("{\"pool\":", vec![1]),
        ("446655440001", vec![1]),
        ("REFUND_ID", vec![]),
        ("refund_id", vec![2]),
        ("4711", vec![2]),
        ("LOGS.search", vec![]),
        ("node_id", vec![]),
        ("arguments", vec![]),
        ("artifact", vec![]),
        ("31", vec![]),
        ("446655440000", vec![]),
        ("2026", vec![]),
        ("v2", vec![]),
        ("null", vec![]),
    ] {
        assert_eq!(seqs(&file, text), wanted, "{text}");
    }
}

#[test]
fn a_text_is_found_however_json_writes_it() {
    let spoken = ["say \"hi\" to\tÉva/\\ 😀 <b>", "plain"];
    for (at, text) in spoken.iter().enumerate() {
        let usual = serde_json::to_string(text).unwrap();
        let units = |c: char| {
            let mut text = String::new();
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04X}");
            }
            text
        };
        let escaped = |c: char| if c.is_ascii_alphanumeric() || c == ' ' { c.to_string() } else { units(c) };
        let all_escaped = format!("\"{}\"", text.chars().map(escaped).collect::<String>());
        let file = format!("{}\n{}\n", delta(1, "a", &usual), delta(2, "a", &all_escaped.replace("\\u002F", "\\/")));
        let wanted = if at == 0 { vec![1, 2] } else { vec![] };
        for text in ["\"hi\"", "to\tÉ", "éva", "ÉVA", "Éva", "\\", "/\\", "😀", "<", "<b>", "say \"hi\"", "y", "SAY"]
        {
            let capital = text == "SAY" || text == "ÉVA";
            assert_eq!(seqs(&file, text), if capital { vec![] } else { wanted.clone() }, "{text}");
        }
    }
}

#[test]
fn of_a_node_only_its_own_events_count_and_of_another_run_none() {
    let other = envelope(OTHER_RUN, 4, r#""type":"node_started","node_id":"pool""#);
    let file = format!(
        "{}\n{}\nthe pool is no JSON\r\n{other}\n{}",
        delta(1, "a", r#""pool""#),
        delta(2, "b", r#""pool""#),
        delta(5, "a", r#""pool""#)
    );
    assert_eq!(found_in(file.as_bytes(), "pool", None).count, 4, "the rejected line, too; the last has no end");
    assert_eq!(seqs(&file, "pool"), [1, 2, 5]);
    let of_node = found_in(file.as_bytes(), "pool", Some("a"));
    assert_eq!((of_node.count, of_node.matches.iter().filter_map(|found| found.seq).collect()), (2, vec![1, 5]));
    let quoted = "the \"pool\" \\ is no JSON\n";
    assert_eq!(found_in(quoted.as_bytes(), "\"pool\" \\", None).count, 1, "as it stands, where nothing is escaped");
    let rejected = &found_in(file.as_bytes(), "no json", None).matches[0];
    assert!(matches!(&rejected.line, MatchedLine::Rejected(error) if &error.line[..] == b"the pool is no JSON"));
    let torn = &file[..file.len() - 3];
    assert_eq!(seqs(torn, "pool"), [1, 2], "the last line is being written");
}

#[test]
fn the_sieve_looks_for_what_is_rare_in_the_lines_that_it_is_for() {
    let needle = Needle::new("refund_denied").unwrap();
    let of = |sample: &[u8], lines: &str| needle.sieve(sample).find(lines.as_bytes());
    let words = "the refund was paid ".repeat(100);
    assert_eq!(of(words.as_bytes(), &words), None, "not for `refu`");
    let others = "_denied, _denied, ".repeat(100);
    assert_eq!(of(others.as_bytes(), &others), None, "not for `deni`");
    for sample in [&words, &others, ""] {
        assert!(of(sample.as_bytes(), "a REFUND_denied").is_some(), "{sample}");
    }
    let short = Needle::new("ab").unwrap();
    assert_eq!(short.sieve(b"").find(b"xxAB"), Some(2));
}

#[test]
fn the_newest_matches_are_kept_and_all_are_counted() {
    let file: String = (1..=KEPT as u64 + 7).map(|seq| delta(seq, "a", "\"x\"") + "\n").collect();
    let found = found_in(file.as_bytes(), "x", None);
    assert_eq!((found.count, found.matches.len()), (KEPT as u64 + 7, KEPT));
    assert_eq!(found.matches[0].seq, Some(8));
}

#[test]
fn a_line_over_the_limit_costs_only_itself_and_its_memory_is_given_back() {
    let long = delta(2, "a", &format!("\"{}\"", "x".repeat(LINE_LIMIT)));
    let whole = delta(3, "a", &format!("\"{}needle\"", "x".repeat(LINE_LIMIT - 1_000)));
    let file = format!("{}\n{long}needle\n{whole}\n{}\n", delta(1, "a", "\"needle\""), delta(4, "a", "\"needle\""));
    let found = found_in(file.as_bytes(), "needle", None);
    assert_eq!((found.count, found.too_long, found.last_seq), (3, 1, 4));
    let offsets: Vec<usize> =
        found.matches.iter().map(|found| usize::try_from(found.offset.unwrap()).unwrap()).collect();
    assert!(offsets.iter().all(|at| file[*at..].starts_with("{\"envelope")), "{offsets:?}");
    let endless = vec![b'x'; 2 * LINE_LIMIT];
    let mut pieces = Pieces::new(&endless[..]);
    while pieces.next_piece().unwrap().is_some() {}
    assert!(pieces.buffer.len() <= PIECE && pieces.too_long == 1, "{}", pieces.buffer.len());
}

#[test]
fn a_scan_tells_how_far_it_is_and_ends_when_it_is_told_to() {
    let file: String = (1..=20_000).map(|seq| delta(seq, "a", "\"text\"") + "\n").collect();
    let needle = Needle::new("none").unwrap();
    let mut told = Vec::new();
    let whole = scan(file.as_bytes(), &needle, &scope(None), |read| {
        told.push(read);
        ControlFlow::Continue(())
    });
    assert_eq!(whole.unwrap().map(|found| found.last_seq), Some(20_000));
    assert!(told.len() > 5 && told.is_sorted() && told.last() == Some(&(file.len() as u64)), "{told:?}");
    let ended = scan(file.as_bytes(), &needle, &scope(None), |_| ControlFlow::Break(()));
    assert_eq!(ended.unwrap(), None);
}

#[test]
fn what_cannot_be_looked_for_is_refused() {
    assert_eq!(Needle::new("").unwrap_err(), NoNeedle::Empty);
    assert_eq!(Needle::new(&"x".repeat(needle::MAX_BYTES + 1)).unwrap_err(), NoNeedle::TooLong);
    assert!(Needle::new(&"é\"".repeat(needle::MAX_BYTES / 3)).is_ok());
}

proptest! {
    #[test]
    fn however_a_file_is_cut_into_pieces_the_same_lines_are_found_as_one_by_one(
        texts in prop::collection::vec("[a-cA-C\"\\\\é/n ]{0,12}", 1..60),
        wanted in "[a-cA-C\"\\\\é/n]{1,4}",
        at_once in 1_usize..400,
        ascii: bool,
    ) {
        let json = |text: &String| {
            let json = serde_json::to_string(text).unwrap();
            if ascii { json.replace('é', "\\u00e9").replace('/', "\\/") } else { json }
        };
        let lines: Vec<String> = (1..).zip(&texts).map(|(seq, text)| delta(seq, "n", &json(text))).collect();
        let needle = Needle::new(&wanted).unwrap();
        let folded = |text: &str| if needle.capitals_count() { text.to_owned() } else { text.to_lowercase() };
        let says = |text: &String| {
            // What else such an event says: its type, its node, its kind.
            [text, "node_output_delta", "n", "message_delta"].iter().any(|text| folded(text).contains(&folded(&wanted)))
        };
        let expected: Vec<u64> = (1..).zip(&texts).filter(|(_, text)| says(text)).map(|(seq, _)| seq).collect();
        let file = lines.join("\n");
        let found = scan(Slow(file.as_bytes(), at_once), &needle, &scope(None), |_| ControlFlow::Continue(()));
        let found = found.unwrap().unwrap();
        prop_assert_eq!(found.count, expected.len() as u64);
        prop_assert_eq!(found.matches.iter().filter_map(|found| found.seq).collect::<Vec<_>>(), expected);
        prop_assert_eq!(found.last_seq, texts.len() as u64);
    }
}
