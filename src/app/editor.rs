//! The open draft: a thin wrapper round one unstyled text area.
//!
//! Rule: what stands in the editor is, byte for byte, what is sent. The text area splits lines at `\n` only, so line
//! endings are normalised on the way in, and nothing else is ever changed silently. What it would not draw stands in it
//! as a character that the view draws as a mark.

use std::fmt;

use tui_textarea::{CursorMove, TextArea, WrapMode};

use super::placeholders::Placeholders;

/// The most that is edited in place, in bytes: each edit rebuilds the wrapped lines of the whole text.
pub const MAX_BYTES: usize = 512 * 1024;

/// Edits that can be taken back.
const UNDO_DEPTH: usize = 10_000;

/// A text in a text area.
#[derive(Clone)]
pub struct Editor {
    area: TextArea<'static>,
    placeholders: Placeholders,
    bytes: usize,
}

impl Editor {
    /// An editor of `text`, with the cursor at its end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = normalise(text);
        let mut placeholders = Placeholders::default();
        // Nothing stands in for anything yet, so there is a place for everything.
        let shown = placeholders.encode(&text).unwrap_or_default();
        let mut area = TextArea::new(shown.split('\n').map(str::to_owned).collect());
        area.set_wrap_mode(WrapMode::Glyph);
        area.set_max_histories(UNDO_DEPTH);
        // No style of the text area's own: the view decides how cursor and selection look.
        area.set_style(ratatui::style::Style::new());
        area.set_cursor_line_style(ratatui::style::Style::new());
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        Self { bytes: text.len(), area, placeholders }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        self.placeholders.text(&self.area.lines().join("\n"))
    }

    /// The text's length in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The hidden character that a character of the text area stands for, where it stands for one.
    #[must_use]
    pub fn hidden(&self, c: char) -> Option<char> {
        self.placeholders.original(c)
    }

    /// The text area, for drawing; hidden characters stand in it as others ([`Editor::hidden`]).
    #[must_use]
    pub fn area(&self) -> &TextArea<'static> {
        &self.area
    }

    /// The cursor's line and column, in characters, from 1.
    #[must_use]
    pub fn place(&self) -> (usize, usize) {
        let cursor = self.area.cursor();
        (cursor.0 + 1, cursor.1 + 1)
    }

    /// Types one character.
    #[must_use = "a full editor takes nothing"]
    pub fn type_char(&mut self, c: char) -> bool {
        self.insert(c.encode_utf8(&mut [0; 4]))
    }

    /// Inserts text at the cursor; false, changing nothing, when the result would be over [`MAX_BYTES`].
    #[must_use = "a full editor takes nothing"]
    pub fn insert(&mut self, text: &str) -> bool {
        let text = normalise(text);
        if self.bytes + text.len() > MAX_BYTES {
            return false;
        }
        let Some(shown) = self.placeholders.encode(&text) else { return false };
        match shown.as_str() {
            "\n" => self.area.insert_newline(),
            text => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => self.area.insert_char(c),
                    _ => drop(self.area.insert_str(text)),
                }
            }
        }
        self.count();
        true
    }

    /// Puts `text` in place of everything, as one edit that can be taken back; false when it is over [`MAX_BYTES`].
    #[must_use = "a text that is too long is not taken"]
    pub fn replace(&mut self, text: &str) -> bool {
        let text = normalise(text);
        if text.len() > MAX_BYTES {
            return false;
        }
        let Some(shown) = self.placeholders.encode(&text) else { return false };
        self.area.select_all();
        if shown.is_empty() {
            self.area.cut();
        } else {
            self.area.insert_str(shown);
        }
        self.count();
        true
    }

    /// Does one of the text area's own edits or moves.
    pub fn edit(&mut self, edit: Edit) {
        let area = &mut self.area;
        match edit {
            Edit::Left => area.move_cursor(CursorMove::Back),
            Edit::Right => area.move_cursor(CursorMove::Forward),
            Edit::Up => area.move_cursor(CursorMove::Up),
            Edit::Down => area.move_cursor(CursorMove::Down),
            Edit::WordLeft => area.move_cursor(CursorMove::WordBack),
            Edit::WordRight => area.move_cursor(CursorMove::WordForward),
            Edit::LineStart => area.move_cursor(CursorMove::Head),
            Edit::LineEnd => area.move_cursor(CursorMove::End),
            Edit::TextStart => area.move_cursor(CursorMove::Top),
            Edit::TextEnd => area.move_cursor(CursorMove::Bottom),
            Edit::DeleteLeft => drop(area.delete_char()),
            Edit::DeleteRight => drop(area.delete_next_char()),
            Edit::DeleteWordLeft => drop(area.delete_word()),
            Edit::DeleteWordRight => drop(area.delete_next_word()),
            Edit::DeleteToLineStart => drop(area.delete_line_by_head()),
            Edit::DeleteToLineEnd => drop(area.delete_line_by_end()),
            Edit::PutBack => drop(area.paste()),
            Edit::Undo => drop(area.undo()),
            Edit::Redo => drop(area.redo()),
        }
        self.count();
    }

    fn count(&mut self) {
        let lines = self.area.lines();
        let bytes = lines.iter().map(|line| self.placeholders.bytes(line)).sum::<usize>();
        self.bytes = bytes + lines.len().saturating_sub(1);
    }
}

/// What the text area does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the command table documents each, by the same name")]
pub enum Edit {
    Left,
    Right,
    Up,
    Down,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    DeleteLeft,
    DeleteRight,
    DeleteWordLeft,
    DeleteWordRight,
    DeleteToLineStart,
    DeleteToLineEnd,
    PutBack,
    Undo,
    Redo,
}

impl PartialEq for Editor {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
            && self.place() == other.place()
            && self.area.selection_range() == other.area.selection_range()
    }
}

impl fmt::Debug for Editor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Editor").field("text", &self.text()).field("place", &self.place()).finish()
    }
}

/// Terminals paste line ends as `\r`, files bring `\r\n`; both become `\n`.
fn normalise(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_paste_of_any_line_endings_is_lines_and_is_one_edit() {
        let mut editor = Editor::new("x");
        assert!(editor.insert("a\rb\r\nc\n"));
        assert_eq!(editor.text(), "xa\nb\nc\n");
        editor.edit(Edit::Undo);
        assert_eq!(editor.text(), "x");
    }

    #[test]
    fn what_would_be_too_long_changes_nothing() {
        let mut editor = Editor::new("kept");
        assert!(!editor.insert(&"x".repeat(MAX_BYTES)));
        assert!(!editor.replace(&"x".repeat(MAX_BYTES + 1)));
        assert_eq!(editor.text(), "kept");
    }

    #[test]
    fn a_replaced_text_can_be_taken_back() {
        let mut editor = Editor::new("{\"a\":1}");
        assert!(editor.replace("{\n  \"a\": 1\n}"));
        assert_eq!(editor.text(), "{\n  \"a\": 1\n}");
        while editor.text() != "{\"a\":1}" {
            let before = editor.text();
            editor.edit(Edit::Undo);
            assert_ne!(editor.text(), before, "undo must lead back");
        }
    }

    proptest! {
        #[test]
        fn any_text_without_carriage_returns_stands_in_the_editor_byte_for_byte(text in "[^\r]{0,80}") {
            prop_assert_eq!(Editor::new(&text).text(), text);
        }

        #[test]
        fn hidden_and_private_characters_survive_every_edit_that_is_taken_back(
            first in "(a|\u{202e}|\u{1b}|\u{200d}|\u{10fffd}|\u{301}|\n){0,12}",
            second in "(b|\u{202e}|\u{feff}|\u{10fffd}|\u{10fffc}|\u{301}){0,12}",
        ) {
            let mut editor = Editor::new(&first);
            prop_assert!(editor.insert(&second));
            let text = format!("{first}{second}");
            prop_assert_eq!(editor.text(), text.clone());
            prop_assert_eq!(editor.bytes(), text.len());
            for edit in [Edit::DeleteLeft, Edit::DeleteWordLeft, Edit::DeleteToLineStart, Edit::PutBack] {
                editor.edit(edit);
                if editor.text() != text {
                    editor.edit(Edit::Undo);
                }
                prop_assert_eq!(editor.text(), text.clone(), "{:?}", edit);
            }
        }

        #[test]
        fn pasting_and_typing_give_the_same_text(text in "[^\r\t]{0,40}") {
            let (mut pasted, mut typed) = (Editor::new(""), Editor::new(""));
            prop_assert!(pasted.insert(&text));
            for c in text.chars() {
                prop_assert!(typed.type_char(c));
            }
            prop_assert_eq!(pasted.text(), typed.text());
            prop_assert_eq!(typed.text(), text);
        }
    }
}
