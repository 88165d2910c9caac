//! The model at an event of a million, from the checkpoint before it and the journal on disk, at worst; beside folding
//! the journal from its first event.

use std::cell::OnceCell;
use std::hint::black_box;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};

use criterion::Criterion;
use relay_console::api::ids::RunId;
use relay_console::console::past::model_at;
use relay_console::run::{Base, Checkpoints, Run};
use relay_console::simulator::flood::{Flood, FloodConfig};
use tempfile::NamedTempFile;

use super::fold::events;

/// A run, its journal, and what a console that followed it has of it.
struct Followed {
    journal: NamedTempFile,
    run: Run,
    checkpoints: Checkpoints,
}

fn follow(events_in_all: u64, nodes: u64) -> Followed {
    let run_id = RunId::parse("550e8400-e29b-41d4-a716-446655440000").unwrap();
    let flood = Flood::new(FloodConfig::of(events_in_all, nodes), run_id);
    let mut journal = BufWriter::new(NamedTempFile::new().unwrap());
    let (mut run, mut checkpoints) = (Run::new(run_id), Checkpoints::default());
    for first in (1..=events_in_all).step_by(1_000) {
        let bytes = flood.bytes(first..=(first + 999).min(events_in_all));
        journal.write_all(&bytes).unwrap();
        for event in events(std::str::from_utf8(&bytes).unwrap().lines()) {
            run.apply(event);
            checkpoints.offer(&run);
        }
    }
    Followed { journal: journal.into_inner().unwrap(), run, checkpoints }
}

impl Followed {
    /// An event just before a checkpoint, late in the run: nothing is further from the one before it.
    fn worst(&self) -> (Base, u64) {
        let last = self.checkpoints.before(self.run.run_id, u64::MAX).seq();
        let seq = last - 1;
        (self.checkpoints.before(self.run.run_id, seq), seq)
    }
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("history");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    // A trial run only shows that it works.
    let is_trial = std::env::args().any(|argument| argument == "--test");
    let events_in_all = if is_trial { 50_000 } else { 1_000_000 };
    for nodes in [1_000, 10_000] {
        let followed = OnceCell::new();
        let followed = || followed.get_or_init(|| follow(events_in_all, nodes));
        group.bench_function(format!("{nodes} nodes, from a checkpoint, at worst"), |bencher| {
            let followed = followed();
            let (base, seq) = followed.worst();
            bencher.iter(|| black_box(model_at(&base, followed.journal.path(), true, seq).unwrap()));
        });
        group.bench_function(format!("{nodes} nodes, reference: from the first event"), |bencher| {
            let followed = followed();
            let (_, seq) = followed.worst();
            let beginning = Checkpoints::default().before(followed.run.run_id, seq);
            let begun = Instant::now();
            black_box(model_at(&beginning, followed.journal.path(), true, seq).unwrap());
            let took = begun.elapsed();
            // Once is enough: ten times would take half a minute.
            bencher.iter_custom(|times| took.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX)));
        });
        group.bench_function(format!("{nodes} nodes, taking a checkpoint"), |bencher| {
            let followed = followed();
            bencher.iter(|| {
                let mut fresh = Checkpoints::new(1, usize::MAX);
                fresh.offer(&followed.run);
                black_box(fresh)
            });
        });
    }
    group.finish();
}
