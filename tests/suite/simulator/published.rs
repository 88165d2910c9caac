//! The simulator's answers, held to the schemas of the published OpenAPI document.
//!
//! The document stays where it is and is not copied; without it these tests say so and check nothing. The checker knows
//! the keywords that the document uses and fails on any other, so that none is passed over in silence. `format` and
//! `pattern` are left out: ids have types of their own here, and the pattern of tool names is wrong as printed
//! (`wire/README.md`).

use std::fs;
use std::path::Path;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::bench::Bench;

/// The document, where it is beside one of the directories above this project.
#[expect(clippy::print_stderr, reason = "a test that checks nothing says so")]
fn document() -> Option<Value> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|above| above.join("shared/wire/runs.openapi.json"))
        .find_map(|path| fs::read_to_string(path).ok());
    if found.is_none() {
        eprintln!("skipped: needs shared/wire/runs.openapi.json beside the project");
    }
    found.map(|text| serde_json::from_str(&text).unwrap())
}

/// What is wrong with `value` by `schema`, each with its place.
fn problems(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        let fine = match keyword.as_str() {
            "$ref" => {
                let target = document.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                problems(document, target, value, place, found);
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                other => panic!("the checker does not know the type {other}"),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap()),
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        problems(document, schema, value, &format!("{place}.{name}"), found);
                    }
                }
                true
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    problems(document, rule, value, &format!("{place}[{index}]"), found);
                }
                true
            }
            "additionalProperties" => {
                assert_eq!(rule, &json!(true), "the checker knows additionalProperties only where it allows all");
                true
            }
            "description" | "default" | "format" | "pattern" => true,
            other => panic!("the checker does not know the keyword {other}"),
        };
        if !fine {
            found.push(format!("{place}: {keyword} {rule} does not hold for {value}"));
        }
    }
}

/// Asserts that an answer is what its call promises for its status.
async fn hold(document: &Value, path: &str, response: Response) -> Value {
    let method = if matches!(path, "/runs" | "/workflows/compile" | "/workflows/lint" | "/runs/{run_id}/tool-results") {
        "post"
    } else {
        "get"
    };
    let status = response.status().as_u16();
    let answer: Value = response.json().await.unwrap();
    let promised = &document["paths"][path][method]["responses"][status.to_string()];
    assert!(promised.is_object(), "{path} promises nothing for {status}: {answer}");
    let schema = &promised["content"]["application/json"]["schema"];
    let mut found = Vec::new();
    problems(document, schema, &answer, "$", &mut found);
    assert!(found.is_empty(), "{method} {path}, {status}:\n{}\n{answer:#}", found.join("\n"));
    answer
}

#[tokio::test]
async fn every_answer_of_a_run_is_of_the_published_form() {
    let Some(document) = document() else { return };
    let bench = Bench::of("incident").await;
    let submission = bench.first_wait().await;
    for ended in [false, true] {
        if ended {
            let reply = bench.submit(&submission).await;
            hold(&document, "/runs/{run_id}/tool-results", reply).await;
            bench.to_the_end(0).await;
        }
        for query in ["", "?include=steps", "?include=steps,tool_calls"] {
            hold(&document, "/runs/{run_id}", bench.get(query).await).await;
        }
        hold(&document, "/runs/{run_id}/pending-tools", bench.get("/pending-tools").await).await;
        hold(&document, "/runs/{run_id}/tasks", bench.get("/tasks").await).await;
        let steps = hold(&document, "/runs/{run_id}/steps", bench.get("/steps").await).await;
        for step in steps["steps"].as_array().unwrap() {
            for call in step["tool_calls"].as_array().into_iter().flatten() {
                let id = call["tool_call"]["id"].as_str().unwrap();
                let detail = bench.get(&format!("/steps/{}/tool-calls/{id}", step["step"])).await;
                hold(&document, "/runs/{run_id}/steps/{step}/tool-calls/{tool_id}", detail).await;
            }
        }
    }
}

#[tokio::test]
async fn every_answer_about_a_spec_is_of_the_published_form() {
    let Some(document) = document() else { return };
    let mut bench = Bench::empty().await;
    let right = json!({"kind": "workflow", "model": "gpt-5", "nodes": [{"id": "a", "type": "llm", "user": "hello"}]});
    let wrong = json!({"kind": "workflow", "nodes": [{"id": "a", "type": "llm", "user": "hello"}, {"id": "a"}]});
    for spec in [&right, &wrong] {
        hold(&document, "/workflows/compile", bench.post("/workflows/compile", spec).await).await;
        for query in ["", "?compile=false"] {
            hold(&document, "/workflows/lint", bench.post(&format!("/workflows/lint{query}"), spec).await).await;
        }
    }
    // One node of each type of the document.
    let tool = json!({"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}});
    let every = json!({"kind": "workflow", "model": "gpt-5", "inputs": [{"name": "list", "default": ["x", "y"]}],
        "nodes": [
            {"id": "a", "type": "llm", "user": "hello", "tools": [tool], "tool_execution": {"mode": "server"}},
            {"id": "way", "type": "route.switch", "user": "left or right of {{a}}?"},
            {"id": "all", "type": "join.all", "depends_on": ["a", "way"]},
            {"id": "any", "type": "join.any", "depends_on": ["a", "way"]},
            {"id": "some", "type": "join.collect", "depends_on": ["a", "way"], "limit": 1},
            {"id": "each", "type": "map.fanout", "items_from_input": "list",
                "subnode": {"id": "one", "type": "llm", "user": "about {{item}}"}},
            {"id": "made", "type": "transform.json", "object": {"x": {"from": "all"}, "y": {"from": "each"}}},
        ],
        "outputs": [{"name": "made", "from": "made"}]});
    hold(&document, "/workflows/compile", bench.post("/workflows/compile", &every).await).await;
    // As it is, and with a model that nobody is known to serve: it has no price, so it is not billed at 0.
    for (body, lines) in [(json!({"spec": every}), 1), (json!({"spec": every, "model_override": "a-model-of-mine"}), 0)]
    {
        hold(&document, "/runs", bench.post("/runs", &body).await).await;
        bench.created(&body).await;
        bench.to_the_end(0).await;
        let snapshot = hold(&document, "/runs/{run_id}", bench.get("?include=steps,tool_calls").await).await;
        assert_eq!(snapshot["status"], "succeeded", "{snapshot:#}");
        assert_eq!(snapshot["cost_summary"]["line_items"].as_array().unwrap().len(), lines, "{snapshot:#}");
        assert_ne!(snapshot["summary"]["total_input_tokens"], 0, "{snapshot:#}");
        hold(&document, "/runs/{run_id}/steps", bench.get("/steps").await).await;
    }
}

#[tokio::test]
async fn every_path_of_the_published_document_but_the_schemas_is_served() {
    let Some(document) = document() else { return };
    let bench = Bench::of("canceled").await;
    for (path, calls) in document["paths"].as_object().unwrap() {
        for method in calls.as_object().unwrap().keys().filter(|key| matches!(key.as_str(), "get" | "post")) {
            let run = bench.run_id.to_string();
            let url = path.replace("{run_id}", &run).replace("{step}", "0").replace("{tool_id}", "x");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let url = if path.ends_with("/events") { format!("{url}?wait=false") } else { url };
            let answer = bench.call(method, &url).send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            let served = !text.contains("no such path") && status != 405;
            assert_eq!(served, !path.starts_with("/schemas/"), "{path}: {status} {text}");
        }
    }
}
