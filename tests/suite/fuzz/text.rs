//! Foreign text on its way to a terminal.

use relay_console::app::inert::{count_hidden, mark};
use relay_console::cli::output::{escaped, inert_lines, one_line};
use relay_console::view::Theme;
use relay_console::view::text::{cut_plain, plain, width};

use super::fuzz;

const WORDS: &[&[u8]] = &[
    b"\x1b[31m",
    b"\x1b]52;c;aGk=\x07",
    b"\x1b]0;t\x1b\\",
    b"\x1bP+q\x1b\\",
    b"\xc2\x9b2J",
    b"\xc2\x9d",
    "\u{202e}".as_bytes(),
    "\u{2066}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{200d}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{fe0f}".as_bytes(),
    "\u{ad}".as_bytes(),
    "\u{301}".as_bytes(),
    "\u{e0041}".as_bytes(),
    "\u{e0100}".as_bytes(),
    "漢".as_bytes(),
    "👩\u{200d}👩".as_bytes(),
    "🇩🇪".as_bytes(),
    "क\u{94d}ष".as_bytes(),
    "\u{600}".as_bytes(),
    "한".as_bytes(),
    "\u{1161}".as_bytes(),
    b"\t",
    b"\r\n",
    b"\x07",
    b"\0",
];

const THEMES: [Theme; 2] = [Theme { color: true, ascii: false }, Theme { color: false, ascii: true }];

/// The most bytes that a column is drawn with: a bounded cluster of characters of four bytes.
const COLUMN_BYTES: usize = 4 * 12;

fn acts(text: &str) -> bool {
    text.chars().any(|c| mark(c).is_some())
}

#[test]
fn nothing_that_acts_on_a_terminal_leaves_and_no_text_is_wider_than_its_room() {
    fuzz("inert_text", WORDS, |input| {
        let text = String::from_utf8_lossy(input);
        for theme in THEMES {
            let inert = plain(&text, theme);
            assert!(!acts(&inert), "{inert:?}");
            assert_eq!(width(&inert, theme), width(&text, theme), "made inert twice is made inert once: {inert:?}");
            assert_eq!(plain(&inert, theme), inert);
            for columns in [0, 1, 2, 7, 80] {
                let cut = cut_plain(&text, columns, theme);
                assert!(!acts(&cut) && width(&cut, theme) <= columns, "{columns}: {cut:?}");
                assert!(cut.len() <= columns * COLUMN_BYTES, "{} bytes in {columns} columns", cut.len());
            }
        }
        let lines = inert_lines(&text);
        assert!(!lines.split('\n').any(acts), "{lines:?}");
        assert!(!one_line(&text).contains(['\n', '\r', '\t']));
        // Hidden characters are counted in the text as it is, and none is left in what is shown.
        assert_eq!(count_hidden(&plain(&text, THEMES[0])), 0);
        let json = serde_json::to_string(&text).unwrap();
        let shown = escaped(&json);
        assert!(!acts(&shown), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    });
}
