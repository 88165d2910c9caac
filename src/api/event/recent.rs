//! What the last lines of a stream said, and the next is likely to say again: ids and the time's minute.
//!
//! Rules: what is looked up here is what reading the text would give; memory is bounded.

use jiff::{SignedDuration, Timestamp};

use crate::api::ids::{NodeId, RunId};

/// Places for ids of nodes; a power of two. A run with more nodes has some of them read anew.
const NODES: usize = 1024;

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Whether anything is kept: not where one line stands by itself.
    keeps: bool,
    run_id: Option<(Box<str>, RunId)>,
    /// Each id in the place that its text gives; empty before the first.
    nodes: Vec<Option<NodeId>>,
    /// A minute's text, up to its seconds, and its beginning.
    minute: Option<([u8; MINUTE], Timestamp)>,
}

/// The length of `2026-01-02T03:04:`.
const MINUTE: usize = 17;

impl Recent {
    /// For the lines of a stream.
    pub(super) fn keeping() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    /// The run's id; `None` where the text is none.
    pub(super) fn run_id(&mut self, text: &str) -> Option<RunId> {
        match &self.run_id {
            Some((last, run_id)) if **last == *text => Some(*run_id),
            _ => {
                let run_id = RunId::from_wire(text)?;
                self.run_id = self.keeps.then(|| (text.into(), run_id));
                Some(run_id)
            }
        }
    }

    /// The node's id; `None` where the text is none.
    pub(super) fn node_id(&mut self, text: &str) -> Option<NodeId> {
        if !self.keeps {
            return NodeId::from_wire(text);
        }
        if self.nodes.is_empty() {
            self.nodes.resize(NODES, None);
        }
        let place = &mut self.nodes[place(text)];
        match place {
            Some(known) if known.as_str() == text => {}
            _ => *place = Some(NodeId::from_wire(text)?),
        }
        place.clone()
    }

    /// The time; `None` where the text is none.
    pub(super) fn timestamp(&mut self, text: &str) -> Option<Timestamp> {
        let (head, rest) = text.as_bytes().split_at_checked(MINUTE)?;
        if let Some((minute, begins)) = &self.minute
            && head == minute
            && let Some(within) = within_a_minute(rest)
        {
            return begins.checked_add(within).ok();
        }
        let time: Timestamp = text.parse().ok()?;
        if let Some(within) = within_a_minute(rest).filter(|_| self.keeps)
            && is_a_minute(head)
            && let Ok(head) = head.try_into()
        {
            self.minute = time.checked_sub(within).ok().map(|begins| (head, begins));
        }
        Some(time)
    }
}

fn place(text: &str) -> usize {
    let mixed = text.bytes().fold(0_u32, |mixed, byte| mixed.wrapping_mul(31) ^ u32::from(byte));
    (mixed ^ (mixed >> 10)) as usize % NODES
}

/// Whether it is of the form `2026-01-02T03:04:`. A year of more digits would have its minutes where seconds stand.
fn is_a_minute(text: &[u8]) -> bool {
    matches!(text, [b'0'..=b'9', _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':'])
}

/// Reads `SSZ` or `SS.fractionZ`, the end of an RFC 3339 time in UTC; `None` for any other form.
fn within_a_minute(text: &[u8]) -> Option<SignedDuration> {
    let [tens @ b'0'..=b'5', ones @ b'0'..=b'9', rest @ .., b'Z'] = text else { return None };
    let seconds = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    let nanoseconds = match rest {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
            let number = digits.iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
            digits.iter().fold(1_000_000_000, |unit, _| unit / 10) * number
        }
        _ => return None,
    };
    Some(SignedDuration::new(seconds, nanoseconds))
}
