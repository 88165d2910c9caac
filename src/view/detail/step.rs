//! One step in full: how it stands, its calls, what the model answered and what it was asked.
//!
//! ```text
//! state      ⏸ waits for you
//! model      anthropic claude-sonnet-4-5
//! tokens     31,000 in  2,200 out
//! ── calls 2 ────────────────────────────
//! ⏸ roll_back_deploy  call_1  waits for you  00:48
//!   {"service": "api"}
//! ── response 1.2 KiB ───────────────────
//! ── request 12.4 KiB ───────────────────
//! ```
//!
//! Rule: what the events have told stands above what is read from the server, so that nothing moves when that comes;
//! a call that the events no longer hold is taken from the server's answer.

use std::time::Duration;

use ratatui::text::Line;
use serde_json::value::RawValue;

use super::super::blocks::Block;
use super::super::cache::{Cache, What};
use super::super::theme::{Role, Sign, Theme};
use super::super::{format, text};
use super::{Context, calls};
use crate::api::step::StepDetail;
use crate::api::tool::StepKey;
use crate::app::json;
use crate::run::node::CallResult;
use crate::run::{CallRecord, Node, StepRecord};

/// Bytes of a request or of a response that are shown; all of it can be copied.
const SHOWN: usize = 256 * 1024;

/// The page of a step; `read` is what the server has of it, `answers` how often that came.
pub(in crate::view) fn blocks(
    context: &Context<'_>,
    cache: &mut Cache,
    key: &StepKey,
    read: Option<&Result<Box<StepDetail>, String>>,
    answers: u64,
) -> Vec<Block<'static>> {
    let node = context.app.shown_run().nodes.get(&key.node_id);
    let known = node.and_then(|node| Some((node, node.steps.get(key)?)));
    let detail = read.and_then(|read| read.as_ref().ok()).map(|detail| &**detail);
    let mut blocks = vec![Block::Made(facts(context, key, known, detail))];
    let records = records(known, detail);
    if !records.is_empty() {
        blocks.push(head(context, &format!("calls {}", records.len())));
    }
    for record in &records {
        blocks.extend(calls::call(context, cache, record, record.key.call_id.as_str()));
    }
    match read {
        None => blocks.push(Block::Made(context.words(Role::Quiet, "request and response: loading"))),
        Some(Err(why)) => {
            let words = format!("request and response could not be read: {why}. r reads them again");
            blocks.push(Block::Made(context.words(Role::Bad, &words)));
        }
        Some(Ok(step)) => {
            for (name, request, text) in [("response", false, &step.llm_response), ("request", true, &step.llm_request)]
            {
                let what = What::Step { key: key.clone(), request, answer: answers };
                blocks.extend(raw(context, cache, what, name, text.as_deref()));
            }
        }
    }
    blocks
}

fn head(context: &Context<'_>, words: &str) -> Block<'static> {
    Block::Made(vec![context.rule(words)])
}

/// How the step stands: what the events have told, and where they have not, what the server says.
fn facts(
    context: &Context<'_>,
    key: &StepKey,
    known: Option<(&Node, &StepRecord)>,
    detail: Option<&StepDetail>,
) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    let called = detail.and_then(|detail| detail.llm_call.clone()).unwrap_or_default();
    let provider = called.provider.map(|provider| provider.to_string());
    let mut model: Vec<String> = provider.into_iter().chain(called.model).collect();
    let mut tokens = called.usage.map(|usage| (usage.input_tokens, usage.output_tokens));
    let (mut stop, mut response) = (called.stop_reason, called.response_id);
    if let Some((node, step)) = known {
        let (sign, role, word) = state(context, node, step);
        context.fact(&mut rows, "state", role, &format!("{} {word}", context.theme.sign(sign)));
        if let Some(why) = &step.waited_for {
            context.fact(&mut rows, if word == WAITS { "waits for" } else { "waited for" }, Role::Plain, why);
        }
        if let Some(rate) = &step.rate {
            model =
                rate.provider.as_ref().map(ToString::to_string).into_iter().chain([rate.model.to_string()]).collect();
        }
        tokens = step.tokens.map(|tokens| (tokens.input, tokens.output)).or(tokens);
        stop = step.stop_reason.as_deref().map(str::to_owned).or(stop);
        response = step.response_id.as_deref().map(str::to_owned).or(response);
    } else {
        context.fact(&mut rows, "state", Role::Quiet, "its events are no longer in memory");
    }
    if !model.is_empty() {
        context.fact(&mut rows, "model", Role::Plain, model.join(" ").trim());
    }
    if let Some((input, output)) = tokens {
        let words = format!("{} in  {} out", format::count(input), format::count(output));
        context.fact(&mut rows, "tokens", Role::Plain, &words);
    }
    if let Some((node, step)) = known {
        context.fact(&mut rows, "time", Role::Plain, &format::duration(time(context, node, step)));
    }
    if let Some(stop) = stop {
        context.fact(&mut rows, "stopped by", Role::Plain, &stop);
    }
    context.fact(&mut rows, "request", Role::Quiet, &key.request_id.to_string());
    if let Some(response) = response {
        context.fact(&mut rows, "response", Role::Quiet, &response);
    }
    rows.push(Line::default());
    rows
}

const WAITS: &str = "waits for you";

/// How a step stands: sign, role and word.
pub(super) fn state(context: &Context<'_>, node: &Node, step: &StepRecord) -> (Sign, Role, &'static str) {
    let run = context.app.shown_run();
    if run.pending.of_step(&step.key).next().is_some() {
        return (Sign::Waiting, Role::Attention, WAITS);
    }
    let is_last = node.steps.iter().next_back().is_some_and(|last| last.key == step.key);
    if !is_last {
        return (Sign::Succeeded, Role::Good, "done");
    }
    let open = || node.calls_of(step).any(|record| record.result.is_none());
    match Theme::node_status(&run.node_status(node)) {
        (Sign::Failed, role) => (Sign::Failed, role, "the node failed here"),
        (Sign::Running, role) if open() => (Sign::Running, role, "its tools run"),
        _ if run.has_ended() && open() => (Sign::Canceled, Role::Quiet, "left open"),
        _ => (Sign::Succeeded, Role::Good, "done"),
    }
}

/// How long a step took; one that waits, or whose tools run, until now.
pub(super) fn time(context: &Context<'_>, node: &Node, step: &StepRecord) -> Duration {
    match state(context, node, step).0 {
        Sign::Waiting | Sign::Running => context.app.shown_age(step.began_at),
        _ => step.took(),
    }
}

/// The step's calls: from the events, and those that only the server still has.
fn records(known: Option<(&Node, &StepRecord)>, detail: Option<&StepDetail>) -> Vec<CallRecord> {
    let Some((node, step)) = known else { return Vec::new() };
    let mut records: Vec<CallRecord> = node.calls_of(step).cloned().collect();
    let Some(detail) = detail else { return records };
    for call in detail.tool_calls.iter().map(|call| &call.tool_call) {
        if records.iter().any(|known| known.key.call_id == call.id) {
            continue;
        }
        let result = detail.tool_results.iter().find(|result| result.tool_call.id == call.id);
        let (output, error) = result.map(|result| (result.output.clone(), result.error.clone())).unzip();
        let result = output.map(|output| CallResult { output, error: error.flatten(), at: step.last_at });
        records.push(CallRecord { key: step.key.call(&call.id), call: call.clone(), called_at: step.last_at, result });
    }
    records
}

/// What the model was asked or answered, as JSON.
fn raw(
    context: &Context<'_>,
    cache: &mut Cache,
    what: What,
    name: &str,
    json: Option<&RawValue>,
) -> Vec<Block<'static>> {
    let Some(json) = json.map(RawValue::get) else {
        return vec![head(context, name), Block::Made(context.words(Role::Quiet, "the server does not say"))];
    };
    let (columns, theme) = (context.columns, context.theme);
    let rows = cache.rows(what, columns, theme, || {
        let (shown, left) = json::pretty_beginning(json, SHOWN);
        let mut rows = super::super::json::indented(&shown, columns, Role::Plain, theme);
        if left > 0 {
            let words = format!("{} more; y copies all of it", format::bytes(left as u64));
            rows.extend(text::wrap(&words, columns, theme.style(Role::Attention), theme));
        }
        rows.push(Line::default());
        rows
    });
    vec![head(context, &format!("{name} {}", format::bytes(json.len() as u64))), Block::Kept(rows)]
}
