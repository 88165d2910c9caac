//! When a request is tried again and how long to wait, as pure functions: chance and time are arguments.
//!
//! Source: `wire/README.md`, "Errors". The one loop, `repeat`, is what [`super::client`] reads by; the submission
//! machine takes its delays from here, and the feed has a back-off of its own with a longer reach.

use std::time::Duration;

use super::error::{Error, TransportError, TransportKind};

/// How often a read is tried in all.
pub const ATTEMPTS: u32 = 3;

/// The wait after the first failure, before jitter.
pub const BASE: Duration = Duration::from_millis(300);

/// The longest wait, before jitter.
pub const LIMIT: Duration = Duration::from_secs(5);

/// The longest `Retry-After` that is waited for; a longer one is the caller's to show.
pub const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(60);

/// Whether an answer of this status may change when asked again.
#[must_use]
pub fn is_retryable_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

/// `base` doubled with every failure after the first, at most `limit`, times 0.5 to 1.5 by `jitter` in `0.0..=1.0`.
#[must_use]
pub fn exponential(base: Duration, limit: Duration, failures: u32, jitter: f64) -> Duration {
    let doubled = base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(limit).mul_f64(0.5 + jitter.clamp(0.0, 1.0))
}

/// The wait before the next attempt after `failures` failed ones, at least what the server asked for.
#[must_use]
pub fn delay(failures: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
    let own = exponential(BASE, LIMIT, failures, jitter);
    retry_after.map_or(own, |asked| own.max(asked.min(RETRY_AFTER_LIMIT)))
}

/// How long to wait before reading again after `attempts` attempts, the last of which failed with `error`; `None` when it is to
/// be reported instead: not retryable, tried often enough, or to be left alone for longer than anyone waits.
#[must_use]
pub fn after(attempts: u32, error: &Error, jitter: f64) -> Option<Duration> {
    let patient = error.retry_after().is_none_or(|asked| asked <= RETRY_AFTER_LIMIT);
    (attempts < ATTEMPTS && error.is_retryable() && patient).then(|| delay(attempts, error.retry_after(), jitter))
}

/// Attempts `what`, and again while that may help. The error is that of the last attempt and says how many there were;
/// a failure to connect stands only where no attempt got further, so that it always means that nothing has arrived.
pub(super) async fn repeat<T, F>(what: &'static str, mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut attempts = 0;
    let mut got_further = None;
    loop {
        attempts += 1;
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some(wait) = after(attempts, &error, jitter()) else {
            let error = if has_not_arrived(&error) { got_further.unwrap_or(error) } else { error };
            return Err(error.with_attempts(attempts));
        };
        tracing::debug!(%error, ?wait, "asking for {what} again");
        if !has_not_arrived(&error) {
            got_further = Some(error);
        }
        tokio::time::sleep(wait).await;
    }
}

fn has_not_arrived(error: &Error) -> bool {
    matches!(error, Error::Transport(TransportError { kind: TransportKind::Connect, .. }))
}

/// A random number in `0.0..1.0`, to be given as a jitter.
#[must_use]
pub fn jitter() -> f64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    // The top 32 bits are random in a version 4 UUID.
    f64::from(u32::try_from(high >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::error::StatusError;

    #[test]
    fn the_wait_starts_at_300_ms_doubles_and_stops_at_5_s() {
        let waits: Vec<u64> =
            (1..=7).map(|failures| u64::try_from(delay(failures, None, 0.5).as_millis()).unwrap()).collect();
        assert_eq!(waits, [300, 600, 1200, 2400, 4800, 5000, 5000]);
    }

    #[test]
    fn a_retry_after_is_honoured_up_to_60_s_and_never_shortens_the_wait() {
        assert_eq!(delay(1, Some(Duration::from_secs(7)), 0.5), Duration::from_secs(7));
        assert_eq!(delay(1, Some(Duration::from_secs(3600)), 0.5), Duration::from_secs(60));
        assert_eq!(delay(5, Some(Duration::ZERO), 0.5), Duration::from_millis(4800));
    }

    #[test]
    fn only_statuses_that_may_change_are_tried_again() {
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert!(is_retryable_status(status), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 409, 422, 600] {
            assert!(!is_retryable_status(status), "{status}");
        }
    }

    proptest! {
        #[test]
        fn jitter_keeps_a_wait_between_half_and_one_and_a_half(failures in 1_u32..100, jitter in 0.0_f64..=1.0) {
            let middle = delay(failures, None, 0.5);
            let wait = delay(failures, None, jitter);
            prop_assert!(wait >= middle.mul_f64(0.499) && wait <= middle.mul_f64(1.501));
        }
    }

    fn status(status: u16, retry_after: Option<u64>) -> Error {
        Error::Status(Box::new(StatusError::read(status, "", None, retry_after.map(Duration::from_secs))))
    }

    fn transport(kind: TransportKind) -> Error {
        Error::Transport(TransportError { kind, host: "h".into(), cause: String::new(), attempts: 1 })
    }

    /// Plays these failures and then a success; gives the outcome, how often it was tried, and the time it took.
    async fn played(failures: Vec<Error>) -> (Result<&'static str, Error>, usize, Duration) {
        let begun = tokio::time::Instant::now();
        let (mut failures, mut attempts) = (failures.into_iter(), 0);
        let outcome = repeat("a test", || {
            attempts += 1;
            std::future::ready(failures.next().map_or(Ok("done"), Err))
        });
        let outcome = outcome.await;
        (outcome, attempts, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_three_times_with_a_wait_that_doubles() {
        for error in [408, 429, 500, 502, 503, 504]
            .map(|code| status(code, None))
            .into_iter()
            .chain([TransportKind::Connect, TransportKind::Timeout, TransportKind::Read].map(transport))
        {
            let (outcome, attempts, took) = played(vec![error.clone(), error.clone()]).await;
            assert_eq!((outcome, attempts), (Ok("done"), 3), "{error}");
            // 300 ms and 600 ms, each times 0.5 to 1.5.
            assert!((450..=1351).contains(&took.as_millis()), "{error}: {took:?}");
            let (outcome, attempts, _) = played(vec![error.clone(), error.clone(), error.clone()]).await;
            let failed = outcome.unwrap_err();
            assert_eq!((attempts, &failed), (3, &error.with_attempts(3)));
            assert!(failed.to_string().contains("tried 3 times"), "{failed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_to_connect_is_reported_only_where_no_attempt_got_further() {
        let connect = || transport(TransportKind::Connect);
        let timeout = || transport(TransportKind::Timeout);
        for (failures, reported) in [
            (vec![timeout(), connect(), connect()], timeout()),
            (vec![connect(), status(503, None), connect()], status(503, None)),
            (vec![timeout(), connect(), status(503, None)], status(503, None)),
            (vec![connect(), connect(), connect()], connect()),
        ] {
            let (outcome, attempts, _) = played(failures).await;
            assert_eq!((outcome.unwrap_err(), attempts), (reported.with_attempts(3), 3));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_pass_is_tried_once() {
        let others = [Error::Redirect { status: 302, target: "elsewhere".into(), attempts: 1, request_id: None }];
        for error in [400, 401, 403, 404, 409, 422].map(|code| status(code, None)).into_iter().chain(others) {
            let (outcome, attempts, took) = played(vec![error.clone()]).await;
            assert_eq!((outcome.unwrap_err(), attempts, took), (error, 1, Duration::ZERO));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_after_is_waited_for_and_one_of_more_than_a_minute_is_the_caller_s_to_show() {
        let (outcome, attempts, took) = played(vec![status(429, Some(7)), status(503, Some(60))]).await;
        assert_eq!((outcome, attempts, took.as_secs()), (Ok("done"), 3, 67));
        let (outcome, attempts, took) = played(vec![status(429, Some(61))]).await;
        assert_eq!((outcome.unwrap_err().retry_after(), attempts), (Some(Duration::from_secs(61)), 1));
        assert_eq!(took, Duration::ZERO);
    }

    #[test]
    fn chance_stays_within_its_bounds() {
        assert!((0..1000).all(|_| (0.0..1.0).contains(&jitter())));
        assert!((0..100).map(|_| jitter()).any(|chance| chance > 0.5));
    }
}
