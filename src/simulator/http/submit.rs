//! `POST /runs/{run_id}/tool-results`.
//!
//! Rule: a submission that comes again under its request id gets the answer that the first one got.

use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::api::tool::ToolResultsRequest;

use super::super::world::Run;
use super::Server;
use super::error::ApiError;
use super::guard::RequestLabel;
use super::read::find;

/// The largest submission that is read, in bytes.
pub(super) const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Takes results.
pub(super) async fn tool_results(
    State(server): State<Server>,
    Path(run_id): Path<String>,
    axum::Extension(label): axum::Extension<RequestLabel>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let run = find(&server, &run_id)?;
    let body = body.map_err(|rejection| ApiError::unreadable(&rejection, BODY_LIMIT))?;
    // What is due before this submission happens before it, without keeping the run to itself for that long.
    run.catch_up().await;
    let reply = run.answer_once(label.chosen(), &body, || match submit(&run, &body) {
        Ok(reply) => (StatusCode::OK.as_u16(), reply),
        Err(error) => (error.status(), error.body(label.value())),
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
