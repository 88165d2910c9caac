//! What following a large run holds of memory at most.

use crate::followed::{EVENTS, Followed};
use crate::table::{Row, grouped, millions};

pub(crate) fn measure(followed: &Followed) -> Vec<Row> {
    let run = followed.get();
    let (peak, seconds) = (millions(run.peak), run.time.as_secs_f64());
    let what = format!("peak memory following {} events, 1,000 nodes, 50 MB of text", grouped(EVENTS));
    vec![
        Row::most(what, format!("{peak:.1} MB"), "64 MB", peak <= 64.0),
        Row::beside("the same: from the start to the last event on screen", format!("{seconds:.2} s")),
    ]
}
