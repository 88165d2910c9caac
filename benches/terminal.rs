//! The real binary, measured from outside: one table, each figure beside its bar.
//!
//! `cargo bench --bench terminal` takes some minutes, most of them spent watching an idle console;
//! `RELAY_CONSOLE_BENCH_SECONDS=10` makes that shorter. A figure's name measures it alone: `cargo bench --bench terminal
//! -- keys`. The simulator runs in a process of its own, so that only the console is counted; every wait has a bound.
//! Linux only: it reads `/proc`.
//!
//! | module | what it owns |
//! | --- | --- |
//! | `start`, `idle`, `keys`, `memory`, `opening`, `stream` | one figure each |
//! | `screen` | a program in a pseudo-terminal, every frame with the time of its arrival |
//! | `followed` | a large run, followed to its end once for all who need its journal |
//! | `plain` | a plain decode of events, to read the program's own speed beside |
//! | `process`, `table` | what the system says of a process; the table |
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "terminal/followed.rs"]
mod followed;
#[path = "terminal/idle.rs"]
mod idle;
#[path = "terminal/keys.rs"]
mod keys;
#[path = "terminal/memory.rs"]
mod memory;
#[path = "terminal/opening.rs"]
mod opening;
#[path = "terminal/plain.rs"]
mod plain;
#[path = "terminal/process.rs"]
mod process;
#[path = "terminal/screen.rs"]
mod screen;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/suite/pty/session.rs"]
mod session;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/suite/pty/simulate.rs"]
mod simulate;
#[path = "terminal/start.rs"]
mod start;
#[path = "terminal/stream.rs"]
mod stream;
#[path = "terminal/table.rs"]
mod table;

use followed::Followed;
use table::Row;

/// The program that is measured.
const BINARY: &str = env!("CARGO_BIN_EXE_relay-console");

/// Measures something.
type Measure = fn(&Followed) -> Vec<Row>;

/// What can be measured, by name, in the order of the table.
const FIGURES: [(&str, Measure); 7] = [
    ("start", |_| start::measure()),
    ("idle", |_| idle::measure()),
    ("keys", |_| keys::measure()),
    ("memory", memory::measure),
    ("opening", opening::measure),
    ("stream", |_| stream::measure()),
    ("binary", |_| vec![binary()]),
];

fn binary() -> Row {
    let megabytes = table::millions(std::fs::metadata(BINARY).unwrap().len());
    Row::most("size of the binary", format!("{megabytes:.1} MB"), "12 MB", megabytes <= 12.0)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` runs this too, and wants no measurement.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    if let Some(name) = names.iter().find(|name| !FIGURES.iter().any(|(figure, _)| figure == *name)) {
        let figures: Vec<&str> = FIGURES.iter().map(|(figure, _)| *figure).collect();
        panic!("there is no figure {name:?}; there are {}", figures.join(", "));
    }
    let followed = Followed::default();
    table::print_head();
    for (name, measure) in FIGURES {
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            table::print(&measure(&followed));
        }
    }
}
