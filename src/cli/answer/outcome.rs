//! The server's verdict in words, in JSON, and as an exit code.
//!
//! Rule: standard output carries it only when every result was accepted; otherwise standard error says, call by call,
//! what is the case and what to do.

use anyhow::anyhow;
use serde::Serialize;
use uuid::Uuid;

use super::AnswerArguments;
use super::request::Answers;
use crate::api::ids::{CallId, RunId};
use crate::api::run::RunStatus;
use crate::api::tool::{CallKey, StepKey};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::output::{one_line, report};
use crate::cli::remote::exit_of;
use crate::submission::{CallVerdict, Intent, Left, Verdict, minute};

/// What `--json` prints when every result was accepted.
#[derive(Serialize)]
struct Outcome<'a> {
    run_id: RunId,
    #[serde(flatten)]
    step: &'a StepKey,
    accepted: usize,
    calls: Vec<&'a CallId>,
    status: Option<&'a RunStatus>,
    sends: u8,
    submission_id: Uuid,
    server_request_id: Option<&'a str>,
    /// It was accepted from a submission that an ended process had left under way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    earlier: bool,
}

/// Tells the verdict.
pub(super) fn tell(
    verdict: &Verdict,
    answers: &Answers,
    intent: &Intent,
    arguments: &AnswerArguments,
) -> Result<Exit, Failure> {
    let (accepted, sent) = (verdict.accepted(), verdict.calls.len());
    if accepted < sent {
        return Err(Failure::new(exit(verdict), anyhow!(in_words(verdict, answers, arguments))));
    }
    printed(verdict, intent, arguments, false)
}

/// Tells that there was nothing to send: an earlier submission, whose process ended on the way, said the same and was
/// taken.
pub(super) fn tell_earlier(verdict: &Verdict, left: &Left, arguments: &AnswerArguments) -> Result<Exit, Failure> {
    report(&format!("nothing was sent: this was accepted earlier, from {} at {}", left.by, minute(left.decided_at)));
    printed(verdict, &left.intent, arguments, true)
}

fn printed(verdict: &Verdict, intent: &Intent, arguments: &AnswerArguments, earlier: bool) -> Result<Exit, Failure> {
    let printed = if arguments.json {
        let outcome = Outcome {
            run_id: intent.run_id,
            step: &intent.request.step,
            accepted: verdict.accepted(),
            calls: intent.request.results.iter().map(|result| &result.tool_call.id).collect(),
            status: verdict.status.as_ref(),
            sends: verdict.sends,
            submission_id: verdict.request_id,
            server_request_id: verdict.server_request_id.as_deref(),
            earlier,
        };
        output::json(&serde_json::to_vec(&outcome).map_err(Failure::internal)?)
    } else {
        output::text(&format!("{}\n", output::inert_lines(&summary(verdict))))
    };
    // What cannot be printed is true all the same, and nobody should send it again for that.
    printed.map(|()| Exit::Done).inspect_err(|failure| {
        if failure.exit != Exit::Done {
            report(&summary(verdict));
        }
    })
}

fn summary(verdict: &Verdict) -> String {
    let status = verdict.status.as_ref().map(|status| format!("; the run is {status}")).unwrap_or_default();
    let request = verdict.server_request_id.as_ref().map(|id| format!(" [request {id}]")).unwrap_or_default();
    one_line(&format!("accepted {} of {}{status}{request}", verdict.accepted(), verdict.calls.len()))
}

fn in_words(verdict: &Verdict, answers: &Answers, arguments: &AnswerArguments) -> String {
    let calls = verdict.calls.iter().zip(&answers.answers);
    let calls = calls.map(|((key, call), answer)| {
        let named = one_line(&format!("call {} ({})", key.call_id, answer.call.name));
        // The winner's text is the operator's to read as it is; what a server says besides stays on its line.
        let told = call.to_string();
        let is_text = matches!(call, CallVerdict::Superseded { .. });
        format!("{named}: {}", if is_text { told } else { one_line(&told) })
    });
    let mut lines: Vec<String> = std::iter::once(summary(verdict)).chain(calls).collect();
    let open = |call: &CallVerdict| matches!(call, CallVerdict::Unknown { .. } | CallVerdict::StillPending { .. });
    if verdict.calls.iter().any(|(_, call)| open(call)) {
        lines.push(look_again(answers, arguments));
    }
    lines.join("\n")
}

/// The commands that tell what became of a submission.
pub(super) fn look_again(answers: &Answers, arguments: &AnswerArguments) -> String {
    let result = |key: CallKey| {
        let step = key.step.step.to_string();
        arguments.command("steps", &["--step", &step, "--call", key.call_id.as_str()])
    };
    // An id with a line end would make of its command lines that nobody wrote.
    let keys = answers.keys().filter(|key| !key.call_id.as_str().contains(char::is_control));
    let commands = std::iter::once(arguments.command("pending", &[])).chain(keys.map(result));
    let commands: Vec<String> = commands.map(|command| format!("\n  {command}")).collect();
    format!("Look again before you send again:{}", commands.concat())
}

/// The exit code of a verdict that is not all accepted: what needs somebody most counts.
fn exit(verdict: &Verdict) -> Exit {
    let any = |wanted: fn(&CallVerdict) -> bool| verdict.calls.iter().any(|(_, call)| wanted(call));
    if any(|call| matches!(call, CallVerdict::Unknown { .. } | CallVerdict::StillPending { .. })) {
        Exit::Unreachable
    } else if any(|call| matches!(call, CallVerdict::Refused { .. })) {
        // The server's own words for it: 400, 401, 403, 404 or 409.
        verdict.failure.map_or(Exit::Refused, exit_of)
    } else {
        Exit::Conflict
    }
}
