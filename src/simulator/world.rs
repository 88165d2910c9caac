//! The runs of a simulator, each driven in real time.
//!
//! Owns the tasks that sleep until something is due in a run, child runs, and the memory of answered submissions; runs
//! that somebody asks for are `creation`'s, and those that are made as they are read `floods`'. All of it is in memory. Rule: a lock is never held across an await, and
//! nothing polls: a driver sleeps until its run's next due time or until somebody has answered.

mod creation;
mod floods;
mod replays;
mod submissions;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::ids::{PlanHash, RunId, SessionId};
use crate::api::run::RunStatus;

use super::engine::Engine;
use super::identity::Identity;
use super::ledger::Clock;
use super::part::Part;
use super::plan::Plan;
use super::scenario::Scenario;

use creation::CreatedRuns;
pub(crate) use creation::{Creation, CreationRefusal};
pub(crate) use floods::{FloodRun, NAME as FLOOD};
use replays::Replays;
pub(crate) use replays::of_json;
use submissions::Submissions;
pub use submissions::{Offer, Submission, Taken};

/// Answered requests that are remembered; more than an operator sends in a day.
const REMEMBERED: usize = 4096;

/// A driver sleeps no longer than this at a time.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a driver that has much to do keeps a run to itself, and for how long it then lets others at it.
const LONGEST_HOLD: Duration = Duration::from_millis(4);
const PAUSE: Duration = Duration::from_millis(1);

/// All runs, and what was asked of them.
#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    speed: f64,
    start: Option<Timestamp>,
    begun: Instant,
    stop: CancellationToken,
    /// How many runs are kept; of more, the oldest that have ended are forgotten.
    runs_kept: usize,
    runs: Mutex<IndexMap<RunId, Arc<Run>>>,
    floods: Mutex<IndexMap<RunId, Arc<FloodRun>>>,
    /// Runs that are nobody's children, so far; ids follow from it.
    started: AtomicUsize,
    created: Mutex<CreatedRuns>,
    plans: Mutex<IndexMap<PlanHash, Arc<Plan>>>,
    sessions: Mutex<IndexMap<SessionId, Vec<String>>>,
}

/// One run with what drives it.
#[derive(Debug)]
pub(crate) struct Run {
    engine: Mutex<Engine>,
    answered: Mutex<Replays<(u16, Bytes)>>,
    submissions: Mutex<Submissions>,
    /// Somebody has answered: what is due next may have changed.
    changed: Notify,
    begun: Instant,
    speed: f64,
    /// The scenario that it plays, with the parts of its child runs.
    scenario: Option<Scenario>,
    session: Option<SessionId>,
    origin: Origin,
}

/// How a run begins.
struct Beginning {
    part: Arc<Part>,
    scenario: Option<Scenario>,
    session: Option<SessionId>,
    identity: Identity,
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

/// A panic elsewhere must not take every later request with it: the state is still the last whole one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// No runs yet. `time_factor` is how fast the runs' own time goes; `runs_kept` how many are kept.
    pub(crate) fn new(
        seed: u64,
        time_factor: f64,
        start: Option<Timestamp>,
        runs_kept: usize,
        stop: CancellationToken,
    ) -> Self {
        Self {
            seed,
            speed: time_factor,
            start,
            begun: Instant::now(),
            stop,
            runs_kept,
            runs: Mutex::default(),
            floods: Mutex::default(),
            started: AtomicUsize::new(0),
            created: Mutex::default(),
            plans: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    /// Starts a run of a scenario, as of the world's own beginning, and a task that drives it; needs a tokio runtime.
    pub(crate) fn start(self: &Arc<Self>, scenario: &Scenario) -> RunId {
        let index = self.next_index();
        let part = scenario.part();
        self.remember_plan(Arc::clone(&part.plan));
        let (run_id, _) = self.spawn(Beginning {
            part,
            scenario: Some(scenario.clone()),
            session: None,
            identity: Identity::new(self.seed, index, scenario.name()),
            origin: Origin { parent: None, after: Duration::ZERO },
        });
        run_id
    }

    /// The number of the next run that is nobody's child.
    fn next_index(&self) -> usize {
        self.started.fetch_add(1, Ordering::Relaxed)
    }

    /// Starts a run and a task that drives it; its id, and its status before that task has done anything.
    fn spawn(self: &Arc<Self>, beginning: Beginning) -> (RunId, RunStatus) {
        let Beginning { part, scenario, session, identity, origin } = beginning;
        let clock = self
            .start
            .map_or(Clock::Real, |start| Clock::From(start.checked_add(origin.after).unwrap_or(Timestamp::MAX)));
        let parent_id = origin.parent.as_ref().map(|run| run.engine().run_id());
        let engine = Engine::start(part, identity, parent_id, clock);
        let (run_id, status) = (engine.run_id(), engine.status());
        let run = Arc::new(Run {
            engine: Mutex::new(engine),
            answered: Mutex::new(Replays::new(REMEMBERED)),
            submissions: Mutex::default(),
            changed: Notify::new(),
            begun: self.begun + origin.after.div_f64(self.speed),
            speed: self.speed,
            scenario,
            session,
            origin,
        });
        let mut runs = lock(&self.runs);
        runs.insert(run_id, Arc::clone(&run));
        self.forget_ended(&mut runs);
        drop(runs);
        tokio::spawn(Arc::clone(self).drive(run));
        (run_id, status)
    }

    /// Advances a run whenever something in it is due, until it ends.
    async fn drive(self: Arc<Self>, run: Arc<Run>) {
        loop {
            run.catch_up().await;
            let (children, due, ended) = {
                let mut engine = run.engine();
                (engine.take_children(), engine.next_due(), engine.ended())
            };
            for child in children {
                let Some(part) = run.scenario.as_ref().and_then(|scenario| scenario.child(&child.name)) else {
                    continue;
                };
                let origin = Origin { parent: Some(Arc::clone(&run)), after: run.origin.after + child.after };
                let scenario = run.scenario.clone();
                self.spawn(Beginning { part, scenario, session: None, identity: child.identity, origin });
            }
            if ended {
                break;
            }
            let sleep = async {
                match due {
                    // What became due meanwhile waits for a moment, too: others have their turn first.
                    Some(due) => tokio::time::sleep(run.time_until(due).max(PAUSE)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = run.changed.notified() => {}
                () = sleep => {}
            }
        }
        self.tell_session(&run);
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

    fn tell_session(&self, run: &Run) {
        let Some(session) = run.session else { return };
        let messages = {
            let engine = run.engine();
            let succeeded = engine.status() == RunStatus::Succeeded;
            if succeeded { engine.ledger().fold().assistant_messages() } else { Vec::new() }
        };
        self.say(session, messages);
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

    /// What was submitted to it; hold it briefly, and before the run's state.
    pub(crate) fn submissions(&self) -> MutexGuard<'_, Submissions> {
        lock(&self.submissions)
    }

    /// The run's own time since its start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed().mul_f64(self.speed)
    }

    /// Does what is due by now, a little at a time: however much it is, others get their turn at the run in between.
    pub(crate) async fn catch_up(&self) {
        let now = self.elapsed();
        while !self.catch_up_a_little(now) {
            // A lock goes to whoever is awake when it is free: those that wait for it need time to wake up.
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether nothing more is due.
    fn catch_up_a_little(&self, now: Duration) -> bool {
        let begun = std::time::Instant::now();
        let mut engine = self.engine();
        while begun.elapsed() < LONGEST_HOLD {
            if engine.advance_a_little(now) {
                return true;
            }
        }
        false
    }

    /// How long it is, by the clock on the wall, until the run's own time is `due`; a day where it is longer.
    fn time_until(&self, due: Duration) -> Duration {
        let left = due.saturating_sub(self.elapsed()).as_secs_f64() / self.speed;
        Duration::try_from_secs_f64(left).map_or(LONGEST_SLEEP, |left| left.min(LONGEST_SLEEP))
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
        let fingerprint = replays::of_bytes(body);
        // Held until the answer stands, so that two copies that arrive together are still one submission.
        let mut answered = lock(&self.answered);
        match answered.find(request_id, &fingerprint) {
            Ok(Some(before)) => return Some(before),
            Ok(None) => {}
            Err(replays::Reused) => return None,
        }
        let reply = answer();
        if reply.0 == 200 {
            answered.keep(request_id, fingerprint, reply.clone());
        }
        Some(reply)
    }
}
