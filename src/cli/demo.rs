//! `relay-console demo`: the simulator and the console in one process, over real HTTP.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tempfile::TempDir;

use crate::cli::arguments::{DisplayArguments, Factor, factor};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::runtime::block_on;
use crate::cli::session::Session;
use crate::simulator::{Scenario, ScenarioError, Simulator, SimulatorConfig};

/// `demo`
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct DemoArguments {
    /// A scenario's name or file; without it the one for newcomers
    pub scenario: Option<String>,
    /// How many times faster than the scenario says
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = factor)]
    pub speed: Factor,
    /// How the console looks and behaves.
    #[command(flatten)]
    pub display: DisplayArguments,
}

/// Starts the simulator and follows its run until the operator leaves.
///
/// # Errors
/// When there is no such scenario or no terminal.
pub fn run(arguments: &DemoArguments, verbosity: u8) -> Result<Exit, Failure> {
    let scenario = scenario(arguments.scenario.as_deref())?;
    let context = Context::new(arguments.display.flags(), verbosity)?;
    let command = ["relay-console", "demo"].into_iter().map(str::to_owned).chain(arguments.scenario.clone()).collect();
    // A demo's run is gone when it is left; so are its drafts.
    let drafts = TempDir::with_prefix("relay-console-demo-");
    block_on(async {
        let config =
            SimulatorConfig { speed: arguments.speed.get(), scenarios: vec![scenario], ..SimulatorConfig::default() };
        let simulator =
            Simulator::start(config).await.context("cannot start the simulator").map_err(Failure::internal)?;
        let run = simulator.runs().first().ok_or_else(|| Failure::internal(anyhow!("the simulator started no run")))?;
        let server = (simulator.base_url(), simulator.api_key());
        let session = Session::with_simulator(context, server, run.run_id, drafts.as_ref().map(TempDir::path), command);
        // Dropping the simulator stops it; nobody is left who would mind how.
        session.map_err(Failure::internal)?.run().await
    })
}

/// The scenario of this name, built in or in a file; without a name the one for newcomers.
pub(super) fn scenario(name: Option<&str>) -> Result<Scenario, Failure> {
    let refused = |error: ScenarioError| Failure::new(Exit::Refused, error);
    let Some(name) = name else {
        return Scenario::builtin()
            .into_iter()
            .next()
            .ok_or_else(|| Failure::internal(anyhow!("no scenario is built in")));
    };
    match Scenario::find(name) {
        Ok(scenario) => Ok(scenario),
        Err(_) if Path::new(name).exists() => Scenario::load(Path::new(name)).map_err(refused),
        Err(error) => Err(refused(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_found_by_name_by_file_or_is_the_first_and_others_are_refused_with_the_names() {
        let first = scenario(None).unwrap();
        assert_eq!(first.name(), Scenario::builtin()[0].name());
        let last = Scenario::builtin().pop().unwrap();
        assert_eq!(scenario(Some(last.name())).unwrap().name(), last.name());
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenarios/failing.toml");
        assert_eq!(scenario(Some(file)).unwrap().name(), "failing");
        let refused = scenario(Some("no-such-scenario")).unwrap_err();
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.error.to_string().contains(first.name()), "{}", refused.error);
    }
}
