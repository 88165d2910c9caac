//! Wrapped lines, kept from frame to frame.
//!
//! Owns nothing but copies: dropping a cache costs time, never truth. Rule: what a frame did not use is dropped at its
//! end, so the cache is never larger than what stands on screen; streamed text is wrapped again only from the last
//! rows of its unfinished line on.

use std::collections::HashMap;
use std::sync::Arc;

use ratatui::text::{Line, Span};

use super::text::{self, TakeUp};
use super::theme::{Role, Theme};
use crate::api::ids::NodeId;
use crate::api::tool::{CallKey, StepKey};
use crate::run::StreamedText;
use crate::run::output::SegmentKind;

/// What [`draw`](super::draw) remembers between frames.
#[derive(Debug, Default)]
pub struct Cache {
    rows: HashMap<Key, Entry>,
    frame: u64,
    stream: Option<Stream>,
    /// The earlier event that was drawn.
    past: Option<u64>,
}

/// What a text is, as far as it never changes under the same key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// The output that the event `seq` brought.
    Output { seq: u64 },
    /// A call's arguments.
    Arguments(CallKey),
    /// A call in the list of a node's calls; whether its result is there.
    Record(CallKey, bool),
    /// What a model was asked (true) or answered in a step, as the answer of this number brought it.
    Step { key: StepKey, request: bool, answer: u64 },
    /// The text of a call's answer in the review, by its hash: it is changed by leaving and coming back.
    Sent(CallKey, u64),
    /// The task list, as the answer of this number brought it.
    Tasks { answer: u64 },
    /// An event in full; whether its line is there.
    Event { seq: u64, read: bool },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    what: What,
    columns: usize,
    theme: (bool, bool),
}

#[derive(Debug)]
struct Entry {
    rows: Arc<[Line<'static>]>,
    used: u64,
}

impl Cache {
    /// The rows of `what` in this width; `build` makes them when they are not here yet.
    pub(super) fn rows(
        &mut self,
        what: What,
        columns: usize,
        theme: Theme,
        build: impl FnOnce() -> Vec<Line<'static>>,
    ) -> Arc<[Line<'static>]> {
        let key = Key { what, columns, theme: (theme.color, theme.ascii) };
        let entry = self.rows.entry(key).or_insert_with(|| Entry { rows: build().into(), used: 0 });
        entry.used = self.frame;
        Arc::clone(&entry.rows)
    }

    /// The rows of a node's streamed text.
    pub(super) fn stream(
        &mut self,
        node: &NodeId,
        text: &StreamedText,
        columns: usize,
        theme: Theme,
    ) -> &[Line<'static>] {
        let same = |stream: &Stream| stream.node == *node && stream.columns == columns && stream.theme == theme;
        let stream = match self.stream.take().filter(same) {
            Some(stream) => stream,
            None => Stream::new(node.clone(), columns, theme),
        };
        let stream = self.stream.insert(stream);
        stream.update(text);
        &stream.rows
    }

    /// Begins a frame that shows the run at this earlier event, or as it stands: the same call or text is another one at
    /// another event.
    pub(super) fn begin_frame(&mut self, past: Option<u64>) {
        if self.past != past {
            self.past = past;
            self.rows.clear();
            self.stream = None;
        }
    }

    /// Ends a frame: what it did not use is dropped.
    pub(super) fn end_frame(&mut self) {
        let frame = self.frame;
        self.rows.retain(|_, entry| entry.used == frame);
        self.frame += 1;
    }
}

/// A streamed text, wrapped as far as it has come.
#[derive(Debug)]
struct Stream {
    node: NodeId,
    columns: usize,
    theme: Theme,
    /// As the text had it when it was wrapped.
    revision: Option<u64>,
    dropped: u64,
    rows: Vec<Line<'static>>,
    /// From where on it is wrapped again.
    open: Open,
}

/// Where the last unfinished line begins, or, of a long one, its last rows, which can still change.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    segment: usize,
    /// The byte in the segment.
    byte: usize,
    /// Rows before it.
    rows: usize,
    /// Columns of the line before it.
    columns: usize,
}

impl Stream {
    fn new(node: NodeId, columns: usize, theme: Theme) -> Self {
        Self { node, columns, theme, revision: None, dropped: 0, rows: Vec::new(), open: Open::default() }
    }

    fn update(&mut self, text: &StreamedText) {
        if self.revision == Some(text.revision) {
            return;
        }
        if self.dropped != text.dropped {
            self.open = Open::default();
        }
        (self.revision, self.dropped) = (Some(text.revision), text.dropped);
        let Open { segment, mut byte, rows, mut columns } = self.open;
        self.rows.truncate(rows);
        for (at, piece) in text.segments().enumerate().skip(segment) {
            let style = match piece.kind {
                SegmentKind::Message => self.theme.style(Role::Plain),
                SegmentKind::ToolUse | SegmentKind::Other(_) => self.theme.style(Role::Quiet),
            };
            // A first line is wrapped again with the head of its segment.
            let mut open = self.rows.len();
            if byte == 0 {
                self.head(&piece.kind);
            }
            let mut lines = piece.text[byte..].split('\n').peekable();
            while let Some(line) = lines.next() {
                if byte > 0 {
                    open = self.rows.len();
                }
                self.open = Open { segment: at, byte, rows: open, columns };
                if lines.peek().is_some() {
                    text::wrap_rest(line, columns, self.columns, style, self.theme, &mut self.rows);
                } else if !line.is_empty() {
                    // A text that ends with a line feed has no row after it yet.
                    let kept = text::wrap_growing(line, columns, self.columns, style, self.theme, &mut self.rows);
                    if let Some(TakeUp { row, byte: from, columns }) = kept {
                        self.open = Open { segment: at, byte: byte + from, rows: row, columns };
                    }
                }
                (byte, columns) = (byte + line.len() + 1, 0);
            }
            byte = 0;
        }
    }

    /// Sets a segment apart from the one before, and names what is no message.
    fn head(&mut self, kind: &SegmentKind) {
        if !self.rows.is_empty() {
            self.rows.push(Line::default());
        }
        let name = match kind {
            SegmentKind::Message => return,
            SegmentKind::ToolUse => "tool call",
            SegmentKind::Other(kind) => kind,
        };
        let style = self.theme.style(Role::Active);
        let mut label = text::cut(name, self.columns.saturating_sub(1), style, self.theme);
        label.push(Span::styled(":", style));
        self.rows.push(Line::from(label));
    }
}
