//! Compiling and linting a workflow spec: `POST /workflows/compile` and `POST /workflows/lint`.
//!
//! Source: `WorkflowsCompileResponse`, `WorkflowsLintResponse` and `WorkflowIssue` in the published OpenAPI document.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ids::PlanHash;

/// A compiled spec.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompiledPlan {
    /// What a run of it can be created from, as long as this server process lives.
    pub plan_hash: PlanHash,
    /// The plan, as raw JSON.
    pub plan_json: Box<RawValue>,
}

/// Something wrong with a workflow spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The kind of issue.
    #[serde(default)]
    pub code: String,
    /// Where in the spec, such as `$.nodes[0].id`.
    #[serde(default)]
    pub path: String,
    /// What is wrong.
    #[serde(default)]
    pub message: String,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.path, &self.code, &self.message];
        let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        f.write_str(&parts.join(": "))
    }
}

/// What linting has found, and compiling where it was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LintReport {
    /// The spec's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What the linter finds wrong.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub lint_issues: Vec<Issue>,
    /// What the compiler finds wrong.
    #[serde(default, deserialize_with = "super::nullable::or_default", skip_serializing_if = "Vec::is_empty")]
    pub compile_issues: Vec<Issue>,
    /// Why compiling failed, where it was nothing about the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compile_error: Option<String>,
    /// The plan's hash, where compiling succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<PlanHash>,
    /// The plan as raw JSON, where compiling succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_json: Option<Box<RawValue>>,
}

impl LintReport {
    /// Whether nothing was found wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lint_issues.is_empty() && self.compile_issues.is_empty() && self.compile_error.is_none()
    }
}
