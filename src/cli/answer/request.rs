//! From what is given and what waits to the one request that answers it.
//!
//! Rule: a call is answered only while pending-tools lists it; what became of one that it does not list is looked up
//! and said.

use anyhow::anyhow;

use super::AnswerArguments;
use super::GivenCall;
use super::What;
use crate::api::ids::CallId;
use crate::api::tool::{CallKey, PendingTools, Question, StepKey, ToolCall, ToolResult, ToolResultsRequest};
use crate::app::{inert, json};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::one_line;
use crate::cli::remote::Remote;
use crate::submission::{PastCall, find_call};

/// Whether all calls can be answered.
#[derive(Debug)]
pub(super) enum Chosen {
    /// They can.
    Waiting(Answers),
    /// This one does not wait.
    Gone(CallId),
}

/// Results for calls of one step that wait.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) step: StepKey,
    pub(super) answers: Vec<Answered>,
}

/// A call with its result.
#[derive(Debug)]
pub(super) struct Answered {
    /// The call with its arguments.
    pub(super) call: ToolCall,
    /// What it asks, where it is a question.
    pub(super) question: Option<Question>,
    pub(super) result: ToolResult,
}

impl Answers {
    pub(super) fn request(&self) -> ToolResultsRequest {
        let results = self.answers.iter().map(|answer| answer.result.clone()).collect();
        ToolResultsRequest { step: self.step.clone(), results }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = CallKey> {
        self.answers.iter().map(|answer| self.step.call(&answer.call.id))
    }

    /// What the operator should know and nothing is refused for.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.answers.iter().flat_map(Answered::warnings).collect()
    }
}

impl Answered {
    /// The call's id, on one line.
    fn id(&self) -> String {
        one_line(self.call.id.as_str())
    }

    /// What is sent, for people: the error where there is one.
    pub(super) fn text(&self) -> &str {
        self.result.error.as_deref().unwrap_or(&self.result.output)
    }

    /// How many characters of all that is sent show nothing.
    pub(super) fn hidden(&self) -> usize {
        let ToolResult { output, error, .. } = &self.result;
        inert::count_hidden(output) + error.as_deref().map_or(0, inert::count_hidden)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.result.error.is_none()
            && self.question.is_none()
            && let Err(invalid) = json::check(&self.result.output)
        {
            let json::Invalid { line, column, reason } = invalid;
            let place = format!("line {line}, column {column}: {reason}");
            warnings.push(format!("the result of {} is not JSON ({place}); it goes as the text that it is", self.id()));
        }
        let hidden = self.hidden();
        if hidden > 0 {
            warnings.push(format!("what is sent to {} holds {hidden} hidden characters", self.id()));
        }
        warnings
    }
}

/// Finds the calls among those that wait, and makes their results.
pub(super) fn choose(
    arguments: &AnswerArguments,
    given: &[GivenCall],
    pending: &PendingTools,
) -> Result<Chosen, Failure> {
    let mut found: Vec<(StepKey, Answered)> = Vec::new();
    for given in given {
        let mut matching = pending
            .calls()
            .filter(|(key, _)| key.call_id == given.call && arguments.means(&key.step.node_id, key.step.step));
        let Some((key, call)) = matching.next() else { return Ok(Chosen::Gone(given.call.clone())) };
        // A call that is listed twice is one call; its argument texts must agree, since the operator is shown one.
        if let Some((other, _)) = matching.find(|(other, same)| *other != key || *same != call) {
            if (&other.step.node_id, other.step.step) == (&key.step.node_id, key.step.step) {
                let problem = format!("the server lists the call {} twice, and differently", given.call);
                let command = arguments.command("pending", &[]);
                return Err(refused(&format!("{problem}, in {}: look again ({command})", place(&key.step))));
            }
            let (one, two) = (place(&key.step), place(&other.step));
            let problem = format!("two calls named {} wait, in {one} and in {two}", given.call);
            return Err(refused(&format!("{problem}: say which with --node and --step")));
        }
        let question = call.question();
        let result = result(call, question.as_ref(), &given.what).map_err(|problem| {
            refused(&format!("call {}: {problem}", one_line(&format!("{} ({})", call.id, call.name))))
        })?;
        found.push((key.step, Answered { call: call.clone(), question, result }));
    }
    let Some(step) = found.first().map(|(step, _)| step.clone()) else { return Err(refused("there is no call")) };
    if let Some((other, answer)) = found.iter().find(|(other, _)| *other != step) {
        let problem = format!("one submission answers calls of one step: {} waits in {}", answer.id(), place(other));
        return Err(refused(&format!("{problem}, the first in {}; answer them one after the other", place(&step))));
    }
    Ok(Chosen::Waiting(Answers { step, answers: found.into_iter().map(|(_, answer)| answer).collect() }))
}

fn result(call: &ToolCall, question: Option<&Question>, what: &What) -> Result<ToolResult, String> {
    let tool_call = call.without_arguments();
    let sent = |output: String| ToolResult { tool_call: tool_call.clone(), output, error: None };
    match (what, question) {
        (What::Error { error, output }, _) => {
            Ok(ToolResult { tool_call, output: output.clone(), error: Some(error.clone()) })
        }
        (What::Output(output), None) => Ok(sent(output.clone())),
        (What::Output(output), Some(_)) if is_answer(output) => Ok(sent(output.clone())),
        (What::Output(_), Some(_)) => Err("this is a question: use --choice or --text, or give as output the JSON \
                                           {\"answer\": TEXT, \"is_freeform\": true or false}"
            .to_owned()),
        (What::Choice(_) | What::Text(_), None) => {
            Err("this call asks no question: use --output, --output-file or --error".to_owned())
        }
        (What::Choice(label), Some(question)) => {
            let answer = question.answer(label).ok().filter(|answer| !answer.is_freeform);
            answer.map(|answer| sent(answer.to_output())).ok_or_else(|| {
                let labels: Vec<String> =
                    question.options.iter().map(|option| format!("{:?}", option.label.trim())).collect();
                if labels.is_empty() {
                    "the question offers no options: use --text".to_owned()
                } else {
                    format!("{label:?} is none of the options, which are {}", labels.join(", "))
                }
            })
        }
        (What::Text(text), Some(question)) => {
            question.answer(text).map(|answer| sent(answer.to_output())).map_err(|error| error.to_string())
        }
    }
}

/// Whether an output is what a question's answer looks like on the wire.
fn is_answer(output: &str) -> bool {
    serde_json::from_str::<crate::api::tool::QuestionAnswer>(output).is_ok_and(|said| !said.answer.trim().is_empty())
}

fn place(step: &StepKey) -> String {
    one_line(&format!("node {} step {}", step.node_id, step.step))
}

/// Why a call that does not wait is not answered: what became of it.
pub(super) async fn gone(
    arguments: &AnswerArguments,
    remote: &Remote,
    call: &CallId,
    pending: &PendingTools,
) -> Failure {
    let wanted = |key: &CallKey| key.call_id == *call && arguments.means(&key.step.node_id, key.step.step);
    let past = find_call(&remote.client, arguments.run_id, wanted).await;
    let ended = remote.client.run(&arguments.run_id).await.ok().map(|run| run.value.status);
    let ended = ended.filter(crate::api::run::RunStatus::is_terminal);
    let (exit, problem) = match past {
        Ok(PastCall::Answered { key, result, .. }) => {
            let ToolResult { output, error, .. } = result;
            let (kind, text) = error.map_or(("result", output), |error| ("error", error));
            let place = place(&key.step);
            (Exit::Conflict, format!("no longer waits: it has its {kind} already ({place}), which is\n{text}\n"))
        }
        Ok(PastCall::Unanswered { key }) => {
            let why = match ended {
                Some(status) => one_line(&format!("the run has ended ({status}) without a result of it")),
                None => "no result of it is needed from outside".to_owned(),
            };
            (Exit::Conflict, format!("does not wait: {why} ({})", place(&key.step)))
        }
        Ok(PastCall::Unknown) => (Exit::NotFound, format!("is no call of this run; {}", waiting(pending))),
        Err(error) => {
            let why = one_line(&error.to_string());
            (Exit::Conflict, format!("does not wait, and what became of it cannot be read: {why}"))
        }
    };
    Failure::new(exit, anyhow!("call {call} {problem}\nNothing was sent."))
}

fn waiting(pending: &PendingTools) -> String {
    let calls: Vec<String> = pending
        .calls()
        .map(|(key, call)| one_line(&format!("{} ({}, {})", call.id, call.name, place(&key.step))))
        .collect();
    if calls.is_empty() { "it waits for nothing".to_owned() } else { format!("it waits for {}", calls.join(", ")) }
}

fn refused(problem: &str) -> Failure {
    Failure::new(Exit::Refused, anyhow!("{problem}; nothing was sent"))
}
