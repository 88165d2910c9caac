//! `relay-console answer`: submit results without the console, with the same care.
//!
//! ```text
//! what is given (flags or a file) ── pending-tools ──► one request ── review, yes ──► submission ──► outcome
//! ```
//!
//! Rules: what an ended process has left under way is looked up first; nothing leaves before every call is known to
//! wait; what is sent is what was given, byte for byte; sending is [`crate::submission`]'s alone, and it ends in words and
//! an exit code whatever happens.

mod earlier;
mod given;
mod outcome;
mod request;
mod review;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use tokio::task;
use uuid::Uuid;

use crate::api::ids::{CallId, NodeId, RunId};
use crate::cli::arguments::ServerArguments;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{one_line, report};
use crate::cli::remote::Remote;
use crate::cli::runtime::{block_on, unless_stopped};
use crate::store::StateDir;
use crate::submission::{self, Intent, Left, Progress, Records, Sender, unrecorded};

/// How long a submission goes on after the server's last reply.
const PATIENCE: Duration = Duration::from_secs(20);

/// `answer`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(
    group = ArgGroup::new("calls").required(true).args(["call", "all"]),
    group = ArgGroup::new("what").args(["output", "output_file", "error", "choice", "text"]).conflicts_with("all"),
    after_help = "On a terminal it shows what would be sent and asks; elsewhere it sends at once.\n\
                  --all reads a JSON list, one object a call of the same step:\n  \
                  [{\"call\": ID, \"output\": …}, {\"call\": ID, \"error\": TEXT}, {\"call\": ID, \"choice\": LABEL}, {\"call\": ID, \"text\": TEXT}]\n\
                  An output that is a JSON string is sent as its text, any other value as it is written in the file.\n\
                  Exit codes: 0 every result is accepted; 2 refused as it is; 4 not authorised; 5 no such run or call;\n\
                  6 no longer pending, or another answer was taken; 7 not accepted or unknown: look again."
)]
pub struct AnswerArguments {
    /// The run, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run_id: RunId,
    /// The pending call to answer, as `pending` lists it
    #[arg(long, value_name = "ID", requires = "what", allow_hyphen_values = true)]
    pub call: Option<String>,
    /// Answer several calls of one step in one submission, from this file; - is standard input
    #[arg(long, value_name = "FILE")]
    pub all: Option<PathBuf>,
    /// The result, sent as it is
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub output: Option<String>,
    /// Send this file as the result, byte for byte; - is standard input
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// Say that the tool has failed, and how
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub error: Option<String>,
    /// Answer a question with this option
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    pub choice: Option<String>,
    /// Answer a question in your own words
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// The node of the call, where several calls have the same id
    #[arg(long, value_name = "NODE", value_parser = NodeId::parse)]
    pub node: Option<NodeId>,
    /// The step of the call, where several calls have the same id
    #[arg(long, value_name = "N")]
    pub step: Option<u64>,
    /// Print the request that would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Send without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Print the outcome, or with --dry-run the body, as JSON
    #[arg(long)]
    pub json: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

impl AnswerArguments {
    /// Whether this is the call that is meant, as far as node and step say.
    fn means(&self, node: &NodeId, step: u64) -> bool {
        self.node.as_ref().is_none_or(|wanted| wanted == node) && self.step.is_none_or(|wanted| wanted == step)
    }

    /// A command about the same run on the same server, for a suggestion.
    fn command(&self, name: &str, more: &[&str]) -> String {
        let run_id = self.run_id.to_string();
        self.server.command(&[&[name, run_id.as_str()], more].concat())
    }
}

/// Submits the results and tells the server's verdict.
///
/// # Errors
/// When nothing was sent, or not every result was accepted; what is the case is in the words and in the exit code.
pub fn run(arguments: &AnswerArguments, verbosity: u8) -> Result<Exit, Failure> {
    let given = given::read(arguments)?;
    let context = Context::new(arguments.server.flags(), verbosity)?;
    let remote = Remote::of(&context)?;
    block_on(async {
        let mut pending = remote.client.pending_tools(&arguments.run_id).await?.value;
        let records = records(arguments, &context, &remote);
        let earlier = match earlier::look(&remote, &records).await? {
            Ok(earlier) => earlier,
            Err(signal) => return Ok(Exit::Signal(signal)),
        };
        if !earlier.is_empty() {
            pending = remote.client.pending_tools(&arguments.run_id).await?.value;
        }
        let chosen = match request::choose(arguments, &given, &pending)? {
            request::Chosen::Waiting(chosen) => chosen,
            request::Chosen::Gone(call) => {
                let means = |left: &Left| {
                    let step = &left.intent.request.step;
                    arguments.means(&step.node_id, step.step)
                };
                if let Some((left, verdict)) = earlier::taken(&earlier, &given, means) {
                    return outcome::tell_earlier(verdict, left, arguments);
                }
                return Err(request::gone(arguments, &remote, &call, &pending).await);
            }
        };
        for warning in chosen.warnings() {
            report(&warning);
        }
        let intent = Intent {
            request_id: Uuid::new_v4(),
            run_id: arguments.run_id,
            request: chosen.request(),
            // A result of a call that waits now stands in a later event; which seq is the last is not known here.
            after_seq: 0,
        };
        if arguments.dry_run {
            return review::dry_run(&intent, &remote, arguments.json);
        }
        if !arguments.yes && review::can_ask(arguments) {
            let question = review::question(&chosen, arguments, &remote);
            let asked = task::spawn_blocking(move || review::confirm(&question));
            if !asked.await.map_err(Failure::internal)?? {
                return Err(Failure::new(Exit::Refused, anyhow::anyhow!("not sent: you did not say yes")));
            }
        }
        send(&remote, &intent, &records, &chosen, arguments).await
    })
}

/// Where the submission is written down: beside the drafts of a console on this run. A dry run leaves the disk alone.
fn records(arguments: &AnswerArguments, context: &Context, remote: &Remote) -> Records {
    let state = if arguments.dry_run {
        Err("a dry run writes nothing".to_owned())
    } else {
        let base_url = remote.client.base_url().as_str();
        StateDir::open(&context.directories.state_home, base_url, arguments.run_id).map_err(|error| error.to_string())
    };
    Records::new(&state, Sender::Answer)
}

async fn send(
    remote: &Remote,
    intent: &Intent,
    records: &Records,
    chosen: &request::Answers,
    arguments: &AnswerArguments,
) -> Result<Exit, Failure> {
    let progress = |progress| match progress {
        Progress::Sending(1) => {}
        Progress::Sending(attempt) => report(&format!("sending again, attempt {attempt}, under the same request id")),
        Progress::Verifying { cause } => {
            report(&format!("no clear answer ({}): finding out whether it arrived", one_line(&cause)));
        }
        Progress::Unrecorded { why } => report(&unrecorded(&why)),
    };
    let submission = submission::submit_recorded(&remote.client, intent, records, Some(PATIENCE), progress);
    match unless_stopped(Box::pin(submission)).await? {
        Ok(verdict) => outcome::tell(&verdict, chosen, intent, arguments),
        Err(signal) => {
            let look_again = outcome::look_again(chosen, arguments);
            report(&format!("stopped while sending: the outcome is unknown\n{look_again}"));
            Ok(Exit::Signal(signal))
        }
    }
}

/// A call as the operator names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct GivenCall {
    call: CallId,
    what: What,
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// A result, byte for byte.
    Output(String),
    /// An error, with an output where one was given too.
    Error { error: String, output: String },
    /// One of a question's options.
    Choice(String),
    /// An answer to a question in one's own words.
    Text(String),
}
