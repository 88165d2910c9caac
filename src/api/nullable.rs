//! Fields that a server may leave out, or write as `null`: both mean the same.

use serde::{Deserialize, Deserializer};

/// Reads `null` as the type's default. Use it together with `default`.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
