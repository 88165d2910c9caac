//! Keeps a run's events coming: connect, resume, heal, probe; never fails outward.
//!
//! The feed is a task that reads the run's snapshot and event stream and sends [`FeedUpdate`]s into a bounded channel
//! until the run has ended or the feed is dropped. Promise "nothing missed": every event is sent once, in seq order; a
//! duplicate is dropped and counted; a gap is read again, three times with back-off, and only then sent on as a
//! permanent [`FeedItem::Gap`]; a rejected line whose seq can be read takes its place as [`FeedItem::Rejected`].

use std::time::Duration;

use jiff::Timestamp;

use crate::api::event::{Event, ProtocolError};
use crate::api::run::RunSnapshot;

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
}

/// One thing that the stream brought.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedItem {
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
    /// The first connection is being made.
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
    },
    /// The run has ended and every event of it was read.
    Ended,
    /// The server refuses (401, 403, 404): nothing more comes until the operator asks again.
    Refused {
        /// Why, in words; not yet inert.
        cause: String,
    },
}
