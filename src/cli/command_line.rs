//! The command line as a whole, as types that `clap` reads.
//!
//! Owns the list of subcommands and what is typed without one. A run id that names nothing is refused here, before any
//! request. The arguments of a subcommand stand in its own file.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::api::ids::RunId;
use crate::cli::answer::AnswerArguments;
use crate::cli::arguments::{DisplayArguments, ReadArguments, ServerArguments};
use crate::cli::check::CheckArguments;
use crate::cli::compile::CompileArguments;
use crate::cli::completions::CompletionsArguments;
use crate::cli::demo::DemoArguments;
use crate::cli::doctor::DoctorArguments;
use crate::cli::drafts::DraftsArguments;
use crate::cli::events::EventsArguments;
use crate::cli::follow::FollowArguments;
use crate::cli::get::GetArguments;
use crate::cli::lint::LintArguments;
use crate::cli::man::ManArguments;
use crate::cli::output::PLAIN;
use crate::cli::replay::ReplayArguments;
use crate::cli::simulate::SimulateArguments;
use crate::cli::start::StartArguments;
use crate::cli::steps::StepsArguments;
use crate::cli::watch::WatchArguments;
use crate::view::text;

/// Watch a ModelRelay workflow run live, and answer the tool calls that it waits for.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(
    name = "relay-console",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    override_usage = "relay-console [OPTIONS] RUN_ID\n       relay-console [-v] COMMAND …",
    after_help = "`relay-console RUN_ID` is short for `relay-console follow RUN_ID`.\n\
                  Credentials: MODELRELAY_API_KEY or MODELRELAY_TOKEN, --api-key-file, or a profile.\n\
                  `relay-console demo` needs none."
)]
pub struct CommandLine {
    /// Write more into the log; give it twice for still more
    #[arg(short, long, action = clap::ArgAction::Count, global = true, display_order = 900)]
    pub verbose: u8,
    /// What to do; without a subcommand a run is followed.
    #[command(subcommand)]
    command: Option<Command>,
    /// The run to follow, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    run_id: Option<RunId>,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    display: DisplayArguments,
}

impl CommandLine {
    /// Reads the command line.
    ///
    /// # Errors
    /// When it is wrong, or asks for help or the version.
    pub fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments)
            .map_err(|error| Self::stranger(arguments).unwrap_or_else(|| Self::in_marks(arguments, error)))
    }

    /// The same error, in which each character that would act on a terminal shows as its mark: the message itself leaves
    /// them out, and then names a word that nobody has typed.
    fn in_marks(arguments: &[OsString], error: clap::Error) -> clap::Error {
        if !error.use_stderr() {
            return error;
        }
        let shown = arguments.iter().map(|word| text::plain(&word.to_string_lossy(), PLAIN));
        Self::try_parse_from(shown).err().filter(clap::Error::use_stderr).unwrap_or(error)
    }

    /// What is wrong where the first word is no subcommand and, being letters only, was not meant to be a run: a misspelt
    /// subcommand is taken for a run, and then what follows it is found to be too much.
    fn stranger(arguments: &[OsString]) -> Option<clap::Error> {
        let mut command = Self::command();
        command.build();
        let word =
            arguments.get(1)?.to_str().filter(|word| !word.is_empty() && word.chars().all(char::is_alphabetic))?;
        if command.find_subcommand(word).is_some() {
            return None;
        }
        let words = format!("{word:?} is neither the id of a run, which is a UUID, nor a command");
        Some(command.error(ErrorKind::InvalidSubcommand, words))
    }

    /// The subcommand, named or not.
    ///
    /// # Errors
    /// When neither a run nor a subcommand is named, or a subcommand comes after something that belongs behind it.
    pub fn into_command(self) -> Result<Command, clap::Error> {
        let Self { command, run_id, server, display, .. } = self;
        let wrong = |kind, message: &str| Err(Self::command().error(kind, message));
        match (command, run_id) {
            (None, Some(run_id)) => Ok(Command::Follow(FollowArguments { run_id, server, display })),
            (None, None) => wrong(ErrorKind::MissingRequiredArgument, "name a run or a subcommand"),
            (Some(command), None) if server == ServerArguments::default() && display == DisplayArguments::default() => {
                Ok(command)
            }
            (Some(_), _) => wrong(
                ErrorKind::ArgumentConflict,
                "put what belongs to the subcommand behind its name, such as relay-console get RUN_ID --profile NAME",
            ),
        }
    }
}

/// A subcommand.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Follow a run: see it live, answer what it waits for
    Follow(FollowArguments),
    /// Submit results of tool calls that a run waits for, without the console
    Answer(AnswerArguments),
    /// Show or remove the answers that are kept on this machine; needs no server
    Drafts(DraftsArguments),
    /// Tell what changes in a run, one line each, until it ends
    Watch(WatchArguments),
    /// Print the events of a run, one line each
    Events(EventsArguments),
    /// Read the whole stream of a run, or a file of it, and compare it with the server's snapshot
    Check(CheckArguments),
    /// Show the events of a file in the console, without a server
    Replay(ReplayArguments),
    /// Show a run: status, cost, nodes, outputs
    Get(GetArguments),
    /// Show the tool calls that a run waits for
    Pending(ReadArguments),
    /// Show the steps of a run, or one tool call in full
    Steps(StepsArguments),
    /// Show the task list of a run
    Tasks(ReadArguments),
    /// Create a run from a workflow spec or a plan, then follow it
    Start(StartArguments),
    /// Compile a workflow spec into a plan, or show what is wrong with it
    Compile(CompileArguments),
    /// Check a workflow spec
    Lint(LintArguments),
    /// Follow a made-up run on a server inside this program; needs no account and no network
    Demo(DemoArguments),
    /// Serve the runs API on this machine with stand-in models, for trials and tests
    Simulate(SimulateArguments),
    /// Find out what is wrong with the settings, the server, the terminal or this machine
    Doctor(DoctorArguments),
    /// Print what a shell needs to complete this program's words
    Completions(CompletionsArguments),
    /// Print the man page, or write one for each subcommand
    Man(ManArguments),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::Flags;

    const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

    fn parse(words: &[&str]) -> Result<Command, String> {
        CommandLine::try_parse_from([&["relay-console"], words].concat())
            .and_then(CommandLine::into_command)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_misspelt_subcommand_is_told_to_be_none_whatever_follows_it() {
        for words in [&["wacth"][..], &["wacth", RUN], &["wacth", RUN, "--json"], &["help"]] {
            let line: Vec<OsString> = ["relay-console"].iter().chain(words).map(OsString::from).collect();
            let error = CommandLine::read(&line).unwrap_err();
            let expected = format!("{:?} is neither the id of a run, which is a UUID, nor a command", words[0]);
            assert!(error.to_string().contains(&expected), "{error}");
            assert!(error.use_stderr());
        }
        let line: Vec<OsString> = ["relay-console", "watch", RUN, "--nope"].iter().map(OsString::from).collect();
        assert!(CommandLine::read(&line).unwrap_err().to_string().contains("--nope"));
    }

    #[test]
    fn what_would_act_on_a_terminal_shows_as_its_mark_in_a_message_about_the_command_line() {
        for words in [&["get", "\u{1b}[2J\u{202e}x"][..], &["demo", "--spe\u{9b}ed\u{200b}"], &["\u{1b}]0;title\u{7}"]]
        {
            let line: Vec<OsString> = ["relay-console"].iter().chain(words).map(OsString::from).collect();
            let message = CommandLine::read(&line).unwrap_err().to_string();
            assert!(!message.contains(|c: char| c != '\n' && crate::app::inert::mark(c).is_some()), "{message:?}");
            assert!(message.contains(['␛', '␦', '¿']), "{message:?}");
        }
        let line: Vec<OsString> = ["relay-console", "--help", "\u{1b}"].iter().map(OsString::from).collect();
        assert!(!CommandLine::read(&line).unwrap_err().use_stderr(), "help stays help");
    }

    #[test]
    fn the_command_line_is_consistent_in_itself() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_run_id_alone_is_the_same_as_follow_with_all_its_options() {
        let server = ["--profile", "lab", "--base-url", "https://x.example"];
        let options = [&server[..], &["--no-output", "--no-journal", "--idle-timeout", "2m"]].concat();
        let short = parse(&[&[RUN], &options[..]].concat()).unwrap();
        assert_eq!(short, parse(&[&["follow", RUN], &options[..]].concat()).unwrap());
        let Command::Follow(arguments) = short else { panic!("not follow") };
        let expected = Flags {
            profile: Some("lab".into()),
            base_url: Some("https://x.example".into()),
            no_output: true,
            no_journal: true,
            idle_timeout: Some(Duration::from_secs(120)),
            ..Flags::default()
        };
        assert_eq!(arguments.flags(), expected);
        let command = arguments.command_to_return().join(" ");
        assert_eq!(command, format!("relay-console {RUN} --profile lab --base-url https://x.example"));
    }

    #[test]
    fn a_nil_or_malformed_run_id_is_refused_in_words() {
        for (id, phrase) in [("run-17", "is not a UUID"), ("00000000-0000-0000-0000-000000000000", "nil UUID")] {
            assert!(parse(&[id]).unwrap_err().contains(phrase));
            assert!(parse(&["follow", id]).unwrap_err().contains(phrase));
        }
    }

    #[test]
    fn neither_run_nor_subcommand_and_options_in_the_wrong_place_are_refused_in_words() {
        assert!(parse(&["-v"]).unwrap_err().contains("name a run or a subcommand"));
        for words in [&["--ascii", "demo"][..], &[RUN, "demo"], &["--profile", "lab", "follow", RUN]] {
            assert!(parse(words).unwrap_err().contains("behind its name"), "{words:?}");
        }
    }

    #[test]
    fn a_key_cannot_be_given_on_the_command_line() {
        assert!(parse(&[RUN, "--api-key", "mr_sk_1"]).is_err());
    }

    #[test]
    fn verbosity_can_be_said_before_and_after_a_subcommand() {
        let verbose = |words: &[&str]| CommandLine::try_parse_from(words).unwrap().verbose;
        assert_eq!(verbose(&["relay-console", "demo", "-vv"]), 2);
        assert_eq!(verbose(&["relay-console", "-v", "demo"]), 1);
        assert_eq!(verbose(&["relay-console", RUN, "-v"]), 1);
    }
}
