//! The cost: the server's lines, what they leave out, and what is not billed yet.
//!
//! ```text
//! ╭ Cost $0.42 ─────────────────────────────────────────────╮
//! │ provider   model               req    in     out       $ │
//! │ anthropic  claude-sonnet-4-5     6  41.0k   2.9k    0.31 │
//! │ not yet billed                   2   6.1k   0.4k   ~0.03 │
//! ╰──────────────────────────────────────────────────────────╯
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::pane::{self, Pane};
use super::theme::{Role, Sign, Theme};
use super::{format, text};
use crate::app::{App, Pane as Focus};
use crate::run::CostRow;
use crate::run::cost::RowLabel;

/// Columns under which a provider's name says nothing.
const PROVIDER: usize = 8;

const NUMBERS: [(&str, usize); 4] = [("req", 5), ("in", 7), ("out", 7), ("$", 8)];

pub(super) fn render(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    let rows = app.shown_run().ledger.rows(&app.identity.prices);
    let mut pane = Pane::new(title(app, theme), app.focus == Focus::Cost);
    let height = usize::from(area.height.saturating_sub(3));
    let first = app.cost_scroll.min(rows.len().saturating_sub(height));
    pane.below = pane::more_below(rows.len().saturating_sub(first + height), theme);
    let inner = pane.render(theme, area, buf);
    let numbers: usize = NUMBERS.iter().map(|(_, width)| width).sum();
    let label = usize::from(inner.width).saturating_sub(numbers + 2);
    let (provider, model) = widest(&rows, theme);
    // A model's whole name comes first; its provider gets what is left, or nothing.
    let room = label.saturating_sub(model + 2);
    let provider = if room < PROVIDER { 0 } else { provider.clamp(PROVIDER, room) };
    let quiet = theme.style(Role::Quiet);

    let mut header = vec![Span::raw(" ")];
    if provider > 0 {
        header.extend(text::left("provider", provider + 2, quiet, theme));
        header.extend(text::left("model", label.saturating_sub(provider + 2), quiet, theme));
    } else {
        header.extend(text::left("model", label, quiet, theme));
    }
    for (title, width) in NUMBERS {
        header.extend(text::right(title, width, quiet, theme));
    }
    pane::row(header, 0, inner, buf);
    if rows.is_empty() {
        pane::row(vec![Span::styled(" no model was called yet", quiet)], 1, inner, buf);
    }
    for (at, row) in rows.iter().skip(first).take(height).enumerate() {
        pane::row(cost_row(row, label, provider, theme), at + 1, inner, buf);
    }
}

#[expect(clippy::cast_precision_loss, reason = "cents of a run stay far below 2^53")]
fn title(app: &App, theme: Theme) -> Vec<Span<'static>> {
    let ledger = &app.shown_run().ledger;
    let figure = ledger.billed_cents().map_or_else(
        || theme.sign(Sign::Dash).to_owned(),
        |cents| format::billed(cents as f64, ledger.billed_tokens()),
    );
    pane::title(&format!("Cost {}", format::with_sign(&figure)), theme)
}

/// The columns of the longest provider and of the longest model.
fn widest(rows: &[CostRow], theme: Theme) -> (usize, usize) {
    let widths = |row: &CostRow| match &row.label {
        RowLabel::Billed(rate) => {
            let provider = rate.provider.as_ref().map_or(0, |provider| text::width(provider.as_str(), theme));
            (provider, text::width(&rate.model, theme).min(32))
        }
        RowLabel::NotItemised | RowLabel::NotYetBilled => (0, 0),
    };
    rows.iter().map(widths).fold((0, 0), |widest, row| (widest.0.max(row.0), widest.1.max(row.1)))
}

fn cost_row(row: &CostRow, label: usize, provider: usize, theme: Theme) -> Vec<Span<'static>> {
    let plain = theme.style(Role::Plain);
    let quiet = theme.style(Role::Quiet);
    let mut spans = vec![Span::raw(" ")];
    match &row.label {
        RowLabel::Billed(rate) => {
            let name = rate.provider.as_ref().map_or("", |provider| provider.as_str());
            if provider > 0 {
                spans.extend(text::left(name, provider, plain, theme));
                spans.push(Span::raw("  "));
                spans.extend(text::left(&rate.model, label.saturating_sub(provider + 2), plain, theme));
            } else {
                let model = if rate.model.is_empty() { name } else { &rate.model };
                spans.extend(text::left(model, label, plain, theme));
            }
        }
        RowLabel::NotItemised => spans.extend(text::left("not itemised", label, quiet, theme)),
        RowLabel::NotYetBilled => {
            let words = match row.amount.unpriced_calls {
                0 => "not yet billed".to_owned(),
                unpriced => format!("not yet billed, +{unpriced} unpriced"),
            };
            spans.extend(text::left(&words, label, quiet, theme));
        }
    }
    let itemised = row.label != RowLabel::NotItemised;
    let count = |number: u64| if itemised { format::tokens(number) } else { String::new() };
    let money = match &row.label {
        RowLabel::NotYetBilled => format::estimate(&row.amount).unwrap_or_else(|| theme.sign(Sign::Dash).to_owned()),
        RowLabel::Billed(_) => format::billed(row.amount.cents, row.tokens.input + row.tokens.output),
        RowLabel::NotItemised => format::dollars(row.amount.cents),
    };
    let tokens = row.tokens;
    let cells = [count(tokens.requests), count(tokens.input), count(tokens.output), money];
    for ((_, width), cell) in NUMBERS.iter().zip(cells) {
        spans.extend(text::right(&cell, *width, plain, theme));
    }
    spans
}
