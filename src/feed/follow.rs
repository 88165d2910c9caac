//! From one connection to the next: what each one ended in, and when the next is due.
//!
//! Rule: whatever happens, the task goes on until it is stopped or nobody listens; every wait is shown, and an
//! operator's "now" ends it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::journal::Journal;
use super::outbox::{Closed, Outbox};
use super::recorder::Recorder;
use super::sequence::Sequence;
use super::source::Source;
use super::{FeedConfig, FeedUpdate, LinkState, Signals};
use crate::api::error::{Class, Error};
use crate::api::ids::RunId;
use crate::api::retry;
use crate::store;

/// The rest before a log that has changed again is read again, times how often it has.
const RESTART_REST: Duration = Duration::from_secs(1);

/// What a connection ended in.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    /// The run has ended, and every event of it was read.
    Ended,
    /// The server refuses; asking again would not help.
    Refused { cause: String, class: Class },
    /// It is to be made again after a wait.
    Failed { cause: String, class: Option<Class>, retry_after: Option<Duration> },
    /// It is to be made again at once: another one has more to say.
    Reopen,
    /// The journal is of another history than the server's: everything begins anew.
    Restart { why: String },
    /// Nobody listens, or all that was wanted is sent.
    Closed,
}

impl End {
    /// The connection is in trouble, and the next one may not be.
    pub(super) fn unavailable(cause: String) -> Self {
        Self::Failed { cause, class: Some(Class::Unavailable), retry_after: None }
    }
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        let (cause, class, retry_after) = (error.to_string(), error.class(), error.retry_after());
        match class {
            Class::Setting | Class::Unauthorized | Class::NotFound | Class::Invalid => Self::Refused { cause, class },
            Class::Conflict | Class::Unavailable | Class::Protocol => {
                Self::Failed { cause, class: Some(class), retry_after }
            }
        }
    }
}

/// The feed's task.
pub(super) struct Follower<S> {
    /// Shared with probes, which run beside the stream.
    pub(super) source: Arc<S>,
    pub(super) config: FeedConfig,
    pub(super) signals: Arc<Signals>,
    pub(super) outbox: Outbox,
    pub(super) sequence: Sequence,
    pub(super) backoff: Backoff,
    /// Whether the run's last event was applied.
    pub(super) run_ended: bool,
    /// How often in a row the events had no end although the snapshot said that the run has one.
    pub(super) endless: u8,
    /// How often in a row the server did not have the last event any more that was given out.
    pub(super) gone: u8,
    /// Whether a connection broke since the server was last seen to have that event.
    pub(super) doubtful: bool,
    /// How often the run began anew without an end between.
    restarts: u32,
    /// Events and rejected places that are still wanted; `None` for all.
    pub(super) left: Option<u64>,
    /// What is kept on disk, where anything is.
    pub(super) journal: Option<Journal>,
}

impl<S: Source> Follower<S> {
    pub(super) fn new(
        source: S,
        run_id: RunId,
        config: FeedConfig,
        tx: mpsc::Sender<FeedUpdate>,
        signals: Arc<Signals>,
    ) -> Self {
        Self {
            source: Arc::new(source),
            config,
            signals,
            outbox: Outbox::new(tx),
            sequence: Sequence::new(run_id, config.after_seq).with_lines(config.lines),
            backoff: Backoff::default(),
            run_ended: false,
            endless: 0,
            gone: 0,
            doubtful: false,
            restarts: 0,
            left: config.limit,
            journal: None,
        }
    }

    /// The same, which writes for `recorder`.
    pub(super) fn with_recorder(self, recorder: &Recorder) -> Self {
        Self { journal: Some(Journal::recorded(recorder)), ..self }
    }

    /// The same, which keeps the run's journal at `place` and begins with what stands there.
    pub(super) fn with_journal(self, place: store::journal::Journal) -> Self {
        Self { journal: Some(Journal::new(place)), ..self }
    }

    /// Follows the run until it is told to stop, or nobody listens.
    pub(super) async fn run(mut self) {
        let signals = Arc::clone(&self.signals);
        // Cancelled when everything is written, or a panic ends the task.
        let _finished = signals.finished.clone().drop_guard();
        let listener = self.outbox.listener();
        tokio::select! {
            biased;
            () = signals.stop.cancelled() => {}
            () = listener.closed() => {}
            () = self.follow() => {}
        }
        self.close_journal().await;
    }

    async fn follow(&mut self) {
        if self.open_journal().await.is_ok() {
            while self.connect_once().await.is_ok() {}
        }
    }

    /// One connection and the wait after it.
    async fn connect_once(&mut self) -> Result<(), Closed> {
        let signals = Arc::clone(&self.signals);
        let end = tokio::select! {
            biased;
            () = signals.reconnect.notified() => {
                self.renew();
                End::Reopen
            }
            end = self.session() => end,
        };
        tracing::debug!(?end, last_seq = self.sequence.last(), "a connection has ended");
        match end {
            End::Closed => return Err(Closed),
            End::Reopen => {}
            End::Restart { why } => {
                self.doubtful = false;
                self.restart(why).await?;
                self.restarts += 1;
                // Servers that do not agree among each other would have it read for ever without a rest.
                if self.restarts > 1 {
                    let wait = RESTART_REST * self.restarts.min(60);
                    let cause = "the server's log of this run has changed again".to_owned();
                    self.outbox
                        .link(LinkState::Retrying { at: Timestamp::now() + wait, wait, cause, class: None })
                        .await?;
                    // Whoever asks for it now gets it now.
                    let _ = tokio::time::timeout(wait, signals.reconnect.notified()).await;
                }
            }
            End::Ended if !self.config.wait => {
                self.outbox.link(LinkState::Ended).await?;
                return Err(Closed);
            }
            End::Ended => self.rest(LinkState::Ended).await?,
            End::Refused { cause, class } => self.rest(LinkState::Refused { cause, class }).await?,
            End::Failed { cause, class, retry_after } => {
                self.doubtful = true;
                let wait = self.backoff.fail(retry_after, retry::jitter());
                self.outbox.link(LinkState::Retrying { at: Timestamp::now() + wait, wait, cause, class }).await?;
                if tokio::time::timeout(wait, signals.reconnect.notified()).await.is_ok() {
                    self.renew();
                }
            }
        }
        Ok(())
    }

    /// Says `state` and does nothing more until the operator asks again.
    async fn rest(&mut self, state: LinkState) -> Result<(), Closed> {
        self.outbox.link(state).await?;
        let signals = Arc::clone(&self.signals);
        loop {
            self.record().await;
            tokio::select! {
                () = signals.reconnect.notified() => break,
                () = signals.taken_over.notified() => self.take_over(),
            }
        }
        self.renew();
        Ok(())
    }

    /// Reads the credentials again and starts the back-off anew, as the operator's "now" asks.
    fn renew(&mut self) {
        self.source.refresh();
        self.backoff.reset();
    }
}
