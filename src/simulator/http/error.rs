//! Errors as the API words them: `{"error": {"code", "message", "fields"?, "status"}, "request_id"}`, and for what is
//! wrong with a spec `{"error", "code", "message", "issues": [{"code", "path", "message"}], "request_id"}`.
//!
//! Source: `wire/README.md`, "Errors".

use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

use super::super::engine::Refusal;
use crate::api::plan::Issue;

/// Why a request is not answered as it wished.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<String>,
    issues: Vec<Issue>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), field: None, issues: Vec::new() }
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
    }

    pub(super) fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "this path does not take that method")
    }

    pub(super) fn not_acceptable(message: &str) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
    }

    pub(super) fn conflict(message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "CONFLICT", message)
    }

    pub(super) fn too_many(message: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT", message)
    }

    /// A fault that was asked for.
    pub(super) fn fault(status: u16, message: &str) -> Self {
        let code = match status {
            401 => "UNAUTHORIZED",
            403 => "FORBIDDEN",
            404 => "NOT_FOUND",
            429 => "RATE_LIMIT",
            503 => "SERVICE_UNAVAILABLE",
            400..=499 => "INVALID_INPUT",
            _ => "INTERNAL",
        };
        Self::new(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, message)
    }

    /// A part of the simulator has panicked.
    pub(super) fn defect() -> Self {
        let message = "the simulator has a defect: it could not do this; please report the request";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message)
    }

    /// What is wrong with a spec, or with what a run of it was given.
    pub(super) fn issues(issues: Vec<Issue>) -> Self {
        let first = issues.first().map(|issue| format!("{}: {}", issue.path, issue.message)).unwrap_or_default();
        let message = match issues.len() {
            0 | 1 => first,
            count => format!("{count} issues, the first: {first}"),
        };
        Self { issues, ..Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", &message) }
    }

    /// A body that did not come, or not as far as `limit` bytes.
    pub(super) fn unreadable(rejection: &BytesRejection, limit: usize) -> Self {
        let (status, message) = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body has more than {limit} bytes, which is all that is read"),
            ),
            _ => (StatusCode::BAD_REQUEST, "the body broke off before its end".to_owned()),
        };
        Self::new(status, "INVALID_INPUT", &message)
    }

    /// Refused before any route has seen it.
    pub(super) fn refused(status: StatusCode) -> Self {
        let message = match status {
            StatusCode::BAD_REQUEST => "the path or the query cannot be decoded: percent-encoded UTF-8 is expected",
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
            _ => "the request cannot be read",
        };
        Self::new(status, "INVALID_INPUT", message)
    }

    /// The value of one field is wrong.
    pub(super) fn invalid(field: &str, message: &str) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", &format!("{field}: {message}"));
        Self { field: Some(field.to_owned()), ..error }
    }

    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The JSON body.
    pub(super) fn body(&self, request_id: &HeaderValue) -> Bytes {
        if !self.issues.is_empty() {
            return self.body_of_issues(request_id);
        }
        let mut error = json!({"code": self.code, "message": self.message, "status": self.status()});
        if let Some(field) = &self.field {
            error["fields"] = json!([{"field": field, "message": self.message}]);
        }
        let request_id = request_id.to_str().unwrap_or_default();
        json!({"error": error, "request_id": request_id}).to_string().into()
    }

    /// `issues` as the clients read them, in the flat form that the OpenAPI document gives the compiler's refusals.
    fn body_of_issues(&self, request_id: &HeaderValue) -> Bytes {
        let request_id = request_id.to_str().unwrap_or_default();
        let body = json!({"error": "the request was refused", "code": self.code, "message": self.message,
            "issues": self.issues, "request_id": request_id});
        body.to_string().into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid { field, message } => Self::invalid(&field, &message),
            Refusal::NotFound(message) => Self::not_found(&message),
            Refusal::Conflict(message) => Self::conflict(&message),
        }
    }
}

impl IntoResponse for ApiError {
    /// The body waits as an extension for the request's id, which only the outermost layer knows.
    fn into_response(self) -> Response {
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], Bytes::new()).into_response();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.extensions_mut().insert(self);
        response
    }
}
