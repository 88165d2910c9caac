//! A file that the command line names, as a source of events: a regular one as it is, anything else by way of a
//! temporary copy, since it can be read once only.

use std::fs;
use std::io::{self, IsTerminal, Read, Seek as _};
use std::path::Path;

use anyhow::anyhow;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::report;
use crate::cli::spec::file::STANDARD_INPUT;
use crate::feed::{ReplayError, ReplayFile};

/// A file of events and what people call it.
pub(super) struct File {
    pub(super) name: String,
    pub(super) source: ReplayFile,
}

impl File {
    /// Opens a file, or copies what comes from a pipe or from standard input; other tasks go on meanwhile.
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        let path = path.to_path_buf();
        tokio::task::spawn_blocking(move || open(&path)).await.map_err(Failure::internal)?
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    let is_input = path.as_os_str() == STANDARD_INPUT;
    let name = if is_input { "<stdin>".to_owned() } else { path.display().to_string() };
    let unreadable = |source| ReplayError::Unreadable { path: (&name).into(), source };
    let source = if is_input {
        if io::stdin().is_terminal() {
            report("reading from the keyboard; Ctrl-D ends it");
        }
        copied(io::stdin().lock()).map_err(unreadable).and_then(|copy| ReplayFile::of(Path::new(&name), copy))
    } else if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let copy = fs::File::open(path).and_then(copied);
        copy.map_err(unreadable).and_then(|copy| ReplayFile::of(path, copy))
    } else {
        ReplayFile::open(path)
    };
    Ok(File { source: source.map_err(|error| Failure::new(Exit::Refused, anyhow!("{error}")))?, name })
}

/// The same in a temporary file, which nobody else can open.
fn copied(mut source: impl Read) -> io::Result<fs::File> {
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut source, &mut copy)?;
    copy.rewind()?;
    Ok(copy)
}
