//! `start`: what is sent, what is refused before that, and what is said when nobody knows whether the run is there.

use serde_json::json;

use super::{Bench, HOSTILE, RUN, assert_fails, assert_inert, text};
use crate::pty::session::{Session, command};
use crate::raw_server::{Act, answer, stream_head};

const SPEC: &str = r#"{"kind": "workflow", "model": "m", "nodes": [{"id": "a", "type": "llm", "user": "{{topic}}"},
 {"id": "fan", "type": "map.fanout", "items_from_input": "list", "subnode": {"id": "each", "type": "llm", "user": "{{item}}"}}],
 "inputs": [{"name": "topic", "required": true}, {"name": "list", "required": true}, {"name": "tone", "required": true, "default": "dry"}],
 "outputs": [{"name": "o", "from": "a"}], "new_field": 1.50}"#;

const CREATED: &str = r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000","status":"running","plan_hash":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","new":1.0}"#;

const INPUTS: [&str; 4] = ["--input", "topic=tea", "--input", "list:=[1, 2.0]"];

fn with_spec(status: u16, body: &str) -> Bench {
    let bench = Bench::answering(status, body);
    bench.file("spec.json", SPEC);
    bench
}

/// `start --spec spec.json --detach` with the required inputs and these words.
fn start<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["start", "--spec", "spec.json", "--detach"], &INPUTS[..], words].concat()
}

#[test]
fn a_detached_run_prints_the_servers_answer() {
    let bench = with_spec(200, CREATED);
    let transcript = bench.transcript(&start(&[]));
    crate::snapshots().bind(|| insta::assert_snapshot!("calls_start", transcript));
    let output = bench.run(&start(&["--json"]));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), format!("{CREATED}\n")));
    let requests = bench.server.seen().requests;
    let sent = |at: usize| requests[at].body.clone();
    assert!(
        sent(0).starts_with(&format!(r#"{{"spec":{SPEC},"input":{{"topic":"tea","list":[1, 2.0]}},"#)),
        "{}",
        sent(0)
    );
    let keys: Vec<String> =
        bench.bodies().iter().map(|body| body["options"]["idempotency_key"].as_str().unwrap().to_owned()).collect();
    assert!(keys[0] != keys[1] && keys.iter().all(|key| uuid::Uuid::parse_str(key).is_ok()), "{keys:?}");
}

#[test]
fn everything_that_can_be_said_is_sent() {
    let bench = with_spec(200, CREATED);
    bench.file("note.txt", "two\nlines\n");
    let words = start(&[
        "--input-file",
        "tone=note.txt",
        "--model",
        " m2 ",
        "--node-model",
        "a=m3",
        "--fanout-model",
        "fan/each=m4",
        "--session",
        RUN,
        "--no-stream",
        "--idempotency-key",
        " my key ",
    ]);
    let output = bench.run(&words);
    let answered = (output.status.code(), text(&output.stdout));
    assert_eq!(answered, (Some(0), format!("{CREATED}\n")), "{}", text(&output.stderr));
    let mut body = bench.bodies().remove(0);
    body.as_object_mut().unwrap().remove("spec").unwrap();
    let expected = json!({
        "input": {"topic": "tea", "list": [1, 2.0], "tone": "two\nlines\n"},
        "model_override": "m2",
        "model_overrides": {"nodes": {"a": "m3"}, "fanout_subnodes": [{"parent_id": "fan", "subnode_id": "each", "model": "m4"}]},
        "session_id": RUN,
        "stream": false,
        "options": {"idempotency_key": "my key"},
    });
    assert_eq!(body, expected);
}

#[test]
fn a_plan_is_started_by_its_hash_and_the_spec_may_come_from_standard_input() {
    let bench = with_spec(200, CREATED);
    let plan = "0a".repeat(32);
    let output = bench.run(&["start", "--plan", &plan, "--detach", "--stream", "--input", "x=1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let words = [&["start", "--spec", "-", "--detach"], &INPUTS[..]].concat();
    assert_eq!(bench.run_with_input(&words, SPEC).status.code(), Some(0));
    let bodies = bench.bodies();
    assert_eq!((&bodies[0]["plan_hash"], &bodies[0]["stream"]), (&json!(plan), &json!(true)));
    assert_eq!((&bodies[0]["input"], bodies[0].get("spec")), (&json!({"x": "1"}), None));
    assert_eq!(bodies[1]["spec"]["new_field"], json!(1.5));
}

#[test]
fn what_can_be_known_to_be_wrong_is_refused_before_anything_is_sent() {
    let bench = with_spec(200, CREATED);
    bench.file("twice.json", r#"{"topic": "x"}"#);
    let spec = ["start", "--spec", "spec.json", "--detach"];
    let bare = |words: &[&'static str]| bench.run(&[&spec, words].concat());
    assert_fails(&bare(&[]), 2, &["spec.json needs inputs that are not given: --input topic=… --input list=…"]);
    assert_fails(&bare(&["--input", "topic=x"]), 2, &["not given: --input list=…"]);
    for (words, phrases) in [
        (&["--input", "topic=again"][..], &["the input topic is given twice"][..]),
        (&["--input-file", "twice.json"], &["the input topic is given twice"]),
        (&["--input-file", "tone=none.txt"], &["cannot read none.txt"]),
        (&["--input", "tone:=dry"], &["is not JSON", "name=text"]),
        (&["--input", "tone"], &["name=text or name:=json"]),
        (&["--node-model", "b=m"], &["no node b; it has a, fan"]),
        (&["--fanout-model", "a/each=m"], &["no fan-out subnode a/each; it has fan/each"]),
        (&["--fanout-model", "each=m"], &["parent/subnode=model"]),
        (&["--session", "00000000-0000-0000-0000-000000000000"], &["nil UUID"]),
        (&["--stream", "--no-stream"], &["--no-stream"]),
        (&["--plan", &"0a".repeat(32)], &["--plan"]),
    ] {
        assert_fails(&bench.run(&start(words)), 2, phrases);
    }
    assert_fails(&bench.run(&["start", "--detach"]), 2, &["--spec"]);
    assert_fails(&bench.run(&["start", "--plan", "0A", "--detach"]), 2, &["64 lowercase hex digits"]);
    assert_fails(&bench.run(&["start", "--spec", "spec.json", "--json"]), 2, &["--detach"]);
    let both = bench.run_with_input(&["start", "--spec", "-", "--input-file", "tone=-", "--detach"], SPEC);
    assert_fails(&both, 2, &["standard input can be read once"]);
    bench.file("broken.json", "{\"nodes\": }");
    assert_fails(
        &bench.run(&["start", "--spec", "broken.json", "--detach"]),
        2,
        &["broken.json:1:11: this is not JSON"],
    );
    assert_eq!(bench.lines(), Vec::<String>::new());
}

#[test]
fn without_a_terminal_a_run_that_nobody_could_follow_is_not_created() {
    let bench = with_spec(200, CREATED);
    let words = [&["start", "--spec", "spec.json"], &INPUTS[..]].concat();
    assert_fails(&bench.run(&words), 2, &["must be a terminal", "--detach"]);
    assert_fails(&bench.run_with_input(&["start", "--spec", "-"], SPEC), 2, &["reads keys", "--detach"]);
    assert_eq!(bench.lines(), Vec::<String>::new());
}

#[test]
fn an_input_that_the_spec_does_not_declare_is_warned_of_and_sent() {
    let bench = with_spec(200, CREATED);
    let output = bench.run(&start(&["--input", "topc=x"]));
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("warning: spec.json declares no input topc"), "{}", text(&output.stderr));
    assert_eq!(bench.bodies()[0]["input"]["topc"], json!("x"));
}

#[test]
fn after_a_failure_that_leaves_the_outcome_open_the_command_can_be_repeated_without_a_second_run() {
    let outcomes: [Vec<Act>; 4] = [
        vec![Act::Reset],
        answer(500, &[], "oops"),
        answer(200, &["content-type: application/json"], "{\"run_id\":"),
        answer(200, &["content-type: text/html"], "<html>"),
    ];
    for outcome in outcomes {
        let bench = Bench::with(move |_, _| outcome.clone());
        bench.file("spec.json", SPEC);
        let output = bench.run(&start(&[]));
        let bodies = bench.bodies();
        let key = bodies[0]["options"]["idempotency_key"].as_str().unwrap();
        assert_fails(&output, 7, &["not known whether the run was created", &format!("--idempotency-key {key}")]);
        assert!(bodies.iter().all(|body| body == &bodies[0]), "every attempt is the same");
        let ids: Vec<String> = bench
            .server
            .seen()
            .requests
            .iter()
            .map(|request| request.header("x-modelrelay-request-id").unwrap().to_owned())
            .collect();
        assert!(ids.iter().all(|id| id == &ids[0]), "{ids:?}");
        let again = bench.run(&start(&["--idempotency-key", "mine"]));
        assert_fails(&again, 7, &["--idempotency-key mine"]);
    }
}

#[test]
fn a_refusal_after_an_attempt_that_was_not_answered_leaves_the_outcome_open() {
    for status in [400, 401, 403, 404, 409, 429, 302] {
        let bench =
            Bench::with(move |_, before| if before == 0 { vec![Act::Reset] } else { answer(status, &[], "no") });
        bench.file("spec.json", SPEC);
        let output = bench.run(&start(&["--idempotency-key", "mine"]));
        assert_fails(&output, 7, &[&format!("({status}"), "not known whether the run was created", "key mine"]);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_while_the_request_is_under_way_is_told_how_to_repeat_it() {
    use std::process::Stdio;

    use rustix::process::{Pid, Signal, kill_process};

    let bench = Bench::with(|_, _| vec![Act::Hold]);
    bench.file("spec.json", SPEC);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let before = bench.lines().len();
        let mut command = bench.command(&start(&["--idempotency-key", "my key"]));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        bench.until("the request", |seen| seen.requests.len() > before);
        kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_fails(&output, code, &["stopped while", "not known", "--idempotency-key 'my key'"]);
    }
}

#[test]
fn a_run_that_was_surely_not_created_is_not_said_to_be_in_doubt() {
    for (status, code) in [(400, 2), (401, 4), (403, 4), (404, 5), (409, 6), (429, 7)] {
        let output = with_spec(status, r#"{"message":"some words"}"#).run(&start(&[]));
        assert_fails(&output, code, &["cannot create the run", "some words"]);
        assert!(!text(&output.stderr).contains("not known"), "{status}");
    }
    let bench = with_spec(200, CREATED);
    let mut command = bench.command(&start(&[]));
    command.env("MODELRELAY_API_BASE_URL", "http://127.0.0.1:1/api");
    let output = command.output().unwrap();
    assert_fails(&output, 7, &["cannot connect to 127.0.0.1:1"]);
    assert!(!text(&output.stderr).contains("not known"));
}

#[test]
fn a_spec_that_the_server_refuses_is_shown_as_compile_shows_it() {
    let body = r#"{"issues":[{"code":"MISSING_MODEL","path":"$.nodes[0].model","message":"no model"}]}"#;
    assert_fails(
        &with_spec(400, body).run(&start(&[])),
        2,
        &["spec.json has 1 issue", "spec.json:1:46", "^ has no model"],
    );
}

#[test]
fn a_plan_that_the_server_has_forgotten_is_explained() {
    let plan = "0a".repeat(32);
    for (status, code, body) in [
        (404, 5, r#"{"error":{"code":"NOT_FOUND","message":"no such thing"}}"#),
        (400, 2, r#"{"error":{"code":"VALIDATION_ERROR","message":"unknown plan_hash"}}"#),
        (409, 6, r#"{"error":{"code":"PLAN_EXPIRED","message":""}}"#),
    ] {
        let bench = Bench::answering(status, body);
        let output = bench.run(&["start", "--plan", &plan, "--detach", "--allow-http"]);
        assert_fails(
            &output,
            code,
            &["server process that compiled it", "\n  relay-console compile FILE --allow-http"],
        );
    }
    let other = Bench::answering(400, r#"{"message":"input x is missing"}"#);
    let output = other.run(&["start", "--plan", &plan, "--detach"]);
    assert_fails(&output, 2, &["input x is missing"]);
    assert!(!text(&output.stderr).contains("compile"));
}

#[test]
fn a_key_that_stands_for_another_run_is_explained() {
    let bench = with_spec(409, r#"{"message":"this key was used with another body"}"#);
    assert_fails(
        &bench.run(&start(&["--idempotency-key", "k"])),
        6,
        &["another body", "take another --idempotency-key"],
    );
    // After an attempt that was not answered the conflict may be with a run of our own.
    let conflict = answer(409, &[], "");
    let bench = Bench::with(move |_, before| if before == 0 { vec![Act::Reset] } else { conflict.clone() });
    bench.file("spec.json", SPEC);
    assert_fails(&bench.run(&start(&[])), 7, &["not known whether the run was created"]);
}

#[test]
fn hostile_words_of_the_server_are_inert() {
    let created = CREATED.replace("running", HOSTILE);
    let output = with_spec(200, &created).run(&start(&[]));
    assert_eq!(text(&output.stdout), format!("{created}\n"));
    assert_inert(&text(&output.stderr), "a status");
}

#[test]
fn a_run_that_is_not_detached_is_followed_in_the_console() {
    let bench = Bench::with(|request, _| match request.line.as_str() {
        "POST /api/v1/runs" => crate::raw_server::json(CREATED),
        line if line.contains("/events") => vec![stream_head(), Act::Hold],
        line if line.ends_with("/pending-tools") => crate::raw_server::json(&format!(r#"{{"run_id":"{RUN}"}}"#)),
        _ => crate::raw_server::json(&format!(r#"{{"run_id":"{RUN}","status":"running"}}"#)),
    });
    bench.file("spec.json", SPEC);
    let spec = bench.program.home.path().join("spec.json").display().to_string();
    let base_url = bench.server.base_url();
    let words = [&["start", "--spec", &spec, "--base-url", &base_url, "--ascii"], &INPUTS[..]].concat();
    let key = [("MODELRELAY_API_KEY", "mr_sk_0123456789")];
    let mut session = Session::spawn(command(&words, bench.program.home.path(), &key), (120, 36));
    session.wait_until("the console with the run", |screen| screen.contains("550e8400") && screen.contains("Nodes"));
    session.send("q");
    let (code, written) = session.wait_for_end();
    assert_eq!(code, 0, "{written}");
    let entered = written.find("\u{1b}[?1049h").unwrap();
    assert!(written[..entered].contains(&format!("the run is {RUN} (running)")), "the id comes first");
    let back = format!("return    relay-console {RUN} --base-url {}", bench.server.base_url());
    assert!(written.contains(&back), "{written}");
}
