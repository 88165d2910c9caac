//! Strictness of an answer's JSON Schema, as providers ask it of structured output.
//!
//! Owns the rules: a model can be held to a schema only where nothing is left open.
//!
//! | code | what is not strict |
//! | --- | --- |
//! | `SCHEMA_INVALID` | a schema is not an object |
//! | `SCHEMA_ROOT_NOT_OBJECT` | the answer as a whole is not an object |
//! | `SCHEMA_MISSING_TYPE` | no `type`, and nothing in its place |
//! | `SCHEMA_OPEN_OBJECT` | an object without `additionalProperties: false` |
//! | `SCHEMA_OPTIONAL_PROPERTY` | a property that is not in `required`; let it be null instead |
//! | `SCHEMA_UNKNOWN_REQUIRED` | `required` names what is no property |
//! | `SCHEMA_MISSING_ITEMS` | an array without `items` |
//! | `SCHEMA_UNRESOLVED_REF` | a `$ref` to nowhere, or out of the schema |
//! | `SCHEMA_UNSUPPORTED` | a keyword that providers do not hold a model to |
//!
//! Rule: each subschema is looked at once, where it stands.

use serde_json::{Map, Value};

use super::super::issues::{Issues, element, field};

/// Keywords that no provider's strict mode takes.
const UNSUPPORTED: &[&str] = &[
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "oneOf",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contains",
    "propertyNames",
];

/// Words that stand in the place of a `type`.
const INSTEAD_OF_TYPE: &[&str] = &["$ref", "anyOf", "oneOf", "allOf", "enum", "const"];

pub(super) fn lint(schema: &Value, path: &str, issues: &mut Issues) {
    let lint = Lint { root: schema };
    if schema.is_object() && !names_type(schema, "object") && schema.get("$ref").is_none() {
        issues.add("SCHEMA_ROOT_NOT_OBJECT", field(path, "type"), "the answer as a whole must be an object");
    }
    lint.schema(schema, path, issues);
}

struct Lint<'a> {
    root: &'a Value,
}

impl Lint<'_> {
    fn schema(&self, schema: &Value, path: &str, issues: &mut Issues) {
        let Value::Object(words) = schema else {
            let message = format!("is {}, not a schema", super::shape::kind(schema));
            return issues.malformed("SCHEMA_INVALID", path, message);
        };
        if !words.contains_key("type") && INSTEAD_OF_TYPE.iter().all(|word| !words.contains_key(*word)) {
            issues.add("SCHEMA_MISSING_TYPE", field(path, "type"), "is missing: any value would do");
        }
        for word in UNSUPPORTED.iter().filter(|word| words.contains_key(**word)) {
            issues.add("SCHEMA_UNSUPPORTED", field(path, word), "is a word that models are not held to");
        }
        if let Some(target) = words.get("$ref") {
            let found = target.as_str().and_then(|target| self.root.pointer(target.strip_prefix('#')?));
            if found.is_none() {
                issues.add("SCHEMA_UNRESOLVED_REF", field(path, "$ref"), format!("{target} is nowhere in this schema"));
            }
        }
        if names_type(schema, "object") || words.contains_key("properties") {
            object(words, path, issues);
        }
        if names_type(schema, "array") && !words.contains_key("items") {
            issues.add("SCHEMA_MISSING_ITEMS", field(path, "items"), "is missing: anything could stand in the array");
        }
        self.within(words, path, issues);
    }

    fn within(&self, words: &Map<String, Value>, path: &str, issues: &mut Issues) {
        for word in ["properties", "$defs", "definitions"] {
            let path = field(path, word);
            for (name, schema) in words.get(word).and_then(Value::as_object).into_iter().flatten() {
                self.schema(schema, &field(&path, name), issues);
            }
        }
        if let Some(items) = words.get("items") {
            self.schema(items, &field(path, "items"), issues);
        }
        for word in ["anyOf", "oneOf", "allOf"] {
            let path = field(path, word);
            for (index, schema) in words.get(word).and_then(Value::as_array).into_iter().flatten().enumerate() {
                self.schema(schema, &element(&path, index), issues);
            }
        }
    }
}

fn object(words: &Map<String, Value>, path: &str, issues: &mut Issues) {
    if words.get("additionalProperties") != Some(&Value::Bool(false)) {
        let message = "must be false: otherwise the model may add what nobody reads";
        issues.add("SCHEMA_OPEN_OBJECT", field(path, "additionalProperties"), message);
    }
    let required: Vec<&str> =
        words.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = words.get("properties").and_then(Value::as_object);
    for name in properties.into_iter().flat_map(Map::keys).filter(|name| !required.contains(&name.as_str())) {
        let message = format!("{name:?} is missing; a property that may be absent is one that may be null");
        issues.add("SCHEMA_OPTIONAL_PROPERTY", field(path, "required"), message);
    }
    for (index, name) in required.iter().enumerate() {
        if !properties.is_some_and(|properties| properties.contains_key(*name)) {
            let path = element(&field(path, "required"), index);
            issues.add("SCHEMA_UNKNOWN_REQUIRED", path, format!("{name:?} is no property"));
        }
    }
}

/// Whether a schema's `type` is, or holds, this one.
fn names_type(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|kind| kind == name),
        Some(kind) => kind == name,
        None => false,
    }
}
