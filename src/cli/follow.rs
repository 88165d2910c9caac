//! `relay-console RUN_ID`: follow a run in the console.

use super::arguments::FollowArguments;
use super::session::Session;
use super::{Context, Exit, Failure, block_on};

/// Follows the run until the operator leaves.
///
/// # Errors
/// When the settings are refused or there is no terminal.
pub fn run(arguments: &FollowArguments, verbosity: u8) -> Result<Exit, Failure> {
    let context = Context::new(arguments.flags(), verbosity)?;
    let session = Session::with_server(context, arguments.run_id, arguments.command_to_return())?;
    block_on(session.run())
}
