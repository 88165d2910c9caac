//! How long it takes from a key to the screen that shows it, while events pour in.
//!
//! The keys are typed into the prompt of the filter: what it shows, no event can change.

use std::time::Duration;

use crate::screen::Screen;
use crate::simulate::Simulate;
use crate::table::{Row, millions, percentile, rate};

const KEYS: usize = 400;

/// Events a second that the simulator makes, and how many at most: more than can arrive meanwhile.
const FLOOD: &str = "events=100000000,nodes=1000,rate=200000,seed=7";

/// Between two keys there are so many milliseconds at least, and how many more at most: no two pauses in a row alike, and
/// none in step with frames.
const PAUSE: usize = 7;
const MORE_PAUSE: usize = 83;

/// The longest text that is typed before it is deleted again.
const LONGEST: usize = 6;

pub(crate) fn measure() -> Vec<Row> {
    let simulate = Simulate::start_with("1", &["--flood", FLOOD]);
    let home = tempfile::tempdir().unwrap();
    let mut screen = Screen::start(&[simulate.run_of("flood")], home.path(), &simulate.environment());
    screen.until("events that arrive", |text| text.contains("live  seq"));
    screen.look_on(Duration::from_secs(2));
    screen.send("/");
    screen.until("the prompt", |text| text.contains(&prompt("")));
    let (from, begun) = (screen.seq(), screen.last());
    let mut typed = String::new();
    let mut times = Vec::with_capacity(KEYS);
    for key in 0..KEYS {
        let grows = (key / LONGEST).is_multiple_of(2);
        let sent = if grows {
            let letter = ["a", "e", "i", "o", "r", "t", "s"][key % 7];
            typed.push_str(letter);
            screen.send(letter)
        } else {
            typed.pop();
            screen.send("\x7f")
        };
        let wanted = prompt(&typed);
        let shown = screen.until(&wanted, |text| text.contains(&wanted));
        times.push((shown - sent).as_secs_f64() * 1e3);
        let pause = PAUSE + key * 31 % MORE_PAUSE;
        screen.look_on(Duration::from_millis(pause as u64));
    }
    let events = millions(screen.seq() - from) / (screen.last() - begun).as_secs_f64();
    screen.send("\x1b");
    screen.until("no prompt", |text| !text.contains("filter the nodes /"));
    screen.quit();
    let [half, most, nearly_all] = [50, 95, 99].map(|hundredths| percentile(&mut times, hundredths));
    let slowest = times[KEYS - 1];
    let arrived = rate(events * 1e6);
    vec![
        Row::beside(
            format!("key to changed screen bytes, {KEYS} keys, {arrived} arriving: median"),
            format!("{half:.1} ms"),
        ),
        Row::most("the same: p95", format!("{most:.1} ms"), "33 ms", most <= 33.0),
        Row::most("the same: p99", format!("{nearly_all:.1} ms (slowest {slowest:.1})"), "50 ms", nearly_all <= 50.0),
    ]
}

/// The prompt with this text in it.
fn prompt(text: &str) -> String {
    format!("filter the nodes / {text}  ")
}
