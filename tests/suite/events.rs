//! `events` as a shell sees it: what it prints, what it says beside it, and how it ends.

use relay_console::api::event::{Decoded, canonical, decode};
use rustix::process::Signal;

use crate::pty::session::{Session, command};
use crate::raw_server::{Act, answer, chunk, chunked_head, stream_head};
use crate::stream_bench::{Bench, RUN, after, ended, event, holding, lines, open, snapshot, started};

/// The seqs of the lines.
fn seqs(lines: &[String]) -> Vec<u64> {
    lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
}

#[test]
fn a_runs_events_are_printed_in_one_form_and_for_people() {
    let bench = Bench::simulated("canceled");
    let normalised = bench.run("events", &[]);
    assert_eq!((normalised.code, normalised.stderr.as_str()), (Some(3), ""));
    let pretty = bench.run("events", &["--pretty"]);
    assert_eq!((pretty.code, pretty.stderr.as_str()), (Some(3), ""));
    let mut settings = crate::snapshots();
    // What the simulator hashes is its own affair.
    settings.add_filter("[0-9a-f]{64}", "(plan hash)");
    settings.bind(|| {
        insta::assert_snapshot!("events", normalised.text());
        insta::assert_snapshot!("events_pretty", pretty.text());
    });
}

#[test]
fn what_is_printed_is_read_again_as_the_same_events() {
    let bench = Bench::simulated("agents");
    let options = ["--include-output", "--no-wait"];
    // The run waits for an answer at its end: until then it moves.
    let mut live = bench.start("events", &["--include-output"]);
    live.line_with("node_user_ask");
    let raw = bench.run("events", &[&options[..], &["--raw"]].concat());
    let normalised = bench.run("events", &options);
    assert_eq!((raw.code, normalised.code), (Some(0), Some(0)));
    let (raw, normalised) = (raw.lines(), normalised.lines());
    assert!(raw.len() > 40 && raw.len() == normalised.len(), "{} and {}", raw.len(), normalised.len());
    for (raw, normalised) in raw.iter().zip(&normalised) {
        let decoded = |line: &str| match decode(line.as_bytes()) {
            Ok(Decoded::Event(event)) => event,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(decoded(raw), decoded(normalised));
        assert_eq!(&canonical(&decoded(normalised), normalised.as_bytes()).unwrap(), normalised);
    }
}

#[test]
fn raw_lines_are_printed_byte_for_byte_and_what_is_no_event_is_told_beside_them() {
    let odd = started(1).replacen(':', " :\t ", 1);
    let garbled = [started(3).strip_suffix("n\"}").unwrap().as_bytes(), b"\xff\xfe\"}"].concat();
    let two = started(2);
    let body = [odd.as_bytes(), b"\r\n\r\n", two.as_bytes(), b"\n{\"type\":\"keepalive\"}\n", &garbled, b"\n"];
    let body = [&body.concat()[..], ended(4, "completed").as_bytes()].concat();
    let bench = Bench::raw(move |request, _| match request.line.contains("/events") {
        true if after(request) == 0 => vec![stream_head(), Act::Send(body.clone())],
        // A server that says that it is alive within its history is asked again for the rest.
        true => lines(&[ended(4, "completed")]),
        false => snapshot("succeeded"),
    });
    let raw = bench.run("events", &["--raw"]);
    let last = ended(4, "completed");
    let expected = [odd.as_bytes(), b"\n", two.as_bytes(), b"\n", &garbled, b"\n", last.as_bytes(), b"\n"];
    assert_eq!(String::from_utf8_lossy(&raw.stdout), String::from_utf8_lossy(&expected.concat()));
    assert_eq!(raw.stdout, expected.concat());
    assert_eq!(raw.code, Some(8), "{}", raw.stderr);
    assert!(raw.stderr.contains("not UTF-8") && raw.stderr.contains("1 unreadable line"), "{}", raw.stderr);
    let normalised = bench.run("events", &[]);
    assert_eq!(seqs(&normalised.lines()), [1, 2, 4]);
    assert_eq!(normalised.code, Some(8));
}

#[test]
fn a_run_that_ends_gives_its_exit_code_and_only_where_it_is_waited_for() {
    for (how, status, code) in [("completed", "succeeded", 0), ("failed", "failed", 1), ("canceled", "canceled", 3)] {
        let bench = holding(vec![started(1), ended(2, how)], status);
        let waited = bench.run("events", &[]);
        assert_eq!((waited.code, seqs(&waited.lines())), (Some(code), vec![1, 2]), "{}", waited.stderr);
        let glance = bench.run("events", &["--no-wait"]);
        assert_eq!((glance.code, seqs(&glance.lines())), (Some(0), vec![1, 2]), "{}", glance.stderr);
        let behind = bench.run("events", &["--after-seq", "2"]);
        assert_eq!((behind.code, behind.text()), (Some(code), String::new()), "{}", behind.stderr);
    }
}

#[test]
fn a_server_that_refuses_or_speaks_something_else_ends_it_at_once() {
    for (status, code) in [(401, 4), (403, 4), (404, 5), (400, 2)] {
        let refused = Bench::refusing(status).run("events", &[]);
        assert_eq!((refused.code, refused.text()), (Some(code), String::new()));
        assert!(refused.stderr.contains(&status.to_string()), "{}", refused.stderr);
    }
    let html = Bench::raw(|request, _| {
        let page = || answer(200, &["content-type: text/html"], "<p>Sign in</p>");
        if request.line.contains("/events") { page() } else { snapshot("running") }
    });
    let refused = html.run("events", &[]);
    assert_eq!((refused.code, refused.text()), (Some(8), String::new()));
    assert!(refused.stderr.contains("expected application/x-ndjson"), "{}", refused.stderr);
    assert_eq!(html.requests().len(), 2, "it is not asked again");
}

#[test]
fn a_server_out_of_reach_is_tried_three_times() {
    let bench = Bench::refusing(503);
    for options in [&[][..], &["--no-wait"]] {
        let before = bench.requests().len();
        let given_up = bench.run("events", options);
        assert_eq!((given_up.code, given_up.text()), (Some(7), String::new()));
        assert!(given_up.stderr.contains("(tried 3 times)"), "{}", given_up.stderr);
        assert_eq!(bench.requests().len() - before, 3);
    }
    let at_once = bench.run("events", &["--no-resume"]);
    assert_eq!(at_once.code, Some(7));
    assert!(!at_once.stderr.contains("trying again"), "{}", at_once.stderr);
}

/// A server whose connection breaks within the line of the third event.
fn breaking() -> Bench {
    Bench::raw(|request, _| {
        if !request.line.contains("/events") {
            return snapshot("running");
        }
        let third = started(3);
        match (after(request), request.line.contains("wait=false")) {
            (0, true) => lines(&[started(1)]),
            (1, false) => {
                vec![chunked_head(), chunk(format!("{}\n{}", started(2), &third[..40]).as_bytes()), Act::Reset]
            }
            // What came before the break comes again, too.
            (2, true) => lines(&[started(2), third]),
            (3, false) => lines(&[ended(4, "failed")]),
            _ => lines(&[]),
        }
    })
}

#[test]
fn a_connection_that_breaks_costs_no_event_and_no_second_copy() {
    let resumed = breaking().run("events", &[]);
    assert_eq!(seqs(&resumed.lines()), [1, 2, 3, 4]);
    assert_eq!(resumed.code, Some(1), "{}", resumed.stderr);
    for phrase in ["trying again in", "1 duplicate, 1 reconnect"] {
        assert!(resumed.stderr.contains(phrase), "{phrase:?} is not in {}", resumed.stderr);
    }
}

#[test]
fn with_no_resume_the_first_break_is_the_end() {
    let broken = breaking().run("events", &["--no-resume"]);
    assert_eq!((broken.code, seqs(&broken.lines())), (Some(7), vec![1, 2]), "{}", broken.stderr);
}

#[test]
fn events_that_are_missing_for_good_are_told_and_make_the_output_incomplete() {
    let bench = Bench::raw(|request, _| match (request.line.contains("/events"), after(request)) {
        (false, _) => snapshot("succeeded"),
        (true, 0) => lines(&[started(1), started(4), ended(5, "completed")]),
        (true, 1) => lines(&[started(4), ended(5, "completed")]),
        (true, _) => lines(&[]),
    });
    let incomplete = bench.run("events", &[]);
    assert_eq!((incomplete.code, seqs(&incomplete.lines())), (Some(8), vec![1, 4, 5]), "{}", incomplete.stderr);
    assert!(incomplete.stderr.contains("the server has no events 2 to 3"), "{}", incomplete.stderr);
    assert!(incomplete.stderr.contains("1 gap (2 events missing)"), "{}", incomplete.stderr);
}

#[test]
fn a_limit_beyond_one_answer_is_read_page_by_page() {
    let bench = holding((1..=10_010).map(started).collect(), "running");
    let limited = bench.run("events", &["--limit", "10003"]);
    assert_eq!(limited.code, Some(9), "{}", limited.stderr);
    assert_eq!(seqs(&limited.lines()), (1..=10_003).collect::<Vec<u64>>());
    let asked: Vec<String> = bench.requests().into_iter().filter(|line| line.contains("/events")).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].contains("limit=10000") && asked[1].contains("after_seq=10000&limit=3"), "{asked:?}");
}

#[test]
fn a_limit_is_kept_by_the_program_where_the_server_does_not_and_the_runs_end_comes_first() {
    let deaf = Bench::raw(|request, _| {
        let all = || lines(&(after(request) + 1..=9).map(started).collect::<Vec<_>>());
        if request.line.contains("/events") { all() } else { snapshot("running") }
    });
    let limited = deaf.run("events", &["--limit", "2", "--after-seq", "3"]);
    assert_eq!((limited.code, seqs(&limited.lines())), (Some(9), vec![4, 5]), "{}", limited.stderr);
    let last = holding(vec![started(1), ended(2, "failed")], "failed").run("events", &["--limit", "2"]);
    assert_eq!((last.code, seqs(&last.lines())), (Some(1), vec![1, 2]));
    let early = holding(vec![started(1), ended(2, "failed")], "failed").run("events", &["--limit", "1"]);
    assert_eq!((early.code, seqs(&early.lines())), (Some(9), vec![1]));
    assert_eq!(deaf.run("events", &["--limit", "0"]).code, Some(2));
}

#[test]
fn a_limit_is_reached_by_what_is_printed_also_where_an_unreadable_line_comes_again_in_its_place() {
    let unreadable = || started(3).replace("v2", "v3");
    let bench = Bench::raw(move |request, _| match (request.line.contains("/events"), after(request)) {
        (false, _) => snapshot("running"),
        (true, 0) => lines(&[started(1), unreadable(), started(4)]),
        (true, 1) => lines(&[started(2), unreadable(), started(4)]),
        (true, known) => lines(&[started(known + 1)]),
    });
    let limited = bench.run("events", &["--limit", "4"]);
    assert_eq!((limited.code, seqs(&limited.lines())), (Some(8), vec![1, 2, 4, 5]), "{}", limited.stderr);
}

/// A run with one event, which then is quiet for ever.
fn quiet() -> Bench {
    Bench::raw(|request, _| match (request.line.contains("/events"), request.line.contains("wait=false")) {
        (false, _) => snapshot("running"),
        (true, true) if after(request) == 0 => lines(&[started(1)]),
        (true, true) => lines(&[]),
        (true, false) => open(&[]),
    })
}

#[test]
fn a_reader_that_leaves_ends_it_quietly_also_while_no_event_comes() {
    let bench = quiet();
    let mut running = bench.start("events", &[]);
    assert_eq!(seqs(&[running.line()]), [1]);
    bench.until("it is live", |requests| {
        requests.iter().any(|request| !request.line.contains("wait=false") && request.line.contains("/events"))
    });
    running.stop_reading();
    let left = running.end();
    assert_eq!((left.code, left.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_signal_ends_it_with_the_signals_code_also_while_nobody_reads() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let bench = quiet();
        let mut running = bench.start("events", &[]);
        running.line();
        running.signal(signal);
        assert_eq!(running.end().code, Some(code));
    }
    let bench = holding((1..=20_000).map(started).collect(), "running");
    let running = bench.start("events", &[]);
    running.wait_until_stuck();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(143));
}

const HOSTILE: &str =
    r#""node_failed","node_id":"n","error":{"message":"\u001b[2J\u001b]0;owned\u0007\u202e gone","x":"\u009b"}"#;

/// What the program writes on a terminal, and its exit code.
fn on_a_terminal(bench: &Bench, options: &[&str]) -> (u32, String) {
    let environment = bench.environment();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let arguments = [&["events", RUN], options].concat();
    let mut session = Session::spawn(command(&arguments, bench.program.home.path(), &environment), (200, 50));
    session.wait_for_end()
}

#[test]
fn on_a_terminal_nothing_of_the_server_acts() {
    let raw = format!("{}\u{202e}\u{9b}", "x");
    let hostile = event(1, HOSTILE).replace(r#""x":"#, &format!(r#""raw":"{raw}","x":"#));
    let bench = holding(vec![hostile, ended(2, "completed")], "succeeded");
    for options in [&[][..], &["--pretty"]] {
        let (code, shown) = on_a_terminal(&bench, options);
        assert_eq!(code, 0, "{shown}");
        let acts = shown.chars().find(|c| matches!(c, '\u{1b}' | '\u{7}' | '\u{202e}' | '\u{80}'..='\u{9f}'));
        assert_eq!(acts, None, "{shown:?}");
        assert!(shown.contains("gone"), "{shown:?}");
    }
    let (code, shown) = on_a_terminal(&bench, &["--raw"]);
    assert_eq!(code, 2);
    assert!(shown.contains("send it to a file or a pipe"), "{shown}");
}

#[test]
fn off_a_terminal_every_byte_of_a_text_is_kept() {
    let bench = holding(vec![event(1, HOSTILE), ended(2, "completed")], "succeeded");
    let line = bench.run("events", &[]).lines().remove(0);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["error"]["message"], "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e} gone");
}
