//! Characters that stand in the text area for those that it would not draw.
//!
//! A text area leaves out what cannot be seen, and then neither it nor the cursor in it shows that something is there. So
//! each hidden character stands there as one of the characters that Unicode leaves to private use, a column wide, which
//! the view draws as a mark. Rule: [`Placeholders::text`] of [`Placeholders::encode`] is the same text, byte for byte,
//! whatever the text holds, private characters included.

use std::collections::HashMap;

use unicode_width::UnicodeWidthChar;

use super::inert::{self, ACCENTS};

/// The two planes of private characters, without the two at the end of each that are no characters.
const PRIVATE: [std::ops::RangeInclusive<char>; 2] = ['\u{F0000}'..='\u{FFFFD}', '\u{100000}'..='\u{10FFFD}'];

/// Who stands for whom, both ways; grows only, so that what is undone or put back is still known.
#[derive(Debug, Clone, Default)]
pub(super) struct Placeholders {
    of: HashMap<char, char>,
    stands_for: HashMap<char, char>,
}

fn is_private(c: char) -> bool {
    PRIVATE.iter().any(|plane| plane.contains(&c))
}

/// Whether every character of a text is drawn as itself.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7F).contains(&byte) || matches!(byte, b'\n' | b'\t'))
}

impl Placeholders {
    /// The text as it stands in the text area; `None` where no private character is left for one, which takes more than
    /// a hundred thousand different ones.
    pub(super) fn encode(&mut self, text: &str) -> Option<String> {
        if is_plain(text) {
            return Some(text.to_owned());
        }
        // A private character stands for itself, where it can.
        for c in text.chars().filter(|c| is_private(*c)) {
            if !self.of.contains_key(&c) && !self.stands_for.contains_key(&c) {
                self.note(c, c);
            }
        }
        let mut shown = String::with_capacity(text.len());
        // How many more may be drawn with what stands before.
        let mut accents = 0;
        for c in text.chars() {
            let hangs = c.width() == Some(0) && !inert::is_presentation(c);
            if is_private(c) || inert::is_hidden(c) || (hangs && accents == 0) {
                shown.push(self.one(c)?);
                accents = 0;
            } else {
                shown.push(c);
                accents = match c {
                    '\n' | '\t' => 0,
                    _ if hangs => accents - 1,
                    _ => ACCENTS,
                };
            }
        }
        Some(shown)
    }

    /// The text that such a text stands for.
    pub(super) fn text(&self, shown: &str) -> String {
        if self.stands_for.is_empty() {
            return shown.to_owned();
        }
        shown.chars().map(|c| self.original(c).unwrap_or(c)).collect()
    }

    /// The bytes of the text that such a text stands for.
    pub(super) fn bytes(&self, shown: &str) -> usize {
        if self.stands_for.is_empty() {
            return shown.len();
        }
        shown.chars().map(|c| self.original(c).unwrap_or(c).len_utf8()).sum()
    }

    /// The character that `c` stands for, where it stands for one.
    pub(super) fn original(&self, c: char) -> Option<char> {
        self.stands_for.get(&c).copied()
    }

    fn note(&mut self, original: char, placeholder: char) {
        self.of.insert(original, placeholder);
        self.stands_for.insert(placeholder, original);
    }

    fn one(&mut self, c: char) -> Option<char> {
        if let Some(placeholder) = self.of.get(&c) {
            return Some(*placeholder);
        }
        let free =
            PRIVATE.iter().rev().flat_map(|plane| plane.clone().rev()).find(|c| !self.stands_for.contains_key(c));
        match free {
            Some(placeholder) => {
                self.note(c, placeholder);
                Some(placeholder)
            }
            // Not drawn, but not lost.
            None if !is_private(c) => Some(c),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hidden_characters_lone_accents_and_piles_get_placeholders_and_letters_with_accents_do_not() {
        let mut placeholders = Placeholders::default();
        let mut count = |text: &str| placeholders.encode(text).unwrap().chars().filter(|c| is_private(*c)).count();
        assert_eq!(count("{\n\t\"é\": \"e\u{301} ⚠\u{fe0f} 漢\"}"), 0);
        assert_eq!(count("a\u{1b}[31m\u{202e}\u{200b}\r"), 4);
        assert_eq!(count("\u{301}x\n\u{301}"), 2);
        assert_eq!(count(&format!("a{}", "\u{301}".repeat(10_000))), 10_000 - ACCENTS);
        assert_eq!(count("\u{10fffd}\u{f0000}"), 2);
    }

    #[test]
    fn a_private_character_that_comes_after_it_was_taken_gets_another() {
        let mut placeholders = Placeholders::default();
        let first = placeholders.encode("\u{202e}").unwrap();
        let second = placeholders.encode(&first).unwrap();
        assert_ne!(first, second);
        assert_eq!((placeholders.text(&first), placeholders.text(&second)), ("\u{202e}".to_owned(), first));
    }

    #[test]
    fn more_private_characters_than_there_are_places_are_not_taken_and_none_is_lost() {
        let every: String = PRIVATE.iter().flat_map(Clone::clone).collect();
        let mut placeholders = Placeholders::default();
        let shown = placeholders.encode(&format!("{every}\u{202e}")).unwrap();
        assert_eq!(placeholders.text(&shown), format!("{every}\u{202e}"));
        let mut placeholders = Placeholders::default();
        placeholders.encode("\u{202e}").unwrap();
        assert_eq!(placeholders.encode(&every), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_byte_for_byte_whatever_came_before(texts in proptest::collection::vec(
            "(\\PC|[\u{0}-\u{1f}]|[\u{200b}-\u{202e}]|[\u{10fff0}-\u{10fffd}]|[\u{300}-\u{310}]){0,40}", 1..4)) {
            let mut placeholders = Placeholders::default();
            let shown: Vec<String> = texts.iter().map(|text| placeholders.encode(text).unwrap()).collect();
            for (text, shown) in texts.iter().zip(shown) {
                prop_assert_eq!(&placeholders.text(&shown), text);
                prop_assert_eq!(text.chars().count(), shown.chars().count());
                prop_assert!(!shown.chars().any(inert::is_hidden), "{:?}", shown);
            }
        }
    }
}
