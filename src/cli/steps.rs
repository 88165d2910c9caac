//! `relay-console steps`: the steps of a run, or one tool call in full.

use clap::Args;

use crate::api::ids::{CallId, RunId};
use crate::api::step::ToolCallDetail;
use crate::app::json;
use crate::cli::arguments::ServerArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::output::facts::Facts;
use crate::cli::output::step_table::StepRow;
use crate::cli::output::{report, step_table};
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;

/// `steps`
#[derive(Debug, Clone, PartialEq, Args)]
pub struct StepsArguments {
    /// The run, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run_id: RunId,
    /// Only the steps of this node
    #[arg(long, value_name = "NODE", conflicts_with_all = ["json", "call"])]
    pub node: Option<String>,
    /// One tool call in full: its step, with --call
    #[arg(long, value_name = "STEP", requires = "call")]
    pub step: Option<u64>,
    /// One tool call in full: its id, with --step
    #[arg(long, value_name = "CALL", requires = "step", value_parser = CallId::parse, allow_hyphen_values = true)]
    pub call: Option<CallId>,
    /// Print the server's answer
    #[arg(long)]
    pub json: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Prints the steps, or one tool call.
///
/// # Errors
/// When the settings are refused, or the server does not answer as it should.
pub fn run(arguments: &StepsArguments, verbosity: u8) -> Result<Exit, Failure> {
    let remote = Remote::open(&arguments.server, verbosity)?;
    match (arguments.step, &arguments.call) {
        (Some(step), Some(call)) => one_call(arguments, &remote, step, call)?,
        _ => steps(arguments, &remote)?,
    }
    Ok(Exit::Done)
}

fn steps(arguments: &StepsArguments, remote: &Remote) -> Result<(), Failure> {
    let run_id = &arguments.run_id;
    let reply = block_on(async {
        let reply = remote.client.steps(run_id).await;
        reply.map_err(|error| remote.read_failure("the steps of", run_id, &error))
    })?;
    if arguments.json {
        return output::json(&reply.body);
    }
    let wanted = arguments.node.as_deref();
    let steps = reply.value.steps.iter().filter(|step| wanted.is_none_or(|node| step.node_id.as_str() == node));
    let table = step_table::table(steps.map(StepRow::from));
    if !table.is_empty() {
        return table.print();
    }
    let of_node = wanted.map(|node| format!(" of the node {node}")).unwrap_or_default();
    report(&format!("the run {run_id} has no steps{of_node}"));
    Ok(())
}

fn one_call(arguments: &StepsArguments, remote: &Remote, step: u64, call: &CallId) -> Result<(), Failure> {
    let run_id = &arguments.run_id;
    let reply = block_on(async {
        let reply = remote.client.tool_call(run_id, step, call).await;
        reply.map_err(|error| remote.read_failure(&format!("the tool call {call} of step {step} of"), run_id, &error))
    })?;
    if arguments.json { output::json(&reply.body) } else { output::text(&detail(&reply.value)) }
}

/// Everything about one call: nothing is cut.
fn detail(detail: &ToolCallDetail) -> String {
    let ToolCallDetail { node_id, step, tool_call, tool_result } = detail;
    let state = match tool_result {
        None => "no result",
        Some(result) if result.error.is_some() => "failed",
        Some(_) => "done",
    };
    let facts = Facts::default()
        .with("node", node_id.as_str())
        .with("step", &step.to_string())
        .with("call", tool_call.id.as_str())
        .with("tool", tool_call.name.as_str())
        .with("state", state);
    let mut text = facts.render();
    text.push_str(&section("arguments", tool_call.arguments()));
    if let Some(result) = tool_result {
        if let Some(error) = &result.error {
            text.push_str(&section("error", error));
        }
        // A failed call often has no output, and an empty heading says nothing.
        if result.error.is_none() || !result.output.is_empty() {
            text.push_str(&section("output", &result.output));
        }
    }
    text
}

/// A heading and a foreign text in full, indented where it is JSON.
fn section(name: &str, content: &str) -> String {
    let content = json::pretty(content).unwrap_or_else(|| content.to_owned());
    let shown = if content.is_empty() { "(empty)".to_owned() } else { output::inert_lines(&content) };
    format!("\n{name}\n{shown}\n")
}
