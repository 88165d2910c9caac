//! Every built-in scenario, played at once: its events, what they fold into, what the operator's answers become.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use relay_console::api::event::{DeltaKind, EventBody};
use relay_console::api::run::{NodeStatus, RunStatus};
use relay_console::api::tool::{PendingTools, ToolResult, ToolResultsRequest};
use relay_console::run::Run;
use relay_console::simulator::Scenario;
use relay_console::simulator::play::{PlayConfig, PlayedRun, play};

const CONFIG: PlayConfig = PlayConfig { seed: 7, start: Timestamp::UNIX_EPOCH, until: None };

/// An answer to every call of the first waiting step: the first option of a question, a marked JSON for a tool.
pub(super) fn answer_to(pending: &PendingTools) -> Option<ToolResultsRequest> {
    let step = pending.pending.first()?;
    let results = step.tool_calls.iter().map(|waiting| {
        let call = &waiting.tool_call;
        let output = match call.question() {
            Some(question) => {
                let label = question.options.first().map_or("as you like", |option| option.label.as_str());
                question.answer(label).unwrap().to_output()
            }
            None => format!("{{ \"typed by hand\": \"für {}\" }}", call.name),
        };
        ToolResult { tool_call: call.without_arguments(), output, error: None }
    });
    Some(ToolResultsRequest { step: step.step.clone(), results: results.collect() })
}

fn played(name: &str) -> Vec<PlayedRun> {
    play(&Scenario::find(name).unwrap(), CONFIG, |pending| Some((Duration::from_secs(3), answer_to(pending)?)))
}

fn all_played() -> Vec<(String, Vec<PlayedRun>)> {
    Scenario::builtin().iter().map(|scenario| (scenario.name().to_owned(), played(scenario.name()))).collect()
}

#[test]
fn every_event_of_every_scenario_is_read_back_to_the_same_json_in_seq_order() {
    for (name, runs) in all_played() {
        for run in runs {
            let events = run.events();
            assert_eq!(events.len(), run.lines.len(), "{name}");
            let mut last = Timestamp::MIN;
            for (index, (event, line)) in events.iter().zip(&run.lines).enumerate() {
                assert_eq!(event.seq, index as u64 + 1, "{name}");
                assert!(!matches!(event.body, EventBody::Unknown(_)), "{name}: {event:?}");
                assert!(event.ts >= last, "{name}: {event:?}");
                last = event.ts;
                let sent: serde_json::Value = serde_json::from_slice(line).unwrap();
                assert_eq!(serde_json::to_value(event).unwrap(), sent, "{name}");
            }
            assert!(events.last().unwrap().body.ends_run(), "{name} does not end");
        }
    }
}

#[test]
fn between_them_the_scenarios_show_all_28_event_types() {
    let shown: BTreeSet<String> = all_played()
        .iter()
        .flat_map(|(_, runs)| runs)
        .flat_map(|run| run.events().into_iter().map(|event| event.body.type_name().to_owned()))
        .collect();
    let published: BTreeSet<String> = EventBody::TYPES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(published.len(), 28);
    assert_eq!(shown, published);
}

#[test]
fn the_scenarios_end_as_they_say_and_the_first_is_the_newcomers() {
    let ends: Vec<(String, RunStatus)> =
        all_played().into_iter().map(|(name, runs)| (name, runs[0].snapshot.status.clone())).collect();
    assert_eq!(ends[0].0, "incident");
    for (name, status) in ends {
        let expected = match name.as_str() {
            "failing" => RunStatus::Failed,
            "canceled" => RunStatus::Canceled,
            _ => RunStatus::Succeeded,
        };
        assert_eq!(status, expected, "{name}");
    }
}

#[test]
fn the_newcomers_scenario_keeps_to_what_every_client_knows_and_to_its_times() {
    let mut answers = 0;
    let mut steps = Vec::new();
    let scenario = Scenario::find("incident").unwrap();
    let runs = play(&scenario, CONFIG, |pending| {
        let submission = answer_to(pending)?;
        answers += submission.results.len();
        steps.push(submission.results.len());
        Some((Duration::ZERO, submission))
    });
    let events = runs[0].events();
    let seconds = |ts: Timestamp| ts.as_millisecond() / 1000;
    let first_wait = events.iter().find(|event| matches!(event.body, EventBody::NodeWaiting(_))).unwrap();
    assert!(seconds(first_wait.ts) < 10, "first wait at {}", first_wait.ts);
    assert!(seconds(events.last().unwrap().ts) <= 30, "ends at {}", events.last().unwrap().ts);
    assert_eq!((answers, steps), (3, vec![2, 1]));
    for event in &events {
        let name = event.body.type_name();
        assert!(name.starts_with("run_") || name.starts_with("node_"), "{name}");
        match &event.body {
            EventBody::NodeToolCall(call) => assert!(!call.tool_call.tool_call.name.as_str().contains('.')),
            EventBody::NodeOutputDelta(delta) => assert!(!matches!(delta.delta.kind, DeltaKind::Other(_))),
            _ => {}
        }
    }
    let snapshot = &runs[0].snapshot;
    let costs = snapshot.cost_summary.as_ref().unwrap();
    let providers: BTreeSet<&str> = costs.line_items.iter().map(|l| l.provider_id.as_str()).collect();
    assert_eq!(providers.len(), 4, "{providers:?}");
    assert!(costs.total_usd_cents > 0);
    assert!(costs.line_items.iter().any(|line| line.usd_cents == 0), "some tokens cost less than a cent");
}

#[test]
fn what_the_operator_wrote_stands_in_node_outputs_and_in_the_runs_outputs() {
    for (name, runs) in all_played() {
        let snapshot = &runs[0].snapshot;
        if snapshot.status != RunStatus::Succeeded {
            continue;
        }
        let outputs = serde_json::to_string(&snapshot.outputs).unwrap();
        assert!(!outputs.contains("{{"), "{name}: something was not filled in: {outputs}");
        for event in runs[0].events() {
            let EventBody::NodeToolResult(result) = event.body else { continue };
            if result.tool_result.output.contains("typed by hand") {
                let text = serde_json::to_string(&result.tool_result.output).unwrap();
                assert!(outputs.contains(text.trim_matches('"')), "{name}: {text} is not in {outputs}");
            }
        }
    }
}

/// Folds statuses, totals and tokens from the events, by other code than the simulator's.
#[test]
fn a_snapshot_agrees_with_the_fold_of_its_events() {
    for (name, runs) in all_played() {
        for run in runs {
            let mut nodes = BTreeMap::new();
            let (mut calls, mut tools, mut input, mut output) = (0, 0, 0, 0);
            let mut steps = BTreeSet::new();
            for event in run.events() {
                let id = event.body.node_id().cloned();
                let mut set = |status| nodes.insert(id.clone().unwrap(), status);
                match &event.body {
                    EventBody::NodeStarted(_) => drop(set(NodeStatus::Running)),
                    EventBody::NodeWaiting(_) => drop(set(NodeStatus::Waiting)),
                    EventBody::NodeSucceeded(_) => drop(set(NodeStatus::Succeeded)),
                    EventBody::NodeFailed(_) => drop(set(NodeStatus::Failed)),
                    EventBody::NodeToolCall(_) => tools += 1,
                    EventBody::NodeLlmCall(call) => {
                        calls += 1;
                        steps.insert((call.node_id.clone(), call.llm_call.step));
                        let usage = call.llm_call.usage.unwrap_or_default();
                        (input, output) = (input + usage.input_tokens, output + usage.output_tokens);
                    }
                    _ => {}
                }
            }
            let snapshot = &run.snapshot;
            for node in snapshot.nodes.as_ref().unwrap() {
                let folded = nodes.remove(&node.id).unwrap_or(NodeStatus::Pending);
                let agrees = match (&node.status, &folded) {
                    // The run ended before the node did.
                    (NodeStatus::Canceled, folded) => !folded.is_terminal(),
                    (status, folded) => status == folded,
                };
                assert!(agrees, "{name}: {} is {} and folds to {folded}", node.id, node.status);
                assert_eq!(node.output.is_some(), node.status == NodeStatus::Succeeded, "{name}: {}", node.id);
                assert_eq!(node.started_at.is_some(), folded != NodeStatus::Pending, "{name}: {}", node.id);
            }
            assert!(nodes.is_empty(), "{name}: the snapshot does not list {nodes:?}");
            let summary = snapshot.summary.unwrap();
            assert_eq!((summary.total_llm_calls, summary.total_tool_calls), (calls, tools), "{name}");
            assert_eq!((summary.total_input_tokens, summary.total_output_tokens), (input, output), "{name}");
            assert_eq!(summary.total_steps, steps.len() as u64, "{name}");
            let lines = &snapshot.cost_summary.as_ref().unwrap().line_items;
            assert_eq!(lines.iter().map(|line| line.usd_cents).sum::<u64>(), summary.total_cost_cents, "{name}");
            assert_eq!(lines.iter().map(|line| line.input_tokens).sum::<u64>(), input, "{name}");
        }
    }
}

/// The console's own model, which shares nothing with the simulator but the wire's types.
#[test]
fn the_consoles_model_comes_to_the_same_as_the_snapshot() {
    for (name, runs) in all_played() {
        for played in runs {
            let mut run = Run::new(played.run_id);
            played.events().into_iter().for_each(|event| run.apply(event));
            assert_eq!(run.folded_status(), Some(played.snapshot.status.clone()), "{name}");
            assert!(run.pending.is_empty() && !run.counts.any_odd(), "{name}: {:?}", run.counts);
            let tokens: u64 = run.nodes.values().map(|node| node.tokens().input).sum();
            assert_eq!(tokens, played.snapshot.summary.unwrap().total_input_tokens, "{name}");
            run.observe(&played.snapshot);
            for listed in played.snapshot.nodes.as_ref().unwrap() {
                let node = &run.nodes[&listed.id];
                assert_eq!(run.node_status(node), listed.status, "{name}: {}", listed.id);
            }
        }
    }
}

#[test]
fn a_failing_node_is_tried_again_and_then_succeeds() {
    let runs = played("rollback");
    let of_node: Vec<&str> = ["node_started", "node_failed", "node_started", "node_succeeded"].to_vec();
    let events = runs[0].events();
    let seen: Vec<&str> = events
        .iter()
        .filter(|event| event.body.node_id().is_some_and(|id| id.as_str() == "check_health"))
        .map(|event| event.body.type_name())
        .filter(|name| of_node.contains(name))
        .collect();
    assert_eq!(seen, of_node);
}

#[test]
fn a_models_text_may_hold_what_a_terminal_would_act_on() {
    let runs = played("rollback");
    let text: String = runs[0]
        .events()
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::NodeOutputDelta(delta) => delta.delta.text_delta.as_deref().map(str::to_owned),
            _ => None,
        })
        .collect();
    for hostile in
        ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\r', '\u{8}', '検', '👩', '\u{301}']
    {
        assert!(text.contains(hostile), "{hostile:?} is missing");
    }
}

#[test]
fn an_error_result_leads_elsewhere_than_a_result() {
    let scenario = Scenario::find("rollback").unwrap();
    let mut failed = false;
    let mut questions = 0;
    let runs = play(&scenario, CONFIG, |pending| {
        let mut submission = answer_to(pending)?;
        let call = &pending.pending[0].tool_calls[0].tool_call;
        questions += usize::from(call.question().is_some());
        if call.name.as_str() == "deploy.roll_back" && !failed {
            failed = true;
            submission.results[0].output = String::new();
            submission.results[0].error = Some("permission denied".into());
        }
        Some((Duration::from_secs(1), submission))
    });
    assert_eq!(questions, 2, "the error is asked about");
    assert_eq!(runs[0].snapshot.status, RunStatus::Succeeded);
}

#[test]
fn child_runs_name_their_parent_and_end_before_their_agents_turn() {
    let runs = played("agents");
    assert_eq!(runs.len(), 3);
    let parent = runs[0].events();
    for child in &runs[1..] {
        assert_eq!(child.snapshot.parent_run_id, Some(runs[0].run_id));
        let turn_end = parent.iter().find(|event| {
            matches!(&event.body, EventBody::SchedulerAgentCompleted(end)
                if end.scheduler_agent_completed.agent_run_id == Some(child.run_id))
        });
        assert!(turn_end.unwrap().ts >= child.events().last().unwrap().ts);
    }
}

#[test]
fn a_fan_out_works_on_its_items_up_to_its_limit_and_several_wait_at_once() {
    let scenario = Scenario::find("review").unwrap();
    let held = play(&scenario, CONFIG, |_| None);
    let waiting = &held[0].pending.pending;
    assert!(waiting.len() >= 3, "{waiting:?}");
    assert!(waiting.iter().any(|step| step.tool_calls.len() == 2));
    assert_eq!(held[0].snapshot.status, RunStatus::Waiting);
    let mut active: BTreeSet<String> = BTreeSet::new();
    let mut most = 0;
    for event in played("review")[0].events() {
        let Some(id) = event.body.node_id().filter(|id| id.as_str().starts_with("review_files__")) else { continue };
        match event.body {
            EventBody::NodeStarted(_) => drop(active.insert(id.to_string())),
            EventBody::NodeSucceeded(_) => drop(active.remove(id.as_str())),
            _ => {}
        }
        most = most.max(active.len());
    }
    assert_eq!(most, 6);
}

#[test]
fn the_long_scenario_takes_minutes_and_many_events() {
    let runs = played("migration");
    let events = runs[0].events();
    assert!(events.len() > 2000, "{}", events.len());
    assert!(events.last().unwrap().ts.as_second() > 150, "{}", events.last().unwrap().ts);
    let waits = events.iter().filter(|event| matches!(event.body, EventBody::NodeWaiting(_))).count();
    assert_eq!(waits, 4);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_other_ids() {
    let scenario = Scenario::find("incident").unwrap();
    let play_with = |seed| {
        play(&scenario, PlayConfig { seed, ..CONFIG }, |pending| Some((Duration::from_secs(2), answer_to(pending)?)))
    };
    assert_eq!(play_with(1)[0].lines, play_with(1)[0].lines);
    assert_ne!(play_with(1)[0].run_id, play_with(2)[0].run_id);
}

#[test]
fn a_play_can_stop_at_a_moment() {
    let scenario = Scenario::find("incident").unwrap();
    let until = Duration::from_secs(2);
    let runs = play(&scenario, PlayConfig { until: Some(until), ..CONFIG }, |_| None);
    assert_eq!(runs[0].snapshot.status, RunStatus::Running);
    assert!(runs[0].events().iter().all(|event| event.ts.as_millisecond() <= 2000));
}

/// Where the published schema and a validator are at hand, every event is held to it.
#[test]
fn every_event_is_valid_by_the_published_schema() {
    let validator = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/validate_events.py");
    let ready = Command::new("python3").args(["-c", "import jsonschema"]).stderr(Stdio::null()).status();
    if !validator.exists() || !ready.is_ok_and(|status| status.success()) {
        eprintln!("skipped: needs ../shared and python3 with jsonschema");
        return;
    }
    let mut child =
        Command::new("python3").arg(&validator).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: Vec<_> = all_played().into_iter().flat_map(|(_, runs)| runs).flat_map(|run| run.lines).collect();
    // Written from a thread, so that neither side waits for the other.
    let writer = std::thread::spawn(move || lines.iter().for_each(|line| input.write_all(line).unwrap()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(", 0 invalid"), "{said}");
}
