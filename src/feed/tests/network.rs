//! The whole feed over a simulated network, as a property: a server with a true log, an adversary between it and the
//! feed that does for a while whatever a network or a broken server can do, and then gives up.
//!
//! What must hold then, in paused time: every event that the server has was given out once and in order; what it never
//! gives, and nothing else, ended as a gap; what was odd was counted as often as it was sent; and at every second the
//! link's state was true. A failing case is shrunk and printed, and replays by its plan.
//!
//! | module | what it owns |
//! | --- | --- |
//! | `plan` | what a case is made of: a log, and what the adversary does to each request |
//! | `world` | the server, its truth, and what it counts |
//! | `wire` | one answer's lines as the adversary lets them through |

mod plan;
mod wire;
mod world;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{RUN, word};
use crate::api::ids::RunId;
use crate::feed::follow::Follower;
use crate::feed::{FeedConfig, FeedHandle, FeedItem, FeedUpdate, LinkState, Signals};
use plan::{Act, Case, Kind};
use world::{Shared, World};

/// How many cases are tried; more, and others each time, by `RELAY_CONSOLE_FEED_CASES`.
const CASES: u32 = 1_500;

/// Longer than the adversary's longest plan with every wait between: a feed that has not ended by then never will.
const PATIENCE: Duration = Duration::from_secs(7_200);

#[test]
fn whatever_the_network_does_every_event_is_given_out_once_and_the_link_is_told_truly() {
    let asked: Option<u32> = std::env::var("RELAY_CONSOLE_FEED_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = asked.unwrap_or(CASES);
    let any = Config::default();
    // The same cases in each run of the suite; new ones each time where more are asked for.
    let rng_seed = if asked.is_none() { RngSeed::Fixed(1) } else { any.rng_seed };
    let config = Config { cases, rng_seed, failure_persistence: None, max_shrink_iters: 4_000, ..any };
    let seen = Mutex::new(Seen::default());
    TestRunner::new(config)
        .run(&plan::case(), |case| {
            let heard = play(&case)?;
            seen.lock().unwrap().add(&heard);
            judge(&case, &heard)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.into_inner().unwrap();
    println!("{cases} cases: {seen:?}");
    // A property that never meets what it is about proves nothing.
    assert!(
        seen.gaps > 0 && seen.rejected > 0 && seen.duplicates > 0 && seen.retries > 0 && seen.stale > 0,
        "{seen:?}"
    );
    assert!(seen.refused > 0, "{seen:?}");
}

/// What all cases together have met.
#[derive(Debug, Default)]
struct Seen {
    events: usize,
    gaps: usize,
    rejected: usize,
    duplicates: u64,
    retries: usize,
    stale: usize,
    refused: usize,
}

impl Seen {
    fn add(&mut self, heard: &Heard) {
        let links = |wanted: fn(&LinkState) -> bool| heard.links.iter().filter(|link| wanted(link)).count();
        self.events += heard.events.len();
        self.gaps += heard.gaps.len();
        self.rejected += heard.rejected.len();
        self.duplicates += heard.duplicates;
        self.retries += links(|link| matches!(link, LinkState::Retrying { .. }));
        self.stale += links(|link| matches!(link, LinkState::Stale { .. }));
        self.refused += links(|link| matches!(link, LinkState::Refused { .. }));
    }
}

/// What the feed has said in one case.
#[derive(Debug, Default)]
struct Heard {
    events: Vec<u64>,
    gaps: Vec<(u64, u64)>,
    rejected: Vec<String>,
    duplicates: u64,
    links: Vec<LinkState>,
    /// Everything, in short, for the reader of a failure.
    words: Vec<String>,
    world: World,
    ended: bool,
}

fn play(case: &Case) -> Result<Heard, TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(follow(case))
}

/// Follows the case's run until the feed says that it has ended, and looks at the link every second.
async fn follow(case: &Case) -> Result<Heard, TestCaseError> {
    let shared = Shared::new(case);
    let signals = Arc::new(Signals::default());
    let (tx, mut rx) = mpsc::channel(case.room);
    let run_id = RunId::parse(RUN).unwrap();
    let config = FeedConfig { idle_timeout: Duration::from_secs(case.idle), ..FeedConfig::default() };
    let follower = Follower::new(shared.clone(), run_id, config, tx, Arc::clone(&signals));
    let task = tokio::spawn(follower.run());
    let handle = FeedHandle { signals };
    let (mut heard, begun) = (Heard::default(), Instant::now());
    let mut acts = case.acts.clone();
    acts.sort_by_key(|(at, _)| *at);
    let mut acts = acts.into_iter().peekable();
    // Between the tenths of seconds in which things happen.
    let mut clock = tokio::time::interval_at(begun + Duration::from_millis(13), Duration::from_secs(1));
    let mut judge = Judge::new(case);
    while !heard.ended && begun.elapsed() < PATIENCE {
        tokio::select! {
            biased;
            update = rx.recv() => {
                let Some(update) = update else { break };
                judge.update(&update, &shared, begun.elapsed()).map_err(|why| fail(case, &heard, &why))?;
                heard.take(update, begun.elapsed());
            }
            _ = clock.tick() => {
                let now = begun.elapsed();
                // What the feed has to say of this very moment comes first.
                for _ in 0..16 {
                    tokio::task::yield_now().await;
                    while let Ok(update) = rx.try_recv() {
                        judge.update(&update, &shared, now).map_err(|why| fail(case, &heard, &why))?;
                        heard.take(update, now);
                    }
                }
                while acts.next_if(|(at, _)| u64::from(*at) <= now.as_secs()).is_some_and(|(_, act)| {
                    match act {
                        Act::Reconnect => handle.reconnect_now(),
                        Act::Probe => handle.probe_now(),
                    }
                    judge.asked = true;
                    true
                }) {}
                judge.second(&shared, &heard, now).map_err(|why| fail(case, &heard, &why))?;
                // The operator has new credentials after a while.
                if judge.refused_for(now) > Duration::from_secs(20) {
                    judge.asked = true;
                    handle.reconnect_now();
                }
            }
        }
    }
    heard.world = shared.take();
    drop(handle);
    task.abort();
    Ok(heard)
}

fn fail(case: &Case, heard: &Heard, why: &str) -> TestCaseError {
    TestCaseError::fail(format!("{why}\nsaid: {}\nof {case:?}", heard.words.join(" | ")))
}

impl Heard {
    fn take(&mut self, update: FeedUpdate, at: Duration) {
        self.words.push(format!("{:.1}: {}", at.as_secs_f64(), word(&update)));
        match update {
            FeedUpdate::Link(link) => {
                self.ended |= link == LinkState::Ended;
                self.links.push(link);
            }
            FeedUpdate::Snapshot { .. } => {}
            FeedUpdate::Restarted { .. } | FeedUpdate::Journal(_) => panic!("no journal was asked for"),
            FeedUpdate::Items(items) => items.into_iter().for_each(|item| match item {
                FeedItem::Line(_) => panic!("nobody asked for lines"),
                FeedItem::Event(event) => self.events.push(event.seq),
                FeedItem::Rejected(error) => self.rejected.push(String::from_utf8_lossy(&error.line).into_owned()),
                FeedItem::Gap { first, last } => self.gaps.push((first, last)),
                FeedItem::Duplicates(count) => self.duplicates += count,
            }),
        }
    }
}

/// What must be true of the link at any time.
struct Judge {
    idle: Duration,
    link: LinkState,
    link_at: Duration,
    progressed: bool,
    /// Whether the operator has asked for something since the link last changed.
    asked: bool,
    due: Option<Duration>,
}

impl Judge {
    fn new(case: &Case) -> Self {
        let idle = Duration::from_secs(case.idle);
        let (link, link_at) = (LinkState::Connecting, Duration::ZERO);
        Self { idle, link, link_at, progressed: false, asked: false, due: None }
    }

    fn refused_for(&self, now: Duration) -> Duration {
        match self.link {
            LinkState::Refused { .. } => now.saturating_sub(self.link_at),
            _ => Duration::ZERO,
        }
    }

    fn update(&mut self, update: &FeedUpdate, shared: &Shared, now: Duration) -> Result<(), String> {
        match update {
            FeedUpdate::Items(items) => {
                let new = |item: &FeedItem| match item {
                    FeedItem::Event(_) => true,
                    FeedItem::Rejected(error) => error.seq.is_some(),
                    _ => false,
                };
                self.progressed |= items.iter().any(new);
                if items.is_empty() || items.len() > 257 {
                    return Err(format!("a batch of {}", items.len()));
                }
            }
            FeedUpdate::Snapshot { .. } => {}
            FeedUpdate::Restarted { .. } | FeedUpdate::Journal(_) => panic!("no journal was asked for"),
            FeedUpdate::Link(link) => self.changed(link, shared, now)?,
        }
        Ok(())
    }

    fn changed(&mut self, link: &LinkState, shared: &Shared, now: Duration) -> Result<(), String> {
        if let Some(due) = self.due.take() {
            if now < due && !self.asked {
                return Err(format!("it waited until {now:?} and had said {due:?}"));
            }
            if now > due + Duration::from_millis(10) {
                return Err(format!("it had said {due:?} and waited until {now:?}"));
            }
        }
        self.asked = false;
        if let LinkState::Retrying { wait, at, .. } = link {
            let asked_for = shared.look(|world| world.retry_after.take());
            let most = asked_for.map_or(30.0, |asked| f64::from(asked).clamp(30.0, 60.0));
            let first = std::mem::take(&mut self.progressed) && asked_for.is_none();
            let most = if first { 0.45 } else { most };
            let by_a_probe = shared.look(|world| std::mem::take(&mut world.by_a_probe));
            let most = if by_a_probe { 60.0 } else { most };
            if wait.as_secs_f64() > most + 0.001 || *wait < Duration::from_millis(150) {
                return Err(format!("a wait of {wait:?}, where {most} s is the most"));
            }
            if let Some(asked) = asked_for
                && !by_a_probe
                && *wait < Duration::from_secs(u64::from(asked.min(60)))
            {
                return Err(format!("a wait of {wait:?}, where the server asked for {asked} s"));
            }
            if *at + Duration::from_secs(1) < jiff::Timestamp::now() {
                return Err(format!("the next attempt was due at {at}"));
            }
            self.due = Some(now + *wait);
        }
        self.link = link.clone();
        self.link_at = now;
        Ok(())
    }

    /// Looks at a settled second: whatever was to be said of it is said.
    fn second(&self, shared: &Shared, heard: &Heard, now: Duration) -> Result<(), String> {
        let open = shared.look(|world| world.open);
        let requests = shared.look(|world| world.asked_at);
        match &self.link {
            LinkState::Live | LinkState::Stale { .. } if open == 0 => {
                Err(format!("{:?} without a connection", self.link))
            }
            LinkState::Live => {
                let last = heard.events.last().copied().unwrap_or(0);
                let unsent = shared.look(|world| world.unsent_since(last, now));
                let signs = shared.look(|world| world.sign_at);
                let said = shared.look(|world| world.said_at);
                // The seconds are those of this clock, and of a history that has just been taken to be at its end.
                let most = self.idle + Duration::from_secs(7);
                let only_alive = self.idle * 5 + Duration::from_secs(7);
                match unsent {
                    Some(since) if now.saturating_sub(since.max(said).max(self.link_at)) > only_alive => {
                        Err(format!("live by keepalives, with an event unsent since {since:?}, at {now:?}"))
                    }
                    Some(since) if now.saturating_sub(since.max(signs).max(self.link_at)) > most => {
                        Err(format!("live, with an event unsent since {since:?}, at {now:?}"))
                    }
                    _ => Ok(()),
                }
            }
            LinkState::Retrying { .. } | LinkState::Refused { .. } | LinkState::Ended if open > 0 => {
                Err(format!("{:?} with a connection", self.link))
            }
            LinkState::Refused { .. } if requests > self.link_at => Err("it asks although it was refused".into()),
            _ => Ok(()),
        }
    }
}

/// Compares what was said at the end with the server's truth.
fn judge(case: &Case, heard: &Heard) -> Result<(), TestCaseError> {
    let check = |holds: bool, why: String| if holds { Ok(()) } else { Err(fail(case, heard, &why)) };
    check(heard.ended, "it never ends".into())?;
    let wanted = |kind: Kind| -> Vec<u64> {
        let places = case.log.iter().enumerate().filter(|(_, place)| place.kind == kind);
        places.map(|(at, _)| at as u64 + 1).collect()
    };
    let readable: Vec<u64> = wanted(Kind::Event);
    check(heard.events == readable, format!("events {:?}, of {readable:?}", heard.events))?;
    let missing: Vec<u64> = heard.gaps.iter().flat_map(|(first, last)| *first..=*last).collect();
    check(missing == wanted(Kind::Never), format!("gaps {missing:?}, of {:?}", wanted(Kind::Never)))?;
    let world = &heard.world;
    let (mut wild, mut rejected): (Vec<String>, Vec<String>) =
        heard.rejected.iter().cloned().partition(|line| world.wild.contains(line));
    let mut sent = world.rejected.clone();
    rejected.sort();
    sent.sort();
    check(rejected == sent, format!("rejected {rejected:?}, of {sent:?}"))?;
    // An event with a wild seq may be dropped with its connection; it is told once at most.
    wild.sort();
    wild.dedup();
    check(wild.len() + rejected.len() == heard.rejected.len(), format!("rejected twice: {:?}", heard.rejected))?;
    let distinct: BTreeSet<u64> = world.lines.iter().copied().collect();
    let again = (world.lines.len() - distinct.len()) as u64;
    check(heard.duplicates <= again, format!("{} duplicates, of {again}", heard.duplicates))?;
    let in_order = wanted(Kind::Never).is_empty() && !world.withheld;
    check(!in_order || heard.duplicates == again, format!("{} duplicates, of exactly {again}", heard.duplicates))
}
