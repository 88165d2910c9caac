//! Creating a run, `POST /runs`: what is asked for, and what the server answers.
//!
//! Source: `RunsCreateRequest` in the published OpenAPI document, and `wire/README.md`, "Endpoints": a `plan_hash` may
//! stand in place of the `spec`. One builder stands for the clients' five methods: [`CreateRun::from_spec`] and
//! [`CreateRun::from_plan`] with any of the options. Rule: what is blank is left out.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::error::Error;
use super::ids::{PlanHash, RunId, SessionId};
use super::run::RunStatus;
use super::workflow::WorkflowSpec;

/// A run to be created.
#[derive(Debug, Clone, Serialize)]
pub struct CreateRun {
    #[serde(flatten)]
    source: PlanSource,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    input: IndexMap<String, Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_override: Option<String>,
    #[serde(skip_serializing_if = "ModelOverrides::is_empty")]
    model_overrides: ModelOverrides,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<CreateOptions>,
    /// Sent as a header with every attempt, so that the server knows a retry.
    #[serde(skip)]
    request_id: Uuid,
}

/// What the run executes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanSource {
    /// This spec, compiled by the server.
    Spec(WorkflowSpec),
    /// A plan that the server has compiled before and still knows.
    PlanHash(PlanHash),
}

/// Models in place of those of the spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOverrides {
    /// By node.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub nodes: IndexMap<String, String>,
    /// For the subnodes of fan-outs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fanout_subnodes: Vec<FanoutSubnodeModel>,
}

impl ModelOverrides {
    /// Whether nothing is overridden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.fanout_subnodes.is_empty()
    }
}

/// The model of one fan-out's subnode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanoutSubnodeModel {
    /// The fan-out.
    pub parent_id: String,
    /// Its subnode.
    pub subnode_id: String,
    /// The model.
    pub model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CreateOptions {
    idempotency_key: String,
}

impl CreateRun {
    /// A run of this spec.
    #[must_use]
    pub fn from_spec(spec: WorkflowSpec) -> Self {
        Self::new(PlanSource::Spec(spec))
    }

    /// A run of a plan that the server has compiled.
    #[must_use]
    pub fn from_plan(plan_hash: PlanHash) -> Self {
        Self::new(PlanSource::PlanHash(plan_hash))
    }

    fn new(source: PlanSource) -> Self {
        Self {
            source,
            input: IndexMap::new(),
            model_override: None,
            model_overrides: ModelOverrides::default(),
            session_id: None,
            stream: None,
            options: None,
            request_id: Uuid::new_v4(),
        }
    }

    /// With this input, by name; a value given before under the same name is replaced.
    #[must_use]
    pub fn with_input(mut self, name: &str, value: Box<RawValue>) -> Self {
        self.input.insert(name.to_owned(), value);
        self
    }

    /// With one model for every node; a blank one says nothing.
    #[must_use]
    pub fn with_model(self, model: &str) -> Self {
        Self { model_override: not_blank(model), ..self }
    }

    /// With these models for single nodes; blank ones say nothing.
    #[must_use]
    pub fn with_model_overrides(self, mut overrides: ModelOverrides) -> Self {
        overrides.nodes.retain(|_, model| !model.trim().is_empty());
        overrides.fanout_subnodes.retain(|subnode| !subnode.model.trim().is_empty());
        Self { model_overrides: overrides, ..self }
    }

    /// Linked to this session, to which its assistant messages are appended.
    #[must_use]
    pub fn with_session(self, session_id: SessionId) -> Self {
        Self { session_id: Some(session_id), ..self }
    }

    /// With every model's text as deltas, whatever the spec says; `false` is sent as well, and the published document
    /// takes it as leaving it to the spec.
    #[must_use]
    pub fn with_stream(self, stream: bool) -> Self {
        Self { stream: Some(stream), ..self }
    }

    /// With a key under which the server creates one run, however often it is asked. It is trimmed; a blank one says
    /// nothing.
    #[must_use]
    pub fn with_idempotency_key(self, key: &str) -> Self {
        Self { options: not_blank(key).map(|idempotency_key| CreateOptions { idempotency_key }), ..self }
    }

    /// What it executes.
    #[must_use]
    pub fn source(&self) -> &PlanSource {
        &self.source
    }

    /// The id that every attempt carries.
    #[must_use]
    pub fn request_id(&self) -> Uuid {
        self.request_id
    }

    /// The names of the spec's required inputs that have neither a value nor a default, in the spec's order. A plan's
    /// inputs are known to the server only.
    #[must_use]
    pub fn missing_inputs(&self) -> Vec<String> {
        let PlanSource::Spec(spec) = &self.source else { return Vec::new() };
        let needed = spec.inputs().into_iter().filter(|input| input.required && input.default.is_none());
        needed.map(|input| input.name).filter(|name| !self.input.contains_key(name)).collect()
    }
}

fn not_blank(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The server's answer to [`CreateRun`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedRun {
    /// The run, new or created before under the same idempotency key.
    pub run_id: RunId,
    /// Its status.
    pub status: RunStatus,
    /// The plan that it executes.
    pub plan_hash: PlanHash,
}

/// Why there is no run, or none that is known of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct NotCreated {
    /// What the last attempt that says something has failed with.
    pub error: Error,
    /// Whether any attempt may have created the run all the same.
    pub in_doubt: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> WorkflowSpec {
        WorkflowSpec::parse(r#"{"inputs":[{"name":"a","required":true},{"name":"b","required":true,"default":1},{"name":"c"}],"nodes":[],"x":1}"#)
            .unwrap()
    }

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn what_was_not_said_is_left_out() {
        let plain = serde_json::to_string(&CreateRun::from_spec(spec())).unwrap();
        assert_eq!(plain, format!(r#"{{"spec":{}}}"#, spec().text()));
        let blank = CreateRun::from_plan(PlanHash::parse(&"0a".repeat(32)).unwrap())
            .with_model("  ")
            .with_idempotency_key("\t")
            .with_model_overrides(ModelOverrides {
                nodes: IndexMap::from([("a".into(), " ".into())]),
                fanout_subnodes: vec![],
            });
        assert_eq!(serde_json::to_value(&blank).unwrap(), json!({"plan_hash": "0a".repeat(32)}));
    }

    #[test]
    fn everything_that_can_be_said_stands_where_the_server_reads_it() {
        let session = SessionId::random();
        let subnode = FanoutSubnodeModel { parent_id: "f".into(), subnode_id: "s".into(), model: "n".into() };
        let create = CreateRun::from_spec(WorkflowSpec::parse("{}").unwrap())
            .with_input("a", raw("12345678901234567890123"))
            .with_model("m")
            .with_model_overrides(ModelOverrides {
                nodes: IndexMap::from([("a".into(), "o".into())]),
                fanout_subnodes: vec![subnode],
            })
            .with_session(session)
            .with_stream(false)
            .with_idempotency_key(" key ");
        let expected = format!(
            r#"{{"spec":{{}},"input":{{"a":12345678901234567890123}},"model_override":"m","model_overrides":{{"nodes":{{"a":"o"}},"fanout_subnodes":[{{"parent_id":"f","subnode_id":"s","model":"n"}}]}},"session_id":"{session}","stream":false,"options":{{"idempotency_key":"key"}}}}"#
        );
        assert_eq!(serde_json::to_string(&create).unwrap(), expected);
    }

    #[test]
    fn a_required_input_without_a_default_is_missing_until_it_is_given() {
        let create = CreateRun::from_spec(spec());
        assert_eq!(create.missing_inputs(), ["a"]);
        assert!(create.with_input("a", raw("null")).missing_inputs().is_empty());
    }
}
