//! Review, sending and verdict.
//!
//! Rule: a submission is made in one place only ([`send`]), by one key only, in a review that has been on screen as it
//! stands for [`REVIEW_GUARD`], and carries what that review shows. A text is dropped only when the server has taken it.

use crossterm::event::KeyEvent;
use uuid::Uuid;

use super::super::answer::Sending;
use super::super::{Answer, App, Command, Effect, Level, Mode, Pane, REVIEW_GUARD, Review, keys};
use super::{back_to_browse, rows_of, scrolled_row, settle};
use crate::api::tool::{CallKey, ToolResult, ToolResultsRequest};
use crate::store::Ending;
use crate::submission::{CallVerdict, Intent, Progress, Verdict, unrecorded};

/// How much (characters) of another's answer is told: a notice is one line.
const OTHERS_OUTPUT: usize = 80;

/// `Ctrl-S`: shows what would be sent, or says why nothing can be.
pub(super) fn review(app: &mut App, out: &mut Vec<Effect>) {
    let Mode::Answering(answering) = &app.mode else { return };
    let key = answering.key.clone();
    if let Err(why) = readiness(app, &key) {
        app.notify(Level::Error, why);
        return;
    }
    settle::save_all(app, out);
    let keys = vec![key];
    let results = results_of(app, &keys);
    out.push(Effect::TryRecord);
    let Mode::Answering(answering) = std::mem::replace(&mut app.mode, Mode::Browse) else { return };
    app.mode =
        Mode::Review(Review { answering, keys, results, together: false, drawn_at: None, swallowed: false, scroll: 0 });
}

/// Whether the answer to a call can be sent now; if not, why, and what to do.
fn readiness(app: &App, key: &CallKey) -> Result<(), &'static str> {
    let Some(call) = app.pending(key) else {
        return Err(
            "this call no longer waits; your text is kept. Enter on it in the list of waiting calls shows what became of it",
        );
    };
    let Some(answer) = app.answers.get(key) else { return Err("nothing to send yet") };
    if answer.sending.is_some() {
        return Err("this answer is on its way already");
    }
    let check = answer.check(call.question.as_ref());
    if check.is_ready() {
        Ok(())
    } else if call.question.is_some() && answer.is_unsent() {
        Err("this question takes only one of its options: choose one with Up and Down")
    } else if call.question.is_some() {
        Err("nothing to send yet: choose an option with Up and Down, or write an answer")
    } else {
        Err("nothing to send yet: write a result, or Ctrl-X t and an error")
    }
}

/// The ready calls of a step, in the order of the list.
fn ready_of_step(app: &App, key: &CallKey) -> Vec<CallKey> {
    app.run.pending.of_step(&key.step).map(|call| call.key.clone()).filter(|key| readiness(app, key).is_ok()).collect()
}

/// What would be sent for calls as everything stands now.
fn results_of(app: &App, keys: &[CallKey]) -> Vec<ToolResult> {
    let result = |key| Some(app.answers.get(key)?.to_result(&app.pending(key)?.call, app.question(key)));
    keys.iter().filter_map(result).collect()
}

/// Keys in a review. All but `Esc` are swallowed until it has stood for a while; then those that move scroll what does
/// not fit, and any key that is not one of its own goes back.
pub(super) fn review_key(app: &mut App, key: KeyEvent, out: &mut Vec<Effect>) {
    let now = app.now.uptime;
    let Mode::Review(review) = &mut app.mode else { return };
    let command = keys::command(keys::Context::Review, key);
    if command == Some(Command::Leave) {
        back_to_answering(app);
        return;
    }
    let armed = review.drawn_at.is_some_and(|at| now >= at + REVIEW_GUARD);
    if !armed {
        review.swallowed = true;
        return;
    }
    match command {
        Some(Command::Send) => send(app, out),
        Some(Command::ToggleTogether) => toggle_together(app),
        Some(moving) if scroll(app, moving) => {}
        _ => back_to_answering(app),
    }
}

/// Scrolls a review that has more than the window shows; false where there is nothing to scroll.
fn scroll(app: &mut App, moving: Command) -> bool {
    let (total, height) = (app.measured.review, app.layout().review_height());
    let Mode::Review(review) = &mut app.mode else { return false };
    let by = rows_of(moving, height).filter(|_| total > height);
    if let Some(by) = by {
        review.scroll = scrolled_row(review.scroll, by, total, height);
    }
    by.is_some()
}

fn back_to_answering(app: &mut App) {
    if let Mode::Review(review) = std::mem::replace(&mut app.mode, Mode::Browse) {
        app.mode = Mode::Answering(review.answering);
    }
}

fn toggle_together(app: &mut App) {
    let Mode::Review(review) = &app.mode else { return };
    let key = review.answering.key.clone();
    let together = !review.together;
    let keys = if together { ready_of_step(app, &key) } else { vec![key] };
    let results = results_of(app, &keys);
    if let Mode::Review(review) = &mut app.mode {
        (review.together, review.keys) = (together, keys);
        show(review, results);
    }
}

/// What is shown has changed: it has to be read again before it can be sent.
fn show(review: &mut Review, results: Vec<ToolResult>) {
    review.results = results;
    (review.drawn_at, review.swallowed, review.scroll) = (None, false, 0);
}

/// A review holds only while all of its calls can be sent, and starts anew when what it shows has changed: called after
/// everything that arrives.
pub(super) fn recheck(app: &mut App) {
    let Mode::Review(review) = &app.mode else { return };
    if let Some((key, why)) = review.keys.iter().find_map(|key| Some((key.clone(), readiness(app, key).err()?))) {
        back_to_answering(app);
        // It may stand while another answer is open: it says which it speaks of.
        let tool = app.answers.get(&key).map(|answer| format!(" {}", answer.tool)).unwrap_or_default();
        let (node, step) = (&key.step.node_id, key.step.step);
        app.notify(Level::Error, format!("{node} {step}{tool} was not sent: {why}"));
        return;
    }
    let results = results_of(app, &review.keys);
    if let Mode::Review(review) = &mut app.mode
        && review.results != results
    {
        show(review, results);
        app.notify(Level::Info, "what would be sent has changed: read it again");
    }
}

fn send(app: &mut App, out: &mut Vec<Effect>) {
    let Mode::Review(review) = &app.mode else { return };
    let (keys, results) = (review.keys.clone(), review.results.clone());
    let Some(first) = keys.first() else { return };
    let intent = Intent {
        request_id: app.fresh_id(),
        run_id: app.run.run_id,
        request: ToolResultsRequest { step: first.step.clone(), results },
        after_seq: app.run.last_seq,
    };
    for key in &keys {
        if let Some(answer) = app.answers.get_mut(key) {
            answer.sending = Some(Sending { request_id: intent.request_id, progress: Progress::Sending(1) });
            answer.verdict = None;
        }
    }
    out.push(Effect::Submit(intent));
    back_to_browse(app);
    app.focus = Pane::Waiting;
}

pub(super) fn progress(app: &mut App, request_id: Uuid, progress: &Progress) {
    for answer in app.answers.values_mut() {
        if let Some(sending) = answer.sending.as_mut().filter(|sending| sending.request_id == request_id) {
            sending.progress = progress.clone();
        }
    }
    match progress {
        Progress::Verifying { cause } => {
            app.notify(Level::Info, format!("no clear answer ({cause}): finding out whether it arrived"));
        }
        Progress::Unrecorded { why } => {
            app.notify(Level::Error, unrecorded(why));
            app.unrecorded = Some(why.clone());
        }
        Progress::Sending(_) => {}
    }
}

/// Whether what is reviewed could be written down before it leaves. A review that says something new is read anew.
pub(super) fn record_tried(app: &mut App, why: Option<String>) {
    if app.unrecorded != why {
        app.unrecorded = why;
        if let Mode::Review(review) = &mut app.mode {
            (review.drawn_at, review.swallowed, review.scroll) = (None, false, 0);
        }
    }
}

pub(super) fn ended(app: &mut App, request_id: Uuid, verdict: &Verdict, out: &mut Vec<Effect>) {
    for (key, call) in &verdict.calls {
        let mine = |answer: &&mut Answer| answer.sending.as_ref().is_some_and(|s| s.request_id == request_id);
        let Some(answer) = app.answers.get_mut(key).filter(mine) else { continue };
        answer.sending = None;
        if *call == CallVerdict::Accepted {
            app.answers.shift_remove(key);
            out.push(Effect::EndDraft { key: key.clone(), ending: Ending::Accepted });
        } else {
            answer.verdict = Some(call.clone());
        }
    }
    let (level, text) = in_words(app, verdict);
    app.notify(level, text);
    app.reads.pending.wanted = true;
    app.reads.run.wanted = true;
}

/// The server's verdict in words, call by call where they differ.
fn in_words(app: &App, verdict: &Verdict) -> (Level, String) {
    let (accepted, sent) = (verdict.accepted(), verdict.calls.len());
    let status = verdict.status.clone().or_else(|| app.run.status());
    let status = status.map(|status| format!("; the run is {status}")).unwrap_or_default();
    if accepted == sent {
        return (Level::Good, format!("accepted {accepted} of {sent}{status}"));
    }
    let mut why: Vec<String> = Vec::new();
    for (key, call) in verdict.calls.iter().filter(|(_, call)| *call != CallVerdict::Accepted) {
        let words = outcome(call);
        why.push(if sent == 1 { words } else { format!("{}: {words}", key.call_id) });
    }
    let request = verdict.server_request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default();
    let why = why.join("; ");
    (Level::Error, format!("accepted {accepted} of {sent}{status}; {why}. Your text is kept{request}"))
}

/// What became of one call, in words of a bounded length, with the key that helps.
pub(super) fn outcome(call: &CallVerdict) -> String {
    let cut = |text: &String| text.chars().take(OTHERS_OUTPUT).collect();
    match call {
        CallVerdict::Superseded { output, error } => {
            CallVerdict::Superseded { output: cut(output), error: error.as_ref().map(cut) }.to_string()
        }
        CallVerdict::Unknown { .. } => format!("{call}; r looks again"),
        other => other.to_string(),
    }
}
