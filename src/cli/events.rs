//! `relay-console events`: a run's events on standard output, one line each.
//!
//! Owns what is printed and when it ends. The events come from the feed, so that gaps are read again, duplicates are
//! dropped and an outage costs nothing. Rules: standard output holds events only, in seq order, each once; what was odd
//! is said on standard error, and makes the exit code 8, because the output then is not the whole stream.

mod odd;
mod pretty;

use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use clap::Args;
use tokio::sync::{Notify, mpsc};

use crate::api::client::Client;
use crate::api::error::Class;
use crate::api::event::{self, Event, EventBody, Problem, ProtocolError};
use crate::api::ids::RunId;
use crate::api::run::RunStatus;
use crate::cli::arguments::{ServerArguments, duration};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::report;
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;
use crate::cli::stream::{FEED_CHANNEL, Lines, Link, Patience};
use crate::cli::{output, stream};
use crate::feed::{Feed, FeedConfig, FeedItem, FeedUpdate, LinkState};
use odd::Odd;
use pretty::Pretty;

/// How long a piece of streamed text waits for its next one before it is shown.
const JOIN: Duration = Duration::from_secs(1);

/// `events`
#[derive(Debug, Clone, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[command(after_help = "\
Without --raw or --pretty each line is the event as JSON in one form, whoever wrote it; fields and types that this \
version does not know are kept. It ends when the run ends, and resumes by itself until then: gaps are read again, \
duplicates dropped. What was odd is said on standard error.

Exit codes: 0 the run succeeded, or with --no-wait all is read; 1 it failed; 3 it was canceled; 2 wrong usage; 4 not \
authorised; 5 no such run; 7 not reachable (tried 3 times; once connected it tries for ever, unless --no-wait or \
--no-resume is given); 8 no event stream, or events are missing or unreadable; 9 --limit reached.")]
pub struct EventsArguments {
    /// The run, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run_id: RunId,
    /// Print each line byte for byte as it came, with a line feed; not on a terminal
    #[arg(long)]
    pub raw: bool,
    /// Print for people: time, seq, type, node, and what it says
    #[arg(long, conflicts_with = "raw")]
    pub pretty: bool,
    /// Begin behind this event
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub after_seq: u64,
    /// End after so many events
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Print what is there and end, without waiting for more
    #[arg(long)]
    pub no_wait: bool,
    /// Ask for the outputs as well, up to 1 MB each
    #[arg(long)]
    pub include_output: bool,
    /// Give up when the connection breaks or events are missing
    #[arg(long)]
    pub no_resume: bool,
    /// Check the link after so much silence, such as 15s or 2m [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub idle_timeout: Option<Duration>,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

impl EventsArguments {
    fn feed(&self) -> FeedConfig {
        FeedConfig {
            after_seq: self.after_seq,
            include_output: self.include_output,
            wait: !self.no_wait,
            limit: self.limit,
            lines: true,
            idle_timeout: self.idle_timeout.unwrap_or_else(|| FeedConfig::default().idle_timeout),
        }
    }

    fn patience(&self) -> Patience {
        match self {
            Self { no_resume: true, .. } => Patience::None,
            Self { no_wait: true, .. } => Patience::Reading,
            _ => Patience::Following,
        }
    }
}

/// Prints the events until the run ends, or all that is wanted is printed.
///
/// # Errors
/// When the settings are refused, the server refuses or cannot be reached, or the lines cannot be written.
pub fn run(arguments: &EventsArguments, verbosity: u8) -> Result<Exit, Failure> {
    if arguments.raw && output::is_terminal() {
        let why = "--raw writes what the server sent, which could act on this terminal: \
                   send it to a file or a pipe, or leave --raw out";
        return Err(Failure::new(Exit::Refused, anyhow!(why)));
    }
    let client = Remote::open(&arguments.server, verbosity)?.client;
    block_on(async {
        let resumed = Notify::new();
        let printer = Printer::new(arguments);
        stream::until_interrupted(printer.run(client, arguments, &resumed), &resumed).await
    })
}

/// How an event is printed.
enum Form {
    Normalised { escaped: bool },
    Raw,
    Pretty(Pretty),
}

/// Prints what the feed brings.
struct Printer {
    form: Form,
    lines: Lines,
    link: Link,
    odd: Odd,
    /// Events and unreadable places that may still be printed; `None` for all.
    left: Option<u64>,
    /// The line of the next event.
    line: Bytes,
    /// The run's status by its snapshot, and by its last event.
    status: Option<RunStatus>,
    ended: Option<RunStatus>,
}

impl Printer {
    fn new(arguments: &EventsArguments) -> Self {
        let form = match arguments {
            EventsArguments { raw: true, .. } => Form::Raw,
            EventsArguments { pretty: true, .. } => Form::Pretty(Pretty::default()),
            _ => Form::Normalised { escaped: output::is_terminal() },
        };
        Self {
            form,
            lines: Lines::default(),
            link: Link::new(arguments.patience()),
            odd: Odd::default(),
            left: arguments.limit,
            line: Bytes::new(),
            status: None,
            ended: None,
        }
    }

    async fn run(mut self, client: Client, arguments: &EventsArguments, resumed: &Notify) -> Result<Exit, Failure> {
        let (tx, mut rx) = mpsc::channel(FEED_CHANNEL);
        let feed = Feed::spawn(client.into(), arguments.run_id, arguments.feed(), tx);
        let ended = loop {
            let joining = matches!(&self.form, Form::Pretty(pretty) if pretty.is_joining());
            tokio::select! {
                update = rx.recv() => {
                    let Some(update) = update else {
                        break if arguments.no_wait { Ok(Exit::Done) } else { Err(stream::feed_is_gone()) };
                    };
                    match self.take(update) {
                        Ok(None) => {}
                        Ok(Some(exit)) => break Ok(exit),
                        Err(failure) => break Err(failure),
                    }
                }
                () = tokio::time::sleep(JOIN), if joining => self.end_text(),
                () = resumed.notified() => feed.probe_now(),
            }
            self.lines.flush().await?;
        };
        self.end_text();
        self.lines.flush().await?;
        self.odd.sum_up(self.link.reconnects);
        let exit = ended?;
        Ok(match exit {
            // With --no-wait nothing is said about the run.
            Exit::RunFailed | Exit::RunCanceled if arguments.no_wait && !self.odd.is_incomplete() => Exit::Done,
            _ if self.odd.is_incomplete() => Exit::Protocol,
            exit => exit,
        })
    }

    fn take(&mut self, update: FeedUpdate) -> Result<Option<Exit>, Failure> {
        match update {
            FeedUpdate::Link(state) => return self.link(state),
            FeedUpdate::Snapshot { snapshot, .. } => self.status = Some(snapshot.status),
            // It keeps no journal.
            FeedUpdate::Restarted { why } => {
                let why = format!("{why}; what was printed is of the old one");
                return Err(stream::refused(&why, Class::Protocol));
            }
            FeedUpdate::Journal(_) => {}
            FeedUpdate::Items(items) => {
                self.link.progressed();
                for item in items {
                    self.item(item)?;
                    if self.left == Some(0) {
                        return Ok(Some(self.ended.as_ref().and_then(end_of).unwrap_or(Exit::LimitReached)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn link(&mut self, state: LinkState) -> Result<Option<Exit>, Failure> {
        match state {
            LinkState::Connecting | LinkState::Stale { .. } => {}
            LinkState::CatchingUp { .. } | LinkState::Live => self.link.connected(),
            LinkState::Retrying { cause, class, wait, .. } => {
                self.link.trouble(&cause, class)?;
                report(&format!("{cause}; trying again in {:.1} s", wait.as_secs_f64()));
            }
            LinkState::Ended | LinkState::EndOfFile => {
                let status = self.ended.as_ref().or(self.status.as_ref());
                return Ok(Some(status.and_then(end_of).unwrap_or(Exit::Done)));
            }
            LinkState::Refused { cause, class } => return Err(stream::refused(&cause, class)),
        }
        Ok(None)
    }

    fn item(&mut self, item: FeedItem) -> Result<(), Failure> {
        match item {
            FeedItem::Line(line) => self.line = line,
            FeedItem::Event(event) => {
                let line = std::mem::take(&mut self.line);
                self.event(&event, &line)?;
                self.ended = ended_by(&event.body).or(self.ended.take());
                self.left = self.left.map(|left| left.saturating_sub(1));
            }
            FeedItem::Rejected(error) => {
                if error.seq.is_some() {
                    self.left = self.left.map(|left| left.saturating_sub(1));
                }
                self.rejected(&error);
            }
            FeedItem::Gap { first, last } => self.odd.gap(first, last),
            FeedItem::Duplicates(count) => self.odd.duplicates += count,
        }
        Ok(())
    }

    fn event(&mut self, event: &Event, line: &Bytes) -> Result<(), Failure> {
        match &mut self.form {
            Form::Raw => self.lines.push(line),
            Form::Normalised { escaped } => {
                let normalised = event::canonical(event, line).map_err(Failure::internal)?;
                let shown = if *escaped { output::escaped(&normalised) } else { normalised };
                self.lines.push(shown.as_bytes());
            }
            Form::Pretty(pretty) => pretty.event(event, &mut self.lines),
        }
        Ok(())
    }

    /// A line that breaks the protocol is still a line as it came; as an event it is none.
    fn rejected(&mut self, error: &ProtocolError) {
        if matches!(self.form, Form::Raw) && !matches!(error.problem, Problem::TooLong { .. }) {
            self.lines.push(&error.line);
        }
        self.odd.rejected(error);
    }

    fn end_text(&mut self) {
        if let Form::Pretty(pretty) = &mut self.form {
            pretty.end_text(&mut self.lines);
        }
    }
}

/// The status of a run that this event ends.
fn ended_by(body: &EventBody) -> Option<RunStatus> {
    match body {
        EventBody::RunCompleted(_) => Some(RunStatus::Succeeded),
        EventBody::RunFailed(_) => Some(RunStatus::Failed),
        EventBody::RunCanceled(_) => Some(RunStatus::Canceled),
        _ => None,
    }
}

/// The exit code of a run that has ended so; `None` while it has not.
#[must_use]
pub fn end_of(status: &RunStatus) -> Option<Exit> {
    match status {
        RunStatus::Succeeded => Some(Exit::Done),
        RunStatus::Failed => Some(Exit::RunFailed),
        RunStatus::Canceled => Some(Exit::RunCanceled),
        _ => None,
    }
}
