//! A line of the stream to an event: in one pass where nothing in it is unusual (`in_place`), else in two stages: the
//! envelope, then the part that its type names.
//!
//! Rule: whatever is wrong with a line, the error keeps the line and, where it can be read, its seq.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::recent::Recent;
use super::{ENVELOPE_VERSION, Event, EventBody, in_place};
use crate::api::ids::RunId;

/// A text that is borrowed from the line unless it holds an escape. (`Option<Cow<str>>` alone would always copy.)
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::ops::Deref for Word<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

/// The envelope with every part that any type uses, none of them decoded yet.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the wire's own names")]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(super) envelope_version: Option<Word<'a>>,
    #[serde(default)]
    pub(super) run_id: Option<RunId>,
    #[serde(default)]
    pub(super) seq: Option<u64>,
    #[serde(borrow, default)]
    pub(super) ts: Option<Word<'a>>,
    #[serde(borrow, default, rename = "type")]
    pub(super) event_type: Option<Word<'a>>,
    #[serde(borrow, default)]
    pub(super) plan_hash: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) node_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) outputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) task_list: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) memory_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) memory: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) llm_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) tool_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) tool_result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) waiting: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) user_ask: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) user_answer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_started: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_round_started: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_round_completed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_coordinator_started: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_coordinator_completed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_agent_started: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_agent_completed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_message_sent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_message_received: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scheduler_stopped: Option<&'a RawValue>,
}

pub(super) fn part<T: DeserializeOwned>(name: &'static str, raw: Option<&RawValue>) -> Result<T, Problem> {
    let raw = raw.ok_or(Problem::Missing(name))?;
    serde_json::from_str(raw.get()).map_err(|error| Problem::Malformed(name, error.to_string()))
}

/// What a line of the stream holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// An event.
    Event(Event),
    /// `{"type":"keepalive"}`: the server is alive and has nothing to say.
    Keepalive,
    /// An empty line.
    Blank,
}

/// What exactly breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The line is not UTF-8.
    #[error("not UTF-8 after byte {0}")]
    NotUtf8(usize),
    /// The line is not a JSON object of the envelope's form.
    #[error("not an event: {0}")]
    NotAnEvent(String),
    /// A required field is missing or null.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A required field is empty or blank.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// A field has not the form that its type asks for.
    #[error("`{0}` cannot be read: {1}")]
    Malformed(&'static str, String),
    /// The envelope is of another version.
    #[error("envelope_version is {0:?}, expected \"v2\"")]
    Version(String),
    /// Seq starts at 1.
    #[error("seq is 0; it starts at 1")]
    ZeroSeq,
    /// The event is of another run than the one that was asked for.
    #[error("the event belongs to run {0}")]
    OtherRun(RunId),
    /// The event's seq is so far ahead of all others, and no other near it, that it is not believed.
    #[error("seq is {0} ahead of all other events")]
    FarAhead(u64),
    /// The line was longer than the limit and was skipped; only its beginning is kept.
    #[error("a line of {bytes} bytes, over the limit of {limit}")]
    TooLong {
        /// Its whole length in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

/// A line that breaks the protocol, with the line.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "protocol error{}{}: {problem}",
    .line_number.map(|number| format!(" in line {number}")).unwrap_or_default(),
    .seq.map(|seq| format!(" at seq {seq}")).unwrap_or_default()
)]
pub struct ProtocolError {
    /// What is wrong.
    pub problem: Problem,
    /// The seq that the line claims, where one can be read: the line takes that place.
    pub seq: Option<u64>,
    /// The line as it came.
    pub line: bytes::Bytes,
    /// Which line of a file it is, counted from 1; `None` where it comes from a server.
    pub line_number: Option<u64>,
}

impl ProtocolError {
    /// A line of `bytes` bytes, over `limit`, of which only `prefix` was kept.
    #[must_use]
    pub fn too_long(bytes: u64, limit: u64, prefix: bytes::Bytes) -> Self {
        Self { problem: Problem::TooLong { bytes, limit }, seq: claimed_seq(&prefix), line: prefix, line_number: None }
    }
}

impl fmt::Debug for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolError")
            .field("problem", &self.problem)
            .field("seq", &self.seq)
            .field("line", &String::from_utf8_lossy(&self.line))
            .field("line_number", &self.line_number)
            .finish()
    }
}

/// Decodes the lines of one stream. It remembers what repeats from line to line, such as ids; what comes out of a line
/// does not depend on the lines before.
#[derive(Debug)]
pub struct Decoder {
    recent: Recent,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { recent: Recent::keeping() }
    }
}

impl Decoder {
    /// Decodes one line, without its line ending.
    ///
    /// # Errors
    /// When the line breaks the protocol; the error keeps the line and, where it can be read, its seq.
    pub fn decode(&mut self, line: &[u8]) -> Result<Decoded, ProtocolError> {
        self.decode_text(line).map_err(|problem| ProtocolError {
            seq: claimed_seq(line),
            problem,
            line: bytes::Bytes::copy_from_slice(line),
            line_number: None,
        })
    }

    fn decode_text(&mut self, line: &[u8]) -> Result<Decoded, Problem> {
        let text = std::str::from_utf8(line).map_err(|error| Problem::NotUtf8(error.valid_up_to()))?;
        match in_place::event(text, &mut self.recent) {
            Some(event) => Ok(Decoded::Event(event)),
            None => in_two_stages(text),
        }
    }
}

/// Decodes one line, without its line ending, that stands by itself. For many of one stream see [`Decoder`].
///
/// # Errors
/// As [`Decoder::decode`].
pub fn decode(line: &[u8]) -> Result<Decoded, ProtocolError> {
    Decoder { recent: Recent::default() }.decode(line)
}

/// The envelope, then the part that its type names.
pub(super) fn in_two_stages(text: &str) -> Result<Decoded, Problem> {
    if text.trim().is_empty() {
        return Ok(Decoded::Blank);
    }
    if !text.trim_start().starts_with('{') {
        // A list of the fields' values would be read as an envelope, too.
        return Err(Problem::NotAnEvent("expected a JSON object".to_owned()));
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| Problem::NotAnEvent(error.to_string()))?;
    if envelope.event_type.as_deref() == Some("keepalive") && envelope.seq.is_none() {
        return Ok(Decoded::Keepalive);
    }
    match envelope.envelope_version.as_deref() {
        Some(ENVELOPE_VERSION) => {}
        Some(other) => return Err(Problem::Version(other.to_owned())),
        None => return Err(Problem::Missing("envelope_version")),
    }
    let seq = envelope.seq.ok_or(Problem::Missing("seq"))?;
    if seq == 0 {
        return Err(Problem::ZeroSeq);
    }
    let ts = envelope.ts.as_deref().ok_or(Problem::Missing("ts"))?;
    Ok(Decoded::Event(Event {
        run_id: envelope.run_id.ok_or(Problem::Missing("run_id"))?,
        seq,
        ts: ts.parse().map_err(|error: jiff::Error| Problem::Malformed("ts", error.to_string()))?,
        body: EventBody::from_envelope(&envelope, text)?,
    }))
}

/// The seq that a broken line claims, where one can still be read: also from a line that breaks off behind it.
fn claimed_seq(line: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(line);
    let claim = Cell::new(None);
    // Where the line is broken this fails, and what was read before stands in the cell.
    let _ = serde_json::Deserializer::from_str(&text).deserialize_map(ClaimReader(&claim));
    claim.get().filter(|seq| *seq > 0)
}

/// Notes an object's `seq` once the next field's name, or the object's end, proves that its number is whole.
struct ClaimReader<'c>(&'c Cell<Option<u64>>);

impl<'de> Visitor<'de> for ClaimReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut claim = None;
        while let Some(name) = map.next_key::<String>()? {
            self.0.set(claim);
            if name == "seq" {
                claim = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        self.0.set(claim);
        Ok(())
    }
}
