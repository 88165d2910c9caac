//! What every subcommand that reads settings begins with.
//!
//! Owns the order: directories, environment, files, then the log, so that nothing that follows goes unrecorded.

use crate::cli::exit::Failure;
use crate::logging;
use crate::settings::{self, Directories, Environment, Files, Flags};

/// What every subcommand begins with.
#[derive(Debug)]
pub struct Context {
    /// Where configuration and state stand.
    pub directories: Directories,
    /// What the environment says.
    pub environment: Environment,
    /// What the files say.
    pub files: Files,
    /// What the command line says.
    pub flags: Flags,
    /// What the operator should know and nothing fails for, each a sentence.
    pub notices: Vec<String>,
}

impl Context {
    /// Reads the environment and the files, and starts the log.
    ///
    /// # Errors
    /// When there is no home directory or a variable cannot be read.
    pub fn new(flags: Flags, verbosity: u8) -> Result<Self, Failure> {
        let directories = Directories::of_this_user()?;
        let (environment, files) = settings::load(&flags, &directories)?;
        let filter = std::env::var(logging::FILTER_VARIABLE).ok();
        let log = logging::start(&directories.state_home, verbosity, filter.as_deref());
        Ok(Self { directories, environment, files, flags, notices: log.problem.into_iter().collect() })
    }
}
