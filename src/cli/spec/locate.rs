//! Where in a JSON text a path points: `$.nodes[1].user` as a line and a column of the file as it was written.
//!
//! Owns a scanner that reads no values, only where they begin and end. Rules: the text has been found to be JSON before
//! (other text gives wrong places, never a panic); of keys that stand twice the last counts, as it does for whoever
//! reads the value; a path that leads nowhere gives the place of its nearest ancestor.

use std::fmt;
use std::ops::Range;

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Where it begins and ends in the text, in bytes.
    pub bytes: Range<usize>,
    /// The part of the path that leads nowhere from here, such as `model` or `[7]`; `None` where the path ends here.
    pub missing: Option<String>,
}

impl Place {
    /// The place of these bytes; ends outside of the text, or within a character, are moved into it.
    #[must_use]
    pub fn of(text: &str, bytes: Range<usize>) -> Self {
        let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let start = boundary(bytes.start);
        let end = boundary(bytes.end).max(start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            bytes: start..end,
            missing: None,
        }
    }

    /// The line that it begins on, without its end.
    #[must_use]
    pub fn line_of<'a>(&self, text: &'a str) -> &'a str {
        let (before, after) = text.split_at(self.bytes.start.min(text.len()));
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = after.find('\n').map_or(text.len(), |at| before.len() + at);
        text[start..end].trim_end_matches('\r')
    }
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// A member of an object.
    Key(String),
    /// An element of an array, or a member whose name is a number.
    Index(usize),
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Where `path` points in `text`: a JSON path (`$.nodes[0]['id']`, with or without `$`) or a JSON pointer
/// (`/nodes/0/id`). Of a path that cannot be read to its end, where its beginning points. `None` where the path is empty,
/// or is nothing of the kind.
#[must_use]
pub fn locate(text: &str, path: &str) -> Option<Place> {
    let path = path.trim();
    if path.is_empty() {
        return None;
    }
    let (segments, unread) = segments(path);
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_space();
    let root = scanner.at;
    let mut at = root;
    let mut missing = (!unread.is_empty()).then(|| unread.to_owned());
    for segment in segments {
        let Some(found) = child(text, at, &segment) else {
            missing = Some(segment.to_string());
            break;
        };
        at = found;
    }
    // Words that are no path would all point at the beginning.
    let is_none = at == root && missing.is_some() && !path.starts_with(['$', '/']);
    (!is_none).then(|| Place { missing, ..place(text, at) })
}

/// The place of the value that begins at a byte.
fn place(text: &str, at: usize) -> Place {
    let mut scanner = Scanner { text, at };
    scanner.skip_value();
    Place::of(text, at..scanner.at)
}

/// The steps of a path, and what of it cannot be read.
fn segments(path: &str) -> (Vec<Segment>, &str) {
    if path.starts_with('/') {
        let parts = path.split('/').skip(1);
        return (parts.map(|part| named(&part.replace("~1", "/").replace("~0", "~"))).collect(), "");
    }
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut segments = Vec::new();
    while !rest.is_empty() {
        let read = if let Some(inside) = rest.strip_prefix('[') { bracket(inside) } else { member(rest) };
        let Some((segment, after)) = read else { break };
        segments.push(segment);
        rest = after;
    }
    (segments, rest)
}

/// A name, with or without the dot before it.
fn member(rest: &str) -> Option<(Segment, &str)> {
    let name = rest.strip_prefix('.').unwrap_or(rest);
    let end = name.find(['.', '[']).unwrap_or(name.len());
    (end > 0).then(|| (named(&name[..end]), &name[end..]))
}

/// What stands in brackets, without the opening one: an index, or a key in either kind of quotes.
fn bracket(inside: &str) -> Option<(Segment, &str)> {
    let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let (index, after) = inside.split_once(']')?;
        return Some((Segment::Index(index.trim().parse().ok()?), after));
    };
    let mut key = String::new();
    let mut chars = inside.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.push(chars.next()?.1),
            c if c == quote => return Some((Segment::Key(key), inside[at + 1..].strip_prefix(']')?)),
            c => key.push(c),
        }
    }
    None
}

fn named(name: &str) -> Segment {
    name.parse().map_or_else(|_| Segment::Key(name.to_owned()), Segment::Index)
}

/// Where the child begins of the value that begins at `at`.
fn child(text: &str, at: usize, segment: &Segment) -> Option<usize> {
    let mut scanner = Scanner { text, at };
    match (scanner.peek()?, segment) {
        (b'{', Segment::Key(key)) => scanner.member(key),
        (b'{', Segment::Index(index)) => scanner.member(&index.to_string()),
        (b'[', Segment::Index(index)) => scanner.element(*index),
        _ => None,
    }
}

/// Walks over JSON without reading its values.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Steps over a bracket, a comma or a colon and the space behind it.
    fn step(&mut self) {
        self.at += 1;
        self.skip_space();
    }

    /// Where the last member of this name begins; stands on the opening brace.
    fn member(&mut self, key: &str) -> Option<usize> {
        let mut found = None;
        self.step();
        while self.peek() == Some(b'"') {
            let start = self.at;
            self.skip_string();
            let same = serde_json::from_str::<String>(&self.text[start..self.at]).is_ok_and(|name| name == key);
            self.skip_space();
            self.step();
            found = if same { Some(self.at) } else { found };
            self.next_sibling();
        }
        found
    }

    /// Where the element begins; stands on the opening bracket.
    fn element(&mut self, index: usize) -> Option<usize> {
        self.step();
        for _ in 0..index {
            // However large the index is, beyond the last element there is nothing to step over.
            if self.peek().is_none_or(|byte| byte == b']') {
                return None;
            }
            self.next_sibling();
        }
        self.peek().filter(|byte| *byte != b']').map(|_| self.at)
    }

    /// Over a value, and over the comma behind it where there is one.
    fn next_sibling(&mut self) {
        self.skip_value();
        self.skip_space();
        if self.peek() == Some(b',') {
            self.step();
        }
    }

    /// Over a string; stands on its opening quote.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
        self.at = self.at.min(self.text.len());
    }

    /// Over a value however deep it is.
    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.skip_string();
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                _ if depth == 0 => {
                    let rest = &self.text.as_bytes()[self.at..];
                    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']');
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                    return;
                }
                _ => self.at += 1,
            }
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
