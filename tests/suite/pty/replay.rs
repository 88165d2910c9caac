//! The console on a file: what it shows, what it refuses, and that nothing is asked or written.

use super::session::{Session, command};
use crate::program::{Program, text};
use crate::stream_bench::{Bench, RUN, ended, event, started};

const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";

fn waiting(seq: u64) -> String {
    let call = r#"{"tool_call":{"id":"c1","name":"look","arguments":"{}"}}"#;
    event(
        seq,
        &format!(
            r#""node_waiting","node_id":"n","waiting":{{"step":1,"request_id":"{REQUEST}","reason":"tool","pending_tool_calls":[{call}]}}"#
        ),
    )
}

/// A replay of this file in a window.
fn replay(home: &std::path::Path, name: &str, lines: &[String]) -> Session {
    let path = home.join(name);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    Session::spawn(command(&["replay", path.to_str().unwrap()], home, &[]), (120, 36))
}

#[test]
fn a_file_is_shown_as_the_run_stood_at_its_last_event_and_refuses_answers_in_words() {
    let home = tempfile::tempdir().unwrap();
    let begun = event(1, r#""run_started","plan_hash":"aa""#);
    let mut session = replay(home.path(), "events.ndjson", &[begun, started(2), waiting(62)]);
    let screen = session.wait_for("Waiting for you 1");
    let first = screen.lines().next().unwrap();
    for words in ["replay events.ndjson", "waiting", "59 missing"] {
        assert!(first.contains(words), "{words} is not in {first:?}");
    }
    // The run began at second 1 and stands at its second 62: no clock goes on.
    session.wait_for("01:01");
    assert!(!first.contains("live") && !first.contains("end of file"), "{first}");
    session.send("w\r");
    session.wait_for("nothing can be answered here");
    session.send("r");
    session.wait_for("nothing to read again");
    session.send("o");
    let page = session.wait_for("59 events missing for good");
    assert!(page.contains("absent: a file has none"), "{page}");
    session.send("q");
    session.wait_for_no("The event stream");
    session.send("q");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("return    relay-console replay"), "{output}");
    assert!(!output.contains("drafts are not kept"), "{output}");
    let made: Vec<_> = walk(home.path()).into_iter().filter(|path| !path.ends_with("events.ndjson")).collect();
    assert!(made.iter().all(|path| path.contains("/log/")), "only the log is written: {made:?}");
}

fn walk(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] };
    entries.flat_map(below).collect()
}

#[test]
fn an_event_in_full_comes_from_the_file() {
    let home = tempfile::tempdir().unwrap();
    let last = ended(3, "failed").replace(r#""message":"m""#, r#""message":"m","only_in_the_file":true"#);
    let mut session = replay(home.path(), "events", &[started(1), started(2), last]);
    session.wait_for("failed");
    // To the detail pane, to the events tab, and into the newest event.
    session.send("\t\tlll");
    session.wait_for("run_failed");
    session.send("\r");
    session.wait_for("only_in_the_file");
    session.send("q");
    session.wait_for_no("only_in_the_file");
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0, "how the run ended is not how the replay did");
}

#[test]
fn a_file_is_gone_through_backwards_and_back_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let mut lines = vec![event(1, r#""run_started","plan_hash":"aa""#), started(2)];
    let delta = r#""node_output_delta","node_id":"n","delta":{"kind":"message_delta","text_delta":"#;
    lines.extend((3..=40).map(|seq| event(seq, &format!(r#"{delta}"piece {seq} "}}"#))));
    lines.push(ended(41, "completed"));
    let mut session = replay(home.path(), "events", &lines);
    session.wait_for("seq 41");
    session.send("[[[");
    let screen = session.wait_for("event 38 of 41");
    assert!(screen.contains("node_output_delta n") && !screen.contains("piece 39"), "{screen}");
    assert!(screen.lines().next().unwrap().contains("seq 41"), "the first line stays live: {screen}");
    session.send("{");
    let screen = session.wait_for("event 2 of 41");
    assert!(screen.contains("node_started n") && !screen.contains("piece"), "{screen}");
    session.send("]");
    session.wait_for("event 3 of 41");
    session.wait_for("piece 3");
    session.send("L");
    session.wait_for_no("event 3 of 41");
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0);
}

#[test]
fn what_events_has_printed_of_a_whole_run_is_replayed() {
    let bench = Bench::simulated("failing");
    assert_eq!(bench.run("events", &[]).code, Some(1));
    let printed = bench.run("events", &["--no-wait"]).lines();
    let home = tempfile::tempdir().unwrap();
    let mut session = replay(home.path(), "printed", &printed);
    session.wait_for("✗ failed");
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0);
}

#[test]
fn what_is_no_file_of_events_is_refused_before_the_terminal_is_entered() {
    let home = tempfile::tempdir().unwrap();
    let mut session = replay(home.path(), "notes", &["not events".into()]);
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 2);
    assert!(output.contains("holds no events of a run") && !output.contains("\x1b["), "{output:?}");
    let program = Program::new();
    for (word, phrase) in [("nothing", "cannot read nothing"), (".", "not a regular file"), (RUN, "cannot read")] {
        let refused = program.run(&["replay", word]);
        assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(2), String::new()));
        assert!(text(&refused.stderr).contains(phrase), "{}", text(&refused.stderr));
    }
}
