//! What arrives: reads that follow from it, the bell, notices, clocks.

use std::time::Duration;

use jiff::Timestamp;

use super::desk::{Desk, REQUEST, RUN};
use crate::api::error::Class;
use crate::api::tool::PendingTools;
use crate::app::{Action, Effect, Level};
use crate::feed::{FeedItem, FeedUpdate, LinkState};

fn llm_call() -> String {
    format!(r#""type":"node_llm_call","node_id":"a","llm_call":{{"step":1,"request_id":"{REQUEST}"}}"#)
}

fn reads(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| **effect == Effect::ReadRun).count()
}

fn answer_read(desk: &mut Desk) {
    let snapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}","status":"running"}}"#)).unwrap();
    desk.act(Action::RunRead(Ok((Box::new(snapshot), None))));
}

/// The server's list of waiting calls, empty.
fn answer_pending(desk: &mut Desk) {
    let pending = PendingTools { run_id: RUN.parse().unwrap(), pending: Vec::new() };
    desk.act(Action::PendingRead { generation: desk.app.run.pending.generation(), answer: Ok(pending) });
}

#[test]
fn the_snapshot_is_read_after_each_end_of_a_node_and_every_five_seconds_while_calls_come_in() {
    let mut desk = Desk::new();
    answer_read(&mut desk);
    desk.wait(2_000);
    desk.effects.clear();
    desk.event(r#""type":"node_succeeded","node_id":"a""#);
    assert_eq!(reads(&desk.effects), 1);
    answer_read(&mut desk);
    desk.effects.clear();
    for _ in 0..40 {
        desk.event(&llm_call());
        desk.wait(250);
        if reads(&desk.effects) > 0 {
            answer_read(&mut desk);
        }
    }
    assert!((1..=3).contains(&reads(&desk.effects)), "{} in 10 s", reads(&desk.effects));
}

#[test]
fn history_that_is_read_on_connecting_rings_no_bell_and_asks_for_nothing() {
    let mut desk = Desk::new();
    answer_pending(&mut desk);
    desk.link(LinkState::CatchingUp { applied: 0 });
    desk.effects.clear();
    desk.calls(1, &["old"]);
    desk.answered_elsewhere(1, "old");
    desk.calls(2, &["still"]);
    assert_eq!(desk.effects, []);
    desk.link(LinkState::Live);
    assert_eq!(desk.effects.iter().filter(|effect| **effect == Effect::Bell).count(), 1);
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::ReadPending { .. })));
}

#[test]
fn one_bell_a_new_wait_and_none_while_the_window_has_the_focus() {
    let mut desk = Desk::new();
    let bells = |desk: &Desk| desk.effects.iter().filter(|effect| **effect == Effect::Bell).count();
    desk.calls(1, &["c1", "c2"]);
    assert_eq!(bells(&desk), 1);
    desk.link(LinkState::Stale { since: Timestamp::UNIX_EPOCH });
    desk.link(LinkState::Live);
    desk.wait(60_000);
    assert_eq!(bells(&desk), 1, "the same wait rings once");
    desk.act(Action::WindowFocus(true));
    desk.calls(2, &["c3"]);
    assert_eq!(bells(&desk), 1);
    desk.act(Action::WindowFocus(false));
    desk.calls(3, &["c4"]);
    assert_eq!(bells(&desk), 2);
}

#[test]
fn a_pending_tools_answer_that_events_have_overtaken_is_asked_for_again() {
    let mut desk = Desk::new();
    let pending = PendingTools { run_id: RUN.parse().unwrap(), pending: Vec::new() };
    desk.calls(1, &["c1"]);
    let old = desk.app.run.pending.generation() - 1;
    let effects = desk.act(Action::PendingRead { generation: old, answer: Ok(pending.clone()) });
    assert_eq!(desk.app.run.pending.len(), 1);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::ReadPending { .. })), "{effects:?}");
    desk.press('w');
    desk.enter();
    desk.write("typed");
    desk.act(Action::PendingRead { generation: desk.app.run.pending.generation(), answer: Ok(pending) });
    assert!(desk.app.run.pending.is_empty());
    assert_eq!(desk.open_text(), "typed");
    desk.esc();
    let orphans: Vec<_> = desk.app.orphans().map(|answer| answer.text.to_string()).collect();
    assert_eq!(orphans, ["typed"], "a draft whose call is gone stays in the list");
}

#[test]
fn a_list_from_before_a_wait_hides_the_call_for_seconds_only() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    answer_pending(&mut desk);
    assert!(desk.app.run.pending.is_empty());
    let asks = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::ReadPending { .. }));
    assert!(!asks(&desk.wait(1_000)), "a server that lags behind is not pressed");
    assert!(asks(&desk.wait(4_000)));
}

#[test]
fn a_gap_is_said_and_what_it_swallowed_is_asked_for() {
    let mut desk = Desk::new();
    answer_read(&mut desk);
    answer_pending(&mut desk);
    desk.wait(2_000);
    let effects = desk.act(Action::Feed(FeedUpdate::Items(vec![FeedItem::Gap { first: 7, last: 9 }])));
    assert_eq!(desk.app.run.counts.missing, 3);
    assert!(desk.said().contains("7 to 9"), "{}", desk.said());
    assert!(effects.contains(&Effect::ReadRun), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::ReadPending { .. })), "{effects:?}");
}

#[test]
fn ages_are_corrected_by_the_servers_date_and_never_negative() {
    let mut desk = Desk::new();
    let local = desk.app.now.wall;
    let snapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}","status":"running"}}"#)).unwrap();
    let date = local.checked_sub(Duration::from_secs(90)).unwrap();
    desk.act(Action::Feed(FeedUpdate::Snapshot { snapshot: Box::new(snapshot), server_date: Some(date) }));
    let age = desk.app.age(local.checked_sub(Duration::from_secs(100)).unwrap());
    assert!((9..=10).contains(&age.as_secs()), "{age:?}");
    assert_eq!(desk.app.age(local.checked_add(Duration::from_secs(100)).unwrap()), Duration::ZERO);
}

#[test]
fn an_error_stands_until_it_is_left_and_other_notices_go_by_themselves() {
    let mut desk = Desk::new();
    desk.app.notify(Level::Info, "hm");
    desk.wait(11_000);
    assert_eq!(desk.app.current_notice(), None);
    desk.app.notify(Level::Error, "bad");
    desk.wait(60_000);
    assert_eq!(desk.app.current_notice().map(|notice| notice.text.as_str()), Some("bad"));
    desk.esc();
    assert_eq!(desk.app.current_notice(), None);
}

#[test]
fn when_the_link_is_refused_r_reads_the_credentials_again() {
    let mut desk = Desk::new();
    desk.link(LinkState::Refused { cause: "401".into(), class: Class::Unauthorized });
    assert!(desk.said().contains("401") && desk.said().contains('r'));
    assert!(desk.press('r').contains(&Effect::Reconnect));
}

#[test]
fn after_a_suspension_the_link_is_probed() {
    let mut desk = Desk::new();
    assert!(desk.act(Action::Resumed).contains(&Effect::ProbeLink));
}

#[test]
fn an_ended_run_needs_no_clock() {
    let mut desk = Desk::new();
    assert!(desk.app.next_tick().is_some());
    desk.event(r#""type":"run_canceled","plan_hash":"aa","error":{"message":"by hand"}"#);
    desk.link(LinkState::Ended);
    answer_read(&mut desk);
    desk.wait(2_000);
    answer_read(&mut desk);
    desk.wait(20_000);
    assert_eq!(desk.app.next_tick(), None);
}

#[test]
fn a_snapshot_that_a_wait_has_overtaken_does_not_deny_it() {
    let mut desk = Desk::new();
    answer_read(&mut desk);
    desk.wait(2_000);
    assert_eq!(reads(&desk.event(r#""type":"node_succeeded","node_id":"b""#)), 1);
    desk.calls(1, &["c1"]);
    let snapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}","status":"running"}}"#)).unwrap();
    desk.act(Action::RunRead(Ok((Box::new(snapshot), None))));
    assert_eq!(desk.app.run.status().unwrap().as_str(), "waiting");
}

#[test]
fn what_still_seems_to_wait_when_a_run_ends_without_its_last_event_is_asked_for() {
    let mut desk = Desk::new();
    answer_pending(&mut desk);
    desk.calls(1, &["c1"]);
    desk.wait(2_000);
    desk.link(LinkState::Connecting);
    desk.effects.clear();
    desk.link(LinkState::Ended);
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::ReadPending { .. })), "{:?}", desk.effects);
}

#[test]
fn what_could_not_be_read_is_read_again_after_a_while_and_is_said_once() {
    let mut desk = Desk::new();
    desk.wait(2_000);
    desk.effects.clear();
    for _ in 0..3 {
        desk.act(Action::RunRead(Err("503".into())));
        desk.act(Action::PendingRead { generation: 0, answer: Err("503".into()) });
        desk.wait(1_000);
        desk.wait(4_500);
    }
    assert_eq!(reads(&desk.effects), 3);
    assert_eq!(desk.effects.iter().filter(|effect| matches!(effect, Effect::ReadPending { .. })).count(), 3);
    assert_eq!(desk.app.notices.iter().filter(|notice| notice.text.contains("503")).count(), 2);
}

#[test]
fn an_empty_list_of_a_run_that_waits_is_asked_for_again() {
    let mut desk = Desk::new();
    let snapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}","status":"waiting"}}"#)).unwrap();
    desk.act(Action::Feed(FeedUpdate::Snapshot { snapshot: Box::new(snapshot), server_date: None }));
    desk.effects.clear();
    answer_pending(&mut desk);
    desk.wait(5_000);
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::ReadPending { .. })), "{:?}", desk.effects);
}

#[test]
fn a_journal_that_was_another_runs_is_forgotten_and_what_was_typed_is_kept() {
    let mut desk = Desk::new();
    desk.calls(1, &["a"]);
    desk.press('w');
    desk.enter();
    desk.write("mine");
    let (run_id, answers, mode) = (desk.app.run.run_id, desk.app.answers.clone(), desk.app.mode.clone());
    let asked = desk.app.run.pending.generation();
    desk.act(Action::Feed(FeedUpdate::Restarted { why: "another history".into() }));
    assert_eq!((desk.app.run.last_seq, desk.app.run.counts), (0, crate::run::Counts::default()));
    assert_eq!(desk.app.run.run_id, run_id);
    assert!(desk.app.run.nodes.is_empty() && desk.app.run.pending.is_empty());
    assert!(desk.app.run.pending.generation() > asked, "an answer that is on its way is of the other history");
    assert_eq!((&desk.app.answers, &desk.app.mode), (&answers, &mode));
    assert!(desk.app.current_notice().unwrap().text.contains("another history"));
}

#[test]
fn trouble_with_the_journal_is_said_and_changes_nothing_else() {
    let mut desk = Desk::new();
    let run = desk.app.run.clone();
    desk.act(Action::Feed(FeedUpdate::Journal("the journal is not written: full".into())));
    let notice = desk.app.current_notice().unwrap();
    assert_eq!((notice.level, notice.text.as_str()), (Level::Error, "the journal is not written: full"));
    assert_eq!(desk.app.run, run);
}
