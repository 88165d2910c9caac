//! `relay-console watch`: one line a change, for logs, scripts and screen readers.
//!
//! | module | what it owns |
//! | --- | --- |
//! | `change` | a change, and the line that tells it |
//! | `changes` | what an event or a snapshot has changed, in words; pure |
//! | `watcher` | from the feed to lines; when it ends |
//! | `problems` | how many problems are told one by one |
//! | `reads` | what is read from the server beside the feed: the bill, and what waits |
//!
//! Rules: standard output holds lines of one form only; what happened before the link was live is one line, unless
//! `--from-start` asks for all of it; whether the run waits is decided by the server's own list, not by history. Where
//! that list is refused (401, 403) or not found (404), `--exit-on-wait` ends with the error's code. The one exception
//! is a server that answers with something else than a list (an unreadable body, another 4xx): the events decide then,
//! and the log says why.

mod change;
mod changes;
mod problems;
mod reads;
mod watcher;

use std::time::Duration;

use clap::Args;
use tokio::sync::Notify;

use crate::api::ids::RunId;
use crate::cli::arguments::{ServerArguments, duration};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::report;
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;
use crate::cli::stream;
use watcher::Watcher;

/// How often `--json` says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// `watch`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = "\
Each line begins with a time in UTC: the server's for what events tell, this machine's for the rest. With --json each \
line is {\"ts\", \"seq\", \"kind\", \"node_id\"?, \"text\"}; seq is the last event applied, 0 before the first.

Kinds: link (connected, live, stale, retrying), summary (what happened before), run (its status), node (started, \
succeeded, failed, waiting), wait (a tool call or a question waits), answer (a result was taken in), cost, tasks, \
memory, scheduler, problem (events are missing, unreadable or unknown), pending (--exit-on-wait: a waiting call and \
the command that answers it), heartbeat.

It never gives up on the network unless --timeout says so, or the server says that the run has ended and its last \
events cannot be read three times in a row.

Exit codes: 0 the run succeeded; 1 it failed; 3 it was canceled; 2 wrong usage; 4 not authorised; 5 no such run; \
8 no event stream; 9 --timeout reached; 10 --exit-on-wait, and the run waits for an answer.")]
pub struct WatchArguments {
    /// The run, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run_id: RunId,
    /// Print each change as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// Tell everything from the run's beginning, not only what happens from now on
    #[arg(long)]
    pub from_start: bool,
    /// Say so often that all is well [default: 30s with --json, else never]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub heartbeat: Option<Duration>,
    /// End with code 10 as soon as the run waits for an answer, and say how to give it
    #[arg(long)]
    pub exit_on_wait: bool,
    /// End with code 9 after this time, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Check the link after so much silence, such as 15s or 2m [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub idle_timeout: Option<Duration>,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

impl WatchArguments {
    fn heartbeat(&self) -> Option<Duration> {
        self.heartbeat.or(self.json.then_some(HEARTBEAT))
    }
}

/// Tells what changes until the run ends.
///
/// # Errors
/// When the settings are refused, the server refuses, or the lines cannot be written.
pub fn run(arguments: &WatchArguments, verbosity: u8) -> Result<Exit, Failure> {
    let remote = Remote::open(&arguments.server, verbosity)?;
    block_on(async {
        let resumed = Notify::new();
        let watching = Box::pin(Watcher::new(arguments, remote).run(&resumed));
        let bounded = async {
            let Some(limit) = arguments.timeout else { return watching.await };
            tokio::time::timeout(limit, watching).await.unwrap_or_else(|_| {
                report(&format!("the run has not ended within {} s", limit.as_secs()));
                Ok(Exit::LimitReached)
            })
        };
        stream::until_interrupted(bounded, &resumed).await
    })
}
