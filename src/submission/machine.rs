//! What to do next with a submission, as a pure state: inputs and commands are data, chance is an argument.
//!
//! A submission begins with a send, or, where an earlier one to the same calls may have been taken, with a look; what
//! another process has left is looked up only.
//!
//! Promise "nothing sent twice": at most [`SENDS`] sends, all under one request id; between two of them lies a look at
//! the server that found every call still pending; what the server refuses for good (400, 401, 403 and their like) is
//! never sent again. Rule: no call is `Accepted` without the server's word for it, and every path ends in a verdict.

use std::time::Duration;

use uuid::Uuid;

use super::{CallVerdict, Intent, Verdict};
use crate::api::error::{Class, Error};
use crate::api::retry;
use crate::api::run::RunStatus;
use crate::api::tool::CallKey;

/// How often a submission is sent at most.
pub const SENDS: u8 = 3;

/// How many looks may fail, between two sends, before the outcome counts as unknown.
pub const FAILED_LOOKS: u32 = 8;

/// How many looks may find a call neither pending nor answered: its event may be on its way.
pub const EMPTY_LOOKS: u32 = 4;

/// What has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The send was answered with 2xx.
    Taken {
        /// How many results the server says it accepted.
        accepted: u64,
        /// The run's status after it.
        status: RunStatus,
        /// The server's id of the request.
        request_id: Option<String>,
    },
    /// The send was answered otherwise, or not at all.
    SendFailed(Failure),
    /// The look at pending-tools and the events has succeeded.
    Found(Findings),
    /// It has not.
    LookFailed(Failure),
}

/// Why a request has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means.
    pub kind: FailureKind,
    /// Why, in words.
    pub why: String,
    /// How long the server asked to be left alone.
    pub retry_after: Option<Duration>,
    /// The server's id of the request.
    pub request_id: Option<String>,
    /// What the error means besides.
    pub class: Class,
}

/// What a failure says about the fate of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It was not taken, and never will be as it is.
    Final,
    /// It was not taken; what it was for has changed (404, 409).
    Rejected,
    /// Nobody knows.
    Unclear,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error.class() {
            Class::Setting | Class::Unauthorized | Class::Invalid => FailureKind::Final,
            Class::NotFound | Class::Conflict => FailureKind::Rejected,
            Class::Unavailable => FailureKind::Unclear,
            Class::Protocol => match error {
                Error::Redirect { .. } => FailureKind::Final,
                // A 2xx that cannot be read: it was taken, or a stranger answered.
                _ => FailureKind::Unclear,
            },
        };
        Self {
            kind,
            why: error.to_string(),
            retry_after: error.retry_after(),
            request_id: error.request_id().map(str::to_owned),
            class: error.class(),
        }
    }
}

/// What a look at the server found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// Each call of the submission, in its order.
    pub calls: Vec<Found>,
    /// The run's status, where it could be read.
    pub status: Option<RunStatus>,
}

/// What a look found of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It still waits.
    Pending,
    /// The events have a result of it.
    Answered {
        /// The output, byte for byte.
        output: String,
        /// The error, byte for byte.
        error: Option<String>,
    },
    /// Neither.
    Nowhere,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Wait, then send the intent.
    Send {
        /// The wait.
        after: Duration,
        /// The id to send it under: always the intent's.
        request_id: Uuid,
    },
    /// Wait, then read pending-tools and the events.
    Look {
        /// The wait.
        after: Duration,
    },
    /// It is over.
    Finish(Verdict),
}

/// What makes a look necessary.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doubt {
    /// 2xx, but fewer results accepted than sent.
    Partial,
    /// An earlier submission to the same calls has no outcome yet, or one that this process has not seen.
    Earlier,
    Failed(FailureKind),
}

/// What one call has come to, as far as a look can tell.
enum Fate {
    Decided(CallVerdict),
    Pending,
    Nowhere,
}

impl Fate {
    fn decided(&self) -> Option<CallVerdict> {
        match self {
            Self::Decided(verdict) => Some(verdict.clone()),
            Self::Pending | Self::Nowhere => None,
        }
    }
}

/// One submission, from its first send to its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    intent: Intent,
    keys: Vec<CallKey>,
    /// Whether the operator has decided on sending it now; otherwise it is only looked up.
    may_send: bool,
    /// What the last look found decided, call by call.
    decided: Vec<Option<CallVerdict>>,
    sends: u8,
    /// Set while it is unknown what became of the last send.
    doubt: Option<Doubt>,
    /// Why, in words, of the last thing that went wrong.
    why: String,
    retry_after: Option<Duration>,
    /// Whether any send may have arrived without an answer.
    unclear: bool,
    failed_looks: u32,
    empty_looks: u32,
    status: Option<RunStatus>,
    server_request_id: Option<String>,
    failure: Option<Class>,
}

impl Machine {
    /// Begins; the command is the first send.
    #[must_use]
    pub fn start(intent: &Intent) -> (Self, Command) {
        let mut machine = Self::new(intent, true);
        let command = machine.send(Duration::ZERO);
        (machine, command)
    }

    /// Begins where an earlier submission to the same calls may have been taken, as `why` says; the command is a look.
    /// It is sent only where that finds every call pending.
    #[must_use]
    pub fn look_first(intent: &Intent, why: &str) -> (Self, Command) {
        let mut machine = Self { why: why.to_owned(), ..Self::new(intent, true) };
        let command = machine.look_after(Doubt::Earlier, Duration::ZERO);
        (machine, command)
    }

    /// Begins with what another process has left, as `why` says; it is looked up and never sent.
    #[must_use]
    pub fn look_only(intent: &Intent, why: &str) -> (Self, Command) {
        let mut machine = Self { why: why.to_owned(), ..Self::new(intent, false) };
        let command = machine.look_after(Doubt::Earlier, Duration::ZERO);
        (machine, command)
    }

    fn new(intent: &Intent, may_send: bool) -> Self {
        Self {
            keys: intent.request.keys().collect(),
            may_send,
            decided: Vec::new(),
            intent: intent.clone(),
            sends: 0,
            doubt: None,
            why: String::new(),
            retry_after: None,
            unclear: false,
            failed_looks: 0,
            empty_looks: 0,
            status: None,
            server_request_id: None,
            failure: None,
        }
    }

    /// How often it was sent.
    #[must_use]
    pub fn sends(&self) -> u8 {
        self.sends
    }

    /// Why it looks, in words.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What to do after `input`. `jitter` in `0.0..=1.0`.
    pub fn on(&mut self, input: Input, jitter: f64) -> Command {
        match (input, self.doubt.clone()) {
            (Input::Taken { accepted, status, request_id }, None) => self.taken(accepted, status, request_id),
            (Input::SendFailed(failure), None) => self.send_failed(failure),
            (Input::Found(findings), Some(doubt)) => self.found(&findings, &doubt, jitter),
            (Input::LookFailed(failure), Some(doubt)) => self.look_failed(&failure, &doubt, jitter),
            // An input that answers no command of ours: looking is never wrong, sending may be.
            _ => self.look_after(self.doubt.clone().unwrap_or(Doubt::Failed(FailureKind::Unclear)), Duration::ZERO),
        }
    }

    fn send(&mut self, after: Duration) -> Command {
        self.sends += 1;
        self.doubt = None;
        self.failed_looks = 0;
        self.empty_looks = 0;
        Command::Send { after, request_id: self.intent.request_id }
    }

    fn look_after(&mut self, doubt: Doubt, after: Duration) -> Command {
        self.doubt = Some(doubt);
        Command::Look { after }
    }

    fn taken(&mut self, accepted: u64, status: RunStatus, request_id: Option<String>) -> Command {
        self.status = Some(status);
        self.server_request_id = request_id.or(self.server_request_id.take());
        let sent = self.keys.len();
        if accepted >= sent as u64 {
            return self.finish(|_| CallVerdict::Accepted);
        }
        self.why = format!("the server accepted {accepted} of {sent} results");
        self.look_after(Doubt::Partial, Duration::ZERO)
    }

    fn send_failed(&mut self, failure: Failure) -> Command {
        self.server_request_id = failure.request_id.or(self.server_request_id.take());
        self.failure = Some(failure.class);
        self.retry_after = failure.retry_after;
        self.why = failure.why;
        // An earlier send may have arrived while this one was refused: that is worth a look.
        if failure.kind == FailureKind::Final && !self.unclear {
            let why = self.why.clone();
            return self.finish(|_| CallVerdict::Refused { why: why.clone() });
        }
        self.unclear |= failure.kind == FailureKind::Unclear;
        self.look_after(Doubt::Failed(failure.kind), Duration::ZERO)
    }

    fn found(&mut self, findings: &Findings, doubt: &Doubt, jitter: f64) -> Command {
        self.status = findings.status.clone().or(self.status.take());
        let fates: Vec<Fate> = (0..self.keys.len()).map(|call| self.fate(call, findings.calls.get(call))).collect();
        self.decided = fates.iter().map(Fate::decided).collect();
        if fates.iter().any(|fate| matches!(fate, Fate::Nowhere)) {
            self.empty_looks += 1;
            if self.empty_looks < EMPTY_LOOKS {
                return self.look_after(doubt.clone(), retry::delay(self.empty_looks, None, jitter));
            }
        }
        let all_pending = fates.iter().all(|fate| matches!(fate, Fate::Pending));
        let may_send = match doubt {
            Doubt::Failed(FailureKind::Rejected | FailureKind::Unclear) => true,
            Doubt::Earlier => self.may_send,
            Doubt::Failed(FailureKind::Final) | Doubt::Partial => false,
        };
        if all_pending && may_send && self.sends < SENDS {
            // The first send waits for nobody.
            let wait = match self.sends {
                0 => Duration::ZERO,
                sends => retry::delay(u32::from(sends), self.retry_after.take(), jitter),
            };
            return self.send(wait);
        }
        let mut fates = fates.into_iter();
        let (why, unclear) = (self.why.clone(), self.unclear);
        self.finish(|_| match fates.next() {
            Some(Fate::Decided(verdict)) => verdict,
            Some(Fate::Pending) if *doubt == Doubt::Failed(FailureKind::Final) => {
                CallVerdict::Refused { why: why.clone() }
            }
            Some(Fate::Pending) if *doubt == Doubt::Earlier => {
                CallVerdict::StillPending { why: format!("it did not arrive ({why})") }
            }
            Some(Fate::Pending) => CallVerdict::StillPending { why: why.clone() },
            Some(Fate::Nowhere) | None => {
                lost(doubt, unclear, &why, "it no longer waits, and no event tells its result")
            }
        })
    }

    fn fate(&self, call: usize, found: Option<&Found>) -> Fate {
        match found {
            Some(Found::Pending) => Fate::Pending,
            Some(Found::Nowhere) | None => Fate::Nowhere,
            Some(Found::Answered { output, error }) => {
                let mine = self.intent.request.results.get(call).is_some_and(|mine| {
                    // No error and an empty one have the same bytes.
                    mine.output == *output
                        && mine.error.as_deref().unwrap_or_default() == error.as_deref().unwrap_or_default()
                });
                Fate::Decided(if mine {
                    CallVerdict::Accepted
                } else {
                    CallVerdict::Superseded { output: output.clone(), error: error.clone() }
                })
            }
        }
    }

    fn look_failed(&mut self, failure: &Failure, doubt: &Doubt, jitter: f64) -> Command {
        self.failed_looks += 1;
        if failure.kind == FailureKind::Unclear && self.failed_looks < FAILED_LOOKS {
            let wait = retry::delay(self.failed_looks, failure.retry_after, jitter);
            return self.look_after(doubt.clone(), wait);
        }
        let (why, unclear) = (self.why.clone(), self.unclear);
        let reason = format!("finding out failed: {}", failure.why);
        self.finish(|_| lost(doubt, unclear, &why, &reason))
    }

    /// Ends it where it stands, because nobody waits any longer: what the server has not decided is unknown.
    #[must_use]
    pub fn give_up(&self, reason: &str) -> Verdict {
        let why = self.why_and(reason);
        let mut decided = self.decided.iter().cloned();
        self.verdict(|_| decided.next().flatten().unwrap_or_else(|| CallVerdict::Unknown { why: why.clone() }))
    }

    /// Ends it in place of a send again: every call was found waiting.
    #[must_use]
    pub fn leave_pending(&self, reason: &str) -> Verdict {
        let why = self.why_and(reason);
        let verdict = self.verdict(|_| CallVerdict::StillPending { why: why.clone() });
        Verdict { sends: self.sends.saturating_sub(1), ..verdict }
    }

    fn why_and(&self, reason: &str) -> String {
        if self.why.is_empty() { reason.to_owned() } else { format!("{}; {reason}", self.why) }
    }

    fn finish(&self, verdict: impl FnMut(&CallKey) -> CallVerdict) -> Command {
        Command::Finish(self.verdict(verdict))
    }

    fn verdict(&self, mut verdict: impl FnMut(&CallKey) -> CallVerdict) -> Verdict {
        Verdict {
            request_id: self.intent.request_id,
            calls: self.keys.iter().map(|key| (key.clone(), verdict(key))).collect(),
            status: self.status.clone(),
            sends: self.sends,
            server_request_id: self.server_request_id.clone(),
            failure: self.failure,
            // Where a send has had no answer, one under another id could arrive beside it.
            id_is_spent: match &self.doubt {
                Some(Doubt::Partial) => true,
                Some(Doubt::Failed(FailureKind::Rejected)) => !self.unclear,
                _ => false,
            },
        }
    }
}

/// The verdict on a call of which nothing could be found: refused where every send was, else unknown.
fn lost(doubt: &Doubt, unclear: bool, why: &str, reason: &str) -> CallVerdict {
    match doubt {
        Doubt::Failed(FailureKind::Final | FailureKind::Rejected) if !unclear => {
            CallVerdict::Refused { why: why.to_owned() }
        }
        _ => CallVerdict::Unknown { why: format!("{why}; {reason}") },
    }
}

#[cfg(test)]
mod tests;
