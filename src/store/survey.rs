//! What stands on disk over all servers and runs, for the commands that need no server.
//!
//! Owns finding the runs' directories and reading them. Rule: looking changes nothing and takes no lock that it keeps.

use std::path::{Path, PathBuf};

use super::drafts::{DraftStore, EndedDraft};
use super::intents::{IntentStore, StoredIntent};
use super::state_dir::{self, PROGRAM_DIR, StateDir, name_of};
use super::{Draft, Problem};

/// One run's directory.
#[derive(Debug)]
pub struct KeptRun {
    /// Which server: its base URL, or, where nobody wrote it down, the hash that names its directory.
    pub server: String,
    /// The run's id.
    pub run_id: String,
    /// Its directory.
    pub state: StateDir,
    /// Drafts that are unsent, oldest first.
    pub drafts: Vec<Draft>,
    /// What was typed into consoles that were not allowed to save it, each with its file.
    pub set_aside: Vec<(PathBuf, Draft)>,
    /// Drafts whose call is over, latest first.
    pub ended: Vec<EndedDraft>,
    /// Submissions, and whether a living process drives each.
    pub intents: Vec<(StoredIntent, bool)>,
    /// Whether a living console writes the drafts.
    pub is_open: bool,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Every run that anything is kept of, by server and id.
#[must_use]
pub fn runs(state_home: &Path) -> Vec<KeptRun> {
    state_dir::runs(&state_home.join(PROGRAM_DIR)).into_iter().map(run_of).collect()
}

fn run_of(path: PathBuf) -> KeptRun {
    let run_id = name_of(&path).into_owned();
    let server = path.parent().unwrap_or(&path);
    let server = state_dir::server_name(server).unwrap_or_else(|| name_of(server).into_owned());
    let state = StateDir::found(path);
    let store = DraftStore::look(&state);
    let (drafts, mut problems) = store.load_all();
    let (ended, more) = store.history(usize::MAX);
    problems.extend(more);
    KeptRun {
        server,
        run_id,
        drafts,
        set_aside: store.all_set_aside(),
        ended,
        intents: IntentStore::list(&state),
        is_open: store.is_open_elsewhere(),
        problems,
        state,
    }
}
