//! The quick way and the two stages give the same event or the same error for every line.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::value::RawValue;

use super::super::decode::in_two_stages;
use super::super::in_place::event;
use super::super::recent::Recent;
use super::*;

/// What may be done to a line.
#[derive(Debug, Clone)]
enum Change {
    /// A byte becomes another.
    Byte(Index, u8),
    /// What stands between two places is left out.
    Cut(Index, Index),
    /// What stands between two places stands there twice.
    Twice(Index, Index),
    /// A field moves to another place.
    Move(Index, Index),
    /// A field stands in another place, too.
    Copy(Index, Index),
    /// A field's value becomes another.
    Value(Index, &'static str),
    /// The parts of another line stand at its end, too.
    Parts(Index),
    /// A field's name becomes another.
    Name(Index, &'static str),
}

const VALUES: &[&str] = &[
    "null",
    "0",
    "1.0",
    "-1",
    "18446744073709551616",
    "true",
    "\"\"",
    "\"v2\"",
    "\"v\\u0032\"",
    "\" \"",
    "\"keepalive\"",
    "\"node_started\"",
    "\"node_st\\u0061rted\"",
    "\"2026-01-02T03:04:05.5Z\"",
    "\"2026-01-02T03:04:60Z\"",
    "\"2026-01-02T03:04:05+01:00\"",
    "\"+002026-01-02T03:04Z\"",
    "\"2026-01-02 03:04:05z\"",
    "\"550E8400-E29B-41D4-A716-446655440000\"",
    "\"550e8400e29b41d4a716446655440000\"",
    "\"00000000-0000-0000-0000-000000000000\"",
    "\"\\ud800\"",
    "{}",
    "[]",
    "[[[[{\"a\":[1e400]}]]]]",
    "{\"message\":\"m\"}",
    "{\"kind\":\"x\",\"kind\":\"y\"}",
];

const NAMES: &[&str] =
    &["seq", "\\u0073eq", "type", "t\\u0079pe", "ts", "run_id", "node_id", "error", "delta", "x", "waiting", ""];

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (index(), select(b"{}[]\",:\\ 0eZ".to_vec())).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (index(), index()).prop_map(|(from, to)| Change::Cut(from, to)),
        (index(), index()).prop_map(|(from, to)| Change::Twice(from, to)),
        (index(), index()).prop_map(|(from, to)| Change::Move(from, to)),
        (index(), index()).prop_map(|(from, to)| Change::Copy(from, to)),
        (index(), select(VALUES)).prop_map(|(at, value)| Change::Value(at, value)),
        index().prop_map(Change::Parts),
        (index(), select(NAMES)).prop_map(|(at, name)| Change::Name(at, name)),
    ]
}

/// The fields of a line, name and value as they stand there; `None` where it is no object any more.
fn fields_of(line: &[u8]) -> Option<Vec<(String, String)>> {
    let object: indexmap::IndexMap<String, Box<RawValue>> = serde_json::from_slice(line).ok()?;
    Some(object.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect())
}

fn apply(line: &mut Vec<u8>, change: &Change) {
    if line.is_empty() {
        return;
    }
    let range = |from: &Index, to: &Index| {
        let (from, to) = (from.index(line.len()), to.index(line.len()));
        from.min(to)..from.max(to)
    };
    match change {
        Change::Byte(at, byte) => {
            let at = at.index(line.len());
            line[at] = *byte;
        }
        Change::Cut(from, to) => drop(line.drain(range(from, to))),
        Change::Twice(from, to) => {
            let range = range(from, to);
            let again = line[range.clone()].to_vec();
            line.splice(range.end..range.end, again);
        }
        _ => {
            let Some(mut fields) = fields_of(line).filter(|fields| !fields.is_empty()) else { return };
            change_fields(&mut fields, change);
            let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            *line = format!("{{{}}}", fields.join(",")).into_bytes();
        }
    }
}

fn change_fields(fields: &mut Vec<(String, String)>, change: &Change) {
    let at = |index: &Index| index.index(fields.len());
    match change {
        Change::Move(from, to) => {
            let (from, to) = (at(from), at(to));
            let field = fields.remove(from);
            fields.insert(to, field);
        }
        Change::Copy(from, to) => {
            let (from, to) = (at(from), at(to));
            fields.insert(to, fields[from].clone());
        }
        Change::Value(index, value) => {
            let at = at(index);
            fields[at].1 = (*value).to_owned();
        }
        Change::Parts(line) => {
            let lines: Vec<&str> = SAMPLES.lines().collect();
            fields.extend(fields_of(line.get(&lines).as_bytes()).unwrap().into_iter().skip(5));
        }
        Change::Name(index, name) => {
            let at = at(index);
            fields[at].0 = (*name).to_owned();
        }
        Change::Byte(..) | Change::Cut(..) | Change::Twice(..) => {}
    }
}

/// What the two stages alone make of a line.
fn reference(line: &[u8]) -> Result<Decoded, Problem> {
    in_two_stages(std::str::from_utf8(line).map_err(|error| Problem::NotUtf8(error.valid_up_to()))?)
}

/// A decoder that has seen every sample.
fn experienced() -> Decoder {
    let mut decoder = Decoder::default();
    for line in SAMPLES.lines() {
        decoder.decode(line.as_bytes()).unwrap();
    }
    decoder
}

#[test]
fn every_published_type_is_read_in_one_pass() {
    let mut recent = Recent::keeping();
    for line in SAMPLES.lines() {
        let Ok(Decoded::Event(expected)) = reference(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(event(line, &mut recent), Some(expected), "{line}");
    }
}

#[test]
fn a_part_before_its_type_and_a_field_that_stands_twice_are_left_to_the_two_stages() {
    let line = sample_with(
        "node_started",
        r#""type":"node_started","node_id":"diagnose""#,
        r#""node_id":"n","type":"node_started""#,
    );
    assert_eq!(event(&line, &mut Recent::keeping()), None);
    assert!(decode(line.as_bytes()).is_ok());
    let line = sample_with("node_started", r#""seq":8"#, r#""seq":8,"error":1,"error":2"#);
    assert_eq!(event(&line, &mut Recent::keeping()), None);
    assert!(decode(line.as_bytes()).is_err());
}

#[test]
fn a_time_is_the_same_whether_its_minute_is_known_or_not() {
    let mut recent = Recent::keeping();
    for time in [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:59.999999999Z",
        "2026-01-02T03:04:00.1Z",
        "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05.1234567890Z",
        "2026-01-02T03:04:05+02:00",
        "2026-01-02T03:04:5Z",
        "+002026-01-02T03:05Z",
        "+002026-01-02T03:06Z",
        "-000026-01-02T03:06Z",
        "1969-12-31T23:59:59.5Z",
        "1969-12-31T23:59:01.25Z",
        "9999-12-31T23:59:59.999Z",
        "-009999-01-02T01:59:59Z",
        "2026-01-02T03:04",
        "",
    ] {
        assert_eq!(recent.timestamp(time), time.parse().ok(), "{time}");
        assert_eq!(recent.timestamp(time), time.parse().ok(), "{time}, again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_ways_say_the_same_of_every_line(sample in any::<Index>(), changes in vec(change(), 0..4)) {
        let samples: Vec<&str> = SAMPLES.lines().collect();
        let mut line = sample.get(&samples).as_bytes().to_vec();
        for change in &changes {
            apply(&mut line, change);
        }
        let expected = reference(&line);
        let text = String::from_utf8_lossy(&line).into_owned();
        let mut decoder = experienced();
        prop_assert_eq!(decoder.decode(&line).map_err(|error| error.problem), expected.clone(), "{}", text);
        prop_assert_eq!(decode(&line).map_err(|error| error.problem), expected, "{} alone", text);
    }

    #[test]
    fn times_that_follow_each_other_are_what_they_are_alone(
        times in vec("2026-01-0[12]T0[0-2]:[0-5][0-9]:[0-6][0-9]([.][0-9]{0,10})?(Z|z|[+]01:00)", 1..20)
    ) {
        let mut recent = Recent::keeping();
        for time in times {
            prop_assert_eq!(recent.timestamp(&time), time.parse().ok(), "{}", time);
        }
    }
}
