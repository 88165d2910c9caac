//! What the fold holds to.

mod checkpoints;
mod room;
mod steps;
mod tally;

use proptest::prelude::*;

use super::cost::{RowLabel, Tokens};
use super::*;
use crate::api::event::{Decoded, decode};
use crate::api::run::NodeStatus;

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";

fn event(seq: u64, rest: &str) -> Event {
    let ts = format!("2026-11-22T10:{:02}:{:02}Z", seq / 60 % 60, seq % 60);
    let line = format!(r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"{ts}",{rest}}}"#);
    match decode(line.as_bytes()).unwrap() {
        Decoded::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn fold(rests: &[&str]) -> Run {
    let mut run = Run::new(RunId::parse(RUN).unwrap());
    for (seq, rest) in (1..).zip(rests) {
        run.apply(event(seq, rest));
    }
    run
}

fn node<'a>(run: &'a Run, id: &str) -> &'a Node {
    &run.nodes[&NodeId::parse(id).unwrap()]
}

const STARTED: &str = r#""type":"run_started","plan_hash":"aa""#;
const NODE: &str = r#""type":"node_started","node_id":"a""#;

fn waiting(calls: &[&str]) -> String {
    let calls: Vec<String> =
        calls.iter().map(|id| format!(r#"{{"tool_call":{{"id":"{id}","name":"look","arguments":"{{}}"}}}}"#)).collect();
    format!(
        r#""type":"node_waiting","node_id":"a","waiting":{{"step":1,"request_id":"{REQUEST}","reason":"tool","pending_tool_calls":[{}]}}"#,
        calls.join(",")
    )
}

fn result(call: &str) -> String {
    format!(
        r#""type":"node_tool_result","node_id":"a","tool_result":{{"step":1,"request_id":"{REQUEST}","tool_call":{{"id":"{call}","name":"look"}},"output":"42"}}"#
    )
}

fn llm_call(input: u64, output: u64) -> String {
    format!(
        r#""type":"node_llm_call","node_id":"a","llm_call":{{"step":1,"request_id":"{REQUEST}","provider":"anthropic","model":"m","usage":{{"input_tokens":{input},"output_tokens":{output}}}}}"#
    )
}

fn snapshot(rest: &str) -> RunSnapshot {
    serde_json::from_str(&format!(r#"{{"run_id":"{RUN}",{rest}}}"#)).unwrap()
}

#[test]
fn a_run_waits_while_any_call_waits_and_runs_when_the_last_is_answered() {
    let (wait, one, two) = (waiting(&["c1", "c2"]), result("c1"), result("c2"));
    let script = [STARTED, NODE, &wait, &one, &two];
    let status = |n: usize| fold(&script[..n]).status().unwrap();
    assert_eq!(status(2), RunStatus::Running);
    assert_eq!(status(3), RunStatus::Waiting);
    assert_eq!(status(4), RunStatus::Waiting, "a partial answer leaves the run waiting");
    assert_eq!(status(5), RunStatus::Running);
    let run = fold(&script[..4]);
    assert_eq!(run.node_status(node(&run, "a")), NodeStatus::Waiting);
    let run = fold(&script);
    assert_eq!(run.node_status(node(&run, "a")), NodeStatus::Running);
    assert_eq!(node(&run, "a").calls.len(), 2);
    assert_eq!(node(&run, "a").calls[0].result.as_ref().unwrap().output, "42");
}

#[test]
fn a_run_whose_beginning_was_swallowed_runs_and_waits_as_its_nodes_do() {
    let mut run = Run::new(RunId::parse(RUN).unwrap());
    run.skip(1, 2);
    run.apply(event(3, NODE));
    assert_eq!(run.folded_status(), Some(RunStatus::Running));
    run.apply(event(4, &waiting(&["c1"])));
    assert_eq!(run.folded_status(), Some(RunStatus::Waiting));
    assert_eq!(fold(&[r#""type":"run_dreams""#]).folded_status(), None, "what it means is not known");
}

#[test]
fn a_call_told_by_a_wait_and_by_an_ask_is_one_call_with_its_question() {
    let wait = format!(
        r#""type":"node_waiting","node_id":"a","waiting":{{"step":1,"request_id":"{REQUEST}","reason":"tool","pending_tool_calls":[{{"tool_call":{{"id":"q","name":"user_ask","arguments":"{{}}"}}}}]}}"#
    );
    let ask = format!(
        r#""type":"node_user_ask","node_id":"a","user_ask":{{"step":1,"request_id":"{REQUEST}","tool_call":{{"id":"q","name":"user_ask","arguments":"{{}}"}},"question":"Go?","options":[{{"label":"yes"}}],"allow_freeform":false}}"#
    );
    for script in [[STARTED, NODE, &wait, &ask], [STARTED, NODE, &ask, &wait]] {
        let run = fold(&script);
        assert_eq!(run.pending.len(), 1);
        let question = run.pending.at(0).unwrap().question.clone().unwrap();
        assert_eq!((question.question.as_str(), question.allow_freeform), ("Go?", false));
    }
}

#[test]
fn a_node_that_fails_and_starts_again_is_a_retry() {
    let run = fold(&[
        STARTED,
        NODE,
        r#""type":"node_failed","node_id":"a","error":{"message":"overloaded"}"#,
        NODE,
        r#""type":"node_succeeded","node_id":"a""#,
    ]);
    let a = node(&run, "a");
    assert_eq!((a.retries(), a.failures), (1, 1));
    assert_eq!(run.node_status(a), NodeStatus::Succeeded);
    assert_eq!(run.progress(), (1, 1));
}

#[test]
fn when_the_run_ends_nothing_waits_any_more() {
    let wait = waiting(&["c1"]);
    let run = fold(&[STARTED, NODE, &wait, r#""type":"run_canceled","plan_hash":"aa","error":{"message":"by hand"}"#]);
    assert_eq!(run.status(), Some(RunStatus::Canceled));
    assert!(run.pending.is_empty() && run.has_ended());
    assert_eq!(run.failure.unwrap().message, "by hand");
}

#[test]
fn a_node_that_nobody_ended_is_left_open_when_the_run_ends_and_a_snapshot_that_knows_better_rules() {
    let ended = r#""type":"run_failed","plan_hash":"aa","error":{"message":"m"}"#;
    let mut run = fold(&[STARTED, NODE]);
    assert!(!run.was_left_open(node(&run, "a")), "the run still works");
    run.apply(event(3, ended));
    run.observe(&snapshot(r#""status":"failed""#));
    assert!(run.was_left_open(node(&run, "a")));
    run.observe(&snapshot(r#""status":"failed","nodes":[{"id":"a","type":"llm.responses","status":"canceled"}]"#));
    assert!(!run.was_left_open(node(&run, "a")));
    assert_eq!(run.node_status(node(&run, "a")), NodeStatus::Canceled);
}

#[test]
fn an_old_pending_tools_answer_is_refused_and_a_new_one_rules() {
    let (wait, one) = (waiting(&["c1", "c2"]), result("c1"));
    let mut run = fold(&[STARTED, NODE, &wait]);
    let asked_at = run.pending.generation();
    run.apply(event(4, &one));
    let empty = PendingTools { run_id: run.run_id, pending: Vec::new() };
    assert!(!run.observe_pending(&empty, asked_at, Timestamp::UNIX_EPOCH));
    assert_eq!(run.pending.len(), 1);
    assert!(run.observe_pending(&empty, run.pending.generation(), Timestamp::UNIX_EPOCH));
    assert!(run.pending.is_empty());
}

#[test]
fn a_list_that_leaves_a_call_out_is_in_doubt_until_an_event_ends_the_call_or_the_list_has_it() {
    let mut run = fold(&[STARTED, NODE, &waiting(&["c1", "c2"])]);
    let list = |calls: &str| -> PendingTools {
        let step = format!(r#"{{"node_id":"a","step":1,"request_id":"{REQUEST}","tool_calls":[{calls}]}}"#);
        serde_json::from_str(&format!(r#"{{"run_id":"{RUN}","pending":[{step}]}}"#)).unwrap()
    };
    let (one, both) = (r#"{"tool_call":{"id":"c1","name":"look"}}"#, r#"{"tool_call":{"id":"c2","name":"look"}}"#);
    let read = |run: &mut Run, calls: &str| {
        assert!(run.observe_pending(&list(calls), run.pending.generation(), Timestamp::UNIX_EPOCH));
        (run.pending.len(), run.pending.is_in_doubt())
    };
    assert_eq!(read(&mut run, one), (1, true));
    assert_eq!(read(&mut run, &format!("{one},{both}")), (2, false));
    assert_eq!(read(&mut run, both), (1, true));
    run.apply(event(4, &result("c1")));
    assert!(!run.pending.is_in_doubt());
}

#[test]
fn the_snapshot_speaks_only_where_the_fold_cannot() {
    let mut run = Run::new(RunId::parse(RUN).unwrap());
    run.observe(&snapshot(
        r#""status":"succeeded","nodes":[{"id":"b","type":"join.all","status":"succeeded"},{"id":"a","type":"llm.responses","status":"succeeded"}]"#,
    ));
    assert_eq!(run.status(), Some(RunStatus::Succeeded));
    run.apply(event(1, NODE));
    assert_eq!(run.node_status(node(&run, "a")), NodeStatus::Running, "events rule once they speak");
    assert_eq!(run.nodes.keys().map(NodeId::as_str).collect::<Vec<_>>(), ["b", "a"], "in the server's order");
    run.skip(2, 9);
    assert_eq!(run.node_status(node(&run, "a")), NodeStatus::Succeeded, "what a gap swallowed, the snapshot knows");
    assert_eq!((run.counts.gaps, run.counts.missing, run.last_seq), (1, 8, 9));
}

#[test]
fn a_status_that_only_the_snapshot_knows_is_shown_until_the_next_event() {
    let mut run = fold(&[STARTED, NODE]);
    run.observe(&snapshot(r#""status":"paused""#));
    assert_eq!(run.status(), Some(RunStatus::Other("paused".into())));
    run.apply(event(3, NODE));
    assert_eq!(run.status(), Some(RunStatus::Running));
}

#[test]
fn unbilled_tokens_are_estimated_by_the_runs_own_rate_then_by_the_settings_then_counted() {
    let call = llm_call(1_000, 1_000);
    let mut run = fold(&[STARTED, NODE, &call]);
    let (tokens, amount) = run.ledger.not_yet_billed(&Prices::new());
    assert_eq!((tokens.requests, amount.unpriced_calls), (1, 1));
    let prices = Prices::from_iter([(
        "anthropic/m".to_owned(),
        Price { input_cents_per_million: 300.0, output_cents_per_million: 1500.0 },
    )]);
    assert!((run.ledger.not_yet_billed(&prices).1.cents - 1.8).abs() < 1e-9);
    run.observe(&snapshot(
        r#""status":"running","cost_summary":{"total_usd_cents":7,"line_items":[{"provider_id":"anthropic","model":"m","requests":1,"input_tokens":500,"output_tokens":500,"usd_cents":5}]}"#,
    ));
    let (tokens, amount) = run.ledger.not_yet_billed(&prices);
    assert_eq!((tokens.input, tokens.output), (500, 500));
    assert!((amount.cents - 5.0).abs() < 1e-9 && amount.estimated, "the run's own rate comes first");
    let rows = run.ledger.rows(&prices);
    assert_eq!(rows[1].label, cost::RowLabel::NotItemised);
    assert!((rows[1].amount.cents - 2.0).abs() < 1e-9);
    assert_eq!(rows[2].label, cost::RowLabel::NotYetBilled);
}

#[test]
fn tokens_billed_at_less_than_a_cent_are_not_without_a_price() {
    let mut run = fold(&[STARTED, NODE, &llm_call(400, 100)]);
    run.observe(&snapshot(
        r#""status":"running","cost_summary":{"total_usd_cents":0,"line_items":[{"provider_id":"anthropic","model":"m","requests":1,"input_tokens":400,"output_tokens":100,"usd_cents":0}]}"#,
    ));
    let amount = |run: &Run| run.ledger.estimate_all(&node(run, "a").usage, &Prices::new());
    assert_eq!(amount(&run).unpriced_calls, 0);
    run.apply(event(4, &llm_call(400, 100)));
    assert_eq!(amount(&run).unpriced_calls, 2, "twice as much may be a cent and more");
}

proptest! {
    #[test]
    fn cost_rows_that_are_not_estimates_sum_to_the_servers_total(
        total in 0_u64..100_000,
        lines in proptest::collection::vec((0_u64..5_000, 0_u64..10_000, 0_u64..10_000), 0..6),
    ) {
        let items: Vec<String> = lines.iter().enumerate().map(|(i, (cents, input, output))| format!(
            r#"{{"provider_id":"openai","model":"m{i}","requests":1,"input_tokens":{input},"output_tokens":{output},"usd_cents":{cents}}}"#
        )).collect();
        let call = llm_call(10, 10);
        let mut run = fold(&[STARTED, NODE, &call]);
        run.observe(&snapshot(&format!(
            r#""status":"running","cost_summary":{{"total_usd_cents":{total},"line_items":[{}]}}"#, items.join(",")
        )));
        let sum: f64 = run.ledger.rows(&Prices::new()).iter()
            .filter(|row| !row.amount.estimated).map(|row| row.amount.cents).sum();
        prop_assert!((sum - f64::from(u32::try_from(total).unwrap())).abs() < 1e-6);
    }

    #[test]
    fn a_prefix_and_its_rest_fold_to_the_same_run_as_the_whole(picks in proptest::collection::vec(0_usize..7, 0..40), cut in 0_usize..40) {
        let menu = [
            STARTED.to_owned(), NODE.to_owned(), waiting(&["c1", "c2"]), result("c1"), result("c2"), llm_call(3, 4),
            r#""type":"node_output_delta","node_id":"a","delta":{"kind":"message_delta","text_delta":"é"}"#.to_owned(),
        ];
        let script: Vec<&str> = picks.iter().map(|pick| menu[*pick].as_str()).collect();
        let whole = fold(&script);
        let cut = cut.min(script.len());
        let mut parts = fold(&script[..cut]);
        for (seq, rest) in (1..).zip(&script).skip(cut) {
            parts.apply(event(seq, rest));
        }
        prop_assert_eq!(&parts, &whole);
        let waiting: Vec<_> = whole.pending.iter().map(|call| call.key.call_id.as_str().to_owned()).collect();
        for id in &waiting {
            prop_assert!(node(&whole, "a").calls.iter().any(|record| record.key.call_id.as_str() == id));
        }
    }
}

#[test]
fn figures_too_large_to_add_never_stop_the_console_and_never_wrap_to_small_ones() {
    let line = format!(
        r#"{{"provider_id":"anthropic","model":"m","requests":{0},"input_tokens":{0},"output_tokens":{0},"usd_cents":{0}}}"#,
        u64::MAX
    );
    let huge = llm_call(u64::MAX, u64::MAX);
    let mut run = fold(&[STARTED, &huge, &huge]);
    run.observe(&snapshot(&format!(
        r#""status":"running","cost_summary":{{"total_usd_cents":{},"line_items":[{line},{line}]}}"#,
        u64::MAX
    )));
    assert_eq!(run.ledger.billed_tokens(), u64::MAX);
    let rows = run.ledger.rows(&Prices::default());
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[2].label == RowLabel::NotItemised && rows[2].amount.cents < -1e19, "{:?}", rows[2]);
}

#[test]
fn what_a_model_is_billed_in_two_lines_or_called_by_without_its_provider_is_not_counted_again() {
    let unnamed = llm_call(500, 100).replace(r#""provider":"anthropic","#, "");
    let mut run = fold(&[STARTED, &llm_call(1000, 200), &unnamed]);
    let line = |requests: u64, input: u64, output: u64| {
        format!(
            r#"{{"provider_id":"anthropic","model":"m","requests":{requests},"input_tokens":{input},"output_tokens":{output},"usd_cents":3}}"#
        )
    };
    let bill = |run: &mut Run, lines: &[String]| {
        run.observe(&snapshot(&format!(
            r#""status":"running","cost_summary":{{"total_usd_cents":6,"line_items":[{}]}}"#,
            lines.join(",")
        )));
        run.ledger.not_yet_billed(&Prices::default()).0
    };
    assert_eq!(bill(&mut run, &[line(1, 700, 100), line(1, 800, 200)]), Tokens::default());
    let left = bill(&mut run, &[line(1, 1000, 200)]);
    assert_eq!((left.requests, left.input, left.output), (1, 500, 100), "a call that is not billed is not hidden");
}

#[test]
fn a_snapshot_that_was_asked_for_before_a_wait_does_not_deny_it() {
    let mut run = fold(&[STARTED, NODE, &waiting(&["c1"])]);
    run.observe_as_of(&snapshot(r#""status":"running""#), 2);
    assert_eq!(run.status(), Some(RunStatus::Waiting));
    run.observe_as_of(&snapshot(r#""status":"paused""#), 3);
    assert_eq!(run.status(), Some(RunStatus::Other("paused".into())));
}

#[test]
fn after_the_runs_end_nothing_begins_to_wait() {
    let end = r#""type":"run_failed","plan_hash":"aa","error":{"message":"m"}"#;
    assert!(fold(&[STARTED, NODE, end, &waiting(&["c1"])]).pending.is_empty());
}

#[test]
fn a_call_takes_its_arguments_from_whatever_tells_them() {
    let bare = waiting(&["c1"]).replace(r#","arguments":"{}""#, "");
    let run = fold(&[STARTED, NODE, &bare, &waiting(&["c1"])]);
    assert_eq!(run.pending.len(), 1);
    assert_eq!(run.pending.at(0).unwrap().call.arguments(), "{}");
}

#[test]
fn large_results_are_kept_up_to_a_bound_and_what_is_dropped_is_counted() {
    let mut run = Run::new(RunId::parse(RUN).unwrap());
    let output = "y".repeat(1024 * 1024);
    for seq in 1..=20_u64 {
        let large = result(&format!("c{seq}")).replace("42", &output);
        run.apply(event(seq, &large));
    }
    let a = node(&run, "a");
    assert_eq!((a.calls.len(), a.dropped_calls), (3, 17));
    assert_eq!(a.calls.back().unwrap().result.as_ref().unwrap().output.len(), output.len());
    let kept = limits::RECENT_BYTES / output.len() - 1;
    assert_eq!((run.history.entries().len(), run.history.dropped), (kept, 20 - kept as u64));
}

#[test]
fn a_snapshot_that_does_not_say_what_the_run_costs_does_not_say_that_it_costs_nothing() {
    let mut run = fold(&[STARTED]);
    run.observe(&snapshot(r#""status":"running","cost_summary":null"#));
    assert_eq!(run.ledger.billed_cents(), None);
    run.observe(&snapshot(r#""status":"running","cost_summary":{"total_usd_cents":7}"#));
    run.observe(&snapshot(r#""status":"running""#));
    assert_eq!(run.ledger.billed_cents(), Some(7), "the last figure stands");
}
