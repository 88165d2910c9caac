//! How long it takes to open a run whose million events are in the journal.

use crate::followed::{EVENTS, Followed, is_whole};
use crate::screen::Screen;
use crate::table::{Row, grouped, percentile};

const OPENINGS: usize = 5;

pub(crate) fn measure(followed: &Followed) -> Vec<Row> {
    let run = followed.get();
    let (mut useful, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..OPENINGS {
        let arguments = [run.simulate.run_of("flood")];
        let mut screen = Screen::start(&arguments, run.home.path(), &run.simulate.environment());
        let nodes = screen.until("the first nodes", has_nodes);
        let all = if is_whole(&screen.text()) { nodes } else { screen.until("the last event", is_whole) };
        useful.push((nodes - screen.started).as_secs_f64());
        whole.push((all - screen.started).as_secs_f64());
        screen.quit();
    }
    let [useful, whole] = [&mut useful, &mut whole].map(|times| percentile(times, 50));
    let what = format!("opening a journal of {} events, median of {OPENINGS}", grouped(EVENTS));
    vec![
        Row::most(format!("{what}: nodes on screen"), format!("{useful:.2} s"), "0.2 s", useful <= 0.2),
        Row::most(format!("{what}: everything folded"), format!("{whole:.2} s"), "1.5 s", whole <= 1.5),
    ]
}

/// Whether a node of the flood stands in the list: a name, an underscore and a number.
fn has_nodes(text: &str) -> bool {
    let is_node = |word: &str| {
        word.split_once('_').is_some_and(|(name, number)| {
            let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
            is_number && name.chars().all(|c| c.is_ascii_lowercase())
        })
    };
    text.lines().skip(1).take(10).any(|line| line.split_whitespace().any(is_node))
}
