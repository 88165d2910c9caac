//! The steps of one node: each is one request to a model, and what followed from it.
//!
//! Owns what is told of a step beside its tool calls, which the node keeps ([`super::Node::calls_of`]). A step begins
//! where the one before was last heard of, or where the node started: no event tells when a model was asked, only when
//! it has answered. Rule: a step is known by node, step and request id, so that a node that is started again, and
//! counts from the start, does not write over its first attempt.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::cost::{Rate, Tokens};
use super::limits;
use crate::api::event::LlmCall;
use crate::api::tool::StepKey;

/// The steps of a node, oldest first, up to [`limits::STEP_RECORDS`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepRecords {
    records: VecDeque<StepRecord>,
    /// Steps that were dropped from the front.
    pub dropped: u64,
    /// When the node was last heard of: where the next step begins.
    heard_at: Option<Timestamp>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// Node, step and request.
    pub key: StepKey,
    /// Provider and model, once the model has answered.
    pub rate: Option<Rate>,
    /// What the model used, once it has answered; `None` where the provider did not say.
    pub tokens: Option<Tokens>,
    /// Why the model stopped, in its own word.
    pub stop_reason: Option<Box<str>>,
    /// The provider's id of the response.
    pub response_id: Option<Box<str>>,
    /// Why the step waited, in the server's word.
    pub waited_for: Option<Box<str>>,
    /// When it began, by the server's clock.
    pub began_at: Timestamp,
    /// When it was last heard of, by the server's clock.
    pub last_at: Timestamp,
}

impl StepRecord {
    /// From its beginning to when it was last heard of.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.last_at.duration_since(self.began_at).try_into().unwrap_or_default()
    }
}

impl StepRecords {
    /// The steps, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &StepRecord> + ExactSizeIterator {
        self.records.iter()
    }

    /// How many steps there were, those included that are no longer kept.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.dropped + self.records.len() as u64
    }

    /// The step of a key, while it is kept.
    #[must_use]
    pub fn get(&self, key: &StepKey) -> Option<&StepRecord> {
        self.records.iter().rev().find(|record| record.key == *key)
    }

    pub(super) fn node_started(&mut self, at: Timestamp) {
        self.heard_at = Some(at);
    }

    /// A model was called and has answered.
    pub(super) fn called(&mut self, key: StepKey, call: &LlmCall, at: Timestamp) {
        let record = self.record(key, at);
        record.rate = Some(Rate::of(call));
        if call.usage.is_some() {
            let before = record.tokens.unwrap_or_default();
            record.tokens = Some([before, Tokens::of(call)].into_iter().sum());
        }
        record.stop_reason = call.stop_reason.clone().or_else(|| record.stop_reason.take());
        record.response_id = call.response_id.clone().or_else(|| record.response_id.take());
    }

    pub(super) fn waits(&mut self, key: StepKey, reason: &str, at: Timestamp) {
        self.record(key, at).waited_for = Some(reason.into());
    }

    /// A call of the step was made, or has its result.
    pub(super) fn touched(&mut self, key: StepKey, at: Timestamp) {
        self.record(key, at);
    }

    /// The record of a step that was heard of now; a new one where it is not known.
    fn record(&mut self, key: StepKey, at: Timestamp) -> &mut StepRecord {
        let known = self.records.iter().rposition(|record| record.key == key);
        let began_at = self.heard_at.replace(at).unwrap_or(at);
        let place = known.unwrap_or_else(|| {
            if self.records.len() == limits::STEP_RECORDS {
                self.records.pop_front();
                self.dropped += 1;
            }
            self.records.push_back(StepRecord {
                key,
                rate: None,
                tokens: None,
                stop_reason: None,
                response_id: None,
                waited_for: None,
                began_at,
                last_at: at,
            });
            self.records.len() - 1
        });
        let record = &mut self.records[place];
        record.last_at = record.last_at.max(at);
        record
    }
}
