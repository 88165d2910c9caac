//! What ended processes have left under way, and drafts whose call is over.

use super::desk::{self, Desk};
use crate::api::tool::CallKey;
use crate::app::{Action, Answer, Effect, Fate, Mode, PageContent};
use crate::feed::{FeedUpdate, LinkState};
use crate::store::{Draft, Ending};
use crate::submission::{CallVerdict, Intent, Left, LookedUp, PastCall, Progress, Sender, Verdict};

fn left(intent: &Intent) -> Left {
    let decided_at = "2026-11-22T10:02:00Z".parse().unwrap();
    Left { intent: intent.clone(), by: Sender::Console, decided_at, sends: 1 }
}

fn ended(intent: &Intent, call: &CallVerdict) -> Action {
    let verdict = Verdict { sends: 0, ..desk::ended(intent, std::iter::repeat(call.clone())) };
    Action::LookedUp(LookedUp::Ended(left(intent), verdict))
}

fn draft(key: &CallKey, text: &str) -> Draft {
    let saved_at = "2026-11-22T09:59:00Z".parse().unwrap();
    Draft { key: key.clone(), tool: "look".into(), text: text.into(), is_error: false, saved_at }
}

/// A desk that was started again after it had sent `text` to its only call; and what was sent.
fn after_a_crash(text: &str) -> (Desk, Intent) {
    let mut before = Desk::new();
    before.calls(1, &["c1"]);
    let intent = before.answer(text);
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    (desk, intent)
}

fn load(desk: &mut Desk, drafts: Vec<Draft>) -> Vec<Effect> {
    desk.act(Action::DraftsLoaded { drafts, problems: vec![] })
}

fn ends(effects: &[Effect]) -> Vec<Ending> {
    let ends = effects.iter().filter_map(|effect| match effect {
        Effect::EndDraft { ending, .. } => Some(*ending),
        _ => None,
    });
    ends.collect()
}

#[test]
fn what_was_under_way_is_looked_up_also_where_the_run_is_read_from_its_beginning_before_the_link_is_live() {
    let mut desk = Desk::new();
    desk.link(LinkState::CatchingUp { applied: 0 });
    load(&mut desk, vec![]);
    desk.act(Action::Feed(FeedUpdate::Restarted { why: "another history".into() }));
    assert!(!desk.effects.contains(&Effect::LookUpIntents), "nobody can be asked yet");
    desk.link(LinkState::Live);
    assert!(desk.effects.contains(&Effect::LookUpIntents));
}

#[test]
fn what_was_under_way_is_looked_up_once_the_drafts_are_read_and_again_with_r() {
    let mut desk = Desk::new();
    let looks = |desk: &Desk| desk.effects.iter().filter(|effect| **effect == Effect::LookUpIntents).count();
    assert_eq!(looks(&desk), 0, "what is on disk is not known yet");
    load(&mut desk, vec![]);
    assert_eq!(looks(&desk), 1);
    desk.press('r');
    assert_eq!(looks(&desk), 1, "it is under way");
    desk.act(Action::LookUpDone);
    assert_eq!(looks(&desk), 2);
    desk.act(Action::LookUpDone);
    assert_eq!(looks(&desk), 2);
}

#[test]
fn without_a_link_what_was_under_way_stands_as_unknown_and_is_looked_up_as_soon_as_there_is_one() {
    let (mut desk, intent) = after_a_crash("mine");
    let key = desk.first_call();
    desk.link(LinkState::Connecting);
    assert!(load(&mut desk, vec![draft(&key, "mine")]).contains(&Effect::FindLeft));
    desk.act(Action::LeftFound(vec![left(&intent)]));
    let verdict = desk.app.answers[&key].verdict.clone();
    assert!(matches!(&verdict, Some(CallVerdict::Unknown { why }) if why.contains("no link")), "{verdict:?}");
    desk.link(LinkState::Live);
    assert!(desk.effects.contains(&Effect::LookUpIntents));
    assert_eq!(desk.effects.iter().filter(|effect| **effect == Effect::FindLeft).count(), 1);
    desk.act(Action::LookedUp(LookedUp::Begun(left(&intent))));
    desk.act(ended(&intent, &CallVerdict::StillPending { why: "it did not arrive".into() }));
    assert!(matches!(desk.app.answers[&key].verdict, Some(CallVerdict::StillPending { .. })));
    // What the disk said comes late.
    desk.act(Action::LeftFound(vec![left(&intent)]));
    assert!(matches!(desk.app.answers[&key].verdict, Some(CallVerdict::StillPending { .. })));
}

#[test]
fn an_answer_that_was_taken_before_the_crash_goes_to_the_history_and_is_told() {
    let (mut desk, intent) = after_a_crash("mine");
    let key = desk.first_call();
    load(&mut desk, vec![draft(&key, "mine")]);
    desk.act(Action::LookedUp(LookedUp::Begun(left(&intent))));
    let sending = desk.app.answers[&key].sending.clone().unwrap();
    assert!(matches!(sending.progress, Progress::Verifying { .. }));
    desk.press('w');
    desk.enter();
    assert!(desk.app.answering().is_none(), "nothing is sent to it meanwhile");
    let effects = desk.act(ended(&intent, &CallVerdict::Accepted));
    assert_eq!(ends(&effects), [Ending::Accepted]);
    assert!(desk.said().contains("10:02") && desk.said().ends_with("was accepted"), "{}", desk.said());
    assert!(desk.app.answers.is_empty() && desk.submitted().is_empty());
}

#[test]
fn what_did_not_arrive_is_in_its_draft_and_sending_it_is_a_new_decision() {
    let (mut desk, intent) = after_a_crash("mine");
    load(&mut desk, vec![]);
    desk.act(Action::LookedUp(LookedUp::Begun(left(&intent))));
    let key = desk.first_call();
    assert_eq!(&*desk.app.answers[&key].text, "mine", "no draft held it: it is taken from what was sent");
    desk.act(ended(&intent, &CallVerdict::StillPending { why: "it did not arrive".into() }));
    assert!(desk.said().contains(" UTC, did not arrive; safe to send again"), "{}", desk.said());
    assert!(desk.submitted().is_empty());
    desk.press('w');
    desk.enter();
    desk.ctrl('s');
    desk.wait(400);
    desk.enter();
    assert_eq!(desk.submitted().pop().unwrap().request, intent.request);
}

#[test]
fn a_newer_text_than_the_one_that_was_taken_stays() {
    let (mut desk, intent) = after_a_crash("mine");
    let key = desk.first_call();
    load(&mut desk, vec![draft(&key, "newer")]);
    desk.act(Action::LookedUp(LookedUp::Begun(left(&intent))));
    let effects = desk.act(ended(&intent, &CallVerdict::Accepted));
    assert_eq!(ends(&effects), []);
    assert_eq!(&*desk.app.answers[&key].text, "newer");
    assert!(
        matches!(&desk.app.answers[&key].verdict, Some(CallVerdict::Superseded { output, .. }) if output == "mine")
    );
}

#[test]
fn a_text_that_is_open_is_not_taken_from_under_the_operators_hands() {
    let (mut desk, intent) = after_a_crash("mine");
    let key = desk.first_call();
    load(&mut desk, vec![draft(&key, "mine")]);
    desk.press('w');
    desk.enter();
    desk.act(Action::LookedUp(LookedUp::Begun(left(&intent))));
    desk.act(ended(&intent, &CallVerdict::Accepted));
    assert_eq!(desk.open_text(), "mine");
    desk.press('!');
    assert_eq!(&*desk.app.answers[&key].text, "mine!");
}

#[test]
fn an_outcome_that_is_unknown_says_the_key_that_looks_again() {
    let (mut desk, intent) = after_a_crash("mine");
    load(&mut desk, vec![]);
    desk.act(Action::LookedUp(LookedUp::Begun(left(&intent))));
    desk.act(ended(&intent, &CallVerdict::Unknown { why: "503".into() }));
    desk.act(Action::LookUpDone);
    assert!(desk.said().contains("503; r looks again"), "{}", desk.said());
    assert!(desk.press('r').contains(&Effect::LookUpIntents));
}

#[test]
fn a_send_that_cannot_be_written_down_is_said_in_the_review_which_is_then_read_anew() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("x");
    assert!(desk.ctrl('s').contains(&Effect::TryRecord));
    desk.wait(390);
    desk.act(Action::RecordTried(Err("disk full".into())));
    desk.wait(20);
    desk.enter();
    assert!(desk.submitted().is_empty(), "what is new in it was on screen for 20 ms");
    desk.wait(400);
    desk.enter();
    let intent = desk.submitted().pop().unwrap();
    let progress = Progress::Unrecorded { why: "disk full".into() };
    desk.act(Action::SubmissionProgress { request_id: intent.request_id, progress });
    assert!(desk.said().contains("cannot be recorded on disk: disk full"), "{}", desk.said());
}

#[test]
fn a_partly_accepted_submission_is_told_call_by_call() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1", "c2", "c3"]);
    for text in ["one", "two", "three"] {
        desk.press('w');
        desk.enter();
        desk.write(text);
        desk.esc();
    }
    desk.enter();
    desk.ctrl('s');
    desk.wait(500);
    desk.press('a');
    desk.wait(500);
    desk.enter();
    let intent = desk.submitted().pop().unwrap();
    let outcomes = [
        CallVerdict::Accepted,
        CallVerdict::Superseded { output: "theirs".into(), error: None },
        CallVerdict::StillPending { why: "the server accepted 1 of 3 results".into() },
    ];
    let verdict = desk::ended(&intent, outcomes);
    let effects = desk.act(Action::SubmissionEnded { request_id: intent.request_id, verdict });
    assert_eq!(ends(&effects), [Ending::Accepted]);
    for words in ["accepted 1 of 3", "c2: another answer was taken first: theirs", "c3: not taken, still waiting"] {
        assert!(desk.said().contains(words), "{words:?} is not in {}", desk.said());
    }
    assert_eq!(desk.app.answers.len(), 2);
}

/// A desk whose call was answered elsewhere with "theirs" while a draft for it holds `text`.
fn orphaned(text: &str) -> (Desk, Vec<Effect>) {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write(text);
    desk.esc();
    desk.answered_elsewhere(1, "c1");
    let generation = desk.app.run.pending.generation();
    let answer = serde_json::from_str(&format!(r#"{{"run_id":"{}"}}"#, super::desk::RUN)).unwrap();
    let effects = desk.act(Action::PendingRead { generation, answer: Ok(answer) });
    (desk, effects)
}

#[test]
fn a_draft_that_was_answered_elsewhere_shows_both_texts_and_leaves_by_the_operators_key_only() {
    let (mut desk, effects) = orphaned("mine");
    assert_eq!(ends(&effects), []);
    desk.press('w');
    desk.enter();
    let Mode::Page(page) = &desk.app.mode else { panic!("{:?}", desk.app.mode) };
    let PageContent::Orphan { key } = page.content.clone() else { panic!("{page:?}") };
    assert!(matches!(&desk.app.answers[&key].fate, Fate::Answered { output, .. } if output == "theirs"));
    assert_eq!(desk.press('y'), [Effect::Copy("mine".into())]);
    desk.esc();
    assert_eq!(&*desk.app.answers[&key].text, "mine");
    let effects = desk.press('x');
    assert_eq!(ends(&effects), [Ending::Superseded]);
    assert!(desk.app.answers.is_empty());
}

#[test]
fn a_draft_that_says_what_the_server_took_goes_to_the_history_by_itself() {
    let (desk, effects) = orphaned("theirs");
    assert_eq!(ends(&effects), [Ending::Accepted]);
    assert!(desk.app.answers.is_empty() && desk.said().contains("is in the history now"), "{}", desk.said());
}

#[test]
fn a_draft_whose_call_still_waits_is_not_put_away() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.write("mine");
    desk.esc();
    let effects = desk.press('x');
    assert_eq!(ends(&effects), []);
    assert_eq!(desk.app.answers.len(), 1);
}

#[test]
fn what_the_model_does_not_remember_is_looked_for_in_the_events_once() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    let key = desk.first_call();
    let other = key.step.call(&crate::api::ids::CallId::parse("of-long-ago").unwrap());
    load(&mut desk, vec![draft(&other, "mine")]);
    let generation = desk.app.run.pending.generation();
    let pending = format!(
        r#"{{"run_id":"{}","pending":[{{"node_id":"a","step":1,"request_id":"{}","tool_calls":[{{"tool_call":{{"id":"c1","name":"look","arguments":"1"}}}}]}}]}}"#,
        super::desk::RUN,
        super::desk::REQUEST
    );
    let effects = desk.act(Action::PendingRead { generation, answer: Ok(serde_json::from_str(&pending).unwrap()) });
    assert!(effects.contains(&Effect::FindCalls { keys: vec![other.clone()] }), "{effects:?}");
    assert!(!desk.wait(1_000).iter().any(|effect| matches!(effect, Effect::FindCalls { .. })));
    desk.act(Action::CallsFound { keys: vec![other.clone()], result: Err("503".into()) });
    assert_eq!(desk.app.answers[&other].fate, Fate::Unreadable("503".into()));
    desk.press('w');
    desk.press('w');
    desk.enter();
    assert!(desk.press('r').contains(&Effect::FindCalls { keys: vec![other.clone()] }));
    desk.act(Action::CallsFound { keys: vec![other.clone()], result: Ok(vec![PastCall::Unknown]) });
    assert_eq!(desk.app.answers[&other].fate, Fate::Unanswered);
    assert_eq!(ends(&desk.press('x')), [Ending::Withdrawn]);
}

#[test]
fn what_an_external_editor_wrote_for_an_answer_that_is_not_open_goes_into_its_draft() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    let key = desk.first_call();
    desk.act(Action::ExternalEditorClosed { key: key.clone(), result: Ok("edited".into()) });
    assert_eq!(desk.app.answers.get(&key).map(|answer| answer.text.to_string()).as_deref(), Some("edited"));
    let effects = desk.wait(500);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::SaveDraft(draft) if draft.text == "edited")));
}

#[test]
fn a_questions_answer_is_told_by_its_words_not_by_how_its_json_is_spelled() {
    let mut desk = Desk::new();
    desk.question("q", &["yes"], true);
    let key = desk.first_call();
    let tool = desk.app.run.pending.at(0).unwrap().call.name.clone();
    let answer = Answer { text: " later\n".into(), ..Answer::new(key, tool) };
    assert!(answer.says(r#"{ "is_freeform":true, "answer":"later"}"#, None));
    assert!(!answer.says(r#"{"answer":"never","is_freeform":true}"#, None));
    assert!(!answer.says("", Some(" later\n")));
}
