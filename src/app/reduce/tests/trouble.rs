//! What goes wrong around an operator: links that fail, windows that shrink, disks that refuse.

use std::time::Duration;

use super::desk::{Desk, REQUEST};
use crossterm::event::KeyCode;

use crate::api::error::Class;
use crate::app::{Action, Effect, Level, Measured, Mode, Pane};
use crate::feed::LinkState;
use crate::store::Draft;
use crate::submission::CallVerdict;

fn retrying() -> LinkState {
    LinkState::Retrying {
        at: "2026-11-22T10:00:30Z".parse().unwrap(),
        wait: Duration::from_secs(30),
        cause: "connection refused".into(),
        class: Some(Class::Unavailable),
    }
}

/// Whether the next tick lies in the future, so that the loop can sleep.
fn rests(desk: &Desk) -> bool {
    desk.app.next_tick().is_none_or(|at| at > desk.app.now.uptime)
}

#[test]
fn a_read_that_waits_for_the_link_does_not_turn_the_loop() {
    for link in [retrying(), LinkState::Connecting, LinkState::CatchingUp { applied: 1 }] {
        let mut desk = Desk::new();
        desk.act(Action::RunRead(Err("the link broke".into())));
        desk.link(link.clone());
        desk.press('r');
        assert!(rests(&desk), "after r, {link:?}");
        desk.event(r#""type":"node_succeeded","node_id":"a""#);
        desk.wait(5_000);
        assert!(rests(&desk), "after an end of a node, {link:?}");
    }
}

#[test]
fn a_window_that_is_too_small_takes_only_q_and_hides_no_key_in_a_text() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("half");
    desk.act(Action::Resize(30, 8));
    desk.write("unseen");
    desk.act(Action::Paste("unseen".into()));
    desk.esc();
    assert_eq!(desk.open_text(), "half");
    let effects = desk.press('q');
    assert!(matches!(effects.as_slice(), [Effect::SaveDraft(_), Effect::Quit]), "{effects:?}");
}

#[test]
fn a_review_that_cannot_be_seen_sends_nothing_and_starts_anew_when_it_can() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("1");
    desk.ctrl('s');
    desk.wait(400);
    desk.act(Action::Resize(30, 8));
    desk.act(Action::Drawn(Measured::default()));
    desk.wait(1_000);
    desk.enter();
    desk.act(Action::Resize(120, 36));
    desk.enter();
    assert!(desk.submitted().is_empty());
    assert!(matches!(desk.app.mode, Mode::Review(_)), "{:?}", desk.app.mode);
    desk.wait(400);
    desk.enter();
    assert_eq!(desk.submitted().len(), 1);
}

#[test]
fn esc_leaves_an_error_also_in_the_first_seconds_and_the_error_stays_one_among_the_notices() {
    let mut desk = Desk::new();
    desk.app.notify(Level::Error, "the disk is full");
    desk.esc();
    assert_eq!(desk.app.current_notice(), None);
    assert_eq!(desk.app.notices.back().map(|notice| notice.level), Some(Level::Error));
}

#[test]
fn an_error_that_a_newer_notice_covers_comes_back_when_that_one_has_gone() {
    let mut desk = Desk::new();
    desk.app.notify(Level::Error, "the disk is full");
    desk.app.notify(Level::Info, "1 draft restored");
    let shown = |desk: &Desk| desk.app.current_notice().map(|notice| notice.text.clone());
    assert_eq!(shown(&desk).as_deref(), Some("1 draft restored"));
    desk.wait(10_000);
    assert_eq!(shown(&desk).as_deref(), Some("the disk is full"));
}

#[test]
fn the_filter_shows_what_it_narrows_also_where_panes_are_stacked() {
    let mut desk = Desk::new();
    desk.act(Action::Resize(80, 24));
    desk.key(KeyCode::Tab);
    assert_eq!(desk.app.focus, Pane::Cost);
    desk.press('/');
    assert_eq!(desk.app.focus, Pane::Nodes);
}

#[test]
fn a_stop_asked_for_in_the_palette_saves_drafts_first_as_the_key_does() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("half");
    desk.app.mode = Mode::Browse;
    desk.press(':');
    desk.write("suspend");
    let effects = desk.enter();
    assert!(matches!(effects.as_slice(), [Effect::SaveDraft(_), Effect::Suspend]), "{effects:?}");
}

/// A draft of the first waiting call as another console left it.
fn theirs(desk: &Desk, text: &str) -> Draft {
    let (key, saved_at) = (desk.first_call(), desk.app.now.wall);
    Draft { key, tool: "look".into(), text: text.into(), is_error: false, saved_at }
}

fn take_over(desk: &mut Desk, text: &str) -> Vec<Effect> {
    let drafts = vec![theirs(desk, text)];
    desk.act(Action::DraftsTakenOver { drafts, problems: Vec::new() })
}

#[test]
fn a_console_that_takes_the_drafts_over_saves_at_once_what_the_disk_had_refused() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("mine");
    desk.wait(400);
    let key = desk.first_call();
    desk.act(Action::DraftSaved { key, result: Err("another console has them open".into()) });
    let effects = take_over(&mut desk, "theirs");
    assert!(matches!(effects.as_slice(), [Effect::SaveDraft(draft)] if draft.text == "mine"), "{effects:?}");
    assert_eq!(desk.open_text(), "mine");
    assert!(desk.said().contains("differ from yours"), "{}", desk.said());
}

#[test]
fn drafts_that_were_taken_over_fill_what_is_untouched_here() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    let older = theirs(&desk, "older");
    desk.act(Action::DraftsLoaded { drafts: vec![older], problems: Vec::new() });
    assert_eq!(take_over(&mut desk, "newer"), []);
    desk.press('w');
    desk.enter();
    assert_eq!(desk.open_text(), "newer");
}

#[test]
fn a_disk_that_refuses_is_asked_again_after_two_seconds_not_all_the_time() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("x");
    let mut asked = 0;
    for _ in 0..100 {
        let effects = desk.wait(99);
        for effect in effects {
            if let Effect::SaveDraft(draft) = effect {
                asked += 1;
                desk.act(Action::DraftSaved { key: draft.key, result: Err("no space left".into()) });
            }
        }
    }
    assert!((4..=6).contains(&asked), "{asked} times in 10 s");
}

/// A review that has stood long enough is open: it has to start anew, and then sends `sent`.
fn starts_anew_and_sends(desk: &mut Desk, sent: &[&str]) {
    desk.enter();
    assert_eq!(desk.submitted(), [], "what is shown has changed: it must stand for a while again");
    assert!(matches!(desk.app.mode, Mode::Review(_)), "{:?}", desk.app.mode);
    assert!(desk.app.notices.iter().any(|notice| notice.text.contains("read it again")), "{:?}", desk.app.notices);
    desk.wait(400);
    desk.enter();
    let intent = desk.submitted().pop().expect("a submission");
    let outputs: Vec<_> = intent.request.results.iter().map(|result| result.output.as_str()).collect();
    assert_eq!(outputs, sent);
}

#[test]
fn a_review_of_several_calls_starts_anew_when_the_other_console_has_left_another_text_for_one() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1", "c2"]);
    let older = theirs(&desk, "older");
    desk.act(Action::DraftsLoaded { drafts: vec![older], problems: Vec::new() });
    desk.press('w');
    desk.press('w');
    desk.enter();
    desk.write("mine");
    desk.ctrl('s');
    desk.wait(400);
    desk.press('a');
    desk.wait(400);
    take_over(&mut desk, "newer");
    starts_anew_and_sends(&mut desk, &["newer", "mine"]);
}

#[test]
fn a_review_starts_anew_when_its_call_turns_out_to_be_a_question() {
    let mut desk = Desk::new();
    desk.calls(9, &["q"]);
    desk.press('w');
    desk.enter();
    desk.write("yes");
    desk.ctrl('s');
    desk.wait(400);
    desk.question("q", &["yes", "no"], true);
    starts_anew_and_sends(&mut desk, &[r#"{"answer":"yes","is_freeform":false}"#]);
}

#[test]
fn a_review_stays_armed_when_what_arrives_changes_nothing_of_what_it_shows() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("mine");
    desk.ctrl('s');
    desk.wait(400);
    desk.calls(2, &["c2"]);
    take_over(&mut desk, "theirs");
    desk.enter();
    assert_eq!(desk.submitted().len(), 1);
}

fn file_read(desk: &mut Desk, text: &str) {
    let (key, path) = (desk.first_call(), "answer.json".into());
    desk.act(Action::FileRead { key, path, result: Ok(text.to_owned()) });
}

#[test]
fn a_file_is_called_inserted_only_where_it_was() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    file_read(&mut desk, "[1]");
    assert_eq!((desk.open_text().as_str(), desk.said().as_str()), ("[1]", "inserted answer.json, 3 bytes"));
    desk.ctrl('s');
    file_read(&mut desk, "[2]");
    assert!(desk.said().starts_with("answer.json was not inserted: its answer is in review"), "{}", desk.said());
    desk.esc();
    file_read(&mut desk, &"x".repeat(crate::app::editor::MAX_BYTES));
    assert!(desk.said().contains("nothing was inserted"), "{}", desk.said());
    assert_eq!(desk.open_text(), "[1]");
    desk.esc();
    file_read(&mut desk, "[3]");
    assert_eq!(desk.said(), "answer.json was not inserted: its answer was left");
}

#[test]
fn an_earlier_result_that_is_too_long_to_edit_is_not_said_to_be_there() {
    let mut desk = Desk::new();
    desk.calls(1, &["c0"]);
    let output = "x".repeat(crate::app::editor::MAX_BYTES + 1);
    desk.event(&format!(
        r#""type":"node_tool_result","node_id":"a","tool_result":{{"step":1,"request_id":"{REQUEST}","tool_call":{{"id":"c0","name":"look"}},"output":"{output}"}}"#
    ));
    desk.calls(2, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.ctrl('x');
    desk.press('r');
    assert!(desk.said().contains("nothing was inserted"), "{}", desk.said());
}

#[test]
fn a_verdict_is_told_in_the_words_of_the_command_line_and_what_another_sent_is_cut() {
    let long = "x".repeat(200);
    let refused = CallVerdict::Refused { why: "400".into() };
    let unknown = CallVerdict::Unknown { why: "no network".into() };
    for (verdict, told) in [
        (refused.clone(), refused.to_string()),
        (unknown.clone(), format!("{unknown}; r looks again")),
        (
            CallVerdict::Superseded { output: String::new(), error: Some(long.clone()) },
            format!("another answer was taken first, an error: {}", &long[..80]),
        ),
        (
            CallVerdict::Superseded { output: long.clone(), error: None },
            format!("another answer was taken first: {}", &long[..80]),
        ),
    ] {
        let mut desk = Desk::new();
        desk.calls(1, &["c1"]);
        let intent = desk.answer("mine");
        desk.verdict(&intent, &verdict);
        assert_eq!(desk.said(), format!("accepted 0 of 1; the run is running; {told}. Your text is kept"));
    }
}
