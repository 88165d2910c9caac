//! Reads the body of an error answer, in every shape that servers have been seen to send (`wire/README.md`,
//! "Errors").
//!
//! Rule: any body gives an error; what cannot be read as one of the shapes is kept as text, cut to a bound.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::StatusError;
use crate::api::plan::Issue;

/// How many characters of a body without a shape are kept as its message.
const TEXT_KEPT: usize = 500;

/// A field of the request that the server finds wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field, where the server names it.
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl StatusError {
    /// Reads an error answer. `request_id` is what its headers say; the body's own stands in for it.
    pub(in crate::api) fn read(
        status: u16,
        body: &str,
        request_id: Option<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        let mut error = Self {
            status,
            code: None,
            message: String::new(),
            fields: Vec::new(),
            issues: Vec::new(),
            request_id,
            retry_after,
            attempts: 1,
        };
        match serde_json::from_str::<Value>(body) {
            Ok(Value::Object(body)) => error.take_shape(&body),
            _ => error.message = plain(body),
        }
        error
    }

    /// The same with every text that the server chose rewritten.
    pub(in crate::api) fn with_words(mut self, rewrite: impl Fn(String) -> String) -> Self {
        let fields = self.fields.iter_mut().flat_map(|field| field.field.iter_mut().chain([&mut field.message]));
        let issues = self.issues.iter_mut();
        let issues = issues.flat_map(|issue| [&mut issue.code, &mut issue.path, &mut issue.message]);
        let words = self.code.iter_mut().chain(&mut self.request_id).chain([&mut self.message]);
        for text in words.chain(fields).chain(issues) {
            *text = rewrite(std::mem::take(text));
        }
        self
    }

    fn take_shape(&mut self, body: &serde_json::Map<String, Value>) {
        let nested = body.get("error").and_then(Value::as_object);
        let from = nested.unwrap_or(body);
        self.code = text(from, "code").or_else(|| text(body, "code"));
        self.message = text(from, "message")
            .or_else(|| text(body, "message"))
            .or_else(|| text(body, "error"))
            .or_else(|| text(body, "detail"))
            .unwrap_or_default();
        if self.request_id.is_none() {
            self.request_id = text(body, "request_id").or_else(|| text(from, "request_id"));
        }
        let list = |name: &str| from.get(name).or_else(|| body.get(name)).and_then(Value::as_array);
        self.fields = list("fields").map(|fields| fields.iter().filter_map(field).collect()).unwrap_or_default();
        self.issues = list("issues").map(|issues| issues.iter().map(issue).collect()).unwrap_or_default();
        if self.message.is_empty() && self.issues.is_empty() && self.fields.is_empty() && self.code.is_none() {
            self.message = plain(&Value::Object(body.clone()).to_string());
        }
    }
}

fn text(object: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    let value = object.get(name)?;
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn field(value: &Value) -> Option<FieldError> {
    match value {
        Value::Object(object) => {
            Some(FieldError { field: text(object, "field"), message: text(object, "message").unwrap_or_default() })
        }
        Value::String(message) => Some(FieldError { field: None, message: message.clone() }),
        _ => None,
    }
}

fn issue(value: &Value) -> Issue {
    let Value::Object(object) = value else {
        let message = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Issue { code: String::new(), path: String::new(), message };
    };
    let part = |name| text(object, name).unwrap_or_default();
    Issue { code: part("code"), path: part("path"), message: part("message") }
}

/// A body without a shape, in words. A page for browsers, as proxies send it, is named and not repeated.
fn plain(body: &str) -> String {
    let body = body.trim();
    if body.starts_with('<') {
        return "a web page, not an answer of the API".to_owned();
    }
    let mut kept: String = body.chars().take(TEXT_KEPT).collect();
    if kept.len() < body.len() {
        kept.push('…');
    }
    kept
}

/// Reads a `Retry-After` header: whole seconds, or a date held against `now`. `None` when it is neither.
pub(in crate::api) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = http_date(value)?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// Reads an HTTP date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(in crate::api) fn http_date(value: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(value.trim()).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> StatusError {
        StatusError::read(400, body, None, None)
    }

    #[test]
    fn the_nested_shape_is_read_with_its_fields_and_request_id() {
        let error = read(
            r#"{"error":{"code":"VALIDATION_ERROR","message":"bad","fields":[{"field":"step","message":"wrong"},{"message":"x"}],"status":400},"request_id":"q"}"#,
        );
        assert_eq!(
            (error.code.as_deref(), error.message.as_str(), error.request_id.as_deref()),
            (Some("VALIDATION_ERROR"), "bad", Some("q"))
        );
        assert_eq!(
            error.fields,
            [
                FieldError { field: Some("step".into()), message: "wrong".into() },
                FieldError { field: None, message: "x".into() }
            ]
        );
    }

    #[test]
    fn the_flat_shapes_are_read() {
        let three = read(r#"{"error":"bad_request","code":"INVALID_INPUT","message":"no"}"#);
        assert_eq!((three.code.as_deref(), three.message.as_str()), (Some("INVALID_INPUT"), "no"));
        let message = read(r#"{"message":"gone"}"#);
        assert_eq!((message.code, message.message.as_str()), (None, "gone"));
        assert_eq!(read(r#"{"error":"only this"}"#).message, "only this");
    }

    #[test]
    fn issues_are_read_and_shown_with_their_place() {
        let error = read(r#"{"issues":[{"code":"unknown_node","path":"nodes[1]","message":"no node x"}]}"#);
        assert_eq!(error.to_string(), "the server refuses the request (400); nodes[1]: unknown_node: no node x");
    }

    #[test]
    fn text_an_empty_body_and_a_web_page_give_an_error_too() {
        assert_eq!(read("upstream gone\n").message, "upstream gone");
        assert_eq!(read("").message, "");
        assert_eq!(read("<html>…").message, "a web page, not an answer of the API");
        assert_eq!(read("[1]").message, "[1]");
        assert_eq!(read(&"é".repeat(2000)).message.chars().count(), TEXT_KEPT + 1);
        assert_eq!(read(r#"{"odd":1}"#).message, r#"{"odd":1}"#);
    }

    #[test]
    fn a_header_id_wins_over_the_body_s() {
        let error = StatusError::read(500, r#"{"message":"m","request_id":"body"}"#, Some("header".into()), None);
        assert_eq!(error.request_id.as_deref(), Some("header"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
