//! What a stand-in model costs, and who serves it.
//!
//! Owns the simulator's own small price table. The figures are for the show: they are near what such models cost, and
//! nobody else may read them, because the console shows the server's money and no price list of its own.

use crate::api::run::Provider;

/// Price of a model in US dollars for a million tokens read, and written.
struct Price {
    prefix: &'static str,
    provider: Provider,
    input: u64,
    output: u64,
}

/// The longest prefix that fits wins. Money is in thousandths of a cent for a thousand tokens: $3.00 for a million
/// tokens is 300 of these.
const PRICES: &[Price] = &[
    Price { prefix: "claude-haiku", provider: Provider::Anthropic, input: 100, output: 500 },
    Price { prefix: "claude-opus", provider: Provider::Anthropic, input: 500, output: 2500 },
    Price { prefix: "claude", provider: Provider::Anthropic, input: 300, output: 1500 },
    Price { prefix: "gpt-5-nano", provider: Provider::Openai, input: 5, output: 40 },
    Price { prefix: "gpt-5-mini", provider: Provider::Openai, input: 25, output: 200 },
    Price { prefix: "gpt", provider: Provider::Openai, input: 125, output: 1000 },
    Price { prefix: "grok-4-fast", provider: Provider::Xai, input: 20, output: 50 },
    Price { prefix: "grok", provider: Provider::Xai, input: 300, output: 1500 },
    Price { prefix: "gemini-2.5-flash-lite", provider: Provider::GoogleAiStudio, input: 10, output: 40 },
    Price { prefix: "gemini-2.5-flash", provider: Provider::GoogleAiStudio, input: 30, output: 250 },
    Price { prefix: "gemini", provider: Provider::GoogleAiStudio, input: 125, output: 1000 },
];

fn price(model: &str) -> Option<&'static Price> {
    PRICES.iter().filter(|price| model.starts_with(price.prefix)).max_by_key(|price| price.prefix.len())
}

/// Who serves a model; nobody for a model that is in no list. The published document knows no other providers than those
/// of the list, and what has no price must not be shown as billed.
pub(crate) fn provider(model: &str) -> Option<Provider> {
    price(model).map(|price| price.provider.clone())
}

/// Whole US cents for these tokens, rounded to the nearest; 0 for a model that is in no list.
pub(crate) fn usd_cents(model: &str, input_tokens: u64, output_tokens: u64) -> u64 {
    let Some(price) = price(model) else { return 0 };
    let millionths =
        input_tokens.saturating_mul(price.input).saturating_add(output_tokens.saturating_mul(price.output));
    millionths.saturating_add(500_000) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_tokens_cost_what_the_table_says() {
        assert_eq!(usd_cents("claude-sonnet-4-5", 1_000_000, 0), 300);
        assert_eq!(usd_cents("claude-sonnet-4-5", 0, 1_000_000), 1500);
        assert_eq!(usd_cents("gpt-5-mini", 2_000_000, 500_000), 150);
    }

    #[test]
    fn the_server_rounds_so_that_few_tokens_cost_nothing() {
        assert_eq!(usd_cents("gemini-2.5-flash", 900, 100), 0);
        assert_eq!(usd_cents("a-model-of-no-list", 1_000_000, 0), 0);
    }

    #[test]
    fn the_longest_prefix_names_the_provider() {
        assert_eq!(provider("grok-4-fast"), Some(Provider::Xai));
        assert_eq!(provider("somebody-1"), None);
    }
}
