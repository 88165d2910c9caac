//! The event stream: events as they are appended, until the run ends.
//!
//! Owns the query of `GET /runs/{id}/events` and the body that answers it, in either of its forms. Rule: an event is
//! sent as soon as it is in the log; the stream ends when the run has ended and everything is sent, and not before
//! unless it was asked to.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::faults::{self, Distortion, Fault};
use super::super::world::Run;
use super::accept::Form;
use super::error::ApiError;
use super::outgoing::Outgoing;
use super::query::{self, Parameters};

/// Events in one piece of the body, so that a long log does not stand in memory twice.
const BATCH: usize = 256;

/// How long an event that is sent out of its order waits for the next one.
const HELD: Duration = Duration::from_millis(300);

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

/// Where a stream stands.
struct Reader {
    run: Arc<Run>,
    length: watch::Receiver<u64>,
    wanted: Wanted,
    outgoing: Outgoing,
    distortion: Option<Distortion>,
    keepalive: Duration,
    stop: CancellationToken,
}

/// The events that a reader wants, some at a time, with what befalls them.
pub(super) fn pieces(
    run: Arc<Run>,
    mut wanted: Wanted,
    form: Form,
    faults: &Arc<faults::Request>,
    keepalive: Duration,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let length = run.engine().ledger().watch();
    if let Some(drawn) = faults.draws(Fault::FromStart).filter(|_| wanted.after_seq > 0) {
        faults.happens(drawn);
        wanted.after_seq = 0;
    }
    let crlf = faults.draws(Fault::Crlf);
    if let Some(drawn) = crlf {
        faults.happens(drawn);
    }
    let outgoing = Outgoing::new(form, crlf.is_some());
    let reader = Reader { run, length, wanted, outgoing, distortion: Distortion::of(faults), keepalive, stop };
    futures_util::stream::unfold(reader, |mut reader| async {
        let piece = reader.next().await?;
        Some((Ok(piece), reader))
    })
}

impl Reader {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.outgoing.next() {
                return Some(piece);
            }
            // Marked as seen before the log is read: what is appended after that wakes this reader again.
            self.length.borrow_and_update();
            let first = self.wanted.after_seq.saturating_add(1);
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
                self.send(first, &lines);
                continue;
            }
            let held = self.distortion.as_ref().is_some_and(Distortion::holds);
            if ended || !self.wanted.wait || self.wanted.limit == 0 {
                if held {
                    self.send_rest();
                    continue;
                }
                return None;
            }
            let patience = if held { self.keepalive.min(HELD) } else { self.keepalive };
            tokio::select! {
                () = self.stop.cancelled() => return None,
                changed = self.length.changed() => changed.ok()?,
                () = tokio::time::sleep(patience) => {
                    if held {
                        self.send_rest();
                    } else {
                        self.outgoing.keepalive();
                    }
                }
            }
        }
    }

    /// Lines of events, the first of this seq.
    fn send(&mut self, first: u64, lines: &[Bytes]) {
        let Some(distortion) = &mut self.distortion else {
            for line in lines {
                self.outgoing.event(line);
            }
            return;
        };
        for (seq, line) in (first..).zip(lines) {
            for item in distortion.event(seq, line) {
                self.outgoing.item(&item);
            }
        }
    }

    /// What a fault holds back until the next event, of which there is none.
    fn send_rest(&mut self) {
        let rest = self.distortion.as_mut().map(Distortion::rest).unwrap_or_default();
        for item in &rest {
            self.outgoing.item(item);
        }
    }
}
