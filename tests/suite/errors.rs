//! Every shape of error body with every status, and every other way to fail, through the real binary: what a person
//! reads on standard error, what to do next, and the exit code.

use std::process::Output;

use crate::program::{Program, text};
use crate::raw_server::{Act, RawServer, answer};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

/// A body, and what of it must reach the person.
struct Shape {
    name: &'static str,
    body: &'static str,
    shown: &'static [&'static str],
}

/// The shapes of `wire/README.md`, "Errors", and what no server should send.
const SHAPES: &[Shape] = &[
    Shape {
        name: "nested with fields",
        body: r#"{"error":{"code":"VALIDATION_ERROR","message":"that is wrong","fields":[{"field":"step","message":"must be 2"},{"message":"odd"}],"status":400},"request_id":"body-id"}"#,
        shown: &["VALIDATION_ERROR", ": that is wrong", "step: must be 2", "; odd"],
    },
    Shape { name: "nested", body: r#"{"error":{"code":"X","message":"m1"}}"#, shown: &[" X)", ": m1"] },
    Shape {
        name: "flat",
        body: r#"{"error":"bad_request","code":"INVALID_INPUT","message":"m2"}"#,
        shown: &["INVALID_INPUT)", ": m2"],
    },
    Shape { name: "message and code", body: r#"{"message":"m3","code":"C3"}"#, shown: &[" C3)", ": m3"] },
    Shape { name: "message", body: r#"{"message":"m4"}"#, shown: &[": m4"] },
    Shape { name: "error alone", body: r#"{"error":"m5"}"#, shown: &[": m5"] },
    Shape {
        name: "issues",
        body: r#"{"issues":[{"code":"UNKNOWN_NODE","path":"nodes[1]","message":"no node x"},{"code":"C","message":"m6"}]}"#,
        shown: &["nodes[1]: UNKNOWN_NODE: no node x", "C: m6"],
    },
    Shape { name: "text", body: "upstream gone\nsecond line", shown: &["upstream gone", "second line"] },
    Shape { name: "nothing", body: "", shown: &[] },
    Shape { name: "web page", body: "<html><body>x</body></html>", shown: &["a web page, not an answer of the API"] },
    Shape { name: "escapes", body: "{\"message\":\"a\\u001b[2Jb\\u202ec\"}", shown: &["a␛[2Jb¿c"] },
];

/// Each status, the exit code, how often it is tried, and words of what to do next.
const STATUSES: &[(u16, i32, usize, &str)] = &[
    (400, 2, 1, "mend what the server names"),
    (401, 4, 1, "which key or token is sent"),
    (403, 4, 1, "which one is sent"),
    (404, 5, 1, "another server, account or profile"),
    (408, 7, 3, "try again"),
    (409, 6, 1, "look again"),
    (422, 2, 1, "mend what the server names"),
    (429, 7, 3, "wait a minute"),
    (500, 7, 3, "wait a little and try again"),
    (503, 7, 3, "wait a little and try again"),
];

/// A command that reads once.
async fn read_from(base_url: &str) -> Output {
    let program = Program::new();
    let mut command = program.command(&["get", RUN]);
    command.env("MODELRELAY_API_BASE_URL", base_url).env("MODELRELAY_API_KEY", "mr_sk_0123456789");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// What is on standard error, with the address blanked out; standard output must be empty.
fn said(output: &Output, server: &str) -> String {
    assert!(output.stdout.is_empty(), "{output:?}");
    let error = text(&output.stderr);
    assert!(!error.contains('\u{1b}') && error.starts_with("relay-console: "), "{error:?}");
    error.replace(server, "[server]")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shape_of_error_with_every_status_reaches_the_person_with_what_to_do_next() {
    let mut cases = Vec::new();
    for shape in SHAPES {
        for (status, exit, tries, step) in STATUSES {
            cases.push((shape, *status, tokio::spawn(one(shape, *status, *exit, *tries, step))));
        }
    }
    let mut page: Vec<String> = Vec::new();
    for (shape, status, case) in cases {
        let said = case.await.unwrap();
        // All are checked; the page shows every shape once and every status once.
        if status == 400 || shape.name == "nested" {
            page.push(format!("--- {status}, {}\n{said}", shape.name));
        }
    }
    crate::snapshots().bind(|| insta::assert_snapshot!("errors_of_a_server", page.concat()));
}

async fn one(shape: &'static Shape, status: u16, exit: i32, tries: usize, step: &'static str) -> String {
    let server = RawServer::answering(vec![answer(status, &["x-modelrelay-request-id: r-1"], shape.body)]).await;
    let output = read_from(&server.base_url()).await;
    let said = said(&output, &server.address);
    let case = format!("{status}, {}: {said}", shape.name);
    assert_eq!((output.status.code(), server.seen().requests.len()), (Some(exit), tries), "{case}");
    let step = if shape.body.is_empty() && exit == 2 { "does not say what is wrong" } else { step };
    assert_eq!(said.lines().count(), 2, "{case}");
    let always = [format!("({status}"), "[request r-1]".to_owned(), "\nWhat to do: ".to_owned(), step.to_owned()];
    for phrase in always.iter().map(String::as_str).chain(shape.shown.iter().copied()) {
        assert!(said.contains(phrase), "{phrase:?} is not in {case}");
    }
    assert_eq!(said.contains(&format!("; tried {tries} times")), tries > 1, "{case}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_other_way_to_fail_reaches_the_person_with_what_to_do_next() {
    let id = "x-modelrelay-request-id: r-2";
    let json = "content-type: application/json";
    let other_run = r#"{"run_id":"660e8400-e29b-41d4-a716-446655440000"}"#;
    let ways: Vec<(&str, Vec<Act>, i32)> = vec![
        ("a redirect", answer(302, &[id, "location: https://login.example/?a=b"], ""), 8),
        ("a web page", answer(200, &[id, "content-type: text/html"], "<html>"), 8),
        ("an encoding", answer(200, &[id, json, "content-encoding: gzip"], "{}"), 8),
        ("half an answer", answer(200, &[id, json], "{\"run_id\""), 8),
        ("another run's answer", answer(200, &[id, json], other_run), 8),
        ("a wait too long", answer(429, &[id, "retry-after: 3600"], ""), 7),
        ("a broken connection", vec![Act::Reset], 7),
    ];
    let mut page: Vec<String> = Vec::new();
    for (name, acts, exit) in ways {
        let server = RawServer::answering(vec![acts]).await;
        let output = read_from(&server.base_url()).await;
        let said = said(&output, &server.address);
        assert_eq!(output.status.code(), Some(exit), "{name}: {said}");
        assert!(said.contains("\nWhat to do: "), "{name}: {said}");
        page.push(format!("--- {name}\n{said}"));
    }
    let closed = RawServer::answering(vec![vec![]]).await.address.clone();
    let output = read_from(&format!("http://{closed}/api/v1")).await;
    assert_eq!(output.status.code(), Some(7));
    page.push(format!("--- nobody there\n{}", said(&output, &closed)));
    let mut settings = crate::snapshots();
    // The system's own words differ.
    settings.add_filter(r"(broke|\[server\]): [^(]* \(tried", "$1: [cause] (tried");
    settings.bind(|| insta::assert_snapshot!("errors_of_the_way", page.concat()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_server_repeats_anywhere_in_its_answer_is_not_shown() {
    let named = "x-request-id: id-mr_sk_0123456789";
    let answers = [
        answer(401, &[named], r#"{"error":{"code":"mr_sk_0123456789","message":"no: mr_sk_\u0030123456789"}}"#),
        answer(400, &[named], r#"{"issues":[{"code":"c","path":"p","message":"mr_sk_\u0030123456789"}]}"#),
        answer(200, &[named, "content-type: text/mr_sk_0123456789"], "words"),
        answer(200, &[named, "content-encoding: mr_sk_0123456789"], "words"),
        answer(302, &[named, "location: http://mr_sk_0123456789/"], ""),
        answer(200, &[named], r#"{"run_id":"mr_sk_\u0030123456789"}"#),
    ];
    for answer in answers {
        let server = RawServer::answering(vec![answer]).await;
        let output = read_from(&server.base_url()).await;
        let error = text(&output.stderr);
        assert!(!error.contains("0123456789") && error.contains("id-[credentials]"), "{error}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_be_read_is_not_repeated_in_full() {
    let body = format!(r#"{{"run_id":"{}"}}"#, "x".repeat(3_000_000));
    let server = RawServer::answering(vec![answer(200, &["content-type: application/json"], &body)]).await;
    let output = read_from(&server.base_url()).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(8));
    assert!(error.len() < 1_000 && error.contains("at line 1 column 3000012"), "{}", error.len());
}
