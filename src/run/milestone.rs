//! Which events an operator steps between when single ones are too many.
//!
//! Rule: what streams or repeats within a node (pieces of text, calls, rounds) is none.

use crate::api::event::EventBody;

/// Whether an event is a milestone: the run begins or ends, a node begins, succeeds or fails, calls or a question wait,
/// a person has answered.
#[must_use]
pub fn is_milestone(body: &EventBody) -> bool {
    body.ends_run()
        || matches!(
            body,
            EventBody::RunStarted(_)
                | EventBody::NodeStarted(_)
                | EventBody::NodeSucceeded(_)
                | EventBody::NodeFailed(_)
                | EventBody::NodeWaiting(_)
                | EventBody::NodeUserAsk(_)
                | EventBody::NodeUserAnswer(_)
        )
}
