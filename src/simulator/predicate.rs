//! The condition of a join: what it looks at, and what must stand there.
//!
//! Owns reading it from a spec, and holding a node's end against it. What is looked at: with `node_status` the word of
//! the node's status; with `node_output` the value at `path` in its output or, without a path, its text where it is a
//! model's and the whole output otherwise. `exists` holds where there is such a value, `equals` where it is the given
//! one (numbers by value), `matches` where the regular expression finds something in it: in a text as it is, in
//! anything else as JSON. Rule: a node that has failed has a status and no output.

use regex::Regex;
use serde_json::Value;

use super::issues::{Issues, field};
use crate::api::workflow::Predicate;

/// The code of everything that is wrong with a condition.
const CODE: &str = "INVALID_PREDICATE";

/// A condition that can be held against nodes.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    source: Source,
    test: Test,
}

#[derive(Debug, Clone)]
enum Source {
    Output(Option<Vec<Key>>),
    Status,
}

#[derive(Debug, Clone)]
enum Test {
    Equals(Value),
    Matches(Regex),
    Exists,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Name(String),
    Index(usize),
}

/// How a node has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending<'a> {
    /// The word of its status.
    pub(crate) status: &'a str,
    /// What it has put out.
    pub(crate) output: Option<&'a Value>,
    /// What its model has said, where it has one.
    pub(crate) text: Option<&'a str>,
}

impl Condition {
    /// Reads a condition; what is wrong with it goes to `issues`.
    pub(crate) fn read(predicate: &Predicate, path: &str, issues: &mut Issues) -> Option<Self> {
        let source = Source::read(predicate, path, issues);
        let test = Test::read(predicate, path, issues);
        Some(Self { source: source?, test: test? })
    }

    /// Whether it holds of a node that has ended.
    pub(crate) fn holds(&self, ending: Ending<'_>) -> bool {
        let status;
        let text;
        let found = match &self.source {
            Source::Status => {
                status = Value::from(ending.status);
                Some(&status)
            }
            Source::Output(Some(keys)) => ending.output.and_then(|output| at(output, keys)),
            Source::Output(None) => match ending.text.filter(|_| ending.output.is_some()) {
                Some(said) => {
                    text = Value::from(said);
                    Some(&text)
                }
                None => ending.output,
            },
        };
        let Some(found) = found else { return false };
        match &self.test {
            Test::Exists => true,
            Test::Equals(value) => equal(found, value),
            Test::Matches(pattern) => match found {
                Value::String(text) => pattern.is_match(text),
                other => pattern.is_match(&other.to_string()),
            },
        }
    }
}

impl Source {
    fn read(predicate: &Predicate, path: &str, issues: &mut Issues) -> Option<Self> {
        let place = field(path, "path");
        let keys = predicate.path.as_deref().map(|text| {
            let read = keys(text);
            if read.is_none() {
                issues.add(CODE, place.as_str(), format!("{text:?} is no path such as $.a.b[0]"));
            }
            read
        });
        match predicate.source.as_str() {
            "node_output" => Some(Self::Output(keys.flatten())),
            "node_status" => {
                if keys.flatten().is_some_and(|keys| !keys.is_empty()) {
                    issues.add(CODE, place, "a status is one word: there is no path into it");
                }
                Some(Self::Status)
            }
            other => {
                let message = format!("{other:?} is neither node_output nor node_status");
                issues.add(CODE, field(path, "source"), message);
                None
            }
        }
    }
}

impl Test {
    fn read(predicate: &Predicate, path: &str, issues: &mut Issues) -> Option<Self> {
        let place = field(path, "value");
        let wrong = match (predicate.op.as_str(), &predicate.value) {
            ("exists", _) => return Some(Self::Exists),
            ("equals" | "matches", None) => format!("is missing: {} needs one", predicate.op),
            ("equals", Some(Value::Array(_) | Value::Object(_))) => {
                "must be a text, a number, true, false or null".to_owned()
            }
            ("equals", Some(value)) => return Some(Self::Equals(value.clone())),
            ("matches", Some(Value::String(pattern))) => match Regex::new(pattern) {
                Ok(pattern) => return Some(Self::Matches(pattern)),
                Err(error) => format!("is no regular expression: {}", last_line(&error.to_string())),
            },
            ("matches", Some(_)) => "must be a text: a regular expression".to_owned(),
            (other, _) => {
                issues.add(CODE, field(path, "op"), format!("{other:?} is none of equals, matches and exists"));
                return None;
            }
        };
        issues.add(CODE, place, wrong);
        None
    }
}

/// Numbers are equal by value, whether or not they are written with a fraction.
fn equal(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && one.as_f64().is_some_and(|number| Some(number) == other.as_f64()))
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}

fn at<'a>(value: &'a Value, keys: &[Key]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| match key {
        Key::Name(name) => value.get(name),
        Key::Index(index) => value.get(index),
    })
}

/// The steps of a path such as `$.a.b[0]["a key"]`; `None` where it is not one.
fn keys(path: &str) -> Option<Vec<Key>> {
    let mut rest = path.strip_prefix('$')?;
    let mut keys = Vec::new();
    while !rest.is_empty() {
        if let Some(named) = rest.strip_prefix('.') {
            let end = named.find(['.', '[']).unwrap_or(named.len());
            let (name, left) = named.split_at(end);
            if name.is_empty() || name.contains([']', '*', ' ']) {
                return None;
            }
            keys.push(Key::Name(name.to_owned()));
            rest = left;
        } else {
            let inner = rest.strip_prefix('[')?;
            let mut quoted = serde_json::Deserializer::from_str(inner).into_iter::<Value>();
            let key = match quoted.next()?.ok()? {
                Value::String(name) => Key::Name(name),
                Value::Number(number) => Key::Index(usize::try_from(number.as_u64()?).ok()?),
                _ => return None,
            };
            rest = inner.get(quoted.byte_offset()..)?.strip_prefix(']')?;
            keys.push(key);
        }
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(predicate: Value) -> Result<Condition, String> {
        let mut issues = Issues::default();
        let read = Condition::read(&serde_json::from_value(predicate).unwrap(), "$.p", &mut issues);
        match issues.into_result() {
            Ok(()) => Ok(read.unwrap()),
            Err(found) => Err(found[0].to_string()),
        }
    }

    #[test]
    fn a_path_names_keys_and_places() {
        let key = |name: &str| Key::Name(name.to_owned());
        assert_eq!(keys("$"), Some(vec![]));
        assert_eq!(keys("$.a.b[0][\"c ]\"].d"), Some(vec![key("a"), key("b"), Key::Index(0), key("c ]"), key("d")]));
        for wrong in ["", "a", "$a", "$.", "$..a", "$[", "$[a]", "$[-1]", "$[0", "$.a[*]", "$.*", "$[1.5]", "$[é"] {
            assert_eq!(keys(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_condition_holds_of_what_it_looks_at_and_of_nothing_else() {
        let output = json!({"score": 3, "tags": ["a", {"b": null}], "output": "structure"});
        let good = Ending { status: "succeeded", output: Some(&output), text: Some("all is well") };
        let bad = Ending { status: "failed", output: None, text: Some("") };
        let cases = [
            (json!({"source": "node_output", "op": "equals", "path": "$.score", "value": 3.0}), true, false),
            (json!({"source": "node_output", "op": "equals", "path": "$.score", "value": "3"}), false, false),
            (json!({"source": "node_output", "op": "matches", "path": "$.score", "value": "^[1-4]$"}), true, false),
            (json!({"source": "node_output", "op": "equals", "path": "$.tags[1].b", "value": null}), true, false),
            (json!({"source": "node_output", "op": "exists", "path": "$.tags[1].b"}), true, false),
            (json!({"source": "node_output", "op": "exists", "path": "$.tags[2]"}), false, false),
            (json!({"source": "node_output", "op": "matches", "value": "well$"}), true, false),
            (json!({"source": "node_output", "op": "exists"}), true, false),
            (json!({"source": "node_status", "op": "equals", "value": "failed"}), false, true),
            (json!({"source": "node_status", "op": "exists"}), true, true),
        ];
        for (predicate, of_good, of_bad) in cases {
            let condition = read(predicate.clone()).unwrap();
            assert_eq!((condition.holds(good), condition.holds(bad)), (of_good, of_bad), "{predicate}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_condition_is_said_with_its_place() {
        let cases = [
            (json!({"source": "x", "op": "exists"}), "$.p.source"),
            (json!({"source": "node_output", "op": "x"}), "$.p.op"),
            (json!({"source": "node_output", "op": "equals"}), "$.p.value"),
            (json!({"source": "node_output", "op": "equals", "value": [1]}), "$.p.value"),
            (json!({"source": "node_output", "op": "matches", "value": "("}), "unclosed group"),
            (json!({"source": "node_output", "op": "matches", "value": 3}), "$.p.value"),
            (json!({"source": "node_output", "op": "exists", "path": "a"}), "$.p.path"),
            (json!({"source": "node_status", "op": "exists", "path": "$.a"}), "$.p.path"),
        ];
        for (predicate, expected) in cases {
            let message = read(predicate.clone()).unwrap_err();
            assert!(message.contains("INVALID_PREDICATE") && message.contains(expected), "{predicate}: {message}");
        }
    }
}
