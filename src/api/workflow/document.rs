//! The text of a spec: what a person wrote is what the server gets, byte for byte.
//!
//! Owns reading it and saying where it is wrong. Rule: nothing is re-serialised, so no number and no order changes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{InputSpec, Workflow};

/// A spec that is one JSON object.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct WorkflowSpec(Box<RawValue>);

impl PartialEq for WorkflowSpec {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// Why a text is not a spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It is not JSON.
    #[error("line {line}, column {column}: {problem}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1; 0 at the end of a line.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// It is JSON, but no object.
    #[error("a workflow spec is a JSON object, not {0}")]
    NoObject(&'static str),
}

impl From<serde_json::Error> for SpecError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column, whole) = (error.line(), error.column(), error.to_string());
        let place = format!(" at line {line} column {column}");
        Self::Json { line, column, problem: whole.strip_suffix(&place).unwrap_or(&whole).to_owned() }
    }
}

impl WorkflowSpec {
    /// Reads a spec from its text.
    ///
    /// # Errors
    /// When it is not one JSON object.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        // A byte order mark is what some editors put before UTF-8.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let spec: Box<RawValue> = serde_json::from_str(text)?;
        match serde_json::from_str::<Value>(spec.get())? {
            Value::Object(_) => Ok(Self(spec)),
            Value::Array(_) => Err(SpecError::NoObject("a list")),
            Value::String(_) => Err(SpecError::NoObject("a text")),
            Value::Null | Value::Bool(_) | Value::Number(_) => Err(SpecError::NoObject("a single value")),
        }
    }

    /// The spec of a workflow that was built here.
    ///
    /// # Errors
    /// When a value in it cannot be JSON.
    pub fn of(workflow: &Workflow) -> Result<Self, SpecError> {
        Ok(Self(serde_json::value::to_raw_value(workflow)?))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The spec as types.
    ///
    /// # Errors
    /// When it is not of the form that this version knows, which a server may still take.
    pub fn workflow(&self) -> Result<Workflow, SpecError> {
        Ok(serde_json::from_str(self.text())?)
    }

    /// The inputs that can be read, whatever the rest looks like.
    #[must_use]
    pub fn inputs(&self) -> Vec<InputSpec> {
        #[derive(Deserialize)]
        struct Inputs {
            #[serde(default)]
            inputs: Vec<Value>,
        }
        let found: Option<Inputs> = serde_json::from_str(self.text()).ok();
        found.into_iter().flat_map(|spec| spec.inputs).filter_map(|input| serde_json::from_value(input).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_stays_letter_for_letter() {
        let text = "{ \"b\": 12345678901234567890123,\n  \"a\": 0.1000000000000000055 }";
        assert_eq!(serde_json::to_string(&WorkflowSpec::parse(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn what_is_no_spec_is_said_with_its_place() {
        let error = WorkflowSpec::parse("{\n  \"nodes\": [,]\n}").unwrap_err();
        assert_eq!(error.to_string(), "line 2, column 13: expected value");
        assert_eq!(WorkflowSpec::parse("[1]").unwrap_err(), SpecError::NoObject("a list"));
        assert!(WorkflowSpec::parse("").is_err());
        assert!(WorkflowSpec::parse("{} {}").is_err());
    }

    #[test]
    fn inputs_are_read_even_where_the_rest_is_unknown() {
        let spec = WorkflowSpec::parse(r#"{"inputs":[{"name":"a","required":true},7],"nodes":"later"}"#).unwrap();
        assert!(spec.workflow().is_err());
        assert_eq!(spec.inputs(), [InputSpec { name: "a".into(), required: true, ..InputSpec::default() }]);
    }
}
