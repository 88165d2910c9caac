//! The settings: each value with its source, each file with its state, and what is wrong.

use std::fs;
use std::path::Path;

use super::report::{Finding, State};
use crate::api::client::{BaseUrl, DEFAULT_BASE_URL, Roots};
use crate::cli::exit::Exit;
use crate::settings::{
    BASE_URL_VARIABLE, Directories, FileState, Flags, SettingsError, Survey, masked, without_secrets,
};

/// The variables that name a proxy, in the order in which people set them.
const PROXY_VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// What is found of the settings.
pub(super) fn findings(survey: &Survey, flags: &Flags, directories: &Directories) -> Vec<Finding> {
    let mut findings = vec![
        file("own file", &survey.own, &directories.own_config()),
        file("vendor file", &survey.vendor, &directories.vendor_config()),
    ];
    if let (Some(state), Some(path)) = (&survey.api_key, &flags.api_key_file) {
        findings.push(file("key file", state, path));
    }
    findings.push(profile(survey));
    findings.push(base_url(survey));
    findings.push(credentials(survey));
    findings.push(customer(survey));
    findings.push(proxy(flags, settled_base_url(survey)));
    findings.push(encryption(settled_base_url(survey)));
    if settled_base_url(survey).is_some_and(BaseUrl::is_https) {
        findings.push(authorities(survey));
    }
    match &survey.preferences {
        Ok(preferences) => {
            let color = if preferences.color { "on" } else { "off, by NO_COLOR" };
            findings.push(Finding::fine("colour", color));
            let prices = match preferences.prices.len() {
                0 => "none; only what the server bills is known".to_owned(),
                count => format!("{count} in {}", directories.own_config().display()),
            };
            findings.push(Finding::fine("prices", prices));
        }
        // The file's own row says what is wrong with it, unless it is a price.
        Err(error @ SettingsError::Price { .. }) => findings.push(wrong("prices", error)),
        Err(_) => {}
    }
    findings.extend(survey.notices.iter().map(|notice| Finding::note("notice", notice)));
    findings
}

/// The base URL, if it is known.
pub(super) fn settled_base_url(survey: &Survey) -> Option<&BaseUrl> {
    Some(&survey.base_url.as_ref()?.as_ref().ok()?.value)
}

fn wrong(item: &'static str, error: &SettingsError) -> Finding {
    Finding::problem(item, Exit::Refused, error.to_string())
}

/// Something that stands in a profile, which cannot be read.
fn unsettled(item: &'static str) -> Finding {
    Finding::note(item, "not known: it may stand in the profile, which cannot be settled")
}

fn file(item: &'static str, state: &FileState, path: &Path) -> Finding {
    let place = path.display().to_string();
    let mode = mode(path);
    let finding = match state {
        FileState::Absent => return Finding::fine(item, format!("{place}: absent, and not needed")),
        FileState::Present { profiles, exposed } => {
            let exposed = if *exposed { ", holds a secret that other users can read" } else { "" };
            let holds = match profiles.as_slice() {
                [] => String::new(),
                profiles => format!("; profiles: {}", profiles.join(", ")),
            };
            let mode = mode.map(|mode| format!(", mode {mode:04o}")).unwrap_or_default();
            Finding::fine(item, format!("{place}: present{mode}{exposed}{holds}")).fact("profiles", profiles.clone())
        }
        FileState::Wrong(error) if item == "vendor file" => {
            Finding::note(item, error.to_string()).advise("it matters only where one of its profiles is used")
        }
        FileState::Wrong(error) => wrong(item, error),
    };
    let finding = finding.fact("path", place).fact("mode", mode.map(|mode| format!("{mode:04o}")));
    let changeable = mode.is_some_and(|mode| mode & 0o022 != 0);
    let exposed = matches!(state, FileState::Present { exposed: true, .. });
    if finding.state != State::Fine || !(changeable || exposed) {
        return finding;
    }
    let text = if changeable { format!("{}; other users can change it", finding.text) } else { finding.text };
    Finding { state: State::Note, text, ..finding }.advise(format!("run chmod 600 {}", path.display()))
}

fn profile(survey: &Survey) -> Finding {
    match &survey.profile {
        Ok(Some(profile)) => Finding::fine("profile", &profile.value).from(&profile.source),
        Ok(None) => Finding::fine("profile", "none"),
        // What is wrong with a file stands in the file's row; without a profile from it nothing works.
        Err(SettingsError::Toml { path, .. } | SettingsError::Unreadable { path, .. }) => {
            Finding::problem("profile", Exit::Refused, format!("cannot be settled before {} is mended", path.display()))
        }
        Err(SettingsError::Price { .. }) => {
            Finding::problem("profile", Exit::Refused, "cannot be settled before the prices are mended")
        }
        Err(error) => wrong("profile", error),
    }
}

fn base_url(survey: &Survey) -> Finding {
    match &survey.base_url {
        None => unsettled("base URL"),
        Some(Err(error)) => wrong("base URL", error).advise(format!(
            "set it by --base-url, {BASE_URL_VARIABLE} or the profile; the API's own is {DEFAULT_BASE_URL}"
        )),
        Some(Ok(url)) => {
            Finding::fine("base URL", url.value.as_str()).from(&url.source).fact("url", url.value.as_str())
        }
    }
}

fn credentials(survey: &Survey) -> Finding {
    match &survey.credentials {
        None => unsettled("credentials"),
        Some(Err(error)) => wrong("credentials", error),
        Some(Ok(credentials)) => {
            let mask = masked(&credentials.value);
            let others: Vec<String> = survey.passed_over.iter().map(ToString::to_string).collect();
            let text = match others.as_slice() {
                [] => mask.clone(),
                others => format!("{mask}; set as well and not used: {}", others.join(", ")),
            };
            Finding::fine("credentials", text).from(&credentials.source).fact("masked", mask)
        }
    }
}

fn customer(survey: &Survey) -> Finding {
    match &survey.customer_id {
        None => unsettled("customer"),
        Some(Err(error)) => wrong("customer", error),
        Some(Ok(None)) => Finding::fine("customer", "none; calls are attributed to nobody"),
        Some(Ok(Some(customer))) => Finding::fine("customer", &customer.value).from(&customer.source),
    }
}

fn proxy(flags: &Flags, base_url: Option<&BaseUrl>) -> Finding {
    if flags.no_proxy {
        return Finding::fine("proxy", "not used").from("--no-proxy");
    }
    if base_url.is_some_and(BaseUrl::is_loopback) {
        return Finding::fine("proxy", "not used: the server is on this machine");
    }
    let set = proxy_variable();
    let Some(base_url) = base_url else {
        return match set {
            None => Finding::fine("proxy", "none that the environment names"),
            Some((name, value)) => {
                Finding::note("proxy", format!("{value}, unless NO_PROXY names the host")).from(name)
            }
        };
    };
    match (base_url.system_proxy(), set) {
        (None, None) => Finding::fine("proxy", "none that the environment names"),
        (None, Some((name, _))) => {
            Finding::fine("proxy", "not used: NO_PROXY names the host, or it is for others").from(name)
        }
        (Some(proxy), set) => {
            let finding = Finding::note("proxy", proxy).advise("if the server cannot be reached, try --no-proxy");
            match set {
                Some((name, _)) => finding.from(name),
                None => finding.from("the system's settings"),
            }
        }
    }
}

/// The first variable that names a proxy, and the proxy without the password that may stand in it.
fn proxy_variable() -> Option<(&'static str, String)> {
    let set = |name: &'static str| Some((name, std::env::var(name).ok().filter(|value| !value.trim().is_empty())?));
    PROXY_VARIABLES.into_iter().find_map(set).map(|(name, value)| (name, without_user(&value)))
}

fn without_user(proxy: &str) -> String {
    let (scheme, rest) = proxy.split_once("://").map_or(("", proxy), |(scheme, rest)| (scheme, rest));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let separator = if scheme.is_empty() { "" } else { "://" };
    without_secrets(&format!("{scheme}{separator}{host}"))
}

fn encryption(base_url: Option<&BaseUrl>) -> Finding {
    match base_url {
        None => unsettled("encryption"),
        Some(url) if url.is_https() => Finding::fine("encryption", "https"),
        Some(url) if url.is_loopback() => Finding::fine("encryption", "plain http, to this machine only"),
        Some(_) => Finding::note("encryption", "none: the key travels in clear")
            .from("--allow-http")
            .advise("use https where the server offers it"),
    }
}

/// Whom certificates are trusted from.
fn authorities(survey: &Survey) -> Finding {
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let system = match ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().copied().find(set) {
        Some(name) => format!("those of {name}, in place of the system's"),
        None => "the system's".to_owned(),
    };
    match &survey.roots {
        Err(error) => wrong("authorities", error),
        Ok(roots) if roots.is_empty() => Finding::fine("authorities", system),
        Ok(roots) => Finding::fine("authorities", format!("{system}, and {} of --ca-file or ca_file", roots.len())),
    }
    .fact("extra", survey.roots.as_ref().map_or(0, Roots::len))
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_shown_without_its_user_and_password() {
        assert_eq!(without_user("http://me:hunter2@proxy.example:3128"), "http://proxy.example:3128");
        assert_eq!(without_user("me:hunt@er2@proxy.example"), "proxy.example");
        assert_eq!(without_user("socks5://proxy.example"), "socks5://proxy.example");
    }
}
