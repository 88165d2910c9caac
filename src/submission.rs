//! Sends an answer exactly once.
//!
//! One state machine, pure ([`machine`]), with one driver ([`driver`]) that the console and the command line share.
//! After anything but a 2xx answer, or none at all, the driver finds out (pending-tools, then the events since the
//! submission) before it sends again: under the same request id, three sends in all. 400, 401 and 403 are never sent
//! again. Every submission ends in a [`Verdict`], call by call.

pub mod driver;
pub mod machine;
mod past;
mod patience;
pub mod records;
mod search;

use std::fmt;

use uuid::Uuid;

use crate::api::error::Class;
use crate::api::ids::RunId;
use crate::api::run::RunStatus;
use crate::api::tool::{CallKey, ToolResultsRequest};

pub use crate::store::intents::Sender;
pub use driver::{Left, LookedUp, look_up, not_sent, submit, submit_recorded, submit_within};
pub use past::{PastCall, find_call, find_calls};
pub use records::{Records, minute, unrecorded};

/// What is to be sent, decided by the operator and from then on unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Sent as `X-ModelRelay-Request-Id` with every attempt, so that the server knows a retry.
    pub request_id: Uuid,
    /// The run.
    pub run_id: RunId,
    /// The body.
    pub request: ToolResultsRequest,
    /// The last seq that was known when the operator sent: results in later events are searched for the outcome.
    pub after_seq: u64,
}

/// Where a submission stands before its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// On its way; the attempt's number, from 1.
    Sending(u8),
    /// It is unknown whether it arrived: finding out.
    Verifying {
        /// What happened to the attempt, in words; not yet inert.
        cause: String,
    },
    /// It cannot be written down before it leaves, and goes on all the same.
    Unrecorded {
        /// Why, in words.
        why: String,
    },
}

/// How a submission ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The id that it was sent under: that of an earlier submission with the same bytes where there was one.
    pub request_id: Uuid,
    /// Call by call, in the order of the request.
    pub calls: Vec<(CallKey, CallVerdict)>,
    /// The run's status as the server last said it.
    pub status: Option<RunStatus>,
    /// How many attempts were made.
    pub sends: u8,
    /// The server's own request id of its last answer.
    pub server_request_id: Option<String>,
    /// What the last send that failed has failed with.
    pub failure: Option<Class>,
    /// Whether the server has answered for this id without taking everything: it would answer the same to whatever comes
    /// under it, so that the next try needs an id of its own.
    pub id_is_spent: bool,
}

impl Verdict {
    /// Whether it is known of every call what became of it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.calls.iter().any(|(_, verdict)| matches!(verdict, CallVerdict::Unknown { .. }))
    }

    /// How many calls the server has taken from this submission.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.calls.iter().filter(|(_, verdict)| *verdict == CallVerdict::Accepted).count()
    }
}

/// How one call of a submission ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallVerdict {
    /// The server has taken this result.
    Accepted,
    /// Another result was taken in its place.
    Superseded {
        /// The output that won.
        output: String,
        /// The error that won.
        error: Option<String>,
    },
    /// The call still waits; sending again is safe.
    StillPending {
        /// Why it was not taken, in words; not yet inert.
        why: String,
    },
    /// The server refuses the submission as it is.
    Refused {
        /// Why, in words; not yet inert.
        why: String,
    },
    /// It could not be found out.
    Unknown {
        /// Why, in words; not yet inert.
        why: String,
    },
}

impl fmt::Display for CallVerdict {
    /// In words; what the server said is in them and not yet inert.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Superseded { output, error: None } => write!(f, "another answer was taken first: {output}"),
            Self::Superseded { error: Some(error), .. } => {
                write!(f, "another answer was taken first, an error: {error}")
            }
            Self::StillPending { why } => write!(f, "not taken, still waiting, safe to send again: {why}"),
            Self::Refused { why } => write!(f, "refused: {why}"),
            Self::Unknown { why } => write!(f, "outcome unknown: {why}"),
        }
    }
}
