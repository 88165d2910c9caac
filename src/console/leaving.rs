//! What is summed up on leaving, taken from the state.

use super::summary::Summary;
use crate::app::App;
use crate::view::{Theme, format, text};

/// The summary of a console that is left; `command` comes back to it, `set_aside` says where the texts are that it was
/// not allowed to save.
#[must_use]
pub fn summary(app: &App, theme: Theme, command: &[String], set_aside: &[String]) -> Summary {
    let inert = |foreign: &str| text::plain(foreign, theme);
    let call =
        |key: &crate::api::tool::CallKey, tool: &str| inert(&format!("{} {}  {tool}", key.step.node_id, key.step.step));
    let waiting = app.run.pending.iter().map(|pending| {
        format!("{}  {}", call(&pending.key, pending.call.name.as_str()), format::age(app.age(pending.since)))
    });
    let unsent = app.unsent().map(|answer| {
        let state = if answer.sending.is_some() { ", on its way when the console was left" } else { "" };
        format!("{}  {} bytes{state}", call(&answer.key, answer.tool.as_str()), answer.text.len())
    });
    let mut notices = Vec::new();
    if let Some(failure) = &app.run.failure {
        notices.push(inert(&failure.message));
    }
    let failed = app.answers.values().filter(|answer| answer.is_unsent() && answer.save_failure.is_some()).count();
    if failed > set_aside.len() {
        notices.push("not every draft is on disk".to_owned());
    }
    notices.extend(set_aside.iter().map(|said| inert(said)));
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
