//! What an operator has typed, with what is known of it: is it JSON, does it hold hidden characters.
//!
//! Rule: both are found out once, when the text changes. Frames are drawn far more often, and a text may be half a
//! megabyte long.

use std::ops::Deref;

use super::inert;
use super::json::{self, Invalid};

/// A text and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftText {
    text: String,
    json: Result<(), Invalid>,
    hidden: usize,
}

impl DraftText {
    /// Looks through a text, once.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self { json: json::check(&text), hidden: inert::count_hidden(&text), text }
    }

    /// Whether the whole text is one JSON value; if not, where it is not.
    ///
    /// # Errors
    /// With the first place where it is not.
    pub fn json(&self) -> Result<(), Invalid> {
        self.json.clone()
    }

    /// How many characters of it cannot be seen.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.hidden
    }
}

impl Deref for DraftText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl From<&str> for DraftText {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}
