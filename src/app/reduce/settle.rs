//! What follows from the state after every action: drafts to disk, reads that are due, the bell, a valid selection.

use std::time::Duration;

use super::super::{App, Effect, Pane};
use super::{AUTOSAVE, READ_AT_MOST, READ_TASKS, intents, orphans, sending};
use crate::feed::LinkState;

/// The snapshot is read at most this often while calls come in.
const READ_WHILE_CALLS: Duration = Duration::from_secs(5);

pub(super) fn settle(app: &mut App, out: &mut Vec<Effect>) {
    sending::recheck(app);
    orphans::settle(app, out);
    autosave(app, out);
    read(app, out);
    out.extend(app.text_to_load().map(Effect::LoadText));
    intents::settle(app, out);
    announce(app, out);
    keep_selection(app);
}

/// Sends to disk every draft that has rested, or was typed at, for long enough.
fn autosave(app: &mut App, out: &mut Vec<Effect>) {
    let due = app.now.uptime.saturating_sub(AUTOSAVE);
    save(app, out, |since| since <= due);
}

/// Sends to disk every draft that has changed.
pub(super) fn save_all(app: &mut App, out: &mut Vec<Effect>) {
    save(app, out, |_| true);
}

fn save(app: &mut App, out: &mut Vec<Effect>, due: impl Fn(Duration) -> bool) {
    let now = app.now.wall;
    for answer in app.answers.values_mut() {
        if answer.unsaved_since.is_some_and(&due) {
            answer.unsaved_since = None;
            out.push(Effect::SaveDraft(answer.to_draft(now)));
        }
    }
}

fn read(app: &mut App, out: &mut Vec<Effect>) {
    if !app.may_read() {
        return;
    }
    let now = app.now.uptime;
    let (generation, last_seq) = (app.run.pending.generation(), app.run.last_seq);
    let reads = &mut app.reads;
    let rested = |rest: Duration| now >= reads.run.due_at(rest);
    let due = (reads.run.wanted && rested(READ_AT_MOST)) || (reads.calls_since && rested(READ_WHILE_CALLS));
    if due && !reads.run.in_flight {
        (reads.run.wanted, reads.calls_since, reads.run.in_flight) = (false, false, true);
        (reads.run.asked_at, reads.run.asked_seq) = (Some(now), last_seq);
        out.push(Effect::ReadRun);
    }
    if reads.tasks.wanted && !reads.tasks.in_flight && now >= reads.tasks.due_at(READ_TASKS) {
        (reads.tasks.wanted, reads.tasks.in_flight, reads.tasks.asked_at) = (false, true, Some(now));
        out.push(Effect::ReadTasks);
    }
    if reads.pending.wanted && !reads.pending.in_flight && now >= reads.pending.due_at(Duration::ZERO) {
        (reads.pending.wanted, reads.pending.in_flight) = (false, true);
        out.push(Effect::ReadPending { generation });
    }
}

/// One bell for new waits, when the window is not looked at or it is unknown; never for history.
fn announce(app: &mut App, out: &mut Vec<Effect>) {
    if !matches!(app.link, LinkState::Live) {
        return;
    }
    let new: Vec<_> =
        app.run.pending.iter().map(|call| &call.key).filter(|key| !app.announced.contains(*key)).cloned().collect();
    if new.is_empty() {
        return;
    }
    app.announced.extend(new);
    if app.window_focus != Some(true) {
        out.push(Effect::Bell);
    }
}

/// A selected call that is gone leaves the selection to the first row, which has waited longest; one that is there keeps
/// it, wherever its row stands now.
fn keep_selection(app: &mut App) {
    let rows = app.waiting_rows();
    let selected = app.waiting.as_ref().is_some_and(|key| rows.iter().any(|row| row.key() == key));
    if selected {
        return;
    }
    let first = rows.first().map(|row| row.key().clone());
    let (none, had) = (rows.is_empty(), app.waiting.is_some());
    // Nothing is selected by itself before the operator has gone to the list.
    app.waiting = if had || app.focus == Pane::Waiting { first } else { None };
    if none && app.focus == Pane::Waiting {
        app.focus = Pane::Nodes;
    }
}
