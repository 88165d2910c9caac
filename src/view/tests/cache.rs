//! The cache changes what a frame costs, never what it shows.

use crossterm::event::KeyCode;
use proptest::prelude::*;
use ratatui::text::Line;

use super::super::{Cache, Theme};
use super::scene::busy;
use crate::api::event::Delta;
use crate::api::ids::NodeId;
use crate::run::StreamedText;

fn delta(kind: &str, text: &str) -> Delta {
    Delta { kind: kind.into(), text_delta: Some(text.into()), response_id: None, model: None }
}

fn rows(cache: &mut Cache, text: &StreamedText, columns: usize) -> Vec<Line<'static>> {
    cache.stream(&NodeId::parse("a").unwrap(), text, columns, Theme::default()).to_vec()
}

proptest! {
    #[test]
    fn text_that_is_wrapped_as_it_streams_is_text_that_is_wrapped_at_once(
        pieces in proptest::collection::vec((0_usize..6, "([a-c \n\r\t漢🇩👩\u{301}\u{200d}\u{fe0f}\u{1b}]|[a-b ]{12}){0,12}", 0_u8..3), 0..30), columns in 6_usize..20,
    ) {
        let kinds = ["message_start", "message_delta", "message_stop", "tool_use_start", "tool_use_delta", "hum"];
        let (mut text, mut kept) = (StreamedText::default(), Cache::default());
        for (kind, piece, look) in pieces {
            text.push(&delta(kinds[kind], &piece));
            if look == 0 {
                let shown = rows(&mut kept, &text, columns);
                prop_assert_eq!(shown, rows(&mut Cache::default(), &text, columns));
            }
        }
        prop_assert_eq!(rows(&mut kept, &text, columns), rows(&mut Cache::default(), &text, columns));
    }
}

#[test]
fn a_text_that_lost_its_beginning_is_wrapped_anew() {
    let (mut text, mut kept) = (StreamedText::default(), Cache::default());
    for at in 0..3_000 {
        text.push(&delta("message_delta", &format!("line {at} {}\n", "x".repeat(100))));
        if at % 500 == 499 {
            assert_eq!(rows(&mut kept, &text, 80), rows(&mut Cache::default(), &text, 80));
        }
    }
    assert!(text.dropped > 0, "the test is about dropped text");
}

#[test]
fn a_frame_without_news_wraps_nothing_again() {
    let mut text = StreamedText::default();
    text.push(&delta("message_delta", &"word ".repeat(10_000)));
    let (node, mut cache) = (NodeId::parse("a").unwrap(), Cache::default());
    let first = cache.stream(&node, &text, 80, Theme::default())[0].spans[0].content.as_ptr();
    let again = cache.stream(&node, &text, 80, Theme::default())[0].spans[0].content.as_ptr();
    assert_eq!(first, again, "the very same rows");
    text.push(&delta("message_delta", "\nmore\n"));
    let added = cache.stream(&node, &text, 80, Theme::default())[0].spans[0].content.as_ptr();
    assert_eq!(first, added, "the rows of a long line stay, but for its last ones");
    let finished = cache.stream(&node, &text, 80, Theme::default()).last().unwrap().spans[0].content.as_ptr();
    text.push(&delta("message_delta", "and more"));
    let rows = cache.stream(&node, &text, 80, Theme::default());
    assert_eq!(rows[rows.len() - 2].spans[0].content.as_ptr(), finished, "finished lines stay");
}

#[test]
fn an_open_draft_is_looked_through_when_it_changes_and_not_when_it_is_drawn() {
    let checks = || crate::app::json::CHECKS.get();
    let mut scene = busy(120, 36);
    scene.keys("w").key(KeyCode::Enter).keys("[1, 2");
    scene.screen(Theme::default());
    let before = checks();
    for _ in 0..5 {
        assert!(scene.screen(Theme::default()).contains("not JSON at 1:"));
    }
    assert_eq!(checks(), before, "frames look through nothing");
    scene.keys("]");
    assert!(scene.screen(Theme::default()).contains("valid JSON"));
    assert_eq!(checks(), before + 1, "a key looks through the text once");
}
