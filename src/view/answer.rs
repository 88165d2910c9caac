//! Writing an answer: what is asked on the left (above, in a narrow window), the text on the right, its state below.
//!
//! ```text
//! ╭ roll_back_deploy  arguments 34 B ──────╮┏ Your result to roll_back 1 ━━━━━━━━━━━━━┓
//! │ {                                      │┃ {"ok": true}▏                           ┃
//! │   "service": "api"                     │┃                                         ┃
//! ╰──────────────────────── ↓ 3 more below ╯┗━━━━━━━━━━━━━━━━━━━ 1:13 · 1 line, 12 B ━━┛
//!  ✓ valid JSON   · saved 00:05 ago
//! ```

mod arguments;
mod draft_state;
mod editor;

use ratatui::buffer::Buffer;
use ratatui::layout::Position;

use super::cache::Cache;
use super::theme::Theme;
use crate::app::{Answering, App, Layout};

/// Draws the open answer; returns the rows of its arguments and where the cursor stands.
pub(super) fn render(
    app: &App,
    answering: &Answering,
    theme: Theme,
    cache: &mut Cache,
    layout: &Layout,
    buf: &mut Buffer,
) -> (usize, Option<Position>) {
    let rows = arguments::render(app, answering, theme, cache, layout.arguments, buf);
    let cursor = editor::render(app, answering, theme, layout.editor, buf);
    draft_state::render(app, answering, theme, layout.draft_state, buf);
    (rows, cursor)
}
