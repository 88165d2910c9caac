//! What one run executes: a plan, its input, what was overridden, and the script of its stand-in models.
//!
//! Owns what a request to create a run must hold besides a valid spec. Rule: a part that was made can be started.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::plan::Plan;
use super::script::{Cancel, Script};
use crate::api::create::ModelOverrides;
use crate::api::plan::Issue;

/// What one run needs.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) plan: Arc<Plan>,
    pub(crate) script: Script,
    pub(crate) input: Map<String, Value>,
    pub(crate) cancel: Option<Cancel>,
}

/// What a request says besides the spec or the plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunRequest {
    /// The run's input, by name.
    pub input: Map<String, Value>,
    /// The model of every node, unless the next field says another.
    pub model_override: Option<String>,
    /// The models of single nodes.
    pub model_overrides: ModelOverrides,
    /// `true`: every node streams. Anything else leaves it to the spec, as the OpenAPI document says.
    pub stream: Option<bool>,
}

impl Part {
    /// A run of this plan and input, without a script.
    pub(crate) fn new(plan: Arc<Plan>, input: Map<String, Value>) -> Self {
        Self { plan, script: Script::new(), input, cancel: None }
    }

    /// A run of a spec as it was sent.
    ///
    /// # Errors
    /// Everything that is wrong with the spec, or with the rest of the request; never an empty list.
    pub(crate) fn from_request(spec: &Value, request: &RunRequest) -> Result<Self, Vec<Issue>> {
        Self::from_plan(Arc::new(Plan::compile(spec, &|_| false)?), request)
    }

    /// A run of a plan that was compiled before.
    ///
    /// # Errors
    /// Everything that is wrong with the request; never an empty list.
    pub(crate) fn from_plan(plan: Arc<Plan>, request: &RunRequest) -> Result<Self, Vec<Issue>> {
        let input = given(&plan, request.input.clone())?;
        Ok(Self::new(plan, input))
    }
}

/// The input with its defaults.
///
/// # Errors
/// When a required one is missing.
pub(crate) fn given(plan: &Plan, mut input: Map<String, Value>) -> Result<Map<String, Value>, Vec<Issue>> {
    let mut issues = Vec::new();
    for declared in &plan.inputs {
        if let Some(default) = declared.default.as_ref().filter(|_| !input.contains_key(&declared.name)) {
            input.insert(declared.name.clone(), default.clone());
        }
        if declared.required && !input.contains_key(&declared.name) {
            issues.push(Issue {
                code: "MISSING_INPUT".to_owned(),
                path: format!("$.input.{}", declared.name),
                message: "is required and missing".to_owned(),
            });
        }
    }
    if issues.is_empty() { Ok(input) } else { Err(issues) }
}

/// The first of several issues, its place as a scenario file has it.
pub(crate) fn in_file(issues: Vec<Issue>) -> Issue {
    let Some(first) = issues.into_iter().next() else { return Issue::default() };
    let path = match first.path.strip_prefix('$').unwrap_or(&first.path) {
        input if input.starts_with(".input.") => input[1..].to_owned(),
        of_spec => format!("spec{of_spec}"),
    };
    Issue { code: String::new(), path, ..first }
}
