//! How long to wait after a failure, as a pure policy: 300 ms, doubling to 30 s, back to 300 ms after any new event.

use std::time::Duration;

use crate::api::retry;

const BASE: Duration = Duration::from_millis(300);
const LIMIT: Duration = Duration::from_secs(30);

/// Counts failures since the last sign of progress.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: at most 30 s, or what the server asked for, at most 60 s. `jitter` in
    /// `0.0..=1.0`.
    pub(super) fn fail(&mut self, retry_after: Option<Duration>, jitter: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let own = retry::exponential(BASE, LIMIT, self.failures, jitter).min(LIMIT);
        retry_after.map_or(own, |asked| own.max(asked.min(retry::RETRY_AFTER_LIMIT)))
    }

    /// Something new has come: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_starts_at_300_ms_doubles_to_30_s_and_stays_there() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9).map(|_| backoff.fail(None, 0.5).as_millis()).collect();
        assert_eq!(waits, [300, 600, 1200, 2400, 4800, 9600, 19200, 30000, 30000]);
        backoff.reset();
        assert_eq!(backoff.fail(None, 0.5).as_millis(), 300);
    }

    #[test]
    fn jitter_never_takes_it_over_30_s() {
        let mut backoff = Backoff { failures: 40 };
        assert_eq!(backoff.fail(None, 1.0), Duration::from_secs(30));
        assert_eq!(backoff.fail(None, 0.0), Duration::from_secs(15));
        assert_eq!(Backoff::default().fail(None, 0.0), Duration::from_millis(150));
    }

    #[test]
    fn a_retry_after_is_honoured_up_to_60_s() {
        assert_eq!(Backoff::default().fail(Some(Duration::from_secs(45)), 0.5), Duration::from_secs(45));
        assert_eq!(Backoff::default().fail(Some(Duration::from_secs(600)), 0.5), Duration::from_secs(60));
        assert_eq!(Backoff { failures: 20 }.fail(Some(Duration::from_secs(1)), 0.5), Duration::from_secs(30));
    }
}
