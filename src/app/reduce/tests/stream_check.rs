//! The stream's verdict: when a snapshot is held against the run, and what is noted as odd.

use super::desk::{Desk, RUN};
use crate::app::{Action, Effect, Mode, PageContent};
use crate::feed::{FeedItem, FeedUpdate, LinkState};
use crate::run::{Agreement, Odd};

fn read(desk: &mut Desk, status: &str) {
    let snapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}","status":"{status}"}}"#)).unwrap();
    desk.act(Action::RunRead(Ok((Box::new(snapshot), None))));
}

/// The verdict in one word, and the seq that it is of.
fn verdict(desk: &Desk) -> Option<(&'static str, u64)> {
    desk.app.stream_check.compared.as_ref().map(|compared| (compared.agreement.word(), compared.seq))
}

/// A console on a run of two events whose first snapshot has not come.
fn desk() -> Desk {
    let mut desk = Desk::new();
    // It was asked for before those events came.
    read(&mut desk, "paused");
    desk.app.stream_check.compared = None;
    desk.wait(2_000);
    desk
}

#[test]
fn a_snapshot_that_fits_is_a_verdict_at_once_and_stays_that_of_its_moment() {
    let mut desk = desk();
    read(&mut desk, "running");
    assert_eq!(verdict(&desk), Some(("agrees", 2)));
    desk.event(r#""type":"node_started","node_id":"b""#);
    assert_eq!(verdict(&desk), Some(("agrees", 2)), "nothing was compared since");
    assert!(!desk.app.differs());
}

#[test]
fn a_difference_counts_when_it_was_found_three_times_at_the_same_event() {
    let mut desk = desk();
    desk.press('r');
    for look in 1..=3 {
        assert_eq!(verdict(&desk), None, "before look {look}");
        read(&mut desk, "failed");
        desk.effects.clear();
        desk.wait(1_100);
        let asked = desk.effects.contains(&Effect::ReadRun);
        assert_eq!(asked, look < 3, "look {look}: it is read again until the difference counts, and not for ever");
    }
    assert_eq!(verdict(&desk), Some(("differs", 2)));
    assert!(desk.app.differs());
    let Some(Agreement::Differs(differences)) =
        desk.app.stream_check.compared.clone().map(|compared| compared.agreement)
    else {
        panic!()
    };
    assert_eq!(differences.kept[0].to_string(), "status: running by the events, failed by the snapshot");
    desk.event(r#""type":"node_started","node_id":"b""#);
    assert!(!desk.app.differs(), "that was at another event");
}

#[test]
fn a_snapshot_that_is_ahead_of_events_on_their_way_accuses_nobody() {
    let mut desk = desk();
    desk.press('r');
    read(&mut desk, "failed");
    desk.wait(1_100);
    // Now the event is here that the snapshot knew already.
    desk.event(r#""type":"run_failed","plan_hash":"aa","error":{"message":"m"}"#);
    read(&mut desk, "failed");
    assert_eq!(verdict(&desk), Some(("agrees", 3)));
}

#[test]
fn a_snapshot_from_before_the_last_event_is_no_evidence_and_one_that_fits_all_the_same_is() {
    let mut desk = desk();
    for _ in 0..5 {
        desk.press('r');
        desk.event(r#""type":"node_started","node_id":"b""#);
        read(&mut desk, "waiting");
    }
    assert_eq!(verdict(&desk), None);
    desk.press('r');
    desk.event(r#""type":"node_started","node_id":"b""#);
    read(&mut desk, "running");
    assert_eq!(verdict(&desk), Some(("agrees", 8)));
}

#[test]
fn a_run_that_is_read_from_its_beginning_has_proved_nothing_yet() {
    let mut desk = desk();
    read(&mut desk, "running");
    desk.act(Action::Feed(FeedUpdate::Items(vec![FeedItem::Duplicates(1)])));
    desk.act(Action::Feed(FeedUpdate::Restarted { why: "another history".into() }));
    assert_eq!(desk.app.stream_check, crate::app::StreamCheck::default());
}

#[test]
fn nothing_is_compared_while_history_is_read() {
    let mut desk = desk();
    desk.link(LinkState::CatchingUp { applied: 0 });
    let snapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}","status":"running"}}"#)).unwrap();
    desk.act(Action::Feed(FeedUpdate::Snapshot { snapshot: Box::new(snapshot), server_date: None }));
    assert_eq!(verdict(&desk), None);
}

#[test]
fn what_is_odd_is_noted_with_its_place_and_o_opens_the_list() {
    let mut desk = desk();
    desk.event(r#""type":"run_dreams","dream":1"#);
    let (seq, at) = (None, std::time::Duration::from_millis(300));
    let rejected = crate::api::event::decode(b"nonsense").unwrap_err();
    assert_eq!(rejected.seq, seq);
    let items = vec![FeedItem::Duplicates(2), FeedItem::Rejected(rejected), FeedItem::Gap { first: 4, last: 6 }];
    desk.act(Action::Feed(FeedUpdate::Items(items)));
    let (cause, class) = ("cut".to_owned(), None);
    let until = desk.app.now.wall;
    desk.link(LinkState::Retrying { at: until, wait: at, cause, class });
    let noted: Vec<(u64, Odd)> =
        desk.app.stream_check.odd.entries().map(|entry| (entry.behind, entry.what.clone())).collect();
    assert_eq!(noted.len(), 5, "{noted:?}");
    assert_eq!(noted[0], (2, Odd::Unknown { seq: 3, type_name: "run_dreams".into() }));
    assert_eq!(noted[1], (3, Odd::Duplicates { count: 2, until: 3 }));
    assert!(matches!(&noted[2], (3, Odd::Rejected { line, .. }) if line == "nonsense"));
    assert_eq!(noted[3], (3, Odd::Gap { first: 4, last: 6 }));
    assert_eq!(noted[4], (6, Odd::reconnect("cut")));
    assert_eq!(desk.app.stream_check.odd.reconnects(), 1);
    desk.press('o');
    assert!(matches!(&desk.app.mode, Mode::Page(page) if page.content == PageContent::Stream));
    desk.esc();
    assert_eq!(desk.app.mode, Mode::Browse);
}

#[test]
fn a_replay_asks_for_nothing_opens_no_answer_and_its_clock_stands_still() {
    let mut desk = Desk::new();
    desk.calls(1, &["c1"]);
    desk.app.replay = true;
    desk.effects.clear();
    desk.link(LinkState::EndOfFile);
    let then = desk.app.server_now();
    desk.wait(60_000);
    desk.press('r');
    desk.press('w');
    desk.enter();
    assert_eq!(desk.app.mode, Mode::Browse);
    assert!(desk.said().contains("nothing can be answered here"), "{}", desk.said());
    desk.link(LinkState::Ended);
    desk.wait(60_000);
    assert_eq!(desk.effects, Vec::new());
    assert_eq!((desk.app.server_now(), desk.app.answers.len()), (then, 0));
    desk.wait(60_000);
    assert_eq!(desk.app.next_tick(), None, "nothing moves any more");
}
