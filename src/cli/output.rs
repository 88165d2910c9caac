//! What goes to standard output, and the messages on standard error.
//!
//! Rules: only the answer goes there; off a terminal no escape is written and not a byte of the server's JSON changes;
//! on a terminal what does not print shows as an escape of JSON or as a mark; whoever stops reading early ends the
//! command quietly.

pub mod facts;
pub mod step_table;
pub mod table;

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

use crossterm::terminal;
use unicode_width::UnicodeWidthChar;

use crate::app::inert::{self, ACCENTS};
use crate::cli::exit::{Exit, Failure};
use crate::view::{Theme, text};

/// How foreign text is shown outside the console.
pub const PLAIN: Theme = Theme { color: false, ascii: false };

/// Whether a person reads the answer.
#[must_use]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The display columns of the terminal that the answer goes to; `None` where it goes elsewhere.
#[must_use]
pub fn columns() -> Option<usize> {
    if !is_terminal() {
        return None;
    }
    terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0)
}

/// The display columns of the terminal that errors go to; `None` where they go elsewhere.
#[must_use]
pub fn error_columns() -> Option<usize> {
    if !io::stderr().is_terminal() {
        return None;
    }
    terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0)
}

/// One message on standard error; what is foreign in it is made inert.
pub fn report(message: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "relay-console: {}", inert_lines(message));
}

/// A message on standard error that says itself who speaks; what is foreign in it is made inert.
pub fn complain(message: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", inert_lines(message));
}

/// A text as it is.
///
/// # Errors
/// When it cannot be written; with [`Exit::Done`] where nobody reads any more.
pub fn text(answer: &str) -> Result<(), Failure> {
    bytes(answer.as_bytes())
}

/// Bytes as they are.
///
/// # Errors
/// As [`text()`].
pub fn bytes(answer: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(answer).and_then(|()| out.flush()).map_err(unwritten)
}

/// What a failure to write means for the command.
#[must_use]
pub fn unwritten(error: io::Error) -> Failure {
    let exit = if error.kind() == ErrorKind::BrokenPipe { Exit::Done } else { Exit::Internal };
    Failure::new(exit, anyhow::Error::new(error).context("cannot write to standard output"))
}

/// A server's JSON and the end of a line.
///
/// # Errors
/// As [`text()`].
pub fn json(body: &[u8]) -> Result<(), Failure> {
    if is_terminal() {
        return text(&format!("{}\n", escaped(String::from_utf8_lossy(body).trim_end())));
    }
    bytes(body)?;
    if body.ends_with(b"\n") { Ok(()) } else { bytes(b"\n") }
}

/// JSON in which everything that does not print is written as JSON's own escape: the same value for a program. Of a pile
/// of accents the beginning prints.
#[must_use]
pub fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    let mut accents = 0;
    for c in json.chars() {
        accents = if c.width() == Some(0) { accents + 1 } else { 0 };
        if matches!(c, '\n' | '\t') || (inert::mark(c).is_none() && accents <= ACCENTS) {
            shown.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing into a String cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// Foreign words on one line, so that none of them looks like a line of ours: each run of white space is one space.
#[must_use]
pub fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Foreign text of several lines, each inert.
#[must_use]
pub fn inert_lines(foreign: &str) -> String {
    let lines: Vec<String> = foreign.lines().map(|line| text::plain(line, PLAIN)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_prints_and_has_the_same_value() {
        let pile = format!("\"a{}\"", "\u{301}".repeat(100));
        assert_eq!(escaped(&pile).matches("\\u0301").count(), 89);
        let json = "{\"a\":\"x\u{202e}y\u{e0041}\u{9b}é\u{7f}\"}";
        let shown = escaped(json);
        assert_eq!(shown, "{\"a\":\"x\\u202ey\\udb40\\udc41\\u009bé\\u007f\"}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(json));
    }

    #[test]
    fn foreign_lines_keep_their_ends_and_nothing_else_that_acts() {
        assert_eq!(inert_lines("a\u{1b}[31m\nb\r\nc\u{200b}"), "a␛[31m\nb\nc¿");
    }
}
