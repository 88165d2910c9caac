//! Reading a body of JSON, field by field.
//!
//! Rule: what is wrong is said with the field's name; `null` is the same as leaving a field out; fields that nobody asks
//! for are ignored, as servers do.

use axum::extract::rejection::BytesRejection;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::ApiError;

/// The largest spec, with the request around it, that is read, in bytes.
pub(super) const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// The JSON of a body.
pub(super) fn json(body: Result<Bytes, BytesRejection>) -> Result<Value, ApiError> {
    let body = body.map_err(|rejection| ApiError::unreadable(&rejection, BODY_LIMIT))?;
    if body.trim_ascii().is_empty() {
        return Err(ApiError::invalid("body", "is empty; JSON is expected"));
    }
    serde_json::from_slice(&body).map_err(|error| ApiError::invalid("body", &format!("is not JSON: {error}")))
}

/// The fields of an object that are not read yet.
pub(super) struct Fields {
    /// The object's own name, with a dot behind it; empty for the body itself.
    prefix: String,
    fields: Map<String, Value>,
}

impl Fields {
    /// The fields of the body.
    pub(super) fn of_body(body: Value) -> Result<Self, ApiError> {
        match body {
            Value::Object(fields) => Ok(Self { prefix: String::new(), fields }),
            _ => Err(ApiError::invalid("body", "must be a JSON object")),
        }
    }

    /// The value of a field.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, message: &str) -> ApiError {
        ApiError::invalid(&format!("{}{name}", self.prefix), message)
    }

    /// A field that is an object.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(self.wrong(name, "must be a JSON object")),
        }
    }

    /// The fields of a field that is an object; none where it is not there.
    pub(super) fn within(&mut self, name: &str) -> Result<Self, ApiError> {
        let fields = self.object(name)?.unwrap_or_default();
        Ok(Self { prefix: format!("{}{name}.", self.prefix), fields })
    }

    /// A field that is a text of at most `most` characters, without the white space around it; a blank one says nothing.
    pub(super) fn text(&mut self, name: &str, most: usize) -> Result<Option<String>, ApiError> {
        let text = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(_) => return Err(self.wrong(name, "must be a text")),
        };
        if text.chars().count() > most {
            return Err(self.wrong(name, &format!("has more than {most} characters")));
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A field that is true or false.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    /// A field of a form that has a type; its default where it is not there.
    pub(super) fn typed<T: DeserializeOwned + Default>(&mut self, name: &str) -> Result<T, ApiError> {
        let Some(value) = self.value(name) else { return Ok(T::default()) };
        serde_json::from_value(value).map_err(|error| self.wrong(name, &error.to_string()))
    }

    /// A field that is an id, which `parse` reads from its text.
    pub(super) fn id<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => parse(&text).map(Some).map_err(|error| self.wrong(name, &error.to_string())),
            Some(_) => Err(self.wrong(name, "must be a text")),
        }
    }
}
