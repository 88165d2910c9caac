//! The thread that keeps drafts on disk: reads them once, then saves in the order of the jobs.
//!
//! One console a run writes. Another says at once that what is typed there is not kept, looks every two seconds
//! whether the first is gone, and then takes over. The rule that must stay true: a text of the console that wrote
//! before is not overwritten, it goes to the history.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::api::tool::CallKey;
use crate::app::Action;
use crate::store::{Access, Draft, DraftStore, Ending, Problem, StateDir, StoreError};

/// How often a console that may not write looks whether it may.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Where each text is that a console was not allowed to save.
pub type SetAside = HashMap<CallKey, PathBuf>;

/// What the thread is asked to do.
pub enum DiskJob {
    /// Put a draft on the disk.
    Save(Draft),
    /// This draft's call is over: keep it as history.
    End(CallKey, Ending),
    /// A newer text has taken this one's place: keep it as history.
    Archive(Draft),
    /// Say when every job before this one is done.
    Flush(oneshot::Sender<()>),
    /// The console is being left: say where the texts are that it was not allowed to save.
    Leave(oneshot::Sender<SetAside>),
}

/// Does the jobs until nobody can ask for more; tells what came of them.
pub fn keep(state: Result<StateDir, String>, jobs: &Receiver<DiskJob>, outcomes: &mpsc::Sender<Action>) {
    let tell = |action| {
        // Nobody listens any more when the console is being left.
        let _ = outcomes.blocking_send(action);
    };
    let store = state.and_then(|state| match DraftStore::open(&state) {
        Ok(store) => Ok((state, store)),
        Err(error) => Err(error.to_string()),
    });
    let mut keeper = match store {
        Ok((state, store)) => {
            Keeper { state, store, theirs: HashMap::new(), refused: HashMap::new(), queue: VecDeque::new() }
        }
        Err(why) => {
            let problems = vec![format!("drafts are not kept on disk: {why}")];
            tell(Action::DraftsLoaded { drafts: Vec::new(), problems });
            return refuse(jobs, &why, &tell);
        }
    };
    tell(keeper.load());
    while let Some(job) = keeper.next_job(jobs, &tell) {
        match job {
            DiskJob::Save(draft) => {
                let result = keeper.save(&draft).map(|()| draft.saved_at).map_err(|error| error.to_string());
                tell(Action::DraftSaved { key: draft.key, result });
            }
            DiskJob::End(key, ending) => {
                if let Err(error) = keeper.store.end(&key, ending, Timestamp::now()) {
                    tracing::warn!("a draft whose call is over stays on disk: {error}");
                }
            }
            DiskJob::Archive(draft) => {
                // A console that may not write leaves it where it stands.
                if let Err(error) = keeper.store.archive(draft, Ending::Replaced, Timestamp::now()) {
                    tracing::warn!("an older draft is not in the history: {error}");
                }
            }
            DiskJob::Flush(done) => drop(done.send(())),
            DiskJob::Leave(done) => drop(done.send(keeper.set_aside())),
        }
    }
}

/// Where there is no place on disk: every save is told as failed.
fn refuse(jobs: &Receiver<DiskJob>, why: &str, tell: &impl Fn(Action)) {
    for job in jobs {
        match job {
            DiskJob::Save(draft) => tell(Action::DraftSaved { key: draft.key, result: Err(why.to_owned()) }),
            DiskJob::End(..) | DiskJob::Archive(_) => {}
            DiskJob::Flush(done) => drop(done.send(())),
            DiskJob::Leave(done) => drop(done.send(SetAside::new())),
        }
    }
}

struct Keeper {
    state: StateDir,
    store: DraftStore,
    /// Texts that this console was not allowed to save, as they stand.
    refused: HashMap<CallKey, Draft>,
    /// Jobs that were taken from the channel and not done yet.
    queue: VecDeque<DiskJob>,
    /// Drafts of the console that wrote before, as they stood when this one took over and has not yet replaced them.
    theirs: HashMap<CallKey, Draft>,
}

impl Keeper {
    fn load(&self) -> Action {
        let (drafts, problems) = self.store.load_all();
        let mut problems = in_words(&problems);
        if let Access::ReadOnly { why } = self.store.access() {
            problems.push(format!("what you type here is NOT kept on disk: {why}"));
        }
        Action::DraftsLoaded { drafts, problems }
    }

    /// The next job; looks for a chance to write while this console may not.
    fn next_job(&mut self, jobs: &Receiver<DiskJob>, tell: &impl Fn(Action)) -> Option<DiskJob> {
        loop {
            self.queue.extend(jobs.try_iter());
            if let Some(job) = self.queue.pop_front() {
                if self.is_overtaken(&job) {
                    continue;
                }
                return Some(job);
            }
            if *self.store.access() == Access::Writer {
                return jobs.recv().ok();
            }
            match jobs.recv_timeout(LOOK_AGAIN) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.take_over(tell),
            }
        }
    }

    /// Whether a newer text of the same call waits already: a slow disk falls behind by one write, never by all that was
    /// typed meanwhile. What asks for all that came before it is not passed over.
    fn is_overtaken(&self, job: &DiskJob) -> bool {
        let DiskJob::Save(draft) = job else { return false };
        let next = self.queue.iter().find_map(|later| match later {
            DiskJob::Save(newer) if newer.key == draft.key => Some(true),
            DiskJob::End(key, _) if *key == draft.key => Some(false),
            DiskJob::Flush(_) | DiskJob::Leave(_) => Some(false),
            DiskJob::Save(_) | DiskJob::End(..) | DiskJob::Archive(_) => None,
        });
        next.unwrap_or(false)
    }

    /// Puts the texts that this console was not allowed to save where nobody overwrites them.
    fn set_aside(&self) -> SetAside {
        let mut places = SetAside::new();
        for draft in self.refused.values().filter(|draft| !draft.text.trim().is_empty()) {
            match self.store.set_aside(draft) {
                Ok(path) => drop(places.insert(draft.key.clone(), path)),
                Err(error) => tracing::warn!("a text that could not be saved is on no disk: {error}"),
            }
        }
        places
    }

    fn take_over(&mut self, tell: &impl Fn(Action)) {
        if self.store.try_to_become_writer() {
            let (drafts, problems) = self.store.load_all();
            self.theirs = drafts.iter().map(|draft| (draft.key.clone(), draft.clone())).collect();
            tell(Action::DraftsTakenOver { drafts, problems: in_words(&problems) });
        }
    }

    fn save(&mut self, draft: &Draft) -> Result<(), StoreError> {
        if let Some(before) = self.theirs.get(&draft.key) {
            if before.text != draft.text && !before.text.trim().is_empty() {
                self.store.end(&draft.key, Ending::Replaced, Timestamp::now())?;
            }
            self.theirs.remove(&draft.key);
        }
        let mut saved = self.store.save(draft);
        if saved.is_err() && self.store.reopen_if_removed(&self.state)? {
            saved = self.store.save(draft);
        }
        if saved.is_ok() {
            self.refused.remove(&draft.key);
        } else {
            self.refused.insert(draft.key.clone(), draft.clone());
        }
        saved
    }
}

fn in_words(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
