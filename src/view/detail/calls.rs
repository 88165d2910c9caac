//! The Calls tab: each tool call with its arguments and its result.
//!
//! ```text
//! ✓ collect_logs  step 2  00:03
//!   {"service": "api"}
//!   → {"lines": 1204}
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::super::blocks::Block;
use super::super::cache::{Cache, What};
use super::super::theme::{Role, Sign, Theme};
use super::super::{format, text};
use super::Context;
use crate::app::{App, json};
use crate::run::CallRecord;

/// Bytes of arguments or of a result that are shown here.
const SHOWN: usize = 32 * 1024;
/// Calls in the run's own list: each is wrapped in full, and all of a long run's would take longer than a frame.
const NEWEST: usize = 200;

pub(super) fn blocks(context: &Context<'_>, cache: &mut Cache) -> Vec<Block<'static>> {
    let app = context.app;
    let mut blocks = Vec::new();
    let with_node = app.selected_node().is_none();
    let since = with_node.then(|| newest(app)).flatten();
    let mut place = 0;
    if since.is_some() {
        let words =
            format!("the newest {NEWEST} of {}; a node shows its own", format::count(app.shown_run().tally().calls));
        blocks.push(Block::Made(context.words(Role::Quiet, &words)));
        blocks.push(Block::Made(vec![Line::default()]));
    }
    for node in app.detail_nodes() {
        if node.dropped_calls > 0 && since.is_none() {
            let words = format!("{} of {} are no longer kept", format::plural(node.dropped_calls, "call"), node.id);
            blocks.push(Block::Made(context.words(Role::Quiet, &words)));
        }
        for record in &node.calls {
            place += 1;
            if since.is_some_and(|since| (record.called_at, place - 1) < since) {
                continue;
            }
            let step = &record.key.step;
            let of = if with_node { format!("{} {}", step.node_id, step.step) } else { format!("step {}", step.step) };
            blocks.extend(call(context, cache, record, &of));
        }
    }
    if blocks.is_empty() {
        blocks.push(Block::Made(context.words(Role::Quiet, "no tool was called yet")));
    }
    blocks
}

/// From which call on the run's own list shows them, by time and, of the same time, by place; `None` where it shows all.
fn newest(app: &App) -> Option<(Timestamp, usize)> {
    if app.shown_run().tally().calls <= NEWEST as u64 {
        return None;
    }
    let mut newest = BinaryHeap::with_capacity(NEWEST);
    let records = app.shown_run().nodes.values().flat_map(|node| &node.calls);
    for call in records.enumerate().map(|(at, record)| (record.called_at, at)) {
        if newest.len() < NEWEST {
            newest.push(Reverse(call));
        } else if let Some(mut oldest) = newest.peek_mut()
            && oldest.0 < call
        {
            *oldest = Reverse(call);
        }
    }
    newest.peek().map(|oldest| oldest.0)
}

/// One call in full: how it stands, its arguments, its result. `place` says where it belongs.
pub(super) fn call(context: &Context<'_>, cache: &mut Cache, record: &CallRecord, place: &str) -> [Block<'static>; 2] {
    let what = What::Record(record.key.clone(), record.result.is_some());
    let rows = cache.rows(what, context.columns, context.theme, || body(record, context.columns, context.theme));
    [Block::Made(vec![head(context, record, place)]), Block::Kept(rows)]
}

/// How a call stands: sign, role and word.
pub(super) fn state(context: &Context<'_>, record: &CallRecord) -> (Sign, Role, &'static str) {
    let app = context.app;
    match &record.result {
        Some(result) if result.error.is_some() => (Sign::Failed, Role::Bad, "error"),
        Some(_) => (Sign::Succeeded, Role::Good, "answered"),
        None if app.shown_run().pending.get(&record.key).is_some() => (Sign::Waiting, Role::Attention, "waits for you"),
        None if app.shown_run().has_ended() => (Sign::Canceled, Role::Quiet, "no result"),
        None => (Sign::Running, Role::Active, "running"),
    }
}

/// How long a call took, or takes.
pub(super) fn took(context: &Context<'_>, record: &CallRecord) -> Duration {
    match &record.result {
        Some(result) => result.at.duration_since(record.called_at).try_into().unwrap_or_default(),
        None => context.app.shown_age(record.called_at),
    }
}

fn head(context: &Context<'_>, record: &CallRecord, place: &str) -> Line<'static> {
    let theme = context.theme;
    let (sign, role, word) = state(context, record);
    let mut spans = vec![Span::styled(format!("{} ", theme.sign(sign)), theme.style(role))];
    spans.extend(text::cut(record.call.name.as_str(), context.columns / 2, theme.style(Role::Strong), theme));
    spans.extend(text::cut(&format!("  {place}"), context.columns / 3, theme.style(Role::Quiet), theme));
    spans.push(Span::styled(format!("  {word}"), theme.style(role)));
    spans.push(Span::styled(format!("  {}", format::duration(took(context, record))), theme.style(Role::Quiet)));
    Line::from(spans)
}

fn body(record: &CallRecord, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    indented(&mut rows, "", record.call.arguments(), Role::Quiet, columns, theme);
    if let Some(result) = &record.result {
        match &result.error {
            Some(error) => indented(&mut rows, "error: ", error, Role::Bad, columns, theme),
            None => indented(&mut rows, "= ", &result.output, Role::Plain, columns, theme),
        }
    }
    rows.push(Line::default());
    rows
}

fn indented(rows: &mut Vec<Line<'static>>, label: &str, value: &str, role: Role, columns: usize, theme: Theme) {
    if value.trim().is_empty() {
        return;
    }
    let end = (0..=SHOWN.min(value.len())).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    let shown = &value[..end];
    let pretty = if end == value.len() { json::pretty(shown) } else { None };
    let columns = columns.saturating_sub(2);
    let wrapped = match &pretty {
        Some(pretty) => super::super::json::led(label, pretty, columns, role, theme),
        None => text::wrap(&format!("{label}{shown}"), columns, theme.style(role), theme),
    };
    for mut row in wrapped {
        row.spans.insert(0, Span::raw("  "));
        rows.push(row);
    }
    if end < value.len() {
        let words = format!("  {} more", format::bytes((value.len() - end) as u64));
        rows.push(Line::from(Span::styled(words, theme.style(Role::Attention))));
    }
}
