//! `relay-console drafts`: the answers that are kept on this machine, over all servers and runs.
//!
//! Needs no server and no credentials. Rules: what a living console has open is never removed; an unsent answer is
//! removed only where `--all` says so, and so is a submission of unknown outcome; removing asks on a terminal and needs
//! `--yes` elsewhere.

use std::io::{self, IsTerminal, Write};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use jiff::{Span, SpanRelativeTo, Timestamp, Unit};
use serde::Serialize;

use crate::api::ids::RunId;
use crate::api::tool::{CallKey, ToolResult};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::table::{Align, Table};
use crate::cli::output::{self, report};
use crate::settings::Directories;
use crate::store::intents::StoredIntent;
use crate::store::survey::{self, KeptRun};
use crate::store::{Draft, DraftStore, Ending, IntentStore, StoreError};
use crate::view::format;

/// `drafts`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "They are in $XDG_STATE_HOME/relay-console, or else ~/.local/state/relay-console.\n\
                  Unsent answers come back when their run is opened: relay-console RUN_ID."
)]
pub struct DraftsArguments {
    /// What to do; without it they are listed.
    #[command(subcommand)]
    pub what: Option<What>,
    /// How to list.
    #[command(flatten)]
    pub list: ListArguments,
}

/// What to do with the drafts.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum What {
    /// List them all: server, run, call, age, size, state
    List(ListArguments),
    /// Print one answer as it is
    Show(ShowArguments),
    /// Remove answers for good: of calls that are over, or with --all unsent ones too
    Purge(PurgeArguments),
}

/// `drafts list`
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ListArguments {
    /// Print a JSON list
    #[arg(long)]
    pub json: bool,
}

/// `drafts show`
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ShowArguments {
    /// The run, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run_id: RunId,
    /// The call, where the run has several answers
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub call: Option<String>,
}

/// `drafts purge`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(
    group = clap::ArgGroup::new("which").required(true).multiple(true).args(["ended", "all", "older_than", "run"])
)]
pub struct PurgeArguments {
    /// Only what is over: accepted, answered elsewhere, put away, and submissions that are settled
    #[arg(long, conflicts_with = "all")]
    pub ended: bool,
    /// Unsent answers too, and submissions whose outcome is unknown
    #[arg(long)]
    pub all: bool,
    /// Only what was saved, or is over, for longer than this, such as 30d or 12h
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub older_than: Option<i64>,
    /// Only of this run
    #[arg(long, value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run: Option<RunId>,
    /// Remove without asking
    #[arg(long, short)]
    pub yes: bool,
}

/// A time in seconds.
fn span(text: &str) -> Result<i64, String> {
    let span: Span = text.parse().map_err(|_| "not a time: write 30d, 12h or 90m".to_owned())?;
    let seconds = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours()));
    let seconds = seconds.map_err(|_| "write it in weeks, days, hours or minutes, such as 30d".to_owned())?;
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second is none here")]
    if seconds >= 0.0 { Ok(seconds as i64) } else { Err("a time that lies ahead is none".to_owned()) }
}

/// One kept answer, as it is listed.
#[derive(Debug, Serialize)]
struct Entry<'k> {
    server: &'k str,
    run_id: &'k str,
    #[serde(flatten)]
    key: CallKey,
    tool: &'k str,
    saved_at: Timestamp,
    bytes: usize,
    is_error: bool,
    state: &'static str,
    /// Whether a living console has the run's drafts open.
    open: bool,
    #[serde(skip)]
    text: &'k str,
}

/// Does what is asked.
///
/// # Errors
/// When there is no home directory, no such answer, nobody to ask, or the disk refuses.
pub fn run(arguments: &DraftsArguments) -> Result<Exit, Failure> {
    let directories = Directories::of_this_user()?;
    let kept = survey::runs(&directories.state_home);
    for problem in kept.iter().flat_map(|run| &run.problems) {
        report(&problem.to_string());
    }
    match &arguments.what {
        None => list(&kept, &arguments.list),
        Some(What::List(arguments)) => list(&kept, arguments),
        Some(What::Show(arguments)) => show(&kept, arguments),
        Some(What::Purge(arguments)) => purge(kept, arguments),
    }
}

fn entries(run: &KeptRun) -> Vec<Entry<'_>> {
    let unsettled = |key: &CallKey| {
        run.intents.iter().find(|(stored, _)| stored.settled.is_none() && stored.keys().any(|sent| sent == *key))
    };
    let entry = |draft, state| entry(run, draft, state);
    let unsent = run.drafts.iter().map(|draft| match unsettled(&draft.key) {
        Some((_, true)) => entry(draft, "being sent"),
        Some((_, false)) => entry(draft, "outcome unknown"),
        None => entry(draft, "unsent"),
    });
    let sent = run.intents.iter().filter(|(stored, _)| stored.settled.is_none()).flat_map(|(stored, driven)| {
        let state = if *driven { "being sent" } else { "outcome unknown" };
        let has_draft = |key: &CallKey| run.drafts.iter().any(|draft| draft.key == *key);
        let results = stored.keys().zip(&stored.record.request.results);
        results.filter(move |(key, _)| !has_draft(key)).map(move |(key, result)| sent(run, stored, key, result, state))
    });
    let ended = run.ended.iter().map(|ended| {
        let state = match ended.ending {
            Ending::Accepted => "accepted",
            Ending::Superseded => "answered elsewhere",
            Ending::Withdrawn => "call is over",
            Ending::Replaced => "replaced",
        };
        entry(&ended.draft, state)
    });
    let set_aside = run.set_aside.iter().map(|(_, draft)| entry(draft, "unsent, of a second console"));
    unsent.chain(set_aside).chain(sent).chain(ended).collect()
}

fn entry<'k>(run: &'k KeptRun, draft: &'k Draft, state: &'static str) -> Entry<'k> {
    Entry {
        server: &run.server,
        run_id: &run.run_id,
        key: draft.key.clone(),
        tool: &draft.tool,
        saved_at: draft.saved_at,
        bytes: draft.text.len(),
        is_error: draft.is_error,
        state,
        open: run.is_open,
        text: &draft.text,
    }
}

/// A call of a submission that has no draft any more: what was sent stands in the submission only.
fn sent<'k>(
    run: &'k KeptRun,
    stored: &StoredIntent,
    key: CallKey,
    result: &'k ToolResult,
    state: &'static str,
) -> Entry<'k> {
    let text = result.error.as_deref().unwrap_or(&result.output);
    Entry {
        server: &run.server,
        run_id: &run.run_id,
        key,
        tool: result.tool_call.name.as_str(),
        saved_at: stored.record.decided_at,
        bytes: text.len(),
        is_error: result.error.is_some(),
        state,
        open: run.is_open,
        text,
    }
}

fn list(kept: &[KeptRun], arguments: &ListArguments) -> Result<Exit, Failure> {
    let entries: Vec<Entry<'_>> = kept.iter().flat_map(entries).collect();
    if arguments.json {
        output::json(&serde_json::to_vec(&entries).map_err(Failure::internal)?)?;
        return Ok(Exit::Done);
    }
    if entries.is_empty() {
        report("no answers are kept on this machine");
        return Ok(Exit::Done);
    }
    let now = Timestamp::now();
    let mut table = Table::new(&[
        ("state", Align::Left),
        ("age", Align::Right),
        ("size", Align::Right),
        ("run", Align::Left),
        ("call", Align::Left),
        ("server", Align::Left),
    ]);
    for entry in &entries {
        let age = format::age(now.duration_since(entry.saved_at).try_into().unwrap_or_default());
        let size = format::bytes(entry.bytes as u64);
        let step = &entry.key.step;
        let call = format!("{} {} {} {}", step.node_id, step.step, entry.tool, entry.key.call_id);
        let state = format!("{}{}", entry.state, if entry.open { ", open" } else { "" });
        table.row([&state, &age, &size, entry.run_id, &call, entry.server]);
    }
    table.print()?;
    Ok(Exit::Done)
}

fn show(kept: &[KeptRun], arguments: &ShowArguments) -> Result<Exit, Failure> {
    let run_id = arguments.run_id.to_string();
    let of_run: Vec<Entry<'_>> = kept.iter().filter(|run| run.run_id == run_id).flat_map(entries).collect();
    let wanted = |entry: &&Entry<'_>| arguments.call.as_ref().is_none_or(|call| entry.key.call_id.as_str() == call);
    let mut matching: Vec<&Entry<'_>> = of_run.iter().filter(wanted).collect();
    // An unsent answer is what is looked for; the history of the same call comes after it.
    if arguments.call.is_some() {
        matching.truncate(1);
    }
    match matching.as_slice() {
        [] => Err(Failure::new(Exit::NotFound, anyhow!("no such answer is kept; relay-console drafts lists them all"))),
        [one] if output::is_terminal() => {
            output::text(&format!("{}\n", output::inert_lines(one.text))).map(|()| Exit::Done)
        }
        [one] => output::text(one.text).map(|()| Exit::Done),
        several => {
            let mut calls: Vec<&str> = several.iter().map(|entry| entry.key.call_id.as_str()).collect();
            calls.dedup();
            let calls = calls.join(", ");
            Err(Failure::new(Exit::Refused, anyhow!("the run has several answers: say which with --call, of {calls}")))
        }
    }
}

fn purge(kept: Vec<KeptRun>, arguments: &PurgeArguments) -> Result<Exit, Failure> {
    let limit = arguments.older_than.map(|seconds| Timestamp::now().as_second().saturating_sub(seconds));
    let wanted_run = |run: &KeptRun| arguments.run.is_none_or(|wanted| wanted.to_string() == run.run_id);
    let (open, free): (Vec<KeptRun>, Vec<KeptRun>) = kept.into_iter().filter(wanted_run).partition(|run| run.is_open);
    for run in &open {
        report(&format!("the run {} is open in a console: nothing of it is removed", run.run_id));
    }
    let unwanted = Unwanted { all: arguments.all, limit };
    let drafts: usize = free.iter().map(|run| unwanted.unsent(run).count() + unwanted.set_aside(run).count()).sum();
    let ended: usize =
        free.iter().map(|run| run.ended.iter().filter(|ended| unwanted.is_old(ended.ended_at)).count()).sum();
    let intents = free.iter().flat_map(|run| unwanted.intents(run));
    let (settled, unknown): (Vec<_>, Vec<_>) = intents.partition(|stored| stored.settled.is_some());
    let what: Vec<String> = [
        (drafts, "unsent answer", ""),
        (ended, "answer", " whose call is over"),
        (settled.len(), "settled submission", ""),
        (unknown.len(), "submission", " whose outcome is unknown"),
    ]
    .iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, noun, rest)| format!("{}{rest}", format::plural(*count as u64, noun)))
    .collect();
    if what.is_empty() {
        report("nothing is to be removed");
        return Ok(Exit::Done);
    }
    let what = what.join(", ");
    if !arguments.yes && !confirmed(&what)? {
        return Err(Failure::new(Exit::Refused, anyhow!("nothing was removed: you did not say yes")));
    }
    for run in &free {
        unwanted.remove(run).map_err(|error| Failure::new(Exit::Refused, anyhow::Error::new(error)))?;
    }
    output::text(&format!("removed {what}\n"))?;
    Ok(Exit::Done)
}

/// What is to be removed.
struct Unwanted {
    /// Unsent answers too, and submissions whose outcome is unknown.
    all: bool,
    /// Only what is not younger than this second.
    limit: Option<i64>,
}

impl Unwanted {
    fn is_old(&self, at: Timestamp) -> bool {
        self.limit.is_none_or(|limit| at.as_second() <= limit)
    }

    fn is_unsent(&self, draft: &Draft) -> bool {
        self.all && self.is_old(draft.saved_at)
    }

    fn unsent<'r>(&self, run: &'r KeptRun) -> impl Iterator<Item = &'r Draft> {
        run.drafts.iter().filter(|draft| self.is_unsent(draft))
    }

    fn set_aside<'r>(&self, run: &'r KeptRun) -> impl Iterator<Item = &'r Draft> {
        run.set_aside.iter().map(|(_, draft)| draft).filter(|draft| self.is_unsent(draft))
    }

    fn is_intent(&self, stored: &StoredIntent) -> bool {
        match &stored.settled {
            Some((at, _)) => self.is_old(*at),
            None => self.all && self.is_old(stored.record.decided_at),
        }
    }

    fn intents<'r>(&self, run: &'r KeptRun) -> impl Iterator<Item = &'r StoredIntent> {
        let free = run.intents.iter().filter(|(_, is_driven)| !is_driven).map(|(stored, _)| stored);
        free.filter(|stored| self.is_intent(stored))
    }

    fn remove(&self, run: &KeptRun) -> Result<(), StoreError> {
        if !run.drafts.is_empty() || !run.set_aside.is_empty() || !run.ended.is_empty() {
            // From here on no console can open them as their writer.
            let store = DraftStore::open(&run.state)?;
            for draft in self.unsent(run) {
                store.remove(&draft.key)?;
            }
            store.remove_set_aside(|draft| self.is_unsent(draft))?;
            store.remove_ended(|ended| self.is_old(ended.ended_at))?;
        }
        if !run.intents.is_empty() {
            IntentStore::open(&run.state)?.purge(|stored| self.is_intent(stored))?;
        }
        Ok(())
    }
}

/// Asks on the terminal; elsewhere nobody can say yes.
fn confirmed(what: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Refused, anyhow!("nothing was removed ({what}): --yes removes without asking")));
    }
    let mut line = String::new();
    let mut shown = io::stderr().lock();
    let asked = write!(shown, "Remove {what}, for good? [y/N] ").and_then(|()| shown.flush());
    drop(shown);
    asked.and_then(|()| io::stdin().read_line(&mut line)).map_err(Failure::internal)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
