//! The command line: what the program can be told, one file a subcommand, and the exit code of each outcome.
//!
//! Owns the words that an operator types and the messages that standard error shows. Does not own what is done: that
//! is in the library's other modules. The rules that must stay true: standard output carries only the answer; an
//! error says what is wrong, where, and what to do; off a terminal no escape is written.

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};

use clap::Parser;

use crate::console::panics;
use crate::logging;
use crate::settings::{self, Directories, Environment, Files, Flags};

pub mod answer;
pub mod arguments;
pub mod compile;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod exit;
pub mod facts;
pub mod failure;
pub mod follow;
pub mod get;
pub mod inputs;
pub mod issues;
pub mod lint;
pub mod locate;
pub mod man;
pub mod output;
pub mod overrides;
pub mod pending;
pub mod remote;
pub mod session;
pub mod simulate;
pub mod spec_file;
pub mod start;
pub mod step_table;
pub mod steps;
pub mod stream;
pub mod table;
pub mod tasks;
pub mod watch;

pub use arguments::{Command, CommandLine};
pub use exit::{Exit, Failure};

/// What every subcommand begins with.
#[derive(Debug)]
pub struct Context {
    /// Where configuration and state stand.
    pub directories: Directories,
    /// What the environment says.
    pub environment: Environment,
    /// What the files say.
    pub files: Files,
    /// What the command line says.
    pub flags: Flags,
    /// What the operator should know and nothing fails for, each a sentence.
    pub notices: Vec<String>,
}

impl Context {
    /// Reads the environment and the files, and starts the log.
    ///
    /// # Errors
    /// When there is no home directory or a variable cannot be read.
    pub fn new(flags: Flags, verbosity: u8) -> Result<Self, Failure> {
        let directories = Directories::of_this_user()?;
        let (environment, files) = settings::load(&flags, &directories)?;
        let filter = std::env::var(logging::FILTER_VARIABLE).ok();
        let log = logging::start(&directories.state_home, verbosity, filter.as_deref());
        Ok(Self { directories, environment, files, flags, notices: log.problem.into_iter().collect() })
    }
}

/// Does what the command line says and returns the exit code. Whatever happens, the terminal is as it was.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let parsed = CommandLine::try_parse_from(arguments);
    let (command, verbosity) = match parsed.and_then(|line| Ok((line.verbose, line.into_command()?))) {
        Ok((verbosity, command)) => (command, verbosity),
        // Help and version are answers and go to standard output; everything else is wrong usage.
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Refused } else { Exit::Done };
            return if error.print().is_ok() { exit } else { Exit::Internal };
        }
    };
    outcome(|| run(command, verbosity))
}

/// Does the work of a command, says what went wrong on standard error, and returns the exit code. A panic of the calling
/// thread is an internal error as one of any other thread is.
pub fn outcome(work: impl FnOnce() -> Result<Exit, Failure>) -> Exit {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            // Done early, because nobody reads the answer any more, is nothing to speak of.
            if failure.exit != Exit::Done {
                report(&format!("{:#}", failure.error));
            }
            failure.exit
        }
        Err(_) => {
            let message = panics::take_message().unwrap_or_else(|| "a panic without a message".to_owned());
            report(&format!("internal error: {message}\nYour drafts are on disk. Please report this with the log."));
            Exit::Internal
        }
    }
}

fn run(command: Command, verbosity: u8) -> Result<Exit, Failure> {
    match command {
        Command::Follow(arguments) => follow::run(&arguments, verbosity),
        Command::Answer(arguments) => answer::run(&arguments, verbosity),
        Command::Watch(arguments) => watch::run(&arguments, verbosity),
        Command::Events(arguments) => events::run(&arguments, verbosity),
        Command::Get(arguments) => get::run(&arguments, verbosity),
        Command::Pending(arguments) => pending::run(&arguments, verbosity),
        Command::Steps(arguments) => steps::run(&arguments, verbosity),
        Command::Tasks(arguments) => tasks::run(&arguments, verbosity),
        Command::Start(arguments) => start::run(&arguments, verbosity),
        Command::Compile(arguments) => compile::run(&arguments, verbosity),
        Command::Lint(arguments) => lint::run(&arguments, verbosity),
        Command::Demo(arguments) => demo::run(&arguments, verbosity),
        Command::Simulate(arguments) => simulate::run(&arguments, verbosity),
        Command::Doctor(arguments) => doctor::run(&arguments, verbosity),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

/// One message on standard error; what is foreign in it is made inert.
pub fn report(message: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "relay-console: {}", output::inert_lines(message));
}

/// Runs `work` with the network's tasks beside it. When it ends nothing is waited for: neither an external editor that
/// still runs nor a file that never ends may keep the program from leaving.
///
/// # Errors
/// When the system gives no threads, or the work fails.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(anyhow::Error::new(error).context("cannot start threads")))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}
