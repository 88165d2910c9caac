//! What would be sent, shown to the operator before it is.
//!
//! Rules: it goes to the terminal (standard error where that is one), all of it inert, an error's output included; only
//! an answer typed after it was shown counts as yes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use anyhow::Context as _;

use super::AnswerArguments;
use super::request::Answered;
use super::request::Answers;
use crate::app::json;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::output::one_line;
use crate::cli::remote::Remote;
use crate::cli::spec::file::STANDARD_INPUT;
use crate::submission::Intent;
use crate::view::text;

/// Lines of a result that are shown.
const LINES: usize = 40;

/// Display columns of one line that is shown.
const COLUMNS: usize = 400;

/// The terminal that this process belongs to, wherever its streams go.
const TERMINAL: &str = "/dev/tty";

/// Prints the request and sends nothing.
pub(super) fn dry_run(intent: &Intent, remote: &Remote, body_only: bool) -> Result<Exit, Failure> {
    let body = serde_json::to_string(&intent.request).map_err(Failure::internal)?;
    let head = format!(
        "POST {}/runs/{}/tool-results\nContent-Type: application/json\nX-ModelRelay-Request-Id: {}\n\n",
        remote.client.base_url(),
        intent.run_id,
        intent.request_id
    );
    let request = if body_only { body } else { format!("{head}{body}") };
    output::json(request.as_bytes())?;
    Ok(Exit::Done)
}

/// Whether there is somebody to ask: standard input is a terminal, or was read for the answer and there is one besides.
/// Where standard error goes does not count: who keeps it in a file sits there all the same.
pub(super) fn can_ask(arguments: &AnswerArguments) -> bool {
    let input_used =
        [&arguments.all, &arguments.output_file].into_iter().flatten().any(|path| path.as_os_str() == STANDARD_INPUT);
    let is_seen = io::stderr().is_terminal() || io::stdout().is_terminal();
    io::stdin().is_terminal() || input_used && is_seen && File::open(TERMINAL).is_ok()
}

/// The review, for a person.
pub(super) fn question(answers: &Answers, arguments: &AnswerArguments, remote: &Remote) -> String {
    let step = format!("{}, step {}", answers.step.node_id, answers.step.step);
    let server = format!("{} ({})", remote.label, remote.client.base_url());
    let mut shown = block("Server", &one_line(&server));
    shown.push_str(&block("Run", &arguments.run_id.to_string()));
    // Ids and names are the server's: on one line, and inert as all the rest.
    shown.push_str(&block("Node", &one_line(&step)));
    for answer in &answers.answers {
        shown.push('\n');
        shown.push_str(&block("Call", &one_line(&format!("{} {}", answer.call.id, answer.call.name))));
        match &answer.question {
            Some(question) => shown.push_str(&block("Asks", &question.question)),
            None => shown.push_str(&block("With", answer.call.arguments())),
        }
        let name = if answer.result.error.is_some() { "Error" } else { "Result" };
        shown.push_str(&block(name, answer.text()));
        if answer.result.error.is_some() && !answer.result.output.is_empty() {
            shown.push_str(&block("Output", &answer.result.output));
        }
        let _ = writeln!(shown, "        {}", facts(answer));
    }
    let count = answers.answers.len();
    let what = if count == 1 { "this".to_owned() } else { format!("these {count}") };
    let _ = write!(shown, "\nSend {what}? [y/N] ");
    shown
}

fn facts(answer: &Answered) -> String {
    let text = answer.text();
    let mut facts = vec![crate::view::format::bytes(text.len() as u64)];
    if answer.result.error.is_none() && answer.question.is_none() {
        facts.push(if json::check(text).is_ok() { "valid JSON" } else { "not JSON" }.to_owned());
    }
    let hidden = answer.hidden();
    if hidden > 0 {
        facts.push(format!("{hidden} hidden characters"));
    }
    facts.join(", ")
}

/// A text under its name, inert, its beginning where it is long.
fn block(name: &str, foreign: &str) -> String {
    let mut block = String::new();
    let mut label = name;
    let lines = foreign.lines().count();
    for line in foreign.lines().take(LINES) {
        let _ = writeln!(block, "{label:<8}{}", text::cut_plain(line, COLUMNS, output::PLAIN));
        label = "";
    }
    if lines > LINES {
        let _ = writeln!(block, "        … {} more lines", lines - LINES);
    }
    block
}

/// Asks on the terminal.
pub(super) fn confirm(question: &str) -> Result<bool, Failure> {
    let ask = || -> io::Result<bool> {
        let tty = if io::stdin().is_terminal() { None } else { Some(File::open(TERMINAL)?) };
        // The question must be where somebody sees it.
        let mut shown: Box<dyn Write> = if io::stderr().is_terminal() {
            Box::new(io::stderr().lock())
        } else {
            Box::new(File::options().write(true).open(TERMINAL)?)
        };
        forget_typed_ahead(tty.as_ref());
        shown.write_all(question.as_bytes())?;
        shown.flush()?;
        drop(shown);
        let mut line = String::new();
        match tty {
            Some(tty) => BufReader::new(tty).read_line(&mut line)?,
            None => io::stdin().lock().read_line(&mut line)?,
        };
        Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    };
    ask()
        .context("cannot ask on the terminal; --yes sends without asking")
        .map_err(|error| Failure::new(Exit::Refused, error))
}

/// What was typed before the question was shown is no answer to it.
#[cfg(unix)]
fn forget_typed_ahead(tty: Option<&File>) {
    use rustix::termios::{QueueSelector, tcflush};
    // Where it cannot be forgotten it is read as it is: the default is no.
    let _ = match tty {
        Some(tty) => tcflush(tty, QueueSelector::IFlush),
        None => tcflush(io::stdin(), QueueSelector::IFlush),
    };
}

#[cfg(not(unix))]
fn forget_typed_ahead(_tty: Option<&File>) {}
