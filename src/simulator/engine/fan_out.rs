//! `map.fanout`: a task for each item of a list, some at a time.
//!
//! Owns where the items come from and when the next one begins. Rule: an item that waits for somebody still counts
//! against `max_parallelism`, so that the limit is one at every moment.

use serde_json::Value;

use crate::api::event::Failure;
use crate::api::ids::NodeId;

use super::super::plan::item_id;
use super::task::{Act, Beat, Phase, Task};
use super::{Engine, MOMENT};

impl Engine {
    /// Starts the nodes of a fan-out's first items; its other items follow as these end.
    pub(super) fn fan_out(&mut self, id: &NodeId) {
        let items = match self.items_of(id) {
            Ok(items) => items,
            Err(message) => {
                let code = Some("INVALID_INPUT".to_owned());
                return self.fail(id, Failure { code, message });
            }
        };
        let Some(subnode) = self.tasks.get(id).and_then(|task| task.spec.subnode.clone()) else { return };
        let (mut children, plan_model) = (Vec::new(), self.part.plan.model.clone());
        for (index, item) in items.into_iter().enumerate() {
            let Some(child) = item_id(id, index) else { continue };
            let mut task = Task::of_item(*subnode.clone(), id.clone(), index, item);
            task.spec.model = task.spec.model.or_else(|| plan_model.clone());
            self.tasks.insert(child.clone(), task);
            children.push(child);
        }
        if let Some(task) = self.tasks.get_mut(id) {
            task.children = children;
        }
        self.continue_fan_out(id);
    }

    pub(super) fn continue_fan_out(&mut self, id: &NodeId) {
        let Some(task) = self.tasks.get(id) else { return };
        let at_once = task.spec.max_parallelism.map_or(usize::MAX, |most| most as usize).max(1);
        let phase = |child: &NodeId| self.tasks.get(child).map_or(Phase::Failed, |task| task.phase);
        let children = task.children.clone();
        if children.iter().all(|child| phase(child) == Phase::Succeeded) {
            return self.give_beats(id, vec![Beat { delay: MOMENT, act: Act::Succeed }]);
        }
        let active = children.iter().filter(|child| phase(child).holds_slot()).count();
        let waiting: Vec<NodeId> = children.into_iter().filter(|child| phase(child) == Phase::Pending).collect();
        for child in waiting.into_iter().take(at_once.saturating_sub(active)) {
            self.begin(&child);
        }
    }

    /// The items of a fan-out, or why there are none.
    fn items_of(&self, id: &NodeId) -> Result<Vec<Value>, String> {
        let Some(task) = self.tasks.get(id) else { return Ok(Vec::new()) };
        let source = match (&task.spec.items_from, &task.spec.items_from_input) {
            (Some(node), _) => NodeId::from_wire(node).and_then(|id| self.tasks.get(&id)?.output.clone()),
            (None, Some(input)) => self.part.input.get(input).cloned(),
            (None, None) => None,
        };
        let pointer = task.spec.items_pointer.as_deref().unwrap_or_default();
        let found = source.as_ref().and_then(|value| value.pointer(pointer));
        // A model writes its list as text.
        let parsed = found.and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
        match parsed.as_ref().or(found) {
            Some(Value::Array(items)) => Ok(items.clone()),
            _ => Err(format!("there is no list of items at {pointer:?}")),
        }
    }
}
