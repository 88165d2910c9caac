//! The panes: what keys select, filter and show.

use crossterm::event::KeyCode;

use super::desk::{Desk, RUN};
use crate::app::{Action, Effect, Mode, PageContent, Pane, Scroll, Selection, Tab};

fn started(desk: &mut Desk, node: &str) {
    desk.event(&format!(r#""type":"node_started","node_id":"{node}""#));
}

fn selected(desk: &Desk) -> Option<String> {
    desk.app.selected_node().map(|node| node.id.to_string())
}

#[test]
fn the_detail_follows_the_node_that_works_until_another_is_selected() {
    let mut desk = Desk::new();
    started(&mut desk, "b");
    assert_eq!(selected(&desk).as_deref(), Some("b"));
    desk.press('k');
    assert_eq!(selected(&desk).as_deref(), Some("a"));
    started(&mut desk, "c");
    assert_eq!(selected(&desk).as_deref(), Some("a"), "what arrives never moves a selection");
    desk.press('L');
    assert_eq!(selected(&desk).as_deref(), Some("c"));
    desk.key(KeyCode::Home);
    assert_eq!(desk.app.selection, Selection::Run);
}

#[test]
fn the_filter_narrows_the_nodes_and_esc_goes_back_to_what_it_was() {
    let mut desk = Desk::new();
    started(&mut desk, "beta");
    started(&mut desk, "gamma");
    desk.press('/');
    desk.write("BET");
    let shown = |desk: &Desk| desk.app.shown_nodes().map(|node| node.id.to_string()).collect::<Vec<_>>();
    assert_eq!(shown(&desk), ["beta"]);
    desk.esc();
    assert_eq!(shown(&desk).len(), 3);
    desk.press('/');
    desk.write("running");
    desk.enter();
    assert_eq!((desk.app.filter.as_str(), shown(&desk).len()), ("running", 3));
    desk.esc();
    assert_eq!(desk.app.filter, "");
}

#[test]
fn tab_turns_through_the_panes_and_the_waiting_pane_only_while_something_waits() {
    let mut desk = Desk::new();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(desk.app.focus);
        desk.key(KeyCode::Tab);
    }
    assert_eq!(seen, [Pane::Nodes, Pane::Cost, Pane::Detail]);
    assert_eq!(desk.app.focus, Pane::Nodes);
    desk.calls(1, &["c1"]);
    desk.key(KeyCode::BackTab);
    assert_eq!(desk.app.focus, Pane::Waiting);
    desk.answered_elsewhere(1, "c1");
    assert_eq!(desk.app.focus, Pane::Nodes, "a pane that is gone keeps no focus");
}

#[test]
fn e_goes_to_the_next_node_that_failed() {
    let mut desk = Desk::new();
    desk.press('e');
    assert!(desk.said().contains("no node has failed"));
    for node in ["b", "c"] {
        started(&mut desk, node);
        desk.event(&format!(r#""type":"node_failed","node_id":"{node}","error":{{"message":"x"}}"#));
    }
    desk.key(KeyCode::Home);
    for expected in ["b", "c", "b"] {
        desk.press('e');
        assert_eq!(selected(&desk).as_deref(), Some(expected));
    }
}

#[test]
fn an_event_is_read_in_full_and_a_late_answer_for_another_is_ignored() {
    let mut desk = Desk::new();
    desk.key(KeyCode::Home);
    desk.press('\t');
    desk.app.focus = Pane::Detail;
    desk.press('h');
    assert_eq!(desk.app.detail.tab, Tab::Events);
    let effects = desk.enter();
    assert!(effects.contains(&Effect::ReadEvent { seq: 2 }), "{effects:?}");
    desk.act(Action::EventRead { seq: 1, result: Ok("old".into()) });
    desk.act(Action::EventRead { seq: 2, result: Ok("{}".into()) });
    let Mode::Page(page) = &desk.app.mode else { panic!("{:?}", desk.app.mode) };
    assert_eq!(page.content, PageContent::Event { seq: 2, line: Some(Ok("{}".into())) });
    assert!(desk.press('y').contains(&Effect::Copy("{}".into())));
    desk.press('q');
    assert_eq!(desk.app.mode, Mode::Browse, "q leaves a page, and does not quit from it");
}

#[test]
fn a_text_that_is_scrolled_up_stays_and_at_its_end_it_follows_again() {
    let mut desk = Desk::new();
    desk.app.focus = Pane::Detail;
    desk.act(Action::Drawn(crate::app::Measured { detail: 500, ..Default::default() }));
    desk.press('k');
    let Scroll::At(row) = desk.app.detail.scroll else { panic!("{:?}", desk.app.detail.scroll) };
    assert!(row > 400);
    desk.press('g');
    assert_eq!(desk.app.detail.scroll, Scroll::At(0));
    desk.press('k');
    assert_eq!(desk.app.detail.scroll, Scroll::At(0));
    desk.press('G');
    assert_eq!(desk.app.detail.scroll, Scroll::Tail);
}

#[test]
fn the_palette_finds_a_command_by_its_name_and_runs_it() {
    let mut desk = Desk::new();
    desk.press(':');
    desk.write("help");
    desk.enter();
    assert!(matches!(&desk.app.mode, Mode::Page(page) if page.content == PageContent::Help));
    desk.esc();
    desk.press(':');
    desk.write("no such thing");
    desk.enter();
    assert_eq!(desk.app.mode, Mode::Browse);
    desk.press(':');
    desk.write("quit");
    assert!(desk.enter().contains(&Effect::Quit));
}

#[test]
fn q_and_ctrl_c_quit_at_once_and_in_the_editor_neither_does() {
    let mut desk = Desk::new();
    assert!(desk.press('q').contains(&Effect::Quit));
    assert!(desk.ctrl('c').contains(&Effect::Quit));
    desk.calls(1, &["c1"]);
    desk.press('w');
    desk.enter();
    desk.effects.clear();
    desk.press('q');
    desk.ctrl('c');
    assert!(!desk.effects.contains(&Effect::Quit));
    assert_eq!(desk.app.mode, Mode::Browse, "Ctrl-C acts as Esc");
}

#[test]
fn a_large_fan_out_is_folded_until_it_is_unfolded_and_never_folds_the_selection_away() {
    let mut desk = Desk::new();
    for item in 0..12 {
        started(&mut desk, &format!("map__{item}"));
    }
    desk.event(r#""type":"node_failed","node_id":"map__3","error":{"message":"x"}"#);
    desk.event(r#""type":"node_succeeded","node_id":"map__4""#);
    let nodes =
        r#"[{"id":"a","type":"llm.responses","status":"running"},{"id":"map","type":"map.fanout","status":"running"}]"#;
    let snapshot = format!(r#"{{"run_id":"{RUN}","status":"running","nodes":{nodes}}}"#);
    desk.act(Action::RunRead(Ok((Box::new(serde_json::from_str(&snapshot).unwrap()), None))));
    let listed = |desk: &Desk| {
        let nodes = desk.app.listed_nodes(&desk.app.fan_outs());
        nodes.iter().map(|node| node.id.to_string()).collect::<Vec<_>>()
    };
    desk.key(KeyCode::Home);
    assert_eq!(listed(&desk), ["a", "map"]);
    let fan_out = *desk.app.fan_outs().values().next().unwrap();
    assert_eq!((fan_out.ended, fan_out.items, fan_out.failed), (2, 12, 1), "what is folded away is counted");
    desk.press('e');
    assert_eq!(selected(&desk).as_deref(), Some("map__3"));
    assert_eq!(listed(&desk), ["a", "map", "map__3"], "the selected item is in sight");
    desk.press(' ');
    assert_eq!(listed(&desk).len(), 14);
    assert_eq!(selected(&desk).as_deref(), Some("map__3"));
    desk.press(' ');
    assert_eq!((selected(&desk).as_deref(), listed(&desk).len()), (Some("map"), 2));
    desk.press('/');
    desk.write("map__1");
    desk.enter();
    assert_eq!(listed(&desk), ["map__1", "map__10", "map__11"], "a filter looks into every item");
}
