//! The event stream: lines as they are appended, until the run ends.
//!
//! Owns the query of `GET /runs/{id}/events` and the body that answers it. Rule: an event is sent as soon as it is in
//! the log; the stream ends when the run has ended and everything is sent, and not before unless it was asked to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::world::Run;
use super::error::ApiError;

/// Events in one piece of the body, so that a long log does not stand in memory twice.
const BATCH: usize = 256;

const KEEPALIVE: &[u8] = b"{\"type\":\"keepalive\"}\n";

/// What a reader wants of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    after_seq: u64,
    limit: usize,
    wait: bool,
    include_output: bool,
}

impl Wanted {
    /// Reads the query.
    pub(super) fn read(query: &HashMap<String, String>) -> Result<Self, ApiError> {
        let after_seq = match query.get("after_seq") {
            Some(text) => text.parse().map_err(|_| ApiError::invalid("after_seq", "must be a number from 0"))?,
            None => 0,
        };
        let limit = match query.get("limit").map(|text| text.parse()) {
            None => usize::MAX,
            Some(Ok(limit @ 1..=10_000)) => limit,
            Some(_) => return Err(ApiError::invalid("limit", "must be a number from 1 to 10000")),
        };
        let wait = flag(query, "wait", true)?;
        Ok(Self { after_seq, limit, wait, include_output: flag(query, "include_output", false)? })
    }
}

fn flag(query: &HashMap<String, String>, name: &str, default: bool) -> Result<bool, ApiError> {
    match query.get(name).map(String::as_str) {
        None => Ok(default),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(ApiError::invalid(name, "must be true or false")),
    }
}

/// Where a stream stands.
struct Reader {
    run: Arc<Run>,
    length: watch::Receiver<u64>,
    wanted: Wanted,
    keepalive: Duration,
    stop: CancellationToken,
}

/// The lines that a reader wants.
pub(super) fn lines(
    run: Arc<Run>,
    wanted: Wanted,
    keepalive: Duration,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let length = run.engine().ledger().watch();
    let reader = Reader { run, length, wanted, keepalive, stop };
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
                    piece.extend_from_slice(line);
                }
                return Some(piece.freeze());
            }
            if ended || !self.wanted.wait || self.wanted.limit == 0 {
                return None;
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                changed = self.length.changed() => changed.ok()?,
                () = tokio::time::sleep(self.keepalive) => return Some(Bytes::from_static(KEEPALIVE)),
            }
        }
    }
}
