//! `relay-console simulate`: the simulator alone, for trials and tests.

use super::arguments::SimulateArguments;
use super::{Context, Exit, Failure, block_on, output};
use crate::console::signals::{Signal, Signals};
use crate::settings::Flags;
use crate::simulator::{Simulator, SimulatorConfig};

/// Serves until it is stopped by a signal.
///
/// # Errors
/// When the address cannot be listened on or the line that says where cannot be written.
pub fn run(arguments: &SimulateArguments, verbosity: u8) -> Result<Exit, Failure> {
    Context::new(Flags::default(), verbosity)?;
    let config =
        SimulatorConfig { listen: arguments.listen, speed: arguments.speed.get(), ..SimulatorConfig::default() };
    block_on(async {
        // Before the line that says it is ready: whoever reads it may stop it at once.
        let mut signals = Signals::listen().map_err(Failure::internal)?;
        let simulator = Simulator::start(config).await.map_err(|error| Failure::new(Exit::Refused, error))?;
        output::text(&format!("{}\n", simulator.ready_line()))?;
        let signal = loop {
            let signal = signals.next().await;
            if signal.exit_code().is_some() {
                break signal;
            }
            if signal == Signal::Suspend {
                crate::console::terminal::stop_this_process().map_err(Failure::internal)?;
            }
        };
        simulator.shutdown().await;
        Ok(Exit::Signal(signal))
    })
}
