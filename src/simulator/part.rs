//! What one run executes: a plan, its input, what was overridden, and the script of its stand-in models.
//!
//! Owns what a request to create a run must hold besides a valid spec. An input that the workflow does not declare is
//! refused, because a misspelt one would otherwise silently be another run than the one that was meant; one whose
//! declared type is a word of JSON must be of it. Rule: a part that was made can be started.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::check::LONGEST_MODEL;
use super::issues::{Issues, element, field};
use super::plan::Plan;
use super::script::{Cancel, Script};
use super::shape;
use super::spec;
use crate::api::create::ModelOverrides;
use crate::api::plan::Issue;
use crate::api::run::NodeType;
use crate::api::workflow::NodeSpec;

/// What one run needs.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) plan: Arc<Plan>,
    pub(crate) script: Script,
    pub(crate) input: Map<String, Value>,
    pub(crate) cancel: Option<Cancel>,
    /// Whether every model streams, whatever the spec says.
    pub(crate) stream: bool,
    models: Models,
}

/// Models in place of those of the spec.
#[derive(Debug, Default)]
struct Models {
    every: Option<String>,
    nodes: HashMap<String, String>,
    subnodes: HashMap<(String, String), String>,
}

/// What a request says besides the spec or the plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunRequest {
    /// The run's input, by name.
    pub input: Map<String, Value>,
    /// The model of every node, unless the next field says another; a blank one says nothing.
    pub model_override: Option<String>,
    /// The models of single nodes.
    pub model_overrides: ModelOverrides,
    /// `true`: every node streams. Anything else leaves it to the spec, as the OpenAPI document says.
    pub stream: Option<bool>,
}

impl Part {
    /// A run of this plan and input, with a script.
    pub(crate) fn scripted(plan: Arc<Plan>, input: Map<String, Value>, script: Script, cancel: Option<Cancel>) -> Self {
        Self { plan, script, input, cancel, stream: false, models: Models::default() }
    }

    /// A run of a spec as it was sent.
    ///
    /// # Errors
    /// Everything that is wrong with the spec, or else with the rest of the request; never an empty list.
    pub(crate) fn from_request(spec: &Value, request: &RunRequest) -> Result<Self, Vec<Issue>> {
        Self::from_plan(Arc::new(Plan::compile(spec, &|_| false)?), request)
    }

    /// A run of a plan that was compiled before.
    ///
    /// # Errors
    /// Everything that is wrong with the request; never an empty list.
    pub(crate) fn from_plan(plan: Arc<Plan>, request: &RunRequest) -> Result<Self, Vec<Issue>> {
        let mut issues = Issues::default();
        let input = input(&plan, request.input.clone(), &mut issues);
        let models = Models::read(&plan, request, &mut issues);
        issues.into_result()?;
        let part = Self::scripted(plan, input, Script::new(), None);
        Ok(Self { stream: request.stream == Some(true), models, ..part })
    }

    /// The model that a node asks; `fan_out` is the fan-out that a subnode stands in.
    pub(crate) fn model_of<'a>(&'a self, node: &'a NodeSpec, fan_out: Option<&NodeSpec>) -> Option<&'a str> {
        let own = match fan_out {
            Some(fan_out) => self.models.subnodes.get(&(fan_out.id.clone(), node.id.clone())),
            None => self.models.nodes.get(&node.id),
        };
        let overridden = own.or(self.models.every.as_ref()).map(String::as_str);
        overridden.or_else(|| self.plan.model_of(node))
    }
}

impl Models {
    fn read(plan: &Plan, request: &RunRequest, issues: &mut Issues) -> Self {
        let blank = |model: &str| model.trim().is_empty();
        let long = |model: &str| model.chars().count() > LONGEST_MODEL;
        let too_long = || format!("has more than {LONGEST_MODEL} characters");
        let overrides = &request.model_overrides;
        let mut models =
            Self { every: request.model_override.clone().filter(|model| !blank(model)), ..Self::default() };
        for (id, model) in &overrides.nodes {
            let path = field("$.model_overrides.nodes", id);
            match plan.nodes.values().find(|node| node.id.as_str() == id) {
                None => issues.add("UNKNOWN_NODE", path, format!("{id:?} is no node of this workflow")),
                Some(node) if !spec::is_model(&node.spec) => {
                    let message = format!("{id} is a {} and asks no model", node.spec.node_type);
                    issues.add("NOT_A_MODEL_NODE", path, message);
                }
                Some(_) if blank(model) => {}
                Some(_) if long(model) => issues.add("INVALID_FIELD", path, too_long()),
                Some(_) => drop(models.nodes.insert(id.clone(), model.clone())),
            }
        }
        for (index, given) in overrides.fanout_subnodes.iter().enumerate() {
            let path = element("$.model_overrides.fanout_subnodes", index);
            let (parent_id, subnode_id) = (&given.parent_id, &given.subnode_id);
            let mut fan_outs = plan.specs().filter(|spec| spec.wire_type() == NodeType::MapFanout);
            let Some(parent) = fan_outs.find(|spec| spec.id == *parent_id) else {
                let message = format!("{parent_id:?} is no map.fanout of this workflow");
                issues.add("UNKNOWN_NODE", field(&path, "parent_id"), message);
                continue;
            };
            let model = field(&path, "model");
            let path = field(&path, "subnode_id");
            match parent.subnode.as_deref().filter(|subnode| subnode.id == *subnode_id) {
                None => issues.add("UNKNOWN_NODE", path, format!("{subnode_id:?} is not the subnode of {parent_id}")),
                Some(subnode) if !spec::is_model(subnode) => {
                    let message = format!("{subnode_id} is a {} and asks no model", subnode.node_type);
                    issues.add("NOT_A_MODEL_NODE", path, message);
                }
                Some(_) if blank(&given.model) => {}
                Some(_) if long(&given.model) => issues.add("INVALID_FIELD", model, too_long()),
                Some(_) => {
                    models.subnodes.insert((parent_id.clone(), subnode_id.clone()), given.model.clone());
                }
            }
        }
        models
    }
}

/// The input with its defaults; what is wrong with it goes to `issues`.
fn input(plan: &Plan, given: Map<String, Value>, issues: &mut Issues) -> Map<String, Value> {
    for name in given.keys().filter(|name| plan.inputs.iter().all(|input| input.name != **name)) {
        let known: Vec<&str> = plan.inputs.iter().map(|input| input.name.as_str()).collect();
        let known =
            if known.is_empty() { "declares none".to_owned() } else { format!("declares {}", known.join(", ")) };
        issues.add("UNKNOWN_INPUT", field("$.input", name), format!("is no input of this workflow, which {known}"));
    }
    for (declared, value) in plan.inputs.iter().filter_map(|input| Some((input, given.get(&input.name)?))) {
        let expected = declared.input_type.as_deref().unwrap_or_default();
        if !is_of_type(value, expected) {
            let message = format!("is {}; the workflow declares it as {expected:?}", shape::kind(value));
            issues.add("INVALID_INPUT", field("$.input", &declared.name), message);
        }
    }
    with_defaults(plan, given, issues)
}

/// The input with the values of those that have one and were not given.
pub(crate) fn with_defaults(plan: &Plan, mut given: Map<String, Value>, issues: &mut Issues) -> Map<String, Value> {
    for declared in &plan.inputs {
        match (given.contains_key(&declared.name), &declared.default) {
            (false, Some(default)) => drop(given.insert(declared.name.clone(), default.clone())),
            (false, None) if declared.required => {
                issues.add("MISSING_INPUT", field("$.input", &declared.name), "is required and missing");
            }
            (true, _) | (false, None) => {}
        }
    }
    given
}

/// Whether a value is of a declared type; every value is of a type that is not a word of JSON.
fn is_of_type(value: &Value, expected: &str) -> bool {
    match expected {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> Value {
        json!({"model": "m", "inputs": [{"name": "topic", "type": "string", "required": true},
            {"name": "depth", "type": "integer", "default": 2}, {"name": "free", "type": "poem"}],
        "nodes": [
            {"id": "a", "type": "llm", "model": "own", "user": "{{topic}}"},
            {"id": "j", "type": "join.all", "depends_on": ["a"]},
            {"id": "f", "type": "map.fanout", "items_from_input": "free", "subnode":
                {"id": "g", "type": "map.fanout", "items_from": "item", "subnode": {"id": "s", "type": "llm"}}},
        ]})
    }

    fn request(json: &Value) -> RunRequest {
        RunRequest {
            input: json["input"].as_object().cloned().unwrap_or_default(),
            model_override: json["model_override"].as_str().map(str::to_owned),
            model_overrides: serde_json::from_value(json["model_overrides"].clone()).unwrap_or_default(),
            stream: json["stream"].as_bool(),
        }
    }

    #[test]
    fn what_is_wrong_with_a_request_is_said_with_its_code_and_place() {
        let subnode = |parent: &str, subnode: &str| json!([{"parent_id": parent, "subnode_id": subnode, "model": "x"}]);
        let good = json!({"topic": "t"});
        let cases = [
            (json!({}), "MISSING_INPUT", "$.input.topic"),
            (json!({"input": {"topic": 1}}), "INVALID_INPUT", "$.input.topic"),
            (json!({"input": {"topic": "t", "depth": 1.5}}), "INVALID_INPUT", "$.input.depth"),
            (json!({"input": {"topic": "t", "to pic": 1}}), "UNKNOWN_INPUT", "$.input[\"to pic\"]"),
            (
                json!({"input": good, "model_overrides": {"nodes": {"b": "x"}}}),
                "UNKNOWN_NODE",
                "$.model_overrides.nodes.b",
            ),
            (
                json!({"input": good, "model_overrides": {"nodes": {"j": "x"}}}),
                "NOT_A_MODEL_NODE",
                "$.model_overrides.nodes.j",
            ),
            (
                json!({"input": good, "model_overrides": {"fanout_subnodes": subnode("a", "s")}}),
                "UNKNOWN_NODE",
                "$.model_overrides.fanout_subnodes[0].parent_id",
            ),
            (
                json!({"input": good, "model_overrides": {"fanout_subnodes": subnode("f", "s")}}),
                "UNKNOWN_NODE",
                "$.model_overrides.fanout_subnodes[0].subnode_id",
            ),
            (
                json!({"input": good, "model_overrides": {"fanout_subnodes": subnode("f", "g")}}),
                "NOT_A_MODEL_NODE",
                "$.model_overrides.fanout_subnodes[0].subnode_id",
            ),
        ];
        let long = "x".repeat(129);
        let too_long = [
            (
                json!({"input": good, "model_overrides": {"nodes": {"a": long}}}),
                "INVALID_FIELD",
                "$.model_overrides.nodes.a",
            ),
            (
                json!({"input": good, "model_overrides": {"fanout_subnodes":
                    [{"parent_id": "g", "subnode_id": "s", "model": long}]}}),
                "INVALID_FIELD",
                "$.model_overrides.fanout_subnodes[0].model",
            ),
        ];
        for (sent, code, path) in cases.into_iter().chain(too_long) {
            let issues = Part::from_request(&spec(), &request(&sent)).unwrap_err();
            assert_eq!(issues.len(), 1, "{sent}: {issues:?}");
            assert_eq!((issues[0].code.as_str(), issues[0].path.as_str()), (code, path), "{sent}");
        }
    }

    #[test]
    fn the_nearest_override_wins() {
        let part = |sent: Value| Part::from_request(&spec(), &request(&sent)).unwrap();
        let models = |part: &Part| {
            let specs: Vec<&NodeSpec> = part.plan.specs().collect();
            let name = |model: Option<&str>| model.unwrap_or_default().to_owned();
            [name(part.model_of(specs[0], None)), name(part.model_of(specs[4], Some(specs[3])))]
        };
        assert_eq!(models(&part(json!({"input": {"topic": "t"}}))), ["own", "m"]);
        assert_eq!(models(&part(json!({"input": {"topic": "t"}, "model_override": "x"}))), ["x", "x"]);
        let all = json!({"input": {"topic": "t"}, "model_override": "x", "model_overrides": {"nodes": {"a": "y"},
            "fanout_subnodes": [{"parent_id": "g", "subnode_id": "s", "model": "z"}]}});
        assert_eq!(models(&part(all)), ["y", "z"]);
        assert_eq!(models(&part(json!({"input": {"topic": "t"}, "model_override": " "}))), ["own", "m"]);
    }

    #[test]
    fn a_default_stands_in_for_what_is_not_given() {
        let sent = request(&json!({"input": {"topic": "t", "free": 7}}));
        let part = Part::from_request(&spec(), &sent).unwrap();
        assert_eq!(Value::Object(part.input), json!({"topic": "t", "free": 7, "depth": 2}));
    }
}
