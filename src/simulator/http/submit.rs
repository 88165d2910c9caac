//! `POST /runs/{run_id}/tool-results`.
//!
//! Owns taking results, and what faults do to it: a rival who is quicker, and results that are left. Rule: a submission
//! that comes again under its request id gets the answer that the first one got.

use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::api::tool::{ToolResultsReply, ToolResultsRequest};

use super::super::engine::Refusal;
use super::super::faults::{self, Drawn, Fault};
use super::super::world::Run;
use super::Server;
use super::error::ApiError;
use super::guard::RequestLabel;
use super::inject::Faults;
use super::read::find;

/// The largest submission that is read, in bytes.
pub(super) const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Takes results.
pub(super) async fn tool_results(
    State(server): State<Server>,
    Path(run_id): Path<String>,
    axum::Extension(label): axum::Extension<RequestLabel>,
    axum::Extension(faults): Faults,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let run = find(&server, &run_id)?;
    let body = body.map_err(|rejection| ApiError::unreadable(&rejection, BODY_LIMIT))?;
    let submitted = serde_json::from_slice::<ToolResultsRequest>(&body);
    if let Ok(submitted) = &submitted {
        run.submissions().offered(label.chosen(), submitted.keys());
    }
    if faults.before().is_some() {
        // It is lost, or refused: somebody else answers.
        return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
    }
    // What is due before this submission happens before it, without keeping the run to itself for that long.
    run.catch_up().await;
    let reply = run.answer_once(label.chosen(), &body, || match submit(&run, submitted, &label, &faults) {
        Ok(reply) => (StatusCode::OK.as_u16(), reply),
        Err(error) => (error.status(), error.body(label.value())),
    });
    let (status, body) = reply.ok_or_else(|| ApiError::conflict("this request id was used for another submission"))?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn submit(
    run: &Run,
    submitted: Result<ToolResultsRequest, serde_json::Error>,
    label: &RequestLabel,
    faults: &faults::Request,
) -> Result<Bytes, ApiError> {
    let submitted = submitted.map_err(|error| ApiError::invalid("body", &error.to_string()))?;
    if let Some(drawn) = faults.draws(Fault::Rival) {
        let rival = run.engine().rival_of(&submitted);
        if take(run, &rival, None, usize::MAX).is_ok() {
            faults.happens(drawn);
        }
    }
    let most = faults.draws(Fault::Partial).map(|drawn| (drawn, part(drawn, submitted.results.len())));
    let reply = take(run, &submitted, Some(label), most.map_or(usize::MAX, |(_, most)| most))?;
    if let Some((drawn, _)) = most {
        faults.happens(drawn);
    }
    // Two numbers and a word always serialise.
    Ok(serde_json::to_vec(&reply).unwrap_or_default().into())
}

/// How many of the results are taken where not all are.
fn part(drawn: Drawn, results: usize) -> usize {
    usize::try_from(drawn.draw % results.max(1) as u64).unwrap_or_default()
}

/// Takes the first `most` results; without a label they are a rival's.
fn take(
    run: &Run,
    submitted: &ToolResultsRequest,
    label: Option<&RequestLabel>,
    most: usize,
) -> Result<ToolResultsReply, Refusal> {
    // Held throughout: whoever sees a result in the log finds it here, too.
    let mut submissions = run.submissions();
    let reply = run.engine().submit(run.elapsed(), submitted, most)?;
    let taken = &submitted.results[..submitted.results.len().min(most)];
    submissions.taken(&submitted.step, taken, label.and_then(RequestLabel::chosen), label.is_none());
    run.wake();
    Ok(reply)
}
