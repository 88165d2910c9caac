//! The screen of a window in which nothing can be laid out.
//!
//! ```text
//! The window is too small: 40x10.
//! Make it 60x16 or larger, or q to quit.
//! 2 calls wait for you.
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::theme::{Role, Theme};
use super::{format, pane, text};
use crate::app::{App, layout};

pub(super) fn render(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width).max(2);
    let (width, height) = layout::MINIMUM;
    let mut rows = text::wrap(
        &format!("The window is too small: {}x{}.", area.width, area.height),
        columns,
        theme.style(Role::Attention),
        theme,
    );
    let words = format!("Make it {width}x{height} or larger; q quits.");
    rows.extend(text::wrap(&words, columns, theme.style(Role::Plain), theme));
    let waiting = app.run.pending.len();
    if waiting > 0 {
        let wait = if waiting == 1 { "waits" } else { "wait" };
        let words = format!("{} {wait} for you.", format::plural(waiting as u64, "call"));
        rows.extend(text::wrap(&words, columns, theme.style(Role::Attention), theme));
    }
    pane::rows(&rows, area, buf);
}
