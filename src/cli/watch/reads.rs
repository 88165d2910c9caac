//! What `watch` reads from the server beside the feed: the bill, and the calls that wait.
//!
//! Rules: each is read at most once at a time and not too often; an answer that cannot be had is no failure here: the
//! feed tells of the link, and the watcher decides what a refusal means.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api::client::{Client, Reply};
use crate::api::error::{Error, TransportError, TransportKind};
use crate::api::ids::RunId;
use crate::api::run::RunSnapshot;
use crate::api::tool::PendingTools;

/// The snapshot is read at most this often.
const SNAPSHOT_REST: Duration = Duration::from_secs(5);

/// The calls that wait are asked for again after this time, while they are in doubt.
const PENDING_REST: Duration = Duration::from_secs(1);

/// One kind of reading.
#[derive(Debug)]
struct Reading<T> {
    task: Option<JoinHandle<Result<Reply<T>, Error>>>,
    wanted: bool,
    not_before: Option<Instant>,
    rest: Duration,
    /// What the model stood at when it was asked: a seq, or a generation.
    asked_at: u64,
}

impl<T: Send + 'static> Reading<T> {
    fn new(rest: Duration) -> Self {
        Self { task: None, wanted: false, not_before: None, rest, asked_at: 0 }
    }

    /// Starts the reading where it is wanted, and gives its answer.
    async fn next(
        &mut self,
        at: u64,
        read: impl Future<Output = Result<Reply<T>, Error>> + Send + 'static,
    ) -> (Result<Reply<T>, Error>, u64) {
        if self.task.is_none() {
            if !self.wanted {
                return std::future::pending().await;
            }
            if let Some(time) = self.not_before {
                tokio::time::sleep_until(time).await;
            }
            self.wanted = false;
            self.asked_at = at;
            self.not_before = Some(Instant::now() + self.rest);
            self.task = Some(tokio::spawn(read));
        }
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let answer = task.await;
        self.task = None;
        (answer.unwrap_or_else(|_| Err(broken())), self.asked_at)
    }
}

/// A reading whose task has ended without an answer.
fn broken() -> Error {
    let kind = TransportKind::Read;
    Error::Transport(TransportError { kind, host: "the server".to_owned(), cause: String::new(), attempts: 1 })
}

/// An answer, and what the model stood at when it was asked for.
pub(super) enum Read {
    /// The snapshot; asked for at a seq.
    Snapshot(Box<Result<Reply<RunSnapshot>, Error>>, u64),
    /// The calls that wait; asked for at a generation.
    Pending(Result<Reply<PendingTools>, Error>, u64),
}

/// The readings of one run.
pub(super) struct Reads {
    client: Client,
    run_id: RunId,
    snapshot: Reading<RunSnapshot>,
    pending: Reading<PendingTools>,
}

impl Reads {
    pub(super) fn new(client: Client, run_id: RunId) -> Self {
        Self { client, run_id, snapshot: Reading::new(SNAPSHOT_REST), pending: Reading::new(PENDING_REST) }
    }

    pub(super) fn want_snapshot(&mut self) {
        self.snapshot.wanted = true;
    }

    pub(super) fn want_pending(&mut self) {
        self.pending.wanted |= self.pending.task.is_none();
    }

    /// The next answer; the model stands at `last_seq` and `generation`. May be dropped and called again.
    pub(super) async fn next(&mut self, last_seq: u64, generation: u64) -> Read {
        let (run_id, one, other) = (self.run_id, self.client.clone(), self.client.clone());
        tokio::select! {
            (answer, at) = self.pending.next(generation, async move { one.pending_tools(&run_id).await }) => {
                Read::Pending(answer, at)
            }
            (answer, at) = self.snapshot.next(last_seq, async move { other.run(&run_id).await }) => {
                Read::Snapshot(Box::new(answer), at)
            }
        }
    }
}
