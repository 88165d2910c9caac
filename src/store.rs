//! What survives on disk: drafts (and, later, journal and intents).
//!
//! `$XDG_STATE_HOME/relay-console/<hash of base URL>/<run_id>/`, directories 0700, files 0600. Nothing that a server
//! says becomes part of a path: a draft's file is named by a hash of its key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::tool::CallKey;

/// What an operator has typed for one call, as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The call that it answers.
    pub key: CallKey,
    /// The tool's name, for people who find the file.
    pub tool: String,
    /// The text, byte for byte.
    pub text: String,
    /// Whether the text is an error result.
    pub is_error: bool,
    /// When it was last saved.
    pub saved_at: Timestamp,
}
