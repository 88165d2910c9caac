//! Numbers as people read them.

use std::time::Duration;

use super::super::format::{age, billed, bytes, count, dollars, duration, estimate, plural, tokens, with_sign};
use crate::run::Amount;

#[test]
fn money_is_in_dollars_and_never_says_nothing_for_something() {
    assert_eq!(dollars(42.0), "0.42");
    assert_eq!(dollars(123_456.0), "1234.56");
    assert_eq!(dollars(-2.0), "-0.02");
    assert_eq!(dollars(0.0), "0.00");
    assert_eq!(dollars(0.2), "<0.01");
    assert_eq!(billed(0.0, 0), "0.00");
    assert_eq!(billed(0.0, 12), "<0.01", "tokens billed at 0 cents");
    let signed = ["0.42", "<0.01", "~0.03", "~<0.01", "—"].map(with_sign);
    assert_eq!(signed, ["$0.42", "<$0.01", "~$0.03", "~<$0.01", "$—"]);
}

#[test]
fn an_estimate_is_marked_and_a_call_without_a_price_is_not_free() {
    let amount = |cents, unpriced_calls| Amount { cents, estimated: true, unpriced_calls };
    assert_eq!(estimate(&amount(3.1, 0)).as_deref(), Some("~0.03"));
    assert_eq!(estimate(&amount(3.1, 2)).as_deref(), Some("~0.03"));
    assert_eq!(estimate(&amount(0.1, 0)).as_deref(), Some("~<0.01"));
    assert_eq!(estimate(&amount(0.0, 0)).as_deref(), Some("~<0.01"));
    assert_eq!(estimate(&amount(0.0, 2)), None);
}

#[test]
fn tokens_have_at_most_six_letters() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1.0k"),
        (12_149, "12.1k"),
        (99_999, "99.9k"),
        (123_456, "123k"),
        (3_400_000, "3.4M"),
        (7_000_000_000, "7.0G"),
    ] {
        assert_eq!(tokens(number), text);
    }
}

#[test]
fn durations_run_by_the_second_and_ages_by_the_minute() {
    for (seconds, took, ago) in [
        (0, "00:00", "00:00"),
        (48, "00:48", "00:48"),
        (72, "01:12", "1m"),
        (3_852, "1:04:12", "1h 04m"),
        (90_061, "1d 01h", "1d 01h"),
        (8_639_999, "99d 23h", "99d 23h"),
        (8_640_000, "100d", "100d"),
    ] {
        assert_eq!(duration(Duration::from_secs(seconds)), took);
        assert_eq!(age(Duration::from_secs(seconds)), ago);
    }
}

#[test]
fn sizes_and_counts() {
    assert_eq!(bytes(812), "812 B");
    assert_eq!(bytes(12_400), "12.1 KiB");
    assert_eq!(bytes(3_566_000), "3.4 MiB");
    assert_eq!(count(1_284), "1,284");
    assert_eq!(count(1_000_000), "1,000,000");
    assert_eq!(plural(1, "call"), "1 call");
    assert_eq!(plural(2, "call"), "2 calls");
}
