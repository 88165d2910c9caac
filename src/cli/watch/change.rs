//! One change, and the line that tells it.
//!
//! Rules: a change's text is one line of bounded length, with foreign text in it as it came; it is made inert where the
//! line is made. Each line starts with its time.

use jiff::{Timestamp, Unit};
use serde::Serialize;

use crate::api::ids::NodeId;
use crate::cli::output;
use crate::view::text;

/// Characters of foreign text in a change.
const BRIEF: usize = 300;

/// What a change is about; the words stand in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Link,
    Summary,
    Run,
    Node,
    Wait,
    Answer,
    Cost,
    Tasks,
    Memory,
    Scheduler,
    Problem,
    Pending,
    Heartbeat,
}

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) ts: Timestamp,
    pub(super) seq: u64,
    pub(super) kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) node_id: Option<NodeId>,
    pub(super) text: String,
}

impl Change {
    /// A change that no event tells: it happens now.
    pub(super) fn now(kind: Kind, seq: u64, text: String) -> Self {
        Self { ts: now(), seq, kind, node_id: None, text }
    }

    /// The change as a line for people, inert, without a line end.
    pub(super) fn line(&self) -> String {
        let words = text::plain(&self.text, output::PLAIN);
        format!("{}  {words}", self.ts.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }

    /// The change as a line of JSON, without a line end; on a terminal what does not print is escaped.
    pub(super) fn json(&self, escaped: bool) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        Ok(if escaped { output::escaped(&json) } else { json })
    }
}

/// This machine's time, in whole milliseconds.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now)
}

/// Foreign text as a part of a change: one line, not too long, not inert.
pub(super) fn brief(foreign: &str) -> String {
    let mut shown = String::new();
    let mut words = foreign.split_whitespace();
    let mut length = 0;
    while let Some(word) = words.next() {
        let room = BRIEF.saturating_sub(length);
        if !shown.is_empty() {
            shown.push(' ');
        }
        if word.chars().nth(room).is_some() || (room == 0 && words.next().is_some()) {
            shown.extend(word.chars().take(room));
            shown.push('…');
            break;
        }
        shown.push_str(word);
        length += word.chars().count() + 1;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str) -> Change {
        Change {
            ts: "2026-01-01T00:00:01.25Z".parse().unwrap(),
            seq: 3,
            kind: Kind::Node,
            node_id: NodeId::parse("diagnose").ok(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_line_starts_with_the_time_and_nothing_in_it_acts() {
        assert_eq!(change("diagnose failed: \u{1b}[2J").line(), "2026-01-01T00:00:01Z  diagnose failed: ␛[2J");
    }

    #[test]
    fn json_has_the_agreed_fields_and_is_escaped_for_a_terminal_only() {
        let change = change("x\u{202e}y");
        let expected = "{\"ts\":\"2026-01-01T00:00:01.25Z\",\"seq\":3,\"kind\":\"node\",\"node_id\":\"diagnose\",\"text\":\"x\u{202e}y\"}";
        assert_eq!(change.json(false).unwrap(), expected);
        assert_eq!(change.json(true).unwrap(), expected.replace('\u{202e}', "\\u202e"));
    }

    #[test]
    fn foreign_text_is_brought_to_one_line_of_bounded_length() {
        assert_eq!(brief(" a\n\tb "), "a b");
        assert_eq!(brief(&"x".repeat(300)), "x".repeat(300));
        assert_eq!(brief(&"x".repeat(301)), format!("{}…", "x".repeat(300)));
        let long = brief(&"word ".repeat(1_000_000));
        assert!(long.ends_with('…') && long.chars().count() <= 302, "{long}");
    }
}
