//! The hot paths, each beside its reference in the same run: `cargo bench --bench paths`, with a path's name for one.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "paths/decode.rs"]
mod decode;
#[path = "paths/fold.rs"]
mod fold;
#[path = "paths/frame.rs"]
mod frame;
#[path = "paths/history.rs"]
mod history;
#[path = "paths/journal.rs"]
mod journal;
#[path = "paths/scan.rs"]
mod scan;

use criterion::{criterion_group, criterion_main};

criterion_group!(paths, decode::bench, fold::bench, journal::bench, frame::bench, scan::bench, history::bench);
criterion_main!(paths);
