//! Creating runs: from a spec, from a plan, again, wrongly, and too many of them.

use relay_console::api::create::CreateRun;
use relay_console::api::error::Error;
use relay_console::api::ids::{PlanHash, RunId, SessionId};
use relay_console::api::run::RunStatus;
use relay_console::api::workflow::{NodeSpec, OutputSpec, Workflow, WorkflowSpec};
use relay_console::simulator::{Scenario, SimulatorConfig};
use reqwest::Method;
use serde_json::{Value, json};

use super::bench::{Bench, REQUEST_ID, error_of};

fn spec() -> Value {
    json!({
        "kind": "workflow", "model": "claude-sonnet-4-5", "inputs": [{"name": "topic", "required": true}],
        "nodes": [
            {"id": "draft", "type": "llm", "user": "Write about {{topic}}"},
            {"id": "edit", "type": "llm", "user": "Edit {{draft}}"},
        ],
        "outputs": [{"name": "text", "from": "edit", "pointer": "/output/0/content/0/text"}],
    })
}

fn body() -> Value {
    json!({"spec": spec(), "input": {"topic": "rivers"}})
}

#[tokio::test]
async fn a_spec_that_is_sent_runs_to_its_end_and_its_plan_can_be_run_again() {
    let mut bench = Bench::empty().await;
    let created = bench.created(&body()).await;
    assert_eq!(created["status"], "running");
    let log = bench.to_the_end(0).await;
    assert!(log.contains("\"run_completed\"") && log.contains(created["plan_hash"].as_str().unwrap()), "{log}");
    let first = bench.snapshot().await;
    assert_eq!(
        (first.status, first.plan_hash.unwrap().to_string()),
        (RunStatus::Succeeded, text(&created["plan_hash"]))
    );
    let outputs = first.outputs.unwrap();
    assert!(outputs["text"].get().contains("rivers"), "{:?}", outputs["text"]);

    let again = bench.created(&json!({"plan_hash": created["plan_hash"], "input": {"topic": "lakes"}})).await;
    assert_eq!(again["plan_hash"], created["plan_hash"]);
    assert_ne!(again["run_id"], created["run_id"]);
    bench.to_the_end(0).await;
    assert!(bench.snapshot().await.outputs.unwrap()["text"].get().contains("lakes"));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_client_of_this_program_creates_runs_from_specs_and_from_plans() {
    let bench = Bench::empty().await;
    let api = bench.api();
    let mut workflow = Workflow::new(vec![NodeSpec::llm("hello", "say hello to {{whom}}")]);
    workflow.model = Some("claude-sonnet-4-5".into());
    workflow.inputs.push(serde_json::from_value(json!({"name": "whom", "required": true})).unwrap());
    workflow.outputs.push(OutputSpec { name: "all".into(), from: "hello".into(), ..OutputSpec::default() });
    let spec = WorkflowSpec::of(&workflow).unwrap();
    let whom = serde_json::value::to_raw_value("the world").unwrap();

    let compiled = api.compile(&spec).await.unwrap().value;
    let from_plan = CreateRun::from_plan(compiled.plan_hash.clone()).with_input("whom", whom.clone());
    let created = api.create(&from_plan).await.unwrap().value;
    assert_eq!(created.plan_hash, compiled.plan_hash);
    assert_eq!(api.create(&from_plan).await.unwrap().value, created, "it carries the same request id");

    let from_spec = CreateRun::from_spec(spec.clone()).with_input("whom", whom);
    let other = api.create(&from_spec).await.unwrap().value;
    assert_eq!(other.plan_hash, compiled.plan_hash);
    assert_ne!(other.run_id, created.run_id);

    let Error::Status(refused) = api.create(&CreateRun::from_spec(spec)).await.unwrap_err().error else {
        panic!("no answer of the server")
    };
    assert_eq!(refused.status, 400);
    let issue = &refused.issues[0];
    assert_eq!((issue.code.as_str(), issue.path.as_str()), ("MISSING_INPUT", "$.input.whom"));
}

#[tokio::test]
async fn only_plans_of_this_process_are_known_those_of_its_scenarios_too() {
    let mut bench = Bench::of("incident").await;
    let scenario = bench.snapshot().await.plan_hash.unwrap().to_string();
    bench.created(&json!({"plan_hash": scenario, "input": {"service": "checkout", "alert": "slow"}})).await;
    let unknown = PlanHash::parse(&"0a".repeat(32)).unwrap().to_string();
    let (status, code, message) = error_of(bench.post("/runs", &json!({"plan_hash": unknown})).await).await;
    assert_eq!((status, code.as_str()), (404, "NOT_FOUND"));
    assert!(message.contains(&unknown) && message.contains("Compile the spec again"), "{message}");
}

#[tokio::test]
async fn one_key_gives_one_run_however_often_and_in_whatever_spelling_it_is_asked_for() {
    let bench = Bench::empty().await;
    let keyed = |key: &str, topic: &str| json!({"spec": spec(), "input": {"topic": topic}, "options": {"idempotency_key": key}});
    let run = async |body: Value| {
        let answer: Value = bench.post("/runs", &body).await.json().await.unwrap();
        text(&answer["run_id"])
    };
    let asked = (0..8).map(|_| run(keyed("one", "rivers")));
    let runs = futures_util::future::join_all(asked).await;
    assert!(runs.iter().all(|id| *id == runs[0]), "{runs:?}");
    let turned = json!({"options": {"idempotency_key": "one"}, "input": {"topic": "rivers"}, "spec": spec()});
    assert_eq!(run(turned).await, runs[0]);
    assert_ne!(run(keyed("two", "rivers")).await, runs[0]);
    assert_ne!(run(keyed(" ", "rivers")).await, run(keyed("", "rivers")).await, "a blank key says nothing");
    let (status, code, message) = error_of(bench.post("/runs", &keyed("one", "lakes")).await).await;
    assert_eq!((status, code.as_str()), (409, "CONFLICT"));
    assert!(message.contains("idempotency key"), "{message}");
    let streamed = bench.post("/runs?stream=true", &keyed("one", "rivers")).await;
    assert_eq!(error_of(streamed).await.0, 409);
}

#[tokio::test]
async fn a_request_that_comes_again_under_its_id_gets_the_same_answer() {
    let bench = Bench::empty().await;
    let send = |body: Value| bench.call(Method::POST, "/runs").header(REQUEST_ID, "creation-1").json(&body).send();
    // What was refused is not remembered.
    assert_eq!(error_of_issues(send(json!({"spec": spec()})).await.unwrap()).await.0, 400);
    let first = send(body()).await.unwrap().text().await.unwrap();
    assert_eq!(send(body()).await.unwrap().text().await.unwrap(), first);
    let (status, _, message) = error_of(send(json!({"spec": spec(), "input": {"topic": "x"}})).await.unwrap()).await;
    assert_eq!(status, 409);
    assert!(message.contains("request id"), "{message}");
}

/// Status and issues of a refusal of the compiler.
pub(super) async fn error_of_issues(response: reqwest::Response) -> (u16, Vec<Value>) {
    let status = response.status().as_u16();
    let header = response.headers()[REQUEST_ID].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["request_id"], json!(header), "{body}");
    for field in ["error", "code", "message"] {
        assert!(body[field].is_string(), "the OpenAPI document requires {field}: {body}");
    }
    (status, body["issues"].as_array().unwrap().clone())
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_with_the_name_of_its_field() {
    let bench = Bench::empty().await;
    let hash = "0a".repeat(32);
    let nil = "00000000-0000-0000-0000-000000000000";
    let cases = [
        (json!([]), "body"),
        (json!({}), "spec"),
        (json!({"spec": "x"}), "spec"),
        (json!({"spec": null}), "spec"),
        (json!({"spec": spec(), "plan_hash": hash}), "plan_hash"),
        (json!({"plan_hash": "abc"}), "plan_hash"),
        (json!({"plan_hash": 7}), "plan_hash"),
        (json!({"spec": spec(), "input": [1]}), "input"),
        (json!({"spec": spec(), "model_override": 1}), "model_override"),
        (json!({"spec": spec(), "model_override": "m".repeat(129)}), "model_override"),
        (json!({"spec": spec(), "model_overrides": "m"}), "model_overrides"),
        (json!({"spec": spec(), "model_overrides": {"nodes": {"draft": 1}}}), "model_overrides.nodes"),
        (json!({"spec": spec(), "model_overrides": {"fanout_subnodes": [{}]}}), "model_overrides.fanout_subnodes"),
        (json!({"spec": spec(), "session_id": nil}), "session_id"),
        (json!({"spec": spec(), "session_id": "today"}), "session_id"),
        (json!({"spec": spec(), "stream": "yes"}), "stream"),
        (json!({"spec": spec(), "options": 1}), "options"),
        (json!({"spec": spec(), "options": {"idempotency_key": 1}}), "options.idempotency_key"),
    ];
    for (body, field) in cases {
        let (status, code, message) = error_of(bench.post("/runs", &body).await).await;
        assert_eq!((status, code.as_str()), (400, "VALIDATION_ERROR"), "{body}: {message}");
        assert!(message.starts_with(&format!("{field}: ")), "{body}: {message}");
    }
    let (status, _, message) = error_of(bench.post("/runs?stream=maybe", &body()).await).await;
    assert_eq!((status, message.starts_with("stream: ")), (400, true), "{message}");
    for (text, expected) in [("", "is empty"), ("{\"spec\": [,]}", "line 1 column 11"), ("\"\u{1}\"", "line 1")] {
        let sent = bench.call(Method::POST, "/runs").body(text).send().await.unwrap();
        let (status, _, message) = error_of(sent).await;
        assert_eq!((status, message.contains(expected)), (400, true), "{text:?}: {message}");
    }
    let nulls = json!({"spec": spec(), "input": {"topic": null}, "plan_hash": null, "model_override": " ",
        "model_overrides": {"nodes": null}, "session_id": null, "stream": null, "options": null, "unheard_of": 1});
    assert_eq!(bench.post("/runs", &nulls).await.status(), 200, "what is null is left out");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_the_limit() {
    let bench = Bench::empty().await;
    let huge = json!({"spec": spec(), "input": {"topic": "x".repeat(4 * 1024 * 1024)}});
    let (status, _, message) = error_of(bench.post("/runs", &huge).await).await;
    assert_eq!((status, message.contains("4194304")), (413, true), "{message}");
}

#[tokio::test]
async fn a_run_of_a_session_says_there_what_its_models_said_once_it_has_succeeded() {
    let mut bench = Bench::empty().await;
    let session = SessionId::random();
    let mut body = body();
    body["session_id"] = json!(session);
    bench.created(&body).await;
    bench.to_the_end(0).await;
    // The log ends a moment before the session is told.
    let said = tokio::time::timeout(super::bench::PATIENCE, async {
        loop {
            let said = bench.simulator.session_messages(session);
            if !said.is_empty() {
                return said;
            }
            tokio::task::yield_now().await;
        }
    });
    let said = said.await.unwrap();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("rivers"), "{said:?}");
    assert!(bench.simulator.session_messages(SessionId::random()).is_empty());
}

#[tokio::test]
async fn of_too_many_runs_the_oldest_that_has_ended_goes_and_none_is_created_while_none_has() {
    let keeping = |runs_kept, scenarios: &[&str]| SimulatorConfig {
        scenarios: scenarios.iter().map(|name| Scenario::find(name).unwrap()).collect(),
        speed: 1000.0,
        runs_kept,
        ..SimulatorConfig::default()
    };
    // A run of this scenario waits for an answer, and nobody gives one.
    let mut bench = Bench::with(keeping(2, &["incident"])).await;
    let waits = bench.run_id;
    bench.created(&body()).await;
    let ended = bench.run_id;
    bench.to_the_end(0).await;
    bench.created(&body()).await;
    let found = async |run: RunId| bench.call(Method::GET, &format!("/runs/{run}")).send().await.unwrap().status();
    assert_eq!(
        [found(waits).await, found(ended).await, found(bench.run_id).await].map(|status| status.as_u16()),
        [200, 404, 200]
    );

    let full = Bench::with(keeping(2, &["incident", "rollback"])).await;
    let (status, code, message) = error_of(full.post("/runs", &body()).await).await;
    assert_eq!((status, code.as_str()), (429, "RATE_LIMIT"));
    assert!(message.contains("keeps 2 runs"), "{message}");
}

#[tokio::test]
async fn the_same_seed_and_requests_give_the_same_run_ids() {
    let run_id = async || {
        let mut bench = Bench::empty().await;
        bench.created(&body()).await;
        bench.created(&body()).await;
        bench.run_id
    };
    assert_eq!(run_id().await, run_id().await);
}

/// A run that answers its client's tool and streams nothing by itself.
fn with_tool() -> Value {
    let tool = json!({"type": "function", "function": {"name": "lookup", "parameters":
        {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}});
    json!({"spec": {"model": "gpt-5", "outputs": [{"name": "all", "from": "asker"}], "nodes": [
        {"id": "asker", "type": "llm", "user": "Where?", "stream": false, "tools": [tool],
            "tool_execution": {"mode": "client"}},
    ]}})
}

#[tokio::test]
async fn a_created_run_waits_for_its_clients_tool_and_its_output_carries_the_answer() {
    let mut bench = Bench::empty().await;
    bench.created(&with_tool()).await;
    let log = bench.to_the_end(0).await;
    assert!(log.contains("node_waiting") && !log.contains("node_output_delta"), "{log}");
    let snapshot = bench.snapshot().await;
    assert!(snapshot.outputs.unwrap()["all"].get().contains("für lookup"), "the answer stands in the output");
    let steps = bench.api().steps(&bench.run_id).await.unwrap().value.steps;
    let asked = steps[0].llm_request.as_ref().unwrap().get();
    assert!(asked.contains("Where?") && asked.contains("lookup"), "{asked}");
    let said = steps.last().unwrap().llm_response.as_ref().unwrap().get();
    assert!(said.contains("für lookup"), "{said}");
}

#[tokio::test]
async fn streaming_is_asked_for_in_the_body_or_in_the_query_and_otherwise_left_to_the_spec() {
    let mut bench = Bench::empty().await;
    for (query, stream, expected) in [
        ("", json!(true), true),
        ("?stream=true", json!(false), true),
        ("", json!(false), false),
        ("?stream=0", json!(null), false),
    ] {
        let mut body = with_tool();
        body["stream"] = stream;
        let answer: Value = bench.post(&format!("/runs{query}"), &body).await.json().await.unwrap();
        bench.run_id = RunId::parse(&text(&answer["run_id"])).unwrap();
        let log = bench.to_the_end(0).await;
        assert_eq!(log.contains("node_output_delta"), expected, "{query} {}", body["stream"]);
    }
}

#[tokio::test]
async fn models_are_overridden_for_all_nodes_and_for_single_ones() {
    let mut bench = Bench::empty().await;
    let mut body = body();
    body["model_override"] = json!("gpt-5-mini");
    body["model_overrides"] = json!({"nodes": {"edit": "grok-4-fast", "draft": " "}});
    bench.created(&body).await;
    bench.to_the_end(0).await;
    let lines = bench.snapshot().await.cost_summary.unwrap().line_items;
    let mut models: Vec<&str> = lines.iter().map(|line| line.model.as_str()).collect();
    models.sort_unstable();
    assert_eq!(models, ["gpt-5-mini", "grok-4-fast"]);
    body["model_overrides"] = json!({"nodes": {"nobody": "m"}});
    let (status, issues) = error_of_issues(bench.post("/runs", &body).await).await;
    assert_eq!((status, &issues[0]["code"]), (400, &json!("UNKNOWN_NODE")), "{issues:?}");
}
