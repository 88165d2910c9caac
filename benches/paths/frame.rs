//! One frame of a large run, beside ratatui drawing a full-screen paragraph of text of the same size; and what a key
//! and a batch of events cost the reducer.
//!
//! Every figure is of 200×60, 10,000 nodes, each frame with the diff against the one before. Most scenes have no
//! history behind them; two differ in nothing but theirs.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::text::Text;
use ratatui::widgets::{Paragraph, Wrap};
use relay_console::feed::{FeedItem, FeedUpdate};

#[path = "frame/stage.rs"]
mod stage;

use stage::{SIZE, Stage, delta};

/// Nodes of the run.
const NODES: usize = 10_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    reference(&mut group);
    for events in [1_000, 1_000_000] {
        frame(&mut group, &format!("{events} events behind it"), move || {
            let mut stage = Stage::of(NODES);
            stage.flood(events);
            // The same cells on both sides: a node's own page would hold more text behind more events.
            stage.key(KeyCode::Home);
            stage
        });
    }
    panes(&mut group);
    lists(&mut group);
    answers(&mut group);
    group.finish();
    let mut group = criterion.benchmark_group("reduce");
    group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    keys(&mut group);
    batches(&mut group);
    snapshots(&mut group);
    group.finish();
}

/// A screen full of words, as ratatui's own paragraph wraps and draws it.
fn reference(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (columns, rows) = SIZE;
    let words = "the error rate rose at noon right after the deploy of the api and the pool of five is too small ";
    let row: String = words.chars().cycle().take(usize::from(columns) - 1).collect();
    let text = Text::from(vec![row; usize::from(rows)].join("\n"));
    let paragraph = Paragraph::new(text).wrap(Wrap { trim: false });
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    group.bench_function("reference: a paragraph", |bencher| {
        bencher.iter(|| {
            terminal.draw(|frame| frame.render_widget(&paragraph, frame.area())).unwrap();
        });
    });
}

fn frame(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, make: impl FnOnce() -> Stage) {
    let mut make = Some(make);
    let mut stage = None;
    group.bench_function(name, |bencher| {
        // A name that the filter leaves out makes nothing.
        let stage = stage.get_or_insert_with(|| make.take().unwrap()());
        stage.draw();
        bencher.iter(|| {
            stage.tick();
            stage.draw();
        });
    });
}

fn panes(group: &mut BenchmarkGroup<'_, WallTime>) {
    frame(group, "nodes, the run selected", || Stage::of(NODES).with(|stage| stage.keys("gg")));
    frame(group, "nodes, the last selected", || Stage::of(NODES).with(|stage| stage.key(KeyCode::End)));
    frame(group, "nodes, filtered", || Stage::of(NODES).with(|stage| stage.keys("/node_7")));
    frame(group, "a fan-out, folded", || Stage::fan_out(NODES));
    frame(group, "a fan-out, unfolded", || {
        Stage::fan_out(NODES).with(|stage| {
            stage.key(KeyCode::Home);
            stage.key(KeyCode::Down);
            stage.keys(" ");
            stage.key(KeyCode::End);
        })
    });
    frame(group, "streamed text, at rest", || Stage::of(NODES).with(|stage| stage.stream(256 * 1024)));
    let mut stage = None;
    group.bench_function("streamed text, a piece a frame", |bencher| {
        let stage = stage.get_or_insert_with(|| Stage::of(NODES).with(|stage| stage.stream(256 * 1024)));
        bencher.iter(|| {
            stage.event(&delta(0, "and the pool of five is too small for forty workers. "));
            stage.draw();
        });
    });
}

fn lists(group: &mut BenchmarkGroup<'_, WallTime>) {
    // Tab by tab to the right of Output, of the run and of one node.
    for (tab, name) in ["output", "steps", "calls", "events"].into_iter().enumerate() {
        for (of, select) in [("the run", KeyCode::Home), ("a node", KeyCode::End)] {
            frame(group, &format!("{name} of {of}"), move || {
                Stage::of(NODES).with(|stage| {
                    stage.flood(20_000);
                    stage.key(select);
                    stage.key(KeyCode::Enter);
                    (0..tab).for_each(|_| stage.key(KeyCode::Right));
                })
            });
        }
    }
    frame(group, "what was odd", || {
        Stage::of(NODES).with(|stage| {
            stage.odd(5_000);
            stage.keys("o");
        })
    });
    frame(group, "1,000 calls wait", || {
        Stage::of(NODES).with(|stage| {
            stage.waits(1_000);
            stage.keys("w");
        })
    });
}

fn answers(group: &mut BenchmarkGroup<'_, WallTime>) {
    let open = |stage: &mut Stage| {
        stage.waits(1_000);
        stage.keys("w");
        stage.key(KeyCode::Enter);
        stage.draft(512 * 1024 - 64);
    };
    frame(group, "a draft of 512 KiB", move || Stage::of(NODES).with(open));
    frame(group, "a review of 512 KiB", move || {
        Stage::of(NODES).with(|stage| {
            open(stage);
            stage.chord(KeyCode::Char('s'), KeyModifiers::CONTROL);
        })
    });
}

/// What a key costs before it is drawn.
fn keys(group: &mut BenchmarkGroup<'_, WallTime>) {
    let mut act = |name: &str, make: fn() -> Stage, keys: &[KeyCode]| {
        let mut stage = None;
        group.bench_function(name, |bencher| {
            let stage = stage.get_or_insert_with(make);
            let mut keys = keys.iter().cycle();
            bencher.iter(|| stage.key(*keys.next().unwrap()));
        });
    };
    let large = || Stage::of(NODES);
    act("a key in the nodes", large, &[KeyCode::Down, KeyCode::Up]);
    act("the next match", large, &[KeyCode::Char('n'), KeyCode::Char('N')]);
    act("the next error", large, &[KeyCode::Char('e')]);
    let filtered = || Stage::of(NODES).with(|stage| stage.keys("/7"));
    act("a letter in the filter", filtered, &[KeyCode::Char('1'), KeyCode::Backspace]);
    let waiting = || Stage::of(NODES).with(|stage| stage.waits(1_000));
    act("the next waiting call", waiting, &[KeyCode::Char('w')]);
    let open = || {
        Stage::of(NODES).with(|stage| {
            stage.waits(10);
            stage.keys("w");
            stage.key(KeyCode::Enter);
            stage.draft(512 * 1024 - 64);
        })
    };
    act("a letter in a draft of 512 KiB", open, &[KeyCode::Char('1'), KeyCode::Backspace]);
}

/// A snapshot that the operator's events do not wait for, in the order of the nodes and in another.
fn snapshots(group: &mut BenchmarkGroup<'_, WallTime>) {
    for (name, orders) in [("a snapshot", [false, false]), ("a snapshot in another order", [false, true])] {
        let mut stage = None;
        group.bench_function(name, |bencher| {
            let stage = stage.get_or_insert_with(|| Stage::of(NODES));
            let mut snapshots = orders.map(|reversed| stage::snapshot(NODES, reversed)).into_iter().cycle();
            bencher.iter_batched(
                || snapshots.next().unwrap(),
                |snapshot| stage.feed(snapshot),
                criterion::BatchSize::PerIteration,
            );
        });
    }
}

/// A batch of 256 events, as the feed brings it, with different things open.
fn batches(group: &mut BenchmarkGroup<'_, WallTime>) {
    let mut batch = |name: &str, make: fn() -> Stage| {
        let mut stage = None;
        group.bench_function(name, |bencher| {
            let stage = stage.get_or_insert_with(make);
            let mut number = 0_u64;
            bencher.iter_batched(
                || {
                    number += 256;
                    let piece = |at| FeedItem::Event(stage::decoded(&stage::line(number + at, &delta(3, "a piece "))));
                    FeedUpdate::Items((0..256).map(piece).collect())
                },
                |update| stage.feed(black_box(update)),
                criterion::BatchSize::SmallInput,
            );
        });
    };
    batch("256 events, nodes shown", || Stage::of(NODES));
    batch("256 events, events shown", || {
        Stage::of(NODES).with(|stage| {
            stage.key(KeyCode::Enter);
            (0..3).for_each(|_| stage.key(KeyCode::Right));
        })
    });
    batch("256 events, 1,000 calls wait", || Stage::of(NODES).with(|stage| stage.waits(1_000)));
    batch("256 events, help open", || Stage::of(NODES).with(|stage| stage.keys("?")));
}
