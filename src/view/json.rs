//! JSON in colours: keys, numbers and words apart from texts.
//!
//! Rules: colour only repeats what the letters say, so a monochrome theme shows the same; what is looked at is the text
//! as it is drawn, inert already, so that a mark inside a string ends no string.

use ratatui::text::Line;

use super::text;
use super::theme::{Role, Theme};
use crate::app::json;

/// A text that a server says is JSON: indented and coloured; as it is, where it is not JSON.
pub(super) fn rows(source: &str, columns: usize, role: Role, theme: Theme) -> Vec<Line<'static>> {
    match json::pretty(source) {
        Some(pretty) => indented(&pretty, columns, role, theme),
        None => text::wrap(source, columns, theme.style(role), theme),
    }
}

/// JSON that is indented already, or its beginning. `role` is what the whole of it is.
pub(super) fn indented(pretty: &str, columns: usize, role: Role, theme: Theme) -> Vec<Line<'static>> {
    led("", pretty, columns, role, theme)
}

/// The same with a label in front, which is no JSON.
pub(super) fn led(label: &str, pretty: &str, columns: usize, role: Role, theme: Theme) -> Vec<Line<'static>> {
    let (base, labelled) = (theme.style(role), format!("{label}{pretty}"));
    if !theme.color {
        return text::wrap(&labelled, columns, base, theme);
    }
    let first = std::cell::Cell::new(label.chars().count());
    text::wrap_by(&labelled, columns, theme, |glyphs| {
        let before = first.take().min(glyphs.len());
        let style = |role: Option<Role>| role.map_or(base, |role| base.patch(theme.style(role)));
        std::iter::repeat_n(base, before).chain(roles(&glyphs[before..]).into_iter().map(style)).collect()
    })
}

/// What each glyph of a line is; `None` for texts and white space.
fn roles(glyphs: &[&str]) -> Vec<Option<Role>> {
    let mut roles = vec![None; glyphs.len()];
    let mut at = 0;
    while at < glyphs.len() {
        let next = match glyphs[at] {
            "\"" => {
                let end = string_end(glyphs, at);
                if glyphs[end..].iter().find(|glyph| **glyph != " ") == Some(&":") {
                    roles[at..end].fill(Some(Role::Key));
                }
                end
            }
            "{" | "}" | "[" | "]" | "," | ":" => {
                roles[at] = Some(Role::Quiet);
                at + 1
            }
            " " => at + 1,
            _ => {
                let stops = |glyph: &&str| matches!(*glyph, "," | "}" | "]" | " " | ":" | "\"");
                let end = glyphs[at + 1..].iter().position(stops).map_or(glyphs.len(), |length| at + 1 + length);
                roles[at..end].fill(Some(Role::Literal));
                end
            }
        };
        at = next;
    }
    roles
}

/// Behind the string that begins at `start`.
fn string_end(glyphs: &[&str], start: usize) -> usize {
    let mut escaped = false;
    for (at, glyph) in glyphs.iter().enumerate().skip(start + 1) {
        match *glyph {
            _ if escaped => escaped = false,
            "\\" => escaped = true,
            "\"" => return at + 1,
            _ => {}
        }
    }
    glyphs.len()
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    const COLOR: Theme = Theme { color: true, ascii: false };

    /// The pieces of a line that have a style of their own, with what they are drawn in.
    fn pieces(source: &str) -> Vec<(String, Style)> {
        let rows = indented(source, 80, Role::Plain, COLOR);
        let spans = rows.into_iter().flat_map(|row| row.spans);
        spans.map(|span| (span.content.trim().to_owned(), span.style)).filter(|(text, _)| !text.is_empty()).collect()
    }

    #[test]
    fn keys_numbers_and_words_are_told_from_texts() {
        let (key, literal, quiet) = (COLOR.style(Role::Key), COLOR.style(Role::Literal), COLOR.style(Role::Quiet));
        let expected = [("\"a\\\":\"", key), (":", quiet), ("-1.5e9", literal), (",", quiet)];
        assert_eq!(pieces(r#"  "a\":": -1.5e9,"#), expected.map(|(text, style)| (text.to_owned(), style)));
        assert_eq!(pieces("null"), [("null".to_owned(), literal)]);
        assert_eq!(pieces(r#""null: true""#), [(r#""null: true""#.to_owned(), Style::new())]);
    }

    #[test]
    fn a_mark_stays_a_mark_and_ends_no_string() {
        let pieces = pieces("\"a\u{202e}b\": true");
        let styles: Vec<Style> = pieces.iter().map(|(_, style)| *style).collect();
        let mark = COLOR.style(Role::Key).patch(COLOR.style(Role::Mark));
        assert_eq!((styles[0], styles[1], styles[2]), (COLOR.style(Role::Key), mark, COLOR.style(Role::Key)));
    }

    #[test]
    fn without_colour_it_is_wrapped_as_any_text() {
        let mono = Theme { color: false, ascii: false };
        let text = "{\n  \"a\": 1\n}";
        assert_eq!(indented(text, 80, Role::Quiet, mono), text::wrap(text, 80, mono.style(Role::Quiet), mono));
    }
}
