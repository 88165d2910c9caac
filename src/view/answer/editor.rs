//! The text that is being written, in the text area's own rows, with the terminal's own cursor.
//!
//! The text area draws by its own styles; what it drew is then put into ours. Rule: a character that must not reach
//! the terminal becomes its mark, whatever the text area made of it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthChar;

use super::super::pane::{self, Pane};
use super::super::theme::{Role, Sign, Theme};
use super::super::{format, text};
use crate::app::editor::Editor;
use crate::app::{Answering, App, Side, inert};

/// Draws the editor; returns where the cursor stands.
pub(super) fn render(app: &App, answering: &Answering, theme: Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let writing = answering.side != Side::Arguments;
    let (lines, bytes) = (answering.editor.area().lines(), answering.editor.bytes());
    let mut pane = Pane::new(title(app, answering, theme), writing);
    let (line, column) = answering.editor.place();
    let size = format!(
        "{line}:{column} {} {}, {}",
        theme.sign(Sign::Dot),
        format::plural(lines.len() as u64, "line"),
        format::bytes(bytes as u64)
    );
    pane.below = vec![Span::styled(size, theme.style(Role::Quiet))];
    let inner = pane.render_padded(theme, area, buf);
    if inner.is_empty() {
        return None;
    }
    let widget = answering.editor.area();
    widget.render(inner, buf);
    restyle(&answering.editor, theme, inner, buf);
    if bytes == 0 {
        placeholder(app, answering, theme, inner, buf);
    }
    let (cursor, scroll) = (widget.screen_cursor(), widget.scroll_offset());
    let column = cursor.col.checked_sub(scroll.1.into())?;
    let row = cursor.row.checked_sub(scroll.0.into())?;
    let x = inner.x + u16::try_from(column).ok()?.min(inner.width - 1);
    let y = inner.y + u16::try_from(row).ok()?;
    (writing && y < inner.bottom()).then_some(Position::new(x, y))
}

fn title(app: &App, answering: &Answering, theme: Theme) -> Vec<Span<'static>> {
    let is_error = app.answers.get(&answering.key).is_some_and(|answer| answer.is_error);
    let (words, role) = match (is_error, app.question(&answering.key)) {
        (true, _) => ("Your ERROR result", Role::Bad),
        (false, Some(_)) => ("Your answer", Role::Strong),
        (false, None) => ("Your result", Role::Strong),
    };
    let mut spans = pane::title(words, theme);
    for span in &mut spans {
        span.style = theme.style(role);
    }
    let step = &answering.key.step;
    let place = format!(" to {} {}", step.node_id, step.step);
    spans.extend(text::cut(&place, 32, theme.style(Role::Quiet), theme));
    spans
}

/// What may be written, while nothing is.
fn placeholder(app: &App, answering: &Answering, theme: Theme, area: Rect, buf: &mut Buffer) {
    let words = match app.question(&answering.key) {
        Some(question) if question.options.is_empty() => "your answer",
        Some(question) if question.allow_freeform => "your answer, or Up and Down for an option",
        Some(_) => "Up and Down choose an option",
        None => "the tool's result, mostly JSON; Ctrl-X t for an error",
    };
    pane::row(text::cut(words, usize::from(area.width), theme.style(Role::Quiet), theme), 0, area, buf);
}

/// Takes the text area's styles away but for the selection, and puts marks where they belong.
fn restyle(editor: &Editor, theme: Theme, area: Rect, buf: &mut Buffer) {
    for position in area.positions() {
        let Some(cell) = buf.cell_mut(position) else { continue };
        // The text area marks its cursor by reversing and a selection by a background: the cursor here is the
        // terminal's own, and a selection is reversed.
        let selected = cell.bg != Color::Reset;
        let mut style = Style::reset();
        if selected {
            style = style.add_modifier(Modifier::REVERSED);
        }
        if let Some((shown, marked)) = shown(editor, cell.symbol(), theme) {
            if marked {
                style = style.patch(theme.style(Role::Mark));
            }
            cell.set_char(shown);
        } else if let Some(bounded) = text::bounded(cell.symbol()) {
            cell.set_symbol(&bounded);
        }
        cell.set_style(style);
    }
}

/// What a cell shows in which a character stands for another, and whether that is a mark.
fn shown(editor: &Editor, symbol: &str, theme: Theme) -> Option<(char, bool)> {
    let first = symbol.chars().next()?;
    let original = editor.hidden(first).or_else(|| inert::is_hidden(first).then_some(first))?;
    match inert::mark(original) {
        // A character for private use, which some fonts have pictures for, stood in the way of those that stand in.
        None if original.width() == Some(1) => Some((original, false)),
        _ if theme.ascii => Some(('?', true)),
        mark => Some((mark.unwrap_or('¿'), true)),
    }
}
