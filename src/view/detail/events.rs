//! The Events tab: the last events, newest below, one row each.
//!
//! ```text
//!    1,284  04:12  node_tool_call   lookup {"service": "api"}
//! ▸  1,285  04:12  node_tool_result lookup ok
//! ```
//!
//! Rule: only the rows in sight are built.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::super::theme::Role;
use super::super::{format, pane, text};
use super::Context;
use crate::api::event::{Event, EventBody};
use crate::app::{Pane as Focus, layout};
use crate::feed::events_named;
use crate::run::history::Entry;

/// Draws the list; returns its rows, and where the selection stands in words.
pub(super) fn render(context: &Context<'_>, area: Rect, buf: &mut Buffer) -> (usize, String) {
    let (app, theme) = (context.app, context.theme);
    let entries = app.shown_entries();
    let height = usize::from(area.height);
    if entries.is_empty() {
        pane::row(vec![Span::styled("no event yet", theme.style(Role::Quiet))], 0, area, buf);
        return (0, String::new());
    }
    let selected = app.detail.event.unwrap_or(entries.len() - 1).min(entries.len() - 1);
    let first = layout::first_shown(selected, entries.len(), height);
    let shown = &entries[first..entries.len().min(first + height)];
    let widths = (
        shown.iter().filter_map(|entry| entry.seq()).max().map_or(0, |seq| format::count(seq).len()),
        shown.iter().map(|entry| text::width(name(entry), context.theme)).max().unwrap_or(0).min(context.columns / 2),
    );
    for (at, entry) in (first..).zip(shown) {
        pane::row(row(context, entry, at == selected, widths), at - first, area, buf);
        if at == selected && app.focus == Focus::Detail {
            pane::select(at - first, area, buf);
        }
    }
    let position = match app.detail.event {
        Some(_) => format!("{} of {}", format::count(selected as u64 + 1), format::count(entries.len() as u64)),
        None => "newest".to_owned(),
    };
    (entries.len(), position)
}

fn name(entry: &Entry) -> &str {
    match entry {
        Entry::Event(event) => event.body.type_name(),
        Entry::Rejected(_) => "rejected line",
        Entry::Gap { .. } => "gap",
    }
}

/// One row; `widths` are the columns of the seq and of the type.
fn row(context: &Context<'_>, entry: &Entry, selected: bool, widths: (usize, usize)) -> Vec<Span<'static>> {
    let (app, theme) = (context.app, context.theme);
    let quiet = theme.style(Role::Quiet);
    let mut spans = vec![pane::marker(selected, theme)];
    let seq = entry.seq().map(format::count).unwrap_or_default();
    spans.extend(text::right(&seq, widths.0, quiet, theme));
    spans.push(Span::raw("  "));
    let (time, role, words) = match entry {
        Entry::Event(event) => {
            let since = app.shown_run().started_at.unwrap_or(event.ts);
            let time: Duration = event.ts.duration_since(since).try_into().unwrap_or_default();
            let words = gist(event);
            let words = match event.body.node_id().filter(|_| app.selected_node().is_none()) {
                Some(node) => format!("{node}  {words}"),
                None => words,
            };
            (format::duration(time), role(&event.body), words)
        }
        Entry::Rejected(error) => (String::new(), Role::Bad, error.to_string()),
        Entry::Gap { first, last } => {
            let words = format!("{}: not on the server", events_named(*first, *last));
            (String::new(), Role::Bad, words)
        }
    };
    spans.extend(text::right(&time, 7, quiet, theme));
    spans.push(Span::raw("  "));
    spans.extend(text::left(name(entry), widths.1, theme.style(role), theme));
    spans.push(Span::raw("  "));
    let used = text::spans_width(&spans);
    spans.extend(text::cut(&text::one_line(&words), context.columns.saturating_sub(used), quiet, theme));
    spans
}

fn role(body: &EventBody) -> Role {
    match body {
        EventBody::RunCompleted(_) | EventBody::NodeSucceeded(_) => Role::Good,
        EventBody::RunFailed(_) | EventBody::NodeFailed(_) | EventBody::RunCanceled(_) => Role::Bad,
        EventBody::NodeWaiting(_) | EventBody::NodeUserAsk(_) => Role::Attention,
        EventBody::NodeOutputDelta(_) => Role::Quiet,
        _ => Role::Plain,
    }
}

/// What an event says, in one line; not yet inert.
#[must_use]
pub fn gist(event: &Event) -> String {
    match &event.body {
        EventBody::RunFailed(e) => e.error.message.clone(),
        EventBody::RunCanceled(e) => e.error.message.clone(),
        EventBody::NodeFailed(e) => e.error.message.clone(),
        EventBody::RunCompleted(e) => format!("outputs {}", format::bytes(e.outputs.info.bytes)),
        EventBody::TaskListUpdated(e) => format!("task list {}", format::bytes(e.task_list.info.bytes)),
        EventBody::MemoryUpdated(e) => format!("{} {}", e.memory_key, format::bytes(e.memory.info.bytes)),
        EventBody::NodeLlmCall(e) => {
            let call = &e.llm_call;
            let usage = call.usage.unwrap_or_default();
            let model = call.model.as_deref().unwrap_or("model");
            format!("{model} {}/{}", format::tokens(usage.input_tokens), format::tokens(usage.output_tokens))
        }
        EventBody::NodeToolCall(e) => {
            format!("{} {}", e.tool_call.tool_call.name, e.tool_call.tool_call.arguments())
        }
        EventBody::NodeToolResult(e) => match &e.tool_result.error {
            Some(error) => format!("{} error: {error}", e.tool_result.tool_call.name),
            None => format!("{} {}", e.tool_result.tool_call.name, text::one_line(&e.tool_result.output)),
        },
        EventBody::NodeWaiting(e) => {
            let names = e.waiting.pending_tool_calls.iter().map(|call| call.tool_call.name.as_str());
            format!("{}: {}", e.waiting.reason, names.collect::<Vec<_>>().join(", "))
        }
        EventBody::NodeUserAsk(e) => e.user_ask.question.clone(),
        EventBody::NodeUserAnswer(e) => e.user_answer.answer.clone(),
        EventBody::NodeOutputDelta(e) => {
            format!("{} {}", e.delta.kind, e.delta.text_delta.as_deref().unwrap_or_default())
        }
        EventBody::NodeOutput(e) => format!("output {}", format::bytes(e.output.info.bytes)),
        body => scheduler_summary(body),
    }
}

fn scheduler_summary(body: &EventBody) -> String {
    match body {
        EventBody::SchedulerStarted(e) => e.scheduler_started.topic.clone(),
        EventBody::SchedulerRoundStarted(e) => format!("round {}", e.scheduler_round_started.round_index),
        EventBody::SchedulerRoundCompleted(e) => {
            let round = &e.scheduler_round_completed;
            format!("round {}, {} pending", round.round_index, round.pending)
        }
        EventBody::SchedulerCoordinatorStarted(e) => e.scheduler_coordinator_started.model.clone().unwrap_or_default(),
        EventBody::SchedulerCoordinatorCompleted(e) => text::one_line(e.scheduler_coordinator_completed.decision.get()),
        EventBody::SchedulerAgentStarted(e) => e.scheduler_agent_started.agent_id.clone(),
        EventBody::SchedulerAgentCompleted(e) => {
            let turn = &e.scheduler_agent_completed;
            format!("{} {} {}", turn.agent_id, turn.status, turn.summary.as_deref().unwrap_or_default())
        }
        EventBody::SchedulerMessageSent(e) => format!("to {}", e.scheduler_message_sent.to),
        EventBody::SchedulerMessageReceived(e) => format!("from {}", e.scheduler_message_received.from),
        EventBody::SchedulerStopped(e) => e.scheduler_stopped.reason.clone(),
        _ => String::new(),
    }
}
