//! The Events tab while a search stands in it.

use crossterm::event::KeyCode;

use super::super::Theme;
use super::scene::{Scene, busy};
use super::screens::check;
use crate::api::event::{ProtocolError, decode};
use crate::app::event_search::{Found, KEPT, Match, MatchedLine, Piece};
use crate::app::{Action, SearchAnswer, Tab};

const MONO: Theme = Theme { color: false, ascii: false };

fn matched(seq: u64, event_type: &str, node: &str, text: &str, wanted: &str) -> Match {
    let line = MatchedLine::Event {
        ts: super::scene::at(seq / 10),
        event_type: event_type.into(),
        node_id: Some(node.parse().unwrap()),
    };
    let at = text.find(wanted).unwrap();
    Match { seq: Some(seq), offset: None, line, piece: Piece { text: text.into(), at: at..at + wanted.len() } }
}

fn rejected() -> ProtocolError {
    decode(b"the pool\x1b[31m is no JSON").unwrap_err()
}

fn answer() -> SearchAnswer {
    let mut found = Found { last_seq: 98_003, ..Found::default() };
    found.push(matched(17, "node_llm_call", "diagnose", "pool-model", "pool"));
    found.push(matched(
        1_284,
        "node_output_delta",
        "collect_logs_of_every_target",
        "the error rate rose at 14:02, right after the deploy of api 4.18, since\nthe new pool size is too small for what comes in at noon",
        "pool",
    ));
    found.push(matched(1_290, "node_tool_result", "diagnose", "{\"pool\u{202e}\":\"full\u{1b}[31m\"}", "pool"));
    let line = MatchedLine::Rejected(rejected());
    found.push(Match {
        seq: None,
        offset: Some(7),
        line,
        piece: Piece { text: "the pool\u{1b}[31m".into(), at: 4..8 },
    });
    SearchAnswer { found, ..SearchAnswer::default() }
}

/// Keys go to the run's events, and `pool` is searched for.
fn searching(columns: u16, rows: u16) -> Scene {
    let mut scene = busy(columns, rows);
    scene.key(KeyCode::Home).key(KeyCode::Enter);
    while scene.app.shown_tab() != Tab::Events {
        scene.keys("l");
    }
    scene.keys("/pool");
    scene
}

#[test]
fn a_search_from_its_prompt_to_its_matches_at_every_size() {
    for (columns, rows) in [(120, 36), (80, 24), (60, 16)] {
        let mut scene = searching(columns, rows);
        check(&format!("search_prompt_{columns}x{rows}"), &scene.screen(MONO));
        scene.key(KeyCode::Enter);
        let number = scene.app.search.as_ref().unwrap().number;
        scene.act(Action::SearchProgress { number, percent: 42 });
        assert!(scene.screen(MONO).contains("/pool  searching, 42 %"), "{}", scene.screen(MONO));
        scene.act(Action::SearchEnded { number, result: Ok(Box::new(answer())) });
        check(&format!("search_matches_{columns}x{rows}"), &scene.keys("N").screen(MONO));
    }
}

#[test]
fn a_text_that_memory_has_dropped_says_what_becomes_of_it() {
    let mut scene = Scene::new(80, 24);
    scene.event(r#""type":"node_started","node_id":"a""#).key(KeyCode::Home).key(KeyCode::Down);
    let line = "The error rate rose at 14:02, and the pool is too small. ".repeat(20);
    while scene.app.run.nodes[0].text.dropped == 0 {
        let delta = format!(r#""delta":{{"kind":"message_delta","text_delta":"{line}"}}"#);
        scene.event(&format!(r#""type":"node_output_delta","node_id":"a",{delta}"#));
    }
    scene.key(KeyCode::Enter);
    scene.screen(MONO);
    scene.key(KeyCode::Home);
    assert!(scene.screen(MONO).contains("KiB above, loading"), "{}", scene.screen(MONO));
    let number = scene.app.loaded.as_ref().unwrap().number;
    scene.act(Action::TextLoaded { number, result: Err("there is no journal".into()) });
    check("text_not_read", &scene.screen(MONO));
}

#[test]
fn what_was_not_searched_and_what_is_not_kept_is_said() {
    let mut scene = searching(80, 24);
    scene.key(KeyCode::Enter);
    let number = scene.app.search.as_ref().unwrap().number;
    let mut many = answer();
    many.unsearched = Some((1, 96_003));
    many.problem = Some("Permission denied (os error 13)".into());
    many.found.too_long = 1;
    for seq in 0..KEPT as u64 {
        many.found.push(matched(97_000 + seq, "node_output_delta", "diagnose", "pool", "pool"));
    }
    scene.act(Action::SearchEnded { number, result: Ok(Box::new(many)) });
    check("search_holes", &scene.screen(MONO));
    scene.act(Action::SearchEnded { number, result: Err("no thread".into()) });
    assert!(scene.screen(MONO).contains("/pool  not searched: no thread"), "{}", scene.screen(MONO));
    scene.act(Action::SearchEnded { number, result: Ok(Box::default()) });
    assert!(scene.screen(MONO).contains("/pool  no match, up to event 0"), "{}", scene.screen(MONO));
}
