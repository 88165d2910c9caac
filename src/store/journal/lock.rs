//! Which console writes a journal: the one that holds the lock on a file beside it.
//!
//! Rule: whoever holds it holds the file that stands at the path, not one that was removed from there meanwhile.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::store::private_file::{self, LockedFile};

/// The right to write one journal, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: LockedFile,
}

impl Lock {
    /// Takes the lock, unless somebody holds it.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = private_file::open_to_lock(path)?;
            match file.try_lock() {
                Ok(()) if stands_at(&file, path)? => return Ok(Some(Self { _file: LockedFile::new(file) })),
                // Whoever cleared up has removed it between the two calls.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                // Two writers would spoil the file, and nothing is lost without it.
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

#[cfg(unix)]
fn stands_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let held = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where a file can be told by its number")]
fn stands_at(_: &File, _: &Path) -> io::Result<bool> {
    // An open file cannot be removed.
    Ok(true)
}
