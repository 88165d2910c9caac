//! `relay-console doctor`: what a person on call can act on, in one report.
//!
//! Looks at the settings, the server, the clocks, the terminal, the directories and the program, in this order: what
//! comes first is often the cause of what comes later. Each finding is `ok`, `note` or `problem`, and says what to do.
//! The exit code is that of the first problem: what commands would end with for it. A setting that is refused, and a
//! place for state that cannot be used, are 2.
//!
//! The rules that must stay true: what is wrong with one thing does not keep the others from being looked at; nothing
//! is written but a file that is removed at once (and the log, where `-v` asks for it); no secret is shown.

mod configuration;
mod directories;
pub mod report;
mod server;
mod terminal;

use clap::Args;
use secrecy::ExposeSecret;

use crate::api::client::Credentials;
use crate::cli::arguments::ServerArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::runtime::block_on;
use crate::logging;
use crate::settings::{self, Directories, Environment, Files, Flags, SettingsError, Survey};
use crate::view::Theme;

use report::{Finding, Report, Section};

/// Shorter secrets are not searched for in the report: they would blank out common words.
const REDACTED_FROM: usize = 8;

/// `doctor`
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(after_help = "Exit code: 0 when all is well, else that of the first problem: 2 a refused setting or no \
                        place for state, 4 not authorised, 7 server not reached or in trouble, 8 something else \
                        answers. It changes nothing at the server and leaves no file behind.")]
pub struct DoctorArguments {
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Looks at everything and prints the report.
///
/// # Errors
/// When the report cannot be printed.
pub fn run(arguments: &DoctorArguments, verbosity: u8) -> Result<Exit, Failure> {
    let facts = terminal::Facts::gather();
    let report = block_on(look(&arguments.server.flags(), verbosity, &facts))?;
    if arguments.json {
        output::json(format!("{:#}", report.json()).as_bytes())?;
    } else {
        output::text(&report.lines(Theme { color: false, ascii: output::is_terminal() && !facts.is_utf8() }))?;
    }
    Ok(report.exit())
}

async fn look(flags: &Flags, verbosity: u8, facts: &terminal::Facts) -> Result<Report, Failure> {
    let mut sections = Vec::new();
    let mut secrets = Vec::new();
    let mut section = |name, findings| sections.push(Section { name, findings });
    let terminal = terminal::findings(facts);
    match Directories::of_this_user() {
        Err(error) => {
            let finding = Finding::problem("home", Exit::Refused, error.to_string());
            section("settings", vec![finding.advise("without it neither settings nor drafts have a place")]);
            section("terminal", terminal);
        }
        Ok(directories) => {
            let log = start_log(&directories, verbosity);
            let (environment, unread) = environment();
            let files = settings::files(flags, &directories);
            let survey = settings::survey(flags, &environment, &files, &directories);
            secrets = known_secrets(&environment, &files, &survey);
            let mut findings = configuration::findings(&survey, flags, &directories);
            let unread_any = unread.is_some();
            findings
                .splice(0..0, unread.map(|error| Finding::problem("environment", Exit::Refused, error.to_string())));
            section("settings", findings);
            let found = if unread_any { server::Found::not_looked_at() } else { server::look(&survey, flags).await };
            section("server", found.server);
            section("clock", found.clock);
            section("terminal", terminal);
            let mut findings = directories::findings(&directories, configuration::settled_base_url(&survey));
            findings.extend(log.map(|problem| Finding::note("log", problem)));
            section("directories", findings);
        }
    }
    section("program", program());
    Ok(Report { sections, secrets })
}

/// The environment, or what is wrong with it and one that says nothing.
fn environment() -> (Environment, Option<SettingsError>) {
    match settings::environment() {
        Ok(environment) => (environment, None),
        Err(error) => (Environment::default(), Some(error)),
    }
}

/// Starts the log where it is asked for; tells what went wrong.
fn start_log(directories: &Directories, verbosity: u8) -> Option<String> {
    let filter = std::env::var(logging::FILTER_VARIABLE).ok();
    if verbosity == 0 && filter.is_none() {
        return None;
    }
    logging::start(&directories.state_home, verbosity, filter.as_deref()).problem
}

/// Every secret that this program was given, so that none is shown whoever repeats it.
fn known_secrets(environment: &Environment, files: &Files, survey: &Survey) -> Vec<String> {
    let used = survey.credentials.as_ref().and_then(|credentials| credentials.as_ref().ok());
    let used = used.map(|used| match &used.value {
        Credentials::ApiKey(secret) | Credentials::Token(secret) => secret,
    });
    let in_file = files.api_key.as_ref().and_then(|file| file.text.as_ref().ok());
    let mut secrets: Vec<String> = [environment.api_key.as_ref(), environment.token.as_ref(), in_file, used]
        .into_iter()
        .flatten()
        .map(|secret| secret.expose_secret().trim().to_owned())
        .filter(|secret| secret.len() >= REDACTED_FROM)
        .collect();
    // A longer one may hold a shorter one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

fn program() -> Vec<Finding> {
    let path = std::env::current_exe().map_or_else(|_| "not known".to_owned(), |path| path.display().to_string());
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    vec![
        Finding::fine("version", env!("CARGO_PKG_VERSION")),
        Finding::fine("built for", format!("{os} {arch}")).fact("os", os).fact("arch", arch),
        Finding::fine("path", path),
    ]
}
