//! The runs of a simulator, each driven in real time.
//!
//! Owns the tasks that sleep until something is due in a run, child runs, and the memory of answered submissions.
//! Rule: a lock is never held across an await, and nothing polls: a driver sleeps until its run's next due time or
//! until somebody has answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::ids::RunId;

use super::engine::Engine;
use super::identity::Identity;
use super::ledger::Clock;
use super::part::Part;
use super::scenario::Scenario;

/// Answered submissions that a run remembers; more than an operator sends in a day.
const REMEMBERED: usize = 4096;

/// All runs.
#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    speed: f64,
    start: Option<Timestamp>,
    begun: Instant,
    stop: CancellationToken,
    runs: Mutex<IndexMap<RunId, Arc<Run>>>,
}

/// One run with what drives it.
#[derive(Debug)]
pub(crate) struct Run {
    engine: Mutex<Engine>,
    answered: Mutex<IndexMap<String, Answered>>,
    /// Somebody has answered: what is due next may have changed.
    changed: Notify,
    begun: Instant,
    speed: f64,
    scenario: Scenario,
    origin: Origin,
}

/// Where a run comes from.
#[derive(Debug)]
struct Origin {
    /// The run that started it.
    parent: Option<Arc<Run>>,
    /// How long after the world's beginning it started, in the runs' own time: not when its driver got round to it, so
    /// that a fixed start gives the same times in every repetition.
    after: Duration,
}

/// A submission that was answered, by its request id.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// What was sent.
    pub(crate) body: Bytes,
    /// The HTTP status and body of the answer.
    pub(crate) reply: (u16, Bytes),
}

/// A panic elsewhere must not take every later request with it: the state is still the last whole one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(seed: u64, time_factor: f64, start: Option<Timestamp>, stop: CancellationToken) -> Self {
        Self { seed, speed: time_factor, start, begun: Instant::now(), stop, runs: Mutex::default() }
    }

    /// Starts a run of a scenario, as of the world's own beginning, and a task that drives it; needs a tokio runtime.
    pub(crate) fn start(self: &Arc<Self>, scenario: &Scenario) -> RunId {
        let index = lock(&self.runs).len();
        let identity = Identity::new(self.seed, index, scenario.name());
        let origin = Origin { parent: None, after: Duration::ZERO };
        self.spawn(scenario, scenario.part(), identity, origin)
    }

    fn spawn(self: &Arc<Self>, scenario: &Scenario, part: Arc<Part>, identity: Identity, origin: Origin) -> RunId {
        let clock = self
            .start
            .map_or(Clock::Real, |start| Clock::From(start.checked_add(origin.after).unwrap_or(Timestamp::MAX)));
        let parent_id = origin.parent.as_ref().map(|run| run.engine().run_id());
        let engine = Engine::start(part, identity, parent_id, clock);
        let run_id = engine.run_id();
        let run = Arc::new(Run {
            engine: Mutex::new(engine),
            answered: Mutex::default(),
            changed: Notify::new(),
            begun: self.begun + origin.after.div_f64(self.speed),
            speed: self.speed,
            scenario: scenario.clone(),
            origin,
        });
        lock(&self.runs).insert(run_id, Arc::clone(&run));
        tokio::spawn(Arc::clone(self).drive(run));
        run_id
    }

    /// Advances a run whenever something in it is due, until it ends.
    async fn drive(self: Arc<Self>, run: Arc<Run>) {
        loop {
            let (children, due, ended) = {
                let mut engine = run.engine();
                engine.advance(run.elapsed());
                (engine.take_children(), engine.next_due(), engine.ended())
            };
            for child in children {
                if let Some(part) = run.scenario.child(&child.name) {
                    let origin = Origin { parent: Some(Arc::clone(&run)), after: run.origin.after + child.after };
                    self.spawn(&run.scenario, part, child.identity, origin);
                }
            }
            if ended {
                break;
            }
            let sleep = async {
                match due {
                    Some(due) => tokio::time::sleep_until(run.begun + due.div_f64(run.speed)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = run.changed.notified() => {}
                () = sleep => {}
            }
        }
        if let Some(parent) = &run.origin.parent {
            let (run_id, ended) = {
                let engine = run.engine();
                (engine.run_id(), engine.now())
            };
            let ended = (run.origin.after + ended).saturating_sub(parent.origin.after);
            parent.engine().child_ended(ended, run_id);
            parent.changed.notify_one();
        }
    }

    /// The run of this id.
    pub(crate) fn run(&self, id: RunId) -> Option<Arc<Run>> {
        lock(&self.runs).get(&id).cloned()
    }

    /// The server's time: real, or that of its events where these have a fixed start.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = self.begun.elapsed().mul_f64(self.speed);
        self.start.map_or_else(Timestamp::now, |start| start.checked_add(elapsed).unwrap_or(start))
    }
}

impl Run {
    /// The run's state; hold it briefly.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        lock(&self.engine)
    }

    /// The run's own time since its start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed().mul_f64(self.speed)
    }

    /// Somebody has changed the engine: its driver looks again.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Answers a submission once: a repetition under the same request id gets the answer that the first one got;
    /// `None` where that request id was used for something else.
    pub(crate) fn answer_once(
        &self,
        request_id: Option<&str>,
        body: &Bytes,
        answer: impl FnOnce() -> (u16, Bytes),
    ) -> Option<(u16, Bytes)> {
        let Some(request_id) = request_id else { return Some(answer()) };
        // Held until the answer stands, so that two copies that arrive together are still one submission.
        let mut answered = lock(&self.answered);
        if let Some(before) = answered.get(request_id) {
            return (before.body == *body).then(|| before.reply.clone());
        }
        let reply = answer();
        if reply.0 == 200 {
            if answered.len() >= REMEMBERED {
                answered.shift_remove_index(0);
            }
            answered.insert(request_id.to_owned(), Answered { body: body.clone(), reply: reply.clone() });
        }
        Some(reply)
    }
}
