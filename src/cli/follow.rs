//! `relay-console RUN_ID`: follow a run in the console.

use clap::Args;

use crate::api::ids::RunId;
use crate::cli::arguments::{DisplayArguments, ServerArguments};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::runtime::block_on;
use crate::cli::session::Session;
use crate::settings::Flags;

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

/// Follows the run until the operator leaves.
///
/// # Errors
/// When the settings are refused or there is no terminal.
pub fn run(arguments: &FollowArguments, verbosity: u8) -> Result<Exit, Failure> {
    let context = Context::new(arguments.flags(), verbosity)?;
    let session = Session::with_server(context, arguments.run_id, arguments.command_to_return())?;
    block_on(session.run())
}
