//! The demo, from its start through every answer to the run's success.

use super::WIDE;
use super::session::Session;

/// Goes to the next waiting call, opens it, checks that it is the one that is meant, and writes its answer.
fn write_answer(session: &mut Session, tool: &str, text: &str) {
    session.send("w");
    session.wait_for("▸");
    session.send("\r");
    session.wait_for("Ctrl-S");
    session.wait_for(tool);
    session.send(text);
}

/// Reviews, waits until the review takes keys, and sends.
fn review_and_send(session: &mut Session) {
    session.send("\x13");
    session.wait_for("Enter sends 1 result");
    session.send("\r");
}

fn play(size: (u16, u16)) {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::start(&["demo", "--speed", "8"], home.path(), size);
    session.wait_for("Waiting for you 2");

    // Two calls of one step: a draft each, sent in one reviewed submission.
    write_answer(&mut session, "read_error_rate", r#"{"error_rate_percent": 4.2}"#);
    session.wait_for("valid JSON");
    session.leave_answer();
    write_answer(&mut session, "count_complaints", r#"{"complaints": 17"#);
    session.wait_for("not JSON");
    session.send("}");
    session.wait_for("valid JSON");
    session.send("\x13");
    session.wait_for("Enter sends 1 result");
    session.send("a");
    session.wait_until("both calls in the review", |text| {
        text.contains("read_error_rate") && text.contains("count_complaints") && text.contains("Enter sends 2 results")
    });
    session.send("\r");
    session.wait_for("accepted 2 of 2");

    // A question with options.
    session.wait_for("Waiting for you 1");
    session.open_answer();
    session.send("\x1b[B");
    review_and_send(&mut session);
    session.wait_for("accepted 1 of 1");

    session.wait_for("succeeded");
    session.wait_for("ended");
    session.send("q");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 0, "{output}");
    let summary = output.rsplit("\x1b[?1049l").next().unwrap();
    for words in ["status    succeeded", "waiting   nothing", "unsent    nothing", "return    relay-console demo"] {
        assert!(summary.contains(words), "{words} is not in:\n{summary}");
    }
    assert_eq!(session.modes_left_on(), Vec::<&str>::new());
}

#[test]
fn the_demo_is_played_through_every_answer_to_its_success() {
    play(WIDE);
}

#[test]
fn the_demo_is_played_through_in_the_smallest_window() {
    play((60, 16));
}
