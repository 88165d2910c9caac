//! What a node puts out: text as it streams, and the whole output when it stands.
//!
//! Rule: never more in memory than the limits; what is dropped is counted, and dropped from the front.

use std::collections::VecDeque;
use std::sync::Arc;

use super::limits;
use crate::api::event::{Artifact, ArtifactInfo, Delta, DeltaKind};

/// An output that the server stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The seq of the event that brought it: where to read it again.
    pub seq: u64,
    /// Size and digest.
    pub info: ArtifactInfo,
    /// The JSON text, where it came inline and is within the limit.
    pub content: Option<Arc<str>>,
}

impl Output {
    /// The output that the event `seq` brought.
    #[must_use]
    pub fn new(artifact: &Artifact, seq: u64) -> Self {
        let content = artifact.content().filter(|text| text.len() <= limits::INLINE_OUTPUT).map(Arc::from);
        Self { seq, info: artifact.info.clone(), content }
    }

    /// The same without its content.
    pub(super) fn facts(&self) -> Self {
        Self { seq: self.seq, info: self.info.clone(), content: None }
    }

    /// Bytes of its content that are in memory.
    pub(super) fn held(&self) -> usize {
        self.content.as_deref().map_or(0, str::len)
    }
}

/// A run of streamed text of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// What it is.
    pub kind: SegmentKind,
    /// The text, as it came.
    pub text: String,
}

/// What a [`Segment`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentKind {
    /// A model's message.
    Message,
    /// A model's tool call as it is being written.
    ToolUse,
    /// A delta kind that this version does not know.
    Other(Arc<str>),
}

/// The end of what a node has streamed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamedText {
    segments: VecDeque<Segment>,
    open: bool,
    kept: usize,
    /// Bytes that may be kept beyond the limit.
    room: usize,
    /// Bytes that were dropped from the front.
    pub dropped: u64,
    /// Grows with each change: a drawing that is cached by it is never stale.
    pub revision: u64,
}

impl StreamedText {
    /// An empty one that keeps so many bytes more than a run's own texts do: for one that is looked at.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self { room: bytes, ..Self::default() }
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// Whether nothing has been streamed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept == 0
    }

    /// Takes in a piece.
    pub fn push(&mut self, delta: &Delta) {
        let kind = match &delta.kind {
            DeltaKind::MessageStart | DeltaKind::MessageDelta | DeltaKind::MessageStop => SegmentKind::Message,
            DeltaKind::ToolUseStart | DeltaKind::ToolUseDelta | DeltaKind::ToolUseStop => SegmentKind::ToolUse,
            DeltaKind::Other(word) => SegmentKind::Other(word.clone()),
        };
        let starts = matches!(delta.kind, DeltaKind::MessageStart | DeltaKind::ToolUseStart);
        let stops = matches!(delta.kind, DeltaKind::MessageStop | DeltaKind::ToolUseStop);
        if let Some(text) = delta.text_delta.as_deref().filter(|text| !text.is_empty()) {
            self.append(kind, text, starts);
        } else if starts {
            self.open = false;
        }
        if stops {
            self.open = false;
        }
    }

    /// Bytes of text that are in memory.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// Text of which so many bytes were streamed and none is kept.
    pub(super) fn of_facts(streamed: u64, revision: u64, open: bool) -> Self {
        Self { segments: VecDeque::new(), open, kept: 0, room: 0, dropped: streamed, revision }
    }

    /// How many bytes were streamed, the revision, and whether the last segment goes on.
    pub(super) fn as_facts(&self) -> (u64, u64, bool) {
        (self.dropped + self.kept as u64, self.revision, self.open)
    }

    /// The same with all text dropped.
    #[cfg(test)]
    pub(super) fn facts(&self) -> Self {
        let (streamed, revision, open) = self.as_facts();
        Self::of_facts(streamed, revision, open)
    }

    /// Drops all but the last `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        if self.kept > bytes {
            self.drop_front(self.kept - bytes);
            self.revision += 1;
        }
        self.segments.shrink_to_fit();
        if let Some(last) = self.segments.back_mut() {
            last.text.shrink_to_fit();
        }
    }

    fn append(&mut self, kind: SegmentKind, text: &str, starts: bool) {
        match self.segments.back_mut() {
            Some(last) if self.open && !starts && last.kind == kind => grow(&mut last.text, text),
            _ => self.segments.push_back(Segment { kind, text: text.to_owned() }),
        }
        self.open = true;
        self.kept += text.len();
        self.revision += 1;
        // In lumps, so that a long stream does not move its whole text for each piece.
        let limit = limits::STREAMED_TEXT + self.room;
        if self.kept > limit {
            self.drop_front(self.kept - limit * 3 / 4);
        }
    }

    /// Drops `excess` bytes from the front, or up to three more where a character would be cut.
    fn drop_front(&mut self, mut excess: usize) {
        while excess > 0 {
            let Some(first) = self.segments.front_mut() else { break };
            let cut = if first.text.len() <= excess {
                self.segments.pop_front().map_or(0, |segment| segment.text.len())
            } else {
                let at = (excess..=first.text.len()).find(|at| first.text.is_char_boundary(*at)).unwrap_or(excess);
                first.text.drain(..at);
                at
            };
            self.kept -= cut;
            self.dropped += cut as u64;
            excess = excess.saturating_sub(cut);
        }
    }
}

/// Appends, and reserves a quarter at most beyond what is needed: doubled, a thousand texts would hold twice what is
/// counted.
fn grow(text: &mut String, more: &str) {
    if text.capacity() - text.len() < more.len() {
        text.reserve_exact(more.len() + text.len() / 4);
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(kind: &str, text: &str) -> Delta {
        Delta { kind: kind.into(), text_delta: Some(text.into()), response_id: None, model: None }
    }

    #[test]
    fn pieces_of_one_message_are_one_segment_and_a_new_message_is_another() {
        let mut streamed = StreamedText::default();
        for (kind, text) in [
            ("message_start", ""),
            ("message_delta", "Hel"),
            ("message_delta", "lo"),
            ("message_stop", ""),
            ("tool_use_start", "{"),
            ("tool_use_delta", "}"),
            ("message_delta", "x"),
            ("hum", "y"),
        ] {
            streamed.push(&delta(kind, text));
        }
        let segments: Vec<_> = streamed.segments().map(|s| (s.kind.clone(), s.text.as_str())).collect();
        assert_eq!(
            segments,
            [
                (SegmentKind::Message, "Hello"),
                (SegmentKind::ToolUse, "{}"),
                (SegmentKind::Message, "x"),
                (SegmentKind::Other("hum".into()), "y"),
            ]
        );
    }

    #[test]
    fn a_long_stream_keeps_its_end_and_counts_what_it_drops() {
        let mut streamed = StreamedText::default();
        let piece = "é".repeat(5_000);
        for _ in 0..100 {
            streamed.push(&delta("message_delta", &piece));
        }
        let kept: usize = streamed.segments().map(|s| s.text.len()).sum();
        assert!(kept <= limits::STREAMED_TEXT);
        assert_eq!(kept as u64 + streamed.dropped, 100 * 10_000);
        assert!(streamed.segments().all(|s| s.text.chars().all(|c| c == 'é')));
    }
}
