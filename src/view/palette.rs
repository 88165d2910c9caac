//! The palette: a command is found by its name.
//!
//! ```text
//! ┏ Commands ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
//! ┃ : fil▏                                                  ┃
//! ┃ ▸ filter          /       Show only the nodes whose …   ┃
//! ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;

use super::pane::{self, Pane};
use super::text;
use super::theme::{Role, Theme};
use crate::app::{keys, layout, reduce};

/// Draws the palette over `area`; returns where the cursor stands.
pub(super) fn render(input: &str, selected: usize, theme: Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let commands = reduce::browse::palette(input);
    let width = area.width.min(96);
    let wanted = u16::try_from(commands.len()).unwrap_or(u16::MAX).clamp(1, 14) + 3;
    let height = area.height.min(wanted);
    let area = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 3, width, height };
    let inner = Pane::new(pane::title("Commands", theme), true).render(theme, area, buf);

    let mut prompt = vec![Span::styled(" : ", theme.style(Role::Active))];
    prompt.extend(text::inert(input, theme.style(Role::Plain), theme));
    let column = u16::try_from(text::spans_width(&prompt)).unwrap_or(u16::MAX);
    pane::row(prompt, 0, inner, buf);
    if commands.is_empty() {
        pane::row(vec![Span::styled("   no command has that in its name", theme.style(Role::Quiet))], 1, inner, buf);
    }
    let rows = usize::from(inner.height.saturating_sub(1));
    let first = layout::first_shown(selected, commands.len(), rows);
    for (at, command) in commands.iter().enumerate().skip(first).take(rows) {
        let mut spans = vec![pane::marker(at == selected, theme)];
        spans.extend(text::left(command.name(), 16, theme.style(Role::Strong), theme));
        let chord = keys::chord_of(keys::Context::Browse, *command).unwrap_or_default();
        spans.extend(text::left(&chord, 11, theme.style(Role::Active), theme));
        let room = usize::from(inner.width).saturating_sub(text::spans_width(&spans));
        spans.extend(text::cut(command.doc(), room, theme.style(Role::Quiet), theme));
        pane::row(spans, at - first + 1, inner, buf);
        if at == selected {
            pane::select(at - first + 1, inner, buf);
        }
    }
    (!inner.is_empty()).then(|| Position::new((inner.x + column).min(inner.right() - 1), inner.y))
}
