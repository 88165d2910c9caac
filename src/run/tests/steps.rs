//! The steps of a node, and the child runs of a scheduler.

use std::time::Duration;

use super::*;
use crate::api::event::EventBody;

const OTHER: &str = "550e8400-e29b-41d4-a716-446655440002";

fn called(step: u64, request: &str, rest: &str) -> String {
    format!(r#""type":"node_llm_call","node_id":"a","llm_call":{{"step":{step},"request_id":"{request}"{rest}}}"#)
}

fn steps(run: &Run) -> Vec<&StepRecord> {
    node(run, "a").steps.iter().collect()
}

#[test]
fn a_step_tells_its_model_tokens_stop_reason_time_and_calls() {
    let usage = r#","provider":"anthropic","model":"m","response_id":"r1","stop_reason":"tool_use","usage":{"input_tokens":7,"output_tokens":2}"#;
    let run = fold(&[
        STARTED,
        NODE,
        STARTED,
        &called(1, REQUEST, usage),
        &waiting(&["c1"]),
        STARTED,
        &result("c1"),
        STARTED,
        &called(2, OTHER, r#","stop_reason":"end_turn""#),
    ]);
    let [first, second] = steps(&run)[..] else { panic!("{:?}", steps(&run)) };
    assert_eq!(first.rate.as_ref().map(|rate| &*rate.model), Some("m"));
    assert_eq!(first.tokens, Some(Tokens { requests: 1, input: 7, output: 2 }));
    assert_eq!((first.stop_reason.as_deref(), first.response_id.as_deref()), (Some("tool_use"), Some("r1")));
    assert_eq!(first.waited_for.as_deref(), Some("tool"));
    assert_eq!(first.took(), Duration::from_secs(5), "from the node's start to the result");
    assert_eq!(node(&run, "a").calls_of(first).count(), 1);
    assert_eq!((second.tokens, second.took()), (None, Duration::from_secs(2)), "from the result to the answer");
    assert_eq!(node(&run, "a").calls_of(second).count(), 0);
}

#[test]
fn a_node_that_is_started_again_does_not_write_over_the_steps_of_its_first_attempt() {
    let failed = r#""type":"node_failed","node_id":"a","error":{"message":"m"}"#;
    let run = fold(&[STARTED, NODE, &called(1, REQUEST, ""), failed, NODE, &called(1, OTHER, "")]);
    assert_eq!(steps(&run).iter().map(|step| step.key.step).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(steps(&run)[1].took(), Duration::from_secs(1), "it begins where the node started again");
    let told_twice = fold(&[STARTED, NODE, &called(1, REQUEST, ""), &called(1, REQUEST, "")]);
    assert_eq!(steps(&told_twice).len(), 1);
}

#[test]
fn steps_are_kept_up_to_a_bound_and_what_is_dropped_is_counted() {
    let mut run = fold(&[STARTED, NODE]);
    let over = 3;
    for step in 0..limits::STEP_RECORDS as u64 + over {
        run.apply(event(step + 3, &called(step, REQUEST, "")));
    }
    let kept = &node(&run, "a").steps;
    assert_eq!((kept.iter().len(), kept.dropped), (limits::STEP_RECORDS, over));
    assert_eq!(kept.count(), limits::STEP_RECORDS as u64 + over);
    assert_eq!(kept.iter().next().map(|step| step.key.step), Some(over));
}

#[test]
fn every_child_run_of_a_scheduler_is_kept_not_only_the_last_of_each_agent() {
    let told = |kind: &str, rest: &str| {
        let text = format!(r#""type":"scheduler_{kind}","node_id":"a","scheduler_{kind}":{{{rest}}}"#);
        assert!(!matches!(event(1, &text).body, EventBody::Unknown(_)), "{text}");
        text
    };
    let (first, second) = (REQUEST, OTHER);
    let run = fold(&[
        &told("round_started", r#""round_index":0"#),
        &told("agent_started", &format!(r#""agent_id":"critic","agent_run_id":"{first}""#)),
        &told("agent_completed", r#""agent_id":"critic","status":"succeeded""#),
        &told("round_started", r#""round_index":1"#),
        &told("agent_started", &format!(r#""agent_id":"critic","agent_run_id":"{second}""#)),
    ]);
    let scheduler = node(&run, "a").scheduler.as_ref().unwrap();
    let runs: Vec<_> =
        scheduler.runs.iter().map(|child| (child.run_id.to_string(), child.round, child.status.as_deref())).collect();
    assert_eq!(runs, [(first.to_owned(), Some(0), Some("succeeded")), (second.to_owned(), Some(1), None)]);
}
