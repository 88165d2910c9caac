//! What became of a submission's calls, searched for in pending-tools and in the events since.
//!
//! Rule: an event outweighs pending-tools, which was read before it.

use std::collections::{HashMap, HashSet};

use super::Intent;
use super::machine::Found;
use crate::api::event::{Event, EventBody};
use crate::api::tool::{CallKey, PendingTools, QuestionAnswer, StepKey};

/// A result in the events.
struct Answer {
    output: String,
    error: Option<String>,
    /// Told by `node_user_answer`; a `node_tool_result` of the same call has the bytes themselves.
    retold: bool,
}

/// A search under way.
pub(super) struct Search<'i> {
    intent: &'i Intent,
    keys: Vec<CallKey>,
    pending: HashSet<CallKey>,
    answers: HashMap<CallKey, Answer>,
}

impl<'i> Search<'i> {
    /// Begins with what pending-tools says.
    pub(super) fn new(intent: &'i Intent, pending: &PendingTools) -> Self {
        Self {
            intent,
            keys: intent.request.keys().collect(),
            pending: pending.calls().map(|(key, _)| key).collect(),
            answers: HashMap::new(),
        }
    }

    /// Takes an event.
    pub(super) fn take(&mut self, event: &Event) {
        match &event.body {
            EventBody::NodeToolResult(e) => {
                let result = &e.tool_result;
                let key = StepKey::new(&e.node_id, result.step, result.request_id).call(&result.tool_call.id);
                let answer = Answer { output: result.output.clone(), error: result.error.clone(), retold: false };
                self.note(key, answer);
            }
            EventBody::NodeUserAnswer(e) => {
                let told = &e.user_answer;
                let key = StepKey::new(&e.node_id, told.step, told.request_id).call(&told.tool_call.id);
                let answer = QuestionAnswer { answer: told.answer.clone(), is_freeform: told.is_freeform };
                let output = self.as_mine(&key, &answer).unwrap_or_else(|| answer.to_output());
                self.note(key, Answer { output, error: None, retold: true });
            }
            _ => {}
        }
    }

    /// The first result stands; one that is only retold gives way to the result itself.
    fn note(&mut self, key: CallKey, answer: Answer) {
        if self.keys.contains(&key) && self.answers.get(&key).is_none_or(|known| known.retold && !answer.retold) {
            self.answers.insert(key, answer);
        }
    }

    /// My output of this call, where it says this answer: the event does not tell how its JSON was spelled.
    fn as_mine(&self, key: &CallKey, answer: &QuestionAnswer) -> Option<String> {
        let place = self.keys.iter().position(|mine| mine == key)?;
        let mine = self.intent.request.results.get(place)?;
        let said: QuestionAnswer = serde_json::from_str(&mine.output).ok()?;
        (said == *answer && mine.error.is_none()).then(|| mine.output.clone())
    }

    /// Whether every call has its own result, so that no later event can tell more.
    pub(super) fn is_complete(&self) -> bool {
        self.keys.iter().all(|key| self.answers.get(key).is_some_and(|answer| !answer.retold))
    }

    /// Whether nothing at all was found of a call.
    pub(super) fn has_nowhere(&self) -> bool {
        self.keys.iter().any(|key| !self.answers.contains_key(key) && !self.pending.contains(key))
    }

    /// What was found, in the order of the request.
    pub(super) fn finish(mut self) -> Vec<Found> {
        let keys = std::mem::take(&mut self.keys);
        keys.iter()
            .map(|key| match self.answers.get(key) {
                Some(answer) => Found::Answered { output: answer.output.clone(), error: answer.error.clone() },
                None if self.pending.contains(key) => Found::Pending,
                None => Found::Nowhere,
            })
            .collect()
    }
}
