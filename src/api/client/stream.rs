//! The event stream of a run: one attempt's worth of events, until the server ends it, it breaks, or it is canceled.
//!
//! Owns the way from bytes to events. It neither reconnects nor looks at the order of seqs: that is `feed`'s. Rule:
//! a line that breaks the protocol is one item, and never costs the next line.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use jiff::Timestamp;
use reqwest::Response;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::answer;
use crate::api::error::{StreamError, TransportError, TransportKind};
use crate::api::event::{Decoded, Decoder, Event, Problem, ProtocolError};
use crate::api::ndjson::{Line, LineSplitter};

/// What a stream brings.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every item is an event; boxing it would cost each one")]
pub enum StreamItem {
    /// An event.
    Event {
        /// The event.
        event: Event,
        /// Its line as it came, without the line end.
        line: Bytes,
    },
    /// A keepalive or an empty line: the server is alive and has nothing to say.
    Keepalive,
    /// A part of a line: the server is alive and is saying something long. Not told any more of a line that has grown
    /// over the limit.
    Partial,
}

/// Ends a stream from elsewhere. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle {
    token: CancellationToken,
    /// The same as a flag, which is looked at with every line; a token takes a lock.
    canceled: Arc<AtomicBool>,
}

impl CancelHandle {
    /// Ends the stream: a read that is waiting returns at once, and the connection is closed.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Whether the stream was canceled or dropped.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.canceled.load(Ordering::Acquire)
    }
}

type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// A run's events as they come. Dropping it closes the connection.
pub struct EventStream {
    /// `None` when the stream has ended.
    body: Option<Body>,
    splitter: LineSplitter,
    decoder: Decoder,
    handle: CancelHandle,
    cancellation: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Whether the last chunk has completed a line.
    completed: bool,
    host: String,
    request_id: Option<String>,
    date: Option<Timestamp>,
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream")
            .field("host", &self.host)
            .field("request_id", &self.request_id)
            .field("ended", &self.body.is_none())
            .finish_non_exhaustive()
    }
}

impl EventStream {
    pub(super) fn new(response: Response, host: String) -> Self {
        let handle = CancelHandle::default();
        Self {
            request_id: answer::request_id(response.headers()),
            date: answer::date(response.headers()),
            body: Some(Box::pin(response.bytes_stream())),
            splitter: LineSplitter::default(),
            decoder: Decoder::default(),
            cancellation: Box::pin(handle.token.clone().cancelled_owned()),
            handle,
            completed: true,
            host,
        }
    }

    /// The server's id of the request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The server's clock when it answered.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// Ends the stream: the next read gives `None`, and the connection is closed.
    pub fn cancel(&mut self) {
        self.handle.cancel();
        self.body = None;
    }

    /// A handle that can cancel it from another task, while a read is waiting too.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        self.handle.clone()
    }

    fn broken(&mut self, error: TransportError) -> Poll<Option<Result<StreamItem, StreamError>>> {
        self.body = None;
        Poll::Ready(Some(Err(StreamError::Transport(error))))
    }

    fn decode(&mut self, line: Line) -> Result<StreamItem, ProtocolError> {
        match line {
            Line::Whole(line) => match self.decoder.decode(&line)? {
                Decoded::Event(event) => Ok(StreamItem::Event { event, line }),
                Decoded::Keepalive | Decoded::Blank => Ok(StreamItem::Keepalive),
            },
            Line::TooLong { bytes, prefix } => {
                Err(ProtocolError::too_long(bytes, self.splitter.limit() as u64, prefix))
            }
        }
    }

    /// What the end of the body means. A last line without a line end is an event like any other, unless it cannot be
    /// read: then the connection was cut, and the event is still to come. (It must not count as a rejected line: its
    /// seq would take the event's place.)
    fn end(&mut self) -> Poll<Option<Result<StreamItem, StreamError>>> {
        self.body = None;
        let Some(line) = self.splitter.finish() else { return Poll::Ready(None) };
        Poll::Ready(match self.decode(line) {
            Ok(StreamItem::Keepalive) => None,
            Ok(item) => Some(Ok(item)),
            Err(ProtocolError {
                problem: Problem::NotAnEvent(_) | Problem::NotUtf8(_) | Problem::TooLong { .. },
                ..
            }) => {
                let (kind, cause) = (TransportKind::Cut, String::new());
                Some(Err(StreamError::Transport(TransportError { kind, host: self.host.clone(), cause, attempts: 1 })))
            }
            Err(error) => Some(Err(StreamError::Protocol(error))),
        })
    }
}

impl Stream for EventStream {
    type Item = Result<StreamItem, StreamError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.handle.is_canceled() {
                this.body = None;
                return Poll::Ready(None);
            }
            if let Some(line) = this.splitter.next_line() {
                this.completed = true;
                return Poll::Ready(Some(this.decode(line).map_err(StreamError::Protocol)));
            }
            if !this.completed {
                this.completed = true;
                return Poll::Ready(Some(Ok(StreamItem::Partial)));
            }
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            if this.cancellation.as_mut().poll(context).is_ready() {
                continue;
            }
            match ready!(body.as_mut().poll_next(context)) {
                Some(Ok(chunk)) => {
                    // A line over the limit is no sign that anything comes of it.
                    this.completed = chunk.is_empty() || this.splitter.is_skipping();
                    this.splitter.push(chunk);
                }
                Some(Err(error)) => return this.broken(TransportError::from_reqwest(&error, &this.host)),
                None => return this.end(),
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.handle.cancel();
    }
}
