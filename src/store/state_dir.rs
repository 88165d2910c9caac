//! A run's directory on disk: `<state home>/relay-console/<hash of base URL>/<run_id>/`.
//!
//! Owns where it is, and that it belongs to this user alone. The rule that must stay true: below the state home every
//! directory is a real one with mode 0700; a symbolic link in its place is refused, since someone else may have laid
//! it to have the text written where they can read it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{StoreError, private_file};
use crate::api::ids::RunId;

/// The name of our directory below `$XDG_STATE_HOME`.
pub const PROGRAM_DIR: &str = "relay-console";

/// The name of the drafts' directory below a run's.
pub const DRAFTS_DIR: &str = "drafts";

/// The name of the file in a server's directory that says which server it is.
pub const SERVER_FILE: &str = "server";

/// A longer one is not ours.
const MAX_SERVER_BYTES: u64 = 16 * 1024;

/// The directory of one run on one server, made and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Makes the directory of `run_id` on the server at `base_url`, with those above it, or checks what is there.
    ///
    /// # Errors
    /// When a directory cannot be made or made private, or something else stands in its place.
    pub fn open(state_home: &Path, base_url: &str, run_id: RunId) -> Result<Self, StoreError> {
        let program = state_home.join(PROGRAM_DIR);
        let server = program.join(hash_name(base_url.trim_end_matches('/').as_bytes()));
        let path = server.join(run_id.to_string());
        fs::create_dir_all(state_home).map_err(StoreError::io("make", state_home))?;
        for dir in [&program, &server, &path] {
            make_private(dir)?;
        }
        name_server(&server, base_url);
        Ok(Self { path })
    }

    /// A run's directory that was found below the program's; nothing is made or checked.
    #[must_use]
    pub fn found(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes the directory and those above it again, where somebody has removed them meanwhile.
    ///
    /// # Errors
    /// As [`StateDir::open`].
    pub fn make_again(&self) -> Result<(), StoreError> {
        let mut above: Vec<&Path> = self.path.ancestors().take(3).collect();
        if let Some(state_home) = above.last().and_then(|program| program.parent()) {
            fs::create_dir_all(state_home).map_err(StoreError::io("make", state_home))?;
        }
        above.reverse();
        above.into_iter().try_for_each(make_private)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the drafts stand; [`DraftStore`](super::DraftStore) makes the directory.
    #[must_use]
    pub fn drafts_path(&self) -> PathBuf {
        self.path.join(DRAFTS_DIR)
    }

    /// Makes the directory `name` within it, or checks what is there. `name` is never a server's word.
    ///
    /// # Errors
    /// As [`StateDir::open`].
    pub fn subdirectory(&self, name: &'static str) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        make_private(&path)?;
        Ok(path)
    }
}

/// Writes down which server a directory belongs to: its name is a hash, which tells people nothing. What a URL may hold
/// of credentials is left out. A disk that refuses costs only this name.
fn name_server(dir: &Path, base_url: &str) {
    let path = dir.join(SERVER_FILE);
    if fs::symlink_metadata(&path).is_ok() {
        return;
    }
    let (scheme, rest) = base_url.split_once("://").unwrap_or(("", base_url));
    let (authority, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let tail = tail.split(['?', '#']).next().unwrap_or_default();
    let _ = private_file::write_whole(&path, format!("{scheme}://{host}{tail}\n").as_bytes());
}

/// Which server a server's directory belongs to, as it was written down; `None` where it was not.
#[must_use]
pub fn server_name(dir: &Path) -> Option<String> {
    let bytes = private_file::read_bounded(&dir.join(SERVER_FILE), MAX_SERVER_BYTES).ok()?;
    String::from_utf8(bytes).ok().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The directories of all runs below the program's, by server and id; what is not ours, such as the log, is passed over.
#[must_use]
pub fn runs(program: &Path) -> Vec<PathBuf> {
    let is_server = |dir: &PathBuf| {
        let name = name_of(dir);
        name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let servers = directories(program).into_iter().filter(is_server);
    servers.flat_map(|server| directories(&server)).filter(|dir| RunId::parse(&name_of(dir)).is_ok()).collect()
}

/// The directories in `dir`, by name; a symbolic link to one is none.
fn directories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let real = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut paths: Vec<PathBuf> = real.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The last part of a path.
pub(super) fn name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().map(OsStr::to_string_lossy).unwrap_or_default()
}

/// Makes `dir` with mode 0700, or checks that what is there is a directory and makes it so.
///
/// # Errors
/// When it cannot be made or made private, or something else stands in its place.
pub fn make_private(dir: &Path) -> Result<(), StoreError> {
    match private_builder().create(dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::io("make", dir)(error)),
    }
    let metadata = fs::symlink_metadata(dir).map_err(StoreError::io("look at", dir))?;
    if metadata.is_symlink() {
        return Err(StoreError::NotADirectory { path: dir.to_path_buf(), found: "a symbolic link" });
    }
    if !metadata.is_dir() {
        return Err(StoreError::NotADirectory { path: dir.to_path_buf(), found: "a file" });
    }
    restrict(dir, &metadata)
}

/// 32 hex digits of the SHA-256 of `bytes`: a name that says nothing and cannot lead anywhere.
#[must_use]
pub fn hash_name(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut name = String::with_capacity(32);
    for byte in &Sha256::digest(bytes)[..16] {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(unix)]
fn private_builder() -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private_builder() -> DirBuilder {
    DirBuilder::new()
}

#[cfg(unix)]
fn restrict(dir: &Path, metadata: &fs::Metadata) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o777 == 0o700 {
        return Ok(());
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(StoreError::io("make private", dir))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where there are modes")]
fn restrict(_: &Path, _: &fs::Metadata) -> Result<(), StoreError> {
    Ok(())
}
