//! The server: its log, which grows, what it has sent, and what is true of it at any time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::super::{RUN, status};
use super::plan::{Answer, Case, Glance, Kind, Wire};
use super::wire::{Answering, Lines};
use crate::api::client::{EventsQuery, Reply};
use crate::api::error::{Error, TransportError, TransportKind};
use crate::api::run::RunSnapshot;
use crate::feed::source::Source;

/// Beyond so many answers in which a place was left out or came late, it is left alone: the fourth is for ever.
const SKIPS: u8 = 3;

#[derive(Debug, Default)]
pub(super) struct World {
    /// The kind of each place, and when it is written.
    pub(super) log: Vec<(Kind, Duration)>,
    streams: VecDeque<Answer>,
    snapshots: VecDeque<Glance>,
    /// Requests that are being answered, and main streams that are open, on the server's side.
    pub(super) open: usize,
    /// When something was last asked for, and when the server last gave a sign of life.
    pub(super) asked_at: Duration,
    pub(super) sign_at: Duration,
    /// When it last said more than that it is alive.
    pub(super) said_at: Duration,
    /// What the last answer asked to wait for, in seconds.
    pub(super) retry_after: Option<u32>,
    /// Whether that was the answer to a probe, whose failure may mean nothing.
    pub(super) by_a_probe: bool,
    /// How often the answer to a probe was ended too early.
    denied: u8,
    /// How often the snapshot was ahead of the run.
    ahead: u8,
    /// How often each place was withheld.
    skipped: BTreeMap<u64, u8>,
    /// Whether any place was.
    pub(super) withheld: bool,
    /// The places of the lines that the feed has taken, in order.
    pub(super) lines: Vec<u64>,
    /// The lines that the feed is to tell as rejected.
    pub(super) rejected: Vec<String>,
    /// The events with a wild seq that it has taken.
    pub(super) wild: Vec<String>,
    /// How many odd lines were made, so that each is another one.
    pub(super) made: u64,
}

impl World {
    /// What stands in a place of the log, and when it is written.
    pub(super) fn place(&self, seq: u64) -> Option<(Kind, Duration)> {
        self.log.get(usize::try_from(seq).unwrap().checked_sub(1)?).copied()
    }

    /// Since when an event stands in the log that the feed has not; `None` where there is none.
    pub(super) fn unsent_since(&self, last: u64, now: Duration) -> Option<Duration> {
        let unsent = self.log.iter().skip(usize::try_from(last).unwrap());
        unsent.filter(|(kind, at)| *kind == Kind::Event && *at <= now).map(|(_, at)| *at).next()
    }

    /// Withholds a place, unless that was done too often.
    pub(super) fn withhold(&mut self, seq: u64) -> bool {
        let times = self.skipped.entry(seq).or_default();
        *times += 1;
        self.withheld |= *times <= SKIPS;
        *times <= SKIPS
    }

    /// Ends the answer to a probe too early, unless that was done too often.
    pub(super) fn deny(&mut self) -> bool {
        self.denied += 1;
        self.denied <= SKIPS
    }

    fn is_over(&self, now: Duration) -> bool {
        self.log.last().is_none_or(|(_, at)| *at <= now)
    }
}

/// The server as feed and test see it.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    world: Arc<Mutex<World>>,
    pub(super) start: Instant,
}

impl Shared {
    pub(super) fn new(case: &Case) -> Self {
        let mut at = Duration::ZERO;
        let log = case.log.iter().map(|place| {
            at += Duration::from_millis(u64::from(place.after) * 100);
            (place.kind, at)
        });
        let world = World {
            log: log.collect(),
            streams: case.streams.clone().into(),
            snapshots: case.snapshots.clone().into(),
            ..World::default()
        };
        Self { world: Arc::new(Mutex::new(world)), start: Instant::now() }
    }

    pub(super) fn look<T>(&self, with: impl FnOnce(&mut World) -> T) -> T {
        with(&mut self.world.lock().unwrap())
    }

    pub(super) fn take(&self) -> World {
        self.look(|world| {
            let rest = World { open: world.open, ..World::default() };
            std::mem::replace(world, rest)
        })
    }

    /// Notes a request, which is being answered until the guard is dropped.
    fn asked(&self) -> Request {
        let now = self.start.elapsed();
        self.look(|world| {
            world.asked_at = now;
            world.retry_after = None;
            world.by_a_probe = false;
            world.open += 1;
        });
        Request(self.clone())
    }

    fn error(&self, code: u16, retry_after: Option<u32>) -> Error {
        let retry_after = retry_after.filter(|_| matches!(code, 429 | 503));
        self.look(|world| world.retry_after = retry_after);
        status(code, retry_after.map(|seconds| Duration::from_secs(u64::from(seconds))))
    }
}

/// A request that is being answered.
struct Request(Shared);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.look(|world| world.open -= 1);
    }
}

impl Source for Shared {
    type Stream = Lines;

    async fn snapshot(&self) -> Result<Reply<RunSnapshot>, Error> {
        let _answering = self.asked();
        let glance = self.look(|world| world.snapshots.pop_front()).unwrap_or(Glance::True);
        let over = match glance {
            Glance::Status(code) => return Err(self.error(code, None)),
            Glance::Never => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return Err(self.error(504, None));
            }
            Glance::Behind => false,
            // A server that says for ever that the run has ended has ended it.
            Glance::Ahead => self.look(|world| {
                world.ahead += 1;
                world.ahead <= SKIPS || world.is_over(self.start.elapsed())
            }),
            Glance::True => self.look(|world| world.is_over(self.start.elapsed())),
        };
        let word = if over { "failed" } else { "running" };
        let json = format!(r#"{{"run_id":"{RUN}","status":"{word}","cost_summary":{{"total_usd_cents":0}}}}"#);
        let now = self.start.elapsed();
        self.look(|world| (world.sign_at, world.said_at) = (now, now));
        Ok(Reply { value: serde_json::from_str(&json).unwrap(), body: json.into(), request_id: None, date: None })
    }

    async fn events(&self, query: EventsQuery) -> Result<Lines, Error> {
        let _answering = self.asked();
        let answer = self.look(|world| world.streams.pop_front());
        let wire = match answer {
            Some(Answer::Status(code, retry_after)) => {
                self.look(|world| world.by_a_probe = query.limit > 0);
                return Err(self.error(code, retry_after));
            }
            Some(Answer::Unreachable) => {
                let (kind, host, cause) = (TransportKind::Connect, "host".into(), "refused".into());
                return Err(Error::Transport(TransportError { kind, host, cause, attempts: 1 }));
            }
            Some(Answer::Html) => {
                return Err(Error::ContentType {
                    host: "h".into(),
                    expected: "application/x-ndjson",
                    got: "text/html".into(),
                    attempts: 1,
                    request_id: None,
                });
            }
            Some(Answer::Stream(wire)) => *wire,
            None => Wire::default(),
        };
        tokio::time::sleep(Duration::from_secs(u64::from(wire.slow))).await;
        Ok(Answering::open(self.clone(), query, wire))
    }

    fn refresh(&self) {}
}
