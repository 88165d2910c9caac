//! The drafts of one run: one file a call, and a history of those that were answered.
//!
//! `drafts/<hash of key>.json` is a draft, `drafts/ended/<time>-<hash of key>.json` one whose call is over,
//! `drafts/.lock` says who writes. The key stands inside the file; the name only has to agree with it.
//!
//! The rule that must stay true: text leaves `drafts/` only for `drafts/ended/`, and only after it is on disk there.

use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::private_file::{self, LockedFile, TEMPORARY_PREFIX};
use super::state_dir::{self, StateDir, hash_name, name_of};
use super::{Draft, Problem, StoreError};
use crate::api::tool::CallKey;

/// Larger files are not drafts of ours: the editor holds far less.
const MAX_DRAFT_BYTES: u64 = 64 * 1024 * 1024;

/// Files in `drafts/` whose names start so belong to an external editor.
pub const EDITOR_PREFIX: &str = "edit-";

/// Files in `drafts/` whose names start so hold what was typed into a console that was not allowed to save it.
const SET_ASIDE_PREFIX: &str = "unsaved-";

/// Who may write the drafts of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// This console.
    Writer,
    /// Not this console: what is typed here is not kept.
    ReadOnly {
        /// Why, in words.
        why: String,
    },
}

/// How a draft's call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The server took this answer.
    Accepted,
    /// The server took another answer.
    Superseded,
    /// The call no longer waits, for another reason, such as the end of the run.
    Withdrawn,
    /// A newer text was typed for the call by a console that had not read this one.
    Replaced,
}

/// A draft whose call is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedDraft {
    /// The draft as it last stood.
    #[serde(flatten)]
    pub draft: Draft,
    /// How its call ended.
    pub ending: Ending,
    /// When this console learned of it.
    pub ended_at: Timestamp,
}

/// The drafts of one run on disk.
#[derive(Debug)]
pub struct DraftStore {
    dir: PathBuf,
    ended: PathBuf,
    lock: Option<LockedFile>,
    access: Access,
}

impl DraftStore {
    /// Opens the drafts of a run, as the one who writes if nobody else is.
    ///
    /// # Errors
    /// When the directories cannot be made.
    pub fn open(state: &StateDir) -> Result<Self, StoreError> {
        let dir = state.subdirectory(state_dir::DRAFTS_DIR)?;
        let ended = dir.join("ended");
        state_dir::make_private(&ended)?;
        let mut store = Self { dir, ended, lock: None, access: Access::Writer };
        store.try_to_become_writer();
        Ok(store)
    }

    /// Opens them anew where somebody has removed their directory under this console's hands; false where it stands.
    ///
    /// # Errors
    /// When the directories cannot be made again.
    pub fn reopen_if_removed(&mut self, state: &StateDir) -> Result<bool, StoreError> {
        if fs::symlink_metadata(&self.dir).is_ok() {
            return Ok(false);
        }
        state.make_again()?;
        *self = Self::open(state)?;
        Ok(true)
    }

    /// Looks at the drafts of a run without making, locking or changing anything.
    #[must_use]
    pub fn look(state: &StateDir) -> Self {
        let dir = state.drafts_path();
        let ended = dir.join("ended");
        Self { dir, ended, lock: None, access: Access::ReadOnly { why: "they are only looked at".into() } }
    }

    /// Whether a living console writes these drafts.
    #[must_use]
    pub fn is_open_elsewhere(&self) -> bool {
        let lock = private_file::open_regular(&self.dir.join(".lock"));
        self.lock.is_none() && lock.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Removes a draft for good.
    ///
    /// # Errors
    /// When another console writes, or the disk refuses.
    pub fn remove(&self, key: &CallKey) -> Result<(), StoreError> {
        self.must_write()?;
        let path = self.path_of(key);
        fs::remove_file(&path).map_err(StoreError::io("remove", &path))
    }

    /// Removes drafts of the history for good; returns how many.
    ///
    /// # Errors
    /// When another console writes, or the disk refuses.
    pub fn remove_ended(&self, unwanted: impl Fn(&EndedDraft) -> bool) -> Result<usize, StoreError> {
        self.must_write()?;
        let mut removed = 0;
        for path in list(&self.ended).0 {
            if read_json::<EndedDraft>(&path).is_ok_and(|ended| unwanted(&ended)) {
                fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Who may write.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The directory, where an external editor's files also go (see [`EDITOR_PREFIX`]).
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes over if the console that wrote is gone; returns whether this one writes now.
    pub fn try_to_become_writer(&mut self) -> bool {
        if self.lock.is_some() {
            return true;
        }
        let path = self.dir.join(".lock");
        self.access = match private_file::open_to_lock(&path) {
            Ok(file) => match file.try_lock() {
                Ok(()) => {
                    self.lock = Some(LockedFile::new(file));
                    Access::Writer
                }
                Err(TryLockError::WouldBlock) => {
                    Access::ReadOnly { why: "another console has the drafts of this run open".into() }
                }
                // Some network disks know no locks. Losing the text would be worse than two consoles writing it:
                // every file is replaced whole.
                Err(TryLockError::Error(_)) => Access::Writer,
            },
            Err(error) => Access::ReadOnly { why: format!("cannot write in {}: {error}", self.dir.display()) },
        };
        self.access == Access::Writer
    }

    /// Puts a draft on the disk in place of the older text of the same call. When this returns it survives a crash.
    ///
    /// # Errors
    /// When another console writes, or the disk refuses; the older text then still stands.
    pub fn save(&self, draft: &Draft) -> Result<(), StoreError> {
        self.must_write()?;
        let path = self.path_of(&draft.key);
        private_file::write_whole(&path, &encode(&path, draft)?)
    }

    /// Puts a draft of a console that may not write beside the others, where nobody overwrites it; says where.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn set_aside(&self, draft: &Draft) -> Result<PathBuf, StoreError> {
        let (at, hash) = (draft.saved_at.as_millisecond(), hash_of(&draft.key));
        let path = self.dir.join(format!("{SET_ASIDE_PREFIX}{at}-{hash}.json"));
        private_file::write_whole(&path, &encode(&path, draft)?)?;
        Ok(path)
    }

    /// What was set aside, each with its file.
    #[must_use]
    pub fn all_set_aside(&self) -> Vec<(PathBuf, Draft)> {
        let paths = list(&self.dir).0.into_iter().filter(|path| name_of(path).starts_with(SET_ASIDE_PREFIX));
        paths.filter_map(|path| read_json::<Draft>(&path).ok().map(|draft| (path, draft))).collect()
    }

    /// Removes what was set aside for good.
    ///
    /// # Errors
    /// When another console writes, or the disk refuses.
    pub fn remove_set_aside(&self, unwanted: impl Fn(&Draft) -> bool) -> Result<(), StoreError> {
        self.must_write()?;
        for (path, _) in self.all_set_aside().into_iter().filter(|(_, draft)| unwanted(draft)) {
            fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        Ok(())
    }

    /// What was set aside becomes the draft of a call that has none; what differs from one stays where it is, and is
    /// told.
    fn take_back(&self, drafts: &mut Vec<Draft>, problems: &mut Vec<Problem>) {
        for (path, draft) in self.all_set_aside() {
            match drafts.iter().find(|other| other.key == draft.key) {
                Some(other) if other.text == draft.text => {}
                Some(_) => {
                    problems.push(Problem::new(&path, "holds another text for a call that has a draft"));
                    continue;
                }
                None if self.save(&draft).is_ok() => drafts.push(draft),
                None => continue,
            }
            // A file that stays is looked at again the next time.
            let _ = fs::remove_file(&path);
        }
    }

    /// Every draft, oldest first, and what stands among them that is none.
    #[must_use]
    pub fn load_all(&self) -> (Vec<Draft>, Vec<Problem>) {
        let mut drafts = Vec::new();
        let (paths, mut problems) = list(&self.dir);
        let (unfinished, paths): (Vec<PathBuf>, Vec<PathBuf>) =
            paths.into_iter().partition(|path| name_of(path).starts_with(TEMPORARY_PREFIX));
        let mut edited = Vec::new();
        for path in paths {
            let name = name_of(&path);
            if name.starts_with(EDITOR_PREFIX) {
                edited.push(path);
            } else if path != self.ended && name != ".lock" && !name.starts_with(SET_ASIDE_PREFIX) {
                match self.load(&path) {
                    Ok(draft) => drafts.push(draft),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        for path in unfinished {
            self.recover(&path, &mut drafts);
        }
        if !self.is_open_elsewhere() {
            problems.extend(edited.iter().filter_map(|path| left_by_editor(path, &drafts)));
        }
        if self.lock.is_some() {
            self.take_back(&mut drafts, &mut problems);
        }
        drafts.sort_by(|a, b| (a.saved_at, &a.key).cmp(&(b.saved_at, &b.key)));
        (drafts, problems)
    }

    /// Moves the draft of an answered call into the history. A call without a draft on disk is nothing to move.
    ///
    /// # Errors
    /// When another console writes, or the disk refuses; the draft then still stands.
    pub fn end(&self, key: &CallKey, ending: Ending, at: Timestamp) -> Result<(), StoreError> {
        self.must_write()?;
        let path = self.path_of(key);
        let draft = match private_file::read_bounded(&path, MAX_DRAFT_BYTES) {
            Ok(bytes) => serde_json::from_slice::<Draft>(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => Err(error),
        }
        .map_err(StoreError::io("read", &path))?;
        self.archive(draft, ending, at)?;
        fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        private_file::sync_dir(&self.dir).map_err(StoreError::io("write", &self.dir))
    }

    /// Puts a text into the history beside whatever stands as the draft of its call.
    ///
    /// # Errors
    /// When another console writes, or the disk refuses.
    pub fn archive(&self, draft: Draft, ending: Ending, at: Timestamp) -> Result<(), StoreError> {
        self.must_write()?;
        let target = self.ended.join(format!("{}-{}.json", at.as_millisecond(), hash_of(&draft.key)));
        let ended = EndedDraft { draft, ending, ended_at: at };
        private_file::write_whole(&target, &encode(&target, &ended)?)
    }

    /// Up to `limit` drafts whose calls are over, latest first, and what stands among them that is none.
    #[must_use]
    pub fn history(&self, limit: usize) -> (Vec<EndedDraft>, Vec<Problem>) {
        let (paths, mut problems) = list(&self.ended);
        let mut found = Vec::new();
        for path in paths.into_iter().filter(|path| !name_of(path).starts_with(TEMPORARY_PREFIX)) {
            match read_json::<EndedDraft>(&path) {
                Ok(ended) => found.push(ended),
                Err(problem) => problems.push(problem),
            }
        }
        found.sort_by(|a, b| (b.ended_at, &b.draft.key).cmp(&(a.ended_at, &a.draft.key)));
        found.truncate(limit);
        (found, problems)
    }

    fn must_write(&self) -> Result<(), StoreError> {
        if self.access == Access::Writer { Ok(()) } else { Err(StoreError::ReadOnly) }
    }

    fn path_of(&self, key: &CallKey) -> PathBuf {
        self.dir.join(format!("{}.json", hash_of(key)))
    }

    fn load(&self, path: &Path) -> Result<Draft, Problem> {
        let draft = read_json::<Draft>(path)?;
        if self.path_of(&draft.key) == path {
            Ok(draft)
        } else {
            Err(Problem::new(path, "is not named after the call that it answers; it was not written here"))
        }
    }

    /// A file that was being written when the process was killed: taken when it is whole and newer than what stands
    /// in its place, since then it is what was typed last. The writer clears such files up.
    fn recover(&self, path: &Path, drafts: &mut Vec<Draft>) {
        let newer = read_json::<Draft>(path).ok().filter(|found| {
            name_of(path).contains(&hash_of(&found.key))
                && drafts.iter().all(|draft| draft.key != found.key || draft.saved_at < found.saved_at)
        });
        if self.lock.is_some() {
            let saved = newer.as_ref().is_none_or(|draft| self.save(draft).is_ok());
            if saved {
                // A file that stays costs nothing but the same look the next time.
                let _ = fs::remove_file(path);
            }
        }
        if let Some(draft) = newer {
            drafts.retain(|other| other.key != draft.key);
            drafts.push(draft);
        }
    }
}

fn hash_of(key: &CallKey) -> String {
    // Written out by hand: a change in how the key is serialised must not orphan the files that are there. Lengths go
    // before the two texts that a server may fill with anything, so that no two keys are written alike.
    let (node, step, call) = (key.step.node_id.as_str(), &key.step, key.call_id.as_str());
    let text = format!("{}:{node} {} {} {}:{call}", node.len(), step.step, step.request_id, call.len());
    hash_name(text.as_bytes())
}

fn encode<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| StoreError::io("write", path)(io::Error::from(error)))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, Problem> {
    let bytes =
        private_file::read_bounded(path, MAX_DRAFT_BYTES).map_err(|error| Problem::new(path, error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::new(path, format!("is damaged or not a draft: {error}")))
}

/// A file of an external editor whose console was killed meanwhile, where it holds a text that is in no draft.
fn left_by_editor(path: &Path, drafts: &[Draft]) -> Option<Problem> {
    let bytes = private_file::read_bounded(path, MAX_DRAFT_BYTES).ok()?;
    let text = bytes.trim_ascii_end();
    let is_kept = text.is_empty() || drafts.iter().any(|draft| draft.text.as_bytes().trim_ascii_end() == text);
    let what = "holds what was written in an external editor whose console was killed, and is in no draft: \
                insert it with Ctrl-X o, or move it away";
    (!is_kept).then(|| Problem::new(path, what))
}

/// The files in `dir` in the order of their names.
fn list(dir: &Path) -> (Vec<PathBuf>, Vec<Problem>) {
    match fs::read_dir(dir) {
        Ok(entries) => {
            let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
            paths.sort();
            (paths, Vec::new())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), Vec::new()),
        Err(error) => (Vec::new(), vec![Problem::new(dir, format!("cannot be listed: {error}"))]),
    }
}
