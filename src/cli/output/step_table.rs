//! Steps as a table, for the two commands that show them.
//!
//! The server sends the same facts in two shapes ([`crate::api::step`]); a [`StepRow`] is what they have in common.

use std::fmt::Write as _;

use crate::api::run::Provider;
use crate::api::step::{NodeStep, NodeSteps, StepDetail, StepLlmCall};
use crate::api::tool::{PendingToolCall, ToolResult};
use crate::cli::output::table::{Align, Table};
use crate::view::format;

/// What a row says.
#[derive(Debug, Clone, Copy)]
pub struct StepRow<'a> {
    node: &'a str,
    step: u64,
    llm_call: Option<&'a StepLlmCall>,
    calls: &'a [PendingToolCall],
    results: &'a [ToolResult],
    waiting: &'a [PendingToolCall],
}

impl<'a> From<&'a StepDetail> for StepRow<'a> {
    fn from(step: &'a StepDetail) -> Self {
        Self {
            node: step.node_id.as_str(),
            step: step.step,
            llm_call: step.llm_call.as_ref(),
            calls: &step.tool_calls,
            results: &step.tool_results,
            waiting: &[],
        }
    }
}

impl<'a> StepRow<'a> {
    /// The rows of a node's steps in a snapshot.
    pub fn of_node(node: &'a NodeSteps) -> impl Iterator<Item = Self> {
        node.steps.iter().map(|step: &NodeStep| Self {
            node: node.node_id.as_str(),
            step: step.step,
            llm_call: step.llm_call.as_ref(),
            calls: &step.tool_calls,
            results: &step.tool_results,
            waiting: step.waiting.as_ref().map(|waiting| waiting.pending_tool_calls.as_slice()).unwrap_or_default(),
        })
    }

    /// Each call with what became of it: `fs.read call_1 done`.
    fn calls(&self) -> String {
        let unlisted =
            |waiting: &&PendingToolCall| self.calls.iter().all(|call| call.tool_call.id != waiting.tool_call.id);
        let mut said = String::new();
        for call in self.calls.iter().chain(self.waiting.iter().filter(unlisted)) {
            let call = &call.tool_call;
            let result = self.results.iter().find(|result| result.tool_call.id == call.id);
            let state = match result {
                Some(ToolResult { error: Some(_), .. }) => "failed",
                Some(_) => "done",
                None if self.waiting.iter().any(|waiting| waiting.tool_call.id == call.id) => "waiting",
                None => "no result",
            };
            let separator = if said.is_empty() { "" } else { ", " };
            // Writing into a String cannot fail.
            let _ = write!(said, "{separator}{} {} {state}", call.name, call.id);
        }
        said
    }
}

/// A row for each step.
#[must_use]
pub fn table<'a>(rows: impl IntoIterator<Item = StepRow<'a>>) -> Table {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("step", Align::Right),
        ("model", Align::Left),
        ("in", Align::Right),
        ("out", Align::Right),
        ("stopped by", Align::Left),
        ("tool calls", Align::Left),
    ]);
    for row in rows {
        let call = row.llm_call;
        let usage = call.and_then(|call| call.usage.as_ref());
        let tokens = |count: Option<u64>| count.map_or_else(String::new, format::tokens);
        table.row([
            row.node,
            &row.step.to_string(),
            &model(call),
            &tokens(usage.map(|usage| usage.input_tokens)),
            &tokens(usage.map(|usage| usage.output_tokens)),
            call.and_then(|call| call.stop_reason.as_deref()).unwrap_or_default(),
            &row.calls(),
        ]);
    }
    table
}

/// `provider/model`, or what of it is known.
fn model(call: Option<&StepLlmCall>) -> String {
    let provider = call.and_then(|call| call.provider.as_ref()).map(Provider::as_str);
    let model = call.and_then(|call| call.model.as_deref());
    [provider, model].into_iter().flatten().collect::<Vec<_>>().join("/")
}
