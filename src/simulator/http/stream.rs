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
use super::super::world::{FloodRun, Run};
use super::accept::Form;
use super::error::ApiError;
use super::outgoing::Outgoing;
use super::query::{self, Parameters};

/// Events in one piece of the body, so that a long log does not stand in memory twice.
const BATCH: usize = 256;

/// Bytes of one piece of a run that is made as it is read.
const PIECE: usize = 64 * 1024;

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

    /// So many events are sent.
    fn count(&mut self, events: u64) {
        self.after_seq += events;
        if self.limit != usize::MAX {
            self.limit -= usize::try_from(events).unwrap_or(self.limit).min(self.limit);
        }
    }
}

/// Where the events come from.
pub(super) enum Log {
    /// A run that keeps them, and their number.
    Kept { run: Arc<Run>, length: watch::Receiver<u64> },
    /// A run that makes them.
    Made(Arc<FloodRun>),
}

impl Log {
    /// The events of a run that keeps them.
    pub(super) fn kept(run: Arc<Run>) -> Self {
        let length = run.engine().ledger().watch();
        Self::Kept { run, length }
    }

    /// What is there now is seen: what comes later is a change.
    fn mark_seen(&mut self) {
        if let Self::Kept { length, .. } = self {
            length.borrow_and_update();
        }
    }

    /// The lines of the events behind `after_seq`, at most `most`; whether the run has ended.
    fn lines(&self, after_seq: u64, most: usize, include_output: bool) -> (Vec<Bytes>, bool) {
        match self {
            Self::Kept { run, .. } => {
                let engine = run.engine();
                (engine.ledger().lines(after_seq, most, include_output).0, engine.ended())
            }
            Self::Made(run) => {
                let lines = run.lines(after_seq, most, include_output);
                let ended = run.ends_with(after_seq.saturating_add(lines.len() as u64));
                (lines, ended)
            }
        }
    }

    /// Waits until there is more than `seq`; `None` where there never will be.
    async fn more_than(&mut self, seq: u64) -> Option<()> {
        match self {
            Self::Kept { length, .. } => length.changed().await.ok(),
            Self::Made(run) => {
                run.event_after(seq).await;
                Some(())
            }
        }
    }
}

/// Where a stream stands.
struct Reader {
    log: Log,
    wanted: Wanted,
    outgoing: Outgoing,
    distortion: Option<Distortion>,
    keepalive: Duration,
    stop: CancellationToken,
}

/// The events that a reader wants, some at a time, with what befalls them.
pub(super) fn pieces(
    log: Log,
    mut wanted: Wanted,
    form: Form,
    faults: &Arc<faults::Request>,
    keepalive: Duration,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    if let Some(drawn) = faults.draws(Fault::FromStart).filter(|_| wanted.after_seq > 0) {
        faults.happens(drawn);
        wanted.after_seq = 0;
    }
    let crlf = faults.draws(Fault::Crlf);
    if let Some(drawn) = crlf {
        faults.happens(drawn);
    }
    let outgoing = Outgoing::new(form, crlf.is_some());
    let reader = Reader { log, wanted, outgoing, distortion: Distortion::of(faults), keepalive, stop };
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
            self.log.mark_seen();
            if let Some(piece) = self.made() {
                return Some(piece);
            }
            let first = self.wanted.after_seq.saturating_add(1);
            let most = self.wanted.limit.min(BATCH);
            let (lines, ended) = self.log.lines(self.wanted.after_seq, most, self.wanted.include_output);
            if !lines.is_empty() {
                self.wanted.count(lines.len() as u64);
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
                more = self.log.more_than(self.wanted.after_seq) => more?,
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

    /// Events of a run that makes them, written at once into the piece that is sent; `None` where there are none yet, or
    /// where each must be looked at.
    fn made(&mut self) -> Option<Bytes> {
        let Log::Made(run) = &self.log else { return None };
        if self.distortion.is_some() || !self.outgoing.is_plain() {
            return None;
        }
        let Wanted { after_seq, limit, include_output, .. } = self.wanted;
        let last = run.happened().min(after_seq.saturating_add(limit as u64));
        // A line is seldom longer than what is left behind the mark.
        let mut piece = Vec::with_capacity(PIECE + 1024);
        let seq = run.write(after_seq, last, include_output, PIECE, &mut piece);
        self.wanted.count(seq - after_seq);
        (!piece.is_empty()).then(|| piece.into())
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
