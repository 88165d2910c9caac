//! Compiling and linting specs over HTTP.

use relay_console::api::error::Error;
use relay_console::api::workflow::WorkflowSpec;
use reqwest::Method;
use serde_json::{Value, json};

use super::bench::{Bench, error_of};
use super::create::error_of_issues;

fn spec() -> Value {
    json!({"kind": "workflow", "model": "m", "nodes": [{"id": "a", "type": "llm", "user": "hello"}],
        "outputs": [{"name": "all", "from": "a"}]})
}

fn broken() -> Value {
    json!({"kind": "workflow", "nodes": [{"id": "a", "type": "llm", "user": "hello"}]})
}

#[tokio::test]
async fn a_compiled_spec_has_a_hash_that_depends_on_what_it_says_and_not_on_how() {
    let bench = Bench::empty().await;
    let api = bench.api();
    let compile = async |spec: &str| api.compile(&WorkflowSpec::parse(spec).unwrap()).await.unwrap().value;
    let plan = compile(&spec().to_string()).await;
    let json: Value = serde_json::from_str(plan.plan_json.get()).unwrap();
    assert!(json.is_object());
    let turned = r#"{"outputs": [{"from": "a", "name": "all"}], "nodes": [{"user": "hello", "type": "llm", "id": "a"}],
        "model": "m", "kind": "workflow"}"#;
    assert_eq!(compile(turned).await.plan_hash, plan.plan_hash);
    let other = spec().to_string().replace("hello", "goodbye");
    assert_ne!(compile(&other).await.plan_hash, plan.plan_hash);
}

#[tokio::test]
async fn a_spec_that_cannot_be_compiled_is_refused_with_its_issues() {
    let bench = Bench::empty().await;
    let Error::Status(error) =
        bench.api().compile(&WorkflowSpec::parse(&broken().to_string()).unwrap()).await.unwrap_err()
    else {
        panic!("no answer of the server")
    };
    assert_eq!(error.status, 400);
    assert_eq!(error.issues[0].path, "$.nodes[0].model", "{:?}", error.issues);
    assert!(error.message.contains("$.nodes[0].model"), "{}", error.message);
    for body in [json!([]), json!("x"), json!(null), json!({}), json!({"nodes": {}}), json!({"nodes": [[]]})] {
        let (status, issues) = error_of_issues(bench.post("/workflows/compile", &body).await).await;
        assert_eq!((status, issues.is_empty()), (400, false), "{body}");
    }
    let (status, _, message) =
        error_of(bench.call(Method::POST, "/workflows/compile").body("{").send().await.unwrap()).await;
    assert_eq!(status, 400, "{message}");
}

#[tokio::test]
async fn linting_reports_what_is_wrong_and_compiles_unless_it_is_told_not_to() {
    let bench = Bench::empty().await;
    let api = bench.api();
    let lint = async |spec: &Value, compile: bool| {
        api.lint(&WorkflowSpec::parse(&spec.to_string()).unwrap(), compile).await.unwrap().value
    };
    let clean = lint(&spec(), true).await;
    assert!(clean.is_clean(), "{clean:?}");
    assert_eq!(clean.kind.as_deref(), Some("workflow"));
    let compiled = api.compile(&WorkflowSpec::parse(&spec().to_string()).unwrap()).await.unwrap().value;
    assert_eq!(clean.plan_hash, Some(compiled.plan_hash));
    assert_eq!(clean.plan_json.unwrap().get(), compiled.plan_json.get());
    let unread = lint(&spec(), false).await;
    assert_eq!((unread.plan_hash, unread.plan_json.is_none()), (None, true));
    let wrong = lint(&broken(), true).await;
    assert_eq!(wrong.compile_issues[0].path, "$.nodes[0].model");
    assert_eq!((wrong.plan_hash, wrong.compile_error), (None, None));
    assert!(lint(&broken(), false).await.compile_issues.is_empty());
    let (status, _, message) = error_of(bench.post("/workflows/lint?compile=perhaps", &spec()).await).await;
    assert_eq!((status, message.starts_with("compile: ")), (400, true), "{message}");
    assert_eq!(error_of(bench.post("/workflows/lint", &json!(7)).await).await.0, 400);
}

#[tokio::test]
async fn a_plan_of_the_linter_can_be_run() {
    let mut bench = Bench::empty().await;
    let report: Value = bench.post("/workflows/lint", &spec()).await.json().await.unwrap();
    let created = bench.created(&json!({"plan_hash": report["plan_hash"]})).await;
    assert_eq!(created["plan_hash"], report["plan_hash"]);
}

#[tokio::test]
async fn schemas_are_not_served_and_that_is_said() {
    let bench = Bench::empty().await;
    let answer = bench.call(Method::GET, "/schemas/workflow.schema.json").send().await.unwrap();
    let (status, _, message) = error_of(answer).await;
    assert_eq!((status, message.contains("no schemas")), (404, true), "{message}");
}
