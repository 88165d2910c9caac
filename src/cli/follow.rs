//! `relay-console RUN_ID`: follow a run in the console.

use super::arguments::FollowArguments;
use super::{Context, Exit, Failure};
use crate::settings;

/// Follows the run until the operator leaves.
///
/// # Errors
/// When the settings are refused or there is no terminal.
pub fn run(arguments: &FollowArguments, verbosity: u8) -> Result<Exit, Failure> {
    let context = Context::new(arguments.flags(), verbosity)?;
    let _settings = settings::resolve(&context.flags, &context.environment, &context.files, &context.directories)?;
    Err(Failure::new(Exit::Internal, anyhow::anyhow!("following a run is not built yet")))
}
