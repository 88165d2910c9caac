//! The detail pane: one node, or the run itself, in tabs.
//!
//! ```text
//! ╭ diagnose  llm.responses ───────────────────────────╮
//! │ [Output] Steps 3  Calls 2  Events                  │
//! │ ● running  step 3  01:12  31.0k in  2.2k out  ~0.21│
//! │ The error rate rose at 14:02, right after the      │
//! ╰──────────────────────────────────────── ↓ 12 below ╯
//! ```
//!
//! Rule: the first inner row is the tabs; the rest is a text of [`Measured::detail`](crate::app::Measured) rows, by
//! which the reducer scrolls.

mod calls;
mod events;
mod matches;
mod output;
mod related;
mod run;
mod scheduler;
pub(super) mod step;
mod steps;
mod tasks;

pub use events::gist;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::blocks::{self, Block};
use super::cache::Cache;
use super::pane::{self, Pane};
use super::theme::{Role, Sign, Theme};
use super::{format, text};
use crate::app::{App, Pane as Focus, Scroll, Selection, Tab};

/// Columns of the labels in front of facts.
const LABEL: usize = 11;

/// What every part of the pane is drawn with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) app: &'a App,
    pub(super) theme: Theme,
    pub(super) columns: usize,
}

impl Context<'_> {
    pub(super) fn words(&self, role: Role, words: &str) -> Vec<Line<'static>> {
        text::wrap(words, self.columns, self.theme.style(role), self.theme)
    }

    /// A label and what it says, wrapped beside it.
    pub(super) fn fact(&self, rows: &mut Vec<Line<'static>>, label: &str, role: Role, words: &str) {
        let theme = self.theme;
        let columns = self.columns.saturating_sub(LABEL).max(2);
        for (at, mut row) in text::wrap(words, columns, theme.style(role), theme).into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            row.spans.insert(0, Span::styled(format!("{label:<LABEL$}"), theme.style(Role::Quiet)));
            rows.push(row);
        }
    }

    /// A thin line with words in it, which sets a part off from the one before.
    pub(super) fn rule(&self, words: &str) -> Line<'static> {
        let quiet = self.theme.style(Role::Quiet);
        let rule = self.theme.sign(Sign::Rule);
        let mut spans = vec![Span::styled(format!("{rule}{rule} "), quiet)];
        spans.extend(text::cut(words, self.columns.saturating_sub(4), quiet, self.theme));
        let used = text::spans_width(&spans) + 1;
        spans.push(Span::styled(format!(" {}", rule.repeat(self.columns.saturating_sub(used))), quiet));
        Line::from(spans)
    }
}

/// Draws the pane; returns how many rows its text has.
pub(super) fn render(app: &App, theme: Theme, cache: &mut Cache, area: Rect, buf: &mut Buffer) -> usize {
    let focused = app.focus == Focus::Detail;
    let inner = Pane::new(title(app, theme), focused).render_padded(theme, area, buf);
    if inner.height == 0 {
        return 0;
    }
    let body = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    let context = Context { app, theme, columns: usize::from(inner.width).max(1) };
    tabs(app, theme, inner, buf);
    let (rows, position) = match app.shown_tab() {
        Tab::Events => match app.shown_search() {
            Some(search) => matches::render(&context, search, body, buf),
            None => events::render(&context, body, buf),
        },
        Tab::Steps => steps::render(&context, body, buf),
        Tab::Runs => related::render(&context, body, buf),
        Tab::Calls => scrolled(app, theme, &calls::blocks(&context, cache), body, buf),
        Tab::Tasks => scrolled(app, theme, &tasks::blocks(&context, cache), body, buf),
        Tab::Output => scrolled(app, theme, &output::blocks(&context, cache), body, buf),
    };
    pane::corner(&position, theme, area, buf);
    rows
}

/// Draws a text where the pane is scrolled to; returns its rows, and in words what is out of sight.
fn scrolled(app: &App, theme: Theme, blocks: &[Block<'_>], body: Rect, buf: &mut Buffer) -> (usize, String) {
    let (total, height) = (blocks::total(blocks), usize::from(body.height));
    let last = total.saturating_sub(height);
    let first = match app.detail.scroll {
        Scroll::Tail => last,
        Scroll::At(row) => row.min(last),
        Scroll::FromEnd(rows) => total.saturating_sub(rows).min(last),
    };
    pane::rows(blocks::visible(blocks, first, height), body, buf);
    let position = match (first, last - first) {
        (0, 0) => String::new(),
        (above, 0) => format!("{} above", format::count(above as u64)),
        (_, below) => format!("{} {} below", theme.sign(Sign::Below), format::count(below as u64)),
    };
    (total, position)
}

fn title(app: &App, theme: Theme) -> Vec<Span<'static>> {
    let quiet = theme.style(Role::Quiet);
    let mut spans = match app.selected_node() {
        None => {
            let mut spans = pane::title("run ", theme);
            spans.push(Span::styled(app.shown_run().run_id.short(), quiet));
            spans
        }
        Some(node) => {
            let mut spans = text::cut(node.id.as_str(), 40, theme.style(Role::Strong), theme);
            if let Some(node_type) = &node.node_type {
                spans.push(Span::raw("  "));
                spans.extend(text::cut(node_type.as_str(), 24, quiet, theme));
            }
            spans
        }
    };
    if app.selection == Selection::Follow && !app.shown_run().has_ended() {
        spans.push(Span::styled(format!("  {} following", theme.sign(Sign::Dot)), theme.style(Role::Active)));
    }
    spans
}

/// The tabs with their counts; where these do not fit, without.
fn tabs(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    let shown = app.shown_tab();
    let row = |counted: bool| {
        let mut spans = Vec::new();
        for tab in app.tabs() {
            let count = count(app, tab).filter(|_| counted).map(|count| format!(" {count}")).unwrap_or_default();
            let label = format!("{}{count}", tab.title());
            if tab == shown {
                let style = theme.style(Role::Strong).add_modifier(Modifier::UNDERLINED);
                spans.extend([Span::raw("["), Span::styled(label, style), Span::raw("]")]);
            } else {
                spans.push(Span::styled(format!(" {label} "), theme.style(Role::Quiet)));
            }
        }
        spans
    };
    let counted = row(true);
    let fits = text::spans_width(&counted) <= usize::from(area.width);
    pane::row(if fits { counted } else { row(false) }, 0, area, buf);
}

/// How many things a tab lists, in words; `None` where it lists none, or where the number says nothing.
fn count(app: &App, tab: Tab) -> Option<String> {
    let (node, tally) = (app.selected_node(), app.shown_run().tally());
    let count = match tab {
        Tab::Tasks => return app.tasks.progress().map(|(done, all)| format!("{done}/{all}")),
        Tab::Output | Tab::Events => 0,
        Tab::Runs => app.related_runs().len() as u64,
        Tab::Steps => node.map_or(tally.steps, |node| node.steps.count()),
        Tab::Calls => node.map_or(tally.calls, |node| node.calls.len() as u64 + node.dropped_calls),
    };
    (count > 0).then(|| format::count(count))
}
