//! Answering: nothing is sent by accident, nothing typed is lost.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;

use super::desk::Desk;
use crate::api::error::Class;
use crate::app::{Action, App, Check, Effect, Mode, Pane, Side};
use crate::feed::{FeedUpdate, LinkState};
use crate::store::Draft;
use crate::submission::{CallVerdict, Progress};

#[test]
fn w_enter_text_ctrl_s_enter_answers_a_call_and_a_question() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    let intent = desk.answer("{\"x\": 1.0}");
    assert_eq!(intent.request.results[0].output, "{\"x\": 1.0}");
    assert_eq!(intent.request.results[0].tool_call.id.as_str(), "c1");
    assert_eq!(intent.after_seq, desk.app.run.last_seq);
    desk.answered_elsewhere(1, "c1");
    desk.verdict(&intent, &CallVerdict::Accepted);
    assert!(desk.app.answers.is_empty());
    desk.question("q", &["yes", "no"], true);
    let intent = desk.answer("later, perhaps");
    assert_eq!(intent.request.results[0].output, r#"{"answer":"later, perhaps","is_freeform":true}"#);
}

#[test]
fn a_review_swallows_every_key_but_esc_for_400_milliseconds_after_it_was_drawn() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("x");
    desk.ctrl('s');
    desk.wait(300);
    desk.enter();
    assert!(desk.submitted().is_empty());
    let Mode::Review(review) = &desk.app.mode else { panic!("the review must stay: {:?}", desk.app.mode) };
    assert!(review.swallowed, "and it must be seen that a key was swallowed");
    desk.esc();
    assert_eq!(desk.open_text(), "x");
    desk.ctrl('s');
    desk.wait(400);
    desk.enter();
    assert_eq!(desk.submitted().len(), 1);
}

#[test]
fn a_review_that_was_never_drawn_sends_nothing() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("x");
    let moment = |app: &App, ms| crate::app::Moment { uptime: app.now.uptime + Duration::from_millis(ms), ..app.now };
    let (ctrl_s, enter) =
        (KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL), KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
    let now = moment(&desk.app, 1);
    let mut effects = crate::app::reduce(&mut desk.app, now, Action::Key(ctrl_s));
    let later = moment(&desk.app, 5_000);
    effects.extend(crate::app::reduce(&mut desk.app, later, Action::Key(enter)));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Submit(_))), "{effects:?}");
}

#[test]
fn any_other_key_in_the_review_returns_to_the_text_and_is_not_typed() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("x");
    for key in [KeyCode::Char('z'), KeyCode::Tab, KeyCode::Char(' ')] {
        desk.ctrl('s');
        desk.wait(500);
        desk.key(key);
        assert!(matches!(desk.app.mode, Mode::Answering(_)));
        assert_eq!(desk.open_text(), "x");
    }
    assert!(desk.submitted().is_empty());
}

#[test]
fn pressing_enter_again_after_sending_sends_nothing_more() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.answer("x");
    for _ in 0..5 {
        desk.enter();
        desk.ctrl('s');
        desk.wait(500);
        desk.enter();
    }
    assert_eq!(desk.submitted().len(), 1);
    assert!(desk.said().contains("on its way"), "{}", desk.said());
}

#[test]
fn a_new_waiting_call_a_reconnect_and_a_resize_change_nothing_of_what_is_typed() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("half a sen");
    desk.key(KeyCode::Left);
    let before = desk.app.mode.clone();
    desk.calls(2, &["c2", "c3"]);
    desk.link(LinkState::Retrying {
        at: desk.app.now.wall,
        wait: Duration::from_secs(1),
        cause: "connection reset".into(),
        class: Some(Class::Unavailable),
    });
    desk.link(LinkState::Live);
    desk.act(Action::Resize(80, 24));
    desk.act(Action::Resize(60, 16));
    assert_eq!(desk.app.mode, before);
    assert_eq!(desk.app.waiting.as_ref().unwrap().call_id.as_str(), "c1");
}

#[test]
fn esc_leaves_and_the_text_is_there_again() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("kept");
    let effects = desk.esc();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::SaveDraft(draft) if draft.text == "kept")));
    assert_eq!(desk.app.mode, Mode::Browse);
    desk.enter();
    assert_eq!(desk.open_text(), "kept");
    assert!(desk.submitted().is_empty());
}

#[test]
fn what_is_typed_is_on_its_way_to_disk_within_half_a_second_also_while_typing_goes_on() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.effects.clear();
    for _ in 0..12 {
        desk.press('x');
        desk.uptime += Duration::from_millis(50);
    }
    let saved = desk.effects.iter().filter(|effect| matches!(effect, Effect::SaveDraft(_))).count();
    assert_eq!(saved, 1, "once while typing went on for 600 ms");
    assert!(desk.app.next_tick().unwrap() <= desk.app.now.uptime + Duration::from_millis(500));
}

#[test]
fn an_answer_is_kept_when_the_server_refuses_it_and_when_nothing_is_known() {
    for verdict in [
        CallVerdict::Refused { why: "400".into() },
        CallVerdict::Unknown { why: "no network".into() },
        CallVerdict::StillPending { why: "503".into() },
        CallVerdict::Superseded { output: "theirs".into(), error: None },
    ] {
        let mut desk = Desk::new();
        desk.calls(1, &["c1"]);
        let intent = desk.answer("mine");
        let effects = desk.verdict(&intent, &verdict);
        let key = desk.first_call();
        assert_eq!(&*desk.app.answers[&key].text, "mine", "{verdict:?}");
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::EndDraft { .. })));
        assert!(desk.said().contains("accepted 0 of 1"), "{}", desk.said());
        desk.enter();
        assert_eq!(desk.open_text(), "mine");
    }
}

#[test]
fn the_servers_verdict_is_told_in_words() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    let intent = desk.answer("mine");
    assert!(!desk.said().contains("accepted"), "nothing is said before the answer was read");
    desk.act(Action::SubmissionProgress {
        request_id: intent.request_id,
        progress: Progress::Verifying { cause: "timed out".into() },
    });
    assert!(desk.said().contains("finding out"), "{}", desk.said());
    desk.verdict(&intent, &CallVerdict::Accepted);
    assert_eq!(desk.said(), "accepted 1 of 1; the run is running");
}

#[test]
fn several_calls_of_a_step_have_a_draft_each_and_go_together_in_one_submission() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1", "c2", "c3"]);
    desk.calls(2, &["other"]);
    for text in ["one", "two"] {
        desk.press('w');
        desk.enter();
        desk.write(text);
        desk.esc();
    }
    desk.enter();
    assert_eq!(desk.open_text(), "two");
    desk.ctrl('s');
    desk.wait(500);
    desk.press('a');
    desk.enter();
    assert!(desk.submitted().is_empty(), "what is shown has changed: it must stand for a while again");
    desk.wait(500);
    desk.enter();
    let intent = desk.submitted().pop().unwrap();
    let sent: Vec<_> =
        intent.request.results.iter().map(|r| (r.tool_call.id.as_str().to_owned(), r.output.clone())).collect();
    assert_eq!(sent, [("c1".into(), "one".into()), ("c2".into(), "two".into())]);
}

#[test]
fn a_call_that_is_answered_elsewhere_during_the_review_is_not_sent() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("mine");
    desk.ctrl('s');
    desk.answered_elsewhere(1, "c1");
    desk.wait(500);
    desk.enter();
    assert!(desk.submitted().is_empty());
    assert!(desk.open_text().starts_with("mine"));
    desk.ctrl('s');
    assert!(desk.said().contains("no longer waits"), "{}", desk.said());
    desk.esc();
    assert_eq!(desk.app.orphans().count(), 0, "not called gone before the server has said so");
}

#[test]
fn up_and_down_choose_an_option_and_typed_text_is_the_free_answer() {
    let mut desk = Desk::new();
    desk.question("q", &["yes", "no"], false);
    desk.press('w');
    desk.enter();
    desk.key(KeyCode::Down);
    desk.key(KeyCode::Down);
    desk.key(KeyCode::Down);
    assert_eq!(desk.open_text(), "no");
    desk.key(KeyCode::Up);
    assert_eq!(desk.open_text(), "yes");
    desk.write("!");
    desk.key(KeyCode::Down);
    assert_eq!(desk.open_text(), "yes!", "a text of one's own is never replaced");
    let key = desk.first_call();
    let question = desk.app.question(&key).cloned();
    assert_eq!(desk.app.answers[&key].check(question.as_ref()), Check::NotAChoice);
    desk.ctrl('s');
    assert!(desk.said().contains("only one of its options"), "{}", desk.said());
    assert!(matches!(desk.app.mode, Mode::Answering(_)));
}

#[test]
fn an_error_result_is_sent_as_an_error() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.ctrl('x');
    desk.press('t');
    desk.write("no such host");
    desk.ctrl('s');
    desk.wait(500);
    desk.enter();
    let result = desk.submitted().pop().unwrap().request.results.remove(0);
    assert_eq!((result.output.as_str(), result.error.as_deref()), ("", Some("no such host")));
}

#[test]
fn an_empty_answer_is_not_reviewed() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write(" \n");
    desk.ctrl('s');
    assert!(matches!(desk.app.mode, Mode::Answering(_)));
    assert!(desk.said().contains("nothing to send"), "{}", desk.said());
}

#[test]
fn a_draft_from_disk_is_restored_with_its_time_and_what_is_typed_since_is_newer() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1", "c2"]);
    let key = desk.first_call();
    let draft = |key: &crate::api::tool::CallKey, text: &str| Draft {
        key: key.clone(),
        tool: "look".into(),
        text: text.into(),
        is_error: true,
        saved_at: "2026-11-21T09:00:00Z".parse().unwrap(),
    };
    let other = desk.app.run.pending.at(1).unwrap().key.clone();
    desk.press('w');
    desk.enter();
    desk.write("newer");
    desk.esc();
    let effects = desk.act(Action::DraftsLoaded {
        drafts: vec![draft(&key, "older"), draft(&other, "from disk")],
        problems: vec!["drafts/x.json is damaged".into()],
    });
    assert_eq!(&*desk.app.answers[&key].text, "newer");
    assert!(effects.contains(&Effect::ArchiveDraft(draft(&key, "older"))), "its file is overwritten: {effects:?}");
    let restored = &desk.app.answers[&other];
    assert!(restored.restored && restored.is_error && &*restored.text == "from disk");
    assert!(desk.said().contains("damaged"));
}

#[test]
fn a_draft_from_disk_fills_an_answer_that_was_opened_before_and_is_still_empty() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    let key = desk.first_call();
    desk.press('w');
    desk.enter();
    let saved_at = "2026-11-21T09:00:00Z".parse().unwrap();
    let draft = Draft { key: key.clone(), tool: "look".into(), text: "on disk".into(), is_error: false, saved_at };
    desk.act(Action::DraftsLoaded { drafts: vec![draft], problems: vec![] });
    desk.write("!");
    assert_eq!(&*desk.app.answers[&key].text, "on disk!");
}

#[test]
fn a_draft_that_the_disk_does_not_take_is_said_once_and_tried_again() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("x");
    let key = desk.first_call();
    for _ in 0..3 {
        let effects = desk.wait(2_000);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::SaveDraft(_))));
        desk.act(Action::DraftSaved { key: key.clone(), result: Err("disk full".into()) });
    }
    let said = desk.app.notices.iter().filter(|notice| notice.text.contains("disk full")).count();
    assert_eq!(said, 1);
    assert_eq!(desk.app.answers[&key].save_failure.as_deref(), Some("disk full"));
}

#[test]
fn quitting_saves_first_and_asks_nothing() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("x");
    let effects = desk.act(Action::Quit);
    assert!(matches!(effects.as_slice(), [Effect::SaveDraft(_), Effect::Quit]), "{effects:?}");
}

#[test]
fn a_paste_goes_into_the_text_and_never_sends() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.act(Action::Paste("q\r\rq".into()));
    assert_eq!(desk.app.mode, Mode::Browse);
    desk.press('w');
    desk.enter();
    desk.act(Action::Paste("a\rb\r\n".into()));
    assert_eq!(desk.open_text(), "a\nb\n");
    desk.ctrl('s');
    desk.act(Action::Paste("\r\r".into()));
    desk.wait(500);
    assert!(matches!(&desk.app.mode, Mode::Review(review) if review.swallowed));
    assert!(desk.submitted().is_empty());
}

#[test]
fn earlier_results_of_the_same_tool_can_be_put_in_and_taken_back() {
    let mut desk = Desk::new();
    desk.calls(1, &["c0"]);
    desk.answered_elsewhere(1, "c0");
    desk.calls(2, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("mine");
    desk.ctrl('x');
    desk.press('r');
    assert_eq!(desk.open_text(), "theirs");
    desk.ctrl('x');
    assert_eq!(desk.app.answering().unwrap().side, Side::Prefix);
    desk.esc();
    assert_eq!(desk.app.answering().unwrap().side, Side::Editor, "Esc leaves the prefix, not the answer");
}

#[test]
fn w_goes_round_the_waiting_calls_and_opens_nothing() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1", "c2"]);
    let at = |desk: &Desk| desk.app.waiting.as_ref().map(|key| key.call_id.as_str().to_owned());
    assert_eq!(at(&desk), None, "a new call is not selected by itself");
    for expected in ["c1", "c2", "c1"] {
        desk.press('w');
        assert_eq!(at(&desk).as_deref(), Some(expected));
    }
    assert_eq!((desk.app.focus, &desk.app.mode), (Pane::Waiting, &Mode::Browse));
}

/// One thing that happens in a random session.
#[derive(Debug, Clone)]
enum Happening {
    Type(char),
    Key(KeyCode),
    Ctrl(char),
    Paste(String),
    Wait(u64),
    Call(u64),
    Answered(u64),
    Link,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => any::<char>().prop_map(Happening::Type),
        4 => proptest::sample::select(vec!['w', 'q', 'y', 'a', '{', '}', '1']).prop_map(Happening::Type),
        3 => proptest::sample::select(vec![KeyCode::Esc, KeyCode::Tab, KeyCode::Up, KeyCode::Down, KeyCode::Backspace])
            .prop_map(Happening::Key),
        4 => Just(Happening::Key(KeyCode::Enter)),
        3 => proptest::sample::select(vec!['s', 'x', 'c', 'a', 'k', '7']).prop_map(Happening::Ctrl),
        1 => ".{0,9}".prop_map(Happening::Paste),
        3 => (0_u64..390).prop_map(Happening::Wait),
        3 => (0_u64..6).prop_map(Happening::Call),
        1 => (0_u64..6).prop_map(Happening::Answered),
        1 => Just(Happening::Link),
    ]
}

fn happen(desk: &mut Desk, happening: &Happening) {
    match happening {
        Happening::Type(c) => drop(desk.press(*c)),
        Happening::Key(code) => drop(desk.key(*code)),
        Happening::Ctrl(c) => drop(desk.ctrl(*c)),
        Happening::Paste(text) => drop(desk.act(Action::Paste(text.clone()))),
        Happening::Wait(ms) => drop(desk.wait(*ms)),
        Happening::Call(n) => drop(desk.calls(*n, &[&format!("c{n}"), &format!("d{n}")])),
        Happening::Answered(n) => desk.answered_elsewhere(*n, &format!("c{n}")),
        Happening::Link => {
            desk.act(Action::Feed(FeedUpdate::Link(LinkState::Connecting)));
            desk.link(LinkState::Live);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_typing_while_calls_arrive_never_sends_without_a_review_that_stood_and_enter(
        session in proptest::collection::vec(happening(), 0..80),
    ) {
        let mut desk = Desk::new();
        desk.calls(0, &["c0", "d0"]);
        for happening in &session {
            let (sent, typed) = (desk.submitted().len(), desk.app.answering().map(|a| (a.key.clone(), a.editor.text())));
            let standing = match &desk.app.mode {
                Mode::Review(review) => review.drawn_at.is_some_and(|at| desk.uptime >= at + crate::app::REVIEW_GUARD),
                _ => false,
            };
            happen(&mut desk, happening);
            if desk.submitted().len() > sent {
                prop_assert!(standing, "sent by {happening:?}");
                prop_assert!(matches!(happening, Happening::Key(KeyCode::Enter)));
                let intent = desk.submitted().pop().unwrap();
                let (_, text) = typed.clone().unwrap();
                prop_assert!(intent.request.results.iter().any(|result| result.output == text || result.error.as_ref() == Some(&text)));
            }
            let from_outside = matches!(happening, Happening::Call(_) | Happening::Link | Happening::Wait(_));
            if let (true, Some((key, text))) = (from_outside, typed) {
                let open = desk.app.answering();
                prop_assert_eq!(open.map(|a| (a.key.clone(), a.editor.text())), Some((key, text)));
            }
        }
    }

    #[test]
    fn typing_faster_than_a_review_can_be_read_never_sends(
        session in proptest::collection::vec(happening().prop_filter("no rest", |h| !matches!(h, Happening::Wait(_))), 0..120),
    ) {
        let mut desk = Desk::new();
        desk.calls(0, &["c0", "d0"]);
        for happening in &session {
            happen(&mut desk, happening);
        }
        prop_assert!(desk.uptime < Duration::from_millis(400));
        prop_assert_eq!(desk.submitted(), Vec::new());
    }
}
