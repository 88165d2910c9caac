//! Reading what stands behind the `?`.
//!
//! Rule: a parameter that is known must be right, and is refused by its name where it is not; others are ignored.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::error::ApiError;

/// The parameters of a request; of one that is given twice the last counts.
pub(super) type Parameters = HashMap<String, String>;

/// A parameter that is true or false; `None` where it is not given.
pub(super) fn flag(parameters: &Parameters, name: &str) -> Result<Option<bool>, ApiError> {
    match parameters.get(name).map(String::as_str) {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(ApiError::invalid(name, "must be true or false")),
    }
}

/// A parameter that is a number in a range; `None` where it is not given.
pub(super) fn number(parameters: &Parameters, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, ApiError> {
    let Some(text) = parameters.get(name) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (least, most) = (range.start(), range.end());
    let message = if *most == u64::MAX {
        format!("must be a number from {least}")
    } else {
        format!("must be a number from {least} to {most}")
    };
    number.map(Some).ok_or_else(|| ApiError::invalid(name, &message))
}
