//! Drafts whose call no longer waits: what became of the call, and the way into the history.
//!
//! Rule: such a draft leaves by the operator's key only, but for one whose text is, byte for byte, what the server took.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::super::{Answer, App, Effect, Fate, Level, Mode, PageContent};
use super::{back_to_browse, settle as settling};
use crate::api::tool::CallKey;
use crate::store::Ending;
use crate::submission::PastCall;

/// Finds out what became of the calls of such drafts, from what is in memory, else from the events; and puts those
/// away whose text was taken as it is.
pub(super) fn settle(app: &mut App, out: &mut Vec<Effect>) {
    let unknown: Vec<CallKey> =
        app.orphans().filter(|answer| answer.fate == Fate::Unasked).map(|answer| answer.key.clone()).collect();
    let mut asked = Vec::new();
    for key in unknown {
        let fate = remembered(app, &key);
        if fate == Fate::Asked {
            asked.push(key.clone());
        }
        if let Some(answer) = app.answers.get_mut(&key) {
            answer.fate = fate;
        }
    }
    if !asked.is_empty() {
        out.push(Effect::FindCalls { keys: asked });
    }
    put_away_what_was_taken(app, out);
}

/// What the model remembers of a call's result; a long run's model has let go of its oldest ones.
fn remembered(app: &App, key: &CallKey) -> Fate {
    let record = app.run.nodes.get(&key.step.node_id).and_then(|node| node.calls.iter().rev().find(|r| r.key == *key));
    match record.map(|record| &record.result) {
        Some(Some(result)) => {
            Fate::Answered { output: result.output.clone(), error: result.error.clone(), at: result.at }
        }
        _ => Fate::Asked,
    }
}

fn put_away_what_was_taken(app: &mut App, out: &mut Vec<Effect>) {
    let open = app.answering().map(|answering| answering.key.clone());
    let taken = |answer: &&Answer| match &answer.fate {
        Fate::Answered { output, error, .. } => {
            answer.says(output, error.as_deref()) && open.as_ref() != Some(&answer.key)
        }
        _ => false,
    };
    let taken: Vec<CallKey> = app.orphans().filter(taken).map(|answer| answer.key.clone()).collect();
    for key in taken {
        settling::save_all(app, out);
        app.answers.shift_remove(&key);
        close_page(app, &key);
        let step = &key.step;
        let what =
            format!("your draft for {} {} is what the server took: it is in the history now", step.node_id, step.step);
        app.notify(Level::Good, what);
        out.push(Effect::EndDraft { key, ending: Ending::Accepted });
    }
}

/// The operator's key: into the history, whatever became of the call.
pub(super) fn put_away(app: &mut App, key: &CallKey, out: &mut Vec<Effect>) {
    let Some(answer) = app.orphans().find(|answer| answer.key == *key) else {
        app.notify(Level::Info, "not put away: its call still waits for an answer");
        return;
    };
    if answer.save_failure.is_some() {
        app.notify(Level::Error, "not put away: the draft is not on disk. y copies it");
        return;
    }
    let ending = if matches!(answer.fate, Fate::Answered { .. }) { Ending::Superseded } else { Ending::Withdrawn };
    // The history keeps what was typed last.
    settling::save_all(app, out);
    app.answers.shift_remove(key);
    close_page(app, key);
    out.push(Effect::EndDraft { key: key.clone(), ending });
    app.notify(Level::Info, "the draft is in the history now");
}

fn close_page(app: &mut App, key: &CallKey) {
    let is_shown = matches!(&app.mode, Mode::Page(page) if page.content == PageContent::Orphan { key: key.clone() });
    if is_shown {
        back_to_browse(app);
    }
}

/// `r`: what could not be read is asked for again.
pub(super) fn ask_again(answers: &mut IndexMap<CallKey, Answer>, key: &CallKey) {
    if let Some(answer) = answers.get_mut(key).filter(|answer| answer.fate != Fate::Asked) {
        answer.fate = Fate::Unasked;
    }
}

pub(super) fn calls_found(app: &mut App, keys: Vec<CallKey>, result: Result<Vec<PastCall>, String>) {
    let fates: Vec<Fate> = match result {
        Ok(found) => found.into_iter().map(of_past).collect(),
        Err(why) => keys.iter().map(|_| Fate::Unreadable(why.clone())).collect(),
    };
    let mut seen = HashSet::new();
    for (key, fate) in keys.into_iter().zip(fates) {
        let asked = |answer: &&mut Answer| answer.fate == Fate::Asked;
        if seen.insert(key.clone())
            && let Some(answer) = app.answers.get_mut(&key).filter(asked)
        {
            answer.fate = fate;
        }
    }
}

fn of_past(past: PastCall) -> Fate {
    match past {
        PastCall::Answered { result, at, .. } => Fate::Answered { output: result.output, error: result.error, at },
        PastCall::Unanswered { .. } | PastCall::Unknown => Fate::Unanswered,
    }
}
