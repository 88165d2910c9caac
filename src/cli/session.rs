//! What the console needs to follow one run, made from the settings: who it is, its clients, its place on disk.
//!
//! Nothing here touches the network. The rule that must stay true: credentials that are read again go to the server
//! that the first ones went to, or nowhere.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use uuid::Uuid;

use crate::api::client::{BaseUrl, Client, ClientConfig, ClientSource, Credentials};
use crate::api::error::{Error, SettingError};
use crate::api::ids::RunId;
use crate::api::run::RunStatus;
use crate::app::Identity;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, remote};
use crate::console::output::Output;
use crate::console::{self, ConsoleConfig, Left, Source};
use crate::run::{Price, Prices};
use crate::settings::{self, Directories, Flags, Preferences, Server, SettingsError};
use crate::store::StateDir;
use crate::view::Theme;

/// How long the terminal has to take what stands in the scrollback after the console.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Everything about following one run that is settled before the terminal is entered.
#[derive(Debug)]
pub struct Session {
    /// Which server and run, as the screen names them.
    pub identity: Identity,
    /// Where clients come from; building one reads the credentials again.
    pub clients: ClientSource,
    /// The run's directory on disk, or why there is none.
    pub state: Result<StateDir, String>,
    /// What the operator should know and nothing fails for, each a sentence.
    pub problems: Vec<String>,
    /// How the console looks and behaves.
    pub preferences: Preferences,
    /// The command to come back, word by word.
    pub command: Vec<String>,
    /// Whether what is kept on disk is gone when the console is left.
    pub is_demo: bool,
}

impl Session {
    /// A session with a run on a configured server.
    ///
    /// # Errors
    /// When the settings are refused.
    pub fn with_server(context: Context, run_id: RunId, command: Vec<String>) -> Result<Self, SettingsError> {
        let Context { directories, environment, files, flags, notices: mut problems } = context;
        let preferences = settings::preferences(&flags, &environment, &files)?;
        let server = settings::server(&flags, &environment, &files, &directories)?;
        problems.extend(server.notices.iter().cloned());
        let state = open_state(&directories.state_home, &server.base_url.value, run_id);
        let identity = identity(server.label(), run_id, &preferences);
        Ok(Self {
            identity,
            clients: clients(server, flags, directories),
            state,
            problems,
            preferences,
            command,
            is_demo: false,
        })
    }

    /// A session with a run of a simulator in this process, whose drafts are kept in `state_home`.
    ///
    /// # Errors
    /// When the simulator's address or key is refused.
    pub fn with_simulator(
        context: Context,
        (base_url, api_key): (&str, &str),
        run_id: RunId,
        state_home: Result<&Path, &io::Error>,
        command: Vec<String>,
    ) -> Result<Self, Error> {
        let Context { environment, files, flags, notices: problems, .. } = context;
        let preferences = settings::preferences(&flags, &environment, &files)
            .map_err(|error| SettingError::Other(error.to_string()))?;
        let base_url = BaseUrl::parse(base_url, false)?;
        let state = state_home
            .map_err(|error| format!("no temporary directory: {error}"))
            .and_then(|home| open_state(home, &base_url, run_id));
        let config = ClientConfig::new(base_url, Credentials::api_key(api_key)?);
        Ok(Self {
            identity: identity("DEMO".to_owned(), run_id, &preferences),
            clients: ClientSource::new(move || Client::new(config.clone())),
            state,
            problems,
            preferences,
            command,
            is_demo: true,
        })
    }
}

impl Session {
    /// Runs the console until the operator leaves, and says on standard error what stands in the scrollback.
    ///
    /// # Errors
    /// When there is no terminal, or a thread panicked.
    pub async fn run(self) -> Result<Exit, Failure> {
        let Self { identity, clients, state, problems, preferences, command, is_demo } = self;
        let config = ConsoleConfig {
            identity,
            theme: Theme { color: preferences.color, ascii: preferences.ascii },
            mouse: preferences.mouse,
            include_output: preferences.include_output,
            journal: preferences.journal,
            idle_timeout: preferences.idle_timeout,
            state,
            problems,
            command,
        };
        // On the heap: with it this future would be larger than callers should carry.
        let mut outcome = Box::pin(console::run(config, Source::Server(clients))).await;
        if let (true, Ok(left)) = (is_demo, &mut outcome) {
            left.summary.forget_drafts();
        }
        let left = left(outcome)?;
        Ok(match (left.signal, left.status) {
            (Some(signal), _) => Exit::Signal(signal),
            (None, Some(RunStatus::Failed)) => Exit::RunFailed,
            (None, Some(RunStatus::Canceled)) => Exit::RunCanceled,
            (None, _) => Exit::Done,
        })
    }
}

/// Says what stands in the scrollback of a console that was left, or why it could not be entered.
pub(super) fn left(outcome: io::Result<Left>) -> Result<Left, Failure> {
    let left = outcome.map_err(no_terminal)?;
    if !left.terminal_gone {
        // Not by standard output itself: on a terminal that has stopped that would wait without an end.
        let written = Output::open().and_then(|mut out| out.write_some(left.summary.render().as_bytes(), LAST_WORDS));
        written.map_err(output::unwritten)?;
    }
    match left.panic {
        Some(message) => Err(Failure::internal(anyhow!("internal error: {message}"))),
        None => Ok(left),
    }
}

fn no_terminal(error: io::Error) -> Failure {
    let exit = if error.kind() == io::ErrorKind::Unsupported { Exit::Refused } else { Exit::Internal };
    Failure::new(exit, anyhow::Error::new(error).context("the console cannot take the terminal"))
}

pub(super) fn identity(server: String, run_id: RunId, preferences: &Preferences) -> Identity {
    let prices: Prices = preferences
        .prices
        .iter()
        .map(|(model, price)| {
            let settings::Price { input_cents_per_million, output_cents_per_million } = *price;
            (model.clone(), Price { input_cents_per_million, output_cents_per_million })
        })
        .collect();
    Identity { server, run_id, prices, instance: Uuid::new_v4() }
}

fn open_state(state_home: &Path, base_url: &BaseUrl, run_id: RunId) -> Result<StateDir, String> {
    StateDir::open(state_home, base_url.as_str(), run_id).map_err(|error| error.to_string())
}

/// The first client is built from what was resolved at the start, each later one from what the settings say then.
fn clients(server: Server, flags: Flags, directories: Directories) -> ClientSource {
    let base_url = server.base_url.value.clone();
    // A key file that is a pipe, such as `<(pass show key)`, can be read once.
    let only_once = flags.api_key_file.as_deref().is_some_and(|path| !path.is_file());
    let kept = only_once.then(|| server.clone());
    let first = Mutex::new(Some(server));
    ClientSource::new(move || {
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let server = match first.or_else(|| kept.clone()) {
            Some(server) => server,
            None => read_again(&flags, &directories, &base_url)?,
        };
        remote::client(&server)
    })
}

fn read_again(flags: &Flags, directories: &Directories, base_url: &BaseUrl) -> Result<Server, SettingError> {
    let server = settings::load(flags, directories)
        .and_then(|(environment, files)| settings::server(flags, &environment, &files, directories))
        .map_err(|error| SettingError::Other(error.to_string()))?;
    if server.base_url.value.as_str() == base_url.as_str() {
        Ok(server)
    } else {
        let now = server.base_url.value.as_str();
        Err(SettingError::Other(format!("the settings name another server now ({now}): leave and start again")))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A home whose only profile has this content.
    fn home(profile: &str) -> (tempfile::TempDir, Directories) {
        let home = tempfile::TempDir::new().unwrap();
        let directories =
            Directories { config_home: home.path().join("config"), state_home: home.path().join("state") };
        fs::create_dir_all(directories.own_config().parent().unwrap()).unwrap();
        write(&directories, profile);
        (home, directories)
    }

    fn write(directories: &Directories, profile: &str) {
        fs::write(directories.own_config(), format!("current_profile = \"a\"\n[profiles.a]\n{profile}")).unwrap();
    }

    /// As [`settings::load`], but without this process's environment.
    fn context(directories: &Directories) -> Context {
        let own = settings::TextFile {
            path: directories.own_config(),
            text: Ok(fs::read_to_string(directories.own_config()).unwrap().into()),
            readable_by_others: false,
        };
        Context {
            directories: directories.clone(),
            environment: settings::Environment::default(),
            files: settings::Files { own: Some(own), ..settings::Files::default() },
            flags: Flags::default(),
            notices: vec![],
        }
    }

    #[test]
    fn credentials_that_are_read_again_go_to_the_same_server_or_nowhere() {
        let (_home, directories) = home("api_key = \"mr_sk_1\"\nbase_url = \"http://127.0.0.1:9/api\"");
        let run_id = RunId::random();
        let session = Session::with_server(context(&directories), run_id, vec![]).unwrap();
        assert_eq!((session.identity.server.as_str(), session.problems.len()), ("a", 0));
        assert!(session.state.is_ok());
        assert_eq!(session.clients.client().unwrap().base_url().as_str(), "http://127.0.0.1:9/api");
        write(&directories, "api_key = \"mr_sk_2\"\nbase_url = \"http://127.0.0.1:9/other\"");
        let error = session.clients.refresh().unwrap_err().to_string();
        assert!(error.contains("another server") && !error.contains("mr_sk"), "{error}");
    }

    #[test]
    fn a_state_home_that_cannot_be_used_is_told_of_and_no_failure() {
        let (home, mut directories) = home("api_key = \"mr_sk_1\"");
        directories.state_home = home.path().join("file");
        fs::write(&directories.state_home, "").unwrap();
        let session = Session::with_server(context(&directories), RunId::random(), vec![]).unwrap();
        let why = session.state.unwrap_err();
        assert!(why.contains(&directories.state_home.display().to_string()), "{why}");
    }
}
