//! `relay-console completions`: the script by which a shell completes this program's words.
//!
//! The rule that must stay true: the script is made from the same command tree that reads the command line.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use crate::cli::command_line::CommandLine;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;

/// `completions`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = "bash:\n  mkdir -p ~/.local/share/bash-completion/completions\n  \
                  relay-console completions bash > ~/.local/share/bash-completion/completions/relay-console\n\
                  zsh, into a directory of $fpath:\n  \
                  relay-console completions zsh > _relay-console\n\
                  fish:\n  mkdir -p ~/.config/fish/completions\n  \
                  relay-console completions fish > ~/.config/fish/completions/relay-console.fish")]
pub struct CompletionsArguments {
    /// Which shell
    #[arg(value_enum)]
    pub shell: ShellName,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShellName {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

impl From<ShellName> for Shell {
    fn from(name: ShellName) -> Self {
        match name {
            ShellName::Bash => Self::Bash,
            ShellName::Zsh => Self::Zsh,
            ShellName::Fish => Self::Fish,
        }
    }
}

/// Prints the script.
///
/// # Errors
/// When standard output is closed.
pub fn run(arguments: &CompletionsArguments) -> Result<Exit, Failure> {
    output::text(&script(arguments.shell))?;
    Ok(Exit::Done)
}

/// The script for one shell.
#[must_use]
pub fn script(shell: ShellName) -> String {
    let mut script = Vec::new();
    generate(Shell::from(shell), &mut CommandLine::command(), "relay-console", &mut script);
    // For a program whose name has a dash, the bash script of clap_complete 4.6 names the same state in two ways, and
    // completes nothing behind a subcommand.
    String::from_utf8_lossy(&script).replace("relay__subcmd__console", "relay__console")
}
