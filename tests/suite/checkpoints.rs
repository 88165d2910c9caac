//! The model at any event of a journal on disk, from the checkpoint before it.

use std::fmt::Write as _;

use relay_console::api::run::{NodeStatus, RunStatus};
use relay_console::console::past::model_at;
use relay_console::feed::FeedItem;
use relay_console::feed::past::read_again;
use relay_console::run::cost::Tokens;
use relay_console::run::{Checkpoints, Counts, PendingCalls, Run};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

/// Events between two checkpoints.
const SPACING: u64 = 64;

fn line(seq: u64) -> String {
    let (node, step) = (seq % 7, seq % 3);
    let head = format!(r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-01-01T00:00:00Z","#);
    match seq % 4 {
        0 => format!(r#"{head}"type":"node_started","node_id":"n{node}"}}"#),
        1 => format!(
            r#"{head}"type":"node_llm_call","node_id":"n{node}","llm_call":{{"step":{step},"request_id":"{RUN}","model":"m","usage":{{"input_tokens":{seq},"output_tokens":1}}}}}}"#
        ),
        2 => format!(
            r#"{head}"type":"node_waiting","node_id":"n{node}","waiting":{{"step":{step},"request_id":"{RUN}","reason":"tool","pending_tool_calls":[{{"tool_call":{{"id":"c{seq}","name":"look"}}}}]}}}}"#
        ),
        _ => format!(r#"{head}"type":"node_succeeded","node_id":"n{node}"}}"#),
    }
}

/// Two thousand events with a gap, a rejected line that takes a place, and rejected lines that take none.
fn journal() -> String {
    let mut text = String::new();
    for seq in (1..=2_000).filter(|seq| !(500..510).contains(seq)) {
        let end = if seq == 510 { "\r\n" } else { "\n" };
        match seq {
            900 => text.push_str("{\"seq\":900,\"type\":7}\r\n"),
            _ => drop(write!(text, "{}{end}", line(seq))),
        }
        if seq % 300 == 0 {
            text.push_str("no JSON\r\n");
        }
    }
    text
}

type Told = (u64, Option<RunStatus>, Counts, PendingCalls, Vec<(NodeStatus, Tokens, Option<u64>)>);

/// Facts that every fold of the same events must share.
fn told(run: &Run) -> Told {
    let nodes = run.nodes.values().map(|node| (run.node_status(node), node.tokens(), node.step)).collect();
    (run.last_seq, run.status(), run.counts, run.pending.clone(), nodes)
}

#[test]
fn the_model_at_any_event_of_a_journal_with_gaps_and_rejected_lines_is_that_of_a_reading_from_the_first_event() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("events.ndjson");
    std::fs::write(&path, journal()).unwrap();
    let run_id = RUN.parse().unwrap();
    let mut checkpoints = Checkpoints::new(SPACING, usize::MAX);
    let beginning = checkpoints.before(run_id, 0);
    let mut live = Run::new(run_id);
    let take = |item| {
        match item {
            FeedItem::Event(event) => {
                live.apply(event);
                checkpoints.offer(&live);
            }
            FeedItem::Rejected(error) => live.reject(error),
            FeedItem::Gap { first, last } => live.skip(first, last),
            FeedItem::Duplicates(_) | FeedItem::Line(_) => panic!("{item:?}"),
        }
        true
    };
    read_again(&path, run_id, 0, true, take).unwrap();
    assert_eq!((live.last_seq, live.counts.gaps, live.counts.missing, live.counts.rejected), (2_000, 1, 10, 7));
    for seq in (1..=2_000).step_by(17).chain([499, 500, 505, 509, 510, 899, 900, 901, 1_999, 2_000]) {
        let base = checkpoints.before(run_id, seq);
        assert!(seq - base.seq() <= SPACING + 10, "{seq} begins at {}", base.seq());
        let from_checkpoint = model_at(&base, &path, true, seq).unwrap();
        let from_the_first = model_at(&beginning, &path, true, seq).unwrap();
        assert_eq!(told(&from_checkpoint), told(&from_the_first), "{seq}");
    }
    assert_eq!(told(&model_at(&beginning, &path, true, 2_000).unwrap()), told(&live));
}
