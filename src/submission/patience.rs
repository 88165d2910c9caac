//! How long a submission goes on without a word from the server.
//!
//! The console has no limit: somebody sits before it. A command has one, because a script waits for its end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts from the server's last reply.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Option<Duration>,
    last_reply: Mutex<Instant>,
}

impl Patience {
    /// Without a limit.
    pub(super) fn endless() -> Self {
        Self::new(None)
    }

    /// At most this long after each reply; the first counts from now.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, last_reply: Mutex::new(Instant::now()) }
    }

    /// The server has said something.
    pub(super) fn renew(&self) {
        *self.last_reply.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn ends(&self) -> Option<Instant> {
        let last = *self.last_reply.lock().unwrap_or_else(PoisonError::into_inner);
        self.limit.map(|limit| last + limit)
    }

    /// What `work` gives, or `None` when the server has been silent for too long before that.
    pub(super) async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let silence = async {
            // Replies while it sleeps move the end.
            while let Some(end) = self.ends() {
                if end <= Instant::now() {
                    return;
                }
                tokio::time::sleep_until(end).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = silence => None,
        }
    }

    /// The longest that one request may take, so that the time after it suffices to find out what became of it.
    pub(super) fn of_a_request(&self) -> Duration {
        self.limit.map_or(Duration::MAX, |limit| limit / 2)
    }
}
