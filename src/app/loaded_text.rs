//! A streamed text that memory has dropped, read again from disk while it is looked at.
//!
//! Rules: at most one node's text is read again, and it goes when another is looked at; it ends where the events that
//! were applied end: each piece stands in it once, by seq, whatever the disk had not written yet; where that cannot be
//! known, the short rest is shown and it is said why; of an earlier event nothing is shown that came after it.

use std::time::Duration;

use super::layout::WIDE;
use super::{App, Pane, Scroll, Selection, Tab};
use crate::api::event::{Delta, Event, EventBody};
use crate::api::ids::NodeId;
use crate::run::history::Entry;
use crate::run::{Node, StreamedText};

pub use crate::store::journal::streamed::Streamed;

/// A rest under so many bytes is read again as soon as it is looked at; of a longer one, what is above it only when the
/// operator goes to its top.
const SHORT: usize = 64 * 1024;

/// Bytes that are read at first, and at most: more would take longer to wrap than a frame.
const READ: (usize, usize) = (256 * 1024, 1024 * 1024);

/// Bytes of pieces that are kept aside while the disk is read.
const ASIDE: usize = 1024 * 1024;

/// How often the disk is asked again where it has not yet written what memory has dropped.
const TRIES: u8 = 5;

/// How long it is waited for between.
const WAIT: Duration = Duration::from_millis(100);

/// What is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRequest {
    /// Which reading it is.
    pub number: u64,
    /// The node.
    pub node_id: NodeId,
    /// The last event whose text counts.
    pub through: u64,
    /// Bytes of text, at least.
    pub bytes: usize,
    /// How long to wait before: what is missing is being written.
    pub wait: Duration,
}

/// A node's text that is, or is being, read again.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedText {
    /// Which reading it is.
    pub number: u64,
    /// The node.
    pub node_id: NodeId,
    /// Where it stands.
    pub state: TextState,
    /// The text, once it is here; it grows with the run.
    pub text: Option<StreamedText>,
    /// Whether the disk has no more of it.
    pub whole: bool,
    /// Bytes that were asked for.
    bytes: usize,
    tries: u8,
    aside: Aside,
}

/// Where a reading stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextState {
    /// It is being read.
    Loading,
    /// It was read.
    Here,
    /// It could not be read: why, in words; not yet inert.
    Failed(String),
}

/// The node's pieces since a place in the order of events.
#[derive(Debug, Clone, Default, PartialEq)]
struct Aside {
    /// Every piece from this seq on is here.
    from: u64,
    deltas: Vec<(u64, Delta)>,
    bytes: usize,
}

impl Aside {
    /// The node's pieces among the last events.
    fn recent(app: &App, node_id: &NodeId) -> Self {
        let history = &app.shown_run().history;
        let first = history.entries().find_map(Entry::seq);
        let from = if history.dropped == 0 { 1 } else { first.unwrap_or(app.shown_run().last_seq + 1) };
        let mut aside = Self { from, ..Self::default() };
        for entry in history.entries() {
            if let Entry::Event(event) = entry
                && let Some(delta) = delta_of(event, node_id)
            {
                aside.push(event.seq, delta);
            }
        }
        aside
    }

    fn push(&mut self, seq: u64, delta: &Delta) {
        self.bytes += length(delta);
        self.deltas.push((seq, delta.clone()));
        if self.bytes > ASIDE {
            let half = self.deltas.len() / 2;
            for (seq, delta) in self.deltas.drain(..half) {
                self.bytes -= length(&delta);
                self.from = seq + 1;
            }
        }
    }
}

fn length(delta: &Delta) -> usize {
    delta.text_delta.as_deref().map_or(0, str::len)
}

fn delta_of<'e>(event: &'e Event, node_id: &NodeId) -> Option<&'e Delta> {
    match &event.body {
        EventBody::NodeOutputDelta(e) if e.node_id == *node_id => Some(&e.delta),
        _ => None,
    }
}

/// Bytes of a text that are in memory.
fn kept(text: &StreamedText) -> usize {
    text.segments().map(|segment| segment.text.len()).sum()
}

impl LoadedText {
    /// An event was applied.
    pub(super) fn take(&mut self, event: &Event) {
        let Some(delta) = delta_of(event, &self.node_id) else { return };
        // What is shown while more is read goes on growing, too.
        if let Some(text) = &mut self.text {
            text.push(delta);
        }
        if self.state == TextState::Loading {
            self.aside.push(event.seq, delta);
        }
    }

    /// Whether there is more to be read above it.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.whole && self.bytes < READ.1
    }
}

impl App {
    /// The text that a node's Output tab shows: what was read again, else what memory has.
    #[must_use]
    pub fn shown_text<'a>(&'a self, node: &'a Node) -> &'a StreamedText {
        let loaded = self.loaded.as_ref().filter(|loaded| loaded.node_id == node.id);
        loaded.and_then(|loaded| loaded.text.as_ref()).unwrap_or(&node.text)
    }

    /// What is to be read again now; drops what is not looked at any more.
    pub(super) fn text_to_load(&mut self) -> Option<TextRequest> {
        let Some(node_id) = self.looked_at() else {
            self.loaded = None;
            return None;
        };
        if self.loaded.as_ref().is_some_and(|loaded| loaded.node_id != node_id) {
            self.loaded = None;
        }
        let node = self.shown_run().nodes.get(&node_id)?;
        let at_top = self.focus == Pane::Detail && self.detail.scroll == Scroll::At(0);
        let (bytes, before) = match &self.loaded {
            None if at_top || kept(&node.text) < SHORT => (READ.0.max(2 * kept(&node.text)), None),
            Some(loaded) if loaded.state == TextState::Here && at_top && loaded.has_more() => {
                (READ.1, loaded.text.clone())
            }
            _ => return None,
        };
        let aside = Aside::recent(self, &node_id);
        let request = self.text_request(&node_id, bytes);
        let (number, state) = (request.number, TextState::Loading);
        self.loaded = Some(LoadedText { number, node_id, state, text: before, whole: false, bytes, tries: 0, aside });
        Some(request)
    }

    fn text_request(&mut self, node_id: &NodeId, bytes: usize) -> TextRequest {
        self.text_reads += 1;
        let (number, node_id, through) = (self.text_reads, node_id.clone(), self.shown_run().last_seq);
        TextRequest { number, node_id, through, bytes, wait: Duration::ZERO }
    }

    /// The node whose text the operator looks at. While the console follows the run by itself, that is nobody's until
    /// the text is scrolled: which node works changes with every event.
    fn looked_at(&self) -> Option<NodeId> {
        let chosen = matches!(self.selection, Selection::Node(_)) || self.detail.scroll != Scroll::Tail;
        // Asked after every action: what costs most comes last.
        let node = self.selected_node().filter(|node| chosen && node.text.dropped > 0)?;
        let in_sight = self.focus == Pane::Detail || self.size.0 >= WIDE;
        (in_sight && self.shown_tab() == Tab::Output).then(|| node.id.clone())
    }

    /// Takes what was read; returns what is to be read again, since the disk had not written everything yet.
    pub(super) fn text_read(&mut self, number: u64, result: Result<Streamed, String>) -> Option<TextRequest> {
        let mut loaded = self.loaded.take_if(|loaded| loaded.number == number)?;
        let mut again = None;
        match result {
            Ok(read) if read.through + 1 >= loaded.aside.from => self.join(&mut loaded, &read),
            Ok(_) if loaded.tries < TRIES => {
                let request = TextRequest { wait: WAIT, ..self.text_request(&loaded.node_id, loaded.bytes) };
                (loaded.number, loaded.tries) = (request.number, loaded.tries + 1);
                again = Some(request);
            }
            Ok(read) => loaded.state = TextState::Failed(format!("the journal ends with event {}", read.through)),
            Err(why) => loaded.state = TextState::Failed(why),
        }
        self.loaded = Some(loaded);
        again
    }

    /// What was read, and the pieces that came since.
    fn join(&mut self, loaded: &mut LoadedText, read: &Streamed) {
        let Some(node) = self.shown_run().nodes.get(&loaded.node_id) else { return };
        let mut text = StreamedText::with_room(loaded.bytes);
        // Another text under the same name is another drawing.
        text.revision = loaded.number << 40;
        let since = loaded.aside.deltas.iter().filter(|(seq, _)| *seq > read.through);
        for (_, delta) in read.deltas.iter().chain(since) {
            text.push(delta);
        }
        if kept(&text) < kept(loaded.text.as_ref().unwrap_or(&node.text)) {
            loaded.state = TextState::Failed("the journal has less of it".into());
            return;
        }
        let all = node.text.dropped + kept(&node.text) as u64;
        text.dropped = all.saturating_sub(kept(&text) as u64);
        // The operator's place is held: what was read stands above it.
        if let Scroll::At(row) = self.detail.scroll {
            self.detail.scroll = Scroll::FromEnd(self.measured.detail.saturating_sub(row));
        }
        (loaded.text, loaded.whole, loaded.state) = (Some(text), read.whole, TextState::Here);
        loaded.aside = Aside::default();
    }
}
