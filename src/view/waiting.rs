//! The calls that wait for the operator, and drafts whose call no longer does.
//!
//! ```text
//! ╭ Waiting for you 2 ──────────────────────────────────────────────────────────────────────────╮
//! │ ▸ roll_back 1   roll_back_deploy   00:48  draft, valid JSON  {"service":"api","to":"4.17"}   │
//! │   ask_oncall 1  user_ask           00:12  empty              Page the database team?         │
//! ╰──────────────────────────────────────────────────────────────────────────────────────────────╯
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::pane::{self, Pane};
use super::theme::{Role, Theme};
use super::{format, orphan, text};
use crate::app::{Answer, App, Check, Pane as Focus, WaitingRow, layout};
use crate::run::PendingCall;
use crate::submission::{CallVerdict, Progress};

pub(super) fn render(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    let focused = app.focus == Focus::Waiting;
    let rows = app.waiting_rows();
    let title = pane::title(&format!("Waiting for you {}", app.run.pending.len()), theme);
    let mut pane = Pane::new(title, focused);
    pane.role = (!focused && !app.run.pending.is_empty()).then_some(Role::Attention);
    let height = usize::from(area.height.saturating_sub(2));
    let selected = app.waiting.as_ref().and_then(|key| rows.iter().position(|row| row.key() == key));
    let first = layout::first_shown(selected.unwrap_or(0), rows.len(), height);
    pane.below = pane::more_below(rows.len().saturating_sub(first + height), theme);
    let inner = pane.render(theme, area, buf);
    let widths = Widths::new(app, &rows, usize::from(inner.width), theme);
    for (at, row) in rows.iter().enumerate().skip(first).take(height) {
        let is_selected = Some(at) == selected;
        let mut spans = vec![pane::marker(is_selected, theme)];
        spans.extend(cells(app, row, &widths, theme));
        pane::row(spans, at - first, inner, buf);
        if is_selected && focused {
            pane::select(at - first, inner, buf);
        }
    }
}

/// The columns' widths. The preview takes what is left.
struct Widths {
    node: usize,
    tool: usize,
    age: usize,
    state: usize,
    preview: usize,
}

impl Widths {
    fn new(app: &App, rows: &[WaitingRow<'_>], width: usize, theme: Theme) -> Self {
        // Each column is as wide as it needs, within its share; a list of thousands is not measured to its end.
        let widest = |of: &dyn Fn(&WaitingRow<'_>) -> String, most: usize| {
            rows.iter().take(200).map(|row| text::width(&of(row), theme)).max().unwrap_or(0).min(most)
        };
        let node = widest(&node_and_step, (width / 4).max(12));
        let tool = widest(&|row| tool(row).to_owned(), (width / 4).max(12));
        let state = widest(&|row| state_of(app, row).1, if width >= 70 { 22 } else { 12 });
        let used = 2 + node + 2 + tool + 2 + 6 + 2 + state + 3;
        Self { node, tool, age: 6, state, preview: width.saturating_sub(used) }
    }
}

fn node_and_step(row: &WaitingRow<'_>) -> String {
    let step = &row.key().step;
    format!("{} {}", step.node_id, step.step)
}

fn tool<'a>(row: &WaitingRow<'a>) -> &'a str {
    match row {
        WaitingRow::Pending(call) => call.call.name.as_str(),
        WaitingRow::Orphan(answer) => answer.tool.as_str(),
    }
}

fn cells(app: &App, row: &WaitingRow<'_>, widths: &Widths, theme: Theme) -> Vec<Span<'static>> {
    let plain = theme.style(Role::Plain);
    let quiet = theme.style(Role::Quiet);
    let (role, state) = state_of(app, row);
    let (age, preview) = match row {
        WaitingRow::Pending(call) => (format::age(app.age(call.since)), preview_of(call)),
        WaitingRow::Orphan(answer) => (String::new(), text::one_line(&answer.text)),
    };
    let gap = || Span::raw("  ");
    let mut spans = text::left(&node_and_step(row), widths.node, plain, theme);
    spans.push(gap());
    spans.extend(text::left(tool(row), widths.tool, theme.style(Role::Strong), theme));
    spans.push(gap());
    spans.extend(text::right(&age, widths.age, plain, theme));
    spans.push(gap());
    spans.extend(text::left(&state, widths.state, theme.style(role), theme));
    spans.push(gap());
    spans.extend(text::cut(&preview, widths.preview, quiet, theme));
    spans
}

fn state_of(app: &App, row: &WaitingRow<'_>) -> (Role, String) {
    match row {
        WaitingRow::Pending(call) => state(Some(call), app.answers.get(row.key())),
        WaitingRow::Orphan(answer) => (Role::Bad, orphan::state(app, answer).to_owned()),
    }
}

fn preview_of(call: &PendingCall) -> String {
    match &call.question {
        Some(question) => text::one_line(&question.question),
        None => text::one_line(call.call.arguments()),
    }
}

/// Where the answer to a call stands, in a few words.
fn state(call: Option<&PendingCall>, answer: Option<&Answer>) -> (Role, String) {
    let Some(answer) = answer else { return (Role::Quiet, "empty".to_owned()) };
    if let Some(sending) = &answer.sending {
        return match &sending.progress {
            Progress::Sending(1) | Progress::Unrecorded { .. } => (Role::Active, "sending".to_owned()),
            Progress::Sending(attempt) => (Role::Active, format!("sending, try {attempt}")),
            Progress::Verifying { .. } => (Role::Attention, "did it arrive?".to_owned()),
        };
    }
    match &answer.verdict {
        Some(CallVerdict::Refused { .. }) => return (Role::Bad, "refused, kept".to_owned()),
        Some(CallVerdict::Superseded { .. }) => return (Role::Bad, "answered elsewhere".to_owned()),
        Some(CallVerdict::StillPending { .. }) => return (Role::Bad, "not taken, kept".to_owned()),
        Some(CallVerdict::Unknown { .. }) => return (Role::Bad, "outcome unknown".to_owned()),
        Some(CallVerdict::Accepted) | None => {}
    }
    let words = match answer.check(call.and_then(|call| call.question.as_ref())) {
        Check::Empty => return (Role::Quiet, "empty".to_owned()),
        Check::Json => "draft, valid JSON",
        Check::Text(_) => "draft, text",
        Check::Error => "draft, error result",
        Check::Choice => "draft, an option",
        Check::Freeform => "draft, own answer",
        Check::NotAChoice => return (Role::Attention, "draft, no option".to_owned()),
    };
    (Role::Active, words.to_owned())
}
