//! A scheduler node: its topic, its round, and its agents with the child runs that their turns are.

use ratatui::text::{Line, Span};

use super::super::text;
use super::super::theme::{Role, Sign};
use super::Context;
use crate::run::{Agent, Scheduler};

pub(super) fn rows(context: &Context<'_>, told: &Scheduler) -> Vec<Line<'static>> {
    let mut rows = vec![Line::default()];
    if !told.topic.is_empty() {
        rows.extend(context.words(Role::Strong, &told.topic));
    }
    let mut facts = Vec::new();
    facts.extend(told.round.map(|round| format!("round {round}")));
    facts.push(format!("messages {} sent, {} received", told.messages_sent, told.messages_received));
    facts.extend(told.stopped.as_ref().map(|why| format!("stopped: {why}")));
    rows.extend(context.words(Role::Quiet, &facts.join("  ")));
    if let Some(decision) = &told.decision {
        rows.extend(context.words(Role::Quiet, &format!("decided: {decision}")));
    }
    let widest = told.agents.keys().map(|id| text::width(id, context.theme)).max().unwrap_or(0).min(20);
    for (id, agent) in &told.agents {
        rows.extend(agent_rows(context, id, agent, widest));
    }
    rows
}

/// How an agent's turn stands: sign, role and word.
pub(super) fn turn(working: bool, status: Option<&str>) -> (Sign, Role, &str) {
    match (working, status) {
        (true, _) => (Sign::Running, Role::Active, "working"),
        (false, None) => (Sign::Pending, Role::Quiet, "not started"),
        (false, Some(status @ ("succeeded" | "completed"))) => (Sign::Succeeded, Role::Good, status),
        (false, Some(status @ ("failed" | "error"))) => (Sign::Failed, Role::Bad, status),
        (false, Some(status)) => (Sign::Unknown, Role::Plain, status),
    }
}

fn agent_rows(context: &Context<'_>, id: &str, agent: &Agent, widest: usize) -> Vec<Line<'static>> {
    let theme = context.theme;
    let (sign, role, status) = turn(agent.working, agent.status.as_deref());
    let mut spans = vec![Span::styled(format!("  {} ", theme.sign(sign)), theme.style(role))];
    spans.extend(text::left(id, widest, theme.style(Role::Plain), theme));
    spans.push(Span::raw("  "));
    spans.extend(text::cut(status, 16, theme.style(role), theme));
    if let Some(part) = agent.role.as_deref().filter(|part| !part.is_empty()) {
        spans.push(Span::raw("  "));
        spans.extend(text::cut(part, 24, theme.style(Role::Quiet), theme));
    }
    let mut rows = vec![Line::from(spans)];
    if let Some(run_id) = agent.run_id {
        rows.extend(context.words(Role::Quiet, &format!("    run {run_id}")));
    }
    if let Some(summary) = agent.summary.as_deref().filter(|summary| !summary.trim().is_empty()) {
        let inner = Context { columns: context.columns.saturating_sub(4).max(2), ..*context };
        for mut row in inner.words(Role::Plain, summary) {
            row.spans.insert(0, Span::raw("    "));
            rows.push(row);
        }
    }
    rows
}
