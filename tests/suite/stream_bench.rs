//! A server with a run, and the program that reads its stream line by line; what `events` and `watch` are tested with.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use relay_console::simulator::{Scenario, Simulator, SimulatorConfig};
use tokio::runtime::Runtime;

use crate::program::Program;
use crate::raw_server::{Act, RawServer, Request, answer, json, stream_head};

pub(crate) const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

/// The longest that a program may run.
const BOUND: Duration = Duration::from_secs(60);

/// An event's line without its end.
pub(crate) fn event(seq: u64, rest: &str) -> String {
    format!(
        r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-01-01T00:{:02}:{:02}Z","type":{rest}}}"#,
        seq / 60 % 60,
        seq % 60
    )
}

/// The start of a node.
pub(crate) fn started(seq: u64) -> String {
    event(seq, r#""node_started","node_id":"n""#)
}

/// The run's last event: `completed`, `failed` or `canceled`.
pub(crate) fn ended(seq: u64, how: &str) -> String {
    let plan = "a".repeat(64);
    let rest = match how {
        "completed" => r#""outputs":{"artifact_key":"o","info":{"bytes":2,"sha256":"x","included":false}}"#,
        _ => r#""error":{"message":"m"}"#,
    };
    event(seq, &format!(r#""run_{how}","plan_hash":"{plan}",{rest}"#))
}

pub(crate) fn snapshot(status: &str) -> Vec<Act> {
    json(&format!(r#"{{"run_id":"{RUN}","status":"{status}","cost_summary":{{"total_usd_cents":0}}}}"#))
}

/// An answer of these lines, each ended by a line feed.
pub(crate) fn lines(lines: &[String]) -> Vec<Act> {
    let text: Vec<&str> = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    vec![stream_head(), Act::Send(text.concat().into_bytes())]
}

/// The same, and the connection stays open.
pub(crate) fn open(before: &[String]) -> Vec<Act> {
    [lines(before), vec![Act::Hold]].concat()
}

/// What an events request asks for: the events behind this seq.
pub(crate) fn after(request: &Request) -> u64 {
    let seq = request.line.split(['?', '&']).find_map(|part| part.strip_prefix("after_seq="));
    seq.map_or(0, |seq| seq.parse().unwrap())
}

/// A server that holds these events and answers what is asked for, as the real one does.
pub(crate) fn holding(events: Vec<String>, status: &'static str) -> Bench {
    Bench::raw(move |request, _| {
        if !request.line.contains("/events") {
            return snapshot(status);
        }
        let limit = request.line.split(['?', '&']).find_map(|part| part.strip_prefix("limit="));
        let limit = limit.map_or(usize::MAX, |limit| limit.parse().unwrap());
        let known = usize::try_from(after(request)).unwrap().min(events.len());
        let wanted: Vec<String> = events[known..].iter().take(limit).cloned().collect();
        if wanted.is_empty() && !request.line.contains("wait=false") { open(&[]) } else { lines(&wanted) }
    })
}

/// Where the run is.
enum Server {
    Raw(RawServer),
    Simulated(Simulator),
}

/// A server, and a program whose settings name it.
pub(crate) struct Bench {
    // Dropped before the runtime that it runs on.
    server: Server,
    runtime: Runtime,
    pub(crate) program: Program,
}

impl Bench {
    fn with(start: impl AsyncFnOnce() -> Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(start());
        Self { server, runtime, program: Program::new() }
    }

    /// A bare socket that answers as scripted.
    pub(crate) fn raw(script: impl Fn(&Request, usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::with(async || Server::Raw(RawServer::start(script).await))
    }

    /// A server that answers everything so.
    pub(crate) fn refusing(status: u16) -> Self {
        Self::raw(move |_, _| answer(status, &[], ""))
    }

    /// The simulator with one run, whose ids and times are the same in every repetition.
    pub(crate) fn simulated(scenario: &str) -> Self {
        let config = SimulatorConfig {
            speed: 2000.0,
            seed: 7,
            start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            scenarios: vec![Scenario::find(scenario).unwrap()],
            api_key: Some("mr_sk_0123456789".to_owned()),
            ..SimulatorConfig::default()
        };
        Self::with(async || Server::Simulated(Simulator::start(config).await.unwrap()))
    }

    /// The run's id.
    pub(crate) fn run_id(&self) -> String {
        match &self.server {
            Server::Raw(_) => RUN.to_owned(),
            Server::Simulated(simulator) => simulator.runs()[0].run_id.to_string(),
        }
    }

    /// The raw server; waits until what it has seen fulfils `condition`.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&[Request]) -> bool) {
        let Server::Raw(server) = &self.server else { panic!("not a raw server") };
        self.runtime.block_on(server.until(what, |seen| condition(&seen.requests)));
    }

    /// The requests to the raw server, method and target.
    pub(crate) fn requests(&self) -> Vec<String> {
        let Server::Raw(server) = &self.server else { panic!("not a raw server") };
        server.seen().requests.into_iter().map(|request| request.line).collect()
    }

    pub(crate) fn base_url(&self) -> String {
        match &self.server {
            Server::Raw(server) => server.base_url(),
            Server::Simulated(simulator) => simulator.base_url().to_owned(),
        }
    }

    /// The settings of a shell that reads from it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        [("MODELRELAY_API_BASE_URL", self.base_url()), ("MODELRELAY_API_KEY", "mr_sk_0123456789".to_owned())]
    }

    fn command(&self, command: &str, options: &[&str]) -> Command {
        let run_id = self.run_id();
        let arguments: Vec<&str> = [command, &run_id].into_iter().chain(options.iter().copied()).collect();
        let mut command = self.program.command(&arguments);
        command.envs(self.environment()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts `relay-console COMMAND RUN OPTIONS…`.
    pub(crate) fn start(&self, command: &str, options: &[&str]) -> Running {
        Running::new(self.command(command, options).spawn().unwrap())
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, command: &str, options: &[&str]) -> Ended {
        self.start(command, options).end()
    }
}

/// A program that runs, and is ended after a while whatever it does.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    /// Dropped when the program has ended.
    _watchdog: Sender<()>,
}

/// How a program has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// What was printed, which must be UTF-8.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }
}

fn process(id: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

impl Running {
    fn new(mut child: Child) -> Self {
        let (watchdog, alive) = channel::<()>();
        let id = child.id();
        std::thread::spawn(move || {
            if alive.recv_timeout(BOUND) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = rustix::process::kill_process(process(id), rustix::process::Signal::KILL);
            }
        });
        let stdout = child.stdout.take().map(BufReader::new);
        let stderr = child.stderr.take().map(|stderr| std::thread::spawn(move || read(stderr)));
        Self { child, stdout, stderr, _watchdog: watchdog }
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, whatever it has to say.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the output ended with {line:?}");
        line.trim_end_matches('\n').to_owned()
    }

    /// Lines up to the first that fits.
    pub(crate) fn line_with(&mut self, phrase: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(phrase) {
                return line;
            }
        }
    }

    /// Waits until the pipe fills, because nobody reads. (How much it takes depends on how its pages are filled.)
    pub(crate) fn wait_until_stuck(&self) {
        let end = std::time::Instant::now() + BOUND;
        let waiting = || rustix::io::ioctl_fionread(self.stdout.as_ref().unwrap().get_ref()).unwrap();
        while waiting() < 32 * 1024 {
            assert!(std::time::Instant::now() < end, "only {} bytes wait", waiting());
            std::thread::yield_now();
        }
    }

    /// Reads no more.
    pub(crate) fn stop_reading(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(process(self.child.id()), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let stdout = self.stdout.take().map(read).unwrap_or_default();
        let code = self.child.wait().unwrap().code();
        let stderr = String::from_utf8(self.stderr.take().unwrap().join().unwrap()).unwrap();
        Ended { code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}
