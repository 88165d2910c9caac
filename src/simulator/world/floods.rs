//! The runs that are made as they are read.
//!
//! Owns how much of such a run has happened by now. Rule: it follows from the clock alone, so that all readers see one
//! run, and nothing has to drive it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::api::ids::RunId;
use crate::api::run::RunSnapshot;

use super::super::flood::{Flood, FloodConfig};
use super::super::identity::Identity;
use super::{World, lock};

/// What a flood is called among the scenarios.
pub(crate) const NAME: &str = "flood";

/// A reader of a run that goes on sleeps for so long at least: what happens meanwhile is one piece.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// A run that is made as it is read, with when it began.
#[derive(Debug)]
pub(crate) struct FloodRun {
    flood: Flood,
    begun: Instant,
}

impl World {
    /// Begins a flood.
    pub(crate) fn start_flood(&self, config: FloodConfig) -> RunId {
        let flood = Flood::new(config, Identity::new(self.seed, self.next_index(), NAME).run_id());
        let run_id = flood.run_id();
        // A run that has happened already ends now.
        let past = if config.rate == 0 { flood.duration() } else { Duration::ZERO };
        let start = self.start.unwrap_or_else(|| Timestamp::now().checked_sub(past).unwrap_or(Timestamp::UNIX_EPOCH));
        let run = FloodRun { flood: flood.starting_at(start), begun: Instant::now() };
        lock(&self.floods).insert(run_id, Arc::new(run));
        run_id
    }

    /// The flood of this id.
    pub(crate) fn flood(&self, id: RunId) -> Option<Arc<FloodRun>> {
        lock(&self.floods).get(&id).cloned()
    }
}

impl FloodRun {
    /// Its id.
    pub(crate) fn run_id(&self) -> RunId {
        self.flood.run_id()
    }

    /// How many of its events have happened.
    pub(crate) fn happened(&self) -> u64 {
        let FloodConfig { events, rate, .. } = self.flood.config();
        if rate == 0 {
            return events;
        }
        let so_far = self.begun.elapsed().as_nanos() * u128::from(rate) / Duration::from_secs(1).as_nanos();
        u64::try_from(so_far).unwrap_or(u64::MAX).min(events)
    }

    /// Whether this is its last event.
    pub(crate) fn ends_with(&self, seq: u64) -> bool {
        seq >= self.flood.config().events
    }

    /// Sleeps until the event behind this one has happened, and a little longer where that is at once.
    pub(crate) async fn event_after(&self, seq: u64) {
        let rate = self.flood.config().rate.max(1);
        let due = u128::from(seq.saturating_add(1)) * Duration::from_secs(1).as_nanos();
        let due = self.begun + Duration::from_nanos(u64::try_from(due.div_ceil(rate.into())).unwrap_or(u64::MAX));
        tokio::time::sleep_until(due.max(Instant::now() + SHORTEST_SLEEP)).await;
    }

    /// Writes the lines of the events behind `after_seq` up to `last`, until there are so many bytes; the last one's seq.
    pub(crate) fn write(
        &self,
        after_seq: u64,
        last: u64,
        include_output: bool,
        bytes: usize,
        buffer: &mut Vec<u8>,
    ) -> u64 {
        let mut seq = after_seq;
        while seq < last && buffer.len() < bytes {
            seq += 1;
            self.flood.write_line(seq, include_output, buffer);
        }
        seq
    }

    /// The lines of the events behind `after_seq` that have happened, at most `most`.
    pub(crate) fn lines(&self, after_seq: u64, most: usize, include_output: bool) -> Vec<Bytes> {
        let line = |seq| {
            let mut line = Vec::new();
            self.flood.write_line(seq, include_output, &mut line);
            line.into()
        };
        (after_seq.saturating_add(1)..=self.happened()).take(most).map(line).collect()
    }

    /// What the server says of it now.
    pub(crate) fn snapshot(&self) -> RunSnapshot {
        self.flood.snapshot_at(self.happened())
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn begun(config: FloodConfig) -> Arc<FloodRun> {
        let world = World::new(7, 1.0, None, 10, CancellationToken::new());
        let run_id = world.start_flood(config);
        world.flood(run_id).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn events_happen_at_their_rate_until_there_are_no_more() {
        let run = begun(FloodConfig { rate: 100, ..FloodConfig::of(250, 5) });
        assert_eq!(run.happened(), 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((run.happened(), run.lines(98, usize::MAX, false).len()), (100, 2));
        let before = Instant::now();
        run.event_after(100).await;
        assert_eq!((run.happened(), before.elapsed()), (101, Duration::from_millis(10)));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(run.happened(), 250);
        assert!(run.ends_with(250) && !run.ends_with(249));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_many_events_a_second_is_not_woken_for_each() {
        let run = begun(FloodConfig { rate: 200_000, ..FloodConfig::of(1_000_000, 5) });
        let before = Instant::now();
        run.event_after(0).await;
        assert!(before.elapsed() >= SHORTEST_SLEEP);
        assert!(run.happened() >= 200, "{}", run.happened());
    }

    #[test]
    fn without_a_rate_everything_has_happened_by_now() {
        let run = begun(FloodConfig::of(250, 5));
        assert_eq!(run.happened(), 250);
        let snapshot = run.snapshot();
        let last = snapshot.nodes.unwrap().iter().filter_map(|node| node.ended_at).max().unwrap();
        assert!(last <= Timestamp::now());
    }
}
