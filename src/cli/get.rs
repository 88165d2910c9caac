//! `relay-console get`: what a run is right now, or one of its outputs.
//!
//! Rule: money is the server's figure; where the server says none, none is shown.

use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::api::client::{Include, Reply};
use crate::api::ids::RunId;
use crate::api::run::{CostLine, CostSummary, NodeSnapshot, RunSnapshot, RunSummary};
use crate::cli::arguments::ServerArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::output::facts::Facts;
use crate::cli::output::step_table::StepRow;
use crate::cli::output::table::{Align, Table};
use crate::cli::output::{PLAIN, step_table};
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;
use crate::view::{format, text};

/// `get`
#[derive(Debug, Clone, PartialEq, Args)]
pub struct GetArguments {
    /// The run, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run_id: RunId,
    /// What to show besides.
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        hide_possible_values = true,
        help = "Show these too: steps, tool_calls, or both with a comma between"
    )]
    pub include: Vec<Part>,
    /// Print only this output of the run: a text as it is, all else as JSON
    #[arg(long, value_name = "NAME", conflicts_with_all = ["json", "include"])]
    pub output: Option<String>,
    /// Print the server's answer
    #[arg(long)]
    pub json: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// What a snapshot can hold besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Part {
    /// The steps of each node
    Steps,
    /// The steps of each node with their tool calls
    ToolCalls,
}

/// Prints the snapshot, or one output of it.
///
/// # Errors
/// When the settings are refused, the server does not answer as it should, or there is no such output.
pub fn run(arguments: &GetArguments, verbosity: u8) -> Result<Exit, Failure> {
    let GetArguments { run_id, include, output: name, json, server } = arguments;
    let remote = Remote::open(server, verbosity)?;
    let tool_calls = include.contains(&Part::ToolCalls);
    let include = Include { steps: tool_calls || include.contains(&Part::Steps), tool_calls };
    let reply = block_on(async {
        let reply = remote.client.run_with(run_id, include).await;
        reply.map_err(|error| remote.read_failure("the run", run_id, &error))
    })?;
    if let Some(name) = name {
        one_output(&reply.value, name)?;
    } else if *json {
        output::json(&reply.body)?;
    } else {
        output::text(&render(&reply, output::columns()))?;
    }
    Ok(Exit::Done)
}

/// One output alone, for a program: nothing of it changes, but that a line end is added where it has none.
fn one_output(run: &RunSnapshot, name: &str) -> Result<(), Failure> {
    let outputs = run.outputs.as_ref();
    let Some(value) = outputs.and_then(|outputs| outputs.get(name)) else {
        let names: Vec<&str> = outputs.into_iter().flat_map(IndexMap::keys).map(String::as_str).collect();
        let known =
            if names.is_empty() { "it has none so far".to_owned() } else { format!("it has {}", names.join(", ")) };
        let (run_id, status) = (run.run_id, &run.status);
        return Err(Failure::new(Exit::NotFound, anyhow!("the run {run_id} ({status}) has no output {name}: {known}")));
    };
    match serde_json::from_str::<String>(value.get()) {
        Ok(text) if output::is_terminal() => output::text(&format!("{}\n", output::inert_lines(&text))),
        Ok(text) if text.ends_with('\n') => output::text(&text),
        Ok(text) => output::text(&format!("{text}\n")),
        Err(_) => output::json(value.get().as_bytes()),
    }
}

/// The run in sections; what the server did not send has none.
fn render(reply: &Reply<RunSnapshot>, columns: Option<usize>) -> String {
    let run = &reply.value;
    let now = reply.date.unwrap_or_else(Timestamp::now);
    let mut sections = vec![facts(run).render()];
    let mut section = |table: Table| {
        if !table.is_empty() {
            sections.push(table.render(columns));
        }
    };
    section(nodes(run.nodes.as_deref().unwrap_or_default(), now));
    if let Some(cost) = &run.cost_summary {
        section(costs(cost));
    }
    section(step_table::table(run.steps.iter().flatten().flat_map(StepRow::of_node)));
    if let Some(outputs) = run.outputs.as_ref().filter(|outputs| !outputs.is_empty()) {
        sections.push(shown_outputs(outputs, columns));
    }
    sections.join("\n")
}

fn facts(run: &RunSnapshot) -> Facts {
    let cost = run.cost_summary.as_ref().map_or_else(
        || "unknown: the server does not say".to_owned(),
        |cost| format::with_sign(&dollars(cost.total_usd_cents, sum(cost.line_items.iter().map(tokens)))),
    );
    let ids = |id: Option<String>| id.unwrap_or_else(|| "unknown".to_owned());
    Facts::default()
        .with("run", &run.run_id.to_string())
        .with("status", &PLAIN.run_words(&run.status))
        .with("plan", &ids(run.plan_hash.as_ref().map(ToString::to_string)))
        .with_some("parent", run.parent_run_id.map(|id| id.to_string()).as_deref())
        .with("cost", &cost)
        .with_some("totals", run.summary.as_ref().map(totals).as_deref())
}

fn totals(summary: &RunSummary) -> String {
    format!(
        "{}, {}, {}, {} tokens in, {} out",
        format::plural(summary.total_steps, "step"),
        format::plural(summary.total_llm_calls, "LLM call"),
        format::plural(summary.total_tool_calls, "tool call"),
        format::count(summary.total_input_tokens),
        format::count(summary.total_output_tokens),
    )
}

fn nodes(nodes: &[NodeSnapshot], now: Timestamp) -> Table {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("type", Align::Left),
        ("status", Align::Left),
        ("time", Align::Right),
        ("error", Align::Left),
    ]);
    for node in nodes {
        let error = node.error.as_ref().map_or_else(String::new, |error| {
            let code = error.code.iter().map(|code| format!("{code}: "));
            code.chain([error.message.clone()]).collect()
        });
        let time = time(node, now).map_or_else(String::new, format::duration);
        let status = PLAIN.node_words(&node.status);
        table.row([node.id.as_str(), node.node_type.as_str(), &status, &time, &error]);
    }
    table
}

/// How long a node took, or takes by the server's clock; `None` before it has started, and where it has ended at a time
/// that the server does not say.
fn time(node: &NodeSnapshot, now: Timestamp) -> Option<Duration> {
    let end = node.ended_at.or_else(|| (!node.status.is_terminal()).then_some(now))?;
    Some(end.duration_since(node.started_at?).try_into().unwrap_or_default())
}

fn costs(cost: &CostSummary) -> Table {
    let mut table = Table::new(&[
        ("provider", Align::Left),
        ("model", Align::Left),
        ("requests", Align::Right),
        ("in", Align::Right),
        ("out", Align::Right),
        ("$", Align::Right),
    ]);
    for line in &cost.line_items {
        table.row([
            line.provider_id.as_str(),
            &line.model,
            &format::count(line.requests),
            &format::tokens(line.input_tokens),
            &format::tokens(line.output_tokens),
            &dollars(line.usd_cents, tokens(line)),
        ]);
    }
    let itemised = sum(cost.line_items.iter().map(|line| line.usd_cents));
    if let Some(rest @ 1..) = cost.total_usd_cents.checked_sub(itemised) {
        table.row(["not itemised", "", "", "", "", &dollars(rest, 0)]);
    }
    table
}

fn tokens(line: &CostLine) -> u64 {
    line.input_tokens.saturating_add(line.output_tokens)
}

/// A sum that no server can make overflow.
fn sum(figures: impl Iterator<Item = u64>) -> u64 {
    figures.fold(0, u64::saturating_add)
}

#[expect(clippy::cast_precision_loss, reason = "cents of a run stay far below 2^53")]
fn dollars(cents: u64, tokens: u64) -> String {
    format::billed(cents as f64, tokens)
}

/// On a terminal a line for each output; elsewhere each in full.
fn shown_outputs(outputs: &IndexMap<String, Box<RawValue>>, columns: Option<usize>) -> String {
    let text = |value: &RawValue| serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
    if columns.is_some() {
        let mut table = Table::new(&[("output", Align::Left), ("value", Align::Left)]);
        for (name, value) in outputs {
            table.row([name, &text(value)]);
        }
        return table.render(columns);
    }
    let mut blocks = Vec::new();
    for (name, value) in outputs {
        let indented: Vec<String> =
            output::inert_lines(&text(value)).lines().map(|line| format!("  {line}").trim_end().to_owned()).collect();
        blocks.push(format!("output {}\n{}\n", text::plain(name, PLAIN), indented.join("\n")));
    }
    blocks.join("\n")
}
