//! What a console costs that follows a small run which waits for its operator.

use std::time::Duration;

use crate::process;
use crate::screen::Screen;
use crate::simulate::Simulate;
use crate::table::{Row, millions};

/// What follows the wait (snapshot, pending calls, first estimates) is not idling.
const SETTLED: Duration = Duration::from_secs(3);

pub(crate) fn measure() -> Vec<Row> {
    let seconds = std::env::var("RELAY_CONSOLE_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let simulate = Simulate::start("1");
    let home = tempfile::tempdir().unwrap();
    let mut screen = Screen::start(&[simulate.run_of("incident")], home.path(), &simulate.environment());
    screen.until("what waits", |text| text.contains("Waiting for you"));
    // The window has the focus, as far as the console knows.
    screen.send("\x1b[I");
    screen.look_on(SETTLED);
    let (ticks, bytes) = (process::ticks(screen.process_id()), screen.bytes());
    screen.look_on(Duration::from_secs(seconds));
    let ticks = process::ticks(screen.process_id()) - ticks;
    let bytes = (screen.bytes() - bytes) as u64;
    let resident = millions(process::resident(screen.process_id()));
    screen.quit();
    let time = Duration::from_secs(seconds).as_secs_f64();
    // Hundredths of a core.
    let used = ticks / process::TICKS / time * 100.0;
    let kilobytes = millions(bytes) * 1e3 / time * 60.0;
    vec![
        Row::most(
            format!("processor while the run waits, {seconds} s"),
            format!("{used:.2} % of a core"),
            "0.2 %",
            used <= 0.2,
        ),
        Row::most("bytes written to the terminal a minute", format!("{kilobytes:.1} kB"), "10 kB", kilobytes <= 10.0),
        Row::most("resident memory, a small run waiting", format!("{resident:.1} MB"), "16 MB", resident <= 16.0),
    ]
}
