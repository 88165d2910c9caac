//! What is summed up on leaving, taken from the state.

use super::drafts::SetAside;
use super::summary::Summary;
use crate::app::{Answer, App};
use crate::submission::CallVerdict;
use crate::view::{Theme, format, text};

/// What is said where the console was left before the server had said what became of an answer.
const FOUND_OUT_LATER: &str =
    "whether the answer on its way arrived is not known: the command below finds out before anything is sent again";

/// The summary of a console that is left; `command` comes back to it, `set_aside` says where the texts are that it was
/// not allowed to save.
#[must_use]
pub fn summary(app: &App, theme: Theme, command: &[String], set_aside: &SetAside) -> Summary {
    let inert = |foreign: &str| text::plain(foreign, theme);
    let call =
        |key: &crate::api::tool::CallKey, tool: &str| inert(&format!("{} {}  {tool}", key.step.node_id, key.step.step));
    let waiting = app.run.pending.iter().map(|pending| {
        format!("{}  {}", call(&pending.key, pending.call.name.as_str()), format::age(app.age(pending.since)))
    });
    let unsent = app.unsent().map(|answer| {
        let state = match (&answer.sending, &answer.verdict) {
            (Some(_), _) => ", on its way when the console was left",
            (None, Some(CallVerdict::Unknown { .. })) => ", sent, outcome unknown: coming back looks again",
            (None, _) => "",
        };
        let size = format::plural(answer.text.len() as u64, "byte");
        format!("{}  {size}{state}", call(&answer.key, answer.tool.as_str()))
    });
    let mut notices = Vec::new();
    if let Some(failure) = &app.run.failure {
        notices.push(inert(&failure.message));
    }
    let failed = app.unsent().filter_map(|answer| Some((answer, answer.save_failure.as_ref()?)));
    notices.extend(failed.map(|(answer, why)| match set_aside.get(&answer.key) {
        Some(path) => inert(&format!("what you typed for {} is in {}", place(answer), path.display())),
        None => format!(
            "{}\n{}",
            inert(&format!("the draft for {} is on no disk ({why})", place(answer))),
            kept_here(answer, theme)
        ),
    }));
    if app.unsent().any(|answer| answer.sending.is_some()) {
        notices.push(FOUND_OUT_LATER.to_owned());
    }
    Summary {
        run_id: app.run.run_id.to_string(),
        status: app.run.status().map(|status| inert(status.as_str())),
        duration: app.elapsed(),
        cost: app.run.ledger.billed_cents().map(|cents| {
            #[expect(clippy::cast_precision_loss, reason = "cents up to 2^53 are exact")]
            let cents = cents as f64;
            let figure = format::with_sign(&format::billed(cents, app.run.ledger.billed_tokens()));
            match app.run.ledger.not_yet_billed(&app.identity.prices).0.requests {
                0 => figure,
                // What the server has not billed is not nothing.
                calls => format!("{figure}, {} not yet billed", format::plural(calls, "call")),
            }
        }),
        waiting: waiting.collect(),
        unsent: unsent.collect(),
        notices,
        command: command.to_vec(),
    }
}

fn place(answer: &Answer) -> String {
    format!("{} {}", answer.key.step.node_id, answer.key.step.step)
}

/// A text that no disk has taken is lost with the console: the scrollback has it then, a line a line.
fn kept_here(answer: &Answer, theme: Theme) -> String {
    let lines = answer.text.split('\n').map(|line| text::plain(line, theme));
    let lines: Vec<String> = ["--- its text:".to_owned()].into_iter().chain(lines).chain(["---".to_owned()]).collect();
    lines.join("\n")
}
