//! The order's rules one by one, and as one property over servers that repeat, skip, cut and garble.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::api::event::{Decoded, decode};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const OTHER_RUN: &str = "550e8400-e29b-41d4-a716-446655440009";

fn line(run: &str, seq: u64) -> Bytes {
    Bytes::from(format!(
        r#"{{"envelope_version":"v2","run_id":"{run}","seq":{seq},"ts":"2026-01-01T00:00:00Z","type":"node_started","node_id":"n"}}"#
    ))
}

fn event(seq: u64) -> Event {
    let Ok(Decoded::Event(event)) = decode(&line(RUN, seq)) else { panic!("an event") };
    event
}

/// A line that claims `seq` and cannot be read.
fn garbled(seq: u64) -> ProtocolError {
    decode(format!(r#"{{"seq":{seq},"type":"node_started"}}"#).as_bytes()).unwrap_err()
}

/// An order that takes seqs: positive for an event, negative for a garbled line.
struct Trial {
    sequence: Sequence,
    /// Whether a history is being read.
    hold: bool,
    out: Vec<FeedItem>,
}

impl Trial {
    fn after(last: u64) -> Self {
        Self { sequence: Sequence::new(RunId::parse(RUN).unwrap(), last), hold: false, out: Vec::new() }
    }

    fn take(&mut self, line_of: i64) -> Effect {
        let seq = line_of.unsigned_abs();
        if line_of > 0 {
            self.sequence.event(event(seq), &line(RUN, seq), self.hold, &mut self.out)
        } else {
            self.sequence.rejected(garbled(seq), &mut self.out)
        }
    }

    /// What was given out, in short: `1`, `!2` a rejected line in its place, `!` one without, `3-4` a gap, `x2`
    /// duplicates.
    fn given(&self) -> String {
        let words: Vec<String> = self
            .out
            .iter()
            .map(|item| match item {
                FeedItem::Line(line) => format!("[{} bytes]", line.len()),
                FeedItem::Event(event) => event.seq.to_string(),
                FeedItem::Rejected(error) => error.seq.map_or("!".into(), |seq| format!("!{seq}")),
                FeedItem::Gap { first, last } => format!("{first}-{last}"),
                FeedItem::Duplicates(count) => format!("x{count}"),
            })
            .collect();
        words.join(" ")
    }
}

#[test]
fn duplicates_are_dropped_and_counted_together() {
    let mut trial = Trial::after(0);
    for seq in [1, 2, 1, 2, 3] {
        trial.take(seq);
    }
    assert_eq!(trial.given(), "1 2 x2 3");
}

#[test]
fn a_gap_is_read_again_three_times_and_then_is_permanent() {
    let mut trial = Trial::after(4);
    for attempt in 1..=3 {
        assert_eq!(trial.take(7), Effect::Reread { first: 5, last: 6, attempt });
    }
    assert_eq!(trial.take(7), Effect::New);
    assert_eq!(trial.take(8), Effect::New);
    assert_eq!(trial.given(), "5-6 7 8");
}

#[test]
fn a_gap_that_heals_a_little_is_counted_from_the_start_again() {
    let mut trial = Trial::after(0);
    trial.take(3);
    trial.take(3);
    assert_eq!(trial.take(1), Effect::New);
    assert_eq!(trial.take(3), Effect::Reread { first: 2, last: 2, attempt: 1 });
    trial.take(2);
    trial.take(3);
    assert_eq!(trial.given(), "1 2 3");
}

#[test]
fn what_was_once_seen_behind_a_gap_is_no_part_of_it() {
    let mut trial = Trial::after(4);
    for attempt in 1..=3 {
        assert_eq!(trial.take(6), Effect::Reread { first: 5, last: 5, attempt });
    }
    assert_eq!(trial.take(7), Effect::Reread { first: 6, last: 6, attempt: 1 });
    for seq in [6, 7] {
        trial.take(seq);
    }
    assert_eq!(trial.given(), "5-5 6 7");
}

#[test]
fn a_rejected_line_takes_its_place_and_is_no_gap() {
    let mut trial = Trial::after(0);
    for seq in [1, -2, 3, -2] {
        trial.take(seq);
    }
    assert_eq!(trial.given(), "1 !2 3 x1");
    assert_eq!(trial.sequence.last(), 3);
}

#[test]
fn a_rejected_line_that_claims_a_wild_seq_costs_no_event() {
    let mut trial = Trial::after(0);
    for seq in [1, -4_000_000_000_000, 2, 3] {
        assert!(!matches!(trial.take(seq), Effect::Reread { .. }));
    }
    assert_eq!(trial.given(), "1 ! 2 3");
    assert_eq!(trial.sequence.rejected(garbled(u64::MAX), &mut trial.out), Effect::Nothing);
    assert_eq!(trial.take(4), Effect::New);
}

#[test]
fn a_rejected_line_behind_a_gap_is_given_out_once_and_is_not_missing() {
    let mut trial = Trial::after(0);
    for _ in 0..3 {
        trial.take(-2);
        assert!(matches!(trial.take(4), Effect::Reread { first: 1, last: 3, .. }));
    }
    trial.take(-2);
    assert_eq!(trial.take(4), Effect::New);
    assert_eq!(trial.given(), "! x3 1-1 3-3 4");
    let mut healed = Trial::after(0);
    for seq in [-2, 1, -2, 3] {
        healed.take(seq);
    }
    assert_eq!(healed.given(), "! 1 3");
    assert_eq!(healed.sequence.take_given(), 2, "the place of the claim was filled without an item");
}

#[test]
fn an_event_of_another_run_is_rejected_and_takes_no_place() {
    let mut trial = Trial::after(0);
    trial.take(1);
    let Ok(Decoded::Event(foreign)) = decode(&line(OTHER_RUN, 2)) else { panic!("an event") };
    assert_eq!(trial.sequence.event(foreign, &line(OTHER_RUN, 2), false, &mut trial.out), Effect::Nothing);
    trial.take(2);
    assert_eq!(trial.given(), "1 ! 2");
    let FeedItem::Rejected(error) = &trial.out[1] else { panic!("a rejected line") };
    assert_eq!(error.line, line(OTHER_RUN, 2));
}

#[test]
fn one_event_with_a_wild_seq_moves_nothing_and_costs_no_event() {
    let wild = 1_000_000_000_000_000;
    let mut history = Trial { hold: true, ..Trial::after(0) };
    for seq in [1, wild, 2, 3] {
        history.take(seq);
    }
    assert_eq!(history.sequence.settle(&mut history.out), Effect::Nothing);
    history.take(wild);
    history.take(4);
    assert_eq!(history.given(), "1 2 3 ! x1 4");
    let FeedItem::Rejected(error) = &history.out[3] else { panic!("a rejected line") };
    assert_eq!(error.line, line(RUN, wild.unsigned_abs()));
    let mut live = Trial::after(1);
    for attempt in 1..=3 {
        assert!(matches!(live.take(wild), Effect::Reread { attempt: read, .. } if read == attempt));
    }
    for seq in [wild, 2, i64::MAX, 3] {
        live.take(seq);
    }
    assert_eq!(live.given(), "! 2 3");
}

#[test]
fn a_log_that_has_lost_its_long_beginning_is_followed_from_where_it_begins() {
    let mut trial = Trial { hold: true, ..Trial::after(0) };
    for _ in 1..=4 {
        trial.take(5_000_000);
        trial.take(5_000_001);
        trial.sequence.settle(&mut trial.out);
    }
    assert_eq!(trial.given(), "1-4999999 5000000 5000001");
}

#[test]
fn the_last_seqs_that_there_are_break_nothing() {
    let mut trial = Trial { hold: true, ..Trial::after(u64::MAX - 2) };
    for seq in [u64::MAX, u64::MAX - 1, u64::MAX] {
        trial.sequence.event(event(seq), &line(RUN, seq), true, &mut trial.out);
    }
    trial.sequence.rejected(garbled(u64::MAX), &mut trial.out);
    trial.sequence.event(event(5), &line(RUN, 5), false, &mut trial.out);
    assert_eq!(trial.given(), format!("{} {} x3", u64::MAX - 1, u64::MAX));
}

#[test]
fn a_server_that_starts_again_from_1_gives_nothing_twice() {
    let mut trial = Trial::after(0);
    for seq in [1, 2, 3, 1, 2, 3, 4] {
        trial.take(seq);
    }
    assert_eq!(trial.given(), "1 2 3 x3 4");
}

proptest! {
    /// A server holds the places `1..=total`; some it never gives, some it garbles, some it skips now and then. Each
    /// connection starts a little too early, and may be cut.
    #[test]
    fn every_place_is_given_out_exactly_once(
        total in 1_u64..40,
        never in btree_set(1_u64..40, 0..6),
        garbles in btree_set(1_u64..40, 0..6),
        connections in vec((0_u64..5, btree_set(1_u64..40, 0..4), 1_usize..60), 0..12),
    ) {
        let never: BTreeSet<u64> = never.into_iter().filter(|seq| *seq < total).collect();
        let mut trial = Trial::after(0);
        let mut scripted = connections.into_iter();
        for connection in 0.. {
            prop_assert!(connection < 400, "it does not come to an end: {}", trial.given());
            let (back, skipped, cut) = scripted.next().unwrap_or((0, BTreeSet::new(), usize::MAX));
            // What is there is never skipped twice in a row; four times in a row would be a permanent gap.
            let skipped = if connection % 2 == 0 { skipped } else { BTreeSet::new() };
            let start = trial.sequence.last().saturating_sub(back);
            let offered = (start + 1..=total).filter(|seq| !never.contains(seq) && !skipped.contains(seq)).take(cut);
            for seq in offered {
                let sign = if garbles.contains(&seq) { -1 } else { 1 };
                if matches!(trial.take(sign * i64::try_from(seq).unwrap()), Effect::Reread { .. }) {
                    break;
                }
            }
            let tail_is_claims = (trial.sequence.last() + 1..=total).all(|s| never.contains(&s) || garbles.contains(&s));
            if tail_is_claims && connection > 20 {
                break;
            }
        }
        let mut place = 0;
        let mut gaps = BTreeSet::new();
        let mut lines = BTreeSet::new();
        for item in &trial.out {
            match item {
                FeedItem::Event(event) => {
                    prop_assert!(event.seq > place, "{}", trial.given());
                    place = event.seq;
                }
                FeedItem::Rejected(error) => prop_assert!(lines.insert(error.line.clone()), "{}", trial.given()),
                FeedItem::Gap { first, last } => (*first..=*last).for_each(|seq| { gaps.insert(seq); }),
                FeedItem::Duplicates(_) | FeedItem::Line(_) => {}
            }
        }
        let events = trial.out.iter().filter(|item| matches!(item, FeedItem::Event(_))).count() as u64;
        let in_place =
            trial.out.iter().filter(|item| matches!(item, FeedItem::Rejected(error) if error.seq.is_some())).count();
        prop_assert_eq!(trial.sequence.take_given(), events + in_place as u64, "{}", trial.given());
        let last = trial.sequence.last();
        let expected = (1..=last).filter(|seq| !garbles.contains(seq) && !never.contains(seq)).count() as u64;
        prop_assert_eq!(events, expected);
        prop_assert_eq!(gaps, never.range(..=last).copied().collect::<BTreeSet<u64>>(), "{}", trial.given());
    }
}

#[test]
fn in_a_history_events_out_of_order_are_put_in_order_and_none_is_missed() {
    let mut trial = Trial { hold: true, ..Trial::after(0) };
    for seq in [1, 3, 3, 5, -4, 2, 7, 6, 1] {
        trial.take(seq);
    }
    assert_eq!(trial.sequence.settle(&mut trial.out), Effect::Nothing);
    assert_eq!(trial.given(), "1 x1 ! 2 3 5 6 7 x1");
    assert_eq!((trial.sequence.last(), trial.sequence.take_given()), (7, 6));
}

#[test]
fn at_a_historys_end_what_is_missing_all_the_same_is_read_again_and_then_a_permanent_gap() {
    let mut trial = Trial { hold: true, ..Trial::after(0) };
    for attempt in 1..=4 {
        assert_eq!(trial.take(3), Effect::Nothing);
        trial.take(4);
        let effect = trial.sequence.settle(&mut trial.out);
        match attempt {
            4 => assert_eq!(effect, Effect::New),
            _ => assert_eq!(effect, Effect::Reread { first: 1, last: 2, attempt }),
        }
    }
    assert_eq!(trial.given(), "1-2 3 4");
}

#[test]
fn so_many_events_beyond_a_gap_are_held_and_no_more() {
    let mut trial = Trial { hold: true, ..Trial::after(0) };
    let held = i64::try_from(HELD_EVENTS).unwrap();
    let effects: Vec<Effect> = (2..=held + 1).map(|seq| trial.take(seq)).collect();
    assert_eq!(effects.last(), Some(&Effect::Reread { first: 1, last: 1, attempt: 1 }));
    assert!(effects[..effects.len() - 1].iter().all(|effect| *effect == Effect::Nothing));
    assert!(trial.sequence.held.is_empty());
}
