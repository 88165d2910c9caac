//! Ids as they stand on the wire, each its own type, so that one cannot be given in place of another.
//!
//! Two strictnesses, on purpose. `parse` is for what people and files of ours say, and enforces the published
//! patterns (`wire/README.md`, "Statuses … Ids"). Reading from a server refuses only what could not work as an
//! id at all (empty, nil, over 256 bytes where the API bounds it): a new spelling must not hide a node.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Why a text is not an id. The message says what was expected and what stood there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {reason}: {text:?}")]
pub struct IdError {
    what: &'static str,
    reason: &'static str,
    text: String,
}

impl IdError {
    /// `text` is cut to 80 characters, so that a pasted file does not become an error message.
    fn new(what: &'static str, reason: &'static str, text: &str) -> Self {
        Self { what, reason, text: text.chars().take(80).collect() }
    }
}

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Reads the id from text.
            ///
            /// # Errors
            /// When the text is not a UUID, or is the nil UUID.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let uuid = Uuid::parse_str(text.trim())
                    .map_err(|_| IdError::new($what, "is not a UUID (like 550e8400-e29b-41d4-a716-446655440000)", text))?;
                Self::from_uuid(uuid).ok_or_else(|| IdError::new($what, "is the nil UUID, which names nothing", text))
            }

            /// Wraps a UUID; `None` when it is nil.
            #[must_use]
            pub fn from_uuid(uuid: Uuid) -> Option<Self> {
                (!uuid.is_nil()).then_some(Self(uuid))
            }

            /// Takes what a server sent; `None` when it is no UUID, or nil.
            #[must_use]
            pub fn from_wire(text: &str) -> Option<Self> {
                Self::from_uuid(Uuid::parse_str(text).ok()?)
            }

            /// A fresh random id (version 4).
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The first eight hex digits: enough for a person to tell two ids apart.
            #[must_use]
            pub fn short(&self) -> String {
                let mut text = self.0.simple().to_string();
                text.truncate(8);
                text
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let uuid = Uuid::deserialize(deserializer)?;
                Self::from_uuid(uuid).ok_or_else(|| serde::de::Error::custom(concat!($what, " is the nil UUID")))
            }
        }
    };
}

uuid_id!(
    /// A run's id. Never nil.
    RunId,
    "run id"
);
uuid_id!(
    /// The id of one LLM request within a run; the server's key, with node and step, of a pending step. Never nil.
    RequestId,
    "request id"
);

uuid_id!(
    /// A session's id, which runs can be linked to. Never nil.
    SessionId,
    "session id"
);

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident, $what:literal, $max_bytes:expr, $valid:expr, $expected:literal) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads the id from text, enforcing the published form.
            ///
            /// # Errors
            /// When the text is empty, too long, or not of the published form.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Self::from_wire(text).ok_or_else(|| IdError::new($what, $expected, text))
                } else {
                    Err(IdError::new($what, $expected, text))
                }
            }

            /// Takes what a server sent, letter for letter; `None` when it is empty or over the length bound.
            #[must_use]
            pub fn from_wire(text: &str) -> Option<Self> {
                (!text.is_empty() && text.len() <= $max_bytes).then(|| Self(text.into()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a string")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::from_wire(text).ok_or_else(|| E::custom(concat!($what, " is empty or too long")))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

text_id!(
    /// A workflow node's id, such as `collect_logs`.
    NodeId,
    "node id",
    // The API says 64; fan-out items are known to be qualified by servers, so reading leaves room.
    256,
    |text| text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
    "must start with a lowercase letter and hold at most 64 of a-z, 0-9 and _"
);
text_id!(
    /// A tool call's id: opaque, up to 256 characters, preserved exactly.
    CallId,
    "tool call id",
    1024,
    |text| (1..=256).contains(&text.chars().count()),
    "must have 1 to 256 characters"
);
text_id!(
    /// A tool's name, such as `fs.search`. Any non-empty name is read (`wire/README.md` explains why).
    ToolName,
    "tool name",
    1024,
    |text| (1..=128).contains(&text.chars().count()),
    "must have 1 to 128 characters"
);
text_id!(
    /// The hash of a compiled plan: 64 lowercase hex digits.
    PlanHash,
    "plan hash",
    256,
    |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
    "must be 64 lowercase hex digits"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nil_or_malformed_run_id_is_refused_and_the_message_says_why() {
        let nil = RunId::parse("00000000-0000-0000-0000-000000000000").unwrap_err();
        assert!(nil.to_string().contains("nil"), "{nil}");
        let malformed = RunId::parse("run-17").unwrap_err();
        assert!(malformed.to_string().contains("is not a UUID"), "{malformed}");
        assert!(malformed.to_string().contains("run-17"), "{malformed}");
    }

    #[test]
    fn an_id_from_the_wire_is_kept_letter_for_letter() {
        let id: CallId = serde_json::from_str("\"call/\\u00e9 {1}\"").unwrap();
        assert_eq!(id.as_str(), "call/é {1}");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"call/é {1}\"");
    }

    #[test]
    fn a_node_id_from_a_person_must_follow_the_published_pattern_and_one_from_a_server_need_not() {
        assert!(NodeId::parse("collect_logs2").is_ok());
        assert!(NodeId::parse("Collect").is_err());
        assert!(NodeId::parse("").is_err());
        assert_eq!(serde_json::from_str::<NodeId>("\"fan[0].sub\"").unwrap().as_str(), "fan[0].sub");
        assert!(serde_json::from_str::<NodeId>("\"\"").is_err());
    }

    #[test]
    fn a_plan_hash_is_64_lowercase_hex_digits() {
        assert!(PlanHash::parse(&"0a".repeat(32)).is_ok());
        assert!(PlanHash::parse(&"0A".repeat(32)).is_err());
        assert!(PlanHash::parse("0a").is_err());
    }
}
