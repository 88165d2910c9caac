//! `relay-console demo`: the simulator and the console in one process, over real HTTP.

use super::arguments::DemoArguments;
use super::{Context, Exit, Failure};
use crate::settings;

/// Starts the simulator and follows its run until the operator leaves.
///
/// # Errors
/// When there is no such scenario or no terminal.
pub fn run(arguments: &DemoArguments, verbosity: u8) -> Result<Exit, Failure> {
    let context = Context::new(arguments.display.flags(), verbosity)?;
    let _preferences = settings::preferences(&context.flags, &context.environment, &context.files)?;
    Err(Failure::new(Exit::Internal, anyhow::anyhow!("the demo is not built yet")))
}
