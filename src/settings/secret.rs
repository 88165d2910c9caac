//! How a secret may be shown, and how one that stands where none belongs is kept from being shown.
//!
//! The rule that must stay true: of a secret at most its kind and its last four characters are shown.

use secrecy::ExposeSecret;

use crate::api::client::Credentials;

/// Shorter secrets show no end: four characters of them would be a good part of the whole.
const TAIL_FROM: usize = 20;

/// How secrets begin: keys of both kinds, and tokens (JSON in Base64).
const STARTS: [&str; 3] = ["mr_sk_", "mr_pk_", "eyJ"];

/// Credentials as they may be shown: of what kind, and how they end, so that two can be told apart and none be used.
#[must_use]
pub fn masked(credentials: &Credentials) -> String {
    let (kind, secret) = match credentials {
        Credentials::ApiKey(secret) => ("key", secret.expose_secret()),
        Credentials::Token(secret) => ("token", secret.expose_secret()),
    };
    let start = if secret.starts_with("mr_sk_") { "mr_sk_" } else { "" };
    let end = secret.char_indices().nth_back(3).map_or("", |(at, _)| &secret[at..]);
    let end = if secret.chars().count() >= TAIL_FROM { end } else { "" };
    format!("{kind} {start}…{end}")
}

/// A text without what looks like a secret in it: someone has put a key where a URL or a name belongs.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((at, start)) = STARTS.iter().filter_map(|start| Some((rest.find(start)?, *start))).min() {
        let after = &rest[at + start.len()..];
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.+/=".contains(c))).unwrap_or(after.len());
        shown.push_str(&rest[..at + start.len()]);
        shown.push_str(if end > 0 { "…" } else { "" });
        rest = &after[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_secret_shows_its_kind_and_at_most_its_last_four_characters() {
        let key = |text: &str| masked(&Credentials::ApiKey(text.into()));
        assert_eq!(key("mr_sk_0123456789abcdefc4f2"), "key mr_sk_…c4f2");
        assert_eq!(key("mr_sk_0123456789"), "key mr_sk_…");
        assert_eq!(key("0123456789abcdefc4f2"), "key …c4f2");
        assert_eq!(key(""), "key …");
        assert_eq!(masked(&Credentials::Token("eyJhbGciOiJIUzI1NiJ9.e30.abcdé".into())), "token …bcdé");
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_shown_and_a_mask_stays() {
        assert_eq!(without_secrets("https://mr_sk_0123.example/x"), "https://mr_sk_…");
        assert_eq!(without_secrets("\"mr_pk_1\" and eyJhbGci.e30.x, gone"), "\"mr_pk_…\" and eyJ…, gone");
        for as_it_was in ["", "key mr_sk_…c4f2", "a key that starts with mr_sk_)", "é"] {
            assert_eq!(without_secrets(as_it_was), as_it_was);
        }
    }
}
