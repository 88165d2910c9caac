//! What every request passes on its way in and every answer on its way out.
//!
//! Owns who is let in, the request's id, the date, and the body of an error. Rule: an answer leaves with
//! `X-ModelRelay-Request-Id` and `Date`, and an error leaves as JSON, whoever made it.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;

use super::Server;
use super::error::ApiError;
use super::inject;

/// The header of a request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-modelrelay-request-id");
const API_KEY: HeaderName = HeaderName::from_static("x-modelrelay-api-key");

/// The longest request id that a client may choose, in bytes; a longer one is replaced, as one that is no text is.
const LONGEST_REQUEST_ID: usize = 256;

/// The id of the request that is being answered.
#[derive(Clone)]
pub(super) struct RequestLabel {
    value: HeaderValue,
    /// Whether the client chose it: only then can it come a second time.
    chosen: bool,
}

impl RequestLabel {
    fn of(headers: &HeaderMap) -> Self {
        let usable =
            |id: &&HeaderValue| id.len() <= LONGEST_REQUEST_ID && id.to_str().is_ok_and(|text| !text.trim().is_empty());
        let sent = headers.get(&REQUEST_ID).filter(usable).cloned();
        let chosen = sent.is_some();
        let value = sent.or_else(|| HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).ok());
        Self { value: value.unwrap_or_else(|| HeaderValue::from_static("unknown")), chosen }
    }

    /// The id that the client chose, under which it may ask again.
    pub(super) fn chosen(&self) -> Option<&str> {
        self.value.to_str().ok().filter(|_| self.chosen)
    }

    /// The id as bodies repeat it.
    pub(super) fn value(&self) -> &HeaderValue {
        &self.value
    }
}

/// Lets in whoever has the key, and labels every answer.
pub(super) async fn guard(State(server): State<Server>, mut request: Request, next: Next) -> Response {
    let label = RequestLabel::of(request.headers());
    request.extensions_mut().insert(label.clone());
    let mut response = match check_credentials(&server, request.headers()) {
        Ok(()) => inject::answer(&server, &label, request, next).await,
        Err(error) => error.into_response(),
    };
    if response.extensions().get::<inject::Spoiled>().is_none() {
        write_error(&mut response, &label);
    }
    let hostile = response.extensions_mut().remove::<inject::HostileHeaders>();
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, label.value);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&server.world.now());
    if let Some(date) = date.ok().and_then(|date| HeaderValue::from_str(&date).ok()) {
        headers.insert(header::DATE, date);
    }
    if hostile.is_some() {
        inject::HostileHeaders::apply(headers);
    }
    response
}

/// Gives an error its body, where it has none yet.
pub(super) fn write_error(response: &mut Response, label: &RequestLabel) {
    let error = response.extensions_mut().remove::<ApiError>().or_else(|| {
        // What the web framework refuses by itself, such as a path that cannot be decoded.
        let by_framework = response.status().is_client_error() && !is_json(response);
        by_framework.then(|| ApiError::refused(response.status()))
    });
    if let Some(error) = error {
        *response.body_mut() = error.body(&label.value).into();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
}

fn is_json(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn check_credentials(server: &Server, headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(&header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    match text(&API_KEY).or(bearer).map(str::trim) {
        None | Some("") => Err(ApiError::unauthorized("no credentials: send X-ModelRelay-Api-Key")),
        Some(key) if key == server.api_key.expose_secret() => Ok(()),
        Some(key) if key.starts_with("mr_pk_") => {
            Err(ApiError::forbidden("a publishable key may not call runs; use a secret key"))
        }
        Some(_) => Err(ApiError::unauthorized("this key is not known here")),
    }
}
