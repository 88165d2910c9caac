//! `relay-console replay`: the console on a file of events.
//!
//! Rule: nothing is asked of a server and nothing is written: no credentials are needed, and no draft, intent or journal
//! comes of it. What is no file of events is refused before the terminal is entered.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::runtime::block_on;
use crate::cli::session::{identity, left};
use crate::console::{self, ConsoleConfig, Source};
use crate::feed::ReplayFile;
use crate::settings::{self, Flags};
use crate::view::Theme;

/// `replay`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = "\
The console shows the run as it stood at the file's last event, and its ages stand still there. Nothing is asked of a \
server, nothing can be answered, and nothing is written. `check FILE` says whether the file is whole.

Exit codes: 0 left; 2 wrong usage, no terminal, or not a file of events.")]
pub struct ReplayArguments {
    /// A journal (events.ndjson), or what `events` printed
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Capture the mouse; the terminal then selects no text
    #[arg(long)]
    pub mouse: bool,
}

/// Shows the file until the operator leaves.
///
/// # Errors
/// When the file holds no events, the settings are refused, or there is no terminal.
pub fn run(arguments: &ReplayArguments, verbosity: u8) -> Result<Exit, Failure> {
    let ReplayArguments { file: path, ascii, mouse } = arguments;
    let file = ReplayFile::open(path).map_err(|error| Failure::new(Exit::Refused, anyhow!("{error}")))?;
    let context = Context::new(Flags { ascii: *ascii, mouse: *mouse, ..Flags::default() }, verbosity)?;
    let preferences = settings::preferences(&context.flags, &context.environment, &context.files)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let config = ConsoleConfig {
        identity: identity(name, file.run_id(), &preferences),
        theme: Theme { color: preferences.color, ascii: preferences.ascii },
        mouse: preferences.mouse,
        include_output: preferences.include_output,
        idle_timeout: preferences.idle_timeout,
        state: Err("nothing is written".to_owned()),
        journal: false,
        problems: context.notices,
        command: ["relay-console", "replay", &path.to_string_lossy()].map(str::to_owned).to_vec(),
    };
    // A link in the file's place is followed now, and not looked at again.
    let path = path.canonicalize().unwrap_or_else(|_| path.clone());
    let left = block_on(async { left(console::run(config, Source::File { file, path }).await) })?;
    Ok(left.signal.map_or(Exit::Done, Exit::Signal))
}
