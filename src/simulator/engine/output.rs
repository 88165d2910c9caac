//! What a node puts out.
//!
//! Owns the forms that are not published: `join.all` gives `{NODE: output}`; `join.any` `{node_id, status, output}` of
//! the dependency that it took; `join.collect` `{items: [{node_id, status, output}], reason}` with the reason `limit`,
//! `timeout` or `all`; `map.fanout` `{items: [output]}` in the items' order; `transform.json` its object, in which a
//! pointer to nothing gives null, while a merge leaves it out. The text of a `join.any`, where `{{…}}` names it, is that
//! of the dependency.
//!
//! Rule: how large an output will be is known before it is built, so that specs that double their data in every node
//! end with an error and not with the server's memory.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::event::Failure;
use crate::api::ids::NodeId;
use crate::api::run::NodeType;
use crate::api::workflow::ValueSource;

use super::super::check::ITEM;
use super::Engine;
use super::task::{Phase, Task};

/// The largest output of a node, in bytes of JSON.
const LARGEST_OUTPUT: usize = 4 * 1024 * 1024;

/// What all outputs and requests of a run come to at most, in bytes.
pub(super) const LARGEST_RUN: usize = 64 * 1024 * 1024;

impl Engine {
    /// The output of a node that succeeds and its length as JSON.
    ///
    /// # Errors
    /// When it would be too large, or cannot be made.
    pub(super) fn output_of(&self, id: &NodeId) -> Result<(Arc<Value>, usize), Failure> {
        let Some(task) = self.tasks.get(id) else { return Ok((Arc::new(Value::Null), 4)) };
        self.check_size(
            self.parts_of(id, task).into_iter().map(|id| self.tasks.get(&id).map_or(0, |task| task.output_bytes)).sum(),
        )?;
        let output = match task.spec.wire_type() {
            NodeType::JoinAll => {
                let taken = self.parts_of(id, task).into_iter();
                Value::Object(taken.map(|id| (id.to_string(), self.value_of(&id))).collect())
            }
            NodeType::JoinAny => {
                let taken = task.choice.as_ref().and_then(|choice| choice.taken.first());
                taken.map_or(Value::Null, |id| self.taken(id))
            }
            NodeType::JoinCollect => {
                let choice = task.choice.as_ref();
                let items: Vec<Value> =
                    choice.map(|choice| choice.taken.iter().map(|id| self.taken(id)).collect()).unwrap_or_default();
                json!({"items": items, "reason": choice.map(|choice| choice.reason)})
            }
            NodeType::MapFanout => {
                let items: Vec<Value> = task.fan_out.children.iter().map(|id| self.value_of(id)).collect();
                json!({"items": items})
            }
            NodeType::TransformJson => self.transformed(task)?,
            _ => task.llm_output(),
        };
        let bytes = output.to_string().len();
        self.check_size(bytes)?;
        Ok((Arc::new(output), bytes))
    }

    /// The nodes whose outputs a node's own is made of.
    fn parts_of(&self, id: &NodeId, task: &Task) -> Vec<NodeId> {
        match task.spec.wire_type() {
            NodeType::JoinAll => self.part.plan.nodes.get(id).map(|node| node.depends_on.clone()).unwrap_or_default(),
            NodeType::JoinAny | NodeType::JoinCollect => {
                task.choice.as_ref().map(|choice| choice.taken.clone()).unwrap_or_default()
            }
            NodeType::MapFanout => task.fan_out.children.clone(),
            _ => Vec::new(),
        }
    }

    fn check_size(&self, bytes: usize) -> Result<(), Failure> {
        if bytes <= LARGEST_OUTPUT && self.kept_bytes + bytes <= LARGEST_RUN {
            return Ok(());
        }
        let message = format!(
            "the output of {bytes} bytes is too large for this simulator: a node has up to {LARGEST_OUTPUT} bytes, a \
             run up to {LARGEST_RUN}"
        );
        Err(Failure { code: Some("OUTPUT_TOO_LARGE".to_owned()), message })
    }

    fn value_of(&self, id: &NodeId) -> Value {
        self.tasks.get(id).and_then(|task| task.output.as_deref()).cloned().unwrap_or(Value::Null)
    }

    fn taken(&self, id: &NodeId) -> Value {
        let status = if self.phase(id) == Phase::Succeeded { "succeeded" } else { "failed" };
        let mut taken = json!({"node_id": id, "status": status, "output": self.value_of(id)});
        if let Some(failure) = self.tasks.get(id).and_then(|task| task.failure.as_ref()) {
            taken["error"] = json!(failure);
        }
        taken
    }

    fn transformed(&self, task: &Task) -> Result<Value, Failure> {
        let mut bytes = 0;
        let mut value = |source: &ValueSource| {
            let value = self.source(task, source);
            // Counted before the next is copied.
            bytes += value.as_ref().map_or(0, |value| value.to_string().len());
            self.check_size(bytes).map(|()| value)
        };
        let mut object = Map::new();
        for (name, source) in task.spec.object.iter().flatten() {
            object.insert(name.clone(), value(source)?.unwrap_or(Value::Null));
        }
        for source in task.spec.merge.iter().flatten() {
            match value(source)? {
                Some(Value::Object(fields)) => object.extend(fields),
                None | Some(Value::Null) => {}
                Some(other) => {
                    let place = source.pointer.as_deref().unwrap_or_default();
                    let kind = super::super::shape::kind(&other);
                    let message = format!("only objects can be merged; {}{place} is {kind}", source.from);
                    return Err(Failure { code: Some("NOT_AN_OBJECT".to_owned()), message });
                }
            }
        }
        Ok(Value::Object(object))
    }

    /// A value from a node, an input or, within a fan-out, the item.
    fn source(&self, task: &Task, source: &ValueSource) -> Option<Value> {
        let pointer = source.pointer.as_deref().unwrap_or_default();
        if let Some(item) = task.item.as_ref().filter(|_| source.from == ITEM) {
            return item.value.pointer(pointer).cloned();
        }
        match NodeId::from_wire(&source.from).and_then(|id| self.tasks.get(&id)) {
            Some(node) => node.output.as_deref()?.pointer(pointer).cloned(),
            None => self.part.input.get(&source.from)?.pointer(pointer).cloned(),
        }
    }
}
