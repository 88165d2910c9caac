//! Properties of the engine: how time is cut makes no difference, and every run can be answered to its end.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::identity::Identity;
use super::super::ledger::Clock;
use super::super::scenario::Scenario;
use super::Engine;
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
                    let reply = engine.submit(now, &some_results(step, choice)).unwrap();
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

#[test]
fn a_run_that_waits_has_nothing_due() {
    let mut engine = started(&Scenario::find("incident").unwrap());
    engine.advance(Duration::from_secs(3600));
    assert_eq!(engine.next_due(), None);
    assert_eq!(engine.status(), RunStatus::Waiting);
}
