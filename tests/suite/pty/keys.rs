//! Promise "nothing blocks": a key is drawn at once.

use std::time::{Duration, Instant};

use super::WIDE;
use super::session::Session;

#[test]
fn every_key_is_drawn_at_once_and_not_with_the_next_second() {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::start(&["demo", "--speed", "20"], home.path(), WIDE);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    let mut typed = String::new();
    let mut times: Vec<Duration> = Vec::new();
    for c in ('a'..='z').chain('A'..='Z') {
        typed.push(c);
        let begun = Instant::now();
        session.send(&c.to_string());
        session.wait_for(&typed);
        times.push(begun.elapsed());
    }
    // A lost wake-up leaves a key until the next clock: some hundred milliseconds for one key in ten. A machine that
    // is busy with other things may hold up a key by itself, so it is the number of late ones that decides.
    let late = times.iter().filter(|time| **time > Duration::from_millis(100)).count();
    assert!(late < 2, "{late} late keys of {}: {times:?}", times.len());
    session.leave_answer();
    session.send("q");
    session.wait_for_end();
}
