//! `POST /runs`.
//!
//! Owns what a request for a run may say. Rule: a request that comes again, under its request id or its idempotency key,
//! gets the run that it got before, and one that says something else under them is refused.

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::api::create::{CreatedRun, ModelOverrides};
use crate::api::ids::{PlanHash, SessionId};

use super::super::check::LONGEST_MODEL;
use super::super::part::{Part, RunRequest};
use super::super::world::{Creation, CreationRefusal, World, of_json};
use super::body::{self, Fields};
use super::error::ApiError;
use super::guard::RequestLabel;
use super::query::{self, Parameters};
use super::{Server, apart};

/// The longest idempotency key, in characters.
const LONGEST_KEY: usize = 256;

/// What a run is to execute.
enum Source {
    Spec(Value),
    Plan(PlanHash),
}

/// A request that can be read.
struct Wanted {
    source: Source,
    request: RunRequest,
    creation: Creation,
}

/// Creates a run.
pub(super) async fn create(
    State(server): State<Server>,
    Query(parameters): Query<Parameters>,
    axum::Extension(label): axum::Extension<RequestLabel>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let stream = query::flag(&parameters, "stream")?;
    let body = body::json(body)?;
    let world = Arc::clone(&server.world);
    let created = apart(move || Wanted::read(body, stream, label.chosen())?.create(&world)).await??;
    Ok(axum::Json(created).into_response())
}

impl Wanted {
    fn read(body: Value, stream: Option<bool>, request_id: Option<&str>) -> Result<Self, ApiError> {
        // Asked for in either place, it is asked for.
        let fingerprint = of_json(&json!([body, stream]));
        let mut fields = Fields::of_body(body)?;
        let spec = fields.value("spec");
        let plan_hash = fields.id("plan_hash", PlanHash::parse)?;
        let source = match (spec, plan_hash) {
            (Some(spec @ Value::Object(_)), None) => Source::Spec(spec),
            (Some(_), None) => return Err(ApiError::invalid("spec", "must be a JSON object")),
            (None, Some(hash)) => Source::Plan(hash),
            (None, None) => return Err(ApiError::invalid("spec", "is missing; a run needs it or plan_hash")),
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid("plan_hash", "stands in place of spec; send one of the two"));
            }
        };
        let input = fields.object("input")?.unwrap_or_default();
        let model_override = fields.text("model_override", LONGEST_MODEL)?;
        let mut overrides = fields.within("model_overrides")?;
        let mut model_overrides =
            ModelOverrides { nodes: overrides.typed("nodes")?, fanout_subnodes: overrides.typed("fanout_subnodes")? };
        model_overrides.nodes.retain(|_, model| !model.trim().is_empty());
        model_overrides.fanout_subnodes.retain(|subnode| !subnode.model.trim().is_empty());
        let streams = [stream, fields.flag("stream")?].contains(&Some(true));
        let creation = Creation {
            fingerprint,
            request_id: request_id.map(str::to_owned),
            session: fields.id("session_id", SessionId::parse)?,
            idempotency_key: fields.within("options")?.text("idempotency_key", LONGEST_KEY)?,
        };
        let request = RunRequest { input, model_override, model_overrides, stream: streams.then_some(true) };
        Ok(Self { source, request, creation })
    }

    fn create(self, world: &Arc<World>) -> Result<CreatedRun, ApiError> {
        if let Some(before) = world.created_before(&self.creation)? {
            return Ok(before);
        }
        let part = match self.source {
            Source::Spec(spec) => Part::from_request(&spec, &self.request),
            Source::Plan(hash) => {
                let plan = world.plan(&hash).ok_or_else(|| unknown_plan(&hash))?;
                Part::from_plan(plan, &self.request)
            }
        };
        Ok(world.create(part.map_err(ApiError::issues)?, &self.creation)?)
    }
}

fn unknown_plan(hash: &PlanHash) -> ApiError {
    ApiError::not_found(&format!(
        "the plan {hash} is not known here: plans are forgotten when the server stops. Compile the spec again, or send \
         the spec itself"
    ))
}

impl From<CreationRefusal> for ApiError {
    fn from(refusal: CreationRefusal) -> Self {
        match refusal {
            CreationRefusal::RequestIdReused => {
                Self::conflict("this request id was used for another run; give each request an id of its own")
            }
            CreationRefusal::KeyReused => Self::conflict(
                "this idempotency key was used for a run with another body; use another key, or send the same body",
            ),
            CreationRefusal::Full(kept) => Self::too_many(&format!(
                "this simulator keeps {kept} runs and none of them has ended; answer what they wait for, or start it again"
            )),
        }
    }
}
