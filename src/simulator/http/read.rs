//! What can be read of a run: its snapshot, events, pending calls, steps and tasks.
//!
//! Rules: reading changes nothing, and everything but the events is one look at the engine. A run that is made as it is
//! read has a snapshot and events, and nothing else to show.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::api::ids::{CallId, RunId};
use crate::api::step::{RunSteps, StepDetail};
use crate::api::task::RunTasks;
use crate::api::tool::PendingTools;

use super::super::faults::Fault;
use super::super::world::{FloodRun, Run};
use super::error::ApiError;
use super::inject::Faults;
use super::query::Parameters;
use super::{Server, accept, stream};

/// The run of an id as a path has it.
pub(super) fn find(server: &Server, run_id: &str) -> Result<Arc<Run>, ApiError> {
    let id = RunId::parse(run_id).map_err(|error| ApiError::invalid("run_id", &error.to_string()))?;
    if server.world.flood(id).is_some() {
        return Err(ApiError::not_found("this run is a flood: it is made as it is read and waits for nobody"));
    }
    server.world.run(id).ok_or_else(|| {
        ApiError::not_found("run not found; this simulator keeps runs in memory, until it stops or has too many")
    })
}

/// The run of an id, where it is one that is made as it is read.
fn find_flood(server: &Server, run_id: &str) -> Option<Arc<FloodRun>> {
    server.world.flood(RunId::parse(run_id).ok()?)
}

/// What such a run answers where others tell of their steps.
fn no_steps() -> ApiError {
    ApiError::not_found("this run is a flood: it is made as it is read and keeps no steps; its events tell of them")
}

/// `GET /runs/{run_id}`
pub(super) async fn snapshot(
    State(server): State<Server>,
    Path(run_id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let include = Include::read(&parameters)?;
    if let Some(flood) = find_flood(&server, &run_id) {
        return Ok(axum::Json(flood.snapshot()).into_response());
    }
    let run = find(&server, &run_id)?;
    let snapshot = {
        let engine = run.engine();
        let fold = engine.ledger().fold();
        let mut snapshot = fold.snapshot();
        snapshot.steps = include.steps.then(|| fold.steps_by_node(include.tool_calls));
        snapshot
    };
    Ok(axum::Json(snapshot).into_response())
}

/// What a snapshot holds besides the plain answer.
struct Include {
    steps: bool,
    tool_calls: bool,
}

impl Include {
    /// Calls stand in steps, so asking for them asks for steps, too.
    fn read(parameters: &Parameters) -> Result<Self, ApiError> {
        let mut include = Self { steps: false, tool_calls: false };
        let names = parameters.get("include").map(String::as_str).unwrap_or_default();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "steps" => include.steps = true,
                "tool_calls" => (include.steps, include.tool_calls) = (true, true),
                _ => return Err(ApiError::invalid("include", "knows steps and tool_calls, separated by commas")),
            }
        }
        Ok(include)
    }
}

/// `GET /runs/{run_id}/pending-tools`
pub(super) async fn pending_tools(
    State(server): State<Server>,
    Path(run_id): Path<String>,
    axum::Extension(faults): Faults,
) -> Result<Response, ApiError> {
    if let Some(flood) = find_flood(&server, &run_id) {
        return Ok(axum::Json(PendingTools { run_id: flood.run_id(), pending: Vec::new() }).into_response());
    }
    let run = find(&server, &run_id)?;
    let before =
        faults.draws(Fault::StalePending).and_then(|drawn| Some((drawn, run.engine().pending_before(drawn.draw)?)));
    let pending = match before {
        Some((drawn, before)) => {
            faults.happens(drawn);
            before
        }
        None => run.engine().ledger().fold().pending(),
    };
    Ok(axum::Json(pending).into_response())
}

/// `GET /runs/{run_id}/events`
pub(super) async fn events(
    State(server): State<Server>,
    Path(run_id): Path<String>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    axum::Extension(faults): Faults,
) -> Result<Response, ApiError> {
    let log = match find_flood(&server, &run_id) {
        Some(flood) => stream::Log::Made(flood),
        None => stream::Log::kept(find(&server, &run_id)?),
    };
    let wanted = stream::Wanted::read(&parameters, &headers)?;
    let (content_type, form) = accept::choose(&headers)?;
    let pieces = stream::pieces(log, wanted, form, &faults, server.keepalive, server.stop.clone());
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// `GET /runs/{run_id}/steps`
pub(super) async fn steps(State(server): State<Server>, Path(run_id): Path<String>) -> Result<Response, ApiError> {
    if find_flood(&server, &run_id).is_some() {
        return Err(no_steps());
    }
    let run = find(&server, &run_id)?;
    let (mut steps, asked) = {
        let engine = run.engine();
        (engine.ledger().fold().steps(), engine.step_details())
    };
    // No event says what a model was asked and what it said; the engine remembers it.
    let key = |step: &StepDetail| (step.node_id.clone(), step.step, step.request_id);
    let mut asked: HashMap<_, StepDetail> = asked.into_iter().map(|detail| (key(&detail), detail)).collect();
    for step in &mut steps {
        if let Some(detail) = asked.remove(&key(step)) {
            (step.llm_request, step.llm_response) = (detail.llm_request, detail.llm_response);
        }
    }
    Ok(axum::Json(RunSteps { steps }).into_response())
}

/// `GET /runs/{run_id}/tasks`
pub(super) async fn tasks(State(server): State<Server>, Path(run_id): Path<String>) -> Result<Response, ApiError> {
    let tasks = match find_flood(&server, &run_id) {
        Some(_) => Vec::new(),
        None => find(&server, &run_id)?.engine().tasks(),
    };
    Ok(axum::Json(RunTasks { tasks }).into_response())
}

/// `GET /runs/{run_id}/steps/{step}/tool-calls/{tool_id}`
pub(super) async fn tool_call(
    State(server): State<Server>,
    Path((run_id, step, call)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    if find_flood(&server, &run_id).is_some() {
        return Err(no_steps());
    }
    let run = find(&server, &run_id)?;
    let step: u64 = step.parse().map_err(|_| ApiError::invalid("step", "must be a number from 0"))?;
    let call = CallId::parse(&call).map_err(|error| ApiError::invalid("tool_id", &error.to_string()))?;
    let engine = run.engine();
    let fold = engine.ledger().fold();
    if let Some(detail) = fold.tool_call(step, &call) {
        return Ok(axum::Json(detail).into_response());
    }
    let places: Vec<String> =
        fold.steps_with_call(&call).iter().map(|(node, step)| format!("step {step} of node {node}")).collect();
    let elsewhere = match places.as_slice() {
        [] => "the run has no such call".to_owned(),
        places => format!("it is in {}", places.join(", ")),
    };
    Err(ApiError::not_found(&format!("tool call {call} is not in a step {step}: {elsewhere}")))
}
