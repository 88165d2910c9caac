//! The server over real HTTP, by a plain client: who is let in, what is answered, what is refused and how.

use std::time::Duration;

use relay_console::api::event::{self, Decoded, EventBody};
use relay_console::api::ids::{RequestId, RunId};
use relay_console::api::run::RunStatus;
use relay_console::api::tool::{ToolResultsReply, ToolResultsRequest};
use relay_console::simulator::{Scenario, Simulator, SimulatorConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::bench::{Bench, KEY, PATIENCE, REQUEST_ID, error_of};

#[tokio::test]
async fn a_run_is_held_until_it_is_answered_and_then_carries_the_answer_to_its_outputs() {
    let bench = Bench::of("incident").await;
    let submission = bench.first_wait().await;
    assert_eq!(submission.results.len(), 2, "two calls wait in one step");
    assert_eq!(bench.snapshot().await.status, RunStatus::Waiting);

    // One of two: the run still waits, for the other one.
    let mut first = submission.clone();
    first.results.truncate(1);
    let reply: ToolResultsReply = bench.submit(&first).await.json().await.unwrap();
    assert_eq!(reply, ToolResultsReply { accepted: 1, status: RunStatus::Waiting });
    let mut second = submission;
    second.results.remove(0);
    assert_eq!(bench.pending().await.calls().count(), 1);
    let reply: ToolResultsReply = bench.submit(&second).await.json().await.unwrap();
    assert_eq!(reply, ToolResultsReply { accepted: 1, status: RunStatus::Running });

    let log = bench.to_the_end(0).await;
    let snapshot = bench.snapshot().await;
    assert_eq!(snapshot.status, RunStatus::Succeeded);
    let outputs = serde_json::to_string(&snapshot.outputs).unwrap();
    assert!(outputs.contains("für count_complaints"), "{outputs}");
    assert!(log.lines().last().unwrap().contains("für count_complaints"), "the output stands inline");
}

#[tokio::test]
async fn every_scenario_runs_to_its_end_over_http_with_the_events_that_the_snapshot_folds_from() {
    let config = SimulatorConfig { speed: 2000.0, ..SimulatorConfig::default() };
    let mut bench = Bench::with(config).await;
    assert!(bench.simulator.runs().len() >= 5);
    for run in bench.simulator.runs().to_vec() {
        bench.run_id = run.run_id;
        let log = bench.to_the_end(0).await;
        let events: Vec<event::Event> = log
            .lines()
            .filter_map(|line| match event::decode(line.as_bytes()).unwrap() {
                Decoded::Event(event) => Some(event),
                _ => None,
            })
            .collect();
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq), "{}", run.scenario);
        let snapshot = bench.snapshot().await;
        let ended = match &events.last().unwrap().body {
            EventBody::RunCompleted(_) => RunStatus::Succeeded,
            EventBody::RunFailed(_) => RunStatus::Failed,
            EventBody::RunCanceled(_) => RunStatus::Canceled,
            other => panic!("{} ends with {other:?}", run.scenario),
        };
        assert_eq!(snapshot.status, ended, "{}", run.scenario);
        let read = |event: &event::Event| match &event.body {
            EventBody::NodeLlmCall(call) => call.llm_call.usage.unwrap_or_default().input_tokens,
            _ => 0,
        };
        assert_eq!(snapshot.summary.unwrap().total_input_tokens, events.iter().map(read).sum::<u64>());
    }
}

#[tokio::test]
async fn a_seed_and_a_start_give_the_same_log_in_every_repetition() {
    let log = async || {
        let config = SimulatorConfig {
            scenarios: vec![Scenario::find("failing").unwrap()],
            speed: 1000.0,
            seed: 11,
            start: Some("2026-11-22T14:00:00Z".parse().unwrap()),
            ..SimulatorConfig::default()
        };
        Bench::with(config).await.to_the_end(0).await
    };
    let first = log().await;
    assert!(first.contains("\"ts\":\"2026-11-22T14:00:00Z\""), "{first}");
    assert_eq!(first, log().await);
}

#[tokio::test]
async fn a_snapshot_has_everything_that_the_published_document_requires() {
    let bench = Bench::of("incident").await;
    bench.first_wait().await;
    let body: Value = bench.get("").await.json().await.unwrap();
    for field in ["run_id", "status", "plan_hash", "cost_summary", "summary", "nodes"] {
        assert!(!body[field].is_null(), "{field} is missing");
    }
    let summary = ["steps", "llm_calls", "tool_calls", "input_tokens", "output_tokens", "cost_cents"];
    for field in summary {
        assert!(body["summary"][format!("total_{field}")].is_u64(), "{field}");
    }
    let types: Vec<&Value> = body["nodes"].as_array().unwrap().iter().map(|node| &node["type"]).collect();
    assert!(types.contains(&&json!("llm.responses")) && types.contains(&&json!("join.all")), "{types:?}");
}

#[tokio::test]
async fn only_the_key_opens_and_every_answer_says_its_request_and_its_date() {
    let bench = Bench::of("incident").await;
    let url = format!("{}/runs/{}", bench.simulator.base_url(), bench.run_id);
    let with = |key: &str| bench.client.get(&url).header(KEY, key).send();
    let none = bench.client.get(&url).send().await.unwrap();
    assert!(none.headers().contains_key("date"));
    assert_eq!(error_of(none).await.1, "UNAUTHORIZED");
    assert_eq!(error_of(with("mr_sk_wrong").await.unwrap()).await.0, 401);
    assert_eq!(error_of(with("mr_pk_public").await.unwrap()).await.0, 403);
    let bearer = bench.client.get(&url).bearer_auth(bench.simulator.api_key()).send().await.unwrap();
    assert_eq!(bearer.status(), StatusCode::OK);
    let mine = bench.request(Method::GET, "").header(REQUEST_ID, "of my own").send().await.unwrap();
    assert_eq!(mine.headers()[REQUEST_ID], "of my own");
    assert!(mine.headers().contains_key("date"));
    assert!(!format!("{:?}", bench.simulator).contains(bench.simulator.api_key()));
    assert!(bench.simulator.ready_line().contains(bench.simulator.api_key()));
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_is_no_id_is_refused() {
    let bench = Bench::of("incident").await;
    let at = |path: &str| {
        let url = bench.simulator.base_url().replace("/api/v1", path);
        bench.client.get(url).header(KEY, bench.simulator.api_key()).send()
    };
    let other = RunId::random();
    for path in ["/", "/api/v1/nothing", "/api/v2/runs", &format!("/api/v1/runs/{other}/events")] {
        assert_eq!(error_of(at(path).await.unwrap()).await.1, "NOT_FOUND", "{path}");
    }
    assert_eq!(error_of(at("/api/v1/runs/run-17").await.unwrap()).await.0, 400);
    assert_eq!(error_of(at("/api/v1/runs/00000000-0000-0000-0000-000000000000").await.unwrap()).await.0, 400);
    assert_eq!(error_of(at("/api/v1/runs/%ff").await.unwrap()).await.0, 400);
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes() {
    let bench = Bench::of("incident").await;
    for (path, method, allowed) in
        [("", Method::DELETE, "GET,HEAD"), ("/tool-results", Method::GET, "POST"), ("/events", Method::PUT, "GET,HEAD")]
    {
        let refused = bench.request(method, path).send().await.unwrap();
        assert_eq!(refused.headers()["allow"], allowed, "{path}");
        assert_eq!(error_of(refused).await.0, 405, "{path}");
        let asked = bench.request(Method::OPTIONS, path).send().await.unwrap();
        assert_eq!(asked.headers()["allow"], allowed, "{path}");
        assert_eq!((asked.status(), asked.text().await.unwrap().as_str()), (StatusCode::NO_CONTENT, ""));
    }
    for path in ["", "/events", "/steps"] {
        let head = bench.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::OK, "{path}");
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_meant_is_refused() {
    let bench = Bench::of("incident").await;
    for query in ["limit=0", "limit=10001", "limit=x", "after_seq=-1", "wait=maybe", "include_output=2"] {
        let (status, code, message) = error_of(bench.get(&format!("/events?{query}")).await).await;
        assert_eq!((status, code.as_str()), (400, "VALIDATION_ERROR"), "{query}");
        assert!(message.contains(query.split('=').next().unwrap()), "{message}");
    }
    let page = bench.request(Method::GET, "/events").header("Accept", "text/html").send().await.unwrap();
    assert_eq!(error_of(page).await.0, 406);
    let (status, _, message) = error_of(bench.get("?include=steps,everything").await).await;
    assert_eq!(status, 400);
    assert!(message.contains("tool_calls"), "{message}");
}

#[tokio::test]
async fn the_stream_gives_what_was_asked_for() {
    let bench = Bench::of("incident").await;
    bench.to_the_end(0).await;
    let seqs = |text: &str| -> Vec<u64> {
        let seq = |line: &str| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap();
        text.lines().map(seq).collect()
    };
    let response = bench.get("/events?after_seq=3&limit=4&wait=false").await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    assert_eq!(seqs(&response.text().await.unwrap()), [4, 5, 6, 7]);
    let all = bench.get("/events?wait=0").await.text().await.unwrap();
    assert!(!all.contains("\"included\":true"));
    let last = *seqs(&all).last().unwrap();
    // A run that has ended has nothing to wait for.
    assert_eq!(bench.get(&format!("/events?after_seq={last}")).await.text().await.unwrap(), "");
    assert_eq!(bench.get("/events?after_seq=99999999&wait=false").await.text().await.unwrap(), "");
    let inline = bench.get("/events?include_output=1").await.text().await.unwrap();
    assert!(inline.contains("\"included\":true") && inline.lines().count() == all.lines().count());
}

#[tokio::test]
async fn a_silent_stream_says_that_it_is_alive() {
    let scenarios = vec![Scenario::find("incident").unwrap()];
    let keepalive = Duration::from_millis(20);
    let config = SimulatorConfig { scenarios, speed: 500.0, keepalive, ..SimulatorConfig::default() };
    let bench = Bench::with(config).await;
    let mut stream = bench.get("/events").await;
    let mut text = Vec::new();
    while !text.ends_with(b"{\"type\":\"keepalive\"}\n") {
        text.extend_from_slice(&stream.chunk().await.unwrap().unwrap());
    }
    let request = bench.request(Method::GET, "/events").header("Accept", "text/event-stream");
    let (mut stream, mut text) = (request.send().await.unwrap(), Vec::new());
    while !text.ends_with(b"\n\n: keepalive\n\n") {
        text.extend_from_slice(&stream.chunk().await.unwrap().unwrap());
    }
}

/// The fields of each server-sent event, comments left out.
fn server_sent(text: &str) -> Vec<[String; 3]> {
    let blocks = text.split_terminator("\n\n").filter(|block| !block.starts_with(':'));
    let field = |line: Option<&str>, name: &str| line.unwrap().strip_prefix(name).unwrap().to_owned();
    let event = |block: &str| {
        let mut lines = block.lines();
        let fields = [field(lines.next(), "event: "), field(lines.next(), "id: "), field(lines.next(), "data: ")];
        assert_eq!(lines.next(), None, "{block}");
        fields
    };
    blocks.map(event).collect()
}

#[tokio::test]
async fn the_same_events_come_as_server_sent_events_where_these_are_asked_for() {
    let bench = Bench::of("incident").await;
    let lines = bench.to_the_end(0).await;
    let ask = |query: &str| bench.request(Method::GET, query).header("Accept", "text/event-stream");
    let response = ask("/events?include_output=true").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = server_sent(&response.text().await.unwrap());
    assert_eq!(events.iter().map(|[_, _, data]| data.as_str()).collect::<Vec<_>>(), lines.lines().collect::<Vec<_>>());
    for [event, id, data] in &events {
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&data["type"], data["seq"].to_string()), (&json!(event), id.clone()));
    }
    let resumed = ask("/events?after_seq=2&limit=2").header("Last-Event-ID", "5").send().await.unwrap();
    let resumed = server_sent(&resumed.text().await.unwrap());
    assert_eq!(resumed.iter().map(|[_, id, _]| id.as_str()).collect::<Vec<_>>(), ["6", "7"]);
    let wrong = ask("/events").header("Last-Event-ID", "x").send().await.unwrap();
    assert_eq!(error_of(wrong).await.0, 400);
}

#[tokio::test]
async fn a_submission_that_fits_nothing_is_refused_and_changes_nothing() {
    let bench = Bench::of("incident").await;
    let right = bench.first_wait().await;
    let before = bench.pending().await;
    let mut cases: Vec<(u16, &str, Value)> = Vec::new();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut body = serde_json::to_value(&right).unwrap();
        change(&mut body);
        body
    };
    cases.push((400, "no step", changed(&|body| drop(body.as_object_mut().unwrap().remove("step")))));
    cases.push((
        400,
        "nil request",
        changed(&|body| body["request_id"] = json!("00000000-0000-0000-0000-000000000000")),
    ));
    cases.push((400, "no results", changed(&|body| body["results"] = json!([]))));
    cases.push((400, "another tool", changed(&|body| body["results"][0]["tool_call"]["name"] = json!("other"))));
    cases.push((400, "twice", changed(&|body| body["results"][1] = body["results"][0].clone())));
    cases.push((404, "another node", changed(&|body| body["node_id"] = json!("report"))));
    cases.push((404, "another call", changed(&|body| body["results"][0]["tool_call"]["id"] = json!("nobody"))));
    cases.push((409, "another step", changed(&|body| body["step"] = json!(17))));
    cases.push((409, "another request", changed(&|body| body["request_id"] = json!(RequestId::random()))));
    for (expected, what, body) in cases {
        let (status, _, message) = error_of(bench.submit(&body).await).await;
        assert_eq!(status, expected, "{what}: {message}");
    }
    assert_eq!(bench.pending().await, before);
    assert_eq!(bench.submit(&right).await.status(), StatusCode::OK);
    assert_eq!(error_of(bench.submit(&right).await).await.0, 409, "the calls are answered already");
}

#[tokio::test]
async fn a_question_takes_only_an_answer() {
    let bench = Bench::of("rollback").await;
    let right = bench.first_wait().await;
    for output in ["yes", "{}", r#"{"answer":" ","is_freeform":true}"#, r#"{"answer":"No","is_freeform":true}"#] {
        let mut wrong = right.clone();
        wrong.results[0].output = output.to_owned();
        let (status, code, message) = error_of(bench.submit(&wrong).await).await;
        assert_eq!((status, code.as_str()), (400, "VALIDATION_ERROR"), "{output}: {message}");
    }
    assert_eq!(bench.submit(&right).await.status(), StatusCode::OK);
    let log = bench.get("/events?wait=false").await.text().await.unwrap();
    assert!(log.contains("node_user_ask") && log.contains("node_user_answer"));
}

#[tokio::test]
async fn a_submission_that_is_sent_again_under_its_request_id_gets_the_same_answer() {
    let bench = Bench::of("incident").await;
    let submission = bench.first_wait().await;
    let send = |body: &ToolResultsRequest| {
        bench.request(Method::POST, "/tool-results").header(REQUEST_ID, "submission-1").json(body).send()
    };
    let first = send(&submission).await.unwrap().text().await.unwrap();
    let again = send(&submission).await.unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(again.text().await.unwrap(), first);
    let mut other = submission.clone();
    other.results[0].output = "something else".into();
    assert_eq!(error_of(send(&other).await.unwrap()).await.0, 409);
    let log = bench.to_the_end(0).await;
    let result = |line: &&str| line.contains("\"node_tool_result\"") && line.contains("\"diagnose\"");
    assert_eq!(log.lines().filter(result).count(), 2, "each of the two calls has one result");
}

#[tokio::test]
async fn nothing_is_taken_for_a_run_that_has_ended() {
    let bench = Bench::of("canceled").await;
    let submission = bench.first_wait().await;
    bench.get("/events").await.text().await.unwrap();
    let (status, _, message) = error_of(bench.submit(&submission).await).await;
    assert_eq!(status, 409);
    assert!(message.contains("canceled"), "{message}");
    assert_eq!(bench.pending().await.calls().count(), 0);
}

#[tokio::test]
async fn stopping_ends_streams_and_frees_the_port() {
    let scenarios = vec![Scenario::find("incident").unwrap()];
    let bench = Bench::with(SimulatorConfig { scenarios, ..SimulatorConfig::default() }).await;
    let mut stream = bench.get("/events").await;
    assert!(stream.chunk().await.unwrap().is_some());
    let address = bench.simulator.base_url().trim_start_matches("http://").replace("/api/v1", "");
    tokio::time::timeout(PATIENCE, bench.simulator.shutdown()).await.unwrap();
    while let Ok(Some(_)) = stream.chunk().await {}
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why() {
    let of = |config| async { Simulator::start(config).await.unwrap_err().to_string() };
    let slow = of(SimulatorConfig { speed: 0.0, ..SimulatorConfig::default() }).await;
    assert!(slow.contains("between 0.001"), "{slow}");
    let key = of(SimulatorConfig { api_key: Some("secret".into()), ..SimulatorConfig::default() }).await;
    assert!(key.contains("mr_sk_") && !key.contains("secret\""), "{key}");
    let taken = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let address = taken.base_url().trim_start_matches("http://").replace("/api/v1", "");
    let listen = address.parse().unwrap();
    let busy = of(SimulatorConfig { listen, ..SimulatorConfig::default() }).await;
    assert!(busy.contains(&address), "{busy}");
}
