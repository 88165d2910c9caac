//! Every call of the client that is not a stream: what it asks for, byte for byte, and what it makes of the answer.

use relay_console::api::client::{BaseUrl, Client, ClientConfig, Credentials, Include};
use relay_console::api::create::{CreateRun, FanoutSubnodeModel, ModelOverrides};
use relay_console::api::error::Error;
use relay_console::api::ids::{CallId, PlanHash, RunId, SessionId};
use relay_console::api::run::RunStatus;
use relay_console::api::task::TaskStatus;
use relay_console::api::workflow::WorkflowSpec;
use serde_json::value::RawValue;

use crate::raw_server::{RawServer, answer, json};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";

fn hash() -> String {
    "0a".repeat(32)
}

fn client(server: &RawServer) -> Client {
    let base_url = BaseUrl::parse(&server.base_url(), false).unwrap();
    Client::new(ClientConfig::new(base_url, Credentials::api_key("mr_sk_0123456789").unwrap())).unwrap()
}

fn run_id() -> RunId {
    RunId::parse(RUN).unwrap()
}

/// The last line of each request, without the path prefix of the base URL.
fn lines(server: &RawServer) -> Vec<String> {
    server.seen().requests.iter().map(|request| request.line.replace("/api/v1", "")).collect()
}

fn created() -> String {
    format!(r#"{{"run_id":"{RUN}","status":"running","plan_hash":"{}"}}"#, hash())
}

#[tokio::test]
async fn a_run_is_created_from_a_spec_with_everything_that_can_be_said_and_the_spec_letter_for_letter() {
    let server = RawServer::answering(vec![json(&created())]).await;
    let spec = "{ \"nodes\": [],\n \"budget\": 12345678901234567890123 }";
    let session = SessionId::parse("550e8400-e29b-41d4-a716-446655440009").unwrap();
    let create = CreateRun::from_spec(WorkflowSpec::parse(spec).unwrap())
        .with_input("topic", RawValue::from_string("\"x\"".into()).unwrap())
        .with_model("m")
        .with_model_overrides(ModelOverrides {
            nodes: [("a".to_owned(), "n".to_owned())].into_iter().collect(),
            fanout_subnodes: vec![FanoutSubnodeModel {
                parent_id: "f".into(),
                subnode_id: "s".into(),
                model: "o".into(),
            }],
        })
        .with_session(session)
        .with_stream(true)
        .with_idempotency_key(" once ");
    let reply = client(&server).create(&create).await.unwrap();
    assert_eq!(
        (reply.value.run_id, reply.value.status, reply.value.plan_hash.as_str()),
        (run_id(), RunStatus::Running, &*hash())
    );
    assert_eq!(&reply.body[..], created().as_bytes());
    let seen = server.seen();
    assert_eq!(lines(&server), ["POST /runs"]);
    assert_eq!(
        seen.requests[0].body,
        format!(
            r#"{{"spec":{spec},"input":{{"topic":"x"}},"model_override":"m","model_overrides":{{"nodes":{{"a":"n"}},"fanout_subnodes":[{{"parent_id":"f","subnode_id":"s","model":"o"}}]}},"session_id":"{session}","stream":true,"options":{{"idempotency_key":"once"}}}}"#
        )
    );
    assert_eq!(seen.requests[0].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn every_attempt_to_create_a_run_carries_the_same_request_id_and_the_same_body() {
    let server = RawServer::answering(vec![answer(503, &[], ""), answer(500, &[], ""), json(&created())]).await;
    let create = CreateRun::from_plan(PlanHash::parse(&hash()).unwrap());
    client(&server).create(&create).await.unwrap();
    let requests = server.seen().requests;
    let ids: Vec<_> = requests.iter().map(|request| request.header("x-modelrelay-request-id").unwrap()).collect();
    assert_eq!(ids, vec![create.request_id().to_string(); 3]);
    assert!(requests.iter().all(|request| request.body == format!(r#"{{"plan_hash":"{}"}}"#, hash())));
}

#[tokio::test]
async fn a_spec_is_compiled_and_linted_as_it_stands() {
    let compiled = format!(r#"{{"plan_hash":"{}","plan_json":{{"kind": "workflow.v1"}}}}"#, hash());
    let report = r#"{"lint_issues":[{"code":"X","path":"$.nodes","message":"odd"}],"compile_error":null}"#;
    let issues = r#"{"issues":[{"code":"CYCLE","path":"$.nodes","message":"a, b"}]}"#;
    let server = RawServer::answering(vec![json(&compiled), json(report), json("{}"), answer(400, &[], issues)]).await;
    let client = client(&server);
    let spec = WorkflowSpec::parse("{ }").unwrap();
    let plan = client.compile(&spec).await.unwrap().value;
    assert_eq!((plan.plan_hash.as_str(), plan.plan_json.get()), (&*hash(), r#"{"kind": "workflow.v1"}"#));
    let report = client.lint(&spec, true).await.unwrap().value;
    assert_eq!((report.lint_issues[0].code.as_str(), report.is_clean()), ("X", false));
    assert!(client.lint(&spec, false).await.unwrap().value.is_clean());
    let Err(Error::Status(refusal)) = client.compile(&spec).await else { panic!("not refused") };
    assert_eq!((refusal.status, refusal.issues[0].path.as_str()), (400, "$.nodes"));
    let expected = [
        "POST /workflows/compile",
        "POST /workflows/lint",
        "POST /workflows/lint?compile=false",
        "POST /workflows/compile",
    ];
    assert_eq!(lines(&server), expected);
    assert!(server.seen().requests.iter().all(|request| request.body == "{ }"));
}

#[tokio::test]
async fn a_snapshot_has_its_steps_where_they_are_asked_for() {
    let snapshot = format!(
        r#"{{"run_id":"{RUN}","status":"waiting","steps":[{{"node_id":"a","steps":[{{"step":0,"request_id":"{REQUEST}","waiting":{{"reason":"tool_execution","pending_tool_calls":[{{"tool_call":{{"id":"c","name":"t.u","arguments":"{{}}"}}}}]}}}}]}}]}}"#
    );
    let server = RawServer::answering(vec![json(&snapshot), json(&snapshot), json(&snapshot)]).await;
    let client = client(&server);
    client.run(&run_id()).await.unwrap();
    client.run_with(&run_id(), Include { steps: true, tool_calls: false }).await.unwrap();
    let both = client.run_with(&run_id(), Include { steps: true, tool_calls: true }).await.unwrap().value;
    let steps = &both.steps.unwrap()[0].steps;
    assert_eq!(steps[0].waiting.as_ref().unwrap().pending_tool_calls[0].tool_call.name.as_str(), "t.u");
    let path = format!("GET /runs/{RUN}");
    assert_eq!(
        lines(&server),
        [path.clone(), format!("{path}?include=steps"), format!("{path}?include=steps%2Ctool_calls")]
    );
}

#[tokio::test]
async fn steps_a_tool_call_and_tasks_are_read() {
    let steps = r#"{"steps":[{"node_id":"a","step":1,"llm_request":{"n" : 1.0},"llm_call":{"provider":"new","usage":{"input_tokens":3}}}]}"#;
    let call = r#"{"node_id":"a","step":1,"tool_call":{"id":"c/1 é?","name":"t","arguments":"{}"},"tool_result":{"tool_call":{"id":"c/1 é?","name":"t"},"output":"done"}}"#;
    let tasks = r#"{"tasks":[{"content":"look","status":"in_progress","active_form":"looking"},{"content":"odd","status":"parked"}]}"#;
    let server =
        RawServer::answering(vec![json(steps), json(call), json(tasks), json("{}"), json("{\"steps\":null}")]).await;
    let client = client(&server);
    let read = client.steps(&run_id()).await.unwrap().value;
    assert_eq!(read.steps[0].llm_request.as_ref().unwrap().get(), r#"{"n" : 1.0}"#);
    assert_eq!(read.steps[0].llm_call.as_ref().unwrap().provider.as_ref().unwrap().as_str(), "new");
    let id = CallId::parse("c/1 é?").unwrap();
    let read = client.tool_call(&run_id(), 1, &id).await.unwrap().value;
    assert_eq!((read.tool_call.id, read.tool_result.unwrap().output), (id, "done".to_owned()));
    let read = client.tasks(&run_id()).await.unwrap().value;
    assert_eq!(read.tasks[0].status, TaskStatus::InProgress);
    assert_eq!(read.tasks[1].status, TaskStatus::Other("parked".into()));
    assert!(client.tasks(&run_id()).await.unwrap().value.tasks.is_empty());
    assert!(client.steps(&run_id()).await.unwrap().value.steps.is_empty());
    let path = format!("GET /runs/{RUN}");
    let expected = [
        format!("{path}/steps"),
        format!("{path}/steps/1/tool-calls/c%2F1%20%C3%A9%3F"),
        format!("{path}/tasks"),
        format!("{path}/tasks"),
        format!("{path}/steps"),
    ];
    assert_eq!(lines(&server), expected);
}
