//! Keeps a run's events coming: connect, resume, heal, probe; never fails outward.
//!
//! The feed is a task that reads the run's snapshot and event stream and sends [`FeedUpdate`]s into a bounded channel
//! until the run has ended or the feed is dropped. Promise "nothing missed": every event is sent once, in seq order; a
//! duplicate is dropped and counted; a gap is read again, three times with back-off, and only then sent on as a
//! permanent [`FeedItem::Gap`]; a rejected line whose seq can be read takes its place as [`FeedItem::Rejected`].
//!
//! | module | what it owns |
//! | --- | --- |
//! | `sequence` | each event once, in order: duplicates, gaps, rejected lines; pure |
//! | `backoff` | how long to wait after a failure; pure |
//! | `source` | where a run is read from |
//! | `follow` | from one connection to the next: refused, retrying, ended |
//! | `session` | one connection: snapshot, history, live stream |
//! | `probe` | a second request: has the stream missed something? |
//! | `outbox` | what is on its way to the receiver, in bounded batches |
//! | [`replay`] | a file in the place of a server |
//! | `file` | the lines of a file in order |
//! | [`past`] | a part of a file once more, for the model of an earlier moment |
//! | `journal` | what is read from the journal on disk, and what goes into it |
//! | `tail` | whether the journal's last line is still the server's; pure |
//! | `journal_format` | how lines stand in a journal; pure |
//! | `write_behind` | the task that writes |
//! | `take_over` | becoming the one who writes |
//! | [`recorder`] | a journal written beside the one that stands there |

mod backoff;
mod file;
mod follow;
mod journal;
mod journal_format;
mod outbox;
pub mod past;
mod probe;
pub mod recorder;
pub mod replay;
pub mod sequence;
mod session;
mod source;
mod tail;
mod take_over;
mod write_behind;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::api::client::ClientSource;
use crate::api::error::Class;
use crate::api::event::{Event, ProtocolError};
use crate::api::ids::RunId;
use crate::api::run::RunSnapshot;
use crate::store::journal::Journal;
use follow::Follower;
pub use recorder::Recorder;
pub use replay::{ReplayError, ReplayFile};
use source::Server;

/// How a run is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedConfig {
    /// Events up to this seq are known already; 0 for none.
    pub after_seq: u64,
    /// Whether outputs come inline.
    pub include_output: bool,
    /// After so much silence the link is stale, and is probed.
    pub idle_timeout: Duration,
    /// Whether events to come are waited for. Otherwise the feed reads what is there, says that it is `Live` or `Ended`,
    /// and ends.
    pub wait: bool,
    /// No more events than this are wanted: requests ask for no more, and the feed ends once they are sent. The last
    /// batch may hold a few more. `None` for all.
    pub limit: Option<u64>,
    /// Whether each event's line comes before it, as [`FeedItem::Line`].
    pub lines: bool,
}

impl Default for FeedConfig {
    fn default() -> Self {
        Self {
            after_seq: 0,
            include_output: true,
            idle_timeout: Duration::from_secs(15),
            wait: true,
            limit: None,
            lines: false,
        }
    }
}

/// Follows runs.
#[derive(Debug)]
pub struct Feed;

impl Feed {
    /// Starts a task that follows `run_id` and says everything into `tx`, until the handle is stopped or dropped, or
    /// the receiver is. Waits for the receiver when the channel is full: so does the server then. Needs a tokio
    /// runtime.
    #[must_use = "dropping the handle stops the feed"]
    pub fn spawn(clients: ClientSource, run_id: RunId, config: FeedConfig, tx: mpsc::Sender<FeedUpdate>) -> FeedHandle {
        Self::start(clients, run_id, config, tx, std::convert::identity)
    }

    /// As [`Feed::spawn`], and writes what is given out to `recorder`, which has it back when the channel is closed.
    #[must_use = "dropping the handle stops the feed"]
    pub fn spawn_recorded(
        clients: ClientSource,
        run_id: RunId,
        config: FeedConfig,
        recorder: &Recorder,
        tx: mpsc::Sender<FeedUpdate>,
    ) -> FeedHandle {
        Self::start(clients, run_id, config, tx, |follower| follower.with_recorder(recorder))
    }

    /// As [`Feed::spawn`], and keeps the run's journal: what stands in it is sent first, without a network, then the
    /// stream is asked from its last event, which has to be the same. What is applied is written.
    #[must_use = "dropping the handle stops the feed"]
    pub fn spawn_with_journal(
        clients: ClientSource,
        run_id: RunId,
        config: FeedConfig,
        journal: Journal,
        tx: mpsc::Sender<FeedUpdate>,
    ) -> FeedHandle {
        Self::start(clients, run_id, config, tx, |follower| follower.with_journal(journal))
    }

    /// Starts the task, with what `equip` gives the follower to write to.
    fn start(
        clients: ClientSource,
        run_id: RunId,
        config: FeedConfig,
        tx: mpsc::Sender<FeedUpdate>,
        equip: impl FnOnce(Follower<Server>) -> Follower<Server>,
    ) -> FeedHandle {
        let signals = Arc::new(Signals::default());
        let follower = Follower::new(Server::new(clients, run_id), run_id, config, tx, Arc::clone(&signals));
        tokio::spawn(equip(follower).run());
        FeedHandle { signals }
    }
}

/// What a [`FeedHandle`] can tell its feed. Each is a flag: telling it twice before it is heard is telling it once.
#[derive(Debug, Default)]
struct Signals {
    reconnect: Notify,
    probe: Notify,
    stop: CancellationToken,
    /// A journal's writer is gone, and this feed's is its own now.
    taken_over: Notify,
    /// The feed has written everything and is gone.
    finished: CancellationToken,
    /// Bytes of lines that were read.
    bytes: AtomicU64,
}

/// Steers a feed; stops it when dropped.
#[derive(Debug)]
pub struct FeedHandle {
    signals: Arc<Signals>,
}

impl FeedHandle {
    /// Reads the credentials again and connects at once, whatever the link's state.
    pub fn reconnect_now(&self) {
        self.signals.reconnect.notify_one();
    }

    /// Doubts the link and probes it: after the program was stopped, or the clock has jumped. Without a connection
    /// the next one is probed.
    pub fn probe_now(&self) {
        self.signals.probe.notify_one();
    }

    /// Bytes of the lines that were read so far, their ends included; of a file once it is read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.signals.bytes.load(Ordering::Relaxed)
    }

    /// Stops the feed: nothing more is sent.
    pub fn stop(&self) {
        self.signals.stop.cancel();
    }

    /// Stops the feed and waits until what it has sent stands in the journal.
    pub async fn finish(&self) {
        self.stop();
        self.signals.finished.cancelled().await;
    }
}

impl Drop for FeedHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the feed has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedUpdate {
    /// The link's state has changed.
    Link(LinkState),
    /// The server's snapshot of the run, read on connecting or as a probe.
    Snapshot {
        /// The snapshot.
        snapshot: Box<RunSnapshot>,
        /// The server's `Date` when it answered, to correct ages by.
        server_date: Option<Timestamp>,
    },
    /// What the stream brought, in order; never empty, bounded in size.
    Items(Vec<FeedItem>),
    /// Everything that was sent before is of another history than the server's: the run begins anew.
    Restarted {
        /// Why, in words; not yet inert.
        why: String,
    },
    /// Something is wrong with the journal on disk, in a sentence; not yet inert. The run is followed all the same.
    Journal(String),
}

/// One thing that the stream brought.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedItem {
    /// The line of the event that follows, as it came, without its line end; only where they are asked for.
    Line(Bytes),
    /// The next event in seq order.
    Event(Event),
    /// A line that breaks the protocol. With a seq it takes that place in the order; without one it only counts.
    Rejected(ProtocolError),
    /// Events that the server skipped even when asked again: the places `first..=last` stay empty.
    Gap {
        /// The first missing seq.
        first: u64,
        /// The last missing seq.
        last: u64,
    },
    /// So many events came again, and were dropped.
    Duplicates(u64),
}

/// The state of the link to the server, true at all times.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkState {
    /// A connection is being made: the first one, or the one after an outage.
    Connecting,
    /// Connected; reading what happened before.
    CatchingUp {
        /// Events applied since this connection was made.
        applied: u64,
    },
    /// Connected and up to date.
    Live,
    /// Connected, but silent for longer than the idle timeout, and not yet probed.
    Stale {
        /// The wall-clock time of the last sign of life.
        since: Timestamp,
    },
    /// Not connected; the next attempt is due at `at`.
    Retrying {
        /// When, on the wall clock.
        at: Timestamp,
        /// The wait in whole, for display.
        wait: Duration,
        /// Why, in words; not yet inert.
        cause: String,
        /// What kind of trouble it is; `None` where events are missing and are read again.
        class: Option<Class>,
    },
    /// The run has ended and every event of it was read.
    Ended,
    /// A file was read to its end, and the run's last event is not in it.
    EndOfFile,
    /// The server refuses (401, 403, 404, and any other 4xx that trying again would not help), or a setting is missing or
    /// wrong: nothing more comes until the operator asks again.
    Refused {
        /// Why, in words; not yet inert.
        cause: String,
        /// What kind of refusal it is.
        class: Class,
    },
}

/// A range of seqs in words: `event 5`, `events 5 to 7`.
#[must_use]
pub fn events_named(first: u64, last: u64) -> String {
    if first == last { format!("event {first}") } else { format!("events {first} to {last}") }
}

#[cfg(test)]
mod tests;
