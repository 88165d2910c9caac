//! Appending whole lines to a journal.
//!
//! Rule: after a write that failed the file ends where it ended before, and is not written any more.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Lock, MAX_BYTES};
use crate::store::private_file;

/// Writes one journal.
#[derive(Debug)]
pub struct Writer {
    file: File,
    len: u64,
    limit: u64,
    /// Dropped before the lock: nobody else writes there before it is gone.
    beside: Option<Beside>,
    lock: Lock,
}

/// A file that goes when it is dropped.
#[derive(Debug)]
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        // The next who writes clears up what stays.
        let _ = fs::remove_file(&self.0);
    }
}

/// Why a journal is not written any more.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It would be too large.
    #[error("it has reached {} GiB", MAX_BYTES >> 30)]
    Full,
    /// The disk refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Writer {
    pub(super) fn open(path: &Path, lock: Lock, end: u64) -> io::Result<Self> {
        let file = private_file::open_to_append(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        if metadata.len() < end {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it has changed while it was read"));
        }
        if metadata.len() > end {
            file.set_len(end)?;
        }
        // It is in use: not among the first to be cleared up.
        let _ = file.set_modified(SystemTime::now());
        Ok(Self { file, len: end, limit: MAX_BYTES, beside: None, lock })
    }

    /// Writes an empty file at `path`, which goes with the writer unless it is put into a journal's place.
    pub(super) fn open_beside(path: &Path, lock: Lock) -> io::Result<Self> {
        let writer = Self::open(path, lock, 0)?;
        Ok(Self { beside: Some(Beside(path.to_path_buf())), ..writer })
    }

    /// Puts a file that was written beside a journal at `path`, and stays the one who may write.
    pub(super) fn put_at(self, path: &Path) -> io::Result<Lock> {
        if let Some(beside) = &self.beside {
            fs::rename(&beside.0, path)?;
        }
        Ok(self.lock)
    }

    /// How many bytes the file has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is in the file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// When they do not fit or the disk refuses; nothing of them is in the file then.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        let len = self.len + lines.len() as u64;
        if len > self.limit {
            return Err(WriteError::Full);
        }
        if let Err(error) = self.file.write_all(lines) {
            if let Err(error) = self.file.set_len(self.len) {
                // The reader cuts a torn line off.
                tracing::warn!(%error, "the journal cannot be cut behind its last whole line");
            }
            return Err(error.into());
        }
        self.len = len;
        Ok(())
    }

    /// Stops writing, and stays the one who may.
    #[must_use]
    pub fn into_lock(self) -> Lock {
        self.lock
    }

    /// The same, which writes elsewhere.
    #[cfg(test)]
    pub(crate) fn into_file(mut self, file: File) -> Self {
        self.file = file;
        self
    }

    #[cfg(test)]
    pub(crate) fn with_limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(dir: &Path) -> Writer {
        let lock = Lock::take(&dir.join("events.lock")).unwrap().unwrap();
        Writer::open(&dir.join("events.ndjson"), lock, 0).unwrap()
    }

    #[test]
    fn lines_that_do_not_fit_are_not_in_the_file() {
        let home = tempfile::tempdir().unwrap();
        let mut writer = writer(home.path()).with_limit(8);
        writer.write(b"one\n").unwrap();
        assert!(matches!(writer.write(b"three\n"), Err(WriteError::Full)));
        writer.write(b"two\n").unwrap();
        assert_eq!(std::fs::read(home.path().join("events.ndjson")).unwrap(), b"one\ntwo\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_no_end() {
        let home = tempfile::tempdir().unwrap();
        let writer = writer(home.path());
        let mut writer = writer.into_file(File::options().append(true).open("/dev/full").unwrap());
        let error = writer.write(b"one\n").unwrap_err().to_string();
        assert!(error.contains("No space left"), "{error}");
    }
}
