//! A runs server on loopback over real HTTP, for `demo`, `simulate`, tests and users' own trials.
//!
//! Owns a server that speaks `wire/README.md` as the real one does: it compiles the workflow specs that are sent and
//! executes them with stand-in models, which say what a scenario's script says where there is one, holds at a waiting
//! call until somebody answers it, and carries what was submitted on into events and outputs. Everything is in memory,
//! bounded, and gone when it stops: runs, plans, sessions, the memory of answered requests. Knows nothing of the client
//! side; it shares only the wire's types with it.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`scenario`] | scenario files and the built-in ones |
//! | `script` | the words of a scenario's script |
//! | `shape`, `check`, `predicate`, `issues` | the checks of a spec as it is sent, and the codes of what they find |
//! | `plan`, `spec`, `compiled` | the plan; what the engine reads in a node; the published compiled form and its hash |
//! | [`lint`] | what is doubtful about a spec that compiles all the same |
//! | `part` | what one run executes, and the checks of a request to create it |
//! | `engine` | executing a plan: pure, synchronous, time is an argument |
//! | [`flood`] | a run of any size, made as it is read |
//! | `ledger`, `fold` | the log of events and the snapshot that it folds into |
//! | `world` | the runs of a server, each driven in real time; creating them, once for each request; plans, sessions |
//! | [`faults`] | what goes wrong on demand, and when |
//! | `http` | the routes, credentials, errors, the event stream |
//! | [`play`] | a scenario played at once, without a server |
//! | `identity`, `prices`, `template` | ids from a seed; costs; `{{…}}` |
//! | `emitted`, `sample` | events that a script writes out; values made from a JSON Schema |

mod check;
mod compiled;
mod emitted;
mod engine;
pub mod faults;
pub mod flood;
mod fold;
mod http;
mod identity;
mod issues;
mod ledger;
pub mod lint;
mod part;
mod plan;
pub mod play;
mod predicate;
mod prices;
mod sample;
pub mod scenario;
mod script;
mod shape;
mod spec;
mod template;
mod world;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::api::event::{self, Decoded, Event};
use crate::api::ids::{RunId, SessionId};
use crate::api::plan::{CompiledPlan, Issue};

use faults::Injector;
pub use faults::{FaultCount, Faults, FaultsError};
use flood::FloodConfig;
use plan::Plan;
pub use scenario::{Scenario, ScenarioError};
use world::{FLOOD, World};
pub use world::{Offer, Submission, Taken};

/// Compiles a spec as it is sent; any JSON may be given.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(spec: &Value) -> Result<CompiledPlan, Vec<Issue>> {
    let plan = Plan::compile(spec, &|_| false)?;
    // A value always serialises.
    let plan_json = to_raw_value(plan.json()).map_err(|_| Vec::new())?;
    Ok(CompiledPlan { plan_hash: plan.hash.clone(), plan_json })
}

/// How long [`Simulator::shutdown`] waits for open connections.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Speeds at which times neither overflow nor vanish.
const SPEEDS: RangeInclusive<f64> = 0.001..=100_000.0;

/// What a simulator is started with.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// The address to listen on; port 0 picks one.
    pub listen: SocketAddr,
    /// How fast the scenarios' time runs: 1 as they say, 20 twenty times as fast.
    pub speed: f64,
    /// A run of each of these is started.
    pub scenarios: Vec<Scenario>,
    /// The key that clients must send; a random one where there is none.
    pub api_key: Option<String>,
    /// Run, request and call ids follow from it, and when which fault happens.
    pub seed: u64,
    /// Events carry this time plus the run's elapsed time, so that every repetition has the same; `None`: real time.
    pub start: Option<Timestamp>,
    /// A silent event stream says that it is alive this often.
    pub keepalive: Duration,
    /// How many runs are kept, child runs included; of more, the oldest that have ended are forgotten, and none is
    /// created while none has.
    pub runs_kept: usize,
    /// A run is started that is made as it is read, behind those of the scenarios.
    pub flood: Option<FloodConfig>,
    /// What goes wrong; `None`: nothing.
    pub faults: Option<Faults>,
}

impl Default for SimulatorConfig {
    /// All built-in scenarios at their own speed, on a port of the system's choice, with ids that are new each time.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            speed: 1.0,
            scenarios: Scenario::builtin(),
            api_key: None,
            seed: uuid::Uuid::new_v4().as_u64_pair().0,
            start: None,
            keepalive: Duration::from_secs(5),
            runs_kept: 1000,
            flood: None,
            faults: None,
        }
    }
}

impl fmt::Debug for SimulatorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.scenarios.iter().map(Scenario::name).collect();
        f.debug_struct("SimulatorConfig")
            .field("listen", &self.listen)
            .field("speed", &self.speed)
            .field("scenarios", &names)
            .field("seed", &self.seed)
            .field("flood", &self.flood)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// A run that a simulator has started by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StartedRun {
    /// Its id.
    pub run_id: RunId,
    /// The scenario that it plays, or `flood`.
    pub scenario: String,
}

/// A running simulator; dropping it stops it.
pub struct Simulator {
    base_url: String,
    api_key: SecretString,
    runs: Vec<StartedRun>,
    world: Arc<World>,
    injector: Arc<Injector>,
    stop: CancellationToken,
    server: JoinHandle<()>,
    _stop_on_drop: DropGuard,
}

impl Simulator {
    /// Binds the address, starts a run of each scenario, and serves.
    ///
    /// # Errors
    /// When the address cannot be bound, the speed is not between 0.001 and 100,000, or the key is not one that clients
    /// could send.
    pub async fn start(config: SimulatorConfig) -> io::Result<Self> {
        if !SPEEDS.contains(&config.speed) {
            let (slowest, fastest) = (SPEEDS.start(), SPEEDS.end());
            let message = format!("the speed must be between {slowest} and {fastest}, not {}", config.speed);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let api_key = config.api_key.unwrap_or_else(|| format!("mr_sk_{}", uuid::Uuid::new_v4().simple()));
        if !api_key.strip_prefix("mr_sk_").is_some_and(|rest| rest.bytes().any(|byte| byte.is_ascii_graphic())) {
            let message = "the simulator's key must start with mr_sk_, as the secret keys of the real server do";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", config.listen)))?;
        let base_url = format!("http://{}{}", listener.local_addr()?, http::PREFIX);
        let stop = CancellationToken::new();
        let world = Arc::new(World::new(config.seed, config.speed, config.start, config.runs_kept, stop.clone()));
        let runs = config
            .scenarios
            .iter()
            .map(|scenario| StartedRun { run_id: world.start(scenario), scenario: scenario.name().to_owned() });
        let flood =
            config.flood.map(|flood| StartedRun { run_id: world.start_flood(flood), scenario: FLOOD.to_owned() });
        let runs = runs.chain(flood).collect();
        let api_key = SecretString::from(api_key);
        let injector = Arc::new(Injector::new(config.faults.unwrap_or_default(), config.seed));
        let (for_world, for_injector) = (Arc::clone(&world), Arc::clone(&injector));
        let serving = http::serve(listener, for_world, for_injector, api_key.clone(), config.keepalive, stop.clone());
        let server = tokio::spawn(serving);
        Ok(Self { base_url, api_key, runs, world, injector, _stop_on_drop: stop.clone().drop_guard(), stop, server })
    }

    /// Where it serves, with the path prefix: `http://127.0.0.1:PORT/api/v1`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The key that it wants.
    #[must_use]
    pub fn api_key(&self) -> &str {
        self.api_key.expose_secret()
    }

    /// The runs that it has started by itself, in the order of the scenarios.
    #[must_use]
    pub fn runs(&self) -> &[StartedRun] {
        &self.runs
    }

    /// What the assistant has said in a session: the text of each model of every run linked to it that has succeeded.
    /// The published document has no call that reads it.
    #[must_use]
    pub fn session_messages(&self, session: SessionId) -> Vec<String> {
        self.world.session_messages(session)
    }

    /// The events of a run as they are, with their outputs, whatever was sent of them; none where there is no such run.
    #[must_use]
    pub fn log(&self, run_id: RunId) -> Vec<Event> {
        let decoded =
            self.log_lines(run_id, true).into_iter().filter_map(|line| event::decode(line.trim_ascii_end()).ok());
        decoded.filter_map(|decoded| if let Decoded::Event(event) = decoded { Some(event) } else { None }).collect()
    }

    /// The lines of a run's events as they are, with their ends, with or without outputs.
    #[must_use]
    pub fn log_lines(&self, run_id: RunId, with_output: bool) -> Vec<Bytes> {
        if let Some(flood) = self.world.flood(run_id) {
            return flood.lines(0, usize::MAX, with_output);
        }
        self.world.run(run_id).map_or_else(Vec::new, |run| run.engine().ledger().lines(0, usize::MAX, with_output).0)
    }

    /// The seqs of a run's events so far that the fault `gap` keeps from every reader.
    #[must_use]
    pub fn gaps(&self, run_id: RunId) -> Vec<u64> {
        let events = match self.world.flood(run_id) {
            Some(flood) => flood.happened(),
            None => self.log_lines(run_id, false).len() as u64,
        };
        self.injector.gaps(run_id, events)
    }

    /// What was submitted to a run, call by call: what was offered, under which request ids, and what was taken.
    #[must_use]
    pub fn submissions(&self, run_id: RunId) -> Vec<Submission> {
        self.world.run(run_id).map_or_else(Vec::new, |run| run.submissions().all())
    }

    /// How often each fault has happened, in the order in which they were asked for.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultCount> {
        self.injector.counts()
    }

    /// What `simulate` prints when it is ready, key included: one line of JSON without its end.
    #[must_use]
    pub fn ready_line(&self) -> String {
        #[derive(Serialize)]
        struct Ready<'a> {
            base_url: &'a str,
            api_key: &'a str,
            runs: &'a [StartedRun],
            /// Where everything is kept: it is gone when the simulator stops.
            state: &'static str,
            /// What goes wrong, each in the language's own spelling.
            faults: Vec<String>,
        }
        let Self { base_url, runs, .. } = self;
        let faults = self.faults().into_iter().map(|count| count.fault).collect();
        // Texts and ids always serialise.
        serde_json::to_string(&Ready { base_url, api_key: self.api_key(), runs, state: "memory", faults })
            .unwrap_or_default()
    }

    /// Ends every stream, stops listening, and waits a little for open connections.
    pub async fn shutdown(self) {
        self.stop.cancel();
        let mut server = self.server;
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut server).await.is_err() {
            server.abort();
        }
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("base_url", &self.base_url).field("runs", &self.runs).finish_non_exhaustive()
    }
}
