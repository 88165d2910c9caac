//! Runs that somebody asks for, and the plans and sessions that they name.
//!
//! Owns which request for a run is one that was made before, which plans this process knows, and what is said in a
//! session. Rules: one key gives one run, however many copies of a request arrive at once; everything is bounded, and
//! the oldest goes first.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::api::create::CreatedRun;
use crate::api::ids::{PlanHash, RunId, SessionId};

use super::super::identity::Identity;
use super::super::part::Part;
use super::super::plan::Plan;
use super::replays::{Fingerprint, Replays, Reused};
use super::{Beginning, Origin, REMEMBERED, World, lock};

/// Plans that are known at a time.
const PLANS_KEPT: usize = 256;

/// Sessions that are known at a time, and messages of each.
const SESSIONS_KEPT: usize = 1000;
const MESSAGES_KEPT: usize = 1000;

/// What a request for a run says about itself.
#[derive(Debug, Clone)]
pub(crate) struct Creation {
    /// What it asks for.
    pub(crate) fingerprint: Fingerprint,
    /// The id that its sender gave it.
    pub(crate) request_id: Option<String>,
    /// The key under which one run is created.
    pub(crate) idempotency_key: Option<String>,
    /// The session that the run belongs to.
    pub(crate) session: Option<SessionId>,
}

/// Why no run is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CreationRefusal {
    /// The request id was that of another request.
    RequestIdReused,
    /// The idempotency key was that of another run.
    KeyReused,
    /// There are as many runs as are kept, and none of them has ended.
    Full(usize),
}

/// The runs that were created, by what their requests said.
#[derive(Debug)]
pub(super) struct CreatedRuns {
    by_request: Replays<CreatedRun>,
    by_key: Replays<CreatedRun>,
}

impl Default for CreatedRuns {
    fn default() -> Self {
        Self { by_request: Replays::new(REMEMBERED), by_key: Replays::new(REMEMBERED) }
    }
}

impl CreatedRuns {
    /// The answer that this request got before, or the run that its key has.
    fn find(&self, world: &World, creation: &Creation) -> Result<Option<CreatedRun>, CreationRefusal> {
        if let Some(id) = &creation.request_id {
            let before = self.by_request.find(id, &creation.fingerprint);
            if let Some(answer) = before.map_err(|Reused| CreationRefusal::RequestIdReused)? {
                return Ok(Some(answer));
            }
        }
        let Some(key) = &creation.idempotency_key else { return Ok(None) };
        let before = self.by_key.find(key, &creation.fingerprint).map_err(|Reused| CreationRefusal::KeyReused)?;
        Ok(before.map(|created| match world.run(created.run_id) {
            // Another request for it: it is told what the run is now.
            Some(run) => CreatedRun { status: run.engine().status(), ..created },
            None => created,
        }))
    }
}

impl World {
    /// The run that this request, or its key, was answered with before.
    ///
    /// # Errors
    /// When its id or its key was that of a request for something else.
    pub(crate) fn created_before(&self, creation: &Creation) -> Result<Option<CreatedRun>, CreationRefusal> {
        lock(&self.created).find(self, creation)
    }

    /// Starts a run that somebody asked for, unless it was started before.
    ///
    /// # Errors
    /// When its id or its key was that of a request for something else, or there are too many runs.
    pub(crate) fn create(self: &Arc<Self>, part: Part, creation: &Creation) -> Result<CreatedRun, CreationRefusal> {
        // Held until the run stands, so that two copies that arrive together are still one request.
        let mut created = lock(&self.created);
        if let Some(before) = created.find(self, creation)? {
            return Ok(before);
        }
        if !self.has_room() {
            return Err(CreationRefusal::Full(self.runs_kept));
        }
        let plan_hash = part.plan.hash.clone();
        self.remember_plan(Arc::clone(&part.plan));
        let index = self.next_index();
        let (run_id, status) = self.spawn(Beginning {
            part: Arc::new(part),
            scenario: None,
            session: creation.session,
            identity: Identity::new(self.seed, index, plan_hash.as_str()),
            origin: Origin { parent: None, after: self.begun.elapsed().mul_f64(self.speed) },
        });
        let answer = CreatedRun { run_id, status, plan_hash };
        if let Some(id) = &creation.request_id {
            created.by_request.keep(id, creation.fingerprint, answer.clone());
        }
        if let Some(key) = &creation.idempotency_key {
            created.by_key.keep(key, creation.fingerprint, answer.clone());
        }
        Ok(answer)
    }

    /// Knows a plan from now on, until there are too many others.
    pub(crate) fn remember_plan(&self, plan: Arc<Plan>) {
        let mut plans = lock(&self.plans);
        plans.shift_remove(&plan.hash);
        if plans.len() >= PLANS_KEPT {
            plans.shift_remove_index(0);
        }
        plans.insert(plan.hash.clone(), plan);
    }

    /// The plan of this hash, where this process has compiled it.
    pub(crate) fn plan(&self, hash: &PlanHash) -> Option<Arc<Plan>> {
        lock(&self.plans).get(hash).cloned()
    }

    /// A run has succeeded: what its models said is said in its session.
    pub(super) fn say(&self, session: SessionId, messages: Vec<String>) {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= SESSIONS_KEPT && !sessions.contains_key(&session) {
            sessions.shift_remove_index(0);
        }
        let said: &mut Vec<String> = sessions.entry(session).or_default();
        said.extend(messages);
        let excess = said.len().saturating_sub(MESSAGES_KEPT);
        said.drain(..excess);
    }

    /// The assistant's messages of a session, in their order.
    pub(crate) fn session_messages(&self, session: SessionId) -> Vec<String> {
        lock(&self.sessions).get(&session).cloned().unwrap_or_default()
    }

    /// Whether another run can be kept.
    fn has_room(&self) -> bool {
        let runs = lock(&self.runs);
        runs.len() < self.runs_kept || runs.values().any(|run| run.engine().ended())
    }

    /// Forgets the oldest runs that have ended, as long as there are too many.
    pub(super) fn forget_ended(&self, runs: &mut IndexMap<RunId, Arc<super::Run>>) {
        while runs.len() > self.runs_kept {
            let Some(oldest) = runs.values().position(|run| run.engine().ended()) else { break };
            runs.shift_remove_index(oldest);
        }
    }
}
