//! The simulator's routes.
//!
//! | call | file |
//! | --- | --- |
//! | `GET /runs/{id}`, `…/events`, `…/pending-tools`, `…/steps`, `…/steps/{step}/tool-calls/{tool_id}` | `read`, `stream`, `outgoing`, `accept`, `query` |
//! | `GET /runs/{id}/tasks` | `read` |
//! | `POST /runs/{id}/tool-results` | `submit` |
//! | `POST /runs` | `create`, `body` |
//! | `POST /workflows/compile`, `/workflows/lint` | `workflows`, `body` |
//! | all of them | `guard`, `error`; their faults `inject`, `breakage`, `gzip`, `connection` |
//!
//! Owns what each call of `wire/README.md`, "Endpoints", answers, and who is let in. `/schemas/…` of the published
//! document is not served. Rule: every answer, an error as much as any other, carries `X-ModelRelay-Request-Id` and
//! `Date`, and every error has a published body.

mod accept;
mod body;
mod breakage;
mod connection;
mod create;
mod error;
mod guard;
mod gzip;
mod inject;
mod outgoing;
mod query;
mod read;
mod stream;
mod submit;
mod workflows;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::faults::Injector;
use super::world::World;
use connection::{Door, Gate, Hold};
use error::ApiError;

/// The path that the base URL ends in.
pub(super) const PREFIX: &str = "/api/v1";

/// What every route sees.
#[derive(Clone)]
struct Server {
    world: Arc<World>,
    injector: Arc<Injector>,
    gate: Arc<Gate>,
    api_key: SecretString,
    keepalive: Duration,
    stop: CancellationToken,
}

/// Serves until `stop` is canceled.
pub(super) async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    injector: Arc<Injector>,
    api_key: SecretString,
    keepalive: Duration,
    stop: CancellationToken,
) {
    let gate = Arc::new(Gate::default());
    let Ok(door) = Door::new(listener, Arc::clone(&gate)) else { return };
    let server = Server { world, injector, gate, api_key, keepalive, stop: stop.clone() };
    let app = Router::new()
        .nest(PREFIX, routes())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(server.clone(), guard::guard))
        .with_state(server);
    let app = app.into_make_service_with_connect_info::<Hold>();
    // Serving ends only when it is told to; there is nobody to tell about it.
    let _ = axum::serve(door, app).with_graceful_shutdown(async move { stop.cancelled().await }).await;
}

fn routes() -> Router<Server> {
    let spec_limit = DefaultBodyLimit::max(body::BODY_LIMIT);
    Router::new()
        .route("/runs", post(create::create).layer(spec_limit))
        .route("/workflows/compile", post(workflows::compile).layer(spec_limit))
        .route("/workflows/lint", post(workflows::lint).layer(spec_limit))
        .route("/runs/{run_id}", get(read::snapshot))
        .route("/runs/{run_id}/events", get(read::events))
        .route("/runs/{run_id}/pending-tools", get(read::pending_tools))
        .route("/runs/{run_id}/steps", get(read::steps))
        .route("/runs/{run_id}/tasks", get(read::tasks))
        .route("/runs/{run_id}/steps/{step}/tool-calls/{tool_id}", get(read::tool_call))
        .route(
            "/runs/{run_id}/tool-results",
            post(submit::tool_results).layer(DefaultBodyLimit::max(submit::BODY_LIMIT)),
        )
}

async fn no_such_path() -> ApiError {
    ApiError::not_found("no such path; this simulator serves /api/v1/runs and /api/v1/workflows, and no schemas")
}

/// The framework adds `Allow`, which is all that `OPTIONS` asks for.
async fn no_such_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    ApiError::method_not_allowed().into_response()
}

/// Does what takes long for a large spec away from the tasks that serve everybody else.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::defect())
}
