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
use super::recent::{Found, Recent, fingerprint};
use crate::api::event::LlmCall;
use crate::api::tool::StepKey;

/// What an allocation takes beside its content.
const WORD: usize = 16;

/// The steps of a node, oldest first, up to [`limits::STEP_RECORDS`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepRecords {
    records: Recent<StepRecord>,
    /// Steps that were dropped from the front.
    pub dropped: u64,
    /// About how many bytes the records hold.
    bytes: usize,
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
    fn new(key: StepKey, began_at: Timestamp, last_at: Timestamp) -> Self {
        Self {
            key,
            rate: None,
            tokens: None,
            stop_reason: None,
            response_id: None,
            waited_for: None,
            began_at,
            last_at,
        }
    }

    /// About how many bytes it holds.
    fn bytes(&self) -> usize {
        let words = [&self.stop_reason, &self.response_id, &self.waited_for];
        size_of::<Self>() + words.into_iter().flatten().map(|word| WORD + word.len()).sum::<usize>()
    }

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
        self.records.iter().rfind(|record| record.key == *key)
    }

    pub(super) fn node_started(&mut self, at: Timestamp) {
        self.heard_at = Some(at);
    }

    /// About how many bytes the records hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The steps of which no record is kept, though each would still be known.
    pub(super) fn of_facts(count: u64, heard_at: Option<Timestamp>, records: Recent<StepRecord>) -> Self {
        Self { records, dropped: count, bytes: 0, heard_at }
    }

    /// When the node was last heard of.
    pub(super) fn heard_at(&self) -> Option<Timestamp> {
        self.heard_at
    }

    pub(super) fn fingerprints(&self) -> &VecDeque<u32> {
        self.records.fingerprints()
    }

    /// The same with no record kept, though each would still be known.
    #[cfg(test)]
    pub(super) fn facts(&self) -> Self {
        let dropped = self.dropped + self.records.len() as u64;
        Self { records: self.records.forgotten(), dropped, bytes: 0, heard_at: self.heard_at }
    }

    /// Drops the oldest until no more than `bytes` are held.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes && !self.records.is_empty() {
            self.drop_oldest();
        }
        self.records.shrink();
    }

    /// A model was called and has answered, at `rate`.
    pub(super) fn called(&mut self, key: StepKey, rate: &Rate, call: &LlmCall, at: Timestamp) {
        self.record(key, at, |record| {
            record.rate = Some(rate.clone());
            if call.usage.is_some() {
                let before = record.tokens.unwrap_or_default();
                record.tokens = Some([before, Tokens::of(call)].into_iter().sum());
            }
            record.stop_reason = call.stop_reason.clone().or_else(|| record.stop_reason.take());
            record.response_id = call.response_id.clone().or_else(|| record.response_id.take());
        });
    }

    pub(super) fn waits(&mut self, key: StepKey, reason: &str, at: Timestamp) {
        self.record(key, at, |record| record.waited_for = Some(reason.into()));
    }

    /// A call of the step was made, or has its result.
    pub(super) fn touched(&mut self, key: StepKey, at: Timestamp) {
        self.record(key, at, |_| {});
    }

    /// Changes the record of a step that was heard of now; a new one where it is not known.
    fn record(&mut self, key: StepKey, at: Timestamp, change: impl FnOnce(&mut StepRecord)) {
        let fingerprint = fingerprint(key.step, key.request_id, "");
        let known = self.records.find(fingerprint, |record| record.key == key);
        let began_at = self.heard_at.replace(at).unwrap_or(at);
        let place = match known {
            Found::At(place) => place,
            Found::Forgotten => return,
            Found::Nowhere => {
                if self.records.known() == limits::STEP_RECORDS {
                    self.drop_oldest();
                }
                let record = StepRecord::new(key, began_at, at);
                self.bytes += record.bytes();
                self.records.push(fingerprint, record)
            }
        };
        if let Some(record) = self.records.get_mut(place) {
            let before = record.bytes();
            change(record);
            record.last_at = record.last_at.max(at);
            self.bytes = self.bytes - before + record.bytes();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(record) = self.records.pop_front() {
            self.bytes -= record.bytes();
            self.dropped += 1;
        }
    }
}
