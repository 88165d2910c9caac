//! Writing submissions down before they leave, off the loop: the bridge between the driver and [`crate::store::intents`].
//!
//! Rules: everything that touches the disk runs on a thread that may block; a disk that refuses is told and stops no
//! submission, because an operator must be able to answer with a full disk.

use jiff::Timestamp;

use super::{CallVerdict, Intent, Left, Verdict};
use crate::store::intents::{Begun, Claim, IntentRecord, IntentStore, Outcome, Sender, Start, StoredIntent};
use crate::store::{Problem, StateDir, StoreError};

/// Where submissions are written down, by whom; or why nowhere.
#[derive(Debug, Clone)]
pub struct Records {
    store: Result<IntentStore, String>,
    by: Sender,
}

/// How a submission begins.
pub(super) enum Opening {
    /// Go on.
    Go(Box<Opened>),
    /// A living process is sending to one of its calls; in words, who.
    Busy(String),
}

impl Opening {
    fn unrecorded(intent: &Intent, why: &str) -> Self {
        Self::Go(Box::new(Opened { intent: intent.clone(), earlier: None, page: Err(why.to_owned()) }))
    }
}

/// A submission that this process drives.
pub(super) struct Opened {
    /// What is sent, under the id of an earlier submission with the same bytes where there is one.
    pub(super) intent: Intent,
    /// Whether an earlier one may have been taken: in words, which.
    pub(super) earlier: Option<String>,
    /// Its place on disk, or why it has none.
    pub(super) page: Result<Page, String>,
}

/// The place of a submission on disk, for as long as this process drives it.
pub(super) struct Page(Option<Claim>);

impl Records {
    /// Below a run's directory; `state` says why there is none.
    #[must_use]
    pub fn new(state: &Result<StateDir, String>, by: Sender) -> Self {
        let open = |state: &StateDir| IntentStore::open(state).map_err(|error| error.to_string());
        Self { store: state.as_ref().map_err(Clone::clone).and_then(open), by }
    }

    /// Whether a submission could be written down now. Blocks.
    ///
    /// # Errors
    /// With the reason, in words.
    pub fn try_writing(&self) -> Result<(), String> {
        self.store.as_ref().map_err(Clone::clone)?.try_writing().map_err(|error| error.to_string())
    }

    /// What ended processes have left, as it stands on disk: nobody is asked, and it is not claimed. Blocks. What
    /// cannot be read is told by the look-up.
    #[must_use]
    pub fn left(&self) -> Vec<Left> {
        let found = self.store.as_ref().ok().and_then(|store| store.left().ok());
        found.unwrap_or_default().iter().map(Left::of).collect()
    }

    pub(super) async fn open(&self, intent: &Intent) -> Opening {
        let store = match &self.store {
            Ok(store) => store.clone(),
            Err(why) => return Opening::unrecorded(intent, why),
        };
        let record = IntentRecord {
            request_id: intent.request_id,
            run_id: intent.run_id,
            request: intent.request.clone(),
            after_seq: intent.after_seq,
            by: self.by,
            decided_at: Timestamp::now(),
        };
        match blocking(move || store.begin(&record)).await {
            Ok(Begun::Claimed { claim, start }) => {
                let decided = claim.stored().record.decided_at;
                let is_mine = claim.stored().record.request_id == intent.request_id;
                let earlier = (start == Start::Look).then(|| {
                    if is_mine {
                        "an earlier answer to this call may have been taken".to_owned()
                    } else {
                        format!("it was sent before, decided at {}", minute(decided))
                    }
                });
                let intent = intent_of(&claim);
                Opening::Go(Box::new(Opened { intent, earlier, page: Ok(Page(Some(claim))) }))
            }
            Ok(Begun::Busy { by, since }) => {
                Opening::Busy(format!("{by} is sending an answer to this call, decided at {}", minute(since)))
            }
            Err(why) => Opening::unrecorded(intent, &why),
        }
    }

    /// Every submission of unknown fate that nobody drives, oldest first; and what is wrong with the others.
    ///
    /// # Errors
    /// With the reason, in words, where they cannot be read.
    pub(super) async fn take_up(&self) -> Result<(Vec<Claim>, Vec<Problem>), String> {
        match self.store.clone() {
            Ok(store) => blocking(move || store.take_up(Timestamp::now())).await,
            Err(_) => Ok((Vec::new(), Vec::new())),
        }
    }
}

impl Page {
    pub(super) fn of(claim: Claim) -> Self {
        Self(Some(claim))
    }

    /// Writes down that a send begins. The submission itself is on disk already: a failure is only logged.
    pub(super) async fn note_send(&mut self) {
        let Some(mut claim) = self.0.take() else { return };
        let noted = tokio::task::spawn_blocking(move || {
            let noted = claim.note_send(Timestamp::now());
            (claim, noted)
        });
        if let Ok((claim, noted)) = noted.await {
            self.0 = Some(claim);
            if let Err(error) = noted {
                tracing::warn!("a send is not on disk: {error}");
            }
        }
    }

    /// Writes down how it ended, where that is known of every call; else it is left for a later look.
    pub(super) async fn close(mut self, verdict: &Verdict) {
        let Some(claim) = self.0.take() else { return };
        let Some(outcomes) = outcomes(verdict) else { return };
        if let Err(why) = blocking(move || claim.settle(outcomes, Timestamp::now())).await {
            tracing::warn!("a submission that is settled stays on disk as open: {why}");
        }
    }
}

/// The outcomes of a verdict; `None` while one is unknown.
fn outcomes(verdict: &Verdict) -> Option<Vec<Outcome>> {
    let id_is_spent = verdict.id_is_spent;
    let outcome = |verdict: &CallVerdict| match verdict {
        CallVerdict::Accepted => Some(Outcome::Accepted),
        CallVerdict::Superseded { .. } => Some(Outcome::Superseded),
        CallVerdict::StillPending { .. } if id_is_spent => Some(Outcome::NotTaken),
        CallVerdict::StillPending { .. } => Some(Outcome::StillPending),
        CallVerdict::Refused { .. } => Some(Outcome::Refused),
        CallVerdict::Unknown { .. } => None,
    };
    verdict.calls.iter().map(|(_, verdict)| outcome(verdict)).collect()
}

/// What a claim is about, as it is sent and searched for.
pub(super) fn intent_of(claim: &Claim) -> Intent {
    intent_in(claim.stored())
}

fn intent_in(stored: &StoredIntent) -> Intent {
    let record = &stored.record;
    Intent {
        request_id: record.request_id,
        run_id: record.run_id,
        request: record.request.clone(),
        after_seq: record.after_seq,
    }
}

impl Left {
    pub(super) fn of(stored: &StoredIntent) -> Self {
        let (by, decided_at) = (stored.record.by, stored.record.decided_at);
        Self { intent: intent_in(stored), by, decided_at, sends: stored.sends }
    }
}

/// What is said, before it leaves, of a submission that no disk knows of.
#[must_use]
pub fn unrecorded(why: &str) -> String {
    format!("this send cannot be recorded on disk: {why}; if this program is killed meanwhile, nobody knows of it")
}

/// A time of the day, to the minute, in UTC.
#[must_use]
pub fn minute(at: Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(error) => Err(format!("the disk's thread ended: {error}")),
    }
}
