//! The state of the open draft, in one line: what it is worth, whether it is on disk, whether its call still waits.
//!
//! ```text
//!  ▲ not JSON at 2:9: expected value; goes as text   · restored, saved 2026-11-22 10:02
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::super::theme::{Role, Sign, Theme};
use super::super::{format, pane, text};
use crate::app::{Answer, Answering, App, Check, inert};
use crate::submission::CallVerdict;

/// Columns that what is wrong needs at least to be told in a word.
const CUT_FACT: usize = 16;

pub(super) fn render(app: &App, answering: &Answering, theme: Theme, area: Rect, buf: &mut Buffer) {
    let Some(answer) = app.answers.get(&answering.key) else { return };
    let mut facts = Vec::new();
    facts.extend(gone(app, answering));
    facts.extend(verdict(answer));
    facts.push(worth(answer.check(app.question(&answering.key))));
    let hidden = answer.text.hidden();
    if hidden > 0 {
        let words = format!("{}, first at {}", format::plural(hidden as u64, "hidden character"), place(&answer.text));
        facts.push((Sign::Warning, Role::Attention, words));
    }
    facts.push(saved(app, answer));
    let mut spans = vec![Span::raw(" ")];
    let mut room = usize::from(area.width).saturating_sub(1);
    for (at, (sign, role, words)) in facts.into_iter().enumerate() {
        let words = format!("{} {words}   ", theme.sign(sign));
        let width = text::width(&words, theme);
        // A fact that does not fit is left out as a whole; the first is cut, and so is what is wrong: that a draft is not
        // on disk comes with a long path.
        if at == 0 || width <= room || (role == Role::Bad && room > CUT_FACT) {
            spans.extend(text::cut(&words, room, theme.style(role), theme));
            room = room.saturating_sub(width);
        }
    }
    pane::row(spans, 0, area, buf);
}

type Fact = (Sign, Role, String);

/// The call that the draft answers may have been answered by another meanwhile.
fn gone(app: &App, answering: &Answering) -> Option<Fact> {
    let key = &answering.key;
    if app.pending(key).is_some() {
        return None;
    }
    let record = app.run.nodes.get(&key.step.node_id)?.calls.iter().rev().find(|record| record.key == *key);
    let result = record.and_then(|record| record.result.as_ref());
    let words = match result {
        Some(result) => {
            let won = result.error.as_deref().map_or(result.output.as_str(), |error| error);
            let won: String = text::one_line(won).chars().take(48).collect();
            format!("no longer waits: answered with {won}")
        }
        None if app.run.has_ended() => "no longer waits: the run has ended".to_owned(),
        None => "this call no longer waits".to_owned(),
    };
    Some((Sign::Failed, Role::Bad, words))
}

fn verdict(answer: &Answer) -> Option<Fact> {
    let words = match answer.verdict.as_ref()? {
        CallVerdict::Refused { why } => format!("refused: {why}"),
        CallVerdict::StillPending { why } => format!("not taken, safe to send again: {why}"),
        CallVerdict::Unknown { why } => format!("outcome unknown: {why}"),
        CallVerdict::Superseded { .. } => "another answer was taken first".to_owned(),
        CallVerdict::Accepted => return None,
    };
    Some((Sign::Failed, Role::Bad, words))
}

fn worth(check: Check) -> Fact {
    match check {
        Check::Empty => (Sign::Pending, Role::Quiet, "empty".to_owned()),
        Check::Json => (Sign::Succeeded, Role::Good, "valid JSON".to_owned()),
        Check::Text(invalid) => {
            let (line, column) = (invalid.line, invalid.column);
            let reason = match invalid.reason.as_str() {
                reason if reason.starts_with("EOF") => "it ends too early",
                "expected ident" => "a word that JSON does not know",
                reason => reason,
            };
            let words = format!("not JSON at {line}:{column}: {reason}; goes as text");
            (Sign::Warning, Role::Attention, words)
        }
        Check::Error => (Sign::Failed, Role::Bad, "an error result".to_owned()),
        Check::Choice => (Sign::Succeeded, Role::Good, "one of the options".to_owned()),
        Check::Freeform => (Sign::Succeeded, Role::Good, "an answer of your own".to_owned()),
        Check::NotAChoice => (Sign::Warning, Role::Attention, "none of the options: it will not be taken".to_owned()),
    }
}

fn saved(app: &App, answer: &Answer) -> Fact {
    if let Some(why) = &answer.save_failure {
        return (Sign::Warning, Role::Bad, format!("NOT on disk: {why}"));
    }
    match answer.saved_at {
        _ if answer.unsaved_since.is_some() => (Sign::Dot, Role::Quiet, "not saved yet".to_owned()),
        Some(at) if answer.restored => {
            let at = at.to_zoned(app.time_zone.clone()).strftime("%Y-%m-%d %H:%M");
            (Sign::Dot, Role::Quiet, format!("restored, saved {at}"))
        }
        Some(at) => {
            let ago = app.now.wall.duration_since(at).try_into().unwrap_or_default();
            (Sign::Dot, Role::Quiet, format!("saved {} ago", format::age(ago)))
        }
        None => (Sign::Dot, Role::Quiet, "nothing to save".to_owned()),
    }
}

/// Line and column of the first hidden character, from 1.
fn place(text: &str) -> String {
    let lines = text.split('\n').enumerate();
    let found = lines.filter_map(|(line, text)| text.chars().position(inert::is_hidden).map(|at| (line + 1, at + 1)));
    let (line, column) = found.into_iter().next().unwrap_or((1, 1));
    format!("{line}:{column}")
}
