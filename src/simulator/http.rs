//! The simulator's routes.
//!
//! Owns what each call of `wire/README.md`, "Endpoints", answers, and who is let in. Rule: every answer, an error as
//! much as any other, carries `X-ModelRelay-Request-Id` and `Date`, and every error has the published body.

mod error;
mod stream;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::ids::RunId;
use crate::api::tool::ToolResultsRequest;

use super::world::{Run, World};
use error::ApiError;

/// The path that the base URL ends in.
pub(super) const PREFIX: &str = "/api/v1";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-modelrelay-request-id");
const API_KEY: HeaderName = HeaderName::from_static("x-modelrelay-api-key");

/// The largest submission that is read.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// What every route sees.
#[derive(Clone)]
struct Server {
    world: Arc<World>,
    api_key: SecretString,
    keepalive: Duration,
    stop: CancellationToken,
}

/// The id of the request that is being answered.
#[derive(Clone)]
struct RequestLabel(HeaderValue);

/// Serves until `stop` is canceled.
pub(super) async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    api_key: SecretString,
    keepalive: Duration,
    stop: CancellationToken,
) {
    let server = Server { world, api_key, keepalive, stop: stop.clone() };
    let runs = Router::new()
        .route("/runs/{run_id}", get(snapshot))
        .route("/runs/{run_id}/events", get(events))
        .route("/runs/{run_id}/pending-tools", get(pending_tools))
        .route("/runs/{run_id}/tool-results", post(tool_results));
    let app = Router::new()
        .nest(PREFIX, runs)
        .fallback(|| async { ApiError::not_found("no such path; the runs API is under /api/v1/runs") })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(server.clone(), guard))
        .with_state(server);
    // Events are small and must leave at once.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    // Serving ends only when it is told to; there is nobody to tell about it.
    let _ = axum::serve(listener, app).with_graceful_shutdown(async move { stop.cancelled().await }).await;
}

/// Lets in whoever has the key, and labels every answer.
async fn guard(State(server): State<Server>, mut request: Request, next: Next) -> Response {
    let sent = request.headers().get(&REQUEST_ID).filter(|id| (1..=256).contains(&id.len())).cloned();
    let label = sent.or_else(|| HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).ok());
    let label = RequestLabel(label.unwrap_or_else(|| HeaderValue::from_static("unknown")));
    request.extensions_mut().insert(label.clone());
    let mut response = match check_credentials(&server, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        *response.body_mut() = error.body(&label.0).into();
    } else if response.status().is_client_error() && !is_json(&response) {
        // What the web framework refuses by itself, such as a query that cannot be decoded.
        let error = ApiError::refused(response.status());
        *response.body_mut() = error.body(&label.0).into();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, label.0);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&server.world.now());
    if let Some(date) = date.ok().and_then(|date| HeaderValue::from_str(&date).ok()) {
        headers.insert(header::DATE, date);
    }
    response
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

fn find(server: &Server, run_id: &str) -> Result<Arc<Run>, ApiError> {
    let id = RunId::parse(run_id).map_err(|error| ApiError::invalid("run_id", &error.to_string()))?;
    server.world.run(id).ok_or_else(|| ApiError::not_found("run not found"))
}

async fn snapshot(State(server): State<Server>, Path(run_id): Path<String>) -> Result<Response, ApiError> {
    let snapshot = find(&server, &run_id)?.engine().ledger().fold().snapshot();
    Ok(axum::Json(snapshot).into_response())
}

async fn pending_tools(State(server): State<Server>, Path(run_id): Path<String>) -> Result<Response, ApiError> {
    let pending = find(&server, &run_id)?.engine().ledger().fold().pending();
    Ok(axum::Json(pending).into_response())
}

async fn events(
    State(server): State<Server>,
    Path(run_id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let run = find(&server, &run_id)?;
    let wanted = stream::Wanted::read(&query)?;
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    if !["ndjson", "*/*", "application/*"].iter().any(|kind| accepted.contains(kind)) {
        return Err(ApiError::not_acceptable("this server streams application/x-ndjson only"));
    }
    let lines = stream::lines(run, wanted, server.keepalive, server.stop.clone());
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

async fn tool_results(
    State(server): State<Server>,
    Path(run_id): Path<String>,
    headers: HeaderMap,
    axum::Extension(label): axum::Extension<RequestLabel>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ApiError> {
    let run = find(&server, &run_id)?;
    let body = body.map_err(|_| ApiError::too_large(BODY_LIMIT))?;
    let sent_id = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let reply = run.answer_once(sent_id, &body, || match submit(&run, &body) {
        Ok(reply) => (StatusCode::OK.as_u16(), reply),
        Err(error) => (error.status(), error.body(&label.0)),
    });
    let (status, body) = reply.ok_or_else(|| ApiError::conflict("this request id was used for another submission"))?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn submit(run: &Run, body: &Bytes) -> Result<Bytes, ApiError> {
    let submitted: ToolResultsRequest =
        serde_json::from_slice(body).map_err(|error| ApiError::invalid("body", &error.to_string()))?;
    let reply = run.engine().submit(run.elapsed(), &submitted)?;
    run.wake();
    // Two numbers and a word always serialise.
    Ok(serde_json::to_vec(&reply).unwrap_or_default().into())
}
