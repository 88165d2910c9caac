//! Pages that are only read: help, an event in full, a rejected line, everything that was said.
//!
//! ```text
//! ┏ Help ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
//! ┃ Everywhere                                        ┃
//! ┃   Enter      Answer the selected call; …          ┃
//! ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ ↓ 40 more below ┛
//! ```
//!
//! Rule: a page covers everything between the first line and the footer, by which the reducer scrolls it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::cache::{Cache, What};
use super::pane::{self, Pane};
use super::theme::{Role, Theme};
use super::{format, text};
use crate::app::{App, Level, Page, PageContent, json, keys};

/// Draws the page; returns its rows.
pub(super) fn render(app: &App, page: &Page, theme: Theme, cache: &mut Cache, area: Rect, buf: &mut Buffer) -> usize {
    let columns = pane::text_columns(area);
    let title = match &page.content {
        PageContent::Help => "Help".to_owned(),
        PageContent::Event { seq, .. } => format!("Event {}", format::count(*seq)),
        PageContent::Rejected { .. } => "Rejected line".to_owned(),
        PageContent::Notices => "What was said".to_owned(),
    };
    let quiet = theme.style(Role::Quiet);
    let rows: std::sync::Arc<[Line<'static>]> = match &page.content {
        PageContent::Help => help(theme, columns).into(),
        PageContent::Event { line: None, .. } => text::wrap("loading", columns, quiet, theme).into(),
        PageContent::Event { line: Some(Err(why)), .. } => {
            text::wrap(&format!("could not be read: {why}"), columns, theme.style(Role::Bad), theme).into()
        }
        PageContent::Event { seq, line: Some(Ok(line)) } => {
            cache.rows(What::Event { seq: *seq, read: true }, columns, theme, || {
                let pretty = json::pretty(line);
                text::wrap(pretty.as_deref().unwrap_or(line), columns, theme.style(Role::Plain), theme)
            })
        }
        PageContent::Rejected { reason, line } => {
            let mut rows = text::wrap(reason, columns, theme.style(Role::Bad), theme);
            rows.push(Line::default());
            rows.extend(text::wrap(line, columns, theme.style(Role::Plain), theme));
            rows.into()
        }
        PageContent::Notices => notices(app, theme, columns).into(),
    };
    let height = usize::from(area.height.saturating_sub(2));
    let first = page.scroll.min(rows.len().saturating_sub(height));
    let mut bordered = Pane::new(pane::title(&title, theme), true);
    bordered.below = pane::more_below(rows.len().saturating_sub(first + height), theme);
    let inner = bordered.render_padded(theme, area, buf);
    pane::rows(rows[first..].iter(), inner, buf);
    rows.len()
}

fn help(theme: Theme, columns: usize) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for context in keys::Context::ALL {
        if !rows.is_empty() {
            rows.push(Line::default());
        }
        rows.push(Line::from(pane::title(context.title(), theme)));
        let bindings = || keys::KEYS.iter().filter(|binding| binding.context == *context);
        let widest = bindings().map(|binding| keys::chords(binding).len()).max().unwrap_or(0);
        for binding in bindings() {
            let chords = keys::chords(binding);
            let words = columns.saturating_sub(widest + 4).max(10);
            let docs = text::wrap(binding.command.doc(), words, theme.style(Role::Plain), theme);
            for (at, mut row) in docs.into_iter().enumerate() {
                let mut head = vec![Span::raw("  ")];
                let chords = if at == 0 { chords.as_str() } else { "" };
                head.extend(text::left(chords, widest, theme.style(Role::Active), theme));
                head.push(Span::raw("  "));
                head.append(&mut row.spans);
                rows.push(Line::from(head));
            }
        }
    }
    rows
}

fn notices(app: &App, theme: Theme, columns: usize) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for notice in app.notices.iter().rev() {
        let role = level_role(notice.level);
        let ago = format::age(app.now.uptime.saturating_sub(notice.at));
        let words = text::wrap(&notice.text, columns.saturating_sub(12).max(10), theme.style(role), theme);
        for (at, mut row) in words.into_iter().enumerate() {
            let ago = if at == 0 { format!("{ago:>7} ago ") } else { " ".repeat(12) };
            row.spans.insert(0, Span::styled(ago, theme.style(Role::Quiet)));
            rows.push(row);
        }
    }
    if rows.is_empty() {
        rows.extend(text::wrap("nothing was said yet", columns, theme.style(Role::Quiet), theme));
    }
    rows
}

pub(super) fn level_role(level: Level) -> Role {
    match level {
        Level::Info => Role::Plain,
        Level::Good => Role::Good,
        Level::Error => Role::Bad,
    }
}
