//! Events that a script writes out itself: a scheduler's, task lists, memories.
//!
//! Owns turning such a table into an event's body. Rule: it goes through the decoder of the wire, so a script can say
//! nothing that a client would have to refuse; loading a scenario tries each once.

use serde_json::Value;

use crate::api::event::{self, Artifact, Decoded, Event, EventBody};
use crate::api::ids::{NodeId, PlanHash, RunId};

use super::ledger::artifact;

/// Whom an event is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) run_id: RunId,
    pub(crate) plan_hash: &'a PlanHash,
    pub(crate) node: &'a NodeId,
}

/// The body that `table` writes out: `type` and the parts of that type; the values of `task_list` and `memory` become
/// artifacts, and whose event it is gets filled in.
///
/// # Errors
/// When it is no event of a published type; in words.
pub(crate) fn body(table: &Value, origin: Origin<'_>) -> Result<EventBody, String> {
    let mut line = table.as_object().ok_or("an event is a table with a type")?.clone();
    let of_run = line.contains_key("task_list") || line.contains_key("memory");
    for part in ["task_list", "memory"] {
        if let Some(value) = line.get(part) {
            let stored = artifact(format!("runs/{}/{part}", origin.run_id), value);
            // Never inline: the published schema forbids it.
            let stored =
                serde_json::to_value(Artifact { content: None, ..stored }).map_err(|error| error.to_string())?;
            line.insert(part.to_owned(), stored);
        }
    }
    let (key, owner) =
        if of_run { ("plan_hash", origin.plan_hash.as_str()) } else { ("node_id", origin.node.as_str()) };
    let envelope = [
        (key, Value::from(owner)),
        ("envelope_version", event::ENVELOPE_VERSION.into()),
        ("run_id", origin.run_id.to_string().into()),
        // The log gives the event its place and time.
        ("seq", 1.into()),
        ("ts", "2000-01-01T00:00:00Z".into()),
    ];
    line.extend(envelope.map(|(key, value)| (key.to_owned(), value)));
    match event::decode(Value::Object(line).to_string().as_bytes()) {
        Ok(Decoded::Event(Event { body: EventBody::Unknown(unknown), .. })) => {
            Err(format!("{:?} is no published event type", unknown.type_name))
        }
        Ok(Decoded::Event(event)) => Ok(event.body),
        Ok(_) => Err("an event is a table with a type".to_owned()),
        Err(error) => Err(error.problem.to_string()),
    }
}
