//! What counts as a difference, and what does not.

use super::*;
use crate::api::event::{Decoded, decode};
use crate::api::ids::RunId;

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";
const STARTED: &str = r#""type":"run_started","plan_hash":"aa""#;
const NODE: &str = r#""type":"node_started","node_id":"a""#;
const SUCCEEDED: &str = r#""type":"node_succeeded","node_id":"a""#;
const FAILED: &str = r#""type":"node_failed","node_id":"a","error":{"code":"RATE_LIMIT","message":"later"}"#;
const RUN_FAILED: &str = r#""type":"run_failed","plan_hash":"aa","error":{"message":"m"}"#;

fn fold(rests: &[&str]) -> Run {
    let mut run = Run::new(RunId::parse(RUN).unwrap());
    for (seq, rest) in (1..).zip(rests) {
        let ts = "2026-11-22T10:00:00Z";
        let line = format!(r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"{ts}",{rest}}}"#);
        match decode(line.as_bytes()) {
            Ok(Decoded::Event(event)) => run.apply(event),
            other => panic!("{other:?}"),
        }
    }
    run
}

fn llm(provider: &str, input: u64, output: u64) -> String {
    format!(
        r#""type":"node_llm_call","node_id":"a","llm_call":{{"step":1,"request_id":"{REQUEST}",{provider}"model":"m","usage":{{"input_tokens":{input},"output_tokens":{output}}}}}"#
    )
}

const NAMED: &str = r#""provider":"openai","#;

fn snapshot(rest: &str) -> RunSnapshot {
    serde_json::from_str(&format!(r#"{{"run_id":"{RUN}",{rest}}}"#)).unwrap()
}

/// The differences, in words; none where they agree.
fn differing(run: &Run, rest: &str) -> Vec<String> {
    let snapshot = snapshot(rest);
    let found = compare(run, Some(&snapshot));
    assert_eq!(agrees(run, &snapshot), found == Agreement::Agrees);
    match found {
        Agreement::Agrees => Vec::new(),
        Agreement::Differs(differences) => {
            assert_eq!(differences.count, differences.kept.len());
            differences.kept.iter().map(ToString::to_string).collect()
        }
        Agreement::Absent => panic!("there is a snapshot"),
    }
}

fn nodes(listed: &[(&str, &str)]) -> String {
    let listed: Vec<String> = listed
        .iter()
        .map(|(id, status)| format!(r#"{{"id":"{id}","type":"llm.responses","status":"{status}"}}"#))
        .collect();
    format!(r#""nodes":[{}]"#, listed.join(","))
}

const NONE: Vec<String> = Vec::new();

#[test]
fn without_a_snapshot_there_is_nothing_to_agree_with() {
    assert_eq!(compare(&fold(&[STARTED]), None), Agreement::Absent);
    assert_eq!(Agreement::Absent.word(), "absent");
}

#[test]
fn a_status_that_differs_is_told_with_both_sides() {
    let run = fold(&[STARTED]);
    assert_eq!(differing(&run, r#""status":"running""#), NONE);
    assert_eq!(differing(&run, r#""status":"failed""#), ["status: running by the events, failed by the snapshot"]);
    // A run that has only been created.
    assert_eq!(differing(&fold(&[]), r#""status":"running""#), NONE);
    let nothing = differing(&fold(&[]), r#""status":"succeeded""#);
    assert_eq!(nothing, ["status: not told by the events, succeeded by the snapshot"]);
}

#[test]
fn a_list_of_waiting_calls_that_contradicts_the_events_makes_waiting_no_difference() {
    let call = r#"{"step":1,"tool_call":{"id":"c","name":"look"}}"#;
    let wait = format!(
        r#""type":"node_waiting","node_id":"a","waiting":{{"step":1,"request_id":"{REQUEST}","reason":"tool","pending_tool_calls":[{call}]}}"#
    );
    let mut run = fold(&[STARTED, NODE, &wait]);
    assert_eq!(differing(&run, r#""status":"waiting""#), NONE);
    assert_eq!(differing(&run, r#""status":"running""#).len(), 1);
    let old = crate::api::tool::PendingTools { run_id: run.run_id, pending: Vec::new() };
    assert!(run.observe_pending(&old, run.pending.generation(), jiff::Timestamp::UNIX_EPOCH));
    for said in ["waiting", "running"] {
        assert_eq!(differing(&run, &format!(r#""status":"{said}""#)), NONE, "{said}");
    }
    assert_eq!(differing(&run, r#""status":"succeeded""#).len(), 1);
}

#[test]
fn a_status_that_is_not_known_here_is_no_difference() {
    let rest = format!(r#""status":"paused",{}"#, nodes(&[("a", "dreaming")]));
    assert_eq!(differing(&fold(&[STARTED, NODE]), &rest), NONE);
}

#[test]
fn nodes_are_compared_that_the_snapshot_lists_and_one_that_no_event_names_is_pending() {
    let run = fold(&[STARTED, NODE, r#""type":"node_started","node_id":"item__0""#]);
    let rest = |listed: &[(&str, &str)]| format!(r#""status":"running",{}"#, nodes(listed));
    assert_eq!(differing(&run, &rest(&[("a", "running"), ("later", "pending")])), NONE);
    let differences = differing(&run, &rest(&[("a", "succeeded"), ("later", "running")]));
    let expected = [
        "node a: running by the events, succeeded by the snapshot",
        "node later: pending by the events, running by the snapshot",
    ];
    assert_eq!(differences, expected);
}

#[test]
fn what_an_earlier_snapshot_has_lent_to_the_fold_proves_nothing() {
    let mut run = fold(&[STARTED]);
    let rest = format!(r#""status":"running",{}"#, nodes(&[("a", "succeeded")]));
    run.observe(&snapshot(&rest));
    assert_eq!(differing(&run, &rest), ["node a: pending by the events, succeeded by the snapshot"]);
}

#[test]
fn a_node_that_was_canceled_is_told_by_no_event_and_one_that_ended_was_not_canceled() {
    let open = fold(&[STARTED, NODE, RUN_FAILED]);
    let rest = format!(r#""status":"failed",{}"#, nodes(&[("a", "canceled"), ("never", "canceled")]));
    assert_eq!(differing(&open, &rest), NONE);
    let done = fold(&[STARTED, NODE, SUCCEEDED, RUN_FAILED]);
    assert_eq!(differing(&done, &rest), ["node a: succeeded by the events, canceled by the snapshot"]);
}

#[test]
fn the_reason_of_a_failure_is_compared_by_its_code_and_else_by_its_words() {
    let run = fold(&[STARTED, NODE, FAILED]);
    let rest = |error: &str| {
        format!(
            r#""status":"running","nodes":[{{"id":"a","type":"llm.responses","status":"failed","error":{{{error}}}}}]"#
        )
    };
    assert_eq!(differing(&run, &rest(r#""code":"RATE_LIMIT","message":"reworded""#)), NONE);
    assert_eq!(differing(&run, &rest(r#""message":"later""#)), NONE);
    let expected = ["why node a failed: later (RATE_LIMIT) by the events, other (TIMEOUT) by the snapshot"];
    assert_eq!(differing(&run, &rest(r#""code":"TIMEOUT","message":"other""#)), expected);
}

fn bill(status: &str, summary: Option<(u64, u64)>, billed: Option<(u64, u64)>) -> String {
    let summary = summary.map(|(input, output)| {
        format!(
            r#","summary":{{"total_steps":1,"total_llm_calls":1,"total_tool_calls":0,"total_input_tokens":{input},"total_output_tokens":{output},"total_cost_cents":1}}"#
        )
    });
    let billed = billed.map(|(input, output)| {
        format!(
            r#","cost_summary":{{"total_usd_cents":1,"line_items":[{{"provider_id":"openai","model":"m","requests":1,"input_tokens":{input},"output_tokens":{output},"usd_cents":1}}]}}"#
        )
    });
    format!(r#""status":"{status}"{}{}"#, summary.unwrap_or_default(), billed.unwrap_or_default())
}

#[test]
fn token_totals_are_compared_by_the_summary_and_by_the_bill() {
    let call = llm(NAMED, 10, 3);
    let run = fold(&[STARTED, NODE, &call, RUN_FAILED]);
    assert_eq!(differing(&run, &bill("failed", Some((10, 3)), Some((10, 3)))), NONE);
    assert_eq!(differing(&run, &bill("failed", None, None)), NONE);
    let expected = ["output tokens: 3 by the events, 4 by the snapshot"];
    assert_eq!(differing(&run, &bill("failed", Some((10, 4)), None)), expected);
    let expected = ["billed input tokens: 10 by the events, 9 by the snapshot"];
    assert_eq!(differing(&run, &bill("failed", None, Some((9, 3)))), expected);
}

#[test]
fn a_call_without_a_provider_may_stand_in_no_line_of_the_bill_or_in_any() {
    let (named, unnamed) = (llm(NAMED, 10, 3), llm("", 5, 1));
    let run = fold(&[STARTED, NODE, &named, &unnamed, RUN_FAILED]);
    for billed in [(10, 3), (15, 4)] {
        assert_eq!(differing(&run, &bill("failed", Some((15, 4)), Some(billed))), NONE);
    }
    assert_eq!(differing(&run, &bill("failed", None, Some((16, 4)))).len(), 1);
    assert_eq!(differing(&run, &bill("failed", None, Some((9, 3)))).len(), 1);
}

#[test]
fn a_bill_may_be_behind_a_run_that_goes_on_and_never_ahead_of_it() {
    let call = llm(NAMED, 10, 3);
    let run = fold(&[STARTED, NODE, &call]);
    assert_eq!(differing(&run, &bill("running", Some((0, 0)), Some((4, 1)))), NONE);
    let expected = ["input tokens: 10 by the events, 11 by the snapshot"];
    assert_eq!(differing(&run, &bill("running", Some((11, 3)), None)), expected);
}

#[test]
fn missing_unread_and_unknown_events_are_named_as_what_may_be_the_reason() {
    let lack = |run: &Run| match compare(run, Some(&snapshot(r#""status":"succeeded""#))) {
        Agreement::Differs(differences) => differences.events_lack,
        other => panic!("{other:?}"),
    };
    assert!(!lack(&fold(&[STARTED])));
    assert!(lack(&fold(&[STARTED, r#""type":"run_dreams""#])), "an event of unknown type");
    let mut gap = fold(&[STARTED]);
    gap.skip(2, 3);
    assert!(lack(&gap), "a gap");
    let mut rejected = fold(&[STARTED]);
    rejected.reject(crate::api::event::ProtocolError {
        problem: crate::api::event::Problem::Missing("ts"),
        seq: Some(2),
        line: bytes::Bytes::new(),
        line_number: None,
    });
    assert_eq!(rejected.unread_places(), 1);
    assert!(lack(&rejected), "a place that holds a rejected line");
}

#[test]
fn however_many_differ_the_words_are_bounded_and_the_count_is_whole() {
    let listed: Vec<(String, &str)> = (0..250).map(|at| (format!("n{at}"), "running")).collect();
    let listed: Vec<(&str, &str)> = listed.iter().map(|(id, status)| (id.as_str(), *status)).collect();
    let snapshot = snapshot(&format!(r#""status":"running",{}"#, nodes(&listed)));
    let Agreement::Differs(differences) = compare(&fold(&[STARTED]), Some(&snapshot)) else { panic!() };
    assert_eq!((differences.kept.len(), differences.count), (DIFFERENCES_KEPT, 250));
}
