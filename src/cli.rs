//! The command line: what the program can be told, one file a subcommand, and the exit code of each outcome.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`command_line`], [`arguments`] | every word that can be typed; the arguments that several subcommands share |
//! | [`follow`], [`demo`], [`session`] | the console, on a server and on the simulator |
//! | [`answer`], [`drafts`] | submitting results; the answers that are kept on this machine |
//! | [`follow`], [`demo`], [`replay`], [`session`] | the console, on a server, on the simulator and on a file |
//! | [`answer`] | submitting results |
//! | [`watch`], [`events`], [`stream`] | following a run line by line |
//! | [`check`] | reading a whole stream, and what it proves |
//! | [`get`], [`pending`], [`steps`], [`tasks`] | reading a run |
//! | [`start`], [`compile`], [`lint`], [`spec`] | creating a run; checking a spec, and where in its file an issue stands |
//! | [`simulate`], [`doctor`], [`completions`], [`man`] | the simulator alone; what is wrong here; for shells |
//! | [`context`], [`remote`], [`runtime`] | what a command begins with: settings and log, a client, threads |
//! | [`output`], [`failure`], [`exit`] | standard output, tables; what an error means and what to do; exit codes |
//!
//! Owns the words that an operator types and the messages that standard error shows. Does not own what is done: that
//! is in the library's other modules. The rules that must stay true: standard output carries only the answer; an
//! error says what is wrong, where, and what to do; off a terminal no escape is written.

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};

use crate::console::panics;

pub mod answer;
pub mod arguments;
pub mod check;
pub mod command_line;
pub mod compile;
pub mod completions;
pub mod context;
pub mod demo;
pub mod doctor;
pub mod drafts;
pub mod events;
pub mod exit;
pub mod failure;
pub mod follow;
pub mod get;
pub mod lint;
pub mod man;
pub mod output;
pub mod pending;
pub mod remote;
pub mod replay;
pub mod runtime;
pub mod session;
pub mod simulate;
pub mod spec;
pub mod start;
pub mod steps;
pub mod stream;
pub mod tasks;
pub mod watch;

pub use command_line::{Command, CommandLine};
pub use exit::{Exit, Failure};

use output::report;

use crate::settings::without_secrets;

/// Does what the command line says and returns the exit code. Whatever happens, the terminal is as it was.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    outlive_file_limit();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = CommandLine::read(&arguments);
    let (command, verbosity) = match parsed.and_then(|line| Ok((line.verbose, line.into_command()?))) {
        Ok((verbosity, command)) => (command, verbosity),
        // Help and version are answers and go to standard output; everything else is wrong usage.
        Err(error) if error.use_stderr() => {
            // A key that was given where none belongs is not repeated: what a command says ends up in logs.
            output::complain(&without_secrets(error.render().to_string().trim_end()));
            return Exit::Refused;
        }
        Err(answer) => return if answer.print().is_ok() { Exit::Done } else { Exit::Internal },
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
                report(&whole(&failure.error));
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

/// A file that has reached the limit of the shell (`ulimit -f`) is a full disk, which is told; unheard, the signal that
/// comes with it would end the program. Heard and not ignored, since children would inherit that.
#[cfg(unix)]
fn outlive_file_limit() {
    let heard = std::sync::Arc::default();
    if let Err(error) = signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), heard) {
        report(&format!("a file that becomes too large for this shell ends the program: {error}"));
    }
}

#[cfg(not(unix))]
fn outlive_file_limit() {}

/// An error and its causes in one line; a cause that the words before it say already is not said again.
fn whole(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.ends_with(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

fn run(command: Command, verbosity: u8) -> Result<Exit, Failure> {
    match command {
        Command::Follow(arguments) => follow::run(&arguments, verbosity),
        Command::Answer(arguments) => answer::run(&arguments, verbosity),
        Command::Drafts(arguments) => drafts::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments, verbosity),
        Command::Events(arguments) => events::run(&arguments, verbosity),
        Command::Check(arguments) => check::run(&arguments, verbosity),
        Command::Replay(arguments) => replay::run(&arguments, verbosity),
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use anyhow::Context as _;

    use super::*;
    use crate::feed::ReplayError;

    #[test]
    fn a_cause_is_said_once() {
        let source = || io::Error::from(io::ErrorKind::NotFound);
        let error = anyhow::Error::new(ReplayError::Unreadable { path: PathBuf::from("f"), source: source() });
        assert_eq!(whole(&error), format!("cannot read f: {}", source()));
        let error = Err::<(), _>(source()).context("no terminal").unwrap_err();
        assert_eq!(whole(&error), format!("no terminal: {}", source()));
    }
}
