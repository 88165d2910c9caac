//! `relay-console lint`: what is wrong with a workflow spec.
//!
//! The report is the answer, so it goes to standard output whatever it says; the exit code says whether it is clean.

use std::path::PathBuf;

use clap::Args;

use crate::api::ids::PlanHash;
use crate::api::plan::LintReport;
use crate::cli::arguments::ServerArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::output::facts::Facts;
use crate::cli::remote::Remote;
use crate::cli::runtime::block_on;
use crate::cli::spec::file::SpecFile;
use crate::cli::spec::issues;
use crate::view::format;

/// `lint`
#[derive(Debug, Clone, PartialEq, Args)]
pub struct LintArguments {
    /// The workflow spec; - reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Lint only
    #[arg(long)]
    pub no_compile: bool,
    /// Print the server's answer
    #[arg(long)]
    pub json: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Prints the report; a spec that is not clean is [`Exit::Refused`].
///
/// # Errors
/// When the file is no spec, the settings are refused, or the server does not answer as it should.
pub fn run(arguments: &LintArguments, verbosity: u8) -> Result<Exit, Failure> {
    let file = SpecFile::read(&arguments.file)?;
    let remote = Remote::open(&arguments.server, verbosity)?;
    let reply = block_on(async {
        let reply = remote.client.lint(&file.spec, !arguments.no_compile).await;
        reply.map_err(|error| issues::failure(&remote, &format!("lint {}", file.file.name), &file, &error))
    })?;
    if arguments.json {
        output::json(&reply.body)?;
    } else {
        output::text(&render(&reply.value, &file, output::columns()))?;
    }
    Ok(if reply.value.is_clean() { Exit::Done } else { Exit::Refused })
}

fn render(report: &LintReport, file: &SpecFile, columns: Option<usize>) -> String {
    let count = report.lint_issues.len() + report.compile_issues.len();
    let issues = if count == 0 { "none".to_owned() } else { format::count(count as u64) };
    let facts = Facts::default()
        .with("issues", &issues)
        .with_some("compile error", report.compile_error.as_deref())
        .with_some("plan", report.plan_hash.as_ref().map(PlanHash::as_str));
    if count == 0 {
        return facts.render();
    }
    let found = [("lint", &report.lint_issues[..]), ("compile", &report.compile_issues[..])];
    format!("{}\n{}", facts.render(), issues::render(&found, file, columns))
}
