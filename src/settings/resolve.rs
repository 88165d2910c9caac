//! Which source wins, as a pure function: flag, then environment, then profile, then default.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::error::KeyOfAnotherServer;
use super::file::{OwnConfig, Profile, VendorConfig, text_of};
use super::secret::without_secrets;
use super::{
    API_KEY_VARIABLE, BASE_URL_VARIABLE, Directories, Environment, Files, Flags, Preferences, Server, Settings,
    SettingsError, Source, Sourced, TOKEN_VARIABLE,
};

use crate::api::client::{BaseUrl, Credentials, DEFAULT_BASE_URL, Roots};

const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Everything that is configured.
///
/// # Errors
/// When a needed file is wrong, a profile is missing, a base URL is none, or there are no credentials that may go to
/// the server.
pub fn resolve(
    flags: &Flags,
    environment: &Environment,
    files: &Files,
    directories: &Directories,
) -> Result<Settings, SettingsError> {
    Ok(Settings {
        server: server(flags, environment, files, directories)?,
        preferences: preferences(flags, environment, files)?,
    })
}

/// How the console looks and behaves; needs no credentials.
///
/// # Errors
/// When our own configuration file is wrong.
pub fn preferences(flags: &Flags, environment: &Environment, files: &Files) -> Result<Preferences, SettingsError> {
    let own = files.own.as_ref().map(OwnConfig::read).transpose()?.unwrap_or_default();
    Ok(Preferences {
        include_output: !flags.no_output,
        journal: !flags.no_journal && own.journal.unwrap_or(true),
        ascii: flags.ascii,
        color: !environment.no_color,
        mouse: flags.mouse,
        idle_timeout: flags.idle_timeout.unwrap_or(DEFAULT_IDLE_TIMEOUT),
        prices: own.prices,
    })
}

/// Which server, and as whom.
///
/// # Errors
/// As [`resolve`].
pub fn server(
    flags: &Flags,
    environment: &Environment,
    files: &Files,
    directories: &Directories,
) -> Result<Server, SettingsError> {
    let chosen = choose_profile(flags, files)?;
    let base_url = base_url(flags, environment, chosen.profile.as_ref())?;
    let credentials = match credentials_at_hand(environment, files) {
        Some(credentials) => credentials?,
        None => credentials_of_profile(&chosen, &base_url, directories)?,
    };
    let customer_id = customer_id(flags, chosen.profile.as_ref())?;
    let roots = roots(files)?;
    let notices = notices(files, &chosen, &credentials.source);
    let profile = chosen.profile.map(|profile| Sourced::new(profile.name, profile.chosen_by));
    Ok(Server { profile, base_url, credentials, customer_id, use_proxy: !flags.no_proxy, roots, notices })
}

/// The authorities that are trusted besides the system's.
pub(super) fn roots(files: &Files) -> Result<Roots, SettingsError> {
    files.authorities.iter().try_fold(Roots::default(), |roots, file| {
        let read = Roots::from_pem(text_of(file)?.as_bytes());
        let read = read.map_err(|reason| SettingsError::Authorities { path: file.path.clone(), reason })?;
        Ok(roots.and(&read))
    })
}

/// What the operator should know and nothing fails for.
pub(super) fn notices(files: &Files, chosen: &Choice, used: &Source) -> Vec<String> {
    let mut notices = Vec::new();
    if let Some(profile) = &chosen.profile
        && profile.has_credential()
        && *used != profile.source()
    {
        notices.push(format!("the credentials come from {used}, not from {}", profile.source()));
    }
    if let (Some(problem), false) = (&chosen.vendor_problem, chosen.profile.is_some()) {
        notices.push(format!("{problem}; it is not used"));
    }
    notices.extend(exposed_files(files, used));
    notices
}

/// A profile, where it stands, and what chose it.
pub(super) struct ChosenProfile {
    pub(super) name: String,
    path: PathBuf,
    pub(super) chosen_by: Source,
    profile: Profile,
}

impl ChosenProfile {
    pub(super) fn source(&self) -> Source {
        Source::Profile { name: self.name.clone(), path: self.path.clone() }
    }

    pub(super) fn has_credential(&self) -> bool {
        self.profile.has_credential()
    }
}

/// The outcome of looking for a profile.
pub(super) struct Choice {
    pub(super) profile: Option<ChosenProfile>,
    /// Why the vendor's file could not be looked into.
    vendor_problem: Option<SettingsError>,
}

pub(super) fn choose_profile(flags: &Flags, files: &Files) -> Result<Choice, SettingsError> {
    let own = files.own.as_ref().map(OwnConfig::read).transpose()?.unwrap_or_default();
    let (vendor, vendor_problem) = match files.vendor.as_ref().map(VendorConfig::read).transpose() {
        Ok(vendor) => (vendor.unwrap_or_default(), None),
        // Another program's file: wrong, it is of no consequence until something in it is needed.
        Err(problem) => (VendorConfig::default(), Some(problem)),
    };
    let named_in = |file: Option<&super::TextFile>| Source::File {
        field: "current_profile",
        path: file.map(|file| file.path.clone()).unwrap_or_default(),
    };
    let (name, chosen_by) = if let Some(name) = &flags.profile {
        (name.clone(), Source::Flag("--profile"))
    } else if let Some(name) = &own.current_profile {
        (name.clone(), named_in(files.own.as_ref()))
    } else if let Some(name) = &vendor.current_profile {
        (name.clone(), named_in(files.vendor.as_ref()))
    } else {
        return Ok(Choice { profile: None, vendor_problem });
    };
    let in_own = own.profile(&name).zip(files.own.as_ref());
    let in_vendor = vendor.profiles.get(&name).cloned().zip(files.vendor.as_ref());
    if let Some((profile, file)) = in_own.or(in_vendor) {
        let profile = ChosenProfile { name, path: file.path.clone(), chosen_by, profile };
        return Ok(Choice { profile: Some(profile), vendor_problem });
    }
    if let Some(problem) = vendor_problem {
        return Err(problem);
    }
    let mut known: Vec<String> = own.profile_names().chain(vendor.profiles.keys()).cloned().collect();
    known.sort();
    known.dedup();
    Err(SettingsError::UnknownProfile { name: without_secrets(&name), by: chosen_by, known })
}

pub(super) fn base_url(
    flags: &Flags,
    environment: &Environment,
    profile: Option<&ChosenProfile>,
) -> Result<Sourced<BaseUrl>, SettingsError> {
    let of_profile = profile.and_then(|profile| Some((profile.profile.base_url.as_deref()?, profile.source())));
    let (text, source) = [
        flags.base_url.as_deref().map(|url| (url, Source::Flag("--base-url"))),
        environment.base_url.as_deref().map(|url| (url, Source::Environment(BASE_URL_VARIABLE))),
        of_profile,
    ]
    .into_iter()
    .flatten()
    .next()
    .unwrap_or((DEFAULT_BASE_URL, Source::Default));
    let url = parse_url(text, &source, flags.allow_http)?;
    Ok(Sourced::new(url, source))
}

fn parse_url(text: &str, source: &Source, allow_http: bool) -> Result<BaseUrl, SettingsError> {
    BaseUrl::parse(text, allow_http).map_err(|error| {
        // A password in it is not repeated.
        let shown = match (text.find("://"), text.rfind('@')) {
            (Some(scheme), Some(at)) if scheme < at => format!("{}…{}", &text[..scheme + 3], &text[at..]),
            _ => text.to_owned(),
        };
        // Nor what a query may hold: keys are put there as well.
        let shown = match shown.find(['?', '#']) {
            Some(at) => format!("{}…", &shown[..=at]),
            None => shown,
        };
        SettingsError::BaseUrl { url: without_secrets(&shown), from: source.clone(), error }
    })
}

/// The credentials that a flag or the environment gives, if any does.
pub(super) fn credentials_at_hand(
    environment: &Environment,
    files: &Files,
) -> Option<Result<Sourced<Credentials>, SettingsError>> {
    if let Some(file) = &files.api_key {
        let key = text_of(file).map(|text| Credentials::ApiKey(SecretString::from(text.trim())));
        return Some(key.and_then(|key| checked(key, Source::Flag("--api-key-file"))));
    }
    if let Some(key) = present(environment.api_key.as_ref()) {
        return Some(checked(Credentials::ApiKey(key), Source::Environment(API_KEY_VARIABLE)));
    }
    let token = present(environment.token.as_ref())?;
    Some(checked(Credentials::Token(token), Source::Environment(TOKEN_VARIABLE)))
}

/// The credentials of the chosen profile, which may go to its own base URL only.
pub(super) fn credentials_of_profile(
    chosen: &Choice,
    base_url: &Sourced<BaseUrl>,
    directories: &Directories,
) -> Result<Sourced<Credentials>, SettingsError> {
    let none = |because| SettingsError::NoCredentials { config: directories.own_config(), because };
    let Some(profile) = &chosen.profile else {
        return Err(none(chosen.vendor_problem.as_ref().map(ToString::to_string)));
    };
    let key = present(profile.profile.api_key.as_ref()).map(Credentials::ApiKey);
    let token = present(profile.profile.token.as_ref()).map(Credentials::Token);
    let Some(found) = key.or(token) else {
        return Err(none(Some(format!("{} has neither api_key nor token", profile.source()))));
    };
    let belongs_to = profile.profile.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL).trim();
    let home = parse_url(belongs_to, &profile.source(), true)?;
    if home.as_str() != base_url.value.as_str() {
        return Err(SettingsError::KeyOfAnotherServer(Box::new(KeyOfAnotherServer {
            profile: profile.source(),
            belongs_to: home.as_str().to_owned(),
            base_url: base_url.value.as_str().to_owned(),
            from: base_url.source.clone(),
        })));
    }
    checked(found, profile.source())
}

/// The customer that calls are attributed to: by flag, else by the profile. A blank one says nothing.
pub(super) fn customer_id(
    flags: &Flags,
    profile: Option<&ChosenProfile>,
) -> Result<Option<Sourced<String>>, SettingsError> {
    let of_profile = profile.and_then(|profile| Some((profile.profile.customer_id.as_deref()?, profile.source())));
    let given = [flags.customer_id.as_deref().map(|id| (id, Source::Flag("--customer"))), of_profile];
    let Some((id, from)) =
        given.into_iter().flatten().map(|(id, from)| (id.trim(), from)).find(|(id, _)| !id.is_empty())
    else {
        return Ok(None);
    };
    if id.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        Ok(Some(Sourced::new(id.to_owned(), from)))
    } else {
        Err(SettingsError::Customer(from))
    }
}

/// The secret without the white space around it, unless there is nothing else.
fn present(secret: Option<&SecretString>) -> Option<SecretString> {
    let text = secret?.expose_secret().trim();
    (!text.is_empty()).then(|| SecretString::from(text))
}

fn checked(credentials: Credentials, from: Source) -> Result<Sourced<Credentials>, SettingsError> {
    let (kind, text) = match &credentials {
        Credentials::ApiKey(key) => ("key", key.expose_secret()),
        Credentials::Token(token) => ("token", token.expose_secret()),
    };
    if text.starts_with("mr_pk_") {
        return Err(SettingsError::PublishableKey(from));
    }
    let reason = if text.is_empty() {
        "is empty"
    } else if text.lines().count() > 1 {
        "has more than one line; it should hold nothing else"
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        "has a space or a character in it that no key has; copy it again"
    } else {
        return Ok(Sourced::new(credentials, from));
    };
    Err(SettingsError::Credential { kind, from, reason })
}

/// A sentence for each file that a secret came from and that other users can read.
fn exposed_files(files: &Files, used: &Source) -> Option<String> {
    let file = match used {
        Source::Flag(_) => files.api_key.as_ref(),
        Source::Profile { path, .. } => {
            [files.own.as_ref(), files.vendor.as_ref()].into_iter().flatten().find(|file| file.path == *path)
        }
        Source::Environment(_) | Source::File { .. } | Source::Default => None,
    }?;
    let path = file.path.display();
    file.readable_by_others.then(|| format!("{path} holds a key and can be read by other users; run chmod 600 {path}"))
}
