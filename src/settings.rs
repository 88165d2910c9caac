//! Configuration: flags, environment and files in, plain values out; nothing else reads configuration.
//!
//! Owns which source wins (flag, then environment, then profile, then default), where the files are, and what is
//! refused before any request. [`resolve`] is pure; [`load`] reads the environment and the files for it. Every value
//! keeps its [`Source`].
//!
//! The rules that must stay true: a profile's key goes only to that profile's base URL; a secret is in no message and
//! no debug print.
//!
//! # Files
//! `$XDG_CONFIG_HOME/relay-console/config.toml` is ours, and a field in it that is not known is an error:
//!
//! ```toml
//! current_profile = "prod"          # used where no --profile is given
//! ca_file = "company.pem"           # optional: authorities to trust besides the system's (PEM); from this directory
//! journal = true                    # false: runs' events are not kept on disk, as with --no-journal
//!
//! [profiles.prod]
//! api_key = "mr_sk_…"               # or: token = "…"
//! base_url = "https://api.modelrelay.ai/api/v1"   # optional
//! customer_id = "…"                 # optional: the customer that calls are attributed to
//!
//! [prices]                          # for estimates, where the run itself has not shown what a model costs
//! "anthropic/claude-sonnet-4-5" = { input_cents_per_million = 300, output_cents_per_million = 1500 }
//! ```
//!
//! `$XDG_CONFIG_HOME/mrl/config.toml` is the vendor CLI's (`wire/README.md`, "Base URL, credentials, headers"): its
//! `current_profile` and profiles count where ours have none of the name, and what else it holds is not our concern.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use secrecy::SecretString;

use crate::api::client::{BaseUrl, ClientConfig, Credentials, Roots};

pub mod directories;
mod error;
mod file;
mod reading;
mod resolve;
mod secret;
mod source;
mod survey;

pub use directories::Directories;
pub use error::{KeyOfAnotherServer, SettingsError};
pub use file::Price;
pub use reading::{environment, files, load};
pub use resolve::{preferences, resolve, server};
pub use secret::{masked, without_secrets};
pub use source::{Source, Sourced};
pub use survey::{FileState, Survey, survey};

/// The environment variable of a secret key.
pub const API_KEY_VARIABLE: &str = "MODELRELAY_API_KEY";
/// The environment variable of a customer or account token.
pub const TOKEN_VARIABLE: &str = "MODELRELAY_TOKEN";
/// The environment variable of the base URL.
pub const BASE_URL_VARIABLE: &str = "MODELRELAY_API_BASE_URL";

/// What the command line says. The default says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line, independent of the others")]
pub struct Flags {
    /// `--profile`
    pub profile: Option<String>,
    /// `--base-url`
    pub base_url: Option<String>,
    /// `--api-key-file`
    pub api_key_file: Option<PathBuf>,
    /// `--ca-file`, each time that it was given.
    pub ca_files: Vec<PathBuf>,
    /// `--customer`
    pub customer_id: Option<String>,
    /// `--allow-http`
    pub allow_http: bool,
    /// `--no-proxy`
    pub no_proxy: bool,
    /// `--no-output`
    pub no_output: bool,
    /// `--no-journal`
    pub no_journal: bool,
    /// `--ascii`
    pub ascii: bool,
    /// `--mouse`
    pub mouse: bool,
    /// `--idle-timeout`
    pub idle_timeout: Option<Duration>,
}

/// What the environment says. An empty variable says nothing.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `MODELRELAY_API_KEY`
    pub api_key: Option<SecretString>,
    /// `MODELRELAY_TOKEN`
    pub token: Option<SecretString>,
    /// `MODELRELAY_API_BASE_URL`
    pub base_url: Option<String>,
    /// Whether `NO_COLOR` is set to anything.
    pub no_color: bool,
}

/// What the files say; `None` where there is no such file.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Our own configuration.
    pub own: Option<TextFile>,
    /// The vendor CLI's configuration.
    pub vendor: Option<TextFile>,
    /// The file that `--api-key-file` names.
    pub api_key: Option<TextFile>,
    /// The files that `--ca-file` names, else the one that our own configuration does.
    pub authorities: Vec<TextFile>,
}

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct TextFile {
    /// Where it stands.
    pub path: PathBuf,
    /// Its content, or why it could not be read.
    pub text: Result<SecretString, String>,
    /// Whether other users of the machine can read it.
    pub readable_by_others: bool,
}

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which server, and as whom.
    pub server: Server,
    /// How the console looks and behaves.
    pub preferences: Preferences,
}

/// Which server requests go to, and as whom.
#[derive(Debug, Clone)]
pub struct Server {
    /// The profile that was chosen, and by what.
    pub profile: Option<Sourced<String>>,
    /// The base URL.
    pub base_url: Sourced<BaseUrl>,
    /// What the server is shown.
    pub credentials: Sourced<Credentials>,
    /// The customer that calls are attributed to.
    pub customer_id: Option<Sourced<String>>,
    /// Whether the system's proxy is used.
    pub use_proxy: bool,
    /// Authorities that are trusted besides the system's.
    pub roots: Roots,
    /// What the operator should know and nothing fails for, each a sentence.
    pub notices: Vec<String>,
}

impl Server {
    /// What to call the server in one word: its profile, else its host.
    #[must_use]
    pub fn label(&self) -> String {
        if let Some(profile) = &self.profile {
            return profile.value.clone();
        }
        self.base_url.value.host()
    }

    /// What a client of this server is built from.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        ClientConfig {
            customer_id: self.customer_id.as_ref().map(|customer| customer.value.clone()),
            use_proxy: self.use_proxy,
            roots: self.roots.clone(),
            ..ClientConfig::new(self.base_url.value.clone(), self.credentials.value.clone())
        }
    }
}

/// How the console looks and behaves.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch, independent of the others")]
pub struct Preferences {
    /// Whether contents are asked for with the events.
    pub include_output: bool,
    /// Whether the run's events are kept on disk.
    pub journal: bool,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
    /// Whether colours are used.
    pub color: bool,
    /// Whether the mouse is captured.
    pub mouse: bool,
    /// How long a link may be silent before it is probed.
    pub idle_timeout: Duration,
    /// Prices by `provider/model`, for estimates.
    pub prices: IndexMap<String, Price>,
}
