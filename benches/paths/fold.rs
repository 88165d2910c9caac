//! Events into the model of a run, beside decoding their lines and beside reading the lines' JSON and ignoring it.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use relay_console::api::event::{Decoded, Decoder, Event};
use relay_console::api::ids::RunId;
use relay_console::run::Run;
use relay_console::simulator::flood::{Flood, FloodConfig};
use serde::de::IgnoredAny;

/// Events of each benchmark.
const EVENTS: u64 = 20_000;

/// Events that the model knows before: it is full by then, so that something is dropped for whatever comes.
const BEFORE: u64 = 180_000;

/// The events of these lines, as they come from a stream.
pub(crate) fn events<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let event = |line: &str| match decoder.decode(line.as_bytes()).unwrap() {
        Decoded::Event(event) => event,
        other => panic!("{other:?}"),
    };
    lines.map(event).collect()
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(20);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    let run_id = RunId::parse("550e8400-e29b-41d4-a716-446655440000").unwrap();
    let flood = Flood::new(FloodConfig::of(BEFORE + EVENTS, 1_000), run_id);
    let bytes = flood.bytes(BEFORE + 1..=BEFORE + EVENTS);
    let lines = || std::str::from_utf8(&bytes).unwrap().lines();
    group.bench_function("reference: JSON read and ignored", |bencher| {
        bencher.iter(|| {
            for line in lines() {
                black_box(serde_json::from_str::<IgnoredAny>(line).unwrap());
            }
        });
    });
    group.bench_function("reference: decoded", |bencher| bencher.iter(|| black_box(events(lines()))));
    group.bench_function("applied", |bencher| {
        let mut before = Run::new(run_id);
        for seq in 1..=BEFORE {
            for event in events(std::iter::once(flood.line(seq).trim_end())) {
                before.apply(event);
            }
        }
        let ready = || (before.clone(), events(lines()));
        let apply = |(mut run, events): (Run, Vec<Event>)| {
            for event in events {
                run.apply(event);
            }
            run
        };
        bencher.iter_batched(ready, apply, BatchSize::PerIteration);
    });
    group.finish();
}
