//! `map.fanout`: a task for each item of a list, some at a time.
//!
//! Owns where the items come from, and what their ends mean for the fan-out. Items are the list that stands where the
//! spec points to, in a model's text unless it says otherwise; a text that stands there is read as JSON, because a
//! model writes its list as text. A fan-out with an item that failed begins no other; where the run can go on without
//! it, those that are at work go on to their ends first. Rule: an item that waits for somebody still counts against
//! `max_parallelism`, so that the limit is one at every moment.

use std::sync::Arc;

use serde_json::Value;

use crate::api::event::Failure;
use crate::api::ids::NodeId;

use super::super::check::ITEM;
use super::super::plan::item_id;
use super::super::spec;
use super::task::{Act, Beat, FanOut, Task};
use super::{Engine, MOMENT};

/// More tasks than a run is worth watching with.
const MOST_TASKS: usize = 10_000;

impl Engine {
    /// Makes the nodes of a fan-out's items; they begin as there is room for them.
    pub(super) fn fan_out(&mut self, id: &NodeId) {
        let items = match self.items_of(id) {
            Ok(items) => items,
            Err((code, message)) => {
                let act = Act::Fail(Failure { code: Some(code.to_owned()), message });
                return self.give_beats(id, vec![Beat { delay: MOMENT, act }]);
            }
        };
        let Some(subnode) = self.tasks.get(id).and_then(|task| task.spec.subnode.as_deref()) else { return };
        let subnode = Arc::new(subnode.clone());
        let mut children = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let Some(child) = item_id(id, index) else { continue };
            self.tasks.insert(child.clone(), Task::of_item(Arc::clone(&subnode), id.clone(), index, item));
            children.push(child);
        }
        self.unended += children.len();
        if children.is_empty() {
            return self.give_beats(id, vec![Beat { delay: MOMENT, act: Act::Succeed }]);
        }
        if let Some(task) = self.tasks.get_mut(id) {
            task.fan_out = FanOut { children, ..FanOut::default() };
        }
        self.fan_outs.push(id.clone());
    }

    /// An item has ended.
    pub(super) fn item_ended(&mut self, id: &NodeId, failure: Option<Failure>) {
        let waits = self.may_go_on_without(id);
        let Some(fan_out) = self.tasks.get_mut(id).map(|task| &mut task.fan_out) else { return };
        fan_out.at_work -= 1;
        if fan_out.failure.is_none() {
            fan_out.failure = failure;
        }
        match fan_out.failure.clone() {
            Some(failure) if !waits || fan_out.at_work == 0 => self.fail(id, failure),
            None if fan_out.at_work == 0 && fan_out.next == fan_out.children.len() => {
                self.give_beats(id, vec![Beat { delay: MOMENT, act: Act::Succeed }]);
            }
            _ => {}
        }
    }

    /// Whether the run goes on when a node, or the node that it is an item of, fails.
    fn may_go_on_without(&self, id: &NodeId) -> bool {
        let mut root = id;
        while let Some(item) = self.tasks.get(root).and_then(|task| task.item.as_ref()) {
            root = &item.parent;
        }
        self.part.plan.nodes.get(root).is_some_and(|node| node.may_fail)
    }

    /// The items of a fan-out, or why there are none.
    fn items_of(&self, id: &NodeId) -> Result<Vec<Value>, (&'static str, String)> {
        let Some(task) = self.tasks.get(id) else { return Ok(Vec::new()) };
        let node = task.spec.items_from.as_deref();
        let from_task = node.and_then(NodeId::from_wire).and_then(|id| self.tasks.get(&id));
        let source: Option<&Value> = match (&task.item, node) {
            (Some(item), Some(ITEM)) => Some(&item.value),
            (_, Some(_)) => from_task.and_then(|task| task.output.as_deref()),
            (_, None) => task.spec.items_from_input.as_deref().and_then(|name| self.part.input.get(name)),
        };
        let pointer = spec::items_pointer(&task.spec, from_task.map(|task| &*task.spec));
        let path = task.spec.items_path.as_deref().unwrap_or_default();
        let found = source.and_then(|value| value.pointer(pointer)).map(read);
        let found = found.as_ref().and_then(|value| value.pointer(path)).map(read);
        let name = node.or(task.spec.items_from_input.as_deref()).unwrap_or_default();
        match found {
            Some(Value::Array(items)) if self.tasks.len() + items.len() <= MOST_TASKS => Ok(items),
            Some(Value::Array(items)) => {
                let message = format!("{} items are too many: this simulator runs {MOST_TASKS} nodes", items.len());
                Err(("TOO_MANY_ITEMS", message))
            }
            _ => Err(("INVALID_INPUT", format!("there is no list of items at {pointer:?}{path:?} of {name}"))),
        }
    }
}

/// A text that is JSON, as what it says; anything else as it is.
fn read(value: &Value) -> Value {
    let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    parsed.unwrap_or_else(|| value.clone())
}
