//! Looking for a text in a journal, beside `memmem` over the same bytes in memory, and beside reading the file only.
//!
//! The file stands in the page cache. A text that no line holds shows the speed of the going through; one that many
//! hold, the price of a match.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput};
use relay_console::store::journal::scan::{Needle, Scope, scan};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const EVENTS: u64 = 100_000;

/// Events as a run with many nodes has them, every hundredth about a refund.
fn journal() -> Vec<u8> {
    let mut text = Vec::new();
    for seq in 1..=EVENTS {
        let words = if seq % 100 == 0 {
            "the refund was denied"
        } else {
            "the error rate rose after the deploy, says \\\"api\\\""
        };
        writeln!(
            text,
            r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-11-01T00:00:00.{:03}Z","type":"node_output_delta","node_id":"node_{}","delta":{{"kind":"message_delta","text_delta":"{words}","response_id":"resp_1"}}}}"#,
            seq % 1000,
            seq % 1000,
        )
        .unwrap();
    }
    text
}

pub(super) fn bench(criterion: &mut Criterion) {
    let text = journal();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&text).unwrap();
    let scope = Scope { run_id: RUN.parse().unwrap(), node_id: None };
    let mut group = criterion.benchmark_group("scan");
    group.sample_size(20).throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("reference: memmem in memory", |bench| {
        let finder = memchr::memmem::Finder::new("Zeppelin");
        bench.iter(|| black_box(finder.find_iter(&text).count()));
    });
    group.bench_function("reference: reading the file", |bench| {
        let mut buffer = vec![0; 256 * 1024];
        bench.iter(|| {
            let mut open = File::open(file.path()).unwrap();
            while black_box(open.read(&mut buffer).unwrap()) > 0 {}
        });
    });
    for (name, wanted, count) in [
        ("exact, none", "Zeppelin", 0),
        ("any case, none", "zeppelin", 0),
        ("any case, begins as every line does", "node_failed", 0),
        ("any case, one line in a hundred", "refund was", EVENTS / 100),
        ("any case, quoted, nearly every line", "\"api\"", EVENTS - EVENTS / 100),
    ] {
        let needle = Needle::new(wanted).unwrap();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let open = File::open(file.path()).unwrap();
                let found = scan(open, &needle, &scope, |_| ControlFlow::Continue(())).unwrap().unwrap();
                assert_eq!(found.count, count, "{wanted}");
            });
        });
    }
    group.finish();
}
