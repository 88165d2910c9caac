//! What faults do to the events of one answer: pure, a line at a time.
//!
//! Rule: whatever is left out, repeated, moved or put between, no event is changed but by `hostile-text`, and that in
//! its free texts only, the same for every reader.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::catalogue::Fault;
use super::injector::Request;

/// Characters that must never reach a terminal as they are: escapes, controls of both kinds, bidi, zero-width.
pub(crate) const HOSTILE: &str =
    "\u{1b}[31m\u{1b}]0;owned\u{7}\u{202e}exe.txt\u{2066}\u{200b}\u{feff}\u{9b}2J\u{8}\r\u{e0041}";

/// The free texts of an event, names and ids among them, by which nothing is found again and with which no answer is
/// compared: neither a node's id, nor what a call is and what came of it.
const FREE_TEXTS: &[&str] = &[
    "/delta/text_delta",
    "/delta/response_id",
    "/error/code",
    "/error/message",
    "/llm_call/provider",
    "/llm_call/model",
    "/llm_call/response_id",
    "/llm_call/stop_reason",
    "/tool_call/tool_call/arguments",
    "/output/artifact_key",
    "/outputs/artifact_key",
    "/task_list/artifact_key",
    "/memory/artifact_key",
    "/memory_key",
    "/waiting/reason",
    "/user_ask/question",
    "/user_ask/options/0/description",
    "/scheduler_started/topic",
    "/scheduler_agent_started/input",
    "/scheduler_agent_completed/summary",
    "/scheduler_coordinator_completed/decision",
    "/scheduler_message_sent/message_id",
    "/scheduler_message_received/message_id",
    "/scheduler_stopped/reason",
];

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// An event's line, with its end.
    Event(Bytes),
    /// A line that is no event, without its end.
    Foreign(Bytes),
    /// An empty line.
    Blank,
    /// A sign of life.
    Keepalive,
    /// A line of about so many bytes.
    Long(u64),
}

/// The events of one answer on their way.
#[derive(Debug)]
pub(crate) struct Distortion {
    request: Arc<Request>,
    /// Sent after the next event.
    held: Vec<Item>,
}

impl Distortion {
    /// What befalls the events of this request; `None` where nothing can.
    pub(crate) fn of(request: &Arc<Request>) -> Option<Self> {
        request.distorts().then(|| Self { request: Arc::clone(request), held: Vec::new() })
    }

    /// What is sent when this event is to be sent.
    pub(crate) fn event(&mut self, seq: u64, line: &Bytes) -> Vec<Item> {
        let due = std::mem::take(&mut self.held);
        let drawn = self.request.event(seq, |fault| fault != Fault::Reorder || due.is_empty());
        let (mut items, mut copies, mut later_copies, mut later, mut absent) = (Vec::new(), 1, 0, false, false);
        let mut line = line.clone();
        for one in drawn {
            match one.fault {
                Fault::Skip | Fault::Gap => absent = true,
                // Some at once, some after the event that follows.
                Fault::Duplicate if one.draw % 2 == 0 => copies += 1,
                Fault::Duplicate => later_copies += 1,
                Fault::Reorder => later = true,
                Fault::Garbage => items.push(Item::Foreign(garbage(one.draw))),
                Fault::InvalidUtf8 => items.push(Item::Foreign(invalid_utf8(one.draw))),
                Fault::LongLine => {
                    let size = self.request.rule(one).and_then(super::Rule::size);
                    items.push(Item::Long(size.unwrap_or_default()));
                }
                Fault::BlankLines => items.extend((0..=one.draw % 3).map(|_| Item::Blank)),
                Fault::Keepalives => items.extend((0..=one.draw % 3).map(|_| Item::Keepalive)),
                Fault::HostileText => line = hostile(&line),
                _ => {}
            }
        }
        let repeat = |times| std::iter::repeat_n(Item::Event(line.clone()), times);
        if absent {
            self.held = due;
        } else if later {
            self.held = repeat(copies + later_copies).collect();
        } else {
            items.extend(repeat(copies));
            items.extend(due);
            self.held = repeat(later_copies).collect();
        }
        items
    }

    /// What was held back and is due, since no event follows.
    pub(crate) fn rest(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.held)
    }

    /// Whether something is held back.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }
}

/// A line that is JSON of another kind, torn JSON, or none at all; none has a seq that could be read.
fn garbage(draw: u64) -> Bytes {
    const LINES: &[&[u8]] = &[
        b"<html><body>502 Bad Gateway</body></html>",
        b"{\"envelope_version\":\"v2\",\"type\":\"node_sta",
        b"]]}}",
        b"[1,2,3]",
        b"null",
        b"\x00\x01\x02",
        b"{\"error\":{\"code\":\"INTERNAL\",\"message\":\"stream worker died\"}}",
        b"HTTP/1.1 200 OK",
    ];
    let index = usize::try_from(draw % LINES.len() as u64).unwrap_or_default();
    Bytes::from_static(LINES[index])
}

/// A lone continuation byte, a torn character, an overlong spelling, a surrogate.
fn invalid_utf8(draw: u64) -> Bytes {
    const LINES: &[&[u8]] = &[b"\"\x80\"", b"{\"text\":\"f\xc3\"}", b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"\xff\xfe"];
    let index = usize::try_from(draw % LINES.len() as u64).unwrap_or_default();
    Bytes::from_static(LINES[index])
}

/// The same event with hostile characters at the end of its free texts; as it was where it has none.
fn hostile(line: &Bytes) -> Bytes {
    let Ok(mut event) = serde_json::from_slice::<Value>(line) else { return line.clone() };
    for pointer in FREE_TEXTS {
        if let Some(Value::String(text)) = event.pointer_mut(pointer) {
            text.push_str(HOSTILE);
        }
    }
    let mut changed = event.to_string().into_bytes();
    changed.push(b'\n');
    changed.into()
}
