//! What arrives from outside: the stream, what was read, the drafts on disk.

use jiff::{SignedDuration, Timestamp};

use super::super::{Answer, App, Editor, Effect, Level, Mode, Reads, StreamCheck, TaskList};
use super::{AUTOSAVE, SAVE_AGAIN};
use crate::api::event::{Event, EventBody, Problem, ProtocolError};
use crate::api::run::{RunSnapshot, RunStatus};
use crate::api::task::RunTasks;
use crate::api::tool::{CallKey, PendingTools};
use crate::feed::{FeedItem, FeedUpdate, LinkState, events_named};
use crate::store::Draft;

pub(super) fn feed(app: &mut App, update: FeedUpdate) {
    match update {
        FeedUpdate::Link(link) => link_changed(app, link),
        FeedUpdate::Snapshot { snapshot, server_date } => observe(app, &snapshot, server_date, app.run.last_seq),
        FeedUpdate::Items(items) => {
            for item in items {
                app.note_item(&item);
                match item {
                    // The console does not ask for them.
                    FeedItem::Line(_) => {}
                    FeedItem::Event(event) => apply(app, event),
                    FeedItem::Rejected(error) => rejected(app, error),
                    FeedItem::Gap { first, last } => {
                        app.notify(
                            Level::Error,
                            format!("{} has no {}; going on", app.source_word(), events_named(first, last)),
                        );
                        app.run.skip(first, last);
                        // What the gap swallowed, only the server can say.
                        app.reads.run.wanted = true;
                        app.reads.pending.wanted = true;
                        app.reads.tasks.wanted = true;
                    }
                    FeedItem::Duplicates(count) => app.run.counts.duplicates += count,
                }
                app.checkpoints.offer(&app.run);
            }
        }
        FeedUpdate::Restarted { why } => begin_anew(app, &why),
        FeedUpdate::Journal(text) => app.notify(Level::Error, text),
    }
}

/// What was shown is of another history than the server's. What the operator has typed, where they stand and what they
/// were told stays; everything about the run is read again.
fn begin_anew(app: &mut App, why: &str) {
    app.run.begin_anew();
    // A checkpoint, and a model that was made from one, is of the history that was wrong.
    app.checkpoints.clear();
    app.past = None;
    app.active_node = None;
    app.tasks = TaskList::default();
    (app.search, app.loaded) = (None, None);
    // What stands on disk has nothing to do with the history that was wrong: it was read, or is still to be looked up.
    let Reads { drafts_known, intents, .. } = std::mem::take(&mut app.reads);
    app.reads = Reads { drafts_known, intents, ..Reads::default() };
    app.stream_check = StreamCheck::default();
    app.notify(Level::Error, format!("{why}. The run is read from its beginning"));
}

/// A line that breaks the protocol is counted; what was skipped of the run is told.
fn rejected(app: &mut App, error: ProtocolError) {
    if matches!(error.problem, Problem::TooLong { .. } | Problem::FarAhead(_)) {
        app.notify(Level::Error, format!("{}; it is skipped and counted", error.problem));
    }
    app.run.reject(error);
}

fn link_changed(app: &mut App, link: LinkState) {
    let settled = |link: &LinkState| matches!(link, LinkState::Live | LinkState::Ended);
    if settled(&link) && !settled(&app.link) {
        // A run that has ended without its last event still seems to wait: only the server can say that nothing does.
        app.reads.pending.wanted |= link == LinkState::Live || !app.run.pending.is_empty();
        app.reads.run.wanted = true;
        (app.reads.run.failed_at, app.reads.pending.failed_at) = (None, None);
    }
    if let LinkState::Refused { cause, .. } = &link {
        let what_to_do = if app.replay { "" } else { ". r reads the credentials again and reconnects" };
        app.notify(Level::Error, format!("{cause}{what_to_do}"));
    }
    app.note_link(&link);
    app.link = link;
}

fn apply(app: &mut App, event: Event) {
    match &event.body {
        EventBody::NodeSucceeded(_) | EventBody::NodeFailed(_) => app.reads.run.wanted = true,
        EventBody::NodeLlmCall(_) => app.reads.calls_since = true,
        EventBody::TaskListUpdated(_) => app.reads.tasks.wanted = true,
        body if body.ends_run() => {
            app.reads.run.wanted = true;
            app.reads.run.asked_at = None;
        }
        _ => {}
    }
    if let Some(node) = event.body.node_id() {
        app.active_node = Some(node.clone());
    }
    let in_the_past = app.past_run().is_some();
    if let Some(loaded) = app.loaded.as_mut().filter(|_| !in_the_past) {
        loaded.take(&event);
    }
    app.run.apply(event);
}

fn observe(app: &mut App, snapshot: &RunSnapshot, server_date: Option<Timestamp>, asked_seq: u64) {
    if let Some(date) = server_date {
        let ahead = date.duration_since(app.now.wall);
        // The header has whole seconds: a smaller difference is none.
        app.clock_ahead = if ahead.unsigned_abs().as_secs() < 2 { SignedDuration::ZERO } else { ahead };
    }
    app.reads.run.wanted |= app.hold_against(snapshot, asked_seq);
    app.run.observe_as_of(snapshot, asked_seq);
}

pub(super) fn run_read(app: &mut App, result: Result<(Box<RunSnapshot>, Option<Timestamp>), String>) {
    app.reads.run.in_flight = false;
    match result {
        Ok((snapshot, date)) => {
            app.reads.run.failed_at = None;
            observe(app, &snapshot, date, app.reads.run.asked_seq);
        }
        // The feed shows trouble with the link; this one only says, once, what stays old.
        Err(why) => {
            if app.reads.run.fail(app.now.uptime) {
                app.notify(Level::Info, format!("the run's cost was not read: {why}"));
            }
        }
    }
}

pub(super) fn pending_read(app: &mut App, generation: u64, answer: Result<PendingTools, String>) {
    app.reads.pending.in_flight = false;
    match answer {
        Ok(answer) => {
            let at = app.server_now();
            app.reads.pending.failed_at = None;
            if !app.run.observe_pending(&answer, generation, at) {
                app.reads.pending.wanted = true;
                return;
            }
            app.reads.pending_known = true;
            // A run that waits waits for something: a list without it comes from a server that lags behind itself.
            // And one that leaves out what no event has ended may be of a time before the call.
            let waits_for_nothing = app.run.pending.is_empty() && app.run.status() == Some(RunStatus::Waiting);
            if waits_for_nothing || app.run.pending.is_in_doubt() {
                app.reads.pending.fail(app.now.uptime);
            }
        }
        Err(why) => {
            if app.reads.pending.fail(app.now.uptime) {
                app.notify(Level::Info, format!("the waiting calls were not read: {why}"));
            }
        }
    }
}

pub(super) fn tasks_read(app: &mut App, result: Result<RunTasks, String>) {
    app.reads.tasks.in_flight = false;
    match result {
        Ok(answer) => {
            app.reads.tasks.failed_at = None;
            app.tasks = TaskList { tasks: Some(answer.tasks), failure: None, answers: app.tasks.answers + 1 };
        }
        // A server that has no list of a run that never wrote one has nothing to answer for.
        Err(why) if app.has_tasks() => {
            if app.reads.tasks.fail(app.now.uptime) {
                app.notify(Level::Info, format!("the task list was not read: {why}"));
            }
            app.tasks.failure = Some(why);
        }
        Err(_) => {}
    }
}

/// The drafts on disk fill what is untouched here. What was typed before they were read stays, and is newer: of such a
/// call the text on disk goes to the history, since the next save takes its place.
pub(super) fn drafts_loaded(app: &mut App, drafts: Vec<Draft>, problems: Vec<String>, out: &mut Vec<Effect>) {
    app.reads.drafts_known = true;
    let mut restored = 0;
    for draft in drafts {
        let Some(answer) = Answer::restored(draft.clone()).filter(Answer::is_unsent) else { continue };
        match app.answers.get(&answer.key) {
            Some(mine) if mine.text == answer.text => {}
            Some(mine) if mine.is_unsent() || mine.sending.is_some() => out.push(Effect::ArchiveDraft(draft)),
            _ => {
                restored += 1;
                if let Mode::Answering(answering) = &mut app.mode
                    && answering.key == answer.key
                {
                    answering.editor = Editor::new(&answer.text);
                }
                app.answers.insert(answer.key.clone(), answer);
            }
        }
    }
    if restored > 0 {
        let drafts = if restored == 1 { "1 draft" } else { &format!("{restored} drafts") };
        app.notify(Level::Info, format!("{drafts} restored from disk"));
    }
    for problem in problems {
        app.notify(Level::Error, problem);
    }
}

/// The other console's drafts: they fill what is untouched here; what was typed here stays and goes to disk now.
pub(super) fn drafts_taken_over(app: &mut App, drafts: Vec<Draft>, problems: Vec<String>) {
    let mut replaced = 0;
    for theirs in drafts.into_iter().filter_map(Answer::restored).filter(Answer::is_unsent) {
        let is_open = app.answering().is_some_and(|answering| answering.key == theirs.key);
        match app.answers.get(&theirs.key) {
            Some(mine) if mine.text == theirs.text => {}
            // What is open or on its way is not changed under the operator's eyes.
            Some(mine) if is_open || mine.sending.is_some() || !(mine.restored || mine.text.is_empty()) => {
                replaced += 1;
            }
            _ => drop(app.answers.insert(theirs.key.clone(), theirs)),
        }
    }
    let now = app.now.uptime;
    for mine in app.answers.values_mut().filter(|answer| answer.save_failure.is_some()) {
        mine.unsaved_since = Some(now.saturating_sub(AUTOSAVE));
    }
    app.notify(Level::Good, "the other console is gone: what you type is kept on disk now");
    if replaced > 0 {
        let drafts = if replaced == 1 { "1 draft" } else { &format!("{replaced} drafts") };
        app.notify(Level::Error, format!("{drafts} of the other console differ from yours: see drafts/ended on disk"));
    }
    for problem in problems {
        app.notify(Level::Error, problem);
    }
}

pub(super) fn draft_saved(app: &mut App, key: &CallKey, result: Result<Timestamp, String>) {
    let failed_before = app.answers.get(key).is_some_and(|answer| answer.save_failure.is_some());
    let Some(answer) = app.answers.get_mut(key) else { return };
    match result {
        Ok(at) => {
            answer.saved_at = Some(at);
            answer.save_failure = None;
        }
        Err(why) => {
            answer.save_failure = Some(why.clone());
            answer.unsaved_since = Some(app.now.uptime + SAVE_AGAIN.saturating_sub(AUTOSAVE));
            if !failed_before {
                app.notify(Level::Error, format!("the draft is not on disk: {why}. It is tried again"));
            }
        }
    }
}
