//! What a call asks: its question with the options, or its arguments, indented; scrolled to the last row.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::cache::{Cache, What};
use super::super::pane::{self, Pane};
use super::super::theme::{Role, Sign, Theme};
use super::super::{format, json, text};
use crate::api::tool::{Question, ToolCall};
use crate::app::{Answering, App, Side};

pub(super) fn render(
    app: &App,
    answering: &Answering,
    theme: Theme,
    cache: &mut Cache,
    area: Rect,
    buf: &mut Buffer,
) -> usize {
    let columns = pane::text_columns(area);
    let call = call(app, answering);
    let question = app.question(&answering.key);
    let (asked, arguments) = rows(app, answering, call, question, theme, cache, columns);
    let total = asked.len() + arguments.len();
    let height = usize::from(area.height.saturating_sub(2));
    let first = answering.arguments_scroll.min(total.saturating_sub(height));

    let mut pane = Pane::new(title(answering, app, call, question, theme), answering.side == Side::Arguments);
    pane.below = pane::more_below(total.saturating_sub(first + height), theme);
    let inner = pane.render_padded(theme, area, buf);
    pane::rows(asked.iter().chain(arguments.iter()).skip(first), inner, buf);
    total
}

/// The call, also when it no longer waits: the node keeps a record of it.
fn call<'a>(app: &'a App, answering: &Answering) -> Option<&'a ToolCall> {
    let key = &answering.key;
    app.pending(key).map(|pending| &pending.call).or_else(|| {
        let node = app.run.nodes.get(&key.step.node_id)?;
        node.calls.iter().rev().find(|record| record.key == *key).map(|record| &record.call)
    })
}

fn title(
    answering: &Answering,
    app: &App,
    call: Option<&ToolCall>,
    question: Option<&Question>,
    theme: Theme,
) -> Vec<Span<'static>> {
    let tool = call.map(|call| call.name.as_str()).or_else(|| {
        let answer = app.answers.get(&answering.key)?;
        Some(answer.tool.as_str())
    });
    let mut spans = text::cut(tool.unwrap_or_default(), 32, theme.style(Role::Strong), theme);
    let size = call.map_or(0, |call| call.arguments().len());
    let words = match question {
        Some(_) => "  question".to_owned(),
        None => format!("  arguments {}", format::bytes(size as u64)),
    };
    spans.push(Span::styled(words, theme.style(Role::Quiet)));
    spans
}

type Rows = (Vec<Line<'static>>, Arc<[Line<'static>]>);

fn rows(
    app: &App,
    answering: &Answering,
    call: Option<&ToolCall>,
    question: Option<&Question>,
    theme: Theme,
    cache: &mut Cache,
    columns: usize,
) -> Rows {
    let mut asked = match question {
        Some(question) => question_rows(app, answering, question, theme, columns),
        None => Vec::new(),
    };
    let Some(call) = call.filter(|call| !call.arguments().is_empty()) else {
        if question.is_none() {
            let words = if call.is_some() { "called without arguments" } else { "its arguments are no longer known" };
            asked.extend(text::wrap(words, columns, theme.style(Role::Quiet), theme));
        }
        return (asked, Arc::from(Vec::new()));
    };
    if question.is_some() {
        let words = format!("arguments {}", format::bytes(call.arguments().len() as u64));
        asked.push(Line::default());
        asked.extend(text::wrap(&words, columns, theme.style(Role::Quiet), theme));
    }
    let role = if question.is_some() { Role::Quiet } else { Role::Plain };
    let rows = cache.rows(What::Arguments(answering.key.clone()), columns, theme, || {
        json::rows(call.arguments(), columns, role, theme)
    });
    (asked, rows)
}

fn question_rows(
    app: &App,
    answering: &Answering,
    question: &Question,
    theme: Theme,
    columns: usize,
) -> Vec<Line<'static>> {
    let quiet = theme.style(Role::Quiet);
    let typed = app.answers.get(&answering.key).filter(|answer| !answer.is_error).map_or("", |answer| &answer.text);
    let mut rows = text::wrap(&question.question, columns, theme.style(Role::Strong), theme);
    for option in &question.options {
        let chosen = !typed.trim().is_empty() && option.label.trim() == typed.trim();
        let (sign, role) = if chosen { (Sign::Chosen, Role::Good) } else { (Sign::NotChosen, Role::Plain) };
        let label = text::inert(&text::one_line(&option.label), theme.style(role), theme);
        let about = option.description.as_deref().map(text::one_line).unwrap_or_default();
        let room = columns.saturating_sub(4 + text::spans_width(&label));
        let sign = Span::styled(format!("{} ", theme.sign(sign)), theme.style(role));
        if text::width(&about, theme) <= room {
            let mut spans = vec![sign];
            spans.extend(label);
            spans.push(Span::raw("  "));
            spans.extend(text::inert(&about, quiet, theme));
            rows.push(Line::from(spans));
            continue;
        }
        let words = [(&option.label, theme.style(role)), (&about, quiet)];
        let indented =
            words.into_iter().flat_map(|(words, style)| text::wrap(words, columns.saturating_sub(2), style, theme));
        for (at, mut row) in indented.enumerate() {
            row.spans.insert(0, if at == 0 { sign.clone() } else { Span::raw("  ") });
            rows.push(row);
        }
    }
    let hint = match (question.options.is_empty(), question.allow_freeform) {
        (true, _) => "write your answer",
        (false, true) => "Up and Down choose an option; or write your own answer",
        (false, false) => "Up and Down choose an option; no other answer is taken",
    };
    rows.extend(text::wrap(hint, columns, quiet, theme));
    rows
}
