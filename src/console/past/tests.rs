//! What stands where a journey ends.

use std::fmt::Write as _;

use super::*;
use crate::run::Checkpoints;

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

/// A run of 3,000 events: a node begins at every 700th, 1,001 to 1,010 are missing, the rest streams.
fn line(seq: u64) -> String {
    let rest = match seq {
        1 => r#""type":"run_started","plan_hash":"aa""#.to_owned(),
        _ if seq.is_multiple_of(700) => format!(r#""type":"node_started","node_id":"n{seq}""#),
        _ => format!(
            r#""type":"node_output_delta","node_id":"a","delta":{{"kind":"message_delta","text_delta":"{seq} "}}"#
        ),
    };
    format!(r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-11-22T10:00:00Z",{rest}}}"#)
}

struct World {
    path: std::path::PathBuf,
    _home: tempfile::TempDir,
    run: Run,
    checkpoints: Checkpoints,
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events");
        let mut text = String::new();
        for seq in (1..=3_000).filter(|seq| !(1_001..=1_010).contains(seq)) {
            let _ = writeln!(text, "{}", line(seq));
        }
        std::fs::write(&path, text).unwrap();
        let (mut run, mut checkpoints) = (Run::new(RUN.parse().unwrap()), Checkpoints::new(100, usize::MAX));
        past::read_again(&path, run.run_id, 0, false, |item| {
            let _ = take(&mut run, u64::MAX, item);
            checkpoints.offer(&run);
            true
        })
        .unwrap();
        assert_eq!(run.last_seq, 3_000);
        Self { path, _home: home, run, checkpoints }
    }

    fn request(&self, from: u64, wish: Wish) -> PastRequest {
        let base = self.checkpoints.before(self.run.run_id, from.saturating_add_signed(wish.by()).saturating_sub(150));
        PastRequest { number: 1, from, wish, through: 3_000, base, model: None, recent: Vec::new(), recent_from: 3_001 }
    }

    fn end(&self, request: &PastRequest) -> Result<Option<Run>, String> {
        let file = Some((self.path.as_path(), false));
        let journey = Journey { run_id: self.run.run_id, file, request, is_wanted: &|| true };
        journey.end().expect("it is wanted").map(|run| run.map(|run| *run))
    }

    fn go(&self, from: u64, wish: Wish) -> Option<u64> {
        let model = self.fold(from);
        let request = PastRequest { model: Some(model.into()), ..self.request(from, wish) };
        let run = self.end(&request).unwrap()?;
        let whole = self.fold(run.last_seq);
        assert_eq!(
            (run.counts, run.nodes.keys().collect::<Vec<_>>(), run.last_event_at),
            (whole.counts, whole.nodes.keys().collect::<Vec<_>>(), whole.last_event_at),
            "from {from} by {wish:?}"
        );
        Some(run.last_seq)
    }

    fn fold(&self, seq: u64) -> Run {
        model_at(&Checkpoints::default().before(self.run.run_id, 0), &self.path, false, seq).unwrap()
    }
}

#[test]
fn events_are_gone_to_one_by_one_and_a_gap_is_one_step() {
    let world = World::new();
    for from in [2_u64, 100, 101, 999, 1_012, 2_999, 3_000] {
        assert_eq!(world.go(from, Wish::Events(-1)), Some(from - 1));
    }
    for from in [1_u64, 99, 100, 999, 1_010, 2_900] {
        assert_eq!(world.go(from, Wish::Events(1)), Some(from + 1));
    }
    assert_eq!(world.go(1_011, Wish::Events(-1)), Some(1_010), "the gap's end");
    assert_eq!(world.go(1_010, Wish::Events(-1)), Some(1_000));
    assert_eq!(world.go(1_000, Wish::Events(1)), Some(1_010));
    assert_eq!(world.go(2_000, Wish::Events(-1_500)), Some(500));
    assert_eq!(world.go(50, Wish::Events(-90)), Some(1));
}

#[test]
fn milestones_are_found_over_many_checkpoints_both_ways() {
    let world = World::new();
    for (from, by, to) in [
        (3_000, -1, Some(2_800)),
        (2_800, -1, Some(2_100)),
        (2_801, -2, Some(2_100)),
        (700, -1, Some(1)),
        (3_000, -9, Some(1)),
        (1, -1, None),
        (1, 1, Some(700)),
        (700, 2, Some(2_100)),
        (2_799, 1, Some(2_800)),
        (2_100, 9, Some(2_800)),
        (2_800, 1, None),
    ] {
        assert_eq!(world.go(from, Wish::Milestones(by)), to, "from {from} by {by}");
    }
}

#[test]
fn what_the_disk_has_not_yet_comes_from_memory_and_what_nobody_has_is_an_error() {
    let world = World::new();
    let text: String = (1..=1_000).map(|seq| line(seq) + "\n").collect();
    std::fs::write(&world.path, text).unwrap();
    let request = world.request(3_000, Wish::Events(-1));
    let early = Checkpoints::default().before(world.run.run_id, 0);
    let recent: Vec<Entry> = world.run.history.entries().cloned().collect();
    let recent_from = recent[0].seq().unwrap();
    let joined = PastRequest { recent: recent.clone(), recent_from, base: early.clone(), ..request.clone() };
    let apart = recent_from > 1_001;
    assert_eq!(world.end(&joined).is_err(), apart, "memory begins at {recent_from}");
    let error = world.end(&PastRequest { base: early, ..request.clone() }).unwrap_err();
    assert!(error.contains("end with event 1000"), "{error}");
    // The checkpoint stands where memory has everything behind it.
    let near = PastRequest { recent, recent_from, ..request };
    assert!(near.base.seq() >= recent_from);
    assert_eq!(world.end(&near).unwrap().unwrap().last_seq, 2_999);
}

#[test]
fn a_journey_that_nobody_wants_any_more_comes_to_nothing() {
    let world = World::new();
    let request = world.request(3_000, Wish::Milestones(-2));
    let file = Some((world.path.as_path(), false));
    let journey = Journey { run_id: world.run.run_id, file, request: &request, is_wanted: &|| false };
    assert!(journey.end().is_none());
}
