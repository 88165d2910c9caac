//! `POST /workflows/compile` and `POST /workflows/lint`.
//!
//! Rule: a plan whose hash was given out is known to `POST /runs` from then on.

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::lint;
use super::super::plan::Plan;
use super::body;
use super::error::ApiError;
use super::query::{self, Parameters};
use super::{Server, apart};
use crate::api::plan::Issue;

/// Compiles a spec.
pub(super) async fn compile(
    State(server): State<Server>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let spec = body::json(body)?;
    let plan = apart(move || compiled(&server, &spec)).await?.map_err(ApiError::issues)?;
    Ok(axum::Json(json!({"plan_hash": plan.hash, "plan_json": plan.json()})).into_response())
}

/// Lints a spec, and compiles it unless it is told not to. What is wrong with the spec is the answer, not an error.
pub(super) async fn lint(
    State(server): State<Server>,
    Query(parameters): Query<Parameters>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let compile = query::flag(&parameters, "compile")?.unwrap_or(true);
    let spec = body::json(body)?;
    if !spec.is_object() {
        return Err(ApiError::invalid("body", "must be a JSON object"));
    }
    let report = apart(move || {
        let mut report = json!({"lint_issues": lint::lint(&spec)});
        if let Some(kind @ Value::String(_)) = spec.get("kind") {
            report["kind"] = kind.clone();
        }
        match compile.then(|| compiled(&server, &spec)) {
            None => {}
            Some(Ok(plan)) => {
                report["compile_issues"] = json!([]);
                report["plan_hash"] = json!(plan.hash);
                report["plan_json"] = json!(plan.json());
            }
            Some(Err(issues)) => report["compile_issues"] = json!(issues),
        }
        report
    })
    .await?;
    Ok(axum::Json(report).into_response())
}

fn compiled(server: &Server, spec: &Value) -> Result<Arc<Plan>, Vec<Issue>> {
    let plan = Arc::new(Plan::compile(spec, &|_| false)?);
    server.world.remember_plan(Arc::clone(&plan));
    Ok(plan)
}
