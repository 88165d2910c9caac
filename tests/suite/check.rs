//! `check` as a shell sees it: what it reads, what it compares, what it prints, and how it ends.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use relay_console::simulator::Scenario;
use serde_json::{Value, json};

use crate::program::{Program, text};
#[cfg(unix)]
use crate::pty::session::Session;
use crate::raw_server::{self, Act, Request, answer};
use crate::stream_bench::{Bench, Ended, RUN, after, ended, event, holding, lines, open, snapshot, started};

/// The fields of `--json`, as the design has them.
const FIELDS: [&str; 14] = [
    "events",
    "last_seq",
    "gaps",
    "duplicates",
    "unknown",
    "rejected",
    "reconnects",
    "status",
    "input_tokens",
    "output_tokens",
    "snapshot",
    "bytes",
    "seconds",
    "events_per_second",
];

fn figures(text: &str) -> Value {
    let figures: Value = serde_json::from_str(text).unwrap();
    let fields: Vec<&str> = figures.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, FIELDS);
    assert!(figures["seconds"].as_f64().unwrap() >= 0.0 && figures["events_per_second"].is_u64(), "{figures}");
    figures
}

/// Runs `check --json` and gives its exit code and the figures, of which `wanted` are held against what is expected.
fn check(bench: &Bench, code: i32, wanted: &Value) -> Ended {
    check_with(bench, &[], code, wanted)
}

/// The same with more options. Without figures that are expected there must be none.
fn check_with(bench: &Bench, options: &[&str], code: i32, wanted: &Value) -> Ended {
    let ended = bench.run("check", &[&["--json"], options].concat());
    assert_eq!(ended.code, Some(code), "{}{}", ended.text(), ended.stderr);
    if wanted.is_null() {
        return ended;
    }
    let figures = figures(&ended.text());
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(&figures[name], value, "{name} of {figures}: {}", ended.stderr);
    }
    ended
}

fn succeeded(seq: u64) -> String {
    event(seq, r#""node_succeeded","node_id":"n""#)
}

/// A snapshot in which the node `n` has this status.
fn snapshot_of(status: &str, node: &str) -> Vec<Act> {
    raw_server::json(&format!(
        r#"{{"run_id":"{RUN}","status":"{status}","cost_summary":{{"total_usd_cents":0}},"nodes":[{{"id":"n","type":"llm.responses","status":"{node}"}}]}}"#
    ))
}

fn is_events(request: &Request) -> bool {
    request.line.contains("/events")
}

#[test]
fn every_scenario_of_the_simulator_agrees_with_its_snapshot_also_while_it_moves() {
    for scenario in Scenario::builtin() {
        let bench = Bench::simulated(scenario.name());
        let ended = check(&bench, 0, &json!({"snapshot": "agrees", "gaps": 0, "duplicates": 0, "rejected": 0}));
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn a_run_is_read_from_its_first_event_without_waiting_and_nothing_is_written_where_no_journal_is_wanted() {
    let events = vec![started(1), succeeded(2), ended(3, "completed")];
    let bytes = whole(&events).len();
    let bench = holding(events, "succeeded");
    let wanted = json!({"events": 3, "last_seq": 3, "status": "succeeded", "snapshot": "agrees", "bytes": bytes});
    check_with(&bench, &["--no-journal"], 0, &wanted);
    let requests = bench.requests();
    assert!(requests.iter().any(|line| line.contains("/events") && !line.contains("after_seq=3")), "{requests:?}");
    assert!(requests.iter().filter(|line| line.contains("/events")).all(|line| line.contains("wait=false")));
    let written: Vec<_> = walk(bench.program.home.path()).into_iter().filter(|name| name.contains("events")).collect();
    assert_eq!(written, Vec::<String>::new());
}

/// Lines with their ends.
fn whole(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// The file of this name in the run's directory, or where it would stand.
fn in_run_dir(bench: &Bench, name: &str) -> PathBuf {
    let program = bench.program.home.path().join(".local/state/relay-console");
    let servers = std::fs::read_dir(program).unwrap().map(|entry| entry.unwrap().path());
    let mut runs = servers.map(|server| server.join(RUN)).filter(|run| run.is_dir());
    runs.next().unwrap().join(name)
}

/// What stands in the run's journal.
fn journal(bench: &Bench) -> Option<String> {
    std::fs::read_to_string(in_run_dir(bench, "events.ndjson")).ok()
}

#[test]
fn what_a_check_has_read_is_the_journal_that_a_console_starts_from() {
    let events = vec![started(1), succeeded(2), ended(3, "completed")];
    let bench = holding(events.clone(), "succeeded");
    for _ in 0..2 {
        let ended = check(&bench, 0, &json!({"events": 3}));
        assert_eq!(ended.stderr, "");
        assert_eq!(journal(&bench), Some(whole(&events)));
    }
    let asked: Vec<String> = bench.requests().into_iter().filter(|line| line.contains("/events")).collect();
    assert!(!asked.is_empty() && asked.iter().all(|line| line.contains("include_output=true")), "{asked:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let journal = in_run_dir(&bench, "events.ndjson");
        assert_eq!((mode(&journal), mode(journal.parent().unwrap())), (0o600, 0o700));
        let before = bench.requests().len();
        let environment = bench.environment();
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let mut console = Session::start_with(&[RUN], bench.program.home.path(), (120, 36), &environment);
        console.wait_for("succeeded");
        // The journal's last event is asked for again, and nothing before it.
        let asked = |seen: &[Request]| seen[before..].iter().find(|request| is_events(request)).map(after);
        bench.until("the console asks for events", |seen| asked(seen).is_some());
        bench.until("it goes on behind the journal", |seen| asked(seen) == Some(2));
        console.send("q");
        assert_eq!(console.wait_for_end().0, 0);
    }
}

#[test]
fn a_check_that_lacks_an_event_or_breaks_off_leaves_the_journal_alone() {
    let good = vec![started(1), succeeded(2), ended(3, "completed")];
    let checks = Arc::new(AtomicU64::new(0));
    let (answered, now) = (good.clone(), Arc::clone(&checks));
    let bench = Bench::raw(move |request, _| match (now.load(Ordering::Relaxed), is_events(request)) {
        (_, false) => snapshot("succeeded"),
        (0, true) => lines(&answered),
        // Event 2 is missing whenever it is asked for.
        (1, true) if after(request) == 0 => lines(&[answered[0].clone(), answered[2].clone()]),
        (1, true) => lines(&answered[2..]),
        (_, true) => answer(503, &[], ""),
    });
    check(&bench, 0, &json!({"events": 3}));
    for code in [8, 7] {
        checks.fetch_add(1, Ordering::Relaxed);
        assert_eq!(bench.run("check", &[]).code, Some(code));
        assert_eq!(journal(&bench), Some(whole(&good)));
    }
    let ended = check_with(&bench, &["--no-journal"], 7, &Value::Null);
    assert_eq!(ended.text(), "");
}

#[test]
fn while_a_console_writes_the_journal_a_check_writes_none() {
    let bench = holding(vec![started(1), ended(2, "completed")], "succeeded");
    check(&bench, 0, &json!({"events": 2}));
    std::fs::write(in_run_dir(&bench, "events.ndjson"), "the console's own").unwrap();
    let lock = std::fs::File::options().write(true).open(in_run_dir(&bench, "events.lock")).unwrap();
    lock.try_lock().unwrap();
    let ended = check(&bench, 0, &json!({"events": 2, "snapshot": "agrees"}));
    assert_eq!((ended.stderr.as_str(), journal(&bench).as_deref()), ("", Some("the console's own")));
}

#[test]
fn what_the_disk_refuses_is_one_line_and_changes_no_verdict() {
    let bench = holding(vec![started(1), ended(2, "completed")], "succeeded");
    check(&bench, 0, &json!({"events": 2}));
    let before = journal(&bench);
    std::fs::create_dir(in_run_dir(&bench, ".new-events.ndjson")).unwrap();
    let ended = check(&bench, 0, &json!({"events": 2, "snapshot": "agrees"}));
    assert!(ended.stderr.contains("is not kept") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    assert_eq!(journal(&bench), before);
}

fn walk(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] };
    entries.flat_map(below).collect()
}

#[test]
fn a_permanent_gap_is_counted_listed_with_its_seqs_and_exits_with_8() {
    let bench = holding_by_seq(vec![started(1), started(2), started(5), ended(6, "completed")], "succeeded");
    let wanted = json!({"events": 4, "last_seq": 6, "gaps": 1, "reconnects": 3, "snapshot": "agrees"});
    check(&bench, 8, &wanted);
    let shown = bench.run("check", &[]);
    assert_eq!(shown.code, Some(8));
    assert!(shown.text().contains("✗ 1 gap, 2 events missing") && shown.text().contains("3–4"), "{}", shown.text());
}

/// A server that has these events and answers by their seqs.
fn holding_by_seq(events: Vec<String>, status: &'static str) -> Bench {
    let seq = |line: &String| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap();
    Bench::raw(move |request, _| {
        if !is_events(request) {
            return snapshot(status);
        }
        let known = after(request);
        lines(&events.iter().filter(|line| seq(line) > known).cloned().collect::<Vec<_>>())
    })
}

/// A server whose first answer is this text, and that has nothing more to say.
fn saying(text: Vec<u8>, status: &'static str) -> Bench {
    Bench::raw(move |request, _| match is_events(request) {
        true if after(request) == 0 => vec![raw_server::stream_head(), Act::Send(text.clone())],
        true => lines(&[]),
        false => snapshot(status),
    })
}

fn hostile(seq: u64) -> String {
    event(seq, r#""run_dreams\u001b[2J\u202e","dream":1"#)
}

#[test]
fn what_is_odd_and_costs_no_event_is_counted_and_listed_and_exits_with_0() {
    let body = [started(1), started(1), hostile(2), "nonsense \u{1b}[2J".into(), ended(3, "completed"), String::new()];
    let bench = saying(body.join("\n").into_bytes(), "succeeded");
    let wanted = json!({"events": 3, "duplicates": 1, "unknown": 1, "rejected": 1, "snapshot": "agrees"});
    check(&bench, 0, &wanted);
    let mut settings = crate::snapshots();
    settings.add_filter(r"\(127\.0\.0\.1[^)]*\)", "(HOST)");
    settings.add_filter(r"[\d.]+ s for ([^,]+), [\d,]+ events/s", "(time) s for $1, (rate) events/s");
    let shown = bench.run("check", &[]);
    assert!(!shown.text().chars().any(|c| c.is_control() && c != '\n'), "{:?}", shown.text());
    settings.bind(|| insta::assert_snapshot!("check_odd", shown.text()));
}

#[test]
fn a_rejected_line_in_the_place_of_an_event_exits_with_8() {
    let body = [started(1), r#"{"seq":2,"type":"node_started"}"#.into(), ended(3, "completed"), String::new()];
    let bench = saying(body.join("\n").into_bytes(), "succeeded");
    check(&bench, 8, &json!({"events": 2, "last_seq": 3, "rejected": 1, "gaps": 0, "snapshot": "agrees"}));
    let shown = bench.run("check", &[]).text();
    assert!(shown.contains("✗ 2 of 3, in order") && shown.contains("✗ 1 line, 1 in an event's place"), "{shown}");
}

#[test]
fn of_many_odd_things_the_first_twenty_are_listed_and_the_others_counted() {
    let mut body: Vec<String> = (1..=30).map(|_| "nonsense".to_owned()).collect();
    body.extend([started(1), ended(2, "completed"), String::new()]);
    let shown = saying(body.join("\n").into_bytes(), "succeeded").run("check", &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(shown.text().matches("rejected line").count(), 20, "{}", shown.text());
    assert!(shown.text().contains("and 10 more"), "{}", shown.text());
}

#[test]
fn a_snapshot_that_differs_is_told_with_both_sides_and_exits_with_8() {
    let bench = Bench::raw(|request, _| match is_events(request) {
        true if after(request) == 0 => lines(&[started(1), succeeded(2), ended(3, "completed")]),
        true => lines(&[]),
        false => snapshot_of("failed", "running"),
    });
    check(&bench, 8, &json!({"status": "succeeded", "snapshot": "differs"}));
    let shown = bench.run("check", &[]);
    let rows: Vec<Vec<&str>> = shown.stdout_rows();
    assert!(rows.contains(&vec!["status", "succeeded", "failed"]), "{}", shown.text());
    assert!(rows.contains(&vec!["node", "n", "succeeded", "running"]), "{}", shown.text());
    assert!(shown.text().contains("✗ differs in 2 points"), "{}", shown.text());
}

impl Ended {
    fn stdout_rows(&self) -> Vec<Vec<&str>> {
        std::str::from_utf8(&self.stdout).unwrap().lines().map(|line| line.split_whitespace().collect()).collect()
    }
}

#[test]
fn a_snapshot_fits_any_moment_between_two_readings_of_a_run_that_moves() {
    // The node has ended when the snapshot is read, and has begun again when the events are read the next time.
    let bench = Bench::raw(|request, before| match (is_events(request), after(request)) {
        (false, _) => snapshot_of("running", "succeeded"),
        (true, 0) => lines(&[started(1)]),
        (true, 1) if before < 3 => lines(&[]),
        (true, 1) => lines(&[succeeded(2), started(3)]),
        (true, _) => lines(&[]),
    });
    check(&bench, 0, &json!({"events": 3, "snapshot": "agrees"}));
    assert_eq!(bench.requests().iter().filter(|line| !line.contains("/events")).count(), 1, "one reading was enough");
}

#[test]
fn a_snapshot_that_is_behind_its_own_events_is_read_again() {
    let bench = Bench::raw(|request, before| match (is_events(request), after(request)) {
        (false, _) if before < 3 => snapshot("running"),
        (false, _) => snapshot("succeeded"),
        (true, 0) => lines(&[started(1), ended(2, "completed")]),
        (true, _) => lines(&[]),
    });
    check(&bench, 0, &json!({"status": "succeeded", "snapshot": "agrees"}));
}

#[test]
fn a_run_that_never_rests_is_read_again_three_times_and_not_for_ever() {
    let snapshots = AtomicU64::new(0);
    let bench = Bench::raw(move |request, _| match is_events(request) {
        // One event more behind each reading of the snapshot.
        true if after(request) <= snapshots.load(Ordering::SeqCst) => lines(&[started(after(request) + 1)]),
        true => lines(&[]),
        false => {
            snapshots.fetch_add(1, Ordering::SeqCst);
            snapshot("waiting")
        }
    });
    check(&bench, 8, &json!({"events": 4, "status": "running", "snapshot": "differs"}));
    assert_eq!(bench.requests().iter().filter(|line| !line.contains("/events")).count(), 4, "{:?}", bench.requests());
}

#[test]
fn a_server_that_keeps_the_answer_open_is_not_waited_for() {
    let bench = Bench::raw(|request, _| match is_events(request) {
        true if after(request) == 0 => open(&[started(1)]),
        true => open(&[]),
        false => snapshot("running"),
    });
    check(&bench, 0, &json!({"events": 1, "status": "running", "snapshot": "agrees"}));
}

#[test]
fn a_server_that_refuses_is_told_with_its_own_exit_code_and_no_report() {
    for (status, code) in [(401, 4), (403, 4), (404, 5), (400, 2), (503, 7)] {
        let refused = Bench::refusing(status).run("check", &["--json"]);
        assert_eq!((refused.code, refused.text()), (Some(code), String::new()), "{}", refused.stderr);
        assert!(refused.stderr.contains(&status.to_string()), "{}", refused.stderr);
    }
    let html = Bench::raw(|_, _| answer(200, &["content-type: text/html"], "<p>Sign in</p>"));
    let refused = html.run("check", &[]);
    assert_eq!((refused.code, refused.text()), (Some(8), String::new()), "{}", refused.stderr);
}

#[test]
fn without_a_snapshot_the_report_stands_and_the_exit_code_says_why_there_is_none() {
    for (status, code) in [(404, 5), (403, 4)] {
        let bench = Bench::raw(move |request, _| match is_events(request) {
            true if after(request) == 0 => lines(&[started(1)]),
            true => lines(&[]),
            false => answer(status, &[], ""),
        });
        let ended = check(&bench, code, &json!({"events": 1, "snapshot": "absent"}));
        assert!(ended.stderr.contains("cannot read the snapshot of the run"), "{}", ended.stderr);
    }
}

/// A program without credentials in a home with this file.
fn with_file(content: &[u8]) -> Program {
    let program = Program::new();
    std::fs::write(program.home.path().join("events"), content).unwrap();
    program
}

fn run_in_home(program: &Program, arguments: &[&str], input: Option<&[u8]>) -> (i32, String, String) {
    let mut command = program.command(arguments);
    command.current_dir(program.home.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    if let Some(input) = input {
        stdin.write_all(input).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_file_that_events_has_printed_is_checked_without_a_server_or_credentials() {
    let bench = Bench::simulated("failing");
    for options in [&["--no-wait"][..], &["--no-wait", "--raw"]] {
        // The run ends by itself: until then it moves.
        assert_eq!(bench.run("events", &[]).code, Some(1));
        let printed = bench.run("events", options).stdout;
        let program = with_file(&printed);
        let (code, shown, error) = run_in_home(&program, &["check", "--json", "events"], None);
        assert_eq!((code, error.as_str()), (0, ""), "{shown}");
        let (of_file, of_run) = (figures(&shown), figures(&bench.run("check", &["--json"]).text()));
        for field in
            FIELDS.iter().filter(|field| !["snapshot", "bytes", "seconds", "events_per_second"].contains(field))
        {
            assert_eq!(of_file[field], of_run[field], "{field}");
        }
        assert_eq!(of_file["bytes"], printed.len());
        assert_eq!((&of_file["snapshot"], &of_run["snapshot"]), (&json!("absent"), &json!("agrees")));
        let (code, piped, _) = run_in_home(&program, &["check", "-"], Some(&printed));
        assert_eq!(code, 0);
        assert!(piped.contains("(<stdin>)") && piped.contains("· absent"), "{piped}");
    }
}

#[test]
fn damaged_lines_of_a_file_are_told_with_their_numbers_and_exit_with_8_where_an_event_lacks() {
    let whole = [started(1), String::new(), succeeded(2), ended(4, "completed")];
    let mut lines: Vec<Vec<u8>> = whole.iter().map(|line| line.as_bytes().to_vec()).collect();
    lines.insert(3, [&started(3).as_bytes()[..60], b"\xff\xfe"].concat());
    let program = with_file(&lines.join(&b'\n'));
    let (code, shown, error) = run_in_home(&program, &["check", "events"], None);
    assert_eq!(code, 8, "{shown}{error}");
    assert!(shown.contains("rejected line") && shown.contains("line 4") && shown.contains("not UTF-8"), "{shown}");
    let torn = with_file(&[started(1).as_bytes(), b"\n", &started(2).as_bytes()[..130]].concat());
    let (code, shown, _) = run_in_home(&torn, &["check", "events"], None);
    assert_eq!(code, 8, "{shown}");
    assert!(shown.contains("2, line 2"), "{shown}");
}

#[test]
fn what_is_no_file_of_events_is_refused_in_words() {
    let program = with_file(b"PK\x03\x04 not events");
    for (word, phrase) in [
        ("events", "holds no events of a run"),
        ("nothing-here", "no file of this name"),
        (".", "not a regular file"),
        ("./nothing", "cannot read ./nothing"),
    ] {
        let (code, shown, error) = run_in_home(&program, &["check", word], None);
        assert_eq!((code, shown.as_str()), (2, ""), "{word}: {error}");
        assert!(error.contains(phrase), "{word}: {error}");
    }
    let (code, _, error) = run_in_home(&program, &["check", "-"], Some(b""));
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("<stdin> holds no events"), "{error}");
}

#[test]
fn a_file_named_like_a_run_is_meant_where_a_directory_stands_before_it() {
    let program = Program::new();
    std::fs::write(program.home.path().join(RUN), format!("{}\n", started(1))).unwrap();
    let (code, shown, _) = run_in_home(&program, &["check", "--json", &format!("./{RUN}")], None);
    assert_eq!((code, &figures(&shown)["events"]), (0, &json!(1)));
    // For the run there are no credentials.
    let (code, shown, error) = run_in_home(&program, &["check", RUN], None);
    assert_eq!((code, shown.as_str()), (2, ""), "{error}");
}

#[test]
fn the_fields_are_told_in_the_help() {
    let help = text(&Program::new().run(&["check", "--help"]).stdout);
    let words: BTreeSet<&str> = help.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for field in FIELDS {
        assert!(words.contains(field), "{field}");
    }
}

#[test]
fn why_a_file_cannot_be_read_is_said_once() {
    let program = Program::new();
    for command in ["check", "replay"] {
        let output = program.run(&[command, "./"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(text(&output.stderr).matches("not a regular file").count(), 1, "{}", text(&output.stderr));
    }
}
