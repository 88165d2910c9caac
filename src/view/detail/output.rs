//! The Output tab: what a node has streamed, and its output once it stands.

use indexmap::IndexMap;
use ratatui::text::{Line, Span};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::blocks::Block;
use super::super::cache::{Cache, What};
use super::super::theme::{Role, Sign, Theme};
use super::super::{format, json, nodes, text};
use super::{Context, run, scheduler};
use crate::app::{App, TextState};
use crate::run::output::SegmentKind;
use crate::run::{Node, Output, StreamedText};

pub(super) fn blocks<'a>(context: &Context<'_>, cache: &'a mut Cache) -> Vec<Block<'a>> {
    let app = context.app;
    let Some(node) = app.selected_node() else { return run::blocks(context, cache) };
    let mut blocks = vec![Block::Made(head(context, node))];
    // The output first: the stream's rows are borrowed from the cache until they are drawn.
    let output = node.output.as_ref().map(|output| {
        let last = app.shown_text(node).segments().filter(|segment| segment.kind == SegmentKind::Message).last();
        shown_output(context, cache, "output", output, last.map(|segment| segment.text.as_str()))
    });
    let streamed = app.shown_text(node);
    if let Some(words) = above(app, node, streamed) {
        blocks.push(Block::Made(context.words(Role::Quiet, &words)));
    }
    if !streamed.is_empty() {
        blocks.push(Block::Made(vec![Line::default()]));
        blocks.push(Block::Stream(cache.stream(&node.id, streamed, context.columns, context.theme)));
    }
    blocks.extend(output.into_iter().flatten());
    if streamed.is_empty() && streamed.dropped == 0 && node.output.is_none() && node.scheduler.is_none() {
        blocks.push(Block::Made(context.words(Role::Quiet, "no output yet")));
    }
    blocks
}

/// What of a streamed text is not shown, and what is done about it; `None` where all of it is.
fn above(app: &App, node: &Node, streamed: &StreamedText) -> Option<String> {
    let above = Some(streamed.dropped).filter(|bytes| *bytes > 0).map(format::bytes)?;
    let Some(loaded) = app.loaded.as_ref().filter(|loaded| loaded.node_id == node.id) else {
        return Some(format!("{above} above, not in memory: go to the top to read it"));
    };
    Some(match &loaded.state {
        TextState::Loading => format!("{above} above, loading"),
        TextState::Failed(why) => format!("{above} above, not in memory and not read: {why}"),
        TextState::Here if loaded.whole => format!("{above} above, not on disk"),
        TextState::Here if loaded.has_more() => format!("{above} above: go to the top to read more"),
        TextState::Here => format!("{above} above: / in Events finds it"),
    })
}

/// An output: its size, then its text or its JSON, or where to read it. A text that was `streamed` stands above it
/// already.
pub(super) fn shown_output(
    context: &Context<'_>,
    cache: &mut Cache,
    name: &str,
    output: &Output,
    streamed: Option<&str>,
) -> Vec<Block<'static>> {
    let (columns, theme) = (context.columns, context.theme);
    let head = vec![Line::default(), context.rule(&format!("{name} {}", format::bytes(output.info.bytes)))];
    let Some(json_text) = output.content.clone() else {
        let hint = format!("not inline: open it with Enter on event {} in Events", output.seq);
        return vec![Block::Made(head), Block::Made(context.words(Role::Quiet, &hint))];
    };
    let rows = cache.rows(What::Output { seq: output.seq }, columns, theme, || {
        let hint = format!("as JSON: Enter on event {} in Events", output.seq);
        let quiet = theme.style(Role::Quiet);
        if streamed.is_some_and(|streamed| plain_text(&json_text).is_some_and(|text| text.trim() == streamed.trim())) {
            return text::wrap(&format!("the text above; {hint}"), columns, quiet, theme);
        }
        if let Some(mut rows) = text_rows(&json_text, columns, theme) {
            rows.extend(text::wrap(&hint, columns, quiet, theme));
            return rows;
        }
        json::rows(&json_text, columns, Role::Plain, theme)
    });
    vec![Block::Made(head), Block::Kept(rows)]
}

/// The texts of a model's response (at `/output/*/content/*/text`), or of a text, or of an object of such values;
/// `None` where the JSON says more than its texts.
fn text_rows(json_text: &str, columns: usize, theme: Theme) -> Option<Vec<Line<'static>>> {
    if let Some(text) = plain_text(json_text) {
        return Some(text::wrap(&text, columns, theme.style(Role::Plain), theme));
    }
    let named: IndexMap<String, &RawValue> = serde_json::from_str(json_text).ok()?;
    if named.is_empty() || !named.values().any(|value| plain_text(value.get()).is_some()) {
        return None;
    }
    let mut rows = Vec::new();
    for (name, value) in named {
        rows.extend(text::wrap(&format!("{name}:"), columns, theme.style(Role::Strong), theme));
        rows.extend(match plain_text(value.get()) {
            Some(text) => text::wrap(&text, columns, theme.style(Role::Plain), theme),
            None => json::rows(value.get(), columns, Role::Plain, theme),
        });
    }
    Some(rows)
}

fn plain_text(json_text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Response {
        output: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        content: Vec<Part>,
    }
    #[derive(Deserialize)]
    struct Part {
        text: String,
    }
    if let Ok(text) = serde_json::from_str::<String>(json_text) {
        return Some(text);
    }
    let response: Response = serde_json::from_str(json_text).ok()?;
    let texts: Vec<String> = response.output.into_iter().flat_map(|item| item.content).map(|part| part.text).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// How the node stands, why it failed, what waits, its agents.
fn head(context: &Context<'_>, node: &Node) -> Vec<Line<'static>> {
    let (app, theme) = (context.app, context.theme);
    let (sign, role, status) = nodes::status(app, node);
    let mut spans = vec![Span::styled(format!("{} ", theme.sign(sign)), theme.style(role))];
    spans.extend(text::cut(&status, 20, theme.style(role), theme));
    let tokens = node.tokens();
    let mut facts = vec![nodes::time(app, node)];
    facts.extend(node.step.map(|step| format!("step {step}")));
    if tokens.requests > 0 {
        facts.push(format!("{} in {} out", format::tokens(tokens.input), format::tokens(tokens.output)));
        facts.push(nodes::money(app, node, theme));
    }
    if node.retries() > 0 {
        facts.push(format::plural(node.retries(), "retry").replace("retrys", "retries"));
    }
    for fact in facts.iter().filter(|fact| !fact.is_empty()) {
        // A fact that does not fit is left out as a whole.
        if text::spans_width(&spans) + fact.len() + 2 <= context.columns {
            spans.push(Span::styled(format!("  {fact}"), theme.style(Role::Quiet)));
        }
    }
    let mut rows = vec![Line::from(spans)];
    if let Some(failure) = &node.failure {
        let code = failure.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
        let words = format!("{} {}{code}", theme.sign(Sign::Failed), failure.message);
        rows.extend(context.words(Role::Bad, &words));
    }
    for call in app.shown_run().pending.of_node(&node.id) {
        let age = format::age(app.shown_age(call.since));
        let words = format!("{} {} waits for you {age}", theme.sign(Sign::Waiting), call.call.name);
        rows.extend(context.words(Role::Attention, &words));
    }
    if let Some(told) = &node.scheduler {
        rows.extend(scheduler::rows(context, told));
    }
    rows
}
