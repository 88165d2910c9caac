//! Any spec, not only the scenarios': the simulator compiles it, runs it to its end, and says what is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use relay_console::api::event::EventBody;
use relay_console::api::run::{NodeStatus, NodeType, RunStatus};
use relay_console::api::tool::{PendingTools, ToolResult, ToolResultsRequest};
use relay_console::run::Run;
use relay_console::simulator::compile;
use relay_console::simulator::lint::lint;
use relay_console::simulator::play::{PlayConfig, PlayedRun, play_spec};
use serde_json::{Map, Value, json};

const CONFIG: PlayConfig = PlayConfig { seed: 5, start: Timestamp::UNIX_EPOCH, until: None };

/// Results for every call of one waiting step: every third an error, a question by its first option.
fn answer(pending: &PendingTools, turn: usize) -> Option<(Duration, ToolResultsRequest)> {
    let step = pending.pending.get(turn % pending.pending.len().max(1))?;
    let results = step.tool_calls.iter().enumerate().map(|(index, waiting)| {
        let call = &waiting.tool_call;
        let question = call.question().map(|question| {
            let label = question.options.first().map_or("as you like", |option| option.label.as_str());
            question.answer(label).unwrap().to_output()
        });
        let error = (turn + index).is_multiple_of(3).then(|| format!("no {}", call.name));
        let output = question.unwrap_or_else(|| format!("result of {}", call.name));
        ToolResult { tool_call: call.without_arguments(), output, error }
    });
    Some((Duration::from_secs(1), ToolResultsRequest { step: step.step.clone(), results: results.collect() }))
}

fn played(spec: &Value, input: &Value) -> PlayedRun {
    let mut turn = 0;
    let input = input.as_object().cloned().unwrap_or_default();
    let run = play_spec(spec, input, CONFIG, |pending| {
        turn += 1;
        answer(pending, turn)
    });
    run.unwrap_or_else(|issues| panic!("{spec} does not compile: {issues:?}"))
}

fn output(run: &PlayedRun, name: &str) -> Value {
    let outputs = run.snapshot.outputs.as_ref().unwrap();
    serde_json::from_str(outputs[name].get()).unwrap()
}

fn status(run: &PlayedRun, id: &str) -> NodeStatus {
    let nodes = run.snapshot.nodes.as_ref().unwrap();
    nodes.iter().find(|node| node.id.as_str() == id).unwrap().status.clone()
}

fn llm(id: &str, user: &str) -> Value {
    json!({"id": id, "type": "llm", "user": user})
}

const TEXT: &str = "/output/0/content/0/text";

// ---------------------------------------------------------------------------------------------------------------------

#[test]
fn a_models_answer_carries_what_it_was_asked_and_what_its_tools_said() {
    let parameters =
        json!({"type": "object", "properties": {"service": {"type": "string"}, "minutes": {"type": "integer"}}});
    let spec = json!({"model": "claude-sonnet-4-5", "inputs": [{"name": "topic", "required": true}, {"name": "tone", "default": "dry"}],
        "nodes": [{"id": "a", "type": "llm", "user": "Write about {{topic}}, {{tone}}.", "tool_execution": {"mode": "client"},
            "tools": ["fetch", "user_ask", {"type": "function", "function": {"name": "rate", "parameters": parameters}}]}],
        "outputs": [{"name": "text", "from": "a", "pointer": TEXT}, {"name": "nothing", "from": "a", "pointer": "/x"}]});
    let run = played(&spec, &json!({"topic": "{{tone}} rivers"}));
    assert_eq!(run.snapshot.status, RunStatus::Succeeded);
    let text = output(&run, "text");
    let text = text.as_str().unwrap();
    // What was put in is not looked at again.
    assert!(text.contains("Write about {{tone}} rivers, dry."), "{text}");
    assert!(text.contains("fetch: result of fetch") && text.contains("rate: error: no rate"), "{text}");
    assert!(text.contains("user_ask: {\"answer\":\"Yes\",\"is_freeform\":false}"), "{text}");
    assert_eq!(output(&run, "nothing"), Value::Null);
    let calls = &run.steps[0].tool_calls;
    let arguments: Value = serde_json::from_str(calls[2].tool_call.arguments()).unwrap();
    assert_eq!(arguments, json!({"service": "service of a", "minutes": 1}));
}

#[test]
fn who_answers_a_call_depends_on_the_mode_and_on_how_the_tool_is_declared() {
    let function = json!({"type": "function", "function": {"name": "own"}});
    let waiting = |mode: Option<&str>| {
        let mut node = json!({"id": "a", "type": "llm", "user": "u", "tools": ["theirs", function, "user_ask"]});
        if let Some(mode) = mode {
            node["tool_execution"] = json!({"mode": mode});
        }
        let run = play_spec(&json!({"model": "m", "nodes": [node]}), Map::new(), CONFIG, |_| None).unwrap();
        let names: Vec<String> = run.pending.calls().map(|(_, call)| call.name.to_string()).collect();
        names.join(" ")
    };
    assert_eq!(waiting(Some("client")), "theirs own user_ask");
    assert_eq!(waiting(Some("server")), "user_ask");
    assert_eq!(waiting(Some("agentic")), "own user_ask");
    assert_eq!(waiting(None), "own user_ask");
}

#[test]
fn steps_hold_what_the_model_was_asked_and_what_it_answered() {
    let spec = json!({"model": "gpt-5", "nodes": [
        {"id": "a", "type": "llm", "system": "Be brief.", "user": "Look.", "tools": ["look"], "temperature": 0.5},
        llm("b", "{{a}}")]});
    let run = played(&spec, &json!({}));
    let names: Vec<(&str, u64)> = run.steps.iter().map(|step| (step.node_id.as_str(), step.step)).collect();
    assert_eq!(names, [("a", 0), ("a", 1), ("b", 0)]);
    let raw = |raw: &Option<Box<serde_json::value::RawValue>>| -> Value {
        serde_json::from_str(raw.as_ref().unwrap().get()).unwrap()
    };
    let request = raw(&run.steps[1].llm_request);
    assert_eq!((&request["model"], &request["temperature"]), (&json!("gpt-5"), &json!(0.5)));
    let roles: Vec<&str> =
        request["input"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    assert_eq!(raw(&run.steps[0].llm_response)["output"][0]["tool_calls"][0]["function"]["name"], json!("look"));
    assert_eq!(run.steps[0].tool_results.len(), 1);
    let counted = run.steps.iter().map(|step| step.llm_call.as_ref().unwrap().usage.unwrap().input_tokens).sum::<u64>();
    assert_eq!(run.snapshot.summary.unwrap().total_input_tokens, counted);
}

#[test]
fn a_task_list_is_what_the_last_call_that_writes_it_says() {
    let spec =
        json!({"model": "m", "nodes": [{"id": "a", "type": "llm", "user": "Plan it", "tools": ["tasks.write"]}]});
    let run = played(&spec, &json!({}));
    assert_eq!(run.tasks.len(), 3);
    assert!(run.tasks[0].content.contains("Plan it"));
    let updates = run.events().iter().filter(|event| matches!(event.body, EventBody::TaskListUpdated(_))).count();
    assert_eq!(updates, 1);
}

/// A node that fails: a fan-out over something that is no list.
fn failing(id: &str) -> Value {
    json!({"id": id, "type": "map.fanout", "items_from_input": "nothing", "subnode": llm("s", "{{item}}")})
}

fn with_inputs(nodes: &Value, outputs: &Value) -> Value {
    json!({"model": "m", "inputs": [{"name": "nothing"}, {"name": "list"}], "nodes": nodes, "outputs": outputs})
}

#[test]
fn join_any_takes_the_first_that_counts_and_does_without_those_that_fail() {
    let spec = with_inputs(
        &json!([failing("bad"), llm("after_bad", "{{bad}}"), llm("good", "hello"),
            {"id": "any", "type": "join.any", "depends_on": ["after_bad", "good"]}, llm("end", "got {{any}}")]),
        &json!([{"name": "end", "from": "end", "pointer": TEXT}, {"name": "any", "from": "any"}]),
    );
    let run = played(&spec, &json!({}));
    assert_eq!(run.snapshot.status, RunStatus::Succeeded);
    assert_eq!((status(&run, "bad"), status(&run, "after_bad")), (NodeStatus::Failed, NodeStatus::Failed));
    let nodes = run.snapshot.nodes.as_ref().unwrap();
    assert_eq!(nodes[1].error.as_ref().unwrap().code.as_deref(), Some("DEPENDENCY_FAILED"));
    assert_eq!(output(&run, "any")["node_id"], json!("good"));
    assert_eq!(output(&run, "end"), json!("A stand-in answer to: got A stand-in answer to: hello"));
}

#[test]
fn join_any_fails_when_nothing_can_count_any_more() {
    let never = json!({"source": "node_output", "op": "equals", "value": "never"});
    let spec = with_inputs(
        &json!([llm("a", "x"), {"id": "any", "type": "join.any", "depends_on": ["a"], "predicate": never}]),
        &json!([{"name": "any", "from": "any"}]),
    );
    let run = played(&spec, &json!({}));
    assert_eq!(run.snapshot.status, RunStatus::Failed);
    let error = run.snapshot.nodes.as_ref().unwrap()[1].error.clone().unwrap();
    assert_eq!(error.code.as_deref(), Some("NO_MATCH"));
    assert!(error.message.contains("(a)"), "{}", error.message);
}

#[test]
fn a_failed_node_can_count_by_its_status() {
    let failed = json!({"source": "node_status", "op": "equals", "value": "failed"});
    let spec = with_inputs(
        &json!([failing("bad"), {"id": "any", "type": "join.any", "depends_on": ["bad"], "predicate": failed}]),
        &json!([{"name": "any", "from": "any"}]),
    );
    let any = output(&played(&spec, &json!({})), "any");
    assert_eq!((&any["status"], &any["error"]["code"]), (&json!("failed"), &json!("INVALID_INPUT")));
}

#[test]
fn a_failure_that_no_join_takes_up_fails_the_run() {
    let spec = with_inputs(&json!([failing("bad"), llm("a", "x")]), &json!([{"name": "a", "from": "a"}]));
    let run = played(&spec, &json!({}));
    assert_eq!((run.snapshot.status.clone(), status(&run, "a")), (RunStatus::Failed, NodeStatus::Canceled));
}

#[test]
fn join_collect_stops_at_its_limit_at_its_time_or_with_the_last() {
    let slow =
        json!({"id": "slow", "type": "llm", "user": "x", "tools": ["ask"], "tool_execution": {"mode": "client"}});
    let collect = |fields: Value| {
        let mut join = json!({"id": "all", "type": "join.collect", "depends_on": ["slow", "a", "b"]});
        join.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let nodes = json!([slow, llm("a", "x"), llm("b", "{{a}}"), join]);
        let run = played(&with_inputs(&nodes, &json!([{"name": "all", "from": "all"}])), &json!({}));
        assert_eq!(run.snapshot.status, RunStatus::Succeeded);
        let all = output(&run, "all");
        let names: Vec<String> =
            all["items"].as_array().unwrap().iter().map(|item| item["node_id"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), all["reason"].as_str().unwrap().to_owned())
    };
    let is = |names: &str, reason: &str| (names.to_owned(), reason.to_owned());
    assert_eq!(collect(json!({"limit": 1})), is("a", "limit"));
    assert_eq!(collect(json!({"timeout_ms": 60_000})), is("a b", "timeout"));
    assert_eq!(collect(json!({})), is("a b slow", "all"));
    let matches = json!({"source": "node_output", "op": "matches", "value": "answer to: A stand-in"});
    assert_eq!(collect(json!({"predicate": matches, "timeout_ms": 60_000})), is("b", "timeout"));
}

#[test]
fn a_transform_takes_values_from_nodes_and_inputs() {
    let spec = with_inputs(
        &json!([llm("a", "x"),
            {"id": "object", "type": "transform.json", "object": {"text": {"from": "a", "pointer": TEXT},
                "first": {"from": "list", "pointer": "/0"}, "none": {"from": "list", "pointer": "/9"}}},
            {"id": "merged", "type": "transform.json", "merge": [{"from": "object"}, {"from": "list", "pointer": "/1"}]},
            {"id": "any", "type": "join.any", "depends_on": ["wrong", "merged"]},
            {"id": "wrong", "type": "transform.json", "merge": [{"from": "list"}]}]),
        &json!([{"name": "merged", "from": "merged"}]),
    );
    let run = played(&spec, &json!({"list": [7, {"first": 8, "more": true}]}));
    let expected = json!({"text": "A stand-in answer to: x", "first": 8, "none": null, "more": true});
    assert_eq!(output(&run, "merged"), expected);
    let wrong = run.snapshot.nodes.as_ref().unwrap().iter().find(|node| node.id.as_str() == "wrong").unwrap();
    assert_eq!(wrong.error.as_ref().unwrap().code.as_deref(), Some("NOT_AN_OBJECT"));
}

#[test]
fn a_fan_out_within_a_fan_out_knows_both_items() {
    let inner = json!({"id": "row", "type": "map.fanout", "items_from": "item", "items_path": "/cells", "max_parallelism": 1,
        "subnode": llm("cell", "{{outer.number}}.{{number}} {{outer.item:/name}}: {{item}}")});
    let spec = with_inputs(
        &json!([{"id": "table", "type": "map.fanout", "items_from_input": "list", "subnode": inner}]),
        &json!([{"name": "texts", "from": "table"}]),
    );
    let list = json!([{"name": "a", "cells": ["x", "y"]}, {"name": "b", "cells": []}, {"name": "c", "cells": ["z"]}]);
    let run = played(&spec, &json!({"list": list}));
    let texts = output(&run, "texts");
    let text = |at: &str| texts.pointer(&format!("{at}{TEXT}")).cloned().unwrap();
    assert_eq!(text("/items/0/items/1"), json!("A stand-in answer to: 1.2 a: y"));
    assert_eq!(text("/items/2/items/0"), json!("A stand-in answer to: 3.1 c: z"));
    assert_eq!(texts["items"][1], json!({"items": []}));
    let types: BTreeMap<String, NodeType> =
        run.snapshot.nodes.unwrap().into_iter().map(|node| (node.id.to_string(), node.node_type)).collect();
    assert_eq!((&types["table__0"], &types["table__0__1"]), (&NodeType::MapFanout, &NodeType::LlmResponses));
}

#[test]
fn a_model_whose_text_a_fan_out_works_on_writes_a_list() {
    let spec = json!({"model": "m", "nodes": [llm("list", "Name topics"),
        {"id": "each", "type": "map.fanout", "items_from": "list", "items_path": "/topics", "subnode": llm("one", "{{item}}")}]});
    let run = played(&spec, &json!({}));
    assert_eq!(output(&run, "each")["items"].as_array().unwrap().len(), 3);
    assert_eq!(status(&run, "each__2"), NodeStatus::Succeeded);
}

#[test]
fn an_answer_with_a_schema_is_a_value_of_it_and_a_switch_chooses_one_of_its_routes() {
    let schema = json!({"type": "object", "properties": {"score": {"type": "integer", "minimum": 3}, "why": {"type": "string"}}});
    let spec = json!({"model": "m", "nodes": [
        {"id": "judge", "type": "llm", "user": "Judge it", "output_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}},
        {"id": "switch", "type": "route.switch", "user": "Which?", "routes": ["left", {"id": "right"}]},
        llm("end", "{{judge}} {{switch}}")],
        "outputs": [{"name": "judge", "from": "judge", "pointer": TEXT}, {"name": "switch", "from": "switch"}]});
    let run = played(&spec, &json!({}));
    let judged: Value = serde_json::from_str(output(&run, "judge").as_str().unwrap()).unwrap();
    assert_eq!(judged, json!({"score": 3, "why": "A stand-in answer to: Judge it"}));
    let switch = output(&run, "switch");
    assert_eq!(switch.pointer(TEXT), Some(&switch["route"]));
    assert!(["left", "right"].contains(&switch["route"].as_str().unwrap()), "{switch}");
}

#[test]
fn data_that_doubles_in_every_node_ends_with_an_error_and_not_with_the_memory() {
    let mut nodes = vec![llm("n0", "start")];
    for index in 1..60 {
        let before = format!("n{}", index - 1);
        let object = json!({"a": {"from": before}, "b": {"from": before}});
        nodes.push(json!({"id": format!("n{index}"), "type": "transform.json", "object": object}));
    }
    let run = played(&json!({"model": "m", "nodes": nodes}), &json!({}));
    assert_eq!(run.snapshot.status, RunStatus::Failed);
    let failed = run.snapshot.nodes.unwrap().into_iter().find_map(|node| node.error).unwrap();
    assert_eq!(failed.code.as_deref(), Some("OUTPUT_TOO_LARGE"));
}

// ---------------------------------------------------------------------------------------------------------------------

/// A node of any type that depends on some of those before it; `pick` chooses everything about it.
fn generated_node(index: usize, pick: &[usize]) -> Value {
    let choice = |at: usize, of: usize| pick[at % pick.len()] % of;
    let earlier: Vec<String> = (0..index).filter(|at| choice(at + 3, 3) == 0).map(|at| format!("n{at}")).collect();
    let last = (index > 0).then(|| format!("n{}", index - 1));
    let needed: Vec<&String> = if earlier.is_empty() { last.iter().collect() } else { earlier.iter().collect() };
    let named = needed.iter().map(|id| format!("{{{{{id}}}}}")).collect::<Vec<_>>().join(" ");
    let id = format!("n{index}");
    let tools = [
        json!([]),
        json!(["t.one"]),
        json!(["t", {"type": "function", "function": {"name": "own"}}]),
        json!(["user_ask"]),
    ];
    let mode = ["client", "server", "agentic"][choice(1, 3)];
    let model = |id: &str, kind: &str, user: String| {
        json!({"id": id, "type": kind, "user": user, "tools": tools[choice(2, 4)], "stream": choice(3, 2) == 0,
            "tool_execution": {"mode": mode}})
    };
    let subnode = |user: &str| match choice(4, 3) {
        0 => json!({"id": "sub", "type": "transform.json", "object": {"i": {"from": "item"}, "l": {"from": "list"}}}),
        1 => model("sub", "route.switch", format!("{user} {named}")),
        _ => model("sub", "llm", user.to_owned()),
    };
    let predicates = [
        json!(null),
        json!({"source": "node_status", "op": "exists"}),
        json!({"source": "node_output", "op": "matches", "value": "stand-in"}),
        json!({"source": "node_output", "op": "exists", "path": "$.output[0].content"}),
        json!({"source": "node_status", "op": "equals", "value": "failed"}),
    ];
    let limit = [None, Some(1), Some(2)][choice(6, 3)];
    let timeout_ms = [None, Some(500)][choice(7, 2)];
    let predicate = &predicates[choice(5, 5)];
    match choice(0, 9) {
        4 if index > 0 => json!({"id": id, "type": "join.all", "depends_on": needed}),
        5 if index > 0 => json!({"id": id, "type": "join.any", "depends_on": needed, "predicate": predicate}),
        6 if index > 0 => json!({"id": id, "type": "join.collect", "depends_on": needed, "predicate": predicate,
            "limit": limit, "timeout_ms": timeout_ms}),
        7 => json!({"id": id, "type": "transform.json", "object": {"x": {"from": last.as_deref().unwrap_or("list")}}}),
        1 | 2 => {
            let inner = json!({"id": "inner", "type": "map.fanout", "items_from": "item", "items_pointer": "/inner",
                "subnode": subnode("{{item}} in {{outer.index}}")});
            let from = match &last {
                Some(last) if choice(8, 2) == 0 => ("items_from", last.as_str()),
                _ => ("items_from_input", "list"),
            };
            let subnode = if choice(0, 9) == 1 { inner } else { subnode("{{item}}") };
            json!({"id": id, "type": "map.fanout", from.0: from.1, "max_parallelism": choice(9, 3) + 1,
                "depends_on": last.iter().collect::<Vec<_>>(), "subnode": subnode})
        }
        3 => model(&id, "route.switch", named),
        _ => model(&id, "llm", format!("do {named}")),
    }
}

fn generated_spec() -> impl Strategy<Value = Value> {
    let picks = prop::collection::vec(prop::collection::vec(0..1000_usize, 10), 1..9);
    (picks, prop::option::of(1..4_u64)).prop_map(|(picks, most)| {
        let nodes: Vec<Value> = picks.iter().enumerate().map(|(index, pick)| generated_node(index, pick)).collect();
        json!({"kind": "workflow", "model": "gpt-5-mini", "max_parallelism": most, "nodes": nodes,
            "inputs": [{"name": "list", "default": [{"inner": [1, 2]}, {"inner": []}, {"inner": ["x"]}]}],
            "outputs": [{"name": "last", "from": format!("n{}", picks.len() - 1)}]})
    })
}

/// Any JSON, made of the words of specs so that it comes near to being one.
fn garbage() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "nodes",
        "id",
        "type",
        "llm",
        "map.fanout",
        "join.any",
        "transform.json",
        "a",
        "b",
        "{{a}}",
        "{{",
        "subnode",
        "depends_on",
        "predicate",
        "source",
        "op",
        "path",
        "$.",
        "object",
        "merge",
        "from",
        "pointer",
        "/",
        "~",
        "item",
        "tools",
        "function",
        "name",
        "inputs",
        "outputs",
        "items_from",
        "tool_execution",
        "mode",
        "output_format",
        "json_schema",
        "schema",
        "$ref",
        "#",
        "user",
        "input",
        "model",
        "kind",
        "workflow",
        "items_from_input",
        "limit",
        "__0",
        "a__0",
        "default",
        "é",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 80, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8)
                .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

/// The same value with the keys of every object in the reverse order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect())
        }
        Value::Array(list) => list.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

/// The most nodes that worked or waited at once: of the whole run, and of the items of each fan-out.
fn most_at_once(run: &PlayedRun) -> (usize, BTreeMap<String, usize>) {
    let types: BTreeMap<String, NodeType> =
        run.snapshot.nodes.iter().flatten().map(|node| (node.id.to_string(), node.node_type.clone())).collect();
    let mut active: Vec<String> = Vec::new();
    let (mut most, mut of_fan_out) = (0, BTreeMap::new());
    for event in run.events() {
        let Some(id) = event.body.node_id().map(ToString::to_string) else { continue };
        match &event.body {
            EventBody::NodeStarted(_) => active.push(id),
            EventBody::NodeSucceeded(_) | EventBody::NodeFailed(_) => active.retain(|other| *other != id),
            _ => continue,
        }
        let works =
            |id: &&String| !matches!(types[*id], NodeType::MapFanout | NodeType::JoinAny | NodeType::JoinCollect);
        most = most.max(active.iter().filter(works).count());
        let mut items: BTreeMap<&str, usize> = BTreeMap::new();
        active
            .iter()
            .filter_map(|id| id.rsplit_once("__"))
            .for_each(|(parent, _)| *items.entry(parent).or_default() += 1);
        for (parent, count) in items {
            let seen = of_fan_out.entry(parent.to_owned()).or_insert(0);
            *seen = count.max(*seen);
        }
    }
    (most, of_fan_out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_valid_spec_runs_to_an_end_within_its_limits_and_its_snapshot_is_the_fold_of_its_events(spec in generated_spec()) {
        let run = played(&spec, &json!({}));
        prop_assert!(run.snapshot.status.is_terminal(), "{}: {}", run.snapshot.status, spec);
        prop_assert!(run.pending.pending.is_empty());
        let (most, of_fan_out) = most_at_once(&run);
        if let Some(limit) = spec["max_parallelism"].as_u64() {
            prop_assert!(most as u64 <= limit, "{most} at once in {spec}");
        }
        for (fan_out, most) in of_fan_out {
            let node = spec["nodes"].as_array().unwrap().iter().find(|node| node["id"] == fan_out.as_str());
            if let Some(limit) = node.and_then(|node| node["max_parallelism"].as_u64()) {
                prop_assert!(most as u64 <= limit, "{most} items of {fan_out} at once in {spec}");
            }
        }
        let mut folded = Run::new(run.run_id);
        run.events().into_iter().for_each(|event| folded.apply(event));
        prop_assert_eq!(folded.folded_status(), Some(run.snapshot.status.clone()));
        prop_assert!(!folded.counts.any_odd(), "{:?} of {}", folded.counts, spec);
        let tokens: u64 = folded.nodes.values().map(|node| node.tokens().input).sum();
        prop_assert_eq!(tokens, run.snapshot.summary.unwrap().total_input_tokens);
        folded.observe(&run.snapshot);
        for listed in run.snapshot.nodes.as_ref().unwrap() {
            if let Some(node) = folded.nodes.get(&listed.id) {
                prop_assert_eq!(&folded.node_status(node), &listed.status, "{} of {}", &listed.id, &spec);
            }
            prop_assert!(listed.status.is_terminal() || run.snapshot.status == RunStatus::Failed, "{}: {}", listed.id, spec);
        }
        prop_assert_eq!(played(&spec, &json!({})).lines, run.lines);
    }

    #[test]
    fn the_order_of_keys_makes_no_other_plan_and_another_text_does(spec in generated_spec()) {
        let plan = compile(&spec).unwrap();
        let same = compile(&reversed(&spec)).unwrap();
        prop_assert_eq!(&plan.plan_hash, &same.plan_hash);
        prop_assert_eq!(plan.plan_json.get(), same.plan_json.get());
        let mut other = spec.clone();
        other["model"] = json!("another");
        let asks = spec.to_string().contains("\"user\"");
        prop_assert_eq!(compile(&other).unwrap().plan_hash != plan.plan_hash, asks);
    }

    #[test]
    fn no_json_makes_the_compiler_or_the_linter_panic_and_what_compiles_runs(json in garbage()) {
        let _ = lint(&json);
        if let Err(issues) = compile(&json) {
            prop_assert!(!issues.is_empty());
            prop_assert!(issues.iter().all(|issue| issue.path.starts_with('$') && !issue.code.is_empty()));
        }
    }

    #[test]
    fn a_valid_spec_with_something_else_in_one_place_is_refused_or_runs(
        spec in generated_spec(), place in 0..400_usize, value in garbage(),
    ) {
        let mut spec = spec;
        let mut left = place;
        replace_nth(&mut spec, &mut left, &value);
        let _ = lint(&spec);
        if let Ok(run) = play_spec(&spec, Map::new(), CONFIG, |pending| answer(pending, 0)) {
            prop_assert!(run.snapshot.status.is_terminal(), "{}: {}", run.snapshot.status, spec);
        }
    }
}

/// Replaces the value in the place with this number, counting from the outside in.
fn replace_nth(value: &mut Value, left: &mut usize, with: &Value) -> bool {
    if *left == 0 {
        *value = with.clone();
        return true;
    }
    *left -= 1;
    match value {
        Value::Object(map) => map.values_mut().any(|value| replace_nth(value, left, with)),
        Value::Array(list) => list.iter_mut().any(|value| replace_nth(value, left, with)),
        _ => false,
    }
}
