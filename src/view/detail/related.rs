//! The Runs tab: the parent run and the child runs, each with its full id, and how to follow the selected one.
//!
//! ```text
//! ▸ ↑ parent run
//!     550e8400-e29b-41d4-a716-446655440009
//!     relay-console 550e8400-e29b-41d4-a716-446655440009
//!   ● critic  round 2  working  00:12
//!     550e8400-e29b-41d4-a716-446655440043
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::theme::{Role, Sign};
use super::super::{format, pane, text};
use super::{Context, scheduler};
use crate::app::{Pane as Focus, RelatedRun, layout};

/// Draws the list; returns its rows, and where the selection stands in words.
pub(super) fn render(context: &Context<'_>, area: Rect, buf: &mut Buffer) -> (usize, String) {
    let (app, runs) = (context.app, context.app.related_runs());
    let selected = app.selected_related(&runs);
    let command = runs.get(selected).map(|run| command(context, *run)).unwrap_or_default();
    // Each run takes two rows; the command stands under the selected one.
    let (total, at, height) = (runs.len() * 2 + command.len(), selected * 2, usize::from(area.height));
    let mut first = layout::first_shown(at, total, height);
    // The selected run is in sight with all of its rows, where they fit.
    first = first.max((at + 2 + command.len()).saturating_sub(height)).min(at);
    let mut rows = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        rows.push(head(context, *run, place == selected));
        let id = format!("    {}", run.run_id());
        rows.push(Line::from(text::cut(&id, context.columns, context.theme.style(Role::Plain), context.theme)));
        if place == selected {
            rows.extend(command.iter().cloned());
        }
    }
    pane::rows(rows.iter().skip(first), area, buf);
    if app.focus == Focus::Detail {
        pane::select(at - first, area, buf);
    }
    let schedulers = app.detail_nodes().into_iter().filter_map(|node| node.scheduler.as_ref());
    let older = match schedulers.map(|scheduler| scheduler.dropped_runs).sum::<u64>() {
        0 => String::new(),
        dropped => format!(", {} older no longer kept", format::count(dropped)),
    };
    (total, format!("{} of {}{older}", format::count(selected as u64 + 1), format::count(runs.len() as u64)))
}

fn head(context: &Context<'_>, run: RelatedRun<'_>, selected: bool) -> Line<'static> {
    let (app, theme) = (context.app, context.theme);
    let mut spans = vec![pane::marker(selected, theme)];
    match run {
        RelatedRun::Parent(_) => {
            spans.push(Span::styled(format!("{} ", theme.sign(Sign::Parent)), theme.style(Role::Quiet)));
            spans.push(Span::styled("parent run", theme.style(Role::Strong)));
        }
        RelatedRun::Child(node, child) => {
            let (sign, role, status) = scheduler::turn(child.status.is_none(), child.status.as_deref());
            spans.push(Span::styled(format!("{} ", theme.sign(sign)), theme.style(role)));
            spans.extend(text::cut(&child.agent_id, context.columns / 3, theme.style(Role::Strong), theme));
            let mut facts = Vec::new();
            facts.extend(app.selected_node().is_none().then(|| node.to_string()));
            facts.extend(child.round.map(|round| format!("round {round}")));
            for fact in facts {
                spans.extend(text::cut(&format!("  {fact}"), 22, theme.style(Role::Quiet), theme));
            }
            spans.push(Span::raw("  "));
            spans.extend(text::cut(status, 16, theme.style(role), theme));
            let age = format!("  {} ago", format::age(app.shown_age(child.since)));
            spans.push(Span::styled(age, theme.style(Role::Quiet)));
        }
    }
    Line::from(spans)
}

/// How to follow a run, under its id.
fn command(context: &Context<'_>, run: RelatedRun<'_>) -> Vec<Line<'static>> {
    let theme = context.theme;
    let (words, role) = match context.app.command_to_follow(run.run_id()) {
        Some(command) => (command, Role::Active),
        None => ("no command follows it: it is gone when this console is left".to_owned(), Role::Quiet),
    };
    let columns = context.columns.saturating_sub(4).max(2);
    let mut rows = text::wrap(&words, columns, theme.style(role), theme);
    for row in &mut rows {
        row.spans.insert(0, Span::raw("    "));
    }
    rows
}
