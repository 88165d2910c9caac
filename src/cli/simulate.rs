//! `relay-console simulate`: the simulator alone, for trials and tests.

use super::arguments::SimulateArguments;
use super::{Context, Exit, Failure};
use crate::settings::Flags;

/// Serves until it is stopped by a signal.
///
/// # Errors
/// When the address cannot be listened on.
pub fn run(_: &SimulateArguments, verbosity: u8) -> Result<Exit, Failure> {
    let _context = Context::new(Flags::default(), verbosity)?;
    Err(Failure::new(Exit::Internal, anyhow::anyhow!("the simulator is not built yet")))
}
