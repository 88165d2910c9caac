//! Requests that were answered, so that one that comes again gets the same answer.
//!
//! Owns what "the same request" means: the same key, and a body that says the same. Rule: a bounded number is kept, the
//! oldest is forgotten first, and no body is kept, only its digest.

use indexmap::IndexMap;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What a request says, in short.
pub(crate) type Fingerprint = [u8; 32];

/// Answers by the key of their request.
#[derive(Debug)]
pub(super) struct Replays<T> {
    answers: IndexMap<String, (Fingerprint, T)>,
    kept: usize,
}

/// The key was used before for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reused;

impl<T: Clone> Replays<T> {
    /// Room for this many.
    pub(super) fn new(kept: usize) -> Self {
        Self { answers: IndexMap::new(), kept }
    }

    /// The answer that this request got before.
    ///
    /// # Errors
    /// When the key was another request's.
    pub(super) fn find(&self, key: &str, fingerprint: &Fingerprint) -> Result<Option<T>, Reused> {
        match self.answers.get(key) {
            Some((before, answer)) if before == fingerprint => Ok(Some(answer.clone())),
            Some(_) => Err(Reused),
            None => Ok(None),
        }
    }

    /// Keeps an answer.
    pub(super) fn keep(&mut self, key: &str, fingerprint: Fingerprint, answer: T) {
        if self.answers.len() >= self.kept {
            self.answers.shift_remove_index(0);
        }
        self.answers.insert(key.to_owned(), (fingerprint, answer));
    }
}

/// The fingerprint of a body, byte for byte.
pub(crate) fn of_bytes(body: &[u8]) -> Fingerprint {
    Sha256::digest(body).into()
}

/// The fingerprint of a JSON value, whatever the order of its keys and the space between them.
pub(crate) fn of_json(value: &Value) -> Fingerprint {
    let mut digest = Sha256::new();
    feed(&mut digest, value);
    digest.finalize().into()
}

fn feed(digest: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            digest.update(format!("{{{}", entries.len()));
            for (key, value) in entries {
                feed(digest, &Value::from(key.as_str()));
                feed(digest, value);
            }
        }
        Value::Array(items) => {
            digest.update(format!("[{}", items.len()));
            for item in items {
                feed(digest, item);
            }
        }
        other => {
            let text = other.to_string();
            digest.update(format!("{}:{text}", text.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_its_answer_to_its_own_request_only_and_the_oldest_is_forgotten() {
        let mut replays = Replays::new(2);
        for key in ["a", "b", "c"] {
            replays.keep(key, of_bytes(key.as_bytes()), key.to_owned());
        }
        assert_eq!(replays.find("a", &of_bytes(b"a")), Ok(None));
        assert_eq!(replays.find("c", &of_bytes(b"c")), Ok(Some("c".to_owned())));
        assert_eq!(replays.find("c", &of_bytes(b"x")), Err(Reused));
    }

    #[test]
    fn a_value_has_one_fingerprint_in_every_order_of_keys_and_no_other_value_has_it() {
        let of = |text: &str| of_json(&serde_json::from_str(text).unwrap());
        let value = of(r#"{"a":[1,{"b":2,"c":"3"}],"d":null}"#);
        assert_eq!(value, of(r#" {"d":null, "a":[1, {"c":"3","b":2}]} "#));
        for other in [
            r#"{"a":[1,{"b":2,"c":3}],"d":null}"#,
            r#"{"a":[{"b":2,"c":"3"},1],"d":null}"#,
            r#"{"a":[1,{"b":2}],"c":"3","d":null}"#,
            r#"{"a":[1,{"b":2,"c":"3"}]}"#,
        ] {
            assert_ne!(value, of(other), "{other}");
        }
    }
}
