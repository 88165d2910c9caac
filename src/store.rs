//! What survives on disk: the journal, the drafts and the intents of a run.
//!
//! `$XDG_STATE_HOME/relay-console/<hash of base URL>/<run_id>/`, directories 0700, files 0600. Nothing that a server
//! says becomes part of a path: a draft's file is named by a hash of its key. All calls block; who must not block
//! calls them from a thread of its own.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`state_dir`] | a run's directory: where it is, that it is ours alone |
//! | [`journal`] | the lines of a run's events |
//! | [`drafts`] | the drafts of a run and their history |
//! | [`intents`] | the submissions of a run, each written down before it leaves |
//! | [`survey`] | what stands on disk over all servers and runs |
//! | [`private_file`] | writing a file whole or not at all, reading one without being led elsewhere |
//!
//! The rule that must stay true: a file that holds an operator's text is replaced by a newer whole one or moved to the
//! history, never deleted.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::tool::CallKey;

pub mod drafts;
pub mod intents;
pub mod journal;
pub mod private_file;
pub mod state_dir;
pub mod survey;

pub use drafts::{Access, DraftStore, EndedDraft, Ending};
pub use intents::{IntentRecord, IntentStore};
pub use state_dir::StateDir;

/// What an operator has typed for one call, as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The call that it answers.
    pub key: CallKey,
    /// The tool's name, for people who find the file.
    pub tool: String,
    /// The text, byte for byte.
    pub text: String,
    /// Whether the text is an error result.
    pub is_error: bool,
    /// When it was last saved.
    pub saved_at: Timestamp,
}

/// A file that could not be taken for what it should be. It is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Problem {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self { path: path.to_path_buf(), reason: reason.into() }
    }
}

/// Why the disk could not be used. The run can be followed all the same.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A symbolic link or something else stands where a directory of ours belongs.
    #[error("{} is {found}, not a directory; move it away", path.display())]
    NotADirectory {
        /// The place.
        path: PathBuf,
        /// What stands there.
        found: &'static str,
    },
    /// Another console is the one that writes these drafts.
    #[error("another console has the drafts of this run open; they can be read here, not changed")]
    ReadOnly,
}

impl StoreError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}
