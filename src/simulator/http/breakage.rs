//! The body of an answer on a bad way: cut, ended too early, stalled, slowed, or packed.
//!
//! Rule: the bytes that are sent are the first of those that would have been sent without it, in their order.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use super::gzip::Packer;

/// How often a slowed answer sends something, in a second.
const STEPS: u64 = 20;

/// How an answer ends before its time.
pub(super) type Ending = Box<dyn FnOnce() -> After + Send>;

/// Tells that something happens.
pub(super) type Telling = Box<dyn FnOnce() + Send>;

/// What comes after the last byte of an answer that ends before its time.
pub(super) enum After {
    /// A clean end.
    End,
    /// Nothing: the connection is reset.
    Nothing,
}

/// What a body goes through.
#[derive(Default)]
pub(super) struct Breakage {
    pub(super) packed: bool,
    /// Bytes a second.
    pub(super) rate: Option<u64>,
    /// The bytes before the silence, how long it is, and whom to tell that it begins.
    pub(super) stall: Option<(u64, Duration, Telling)>,
    /// The bytes before the end.
    pub(super) end: Option<(u64, Ending)>,
}

struct Broken {
    body: BodyDataStream,
    packer: Option<Packer>,
    breakage: Breakage,
    /// What is there and not sent.
    rest: Bytes,
    /// How much was sent.
    sent: u64,
    ended: bool,
    stop: CancellationToken,
}

impl Breakage {
    /// Sends a body through it.
    pub(super) fn apply(self, body: Body, stop: CancellationToken) -> Body {
        let packer = self.packed.then(Packer::new);
        let (body, rest) = (body.into_data_stream(), Bytes::new());
        Body::from_stream(Broken { body, packer, breakage: self, rest, sent: 0, ended: false, stop }.pieces())
    }
}

impl Broken {
    fn pieces(self) -> impl Stream<Item = Result<Bytes, axum::Error>> {
        futures_util::stream::unfold(self, |mut broken| async {
            let stop = broken.stop.clone();
            // A server that stops leaves no answer hanging.
            let piece = stop.run_until_cancelled(broken.next()).await??;
            Some((piece, broken))
        })
    }

    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        self.stall(self.sent).await;
        if self.breakage.end.as_ref().is_some_and(|(at, _)| *at <= self.sent) {
            return self.end().await;
        }
        while self.rest.is_empty() {
            if self.ended {
                // An answer that is shorter than where it was to break breaks at its end.
                self.stall(u64::MAX).await;
                return self.end().await;
            }
            match self.body.next().await {
                Some(Ok(piece)) => self.rest = self.packer.as_mut().map_or(piece.clone(), |packer| packer.pack(&piece)),
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.ended = true;
                    self.rest = self.packer.take().map(Packer::end).unwrap_or_default();
                }
            }
        }
        let mut most = self.rest.len() as u64;
        let bounds = [self.breakage.stall.as_ref().map(|stall| stall.0), self.breakage.end.as_ref().map(|end| end.0)];
        for bound in bounds.into_iter().flatten() {
            most = most.min(bound - self.sent);
        }
        if let Some(rate) = self.breakage.rate {
            most = most.min((rate / STEPS).max(1));
            tokio::time::sleep(Duration::from_secs_f64(precise(most) / precise(rate.max(1)))).await;
        }
        self.sent += most;
        Some(Ok(self.rest.split_to(usize::try_from(most).unwrap_or(usize::MAX).min(self.rest.len()))))
    }

    /// Is silent, where that is due by this byte.
    async fn stall(&mut self, byte: u64) {
        if let Some((_, silence, tell)) = self.breakage.stall.take_if(|(at, ..)| *at <= byte) {
            tell();
            tokio::time::sleep(silence).await;
        }
    }

    async fn end(&mut self) -> Option<Result<Bytes, axum::Error>> {
        let (_, ending) = self.breakage.end.take()?;
        match ending() {
            After::End => None,
            After::Nothing => std::future::pending().await,
        }
    }
}

/// Rates and pieces are small.
fn precise(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
