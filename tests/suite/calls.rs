//! The commands that make one call, as a shell sees them: what they send, print and return.
//!
//! The server is a raw socket with canned answers, so that ids, times and every misbehaviour are a test's own.

mod reads;
mod simulated;
mod specs;
mod starting;

use std::process::{Command, Output, Stdio};

use tokio::runtime::Runtime;

use crate::program::{Program, text};
use crate::raw_server::{Act, RawServer, Request, Seen, answer, json};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

/// Controls, direction marks and what cannot be seen, as JSON spells them.
const HOSTILE: &str = r"\u001b[2J\u202e\u200b\u0007\u009b1m";

/// A server with canned answers, and a program whose settings name it.
struct Bench {
    // Dropped before the runtime that it runs on.
    server: RawServer,
    runtime: Runtime,
    program: Program,
}

impl Bench {
    /// A server whose answers `script` gives.
    fn with(script: impl Fn(&Request, usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(RawServer::start(script));
        Self { server, runtime, program: Program::new() }
    }

    /// A server that always answers so.
    fn answering(status: u16, body: &str) -> Self {
        // A clock that stands still, so that ages do.
        let headers =
            ["content-type: application/json", "date: Thu, 01 Jan 2026 00:10:00 GMT", "x-modelrelay-request-id: req-7"];
        let answer = answer(status, &headers, body);
        Self::with(move |_, _| answer.clone())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command(arguments);
        command.current_dir(self.program.home.path());
        command.env("MODELRELAY_API_BASE_URL", self.server.base_url()).env("MODELRELAY_API_KEY", "mr_sk_0123456789");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// As [`Bench::run`], with this on standard input.
    fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        use std::io::Write;

        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that refuses before it reads has closed its end.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Waits until what the server has received fulfils the condition.
    fn until(&self, what: &str, condition: impl Fn(&Seen) -> bool) {
        self.runtime.block_on(self.server.until(what, condition));
    }

    /// The requests as far as they came, method and target.
    fn lines(&self) -> Vec<String> {
        self.server.seen().requests.into_iter().map(|request| request.line).collect()
    }

    fn bodies(&self) -> Vec<serde_json::Value> {
        let requests = self.server.seen().requests;
        requests.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect()
    }

    /// A file in the program's working directory; returns its name.
    fn file<'a>(&self, name: &'a str, content: &str) -> &'a str {
        std::fs::write(self.program.home.path().join(name), content).unwrap();
        name
    }

    /// A command and what came of it, as a shell's scrollback shows it.
    fn transcript(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        self.scrollback(arguments, &output)
    }

    fn scrollback(&self, arguments: &[&str], output: &Output) -> String {
        let mask = |bytes: &[u8]| {
            let shown = text(bytes).replace(&self.server.address, "HOST").replace(RUN, "RUN");
            shown.replace(&self.program.home.path().display().to_string(), "HOME")
        };
        let command = mask(arguments.join(" ").as_bytes());
        let (answer, rest) = (mask(&output.stdout), mask(&output.stderr));
        let code = output.status.code().unwrap();
        format!("$ relay-console {command}\n{answer}--- standard error\n{rest}--- exit {code}\n")
    }
}

/// The exit code, nothing on standard output, and each phrase on standard error.
fn assert_fails(output: &Output, code: i32, phrases: &[&str]) {
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), String::new()), "{error}");
    for phrase in phrases {
        assert!(error.contains(phrase), "{phrase:?} is not in {error:?}");
    }
}

/// No character that acts on a terminal, and a mark for each that was meant to.
fn assert_inert(shown: &str, what: &str) {
    let acts = |c: char| (c.is_control() && c != '\n') || ('\u{200b}'..='\u{202e}').contains(&c);
    assert!(!shown.chars().any(acts), "{what}: {shown:?}");
    assert!(shown.contains("␛[2J¿¿␇␦1m"), "{what} is not shown: {shown:?}");
}
