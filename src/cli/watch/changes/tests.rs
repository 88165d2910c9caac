//! What is told, event by event.

use super::*;
use crate::api::event::{Decoded, decode};
use crate::api::ids::RunId;
use crate::api::run::RunSnapshot;

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const STEP: &str = r#""step":1,"request_id":"550e8400-e29b-41d4-a716-446655440001""#;

/// Applies events one after the other and tells what changes.
struct Teller {
    run: Run,
}

impl Teller {
    fn new() -> Self {
        let mut teller = Self { run: Run::new(RunId::parse(RUN).unwrap()) };
        teller.tell(&format!(r#""type":"run_started","plan_hash":"{}""#, "a".repeat(64)));
        teller
    }

    /// The lines that an event gives, each with its kind.
    fn tell(&mut self, rest: &str) -> Vec<String> {
        let seq = self.run.last_seq + 1;
        let line = format!(
            r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-01-01T00:00:{:02}Z",{rest}}}"#,
            seq * 2 % 60
        );
        let Ok(Decoded::Event(event)) = decode(line.as_bytes()) else { panic!("{line}") };
        let before = Before::of(&self.run, &event);
        self.run.apply(event.clone());
        let changes = changes(&before, &self.run, &event);
        assert!(changes.iter().all(|change| change.seq == seq && change.ts == event.ts), "{changes:?}");
        changes.iter().map(|change| format!("{:?} {}", change.kind, change.text).to_lowercase()).collect()
    }

    fn observe(&mut self, json: &str) -> Vec<String> {
        let snapshot: RunSnapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}",{json}}}"#)).unwrap();
        let before = Standing::of(&self.run);
        self.run.observe(&snapshot);
        let changes = standing_changes(&before, &self.run, Timestamp::UNIX_EPOCH, self.run.last_seq);
        changes.into_iter().map(|change| change.text).collect()
    }
}

fn waiting(calls: &[&str]) -> String {
    let calls: Vec<String> = calls
        .iter()
        .map(|id| format!(r#"{{"tool_call":{{"id":"{id}","name":"roll_back","arguments":"{{\"to\": 4}}"}}}}"#))
        .collect();
    format!(
        r#""type":"node_waiting","node_id":"a","waiting":{{{STEP},"reason":"tools","pending_tool_calls":[{}]}}"#,
        calls.join(",")
    )
}

fn result(id: &str, error: &str) -> String {
    format!(
        r#""type":"node_tool_result","node_id":"a","tool_result":{{{STEP},"tool_call":{{"id":"{id}","name":"roll_back"}},"output":"done"{error}}}"#
    )
}

#[test]
fn a_node_is_told_from_its_start_through_its_retry_to_its_end() {
    let mut teller = Teller::new();
    assert_eq!(teller.tell(r#""type":"node_started","node_id":"a""#), ["node a started"]);
    let failed = r#""type":"node_failed","node_id":"a","error":{"code":"TIMEOUT","message":"no\nanswer"}"#;
    assert_eq!(teller.tell(failed), ["node a failed after 00:02: no answer (timeout)"]);
    assert_eq!(teller.tell(r#""type":"node_started","node_id":"a""#), ["node a started again (start 2)"]);
    assert_eq!(teller.tell(r#""type":"node_succeeded","node_id":"a""#), ["node a succeeded after 00:06"]);
}

#[test]
fn a_wait_is_told_call_by_call_and_its_answers_too() {
    let mut teller = Teller::new();
    teller.tell(r#""type":"node_started","node_id":"a""#);
    let told = teller.tell(&waiting(&["c1", "c2"]));
    let expected = [
        "node a waiting",
        r#"wait a waits for a result of roll_back (call c1): {"to": 4}"#,
        r#"wait a waits for a result of roll_back (call c2): {"to": 4}"#,
        "run run waiting",
    ];
    assert_eq!(told, expected);
    assert_eq!(teller.tell(&waiting(&["c1", "c2"])), Vec::<String>::new());
    assert_eq!(teller.tell(&result("c1", "")), ["answer a got the result of roll_back (call c1)"]);
    let told = teller.tell(&result("c2", r#","error":"no""#));
    assert_eq!(told, ["node a goes on", "answer a got an error for roll_back (call c2)", "run run running"]);
    assert_eq!(teller.tell(&result("c9", "")), Vec::<String>::new(), "a tool of the server's own");
}

#[test]
fn a_question_that_two_events_tell_is_told_once_with_its_answers() {
    let mut teller = Teller::new();
    teller.tell(r#""type":"node_started","node_id":"a""#);
    let ask = format!(
        r#""type":"node_user_ask","node_id":"a","user_ask":{{{STEP},"tool_call":{{"id":"q","name":"user_ask"}},"question":"Page them?","options":[{{"label":"yes"}},{{"label":"no"}}],"allow_freeform":false}}"#
    );
    let wait = "wait a asks: page them? (call q; answers: yes, no)";
    assert_eq!(teller.tell(&ask), ["node a waiting", wait, "run run waiting"]);
    assert_eq!(teller.tell(&waiting(&["q"])), Vec::<String>::new());
    let answer = format!(
        r#""type":"node_user_answer","node_id":"a","user_answer":{{{STEP},"tool_call":{{"id":"q","name":"user_ask"}},"answer":"yes","is_freeform":false}}"#
    );
    let told = teller.tell(&answer);
    assert_eq!(told, ["node a goes on", "answer a was answered: yes (call q)", "run run running"]);
}

#[test]
fn a_wait_whose_question_comes_later_is_told_again_with_it() {
    let mut teller = Teller::new();
    let bare = format!(
        r#""type":"node_waiting","node_id":"a","waiting":{{{STEP},"reason":"ask","pending_tool_calls":[{{"tool_call":{{"id":"q","name":"user_ask"}}}}]}}"#
    );
    assert!(teller.tell(&bare)[1].contains("waits for a result of user_ask"));
    let ask = format!(
        r#""type":"node_user_ask","node_id":"a","user_ask":{{{STEP},"tool_call":{{"id":"q","name":"user_ask"}},"question":"Why?","allow_freeform":true}}"#
    );
    assert_eq!(teller.tell(&ask), ["wait a asks: why? (call q; answers: text of your own)"]);
}

#[test]
fn streamed_text_calls_of_models_and_outputs_are_no_changes() {
    let mut teller = Teller::new();
    teller.tell(r#""type":"node_started","node_id":"a""#);
    for quiet in [
        r#""type":"node_output_delta","node_id":"a","delta":{"kind":"message_delta","text_delta":"x"}"#.to_owned(),
        format!(r#""type":"node_llm_call","node_id":"a","llm_call":{{{STEP}}}"#),
        r#""type":"node_output","node_id":"a","output":{"artifact_key":"k","info":{"bytes":1,"sha256":"x","included":false}}"#.to_owned(),
        format!(r#""type":"node_tool_call","node_id":"a","tool_call":{{{STEP},"tool_call":{{"id":"c","name":"t","arguments":"{{}}"}}}}"#),
    ] {
        assert_eq!(teller.tell(&quiet), Vec::<String>::new(), "{quiet}");
    }
}

#[test]
fn a_run_tells_how_it_has_ended_and_why() {
    let mut teller = Teller::new();
    let failed =
        format!(r#""type":"run_failed","plan_hash":"{}","error":{{"message":"node a failed"}}"#, "a".repeat(64));
    assert_eq!(teller.tell(&failed), ["run run failed after 00:02: node a failed"]);
}

#[test]
fn the_bill_is_told_when_it_changes_and_not_while_it_is_nothing() {
    let mut teller = Teller::new();
    let bill = |cents: u64, tokens: u64| {
        format!(
            r#""status":"running","cost_summary":{{"total_usd_cents":{cents},"line_items":[{{"provider_id":"xai","model":"m","requests":1,"input_tokens":{tokens},"output_tokens":0,"usd_cents":{cents}}}]}}"#
        )
    };
    assert_eq!(teller.observe(&bill(0, 0)), Vec::<String>::new());
    assert_eq!(teller.observe(&bill(0, 7)), ["cost <$0.01"]);
    assert_eq!(teller.observe(&bill(42, 9)), ["cost $0.42"]);
    assert_eq!(teller.observe(&bill(42, 9)), Vec::<String>::new());
}

#[test]
fn tasks_memories_rounds_agents_and_unknown_events_are_told() {
    let mut teller = Teller::new();
    let plan = "a".repeat(64);
    let info = r#""info":{"bytes":12,"sha256":"x","included":false}"#;
    let cases = [
        (format!(r#""type":"task_list_updated","plan_hash":"{plan}","task_list":{{"artifact_key":"k",{info}}}"#), "tasks task list written, 12 bytes"),
        (format!(r#""type":"memory_updated","plan_hash":"{plan}","memory_key":"notes","memory":{{"artifact_key":"k",{info}}}"#), "memory memory notes written, 12 bytes"),
        (r#""type":"scheduler_round_completed","node_id":"s","scheduler_round_completed":{"round_index":2,"pending":1}"#.to_owned(), "scheduler s: round 2 ended, 1 message to deliver"),
        (r#""type":"scheduler_agent_completed","node_id":"s","scheduler_agent_completed":{"agent_id":"critic","status":"succeeded","summary":"fine"}"#.to_owned(), "scheduler s: critic succeeded: fine"),
        (r#""type":"node_dreamt","node_id":"s""#.to_owned(), "problem an event of the unknown type node_dreamt"),
    ];
    for (event, expected) in cases {
        let told = teller.tell(&event);
        assert!(told.contains(&expected.to_owned()), "{expected:?} is not in {told:?}");
    }
}
