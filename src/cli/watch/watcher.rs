//! From the feed to lines, and when the watching ends.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

use super::WatchArguments;
use super::change::Change;
use super::change::Kind;
use super::change::brief;
use super::change::now;
use super::changes::Before;
use super::changes::Standing;
use super::changes::changes;
use super::changes::money;
use super::changes::run_is;
use super::changes::standing_changes;
use super::changes::waits;
use super::problems::Problems;
use super::reads::Read;
use super::reads::Reads;
use crate::api::client::Reply;
use crate::api::error::{Class, Error};
use crate::api::event::{Event, EventBody};
use crate::api::run::{RunSnapshot, RunStatus};
use crate::api::tool::PendingTools;
use crate::cli::events::end_of;
use crate::cli::exit::{Exit, Failure};
use crate::cli::remote::Remote;
use crate::cli::stream::{FEED_CHANNEL, Lines, Link, Patience};
use crate::cli::{output, stream};
use crate::feed::{Feed, FeedConfig, FeedItem, FeedUpdate, LinkState, events_named};
use crate::run::{PendingCall, Run};
use crate::view::format::plural;

/// A link that has been silent is told of when the server has not answered within this time whether it is alive: one
/// that merely has nothing to say is no news.
const DOUBT: Duration = Duration::from_secs(3);

/// What was last told of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Connected,
    Live,
    Trouble,
}

/// Watches one run.
pub(super) struct Watcher<'a> {
    arguments: &'a WatchArguments,
    remote: Remote,
    run: Run,
    link: Link,
    told: Told,
    /// When a silent link is to be told of, and since when it is silent.
    silent: Option<(Instant, Timestamp)>,
    /// Whether what comes is new: the link was live once, or everything is to be told.
    telling: bool,
    /// Whether everything that happened before has been read.
    caught_up: bool,
    /// The last snapshot from before that, and the seq that it was asked for at: the events speak first, in their order.
    early: Option<(Box<RunSnapshot>, u64)>,
    reads: Reads,
    problems: Problems,
    lines: Lines,
    escaped: bool,
}

impl<'a> Watcher<'a> {
    pub(super) fn new(arguments: &'a WatchArguments, remote: Remote) -> Self {
        Self {
            arguments,
            reads: Reads::new(remote.client.clone(), arguments.run_id),
            remote,
            run: Run::new(arguments.run_id),
            link: Link::new(Patience::Endless),
            told: Told::Nothing,
            silent: None,
            telling: arguments.from_start,
            caught_up: false,
            early: None,
            problems: Problems::default(),
            lines: Lines::default(),
            escaped: output::is_terminal(),
        }
    }

    pub(super) async fn run(mut self, resumed: &Notify) -> Result<Exit, Failure> {
        let (tx, mut rx) = mpsc::channel(FEED_CHANNEL);
        let default = FeedConfig::default();
        let idle_timeout = self.arguments.idle_timeout.unwrap_or(default.idle_timeout);
        let config = FeedConfig { include_output: false, idle_timeout, ..default };
        let feed = Feed::spawn(self.remote.client.clone().into(), self.arguments.run_id, config, tx);
        let mut beat = self.arguments.heartbeat().map(|every| {
            let mut beat = tokio::time::interval_at(Instant::now() + every, every);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat
        });
        self.tell_now(Kind::Link, format!("connecting to {}", brief(&self.remote.label)))?;
        let ended = loop {
            self.lines.flush().await?;
            let silent = self.silent;
            let (last_seq, generation) = (self.run.last_seq, self.run.pending.generation());
            let step = tokio::select! {
                update = rx.recv() => match update {
                    Some(update) => self.take(update),
                    None => Err(stream::feed_is_gone()),
                },
                // Not before the events have told what happened: an answer would tell it first.
                read = self.reads.next(last_seq, generation), if self.caught_up => self.read(read),
                since = silence(silent) => self.stale(since).map(|()| None),
                () = tick(beat.as_mut()) => self.beat().map(|()| None),
                () = resumed.notified() => {
                    feed.probe_now();
                    Ok(None)
                }
            };
            match step {
                Ok(None) => self.doubt(),
                Ok(Some(exit)) => break Ok(exit),
                Err(failure) => break Err(failure),
            }
        };
        self.lines.flush().await?;
        ended
    }

    fn tell(&mut self, change: &Change) -> Result<(), Failure> {
        let line =
            if self.arguments.json { change.json(self.escaped).map_err(Failure::internal)? } else { change.line() };
        self.lines.push(line.as_bytes());
        Ok(())
    }

    fn tell_all(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let telling = self.telling;
        changes.iter().filter(|_| telling).try_for_each(|change| self.tell(change))
    }

    fn tell_now(&mut self, kind: Kind, text: String) -> Result<(), Failure> {
        self.tell(&Change::now(kind, self.run.last_seq, text))
    }

    fn take(&mut self, update: FeedUpdate) -> Result<Option<Exit>, Failure> {
        match update {
            FeedUpdate::Link(state) => return self.link(state),
            FeedUpdate::Snapshot { snapshot, .. } if !self.caught_up => {
                self.early = Some((snapshot, self.run.last_seq));
            }
            FeedUpdate::Snapshot { snapshot, .. } => self.observe(&snapshot, self.run.last_seq)?,
            // It keeps no journal.
            FeedUpdate::Restarted { why } => {
                let text = format!("{}; it is read from its beginning", brief(&why));
                self.tell_now(Kind::Problem, text)?;
                self.run.begin_anew();
                (self.caught_up, self.telling, self.early) = (false, self.arguments.from_start, None);
            }
            FeedUpdate::Journal(_) => {}
            FeedUpdate::Items(items) => {
                self.link.progressed();
                items.into_iter().try_for_each(|item| self.item(item))?;
            }
        }
        Ok(None)
    }

    fn item(&mut self, item: FeedItem) -> Result<(), Failure> {
        match item {
            FeedItem::Line(_) => {}
            FeedItem::Event(event) => self.apply(&event)?,
            FeedItem::Rejected(error) => {
                let line = brief(&String::from_utf8_lossy(&error.line));
                let text = format!("{}; the line: {line}", brief(&error.to_string()));
                self.run.reject(error);
                self.problem(text)?;
            }
            FeedItem::Gap { first, last } => {
                self.run.skip(first, last);
                self.problem(format!("the server has no {}", events_named(first, last)))?;
            }
            FeedItem::Duplicates(count) => self.run.counts.duplicates += count,
        }
        Ok(())
    }

    /// What events are missing, only the snapshot can say.
    fn problem(&mut self, text: String) -> Result<(), Failure> {
        self.reads.want_snapshot();
        if !self.telling {
            return Ok(());
        }
        for words in self.problems.told(text, Instant::now()) {
            self.tell_now(Kind::Problem, words)?;
        }
        Ok(())
    }

    fn apply(&mut self, event: &Event) -> Result<(), Failure> {
        if matches!(event.body, EventBody::NodeSucceeded(_) | EventBody::NodeFailed(_) | EventBody::NodeLlmCall(_)) {
            self.reads.want_snapshot();
        }
        let before = Before::of(&self.run, event);
        self.run.apply(event.clone());
        if self.telling { self.tell_all(&changes(&before, &self.run, event)) } else { Ok(()) }
    }

    fn observe(&mut self, snapshot: &RunSnapshot, asked_at: u64) -> Result<(), Failure> {
        let before = Standing::of(&self.run);
        self.run.observe_as_of(snapshot, asked_at);
        self.tell_all(&standing_changes(&before, &self.run, now(), self.run.last_seq))
    }

    fn link(&mut self, state: LinkState) -> Result<Option<Exit>, Failure> {
        if !matches!(state, LinkState::Stale { .. }) {
            self.silent = None;
        }
        match state {
            LinkState::Connecting => {}
            LinkState::CatchingUp { .. } => {
                if matches!(self.told, Told::Nothing | Told::Trouble) {
                    self.say(Told::Connected, "connected; reading what happened before".to_owned())?;
                }
            }
            LinkState::Live => {
                if self.told != Told::Live {
                    self.say(Told::Live, "live".to_owned())?;
                }
                self.caught_up()?;
            }
            LinkState::Stale { since } => self.silent = Some((Instant::now() + DOUBT, since)),
            LinkState::Retrying { wait, cause, class, .. } => {
                self.link.trouble(&cause, class)?;
                if self.link.is_tired() && self.is_said_to_have_ended() {
                    self.tell_now(Kind::Problem, format!("the events cannot be read to their end: {}", brief(&cause)))?;
                    return self.ended().map(Some);
                }
                self.say(Told::Trouble, format!("retrying in {:.1} s: {}", wait.as_secs_f64(), brief(&cause)))?;
            }
            LinkState::Ended | LinkState::EndOfFile => return self.ended().map(Some),
            LinkState::Refused { cause, class } => return Err(stream::refused(&cause, class)),
        }
        Ok(None)
    }

    fn stale(&mut self, since: Timestamp) -> Result<(), Failure> {
        self.silent = None;
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
        self.say(Told::Trouble, format!("stale: nothing heard since {since}"))
    }

    fn say(&mut self, told: Told, text: String) -> Result<(), Failure> {
        self.told = told;
        self.tell_now(Kind::Link, text)
    }

    /// Everything that happened before has been read: it is told in a line, and what waits now with it.
    fn caught_up(&mut self) -> Result<(), Failure> {
        self.telling = true;
        if std::mem::replace(&mut self.caught_up, true) {
            return Ok(());
        }
        let told = Standing::of(&self.run);
        if let Some((snapshot, asked_at)) = self.early.take() {
            self.run.observe_as_of(&snapshot, asked_at);
        }
        if self.arguments.from_start {
            return self.tell_all(&standing_changes(&told, &self.run, now(), self.run.last_seq));
        }
        self.tell_now(Kind::Summary, self.summary())?;
        let waiting: Vec<Change> =
            self.run.pending.iter().map(|call| self.about(call, Kind::Wait, waits(call))).collect();
        self.tell_all(&waiting)
    }

    fn about(&self, call: &PendingCall, kind: Kind, text: String) -> Change {
        Change { node_id: Some(call.key.step.node_id.clone()), ..Change::now(kind, self.run.last_seq, text) }
    }

    fn summary(&self) -> String {
        let status = self.run.status();
        let mut parts =
            vec![status.map_or_else(|| "nothing is known of the run".to_owned(), |status| run_is(&status, &self.run))];
        let (ended, known) = self.run.progress();
        if known > 0 {
            parts.push(format!("{ended} of {} ended", plural(known as u64, "node")));
        }
        match self.run.pending.len() {
            0 => {}
            1 => parts.push("1 call waits".to_owned()),
            waiting => parts.push(format!("{waiting} calls wait")),
        }
        parts.extend(money(&self.run).filter(|money| money != "$0.00").map(|money| format!("cost {money}")));
        let counts = self.run.counts;
        let odd = [(counts.gaps, "gap"), (counts.rejected, "unreadable line"), (counts.unknown, "unknown event")];
        parts.extend(odd.iter().filter(|(count, _)| *count > 0).map(|(count, noun)| plural(*count, noun)));
        parts.join("; ")
    }

    /// Whether the server's snapshot, or an event, says that the run has ended.
    fn is_said_to_have_ended(&self) -> bool {
        let early = self.early.as_ref().map(|(snapshot, _)| snapshot.status.is_terminal());
        early.unwrap_or_else(|| self.run.status().is_some_and(|status| status.is_terminal()))
    }

    fn ended(&mut self) -> Result<Exit, Failure> {
        self.caught_up()?;
        if let Some(words) = self.problems.rest() {
            self.tell_now(Kind::Problem, words)?;
        }
        Ok(self.run.status().as_ref().and_then(end_of).unwrap_or(Exit::Done))
    }

    fn beat(&mut self) -> Result<(), Failure> {
        let link = match self.told {
            Told::Nothing => "connecting",
            Told::Connected => "reading what happened before",
            Told::Live => "live",
            Told::Trouble => "no link",
        };
        let status = self.run.status().map(|status| format!("; run {}", brief(status.as_str()))).unwrap_or_default();
        self.tell_now(Kind::Heartbeat, format!("{link}{status}"))
    }

    /// Asks for the server's list where the run waits and it is to be acted on, or waits for something unknown.
    fn doubt(&mut self) {
        let nothing_known = self.run.pending.is_empty();
        let waits = !nothing_known || self.run.status() == Some(RunStatus::Waiting);
        let live = self.told == Told::Live && self.caught_up;
        if live && waits && !self.run.has_ended() && (self.arguments.exit_on_wait || nothing_known) {
            self.reads.want_pending();
        }
    }

    fn read(&mut self, read: Read) -> Result<Option<Exit>, Failure> {
        match read {
            Read::Snapshot(answer, asked_at) => {
                match *answer {
                    Ok(reply) => self.observe(&reply.value, asked_at)?,
                    Err(error) => tracing::debug!(%error, "the snapshot cannot be read"),
                }
                Ok(None)
            }
            Read::Pending(answer, generation) => self.pending(answer, generation),
        }
    }

    /// The server's list of what waits. What it does not list was answered, and the event is on its way.
    fn pending(
        &mut self,
        answer: Result<Reply<PendingTools>, Error>,
        generation: u64,
    ) -> Result<Option<Exit>, Failure> {
        match answer {
            Ok(reply) if reply.value.calls().next().is_some() => {
                let known: Vec<_> = self.run.pending.iter().map(|call| call.key.clone()).collect();
                if !self.run.observe_pending(&reply.value, generation, Timestamp::now()) {
                    return Ok(None);
                }
                let new = self.run.pending.iter().filter(|call| !known.contains(&call.key));
                let new: Vec<Change> = new.map(|call| self.about(call, Kind::Wait, waits(call))).collect();
                self.tell_all(&new)?;
            }
            Ok(_) => return Ok(None),
            Err(error) if error.is_retryable() => return Ok(None),
            Err(error) if self.arguments.exit_on_wait && is_final(&error) => {
                return Err(self.remote.read_failure("what waits in", &self.arguments.run_id, &error));
            }
            // A server that cannot list them leaves only the events to go by.
            Err(error) => tracing::warn!(%error, "the waiting calls cannot be read"),
        }
        if !self.arguments.exit_on_wait || self.run.pending.is_empty() {
            return Ok(None);
        }
        let calls = self.run.pending.iter();
        let pending: Vec<Change> =
            calls.map(|call| self.about(call, Kind::Pending, self.how_to_answer(call))).collect();
        self.tell_all(&pending)?;
        Ok(Some(Exit::Waiting))
    }

    /// The command that answers a call, as a shell reads it.
    fn how_to_answer(&self, call: &PendingCall) -> String {
        let id = call.key.call_id.as_str();
        let (option, value) = match &call.question {
            None => ("--output", "TEXT"),
            Some(question) if question.options.is_empty() => ("--text", "TEXT"),
            Some(_) => ("--choice", "LABEL"),
        };
        let run_id = self.arguments.run_id.to_string();
        let words = ["answer", &run_id, "--call", id, option, value];
        format!("answer with: {}", self.arguments.server.command(&words))
    }
}

/// Whether the server says that the list is not for this key, or that there is no such run: history cannot stand in for
/// that.
fn is_final(error: &Error) -> bool {
    matches!(error.class(), Class::Unauthorized | Class::NotFound)
}

/// Since when the link is silent, once it has been in doubt for long enough.
async fn silence(silent: Option<(Instant, Timestamp)>) -> Timestamp {
    match silent {
        Some((at, since)) => {
            tokio::time::sleep_until(at).await;
            since
        }
        None => std::future::pending().await,
    }
}

/// The next heartbeat; never where there is none.
async fn tick(beat: Option<&mut tokio::time::Interval>) {
    match beat {
        Some(beat) => drop(beat.tick().await),
        None => std::future::pending::<()>().await,
    }
}
