//! How long a submission goes on without a word from the server.
//!
//! The console has no limit: somebody sits before it. A command has one, because a script waits for its end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many times the limit a submission may take in all, however often the server says something: a stream of events
/// that never ends must not keep a script for ever.
const IN_ALL: u32 = 6;

/// Counts from the server's last reply.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Option<Duration>,
    begun: Instant,
    last_reply: Mutex<Instant>,
}

impl Patience {
    /// Without a limit.
    pub(super) fn endless() -> Self {
        Self::new(None)
    }

    /// At most this long after each reply; the first counts from now.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, begun: Instant::now(), last_reply: Mutex::new(Instant::now()) }
    }

    /// The server has said something.
    pub(super) fn renew(&self) {
        *self.last_reply.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn ends(&self) -> Option<Instant> {
        let last = *self.last_reply.lock().unwrap_or_else(PoisonError::into_inner);
        self.limit.map(|limit| (last + limit).min(self.begun + limit * IN_ALL))
    }

    /// The limit, where so long a wait would come to its end.
    pub(super) fn is_too_short_for(&self, wait: Duration) -> Option<Duration> {
        self.limit.filter(|_| self.ends().is_some_and(|end| Instant::now() + wait >= end))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_stops_talking_is_left_in_the_end() {
        let limit = Duration::from_secs(20);
        let patience = Patience::new(Some(limit));
        let begun = Instant::now();
        let talk = async {
            loop {
                patience.renew();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        assert_eq!(patience.within(talk).await, None::<()>);
        assert_eq!(begun.elapsed(), limit * IN_ALL);
        assert_eq!(patience.is_too_short_for(Duration::ZERO), Some(limit));
        assert_eq!(Patience::endless().is_too_short_for(Duration::MAX), None);
    }
}
