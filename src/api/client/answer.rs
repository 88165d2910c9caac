//! Reads what a server answered: status first, then headers, then a bounded body.
//!
//! Rule: nothing but a 2xx answer of the right type becomes a value; everything else becomes an [`Error`] that names
//! what came instead.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::base_url::host_of;
use super::{ClientConfig, Reply};
use crate::api::error::{Error, StatusError, TransportError, http_date, retry_after};
use crate::api::ids::RunId;

/// The most that is read of an answer: 64 MiB. Snapshots carry outputs inline.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// The most that is read of an error answer: 64 KiB.
const ERROR_LIMIT: usize = 64 * 1024;

/// The longest wait for the body of an error answer.
const ERROR_PATIENCE: Duration = Duration::from_secs(5);

/// How many characters are kept of what cannot be read, from its beginning and from its end.
const HEAD: usize = 200;
const TAIL: usize = 100;

/// Reads a 2xx answer as JSON.
pub(super) async fn json<T: DeserializeOwned>(
    response: Response,
    config: &ClientConfig,
    what: &'static str,
) -> Result<Reply<T>, Error> {
    let mut response = accepted(response, config).await?;
    let host = config.base_url.host();
    let status = response.status().as_u16();
    let request_id = request_id(response.headers());
    let date = date(response.headers());
    let content_type = header(response.headers(), CONTENT_TYPE).unwrap_or_default().to_owned();
    let (body, whole) = body(&mut response, ANSWER_LIMIT, &host).await?;
    let unreadable = |cause: String| Error::Decode { what, cause, status, request_id: request_id.clone(), attempts: 1 };
    if !whole {
        return Err(unreadable(format!("it is longer than {ANSWER_LIMIT} bytes")));
    }
    match serde_json::from_slice(&body) {
        Ok(value) => Ok(Reply { value, body, request_id, date }),
        Err(_) if !content_type.is_empty() && !media_type(&content_type).ends_with("json") => {
            Err(Error::ContentType { host, expected: "application/json", got: content_type, request_id, attempts: 1 })
        }
        Err(error) => Err(unreadable(short(&config.credentials.redact(error.to_string())))),
    }
}

/// A message of the JSON reader without the middle of the value that it may repeat; its place stands at the end.
fn short(message: &str) -> String {
    let count = message.chars().count();
    if count <= HEAD + TAIL {
        return message.to_owned();
    }
    let head = message.chars().take(HEAD);
    head.chain(['…']).chain(message.chars().skip(count - TAIL)).collect()
}

/// Lets an answer through that is about the run that was asked for. Another run's money and waits, as a cache between
/// may send them, must not stand under this one's name.
pub(super) fn about<T>(answered: RunId, asked: RunId, what: &'static str, reply: Reply<T>) -> Result<Reply<T>, Error> {
    if answered == asked {
        return Ok(reply);
    }
    let cause = format!("it is about the run {answered}");
    Err(Error::Decode { what, cause, status: 200, request_id: reply.request_id, attempts: 1 })
}

/// Lets a 2xx answer in plain encoding through.
pub(super) async fn accepted(mut response: Response, config: &ClientConfig) -> Result<Response, Error> {
    let status = response.status();
    if status.is_redirection() {
        let target = header(response.headers(), LOCATION)
            .and_then(|location| response.url().join(location).ok())
            .map_or_else(|| "nowhere".to_owned(), |url| host_of(&url));
        let request_id = request_id(response.headers());
        return Err(Error::Redirect { status: status.as_u16(), target, request_id, attempts: 1 });
    }
    if !status.is_success() {
        let request_id = request_id(response.headers());
        let wait = header(response.headers(), RETRY_AFTER).and_then(|value| retry_after(value, Timestamp::now()));
        // A body that breaks off or does not come still leaves the status, which says more.
        let host = config.base_url.host();
        let body = tokio::time::timeout(
            ERROR_PATIENCE.min(config.request_timeout / 2),
            body(&mut response, ERROR_LIMIT, &host),
        )
        .await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default().0;
        let body = config.credentials.redact(String::from_utf8_lossy(&body).into_owned());
        let refused = StatusError::read(status.as_u16(), &body, request_id, wait);
        // Once more: JSON can spell the secret with escapes.
        let refused = refused.with_words(|words| config.credentials.redact(words));
        return Err(Error::Status(Box::new(refused)));
    }
    match header(response.headers(), CONTENT_ENCODING) {
        Some(encoding) if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") => {
            let request_id = request_id(response.headers());
            Err(Error::Encoding {
                host: config.base_url.host(),
                encoding: encoding.to_owned(),
                request_id,
                attempts: 1,
            })
        }
        _ => Ok(response),
    }
}

/// Lets an NDJSON answer through (`wire/README.md`, "Endpoints": two media types, parameters allowed).
pub(super) fn check_event_stream(response: &Response, host: &str) -> Result<(), Error> {
    let content_type = header(response.headers(), CONTENT_TYPE).unwrap_or_default();
    if matches!(media_type(content_type).as_str(), "application/x-ndjson" | "application/ndjson") {
        return Ok(());
    }
    let got = if content_type.is_empty() { "no content type".to_owned() } else { content_type.to_owned() };
    let request_id = request_id(response.headers());
    Err(Error::ContentType { host: host.to_owned(), expected: "application/x-ndjson", got, request_id, attempts: 1 })
}

/// The server's id of the request, by either header.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-modelrelay-request-id", "x-request-id"]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .map(str::trim)
        .find(|id| !id.is_empty())
        .map(str::to_owned)
}

/// The server's clock.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    header(headers, DATE).and_then(http_date)
}

fn header(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A content type without its parameters, in lowercase.
pub(super) fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads at most `limit` bytes; the flag says whether that was all.
async fn body(response: &mut Response, limit: usize, host: &str) -> Result<(Bytes, bool), Error> {
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|error| Error::Transport(TransportError::from_reqwest(&error, host)))?;
        let Some(chunk) = chunk else { return Ok((body.freeze(), true)) };
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((body.freeze(), false));
        }
    }
}
