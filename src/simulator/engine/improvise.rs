//! What a stand-in model does that has no script.
//!
//! Owns it all: a model with tools first calls each of them once, with arguments made from their schemas; once the
//! results are there, or at once where there are no tools, it writes a text that carries what it was asked and what the
//! tools have said, errors included. `user_ask` asks a question. Who answers a call: the mode `client` leaves every one
//! to the client; `server` makes every result itself; `agentic`, and no mode at all, makes those of tools that are
//! declared by name alone, which can only be the server's own, and leaves whole functions to the client. A question
//! always waits for a person.
//!
//! Where more than a text is wanted, the text is JSON: with an `output_format.json_schema` a value of that schema; where
//! a fan-out takes its items from it, a list of three. A `route.switch` writes one word, which stands as `route` in its
//! output too: one of its `routes`, else of the nodes that depend on it. The published form has no branches, so the
//! word holds nothing back; a `join.any` or `join.collect` can look at it.
//!
//! Rule: the same node of the same run does the same again.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::api::ids::NodeId;
use crate::api::run::NodeType;
use crate::api::workflow::{NodeSpec, ToolMode, ToolSpec};

use super::super::sample;
use super::super::script::{CallScript, Step};
use super::super::spec::{self, TEXT_POINTER};
use super::Engine;
use super::task::{CallRecord, Task};

/// How much of what a model was asked, and of each result, its answer carries, in characters.
const CARRIED_PROMPT: usize = 2000;
const CARRIED_RESULT: usize = 16_000;

/// About how many pieces a long text is streamed in, so that it does not take minutes.
const PIECES: usize = 60;

impl Engine {
    /// The next step of a model without a script; `None` when it has said everything.
    pub(super) fn improvised_step(&self, id: &NodeId, task: &Task) -> Option<Step> {
        let step = match task.cursor.step {
            0 if !task.spec.tools.is_empty() => {
                let calls: Vec<CallScript> = task.spec.tools.iter().map(|tool| self.call(id, task, tool)).collect();
                Step { calls, ..Step::saying(String::new()) }
            }
            0 => Step::saying(self.answer(id, task)),
            1 if !task.spec.tools.is_empty() => Step::saying(self.answer(id, task)),
            _ => return None,
        };
        let length = step.text.as_deref().unwrap_or_default().chars().count();
        Some(Step { piece: step.piece.max(length / PIECES), pace_ms: 40, ..step })
    }

    fn call(&self, id: &NodeId, task: &Task, tool: &ToolSpec) -> CallScript {
        let name = tool.name();
        let parameters = match tool {
            ToolSpec::Function { function, .. } => function.parameters.as_ref(),
            ToolSpec::Name(_) => None,
        };
        let asked = || shortened(&self.question_of(task), 200);
        let (arguments, is_question) = match (name, parameters) {
            ("user_ask" | "user.ask", _) => (question(id, &asked()), true),
            ("tasks.write" | "tasks_write", _) => (task_list(&asked()), false),
            (_, Some(schema)) => {
                let seed = self.identity.uuid(&format!("arguments/{id}/{name}")).as_u128();
                (sample::of_schema(schema, seed, &|field| format!("{field} of {id}")), false)
            }
            (_, None) => (json!({"request": asked()}), false),
        };
        let by_server = match spec::tool_mode(&task.spec) {
            ToolMode::Client => false,
            ToolMode::Server => true,
            ToolMode::Agentic | ToolMode::Other(_) => matches!(tool, ToolSpec::Name(_)),
        };
        let result = (by_server && !is_question).then(|| json!({"ok": true, "tool": name, "arguments": arguments}));
        CallScript::calling(name, arguments, result)
    }

    fn answer(&self, id: &NodeId, task: &Task) -> String {
        let text = self.plain_answer(id, task);
        if task.spec.wire_type() == NodeType::RouteSwitch {
            return self.route(id, &task.spec);
        }
        if let Some(fan_out) = self.taker_of_items(id) {
            let path = fan_out.items_path.as_deref().unwrap_or_default();
            return sample::at(path, items(fan_out, &text, 3)).to_string();
        }
        match task.spec.other.get("output_format").and_then(schema_of) {
            Some(schema) => {
                let seed = self.identity.uuid(&format!("answer/{id}")).as_u128();
                sample::of_schema(schema, seed, &|_| text.clone()).to_string()
            }
            None => text,
        }
    }

    fn plain_answer(&self, id: &NodeId, task: &Task) -> String {
        let asked = self.question_of(task);
        let mut text = match shortened(&asked, CARRIED_PROMPT) {
            blank if blank.is_empty() => format!("A stand-in answer of {id}."),
            asked => format!("A stand-in answer to: {asked}"),
        };
        for CallRecord { call, output, error, .. } in &task.results {
            let said = error.as_ref().map_or_else(|| output.clone(), |error| format!("error: {error}"));
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{}: {}", call.name, shortened(&said, CARRIED_RESULT));
        }
        text
    }

    /// What the user asks of a task's model: the user's message, and the texts of its input.
    fn question_of(&self, task: &Task) -> String {
        let mut texts: Vec<String> = task.spec.user.iter().map(|text| self.render(task, text)).collect();
        if let Some(input) = &task.spec.input {
            texts_in(&self.render_value(task, input), &mut texts);
        }
        if texts.is_empty() {
            texts.extend(task.spec.system.iter().map(|text| self.render(task, text)));
        }
        texts.join("\n").trim().to_owned()
    }

    fn route(&self, id: &NodeId, node: &NodeSpec) -> String {
        let mut routes = routes(node);
        if routes.is_empty() {
            let dependents = self.part.plan.nodes.get(id).map(|node| node.dependents.as_slice()).unwrap_or_default();
            routes = dependents.iter().map(ToString::to_string).collect();
        }
        let chosen = sample::choose(&routes, self.identity.uuid(&format!("route/{id}")).as_u128());
        chosen.cloned().unwrap_or_else(|| "default".to_owned())
    }

    /// The fan-out that takes its items from this node's text.
    fn taker_of_items(&self, id: &NodeId) -> Option<&NodeSpec> {
        let task = self.tasks.get(id).filter(|task| task.item.is_none())?;
        self.part.plan.specs().find(|fan_out| {
            fan_out.wire_type() == NodeType::MapFanout
                && fan_out.items_from.as_deref() == Some(id.as_str())
                && spec::items_pointer(fan_out, Some(&task.spec)) == TEXT_POINTER
        })
    }
}

/// The routes that a `route.switch` names itself: a list of words, or of objects with an `id`, a `name` or a `label`; or
/// the words that the schema of its answer allows.
fn routes(node: &NodeSpec) -> Vec<String> {
    let word = |route: &Value| {
        let named = ["id", "name", "label"].into_iter().find_map(|name| route.get(name));
        named.unwrap_or(route).as_str().map(str::to_owned)
    };
    let allowed = || node.other.get("output_format").and_then(schema_of)?.get("enum");
    let given = node.other.get("routes").or_else(allowed).and_then(Value::as_array);
    given.into_iter().flatten().filter_map(word).collect()
}

/// The schema of an `output_format`, with or without the wrapper that names it.
pub(super) fn schema_of(format: &Value) -> Option<&Value> {
    let schema = format.get("json_schema")?;
    Some(schema.get("schema").unwrap_or(schema))
}

/// A list of items for a fan-out, in the form in which a fan-out within it looks for its own.
fn items(fan_out: &NodeSpec, text: &str, count: usize) -> Value {
    let inner = fan_out.subnode.as_deref().filter(|inner| inner.wire_type() == NodeType::MapFanout);
    let inner = inner.filter(|inner| inner.items_from.as_deref() == Some(super::super::check::ITEM));
    let item = |number: usize| match inner {
        Some(inner) => {
            let pointer = inner.items_pointer.as_deref().unwrap_or_default();
            let path = inner.items_path.as_deref().unwrap_or_default();
            sample::at(&format!("{pointer}{path}"), items(inner, text, 2))
        }
        None => Value::from(format!("item {number}: {}", shortened(text, 200))),
    };
    (1..=count).map(item).collect()
}

fn question(id: &NodeId, asked: &str) -> Value {
    let question = if asked.is_empty() { format!("{id}: shall it go on?") } else { format!("{id}: {asked}") };
    json!({"question": question, "options": [{"label": "Yes"}, {"label": "No"}], "allow_freeform": true})
}

fn task_list(asked: &str) -> Value {
    json!({"tasks": [
        {"content": format!("Read the request: {asked}"), "status": "completed"},
        {"content": "Work on it", "status": "in_progress", "active_form": "Working on it"},
        {"content": "Report", "status": "pending"},
    ]})
}

/// The texts of messages, wherever in them they stand.
fn texts_in(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| texts_in(value, texts)),
        Value::Object(map) => map
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "type" | "role"))
            .for_each(|(_, value)| texts_in(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{} […]", &text[..end]),
        None => text.to_owned(),
    }
}
