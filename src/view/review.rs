//! The review: what goes where, before anything is sent.
//!
//! ```text
//! ┏ Review: nothing is sent yet ━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
//! ┃ server prod   run 550e8400-…                           ┃
//! ┃ node roll_back, step 1   tool roll_back_deploy         ┃
//! ┃ a result, valid JSON, 34 B, no hidden characters       ┃
//! ┃ ── what is sent ───────────────────────────────────────┃
//! ┃ {"ok": true}                                           ┃
//! ┗ Enter sends   a this or all   Esc back ━━━━━━━━━━━━━━━━┛
//! ```
//!
//! Rule: what is shown is what is sent, byte for byte but for marks and wrapping, to its last row.

use std::hash::{DefaultHasher, Hash, Hasher};

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::blocks::{self, Block};
use super::cache::{Cache, What};
use super::pane::{self, Pane};
use super::theme::{Role, Sign, Theme};
use super::{format, text};
use crate::api::tool::{CallKey, ToolResult};
use crate::app::{Answer, App, Check, Layout, REVIEW_GUARD, Review, inert, keys};
use crate::submission::unrecorded;

/// Draws the review; returns the rows of its text.
pub(super) fn render(
    app: &App,
    review: &Review,
    theme: Theme,
    cache: &mut Cache,
    layout: &Layout,
    buf: &mut Buffer,
) -> usize {
    let area = layout.review();
    let armed = review.drawn_at.is_some_and(|at| app.now.uptime >= at + REVIEW_GUARD);
    let mut pane = Pane::new(pane::title("Review: nothing is sent yet", theme), true);
    pane.role = Some(Role::Attention);
    let columns = pane::text_columns(area);
    let mut blocks = vec![Block::Made(head(app, review, theme, columns))];
    for (at, key) in review.keys.iter().enumerate() {
        let result = review.results.iter().find(|result| result.tool_call.id == key.call_id);
        let Some((answer, result)) = app.answers.get(key).zip(result) else { continue };
        blocks.extend(call_blocks(app, key, (answer, result), (at, review.keys.len()), theme, columns, cache));
    }
    let (total, height) = (blocks::total(&blocks), layout.review_height());
    let first = review.scroll.min(total.saturating_sub(height));
    pane.below = pane::more_below(total.saturating_sub(first + height), theme);
    let inner = pane.render_padded(theme, area, buf);
    pane::rows(blocks::visible(&blocks, first, height), inner, buf);
    pane::row(prompt(app, review, armed, total > height, theme), height, inner, buf);
    total
}

fn head(app: &App, review: &Review, theme: Theme, columns: usize) -> Vec<Line<'static>> {
    let step = &review.answering.key.step;
    let mut rows = Vec::new();
    let quiet = theme.style(Role::Quiet);
    let strong = theme.style(Role::Strong);
    let mut facts = |facts: &[(&str, &str)]| {
        let mut spans = Vec::new();
        for (label, value) in facts {
            spans.push(Span::styled(format!("{label} "), quiet));
            spans.extend(text::cut(value, columns.saturating_sub(10), strong, theme));
            spans.push(Span::raw("   "));
        }
        rows.push(Line::from(spans));
    };
    let run = app.run.run_id.to_string();
    if columns >= 76 {
        facts(&[("server", &app.identity.server), ("run", &run)]);
    } else {
        facts(&[("server", &app.identity.server)]);
        facts(&[("run", &run)]);
    }
    facts(&[("node", step.node_id.as_str()), ("step", &step.step.to_string())]);
    if let Some(why) = &app.unrecorded {
        rows.extend(text::wrap(&unrecorded(why), columns, theme.style(Role::Bad), theme));
    }
    rows
}

/// One call of the review: its tool, what its answer is worth, and the text itself.
fn call_blocks(
    app: &App,
    key: &CallKey,
    (answer, result): (&Answer, &ToolResult),
    (at, of): (usize, usize),
    theme: Theme,
    columns: usize,
    cache: &mut Cache,
) -> [Block<'static>; 2] {
    let sent = result.error.as_deref().unwrap_or(&result.output);
    let (role, kind) = match answer.check(app.question(key)) {
        Check::Json => (Role::Good, "a result, valid JSON"),
        Check::Text(_) => (Role::Attention, "a result, as text: it is not JSON"),
        Check::Error => (Role::Bad, "an ERROR result"),
        Check::Choice => (Role::Good, "an answer, one of the options"),
        Check::Freeform => (Role::Good, "an answer of your own"),
        Check::Empty | Check::NotAChoice => (Role::Bad, "nothing that can be sent"),
    };
    let number = if of > 1 { format!("{} of {of}  ", at + 1) } else { String::new() };
    let mut spans = vec![Span::styled(format!("{number}tool "), theme.style(Role::Quiet))];
    spans.extend(text::cut(answer.tool.as_str(), columns / 2, theme.style(Role::Strong), theme));
    spans.push(Span::styled("   call ", theme.style(Role::Quiet)));
    spans.extend(text::cut(key.call_id.as_str(), columns / 4, theme.style(Role::Quiet), theme));
    let mut rows = vec![Line::default(), Line::from(spans)];
    let hidden = if *sent == *answer.text { answer.text.hidden() } else { inert::count_hidden(sent) };
    let mut words = vec![
        Span::styled(kind, theme.style(role)),
        Span::styled(format!("   {}", format::bytes(sent.len() as u64)), theme.style(Role::Plain)),
    ];
    words.push(match hidden {
        0 => Span::styled("   no hidden characters", theme.style(Role::Quiet)),
        hidden => Span::styled(
            format!("   {} {}", theme.sign(Sign::Warning), format::plural(hidden as u64, "hidden character")),
            theme.style(Role::Bad),
        ),
    });
    rows.push(Line::from(words));
    let text = cache.rows(What::Sent(key.clone(), hash(sent)), columns, theme, || {
        let mut rows = text::wrap(sent, columns.saturating_sub(2), Style::new(), theme);
        for row in &mut rows {
            row.spans.insert(0, Span::raw("  "));
        }
        rows
    });
    [Block::Made(rows), Block::Kept(text)]
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The last row: whether keys count yet, and which.
fn prompt(app: &App, review: &Review, armed: bool, scrolls: bool, theme: Theme) -> Vec<Span<'static>> {
    if !armed {
        let words = if review.swallowed {
            "That key was not taken: read first. Enter sends in a moment; Esc goes back"
        } else {
            "Read what is sent. Enter sends in a moment; Esc goes back"
        };
        return vec![Span::styled(words, theme.style(Role::Attention))];
    }
    let calls = format::plural(review.keys.len() as u64, "result");
    let mut spans = vec![Span::styled(format!("Enter sends {calls}"), theme.style(Role::Good))];
    if let Some(key) = keys::chord_of(keys::Context::Review, crate::app::Command::ToggleTogether) {
        let step = &review.answering.key.step;
        let others = app.run.pending.of_step(step).count();
        if review.together {
            spans.push(Span::raw(format!("   {key} this call only")));
        } else if others > 1 {
            spans.push(Span::raw(format!("   {key} all ready calls of this step")));
        }
    }
    if scrolls {
        spans.push(Span::raw("   PgDn more"));
    }
    spans.push(Span::raw("   Esc back"));
    spans
}
