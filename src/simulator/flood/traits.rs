//! What a node of a flood is: its name, its model, whether it fails, its ids and tokens.
//!
//! Owns everything about a node that does not depend on how long it lives. Rule: all of it follows from the seed and the
//! node's number (and its step), and sums over steps are formulas, so that nothing has to be counted.

use crate::api::run::Provider;

/// Names of nodes; the node's number follows.
const NAMES: [&str; 16] = [
    "triage",
    "logs",
    "summary",
    "reply",
    "policy",
    "order",
    "translate",
    "rank",
    "dates",
    "prices",
    "claim",
    "refund",
    "review",
    "owner",
    "classify",
    "report",
];

/// The models that are called, and who serves them.
pub(super) const MODELS: [(Provider, &str); 4] = [
    (Provider::Anthropic, "claude-sonnet-4-5"),
    (Provider::Openai, "gpt-5-mini"),
    (Provider::GoogleAiStudio, "gemini-2.5-flash"),
    (Provider::Anthropic, "claude-haiku-4-5"),
];

/// Why nodes fail: code and message.
const FAILURES: [(&str, &str); 4] = [
    ("MODEL_TIMEOUT", "the model has not answered within 60 s"),
    ("RATE_LIMIT", "the provider refuses more requests until the next minute"),
    ("TOOL_FAILED", "the tool fs.search has ended with \"permission denied\" – três vezes"),
    ("OUTPUT_INVALID", "the output does not fit its schema:\n/items/3/price is missing"),
];

/// One node of so many fails.
const FAILS: u64 = 50;

/// Tokens written by a step more than by the one before it, and after how many steps it begins anew.
const MORE_WRITTEN: u64 = 16;
const CYCLE: u64 = 8;

/// Numbers that look like chance and follow from others (the finalizer of `SplitMix64`).
pub(super) fn mix(seed: u64, first: u64, second: u64) -> u64 {
    let mut x = seed ^ first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ second.wrapping_mul(0xd1b5_4a32_d192_ed03);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The part of `0..bound` that a number of [`mix`] falls on.
pub(super) fn below(draw: u64, bound: u64) -> u64 {
    // At most `bound`, which is 64 bits.
    u64::try_from((u128::from(draw) * u128::from(bound)) >> 64).unwrap_or_default()
}

/// What the nodes of a flood are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    seed: u64,
}

impl Traits {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds shall have nothing in common.
        Self { seed: mix(seed, 1, 0) }
    }

    /// A number for each purpose, node and step.
    fn draw(self, purpose: u64, node: u64, step: u64) -> u64 {
        mix(self.seed.wrapping_add(purpose), node, step)
    }

    /// What comes before the underscore and the number in a node's id.
    pub(super) fn name(node: u64) -> &'static str {
        NAMES[usize::try_from(node % NAMES.len() as u64).unwrap_or_default()]
    }

    pub(super) fn fails(self, node: u64) -> bool {
        self.draw(2, node, 0).is_multiple_of(FAILS)
    }

    pub(super) fn failure(self, node: u64) -> (&'static str, &'static str) {
        FAILURES[usize::try_from(below(self.draw(3, node, 0), FAILURES.len() as u64)).unwrap_or_default()]
    }

    /// The index of its model.
    pub(super) fn model(self, node: u64) -> usize {
        usize::try_from(below(self.draw(4, node, 0), MODELS.len() as u64)).unwrap_or_default()
    }

    /// Where in the prose its text begins.
    pub(super) fn text_start(self, node: u64) -> u64 {
        self.draw(5, node, 0) >> 32
    }

    /// The 128 bits of a step's request id.
    pub(super) fn request(self, node: u64, step: u64) -> (u64, u64) {
        (self.draw(6, node, step), self.draw(7, node, step))
    }

    /// The digits of a response's id.
    pub(super) fn response(self, node: u64, step: u64) -> u64 {
        self.draw(8, node, step)
    }

    /// The digits of a call's id.
    pub(super) fn call(self, node: u64, step: u64) -> u64 {
        self.draw(9, node, step)
    }

    /// A number from 0 to 2^32 for what a step asks of its tool and gets from it.
    pub(super) fn tool(self, node: u64, step: u64) -> u64 {
        self.draw(10, node, step) >> 32
    }

    /// Tokens that a step reads and writes: it reads more and more, as its history grows.
    pub(super) fn tokens(self, node: u64, step: u64) -> (u64, u64) {
        let [first_read, more_read, written] = self.token_base(node);
        (first_read + more_read * step, written + MORE_WRITTEN * (step % CYCLE))
    }

    /// The tokens of its first `steps` steps.
    pub(super) fn tokens_of_first(self, node: u64, steps: u64) -> (u64, u64) {
        let [first_read, more_read, written] = self.token_base(node);
        let sum_below = |count: u64| count * count.saturating_sub(1) / 2;
        let cycles = sum_below(CYCLE) * (steps / CYCLE) + sum_below(steps % CYCLE);
        (first_read * steps + more_read * sum_below(steps), written * steps + MORE_WRITTEN * cycles)
    }

    fn token_base(self, node: u64) -> [u64; 3] {
        let part = |purpose, bound| below(self.draw(purpose, node, 0), bound);
        [400 + part(11, 1600), 40 + part(12, 300), 60 + part(13, 200)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_of_the_first_steps_are_the_sum_of_what_each_has() {
        let traits = Traits::new(3);
        for node in 0..40 {
            let mut sum = (0, 0);
            for step in 0..40 {
                assert_eq!(traits.tokens_of_first(node, step), sum, "node {node}, step {step}");
                let (read, written) = traits.tokens(node, step);
                sum = (sum.0 + read, sum.1 + written);
            }
        }
    }

    #[test]
    fn few_nodes_fail_and_some_do() {
        let failing = (0..10_000).filter(|node| Traits::new(1).fails(*node)).count();
        assert!((100..400).contains(&failing), "{failing}");
    }
}
