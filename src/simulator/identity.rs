//! Ids that follow from a seed.
//!
//! Owns how run, request, response, call and message ids are made: each is a digest of the seed and of what it names,
//! so the same seed gives the same ids whatever the order in which they are asked for.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::api::ids::{CallId, RequestId, RunId};
use crate::api::run::Provider;

/// Makes the ids of one run.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    scope: String,
}

impl Identity {
    /// The ids of run number `index` of a simulator with this seed.
    pub(crate) fn new(seed: u64, index: usize, scenario: &str) -> Self {
        Self { scope: format!("{seed}/{index}/{scenario}") }
    }

    /// The ids of the child run `name`.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self { scope: format!("{}/child/{name}", self.scope) }
    }

    fn digest(&self, what: &str) -> [u8; 32] {
        Sha256::digest(format!("{}#{what}", self.scope).as_bytes()).into()
    }

    /// A UUID (version 4 in form) for `what`.
    pub(crate) fn uuid(&self, what: &str) -> Uuid {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.digest(what)[..16]);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The run's own id.
    pub(crate) fn run_id(&self) -> RunId {
        // The version bits keep the UUID from being nil.
        RunId::from_uuid(self.uuid("run")).unwrap_or_else(RunId::random)
    }

    /// The id of the LLM request `request` of a node.
    pub(crate) fn request_id(&self, node: &str, request: u64) -> RequestId {
        RequestId::from_uuid(self.uuid(&format!("request/{node}/{request}"))).unwrap_or_else(RequestId::random)
    }

    /// A response's id in the spelling of its provider.
    pub(crate) fn response_id(&self, provider: Option<&Provider>, request: RequestId) -> String {
        let digits = self.letters(&format!("response/{request}"), 20);
        match provider {
            Some(Provider::Anthropic) => format!("msg_01{digits}"),
            Some(Provider::Openai) => format!("resp_{digits}"),
            _ => digits,
        }
    }

    /// The id of call number `index` of a request, in the spelling of its provider.
    pub(crate) fn call_id(&self, provider: Option<&Provider>, request: RequestId, index: usize) -> Option<CallId> {
        let digits = self.letters(&format!("call/{request}/{index}"), 18);
        let prefix = if provider == Some(&Provider::Anthropic) { "toolu_01" } else { "call_" };
        CallId::from_wire(&format!("{prefix}{digits}"))
    }

    /// A factor between 0.8 and 1.2, so that neighbours do not move in step.
    pub(crate) fn jitter(&self, what: &str) -> f64 {
        0.8 + 0.4 * f64::from(self.digest(what)[0]) / 255.0
    }

    fn letters(&self, what: &str, length: usize) -> String {
        const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        self.digest(what).iter().take(length).map(|byte| char::from(ALPHABET[usize::from(*byte) % 58])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_another_seed_others() {
        let one = Identity::new(7, 0, "incident");
        assert_eq!(one.run_id(), Identity::new(7, 0, "incident").run_id());
        assert_ne!(one.run_id(), Identity::new(8, 0, "incident").run_id());
        assert_ne!(one.run_id(), Identity::new(7, 1, "incident").run_id());
        assert_ne!(one.request_id("a", 0), one.request_id("a", 1));
        assert_eq!(one.uuid("run").get_version_num(), 4);
    }
}
