//! The submissions of one run on disk: each is written down before it leaves, so that whoever comes after a crash can
//! find out what became of it.
//!
//! `intents/<submission id>.json` is one submission, `intents/.lock` is held while one is chosen or begun. A file holds
//! a line a fact, each synced when it is written: what is sent, each send that began, and how it ended. It stays locked
//! while a living process drives it; one that is neither locked nor settled is of unknown fate, and is looked up before
//! anything is sent to its calls. What is settled stays for [`SETTLED_KEPT`], so that another console with the same
//! draft, which has not heard of it yet, looks too instead of sending.
//!
//! Owns the files and who may drive them, not what a submission does. The rule that must stay true: of two processes
//! that begin a submission to the same call, one gets it, and the other is told who has it.

mod record;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::private_file::{self, LockedFile};
use super::state_dir::StateDir;
use super::{Problem, StoreError};
use record::{Fact, line, stored};

pub use record::{IntentRecord, Outcome, Sender, StoredIntent};

/// The name of the directory below a run's.
pub const INTENTS_DIR: &str = "intents";

/// How long a settled submission is kept: longer than any console takes to read of its outcome in the events.
pub const SETTLED_KEPT: Duration = Duration::from_secs(60 * 60);

/// Larger files are not ours: a submission holds a step's results, each bounded by the editor.
const MAX_INTENT_BYTES: u64 = 64 * 1024 * 1024;

/// How long the directory's lock is waited for; it is held for a few writes only.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// How a submission that was begun goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With a send.
    Send,
    /// With a look: an earlier submission to the same calls may have been taken.
    Look,
}

/// What came of beginning a submission.
#[derive(Debug)]
pub enum Begun {
    /// It is on disk, and this process drives it.
    Claimed {
        /// The right to drive it, for as long as it is held.
        claim: Claim,
        /// How to begin.
        start: Start,
    },
    /// A living process is sending to one of its calls.
    Busy {
        /// Which.
        by: Sender,
        /// Since when.
        since: Timestamp,
    },
}

/// The right to drive a submission; dropping it unsettled leaves the submission for whoever looks next.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    file: LockedFile,
    stored: StoredIntent,
}

impl Claim {
    /// The submission.
    #[must_use]
    pub fn stored(&self) -> &StoredIntent {
        &self.stored
    }

    /// Writes down that a send begins. When this returns it survives a crash.
    ///
    /// # Errors
    /// When the disk refuses; the submission itself is on disk all the same.
    pub fn note_send(&mut self, at: Timestamp) -> Result<(), StoreError> {
        self.note(&Fact::SendBegan { at })?;
        self.stored.sends += 1;
        Ok(())
    }

    /// Writes down how it ended, call by call in the order of the request, and lets it go.
    ///
    /// # Errors
    /// When the disk refuses; it is then looked up again by whoever comes next.
    pub fn settle(mut self, outcomes: Vec<Outcome>, at: Timestamp) -> Result<(), StoreError> {
        // What the server refused, or left, tells nobody anything: the next try is another submission.
        let tells = outcomes.iter().any(|outcome| !matches!(outcome, Outcome::Refused | Outcome::NotTaken));
        if tells && self.note(&Fact::Settled { at, outcomes }).is_ok() {
            return Ok(());
        }
        // A full disk takes no line, but it gives a file up.
        fs::remove_file(&self.path).map_err(StoreError::io("remove", &self.path))
    }

    /// Takes it back: nothing of it has left.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn withdraw(self) -> Result<(), StoreError> {
        fs::remove_file(&self.path).map_err(StoreError::io("remove", &self.path))
    }

    fn note(&mut self, fact: &Fact) -> Result<(), StoreError> {
        let write = |mut file: &File| {
            // After a line that a crash or a full disk has torn, this one stands on its own.
            file.write_all(&[b"\n", line(fact)?.as_slice()].concat())?;
            file.sync_all()
        };
        write(&self.file).map_err(StoreError::io("write", &self.path))
    }
}

/// The submissions of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentStore {
    state: StateDir,
    dir: PathBuf,
}

impl IntentStore {
    /// Opens the submissions of a run.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(state: &StateDir) -> Result<Self, StoreError> {
        Ok(Self { state: state.clone(), dir: state.subdirectory(INTENTS_DIR)? })
    }

    /// Whether a submission could be written down now: a small file is written and removed.
    ///
    /// # Errors
    /// With what the disk says.
    pub fn try_writing(&self) -> Result<(), StoreError> {
        self.make_again_if_removed()?;
        let write = || -> io::Result<()> {
            let mut file = private_file::temporary(tempfile::Builder::new().prefix(".try-"), &self.dir)?;
            file.as_file_mut().write_all(&[b' '; 4096])?;
            file.as_file().sync_all()?;
            file.close()
        };
        write().map_err(StoreError::io("write a file in", &self.dir))
    }

    /// Somebody may have removed the directory under a living console's hands.
    fn make_again_if_removed(&self) -> Result<(), StoreError> {
        if fs::symlink_metadata(&self.dir).is_err() {
            self.state.make_again()?;
            self.state.subdirectory(INTENTS_DIR)?;
        }
        Ok(())
    }

    /// Puts a submission on disk, or takes up the one that was decided before with the same bytes, and locks it; not where
    /// the server has answered for that one's id, since it would only answer the same again.
    ///
    /// # Errors
    /// When the disk refuses; nothing is then claimed.
    pub fn begin(&self, record: &IntentRecord) -> Result<Begun, StoreError> {
        self.make_again_if_removed()?;
        let _held = self.lock()?;
        let (mut same, mut after_seq) = (None::<Claim>, record.after_seq);
        let (all, unreadable) = self.all();
        // What cannot be read may be a submission to the same call.
        let mut start = if unreadable.is_empty() { Start::Send } else { Start::Look };
        for found in all {
            if !found.stored().overlaps(&record.request) {
                continue;
            }
            match found {
                Found::Driven(stored) if stored.settled.is_none() => {
                    return Ok(Begun::Busy { by: stored.record.by, since: stored.record.decided_at });
                }
                found => {
                    if found.stored().may_have_been_taken() {
                        start = Start::Look;
                    }
                    after_seq = after_seq.min(found.stored().record.after_seq);
                    if let Found::Free(claim) = found
                        && claim.stored.record.request == record.request
                        && !claim.stored.is_answered_for()
                    {
                        same = Some(claim);
                    }
                }
            }
        }
        let mut claim = match same {
            Some(mut claim) => {
                claim.note(&Fact::Again { by: record.by, at: record.decided_at })?;
                (claim.stored.record.by, claim.stored.settled) = (record.by, None);
                claim
            }
            None => self.create(record)?,
        };
        claim.stored.record.after_seq = after_seq;
        Ok(Begun::Claimed { claim, start })
    }

    /// Every submission of unknown fate that nobody drives, oldest first, each now driven by this process; and what
    /// stands among them that is none. What was settled long ago is removed.
    ///
    /// # Errors
    /// When the directory cannot be locked.
    pub fn take_up(&self, now: Timestamp) -> Result<(Vec<Claim>, Vec<Problem>), StoreError> {
        let _held = self.lock()?;
        private_file::remove_unfinished(&self.dir);
        let (found, problems) = self.all();
        let mut claims = Vec::new();
        for found in found {
            let Found::Free(claim) = found else { continue };
            if claim.stored.is_old(now) {
                // One that stays is removed the next time.
                let _ = fs::remove_file(&claim.path);
            } else if claim.stored.settled.is_none() {
                claims.push(claim);
            }
        }
        claims.sort_by_key(|claim| claim.stored.record.decided_at);
        Ok((claims, problems))
    }

    /// Every submission of unknown fate that nobody drives, oldest first; nothing is claimed or changed.
    ///
    /// # Errors
    /// When the directory cannot be locked.
    pub fn left(&self) -> Result<Vec<StoredIntent>, StoreError> {
        let _held = self.lock()?;
        let free = self.all().0.into_iter().filter_map(|found| match found {
            Found::Free(claim) if claim.stored.settled.is_none() => Some(claim.stored),
            Found::Free(_) | Found::Driven(_) => None,
        });
        let mut left: Vec<StoredIntent> = free.collect();
        left.sort_by_key(|stored| stored.record.decided_at);
        Ok(left)
    }

    /// Every submission as it stands, and whether a living process drives it; nothing is changed.
    #[must_use]
    pub fn list(state: &StateDir) -> Vec<(StoredIntent, bool)> {
        let store = Self { state: state.clone(), dir: state.path().join(INTENTS_DIR) };
        let found = store.all().0;
        found.into_iter().map(|found| (found.stored().clone(), matches!(found, Found::Driven(_)))).collect()
    }

    /// Removes what was settled long ago from the run's directory `run`; returns whether nothing is left there.
    pub(super) fn clear_up(run: &Path, now: Timestamp) -> bool {
        let store = Self { state: StateDir::found(run.to_path_buf()), dir: run.join(INTENTS_DIR) };
        if let Ok(_held) = store.lock() {
            for found in store.all().0 {
                if let Found::Free(claim) = found
                    && claim.stored.is_old(now)
                {
                    // One that stays keeps what stands beside it.
                    let _ = claim.withdraw();
                }
            }
        }
        let mut left = fs::read_dir(&store.dir).into_iter().flatten();
        left.all(|entry| entry.is_ok_and(|entry| entry.file_name() == ".lock"))
    }

    /// Removes what is unwanted and no living process drives; returns how many.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn purge(&self, unwanted: impl Fn(&StoredIntent) -> bool) -> Result<usize, StoreError> {
        let _held = self.lock()?;
        let mut removed = 0;
        for found in self.all().0 {
            if let Found::Free(claim) = found
                && unwanted(&claim.stored)
            {
                claim.withdraw()?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn create(&self, record: &IntentRecord) -> Result<Claim, StoreError> {
        let path = self.dir.join(format!("{}.json", record.request_id));
        let bytes = line(&Fact::Intent(record.clone())).map_err(StoreError::io("write", &path))?;
        let file = private_file::create_locked(&path, &bytes)?;
        Ok(Claim { path, file, stored: StoredIntent { record: record.clone(), sends: 0, settled: None } })
    }

    /// Held while submissions are chosen or begun. Where the disk knows no locks it is held by everybody.
    fn lock(&self) -> Result<LockedFile, StoreError> {
        let path = self.dir.join(".lock");
        let file = private_file::open_to_lock(&path).map_err(StoreError::io("lock", &path))?;
        let end = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(LockedFile::new(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::io("lock", &path)(io::Error::from(io::ErrorKind::TimedOut)));
                }
            }
        }
    }

    fn all(&self) -> (Vec<Found>, Vec<Problem>) {
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        let entries = fs::read_dir(&self.dir).into_iter().flatten().filter_map(|entry| entry.ok().map(|e| e.path()));
        for path in entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            match Found::read(&path) {
                Ok(one) => found.extend(one),
                Err(why) => problems.push(Problem::new(&path, why)),
            }
        }
        (found, problems)
    }
}

/// A submission's file: free, and now locked by us, or driven by a living process.
enum Found {
    Free(Claim),
    Driven(StoredIntent),
}

impl Found {
    fn stored(&self) -> &StoredIntent {
        match self {
            Self::Free(claim) => &claim.stored,
            Self::Driven(stored) => stored,
        }
    }

    /// `None` where it has just gone.
    fn read(path: &Path) -> Result<Option<Self>, String> {
        let file = match private_file::open_regular(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let is_free = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        let file = LockedFile::new(file);
        // Who had it may have removed it between the two.
        if !path.exists() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&*file).take(MAX_INTENT_BYTES).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let stored = stored(&bytes)?;
        if path.file_stem().is_none_or(|name| name.to_string_lossy() != stored.record.request_id.to_string()) {
            return Err("is not named after the submission that it holds; it was not written here".into());
        }
        Ok(Some(if is_free {
            Self::Free(Claim { path: path.to_path_buf(), file, stored })
        } else {
            Self::Driven(stored)
        }))
    }
}
