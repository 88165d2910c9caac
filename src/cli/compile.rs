//! `relay-console compile`: a workflow spec into a plan.
//!
//! The plan's hash is the answer. What is wrong with a spec is an error here and goes to standard error, `--json` or not;
//! `lint --json` has it for programs.

use std::path::PathBuf;

use clap::Args;

use crate::cli::arguments::ServerArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;
use crate::cli::spec::file::SpecFile;
use crate::cli::spec::issues;

/// `compile`
#[derive(Debug, Clone, PartialEq, Args)]
pub struct CompileArguments {
    /// The workflow spec; - reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print the plan as JSON below its hash
    #[arg(long, conflicts_with = "json")]
    pub plan: bool,
    /// Print the server's answer
    #[arg(long)]
    pub json: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Prints the hash of the plan.
///
/// # Errors
/// When the file is no spec, the settings are refused, the server finds issues or does not answer as it should.
pub fn run(arguments: &CompileArguments, verbosity: u8) -> Result<Exit, Failure> {
    let file = SpecFile::read(&arguments.file)?;
    let remote = Remote::open(&arguments.server, verbosity)?;
    let reply = block_on(async {
        let reply = remote.client.compile(&file.spec).await;
        reply.map_err(|error| issues::failure(&remote, &format!("compile {}", file.file.name), &file, &error))
    })?;
    if arguments.json {
        output::json(&reply.body)?;
        return Ok(Exit::Done);
    }
    output::text(&format!("{}\n", output::inert_lines(reply.value.plan_hash.as_str())))?;
    if arguments.plan {
        output::json(reply.value.plan_json.get().as_bytes())?;
    }
    Ok(Exit::Done)
}
