//! The event stream: events as they are appended, until the run ends.
//!
//! Owns the query of `GET /runs/{id}/events` and the body that answers it, in either of its forms. Rule: an event is sent as soon as it is in
//! the log; the stream ends when the run has ended and everything is sent, and not before unless it was asked to.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::world::Run;
use super::accept::Form;
use super::error::ApiError;
use super::query::{self, Parameters};

/// Events in one piece of the body, so that a long log does not stand in memory twice.
const BATCH: usize = 256;

/// What a reader wants of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    after_seq: u64,
    limit: usize,
    wait: bool,
    include_output: bool,
}

impl Wanted {
    /// Reads the query, and `Last-Event-ID`, with which a reader of server-sent events goes on after a break.
    pub(super) fn read(parameters: &Parameters, headers: &HeaderMap) -> Result<Self, ApiError> {
        let after_seq = query::number(parameters, "after_seq", 0..=u64::MAX)?.unwrap_or(0);
        let last_id =
            match headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.trim().parse().ok())) {
                None => 0,
                Some(Some(seq)) => seq,
                Some(None) => return Err(ApiError::invalid("Last-Event-ID", "must be the seq of an event")),
            };
        let limit = query::number(parameters, "limit", 1..=10_000)?;
        Ok(Self {
            after_seq: after_seq.max(last_id),
            limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX),
            wait: query::flag(parameters, "wait")?.unwrap_or(true),
            include_output: query::flag(parameters, "include_output")?.unwrap_or(false),
        })
    }
}

impl Form {
    fn keepalive(self) -> &'static [u8] {
        match self {
            Self::Ndjson => b"{\"type\":\"keepalive\"}\n",
            Self::Events => b": keepalive\n\n",
        }
    }

    /// Puts an event behind what is there; its line ends with a newline.
    fn write(self, line: &[u8], piece: &mut BytesMut) {
        if self == Self::Events {
            let head: Head<'_> = serde_json::from_slice(line).unwrap_or_default();
            piece.extend_from_slice(format!("event: {}\nid: {}\ndata: ", head.event_type, head.seq).as_bytes());
        }
        piece.extend_from_slice(line);
        if self == Self::Events {
            piece.extend_from_slice(b"\n");
        }
    }
}

/// What a server-sent event says of its event besides the data.
#[derive(Default, Deserialize)]
struct Head<'a> {
    seq: u64,
    #[serde(rename = "type", borrow)]
    event_type: Cow<'a, str>,
}

/// Where a stream stands.
struct Reader {
    run: Arc<Run>,
    length: watch::Receiver<u64>,
    wanted: Wanted,
    form: Form,
    keepalive: Duration,
    stop: CancellationToken,
}

/// The events that a reader wants, some at a time.
pub(super) fn pieces(
    run: Arc<Run>,
    wanted: Wanted,
    form: Form,
    keepalive: Duration,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let length = run.engine().ledger().watch();
    let reader = Reader { run, length, wanted, form, keepalive, stop };
    futures_util::stream::unfold(reader, |mut reader| async {
        let piece = reader.next().await?;
        Some((Ok(piece), reader))
    })
}

impl Reader {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            // Marked as seen before the log is read: what is appended after that wakes this reader again.
            self.length.borrow_and_update();
            let (lines, ended) = {
                let engine = self.run.engine();
                let most = self.wanted.limit.min(BATCH);
                let (lines, last_seq) = engine.ledger().lines(self.wanted.after_seq, most, self.wanted.include_output);
                self.wanted.after_seq = last_seq;
                (lines, engine.ended())
            };
            if !lines.is_empty() {
                if self.wanted.limit != usize::MAX {
                    self.wanted.limit -= lines.len();
                }
                let mut piece = BytesMut::with_capacity(lines.iter().map(Bytes::len).sum());
                for line in &lines {
                    self.form.write(line, &mut piece);
                }
                return Some(piece.freeze());
            }
            if ended || !self.wanted.wait || self.wanted.limit == 0 {
                return None;
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                changed = self.length.changed() => changed.ok()?,
                () = tokio::time::sleep(self.keepalive) => return Some(Bytes::from_static(self.form.keepalive())),
            }
        }
    }
}
