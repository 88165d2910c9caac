//! Pages that are only read: help, an event or a step in full, a rejected line, everything that was said, what was odd about
//! the stream.
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

use super::blocks::{self, Block};
use super::cache::{Cache, What};
use super::pane::{self, Pane};
use super::theme::{Role, Theme};
use super::{detail, format, json, orphan, stream, text};
use crate::app::{App, Level, Page, PageContent, keys};

/// Draws the page; returns its rows.
pub(super) fn render(app: &App, page: &Page, theme: Theme, cache: &mut Cache, area: Rect, buf: &mut Buffer) -> usize {
    let columns = pane::text_columns(area);
    let title = match &page.content {
        PageContent::Help => "Help".to_owned(),
        PageContent::Event { seq, .. } => format!("Event {}", format::count(*seq)),
        PageContent::Step { key, .. } => format!("Step {} of {}", key.step, key.node_id),
        PageContent::Rejected { .. } => "Rejected line".to_owned(),
        PageContent::Orphan { key } => orphan::title(app, key),
        PageContent::Notices => "What was said".to_owned(),
        PageContent::Stream => "The event stream".to_owned(),
    };
    let quiet = theme.style(Role::Quiet);
    let blocks = match &page.content {
        PageContent::Help => vec![Block::Made(help(theme, columns))],
        PageContent::Event { line: None, .. } => vec![Block::Made(text::wrap("loading", columns, quiet, theme))],
        PageContent::Event { line: Some(Err(why)), .. } => {
            let words = format!("could not be read: {why}. r reads it again");
            vec![Block::Made(text::wrap(&words, columns, theme.style(Role::Bad), theme))]
        }
        PageContent::Event { seq, line: Some(Ok(line)) } => {
            vec![Block::Kept(cache.rows(What::Event { seq: *seq, read: true }, columns, theme, || {
                json::rows(line, columns, Role::Plain, theme)
            }))]
        }
        PageContent::Step { key, read, answers } => {
            detail::step::blocks(&detail::Context { app, theme, columns }, cache, key, read.as_ref(), *answers)
        }
        PageContent::Rejected { reason, line } => vec![
            Block::Made(text::wrap(reason, columns, theme.style(Role::Bad), theme)),
            Block::Made(vec![Line::default()]),
            Block::Made(text::wrap(line, columns, theme.style(Role::Plain), theme)),
        ],
        PageContent::Orphan { key } => vec![Block::Made(orphan::rows(app, key, theme, columns))],
        PageContent::Notices => vec![Block::Made(notices(app, theme, columns))],
        PageContent::Stream => vec![Block::Made(stream::rows(&detail::Context { app, theme, columns }))],
    };
    let (total, height) = (blocks::total(&blocks), usize::from(area.height.saturating_sub(2)));
    let first = page.scroll.min(total.saturating_sub(height));
    let mut bordered = Pane::new(pane::title(&title, theme), true);
    bordered.below = pane::more_below(total.saturating_sub(first + height), theme);
    let inner = bordered.render_padded(theme, area, buf);
    pane::rows(blocks::visible(&blocks, first, height), inner, buf);
    total
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
