//! Every setting by itself, each with its source or with what is wrong with it: what `doctor` reports.
//!
//! Owns no rule about which source wins: those are `resolve`'s, used here one by one, so that one wrong setting does
//! not hide the others. The rule that must stay true: where a profile cannot be settled, nothing is guessed in its place,
//! or a key might go to a server that it does not belong to.

use super::file::{OwnConfig, Profile, VendorConfig, text_of};
use super::resolve::{self, Choice};
use super::{
    API_KEY_VARIABLE, Directories, Environment, Files, Flags, Preferences, SettingsError, Source, Sourced,
    TOKEN_VARIABLE, TextFile,
};
use crate::api::client::{BaseUrl, Credentials, Roots};

/// What each setting is. A field is `None` where it may stand in a profile that could not be settled.
#[derive(Debug)]
pub struct Survey {
    /// The profile that was chosen, and by what.
    pub profile: Result<Option<Sourced<String>>, SettingsError>,
    /// The base URL.
    pub base_url: Option<Result<Sourced<BaseUrl>, SettingsError>>,
    /// What the server is shown.
    pub credentials: Option<Result<Sourced<Credentials>, SettingsError>>,
    /// The customer that calls are attributed to.
    pub customer_id: Option<Result<Option<Sourced<String>>, SettingsError>>,
    /// The authorities that are trusted besides the system's.
    pub roots: Result<Roots, SettingsError>,
    /// How the console looks and behaves.
    pub preferences: Result<Preferences, SettingsError>,
    /// Where further credentials stand, which something before them overrides.
    pub passed_over: Vec<Source>,
    /// What the operator should know and nothing fails for, each a sentence.
    pub notices: Vec<String>,
    /// Our own configuration file.
    pub own: FileState,
    /// The vendor CLI's configuration file.
    pub vendor: FileState,
    /// The file that `--api-key-file` names, if it does.
    pub api_key: Option<FileState>,
}

/// What was found of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// There is none.
    Absent,
    /// It can be used.
    Present {
        /// The profiles that it holds.
        profiles: Vec<String>,
        /// Whether it holds a secret that other users of the machine can read.
        exposed: bool,
    },
    /// It is there and cannot be used.
    Wrong(SettingsError),
}

/// Looks at every setting by itself.
#[must_use]
pub fn survey(flags: &Flags, environment: &Environment, files: &Files, directories: &Directories) -> Survey {
    let choice = resolve::choose_profile(flags, files);
    let settled = choice.as_ref().ok();
    // A flag or the environment is before any profile; without one, an unknown profile leaves the base URL unknown.
    let said_before = flags.base_url.is_some() || environment.base_url.is_some();
    let base_url = (settled.is_some() || said_before)
        .then(|| resolve::base_url(flags, environment, settled.and_then(|choice| choice.profile.as_ref())));
    let credentials = resolve::credentials_at_hand(environment, files).or_else(|| {
        let base_url = base_url.as_ref()?.as_ref().ok()?;
        Some(resolve::credentials_of_profile(settled?, base_url, directories))
    });
    let customer_id = (settled.is_some() || flags.customer_id.is_some())
        .then(|| resolve::customer_id(flags, settled.and_then(|choice| choice.profile.as_ref())));
    let used = credentials.as_ref().and_then(|credentials| Some(credentials.as_ref().ok()?.source.clone()));
    Survey {
        notices: settled
            .zip(used.as_ref())
            .map(|(choice, used)| resolve::notices(files, choice, used))
            .unwrap_or_default(),
        passed_over: used.map(|used| passed_over(environment, settled, &used)).unwrap_or_default(),
        base_url,
        credentials,
        customer_id,
        roots: resolve::roots(files),
        preferences: resolve::preferences(flags, environment, files),
        own: file_state(files.own.as_ref(), |file| {
            OwnConfig::read(file).map(|config| {
                let profiles: Vec<String> = config.profile_names().cloned().collect();
                let holds_secret =
                    profiles.iter().filter_map(|name| config.profile(name)).any(|profile| profile.has_credential());
                (profiles, holds_secret)
            })
        }),
        vendor: file_state(files.vendor.as_ref(), |file| {
            VendorConfig::read(file).map(|config| {
                let holds_secret = config.profiles.values().any(Profile::has_credential);
                (config.profiles.into_keys().collect(), holds_secret)
            })
        }),
        api_key: files
            .api_key
            .as_ref()
            .map(|file| file_state(Some(file), |file| text_of(file).map(|text| (Vec::new(), !text.trim().is_empty())))),
        profile: choice.map(|choice| choice.profile.map(|profile| Sourced::new(profile.name, profile.chosen_by))),
    }
}

fn file_state(
    file: Option<&TextFile>,
    read: impl FnOnce(&TextFile) -> Result<(Vec<String>, bool), SettingsError>,
) -> FileState {
    let Some(file) = file else { return FileState::Absent };
    match read(file) {
        Ok((profiles, holds_secret)) => {
            FileState::Present { profiles, exposed: holds_secret && file.readable_by_others }
        }
        Err(error) => FileState::Wrong(error),
    }
}

fn passed_over(environment: &Environment, choice: Option<&Choice>, used: &Source) -> Vec<Source> {
    let of_profile = choice.and_then(|choice| choice.profile.as_ref()).filter(|profile| profile.has_credential());
    [
        environment.api_key.as_ref().map(|_| Source::Environment(API_KEY_VARIABLE)),
        environment.token.as_ref().map(|_| Source::Environment(TOKEN_VARIABLE)),
        of_profile.map(resolve::ChosenProfile::source),
    ]
    .into_iter()
    .flatten()
    .filter(|source| source != used)
    .collect()
}
