//! Searching all events of the run: what is asked for, what counts, how the matches are looked through.

use crossterm::event::KeyCode;

use super::desk::{Desk, RUN};
use crate::app::event_search::{Found, Match, MatchedLine, Piece};
use crate::app::{Action, Effect, Mode, PageContent, Pane, SearchAnswer, SearchRequest, SearchState, Selection, Tab};
use crate::run::history::Entry;

/// A desk whose keys go to the events of the run, or of node `a`.
fn at_events(of_node: bool) -> Desk {
    let mut desk = Desk::new();
    desk.event(r#""type":"node_started","node_id":"b""#);
    desk.key(KeyCode::Home);
    if of_node {
        desk.press('j');
    }
    desk.enter();
    while desk.app.shown_tab() != Tab::Events {
        desk.press('l');
    }
    desk
}

/// What a key script asks to be searched.
fn search(desk: &mut Desk, text: &str) -> SearchRequest {
    desk.press('/');
    desk.write(text);
    let mut asked = desk.enter().into_iter().filter_map(|effect| match effect {
        Effect::Search(request) => Some(*request),
        _ => None,
    });
    asked.next().expect("a search")
}

fn found(seqs: &[u64]) -> SearchAnswer {
    let mut found = Found::default();
    for seq in seqs {
        let line = MatchedLine::Event {
            ts: "2026-11-22T10:00:00Z".parse().unwrap(),
            event_type: "node_started".into(),
            node_id: None,
        };
        found.push(Match {
            seq: Some(*seq),
            offset: None,
            line,
            piece: Piece { text: format!("pool {seq}"), at: 0..4 },
        });
    }
    SearchAnswer { found, ..SearchAnswer::default() }
}

fn selected(desk: &Desk) -> Option<u64> {
    desk.app.shown_search().and_then(|search| search.selected_match()).and_then(|found| found.seq)
}

#[test]
fn a_slash_among_the_events_searches_all_of_them_and_not_the_nodes() {
    let mut desk = at_events(false);
    let request = search(&mut desk, "pool");
    assert_eq!((request.text.as_str(), request.node_id, request.recent_from), ("pool", None, 1));
    assert_eq!(request.recent.iter().filter_map(Entry::seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((desk.app.filter.as_str(), desk.app.focus, desk.app.mode.clone()), ("", Pane::Detail, Mode::Browse));
    assert_eq!(desk.app.shown_search().unwrap().state, SearchState::Running(0));
    desk.app.focus = Pane::Nodes;
    desk.press('/');
    assert!(matches!(desk.app.mode, Mode::Filter { .. }), "elsewhere it filters the nodes");
}

#[test]
fn on_a_node_only_its_events_are_searched_and_the_search_stays_with_it() {
    let mut desk = at_events(true);
    let request = search(&mut desk, "pool");
    assert_eq!(request.node_id, Some("a".parse().unwrap()));
    assert_eq!(request.recent.iter().filter_map(Entry::seq).collect::<Vec<_>>(), [2]);
    desk.act(Action::SearchEnded { number: request.number, result: Ok(Box::new(found(&[2]))) });
    desk.app.selection = Selection::Run;
    assert_eq!(desk.app.shown_search(), None);
    desk.app.selection = Selection::Node("a".parse().unwrap());
    assert_eq!(selected(&desk), Some(2));
}

#[test]
fn a_search_pins_what_is_shown_whatever_node_works_meanwhile() {
    let mut desk = Desk::new();
    (desk.app.focus, desk.app.detail.tab) = (Pane::Detail, Tab::Events);
    assert_eq!(desk.app.selection, Selection::Follow);
    desk.press('/');
    desk.event(r#""type":"node_started","node_id":"b""#);
    desk.write("x");
    desk.enter();
    let search = desk.app.shown_search().expect("it is still shown");
    assert_eq!(search.node_id, Some("a".parse().unwrap()));
}

#[test]
fn what_arrives_for_an_older_search_is_dropped() {
    let mut desk = at_events(false);
    let first = search(&mut desk, "one");
    let second = search(&mut desk, "two");
    assert!(first.number < second.number);
    desk.act(Action::SearchProgress { number: first.number, percent: 90 });
    desk.act(Action::SearchEnded { number: first.number, result: Ok(Box::new(found(&[1]))) });
    assert_eq!(desk.app.shown_search().unwrap().state, SearchState::Running(0));
    desk.act(Action::SearchProgress { number: second.number, percent: 40 });
    assert_eq!(desk.app.shown_search().unwrap().state, SearchState::Running(40));
    let effects = desk.esc();
    assert!(effects.contains(&Effect::StopSearch), "{effects:?}");
    desk.act(Action::SearchEnded { number: second.number, result: Ok(Box::new(found(&[1]))) });
    assert_eq!(desk.app.search, None, "it was left");
    let third = search(&mut desk, "three");
    assert!(third.number > second.number, "an answer to the one that was left is none to this");
}

#[test]
fn matches_are_looked_through_round_and_round_and_read_in_full() {
    let mut desk = at_events(false);
    let request = search(&mut desk, "pool");
    desk.act(Action::SearchEnded { number: request.number, result: Ok(Box::new(found(&[5, 70, 900]))) });
    assert_eq!(selected(&desk), Some(900), "the newest first");
    for (key, wanted) in [('n', 5), ('n', 70), ('N', 5), ('N', 900), ('k', 70), ('g', 5), ('k', 5), ('G', 900)] {
        desk.press(key);
        assert_eq!(selected(&desk), Some(wanted), "{key}");
    }
    assert!(desk.press('y').contains(&Effect::Copy("pool 900".into())));
    assert!(desk.enter().contains(&Effect::ReadEvent { seq: 900 }));
    assert!(desk.press('n').contains(&Effect::ReadEvent { seq: 5 }), "also from within the event");
    let Mode::Page(page) = &desk.app.mode else { panic!("{:?}", desk.app.mode) };
    assert_eq!(page.content, PageContent::Event { seq: 5, line: None });
    desk.esc();
    assert_eq!(selected(&desk), Some(5));
    let again = desk.press('r');
    assert!(matches!(&again[..], [Effect::Search(request)] if request.text == "pool"), "{again:?}");
    desk.esc();
    assert_eq!((desk.app.search.clone(), desk.app.focus), (None, Pane::Detail), "back to the list of events");
    desk.esc();
    assert_eq!(desk.app.focus, Pane::Nodes);
}

#[test]
fn a_search_that_is_not_typed_to_its_end_changes_nothing() {
    let mut desk = at_events(false);
    let request = search(&mut desk, "pool");
    desk.act(Action::SearchEnded { number: request.number, result: Ok(Box::new(found(&[5]))) });
    desk.press('/');
    desk.write("other");
    assert!(desk.esc().is_empty());
    desk.press('/');
    assert!(desk.enter().is_empty(), "nothing to search for");
    assert_eq!(selected(&desk), Some(5));
}

#[test]
fn a_file_is_searched_without_what_memory_has_of_it() {
    let mut desk = at_events(false);
    desk.app.replay = true;
    assert!(search(&mut desk, "pool").recent.is_empty());
}

#[test]
fn a_run_that_is_read_from_its_beginning_has_no_matches_yet() {
    let mut desk = at_events(false);
    search(&mut desk, RUN);
    desk.act(Action::Feed(crate::feed::FeedUpdate::Restarted { why: "another history".into() }));
    assert_eq!(desk.app.search, None);
}
