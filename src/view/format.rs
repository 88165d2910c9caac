//! Numbers as people read them: money, tokens, times, sizes.
//!
//! Rules: an estimate carries `~`; what has no price is never shown as 0; tokens billed at 0 cents show `<0.01`.

use std::time::Duration;

use crate::run::Amount;

/// US cents as dollars without the sign: `0.42`; `<0.01` for more than nothing but less than a cent.
#[must_use]
pub fn dollars(cents: f64) -> String {
    if cents > 0.0 && cents < 0.5 { "<0.01".to_owned() } else { format!("{:.2}", cents / 100.0) }
}

/// The server's own figure, in US cents, for `tokens` billed: `0.42`; `<0.01` where tokens were billed at 0 cents.
#[must_use]
pub fn billed(cents: f64, tokens: u64) -> String {
    if cents == 0.0 && tokens > 0 { "<0.01".to_owned() } else { dollars(cents) }
}

/// A figure with its sign, which stands before the digits: `$0.42`, `<$0.01`, `~$0.03`.
#[must_use]
pub fn with_sign(figure: &str) -> String {
    let digits = figure.trim_start_matches(['<', '~']);
    format!("{}${digits}", &figure[..figure.len() - digits.len()])
}

/// An estimate: `~0.03`, or `None` where nothing in it has a price.
pub(super) fn estimate(amount: &Amount) -> Option<String> {
    if amount.cents == 0.0 && amount.unpriced_calls > 0 {
        return None;
    }
    // Tokens always cost something: what rounds to nothing is less than a cent.
    Some(if amount.cents == 0.0 { "~<0.01".to_owned() } else { format!("~{}", dollars(amount.cents)) })
}

/// A count of tokens: `950`, `12.1k`, `3.4M`.
#[must_use]
pub fn tokens(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G")];
    let Some((unit, name)) = UNITS.iter().rev().find(|(unit, _)| count >= *unit) else {
        return count.to_string();
    };
    let tenths = count / (unit / 10);
    if tenths >= 1_000 { format!("{}{name}", tenths / 10) } else { format!("{}.{}{name}", tenths / 10, tenths % 10) }
}

/// How long something took: `00:48`, `1:04:12`, `2d 03h`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let (days, hours, minutes, seconds) = parts(time);
    match (days, hours) {
        (0, 0) => format!("{minutes:02}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => days_and_hours(days, hours),
    }
}

/// How long ago something was: `00:48` below a minute, then `4m`, `1h 04m`, `2d 03h`.
#[must_use]
pub fn age(time: Duration) -> String {
    let (days, hours, minutes, seconds) = parts(time);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("00:{seconds:02}"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes:02}m"),
        _ => days_and_hours(days, hours),
    }
}

/// From 100 days on the hours are left out: with them it would be as wide as its column, and run into the one before.
fn days_and_hours(days: u64, hours: u64) -> String {
    if days < 100 { format!("{days}d {hours:02}h") } else { format!("{days}d") }
}

fn parts(time: Duration) -> (u64, u64, u64, u64) {
    let seconds = time.as_secs();
    (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}

/// A size: `812 B`, `12.1 KiB`, `3.4 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB")];
    let Some((unit, name)) = UNITS.iter().rev().find(|(unit, _)| count >= *unit) else {
        return format!("{count} B");
    };
    let tenths = count.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A count with thousands apart: `1,284`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 call`, `2 calls`.
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(number))
}
