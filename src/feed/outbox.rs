//! What is on its way to the receiver: items in bounded batches, and link states without repeats.
//!
//! Rule: nothing that was taken from a stream is lost when a wait for the receiver is given up, because items stay
//! here until the channel has room for them.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{FeedItem, FeedUpdate, LinkState};

/// A batch holds at most so many items: what a frame can fold without being late (it takes less than a millisecond), and
/// enough that handing it over costs little beside them.
pub(super) const ITEMS: usize = 512;

/// A batch holds at most about so many bytes of lines (the last one may go over it).
pub(super) const BYTES: usize = 1024 * 1024;

/// A batch is collected for at most so long, while a stream is never empty.
const TIME: Duration = Duration::from_millis(20);

/// The clock is looked at with every so many lines: so many take far less than that time.
const LOOK_EVERY: u32 = 16;

/// The receiver is gone: there is nobody to follow the run for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// The sending side of a feed.
#[derive(Debug)]
pub(super) struct Outbox {
    tx: mpsc::Sender<FeedUpdate>,
    items: Vec<FeedItem>,
    bytes: usize,
    /// Lines that went into the batch, whatever became of them.
    lines: u32,
    begun: Option<Instant>,
    /// Bytes of lines since they were last asked for.
    counted: u64,
    link: Option<LinkState>,
}

impl Outbox {
    pub(super) fn new(tx: mpsc::Sender<FeedUpdate>) -> Self {
        Self { tx, items: Vec::new(), bytes: 0, lines: 0, begun: None, counted: 0, link: None }
    }

    /// The batch that is being collected; `bytes` more of lines went into it.
    pub(super) fn batch(&mut self, bytes: usize) -> &mut Vec<FeedItem> {
        self.begun.get_or_insert_with(Instant::now);
        self.bytes += bytes;
        self.lines += 1;
        self.counted += bytes as u64 + u64::from(bytes > 0);
        &mut self.items
    }

    /// Whether the batch is to be sent before more is taken.
    pub(super) fn is_full(&self) -> bool {
        let is_late = || self.begun.is_some_and(|begun| begun.elapsed() >= TIME);
        self.items.len() >= ITEMS || self.bytes >= BYTES || (self.lines.is_multiple_of(LOOK_EVERY) && is_late())
    }

    /// Bytes of the lines that were taken since this was last asked, their ends included.
    pub(super) fn take_counted(&mut self) -> u64 {
        std::mem::take(&mut self.counted)
    }

    /// Sends the batch, where there is one.
    pub(super) async fn flush(&mut self) -> Result<(), Closed> {
        (self.bytes, self.lines, self.begun) = (0, 0, None);
        if !self.items.is_empty() {
            let permit = self.tx.reserve().await.map_err(|_| Closed)?;
            let room = Vec::with_capacity(self.items.len());
            permit.send(FeedUpdate::Items(std::mem::replace(&mut self.items, room)));
        }
        Ok(())
    }

    /// Drops what has not been sent: it was not so.
    pub(super) fn discard(&mut self) {
        (self.bytes, self.lines, self.begun) = (0, 0, None);
        self.items.clear();
    }

    /// Sends what is neither an item nor a link state, after the items before it.
    pub(super) async fn send(&mut self, update: FeedUpdate) -> Result<(), Closed> {
        self.flush().await?;
        self.tx.send(update).await.map_err(|_| Closed)
    }

    /// Says the link's state, after the items before it, unless it was the last one said.
    pub(super) async fn link(&mut self, state: LinkState) -> Result<(), Closed> {
        self.flush().await?;
        if self.link.as_ref() != Some(&state) {
            let permit = self.tx.reserve().await.map_err(|_| Closed)?;
            permit.send(FeedUpdate::Link(state.clone()));
            self.link = Some(state);
        }
        Ok(())
    }

    /// Says that the link is stale, keeping the time of an earlier doubt.
    pub(super) async fn stale(&mut self, since: Timestamp) -> Result<(), Closed> {
        match self.link {
            Some(LinkState::Stale { .. }) => Ok(()),
            _ => self.link(LinkState::Stale { since }).await,
        }
    }

    /// A second hold on the channel, to notice when the receiver is gone.
    pub(super) fn listener(&self) -> mpsc::Sender<FeedUpdate> {
        self.tx.clone()
    }
}
