//! Foreign text: inert, measured as it is drawn, wrapped without loss.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::Theme;
use super::super::text::{cut, inert, left, one_line, right, spans_width, width, wrap};
use crate::app::inert::mark;

const THEMES: [Theme; 2] = [Theme { color: true, ascii: false }, Theme { color: false, ascii: true }];

/// Any text, with what makes trouble in it often.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,12}",
        2 => any::<char>().prop_map(String::from),
        2 => proptest::sample::select(vec![
            "\u{1b}[31m", "\u{9b}2J", "\u{202e}", "\u{2066}", "\u{200b}", "\u{200d}", "\u{feff}", "\u{fe0f}", "\u{ad}",
            "\t", "\r", "\u{7}", "\u{301}", "\u{e0041}", "漢字", "ｶﾞ", "👩\u{200d}👩\u{200d}👧", "👍🏽", "🇩🇪", "❤\u{fe0f}",
            "한", "\u{1161}", "क\u{94d}\u{200d}ष", "\u{0600}1", "لا", "e\u{301}\u{302}\u{303}", " ", "   ",
        ]).prop_map(str::to_owned),
        1 => Just(format!("a{}", "\u{301}".repeat(40))),
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn content(spans: &[Span<'_>]) -> String {
    spans.iter().map(|span| span.content.as_ref()).collect()
}

/// The columns that ratatui fills when it draws the spans.
fn drawn(spans: &[Span<'static>]) -> usize {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 2_000, 1));
    let (end, _) = buffer.set_line(0, 0, &Line::from(spans.to_vec()), 2_000);
    usize::from(end)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_character_of_the_table_leaves_and_the_width_is_what_is_drawn(text in hostile(), columns in 1_usize..40) {
        for theme in THEMES {
            let whole = inert(&text, Style::new(), theme);
            prop_assert_eq!(drawn(&whole), width(&text, theme), "{:?}", content(&whole));
            prop_assert_eq!(spans_width(&whole), width(&text, theme));
            let cut = cut(&text, columns, Style::new(), theme);
            prop_assert!(drawn(&cut) <= columns, "{:?}", content(&cut));
            for padded in [left(&text, columns, Style::new(), theme), right(&text, columns, Style::new(), theme)] {
                prop_assert_eq!(drawn(&padded), columns, "{:?}", content(&padded));
                prop_assert!(content(&padded).chars().all(|c| mark(c).is_none()));
            }
            for spans in [&whole, &cut] {
                prop_assert!(content(spans).chars().all(|c| mark(c).is_none()), "{:?}", content(spans));
            }
        }
    }

    #[test]
    fn a_text_that_fits_is_never_cut(text in hostile()) {
        let theme = THEMES[0];
        let columns = width(&text, theme);
        prop_assert_eq!(content(&cut(&text, columns, Style::new(), theme)), content(&inert(&text, Style::new(), theme)));
    }

    #[test]
    fn wrapping_keeps_every_character_in_order_and_every_row_in_its_columns(text in hostile(), columns in 6_usize..30) {
        let theme = THEMES[0];
        let text = text.replace('\r', "");
        let rows = wrap(&text, columns, Style::new(), theme);
        for row in &rows {
            prop_assert!(drawn(&row.spans) <= columns, "{:?}", content(&row.spans));
            prop_assert!(content(&row.spans).chars().all(|c| mark(c).is_none()));
        }
        let wrapped: String = rows.iter().map(|row| content(&row.spans)).collect();
        let whole: String = text.split('\n').map(|line| content(&inert(line, Style::new(), theme))).collect();
        let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
        prop_assert_eq!(letters(&wrapped), letters(&whole));
    }

    #[test]
    fn a_preview_is_one_line(text in hostile()) {
        prop_assert!(!one_line(&text).contains(['\n', '\t', '\r']));
    }
}

fn rows(text: &str, columns: usize) -> Vec<String> {
    wrap(text, columns, Style::new(), THEMES[0]).iter().map(|row| content(&row.spans)).collect()
}

#[test]
fn words_stay_whole_where_they_fit_and_indents_stay() {
    assert_eq!(rows("one two three", 8), ["one two ", "three"]);
    assert_eq!(rows("  abcdefghij", 6), ["  abcd", "efghij"]);
    assert_eq!(rows("ab        cd", 6), ["ab    ", "cd"]);
    assert_eq!(rows("a\n\nb\n", 9), ["a", "", "b", ""]);
    assert_eq!(rows("a\tb\r\nc", 9), ["a   b", "c"]);
}

#[test]
fn an_emojis_presentation_selector_is_left_out_in_silence_and_a_second_one_is_marked() {
    let theme = THEMES[0];
    assert_eq!(content(&inert("⚠\u{fe0f} ok", Style::new(), theme)), "⚠ ok");
    assert_eq!(content(&inert("a\u{fe0f}\u{fe0f}", Style::new(), theme)), "a¿¿");
    assert_eq!(content(&inert("\u{fe0f}", Style::new(), theme)), "¿");
}

#[test]
fn a_wide_character_is_never_split() {
    assert_eq!(rows("漢字漢漢", 7), ["漢字漢", "漢"]);
    assert_eq!(rows("漢字漢漢", 1), ["漢字漢", "漢"], "nothing is lost where there is no room at all");
    assert_eq!(content(&cut("漢字漢", 5, Style::new(), THEMES[0])), "漢字…");
    assert_eq!(content(&cut("漢字漢", 4, Style::new(), THEMES[0])), "漢…");
}

#[test]
fn what_is_hidden_shows_as_a_mark_in_a_style_of_its_own() {
    let spans = inert("a\u{1b}[31m\u{202e}b", Style::new(), THEMES[0]);
    assert_eq!(content(&spans), "a␛[31m¿b");
    assert!(spans[1].style != spans[0].style, "the mark stands out from a mark that is meant");
}

#[test]
fn a_pile_of_accents_is_bounded() {
    let pile = format!("a{}", "\u{301}".repeat(5_000));
    assert!(content(&inert(&pile, Style::new(), THEMES[0])).len() < 100);
}

#[test]
fn accents_without_a_letter_are_marked_also_where_something_wider_belongs_to_them() {
    let theme = THEMES[0];
    let shown = |text: &str| content(&inert(text, Style::new(), theme));
    assert_eq!(shown("\u{301}ﾞ"), "¿ﾞ");
    assert_eq!(shown("\u{301}\u{301}ﾞ\u{301}x"), "¿¿ﾞ\u{301}x");
    assert_eq!(shown("e\u{301}"), "e\u{301}");
}
