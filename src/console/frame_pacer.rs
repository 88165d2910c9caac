//! When to draw, as a pure function of what was asked for and of the time.
//!
//! Owns the one number: frames that events cause come no closer together than 33 ms. The rule that must stay true: a
//! frame that a key causes is due at once.

use std::time::{Duration, Instant};

/// The shortest time between two frames that events cause.
pub const FRAME_INTERVAL: Duration = Duration::from_millis(33);

/// Decides when the next frame is due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FramePacer {
    last_drawn: Option<Instant>,
    wanted: Wanted,
}

/// How soon a frame is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    #[default]
    Never,
    Soon,
    Now,
}

impl FramePacer {
    /// Asks for a frame because of the operator: a key, a paste, a new size.
    pub fn want_now(&mut self) {
        self.wanted = Wanted::Now;
    }

    /// Asks for a frame because something happened.
    pub fn want_soon(&mut self) {
        self.wanted = self.wanted.max(Wanted::Soon);
    }

    /// When the next frame is due; `None` while nothing asks for one. At or before `now` means at once.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        match self.wanted {
            Wanted::Never => None,
            Wanted::Now => Some(now),
            Wanted::Soon => Some(self.last_drawn.map_or(now, |last| last + FRAME_INTERVAL)),
        }
    }

    /// Whether a frame is to be drawn now.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.due(now).is_some_and(|due| due <= now)
    }

    /// A frame was drawn; whatever asked for it is served.
    pub fn drawn(&mut self, now: Instant) {
        *self = Self { last_drawn: Some(now), wanted: Wanted::Never };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_until_something_asks() {
        let now = Instant::now();
        let mut pacer = FramePacer::default();
        assert_eq!(pacer.due(now), None);
        pacer.want_soon();
        assert!(pacer.is_due(now), "the first frame waits for nothing");
        pacer.drawn(now);
        assert_eq!(pacer.due(now + Duration::from_secs(60)), None);
    }

    #[test]
    fn events_are_held_to_the_interval_and_a_key_is_not() {
        let start = Instant::now();
        let mut pacer = FramePacer::default();
        pacer.drawn(start);
        let now = start + Duration::from_millis(1);
        pacer.want_soon();
        assert_eq!(pacer.due(now), Some(start + FRAME_INTERVAL));
        assert!(!pacer.is_due(now));
        pacer.want_now();
        assert!(pacer.is_due(now));
        pacer.want_soon();
        assert!(pacer.is_due(now), "an event does not hold back what a key asked for");
    }

    #[test]
    fn a_burst_of_a_second_costs_about_thirty_frames() {
        let start = Instant::now();
        let mut pacer = FramePacer::default();
        let mut frames = 0;
        for millisecond in 0..1000 {
            let now = start + Duration::from_millis(millisecond);
            pacer.want_soon();
            if pacer.is_due(now) {
                pacer.drawn(now);
                frames += 1;
            }
        }
        assert_eq!(frames, 31);
    }
}
