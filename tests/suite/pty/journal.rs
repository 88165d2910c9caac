//! The journal through the real program: a run stands on screen before, and without, the network.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::WIDE;
use super::session::Session;
use super::simulate::Simulate;

fn follow(simulate: &Simulate, home: &Path, more: &[&str]) -> Session {
    let arguments = [&[simulate.run_of("incident")], more].concat();
    Session::start_with(&arguments, home, WIDE, &simulate.environment())
}

/// The files of this name below a directory.
fn find(dir: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(find(&path, name));
        } else if path.file_name().is_some_and(|file| file == name) {
            found.push(path);
        }
    }
    found
}

fn journal(home: &Path) -> String {
    let found = find(home, "events.ndjson");
    assert_eq!(found.len(), 1, "{found:?}");
    std::fs::read_to_string(&found[0]).unwrap()
}

/// The seqs of a journal's lines.
fn seqs(journal: &str) -> Vec<u64> {
    let seq = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap();
    journal.lines().map(seq).collect()
}

/// Every event that the server has of the run, as it sends them to a console.
fn on_the_server(simulate: &Simulate, home: &Path) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_relay-console"));
    command.args(["events", simulate.run_of("incident"), "--raw", "--no-wait", "--include-output"]);
    let output = command.env("HOME", home).envs(simulate.environment()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn until_journal_is(home: &Path, whole: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while journal(home) != whole {
        assert!(Instant::now() < end, "{}", journal(home));
        std::thread::yield_now();
    }
}

fn quit(mut session: Session) {
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0);
}

#[test]
fn a_run_that_was_seen_before_stands_on_screen_although_the_server_is_down() {
    let mut simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let session = follow(&simulate, home.path(), &[]);
    session.wait_for("Waiting for you 2");
    quit(session);
    let written = journal(home.path());
    let seqs = seqs(&written);
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<u64>>());
    simulate.terminate();

    let session = follow(&simulate, home.path(), &[]);
    session.wait_until("the run without a link", |text| {
        text.contains("Waiting for you 2") && text.contains("no link") && text.contains("waiting")
    });
    quit(session);
    assert_eq!(journal(home.path()), written, "nothing is written twice");
}

#[test]
fn a_killed_console_leaves_a_journal_that_the_next_one_goes_on_with() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut session = follow(&simulate, home.path(), &[]);
    session.wait_for("Waiting for you 2");
    session.signal("KILL");
    session.wait_for_end();
    let session = follow(&simulate, home.path(), &[]);
    session.wait_until("the run, live", |text| text.contains("Waiting for you 2") && text.contains("live"));
    quit(session);
    let seqs = seqs(&journal(home.path()));
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<u64>>());
}

#[test]
fn with_no_journal_nothing_of_the_events_is_on_disk() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let session = follow(&simulate, home.path(), &["--no-journal"]);
    session.wait_for("Waiting for you 2");
    quit(session);
    assert!(find(home.path(), "events.ndjson").is_empty());
    assert!(find(home.path(), "events.lock").is_empty());
}

#[test]
fn another_console_takes_the_journal_over_when_the_first_is_gone() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut first = follow(&simulate, home.path(), &[]);
    first.wait_for("Waiting for you 2");
    let second = follow(&simulate, home.path(), &[]);
    second.wait_until("the run, live", |text| text.contains("Waiting for you 2") && text.contains("live"));
    let whole = on_the_server(&simulate, home.path());
    until_journal_is(home.path(), &whole);
    // The second hears of nothing until the first has left a part, which it then has to complete without being asked.
    second.signal("STOP");
    first.signal("KILL");
    first.wait_for_end();
    let path = find(home.path(), "events.ndjson").remove(0);
    let part = whole.match_indices('\n').nth(3).unwrap().0 + 10;
    std::fs::File::options().write(true).open(&path).unwrap().set_len(part as u64).unwrap();
    second.signal("CONT");
    until_journal_is(home.path(), &whole);
    quit(second);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_no_more_is_said_and_the_run_is_followed() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    // A file may have 2 KiB; the signal that says so is ignored, so that writing fails as on a full disk.
    let mut command = super::session::command(&[], home.path(), &simulate.environment());
    let script = format!("ulimit -f 2; exec '{}' {}", env!("CARGO_BIN_EXE_relay-console"), simulate.run_of("incident"));
    *command.get_argv_mut() = ["bash", "-c", &script].map(Into::into).to_vec();
    let session = Session::spawn(command, WIDE);
    session.wait_until("a notice and the run", |text| {
        text.contains("the journal is not written any more") && text.contains("Waiting for you 2")
    });
    quit(session);
    let written = journal(home.path());
    assert!(written.is_empty() || written.ends_with('\n'), "{written:?}");
}
