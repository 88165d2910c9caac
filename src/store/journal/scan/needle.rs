//! A text that is looked for in events, and what counts as holding it.
//!
//! Searched is what an event says: its type, its node, and every text in it, as people read it (an escape in the JSON is
//! what it stands for); of an inline content and of a decision, which are JSON of any form, also names and numbers. Not
//! searched are the names of the wire's own fields, and the envelope's version, run, seq and time: they say nothing that
//! the others do not, and would make `node` or a digit a match of every line. A line that is no event is searched as it
//! stands.
//!
//! Capitals count where the text has one; otherwise they do not.
//!
//! Rule: a line that `Needle::look` would take passes the `Sieve`, which sees only bytes. It looks for the text as
//! JSON writers write it, so a text is not found where its letters, digits and common signs are written as escapes
//! (`\u0041` for `A`), which JSON allows and nobody writes; nor, where capitals do not count, where such a letter is
//! one beyond ASCII that folds to it (`ſ` for `s`).

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::Range;

use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder, bytes};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The longest text that is looked for, in bytes.
pub const MAX_BYTES: usize = 1_024;

/// Bytes of the part of a text that the sieve looks for where capitals do not count: each byte doubles the spellings.
const WINDOW: usize = 4;

/// How many such parts of a text are compared.
const WINDOWS: usize = 64;

/// Bytes of a sample that are looked at, its last: the first lines of a file are like no others.
const SAMPLE: usize = 64 * 1024;

/// A part of a text under so many bytes sieves too little.
const SHORTEST_PART: usize = 3;

/// Bytes that are kept before and behind a match.
const ROUND: (usize, usize) = (60, 300);

/// Signs that JSON writers never escape, letters and digits aside.
const PLAIN_SIGNS: &[u8] = b" _-.,:;!?()[]{}=*#%@|~^$";

/// Why a text cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoNeedle {
    /// There is nothing to look for.
    #[error("there is nothing to search for")]
    Empty,
    /// It is longer than anything that is typed.
    #[error("the text to search for is over {MAX_BYTES} bytes")]
    TooLong,
}

/// A text that is looked for.
#[derive(Debug, Clone)]
pub struct Needle {
    text: String,
    capitals_count: bool,
    /// Finds it in a text as people read it.
    spoken: Regex,
    /// Finds it in a line as JSON writers write it.
    written: bytes::Regex,
}

/// A match with what stands round it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Where the match stands in it, in bytes.
    pub at: Range<usize>,
}

/// What a line holds.
pub(super) struct Looked {
    pub(super) piece: Piece,
    /// The event's node, where it could be read.
    pub(super) node_id: Option<String>,
}

/// Finds, in bytes, the places near which the text may stand.
#[derive(Debug)]
pub(super) enum Sieve {
    Exact(Box<Finder<'static>>),
    Spelled(bytes::Regex),
}

impl Sieve {
    pub(super) fn find(&self, lines: &[u8]) -> Option<usize> {
        match self {
            Self::Exact(finder) => finder.find(lines),
            Self::Spelled(regex) => regex.find(lines).map(|found| found.start()),
        }
    }
}

impl Needle {
    /// A text to look for, as people read it.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn new(text: &str) -> Result<Self, NoNeedle> {
        if text.is_empty() {
            return Err(NoNeedle::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(NoNeedle::TooLong);
        }
        let capitals_count = text.chars().any(char::is_uppercase);
        let spoken = RegexBuilder::new(&regex::escape(text)).case_insensitive(!capitals_count).build();
        let written = spelled(&written(text, capitals_count), capitals_count);
        // The only thing wrong with an escaped text could be its length.
        match (spoken, written) {
            (Ok(spoken), Ok(written)) => Ok(Self { text: text.to_owned(), capitals_count, spoken, written }),
            _ => Err(NoNeedle::TooLong),
        }
    }

    /// Whether a capital letter in the text makes capitals count.
    #[must_use]
    pub fn capitals_count(&self) -> bool {
        self.capitals_count
    }

    /// The sieve for lines such as these: where capitals do not count, it looks for the part of the text whose letters
    /// are rarest there.
    pub(super) fn sieve(&self, sample: &[u8]) -> Sieve {
        let part =
            self.text.as_bytes().split(|byte| !is_plain(*byte)).max_by_key(|part| part.len()).unwrap_or_default();
        if part.len() < SHORTEST_PART.min(self.text.len()) {
            return Sieve::Spelled(self.written.clone());
        }
        if self.capitals_count {
            return Sieve::Exact(Box::new(Finder::new(part).into_owned()));
        }
        let window = rarest(part, &sample[sample.len().saturating_sub(SAMPLE)..]);
        let sieve = spelled(&regex::escape(&String::from_utf8_lossy(window)), false);
        Sieve::Spelled(sieve.unwrap_or_else(|_| self.written.clone()))
    }

    /// Looks at one line, without its line end; `None` where it does not hold the text.
    pub(super) fn look(&self, line: &[u8]) -> Option<Looked> {
        if !self.written.is_match(line) {
            return None;
        }
        let mut look = Look { needle: self, piece: None, node_id: None };
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = Walk { look: &mut look, place: Place::Envelope }.deserialize(&mut json);
        let Look { mut piece, node_id, .. } = look;
        if read.and_then(|()| json.end()).is_err() {
            // It is no event, or one in which JSON is nested deeper than anything here follows.
            piece = piece.or_else(|| self.piece(&String::from_utf8_lossy(line)));
        }
        piece.map(|piece| Looked { piece, node_id })
    }

    fn piece(&self, text: &str) -> Option<Piece> {
        let found = self.spoken.find(text)?;
        // A text and the ends of a match are boundaries, so both are found.
        let boundary = |at: &usize| text.is_char_boundary(*at);
        let from = (found.start().saturating_sub(ROUND.0)..=found.start()).find(boundary)?;
        let to = (found.end()..=text.len().min(found.end() + ROUND.1)).rev().find(boundary)?;
        Some(Piece { text: text[from..to].to_owned(), at: found.start() - from..found.end() - from })
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || PLAIN_SIGNS.contains(&byte)
}

/// The few bytes of `part` that stand together, of those at its beginning, that are the rarest in `sample`: first by how
/// often they stand there together, then by how often each of them does.
fn rarest<'p>(part: &'p [u8], sample: &[u8]) -> &'p [u8] {
    let Some(windows) = part.get(..part.len().min(WINDOWS + WINDOW - 1)).filter(|part| part.len() > WINDOW) else {
        return part;
    };
    let folded = |window: &[u8]| window.iter().fold(0_u32, |all, byte| all << 8 | u32::from(byte.to_ascii_lowercase()));
    let mut together: Vec<(u32, u32)> = windows.windows(WINDOW).map(|window| (folded(window), 0)).collect();
    together.sort_unstable();
    let mut alone = [1_u32; 256];
    let mut last = 0_u32;
    for byte in sample {
        let byte = byte.to_ascii_lowercase();
        alone[usize::from(byte)] += 1;
        last = last << 8 | u32::from(byte);
        // Of equal ones any is counted, and the same is found again below.
        if let Ok(at) = together.binary_search_by_key(&last, |(window, _)| *window) {
            together[at].1 += 1;
        }
    }
    let weight = |window: &&[u8]| {
        let at = together.binary_search_by_key(&folded(window), |(window, _)| *window);
        let each: f64 = window.iter().map(|byte| f64::from(alone[usize::from(byte.to_ascii_lowercase())])).product();
        (at.map_or(0, |at| together[at].1), each)
    };
    let order = |a: &&[u8], b: &&[u8]| {
        let ((together_a, each_a), (together_b, each_b)) = (weight(a), weight(b));
        together_a.cmp(&together_b).then(each_a.total_cmp(&each_b))
    };
    windows.windows(WINDOW).min_by(order).unwrap_or(part)
}

fn spelled(pattern: &str, capitals_count: bool) -> Result<bytes::Regex, regex::Error> {
    bytes::RegexBuilder::new(pattern).unicode(false).case_insensitive(!capitals_count).build()
}

/// The pattern of a text as JSON writers write it, each character in every way that one of them has for it.
fn written(text: &str, capitals_count: bool) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if u8::try_from(c).is_ok_and(is_plain) {
            pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
            continue;
        }
        let mut variants = vec![c];
        if !capitals_count {
            variants.extend(c.to_lowercase().chain(c.to_uppercase()));
            variants.sort_unstable();
            variants.dedup();
        }
        let spellings: Vec<String> = variants.into_iter().flat_map(spellings).collect();
        // Writing to a String cannot fail.
        let _ = write!(pattern, "(?:{})", spellings.join("|"));
    }
    pattern
}

/// Every way in which a JSON writer writes a character.
fn spellings(c: char) -> Vec<String> {
    let mut spellings = Vec::new();
    if c >= ' ' {
        // A pattern without Unicode knows bytes only. A quotation mark and a backslash stand so in what is no JSON.
        spellings.push(each(c.encode_utf8(&mut [0; 4]).bytes(), |byte, all| write!(all, r"\x{byte:02x}")));
    }
    let short = match c {
        '"' | '\\' | '/' => Some(c),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        _ => None,
    };
    spellings.extend(short.map(|short| format!(r"\\{}", regex::escape(short.encode_utf8(&mut [0; 4])))));
    spellings.push(each(c.encode_utf16(&mut [0; 2]).iter(), |unit, all| write!(all, r"\\u(?i:{unit:04x})")));
    spellings
}

fn each<T>(items: impl Iterator<Item = T>, write: impl Fn(T, &mut String) -> fmt::Result) -> String {
    let mut all = String::new();
    for item in items {
        // Writing to a String cannot fail.
        let _ = write(item, &mut all);
    }
    all
}

/// What is noted while a line is walked through.
struct Look<'n> {
    needle: &'n Needle,
    piece: Option<Piece>,
    node_id: Option<String>,
}

impl Look<'_> {
    fn text(&mut self, text: &str) {
        if self.piece.is_none() {
            self.piece = self.needle.piece(text);
        }
    }
}

/// Where in an event a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is the event.
    Envelope,
    /// It is the event's node.
    Node,
    /// In a part that the wire has names for.
    Part,
    /// In JSON of any form.
    Content,
}

impl Place {
    /// Where the value of a field stands; `None` where it is not searched.
    fn of(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Envelope, "envelope_version" | "run_id" | "seq" | "ts") => None,
            (Self::Envelope, "node_id") => Some(Self::Node),
            (Self::Part, "content" | "decision") | (Self::Content, _) => Some(Self::Content),
            (Self::Envelope | Self::Node | Self::Part, _) => Some(Self::Part),
        }
    }
}

/// Walks through a value.
struct Walk<'l, 'n> {
    look: &'l mut Look<'n>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A name that is borrowed from the line unless it holds an escape.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.look.text(text);
        if self.place == Place::Node {
            self.look.node_id = Some(text.to_owned());
        }
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.number(&number);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.number(&number);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.number(&number);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Walk { look, place } = self;
        while items.next_element_seed(Walk { look, place })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Walk { look, place } = self;
        while let Some(Name(name)) = fields.next_key::<Name<'de>>()? {
            if place == Place::Content {
                look.text(&name);
            }
            match place.of(&name) {
                // A node is still to be told.
                Some(Place::Node) => fields.next_value_seed(Walk { look, place: Place::Node })?,
                Some(place) if look.piece.is_none() => fields.next_value_seed(Walk { look, place })?,
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl Walk<'_, '_> {
    fn number(self, number: &impl ToString) {
        if self.place == Place::Content {
            self.look.text(&number.to_string());
        }
    }
}
