//! The detail pane: one node, or the run itself, in three tabs.
//!
//! ```text
//! ╭ diagnose  llm.responses ───────────────────────────╮
//! │ [Output]  Calls 2  Events 31            ↓ 12 below │
//! │ ● running  step 3  01:12  31.0k in  2.2k out  ~0.21│
//! │ The error rate rose at 14:02, right after the      │
//! ╰────────────────────────────────────────────────────╯
//! ```
//!
//! Rule: the first inner row is the tabs; the rest is a text of [`Measured::detail`](crate::app::Measured) rows, by
//! which the reducer scrolls.

mod calls;
mod events;
mod output;
mod run;
mod scheduler;

pub use events::gist;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::cache::Cache;
use super::pane::{self, Pane};
use super::theme::{Role, Sign, Theme};
use super::{format, text};
use crate::app::{App, Pane as Focus, Scroll, Selection, Tab};

/// Rows that were made for this frame, or are kept.
enum Block<'a> {
    Made(Vec<Line<'static>>),
    Kept(Arc<[Line<'static>]>),
    Stream(&'a [Line<'static>]),
}

impl Block<'_> {
    fn rows(&self) -> &[Line<'static>] {
        match self {
            Self::Made(rows) => rows,
            Self::Kept(rows) => rows,
            Self::Stream(rows) => rows,
        }
    }
}

/// What every part of the pane is drawn with.
#[derive(Clone, Copy)]
struct Context<'a> {
    app: &'a App,
    theme: Theme,
    columns: usize,
}

impl Context<'_> {
    fn words(&self, role: Role, words: &str) -> Vec<Line<'static>> {
        text::wrap(words, self.columns, self.theme.style(role), self.theme)
    }

    /// A thin line with words in it, which sets a part off from the one before.
    fn rule(&self, words: &str) -> Line<'static> {
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
    if app.detail.tab == Tab::Events {
        let (rows, position) = events::render(&context, body, buf);
        tabs(app, theme, &position, inner, buf);
        return rows;
    }
    let blocks = match app.detail.tab {
        Tab::Calls => calls::blocks(&context, cache),
        Tab::Output | Tab::Events => output::blocks(&context, cache),
    };
    let total: usize = blocks.iter().map(|block| block.rows().len()).sum();
    let last = total.saturating_sub(usize::from(body.height));
    let first = match app.detail.scroll {
        Scroll::Tail => last,
        Scroll::At(row) => row.min(last),
    };
    let mut skip = first;
    let mut shown = Vec::new();
    for block in &blocks {
        let rows = block.rows();
        let from = skip.min(rows.len());
        skip -= from;
        shown.extend(rows[from..].iter().take(usize::from(body.height) - shown.len().min(usize::from(body.height))));
    }
    pane::rows(shown, body, buf);
    let position = match (first, last - first) {
        (0, 0) => String::new(),
        (above, 0) => format!("{above} above"),
        (_, below) => format!("{} {} below", theme.sign(Sign::Below), format::count(below as u64)),
    };
    tabs(app, theme, &position, inner, buf);
    total
}

fn title(app: &App, theme: Theme) -> Vec<Span<'static>> {
    let quiet = theme.style(Role::Quiet);
    let mut spans = match app.selected_node() {
        None => {
            let mut spans = pane::title("run ", theme);
            spans.push(Span::styled(app.run.run_id.short(), quiet));
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
    if app.selection == Selection::Follow && !app.run.has_ended() {
        spans.push(Span::styled(format!("  {} following", theme.sign(Sign::Dot)), theme.style(Role::Active)));
    }
    spans
}

fn tabs(app: &App, theme: Theme, position: &str, area: Rect, buf: &mut Buffer) {
    let node = app.selected_node();
    let calls = match node {
        Some(node) => node.calls.len() as u64 + node.dropped_calls,
        None => app.run.nodes.values().map(|node| node.calls.len() as u64 + node.dropped_calls).sum(),
    };
    let mut spans = Vec::new();
    for tab in Tab::ALL {
        let count = if tab == Tab::Calls && calls > 0 { format!(" {}", format::count(calls)) } else { String::new() };
        let label = format!("{}{count}", tab.title());
        if tab == app.detail.tab {
            let style = theme.style(Role::Strong).add_modifier(Modifier::UNDERLINED);
            spans.push(Span::raw("["));
            spans.push(Span::styled(label, style));
            spans.push(Span::raw("] "));
        } else {
            spans.push(Span::styled(format!(" {label}  "), theme.style(Role::Quiet)));
        }
    }
    let room = usize::from(area.width).saturating_sub(text::spans_width(&spans));
    spans.extend(text::right(position, room, theme.style(Role::Quiet), theme));
    pane::row(spans, 0, area, buf);
}
