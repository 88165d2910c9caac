//! What is summed up on leaving, taken from the state.

use super::summary::Summary;
use crate::app::App;
use crate::view::{format, text};

/// The summary of a console that is left; `command` comes back to it.
#[must_use]
pub fn summary(app: &App, command: &[String]) -> Summary {
    let call = |key: &crate::api::tool::CallKey, tool: &str| {
        text::inert(&format!("{} {}  {tool}", key.step.node_id, key.step.step)).into_owned()
    };
    let waiting = app.run.pending.iter().map(|pending| {
        format!("{}  {}", call(&pending.key, pending.call.name.as_str()), format::age(app.age(pending.since)))
    });
    let unsent = app.unsent().map(|answer| {
        let state = if answer.sending.is_some() { ", on its way when the console was left" } else { "" };
        format!("{}  {} bytes{state}", call(&answer.key, answer.tool.as_str()), answer.text.len())
    });
    let mut notices = Vec::new();
    if let Some(failure) = &app.run.failure {
        notices.push(text::inert(&failure.message).into_owned());
    }
    if app.answers.values().any(|answer| answer.is_unsent() && answer.save_failure.is_some()) {
        notices.push("not every draft is on disk".to_owned());
    }
    Summary {
        run_id: app.run.run_id.to_string(),
        status: app.run.status().map(|status| text::inert(status.as_str()).into_owned()),
        duration: app.elapsed(),
        cost: app.run.ledger.billed_cents().map(|cents| format::billed(cents, app.run.ledger.billed_tokens())),
        waiting: waiting.collect(),
        unsent: unsent.collect(),
        notices,
        command: command.to_vec(),
    }
}
