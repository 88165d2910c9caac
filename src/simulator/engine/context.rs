//! What the `{{…}}` of a task's texts stand for, and what the conditions of its script look at.
//!
//! Owns the meaning of names; their syntax is `template`'s. Rule: a submitted output is put in byte for byte, or, with
//! a pointer, as the text that stands there.

use serde_json::Value;

use crate::api::ids::{NodeId, RunId};

use super::super::emitted::{self, Origin};
use super::super::script::When;
use super::super::template;
use super::Engine;
use super::task::{CallRecord, Task};

impl Engine {
    /// `text` with its names filled in for a task.
    pub(super) fn render(&self, task: &Task, text: &str) -> String {
        template::render(text, |name| self.value(task, name))
    }

    /// `value` with the names in all of its texts filled in.
    pub(super) fn render_value(&self, task: &Task, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.render(task, text)),
            Value::Array(items) => items.iter().map(|item| self.render_value(task, item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.clone(), self.render_value(task, value))).collect())
            }
            other => other.clone(),
        }
    }

    fn value(&self, task: &Task, name: &str) -> Option<String> {
        let (kind, rest) = name.split_once(':').unwrap_or((name, ""));
        match kind {
            "item" => text_at(&task.item.as_ref()?.value, rest),
            "index" => Some(task.item.as_ref()?.index.to_string()),
            "number" => Some((task.item.as_ref()?.index + 1).to_string()),
            "round" => Some(task.cursor.round.to_string()),
            "run" => Some(self.children.get(rest)?.run_id.to_string()),
            "uuid" => Some(self.identity.uuid(rest).to_string()),
            "result" => {
                let (tool, pointer) = rest.split_once(":/").map_or((rest, None), |(tool, at)| (tool, Some(at)));
                let record = self.result(task, tool)?;
                Some(match pointer {
                    Some(pointer) => place_in(record, &format!("/{pointer}")),
                    None => record.error.as_ref().map_or(record.output.clone(), |error| format!("error: {error}")),
                })
            }
            _ => self.input_or_node(name),
        }
    }

    fn input_or_node(&self, name: &str) -> Option<String> {
        if let Some(task) = NodeId::from_wire(name).and_then(|id| self.tasks.get(&id)) {
            let output = task.output.as_ref()?;
            return Some(if task.text.is_empty() { output.to_string() } else { task.text.clone() });
        }
        self.part.input.get(name).and_then(|value| text_at(value, ""))
    }

    /// The last result of a tool: the task's own, else any node's.
    fn result<'a>(&'a self, task: &'a Task, tool: &str) -> Option<&'a CallRecord> {
        task.result(tool).or_else(|| self.tasks.values().rev().find_map(|other| other.result(tool)))
    }

    /// Whether a step's condition holds.
    pub(super) fn holds(&self, task: &Task, when: &When) -> bool {
        let Some(record) = self.result(task, &when.tool) else { return false };
        let found = match &when.pointer {
            Some(pointer) => place_in(record, pointer),
            None => record.output.clone(),
        };
        when.error.is_none_or(|error| error == record.error.is_some())
            && when.equals.as_ref().is_none_or(|expected| found == *expected)
            && when.differs.as_ref().is_none_or(|unexpected| found != *unexpected)
    }

    /// Everything that a task's model reads, for estimates.
    pub(super) fn prompt(&self, task: &Task) -> String {
        let mut prompt = String::new();
        for text in [&task.spec.system, &task.spec.user].into_iter().flatten() {
            prompt.push_str(&self.render(task, text));
            prompt.push('\n');
        }
        if let Some(input) = &task.spec.input {
            prompt.push_str(&self.render_value(task, input).to_string());
        }
        prompt
    }

    /// Appends an event that the script wrote out, its texts filled in now.
    pub(super) fn scripted_event(&mut self, id: &NodeId, value: &Value) {
        let Some(task) = self.tasks.get(id) else { return };
        let origin = Origin { run_id: self.identity.run_id(), plan_hash: &self.part.plan.hash, node: id };
        match emitted::body(&self.render_value(task, value), origin) {
            Ok(body) => self.append(body),
            // Loading has tried it; only a text that was filled in can have broken it.
            Err(problem) => tracing::warn!(node = %id, problem, "a scripted event is left out"),
        }
    }

    /// The id of this run.
    pub(crate) fn run_id(&self) -> RunId {
        self.identity.run_id()
    }
}

/// What a model says that has no script.
pub(super) fn stand_in_text(prompt: &str) -> String {
    let first: String = prompt.trim().chars().take(200).collect();
    format!("A stand-in answer to: {first}")
}

/// The text at a pointer: a string as it is, anything else as JSON.
fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).map(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned))
}

/// The text at a place of a result's JSON; where there is none, the error or the whole output.
fn place_in(record: &CallRecord, pointer: &str) -> String {
    if let Some(error) = &record.error {
        return format!("error: {error}");
    }
    let parsed: Option<Value> = serde_json::from_str(&record.output).ok();
    parsed.and_then(|value| text_at(&value, pointer)).unwrap_or_else(|| record.output.clone())
}
