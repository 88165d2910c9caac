//! Properties of the engine: how time is cut makes no difference, and every run can be answered to its end. What a
//! request overrides, and the limits of a run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::super::identity::Identity;
use super::super::ledger::Clock;
use super::super::part::{Part, RunRequest};
use super::super::scenario::Scenario;
use super::Engine;
use crate::api::create::{FanoutSubnodeModel, ModelOverrides};
use crate::api::run::RunStatus;
use crate::api::tool::{PendingStep, ToolResult, ToolResultsRequest};

fn started(scenario: &Scenario) -> Engine {
    let identity = Identity::new(3, 0, scenario.name());
    Engine::start(scenario.part(), identity, None, Clock::From(Timestamp::UNIX_EPOCH))
}

/// Scenarios whose runs start no child runs, which this file has no driver for.
fn alone() -> Vec<Scenario> {
    Scenario::builtin().into_iter().filter(|scenario| scenario.name() != "agents").collect()
}

fn lines(engine: &Engine) -> Vec<bytes::Bytes> {
    engine.ledger().lines(0, usize::MAX, true).0
}

/// Results for some of a step's calls, at least one; every third is an error.
fn some_results(step: &PendingStep, choice: usize) -> ToolResultsRequest {
    let chosen = step.tool_calls.iter().enumerate().filter(|(index, _)| *index == 0 || choice.is_multiple_of(2));
    let result = |(index, waiting): (usize, &crate::api::tool::PendingToolCall)| {
        let call = &waiting.tool_call;
        let answer = call.question().map(|question| {
            let label = &question.options[choice % question.options.len()].label;
            question.answer(label).unwrap().to_output()
        });
        let error = (choice + index).is_multiple_of(3).then(|| "it did not work".to_owned());
        ToolResult { tool_call: call.without_arguments(), output: answer.unwrap_or_else(|| "{}".into()), error }
    };
    ToolResultsRequest { step: step.step.clone(), results: chosen.map(result).collect() }
}

/// A run of a fan-out over this many items, whose model calls one tool of the client.
fn fanned_out(count: usize) -> Engine {
    let subnode = json!({"id": "one", "type": "llm", "user": "about {{item}}", "stream": false, "tools": ["look"],
        "tool_execution": {"mode": "client"}});
    let spec = json!({"model": "gpt-5", "inputs": [{"name": "list"}], "nodes": [
        {"id": "each", "type": "map.fanout", "items_from_input": "list", "subnode": subnode}]});
    let input = json!({"list": (0..count).collect::<Vec<_>>()}).as_object().cloned().unwrap_or_default();
    let part = Part::from_request(&spec, &RunRequest { input, ..RunRequest::default() }).unwrap();
    Engine::start(Arc::new(part), Identity::new(3, 0, "many"), None, Clock::From(Timestamp::UNIX_EPOCH))
}

#[test]
fn a_run_of_many_items_lets_others_look_at_it_in_between() {
    let mut engine = fanned_out(3000);
    // Somebody who holds the run until this is done may hold it for a moment, not for three thousand items.
    let (mut before, mut looks) = (lines(&engine).len(), 0);
    assert!(before < 300, "{before} events at once");
    let end = Duration::from_secs(60);
    while !engine.advance_a_little(end) {
        let now = lines(&engine).len();
        assert!(now - before < 600, "{} events at once", now - before);
        (before, looks) = (now, looks + 1);
    }
    assert!(looks > 100, "{looks} looks");
    assert_eq!(engine.ledger().fold().pending().pending.len(), 3000);
    // All of them have begun at the start all the same, and the cuts make no difference.
    let mut whole = fanned_out(3000);
    whole.advance(end);
    assert_eq!(lines(&whole), lines(&engine));
    let nodes = whole.ledger().fold().snapshot().nodes.unwrap();
    assert!(nodes.iter().all(|node| node.started_at == Some(Timestamp::UNIX_EPOCH)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_time_is_cut_the_same_things_happen(
        which in 0..6_usize,
        cuts in prop::collection::vec(1..4000_u64, 1..40),
    ) {
        let scenario = &alone()[which];
        let mut whole = started(scenario);
        let total: u64 = cuts.iter().sum();
        whole.advance(Duration::from_millis(total));
        let mut cut = started(scenario);
        let mut now = 0;
        for piece in cuts {
            now += piece;
            cut.advance(Duration::from_millis(now));
        }
        prop_assert_eq!(lines(&whole), lines(&cut));
    }

    #[test]
    fn whatever_is_answered_and_whenever_the_run_ends_and_every_call_has_one_result(
        which in 0..6_usize,
        choices in prop::collection::vec((0..6_usize, 0..20_000_u64), 1..60),
    ) {
        let scenario = &alone()[which];
        let mut engine = started(scenario);
        let mut now = Duration::ZERO;
        let mut choices = choices.iter().cycle();
        // Each turn answers at least one call; no scenario has more than this.
        for _ in 0..200 {
            if engine.ended() {
                break;
            }
            let (choice, pause) = *choices.next().unwrap();
            now += Duration::from_millis(pause);
            engine.advance(now);
            let pending = engine.ledger().fold().pending().pending;
            match pending.get(choice % pending.len().max(1)) {
                Some(step) => {
                    let reply = engine.submit(now, &some_results(step, choice), usize::MAX).unwrap();
                    prop_assert!(reply.accepted > 0);
                }
                None => now = now.max(engine.next_due().unwrap_or(now)),
            }
            // Nobody answers for a while: whatever goes on by itself does.
            if pending.is_empty() {
                now += Duration::from_secs(30);
            }
        }
        prop_assert!(engine.ended(), "{} still {}", scenario.name(), engine.status());
        let summary = engine.ledger().fold().snapshot().summary.unwrap();
        let text = lines(&engine).concat();
        let results = String::from_utf8_lossy(&text).matches("\"type\":\"node_tool_result\"").count() as u64;
        match engine.status() {
            RunStatus::Succeeded => prop_assert_eq!(results, summary.total_tool_calls),
            _ => prop_assert!(results <= summary.total_tool_calls),
        }
    }
}

/// A run of two models and a fan-out, created with these overrides, played to its end.
fn overridden(stream: Option<bool>) -> Engine {
    let spec = json!({"model": "gpt-5", "nodes": [
        {"id": "a", "type": "llm", "user": "x", "stream": false},
        {"id": "b", "type": "llm", "user": "{{a}}", "stream": false},
        {"id": "f", "type": "map.fanout", "items_from_input": "list",
         "subnode": {"id": "s", "type": "llm", "user": "{{item}}", "stream": false}},
    ], "inputs": [{"name": "list", "default": [1]}]});
    let subnode = FanoutSubnodeModel { parent_id: "f".into(), subnode_id: "s".into(), model: "grok-4".into() };
    let request = RunRequest {
        model_override: Some("claude-haiku-4-5".into()),
        model_overrides: ModelOverrides {
            nodes: [("b".to_owned(), "gemini-2.5-pro".to_owned())].into(),
            fanout_subnodes: vec![subnode],
        },
        stream,
        ..RunRequest::default()
    };
    let part = Arc::new(Part::from_request(&spec, &request).unwrap());
    let mut engine = Engine::start(part, Identity::new(1, 0, "x"), None, Clock::From(Timestamp::UNIX_EPOCH));
    engine.advance(Duration::from_secs(3600));
    assert_eq!(engine.status(), RunStatus::Succeeded);
    engine
}

#[test]
fn the_models_of_a_request_are_those_that_are_asked_and_paid() {
    let engine = overridden(None);
    let asked: Vec<(String, String)> = engine
        .step_details()
        .into_iter()
        .map(|step| (step.node_id.to_string(), step.llm_call.unwrap().model.unwrap()))
        .collect();
    let expected = [("a", "claude-haiku-4-5"), ("b", "gemini-2.5-pro"), ("f__0", "grok-4")];
    assert_eq!(asked, expected.map(|(node, model)| (node.to_owned(), model.to_owned())));
    let costs = engine.ledger().fold().snapshot().cost_summary.unwrap();
    assert_eq!(costs.line_items.len(), 3);
}

#[test]
fn a_request_can_make_every_node_stream_and_cannot_make_one_stop() {
    let deltas = |engine: &Engine| {
        String::from_utf8_lossy(&lines(engine).concat()).matches("\"type\":\"node_output_delta\"").count()
    };
    assert_eq!((deltas(&overridden(None)), deltas(&overridden(Some(false)))), (0, 0));
    assert!(deltas(&overridden(Some(true))) >= 9);
}

#[test]
fn a_fan_out_over_more_items_than_a_run_may_have_fails_at_once() {
    let spec = json!({"model": "m", "nodes": [{"id": "f", "type": "map.fanout", "items_from_input": "list",
        "subnode": {"id": "s", "type": "llm"}}], "inputs": [{"name": "list", "default": vec![0; 10_000]}]});
    let part = Arc::new(Part::from_request(&spec, &RunRequest::default()).unwrap());
    let mut engine = Engine::start(part, Identity::new(1, 0, "x"), None, Clock::From(Timestamp::UNIX_EPOCH));
    engine.advance(Duration::from_secs(1));
    assert_eq!(engine.status(), RunStatus::Failed);
    let nodes = engine.ledger().fold().snapshot().nodes.unwrap();
    assert_eq!((nodes.len(), nodes[0].error.as_ref().unwrap().code.as_deref()), (1, Some("TOO_MANY_ITEMS")));
}

#[test]
fn the_time_of_a_join_that_has_decided_is_no_reason_to_wake_up() {
    let spec = json!({"model": "m", "nodes": [
        {"id": "a", "type": "llm", "user": "x"},
        {"id": "w", "type": "llm", "user": "x", "tools": ["user_ask"]},
        {"id": "j", "type": "join.collect", "depends_on": ["a", "w"], "limit": 1, "timeout_ms": 3_000_000},
    ]});
    let part = Arc::new(Part::from_request(&spec, &RunRequest::default()).unwrap());
    let mut engine = Engine::start(part, Identity::new(1, 0, "x"), None, Clock::From(Timestamp::UNIX_EPOCH));
    engine.advance(Duration::from_secs(600));
    assert_eq!((engine.status(), engine.next_due()), (RunStatus::Waiting, None));
}

#[test]
fn a_run_that_waits_has_nothing_due() {
    let mut engine = started(&Scenario::find("incident").unwrap());
    engine.advance(Duration::from_secs(3600));
    assert_eq!(engine.next_due(), None);
    assert_eq!(engine.status(), RunStatus::Waiting);
}
