//! Values made from a JSON Schema, for arguments and answers that nobody has written.
//!
//! Owns one plausible value for any schema: what the schema gives itself (`const`, `default`, `examples`, `enum`), else
//! the smallest of its type. It is a stand-in: patterns and conditions are not looked at. Rule: any JSON may be given as
//! a schema, and the same seed gives the same value.

use std::cell::Cell;

use serde_json::{Map, Value, json};

/// Schemas may refer to themselves; beyond this depth everything is null.
const DEEPEST: usize = 12;

/// More elements and fields than an example needs.
const MOST: usize = 64;

/// What a value and everything in it may come to, about, in bytes.
const LARGEST: usize = 256 * 1024;

/// A value of this schema; `text` writes a text for the field of a name.
pub(crate) fn of_schema(schema: &Value, seed: u128, text: &dyn Fn(&str) -> String) -> Value {
    Sampler { root: schema, seed, text, left: Cell::new(LARGEST) }.value(schema, "value", 0)
}

/// One of these, by the seed.
pub(crate) fn choose<T>(from: &[T], seed: u128) -> Option<&T> {
    let count = u128::try_from(from.len()).ok().filter(|count| *count > 0)?;
    from.get(usize::try_from(seed % count).ok()?)
}

/// `value` at the place of a JSON pointer in an otherwise empty object.
pub(crate) fn at(pointer: &str, value: Value) -> Value {
    pointer.split('/').skip(1).collect::<Vec<_>>().into_iter().rev().fold(value, |value, key| {
        let key = key.replace("~1", "/").replace("~0", "~");
        Value::Object(Map::from_iter([(key, value)]))
    })
}

struct Sampler<'a> {
    root: &'a Value,
    seed: u128,
    text: &'a dyn Fn(&str) -> String,
    /// How many bytes may still be made: references can branch without end.
    left: Cell<usize>,
}

impl Sampler<'_> {
    fn value(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > DEEPEST || !self.takes(100) {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or(Value::Null, |target| self.value(target, name, depth + 1));
        }
        if let Some(given) = schema.get("const").or_else(|| schema.get("default")) {
            return self.given(given);
        }
        for word in ["examples", "enum"] {
            let listed = schema.get(word).and_then(Value::as_array);
            if let Some(chosen) = listed.and_then(|list| choose(list, self.seed)) {
                return self.given(chosen);
            }
        }
        for word in ["oneOf", "anyOf", "allOf"] {
            let choices = schema.get(word).and_then(Value::as_array);
            if let Some(first) = choices.and_then(|choices| choices.iter().find(|choice| !is_null(choice))) {
                return self.value(first, name, depth + 1);
            }
        }
        self.of_type(schema, name, depth)
    }

    /// Whether there is room for so many bytes; once there is not, there is none for anything.
    fn takes(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    fn given(&self, value: &Value) -> Value {
        if self.takes(value.to_string().len()) { value.clone() } else { Value::Null }
    }

    fn of_type(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let listed = schema.get("type");
        let first = listed.and_then(Value::as_array).and_then(|types| types.iter().find(|kind| *kind != "null"));
        let kind = first.or(listed).and_then(Value::as_str);
        let implied = if schema.get("properties").is_some() { "object" } else { "string" };
        match kind.unwrap_or(implied) {
            "object" => self.object(schema, depth),
            "array" => {
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
                let count = usize::try_from(least).unwrap_or(MOST).clamp(1, MOST);
                let items = schema.get("items").unwrap_or(&Value::Null);
                (0..count).map(|_| self.value(items, name, depth + 1)).collect()
            }
            "integer" => json!(integer(schema)),
            "number" => json!(number(schema)),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => self.string(schema, name).into(),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields = properties.into_iter().flatten().take(MOST);
        Value::Object(fields.map(|(name, schema)| (name.clone(), self.value(schema, name, depth + 1))).collect())
    }

    fn string(&self, schema: &Value, name: &str) -> String {
        let text = match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => "2026-01-01T09:00:00Z".to_owned(),
            Some("date") => "2026-01-01".to_owned(),
            Some("time") => "09:00:00Z".to_owned(),
            Some("email") => "somebody@example.com".to_owned(),
            Some("uri" | "url") => "https://example.com/".to_owned(),
            Some("uuid") => uuid::Builder::from_random_bytes(self.seed.to_be_bytes()).into_uuid().to_string(),
            _ => (self.text)(name),
        };
        let most = schema.get("maxLength").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
        let text: String = text.chars().take(most.unwrap_or(usize::MAX)).collect();
        if self.takes(text.len()) { text } else { String::new() }
    }
}

/// A number within the bounds, near the lower one.
fn number(schema: &Value) -> f64 {
    let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - 1.0));
    let wanted = least.unwrap_or(1.0);
    most.map_or(wanted, |most| wanted.min(most))
}

fn integer(schema: &Value) -> i64 {
    let bound = |word: &str| schema.get(word).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most.saturating_sub(1)));
    let wanted = least.unwrap_or(1);
    most.map_or(wanted, |most| wanted.min(most))
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(schema: &Value) -> Value {
        of_schema(schema, 4, &|field| format!("a {field}"))
    }

    #[test]
    fn a_value_has_the_form_that_its_schema_asks_for() {
        let schema = json!({"type": "object", "properties": {
            "service": {"type": "string"}, "short": {"type": "string", "maxLength": 3},
            "minutes": {"type": "integer", "minimum": 5}, "share": {"type": ["null", "number"], "maximum": 0.5},
            "level": {"enum": ["low", "high", "other"]}, "rows": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/row"}},
            "note": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}, "kept": {"const": 7},
        }, "$defs": {"row": {"properties": {"day": {"type": "string", "format": "date"}}}}});
        let expected = json!({
            "service": "a service", "short": "a s", "minutes": 5, "share": 0.5, "level": "high",
            "rows": [{"day": "2026-01-01"}, {"day": "2026-01-01"}], "note": true, "kept": 7,
        });
        assert_eq!(sample(&schema), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let schema = json!({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"l": {"$ref": "#/$defs/a"}, "r": {"$ref": "#/$defs/a"}}}}});
        assert!(sample(&schema).to_string().len() < 100_000);
        assert_eq!(sample(&json!({"$ref": "#"})), Value::Null);
    }

    #[test]
    fn a_value_stands_at_its_pointer() {
        assert_eq!(at("/a/b~1c", json!([1])), json!({"a": {"b/c": [1]}}));
        assert_eq!(at("", json!([1])), json!([1]));
    }
}
