//! The address that every request goes to, checked once.
//!
//! Rule: only a URL that passed [`BaseUrl::parse`] is ever called, its own path prefix is kept, and whatever is
//! joined to it is percent-encoded, so that nothing from a server or an operator becomes another path.

use std::fmt;
use std::net::IpAddr;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use crate::api::error::SettingError;

/// The API's published address.
pub const DEFAULT_BASE_URL: &str = "https://api.modelrelay.ai/api/v1";

/// A checked base URL.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads a base URL. Plain http is taken for this machine only, unless `allow_http`.
    ///
    /// # Errors
    /// When it is not an http or https URL, carries credentials or a key, a query or a fragment, or is refused plain http.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, SettingError> {
        let refuse = |reason: &str| SettingError::BaseUrl { reason: reason.to_owned() };
        let url = Url::parse(text.trim()).map_err(|error| refuse(&format!("cannot be read ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse(&format!("has the scheme {}, not https", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("holds a user name or a password, which do not belong there"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("has a query or a fragment, which do not belong there"));
        }
        if ["mr_sk_", "mr_pk_"].iter().any(|start| url.as_str().contains(start)) {
            return Err(refuse("holds a key, which does not belong there"));
        }
        let base = Self(url);
        if base.0.scheme() == "http" && !base.is_loopback() && !allow_http {
            return Err(SettingError::PlainHttp { host: base.host() });
        }
        Ok(base)
    }

    /// The URL of a path below it, given as segments, each percent-encoded.
    #[must_use]
    pub(super) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // An http URL always has a path to extend.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The host, with the port where it is not the scheme's own.
    #[must_use]
    pub fn host(&self) -> String {
        host_of(&self.0)
    }

    /// The host and the port that a connection goes to.
    #[must_use]
    pub fn address(&self) -> (String, u16) {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // An http URL always has a port, its scheme's own where none is written.
        (bare.to_owned(), self.0.port_or_known_default().unwrap_or_default())
    }

    /// Whether it names this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The proxy that the system's settings name for requests to it, `NO_PROXY` heard, without a user's name and
    /// password: found as the HTTP client finds it. This machine is reached through none, whatever they say.
    #[must_use]
    pub fn system_proxy(&self) -> Option<String> {
        if self.is_loopback() {
            return None;
        }
        let proxy = Matcher::from_system().intercept(&self.0.as_str().parse().ok()?)?;
        let proxy = Url::parse(&proxy.uri().to_string()).ok()?;
        Some(format!("{}://{}", proxy.scheme(), host_of(&proxy)))
    }

    /// Whether requests are encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The URL as text, without a trailing slash: the same for every spelling of the same base.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

/// A URL's host, with the port where it is not the scheme's own.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_path_prefix_is_kept_and_segments_are_encoded() {
        for base in ["https://host/api/v1", "https://host/api/v1/"] {
            let url = BaseUrl::parse(base, false).unwrap();
            assert_eq!(
                url.join(&["runs", "a b/../c?d#e%"]).as_str(),
                "https://host/api/v1/runs/a%20b%2F..%2Fc%3Fd%23e%25"
            );
            assert_eq!(url.as_str(), "https://host/api/v1");
        }
        assert_eq!(
            BaseUrl::parse("http://127.0.0.1:8080", false).unwrap().join(&["runs"]).as_str(),
            "http://127.0.0.1:8080/runs"
        );
    }

    #[test]
    fn its_address_is_the_bare_host_and_the_port() {
        let address = |url| BaseUrl::parse(url, true).unwrap().address();
        assert_eq!(address("https://host/api"), ("host".to_owned(), 443));
        assert_eq!(address("http://[::1]:8080"), ("::1".to_owned(), 8080));
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_allowed() {
        for local in ["http://127.0.0.1:1/x", "http://127.8.0.1", "http://[::1]:1", "http://LOCALHOST"] {
            assert!(BaseUrl::parse(local, false).is_ok(), "{local}");
        }
        for foreign in
            ["http://example.com", "http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1"]
        {
            assert!(matches!(BaseUrl::parse(foreign, false), Err(SettingError::PlainHttp { .. })), "{foreign}");
            assert!(BaseUrl::parse(foreign, true).is_ok(), "{foreign}");
        }
    }

    #[test]
    fn a_refused_url_says_why_and_never_repeats_a_password() {
        for (url, phrase) in [
            ("https://user:hunter2@host/", "user name or a password"),
            ("https://host/?key=hunter2", "a query"),
            ("https://host/#hunter2", "a fragment"),
            ("https://host/mr_sk_hunter2/v1", "holds a key"),
            ("ftp://host/", "the scheme ftp"),
            ("api.modelrelay.ai", "cannot be read"),
            ("", "cannot be read"),
        ] {
            let message = BaseUrl::parse(url, true).unwrap_err().to_string();
            assert!(message.contains(phrase), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
