//! Files that only their owner can read, written whole or not at all.
//!
//! Owns how bytes reach the disk: into a temporary file in the same directory, synced, renamed, the directory synced.
//! Does not know what the bytes mean. The rule that must stay true: whoever reads a path sees the old content or the
//! new, never a part, whenever the process or the machine stops; and a symbolic link is never followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::StoreError;

/// The start of the name of a file that is being written; after it comes a hint that lets its owner recognise it.
pub const TEMPORARY_PREFIX: &str = ".new-";

/// Puts `bytes` at `path` in place of what stood there, readable by the owner only, and waits for the disk.
///
/// # Errors
/// When a step fails; what stood at `path` then still does.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(StoreError::io("write", path)(io::Error::from(io::ErrorKind::InvalidInput)));
    };
    let prefix = format!("{TEMPORARY_PREFIX}{}.", name.to_string_lossy());
    let mut file =
        temporary(tempfile::Builder::new().prefix(&prefix), dir).map_err(StoreError::io("write a file in", dir))?;
    file.as_file_mut().write_all(bytes).map_err(StoreError::io("write", path))?;
    file.as_file().sync_all().map_err(StoreError::io("write", path))?;
    file.persist(path).map_err(|refused| StoreError::io("replace", path)(refused.error))?;
    sync_dir(dir).map_err(StoreError::io("write", dir))
}

/// An error without the path of a temporary file that its library puts into the words; the system's own words stay.
#[must_use]
pub fn without_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path \"") {
        Some((words, _)) => io::Error::new(error.kind(), words),
        None => error,
    }
}

/// An open file with this process's lock on it. The lock ends when this is dropped: at once, also while a program that
/// was started meanwhile still has a copy of the open file.
#[derive(Debug)]
pub struct LockedFile(File);

impl LockedFile {
    /// A file that was just locked, or could not be where the disk knows no locks.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self(file)
    }
}

impl std::ops::Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked by being closed.
        let _ = self.0.unlock();
    }
}

/// Makes a file at `path` that nobody else has, with these bytes, on the disk, and locked from before it has its name
/// (where the disk knows locks). What is written to it later goes to its end.
///
/// # Errors
/// When a step fails, or something stands at `path` already.
pub fn create_locked(path: &Path, bytes: &[u8]) -> Result<LockedFile, StoreError> {
    let Some(dir) = path.parent() else {
        return Err(StoreError::io("write", path)(io::Error::from(io::ErrorKind::InvalidInput)));
    };
    let mut builder = tempfile::Builder::new();
    let mut file = temporary(builder.prefix(TEMPORARY_PREFIX).append(true), dir)
        .map_err(StoreError::io("write a file in", dir))?;
    // Nobody else can have it yet: a refusal means that there are no locks here.
    let _ = file.as_file().try_lock();
    file.as_file_mut().write_all(bytes).map_err(StoreError::io("write", path))?;
    file.as_file().sync_all().map_err(StoreError::io("write", path))?;
    let file = file.persist_noclobber(path).map_err(|refused| StoreError::io("make", path)(refused.error))?;
    let file = LockedFile::new(file);
    sync_dir(dir).map_err(StoreError::io("write", dir))?;
    Ok(file)
}

/// A temporary file in `dir`, with mode 0600. The library's errors name the file, whose name tells nobody anything and
/// pushes what is wrong off the screen: what is wrong is said alone. Written through [`NamedTempFile::as_file_mut`],
/// for the same reason.
///
/// # Errors
/// When it cannot be made.
pub(super) fn temporary(builder: &tempfile::Builder<'_, '_>, dir: &Path) -> io::Result<NamedTempFile> {
    builder.tempfile_in(dir).map_err(without_path)
}

/// Removes files that were being written in `dir` when a process was killed; only for whom nobody writes there now.
pub fn remove_unfinished(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX)) {
        // A file that stays costs nothing.
        let _ = fs::remove_file(entry.path());
    }
}

/// Waits until the names in `dir` are on the disk.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Opens `path` for appending, made with mode 0600 where it is missing; refuses a symbolic link.
///
/// # Errors
/// When it cannot be opened.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().append(true).create(true)).open(path)
}

/// Opens `path` to lock it, made with mode 0600 where it is missing; refuses a symbolic link.
///
/// # Errors
/// When it cannot be opened.
pub fn open_to_lock(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().read(true).write(true).create(true)).open(path)
}

/// Opens the regular file `path` for reading; refuses symbolic links, pipes and devices, and waits for none.
///
/// # Errors
/// When it cannot be opened, or is not a regular file.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    regular(private(OpenOptions::new().read(true)).open(path)?)
}

/// Opens a file that the operator has named: as [`open_to_read`], and a symbolic link is followed.
///
/// # Errors
/// When it cannot be opened, or is not a regular file.
pub fn open_named(path: &Path) -> io::Result<File> {
    regular(not_waiting(OpenOptions::new().read(true), false).open(path)?)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

/// Opens a regular file to read it and to write at its end; refuses symbolic links, pipes and devices.
///
/// # Errors
/// When it is not there, is not a regular file, or cannot be opened.
pub fn open_regular(path: &Path) -> io::Result<File> {
    regular(private(OpenOptions::new().read(true).append(true)).open(path)?)
}

/// Reads a regular file of at most `limit` bytes; refuses symbolic links, pipes and devices.
///
/// # Errors
/// When it cannot be read, is not a regular file, or is larger.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
    }
    let file = private(OpenOptions::new().read(true)).open(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("is larger than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    not_waiting(options.mode(0o600), true)
}

/// A pipe in a file's place is opened at once, and is then seen to be none; for regular files the flag means nothing.
#[cfg(unix)]
fn not_waiting(options: &mut OpenOptions, no_follow: bool) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = OFlags::NONBLOCK | if no_follow { OFlags::NOFOLLOW } else { OFlags::empty() };
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn not_waiting(options: &mut OpenOptions, _: bool) -> &mut OpenOptions {
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_told_with_one_path_and_without_the_temporary_files() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("absent");
        let said = write_whole(&dir.join("file.json"), b"text").unwrap_err().to_string();
        assert_eq!(said, format!("cannot write a file in {}: No such file or directory (os error 2)", dir.display()));
    }
}
