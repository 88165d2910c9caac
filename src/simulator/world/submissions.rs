//! What was submitted to a run: every result that was offered, and what was taken of it.
//!
//! Owns the truth that a test of "nothing is sent twice" counts with: requests are told apart by their request id, so
//! that a repetition is no second submission. Rule: an offer is recorded when it arrives, whatever is done with it.

use indexmap::IndexMap;
use serde::Serialize;

use crate::api::tool::{CallKey, StepKey, ToolResult};

/// Calls of one run that are recorded; more than any run has in a test.
const CALLS: usize = 100_000;

/// Offers of one call that are recorded.
const OFFERS: usize = 1000;

/// What was submitted for one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Submission {
    /// The call.
    pub call: CallKey,
    /// Every submission that offered a result of it, in the order of arrival; those that were lost, too.
    pub offers: Vec<Offer>,
    /// The result that was taken, once one was: never a second one.
    pub taken: Option<Taken>,
}

/// One submission as it offered a result of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The request id that the client chose; without one, each request is a submission by itself.
    pub request_id: Option<String>,
    /// How often it arrived under this id: 1, and 1 more for each repetition.
    pub times: u64,
    /// Whether a result of the call had been taken when it first arrived.
    pub after_taken: bool,
}

/// A result that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The request that brought it; `None` where the client chose no id, and for a rival's.
    pub request_id: Option<String>,
    /// The output, byte for byte.
    pub output: String,
    /// The error, where the tool failed.
    pub error: Option<String>,
    /// Another operator's result, which the fault `rival` has brought.
    pub rival: bool,
}

impl Submission {
    /// How many submissions offered a result although one of the very same offers had been taken: what must be zero.
    #[must_use]
    pub fn sent_twice(&self) -> usize {
        let mine = self.taken.as_ref().is_some_and(|taken| !taken.rival);
        self.offers.iter().filter(|offer| mine && offer.after_taken).count()
    }
}

/// What was submitted to one run.
#[derive(Debug, Default)]
pub(crate) struct Submissions {
    calls: IndexMap<CallKey, Submission>,
}

impl Submissions {
    /// A request has arrived that offers a result of each of these calls.
    pub(crate) fn offered(&mut self, request_id: Option<&str>, calls: impl Iterator<Item = CallKey>) {
        for call in calls {
            let Some(submission) = self.entry(call) else { return };
            let same = |offer: &&mut Offer| request_id.is_some() && offer.request_id.as_deref() == request_id;
            let room = submission.offers.len() < OFFERS;
            if let Some(offer) = submission.offers.iter_mut().find(same) {
                offer.times += 1;
            } else if room {
                let after_taken = submission.taken.is_some();
                submission.offers.push(Offer { request_id: request_id.map(str::to_owned), times: 1, after_taken });
            }
        }
    }

    /// These results are in the log.
    pub(crate) fn taken(&mut self, step: &StepKey, results: &[ToolResult], request_id: Option<&str>, rival: bool) {
        for result in results {
            let Some(submission) = self.entry(step.call(&result.tool_call.id)) else { return };
            submission.taken = Some(Taken {
                request_id: request_id.map(str::to_owned),
                output: result.output.clone(),
                error: result.error.clone(),
                rival,
            });
        }
    }

    /// Everything, in the order of arrival.
    pub(crate) fn all(&self) -> Vec<Submission> {
        self.calls.values().cloned().collect()
    }

    fn entry(&mut self, call: CallKey) -> Option<&mut Submission> {
        let room = self.calls.len() < CALLS || self.calls.contains_key(&call);
        let submission = Submission { call: call.clone(), offers: Vec::new(), taken: None };
        room.then(|| self.calls.entry(call).or_insert(submission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ids::{CallId, NodeId, RequestId, ToolName};
    use crate::api::tool::ToolCall;

    #[test]
    fn a_repetition_is_no_second_submission_and_what_comes_after_the_result_is_one_too_many() {
        let step = StepKey::new(&NodeId::parse("a").unwrap(), 0, RequestId::random());
        let call = ToolCall { id: CallId::parse("c").unwrap(), name: ToolName::parse("t").unwrap(), arguments: None };
        let key = || std::iter::once(step.call(&call.id));
        let mut submissions = Submissions::default();
        submissions.offered(Some("one"), key());
        submissions.offered(Some("one"), key());
        submissions.taken(
            &step,
            &[ToolResult { tool_call: call.clone(), output: "x".into(), error: None }],
            Some("one"),
            false,
        );
        submissions.offered(Some("one"), key());
        let all = submissions.all();
        assert_eq!((all[0].offers.len(), all[0].offers[0].times, all[0].sent_twice()), (1, 3, 0));
        assert_eq!(all[0].taken.as_ref().unwrap().request_id.as_deref(), Some("one"));
        submissions.offered(Some("two"), key());
        submissions.offered(None, key());
        submissions.offered(None, key());
        let all = submissions.all();
        assert_eq!((all[0].offers.len(), all[0].sent_twice()), (4, 3));
    }
}
