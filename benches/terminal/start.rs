//! How long it takes from the start of the process to the first frame.

use crate::screen::Screen;
use crate::simulate::Simulate;
use crate::table::{Row, percentile};

const STARTS: usize = 25;

/// Milliseconds from the start of the process to the first frame, whole in the terminal.
pub(crate) fn measure() -> Vec<Row> {
    let simulate = Simulate::start("1");
    let home = tempfile::tempdir().unwrap();
    let mut times: Vec<f64> = (0..STARTS)
        .map(|_| {
            let mut screen = Screen::start(&[simulate.run_of("incident")], home.path(), &simulate.environment());
            let shown = screen.until("the first line", |text| text.contains("relay-console"));
            let time = (shown - screen.started).as_secs_f64() * 1e3;
            screen.quit();
            time
        })
        .collect();
    let median = percentile(&mut times, 50);
    let (least, most) = (times[0], times[STARTS - 1]);
    let measured = format!("{median:.1} ms ({least:.1} to {most:.1})");
    vec![Row::most(format!("process start to first frame, median of {STARTS}"), measured, "15 ms", median <= 15.0)]
}
