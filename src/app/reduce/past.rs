//! Going to earlier events, and back to the run as it stands.
//!
//! Rule: a key costs at most a copy of the entries in memory here, however far the way is: the model is made outside,
//! one at a time.

use std::sync::Arc;

use super::super::past::{PastRequest, RECENT};
use super::super::{App, Effect, Level, Past, Wish};
use crate::api::event::EventBody;
use crate::run::history::Entry;
use crate::run::{History, Run};

/// The operator wants to go somewhere.
pub(super) fn go(app: &mut App, wish: Wish, out: &mut Vec<Effect>) {
    match &mut app.past {
        Some(past) if past.loading.is_some() => {
            past.next = Some(past.next.map_or(wish, |waiting| waiting.and(wish)));
        }
        Some(_) => begin(app, wish, out),
        None if wish.by() > 0 => app.notify(Level::Info, "this is the newest event; [ goes back in time"),
        None => {
            app.past = Some(Past::default());
            begin(app, wish, out);
        }
    }
    settle(app);
}

/// Back to the run as it stands; says whether the panes were elsewhere.
pub(super) fn leave(app: &mut App, out: &mut Vec<Effect>) -> bool {
    let Some(past) = app.past.take() else { return false };
    if past.loading.is_some() {
        out.push(Effect::StopPast);
    }
    if past.shown.is_some() {
        moved(app);
    }
    true
}

/// A model was made, or could not be.
pub(super) fn loaded(app: &mut App, number: u64, result: Result<Option<Box<Run>>, String>, out: &mut Vec<Effect>) {
    let is_wanted = |past: &&mut Past| past.loading.is_some_and(|(wanted, _)| wanted == number);
    let Some(past) = app.past.as_mut().filter(is_wanted) else { return };
    let (asked, mut next) = (past.loading.take(), past.next.take());
    match result {
        Ok(Some(run)) if run.last_seq >= app.run.last_seq => {
            leave(app, out);
            app.notify(Level::Info, "this is the newest event: the run is shown as it stands");
        }
        Ok(Some(run)) => {
            past.shown = Some(Arc::new(run.placed_as(&app.run)));
            moved(app);
        }
        Ok(None) => {
            let forth = asked.is_some_and(|(_, wish)| wish.by() > 0);
            app.notify(
                Level::Info,
                if forth { "no milestone after this event" } else { "no milestone before this event" },
            );
        }
        Err(why) => {
            next = None;
            app.notify(Level::Error, format!("the run at that event cannot be shown: {why}"));
        }
    }
    if let Some(next) = next.filter(|wish| wish.by() != 0 && app.past.is_some()) {
        begin(app, next, out);
    }
    settle(app);
}

/// Nothing of the past is shown and nothing is on its way: the panes are live.
fn settle(app: &mut App) {
    app.past.take_if(|past| past.shown.is_none() && past.loading.is_none());
}

/// What stood for another event stands no more; what is selected stays.
fn moved(app: &mut App) {
    app.loaded = None;
    app.detail.event = None;
}

fn begin(app: &mut App, wish: Wish, out: &mut Vec<Effect>) {
    let (from, newest) = (app.shown_run().last_seq, app.run.last_seq);
    if wish.by() < 0 && from <= 1 {
        app.notify(Level::Info, if from == 0 { "no event has come yet" } else { "this is the first event" });
        return;
    }
    let wanted = match wish {
        Wish::Events(by) => from.saturating_add_signed(by).max(1),
        Wish::Milestones(by) if by < 0 => from - 1,
        Wish::Milestones(_) => from,
    };
    if wanted >= newest {
        leave(app, out);
        app.notify(Level::Info, "this is the newest event: the run is shown as it stands");
        return;
    }
    if matches!(wish, Wish::Events(by) if by > 0) && step_in_memory(app, wanted) {
        return;
    }
    app.past_reads += 1;
    let number = app.past_reads;
    let recent_from = first_in_memory(app);
    let reach = if matches!(wish, Wish::Milestones(1..)) { newest } else { wanted };
    // A file holds all that there is, and so does the disk of what memory has dropped.
    let history = Some(&app.run.history).filter(|_| !app.replay && reach >= recent_from);
    let recent: Vec<Entry> = history.into_iter().flat_map(History::entries).cloned().collect();
    let base = match wish {
        Wish::Events(_) => wanted.saturating_sub(RECENT),
        Wish::Milestones(_) => wanted,
    };
    let base = app.checkpoints.before(app.run.run_id, base);
    if let Some(past) = &mut app.past {
        past.loading = Some((number, wish));
        let (model, through) = (past.shown.clone(), newest);
        out.push(Effect::LoadPast(Box::new(PastRequest {
            number,
            from,
            wish,
            through,
            base,
            model,
            recent,
            recent_from,
        })));
    }
}

/// The seq from which on memory has every entry.
fn first_in_memory(app: &App) -> u64 {
    let first = app.run.history.entries().find_map(Entry::seq);
    if app.run.history.dropped == 0 { 1 } else { first.unwrap_or(app.run.last_seq + 1) }
}

/// Goes forth by the entries in memory, where they have all that the model would have from disk.
fn step_in_memory(app: &mut App, wanted: u64) -> bool {
    if first_in_memory(app) > app.shown_run().last_seq + 1 {
        return false;
    }
    let Some(shown) = app.past.as_mut().and_then(|past| past.shown.as_mut()) else { return false };
    let at = shown.last_seq;
    let behind = app.run.history.entries().skip_while(|entry| entry.seq().is_none_or(|seq| seq <= at));
    let mut entries = Vec::new();
    for entry in behind {
        entries.push(entry);
        if last_of(entry).is_some_and(|last| last >= wanted) {
            break;
        }
    }
    let complete = entries.last().and_then(|entry| last_of(entry)).is_some_and(|last| last >= wanted);
    if !complete || entries.iter().any(|entry| lacks_contents(entry)) {
        return false;
    }
    let run = Arc::make_mut(shown);
    let nodes = run.nodes.len();
    for entry in entries {
        run.take_up_to(u64::MAX, entry.clone());
    }
    if run.nodes.len() > nodes {
        *run = std::mem::replace(run, Run::new(run.run_id)).placed_as(&app.run);
    }
    moved(app);
    true
}

fn last_of(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Gap { last, .. } => Some(*last),
        entry => entry.seq(),
    }
}

/// Memory keeps these without what they have brought.
fn lacks_contents(entry: &Entry) -> bool {
    matches!(entry, Entry::Event(event) if matches!(event.body, EventBody::NodeOutput(_) | EventBody::RunCompleted(_)))
}
