//! Opening a journal: beside decoding the same lines from memory on one thread.

use std::hint::black_box;
use std::io::Write as _;

use criterion::{Criterion, Throughput};
use relay_console::api::event::Decoder;
use relay_console::feed::{Feed, FeedItem, FeedUpdate, ReplayFile};
use relay_console::run::Run;
use relay_console::store::journal::Lines;
use tokio::sync::mpsc;

use super::decode::lines;

/// Events of the journal.
const EVENTS: u64 = 50_000;

/// Reads a file as the console does: a thread reads and decodes, this one folds.
async fn opened(file: ReplayFile) -> Run {
    let mut run = Run::new(file.run_id());
    let (tx, mut rx) = mpsc::channel(4);
    let _feed = Feed::replay(file, tx);
    while let Some(update) = rx.recv().await {
        let FeedUpdate::Items(items) = update else { continue };
        for item in items {
            if let FeedItem::Event(event) = item {
                run.apply(event);
            }
        }
    }
    assert_eq!(run.counts.events, EVENTS);
    run
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let text = lines(EVENTS);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("journal");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function("reference: decoded from memory, one thread", |bencher| {
        let mut decoder = Decoder::default();
        bencher.iter(|| {
            for line in text.lines() {
                black_box(decoder.decode(line.as_bytes()).unwrap());
            }
        });
    });
    group.bench_function("lines of the file", |bencher| {
        bencher.iter(|| {
            let mut lines = Lines::new(file.reopen().unwrap(), 0, u64::MAX);
            while let Some(line) = lines.next_line().unwrap() {
                black_box(line);
            }
        });
    });
    group.bench_function("opened and folded", |bencher| {
        bencher.iter(|| runtime.block_on(opened(ReplayFile::open(file.path()).unwrap())));
    });
    group.finish();
}
