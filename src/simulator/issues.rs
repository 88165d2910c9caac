//! Collecting what is wrong with a spec: the kinds of issues, their places, and how many are told.
//!
//! Owns the codes below and the spelling of places (`$.nodes[1].depends_on[0]`, `$.nodes[2].object["a key"]`). Rule:
//! nothing is said twice: where a value has the wrong form, nothing else is said about it or anything in it.
//!
//! | code | what is wrong |
//! | --- | --- |
//! | `INVALID_KIND` | the spec is of another form than the one that clients send |
//! | `MISSING_FIELD`, `INVALID_FIELD` | a field is not there; its value is of the wrong JSON type, blank, or a word that is not known |
//! | `OUT_OF_RANGE` | a number is too small or too large |
//! | `EMPTY_NODES`, `TOO_MANY_NODES` | there are no nodes, or more than the simulator runs |
//! | `INVALID_ID`, `DUPLICATE_ID` | an id is not of the published form, or is taken, also by an item of a fan-out |
//! | `DUPLICATE_INPUT`, `DUPLICATE_OUTPUT`, `AMBIGUOUS_NAME` | a name is taken; a node and an input have the same |
//! | `UNKNOWN_TYPE`, `INVALID_SUBNODE` | no such node type; a type that a fan-out cannot repeat |
//! | `MISSING_MODEL` | neither the node nor the workflow names a model |
//! | `MISSING_DEPENDENCY` | a `join.any` or `join.collect` has nothing to choose from |
//! | `UNKNOWN_DEPENDENCY`, `UNKNOWN_INPUT`, `UNKNOWN_SOURCE`, `UNKNOWN_PLACEHOLDER`, `UNKNOWN_NODE` | a name that is no node; no input; neither; neither, in a text; no node, in outputs and overrides |
//! | `CYCLE` | nodes wait for each other; the message names them in order |
//! | `MISSING_ITEMS`, `MISSING_VALUES` | a fan-out says not once where its items are; a transform has not one of `object` and `merge` |
//! | `INVALID_POINTER`, `INVALID_PREDICATE` | not a JSON pointer; a condition that cannot be held against anything |
//! | `MISSING_INPUT`, `INVALID_INPUT` | of a request: a required input is not given; one is not of its declared type |
//! | `NOT_A_MODEL_NODE` | of a request: a model for a node that asks none |
//! | `TOO_MANY_ISSUES` | there are more than are told |

use std::collections::BTreeSet;

use crate::api::plan::Issue;

/// More issues than anybody reads at once.
const MOST: usize = 100;

/// Issues in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Issues {
    found: Vec<Issue>,
    malformed: BTreeSet<String>,
    left_out: usize,
}

impl Issues {
    /// Something is wrong at `path`.
    pub(crate) fn add(&mut self, code: &str, path: impl Into<String>, message: impl Into<String>) {
        let path = path.into();
        if self.is_malformed(&path) {
            return;
        }
        if self.found.len() >= MOST {
            self.left_out += 1;
            return;
        }
        self.found.push(Issue { code: code.to_owned(), path, message: message.into() });
    }

    /// The value at `path` is not of its form: nothing more is said about it.
    pub(crate) fn malformed(&mut self, code: &str, path: &str, message: impl Into<String>) {
        self.add(code, path, message);
        self.malformed.insert(path.to_owned());
    }

    /// Whether the value there, or one that it stands in, is not of its form.
    fn is_malformed(&self, path: &str) -> bool {
        let mut ancestors = path.char_indices().filter(|(_, letter)| matches!(letter, '.' | '['));
        self.malformed.contains(path) || ancestors.any(|(end, _)| self.malformed.contains(&path[..end]))
    }

    /// Everything that was found; `Ok` when nothing was.
    pub(crate) fn into_result(mut self) -> Result<(), Vec<Issue>> {
        if self.left_out > 0 {
            let message = format!("{} more things are wrong", self.left_out);
            self.found.push(Issue { code: "TOO_MANY_ISSUES".to_owned(), path: "$".to_owned(), message });
        }
        if self.found.is_empty() { Ok(()) } else { Err(self.found) }
    }
}

/// The place of a field of what stands at `path`.
pub(crate) fn field(path: &str, name: &str) -> String {
    let plain = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if plain { format!("{path}.{name}") } else { format!("{path}[{}]", serde_json::Value::from(name)) }
}

/// The place of an element of what stands at `path`.
pub(crate) fn element(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_about_what_stands_in_a_malformed_value() {
        let mut issues = Issues::default();
        issues.malformed("INVALID_FIELD", "$.nodes[1]", "x");
        issues.add("MISSING_MODEL", "$.nodes[1].model", "y");
        issues.add("MISSING_MODEL", "$.nodes[10].model", "z");
        let paths: Vec<String> = issues.into_result().unwrap_err().into_iter().map(|issue| issue.path).collect();
        assert_eq!(paths, ["$.nodes[1]", "$.nodes[10].model"]);
    }

    #[test]
    fn a_name_that_is_no_word_stands_in_quotes() {
        assert_eq!(field("$.a", "b_2"), "$.a.b_2");
        assert_eq!(field("$.a", "b c\"."), "$.a[\"b c\\\".\"]");
    }

    #[test]
    fn a_flood_of_issues_is_counted() {
        let mut issues = Issues::default();
        for index in 0..1000 {
            issues.add("INVALID_ID", element("$.nodes", index), "x");
        }
        let found = issues.into_result().unwrap_err();
        assert_eq!(found.len(), MOST + 1);
        assert_eq!(found[MOST].message, "900 more things are wrong");
    }
}
