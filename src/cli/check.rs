//! `relay-console check`: a run's whole stream, read, folded, and held against the server's snapshot; or a file of it.
//!
//! Owns what is read in which order and what the outcome is worth. The events come from the feed, as everywhere. Rules:
//! nothing is taken from a journal of ours unless it is the file that is named; a snapshot is held only against a fold of
//! the same moment; the report stands on standard output whatever it finds. What was read of a run whose every event came
//! is kept as its journal; neither the report nor the exit code depends on the disk.

mod file;
mod reading;
mod report;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use tokio::sync::Notify;

use crate::api::client::Client;
use crate::api::error::Error;
use crate::api::ids::RunId;
use crate::api::run::RunSnapshot;
use crate::cli::arguments::ServerArguments;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::report;
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;
use crate::cli::spec::file::STANDARD_INPUT;
use crate::cli::stream;
use crate::feed::Recorder;
use crate::run::Agreement;
use crate::run::agreement::{agrees, compare};
use crate::settings::{self, Flags};
use crate::store::StateDir;
use crate::store::journal::Journal;
use file::File;
use reading::{Met, Reading};
use report::Report;

/// How often a run that moves meanwhile is read again.
const READ_AGAIN: u32 = 3;

/// How long a server may take until its snapshot has caught up with its own events.
const REST: Duration = Duration::from_millis(500);

/// `check`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = "\
It reads from the first event on, also where a journal of the run is on this disk. Gaps are read again, duplicates \
dropped. Where every event of a run came, what was read is kept as the run's journal on this disk, in the place of an \
older one, so that the console starts from it; an interrupted check changes nothing there, nor does one while a console \
writes. What the disk does never changes the verdict. --no-journal leaves the disk out.

Then it compares the status, the nodes that the server's snapshot lists, and the token totals; a run that moves \
meanwhile is read again, three times at most. What is both the id of a run and the name of a file is taken for a run: \
write ./NAME for the file. With a file there is no server, so no credentials and no snapshot, and nothing is kept.

--json prints events (those applied), last_seq, gaps, duplicates, unknown, rejected, reconnects, status, input_tokens, \
output_tokens, snapshot (agrees, differs or absent), bytes (of the lines that were read), seconds, events_per_second.

Exit codes: 0 every event was read and nothing differs; 8 an event is missing or cannot be read, the snapshot differs, \
or there is no event stream; 2 wrong usage or no such file; 4 not authorised; 5 no such run; 7 not reachable (tried 3 \
times).")]
pub struct CheckArguments {
    /// What is checked.
    #[arg(
        value_name = "RUN_ID|FILE",
        value_parser = OsStringValueParser::new().try_map(Target::parse),
        help = "The run, or a file: a journal (events.ndjson), or what `events` printed; - is standard input"
    )]
    pub target: Target,
    /// Print the figures as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Keep nothing of what is read on this disk
    #[arg(long)]
    pub no_journal: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// What is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A run on the server.
    Run(RunId),
    /// A file.
    File(PathBuf),
}

impl Target {
    /// A run's id wins over a file of the same name.
    fn parse(word: OsString) -> Result<Self, String> {
        let path = PathBuf::from(word);
        let run_id = path.to_str().map(RunId::parse);
        let named = path.as_os_str() == STANDARD_INPUT || path.components().count() > 1 || path.is_absolute();
        match run_id {
            Some(Ok(run_id)) if !named => Ok(Self::Run(run_id)),
            Some(Err(why)) if !named && !path.exists() => {
                Err(format!("there is no file of this name, and no run either: {why}"))
            }
            _ => Ok(Self::File(path)),
        }
    }
}

/// Reads, compares, and prints what was found.
///
/// # Errors
/// When the settings are refused, the file or the stream cannot be read, or the report cannot be written.
pub fn run(arguments: &CheckArguments, verbosity: u8) -> Result<Exit, Failure> {
    let resumed = Notify::new();
    match &arguments.target {
        Target::Run(run_id) => {
            let flags = Flags { no_journal: arguments.no_journal, ..arguments.server.flags() };
            let context = Context::new(flags, verbosity)?;
            let remote = Remote::of(&context)?;
            let work = async {
                let recorder = recorder(&context, &remote.client, *run_id).await;
                told(check_run(&remote, *run_id, recorder).await?, arguments.json)
            };
            block_on(stream::until_interrupted(work, &resumed))
        }
        Target::File(path) => {
            // Nothing of the settings is needed; the log is started.
            let _context = Context::new(arguments.server.flags(), verbosity)?;
            let work = async { told(check_file(path).await?, arguments.json) };
            block_on(stream::until_interrupted(work, &resumed))
        }
    }
}

/// The report, and why there is no snapshot in it where there should be one.
struct Found {
    report: Report,
    failure: Option<Failure>,
}

fn told(found: Found, json: bool) -> Result<Exit, Failure> {
    found.report.print(json)?;
    match found.failure {
        Some(failure) => Err(failure),
        None if found.report.is_sound() => Ok(Exit::Done),
        None => Ok(Exit::Protocol),
    }
}

async fn check_file(path: &Path) -> Result<Found, Failure> {
    let named = File::open(path).await?;
    let mut reading = Reading::new(named.source.run_id());
    reading.file(named.source).await?;
    Ok(Found { report: Report::new(named.name, reading, Agreement::Absent), failure: None })
}

/// Who keeps what is read, unless the settings, a console that writes, or the disk forbid it.
async fn recorder(context: &Context, client: &Client, run_id: RunId) -> Option<Recorder> {
    let Context { directories, environment, files, flags, .. } = context;
    if !settings::preferences(flags, environment, files).is_ok_and(|preferences| preferences.journal) {
        return None;
    }
    let (state_home, base_url) = (directories.state_home.clone(), client.base_url().as_str().to_owned());
    let place = move || StateDir::open(&state_home, &base_url, run_id).map(|state| Journal::of(&state));
    match Recorder::open(place).await {
        Ok(Some(recorder)) => Some(recorder),
        Ok(None) => {
            tracing::info!("another console writes the journal of this run: nothing of this check is kept");
            None
        }
        Err(why) => {
            not_kept(&why);
            None
        }
    }
}

fn not_kept(why: &str) {
    report(&format!("what is read is not kept as the run's journal: {}", stream::gist(why)));
}

async fn check_run(remote: &Remote, run_id: RunId, recorder: Option<Recorder>) -> Result<Found, Failure> {
    let mut reading = Reading::new(run_id);
    reading.recorder = recorder;
    reading.server(&remote.client, None).await?;
    let compared = compare_with_server(&remote.client, run_id, &mut reading).await;
    let (agreement, failure) = match compared {
        Ok(agreement) => (agreement, None),
        Err(Trouble::Events(failure)) => return Err(failure),
        Err(Trouble::Snapshot(error)) => {
            let failure = remote.read_failure("the snapshot of the run", &run_id, &error);
            (Agreement::Absent, Some(failure))
        }
    };
    let recorder = reading.recorder.take();
    let report = Report::new(remote.label.clone(), reading, agreement);
    if let Some(recorder) = recorder.filter(|_| report.is_whole())
        && let Err(why) = recorder.keep().await
    {
        not_kept(&why);
    }
    Ok(Found { report, failure })
}

/// What may keep a comparison from an end.
enum Trouble {
    Events(Failure),
    Snapshot(Error),
}

/// Reads the snapshot and holds it against the fold. Where they differ, one of them may be behind the other: the events
/// that have come since are read, and the snapshot must fit one of the moments in between, or else it is read again.
async fn compare_with_server(client: &Client, run_id: RunId, reading: &mut Reading) -> Result<Agreement, Trouble> {
    let mut snapshot = read_snapshot(client, run_id).await?;
    let mut rested = false;
    for _ in 0..READ_AGAIN {
        if agrees(&reading.run, &snapshot) {
            return Ok(Agreement::Agrees);
        }
        let before = reading.run.last_seq;
        if reading.server(client, Some(&snapshot)).await.map_err(Trouble::Events)? == Met::Agreed {
            return Ok(Agreement::Agrees);
        }
        if reading.run.last_seq == before {
            if rested {
                break;
            }
            // Nothing moves: a snapshot that is still being written has the time for it, once.
            rested = true;
            tokio::time::sleep(REST).await;
        }
        snapshot = read_snapshot(client, run_id).await?;
    }
    Ok(compare(&reading.run, Some(&snapshot)))
}

async fn read_snapshot(client: &Client, run_id: RunId) -> Result<RunSnapshot, Trouble> {
    client.run(&run_id).await.map(|reply| reply.value).map_err(Trouble::Snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_wins_over_a_file_unless_a_directory_is_named_with_it() {
        let id = "550e8400-e29b-41d4-a716-446655440000";
        let parse = |word: &str| Target::parse(word.into());
        assert_eq!(parse(id), Ok(Target::Run(RunId::parse(id).unwrap())));
        assert_eq!(parse(&format!("./{id}")), Ok(Target::File(format!("./{id}").into())));
        assert_eq!(parse("-"), Ok(Target::File("-".into())));
        assert_eq!(parse("Cargo.toml"), Ok(Target::File("Cargo.toml".into())));
        let why = parse("events.jsonl").unwrap_err();
        assert!(why.contains("no file of this name") && why.contains("not a UUID"), "{why}");
    }
}
