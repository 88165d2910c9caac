//! The Steps tab: each step of the node with its calls under it; of the run, node by node.
//!
//! ```text
//!     step  model              in/out tok   time  stop
//! ▸ ✓    1  claude-sonnet-4-5  12.1k/0.9k  00:12  tool_use
//!         ✓ search  00:03  {"q": "pool size"} = {"hits": 3}
//!   ⏸    2  claude-sonnet-4-5  31.0k/2.2k  00:48  tool_use
//!         ⏸ roll_back  waits for you  00:48  {"to": "4.17"}
//! ```
//!
//! Rule: only the rows in sight are built.

use std::collections::HashMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::super::theme::{Role, Sign, Theme};
use super::super::{format, pane, text};
use super::{Context, calls, step};
use crate::api::ids::NodeId;
use crate::api::tool::StepKey;
use crate::app::{Pane as Focus, layout};
use crate::run::{CallRecord, Node, StepRecord};

/// Columns of the steps' numbers.
const NUMBER: usize = 4;
/// Columns of a model's name that are needed before the reason of the stop goes.
const MODEL: usize = 14;
/// Columns of the reason of a stop.
const STOP: usize = 16;
/// Columns in front of a call.
const INDENT: usize = 8;

/// One row of the list.
enum Row<'a> {
    Node(&'a Node),
    Dropped(u64),
    Step(&'a Node, &'a StepRecord),
    Call(&'a CallRecord),
}

/// Draws the list; returns its rows, and where the selection stands in words.
pub(super) fn render(context: &Context<'_>, area: Rect, buf: &mut Buffer) -> (usize, String) {
    let (app, theme) = (context.app, context.theme);
    let steps = app.shown_steps();
    let selected = app.selected_step(&steps);
    let Some(chosen) = steps.get(selected).copied() else {
        pane::row(vec![Span::styled("no step yet", theme.style(Role::Quiet))], 0, area, buf);
        return (0, String::new());
    };
    let is_selected = |row: &Row<'_>| matches!(row, Row::Step(_, step) if step.key == chosen.key);
    let height = usize::from(area.height.saturating_sub(1));
    let rows = around(context, &chosen.key.node_id, height);
    let at = rows.iter().position(is_selected).unwrap_or(0);
    let first = layout::first_shown(at, rows.len(), height);
    let shown = &rows[first..rows.len().min(first + height)];
    let grid = Grid::new(context, shown);
    pane::row(grid.header(theme), 0, area, buf);
    for (at, row) in shown.iter().enumerate() {
        let selected = is_selected(row);
        pane::row(spans(context, &grid, row, selected), at + 1, area, buf);
        if selected && app.focus == Focus::Detail {
            pane::select(at + 1, area, buf);
        }
    }
    let position = match app.detail.step {
        Some(_) => format!("{} of {}", format::count(selected as u64 + 1), format::count(steps.len() as u64)),
        None => "newest".to_owned(),
    };
    (steps.len(), position)
}

/// The rows of the node of the selected step, and at least `height` rows before and behind them, as far as there are
/// any: whatever is selected, what is in sight is among them.
fn around<'a>(context: &Context<'a>, selected: &NodeId, height: usize) -> Vec<Row<'a>> {
    let nodes = context.app.detail_nodes();
    let with_node = context.app.selected_node().is_none();
    let here = nodes.iter().position(|node| node.id == *selected).unwrap_or(0);
    let (before, behind) = nodes.split_at(here);
    let (mut parts, mut count) = (Vec::new(), 0);
    for node in before.iter().rev() {
        if count >= height {
            break;
        }
        let part = rows_of(node, with_node);
        count += part.len();
        parts.push(part);
    }
    let mut rows: Vec<_> = parts.into_iter().rev().flatten().collect();
    let mut enough = None;
    for (at, node) in behind.iter().enumerate() {
        if enough.is_some_and(|enough| rows.len() >= enough) {
            break;
        }
        rows.extend(rows_of(node, with_node));
        if at == 0 {
            enough = Some(rows.len() + height);
        }
    }
    rows
}

/// The rows of one node.
fn rows_of(node: &Node, with_node: bool) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    if with_node && node.steps.count() > 0 {
        rows.push(Row::Node(node));
    }
    if node.steps.dropped > 0 {
        rows.push(Row::Dropped(node.steps.dropped));
    }
    let mut calls: HashMap<&StepKey, Vec<&CallRecord>> = HashMap::new();
    for record in &node.calls {
        calls.entry(&record.key.step).or_default().push(record);
    }
    for step in node.steps.iter() {
        rows.push(Row::Step(node, step));
        rows.extend(calls.remove(&step.key).unwrap_or_default().into_iter().map(Row::Call));
    }
    rows
}

/// What stands in the columns right of a step's number.
struct Cells<'a> {
    model: &'a str,
    tokens: &'a str,
    time: &'a str,
    stop: &'a str,
}

const TITLES: Cells<'_> = Cells { model: "model", tokens: "in/out tok", time: "time", stop: "stop" };

/// The widths of the columns, by what is in sight.
struct Grid {
    model: usize,
    tokens: usize,
    time: usize,
    /// `None` where there is no room for it.
    stop: Option<usize>,
}

impl Grid {
    fn new(context: &Context<'_>, shown: &[Row<'_>]) -> Self {
        let mut grid = Self { model: 0, tokens: TITLES.tokens.len(), time: TITLES.time.len(), stop: None };
        let mut widest_stop = TITLES.stop.len();
        for row in shown {
            let Row::Step(node, step) = row else { continue };
            grid.tokens = grid.tokens.max(tokens(step).len());
            grid.time = grid.time.max(format::duration(step::time(context, node, step)).len());
            widest_stop = widest_stop.max(text::width(stopped_by(step), context.theme)).min(STOP);
        }
        let fixed = 4 + NUMBER + 2 + 2 + grid.tokens + 2 + grid.time;
        let room = context.columns.saturating_sub(fixed);
        grid.stop = (room >= MODEL + 2 + widest_stop).then_some(widest_stop);
        grid.model = room.saturating_sub(grid.stop.map_or(0, |stop| stop + 2));
        grid
    }

    fn header(&self, theme: Theme) -> Vec<Span<'static>> {
        let mut spans = vec![Span::raw("    ")];
        spans.extend(text::right("step", NUMBER, theme.style(Role::Quiet), theme));
        self.cells(&mut spans, &TITLES, Role::Quiet, theme);
        spans
    }

    fn cells(&self, spans: &mut Vec<Span<'static>>, cells: &Cells<'_>, role: Role, theme: Theme) {
        let style = theme.style(role);
        spans.push(Span::raw("  "));
        spans.extend(text::left(cells.model, self.model, style, theme));
        spans.extend(text::right(cells.tokens, self.tokens + 2, style, theme));
        spans.extend(text::right(cells.time, self.time + 2, style, theme));
        if let Some(columns) = self.stop {
            spans.push(Span::raw("  "));
            spans.extend(text::cut(cells.stop, columns, theme.style(Role::Quiet), theme));
        }
    }
}

fn tokens(step: &StepRecord) -> String {
    let told = step.tokens.map(|tokens| format!("{}/{}", format::tokens(tokens.input), format::tokens(tokens.output)));
    told.unwrap_or_default()
}

fn stopped_by(step: &StepRecord) -> &str {
    step.stop_reason.as_deref().unwrap_or_default()
}

fn spans(context: &Context<'_>, grid: &Grid, row: &Row<'_>, selected: bool) -> Vec<Span<'static>> {
    let theme = context.theme;
    match row {
        Row::Node(node) => text::cut(node.id.as_str(), context.columns, theme.style(Role::Strong), theme),
        Row::Dropped(dropped) => {
            let words = format!("    {} before are no longer kept", format::plural(*dropped, "step"));
            text::cut(&words, context.columns, theme.style(Role::Quiet), theme)
        }
        Row::Step(node, record) => {
            let (sign, role, _) = step::state(context, node, record);
            let mut spans = vec![pane::marker(selected, theme)];
            spans.push(Span::styled(format!("{} ", theme.sign(sign)), theme.style(role)));
            spans.extend(text::right(&record.key.step.to_string(), NUMBER, theme.style(Role::Strong), theme));
            let cells = Cells {
                model: &model(record, grid.model, theme),
                tokens: &tokens(record),
                time: &format::duration(step::time(context, node, record)),
                stop: stopped_by(record),
            };
            grid.cells(&mut spans, &cells, Role::Plain, theme);
            spans
        }
        Row::Call(record) => call(context, record),
    }
}

/// The model; with its provider where there is room for both.
fn model(step: &StepRecord, columns: usize, theme: Theme) -> String {
    let Some(rate) = &step.rate else { return theme.sign(Sign::Dash).to_owned() };
    match &rate.provider {
        Some(provider) if rate.model.is_empty() => provider.to_string(),
        Some(provider) => {
            let both = format!("{provider} {}", rate.model);
            if text::width(&both, theme) <= columns { both } else { rate.model.to_string() }
        }
        None => rate.model.to_string(),
    }
}

/// A call in one line: how it stands, its arguments, its result.
fn call(context: &Context<'_>, record: &CallRecord) -> Vec<Span<'static>> {
    let theme = context.theme;
    let quiet = theme.style(Role::Quiet);
    let (sign, role, word) = calls::state(context, record);
    let mut spans = vec![Span::raw(" ".repeat(INDENT))];
    spans.push(Span::styled(format!("{} ", theme.sign(sign)), theme.style(role)));
    spans.extend(text::cut(record.call.name.as_str(), context.columns / 2, theme.style(Role::Plain), theme));
    if record.result.is_none() {
        spans.push(Span::styled(format!("  {word}"), theme.style(role)));
    }
    spans.push(Span::styled(format!("  {}  ", format::duration(calls::took(context, record))), quiet));
    let room = context.columns.saturating_sub(text::spans_width(&spans));
    let arguments = text::one_line(record.call.arguments());
    let Some(result) = &record.result else {
        spans.extend(text::cut(&arguments, room, quiet, theme));
        return spans;
    };
    let (answer, role) = match &result.error {
        Some(error) => (format!(" error: {}", text::one_line(error)), Role::Bad),
        None => (format!(" = {}", text::one_line(&result.output)), Role::Plain),
    };
    // Neither takes the other's room before it has filled its own half.
    let half = room.saturating_sub(text::width(&answer, theme).min(room / 2));
    spans.extend(text::cut(&arguments, half, quiet, theme));
    let room = context.columns.saturating_sub(text::spans_width(&spans));
    spans.extend(text::cut(&answer, room, theme.style(role), theme));
    spans
}
