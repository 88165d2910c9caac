//! `relay-console pending`: the tool calls that a run waits for.

use crate::api::tool::{CallKey, PendingTools, Question};
use crate::cli::arguments::ReadArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::output::table::{Align, Table};
use crate::cli::output::{PLAIN, report};
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;
use crate::view::text;

/// Prints what the run waits for.
///
/// # Errors
/// When the settings are refused, or the server does not answer as it should.
pub fn run(arguments: &ReadArguments, verbosity: u8) -> Result<Exit, Failure> {
    let ReadArguments { run_id, json, server } = arguments;
    let remote = Remote::open(server, verbosity)?;
    let reply = block_on(async {
        let reply = remote.client.pending_tools(run_id).await;
        reply.map_err(|error| remote.read_failure("what waits in", run_id, &error))
    })?;
    if *json {
        output::json(&reply.body)?;
        return Ok(Exit::Done);
    }
    if reply.value.calls().next().is_none() {
        report(&format!("the run {run_id} waits for no tool call"));
        return Ok(Exit::Done);
    }
    output::text(&render(&reply.value, output::columns()))?;
    Ok(Exit::Done)
}

/// A row for each call, then each question with the answers that it offers.
fn render(pending: &PendingTools, columns: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("step", Align::Right),
        ("call", Align::Left),
        ("tool", Align::Left),
        ("arguments", Align::Left),
    ]);
    let mut questions = String::new();
    for (key, call) in pending.calls() {
        let node = key.step.node_id.as_str();
        let step = key.step.step.to_string();
        table.row([node, &step, call.id.as_str(), call.name.as_str(), call.arguments()]);
        if let Some(question) = call.question() {
            questions.push_str(&asked(&key, &question));
        }
    }
    table.render(columns) + &questions
}

/// A question as a person answers it: what is asked, each option, and whether an answer of one's own is taken.
fn asked(key: &CallKey, question: &Question) -> String {
    let one_line = |words: &str| text::plain(&output::one_line(words), PLAIN);
    let call = format!("{} {} {}", key.step.node_id, key.step.step, key.call_id);
    let mut lines = vec![format!("\n{} asks:", one_line(&call))];
    let wording = output::inert_lines(question.question.trim());
    lines.extend(wording.lines().map(|line| format!("  {line}")));
    for option in &question.options {
        let label = one_line(&option.label);
        lines.push(match option.description.as_deref().map(one_line) {
            Some(description) => format!("  - {label}: {description}"),
            None => format!("  - {label}"),
        });
    }
    if question.allow_freeform && !question.options.is_empty() {
        lines.push("  or an answer of your own".to_owned());
    }
    lines.join("\n") + "\n"
}
