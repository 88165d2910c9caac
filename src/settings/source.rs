//! Where a value came from, in words that an operator can act on.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
    /// A variable of the environment.
    Environment(&'static str),
    /// A field of a configuration file.
    File {
        /// The field.
        field: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A profile.
    Profile {
        /// Its name.
        name: String,
        /// The file that it stands in.
        path: PathBuf,
    },
    /// Nothing says otherwise.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Environment(name) => f.write_str(name),
            Self::File { field, path } => write!(f, "{field} in {}", path.display()),
            Self::Profile { name, path } => write!(f, "profile {name:?} in {}", path.display()),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

impl<T> Sourced<T> {
    /// `value`, which came from `source`.
    pub fn new(value: T, source: Source) -> Self {
        Self { value, source }
    }
}
