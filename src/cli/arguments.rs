//! Arguments that several subcommands share.
//!
//! Owns which server is meant and as whom, how the console looks, and the checks of a word that need nothing but the
//! word itself. What only one subcommand takes stands in its own file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::app::shell;
use crate::settings::Flags;

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
        Self::try_parse_from(arguments).map_err(|error| Self::stranger(arguments).unwrap_or(error))
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
            (Some(_), _) => wrong(ErrorKind::ArgumentConflict, "put what belongs to the subcommand behind its name"),
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
    /// Tell what changes in a run, one line each, until it ends
    Watch(WatchArguments),
    /// Print the events of a run, one line each
    Events(EventsArguments),
    /// Show a run: status, cost, nodes, outputs
    Get(GetArguments),
    /// Show the tool calls that a run waits for
    Pending(PendingArguments),
    /// Show the steps of a run, or one tool call in full
    Steps(StepsArguments),
    /// Show the task list of a run
    Tasks(TasksArguments),
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

/// `follow`
#[derive(Debug, Clone, PartialEq, Args)]
pub struct FollowArguments {
    /// The run, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run_id: RunId,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
    /// How the console looks and behaves.
    #[command(flatten)]
    pub display: DisplayArguments,
}

impl FollowArguments {
    /// What the settings are resolved from.
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.server.flags_with(&self.display)
    }

    /// The words that bring the operator back to this run on this server, in another shell as well.
    #[must_use]
    pub fn command_to_return(&self) -> Vec<String> {
        let mut words = vec!["relay-console".to_owned(), self.run_id.to_string()];
        words.extend(self.server.words());
        words
    }
}

/// Which server, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArguments {
    /// Use this profile of relay-console/config.toml or mrl/config.toml
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Where the runs API is.
    #[arg(long, value_name = "URL", help = "Where the runs API is [default: https://api.modelrelay.ai/api/v1]")]
    pub base_url: Option<String>,
    /// Read the secret key from this file
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Attribute calls to this customer
    #[arg(long, value_name = "ID")]
    pub customer: Option<String>,
    /// Allow plain http to a host that is not this machine
    #[arg(long)]
    pub allow_http: bool,
    /// Ignore the system's proxy
    #[arg(long)]
    pub no_proxy: bool,
}

impl ServerArguments {
    /// What the settings are resolved from, with nothing said about the console.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let Self { profile, base_url, api_key_file, customer, allow_http, no_proxy } = self.clone();
        Flags { profile, base_url, api_key_file, customer_id: customer, allow_http, no_proxy, ..Flags::default() }
    }

    /// A command of this program for the same server, as a shell reads it.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        let words = ["relay-console"].iter().chain(words).map(|word| (*word).to_owned());
        shell::line(&words.chain(self.words()).collect::<Vec<_>>())
    }

    /// What the settings are resolved from, for a command that opens the console.
    #[must_use]
    pub fn flags_with(&self, display: &DisplayArguments) -> Flags {
        let Flags { no_output, ascii, mouse, idle_timeout, .. } = display.flags();
        Flags { no_output, ascii, mouse, idle_timeout, ..self.flags() }
    }

    /// The same words again, for a command that is suggested.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        option("--profile", self.profile.clone());
        option("--base-url", self.base_url.clone());
        option("--api-key-file", self.api_key_file.as_ref().map(|path| path.display().to_string()));
        option("--customer", self.customer.clone());
        for (given, name) in [(self.allow_http, "--allow-http"), (self.no_proxy, "--no-proxy")] {
            words.extend(given.then(|| name.to_owned()));
        }
        words
    }
}

/// How the console looks and behaves.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Console")]
pub struct DisplayArguments {
    /// Do not ask for outputs with the events
    #[arg(long)]
    pub no_output: bool,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Capture the mouse; the terminal then selects no text
    #[arg(long)]
    pub mouse: bool,
    /// Check the link after so much silence, such as 15s or 2m [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub idle_timeout: Option<Duration>,
}

impl DisplayArguments {
    /// What the settings are resolved from, with nothing said about a server.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags {
            no_output: self.no_output,
            ascii: self.ascii,
            mouse: self.mouse,
            idle_timeout: self.idle_timeout,
            ..Flags::default()
        }
    }
}

/// A factor above 0, in thousandths, so that it can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor(u32);

impl Default for Factor {
    fn default() -> Self {
        Self(1000)
    }
}

impl Factor {
    /// The factor.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

pub(super) fn factor(text: &str) -> Result<Factor, String> {
    match text.parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked: at most 1,000,000 thousandths, never negative"
        )]
        Ok(factor) if (0.001..=1000.0).contains(&factor) => Ok(Factor((factor * 1000.0).round() as u32)),
        _ => Err("must be a number from 0.001 to 1000".to_owned()),
    }
}

/// Seconds or minutes, at most a day.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        _ => 0,
    };
    match digits.parse::<u64>() {
        Ok(count) if (1..=86_400).contains(&count.saturating_mul(seconds)) => Ok(Duration::from_secs(count * seconds)),
        _ => Err("must be seconds or minutes, such as 15s or 2m, at most a day".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_command_line_is_consistent_in_itself() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_run_id_alone_is_the_same_as_follow_with_all_its_options() {
        let options = ["--profile", "lab", "--base-url", "https://x.example", "--no-output", "--idle-timeout", "2m"];
        let short = parse(&[&[RUN], &options[..]].concat()).unwrap();
        assert_eq!(short, parse(&[&["follow", RUN], &options[..]].concat()).unwrap());
        let Command::Follow(arguments) = short else { panic!("not follow") };
        let expected = Flags {
            profile: Some("lab".into()),
            base_url: Some("https://x.example".into()),
            no_output: true,
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
    fn durations_and_factors_are_checked() {
        assert_eq!(duration("15"), Ok(Duration::from_secs(15)));
        for wrong in ["", "0", "s", "-1", "15h", "1.5s", "9999999999999999999999", "86401"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(factor("0.5").map(|factor| factor.0), Ok(500));
        for wrong in ["0", "-1", "NaN", "inf", "fast", "1001"] {
            assert!(factor(wrong).is_err(), "{wrong}");
        }
    }
}
