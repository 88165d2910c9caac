//! What a run costs: the server's figures, and estimates for what it has not billed yet.
//!
//! Rules: money is the server's; an estimate is always an [`Amount`] that says so; a call without a price is counted,
//! never taken for free; rows sum to the total, with a named row for what the server's lines leave out.

use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::sync::Arc;

use indexmap::{Equivalent, IndexMap};

use crate::api::event::LlmCall;
use crate::api::run::{CostLine, CostSummary, Provider};

/// Provider and model: what a price belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Who serves the model; `None` where the event does not say.
    pub provider: Option<Provider>,
    /// The model; empty where the event does not say. Shared by all that were called at one rate.
    pub model: Arc<str>,
}

/// The provider and model of a call, to look its [`Rate`] up by: hashed as that is, and nothing is copied.
#[derive(Hash)]
struct RateOf<'a> {
    provider: Option<&'a Provider>,
    model: &'a str,
}

impl Equivalent<Rate> for RateOf<'_> {
    fn equivalent(&self, rate: &Rate) -> bool {
        self.provider == rate.provider.as_ref() && *self.model == *rate.model
    }
}

/// Adds a call to what was used at its rate, and returns the rate.
pub(super) fn add_usage<'u>(usage: &'u mut IndexMap<Rate, Tokens>, call: &LlmCall) -> Option<&'u Rate> {
    let at = RateOf { provider: call.provider.as_ref(), model: call.model.as_deref().unwrap_or_default() };
    let place = usage.get_index_of(&at).unwrap_or_else(|| usage.insert_full(Rate::of(call), Tokens::default()).0);
    usage[place] += Tokens::of(call);
    usage.get_index(place).map(|(rate, _)| rate)
}

impl Rate {
    /// The provider and model of a call.
    #[must_use]
    pub fn of(call: &LlmCall) -> Self {
        Self { provider: call.provider.clone(), model: call.model.as_deref().unwrap_or_default().into() }
    }

    fn of_line(line: &CostLine) -> Self {
        Self { provider: Some(line.provider_id.clone()), model: line.model.as_str().into() }
    }
}

/// LLM requests and their tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Requests.
    pub requests: u64,
    /// Tokens read.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
}

impl Tokens {
    /// One call's tokens.
    #[must_use]
    pub fn of(call: &LlmCall) -> Self {
        let usage = call.usage.unwrap_or_default();
        Self { requests: 1, input: usage.input_tokens, output: usage.output_tokens }
    }

    pub(super) fn of_line(line: &CostLine) -> Self {
        Self { requests: line.requests, input: line.input_tokens, output: line.output_tokens }
    }

    /// What is left when `billed` is taken away; never below 0.
    #[must_use]
    fn beyond(self, billed: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(billed.requests),
            input: self.input.saturating_sub(billed.input),
            output: self.output.saturating_sub(billed.output),
        }
    }

    fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl Add for Tokens {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
        }
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

/// A price from the operator's settings, in US cents per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// For tokens read.
    pub input_cents_per_million: f64,
    /// For tokens written.
    pub output_cents_per_million: f64,
}

/// Prices by `provider/model`, from the operator's settings.
pub type Prices = IndexMap<String, Price>;

/// Money, and how sure it is. Cents are fractional in estimates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Amount {
    /// US cents.
    pub cents: f64,
    /// Whether it is an estimate (shown with `~`).
    pub estimated: bool,
    /// Calls that have no price and are not in `cents`.
    pub unpriced_calls: u64,
}

/// One row of the cost pane.
#[derive(Debug, Clone, PartialEq)]
pub struct CostRow {
    /// What the row is about.
    pub label: RowLabel,
    /// Requests and tokens.
    pub tokens: Tokens,
    /// The money.
    pub amount: Amount,
}

/// What a [`CostRow`] is about.
#[derive(Debug, Clone, PartialEq)]
pub enum RowLabel {
    /// A provider's model, as the server bills it.
    Billed(Rate),
    /// What the server's total holds beyond its lines (or, negative, lacks).
    NotItemised,
    /// Calls that the events have told and the server has not billed yet.
    NotYetBilled,
}

/// The run's money and tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    seen: IndexMap<Rate, Tokens>,
    billed: Option<CostSummary>,
}

impl Ledger {
    pub(super) fn add_call(&mut self, call: &LlmCall) {
        add_usage(&mut self.seen, call);
    }

    /// The same without the server's bill.
    pub(super) fn facts(&self) -> Self {
        Self { seen: self.seen.clone(), billed: None }
    }

    /// Where a rate stands among those that were called at, in the order of their first call.
    pub(super) fn place_of(&self, rate: &Rate) -> Option<usize> {
        self.seen.get_index_of(rate)
    }

    /// The rate at a place.
    pub(super) fn rate_at(&self, place: usize) -> Option<&Rate> {
        self.seen.get_index(place).map(|(rate, _)| rate)
    }

    pub(super) fn observe(&mut self, summary: &CostSummary) {
        self.billed = Some(summary.clone());
    }

    /// The server's total in US cents; `None` before its first snapshot.
    #[must_use]
    pub fn billed_cents(&self) -> Option<u64> {
        self.billed.as_ref().map(|summary| summary.total_usd_cents)
    }

    /// Whether the server bills tokens at nothing (a run of less than a cent).
    #[must_use]
    pub fn billed_tokens(&self) -> u64 {
        self.billed
            .iter()
            .flat_map(|summary| &summary.line_items)
            .map(|line| line.input_tokens.saturating_add(line.output_tokens))
            .fold(0, u64::saturating_add)
    }

    /// Tokens that the events have told.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.seen.values().copied().sum()
    }

    /// Of these, the tokens of calls that name provider and model: those that a line of a bill can be about.
    pub(super) fn named_tokens(&self) -> Tokens {
        let named = self.seen.iter().filter(|(rate, _)| rate.provider.is_some() && !rate.model.is_empty());
        named.map(|(_, tokens)| *tokens).sum()
    }

    /// What the server bills for a rate, in cents and tokens, all of its lines together; `None` without a line.
    fn billed(&self, rate: &Rate) -> Option<(u64, Tokens)> {
        let lines = self.billed.iter().flat_map(|summary| &summary.line_items);
        lines.filter(|line| Rate::of_line(line) == *rate).fold(None, |sum: Option<(u64, Tokens)>, line| {
            let (cents, tokens) = sum.unwrap_or_default();
            Some((cents.saturating_add(line.usd_cents), tokens + Tokens::of_line(line)))
        })
    }

    /// The rate that a call is billed at: an event need not name the provider, a line always does. It is the line's
    /// where only one provider has the model.
    fn resolve(&self, rate: &Rate) -> Rate {
        if rate.provider.is_some() {
            return rate.clone();
        }
        let lines = self.billed.iter().flat_map(|summary| &summary.line_items);
        let mut same = lines.map(Rate::of_line).filter(|line| line.model == rate.model);
        match same.next() {
            Some(first) if same.all(|other| other == first) => first,
            _ => rate.clone(),
        }
    }

    /// An estimate for tokens: by the run's own rate, else by the operator's prices, else unpriced and counted.
    #[must_use]
    pub fn estimate(&self, rate: &Rate, tokens: Tokens, prices: &Prices) -> Amount {
        if tokens == Tokens::default() {
            return Amount { estimated: true, ..Amount::default() };
        }
        let rate = &self.resolve(rate);
        let own = self.billed(rate);
        if let Some((cents, billed)) = own
            && cents > 0
            && billed.total() > 0
        {
            let cents = ratio(cents, billed.total()) * float(tokens.total());
            return Amount { cents, estimated: true, unpriced_calls: 0 };
        }
        let name = format!("{}/{}", rate.provider.as_ref().map_or("", Provider::as_str), rate.model);
        match prices.get(&name) {
            Some(price) if tokens.total() > 0 => Amount {
                cents: (price.input_cents_per_million * float(tokens.input)
                    + price.output_cents_per_million * float(tokens.output))
                    / 1e6,
                estimated: true,
                unpriced_calls: 0,
            },
            // Billed at less than a cent: no more tokens than those cannot cost more.
            _ if own.is_some_and(|(_, billed)| billed.total() >= tokens.total() && tokens.total() > 0) => {
                Amount { cents: 0.0, estimated: true, unpriced_calls: 0 }
            }
            _ => Amount { cents: 0.0, estimated: true, unpriced_calls: tokens.requests },
        }
    }

    /// An estimate for all of a node's calls.
    #[must_use]
    pub fn estimate_all(&self, usage: &IndexMap<Rate, Tokens>, prices: &Prices) -> Amount {
        usage.iter().map(|(rate, tokens)| self.estimate(rate, *tokens, prices)).sum()
    }

    /// What the events tell beyond the server's bill.
    #[must_use]
    pub fn not_yet_billed(&self, prices: &Prices) -> (Tokens, Amount) {
        let (mut tokens, mut amount) = (Tokens::default(), Amount { estimated: true, ..Amount::default() });
        let mut seen_by_rate: IndexMap<Rate, Tokens> = IndexMap::new();
        for (rate, seen) in &self.seen {
            *seen_by_rate.entry(self.resolve(rate)).or_default() += *seen;
        }
        for (rate, seen) in &seen_by_rate {
            let (_, billed) = self.billed(rate).unwrap_or_default();
            let beyond = seen.beyond(billed);
            tokens += beyond;
            amount = amount + self.estimate(rate, beyond, prices);
        }
        (tokens, amount)
    }

    /// The rows of the cost pane. Those that are not estimates sum to the server's total.
    #[must_use]
    pub fn rows(&self, prices: &Prices) -> Vec<CostRow> {
        let mut rows = Vec::new();
        if let Some(summary) = &self.billed {
            let mut listed = 0_u128;
            for line in &summary.line_items {
                listed += u128::from(line.usd_cents);
                rows.push(CostRow {
                    label: RowLabel::Billed(Rate::of_line(line)),
                    tokens: Tokens::of_line(line),
                    amount: Amount { cents: float(line.usd_cents), ..Amount::default() },
                });
            }
            let total = u128::from(summary.total_usd_cents);
            if listed != total {
                rows.push(CostRow {
                    label: RowLabel::NotItemised,
                    tokens: Tokens::default(),
                    amount: Amount { cents: signed(total, listed), ..Amount::default() },
                });
            }
        }
        let (tokens, amount) = self.not_yet_billed(prices);
        if tokens != Tokens::default() {
            rows.push(CostRow { label: RowLabel::NotYetBilled, tokens, amount });
        }
        rows
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            cents: self.cents + other.cents,
            estimated: self.estimated || other.estimated,
            unpriced_calls: self.unpriced_calls.saturating_add(other.unpriced_calls),
        }
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens and cents stay far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

/// `whole` minus `part`, which may be the larger one.
#[expect(clippy::cast_precision_loss, reason = "exact for every sum of money below 2^53 cents")]
fn signed(whole: u128, part: u128) -> f64 {
    if whole >= part { (whole - part) as f64 } else { -((part - whole) as f64) }
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole)
}
