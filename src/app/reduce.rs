//! The transitions: (state, time, action) → effects.
//!
//! Rules that everything here keeps: what arrives from the server never changes focus, selection, mode or a typed
//! text; only [`Command::Send`] in a review that has stood for a while makes a submission; a
//! text leaves `answers` only when the server has taken it.

mod answering;
pub(crate) mod browse;
mod incoming;
mod intents;
mod orphans;
mod page;
mod past;
mod searching;
mod sending;
mod settle;

use std::time::Duration;

use crossterm::event::KeyEvent;

use super::{Action, App, Command, Effect, Level, Mode, Moment, Scroll, Side, keys};

/// How long typing rests, or goes on, before the draft goes to disk.
pub const AUTOSAVE: Duration = Duration::from_millis(400);

/// How long after a disk refused a draft it is asked again.
pub const SAVE_AGAIN: Duration = Duration::from_secs(2);

/// The snapshot is read at most this often, unless the operator asks.
pub const READ_AT_MOST: Duration = Duration::from_secs(1);

/// The task list is read at most this often, unless the operator asks.
pub const READ_TASKS: Duration = Duration::from_secs(5);

/// What could not be read is read again after this.
pub const READ_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Changes the state by one action; returns what is to be done outside, in order.
#[must_use]
pub fn reduce(app: &mut App, now: Moment, action: Action) -> Vec<Effect> {
    app.now = now;
    let mut effects = Vec::new();
    let out = &mut effects;
    match action {
        Action::Key(key) => on_key(app, key, out),
        Action::Paste(text) => on_paste(app, &text),
        Action::Resize(columns, rows) => on_resize(app, (columns, rows)),
        Action::WindowFocus(focus) => app.window_focus = Some(focus),
        Action::Feed(update) => incoming::feed(app, update),
        Action::RunRead(result) => incoming::run_read(app, result),
        Action::PendingRead { generation, answer } => incoming::pending_read(app, generation, answer),
        Action::SubmissionProgress { request_id, progress } => sending::progress(app, request_id, &progress),
        Action::SubmissionEnded { request_id, verdict } => sending::ended(app, request_id, &verdict, out),
        Action::LeftFound(left) => intents::found(app, &left),
        Action::LookedUp(told) => intents::looked_up(app, told, out),
        Action::LookUpDone => app.reads.intents.in_flight = false,
        Action::RecordTried(result) => sending::record_tried(app, result.err()),
        Action::CallsFound { keys, result } => orphans::calls_found(app, keys, result),
        Action::DraftsLoaded { drafts, problems } => incoming::drafts_loaded(app, drafts, problems, out),
        Action::DraftsTakenOver { drafts, problems } => incoming::drafts_taken_over(app, drafts, problems),
        Action::DraftSaved { key, result } => incoming::draft_saved(app, &key, result),
        Action::EventRead { seq, result } => page::event_read(app, seq, result),
        Action::TextLoaded { number, result } => out.extend(app.text_read(number, result).map(Effect::LoadText)),
        Action::SearchProgress { number, percent } => searching::progress(app, number, percent),
        Action::SearchEnded { number, result } => searching::ended(app, number, result),
        Action::PastLoaded { number, result } => past::loaded(app, number, result, out),
        Action::TasksRead(result) => incoming::tasks_read(app, result),
        Action::StepRead { key, result } => page::step_read(app, &key, result),
        Action::FileRead { key, path, result } => answering::file_read(app, &key, &path, result),
        Action::ExternalEditorClosed { key, result } => answering::external_editor_closed(app, &key, result, out),
        Action::Copied(Ok(text)) => app.notify(Level::Info, text),
        Action::Copied(Err(text)) => app.notify(Level::Error, text),
        Action::Drawn(measured) => on_drawn(app, measured),
        Action::Tick => {}
        Action::Resumed => out.push(Effect::ProbeLink),
        Action::Quit => quit(app, out),
    }
    settle::settle(app, out);
    effects
}

fn on_key(app: &mut App, key: KeyEvent, out: &mut Vec<Effect>) {
    let context = app.context();
    if app.is_too_small() {
        // Nothing of what a key would do can be seen: neither a text that is typed nor a review that is sent.
        match keys::command(keys::Context::Browse, key) {
            Some(Command::Quit) => quit(app, out),
            Some(Command::Suspend) => suspend(app, out),
            Some(Command::Repaint) => out.push(Effect::Repaint),
            _ => {}
        }
        return;
    }
    if matches!(app.mode, Mode::Review(_)) {
        sending::review_key(app, key, out);
        return;
    }
    match keys::command(context, key) {
        Some(Command::Quit) => quit(app, out),
        Some(Command::Suspend) => suspend(app, out),
        Some(Command::Repaint) => out.push(Effect::Repaint),
        Some(command) => on_command(app, command, out),
        None => match keys::typed(key) {
            Some(c) => on_typed(app, c),
            None if context == keys::Context::EditorPrefix => answering::back_to_editor(app),
            None => {}
        },
    }
}

fn on_command(app: &mut App, command: Command, out: &mut Vec<Effect>) {
    match app.mode {
        Mode::Browse => browse::command(app, command, out),
        Mode::Filter { .. } | Mode::Search { .. } | Mode::Palette { .. } => browse::prompt_command(app, command, out),
        Mode::Page(_) => page::command(app, command, out),
        Mode::Answering(_) => answering::command(app, command, out),
        Mode::Review(_) => {}
    }
}

fn on_typed(app: &mut App, c: char) {
    match &mut app.mode {
        Mode::Filter { .. } => app.filter.push(c),
        Mode::Search { input } => input.push(c),
        Mode::Palette { input, selected } => {
            input.push(c);
            *selected = 0;
        }
        Mode::Answering(_) => answering::typed(app, c),
        Mode::Browse | Mode::Page(_) | Mode::Review(_) => {}
    }
}

fn on_paste(app: &mut App, text: &str) {
    if app.is_too_small() {
        app.notify(Level::Error, "nothing was pasted: the window was too small to show it");
        return;
    }
    match &mut app.mode {
        Mode::Answering(_) => answering::pasted(app, text),
        // A paste is no deliberate key: a review stays as it is and says so.
        Mode::Review(review) => review.swallowed = true,
        Mode::Filter { .. } => app.filter.extend(text.chars().filter(|c| !c.is_control())),
        Mode::Search { input } | Mode::Palette { input, .. } => input.extend(text.chars().filter(|c| !c.is_control())),
        Mode::Browse | Mode::Page(_) => {
            app.notify(Level::Info, "nothing was pasted: open a call with w and Enter to write its answer");
        }
    }
}

/// A review that is drawn anew, in another size, has to be read anew.
fn on_resize(app: &mut App, size: (u16, u16)) {
    if size == app.size {
        return;
    }
    app.size = size;
    if let Mode::Review(review) = &mut app.mode {
        (review.drawn_at, review.swallowed) = (None, false);
    }
}

fn on_drawn(app: &mut App, measured: super::Measured) {
    app.measured = measured;
    if let Scroll::FromEnd(rows) = app.detail.scroll {
        app.detail.scroll = Scroll::At(measured.detail.saturating_sub(rows));
    }
    let (now, seen) = (app.now.uptime, !app.is_too_small());
    if let Mode::Review(review) = &mut app.mode
        && seen
    {
        review.drawn_at.get_or_insert(now);
    }
}

fn suspend(app: &mut App, out: &mut Vec<Effect>) {
    settle::save_all(app, out);
    out.push(Effect::Suspend);
}

fn quit(app: &mut App, out: &mut Vec<Effect>) {
    settle::save_all(app, out);
    out.push(Effect::Quit);
}

/// Moves a scrolled text by `rows` (negative is up) within `total` rows shown in a window of `height`.
fn scrolled(scroll: Scroll, rows: isize, total: usize, height: usize) -> Scroll {
    let last = total.saturating_sub(height);
    let from = match scroll {
        Scroll::Tail => last,
        Scroll::At(row) => row.min(last),
        Scroll::FromEnd(rows) => total.saturating_sub(rows).min(last),
    };
    let to = from.saturating_add_signed(rows);
    // At its end a text follows what is added.
    if to >= last { Scroll::Tail } else { Scroll::At(to) }
}

/// The same for a text that does not grow: the first row shown.
fn scrolled_row(row: usize, rows: isize, total: usize, height: usize) -> usize {
    row.saturating_add_signed(rows).min(total.saturating_sub(height))
}

/// The rows that a moving command moves by, in a window of `height`; `None` for other commands.
fn rows_of(command: Command, height: usize) -> Option<isize> {
    let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(isize::MAX);
    Some(match command {
        Command::Up => -1,
        Command::Down => 1,
        Command::PageUp => -page,
        Command::PageDown => page,
        Command::First => isize::MIN,
        Command::Last => isize::MAX,
        _ => return None,
    })
}

fn back_to_browse(app: &mut App) {
    app.mode = Mode::Browse;
}

fn side_mut(app: &mut App) -> Option<&mut Side> {
    match &mut app.mode {
        Mode::Answering(answering) => Some(&mut answering.side),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
