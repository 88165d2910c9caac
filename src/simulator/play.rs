//! A scenario played at once, without a server and without waiting: for tests, and for pictures that must not change.
//!
//! Owns the loop that moves a run and its child runs from one due time to the next. The engine is the same that the
//! server drives.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::api::event::{self, Decoded, Event};
use crate::api::ids::RunId;
use crate::api::plan::Issue;
use crate::api::run::RunSnapshot;
use crate::api::step::StepDetail;
use crate::api::task::Task;
use crate::api::tool::{PendingTools, ToolResultsRequest};

use super::engine::Engine;
use super::identity::Identity;
use super::ledger::Clock;
use super::part::{Part, RunRequest};
use super::scenario::Scenario;

/// How a scenario is played.
#[derive(Debug, Clone, Copy)]
pub struct PlayConfig {
    /// Ids follow from it.
    pub seed: u64,
    /// When the run starts.
    pub start: Timestamp,
    /// How long it is played; `None`: until nothing more happens.
    pub until: Option<Duration>,
}

/// What a run has come to.
#[derive(Debug, Clone)]
pub struct PlayedRun {
    /// Its id.
    pub run_id: RunId,
    /// Its events as a server sends them with `include_output`, each line with its newline.
    pub lines: Vec<Bytes>,
    /// What they fold into.
    pub snapshot: RunSnapshot,
    /// What it still waits for.
    pub pending: PendingTools,
    /// The requests to its models, with what came of them.
    pub steps: Vec<StepDetail>,
    /// Its task list.
    pub tasks: Vec<Task>,
}

impl PlayedRun {
    /// The events, decoded.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let decode = |line: &Bytes| match event::decode(line.trim_ascii_end()) {
            Ok(Decoded::Event(event)) => Some(event),
            _ => None,
        };
        self.lines.iter().filter_map(decode).collect()
    }
}

/// A run in play, and when it started.
struct Played {
    engine: Engine,
    begun: Duration,
    parent: Option<usize>,
    told_parent: bool,
}

/// Plays a scenario. Whenever nothing more would happen by itself, `answer` is told what waits and may give a
/// submission and how long the operator took over it; with `None`, or one that is refused, the play ends there.
///
/// The first run is the scenario's own; child runs follow in the order in which they were started.
pub fn play(
    scenario: &Scenario,
    config: PlayConfig,
    answer: impl FnMut(&PendingTools) -> Option<(Duration, ToolResultsRequest)>,
) -> Vec<PlayedRun> {
    play_part(scenario.part(), scenario.name(), &|name| scenario.child(name), config, answer)
}

/// Plays a spec as it is sent, with stand-in models that have no script; `answer` is that of [`play`].
///
/// # Errors
/// Everything that is wrong with the spec, or else with the input.
pub fn play_spec(
    spec: &Value,
    input: Map<String, Value>,
    config: PlayConfig,
    answer: impl FnMut(&PendingTools) -> Option<(Duration, ToolResultsRequest)>,
) -> Result<PlayedRun, Vec<Issue>> {
    let part = Part::from_request(spec, &RunRequest { input, ..RunRequest::default() })?;
    let runs = play_part(Arc::new(part), "spec", &|_| None, config, answer);
    // There is one, because without a script nothing starts another.
    runs.into_iter().next().ok_or_else(Vec::new)
}

fn play_part(
    part: Arc<Part>,
    name: &str,
    child: &dyn Fn(&str) -> Option<Arc<Part>>,
    config: PlayConfig,
    mut answer: impl FnMut(&PendingTools) -> Option<(Duration, ToolResultsRequest)>,
) -> Vec<PlayedRun> {
    let identity = Identity::new(config.seed, 0, name);
    let engine = Engine::start(part, identity, None, Clock::From(config.start));
    let mut runs = vec![Played { engine, begun: Duration::ZERO, parent: None, told_parent: true }];
    let mut now = Duration::ZERO;
    let within = |time: Duration| config.until.is_none_or(|until| time <= until);
    loop {
        start_children(child, &mut runs, now, config.start);
        tell_parents(&mut runs, now);
        let due = runs.iter().filter_map(|run| Some(run.begun + run.engine.next_due()?)).min();
        if let Some(due) = due {
            if !within(due) {
                break;
            }
            now = now.max(due);
            for run in &mut runs {
                run.engine.advance(now.saturating_sub(run.begun));
            }
            continue;
        }
        let Some(run) = runs.iter_mut().find(|run| !run.engine.ledger().fold().pending().pending.is_empty()) else {
            break;
        };
        let Some((thought, submission)) = answer(&run.engine.ledger().fold().pending()) else { break };
        if !within(now + thought) {
            break;
        }
        now += thought;
        if run.engine.submit(now.saturating_sub(run.begun), &submission, usize::MAX).is_err() {
            break;
        }
    }
    runs.iter().map(PlayedRun::of).collect()
}

fn start_children(
    part_of: &dyn Fn(&str) -> Option<Arc<Part>>,
    runs: &mut Vec<Played>,
    now: Duration,
    start: Timestamp,
) {
    let mut started = Vec::new();
    for (index, run) in runs.iter_mut().enumerate() {
        for child in run.engine.take_children() {
            started.extend(part_of(&child.name).map(|part| (index, part, child.identity, run.engine.run_id())));
        }
    }
    for (parent, part, identity, parent_id) in started {
        let clock = Clock::From(start.checked_add(now).unwrap_or(start));
        let engine = Engine::start(Arc::clone(&part), identity, Some(parent_id), clock);
        runs.push(Played { engine, begun: now, parent: Some(parent), told_parent: false });
    }
}

fn tell_parents(runs: &mut [Played], now: Duration) {
    for index in 0..runs.len() {
        let run = &mut runs[index];
        if run.told_parent || !run.engine.ended() {
            continue;
        }
        run.told_parent = true;
        let (child, parent) = (run.engine.run_id(), run.parent);
        if let Some(parent) = parent.and_then(|parent| runs.get_mut(parent)) {
            parent.engine.child_ended(now.saturating_sub(parent.begun), child);
        }
    }
}

impl PlayedRun {
    fn of(run: &Played) -> Self {
        let ledger = run.engine.ledger();
        Self {
            run_id: run.engine.run_id(),
            lines: ledger.lines(0, usize::MAX, true).0,
            snapshot: ledger.fold().snapshot(),
            pending: ledger.fold().pending(),
            steps: run.engine.step_details(),
            tasks: run.engine.tasks(),
        }
    }
}
