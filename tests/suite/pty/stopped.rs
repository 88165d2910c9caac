//! Promises "nothing blocks" and "the terminal is always given back": a terminal that has stopped taking what is written.

use std::path::Path;
use std::time::{Duration, Instant};

use super::WIDE;
use super::endings::is_given_back;
use super::session::Session;
use super::simulate::Simulate;

/// More whole frames than any terminal buffers, and the time from one to the next: keys that come together are drawn once.
const FRAMES: u32 = 60;
const APART: Duration = Duration::from_millis(10);

/// A console whose terminal has stopped in the middle of frames.
fn stopped(simulate: &Simulate, home: &Path) -> Session {
    let mut session = Session::start_with(&[simulate.run_of("incident")], home, WIDE, &simulate.environment());
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.set_stopped(true);
    for _ in 0..FRAMES {
        session.send("\x0c");
        std::thread::sleep(APART);
    }
    session
}

fn draft(home: &Path, words: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    let find = || {
        let found =
            std::process::Command::new("grep").args(["-rlF", words]).arg(home.join(".local/state")).output().unwrap();
        !found.stdout.is_empty()
    };
    while !find() {
        assert!(Instant::now() < end, "{words} never came to the disk");
    }
}

#[test]
fn what_is_typed_into_a_terminal_that_has_stopped_comes_to_the_disk_and_onto_the_screen_when_it_goes_on() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut session = stopped(&simulate, home.path());
    session.send("typed blindly");
    draft(home.path(), "typed blindly");
    session.set_stopped(false);
    session.wait_for("typed blindly");
    session.leave_answer();
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0);
    is_given_back(&session, "quit");
}

#[test]
fn a_terminal_that_has_stopped_keeps_neither_a_signal_nor_a_key_from_ending_the_program() {
    for (how, expected) in [(Some("TERM"), 143), (Some("HUP"), 129), (None, 0)] {
        let simulate = Simulate::start("20");
        let home = tempfile::tempdir().unwrap();
        let mut session = stopped(&simulate, home.path());
        session.send("typed blindly");
        draft(home.path(), "typed blindly");
        match how {
            Some(signal) => session.signal(signal),
            // Leaves the answer, then the console; a lone Esc acts by itself.
            None => session.send("\x03\x03"),
        }
        let begun = Instant::now();
        while session.is_running() {
            assert!(begun.elapsed() < Duration::from_secs(10), "{how:?}: it waits for the terminal");
        }
        session.set_stopped(false);
        assert_eq!(session.wait_for_end().0, expected, "{how:?}");
        is_given_back(&session, "a stopped terminal");
    }
}
