//! Promise "nothing executed", on the bytes of a real terminal: every subcommand and the console, against a server that
//! says nothing harmless, with files, names and variables that are no better.

use std::time::{Duration, Instant};

use super::WIDE;
use super::session::Session;
use crate::raw_server::{Act, RawServer, Request, answer};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const STEP: &str = "550e8400-e29b-41d4-a716-446655440001";

/// What acts on a terminal, reorders, hides, or hangs on to what stands before it.
const BAD: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{1b}\\\u{9b}31m\u{9d}8;;x\u{9c}\u{202e}\u{2066}\u{200b}\u{feff}\
                   \u{e0041}\r\u{8}\u{85}\u{2028}\u{301}\u{ad}";

/// How a server answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// As it should, with everything hostile that it may say.
    Answers,
    /// With an error.
    Refuses,
    /// With another type of content.
    OtherType,
    /// With a redirect to a hostile place.
    Redirects,
    /// With something that is no JSON.
    Garbage,
}

/// `text` as JSON spells it, without the quotes.
fn spelt(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

/// One letter with more accents than any screen has cells, and a line of a megabyte.
fn endless() -> (String, String) {
    (format!("z{}", "\u{301}".repeat(10_000)), format!("{}{BAD}", "long ".repeat(200_000)))
}

fn call(id: &str) -> String {
    let bad = spelt(BAD);
    let arguments = spelt(&format!("{{\"a{BAD}\": \"{BAD}\", \"question\": \"{BAD}?\"}}"));
    format!(r#"{{"id":"{id}{bad}","name":"t{bad}","arguments":"{arguments}"}}"#)
}

fn snapshot() -> String {
    let bad = spelt(BAD);
    let (zalgo, long) = endless();
    let steps = steps();
    format!(
        r#"{{"run_id":"{RUN}","status":"waiting","plan_hash":"h{bad}","parent_run_id":"{STEP}","cost_summary":{{"total_usd_cents":5,
        "line_items":[{{"provider_id":"p{bad}","model":"m{bad}","requests":1,"input_tokens":1,"output_tokens":1,"usd_cents":5}}]}},
        "nodes":[{{"id":"n{bad}","type":"t{bad}","status":"s{bad}","output":"{bad}","error":{{"code":"c{bad}","message":"m{bad}"}}}},
        {{"id":"{zalgo}","type":"x","status":"running"}}],"outputs":{{"o{bad}":"{bad}","l":"{}"}},"steps":{steps}}}"#,
        spelt(&long)
    )
    .replace('\n', "")
}

fn steps() -> String {
    let (bad, call) = (spelt(BAD), call("c0"));
    format!(
        r#"[{{"node_id":"n{bad}","step":0,"request_id":"{STEP}","llm_request":{{"a":"{bad}"}},"llm_response":"{bad}","llm_call":{{"provider":"p{bad}","model":"m{bad}","stop_reason":"s{bad}"}},
        "tool_calls":[{{"tool_call":{call}}}],"tool_results":[{{"tool_call":{call},"output":"{bad}","error":"e{bad}"}}]}}]"#
    )
    .replace('\n', "")
}

fn events() -> String {
    let bad = spelt(BAD);
    let (zalgo, long) = endless();
    let (zalgo, long) = (spelt(&zalgo), spelt(&long));
    let node = format!(r#""node_id":"n{bad}""#);
    let step = format!(r#""step":1,"request_id":"{STEP}""#);
    let bodies = [
        format!(r#""type":"run_started","plan_hash":"h{bad}""#),
        format!(r#""type":"node_started",{node}"#),
        format!(
            r#""type":"node_llm_call",{node},"llm_call":{{{step},"provider":"p{bad}","model":"m{bad}","stop_reason":"s{bad}"}}"#
        ),
        format!(r#""type":"node_output_delta",{node},"delta":{{"kind":"k{bad}","text_delta":"{bad}{zalgo}"}}"#),
        format!(r#""type":"node_output_delta",{node},"delta":{{"kind":"message_delta","text_delta":"{long}"}}"#),
        format!(r#""type":"node_tool_call",{node},"tool_call":{{{step},"tool_call":{}}}"#, call("c0")),
        format!(
            r#""type":"node_tool_result",{node},"tool_result":{{{step},"tool_call":{},"output":"{bad}","error":"{bad}"}}"#,
            call("c0")
        ),
        format!(
            r#""type":"node_waiting",{node},"waiting":{{{step},"reason":"r{bad}","pending_tool_calls":[{{"tool_call":{}}}]}}"#,
            call("c1")
        ),
        format!(
            r#""type":"node_user_ask",{node},"user_ask":{{{step},"tool_call":{},"question":"q{bad}{zalgo}","options":[{{"label":"l{bad}","description":"d{bad}"}}],"allow_freeform":true}}"#,
            call("c2")
        ),
        format!(r#""type":"node_failed","node_id":"o{zalgo}","error":{{"code":"c{bad}","message":"m{bad}"}}"#),
        format!(r#""type":"new{bad}",{node},"x{bad}":"{bad}""#),
        format!(r#""type":"node_started","node_id":7,"x":"{bad}""#),
    ];
    let lines = bodies.iter().enumerate().map(|(at, body)| {
        format!(r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{},"ts":"2026-01-01T00:00:00Z",{body}}}"#, at + 1)
    });
    let mut stream: String = lines.map(|line| line + "\n").collect();
    stream.push_str(&BAD.replace('\r', ""));
    stream + "\n"
}

fn last_event() -> String {
    let bad = spelt(BAD);
    format!(
        "{{\"envelope_version\":\"v2\",\"run_id\":\"{RUN}\",\"seq\":13,\"ts\":\"2026-01-01T00:00:00Z\",\"type\":\"run_failed\",\
         \"plan_hash\":\"h{bad}\",\"error\":{{\"code\":\"c{bad}\",\"message\":\"m{bad}\"}}}}\n"
    )
}

/// What a header's value may carry of it: no server can send a control character there.
fn headers(content_type: &str) -> [String; 4] {
    let value = "r\u{202e}\u{9b}2J\u{200b}\u{ad}";
    [
        format!("content-type: {content_type}"),
        format!("x-modelrelay-request-id: {value}"),
        format!("retry-after: {value}"),
        format!("location: http://host{value}/{value}"),
    ]
}

fn respond(request: &Request, manner: Manner, ends: bool) -> Vec<Act> {
    let bad = spelt(BAD);
    let reply = |status: u16, content_type: &str, body: &str| {
        let headers = headers(content_type);
        answer(status, &headers.each_ref().map(String::as_str), body)
    };
    let path = request.line.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let errors = format!(
        r#"{{"error":{{"code":"C{bad}","message":"m{bad}","fields":[{{"field":"f{bad}","message":"x{bad}"}}]}},"request_id":"i{bad}"}}"#
    );
    let issues = format!(r#"{{"issues":[{{"code":"c{bad}","path":"$.nodes[0].{bad}","message":"m{bad}"}}]}}"#);
    match manner {
        Manner::Refuses if path.contains("/workflows") || path.ends_with("/runs") => {
            reply(400, "application/json", &issues)
        }
        Manner::Refuses => reply(409, "application/json", &errors),
        Manner::OtherType => reply(200, &format!("text/{}", "x\u{202e}\u{9b}y"), BAD),
        Manner::Redirects => reply(307, "text/plain", BAD),
        Manner::Garbage => reply(200, "application/json", &format!("{{\"{BAD}\": ")),
        Manner::Answers if path.ends_with("/events") => {
            let mut acts = vec![Act::Send(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n".to_vec(),
            )];
            acts.push(Act::Send(events().into_bytes()));
            acts.push(if ends { Act::Send(last_event().into_bytes()) } else { Act::Hold });
            acts
        }
        Manner::Answers if path.ends_with("/pending-tools") => {
            let (one, two) = (call("c1"), call("c2"));
            reply(
                200,
                "application/json",
                &format!(
                    r#"{{"run_id":"{RUN}","pending":[{{"node_id":"n{bad}","step":1,"request_id":"{STEP}","tool_calls":[{{"tool_call":{one}}},{{"tool_call":{two}}}]}}]}}"#
                ),
            )
        }
        Manner::Answers if path.ends_with("/tool-results") => reply(400, "application/json", &errors),
        Manner::Answers if path.contains("/tool-calls/") => {
            let call = call("c0");
            reply(
                200,
                "application/json",
                &format!(
                    r#"{{"run_id":"{RUN}","node_id":"n{bad}","step":0,"request_id":"{STEP}","tool_call":{call},"result":{{"tool_call":{call},"output":"{bad}","error":"{bad}"}}}}"#
                ),
            )
        }
        Manner::Answers if path.ends_with("/steps") => {
            reply(200, "application/json", &format!(r#"{{"run_id":"{RUN}","steps":{}}}"#, steps()))
        }
        Manner::Answers if path.ends_with("/tasks") => reply(
            200,
            "application/json",
            &format!(
                r#"{{"run_id":"{RUN}","tasks":[{{"id":"i{bad}","content":"c{bad}","status":"s{bad}","title":"{bad}"}}]}}"#
            ),
        ),
        Manner::Answers if path.ends_with("/lint") => reply(
            200,
            "application/json",
            &format!(
                r#"{{"lint_issues":[{{"code":"c{bad}","path":"p{bad}","message":"m{bad}"}}],"compile_issues":[],"compile_error":"e{bad}","plan_hash":"h{bad}"}}"#
            ),
        ),
        Manner::Answers if path.ends_with("/compile") => {
            reply(200, "application/json", &format!(r#"{{"plan_hash":"h{bad}","plan_json":{{"a":"{bad}"}}}}"#))
        }
        Manner::Answers if path.ends_with("/runs") => {
            reply(200, "application/json", &format!(r#"{{"run_id":"{RUN}","status":"s{bad}","plan_hash":"h{bad}"}}"#))
        }
        Manner::Answers => reply(200, "application/json", &snapshot()),
    }
}

/// The first thing in what was written that a terminal would act on, beside what this program writes itself. A command
/// without a screen writes nothing but text.
fn acts(written: &str, screen: bool) -> Option<String> {
    let mut rest = written;
    let mut hanging = 0;
    while let Some(c) = rest.chars().next() {
        if c == '\u{1b}' && screen {
            let Some((body, end)) = rest
                .strip_prefix("\u{1b}[")
                .and_then(|body| Some((body, body.find(|c: char| c.is_ascii_alphabetic())?)))
            else {
                return Some(format!("an escape that is no sequence of ours: {rest:.40?}"));
            };
            let (parameters, last) = (&body[..end], &body[end..=end]);
            let own = match last {
                "H" | "m" => parameters.chars().all(|c| c.is_ascii_digit() || matches!(c, ';' | ':')),
                "h" | "l" => ["?25", "?1049", "?2004", "?1004", "?2026"].contains(&parameters),
                "u" => [">1", "<1"].contains(&parameters),
                "J" => ["2", ""].contains(&parameters),
                _ => false,
            };
            if !own {
                return Some(format!("an escape that is not ours: {parameters:?}{last}"));
            }
            rest = &body[end + 1..];
            continue;
        }
        let is_line_end = matches!(c, '\r' | '\n');
        // The bell is rung by the console itself.
        let is_own = is_line_end || (screen && c == '\u{7}');
        if !is_own && relay_console::app::inert::mark(c).is_some() {
            return Some(format!("U+{:04X} in {:?}", c as u32, rest.chars().take(40).collect::<String>()));
        }
        hanging = if unicode_width::UnicodeWidthChar::width(c) == Some(0) && !is_line_end { hanging + 1 } else { 0 };
        if hanging > 12 {
            return Some("a pile of accents without a bound".to_owned());
        }
        rest = &rest[c.len_utf8()..];
    }
    None
}

/// A server in a runtime of its own.
struct Bench {
    server: RawServer,
    _runtime: tokio::runtime::Runtime,
    home: tempfile::TempDir,
}

impl Bench {
    fn new(manner: Manner, ends: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(RawServer::start(move |request, _| respond(request, manner, ends)));
        Self { server, _runtime: runtime, home: tempfile::tempdir().unwrap() }
    }

    fn start(&self, arguments: &[&str], size: (u16, u16), more: &[(&str, &str)]) -> Session {
        let base_url = self.server.base_url();
        let mut environment =
            vec![("MODELRELAY_API_BASE_URL", base_url.as_str()), ("MODELRELAY_API_KEY", "mr_sk_0123456789")];
        environment.extend(more);
        Session::start_with(arguments, self.home.path(), size, &environment)
    }

    /// What a command without a screen writes on a terminal; it is answered with a yes where it asks.
    fn written(&self, arguments: &[&str], more: &[(&str, &str)]) -> String {
        let mut session = self.start(arguments, (80, 24), more);
        if arguments[0] == "answer" {
            // A question, or the end where there is none to ask.
            session.wait_for_words_or_end("[y/N]");
            session.send("yes\r");
        }
        if arguments[0] == "watch" {
            // It tries again for as long as it is let.
            session.wait_for_words_or_end("retrying");
            if session.is_running() {
                session.signal("INT");
            }
        }
        let (code, output) = session.wait_for_end();
        assert_ne!(code, 70, "{arguments:?}: {output}");
        output
    }
}

#[test]
fn nothing_that_a_server_says_acts_on_a_terminal_whatever_command_shows_it() {
    for manner in [Manner::Answers, Manner::Refuses, Manner::OtherType, Manner::Redirects, Manner::Garbage] {
        let bench = Bench::new(manner, true);
        let spec = bench.home.path().join("spec.json");
        std::fs::write(&spec, format!("{{\"nodes\": [{{\"id\": \"a{}\"}}]}}", spelt(BAD))).unwrap();
        let spec = spec.to_str().unwrap();
        let id = format!("c0{BAD}");
        let waiting = format!("c1{BAD}");
        for arguments in [
            &["get", RUN][..],
            &["get", RUN, "--json"],
            &["pending", RUN],
            &["pending", RUN, "--json"],
            &["steps", RUN],
            &["steps", RUN, "--step", "0", "--call", &id],
            &["tasks", RUN],
            &["events", RUN, "--pretty"],
            &["events", RUN],
            &["watch", RUN],
            &["watch", RUN, "--json"],
            &["check", RUN],
            &["answer", RUN, "--call", &waiting, "--output", BAD],
            &["answer", RUN, "--call", BAD, "--error", BAD],
            &["compile", spec],
            &["lint", spec],
            &["start", "--spec", spec, "--detach"],
            &["doctor"],
        ] {
            let written = bench.written(arguments, &[]);
            assert_eq!(
                acts(&written, false),
                None,
                "{manner:?} {arguments:?}:\n{}",
                written.chars().take(3000).collect::<String>().escape_debug()
            );
        }
    }
}

trait OrEnd {
    fn wait_for_words_or_end(&mut self, words: &str);
}

impl OrEnd for Session {
    fn wait_for_words_or_end(&mut self, words: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.is_running() && !self.text().contains(words) {
            assert!(Instant::now() < end, "neither {words} nor the end:\n{}", self.text());
        }
    }
}

#[test]
fn no_file_name_argument_or_variable_acts_on_a_terminal() {
    let bench = Bench::new(Manner::Answers, true);
    let home = bench.home.path();
    let name = BAD.replace('/', "");
    let path = |more: &str| home.join(format!("{name}{more}")).to_str().unwrap().to_owned();
    std::fs::write(path("bad.toml"), format!("title = \"{BAD}")).unwrap();
    std::fs::write(path("bad.json"), format!("[{{\"call\": \"{}\", \"{}\": 1}}]", spelt(BAD), spelt(BAD))).unwrap();
    std::fs::write(path("spec.json"), format!("{{\"nodes\": [\n\"{BAD}\" {BAD}")).unwrap();
    std::fs::create_dir(path("dir")).unwrap();
    let (toml, json, spec, absent, dir) =
        (path("bad.toml"), path("bad.json"), path("spec.json"), path("absent"), path("dir"));
    let nested = format!("{absent}/{name}");
    for (arguments, environment) in [
        (&["get", RUN, "--profile", BAD][..], &[][..]),
        (&["get", RUN, "--api-key-file", &absent], &[]),
        (&["get", RUN, "--api-key-file", &dir], &[]),
        (&["get", RUN, "--ca-file", &absent], &[]),
        (&["get", RUN, "--ca-file", &json], &[]),
        (&["get", RUN, "--customer", BAD], &[]),
        (&["get", RUN, "--base-url", BAD], &[]),
        (&["get", BAD], &[]),
        (&[BAD], &[]),
        (&["demo", BAD], &[]),
        (&["demo", &toml], &[]),
        (&["simulate", "--scenario", &toml], &[]),
        (&["simulate", "--api-key-file", &absent], &[]),
        (&["simulate", "--listen", BAD], &[]),
        (&["compile", &spec], &[]),
        (&["compile", &absent], &[]),
        (&["answer", RUN, "--all", &json], &[]),
        (&["answer", RUN, "--call", "x", "--output-file", &absent], &[]),
        (&["start", "--spec", &json, "--input", BAD], &[]),
        (&["check", &json], &[]),
        (&["man", "--directory", &nested], &[]),
        (&["completions", BAD], &[]),
        (
            &["doctor", "--profile", BAD],
            &[("XDG_STATE_HOME", absent.as_str()), ("TERM", BAD), ("LANG", BAD), ("HTTPS_PROXY", BAD)],
        ),
        (&["doctor"], &[("XDG_CONFIG_HOME", dir.as_str()), ("MODELRELAY_API_BASE_URL", BAD)]),
        (&["get", RUN], &[("MODELRELAY_API_KEY", BAD)]),
        (&["get", RUN], &[("XDG_STATE_HOME", json.as_str()), ("RELAY_CONSOLE_LOG", BAD)]),
    ] {
        let written = bench.written(arguments, environment);
        assert_eq!(acts(&written, false), None, "{arguments:?} {environment:?}:\n{}", written.escape_debug());
        assert!(!written.is_empty(), "{arguments:?} says nothing");
    }
}

#[test]
fn the_console_shows_a_hostile_run_whole_at_once_and_inert() {
    for size in [WIDE, (60, 16)] {
        let bench = Bench::new(Manner::Answers, false);
        let mut session = bench.start(&[RUN], size, &[]);
        session.wait_for("Waiting for you");
        for keys in ["\t", "\t", "\r", "\x1b[B", "\r", "t", "e", "n", "/", "x\x7f\r", "?", "q", "\x0c"] {
            session.send(keys);
        }
        let begun = Instant::now();
        session.send("w\r");
        session.wait_for("Ctrl-S");
        session.send(&format!("\x1b[200~{}\x1b[201~", "pasted \u{202e}\u{200b}text"));
        session.wait_for("pasted ¿¿text");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?} for two frames", begun.elapsed());
        session.send("\x13");
        session.wait_for("Enter sends");
        session.send("\x1b");
        session.wait_for_no("Enter sends");
        session.leave_answer();
        session.send("q");
        let (code, output) = session.wait_for_end();
        assert_eq!(code, 0, "{}", output.escape_debug());
        assert_eq!(acts(&output, true), None, "at {size:?}");
    }
}
