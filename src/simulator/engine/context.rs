//! What the `{{…}}` of a task's texts stand for, and what the conditions of its script look at.
//!
//! Owns the meaning of names; their syntax is `template`'s. Rule: a submitted output is put in byte for byte, or, with
//! a pointer, as the text that stands there.

use serde_json::Value;

use crate::api::ids::{NodeId, RunId};
use crate::api::run::NodeType;

use super::super::emitted::{self, Origin};
use super::super::script::When;
use super::super::template::{self, ItemName, ItemPart};
use super::Engine;
use super::task::{CallRecord, Item, Task};

/// The most that the texts of one request come to, in bytes.
const LARGEST_REQUEST: usize = 256 * 1024;

impl Engine {
    /// `text` with its names filled in for a task.
    pub(super) fn render(&self, task: &Task, text: &str) -> String {
        template::render(text, LARGEST_REQUEST, |name| self.value(task, name))
    }

    /// `value` with the names in all of its texts filled in.
    pub(super) fn render_value(&self, task: &Task, value: &Value) -> Value {
        self.render_within(task, value, &mut LARGEST_REQUEST.clone())
    }

    fn render_within(&self, task: &Task, value: &Value, left: &mut usize) -> Value {
        match value {
            Value::String(text) => {
                let rendered = template::render(text, *left, |name| self.value(task, name));
                *left = left.saturating_sub(rendered.len());
                Value::String(rendered)
            }
            Value::Array(items) => items.iter().map(|item| self.render_within(task, item, left)).collect(),
            Value::Object(fields) => {
                let rendered = fields.iter().map(|(key, value)| (key.clone(), self.render_within(task, value, left)));
                Value::Object(rendered.collect())
            }
            other => other.clone(),
        }
    }

    /// What a name stands for: an item, a node or an input, or else a word of the script's.
    fn value(&self, task: &Task, name: &str) -> Option<String> {
        if let Some(ItemName { outward, part }) = template::item_name(name)
            && let Some(item) = self.item_of(task, outward)
        {
            return match part {
                ItemPart::Value(pointer) => text_at(&item.value, pointer),
                ItemPart::Index => Some(item.index.to_string()),
                ItemPart::Number => Some((item.index + 1).to_string()),
            };
        }
        self.input_or_node(name).or_else(|| self.word(task, name))
    }

    /// The item that a task works on, or that of a fan-out around it.
    fn item_of<'a>(&'a self, task: &'a Task, outward: usize) -> Option<&'a Item> {
        let item = task.item.as_ref()?;
        if outward == 0 { Some(item) } else { self.item_of(self.tasks.get(&item.parent)?, outward - 1) }
    }

    fn word(&self, task: &Task, name: &str) -> Option<String> {
        let (kind, rest) = name.split_once(':').unwrap_or((name, ""));
        match kind {
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
            _ => None,
        }
    }

    fn input_or_node(&self, name: &str) -> Option<String> {
        if let Some(task) = NodeId::from_wire(name).and_then(|id| self.tasks.get(&id)) {
            return self.text_of(task);
        }
        match self.part.input.get(name) {
            Some(value) => text_at(value, ""),
            // An optional input that was not given says nothing.
            None => self.part.plan.inputs.iter().any(|input| input.name == name).then(String::new),
        }
    }

    /// What a node's name stands for in a text: what its model has said, else its output as JSON.
    fn text_of(&self, task: &Task) -> Option<String> {
        let output = task.output.as_ref()?;
        let taken = task.choice.as_ref().filter(|_| task.spec.wire_type() == NodeType::JoinAny);
        let taken = taken.and_then(|choice| self.tasks.get(choice.taken.first()?));
        match taken.and_then(|task| self.text_of(task)) {
            Some(text) => Some(text),
            None if task.text.is_empty() => Some(output.to_string()),
            None => Some(task.text.clone()),
        }
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
        let event = self.render_value(task, value);
        match emitted::body(&event, origin) {
            Ok(body) => {
                self.append(body);
                if let Some(list) = event.get("task_list") {
                    self.keep_task_list(list);
                }
            }
            // Loading has tried it; only a text that was filled in can have broken it.
            Err(problem) => tracing::warn!(node = %id, problem, "a scripted event is left out"),
        }
    }

    /// The id of this run.
    pub(crate) fn run_id(&self) -> RunId {
        self.identity.run_id()
    }
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
