//! The form of a spec's JSON: which fields there are, and what kind of value stands in each.
//!
//! Owns the tables of the concise form (`wire/README.md`, "The workflow spec that is sent") and the walk that holds a
//! value to them. Rules: a wrong field is told by its own place, however many there are; what comes out can be read as
//! [`crate::api::workflow::Workflow`], with harmless values where something was wrong; fields that no table knows stay
//! as they are; a `null` in an optional field is the same as no field.

use serde_json::{Map, Number, Value};

use super::issues::{Issues, element, field};

/// The longest time that a spec may name: 30 days, in milliseconds.
const LONGEST_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// What may stand in a place.
enum Shape {
    Any,
    Text,
    Flag,
    /// A whole number from 1 up to this.
    Count(u64),
    List(&'static Shape),
    Map(&'static Shape),
    Object(&'static [Field]),
    /// A node, in which a node may stand.
    Node,
    /// A tool's name, or an object.
    TextOr(&'static [Field]),
}

struct Field {
    name: &'static str,
    shape: Shape,
    required: bool,
}

const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

const WORKFLOW: &[Field] = &[
    optional("kind", Shape::Text),
    optional("name", Shape::Text),
    optional("model", Shape::Text),
    optional("max_parallelism", Shape::Count(u32::MAX as u64)),
    optional("inputs", Shape::List(&Shape::Object(INPUT))),
    required("nodes", Shape::List(&Shape::Node)),
    optional("outputs", Shape::List(&Shape::Object(OUTPUT))),
];

const INPUT: &[Field] = &[
    required("name", Shape::Text),
    optional("type", Shape::Text),
    optional("required", Shape::Flag),
    optional("description", Shape::Text),
    optional("default", Shape::Any),
];

const OUTPUT: &[Field] =
    &[required("name", Shape::Text), required("from", Shape::Text), optional("pointer", Shape::Text)];

const NODE: &[Field] = &[
    required("id", Shape::Text),
    required("type", Shape::Text),
    optional("depends_on", Shape::List(&Shape::Text)),
    optional("model", Shape::Text),
    optional("system", Shape::Text),
    optional("user", Shape::Text),
    optional("input", Shape::Any),
    optional("stream", Shape::Flag),
    optional("tools", Shape::List(&Shape::TextOr(TOOL))),
    optional("tool_execution", Shape::Object(&[required("mode", Shape::Text)])),
    optional("predicate", Shape::Object(PREDICATE)),
    optional("limit", Shape::Count(u32::MAX as u64)),
    optional("timeout_ms", Shape::Count(LONGEST_MS)),
    optional("items_from", Shape::Text),
    optional("items_from_input", Shape::Text),
    optional("items_pointer", Shape::Text),
    optional("items_path", Shape::Text),
    optional("subnode", Shape::Node),
    optional("max_parallelism", Shape::Count(u32::MAX as u64)),
    optional("object", Shape::Map(&Shape::Object(SOURCE))),
    optional("merge", Shape::List(&Shape::Object(SOURCE))),
];

const TOOL: &[Field] = &[
    optional("type", Shape::Text),
    required(
        "function",
        Shape::Object(&[
            required("name", Shape::Text),
            optional("description", Shape::Text),
            optional("parameters", Shape::Any),
        ]),
    ),
];

const PREDICATE: &[Field] = &[
    required("source", Shape::Text),
    required("op", Shape::Text),
    optional("path", Shape::Text),
    optional("value", Shape::Any),
];

const SOURCE: &[Field] = &[required("from", Shape::Text), optional("pointer", Shape::Text)];

/// The workflow with a harmless value in every place that is wrong.
pub(crate) fn workflow(json: &Value, issues: &mut Issues) -> Value {
    held_to(json, &Shape::Object(WORKFLOW), "$", issues)
}

fn held_to(value: &Value, shape: &Shape, path: &str, issues: &mut Issues) -> Value {
    let shape = if let Shape::Node = shape { &Shape::Object(NODE) } else { shape };
    match (shape, value) {
        (Shape::Any, value) => value.clone(),
        (Shape::Text | Shape::TextOr(_), Value::String(_)) | (Shape::Flag, Value::Bool(_)) => value.clone(),
        (Shape::Count(most), Value::Number(number)) => match number.as_u64() {
            Some(count) if (1..=*most).contains(&count) => value.clone(),
            _ => {
                wrong(shape, path, issues, "OUT_OF_RANGE", format!("is {number}, not a whole number from 1 to {most}"))
            }
        },
        (Shape::List(of), Value::Array(list)) => {
            list.iter().enumerate().map(|(index, value)| held_to(value, of, &element(path, index), issues)).collect()
        }
        (Shape::Map(of), Value::Object(map)) => {
            let values = map.iter().map(|(name, value)| (name.clone(), held_to(value, of, &field(path, name), issues)));
            Value::Object(values.collect())
        }
        (Shape::Object(fields) | Shape::TextOr(fields), Value::Object(map)) => object(map, fields, path, issues),
        _ => {
            let message = format!("is {}, not {}", kind(value), shape.words());
            wrong(shape, path, issues, "INVALID_FIELD", message)
        }
    }
}

fn object(map: &Map<String, Value>, fields: &[Field], path: &str, issues: &mut Issues) -> Value {
    let mut held = map.clone();
    for Field { name, shape, required } in fields {
        let place = field(path, name);
        let value = match map.get(*name).filter(|value| matches!(shape, Shape::Any) || !value.is_null()) {
            Some(value) => held_to(value, shape, &place, issues),
            None if *required => {
                wrong(shape, &place, issues, "MISSING_FIELD", format!("is missing; it is {}", shape.words()))
            }
            None => {
                held.shift_remove(*name);
                continue;
            }
        };
        held.insert((*name).to_owned(), value);
    }
    Value::Object(held)
}

fn wrong(shape: &Shape, path: &str, issues: &mut Issues, code: &str, message: String) -> Value {
    issues.malformed(code, path, message);
    shape.harmless()
}

impl Shape {
    fn words(&self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Text => "a text",
            Self::Flag => "true or false",
            Self::Count(_) => "a whole number",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Object(_) | Self::Node => "an object",
            Self::TextOr(_) => "a name or an object",
        }
    }

    fn harmless(&self) -> Value {
        match self {
            Self::Any => Value::Null,
            Self::Text | Self::TextOr(_) => Value::String(String::new()),
            Self::Flag => Value::Bool(false),
            Self::Count(_) => Value::Number(Number::from(1)),
            Self::List(_) => Value::Array(Vec::new()),
            Self::Map(_) => Value::Object(Map::new()),
            Self::Node => Self::Object(NODE).harmless(),
            Self::Object(fields) => {
                let needed = fields.iter().filter(|field| field.required);
                Value::Object(needed.map(|field| (field.name.to_owned(), field.shape.harmless())).collect())
            }
        }
    }
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::json;

    use super::*;
    use crate::api::workflow::Workflow;

    #[test]
    fn every_wrong_field_has_its_own_place_and_the_rest_can_be_read() {
        let json = json!({"model": 3, "max_parallelism": 0, "inputs": [7, {"name": "x", "required": "yes"}], "other": 1,
        "nodes": [
            {"id": "a", "type": "llm", "depends_on": ["b", 4], "tools": [{"function": {}}, 9], "stream": null},
            "node", {"type": "join.any", "predicate": []},
            {"id": "t", "type": "transform.json", "object": {"a key": 1, "b": {"from": "a"}}},
        ]});
        let mut issues = Issues::default();
        let workflow = Workflow::deserialize(workflow(&json, &mut issues)).unwrap();
        let found = issues.into_result().unwrap_err();
        let places: Vec<(&str, &str)> = found.iter().map(|issue| (issue.path.as_str(), issue.code.as_str())).collect();
        let expected = [
            ("$.model", "INVALID_FIELD"),
            ("$.max_parallelism", "OUT_OF_RANGE"),
            ("$.inputs[0]", "INVALID_FIELD"),
            ("$.inputs[1].required", "INVALID_FIELD"),
            ("$.nodes[0].depends_on[1]", "INVALID_FIELD"),
            ("$.nodes[0].tools[0].function.name", "MISSING_FIELD"),
            ("$.nodes[0].tools[1]", "INVALID_FIELD"),
            ("$.nodes[1]", "INVALID_FIELD"),
            ("$.nodes[2].id", "MISSING_FIELD"),
            ("$.nodes[2].predicate", "INVALID_FIELD"),
            ("$.nodes[3].object[\"a key\"]", "INVALID_FIELD"),
        ];
        assert_eq!(places, expected);
        assert_eq!(workflow.nodes.len(), 4);
        assert_eq!(workflow.other.get("other"), Some(&json!(1)));
    }
}
