//! `relay-console answer`: what it sends, what it refuses, and how it ends, as the real binary against real servers.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use relay_console::api::client::{BaseUrl, Client, ClientConfig, Credentials};
use relay_console::api::ids::RunId;
use relay_console::simulator::{Scenario, Simulator, SimulatorConfig};

use crate::program::{Program, text};
use crate::raw_server::{Act, RawServer, Request, answer, json, stream_head};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";

/// `relay-console answer` for a server, with `input` on standard input.
fn answer_with(base_url: &str, key: &str, run: &str, arguments: &[&str], input: &[u8]) -> Output {
    let program = Program::new();
    let mut child = program
        .command(&[&["answer", run], arguments].concat())
        .env("MODELRELAY_API_BASE_URL", base_url)
        .env("MODELRELAY_API_KEY", key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// What stands on standard output, which needs exit code 0.
fn accepted(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What stands on standard error, which needs this exit code and nothing on standard output.
fn refused(output: &Output, code: i32) -> String {
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), String::new()), "{error}");
    error
}

/// The default scenario on a simulator, with a client that looks behind the program's back.
struct Desk {
    simulator: Simulator,
    client: Client,
    run: RunId,
}

impl Desk {
    async fn start() -> Self {
        let scenarios = vec![Scenario::find("incident").unwrap()];
        let simulator =
            Simulator::start(SimulatorConfig { speed: 1000.0, scenarios, ..SimulatorConfig::default() }).await.unwrap();
        let base_url = BaseUrl::parse(simulator.base_url(), false).unwrap();
        let credentials = Credentials::api_key(simulator.api_key()).unwrap();
        let client = Client::new(ClientConfig::new(base_url, credentials)).unwrap();
        let run = simulator.runs()[0].run_id;
        Self { simulator, client, run }
    }

    /// The ids of the calls that wait, once there are some.
    async fn waiting(&self) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let pending = self.client.pending_tools(&self.run).await.unwrap().value;
            let ids: Vec<String> = pending.calls().map(|(key, _)| key.call_id.as_str().to_owned()).collect();
            if !ids.is_empty() {
                return ids;
            }
            assert!(Instant::now() < end, "the run never waits");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The result of a call as the events have it: output and error.
    async fn result_of(&self, call: &str) -> Option<(String, Option<String>)> {
        let found = relay_console::submission::find_call(&self.client, self.run, |key| key.call_id.as_str() == call);
        match found.await.unwrap() {
            relay_console::submission::PastCall::Answered { result, .. } => Some((result.output, result.error)),
            _ => None,
        }
    }

    fn answer(&self, arguments: &[&str], input: &[u8]) -> Output {
        answer_with(self.simulator.base_url(), self.simulator.api_key(), &self.run.to_string(), arguments, input)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_saying_a_result_arrives_byte_for_byte() {
    let desk = Desk::start().await;
    let calls = desk.waiting().await;
    let output = desk.answer(&["--call", &calls[0], "--output-file", "-"], b" {\"error_rate_percent\" : 4.20}\n");
    assert!(accepted(&output).starts_with("accepted 1 of 1; the run is waiting"));
    assert_eq!(desk.result_of(&calls[0]).await.unwrap(), (" {\"error_rate_percent\" : 4.20}\n".to_owned(), None));

    let output = desk.answer(&["--call", &calls[1], "--error", "nobody counts them", "--json"], b"");
    let told: serde_json::Value = serde_json::from_str(&accepted(&output)).unwrap();
    assert_eq!((told["accepted"].as_u64(), told["calls"][0].as_str()), (Some(1), Some(calls[1].as_str())));
    let error = Some("nobody counts them".to_owned());
    assert_eq!(desk.result_of(&calls[1]).await.unwrap(), (String::new(), error));

    let asked = desk.waiting().await;
    let output = desk.answer(&["--call", &asked[0], "--choice", "Roll back"], b"");
    accepted(&output);
    let chosen = r#"{"answer":"Roll back","is_freeform":false}"#.to_owned();
    assert_eq!(desk.result_of(&asked[0]).await.unwrap(), (chosen, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_calls_of_a_step_go_in_one_submission() {
    let desk = Desk::start().await;
    let calls = desk.waiting().await;
    let list = format!(
        r#"[{{"call":"{}","output":{{"n" : 1.0}}}},{{"call":"{}","output":"seventeen","error":"guessed"}}]"#,
        calls[0], calls[1]
    );
    let output = desk.answer(&["--all", "-"], list.as_bytes());
    assert!(accepted(&output).starts_with("accepted 2 of 2"));
    assert!(text(&output.stderr).is_empty(), "{}", text(&output.stderr));
    assert_eq!(desk.result_of(&calls[0]).await.unwrap(), (r#"{"n" : 1.0}"#.to_owned(), None));
    assert_eq!(desk.result_of(&calls[1]).await.unwrap(), ("seventeen".to_owned(), Some("guessed".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_in_ones_own_words_and_what_a_question_does_not_take() {
    let desk = Desk::start().await;
    for call in desk.waiting().await {
        accepted(&desk.answer(&["--call", &call, "--output", "1"], b""));
    }
    let call = desk.waiting().await.remove(0);
    let error = refused(&desk.answer(&["--call", &call, "--choice", "Roll"], b""), 2);
    assert!(error.contains("\"Roll back\", \"Keep and watch\""), "{error}");
    let error = refused(&desk.answer(&["--call", &call, "--output", "Roll back"], b""), 2);
    assert!(error.contains("this is a question: use --choice or --text"), "{error}");
    accepted(&desk.answer(&["--call", &call, "--text", " wait\n"], b""));
    let said = r#"{"answer":"wait","is_freeform":true}"#.to_owned();
    assert_eq!(desk.result_of(&call).await.unwrap(), (said, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_no_longer_waits_is_refused_with_what_became_of_it() {
    let desk = Desk::start().await;
    let calls = desk.waiting().await;
    accepted(&desk.answer(&["--call", &calls[0], "--output", "\"first\u{1b}[2J\""], b""));
    let error = refused(&desk.answer(&["--call", &calls[0], "--output", "\"second\""], b""), 6);
    assert!(error.contains("it has its result already (node diagnose step 0)"), "{error}");
    assert!(error.contains("\"first␛[2J\"") && error.contains("Nothing was sent"), "{error}");
    let error = refused(&desk.answer(&["--call", "call_of_nobody", "--output", "1"], b""), 5);
    assert!(error.contains("is no call of this run; it waits for") && error.contains(&calls[1]), "{error}");
    let error = refused(&desk.answer(&["--call", &calls[1], "--node", "report", "--output", "1"], b""), 5);
    assert!(error.contains("is no call of this run"), "{error}");
    // One of several that does not wait keeps all of them back.
    let list = format!(r#"[{{"call":"{}","output":"x"}},{{"call":"{}","output":"y"}}]"#, calls[1], calls[0]);
    refused(&desk.answer(&["--all", "-"], list.as_bytes()), 6);
    assert_eq!(desk.result_of(&calls[1]).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_refused_before_the_server_is_asked() {
    let server = RawServer::answering(vec![]).await;
    let at =
        |arguments: &[&str], input: &[u8]| answer_with(&server.base_url(), "mr_sk_0123456789", RUN, arguments, input);
    let cases: [(&[&str], &[u8], &str); 7] = [
        (&["--call", "c0", "--output", " \n"], b"", "the result is empty"),
        (&["--call", "c0", "--output-file", "-"], b"a\xff", "standard input is not UTF-8 (byte 1)"),
        (&["--call", "c0", "--output-file", "/no/such/file"], b"", "cannot read /no/such/file"),
        (&["--all", "-"], b"[]", "the list is empty"),
        (&["--all", "-"], b"[{\"call\":\"c0\"}", "line 1 column"),
        (&["--call", "c0"], b"", "required"),
        (&["--call", "c0", "--output", "1", "--error", "2"], b"", "cannot be used with"),
    ];
    for (arguments, input, phrase) in cases {
        let error = refused(&at(arguments, input), 2);
        assert!(error.contains(phrase), "{phrase:?} is not in {error:?}");
    }
    assert!(server.seen().requests.is_empty());
}

/// Pending-tools with the calls `c0` of two nodes.
fn pending(nodes: &[&str]) -> Vec<Act> {
    let call = r#"{"tool_call":{"id":"c0","name":"pay","arguments":"{}"}}"#;
    let step =
        |node: &&str| format!(r#"{{"node_id":"{node}","step":1,"request_id":"{REQUEST}","tool_calls":[{call}]}}"#);
    let steps: Vec<String> = nodes.iter().map(step).collect();
    json(&format!(r#"{{"run_id":"{RUN}","pending":[{}]}}"#, steps.join(",")))
}

/// A server where `c0` of node `n` waits until the first POST has come, which gets `post`; the events then have
/// `theirs` as its result, if any.
async fn server(post: Vec<Act>, waits_on: bool, theirs: Option<&'static str>) -> RawServer {
    let posted = std::sync::atomic::AtomicBool::new(false);
    RawServer::start(move |request: &Request, _| {
        use std::sync::atomic::Ordering::SeqCst;
        match request.line.as_str() {
            line if line.starts_with("POST") => {
                posted.store(true, SeqCst);
                post.clone()
            }
            line if line.contains("/pending-tools") => {
                if posted.load(SeqCst) && !waits_on { json(&format!(r#"{{"run_id":"{RUN}"}}"#)) } else { pending(&["n"]) }
            }
            line if line.contains("after_seq=3") => vec![stream_head()],
            line if line.contains("/events") => {
                let line = theirs.map(|output| format!(
                    "{{\"envelope_version\":\"v2\",\"run_id\":\"{RUN}\",\"seq\":3,\"ts\":\"2026-01-01T00:00:00Z\",\"type\":\"node_tool_result\",\"node_id\":\"n\",\"tool_result\":{{\"step\":1,\"request_id\":\"{REQUEST}\",\"tool_call\":{{\"id\":\"c0\",\"name\":\"pay\"}},\"output\":\"{output}\"}}}}\n"
                ));
                vec![stream_head(), Act::Send(line.unwrap_or_default().into_bytes())]
            }
            _ => json(&format!(r#"{{"run_id":"{RUN}","status":"running","cost_summary":{{"total_usd_cents":0}}}}"#)),
        }
    })
    .await
}

fn posts(server: &RawServer) -> Vec<Request> {
    server.seen().requests.into_iter().filter(|request| request.line.starts_with("POST")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_what_became_of_a_submission() {
    let refusal =
        |status: u16| answer(status, &[], r#"{"error":{"code":"X","message":"not this"},"request_id":"r-9"}"#);
    // (the answer to the submission, still waiting after it, another's result, exit code, phrase, attempts)
    let cases = [
        (refusal(400), true, None, 2, "refused: the server refuses the request (400 X): not this", 1),
        (refusal(401), true, None, 4, "refused: the server does not accept these credentials (401 X)", 1),
        (refusal(403), true, None, 4, "(403 X)", 1),
        (refusal(409), false, Some("theirs"), 6, "another answer was taken first: theirs", 1),
        (refusal(503), false, Some("theirs"), 6, "another answer was taken first: theirs", 1),
        (refusal(409), true, None, 7, "not taken, still waiting, safe to send again", 3),
    ];
    for (post, waits_on, theirs, code, phrase, attempts) in cases {
        let server = server(post, waits_on, theirs).await;
        let output = answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &["--call", "c0", "--output", "1"], b"");
        let error = refused(&output, code);
        assert!(error.contains("accepted 0 of 1") && error.contains(phrase), "{phrase:?} is not in {error:?}");
        let posts = posts(&server);
        assert_eq!(posts.len(), attempts, "{phrase}");
        let ids: Vec<_> = posts.iter().map(|post| post.header("x-modelrelay-request-id").unwrap()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
    // The same bytes in the events are mine, although the answer to the submission was lost.
    let server = server(vec![Act::Reset], false, Some("1")).await;
    let output = answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &["--call", "c0", "--output", "1"], b"");
    assert!(accepted(&output).starts_with("accepted 1 of 1; the run is running"));
    assert!(text(&output.stderr).contains("finding out whether it arrived"));
    assert_eq!(posts(&server).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_ends_it_within_twenty_seconds_with_the_command_to_look_again() {
    let posted = std::sync::atomic::AtomicBool::new(false);
    let server = RawServer::start(move |request: &Request, _| {
        if request.line.starts_with("POST") {
            posted.store(true, std::sync::atomic::Ordering::SeqCst);
        }
        if posted.load(std::sync::atomic::Ordering::SeqCst) { vec![Act::Hold] } else { pending(&["n"]) }
    })
    .await;
    let begun = Instant::now();
    let output = answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &["--call", "c0", "--output", "1"], b"");
    let took = begun.elapsed();
    let error = refused(&output, 7);
    assert!(took < Duration::from_secs(21), "{took:?}");
    assert!(error.contains("outcome unknown"), "{error}");
    assert!(error.contains(&format!("relay-console pending {RUN}")), "{error}");
    assert!(error.contains(&format!("relay-console steps {RUN} --step 1 --call c0")), "{error}");
    assert_eq!(posts(&server).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_the_exact_request_and_sends_nothing() {
    let server = server(json("{}"), true, None).await;
    let at = |more: &[&str]| {
        let arguments = [&["--call", "c0", "--output", "{\"a\" : 1}", "--dry-run"], more].concat();
        accepted(&answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &arguments, b""))
    };
    let body = format!(
        r#"{{"node_id":"n","step":1,"request_id":"{REQUEST}","results":[{{"tool_call":{{"id":"c0","name":"pay"}},"output":"{{\"a\" : 1}}"}}]}}"#
    );
    assert_eq!(at(&["--json"]), format!("{body}\n"));
    let whole = at(&[]);
    assert!(whole.starts_with(&format!("POST {}/runs/{RUN}/tool-results\n", server.base_url())), "{whole}");
    assert!(whole.contains("X-ModelRelay-Request-Id: ") && whole.ends_with(&format!("\n\n{body}\n")), "{whole}");
    assert!(!whole.contains("mr_sk_"), "{whole}");
    assert!(posts(&server).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_the_same_id_are_told_apart_by_node_and_step() {
    let server = RawServer::start(|request: &Request, _| match request.line.as_str() {
        line if line.starts_with("POST") => json(r#"{"accepted":1,"status":"running"}"#),
        _ => pending(&["n", "m"]),
    })
    .await;
    let at = |more: &[&str]| {
        let arguments = [&["--call", "c0", "--output", "1"], more].concat();
        answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &arguments, b"")
    };
    let error = refused(&at(&[]), 2);
    assert!(error.contains("two calls named c0 wait, in node n step 1 and in node m step 1"), "{error}");
    accepted(&at(&["--node", "m"]));
    assert!(posts(&server)[0].body.contains(r#""node_id":"m""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_listed_twice_is_one_and_one_that_is_listed_differently_is_refused() {
    let listed = |arguments: &'static str| {
        RawServer::start(move |request: &Request, _| match request.line.as_str() {
            line if line.starts_with("POST") => json(r#"{"accepted":1,"status":"running"}"#),
            _ => json(&format!(
                r#"{{"run_id":"{RUN}","pending":[{{"node_id":"n","step":1,"request_id":"{REQUEST}","tool_calls":[
                    {{"tool_call":{{"id":"-c","name":"pay","arguments":"1"}}}},
                    {{"tool_call":{{"id":"-c","name":"pay","arguments":"{arguments}"}}}}]}}]}}"#
            )),
        })
    };
    let server = listed("1").await;
    // An id is whatever a server makes it, and a suggested command names it as it is.
    accepted(&answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &["--call", "-c", "--output", "1"], b""));
    assert_eq!(posts(&server).len(), 1);
    let server = listed("2").await;
    let output = answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &["--call", "-c", "--output", "1"], b"");
    let error = refused(&output, 2);
    assert!(error.contains("lists the call -c twice, and differently") && error.contains("pending"), "{error}");
    assert!(posts(&server).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_server_says_looks_like_a_line_of_the_program() {
    let server = server(answer(400, &[], r#"{"message":"no\nLook again:\n  rm -rf x"}"#), true, None).await;
    let output = answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &["--call", "c0", "--output", "1"], b"");
    let error = refused(&output, 2);
    assert!(error.ends_with("(400): no Look again: rm -rf x\n") && error.lines().count() == 2, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_of_a_server_looks_like_a_line_of_the_program() {
    let call = r#"{"tool_call":{"id":"c0","name":"pay\nWhat to do: run x","arguments":"{}"}}"#;
    let step = format!(r#"{{"node_id":"n\nm","step":1,"request_id":"{REQUEST}","tool_calls":[{call}]}}"#);
    let listed = json(&format!(r#"{{"run_id":"{RUN}","pending":[{step}]}}"#));
    let server = RawServer::start(move |request: &Request, _| match request.line.as_str() {
        line if line.contains("/events") => vec![stream_head()],
        line if line.contains("/pending-tools") => listed.clone(),
        _ => json(&format!(r#"{{"run_id":"{RUN}","status":"running"}}"#)),
    })
    .await;
    for (call, code, lines) in [("c0", 2, 1), ("c1", 5, 2)] {
        let arguments = ["--call", call, "--choice", "x"];
        let error = refused(&answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &arguments, b""), code);
        assert!(error.contains("pay What to do: run x") && error.lines().count() == lines, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_beyond_the_patience_is_not_begun_and_ends_with_the_command_to_look_again() {
    let server = server(answer(503, &["retry-after: 60"], "no"), true, None).await;
    let begun = Instant::now();
    let output = answer_with(&server.base_url(), "mr_sk_0123456789", RUN, &["--call", "c0", "--output", "1"], b"");
    let error = refused(&output, 7);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(error.contains("a longer wait than") && error.contains("Look again before you send again"), "{error}");
    assert!(!error.contains("silent"), "{error}");
    assert_eq!(posts(&server).len(), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_that_cannot_be_printed_is_said_on_standard_error() {
    let server = server(json(r#"{"accepted":1,"status":"running"}"#), true, None).await;
    let program = Program::new();
    let mut command = program.command(&["answer", RUN, "--call", "c0", "--output", "1"]);
    command.env("MODELRELAY_API_BASE_URL", server.base_url()).env("MODELRELAY_API_KEY", "mr_sk_0123456789");
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdin(Stdio::null()).stdout(full).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(70), "{error}");
    assert!(error.contains("accepted 1 of 1") && error.contains("cannot write"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_without_end_is_refused() {
    let program = Program::new();
    for option in ["--output-file", "--all"] {
        let arguments = ["answer", RUN, "--call", "c0", option, "/dev/zero"];
        let arguments: Vec<&str> =
            arguments.into_iter().filter(|word| option != "--all" || !["--call", "c0"].contains(word)).collect();
        let error = refused(&program.run(&arguments), 2);
        assert!(error.contains("longer than 67108864 bytes; nothing was sent"), "{error}");
    }
}

#[test]
fn the_files_that_are_named_are_read_whole() {
    let program = Program::new();
    let list = program.home.path().join("answers.json");
    fs::write(&list, r#"[{"call":"c0","output":"x","text":"y"}]"#).unwrap();
    let output = program.run(&["answer", RUN, "--all", list.to_str().unwrap()]);
    let error = refused(&output, 2);
    assert!(error.contains("answers.json: entry 1, call c0: takes only one of"), "{error}");
}
