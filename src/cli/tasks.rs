//! `relay-console tasks`: the run's task list.

use crate::cli::arguments::ReadArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::output::table::{Align, Table};
use crate::cli::output::{PLAIN, report};
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;

/// Prints the tasks.
///
/// # Errors
/// When the settings are refused, or the server does not answer as it should.
pub fn run(arguments: &ReadArguments, verbosity: u8) -> Result<Exit, Failure> {
    let ReadArguments { run_id, json, server } = arguments;
    let remote = Remote::open(server, verbosity)?;
    let reply = block_on(async {
        let reply = remote.client.tasks(run_id).await;
        reply.map_err(|error| remote.read_failure("the tasks of", run_id, &error))
    })?;
    if *json {
        output::json(&reply.body)?;
        return Ok(Exit::Done);
    }
    if reply.value.tasks.is_empty() {
        report(&format!("the run {run_id} has no tasks"));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[("status", Align::Left), ("task", Align::Left), ("being done", Align::Left)]);
    for task in &reply.value.tasks {
        let active = task.active_form.as_deref().unwrap_or_default();
        table.row([&PLAIN.task_words(&task.status), &task.content, active]);
    }
    table.print()?;
    Ok(Exit::Done)
}
