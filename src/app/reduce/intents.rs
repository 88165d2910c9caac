//! What processes have left that ended while they sent: looked up, told, never sent again by itself.
//!
//! Rule: a text that such a submission carried is in a draft until the server's word says that it was taken; a draft
//! that says something else by now stays.

use super::super::answer::Sending;
use super::super::{Answer, App, Effect, Level};
use super::sending;
use crate::api::tool::{CallKey, ToolResult};
use crate::store::Ending;
use crate::submission::{CallVerdict, Left, LookedUp, Progress, Verdict, minute};

/// Asks for the look-up once the drafts are known and there is somebody to ask.
pub(super) fn settle(app: &mut App, out: &mut Vec<Effect>) {
    let may_look = app.reads.drafts_known && app.may_read();
    if app.reads.drafts_known && !may_look && !app.replay && !std::mem::replace(&mut app.reads.left.in_flight, true) {
        out.push(Effect::FindLeft);
    }
    let look = &mut app.reads.intents;
    if look.wanted && !look.in_flight && may_look {
        (look.wanted, look.in_flight) = (false, true);
        out.push(Effect::LookUpIntents);
    }
}

/// Without a link nobody can say what became of them, and the screen says that: a draft that may have been taken must not
/// look like one that was never sent. The look-up follows as soon as there is a link.
pub(super) fn found(app: &mut App, found: &[Left]) {
    if !app.reads.intents.wanted {
        // It is being looked up by now.
        return;
    }
    for left in found {
        for (key, result) in calls(left) {
            let when = minute(left.decided_at);
            let why =
                format!("{} ended while it sent this, decided at {when}; there is no link to look it up", left.by);
            let answer = entry(app, &key, result);
            if answer.sending.is_none() {
                answer.verdict.get_or_insert(CallVerdict::Unknown { why });
            }
        }
    }
}

/// The answer to a call; a text that no draft holds is taken from what was sent.
fn entry<'a>(app: &'a mut App, key: &CallKey, result: &ToolResult) -> &'a mut Answer {
    let now = app.now.uptime;
    let kept = || Answer { unsaved_since: Some(now), ..Answer::of_result(key.clone(), result) };
    app.answers.entry(key.clone()).or_insert_with(kept)
}

pub(super) fn looked_up(app: &mut App, told: LookedUp, out: &mut Vec<Effect>) {
    match told {
        LookedUp::Begun(left) => begun(app, &left),
        LookedUp::Ended(left, verdict) => ended(app, &left, &verdict, out),
        LookedUp::Problem(why) => app.notify(Level::Error, format!("what was sent before may be unknown here: {why}")),
    }
}

/// Its calls stand as being found out about.
fn begun(app: &mut App, left: &Left) {
    for (key, result) in calls(left) {
        let cause = format!("{} ended while it sent this", left.by);
        entry(app, &key, result)
            .sending
            .get_or_insert(Sending { request_id: left.intent.request_id, progress: Progress::Verifying { cause } });
    }
}

fn calls(left: &Left) -> impl Iterator<Item = (CallKey, &ToolResult)> {
    left.intent.request.keys().zip(&left.intent.request.results)
}

fn ended(app: &mut App, left: &Left, verdict: &Verdict, out: &mut Vec<Effect>) {
    for ((key, result), (_, call)) in calls(left).zip(&verdict.calls) {
        let is_open = app.answering().is_some_and(|answering| answering.key == key);
        if let Some(answer) = app.answers.get_mut(&key) {
            if answer.sending.as_ref().is_some_and(|sending| sending.request_id == left.intent.request_id) {
                answer.sending = None;
            }
            let same = answer.says(&result.output, result.error.as_deref());
            match call {
                // What is open is not taken from under the operator's hands; it is put away when it is left.
                CallVerdict::Accepted if same && is_open => answer.verdict = None,
                CallVerdict::Accepted if same => {
                    app.answers.shift_remove(&key);
                    out.push(Effect::EndDraft { key: key.clone(), ending: Ending::Accepted });
                }
                CallVerdict::Accepted => {
                    let (output, error) = (result.output.clone(), result.error.clone());
                    answer.verdict = Some(CallVerdict::Superseded { output, error });
                }
                other => answer.verdict = Some(other.clone()),
            }
        }
        let (level, text) = in_words(&key, left, call);
        app.notify(level, text);
    }
    app.reads.pending.wanted = true;
    app.reads.run.wanted = true;
}

fn in_words(key: &CallKey, left: &Left, call: &CallVerdict) -> (Level, String) {
    let step = &key.step;
    let (node, number, by, when) = (&step.node_id, step.step, left.by, minute(left.decided_at));
    let what = format!("the answer to {node} {number} that was under way when {by} ended, decided at {when}");
    match call {
        CallVerdict::Accepted => (Level::Good, format!("{what}, was accepted")),
        CallVerdict::StillPending { .. } => {
            (Level::Error, format!("{what}, did not arrive; safe to send again: the text is in the draft"))
        }
        CallVerdict::Superseded { .. } | CallVerdict::Refused { .. } | CallVerdict::Unknown { .. } => {
            (Level::Error, format!("{what}: {}. Your text is kept", sending::outcome(call)))
        }
    }
}
