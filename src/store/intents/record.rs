//! What the file of a submission holds: a line a fact, and what the lines tell together.
//!
//! Pure. Rule: whatever a crash has torn, the facts that somebody waited for are read.

use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::SETTLED_KEPT;
use crate::api::ids::RunId;
use crate::api::tool::{CallKey, ToolResultsRequest};

/// Who decided on a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    /// A console.
    Console,
    /// The subcommand `answer`.
    Answer,
}

impl std::fmt::Display for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Console => "a console",
            Self::Answer => "the command answer",
        })
    }
}

/// A submission as it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentRecord {
    /// The id that every send carries.
    pub request_id: Uuid,
    /// The run.
    pub run_id: RunId,
    /// The body.
    pub request: ToolResultsRequest,
    /// The last seq that was known when it was decided.
    pub after_seq: u64,
    /// By whom.
    pub by: Sender,
    /// When.
    pub decided_at: Timestamp,
}

/// What became of one call of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The server took this result.
    Accepted,
    /// The server took another result.
    Superseded,
    /// The server refused it.
    Refused,
    /// It was not taken, as far as anybody knows: the call still waits.
    StillPending,
    /// It was not taken, and the server has said so of this id: the call still waits.
    NotTaken,
}

/// One line of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fact {
    Intent(IntentRecord),
    /// Decided on again, with the same bytes.
    Again {
        by: Sender,
        at: Timestamp,
    },
    SendBegan {
        at: Timestamp,
    },
    Settled {
        at: Timestamp,
        outcomes: Vec<Outcome>,
    },
}

/// A submission as its file tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIntent {
    /// What was decided.
    pub record: IntentRecord,
    /// How many sends began.
    pub sends: u32,
    /// When it ended and how, in the order of the request; `None` while that is not known.
    pub settled: Option<(Timestamp, Vec<Outcome>)>,
}

impl StoredIntent {
    /// Its calls, in order.
    pub fn keys(&self) -> impl Iterator<Item = CallKey> {
        self.record.request.keys()
    }

    pub(super) fn overlaps(&self, request: &ToolResultsRequest) -> bool {
        self.keys().any(|mine| request.keys().any(|other| mine == other))
    }

    /// Whether something may have been taken of it, as far as the file says.
    pub(super) fn may_have_been_taken(&self) -> bool {
        self.settled.as_ref().is_none_or(|(_, outcomes)| {
            outcomes.iter().any(|outcome| matches!(outcome, Outcome::Accepted | Outcome::Superseded))
        })
    }

    /// Whether the server has answered for its id, and would answer the same again.
    pub(super) fn is_answered_for(&self) -> bool {
        self.settled.as_ref().is_some_and(|(_, outcomes)| outcomes.contains(&Outcome::NotTaken))
    }

    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        self.settled.as_ref().is_some_and(|(at, _)| now.duration_since(*at).unsigned_abs() > SETTLED_KEPT)
    }
}

/// What the lines tell. The first was written whole with the file; of those after it the last may be torn, which is a
/// fact that nobody had waited for.
pub(super) fn stored(bytes: &[u8]) -> Result<StoredIntent, String> {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next().map(serde_json::from_slice::<Fact>);
    let Some(Ok(Fact::Intent(record))) = first else {
        let why = first.and_then(Result::err).map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("is damaged or not a submission{why}"));
    };
    let mut stored = StoredIntent { record, sends: 0, settled: None };
    for fact in lines.filter_map(|line| serde_json::from_slice::<Fact>(line).ok()) {
        match fact {
            Fact::Intent(_) => {}
            Fact::Again { by, .. } => (stored.record.by, stored.settled) = (by, None),
            Fact::SendBegan { .. } => stored.sends += 1,
            Fact::Settled { at, outcomes } => stored.settled = Some((at, outcomes)),
        }
    }
    Ok(stored)
}

pub(super) fn line(fact: &Fact) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(fact)?;
    bytes.push(b'\n');
    Ok(bytes)
}
