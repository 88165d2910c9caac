//! A line to an event in one pass, where its type stands before its parts, as servers write it.
//!
//! Owns the quick way only. Whatever is unusual in a line (its parts before its type, a field that stands there twice, a
//! type that nobody knows, anything wrong) is left to the two stages of [`decode`](super::decode), which alone say what an
//! error is. Rule: an event that comes out here is the one that the two stages give.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::decode::Word;
use super::recent::Recent;
use super::{ENVELOPE_VERSION, Event, EventBody, part};
use crate::api::ids::{NodeId, PlanHash, RunId};

macro_rules! fields {
    ($($field:ident = $name:literal,)+) => {
        /// The fields of an envelope that any type uses.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(non_camel_case_types, reason = "the wire's own names, as the payloads' fields have them")]
        pub(super) enum Field {
            $($field,)+
            /// Any other, which nobody reads.
            Other,
        }

        impl Field {
            fn named(name: &[u8]) -> Self {
                match name {
                    $($name => Self::$field,)+
                    _ => Self::Other,
                }
            }
        }
    };
}

fields! {
    envelope_version = b"envelope_version",
    run_id = b"run_id",
    seq = b"seq",
    ts = b"ts",
    event_type = b"type",
    plan_hash = b"plan_hash",
    node_id = b"node_id",
    error = b"error",
    outputs = b"outputs",
    task_list = b"task_list",
    memory_key = b"memory_key",
    memory = b"memory",
    llm_call = b"llm_call",
    tool_call = b"tool_call",
    tool_result = b"tool_result",
    waiting = b"waiting",
    user_ask = b"user_ask",
    user_answer = b"user_answer",
    delta = b"delta",
    output = b"output",
    scheduler_started = b"scheduler_started",
    scheduler_round_started = b"scheduler_round_started",
    scheduler_round_completed = b"scheduler_round_completed",
    scheduler_coordinator_started = b"scheduler_coordinator_started",
    scheduler_coordinator_completed = b"scheduler_coordinator_completed",
    scheduler_agent_started = b"scheduler_agent_started",
    scheduler_agent_completed = b"scheduler_agent_completed",
    scheduler_message_sent = b"scheduler_message_sent",
    scheduler_message_received = b"scheduler_message_received",
    scheduler_stopped = b"scheduler_stopped",
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Field;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Field, E> {
                Ok(Field::named(name.as_bytes()))
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

/// A part of the envelope as it is read in its place.
pub(super) trait Part<'de>: Deserialize<'de> {
    fn read<M: MapAccess<'de>>(map: &mut M, _recent: &mut Recent) -> Result<Self, M::Error> {
        map.next_value()
    }
}

macro_rules! parts {
    ($($name:ty),+ $(,)?) => { $(impl<'de> Part<'de> for $name {})+ };
}

parts! {
    PlanHash, String, part::AgentEnd, part::AgentStart, part::Artifact, part::CoordinatorEnd, part::CoordinatorStart,
    part::Delta, part::Failure, part::LlmCall, part::MessageReceived, part::MessageSent, part::RoundEnd,
    part::RoundStart, part::SchedulerStart, part::SchedulerStop, part::SteppedToolCall, part::SteppedToolResult,
    part::UserAnswer, part::UserAsk, part::Waiting,
}

impl<'de> Part<'de> for NodeId {
    fn read<M: MapAccess<'de>>(map: &mut M, recent: &mut Recent) -> Result<Self, M::Error> {
        recent.node_id(&map.next_value::<Word<'de>>()?).ok_or_else(unusual)
    }
}

/// An error that nobody sees: the two stages look at the line again.
pub(super) fn unusual<E: serde::de::Error>() -> E {
    E::custom("")
}

/// What every event has, as it comes.
pub(super) struct Head<'r> {
    pub(super) recent: &'r mut Recent,
    /// The fields that stood there, a bit each.
    seen: u32,
    has_version: bool,
    run_id: Option<RunId>,
    seq: u64,
    ts: Option<jiff::Timestamp>,
}

impl Head<'_> {
    /// The next field's name.
    pub(super) fn next_field<'de, M: MapAccess<'de>>(&mut self, map: &mut M) -> Result<Option<Field>, M::Error> {
        let field = map.next_key::<Field>()?;
        if let Some(field) = field.filter(|field| *field != Field::Other) {
            let bit = 1 << field as u32;
            if self.seen & bit != 0 {
                return Err(unusual());
            }
            self.seen |= bit;
        }
        Ok(field)
    }

    /// Takes a field that is none of the type's own.
    pub(super) fn take<'de, M: MapAccess<'de>>(&mut self, field: Field, map: &mut M) -> Result<(), M::Error> {
        match field {
            Field::envelope_version => self.has_version = *map.next_value::<Word<'de>>()? == *ENVELOPE_VERSION,
            Field::run_id => self.run_id = self.recent.run_id(&map.next_value::<Word<'de>>()?),
            Field::seq => self.seq = map.next_value()?,
            Field::ts => self.ts = self.recent.timestamp(&map.next_value::<Word<'de>>()?),
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn event<E: serde::de::Error>(&self, body: EventBody) -> Result<Event, E> {
        match (self.run_id, self.ts) {
            (Some(run_id), Some(ts)) if self.has_version && self.seq > 0 => {
                Ok(Event { run_id, seq: self.seq, ts, body })
            }
            _ => Err(unusual()),
        }
    }
}

/// Reads a line into a place of the caller's: an event is large, and each hand that it goes through copies it.
struct Line<'a> {
    recent: &'a mut Recent,
    event: &'a mut Option<Event>,
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut head = Head { recent: self.recent, seen: 0, has_version: false, run_id: None, seq: 0, ts: None };
        while let Some(field) = head.next_field(&mut map)?.filter(|field| is_before_its_type(*field)) {
            if field == Field::event_type {
                let word = map.next_value::<Word<'de>>()?;
                let body = EventBody::read(&word, &mut map, &mut head)?;
                *self.event = Some(head.event(body)?);
                return Ok(());
            }
            head.take(field, &mut map)?;
        }
        Err(unusual())
    }
}

/// Whether a field may stand before the type without being one that the type decides about.
fn is_before_its_type(field: Field) -> bool {
    matches!(field, Field::envelope_version | Field::run_id | Field::seq | Field::ts | Field::event_type | Field::Other)
}

/// The event of a line; `None` where the two stages have to look at it.
pub(super) fn event(text: &str, recent: &mut Recent) -> Option<Event> {
    let mut event = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Line { recent, event: &mut event }).ok()?;
    deserializer.end().ok()?;
    event
}
