//! One connection: the snapshot, the history, then the live stream with its probe.
//!
//! The history is read to its end without waiting before the live stream is opened, so that "caught up" is a fact
//! and not a guess. A server that keeps that answer open all the same is taken to be caught up once it sends a
//! keepalive or is quiet for five seconds.
//!
//! Rule: every future here may be dropped at any await (the operator's "now" does so); what was taken from a stream
//! is in the sequence and the outbox by then, or was not taken.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;

use super::follow::{End, Follower};
use super::outbox::Closed;
use super::probe::Probe;
use super::sequence::{Effect, REREADS};
use super::source::Source;
use super::{FeedUpdate, LinkState, events_named};
use crate::api::client::{EventsQuery, Reply, StreamItem};
use crate::api::error::{Class, Error, StreamError};
use crate::api::run::RunSnapshot;

/// What comes of a history within so long of what came before belongs with it.
const ON_ITS_WAY: Duration = Duration::from_millis(2);

/// A history that is quiet for so long without ending comes from a server that keeps it open.
pub(super) const HISTORY_QUIET: Duration = Duration::from_secs(5);

/// A stream that says for so many idle timeouts only that it is alive is probed: a server may have lost what it should
/// say and not the clock that keeps the connection.
pub(super) const ONLY_ALIVE: u32 = 4;

/// How often the snapshot is read after the run's last event before the run counts as ended without it.
const LAST_READS: u32 = 3;

/// The most that one answer can be asked for (`wire/README.md`, "Endpoints").
pub(super) const PAGE: u32 = 10_000;

/// Which of the two streams of a connection is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    History,
    Live,
}

/// Reading one stream: what the link's state depends on.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the stream")]
pub(super) struct Reading {
    pub(super) phase: Phase,
    /// Events applied on this connection, for `CatchingUp`.
    pub(super) applied: u64,
    /// When what is being taken was found.
    now: Instant,
    /// When an event came last, or the stream was opened.
    pub(super) event_at: Instant,
    /// After so many idle timeouts without an event the stream is probed although it is alive.
    pub(super) look_after: u32,
    /// The furthest known event that this stream has sent again, and when that grew last.
    furthest: (u64, Instant),
    /// The last sign of life, on both clocks.
    pub(super) sign: Instant,
    pub(super) sign_at: Timestamp,
    pub(super) probe: Option<Probe>,
    /// Whether the probe was asked for: bytes that were on their way already prove nothing then.
    pub(super) doubted: bool,
    /// Whether the probe is made although nothing is wrong: its failure says nothing of the stream.
    pub(super) only_alive: bool,
    /// Whether a line has begun and not ended: a probe that meets the same one knows that nothing is missed yet.
    pub(super) within_a_line: bool,
    /// Whether the snapshot says that the run has ended: a quiet history has no more then.
    pub(super) terminal: bool,
}

impl Reading {
    pub(super) fn new(phase: Phase, applied: u64) -> Self {
        Self {
            phase,
            applied,
            now: Instant::now(),
            event_at: Instant::now(),
            look_after: ONLY_ALIVE,
            furthest: (0, Instant::now()),
            sign: Instant::now(),
            sign_at: Timestamp::now(),
            probe: None,
            doubted: false,
            only_alive: false,
            within_a_line: false,
            terminal: false,
        }
    }

    /// Whether it is a history that has come no further for so long, whatever it brings.
    fn is_barren(&self, long: Duration) -> bool {
        self.phase == Phase::History && self.event_at.max(self.furthest.1).elapsed() >= long
    }

    pub(super) fn alive(&mut self) {
        self.sign = Instant::now();
        self.sign_at = Timestamp::now();
        if !self.doubted {
            self.probe = None;
        }
    }
}

impl<S: Source> Follower<S> {
    /// Connects and reads until something ends it.
    pub(super) async fn session(&mut self) -> End {
        match self.connect_and_read().await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn connect_and_read(&mut self) -> Result<End, End> {
        self.outbox.link(LinkState::Connecting).await?;
        self.sequence.forget();
        self.forget_early();
        if !self.config.wait {
            return self.read_what_is_there().await;
        }
        let snapshot = readable(self.source.snapshot().await)?;
        let terminal = snapshot.as_ref().is_some_and(|snapshot| snapshot.value.status.is_terminal());
        if let Some(snapshot) = snapshot {
            self.deliver(snapshot).await?;
        }
        let mut applied = 0;
        // Where the snapshot is ahead of the events, the second reading waits: what is still to be written comes.
        let mut wait = false;
        loop {
            let before = self.sequence.last();
            let query = self.query(wait);
            let stream = self.source.events(query).await?;
            let mut reading = Reading { terminal, ..Reading::new(Phase::History, applied) };
            self.outbox.link(LinkState::CatchingUp { applied }).await?;
            self.read(stream, &mut reading).await?;
            applied = reading.applied;
            // A keepalive may have made it live, and the next request may take its time.
            self.outbox.link(LinkState::CatchingUp { applied }).await?;
            if !self.run_ended && self.is_full(&query) {
                continue;
            }
            if self.run_ended || !terminal {
                break;
            }
            if wait && self.sequence.last() == before {
                return self.ended_without_its_last_event();
            }
            wait = true;
        }
        if !self.run_ended {
            let query = self.query(true);
            let stream = self.source.events(query).await?;
            self.outbox.link(LinkState::Live).await?;
            let mut reading = Reading::new(Phase::Live, applied);
            if self.doubtful && applied == 0 && self.sequence.last_line().is_some() {
                // Nothing new behind an outage: a server that has begun the run anew has nothing there either.
                (reading.doubted, reading.only_alive) = (true, true);
                self.start_probe(&mut reading);
            }
            self.read(stream, &mut reading).await?;
            if !self.run_ended && self.is_full(&query) {
                return Err(End::Reopen);
            }
        }
        if !self.run_ended {
            return Err(End::unavailable("the server closed the stream before the run had ended".to_owned()));
        }
        self.read_the_last().await
    }

    /// The snapshot says that the run has ended, and the events have no end: read again as a gap is, because an answer
    /// that was cut short looks the same. Whoever asked to begin behind some event may have begun behind the last.
    fn ended_without_its_last_event(&mut self) -> Result<End, End> {
        self.endless += 1;
        let may_be_known = self.config.after_seq > 0 && self.sequence.last() == self.config.after_seq;
        if self.endless > REREADS || may_be_known {
            return Ok(End::Ended);
        }
        let cause = format!("the run has ended, and its last event is missing; reading again ({})", self.endless);
        Err(End::Failed { cause, class: None, retry_after: None })
    }

    /// Reads answer after answer until one brings nothing new.
    async fn read_what_is_there(&mut self) -> Result<End, End> {
        let mut applied = 0;
        loop {
            let before = self.sequence.last();
            let stream = self.source.events(self.query(false)).await?;
            self.outbox.link(LinkState::CatchingUp { applied }).await?;
            let mut reading = Reading::new(Phase::History, applied);
            self.read(stream, &mut reading).await?;
            applied = reading.applied;
            if self.run_ended {
                return Ok(End::Ended);
            }
            if self.sequence.last() == before {
                self.outbox.link(LinkState::Live).await?;
                return Ok(End::Closed);
            }
        }
    }

    pub(super) fn query(&self, wait: bool) -> EventsQuery {
        let limit = self.left.map_or(0, |left| u32::try_from(left).unwrap_or(u32::MAX).min(PAGE));
        EventsQuery { after_seq: self.ask_after(), limit, wait, include_output: self.config.include_output }
    }

    /// Whether an answer has brought all that its query asked for: the next one goes on behind it.
    fn is_full(&self, query: &EventsQuery) -> bool {
        query.limit > 0 && self.sequence.last() - query.after_seq >= u64::from(query.limit)
    }

    pub(super) async fn deliver(&mut self, reply: Reply<RunSnapshot>) -> Result<(), Closed> {
        let snapshot = Box::new(reply.value);
        self.outbox.send(FeedUpdate::Snapshot { snapshot, server_date: reply.date }).await
    }

    /// After the run's last event: whatever stands behind it, then the snapshot with the final costs and outputs. The
    /// run has ended whether the server still answers or not.
    async fn read_the_last(&mut self) -> Result<End, End> {
        for attempt in 1..=LAST_READS {
            let read = async {
                if let Ok(stream) = self.source.events(self.query(false)).await {
                    // A history that does not end is not waited for.
                    let reading = &mut Reading::new(Phase::History, 0);
                    let _ = tokio::time::timeout(HISTORY_QUIET, self.read(stream, reading)).await;
                }
                self.source.snapshot().await
            };
            match read.await {
                Ok(snapshot) => {
                    self.deliver(snapshot).await?;
                    break;
                }
                Err(error) if error.is_retryable() && attempt < LAST_READS => {
                    // Nothing is connected meanwhile, and nothing is missing either.
                    self.outbox.link(LinkState::Connecting).await?;
                    let wait = crate::api::retry::delay(attempt, error.retry_after(), crate::api::retry::jitter());
                    tokio::time::sleep(wait).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "the snapshot after the run's end cannot be read");
                    break;
                }
            }
        }
        Ok(End::Ended)
    }

    /// Reads a stream to its end, or to the run's; says the link's state as it changes.
    async fn read(&mut self, mut stream: S::Stream, reading: &mut Reading) -> Result<(), End> {
        let signals = Arc::clone(&self.signals);
        loop {
            if reading.phase == Phase::Live && !self.config.wait {
                return Ok(());
            }
            let idle_at = match reading.phase {
                Phase::History => reading.sign + HISTORY_QUIET.min(self.config.idle_timeout),
                Phase::Live => reading.sign + self.config.idle_timeout,
            };
            let look_at = reading.event_at + self.config.idle_timeout * reading.look_after;
            tokio::select! {
                biased;
                item = stream.next() => {
                    let Some(item) = item else { return self.settle(reading).await };
                    self.take_ready(item, &mut stream, reading).await?;
                    if (self.run_ended || reading.terminal) && reading.phase == Phase::Live {
                        return Ok(());
                    }
                    if reading.is_barren(self.barren()) {
                        tracing::warn!("the history goes on for long without a word that is new, and counts as read");
                        if self.run_ended || reading.terminal {
                            return self.settle(reading).await;
                        }
                        self.caught_up(reading).await?;
                    }
                }
                probed = async { reading.probe.as_mut()?.await.into() }, if reading.probe.is_some() => {
                    self.probed(probed, reading).await?;
                }
                () = signals.taken_over.notified() => self.take_over(),
                () = signals.probe.notified(), if !reading.doubted => {
                    reading.doubted = true;
                    self.doubt(reading).await?;
                }
                () = tokio::time::sleep_until(idle_at), if reading.probe.is_none() => match reading.phase {
                    Phase::History if self.run_ended || reading.terminal => return self.settle(reading).await,
                    Phase::History => self.caught_up(reading).await?,
                    Phase::Live => self.doubt(reading).await?,
                },
                () = tokio::time::sleep_until(look_at), if reading.phase == Phase::Live && reading.probe.is_none() => {
                    (reading.doubted, reading.only_alive) = (true, true);
                    self.start_probe(reading);
                }
            }
        }
    }

    /// A history that goes on for so long with lines of no use has no more events: it would be read for ever.
    fn barren(&self) -> Duration {
        self.config.idle_timeout * ONLY_ALIVE
    }

    /// Takes an item and all that are there already, within a batch's bounds, and sends them. Of a history the network
    /// brings less at a time than a batch holds, and more at once: that is waited for.
    async fn take_ready(
        &mut self,
        first: Result<StreamItem, StreamError>,
        stream: &mut S::Stream,
        reading: &mut Reading,
    ) -> Result<(), End> {
        // One look at the clock for all of them: they are there already.
        reading.now = Instant::now();
        let mut taken = self.take(first, reading);
        while taken.is_ok()
            && !self.outbox.is_full()
            && let Some(item) = next_at_once(stream, reading.phase).await
        {
            taken = self.take(item, reading);
        }
        if let Err(end) = taken {
            self.count();
            self.outbox.flush().await?;
            return Err(end);
        }
        self.count();
        reading.alive();
        match reading.phase {
            _ if reading.doubted => self.outbox.flush().await?,
            Phase::History => self.outbox.link(LinkState::CatchingUp { applied: reading.applied }).await?,
            Phase::Live => self.outbox.link(LinkState::Live).await?,
        }
        self.record().await;
        Ok(())
    }

    /// Adds what was taken to what the handle tells.
    fn count(&mut self) {
        self.signals.bytes.fetch_add(self.outbox.take_counted(), Ordering::Relaxed);
    }

    /// Takes one item into the order, an unproved journal's before it.
    fn take(&mut self, item: Result<StreamItem, StreamError>, reading: &mut Reading) -> Result<(), End> {
        if self.unproved().is_none() {
            return self.accept(item, reading);
        }
        self.screen(item)?.into_iter().try_for_each(|item| self.accept(item, reading))
    }

    fn accept(&mut self, item: Result<StreamItem, StreamError>, reading: &mut Reading) -> Result<(), End> {
        let hold = reading.phase == Phase::History;
        reading.within_a_line = matches!(item, Ok(StreamItem::Partial));
        let effect = match item {
            Ok(StreamItem::Event { event, line }) => {
                if event.seq > reading.furthest.0 && event.seq <= self.sequence.last() {
                    // A server that begins with what is known comes to what is new.
                    reading.furthest = (event.seq, reading.now);
                }
                self.sequence.event(event, &line, hold, self.outbox.batch(line.len()))
            }
            // An answer that is to end by itself may only be slow: what it has to say comes yet.
            Ok(StreamItem::Keepalive) if self.waits_for_an_answer() && reading.event_at.elapsed() < HISTORY_QUIET => {
                Effect::Nothing
            }
            Ok(StreamItem::Keepalive) => {
                // Whoever has nothing to say has said everything.
                self.history_ended()?;
                reading.phase = Phase::Live;
                self.sequence.settle(self.outbox.batch(0))
            }
            Ok(StreamItem::Partial) => Effect::Nothing,
            Err(StreamError::Protocol(error)) => {
                let bytes = error.line.len();
                self.sequence.rejected(error, self.outbox.batch(bytes))
            }
            Err(StreamError::Transport(error)) => {
                return Err(End::unavailable(error.to_string()));
            }
        };
        self.heed(effect, reading)
    }

    /// Whether an answer is to end by itself, or still has to prove the journal.
    fn waits_for_an_answer(&self) -> bool {
        !self.config.wait || self.unproved().is_some()
    }

    /// What a line did to the order decides about the connection and the next wait.
    fn heed(&mut self, effect: Effect, reading: &mut Reading) -> Result<(), End> {
        let given = self.sequence.take_given();
        if given > 0 {
            reading.applied += given;
            (reading.event_at, reading.look_after) = (reading.now, ONLY_ALIVE);
            self.run_ended |= self.sequence.run_ended();
            self.backoff.reset();
            self.endless = 0;
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(given);
                if *left == 0 && !self.run_ended {
                    return Err(End::Closed);
                }
            }
        }
        match effect {
            Effect::New | Effect::Nothing => Ok(()),
            Effect::Reread { first, last, attempt } => {
                let cause = format!("{} missing; reading again ({attempt})", events_named(first, last));
                Err(End::Failed { cause, class: None, retry_after: None })
            }
        }
    }

    /// Nothing more comes in this history: gives out what was held beyond a gap, and sends everything.
    async fn settle(&mut self, reading: &mut Reading) -> Result<(), End> {
        reading.now = Instant::now();
        let effect = self.sequence.settle(self.outbox.batch(0));
        let heeded = self.heed(effect, reading);
        self.outbox.flush().await?;
        self.record().await;
        heeded.and_then(|()| self.history_ended())
    }

    async fn caught_up(&mut self, reading: &mut Reading) -> Result<(), End> {
        self.settle(reading).await?;
        reading.phase = Phase::Live;
        Ok(self.outbox.link(LinkState::Live).await?)
    }

    /// Says that the link is stale, and probes it.
    async fn doubt(&mut self, reading: &mut Reading) -> Result<(), End> {
        self.outbox.stale(reading.sign_at).await?;
        self.start_probe(reading);
        Ok(())
    }
}

/// The next item, where it is there; of a history also where it is on its way.
async fn next_at_once<T, S: Stream<Item = T> + Unpin>(stream: &mut S, phase: Phase) -> Option<T> {
    match stream.next().now_or_never() {
        None if phase == Phase::History => tokio::time::timeout(ON_ITS_WAY, stream.next()).await.ok().flatten(),
        ready => ready.flatten(),
    }
}

/// The snapshot; `None` where the server answers with what is none, or cannot make it (500). The events tell the run
/// without it, and what cannot be read is told where it is looked at.
pub(super) fn readable(answer: Result<Reply<RunSnapshot>, Error>) -> Result<Option<Reply<RunSnapshot>>, Error> {
    match answer {
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(error) if error.class() == Class::Protocol || error.status() == Some(500) => {
            tracing::warn!(%error, "the run is followed without its snapshot");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
