//! When each fault happens, and how often it has.
//!
//! Owns the counts of requests, the bounds of the faults, and the tally. Rule: what befalls a request follows from the
//! seed, the fault, the run, the call and how many such requests came before it; what befalls an event follows from its
//! seq, too. Clocks and other runs have no say, except where a fault was asked for by time or by number.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::api::ids::RunId;

use super::catalogue::{Fault, Phase, Route};
use super::chance;
use super::{FaultCount, Faults, Rule, When};

/// Decides what goes wrong.
#[derive(Debug)]
pub(crate) struct Injector {
    faults: Faults,
    seed: u64,
    begun: Instant,
    counts: Mutex<Counts>,
    /// How often each was decided on, in the order of the rules, and how often it has happened.
    decided: Vec<AtomicU64>,
    happened: Vec<AtomicU64>,
    /// The events that were left out once, by rule.
    skipped: Mutex<HashSet<(usize, RunId, u64)>>,
}

/// Requests so far, of each run.
#[derive(Debug, Default)]
struct Counts {
    by_route: HashMap<(Option<RunId>, Route), u64>,
    by_run: HashMap<Option<RunId>, u64>,
}

/// A request with what goes wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    injector: Arc<Injector>,
    route: Route,
    run: Option<RunId>,
    /// How many requests of this kind there were, this one included.
    number: u64,
    drawn: Vec<Drawn>,
}

/// A fault that was decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) rule: usize,
    pub(crate) fault: Fault,
    /// Decides whatever else there is to decide about it.
    pub(crate) draw: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Injector {
    pub(crate) fn new(faults: Faults, seed: u64) -> Self {
        let zeros = || faults.rules().iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            seed,
            begun: Instant::now(),
            counts: Mutex::default(),
            decided: zeros(),
            happened: zeros(),
            skipped: Mutex::default(),
            faults,
        }
    }

    pub(crate) fn rule(&self, index: usize) -> Option<&Rule> {
        self.faults.rules().get(index)
    }

    /// How often each fault has happened, in the order in which they were asked for.
    pub(crate) fn counts(&self) -> Vec<FaultCount> {
        let counted = self.faults.rules().iter().zip(&self.happened);
        counted
            .map(|(rule, times)| FaultCount { fault: rule.to_string(), times: times.load(Ordering::Relaxed) })
            .collect()
    }

    /// A request has come: what goes wrong with it.
    pub(crate) fn request(self: &Arc<Self>, route: Route, run: Option<RunId>) -> Request {
        let mut request = Request { injector: Arc::clone(self), route, run, number: 0, drawn: Vec::new() };
        if self.faults.rules().is_empty() {
            return request;
        }
        let of_run = {
            let mut counts = lock(&self.counts);
            let add = |count: &mut u64| {
                *count += 1;
                *count
            };
            request.number = add(counts.by_route.entry((run, route)).or_default());
            add(counts.by_run.entry(run).or_default())
        };
        let mut refused = false;
        for (index, rule) in self.faults.rules().iter().enumerate() {
            let phase = rule.fault.phase();
            let here = rule.at.is_none_or(|at| at == route);
            if !here || phase == Phase::Event || (phase == Phase::Before && refused) {
                continue;
            }
            let draw = chance::draw(self.seed, &format!("{index}/{run:?}/{route:?}/{}", request.number));
            let befalls = match rule.when {
                When::Chance(chance) => chance::falls(draw, chance),
                When::Numbers(first, last) => {
                    let number = if rule.at.is_some() { request.number } else { of_run };
                    (first..=last).contains(&number)
                }
            };
            if befalls && self.decide(index, rule) {
                refused |= phase == Phase::Before;
                request.drawn.push(Drawn { rule: index, fault: rule.fault, draw });
            }
        }
        request
    }

    /// Whether the fault's bounds allow it once more.
    fn decide(&self, index: usize, rule: &Rule) -> bool {
        let in_time = rule.within.is_none_or(|within| self.begun.elapsed() < within);
        let most = rule.times.unwrap_or(u64::MAX);
        let Some(decided) = self.decided.get(index).filter(|_| in_time) else { return false };
        let one_more = |count: u64| (count < most).then(|| count + 1);
        decided.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// The events of a run that are never sent, up to the seq `last`.
    pub(crate) fn gaps(&self, run: RunId, last: u64) -> Vec<u64> {
        let rules: Vec<_> =
            self.faults.rules().iter().enumerate().filter(|(_, rule)| rule.fault == Fault::Gap).collect();
        let hidden = |seq: &u64| rules.iter().any(|(index, rule)| self.of_event(*index, rule, run, *seq, 0).is_some());
        (1..=last).filter(hidden).collect()
    }

    /// The draw of a fault for an event, where it befalls it; `number` is the request's, or 0 where it does not matter.
    fn of_event(&self, index: usize, rule: &Rule, run: RunId, seq: u64, number: u64) -> Option<u64> {
        let draw = chance::draw(self.seed, &format!("{index}/{run}/{seq}/{number}"));
        let befalls = match rule.when {
            When::Chance(chance) => chance::falls(draw, chance),
            When::Numbers(first, last) => (first..=last).contains(&seq),
        };
        befalls.then_some(draw)
    }

    fn happened(&self, index: usize, request: &Request, seq: Option<u64>) {
        if let Some(count) = self.happened.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let fault = self.rule(index).map(Rule::to_string).unwrap_or_default();
        let run = request.run.map(|run| run.to_string()).unwrap_or_default();
        tracing::info!(fault, run, call = request.route.name(), request = request.number, seq, "a fault happens");
    }
}

impl Request {
    /// A request that nothing befalls: nobody knows what it is about.
    pub(crate) fn harmless(injector: &Arc<Injector>) -> Self {
        Self { injector: Arc::clone(injector), route: Route::Snapshot, run: None, number: 0, drawn: Vec::new() }
    }

    /// What happens in place of doing what was asked for.
    pub(crate) fn before(&self) -> Option<Drawn> {
        self.in_phase(Phase::Before).next()
    }

    /// What happens in a phase, in the order in which it was asked for.
    pub(crate) fn in_phase(&self, phase: Phase) -> impl Iterator<Item = Drawn> {
        self.drawn.iter().copied().filter(move |drawn| drawn.fault.phase() == phase)
    }

    /// Whether this fault was decided on.
    pub(crate) fn draws(&self, fault: Fault) -> Option<Drawn> {
        self.drawn.iter().copied().find(|drawn| drawn.fault == fault)
    }

    /// A fault that was decided on happens.
    pub(crate) fn happens(&self, drawn: Drawn) {
        self.injector.happened(drawn.rule, self, None);
    }

    /// The rule of a fault.
    pub(crate) fn rule(&self, drawn: Drawn) -> Option<&Rule> {
        self.injector.rule(drawn.rule)
    }

    /// Whether anything can befall the events that are sent.
    pub(crate) fn distorts(&self) -> bool {
        self.injector.faults.rules().iter().any(|rule| rule.fault.phase() == Phase::Event)
    }

    /// What befalls an event as it is sent, in the order in which it was asked for; all of it happens, but what
    /// `possible` refuses.
    pub(crate) fn event(&self, seq: u64, possible: impl Fn(Fault) -> bool) -> Vec<Drawn> {
        let Some(run) = self.run else { return Vec::new() };
        let mut found = Vec::new();
        for (index, rule) in self.injector.faults.rules().iter().enumerate() {
            let fault = rule.fault;
            if fault.phase() != Phase::Event || !possible(fault) {
                continue;
            }
            // What an event is, or whether it is there at all, is the same for every reader.
            let lasting = matches!(fault, Fault::Gap | Fault::Skip | Fault::HostileText);
            let number = if lasting { 0 } else { self.number };
            let Some(draw) = self.injector.of_event(index, rule, run, seq, number) else { continue };
            if fault == Fault::Skip && lock(&self.injector.skipped).contains(&(index, run, seq)) {
                continue;
            }
            // What is bounded in number or time could not be the same for every reader.
            if fault == Fault::Gap || self.injector.decide(index, rule) {
                if fault == Fault::Skip {
                    lock(&self.injector.skipped).insert((index, run, seq));
                }
                self.injector.happened(index, self, Some(seq));
                found.push(Drawn { rule: index, fault, draw });
            }
        }
        found
    }
}
