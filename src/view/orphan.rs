//! A draft whose call no longer waits, beside what became of the call.
//!
//! ```text
//! ┏ roll_back 1  roll_back_deploy: answered elsewhere ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
//! ┃ Another answer was taken at 2026-11-22 10:02. Yours was not sent.                    ┃
//! ┃ x puts yours into the history   y copies yours   Esc leaves it here                   ┃
//! ┃                                                                                       ┃
//! ┃ yours                                     │ taken                                     ┃
//! ┃ {"ok": true}                              │ {"ok": false}                             ┃
//! ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛
//! ```
//!
//! Rule: both texts are shown to their ends, marks and wrapping aside.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::text;
use super::theme::{Role, Theme};
use crate::api::run::NodeStatus;
use crate::api::tool::CallKey;
use crate::app::{Answer, App, Fate};

/// Fewer columns hold the two texts one below the other.
const SIDE_BY_SIDE: usize = 72;

/// The page's title.
pub(super) fn title(app: &App, key: &CallKey) -> String {
    let state = app.answers.get(key).map_or("gone", |answer| state(app, answer));
    format!("{} {}: {state}", key.step.node_id, key.step.step)
}

/// What became of the call of a draft, in a few words.
pub(super) fn state(app: &App, answer: &Answer) -> &'static str {
    let node = app.run.nodes.get(&answer.key.step.node_id);
    match &answer.fate {
        Fate::Answered { .. } => "answered elsewhere",
        _ if app.run.has_ended() => "the run has ended",
        Fate::Unanswered if node.is_some_and(|node| ended(&app.run.node_status(node))) => "its node has ended",
        Fate::Unasked | Fate::Asked | Fate::Unanswered | Fate::Unreadable(_) => "no longer waits",
    }
}

fn ended(status: &NodeStatus) -> bool {
    matches!(status, NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Canceled)
}

/// The page's rows.
pub(super) fn rows(app: &App, key: &CallKey, theme: Theme, columns: usize) -> Vec<Line<'static>> {
    let Some(answer) = app.answers.get(key) else {
        return text::wrap("this draft is in the history now", columns, theme.style(Role::Quiet), theme);
    };
    let mut rows = text::wrap(&said(app, answer), columns, theme.style(Role::Attention), theme);
    let keys = "x puts yours into the history   y copies yours   Esc leaves it here";
    rows.extend(text::wrap(keys, columns, theme.style(Role::Quiet), theme));
    rows.push(Line::default());
    let mine = (if answer.is_error { "yours, an error" } else { "yours" }, &*answer.text);
    let Fate::Answered { output, error, .. } = &answer.fate else {
        rows.extend(column(mine, columns, theme));
        return rows;
    };
    let error = error.as_deref().filter(|error| !error.is_empty());
    let taken = error.map_or(("taken", output.as_str()), |error| ("taken, an error", error));
    if columns >= SIDE_BY_SIDE {
        let width = (columns - 3) / 2;
        rows.extend(beside(column(mine, width, theme), column(taken, width, theme), width, theme));
    } else {
        rows.extend(column(mine, columns, theme));
        rows.push(Line::default());
        rows.extend(column(taken, columns, theme));
    }
    rows
}

fn said(app: &App, answer: &Answer) -> String {
    match &answer.fate {
        Fate::Answered { at, .. } => {
            let at = at.to_zoned(app.time_zone.clone()).strftime("%Y-%m-%d %H:%M");
            format!("The call has another answer, taken at {at}. Yours was not taken; it is kept here.")
        }
        Fate::Unasked | Fate::Asked => {
            "The call no longer waits. What became of it is being looked for in the events.".to_owned()
        }
        Fate::Unanswered if app.run.has_ended() => "The run has ended without a result of this call.".to_owned(),
        Fate::Unanswered => "The call no longer waits, and no event has a result of it.".to_owned(),
        Fate::Unreadable(why) => {
            format!("The call no longer waits. What became of it cannot be read: {why}. r looks again")
        }
    }
}

fn column((name, foreign): (&str, &str), columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut rows = vec![Line::from(Span::styled(name.to_owned(), theme.style(Role::Strong)))];
    rows.extend(text::wrap(foreign, columns, Style::new(), theme));
    rows
}

fn beside(left: Vec<Line<'static>>, right: Vec<Line<'static>>, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let count = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    let bar = if theme.ascii { " | " } else { " │ " };
    let row = |_| {
        let mut row = left.next().unwrap_or_default();
        let padding = width.saturating_sub(row.width());
        row.spans.push(Span::raw(" ".repeat(padding)));
        row.spans.push(Span::styled(bar, theme.style(Role::Quiet)));
        row.spans.extend(right.next().unwrap_or_default().spans);
        row
    };
    (0..count).map(row).collect()
}
