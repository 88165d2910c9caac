//! `relay-console simulate`: the simulator alone, for trials and tests.
//!
//! Rule: the one line on standard output says where it serves, once it does; whoever reads it may begin, or stop it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use crate::cli::arguments::{Factor, factor};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::runtime::block_on;
use crate::cli::{demo, output};
use crate::console::signals::{Signal, Signals};
use crate::settings::Flags;
use crate::simulator::flood::FloodConfig;
use crate::simulator::{FaultCount, Faults, Simulator, SimulatorConfig};

/// `simulate`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = short_help(), after_long_help = long_help())]
pub struct SimulateArguments {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub listen: SocketAddr,
    /// How many times faster than the scenarios say
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = factor)]
    pub speed: Factor,
    /// Start a run of this scenario, by name or file; may be given several times [default: all that are built in]
    #[arg(long = "scenario", value_name = "NAME|FILE")]
    pub scenarios: Vec<String>,
    /// Make the same ids and the same faults each time, if the same is asked in the same order
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Start a run of any size, made as it is read, such as events=1000000,nodes=1000,rate=200000; the only run where no
    /// scenario is asked for
    #[arg(long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "")]
    pub flood: Option<String>,
    /// Read the key that clients must send from this file, in place of a new one each time
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Let these go wrong, such as cut=0.1,stall=0.05:20s; or those in this TOML file
    #[arg(long, value_name = "FILE|SPEC")]
    pub faults: Option<String>,
}

/// What it is, below the options.
const ABOUT: &str = "\
When it is ready it prints one line of JSON: base_url, api_key, runs with run_id and scenario, state
and faults.
It runs every workflow spec that is posted to it, with texts in place of a model's, until it is stopped.
All of its state is in memory: runs, plan hashes and sessions are gone when it stops. It keeps the
last 1000 runs; of more, the oldest that have ended are forgotten.";

/// How a fault is asked for, and which there are.
const FAULTS: &str = "\
Faults:
  --faults asks for faults, separated by commas: NAME[@WHERE][=WHEN][:VALUE][:TIMESx][:within-TIME]
    WHERE   the call: events, snapshot, pending-tools, tool-results, create, steps, tool-call,
            tasks, compile, lint, or any; without it, what stands behind the name below
    WHEN    a share such as 0.1, or numbers such as #3, #2-5, #4-: the requests of a run there in
            their order; of a fault that befalls events, events by seq; without it, always
    VALUE   a time (500ms, 20s, 1m) or a size (400B, 64KiB, 1MiB), where the fault takes one
    TIMESx  at most so often; within-TIME only so long after the start
  A file has a [[fault]] for each, with name, at, when, value, times and within. The same seed and
  the same requests give the same faults. What the server has stays true: a fault changes what is
  sent and what arrives. Each that happens is written to the log, and at the end all are counted.

";

/// What a flood is made of.
const FLOOD: &str = "\
Flood:
  --flood starts a run whose events are made as they are read and kept nowhere, for trials of speed.
  SPEC says what it is made of, separated by commas, all of it optional:
    events=NUMBER  events in all (1000000)
    nodes=NUMBER   nodes in all; several hundred work at a time (1000, or a hundredth of the events)
    rate=NUMBER    events a second from now on; without it, or with 0, all have happened already
    text=SIZE      streamed text in all, such as 50MB or 1GiB (20 B for each event)
    seed=NUMBER    the same seed makes the same run (that of --seed)
  It waits for nobody, and keeps no steps and no tasks. --speed does not change its rate.

";

/// The end of the short help.
fn short_help() -> String {
    format!("{ABOUT}\n--help says what a flood is made of and lists the faults that --faults can ask for.")
}

/// The end of the long help.
fn long_help() -> String {
    format!("{ABOUT}\n\n{FLOOD}{FAULTS}{}", Faults::help().trim_end())
}

/// The simulator knows no users: it serves this machine only.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("must be an address of this machine only".to_owned()) }
}

impl SimulateArguments {
    fn config(&self) -> Result<SimulatorConfig, Failure> {
        let mut config = SimulatorConfig { listen: self.listen, speed: self.speed.get(), ..SimulatorConfig::default() };
        if !self.scenarios.is_empty() {
            let scenarios = self.scenarios.iter().map(|name| demo::scenario(Some(name)));
            config.scenarios = scenarios.collect::<Result<_, _>>()?;
        }
        config.seed = self.seed.unwrap_or(config.seed);
        if let Some(spec) = &self.flood {
            let flood = FloodConfig::parse(spec, config.seed).map_err(|error| Failure::new(Exit::Refused, error))?;
            config.flood = Some(flood);
            if self.scenarios.is_empty() {
                config.scenarios.clear();
            }
        }
        config.api_key = self.api_key_file.as_deref().map(key).transpose()?;
        let faults = self.faults.as_deref().map(Faults::read).transpose();
        config.faults = faults.map_err(|error| Failure::new(Exit::Refused, error))?;
        Ok(config)
    }
}

fn key(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Refused, anyhow!("cannot read {}: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}

/// Serves until it is stopped by a signal.
///
/// # Errors
/// When a scenario or the key cannot be had, the address cannot be listened on, or the line that says where cannot be
/// written.
pub fn run(arguments: &SimulateArguments, verbosity: u8) -> Result<Exit, Failure> {
    Context::new(Flags::default(), verbosity)?;
    let config = arguments.config()?;
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
        if let Some(counted) = counted(&simulator.faults()) {
            output::report(&counted);
        }
        simulator.shutdown().await;
        Ok(Exit::Signal(signal))
    })
}

/// What went wrong, in one line; `None` where nothing was to.
fn counted(faults: &[FaultCount]) -> Option<String> {
    let each: Vec<String> = faults.iter().map(|count| format!("{} {}", count.fault, times(count.times))).collect();
    (!each.is_empty()).then(|| format!("faults that happened: {}", each.join(", ")))
}

fn times(times: u64) -> String {
    match times {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        times => format!("{times} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_this_machine_is_listened_on() {
        assert!(loopback("0.0.0.0:80").unwrap_err().contains("this machine only"));
        assert!(loopback("localhost").is_err());
        assert!(loopback("[::1]:0").is_ok());
    }
}
