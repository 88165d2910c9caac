//! Events for people: one line each.
//!
//! ```text
//! 2026-01-01T00:00:00.250Z       3  node_started        diagnose
//! 2026-01-01T00:00:01.000Z       4  node_output_delta   diagnose  The error rate rose at 14:02, right after the deploy.
//! 2026-01-01T00:00:02.000Z       9  node_tool_call      diagnose  lookup {"service":"api"}
//! ```
//!
//! Rules: every foreign text is inert; pieces of streamed text are joined until the line or the text ends, and what has
//! no text of its own (the start and the stop of a message) is left out.

use super::super::stream;
use crate::api::event::{DeltaKind, Event, EventBody, NodeOutputDelta};
use crate::api::ids::NodeId;
use crate::cli::stream::Lines;
use crate::view;

/// Characters of streamed text without a line end that are joined.
const JOINED: usize = 300;

/// Columns of an event's type; longer ones push what follows.
const TYPE: usize = 18;

/// Prints events, joining what is streamed.
#[derive(Debug, Default)]
pub(super) struct Pretty {
    text: Option<Text>,
}

/// Streamed text that has not ended.
#[derive(Debug)]
struct Text {
    head: String,
    node_id: NodeId,
    kind: DeltaKind,
    words: String,
}

impl Pretty {
    /// Whether a piece of streamed text waits for its next one.
    pub(super) fn is_joining(&self) -> bool {
        self.text.is_some()
    }

    pub(super) fn event(&mut self, event: &Event, lines: &mut Lines) {
        if let EventBody::NodeOutputDelta(delta) = &event.body {
            return self.delta(event, delta, lines);
        }
        self.end_text(lines);
        lines.push(line(&head(event), &view::gist(event)).as_bytes());
    }

    fn delta(&mut self, event: &Event, delta: &NodeOutputDelta, lines: &mut Lines) {
        let kind = &delta.delta.kind;
        let goes_on = self.text.as_ref().is_some_and(|text| text.node_id == delta.node_id && text.kind == *kind);
        if !goes_on {
            self.end_text(lines);
        }
        let Some(more) = delta.delta.text_delta.as_deref().filter(|more| !more.is_empty()) else {
            if !is_mark(kind) {
                lines.push(line(&head(event), kind.as_str()).as_bytes());
            }
            return;
        };
        let text = self.text.get_or_insert_with(|| Text {
            head: head(event),
            node_id: delta.node_id.clone(),
            kind: kind.clone(),
            words: String::new(),
        });
        text.words.push_str(more);
        while let Some((ended, rest)) = text.words.split_once('\n') {
            let (ended, rest) = (ended.to_owned(), rest.to_owned());
            text.print(&ended, lines);
            text.words = rest;
            text.head = head(event);
        }
        match text.words.chars().nth(JOINED) {
            None if text.words.is_empty() => self.text = None,
            None => {}
            Some(_) => self.end_text(lines),
        }
    }

    /// Prints the streamed text that waits.
    pub(super) fn end_text(&mut self, lines: &mut Lines) {
        if let Some(text) = self.text.take() {
            text.print(&text.words, lines);
        }
    }
}

impl Text {
    fn print(&self, words: &str, lines: &mut Lines) {
        if words.trim().is_empty() {
            return;
        }
        let words = match self.kind {
            DeltaKind::MessageDelta => words.to_owned(),
            _ => format!("{} {words}", self.kind),
        };
        // A single delta may be longer than a line.
        let mut rest = words.as_str();
        while !rest.is_empty() {
            let end = rest.char_indices().nth(JOINED).map_or(rest.len(), |(at, _)| at);
            lines.push(line(&self.head, &rest[..end]).as_bytes());
            rest = &rest[end..];
        }
    }
}

/// Whether a delta of this kind only marks a place between others.
fn is_mark(kind: &DeltaKind) -> bool {
    matches!(kind, DeltaKind::MessageStart | DeltaKind::MessageStop | DeltaKind::ToolUseStart | DeltaKind::ToolUseStop)
}

/// Time, seq, type and node.
fn head(event: &Event) -> String {
    let node = stream::gist(event.body.node_id().map_or("-", NodeId::as_str));
    let name = stream::gist(event.body.type_name());
    format!("{}  {:>6}  {name:<TYPE$}  {node}", event.ts.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"), event.seq)
}

fn line(head: &str, words: &str) -> String {
    format!("{head}  {}", stream::gist(words)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::event::{Decoded, decode};

    fn event(seq: u64, rest: &str) -> Event {
        let line = format!(
            r#"{{"envelope_version":"v2","run_id":"550e8400-e29b-41d4-a716-446655440000","seq":{seq},"ts":"2026-01-01T00:00:00.25Z",{rest}}}"#
        );
        match decode(line.as_bytes()) {
            Ok(Decoded::Event(event)) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn delta(seq: u64, node: &str, kind: &str, text: &str) -> Event {
        let text = serde_json::to_string(text).unwrap();
        event(
            seq,
            &format!(
                r#""type":"node_output_delta","node_id":"{node}","delta":{{"kind":"{kind}","text_delta":{text}}}"#
            ),
        )
    }

    /// What is printed for these events, without the times.
    fn printed(events: &[Event]) -> Vec<String> {
        let (mut pretty, mut lines) = (Pretty::default(), Lines::default());
        for event in events {
            pretty.event(event, &mut lines);
        }
        pretty.end_text(&mut lines);
        let words = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        lines.text().lines().map(words).collect()
    }

    #[test]
    fn streamed_text_is_joined_until_a_line_another_node_or_another_event_ends_it() {
        let events = [
            delta(1, "a", "message_start", ""),
            delta(2, "a", "message_delta", "The error "),
            delta(3, "a", "message_delta", "rate.\nIt ro"),
            delta(4, "a", "message_delta", "se"),
            delta(5, "b", "message_delta", "other"),
            delta(6, "a", "message_delta", "again"),
            event(7, r#""type":"node_succeeded","node_id":"a""#),
        ];
        let expected = [
            "2 node_output_delta a The error rate.",
            "3 node_output_delta a It rose",
            "5 node_output_delta b other",
            "6 node_output_delta a again",
            "7 node_succeeded a",
        ];
        assert_eq!(printed(&events), expected);
    }

    #[test]
    fn text_without_a_line_end_does_not_wait_for_ever_and_loses_nothing() {
        let long = "x".repeat(1_000);
        let lines = printed(&[delta(1, "a", "message_delta", &long), delta(2, "a", "message_delta", "y")]);
        let shown: String = lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(shown, format!("{long}y"));
    }

    #[test]
    fn kinds_that_nobody_has_heard_of_and_hostile_text_are_shown_inert() {
        let events = [
            delta(1, "a", "dreams", "z\u{1b}]0;t\u{7}"),
            delta(2, "a", "sighs", ""),
            event(3, r#""type":"x\u001b[2Jy""#),
        ];
        assert_eq!(
            printed(&events),
            ["1 node_output_delta a dreams z␛]0;t␇", "2 node_output_delta a sighs", "3 x␛[2Jy -"]
        );
    }

    #[test]
    fn a_line_starts_with_time_seq_type_and_node() {
        let (mut pretty, mut lines) = (Pretty::default(), Lines::default());
        pretty.event(
            &event(12, r#""type":"node_failed","node_id":"diagnose","error":{"message":"no\nluck"}"#),
            &mut lines,
        );
        assert_eq!(lines.text(), "2026-01-01T00:00:00.250Z      12  node_failed         diagnose  no luck\n");
    }
}
