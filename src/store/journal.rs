//! A run's journal on disk: `events.ndjson`, the lines that were applied, in seq order.
//!
//! Owns the file: reading it in bounded pieces, finding one event in it, appending to it, setting it aside, clearing old
//! ones up. What its events mean, and whether they are still the server's, is the feed's to say.
//!
//! # The file
//! One line an event, byte for byte as the server sent it, in the order in which the lines were applied. Rejected lines
//! stand among them, of an over-long one its beginning. A line whose oddity is the server's ends in CR LF, every other
//! in LF: a rejected line, and an event behind a permanent gap. So a line that cannot be read, or a gap, without that
//! mark was not written so: the file is damaged there.
//!
//! The rules that must stay true: one console writes, by lock. The journal is a cache, never synced: without it, or with
//! a part of it, nothing is lost, since the server has every line.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`lines`] | the lines of a file, in bounded memory |
//! | [`search`] | one event's line, without reading what stands before it |
//! | [`scan`] | every line that holds a text |
//! | [`streamed`] | what a node has streamed, from the end backwards |
//! | [`lock`] | which console writes |
//! | [`writer`] | appending whole lines |
//! | [`prune`] | clearing up journals that nobody needs any more |

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{StateDir, StoreError, private_file};

pub mod lines;
pub mod lock;
pub mod prune;
pub mod scan;
pub mod search;
pub mod streamed;
pub mod writer;

pub use lines::{FileLine, Lines};
pub use lock::Lock;
pub use search::{event_line, lines_behind};
pub use writer::{WriteError, Writer};

/// The name of the journal in a run's directory.
pub const FILE_NAME: &str = "events.ndjson";

/// The name of the file that says who writes.
pub const LOCK_NAME: &str = "events.lock";

/// The name of a file that is to take the journal's place once it is whole.
pub(crate) const BESIDE_NAME: &str = ".new-events.ndjson";

/// What the name of a journal begins with that was set aside.
pub const SET_ASIDE_PREFIX: &str = "events-set-aside-";

/// A larger file is no journal: writing stops before. In bytes.
pub const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// How many journals that were set aside are kept a run.
const SET_ASIDE_KEPT: usize = 3;

/// Where the journal of one run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    dir: PathBuf,
}

impl Journal {
    /// The journal of a run; nothing is made on disk.
    #[must_use]
    pub fn of(state: &StateDir) -> Self {
        Self { dir: state.path().to_path_buf() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE_NAME)
    }

    /// Becomes the one who writes; `None` where another console is.
    ///
    /// # Errors
    /// When the lock's file cannot be opened, or the disk knows no locks.
    pub fn lock(&self) -> Result<Option<Lock>, StoreError> {
        let path = self.dir.join(LOCK_NAME);
        Lock::take(&path).map_err(StoreError::io("lock", &path))
    }

    /// Its lines; `None` where there is no journal.
    ///
    /// # Errors
    /// When what stands in its place cannot be a journal of ours: it is a link, a pipe, a directory, or too large, or it
    /// cannot be read.
    pub fn lines(&self) -> io::Result<Option<Lines<File>>> {
        let file = match private_file::open_to_read(&self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bytes = file.metadata()?.len();
        if bytes > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {bytes} bytes")));
        }
        Ok(Some(Lines::new(file, 0, MAX_BYTES)))
    }

    /// Goes on writing behind the first `end` bytes; what stands behind them is cut off.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn writer(&self, lock: Lock, end: u64) -> Result<Writer, StoreError> {
        let path = self.path();
        // Left by one who was killed.
        let _ = fs::remove_file(self.dir.join(BESIDE_NAME));
        Writer::open(&path, lock, end).map_err(StoreError::io("write", &path))
    }

    /// Writes a journal beside the one that stands there, which stays as it is until [`Self::put_in_place`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn writer_beside(&self, lock: Lock) -> Result<Writer, StoreError> {
        let path = self.dir.join(BESIDE_NAME);
        Writer::open_beside(&path, lock).map_err(StoreError::io("write", &path))
    }

    /// Puts what was written beside into the journal's place. Who has the old one open reads it to its end.
    ///
    /// # Errors
    /// When it cannot be renamed; the old one stays then.
    pub fn put_in_place(&self, writer: Writer) -> Result<Lock, StoreError> {
        let path = self.path();
        writer.put_at(&path).map_err(StoreError::io("replace", &path))
    }

    /// Renames what stands in the journal's place, and keeps the newest few of such files. Returns its new place; `None`
    /// where nothing stood there.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn set_aside(&self, _writer: &Lock, at: Timestamp) -> Result<Option<PathBuf>, StoreError> {
        let (path, aside) = (self.path(), self.aside(at));
        match fs::rename(&path, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("rename", &path)(error)),
        }
        self.forget_oldest();
        Ok(Some(aside))
    }

    /// As [`Journal::set_aside`], but the journal begins with a copy of the first `end` bytes.
    ///
    /// # Errors
    /// When they cannot be copied; everything then stands as it was.
    pub fn set_aside_behind(&self, writer: &Lock, end: u64, at: Timestamp) -> Result<Option<PathBuf>, StoreError> {
        let path = self.path();
        let copy = || -> io::Result<tempfile::NamedTempFile> {
            // Created with mode 0600 by the library.
            let mut copy = tempfile::Builder::new().prefix(private_file::TEMPORARY_PREFIX).tempfile_in(&self.dir)?;
            io::copy(&mut private_file::open_to_read(&path)?.take(end), copy.as_file_mut())?;
            Ok(copy)
        };
        let copy = copy().map_err(StoreError::io("copy", &path))?;
        let aside = self.set_aside(writer, at)?;
        copy.persist(&path).map_err(|refused| StoreError::io("replace", &path)(refused.error))?;
        Ok(aside)
    }

    fn aside(&self, at: Timestamp) -> PathBuf {
        self.dir.join(format!("{SET_ASIDE_PREFIX}{}.ndjson", at.strftime("%Y%m%dT%H%M%S%3fZ")))
    }

    fn forget_oldest(&self) {
        let mut aside = set_aside_in(&self.dir);
        // Their names begin with the time.
        aside.sort();
        for old in aside.iter().rev().skip(SET_ASIDE_KEPT) {
            if let Err(error) = fs::remove_file(old) {
                tracing::warn!(%error, path = %old.display(), "an old journal cannot be removed");
            }
        }
    }
}

/// The journals in `dir` that were set aside.
fn set_aside_in(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SET_ASIDE_PREFIX));
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(named).collect()
}
