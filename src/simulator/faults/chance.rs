//! Chance that repeats: a number drawn from a seed and from what it is drawn for.
//!
//! Rule: a draw depends on nothing else, neither on the draws before it nor on time, so that what happens to one
//! request never changes because another one came first.

use sha2::{Digest, Sha256};

/// A number for `what`, the same each time.
pub(super) fn draw(seed: u64, what: &str) -> u64 {
    let digest = Sha256::digest(format!("{seed}/fault/{what}").as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether a draw falls into this share of all.
pub(super) fn falls(draw: u64, chance: f64) -> bool {
    // The upper half: the lower one is free for what else the draw decides.
    let upper = u32::try_from(draw >> 32).unwrap_or(u32::MAX);
    f64::from(upper) < chance * (f64::from(u32::MAX) + 1.0)
}

/// A byte, small ones as likely as large ones: some answers break in their first line, others far on.
pub(crate) fn offset(draw: u64) -> u64 {
    let lower = draw & u64::from(u32::MAX);
    let below = 1 << (lower % 17);
    below + (lower / 17) % below - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_differ_by_what_they_are_for_and_fall_as_often_as_was_asked() {
        assert_eq!(draw(7, "a"), draw(7, "a"));
        assert_ne!(draw(7, "a"), draw(7, "b"));
        assert_ne!(draw(7, "a"), draw(8, "a"));
        let fallen = (0..10_000).filter(|n| falls(draw(1, &n.to_string()), 0.1)).count();
        assert!((900..1100).contains(&fallen), "{fallen}");
        assert!((0..100).all(|n| falls(draw(1, &n.to_string()), 1.0) && !falls(draw(1, &n.to_string()), 0.0)));
    }

    #[test]
    fn offsets_reach_from_the_first_byte_to_far_into_a_log() {
        let offsets: Vec<u64> = (0..2000).map(|n| offset(draw(3, &n.to_string()))).collect();
        assert!(offsets.contains(&0) && offsets.iter().all(|offset| *offset < 1 << 17));
        assert!(offsets.iter().filter(|offset| **offset < 256).count() > 500);
        assert!(offsets.iter().any(|offset| *offset > 60_000));
    }
}
