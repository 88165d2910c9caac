//! Draws the state: one file a region, all looks in one place, foreign text made inert in one place.
//!
//! ```text
//! relay-console  prod  550e8400  ⏸ waiting  00:04:12        ● live  $0.42  ⏸ 2 wait, oldest 00:48
//! ╭ Nodes 7/9 ─────────────────────────────╮╭ diagnose  llm.responses ──────────────────╮
//! ╰─────────────────────────────────────────╯│                                           │
//! ╭ Cost $0.42 ────────────────────────────╮│                                           │
//! ╰─────────────────────────────────────────╯╰───────────────────────────────────────────╯
//! ╭ Waiting for you 2 ─────────────────────────────────────────────────────────────────────╮
//! ╰─────────────────────────────────────────────────────────────────────────────────────────╯
//!  Enter answer   w next call   ? help   q quit
//! ```
//!
//! Rules: drawing changes nothing but its [`Cache`]; geometry is [`crate::app::layout`]'s alone, since the reducer
//! scrolls by it; what came from a server reaches a cell only through `text`.

mod answer;
mod blocks;
mod cache;
mod cost;
mod detail;
mod first_line;
mod footer;
pub mod format;
mod json;
mod nodes;
pub mod odd;
mod orphan;
mod page;
mod palette;
mod pane;
mod past;
pub mod picture;
mod review;
mod stream;
pub mod text;
mod theme;
mod too_small;
mod waiting;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

pub use cache::Cache;
pub use detail::gist;
pub use theme::Theme;

use crate::app::{App, Layout, Measured, Mode, Pane};

/// Draws the whole screen; returns what only drawing can know.
pub fn draw(app: &App, theme: &Theme, cache: &mut Cache, frame: &mut Frame<'_>) -> Measured {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let (measured, cursor) = if frame.area() == area {
        render(app, *theme, cache, frame.buffer_mut())
    } else {
        // The window has changed and the state does not know yet: what fits is shown until it does.
        let mut canvas = Buffer::empty(area);
        let drawn = render(app, *theme, cache, &mut canvas);
        copy(&canvas, frame.buffer_mut());
        drawn
    };
    if let Some(cursor) = cursor.filter(|cursor| frame.area().contains(*cursor)) {
        frame.set_cursor_position(cursor);
    }
    cache.end_frame();
    measured
}

fn copy(from: &Buffer, to: &mut Buffer) {
    for position in from.area.intersection(to.area).positions() {
        if let (Some(from), Some(to)) = (from.cell(position), to.cell_mut(position)) {
            to.clone_from(from);
        }
    }
}

fn render(app: &App, theme: Theme, cache: &mut Cache, buf: &mut Buffer) -> (Measured, Option<Position>) {
    let notice = footer::notice_rows(app, theme, buf.area.width);
    let layout = app.layout_with(notice);
    if layout.too_small {
        too_small::render(app, theme, buf.area, buf);
        return (app.measured, None);
    }
    let mut measured = Measured { notice, ..app.measured };
    cache.begin_frame(app.past_run().map(|run| run.last_seq));
    first_line::render(app, theme, layout.first_line, buf);
    if let Some(past) = &app.past {
        past::render(app, past, theme, layout.past, buf);
    }
    let between = Rect {
        y: layout.first_line.bottom(),
        height: layout.footer.y.saturating_sub(layout.first_line.bottom()),
        ..layout.first_line
    };
    let mut cursor = None;
    if let Mode::Page(page) = &app.mode {
        measured.page = page::render(app, page, theme, cache, between, buf);
    } else {
        measured.detail = panes(app, theme, cache, &layout, buf).unwrap_or(measured.detail);
        match &app.mode {
            Mode::Answering(answering) => {
                (measured.arguments, cursor) = answer::render(app, answering, theme, cache, &layout, buf);
            }
            Mode::Review(review) => {
                measured.review = review::render(app, review, theme, cache, &layout, buf);
            }
            Mode::Palette { input, selected } => {
                cursor = palette::render(input, *selected, theme, between, buf);
            }
            Mode::Browse | Mode::Filter { .. } | Mode::Search { .. } | Mode::Page(_) => {}
        }
    }
    let prompt = footer::render(app, theme, layout.footer, buf);
    (measured, prompt.or(cursor))
}

/// Draws the panes; returns the rows of the detail pane's text where it is shown.
fn panes(app: &App, theme: Theme, cache: &mut Cache, layout: &Layout, buf: &mut Buffer) -> Option<usize> {
    if !layout.waiting.is_empty() {
        waiting::render(app, theme, layout.waiting, buf);
    }
    if layout.wide {
        nodes::render(app, theme, layout.nodes, buf);
        cost::render(app, theme, layout.cost, buf);
        return Some(detail::render(app, theme, cache, layout.detail, buf));
    }
    match app.focus {
        Pane::Nodes | Pane::Waiting => nodes::render(app, theme, layout.nodes, buf),
        Pane::Cost => cost::render(app, theme, layout.cost, buf),
        Pane::Detail => return Some(detail::render(app, theme, cache, layout.detail, buf)),
    }
    None
}

#[cfg(test)]
mod tests;
