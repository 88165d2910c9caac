//! What the console costs while it waits, measured on the real binary in a pseudo-terminal: one table.
//!
//! `cargo bench --bench terminal` takes a little over a minute; `RELAY_CONSOLE_BENCH_SECONDS=10` makes it shorter.
//! The simulator runs in a process of its own, so that only the console is counted. Linux only: it reads `/proc`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and prints its table")]

use std::time::{Duration, Instant};

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/suite/pty/session.rs"]
mod session;

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/suite/pty/simulate.rs"]
mod simulate;

use session::Session;
use simulate::Simulate;

const BINARY: &str = env!("CARGO_BIN_EXE_relay-console");
const STARTS: usize = 15;

fn follow(simulate: &Simulate, home: &std::path::Path) -> Session {
    Session::start_with(&[simulate.run_of("incident")], home, (120, 36), &simulate.environment())
}

/// Clock ticks that a process has used so far, in its own and in system time.
fn processor_ticks(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}

fn resident_kilobytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Milliseconds from the start of the process to the first words on the screen: minimum, median, maximum.
fn starts(simulate: &Simulate) -> (f64, f64, f64) {
    let home = tempfile::tempdir().unwrap();
    let mut times: Vec<f64> = (0..STARTS)
        .map(|_| {
            let start = Instant::now();
            let mut session = follow(simulate, home.path());
            session.wait_for("relay-console");
            let time = start.elapsed().as_secs_f64() * 1e3;
            session.send("q");
            session.wait_for_end();
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[0], times[STARTS / 2], times[STARTS - 1])
}

fn main() {
    // `cargo test --benches` runs this too, and wants no measurement.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let seconds = std::env::var("RELAY_CONSOLE_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let simulate = Simulate::start("1");
    let (fastest, median, slowest) = starts(&simulate);

    let home = tempfile::tempdir().unwrap();
    let mut session = follow(&simulate, home.path());
    session.wait_for("Waiting for you");
    session.send("\x1b[I");
    // What follows the wait (snapshot, pending calls, first estimates) is not idling.
    std::thread::sleep(Duration::from_secs(3));
    let process = session.process_id();
    let (ticks, bytes) = (processor_ticks(process), session.bytes().len());
    std::thread::sleep(Duration::from_secs(seconds));
    let ticks = processor_ticks(process) - ticks;
    let bytes = session.bytes().len() - bytes;
    let resident = resident_kilobytes(process);
    session.send("q");
    session.wait_for_end();

    let size = std::fs::metadata(BINARY).unwrap().len();
    #[expect(clippy::cast_precision_loss, reason = "seconds, bytes and kilobytes are small")]
    let (seconds, bytes, resident, size) = (seconds as f64, bytes as f64, resident as f64, size as f64);
    println!("| what | measured |\n| --- | --- |");
    println!(
        "| process start to first frame, {STARTS} starts | {fastest:.1} / {median:.1} / {slowest:.1} ms (min / median / max) |"
    );
    // Linux counts 100 ticks a second for every process.
    println!("| processor while the run waits, {seconds:.0} s | {:.2} % of a core |", ticks / seconds);
    println!("| bytes written to the terminal a minute | {:.1} kB |", bytes / seconds * 60.0 / 1e3);
    println!("| resident memory | {:.1} MB |", resident / 1e3);
    println!("| size of the binary | {:.1} MB |", size / 1e6);
}
