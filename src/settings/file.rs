//! The two configuration files as types, and their errors with line and column.
//!
//! The rule that must stay true: what a parser says about a value is shown without the value, which may be a secret.

use std::path::PathBuf;

use indexmap::IndexMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{SettingsError, TextFile};

/// What a model costs, as the operator says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US cents for a million input tokens.
    pub input_cents_per_million: f64,
    /// US cents for a million output tokens.
    pub output_cents_per_million: f64,
}

/// Our own file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnConfig {
    pub(super) current_profile: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) journal: Option<bool>,
    #[serde(default)]
    profiles: IndexMap<String, OwnProfile>,
    #[serde(default)]
    pub(super) prices: IndexMap<String, Price>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnProfile {
    api_key: Option<SecretString>,
    token: Option<SecretString>,
    base_url: Option<String>,
    customer_id: Option<String>,
}

/// The vendor's file, as far as we need it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct VendorConfig {
    pub(super) current_profile: Option<String>,
    #[serde(default)]
    pub(super) profiles: IndexMap<String, Profile>,
}

/// A server and what it is shown.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Profile {
    pub(super) api_key: Option<SecretString>,
    pub(super) token: Option<SecretString>,
    pub(super) base_url: Option<String>,
    /// Ours only: the vendor's file has no such field, and one that it may have one day is not known to mean this.
    #[serde(skip)]
    pub(super) customer_id: Option<String>,
}

impl Profile {
    /// Whether it holds a key or a token.
    pub(super) fn has_credential(&self) -> bool {
        let is_given = |secret: &SecretString| !secret.expose_secret().trim().is_empty();
        [&self.api_key, &self.token].into_iter().flatten().any(is_given)
    }
}

impl OwnConfig {
    pub(super) fn read(file: &TextFile) -> Result<Self, SettingsError> {
        let config: Self = parse(file)?;
        for (model, price) in &config.prices {
            let reason = if !has_two_parts(model) {
                "is not under a name like \"anthropic/claude-sonnet-4-5\""
            } else if [price.input_cents_per_million, price.output_cents_per_million]
                .iter()
                .any(|cents| !cents.is_finite() || *cents < 0.0)
            {
                "must be finite and not negative"
            } else {
                continue;
            };
            return Err(SettingsError::Price { path: file.path.clone(), model: model.clone(), reason });
        }
        Ok(config)
    }

    pub(super) fn profile(&self, name: &str) -> Option<Profile> {
        let OwnProfile { api_key, token, base_url, customer_id } = self.profiles.get(name)?;
        Some(Profile {
            api_key: api_key.clone(),
            token: token.clone(),
            base_url: base_url.clone(),
            customer_id: customer_id.clone(),
        })
    }

    pub(super) fn profile_names(&self) -> impl Iterator<Item = &String> {
        self.profiles.keys()
    }
}

impl VendorConfig {
    pub(super) fn read(file: &TextFile) -> Result<Self, SettingsError> {
        parse(file)
    }
}

fn has_two_parts(model: &str) -> bool {
    model.split_once('/').is_some_and(|(provider, name)| !provider.trim().is_empty() && !name.trim().is_empty())
}

fn parse<T: DeserializeOwned>(file: &TextFile) -> Result<T, SettingsError> {
    let text = text_of(file)?;
    toml::from_str(text).map_err(|error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        SettingsError::Toml { path: file.path.clone(), line, column, message: without_values(error.message()) }
    })
}

/// The file's text.
pub(super) fn text_of(file: &TextFile) -> Result<&str, SettingsError> {
    match &file.text {
        Ok(text) => Ok(text.expose_secret()),
        Err(reason) => Err(SettingsError::Unreadable { path: file.path.clone(), reason: reason.clone() }),
    }
}

/// The line and the column, in characters, of the byte `offset`, both counted from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// A parser quotes the value that it did not expect: `invalid type: string "mr_sk_…", expected a map`.
fn without_values(message: &str) -> String {
    let one_line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown = String::new();
    let mut rest = one_line.as_str();
    while let Some((before, after)) = rest.split_once('"') {
        shown.push_str(before);
        shown.push_str("\"…\"");
        // An inner quote is escaped as \", which ends the value too early but shows only what follows the last quote.
        rest = after.rsplit_once('"').map_or("", |(_, rest)| rest);
    }
    shown.push_str(rest);
    let hidden = |word: &str| ["mr_sk_", "mr_pk_", "eyJ"].iter().any(|secret| word.contains(secret));
    shown.split(' ').map(|word| if hidden(word) { "…" } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters_from_one() {
        assert_eq!(place("é = 1\nöö = x", 0), (1, 1));
        assert_eq!(place("é = 1\nöö = x", "é = 1\nöö = ".len()), (2, 6));
        assert_eq!(place("a", 99), (1, 2));
    }

    #[test]
    fn a_quoted_value_is_not_shown_however_it_is_written() {
        assert_eq!(
            without_values(r#"invalid type: string "mr_sk_1 \" 2", expected a map"#).matches("mr_sk").count(),
            0
        );
        assert_eq!(
            without_values(r#"invalid type: string "se\"cret", expected a map"#),
            r#"invalid type: string "…", expected a map"#
        );
        assert_eq!(without_values("unknown field `mr_sk_1`, expected `api_key`"), "unknown field … expected `api_key`");
    }
}
