//! A second request beside the stream, which asks whether the stream has missed something.
//!
//! Owns what is asked, what the answer means, and what follows from it for the connection. When a probe is due is
//! `session`'s. Rule: a probe applies nothing; what it finds is read by a connection of its own.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::LinkState;
use super::follow::{End, Follower};
use super::journal_format::tell_the_same;
use super::sequence::REREADS;
use super::session::{HISTORY_QUIET, ONLY_ALIVE, PAGE, Reading, readable};
use super::source::Source;
use crate::api::client::{EventsQuery, Reply, StreamItem};
use crate::api::error::{Error, StreamError};
use crate::api::event::ProtocolError;
use crate::api::ids::RunId;
use crate::api::run::RunSnapshot;

/// What a probe has found.
pub(super) enum Probed {
    /// The server has this event, which the stream had not brought when the probe was made.
    More(u64),
    /// The server has another event in the place of the last one that was given out.
    Differs,
    /// The server has nothing there.
    Gone,
    /// The stream has missed nothing.
    Nothing(Option<Box<Reply<RunSnapshot>>>),
    /// The server does not answer, or refuses.
    Failed(End),
}

pub(super) type Probe = Pin<Box<dyn Future<Output = Probed> + Send>>;

impl<S: Source> Follower<S> {
    pub(super) fn start_probe(&self, reading: &mut Reading) {
        let patience = self.config.idle_timeout;
        let (run_id, quiet) = (self.sequence.run_id(), HISTORY_QUIET.min(patience / 2));
        let claims = self.sequence.claims().clone();
        let limit = u32::try_from(claims.len()).unwrap_or(PAGE).saturating_add(1).min(PAGE);
        // The last event again, to see whether it is still the one that was read.
        let (last, shown) = (self.sequence.last(), self.sequence.last_line().cloned());
        let again = u32::from(shown.is_some());
        let query = EventsQuery {
            after_seq: last - u64::from(again),
            limit: limit + again,
            include_output: false,
            ..self.query(false)
        };
        let known = Known { last, shown, claims, within_a_line: reading.within_a_line };
        let probe = probe(Arc::clone(&self.source), run_id, query, known, quiet);
        reading.probe = Some(Box::pin(async move {
            tokio::time::timeout(patience, probe).await.unwrap_or_else(|_| {
                let cause = format!("no sign of life, and no answer to a probe within {} s", patience.as_secs());
                Probed::Failed(End::unavailable(cause))
            })
        }));
    }

    pub(super) async fn probed(&mut self, probed: Option<Probed>, reading: &mut Reading) -> Result<(), End> {
        reading.probe = None;
        reading.doubted = false;
        (reading.event_at, reading.look_after) = (Instant::now(), ONLY_ALIVE);
        if matches!(probed, Some(Probed::More(_) | Probed::Nothing(_))) {
            (self.gone, self.doubtful) = (0, false);
        }
        let last = self.sequence.last();
        match probed {
            Some(Probed::Differs) => {
                let why =
                    format!("event {last} on the server is another than the one that was read: its log is a new one");
                Err(End::Restart { why })
            }
            Some(Probed::Gone) if self.gone >= REREADS => {
                self.gone = 0;
                let why =
                    format!("the server has no event {last} any more, which was read before: its log is a new one");
                Err(End::Restart { why })
            }
            Some(Probed::Gone) => {
                self.gone += 1;
                let cause =
                    format!("event {last}, which was read before, did not come again; asking again ({})", self.gone);
                Err(End::Failed { cause, class: None, retry_after: None })
            }
            Some(Probed::Failed(_)) if std::mem::take(&mut reading.only_alive) => {
                // It says nothing of the stream, so what was to be found out is asked again soon.
                reading.look_after = 1;
                Ok(())
            }
            Some(Probed::More(seq)) if seq > self.sequence.last() => Err(End::Reopen),
            Some(Probed::More(_)) => {
                // The stream was only late.
                reading.only_alive = false;
                reading.alive();
                Ok(self.outbox.link(LinkState::Live).await?)
            }
            Some(Probed::Failed(end)) => Err(end),
            Some(Probed::Nothing(snapshot)) => {
                if let Some(snapshot) = snapshot {
                    let terminal = snapshot.value.status.is_terminal();
                    self.deliver(*snapshot).await?;
                    if terminal {
                        return Err(End::Reopen);
                    }
                }
                reading.only_alive = false;
                reading.alive();
                Ok(self.outbox.link(LinkState::Live).await?)
            }
            None => Ok(()),
        }
    }
}

/// What is no news to a probe.
struct Known {
    /// The last place that was given out, and the line of the event there.
    last: u64,
    shown: Option<Bytes>,
    /// Seqs that lines have claimed already.
    claims: BTreeSet<u64>,
    /// Whether the stream is within a line that has not ended.
    within_a_line: bool,
}

/// Asks with a second request whether the stream has missed something.
async fn probe<S: Source>(source: Arc<S>, run_id: RunId, query: EventsQuery, known: Known, quiet: Duration) -> Probed {
    let is_news = |seq: u64| seq > known.last && !known.claims.contains(&seq);
    let look = async {
        let mut stream = source.events(query).await?;
        // A server that keeps the answer open has nothing either. A keepalive says nothing of that, as an event may
        // stand behind it, and does not put off the end, as they may come for ever.
        let mut quiet_at = Instant::now() + quiet;
        let mut proved = known.shown.is_none();
        while let Ok(item) = tokio::time::timeout_at(quiet_at, stream.next()).await {
            let Some(item) = item else {
                if proved {
                    break;
                }
                return Ok(Probed::Gone);
            };
            if !matches!(item, Ok(StreamItem::Keepalive)) {
                quiet_at = Instant::now() + quiet;
            }
            // A server that begins too early may not come as far.
            proved |= matches!(&item, Ok(StreamItem::Event { event, .. }) if event.seq < known.last);
            match item {
                Ok(StreamItem::Event { event, line }) if event.seq == known.last && event.run_id == run_id => {
                    if known.shown.as_ref().is_some_and(|shown| !tell_the_same(shown, &line)) {
                        return Ok(Probed::Differs);
                    }
                    proved = true;
                }
                Ok(StreamItem::Event { event, .. }) if is_news(event.seq) && event.run_id == run_id => {
                    return Ok(Probed::More(event.seq));
                }
                Err(StreamError::Protocol(ProtocolError { seq: Some(seq), .. })) if is_news(seq) => {
                    return Ok(Probed::More(seq));
                }
                Err(StreamError::Transport(error)) => return Err(Error::Transport(error)),
                // Opening the stream again would begin the same long line again.
                Ok(StreamItem::Partial) if known.within_a_line => break,
                _ => {}
            }
        }
        drop(stream);
        readable(source.snapshot().await).map(|snapshot| Probed::Nothing(snapshot.map(Box::new)))
    };
    look.await.unwrap_or_else(|error: Error| Probed::Failed(error.into()))
}
