//! How many problems are told one by one: a server gone wild cannot flood a log.
//!
//! Rule: in a minute so many are told and no more; what was left out is told as a number with the next one, or at the
//! end.

use std::time::Duration;

use tokio::time::Instant;

use crate::view::format::plural;

/// So many problems are told one by one in each [`WINDOW`].
const NOTES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// What was told of late.
#[derive(Debug, Default)]
pub(super) struct Problems {
    begun: Option<Instant>,
    told: u32,
    left_out: u64,
}

impl Problems {
    /// The lines that tell this problem at `now`; none where too many were told.
    pub(super) fn told(&mut self, text: String, now: Instant) -> Vec<String> {
        let mut words = Vec::new();
        if self.begun.is_none_or(|begun| now.duration_since(begun) >= WINDOW) {
            words.extend(self.rest());
            (self.begun, self.told) = (Some(now), 0);
        }
        self.told += 1;
        match self.told {
            ..NOTES => words.push(text),
            NOTES => words.push(format!("{text}; what follows within a minute is only counted")),
            _ => {
                // Stays here, so that the count never wraps.
                self.told = NOTES;
                self.left_out += 1;
            }
        }
        words
    }

    /// How many were left out and not told of yet, in words.
    pub(super) fn rest(&mut self) -> Option<String> {
        let left_out = std::mem::take(&mut self.left_out);
        (left_out > 0).then(|| format!("{} only counted", plural(left_out, "problem")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_problems_are_told_in_a_minute_and_the_rest_is_a_number() {
        let (mut problems, begun) = (Problems::default(), Instant::now());
        let told: Vec<String> = (0..100).flat_map(|n| problems.told(format!("p{n}"), begun)).collect();
        assert_eq!(told.len(), 20);
        assert_eq!(told[19], "p19; what follows within a minute is only counted");
        assert_eq!(problems.told("p".into(), begun + WINDOW), ["80 problems only counted", "p"]);
        assert_eq!(problems.rest(), None);
    }
}
