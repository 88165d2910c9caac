//! Which characters never reach a terminal, and the visible mark that stands for each.
//!
//! Owns the one table; `view::text` draws by it, and the editor counts hidden characters by it. Rule: what is not in
//! the table moves no cursor, starts no escape sequence and changes no direction.

/// How many characters without a column of their own may follow a letter and are drawn with it; more are a pile.
pub const ACCENTS: usize = 11;

/// The mark that is shown in place of `c`, or `None` where `c` is harmless.
///
/// Controls show as their control pictures (`␛` for ESC); everything else that cannot be seen (bidi controls,
/// zero-width and tag characters, variation selectors) shows as `¿`.
/// A line feed is never asked about: lines are split before.
#[must_use]
pub fn mark(c: char) -> Option<char> {
    match c {
        '\u{0}'..='\u{1F}' => char::from_u32(0x2400 + c as u32),
        '\u{7F}' => Some('\u{2421}'),
        '\u{80}'..='\u{9F}' => Some('\u{2426}'),
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => None,
        _ if is_invisible(c) => Some('¿'),
        _ => None,
    }
}

/// Whether `c` only says whether the character before it is drawn as text or as an emoji. People type it with every
/// other emoji, and terminals disagree on the width that it gives: one is left out in silence, more are marked.
#[must_use]
pub fn is_presentation(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}')
}

/// Whether a person cannot see that the character is there, or it is none for people at all.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    !matches!(c, '\n' | '\t') && !is_presentation(c) && mark(c).is_some()
}

/// How many hidden characters a text holds; line feeds, tabs and emoji's presentation selectors are not counted.
#[must_use]
pub fn count_hidden(text: &str) -> usize {
    // ASCII bytes decide nearly every text at the speed of a scan.
    if text.bytes().all(|b| (0x20..0x7F).contains(&b) || b == b'\n' || b == b'\t') {
        return 0;
    }
    text.chars().filter(|c| is_hidden(*c)).count()
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}'                    // soft hyphen
        | '\u{34F}'                 // combining grapheme joiner
        | '\u{600}'..='\u{605}'     // Arabic number signs: their width is not agreed on
        | '\u{61C}'                 // Arabic letter mark
        | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}'
        | '\u{115F}'..='\u{1160}'   // Hangul fillers
        | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}'   // Mongolian selectors and separator
        | '\u{200B}'..='\u{200F}'   // zero width, joiners, direction marks
        | '\u{2028}'..='\u{202E}'   // line and paragraph separators, bidi embeddings
        | '\u{2060}'..='\u{206F}'   // word joiner, bidi isolates, deprecated formats
        | '\u{3164}' | '\u{FFA0}'   // Hangul fillers
        | '\u{FE00}'..='\u{FE0F}'   // variation selectors: terminals disagree on the width that they give
        | '\u{FEFF}'
        | '\u{FFF0}'..='\u{FFFB}'
        | '\u{110BD}' | '\u{110CD}'
        | '\u{13430}'..='\u{1345F}'
        | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}' // tags and variation selectors supplement
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_bidi_and_zero_width_characters_have_a_mark_and_letters_have_none() {
        assert_eq!(mark('\u{1b}'), Some('␛'));
        assert_eq!(mark('\u{9b}'), Some('␦'));
        for c in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{feff}', '\u{e0041}', '\u{ad}', '\u{2028}'] {
            assert_eq!(mark(c), Some('¿'), "{:04x}", c as u32);
        }
        for c in ['a', 'é', '漢', '🚀', '\u{301}', '\u{a0}', '¿'] {
            assert_eq!(mark(c), None, "{c}");
        }
    }

    #[test]
    fn every_control_character_of_unicode_has_a_mark() {
        for c in (0..=0x0010_FFFF).filter_map(char::from_u32).filter(|c| c.is_control()) {
            assert!(mark(c).is_some_and(|mark| !mark.is_control()), "{:04x}", c as u32);
        }
    }

    #[test]
    fn hidden_characters_are_counted_and_line_feeds_and_tabs_are_not() {
        assert_eq!(count_hidden("{\n\t\"a\": 1\n}"), 0);
        assert_eq!(count_hidden("a\u{200b}b\u{1b}[31m\r"), 3);
        assert_eq!(count_hidden("⚠\u{fe0f}"), 0);
    }
}
