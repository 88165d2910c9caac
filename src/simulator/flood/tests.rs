//! The same seed makes the same run, every line is an event, and the snapshot says what a fold says.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::api::event::{self, Decoded, Event, EventBody};
use crate::api::run::{NodeStatus, RunStatus};

fn run_id() -> RunId {
    RunId::parse("550e8400-e29b-41d4-a716-446655440000").unwrap()
}

fn flood(events: u64, nodes: u64) -> Flood {
    Flood::new(FloodConfig::of(events, nodes), run_id()).starting_at("2026-01-01T00:00:00Z".parse().unwrap())
}

fn decoded(line: &[u8]) -> Event {
    match event::decode(line.trim_ascii_end()).unwrap() {
        Decoded::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_line_is_an_event_that_says_the_same_when_it_is_written_again() {
    let flood = flood(5000, 40);
    let mut types = HashSet::new();
    for seq in 1..=5000 {
        for include_output in [false, true] {
            let mut line = Vec::new();
            flood.write_line(seq, include_output, &mut line);
            let event = decoded(&line);
            assert_eq!((event.seq, event.run_id), (seq, run_id()));
            let text = String::from_utf8(line).unwrap();
            let written: serde_json::Value = serde_json::to_value(&event).unwrap();
            let mut read: serde_json::Value = serde_json::from_str(&text).unwrap();
            read["ts"] = serde_json::to_value(event.ts).unwrap();
            assert_eq!(read, written);
            assert!(!matches!(event.body, EventBody::Unknown(_)), "{text}");
            types.insert(event.body.type_name().to_owned());
        }
    }
    assert_eq!(types.len(), 11, "{types:?}");
}

#[test]
fn a_line_is_the_same_whenever_it_is_asked_for_and_another_seed_gives_another_run() {
    let (one, same) = (flood(2000, 20), flood(2000, 20));
    let forth: Vec<String> = one.lines().collect();
    let mut back: Vec<String> = (1..=2000).rev().map(|seq| same.line(seq)).collect();
    back.reverse();
    assert_eq!(forth, back);
    assert_eq!(one.bytes(1..=2000), forth.concat().into_bytes());
    let other = Flood::new(FloodConfig { seed: 8, ..one.config() }, run_id());
    assert!((3..2000).filter(|seq| other.line(*seq) == forth[usize::try_from(*seq).unwrap() - 1]).count() < 20);
}

#[test]
fn there_is_no_event_before_the_first_and_behind_the_last() {
    let flood = flood(100, 5);
    assert_eq!((flood.line(0), flood.line(101)), (String::new(), String::new()));
    assert!(decoded(flood.line(100).as_bytes()).body.ends_run());
}

#[test]
fn the_snapshot_has_what_the_events_add_up_to() {
    let flood = flood(20_000, 200);
    let last = flood.snapshot_at(20_000);
    assert_eq!(last.status, RunStatus::Succeeded);
    let nodes = last.nodes.unwrap();
    assert!(nodes.iter().all(|node| node.status.is_terminal()));
    assert!(nodes.iter().any(|node| node.status == NodeStatus::Failed));
    let summary = last.summary.unwrap();
    let (mut llm_calls, mut tool_calls, mut starts) = (0, 0, HashMap::new());
    for event in flood.lines().map(|line| decoded(line.as_bytes())) {
        match event.body {
            EventBody::NodeLlmCall(_) => llm_calls += 1,
            EventBody::NodeToolCall(_) => tool_calls += 1,
            EventBody::NodeStarted(body) => {
                starts.insert(body.node_id, event.ts);
            }
            _ => {}
        }
    }
    assert_eq!((summary.total_llm_calls, summary.total_tool_calls), (llm_calls, tool_calls));
    let half = flood.snapshot_at(10_000).nodes.unwrap();
    let started: Vec<_> = half.iter().filter(|node| node.started_at.is_some()).collect();
    assert!((1..200).contains(&started.len()));
    assert!(started.iter().all(|node| node.started_at == starts.get(&node.id).copied()));
}

#[test]
fn the_deltas_hold_as_much_text_as_was_asked_for() {
    for text_bytes in [0, 1000, 250_000, 4_000_000] {
        let flood = Flood::new(FloodConfig { text_bytes, ..FloodConfig::of(5000, 20) }, run_id());
        let text: u64 = flood
            .lines()
            .map(|line| match decoded(line.as_bytes()).body {
                EventBody::NodeOutputDelta(body) => body.delta.text_delta.map_or(0, |text| text.len() as u64),
                _ => 0,
            })
            .sum();
        assert!(text.abs_diff(text_bytes) <= 20 * 4, "{text} of {text_bytes}");
    }
}

#[test]
fn what_cannot_be_is_brought_to_the_nearest_that_can() {
    let flood = Flood::new(FloodConfig::of(0, 0), run_id());
    assert_eq!((flood.config().events, flood.config().nodes), (7, 1));
    let flood = Flood::new(FloodConfig::of(100, 1000), run_id());
    assert_eq!((flood.config().events, flood.config().nodes), (100, 24));
}

#[test]
fn an_event_has_about_285_bytes() {
    let bytes = flood(50_000, 1000).bytes(1..=50_000).len();
    assert!((275..295).contains(&(bytes / 50_000)), "{}", bytes / 50_000);
}
