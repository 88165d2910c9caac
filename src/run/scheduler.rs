//! A scheduler node: agents that work in rounds, each turn a run of its own.

use std::collections::VecDeque;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::limits;
use crate::api::event::EventBody;
use crate::api::ids::RunId;

/// What a scheduler node has told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scheduler {
    /// What it is about.
    pub topic: String,
    /// The round that runs, or ran last.
    pub round: Option<u64>,
    /// The agents by id.
    pub agents: IndexMap<String, Agent>,
    /// The runs that its agents' turns are, oldest first, up to [`limits::CHILD_RUNS`].
    pub runs: VecDeque<ChildRun>,
    /// Child runs that were dropped from the front.
    pub dropped_runs: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// The coordinator's last decision, as JSON text.
    pub decision: Option<String>,
    /// Why it stopped.
    pub stopped: Option<String>,
}

/// One agent of a [`Scheduler`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agent {
    /// Its role.
    pub role: Option<String>,
    /// The child run of its last turn.
    pub run_id: Option<RunId>,
    /// How its last turn ended, in the server's word; `None` while it works or before its first turn.
    pub status: Option<String>,
    /// Whether its turn runs now.
    pub working: bool,
    /// What it did, in words.
    pub summary: Option<String>,
}

/// A run that one turn of an agent is; it can itself be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildRun {
    /// Its id.
    pub run_id: RunId,
    /// The agent whose turn it is.
    pub agent_id: String,
    /// The round that it belongs to, where the scheduler has told one.
    pub round: Option<u64>,
    /// When it was first heard of, by the server's clock.
    pub since: Timestamp,
    /// How the turn ended, in the server's word; `None` while it works.
    pub status: Option<String>,
}

impl Scheduler {
    /// Takes in one of the scheduler's events; others change nothing.
    pub(super) fn apply(&mut self, body: &EventBody, at: Timestamp) {
        match body {
            EventBody::SchedulerStarted(e) => {
                self.topic.clone_from(&e.scheduler_started.topic);
                for participant in &e.scheduler_started.participants {
                    let agent = self.agents.entry(participant.agent_id.clone()).or_default();
                    agent.role.clone_from(&participant.role);
                }
            }
            EventBody::SchedulerRoundStarted(e) => self.round = Some(e.scheduler_round_started.round_index),
            EventBody::SchedulerRoundCompleted(e) => self.round = Some(e.scheduler_round_completed.round_index),
            EventBody::SchedulerCoordinatorCompleted(e) => {
                self.decision = Some(e.scheduler_coordinator_completed.decision.get().to_owned());
            }
            EventBody::SchedulerAgentStarted(e) => {
                let turn = &e.scheduler_agent_started;
                let agent = self.agents.entry(turn.agent_id.clone()).or_default();
                agent.working = true;
                agent.status = None;
                agent.run_id = turn.agent_run_id.or(agent.run_id);
                if let Some(run_id) = turn.agent_run_id {
                    self.child_run(run_id, &turn.agent_id, at).status = None;
                }
            }
            EventBody::SchedulerAgentCompleted(e) => {
                let turn = &e.scheduler_agent_completed;
                let agent = self.agents.entry(turn.agent_id.clone()).or_default();
                agent.working = false;
                agent.status = Some(turn.status.clone());
                agent.summary.clone_from(&turn.summary);
                agent.run_id = turn.agent_run_id.or(agent.run_id);
                // The end of a turn may name its run only at its beginning.
                if let Some(run_id) = agent.run_id {
                    self.child_run(run_id, &turn.agent_id, at).status = Some(turn.status.clone());
                }
            }
            EventBody::SchedulerMessageSent(_) => self.messages_sent += 1,
            EventBody::SchedulerMessageReceived(_) => self.messages_received += 1,
            EventBody::SchedulerStopped(e) => self.stopped = Some(e.scheduler_stopped.reason.clone()),
            _ => {}
        }
    }

    /// About how many bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.topic.len() + self.decision.as_ref().map_or(0, String::len);
        let agents = self.agents.values().map(|agent| agent.summary.as_ref().map_or(0, String::len)).sum::<usize>();
        let small = size_of::<Agent>() + size_of::<ChildRun>();
        texts + agents + (1 + self.agents.len() + self.runs.len()) * small
    }

    /// The child run of an id; a new one where it is not known.
    fn child_run(&mut self, run_id: RunId, agent_id: &str, at: Timestamp) -> &mut ChildRun {
        let known = self.runs.iter().rposition(|run| run.run_id == run_id);
        let place = known.unwrap_or_else(|| {
            if self.runs.len() == limits::CHILD_RUNS {
                self.runs.pop_front();
                self.dropped_runs += 1;
            }
            let (agent_id, round) = (agent_id.to_owned(), self.round);
            self.runs.push_back(ChildRun { run_id, agent_id, round, since: at, status: None });
            self.runs.len() - 1
        });
        &mut self.runs[place]
    }
}
