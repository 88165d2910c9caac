//! `watch` as a shell, a log and a screen reader see it: what it tells, and how it ends.

use rustix::process::Signal;

use crate::pty::session::{Session, command};
use crate::raw_server::{Act, Request, answer, chunk, chunked_head, json, stream_head};
use crate::stream_bench::{Bench, Ended, RUN, after, ended, event, holding, lines, open, snapshot, started};

const STEP: &str = r#""step":1,"request_id":"550e8400-e29b-41d4-a716-446655440001""#;

/// A node that waits for the result of a tool.
fn waiting(seq: u64) -> String {
    let calls = r#"[{"tool_call":{"id":"c 1","name":"roll_back","arguments":"{\"to\": 4}"}}]"#;
    let rest =
        format!(r#""node_waiting","node_id":"n","waiting":{{{STEP},"reason":"tools","pending_tool_calls":{calls}}}"#);
    event(seq, &rest)
}

/// The result that it waited for.
fn result(seq: u64) -> String {
    let rest = format!(
        r#""node_tool_result","node_id":"n","tool_result":{{{STEP},"tool_call":{{"id":"c 1","name":"roll_back"}},"output":"done"}}"#
    );
    event(seq, &rest)
}

/// The server's list of the calls that wait: the one of [`waiting`], or none.
fn pending(listed: bool) -> Vec<Act> {
    let calls = r#"[{"tool_call":{"id":"c 1","name":"roll_back","arguments":"{\"to\": 4}"}}]"#;
    let step = format!(r#"{{"node_id":"n",{STEP},"tool_calls":{calls}}}"#);
    json(&format!(r#"{{"run_id":"{RUN}","pending":[{}]}}"#, if listed { &step } else { "" }))
}

/// A server with these events, then silence; `listed` says whether a call waits, given how often that was asked.
fn silent_after(
    events: Vec<String>,
    status: &'static str,
    listed: impl Fn(usize) -> bool + Send + Sync + 'static,
) -> Bench {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    Bench::raw(move |request, _| match request.line.as_str() {
        line if line.contains("/pending-tools") => {
            pending(listed(asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst)))
        }
        line if !line.contains("/events") => snapshot(status),
        line if line.contains("wait=false") => lines(&behind(&events, request)),
        _ => open(&behind(&events, request)),
    })
}

fn behind(events: &[String], request: &Request) -> Vec<String> {
    let known = usize::try_from(after(request)).unwrap().min(events.len());
    events[known..].to_vec()
}

/// What is told, with this machine's times masked, and without the port of the server.
fn told(ended: &Ended) -> String {
    let mut filtered = String::new();
    for line in ended.lines() {
        let (time, rest) = line.split_once("  ").unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{line}");
        let time = if time.starts_with("2026-01-01T") { time } else { "(this machine's)   " };
        let rest = if rest.starts_with("connecting to 127.0.0.1:") { "connecting to 127.0.0.1:PORT" } else { rest };
        filtered.extend([time, "  ", rest, "\n"]);
    }
    filtered
}

/// Waits until the simulator's run has ended, so that every repetition reads the same.
fn until_ended(bench: &Bench) {
    let events = bench.run("events", &[]);
    assert!(matches!(events.code, Some(0 | 1 | 3)), "{}", events.stderr);
}

#[test]
fn a_run_is_told_line_by_line_from_its_start_or_summed_up() {
    let bench = Bench::simulated("failing");
    until_ended(&bench);
    let from_start = bench.run("watch", &["--from-start"]);
    assert_eq!((from_start.code, from_start.stderr.as_str()), (Some(1), ""));
    let summed_up = bench.run("watch", &[]);
    assert_eq!((summed_up.code, summed_up.stderr.as_str()), (Some(1), ""));
    crate::snapshots().bind(|| {
        insta::assert_snapshot!("watch", format!("{}----\n{}", told(&from_start), told(&summed_up)));
    });
}

#[test]
fn json_has_a_line_a_change_with_the_agreed_fields() {
    let bench = Bench::simulated("failing");
    until_ended(&bench);
    let (text, json) = (bench.run("watch", &["--from-start"]), bench.run("watch", &["--from-start", "--json"]));
    assert_eq!(json.code, Some(1));
    let (text, json) = (text.lines(), json.lines());
    assert_eq!(text.len(), json.len());
    let mut last = 0;
    for (line, object) in text.iter().zip(&json) {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(object).unwrap();
        let fields: Vec<&str> = object.keys().map(String::as_str).filter(|name| *name != "node_id").collect();
        assert_eq!(fields, ["ts", "seq", "kind", "text"]);
        assert!(line.ends_with(object["text"].as_str().unwrap()), "{line}");
        assert!(object["ts"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        assert_eq!(object.contains_key("node_id"), object["kind"] == "node", "{object:?}");
        let seq = object["seq"].as_u64().unwrap();
        assert!(seq >= last, "{object:?}");
        last = seq;
    }
}

#[test]
fn what_only_the_snapshot_says_is_told_after_what_happened_before() {
    // The history takes its time behind an end of a node, which makes the bill worth reading.
    let long = event(3, &format!(r#""node_failed","node_id":"m","error":{{"message":"{}"}}"#, "x".repeat(20_000)));
    let history = [started(1), event(2, r#""node_succeeded","node_id":"n""#)].map(|line| format!("{line}\n")).concat();
    let bench = Bench::raw(move |request, _| {
        if !request.line.contains("/events") {
            return json(&format!(
                r#"{{"run_id":"{RUN}","status":"failed","cost_summary":{{"total_usd_cents":42,"line_items":[]}}}}"#
            ));
        }
        let rest = Act::Trickle(format!("{long}\n{}\n", ended(4, "failed")).into_bytes());
        if after(request) == 0 {
            vec![stream_head(), Act::Send(history.clone().into_bytes()), rest]
        } else {
            lines(&[])
        }
    });
    let watched = bench.run("watch", &["--from-start"]);
    assert_eq!(watched.code, Some(1), "{}", watched.stderr);
    let (last, before) = watched.lines().split_last().map(|(last, before)| (last.clone(), before.to_vec())).unwrap();
    assert!(last.ends_with("  cost $0.42"), "{}", watched.text());
    assert!(before.last().unwrap().contains("  run failed"), "{}", watched.text());
}

#[test]
fn a_run_that_ends_gives_its_exit_code() {
    for (how, status, code) in [("completed", "succeeded", 0), ("failed", "failed", 1), ("canceled", "canceled", 3)] {
        let bench = holding(vec![started(1), ended(2, how)], status);
        let over = bench.run("watch", &[]);
        assert_eq!((over.code, over.stderr.as_str()), (Some(code), ""));
        assert!(over.text().contains(&format!("run {status}")), "{}", over.text());
    }
    // A log that lacks the last event is read again, as a gap is; then the snapshot says how the run has ended.
    let lost = holding(vec![started(1)], "failed").run("watch", &["--from-start", "--idle-timeout", "1s"]);
    assert_eq!(lost.code, Some(1), "{}", lost.text());
    for phrase in ["its last event is missing; reading again (3)", "run failed"] {
        assert!(lost.text().contains(phrase), "{phrase:?} is not in {}", lost.text());
    }
}

#[test]
fn a_server_that_refuses_or_speaks_something_else_ends_it() {
    for (status, code) in [(401, 4), (403, 4), (404, 5)] {
        let refused = Bench::refusing(status).run("watch", &[]);
        assert_eq!(refused.code, Some(code));
        assert!(refused.stderr.contains(&status.to_string()), "{}", refused.stderr);
    }
    let html = Bench::raw(|_, _| answer(200, &["content-type: text/html"], "<p>Sign in</p>"));
    let refused = html.run("watch", &[]);
    assert_eq!(refused.code, Some(8), "{}", refused.stderr);
}

#[test]
fn it_does_not_give_up_on_the_network_and_tells_what_becomes_of_the_link() {
    let bench = Bench::raw(|request, before| {
        if before < 4 {
            return answer(503, &[], "");
        }
        match (request.line.contains("/events"), after(request), request.line.contains("wait=false")) {
            (false, ..) => snapshot("running"),
            (_, 0, true) => lines(&[started(1)]),
            (_, 1, false) => vec![chunked_head(), chunk(format!("{}\n", started(2)).as_bytes()), Act::Reset],
            (_, 2, false) => lines(&[ended(3, "completed")]),
            _ => lines(&[]),
        }
    });
    let watched = bench.run("watch", &[]);
    assert_eq!((watched.code, watched.stderr.as_str()), (Some(0), ""));
    let words: Vec<String> = watched
        .lines()
        .iter()
        .map(|line| line.split_once("  ").unwrap().1.split([' ', ';']).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "connecting to",
        "retrying in",
        "retrying in",
        "retrying in",
        "retrying in",
        "connected ",
        "live",
        "run running",
        "n started",
        "retrying in",
        "connected ",
        "live",
        "run succeeded",
    ];
    assert_eq!(words, expected, "{}", watched.text());
}

#[test]
fn a_time_limit_ends_it_also_while_the_server_is_out_of_reach() {
    let late = Bench::refusing(503).run("watch", &["--timeout", "1s"]);
    assert_eq!(late.code, Some(9));
    assert!(late.stderr.contains("has not ended within 1 s"), "{}", late.stderr);
    let quiet = silent_after(vec![started(1)], "running", |_| false).run("watch", &["--timeout", "1s"]);
    assert_eq!(quiet.code, Some(9));
}

#[test]
fn a_run_that_waits_ends_it_with_the_command_that_answers() {
    let bench = silent_after(vec![started(1), waiting(2)], "waiting", |_| true);
    let waits = bench.run("watch", &["--exit-on-wait"]);
    assert_eq!((waits.code, waits.stderr.as_str()), (Some(10), ""));
    let lines = waits.lines();
    let wait = r#"n waits for a result of roll_back (call c 1): {"to": 4}"#;
    assert!(lines.iter().any(|line| line.ends_with(wait)), "{lines:?}");
    let command = format!("answer with: relay-console answer {RUN} --call 'c 1' --output TEXT");
    assert!(lines.last().unwrap().ends_with(&command), "{lines:?}");
}

/// A server with a waiting call, whose list of the calls that wait is answered so.
fn waiting_whose_list_is(list: impl Fn() -> Vec<Act> + Send + Sync + 'static) -> Bench {
    Bench::raw(move |request, _| match request.line.as_str() {
        line if line.contains("/pending-tools") => list(),
        line if line.contains("/tool-results") => json(r#"{"accepted":1,"status":"running"}"#),
        line if !line.contains("/events") => snapshot("waiting"),
        line => {
            let behind = behind(&[started(1), waiting(2).replace("c 1", "-c1")], request);
            if line.contains("wait=false") { lines(&behind) } else { open(&behind) }
        }
    })
}

#[test]
fn the_command_that_answers_is_one_also_for_a_call_whose_id_begins_with_a_hyphen() {
    let bench = waiting_whose_list_is(|| {
        let calls = r#"[{"tool_call":{"id":"-c1","name":"roll_back","arguments":"{}"}}]"#;
        let step = format!(r#"{{"node_id":"n",{STEP},"tool_calls":{calls}}}"#);
        json(&format!(r#"{{"run_id":"{RUN}","pending":[{step}]}}"#))
    });
    let waits = bench.run("watch", &["--exit-on-wait"]);
    assert_eq!(waits.code, Some(10), "{}", waits.text());
    assert!(waits.lines().last().unwrap().ends_with("--call -c1 --output TEXT"), "{}", waits.text());
    let answered = bench.run("answer", &["--call", "-c1", "--output", "TEXT"]);
    assert_eq!(answered.code, Some(0), "the words are read as they are meant: {}", answered.stderr);
}

#[test]
fn a_list_of_what_waits_that_is_refused_or_not_found_ends_it_with_that_code() {
    for (status, code) in [(401, 4), (403, 4), (404, 5)] {
        let bench = waiting_whose_list_is(move || answer(status, &[], ""));
        let watched = bench.run("watch", &["--exit-on-wait"]);
        assert_eq!(watched.code, Some(code), "{}", watched.text());
        assert!(!watched.text().contains("answer with:"), "{}", watched.text());
        for phrase in ["what waits in", &status.to_string()] {
            assert!(watched.stderr.contains(phrase), "{phrase:?} is not in {}", watched.stderr);
        }
    }
}

#[test]
fn a_server_that_cannot_list_what_waits_leaves_the_events_to_go_by() {
    let bench = waiting_whose_list_is(|| answer(200, &["content-type: text/html"], "<p>Hello</p>"));
    let watched = bench.run("watch", &["--exit-on-wait"]);
    assert_eq!(watched.code, Some(10), "{}", watched.stderr);
    assert!(watched.lines().last().unwrap().contains("answer with:"), "{}", watched.text());
}

#[test]
fn an_old_wait_that_was_answered_since_is_none() {
    let bench = silent_after(vec![started(1), waiting(2), result(3)], "running", |_| true);
    let watched = bench.run("watch", &["--exit-on-wait", "--from-start", "--timeout", "2s"]);
    assert_eq!(watched.code, Some(9), "{}", watched.text());
    assert!(watched.text().contains("n got the result of roll_back (call c 1)"), "{}", watched.text());
    assert!(!bench.requests().iter().any(|request| request.contains("/pending-tools")));
}

#[test]
fn a_wait_that_the_server_no_longer_lists_is_asked_about_again_before_it_counts() {
    let bench = silent_after(vec![started(1), waiting(2)], "waiting", |asked| asked >= 2);
    let watched = bench.run("watch", &["--exit-on-wait"]);
    assert_eq!(watched.code, Some(10), "{}", watched.text());
    assert_eq!(bench.requests().iter().filter(|request| request.contains("/pending-tools")).count(), 3);
}

#[test]
fn a_wait_whose_event_is_missing_is_found_by_the_servers_list() {
    let bench = silent_after(vec![started(1), started(2).replace("v2", "v3")], "waiting", |_| true);
    let watched = bench.run("watch", &["--exit-on-wait"]);
    assert_eq!(watched.code, Some(10), "{}", watched.text());
    for phrase in ["1 unreadable line", "n waits for a result of roll_back", "answer with:"] {
        assert!(watched.text().contains(phrase), "{phrase:?} is not in {}", watched.text());
    }
}

#[test]
fn a_wait_that_begins_while_it_watches_is_noticed_against_the_simulator() {
    let bench = Bench::simulated("agents");
    let watched = bench.run("watch", &["--exit-on-wait", "--json", "--from-start"]);
    assert_eq!(watched.code, Some(10), "{}", watched.stderr);
    let last: serde_json::Value = serde_json::from_str(watched.lines().last().unwrap()).unwrap();
    assert_eq!((last["kind"].as_str(), last["node_id"].as_str()), (Some("pending"), Some("approve")));
    assert!(last["text"].as_str().unwrap().contains("--choice LABEL"), "{last}");
}

#[test]
fn heartbeats_come_while_nothing_else_does_and_a_reader_that_leaves_ends_it() {
    let bench = silent_after(vec![started(1)], "running", |_| false);
    let mut running = bench.start("watch", &["--json", "--heartbeat", "1s"]);
    let beat: serde_json::Value = serde_json::from_str(&running.line_with("heartbeat")).unwrap();
    assert_eq!((beat["text"].as_str(), beat["seq"].as_u64()), (Some("live; run running"), Some(1)));
    running.stop_reading();
    let left = running.end();
    assert_eq!((left.code, left.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_signal_ends_it_with_the_signals_code() {
    let bench = silent_after(vec![started(1)], "running", |_| false);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut running = bench.start("watch", &[]);
        running.line_with("live");
        running.signal(signal);
        assert_eq!(running.end().code, Some(code));
    }
}

/// As [`silent_after`], but what asks whether the link is alive is not answered.
fn deaf_to_probes() -> Bench {
    Bench::raw(|request, _| match request.line.as_str() {
        line if !line.contains("/events") => snapshot("running"),
        line if line.contains("limit=") => vec![Act::Hold],
        line if line.contains("wait=false") => lines(&behind(&[started(1)], request)),
        _ => open(&[]),
    })
}

#[test]
fn a_link_that_does_not_answer_is_told_as_stale_and_then_made_again() {
    let bench = deaf_to_probes();
    let mut running = bench.start("watch", &["--idle-timeout", "4s"]);
    running.line_with("stale: nothing heard since");
    running.line_with("retrying in");
    running.line_with("live");
}

#[test]
fn a_link_that_only_has_nothing_to_say_is_no_news() {
    let bench = silent_after(vec![started(1)], "running", |_| false);
    let mut running = bench.start("watch", &["--idle-timeout", "4s"]);
    running.line_with("live");
    let probed = |requests: &[Request]| {
        let probe = requests.iter().position(|request| request.line.contains("limit="));
        probe.is_some_and(|probe| requests[probe..].iter().any(|request| !request.line.contains("/events")))
    };
    bench.until("a probe and its snapshot", probed);
    running.signal(Signal::TERM);
    let watched = running.end();
    assert_eq!(watched.code, Some(143));
    assert!(!watched.text().contains("stale"), "{}", watched.text());
}

#[test]
fn on_a_terminal_nothing_of_the_server_acts() {
    let hostile = r#""node_failed","node_id":"n","error":{"message":"\u001b[2J\u001b]0;owned\u0007\u202e gone"}"#;
    let bench = holding(vec![event(1, hostile), ended(2, "completed")], "succeeded");
    let environment = bench.environment();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for options in [&["--from-start"][..], &["--from-start", "--json"]] {
        let arguments = [&["watch", RUN], options].concat();
        let mut session = Session::spawn(command(&arguments, bench.program.home.path(), &environment), (200, 50));
        let (code, shown) = session.wait_for_end();
        assert_eq!(code, 0, "{shown}");
        let acts = shown.chars().find(|c| matches!(c, '\u{1b}' | '\u{7}' | '\u{202e}' | '\u{80}'..='\u{9f}'));
        assert_eq!(acts, None, "{shown:?}");
        assert!(shown.contains("gone"), "{shown:?}");
    }
}

#[test]
fn after_a_stop_the_link_is_probed() {
    let bench = silent_after(vec![started(1)], "running", |_| false);
    let mut running = bench.start("watch", &[]);
    running.line_with("live");
    running.signal(Signal::STOP);
    running.signal(Signal::CONT);
    bench.until("a probe", |requests| requests.iter().any(|request| request.line.contains("limit=")));
}
