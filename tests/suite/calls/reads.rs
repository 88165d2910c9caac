//! `get`, `pending`, `steps`, `tasks`: golden tables, the server's own JSON, and each way to fail.

use std::io::Read;
use std::process::Stdio;

use super::{Bench, HOSTILE, RUN, assert_fails, assert_inert, json, text};
use crate::pty::session::{Session, command};

const SNAPSHOT: &str = r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000","status":"waiting",
 "plan_hash":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
 "parent_run_id":"9b2e8400-e29b-41d4-a716-446655440000",
 "cost_summary":{"total_usd_cents":45,"line_items":[
  {"provider_id":"anthropic","model":"claude-sonnet-4-5","requests":6,"input_tokens":41000,"output_tokens":2900,"usd_cents":42},
  {"provider_id":"openai","model":"gpt-5-nano","requests":1,"input_tokens":90,"output_tokens":7,"usd_cents":0}]},
 "nodes":[
  {"id":"collect","type":"llm.responses","status":"succeeded","started_at":"2026-01-01T00:00:00Z","ended_at":"2026-01-01T00:00:09Z"},
  {"id":"diagnose","type":"llm.responses","status":"failed","started_at":"2026-01-01T00:00:09Z","ended_at":"2026-01-01T00:01:21Z",
   "error":{"code":"PROVIDER_ERROR","message":"the provider\nis overloaded"}},
  {"id":"roll_back","type":"llm.responses","status":"waiting","started_at":"2026-01-01T00:09:12Z"},
  {"id":"report","type":"quantum.leap","status":"dreaming"}],
 "outputs":{"report":"line one\n  line two","score":{"value":0.50,"of":[1,2]}},
 "summary":{"total_steps":1284,"total_llm_calls":7,"total_tool_calls":1,"total_input_tokens":41090,"total_output_tokens":2907,"total_cost_cents":45},
 "steps":[{"node_id":"roll_back","steps":[{"step":1,"request_id":"7b2e8400-e29b-41d4-a716-446655440000",
  "llm_call":{"provider":"anthropic","model":"claude-sonnet-4-5","stop_reason":"tool_use","usage":{"input_tokens":4000,"output_tokens":210}},
  "waiting":{"reason":"tool_calls","pending_tool_calls":[{"tool_call":{"id":"call_1","name":"deploy.roll_back","arguments":"{}"}}]}}]}]}"#;

const PENDING: &str = r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000","pending":[
 {"node_id":"roll_back","step":1,"request_id":"7b2e8400-e29b-41d4-a716-446655440000","tool_calls":[
  {"tool_call":{"id":"call_1","name":"deploy.roll_back","arguments":"{\"service\":\"api\",\n \"to\":\"4.17\"}"}}]},
 {"node_id":"ask","step":3,"request_id":"8b2e8400-e29b-41d4-a716-446655440000","tool_calls":[
  {"tool_call":{"id":"call_2","name":"user_ask","arguments":"{\"question\":\"Page the\\ndatabase team?\",\"options\":[{\"label\":\"yes\",\"description\":\"at once\"},{\"label\":\"no\"}]}"}},
  {"tool_call":{"id":"call_3","name":"user_ask","arguments":"{\"question\":\"Sure?\",\"options\":[{\"label\":\"yes\"}],\"allow_freeform\":false}"}}]}]}"#;

const STEPS: &str = r#"{"steps":[
 {"node_id":"collect","step":1,"request_id":"7b2e8400-e29b-41d4-a716-446655440000","llm_request":{"a":1},
  "llm_call":{"provider":"anthropic","model":"claude-sonnet-4-5","stop_reason":"tool_use","usage":{"input_tokens":12100,"output_tokens":900}},
  "tool_calls":[{"tool_call":{"id":"call_1","name":"logs.read","arguments":"{}"}},{"tool_call":{"id":"call_2","name":"logs.grep","arguments":"{}"}},
   {"tool_call":{"id":"call_3","name":"logs.tail","arguments":"{}"}}],
  "tool_results":[{"tool_call":{"id":"call_2","name":"logs.grep"},"output":"","error":"no such file"},{"tool_call":{"id":"call_1","name":"logs.read"},"output":"x"}]},
 {"node_id":"collect","step":2,"llm_call":{"model":"claude-sonnet-4-5"}},
 {"node_id":"other","step":1}]}"#;

const CALL: &str = r#"{"node_id":"collect","step":1,"tool_call":{"id":"call/2","name":"logs.grep","arguments":"{\"pattern\":\"50.\",\"n\":1.0}"},
 "tool_result":{"tool_call":{"id":"call/2","name":"logs.grep"},"output":"one\r\ntwo","error":"cut off"}}"#;

const TASKS: &str = r#"{"tasks":[{"content":"Collect the logs","status":"completed","active_form":"Collecting the logs"},
 {"content":"Find the cause","status":"in_progress","active_form":"Finding the cause"},
 {"content":"Write the report","status":"pending"},{"content":"Rest","status":"postponed"}]}"#;

const EVERY: [&str; 4] = ["get", "pending", "steps", "tasks"];

/// A golden file of what these commands print for these answers.
fn golden(name: &str, calls: &[(&str, &[&str])]) {
    let transcripts: Vec<String> =
        calls.iter().map(|(body, arguments)| Bench::answering(200, body).transcript(arguments)).collect();
    crate::snapshots().bind(|| insta::assert_snapshot!(name, transcripts.join("\n")));
}

#[test]
fn a_run_is_shown_with_its_money_nodes_steps_and_outputs() {
    let bare = format!(r#"{{"run_id":"{RUN}","status":"running"}}"#);
    golden("calls_get", &[(SNAPSHOT, &["get", RUN, "--include", "steps,tool_calls"]), (&bare, &["get", RUN])]);
}

#[test]
fn what_waits_is_shown_with_each_question_and_its_options() {
    let nothing = format!(r#"{{"run_id":"{RUN}"}}"#);
    golden("calls_pending", &[(PENDING, &["pending", RUN]), (&nothing, &["pending", RUN])]);
}

#[test]
fn steps_are_shown_with_what_became_of_each_call_and_one_call_in_full() {
    golden(
        "calls_steps",
        &[
            (STEPS, &["steps", RUN]),
            (STEPS, &["steps", RUN, "--node", "other"]),
            (STEPS, &["steps", RUN, "--node", "nobody"]),
            ("{}", &["steps", RUN]),
            (CALL, &["steps", RUN, "--step", "1", "--call", "call/2"]),
        ],
    );
}

#[test]
fn tasks_are_shown_by_sign_and_word() {
    golden("calls_tasks", &[(TASKS, &["tasks", RUN]), ("{\"tasks\":[]}", &["tasks", RUN])]);
}

#[test]
fn each_command_asks_for_what_it_shows_and_nothing_else() {
    let of = |arguments: &[&str], body: &str| {
        let bench = Bench::answering(200, body);
        assert_eq!(bench.run(arguments).status.code(), Some(0));
        bench.lines()
    };
    let run = format!("GET /api/v1/runs/{RUN}");
    assert_eq!(of(&["get", RUN], SNAPSHOT), std::slice::from_ref(&run));
    assert_eq!(of(&["get", RUN, "--include", "steps"], SNAPSHOT), [format!("{run}?include=steps")]);
    assert_eq!(of(&["get", RUN, "--include", "tool_calls"], SNAPSHOT), [format!("{run}?include=steps%2Ctool_calls")]);
    assert_eq!(of(&["pending", RUN], PENDING), [format!("{run}/pending-tools")]);
    assert_eq!(of(&["steps", RUN], STEPS), [format!("{run}/steps")]);
    let call = ["steps", RUN, "--step", "0", "--call", "call/2 ü"];
    assert_eq!(of(&call, CALL), [format!("{run}/steps/0/tool-calls/call%2F2%20%C3%BC")]);
    assert_eq!(of(&["tasks", RUN], TASKS), [format!("{run}/tasks")]);
}

#[test]
fn json_is_the_servers_answer_byte_for_byte() {
    for (arguments, body) in [
        (&["get", RUN, "--json"][..], SNAPSHOT),
        (&["pending", RUN, "--json"], PENDING),
        (&["steps", RUN, "--json"], STEPS),
        (&["steps", RUN, "--step", "1", "--call", "call/2", "--json"], CALL),
        (&["tasks", RUN, "--json"], TASKS),
    ] {
        let output = Bench::answering(200, body).run(arguments);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), format!("{body}\n")), "{arguments:?}");
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn one_output_is_printed_as_it_is_and_a_missing_one_is_told_with_those_that_there_are() {
    let bench = Bench::answering(200, SNAPSHOT);
    let output = |name: &str| bench.run(&["get", RUN, "--output", name]);
    assert_eq!(text(&output("report").stdout), "line one\n  line two\n");
    assert_eq!(text(&output("score").stdout), "{\"value\":0.50,\"of\":[1,2]}\n");
    assert_fails(&output("summary"), 5, &["has no output summary", "report, score", "waiting"]);
    let bare = Bench::answering(200, &format!(r#"{{"run_id":"{RUN}","status":"running","outputs":null}}"#));
    assert_fails(&bare.run(&["get", RUN, "--output", "x"]), 5, &["(running) has no output x: it has none"]);
}

#[test]
fn hostile_text_is_inert_wherever_it_stands() {
    let snapshot = format!(
        r#"{{"run_id":"{RUN}","status":"@","plan_hash":"@","outputs":{{"@":"@","o":{{"@":"@"}}}},
         "cost_summary":{{"total_usd_cents":1,"line_items":[{{"provider_id":"@","model":"@","requests":1,"input_tokens":1,"output_tokens":1,"usd_cents":1}}]}},
         "nodes":[{{"id":"@","type":"@","status":"@","error":{{"code":"@","message":"@"}}}}],
         "steps":[{{"node_id":"@","steps":[{{"step":1,"request_id":"{RUN}","llm_call":{{"provider":"@","model":"@","stop_reason":"@"}},
          "tool_calls":[{{"tool_call":{{"id":"@","name":"@"}}}}]}}]}}]}}"#
    );
    let pending = format!(
        r#"{{"run_id":"{RUN}","pending":[{{"node_id":"@","step":1,"request_id":"{RUN}","tool_calls":[{{"tool_call":{{"id":"@","name":"@","arguments":"@"}}}},
         {{"tool_call":{{"id":"u","name":"user_ask","arguments":"{{\"question\":\"%\",\"options\":[{{\"label\":\"%\",\"description\":\"%\"}}]}}"}}}}]}}]}}"#
    );
    let call = r#"{"node_id":"@","step":1,"tool_call":{"id":"@","name":"@","arguments":"@"},"tool_result":{"tool_call":{"id":"@","name":"@"},"output":"@","error":"@"}}"#;
    for (arguments, body) in [
        (&["get", RUN, "--include", "steps"][..], snapshot.as_str()),
        (&["pending", RUN], &pending),
        (&["steps", RUN, "--step", "1", "--call", "c"], call),
        (&["tasks", RUN], r#"{"tasks":[{"content":"@","status":"@","active_form":"@"}]}"#),
    ] {
        // Each field has its number, so that none is taken for another.
        let mut fields = 0;
        let mut numbered = String::new();
        for c in body.chars() {
            match c {
                '@' => numbered.extend([format!("{HOSTILE}<{fields}>")]),
                '%' => numbered.extend([format!("{}<{fields}>", HOSTILE.replace('\\', "\\\\"))]),
                c => numbered.push(c),
            }
            fields += usize::from(matches!(c, '@' | '%'));
        }
        let output = Bench::answering(200, &numbered).run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        let shown = text(&output.stdout);
        assert_inert(&shown, &format!("{arguments:?}"));
        for field in 0..fields {
            // A result repeats its call's id and name, which are shown once.
            let repeated = arguments[0] == "steps" && matches!(field, 4 | 5);
            assert_eq!(shown.contains(&format!("1m<{field}>")), !repeated, "field {field} in {shown}");
        }
    }
}

#[test]
fn what_the_server_says_of_an_error_is_inert_too() {
    let body = r#"{"error":{"code":"@","message":"@","fields":[{"field":"@","message":"@"}]}}"#.replace('@', HOSTILE);
    for name in EVERY {
        let output = Bench::answering(400, &body).run(&[name, RUN]);
        assert_fails(&output, 2, &["(400"]);
        assert_inert(&text(&output.stderr), name);
    }
}

#[test]
fn every_failure_has_its_exit_code_and_says_what_to_do() {
    let body = r#"{"error":{"code":"SOME_CODE","message":"some words"}}"#;
    for name in EVERY {
        for (status, code, advice) in [
            (400, 2, "some words"),
            (401, 4, "relay-console doctor"),
            (403, 4, "relay-console doctor"),
            (404, 5, "check the id"),
            (409, 6, "some words"),
            (503, 7, "tried 3 times"),
        ] {
            let bench = Bench::answering(status, body);
            let output = bench.run(&[name, RUN, "--json"]);
            assert_fails(&output, code, &[advice, "SOME_CODE", "req-7", RUN, "127.0.0.1"]);
            assert_eq!(bench.lines().len(), if status == 503 { 3 } else { 1 });
        }
        assert_fails(&Bench::answering(200, "[1").run(&[name, RUN]), 8, &["cannot be read", "relay-console doctor"]);
        let page = super::answer(200, &["content-type: text/html"], "<html>");
        assert_fails(&Bench::with(move |_, _| page.clone()).run(&[name, RUN]), 8, &["text/html"]);
        let bench = Bench::with(|_, _| json("{}"));
        let mut refused = bench.command(&[name, RUN]);
        refused.env("MODELRELAY_API_BASE_URL", "http://127.0.0.1:1/api");
        assert_fails(&refused.output().unwrap(), 7, &["cannot connect to 127.0.0.1:1", "tried 3 times"]);
    }
}

#[test]
fn wrong_usage_sends_nothing() {
    let bench = Bench::answering(200, "{}");
    for arguments in [
        &["get", "run-17"][..],
        &["get", "00000000-0000-0000-0000-000000000000"],
        &["get", RUN, "--include", "everything"],
        &["get", RUN, "--output", "x", "--json"],
        &["steps", RUN, "--step", "1"],
        &["steps", RUN, "--call", "c"],
        &["steps", RUN, "--node", "n", "--json"],
        &["pending"],
        &["tasks", RUN, RUN],
    ] {
        assert_fails(&bench.run(arguments), 2, &[]);
    }
    assert_eq!(bench.lines(), Vec::<String>::new());
}

#[test]
fn a_reader_that_leaves_ends_the_command_quietly() {
    // Longer than a pipe holds, so that the write meets the closed end.
    let long = format!(r#"{{"tasks":[{{"content":"{}","status":"pending"}}]}}"#, "x".repeat(1 << 20));
    for arguments in [&["tasks", RUN][..], &["tasks", RUN, "--json"]] {
        let bench = Bench::answering(200, &long);
        let mut child = bench.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 16];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    }
}

#[test]
fn a_narrow_terminal_cuts_rows_and_never_wraps_them_and_json_stays_json() {
    let show = |arguments: &[&str], body: &str| {
        let bench = Bench::answering(200, body);
        let environment = [
            ("MODELRELAY_API_BASE_URL", bench.server.base_url()),
            ("MODELRELAY_API_KEY", "mr_sk_0123456789".to_owned()),
        ];
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut session = Session::spawn(command(arguments, bench.program.home.path(), &environment), (60, 30));
        let (code, written) = session.wait_for_end();
        assert_eq!(code, 0, "{written}");
        written.replace("\r\n", "\n")
    };
    let steps = show(&["steps", RUN], STEPS);
    assert!(steps.lines().all(|line| line.chars().count() <= 60), "{steps}");
    assert!(steps.contains("collect") && steps.contains('…'), "{steps}");
    let tasks = show(&["tasks", RUN, "--json"], &TASKS.replace("Rest", HOSTILE));
    assert!(tasks.contains(r"\u001b[2J"), "{tasks}");
    assert!(!tasks.contains('\u{1b}'), "{tasks:?}");
    let report = show(&["get", RUN, "--output", "report"], &SNAPSHOT.replace("line one", HOSTILE));
    assert_inert(&report, "an output on a terminal");
}
