//! Going to earlier events and back.

use super::desk::Desk;
use crate::app::{Action, Effect, PastRequest, Selection, Wish};
use crate::run::Run;
use crate::run::history::Entry;

/// A desk whose run has a thousand events, with a call that waits at the end.
fn desk() -> Desk {
    let mut desk = Desk::new();
    for at in 3..1_000 {
        desk.event(&delta(at));
    }
    desk.calls(1, &["c1"]);
    desk.effects.clear();
    desk
}

fn delta(at: u64) -> String {
    format!(r#""type":"node_output_delta","node_id":"a","delta":{{"kind":"message_delta","text_delta":"{at} "}}"#)
}

fn asked(effects: &[Effect]) -> Option<PastRequest> {
    effects.iter().find_map(|effect| match effect {
        Effect::LoadPast(request) => Some((**request).clone()),
        _ => None,
    })
}

/// The model as a fold of the events in memory.
fn model(desk: &Desk, seq: u64) -> Box<Run> {
    let mut run = Run::new(desk.app.run.run_id);
    for entry in desk.app.run.history.entries() {
        run.take_up_to(seq, entry.clone());
    }
    Box::new(run)
}

/// Answers a request as the disk does, at this event.
fn answer(desk: &mut Desk, request: &PastRequest, seq: u64) -> Vec<Effect> {
    let result = Ok(Some(model(desk, seq)));
    desk.act(Action::PastLoaded { number: request.number, result })
}

fn shown(desk: &Desk) -> u64 {
    desk.app.shown_run().last_seq
}

/// Goes back to this event.
fn at(seq: u64) -> Desk {
    let mut desk = desk();
    let request = asked(&desk.press('[')).unwrap();
    answer(&mut desk, &request, seq);
    assert_eq!(shown(&desk), seq);
    desk
}

#[test]
fn a_step_back_shows_the_run_as_it_stood_and_the_run_itself_goes_on() {
    let mut desk = desk();
    let request = asked(&desk.press('[')).expect("it is made outside");
    assert_eq!((request.from, request.wish, request.through), (1_000, Wish::Events(-1), 1_000));
    assert_eq!(shown(&desk), 1_000, "until it is there the panes are live");
    answer(&mut desk, &request, 999);
    assert_eq!((shown(&desk), desk.app.run.last_seq), (999, 1_000));
    assert!(desk.app.shown_run().pending.is_empty() && desk.app.has_waiting_rows(), "what waits is never of the past");
    desk.event(&delta(1_001));
    assert_eq!((shown(&desk), desk.app.run.last_seq), (999, 1_001));
    desk.press('L');
    assert_eq!((shown(&desk), desk.app.past.is_none()), (1_001, true));
}

#[test]
fn keys_that_come_while_a_model_is_made_add_up_to_one_wish() {
    let mut desk = desk();
    let first = asked(&desk.press('[')).unwrap();
    for _ in 0..30 {
        assert_eq!(asked(&desk.press('[')), None, "one at a time");
    }
    let second = asked(&answer(&mut desk, &first, 999)).expect("the newest wish");
    assert_eq!((second.from, second.wish), (999, Wish::Events(-30)));
    desk.press('[');
    desk.press('{');
    let third = asked(&answer(&mut desk, &second, 969)).unwrap();
    assert_eq!((third.from, third.wish), (969, Wish::Milestones(-1)), "another kind takes the place");
}

#[test]
fn an_answer_that_nobody_waits_for_is_dropped() {
    let mut desk = desk();
    let first = asked(&desk.press('[')).unwrap();
    assert!(desk.press('L').contains(&Effect::StopPast));
    answer(&mut desk, &first, 999);
    assert_eq!(desk.app.past, None);
    let second = asked(&desk.press('[')).unwrap();
    answer(&mut desk, &first, 500);
    assert_eq!(shown(&desk), 1_000);
    answer(&mut desk, &second, 999);
    assert_eq!(shown(&desk), 999);
}

#[test]
fn a_step_forth_that_memory_has_is_made_at_once_and_is_the_fold() {
    let mut desk = at(500);
    assert_eq!(asked(&desk.press(']')), None);
    let mut expected = *model(&desk, 501);
    expected = expected.placed_as(&desk.app.run);
    assert_eq!(*desk.app.shown_run(), expected);
    assert!(
        matches!(desk.app.shown_run().history.entries().next_back(), Some(Entry::Event(event)) if event.seq == 501)
    );
}

#[test]
fn forth_to_the_newest_event_is_live_and_there_is_nothing_behind_it() {
    let mut desk = at(999);
    desk.press(']');
    assert_eq!((desk.app.past.is_none(), shown(&desk)), (true, 1_000));
    desk.press(']');
    assert!(desk.said().contains("this is the newest event"), "{}", desk.said());
    assert_eq!(asked(&desk.press('}')), None);
}

#[test]
fn nothing_is_before_the_first_event() {
    let mut desk = at(1);
    assert_eq!((asked(&desk.press('[')), asked(&desk.press('{'))), (None, None));
    assert!(desk.said().contains("the first event"), "{}", desk.said());
    assert_eq!(shown(&desk), 1);
}

#[test]
fn what_cannot_be_shown_is_said_and_the_panes_stay_where_they_are() {
    let mut desk = desk();
    let request = asked(&desk.press('[')).unwrap();
    desk.press('[');
    let why = Err("no journal is kept".to_owned());
    assert_eq!(asked(&desk.act(Action::PastLoaded { number: request.number, result: why })), None);
    assert!(desk.said().contains("no journal is kept"), "{}", desk.said());
    assert_eq!(desk.app.past, None);
    let mut desk = at(700);
    let request = asked(&desk.press('{')).unwrap();
    desk.act(Action::PastLoaded { number: request.number, result: Ok(None) });
    assert!(desk.said().contains("no milestone before"), "{}", desk.said());
    assert_eq!(shown(&desk), 700);
}

#[test]
fn nothing_is_answered_from_the_past() {
    let mut desk = at(700);
    desk.press('w');
    assert_eq!(desk.app.past, None, "going to a call goes back to live first");
    let request = asked(&desk.press('[')).unwrap();
    answer(&mut desk, &request, 700);
    assert_eq!((shown(&desk), desk.app.focus), (700, crate::app::Pane::Waiting));
    desk.enter();
    assert!(desk.app.past.is_none() && desk.app.answering().is_some(), "and so does opening one");
}

#[test]
fn what_is_selected_stays_on_the_way_and_following_shows_the_node_of_the_event() {
    let mut desk = desk();
    desk.app.selection = Selection::Node("a".parse().unwrap());
    let request = asked(&desk.press('[')).unwrap();
    answer(&mut desk, &request, 999);
    desk.press('L');
    assert_eq!(desk.app.selection, Selection::Node("a".parse().unwrap()));
    desk.press('L');
    assert_eq!(desk.app.selection, Selection::Follow, "live already: it follows again");
    let request = asked(&desk.press('[')).unwrap();
    answer(&mut desk, &request, 1);
    assert_eq!(desk.app.selected_node(), None, "no node had begun");
    desk.press(']');
    assert_eq!(desk.app.selected_node().map(|node| node.id.as_str()), Some("a"));
}

#[test]
fn a_text_of_before_is_read_up_to_the_event_that_is_shown() {
    let mut desk = desk();
    desk.app.selection = Selection::Node("a".parse().unwrap());
    let request = asked(&desk.press('[')).unwrap();
    let mut run = model(&desk, 600);
    run.nodes[0].text.dropped += 10;
    let effects = desk.act(Action::PastLoaded { number: request.number, result: Ok(Some(run)) });
    let text = effects.iter().find_map(|effect| match effect {
        Effect::LoadText(request) => Some(request.through),
        _ => None,
    });
    assert_eq!(text, Some(600));
    let before = desk.app.loaded.clone();
    assert!(before.is_some());
    desk.event(&delta(1_001));
    assert_eq!(desk.app.loaded, before, "what comes now is not of then");
}

#[test]
fn a_run_that_is_read_anew_is_shown_as_it_stands() {
    let mut desk = at(700);
    let request = asked(&desk.press('[')).unwrap();
    desk.act(Action::Feed(crate::feed::FeedUpdate::Restarted { why: "another history".into() }));
    assert_eq!(desk.app.past, None);
    answer(&mut desk, &request, 699);
    assert_eq!((desk.app.past.is_none(), shown(&desk)), (true, 0));
}

#[test]
fn the_entries_in_memory_go_along_only_where_the_disk_may_lack_them() {
    let mut desk = desk();
    for at in 1_001..=3_000 {
        desk.event(&delta(at));
    }
    let near = asked(&desk.press('[')).unwrap();
    assert_eq!(near.recent.first().and_then(Entry::seq), Some(near.recent_from));
    assert!(near.recent_from > 500);
    let mut early = Run::new(desk.app.run.run_id);
    early.skip(1, 500);
    desk.act(Action::PastLoaded { number: near.number, result: Ok(Some(Box::new(early))) });
    let far = asked(&desk.press('[')).unwrap();
    assert_eq!((far.from, far.recent.len(), far.recent_from), (500, 0, near.recent_from));
}

#[test]
fn of_a_file_nothing_in_memory_goes_along() {
    let mut desk = desk();
    desk.app.replay = true;
    assert_eq!(asked(&desk.press('{')).unwrap().recent, []);
}
