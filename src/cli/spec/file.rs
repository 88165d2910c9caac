//! Files that the command line names, and the workflow spec in one of them.
//!
//! Owns reading them (`-` is standard input) and saying where they are wrong, as `file:line:column` with the line itself.
//! Rule: what a person wrote is kept byte for byte, but for a byte order mark.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::anyhow;

use crate::api::workflow::{SpecError, WorkflowSpec};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{PLAIN, report};
use crate::cli::spec::locate::Place;
use crate::view::text;

/// The most that is read of a file: 64 MiB, far beyond what any server takes.
const LIMIT: u64 = 64 * 1024 * 1024;

/// The columns of an excerpt where no terminal says how many there are.
const COLUMNS: usize = 120;

/// The path that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// A text file as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// What people call it.
    pub name: String,
    /// Its content.
    pub text: String,
}

impl SourceFile {
    /// Reads a file, or standard input where the path is `-`.
    ///
    /// # Errors
    /// When it cannot be read, is too long, or is no UTF-8.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let refused = |message: String| Failure::new(Exit::Refused, anyhow!(message));
        let is_input = path.as_os_str() == STANDARD_INPUT;
        let name = if is_input { "<stdin>".to_owned() } else { path.display().to_string() };
        let bytes = if is_input {
            if io::stdin().is_terminal() {
                report("reading from the keyboard; Ctrl-D ends it");
            }
            bounded(io::stdin().lock())
        } else {
            File::open(path).and_then(bounded)
        };
        let bytes = bytes.map_err(|error| refused(format!("cannot read {name}: {error}")))?;
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).map(<[u8]>::to_vec).unwrap_or(bytes);
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
                let place = Place::of(&before, valid..valid);
                Err(refused(format!("{name}:{}:{}: this is not UTF-8 text", place.line, place.column)))
            }
        }
    }

    /// `file:line:column`, as editors and terminals take it.
    #[must_use]
    pub fn at(&self, place: &Place) -> String {
        format!("{}:{}:{}", self.name, place.line, place.column)
    }

    /// The place that `serde_json` names: a line, and a column in bytes.
    #[must_use]
    pub fn place(&self, line: usize, column: usize) -> Place {
        let start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let length = self.text[start..].split('\n').next().unwrap_or_default().trim_end_matches('\r').len();
        // At the end of a line the column is 0 or one beyond.
        let at = start + column.saturating_sub(1).min(length);
        Place::of(&self.text, at..at)
    }

    /// What is wrong at a place, with the line.
    #[must_use]
    pub fn wrong_at(&self, place: &Place, problem: &str) -> Failure {
        let excerpt = self.excerpt(place, None);
        Failure::new(Exit::Refused, anyhow!("{}: {problem}\n{}", self.at(place), excerpt.trim_end()))
    }

    /// The line of a place with its number, and a mark below what the place is. What is foreign in it is made inert; of
    /// a long line the part round the place is shown.
    #[must_use]
    pub fn excerpt(&self, place: &Place, columns: Option<usize>) -> String {
        let number = place.line.to_string();
        let room = columns.unwrap_or(COLUMNS).saturating_sub(number.len() + 4).max(20);
        let line = place.line_of(&self.text);
        let line_start = self.text[..place.bytes.start].rfind('\n').map_or(0, |at| at + 1);
        let at = (place.bytes.start - line_start).min(line.len());
        let (start, ellipsis) = window(line, at, room / 2);
        let shown = text::cut_plain(&line[start..], room - ellipsis.chars().count(), PLAIN);
        let indent = ellipsis.chars().count() + text::width(&line[start..at], PLAIN);
        let value = &self.text[place.bytes.clone()];
        // Of an object or a list the opening bracket is enough.
        let width = if value.starts_with(['{', '[']) { 1 } else { text::width(value, PLAIN) };
        let marks = "^".repeat(width.clamp(1, room.saturating_sub(indent).max(1)));
        let label = match &place.missing {
            Some(missing) => format!(" has no {}", text::cut_plain(missing, room, PLAIN)),
            None => String::new(),
        };
        let gutter = " ".repeat(number.len());
        format!(" {number} | {ellipsis}{shown}\n {gutter} | {}{marks}{label}\n", " ".repeat(indent))
    }
}

/// Where the shown part of a line begins, so that what stands at `at` is in sight, and what says that it does not begin
/// at the beginning.
fn window(line: &str, at: usize, before: usize) -> (usize, &'static str) {
    let mut starts = line[..at].char_indices().rev().map(|(start, _)| start);
    match starts.nth(before.saturating_sub(1)) {
        Some(start) if start > 0 => (start, "…"),
        _ => (0, ""),
    }
}

/// All that a source has, up to a bound.
///
/// # Errors
/// When it cannot be read, or has more.
pub fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = source.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if read as u64 > LIMIT {
        return Err(io::Error::other(format!("it is longer than {LIMIT} bytes")));
    }
    Ok(bytes)
}

/// A workflow spec with the file that it stands in.
#[derive(Debug, Clone)]
pub struct SpecFile {
    /// The file.
    pub file: SourceFile,
    /// The spec.
    pub spec: WorkflowSpec,
}

impl SpecFile {
    /// Reads a spec.
    ///
    /// # Errors
    /// When the file cannot be read, or is not one JSON object.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let file = SourceFile::read(path)?;
        match WorkflowSpec::parse(&file.text) {
            Ok(spec) => Ok(Self { file, spec }),
            Err(SpecError::Json { line, column, problem }) => {
                let place = file.place(line, column);
                Err(file.wrong_at(&place, &format!("this is not JSON: {problem}")))
            }
            Err(error @ SpecError::NoObject(_)) => Err(Failure::new(Exit::Refused, anyhow!("{}: {error}", file.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::spec::locate::locate;

    fn file(text: &str) -> SourceFile {
        SourceFile { name: "spec.json".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn an_excerpt_marks_the_value_below_the_line() {
        let file = file("{\n\t\"user\": \"a\u{202e}漢\", \"x\": [1]}");
        let place = locate(&file.text, "$.user").unwrap();
        assert_eq!(file.at(&place), "spec.json:2:10");
        assert_eq!(file.excerpt(&place, None), " 2 |     \"user\": \"a¿漢\", \"x\": [1]}\n   |             ^^^^^^\n");
        let place = locate(&file.text, "$.x.model").unwrap();
        assert!(file.excerpt(&place, None).ends_with(" ^ has no model\n"), "{}", file.excerpt(&place, None));
    }

    #[test]
    fn of_a_long_line_the_part_round_the_place_is_shown() {
        let text = format!("{{\"a\":\"{}\",\"b\":7,\"c\":\"{}\"}}", "x".repeat(1_000_000), "y".repeat(1_000_000));
        let file = file(&text);
        let excerpt = file.excerpt(&locate(&text, "$.b").unwrap(), Some(60));
        let lines: Vec<&str> = excerpt.lines().collect();
        assert!(lines.iter().all(|line| text::width(line, PLAIN) <= 60), "{excerpt}");
        let column = lines[1].find('^').unwrap();
        assert_eq!(lines[0].chars().nth(column), Some('7'), "{excerpt}");
    }

    #[test]
    fn the_place_that_serde_json_names_is_counted_in_characters() {
        let text = "{\n \"ü\": ,\n \"b";
        let SpecError::Json { line, column, .. } = WorkflowSpec::parse(text).unwrap_err() else { panic!() };
        let place = file(text).place(line, column);
        assert_eq!((place.line, place.column), (2, 7));
        for (line, column) in [(0, 0), (1, 0), (3, 99), (99, 1)] {
            let place = file(text).place(line, column);
            assert!(place.bytes.end <= text.len(), "{place:?}");
        }
    }
}
