//! Promise "the terminal is always given back": every way of ending, and around a stop.

use std::io::Read;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::WIDE;
use super::session::{self, Session};

fn demo(home: &std::path::Path) -> Session {
    let session = Session::start(&["demo"], home, WIDE);
    session.wait_for("live");
    session
}

pub(super) fn is_given_back(session: &Session, after: &str) {
    assert_eq!(session.modes_left_on(), Vec::<&str>::new(), "after {after}");
    assert!(session.echoes(), "raw mode is left on after {after}");
    let bytes = session.bytes();
    let count = |code: &[u8]| bytes.windows(code.len()).filter(|window| *window == code).count();
    for (on, off) in
        [(&b"\x1b[>1u"[..], &b"\x1b[<1u"[..]), (b"\x1b[?1004h", b"\x1b[?1004l"), (b"\x1b[?2026h", b"\x1b[?2026l")]
    {
        assert!(count(on) <= count(off), "{} is left on after {after}", String::from_utf8_lossy(on));
    }
}

#[test]
fn the_terminal_is_given_back_on_quit() {
    for key in ["q", "\x03"] {
        let home = tempfile::tempdir().unwrap();
        let mut session = demo(home.path());
        session.send(key);
        let (code, output) = session.wait_for_end();
        assert_eq!(code, 0, "{output}");
        is_given_back(&session, "quit");
        assert!(output.contains("return    relay-console demo"), "{output}");
    }
}

#[test]
fn the_terminal_is_given_back_on_every_signal_and_the_exit_code_names_it() {
    for (signal, expected) in [("INT", 130), ("QUIT", 131), ("TERM", 143), ("HUP", 129)] {
        let home = tempfile::tempdir().unwrap();
        let mut session = demo(home.path());
        session.signal(signal);
        let (code, output) = session.wait_for_end();
        assert_eq!(code, expected, "after SIG{signal}: {output}");
        is_given_back(&session, signal);
    }
}

#[test]
fn a_stop_gives_the_terminal_back_and_going_on_takes_it_again() {
    for key in [Some("\x1a"), None] {
        let home = tempfile::tempdir().unwrap();
        let mut session = demo(home.path());
        match key {
            Some(key) => session.send(key),
            None => session.signal("TSTP"),
        }
        session.wait_until_screen("the shell's screen", |screen| !screen.alternate_screen());
        session.wait_until_stopped();
        is_given_back(&session, "a stop");
        session.signal("CONT");
        session.wait_until_screen("the console's screen", vt100::Screen::alternate_screen);
        session.wait_for("relay-console");
        session.wait_for("live");
        session.send("q");
        assert_eq!(session.wait_for_end().0, 0);
        is_given_back(&session, "quit");
    }
}

/// The processor time in seconds that a shell's children took, as its `times` tells it on the second line.
fn processor_time(told: &str) -> f64 {
    let seconds = |text: &str| {
        let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    told.lines().nth(1).unwrap().split(' ').map(seconds).sum()
}

/// The console in a shell that outlives the terminal and writes down what the console took.
fn ends_when_the_terminal_goes(mut command: CommandBuilder, home: &std::path::Path) {
    let mut words = vec![
        "sh".into(),
        "-c".into(),
        "trap : HUP; \"$0\" \"$@\"; code=$?; times > \"$HOME/times\"; exit $code".into(),
    ];
    words.append(command.get_argv_mut());
    *command.get_argv_mut() = words;
    let pair = native_pty_system().openpty(PtySize { rows: 36, cols: 120, ..PtySize::default() }).unwrap();
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("live") {
        let mut buffer = [0; 4096];
        let count = reader.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended by itself");
        seen.extend_from_slice(&buffer[..count]);
    }
    // The last end of the terminal that is not the program's: as when a connection breaks.
    drop((reader, pair.master));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it still runs without a terminal");
        }
        std::thread::yield_now();
    };
    let took = begun.elapsed();
    assert_eq!(status.exit_code(), 129);
    let busy = processor_time(&std::fs::read_to_string(home.join("times")).unwrap());
    // What it took before the terminal went is in it as well.
    assert!(took < Duration::from_secs(3) && busy < 2.0, "{took:?}, {busy} s of a processor");
}

#[test]
fn a_terminal_that_is_gone_ends_the_program_at_once_with_the_code_of_a_hang_up() {
    let home = tempfile::tempdir().unwrap();
    ends_when_the_terminal_goes(session::command(&["demo"], home.path(), &[]), home.path());
}

#[test]
fn a_terminal_that_is_gone_ends_the_program_also_where_no_signal_says_so() {
    let home = tempfile::tempdir().unwrap();
    let mut command = session::command(&["demo"], home.path(), &[]);
    // The pseudo-terminal controls no session then, and its end sends no SIGHUP.
    command.set_controlling_tty(false);
    ends_when_the_terminal_goes(command, home.path());
}

#[test]
fn every_size_is_drawn_and_a_window_that_is_too_small_still_takes_q() {
    let home = tempfile::tempdir().unwrap();
    let mut session = demo(home.path());
    for (columns, rows) in [(80, 24), (60, 16), (200, 60), (100, 30)] {
        session.resize(columns, rows);
        session.wait_until("the nodes", |text| text.contains("Nodes"));
    }
    session.resize(30, 8);
    session.wait_for("too small");
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0);
}

#[test]
fn without_a_terminal_it_says_so_and_writes_no_escape() {
    let home = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_relay-console"))
        .arg("demo")
        .env_clear()
        .env("HOME", home.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("terminal") && !said.contains('\x1b'), "{said}");
}

#[test]
fn an_external_editor_gets_the_whole_terminal_and_its_text_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let editor = "sh -c 'echo editing; read line; printf \"%s\" \"$line\" > \"$1\"' --";
    let environment = [("EDITOR", editor)];
    let mut session = Session::start_with(&["demo", "--speed", "10"], home.path(), WIDE, &environment);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.send("\x18e");
    session.wait_for("editing");
    assert!(!session.in_alternate_screen());
    session.send("[1, 2]\r");
    session.wait_until_screen("the console's screen", vt100::Screen::alternate_screen);
    session.wait_for("[1, 2]");
    session.wait_for("valid JSON");
    session.leave_answer();
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0);
}

#[test]
fn a_signal_ends_the_program_also_while_an_external_editor_hangs() {
    let home = tempfile::tempdir().unwrap();
    let environment = [("EDITOR", "sh -c 'echo editing; read line' --")];
    let mut session = Session::start_with(&["demo", "--speed", "10"], home.path(), WIDE, &environment);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.send("\x18e");
    session.wait_for("editing");
    session.signal("TERM");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 143, "{output}");
    is_given_back(&session, "SIGTERM while editing");
}

#[test]
fn a_stop_from_outside_that_left_the_screen_to_others_ends_in_a_whole_screen() {
    let home = tempfile::tempdir().unwrap();
    let mut session = demo(home.path());
    session.wait_for("Nodes");
    session.signal("STOP");
    session.wait_until_stopped();
    // As a shell does that gets its terminal back.
    session.scribble("\x1b[2J\x1b[Hsomebody else's words");
    session.wait_for_no("Nodes");
    session.signal("CONT");
    session.wait_for("Nodes");
    session.wait_for_no("somebody else");
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0);
    is_given_back(&session, "quit");
}

#[test]
fn a_demo_without_any_place_on_disk_is_followed_all_the_same_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::start_with(&["demo"], home.path(), WIDE, &[("TMPDIR", "/dev/null/nowhere")]);
    session.wait_for("drafts are not kept on disk");
    session.wait_for("live");
    session.send("q");
    assert_eq!(session.wait_for_end().0, 0);
}
