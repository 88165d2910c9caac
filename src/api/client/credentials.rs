//! Who calls: a secret key or a token. Rule: it is shown nowhere, neither by `Debug` nor in any error.

use std::fmt;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::api::error::SettingError;

/// The header that carries a secret key (`wire/README.md`, "Base URL, credentials, headers").
const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-modelrelay-api-key");

/// Secrets shorter than this are not searched for in what a server says: they would blank out common words.
const REDACTED_FROM: usize = 8;

/// What authorises a request.
#[derive(Clone)]
pub enum Credentials {
    /// A secret key, `mr_sk_…`.
    ApiKey(SecretString),
    /// A customer's or an account's token.
    Token(SecretString),
}

impl Credentials {
    /// Takes a secret key; white space around it is dropped.
    ///
    /// # Errors
    /// When it is empty, is a publishable key, or cannot be sent in a header.
    pub fn api_key(key: &str) -> Result<Self, SettingError> {
        check(key, "API key").map(Self::ApiKey)
    }

    /// Takes a token; white space around it is dropped.
    ///
    /// # Errors
    /// When it is empty, is a publishable key, or cannot be sent in a header.
    pub fn token(token: &str) -> Result<Self, SettingError> {
        check(token, "token").map(Self::Token)
    }

    /// The header that carries it, marked sensitive.
    pub(super) fn header(&self) -> Result<(HeaderName, HeaderValue), SettingError> {
        let (name, text, what) = match self {
            Self::ApiKey(key) => (API_KEY_HEADER, key.expose_secret().to_owned(), "API key"),
            Self::Token(token) => (AUTHORIZATION, format!("Bearer {}", token.expose_secret()), "token"),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| SettingError::Unsendable(what))?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// `text` with the secret blanked out: a server may repeat it in what it says.
    pub(super) fn redact(&self, text: String) -> String {
        match self.redacted(&text) {
            Some(redacted) => redacted,
            None => text,
        }
    }

    /// The same for a header's value.
    pub(super) fn redact_header(&self, value: &mut HeaderValue) {
        let redacted = value.to_str().ok().and_then(|text| self.redacted(text));
        if let Some(redacted) = redacted.and_then(|text| HeaderValue::from_str(&text).ok()) {
            *value = redacted;
        }
    }

    /// `None` where there is nothing to blank out.
    fn redacted(&self, text: &str) -> Option<String> {
        let (Self::ApiKey(secret) | Self::Token(secret)) = self;
        let secret = secret.expose_secret();
        let holds_it = secret.len() >= REDACTED_FROM && text.contains(secret);
        holds_it.then(|| text.replace(secret, "[credentials]"))
    }
}

fn check(text: &str, what: &'static str) -> Result<SecretString, SettingError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(SettingError::MissingCredentials);
    }
    if text.starts_with("mr_pk_") {
        return Err(SettingError::PublishableKey);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SettingError::Unsendable(what));
    }
    Ok(SecretString::from(text))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKey(_) => "ApiKey([hidden])",
            Self::Token(_) => "Token([hidden])",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "mr_sk_0123456789";

    #[test]
    fn a_key_and_a_token_go_in_their_own_headers_and_print_nothing() {
        let key = Credentials::api_key(&format!(" {KEY}\n")).unwrap();
        let (name, value) = key.header().unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-modelrelay-api-key", KEY));
        let token = Credentials::token(KEY).unwrap();
        let (name, value) = token.header().unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", format!("Bearer {KEY}").as_str()));
        let shown = format!("{key:?} {token:?} {value:?}");
        assert!(!shown.contains("0123456789"), "{shown}");
    }

    #[test]
    fn a_publishable_an_empty_and_an_unsendable_key_are_refused_without_repeating_them() {
        assert_eq!(Credentials::api_key("mr_pk_012345").unwrap_err(), SettingError::PublishableKey);
        assert_eq!(Credentials::token("mr_pk_012345").unwrap_err(), SettingError::PublishableKey);
        assert_eq!(Credentials::api_key(" ").unwrap_err(), SettingError::MissingCredentials);
        let message = Credentials::api_key("mr_sk_01\r\nX-Evil: 1").unwrap_err().to_string();
        assert!(message.contains("line break") && !message.contains("Evil"), "{message}");
    }

    #[test]
    fn a_secret_that_a_server_repeats_is_blanked_out() {
        let key = Credentials::api_key(KEY).unwrap();
        assert_eq!(key.redact(format!("invalid key {KEY}!")), "invalid key [credentials]!");
    }
}
