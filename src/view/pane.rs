//! What every pane shares: a border with a title, rows of text, a selected row.
//!
//! ```text
//! ╭ Title ────────────╮     ┏ Title ━━━━━━━━━━━━┓ keys go here
//! │ rows              │     ┃ rows              ┃
//! ╰───────── ↓ 3 more ╯     ┗━━━━━━━━━ ↓ 3 more ┛
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

use super::format;
use super::text;
use super::theme::{Role, Sign, Theme};
use crate::app::layout;

/// A border with its title, and words at the lower right, all inert already.
pub(super) struct Pane {
    pub(super) title: Vec<Span<'static>>,
    pub(super) below: Vec<Span<'static>>,
    pub(super) focused: bool,
    /// The role of the border where it is not the usual one.
    pub(super) role: Option<Role>,
}

impl Pane {
    pub(super) fn new(title: Vec<Span<'static>>, focused: bool) -> Self {
        Self { title, below: Vec::new(), focused, role: None }
    }

    /// Draws the border over whatever stood there; returns its inside.
    pub(super) fn render(self, theme: Theme, area: Rect, buf: &mut Buffer) -> Rect {
        Clear.render(area, buf);
        let role = self.role.unwrap_or(if self.focused { Role::Active } else { Role::Quiet });
        let padded = |spans: Vec<Span<'static>>| {
            let mut line = vec![Span::raw(" ")];
            line.extend(spans);
            line.push(Span::raw(" "));
            // The words stand on the border, and do not take its looks.
            Line::from(line).style(Style::new().fg(Color::Reset).remove_modifier(Modifier::DIM | Modifier::BOLD))
        };
        let mut block = Block::bordered().border_set(theme.border(self.focused)).border_style(theme.style(role));
        if !self.title.is_empty() {
            block = block.title(padded(self.title));
        }
        if !self.below.is_empty() {
            block = block.title_bottom(padded(self.below).right_aligned());
        }
        block.render(area, buf);
        layout::inside(area)
    }

    /// The same, with a column of space on both sides of a text.
    pub(super) fn render_padded(self, theme: Theme, area: Rect, buf: &mut Buffer) -> Rect {
        padded(self.render(theme, area, buf))
    }
}

fn padded(inner: Rect) -> Rect {
    inner.inner(Margin::new(1.min(inner.width / 3), 0))
}

/// The columns of a text in a bordered, padded region.
pub(super) fn text_columns(area: Rect) -> usize {
    usize::from(padded(layout::inside(area)).width).max(1)
}

/// Writes words into the lower border, at its right end.
pub(super) fn corner(words: &str, theme: Theme, area: Rect, buf: &mut Buffer) {
    if words.is_empty() || area.height == 0 {
        return;
    }
    let room = usize::from(area.width.saturating_sub(4));
    let mut spans = vec![Span::raw(" ")];
    spans.extend(text::cut(words, room, theme.style(Role::Quiet), theme));
    spans.push(Span::raw(" "));
    // The words stand on the border, and do not take its looks.
    let line = Line::from(spans).style(Style::reset());
    let width = u16::try_from(line.width()).unwrap_or(area.width).min(area.width);
    buf.set_line((area.right() - width).saturating_sub(1).max(area.x), area.bottom() - 1, &line, width);
}

/// Draws rows from the top of `area`; what does not fit is left out.
pub(super) fn rows<'a>(lines: impl IntoIterator<Item = &'a Line<'a>>, area: Rect, buf: &mut Buffer) {
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        buf.set_line(area.x, y, line, area.width);
    }
}

/// Draws one row, `row` rows under the top of `area`.
pub(super) fn row(spans: Vec<Span<'_>>, row: usize, area: Rect, buf: &mut Buffer) {
    if let Ok(offset) = u16::try_from(row)
        && offset < area.height
    {
        buf.set_line(area.x, area.y + offset, &Line::from(spans), area.width);
    }
}

/// Marks a drawn row as the one that keys act on: reversed as a whole, without the colours of its parts.
pub(super) fn select(row: usize, area: Rect, buf: &mut Buffer) {
    let Some(y) = u16::try_from(row).ok().filter(|row| *row < area.height) else { return };
    let style =
        Style::new().fg(Color::Reset).bg(Color::Reset).remove_modifier(Modifier::DIM).add_modifier(Modifier::REVERSED);
    buf.set_style(Rect::new(area.x, area.y + y, area.width, 1), style);
}

/// The sign in front of a row of a list.
pub(super) fn marker(selected: bool, theme: Theme) -> Span<'static> {
    if selected {
        Span::styled(format!("{} ", theme.sign(Sign::Selected)), theme.style(Role::Strong))
    } else {
        Span::raw("  ")
    }
}

/// The words for what a scrolled text has under its last shown row.
pub(super) fn more_below(rows: usize, theme: Theme) -> Vec<Span<'static>> {
    if rows == 0 {
        return Vec::new();
    }
    let text = format!("{} {} more below", theme.sign(Sign::Below), format::count(rows as u64));
    vec![Span::styled(text, theme.style(Role::Attention))]
}

/// A title in bold.
pub(super) fn title(text: &str, theme: Theme) -> Vec<Span<'static>> {
    text::inert(text, theme.style(Role::Strong), theme)
}
