//! Everything that is refused about a configuration. A message says what is wrong, where, and what to do; it never
//! repeats a secret.

use std::path::PathBuf;

use super::source::Source;
use crate::api::error::SettingError;

use super::{API_KEY_VARIABLE, TOKEN_VARIABLE};

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A file is there and cannot be read.
    #[error("cannot read {}: {reason}; mend that, or move the file away", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// A file is not what it should be.
    #[error("{}, line {line}, column {column}: {message}; mend that line", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// What is wrong, without values.
        message: String,
    },
    /// A file of certificates that is none.
    #[error("cannot trust what is in {}: {reason}; give a file of PEM certificates", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A price that cannot be one.
    #[error("{}: the price of {model:?} {reason}", path.display())]
    Price {
        /// The file.
        path: PathBuf,
        /// The key in `[prices]`.
        model: String,
        /// What is wrong with it, and what it should be.
        reason: &'static str,
    },
    /// No such profile.
    #[error("there is no profile {name:?} (named by {by}); {}", known_profiles(known))]
    UnknownProfile {
        /// The name.
        name: String,
        /// What names it.
        by: Source,
        /// The profiles that there are.
        known: Vec<String>,
    },
    /// A base URL that is none.
    #[error("{url:?} from {from} cannot be used: {error}")]
    BaseUrl {
        /// The text.
        url: String,
        /// Where it came from.
        from: Source,
        /// What is wrong with it.
        error: SettingError,
    },
    /// The only key at hand belongs to another server.
    #[error(transparent)]
    KeyOfAnotherServer(Box<KeyOfAnotherServer>),
    /// Nothing to show the server.
    #[error(
        "no credentials: set {API_KEY_VARIABLE} (a key that starts with mr_sk_) or {TOKEN_VARIABLE}, \
         give --api-key-file FILE, or write a profile into {}; `relay-console demo` needs none{}",
        config.display(), aside(because.as_deref())
    )]
    NoCredentials {
        /// Our own configuration file, there or not.
        config: PathBuf,
        /// Why a place that could have held them was passed over.
        because: Option<String>,
    },
    /// A publishable key.
    #[error("the key from {0} is a publishable one (mr_pk_…), which may not call runs; use a secret key (mr_sk_…)")]
    PublishableKey(Source),
    /// A key or token that cannot be sent.
    #[error("the {kind} from {from} {reason}")]
    Credential {
        /// `key` or `token`.
        kind: &'static str,
        /// Where it came from.
        from: Source,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A customer id that cannot be sent.
    #[error("the customer id from {0} has a character in it that cannot be sent; copy it again")]
    Customer(Source),
    /// A variable that is not text.
    #[error("the environment variable {0} is not valid UTF-8; set it again")]
    NotText(&'static str),
    /// No home directory, so no place for configuration and state.
    #[error("there is no home directory: set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME")]
    NoHome,
}

/// A profile's key was about to go to a base URL that is not the profile's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key of {profile} goes only to {belongs_to}, but {from} says {base_url}; \
     give a key for that server with --api-key-file or {API_KEY_VARIABLE}, or leave that base URL out"
)]
pub struct KeyOfAnotherServer {
    /// The profile.
    pub profile: Source,
    /// The profile's base URL.
    pub belongs_to: String,
    /// The base URL that is to be used.
    pub base_url: String,
    /// Where that came from.
    pub from: Source,
}

fn known_profiles(known: &[String]) -> String {
    match known {
        [] => "there are none at all".into(),
        known => format!("there are: {}", known.join(", ")),
    }
}

fn aside(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}
