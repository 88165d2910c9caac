//! A run of a million events, followed to its end once for all who need it.
//!
//! Owns the home in which the console has left the run's journal, and what following has cost.

use std::cell::OnceCell;
use std::time::Duration;

use tempfile::TempDir;

use crate::process;
use crate::screen::Screen;
use crate::simulate::Simulate;

pub(crate) const EVENTS: u64 = 1_000_000;
const FLOOD: &str = "events=1000000,nodes=1000,text=50MB,seed=7";

/// The run, once somebody has asked for it.
#[derive(Default)]
pub(crate) struct Followed(OnceCell<Run>);

/// What was left behind.
pub(crate) struct Run {
    pub(crate) simulate: Simulate,
    pub(crate) home: TempDir,
    /// Bytes of memory at most, and how long it took.
    pub(crate) peak: u64,
    pub(crate) time: Duration,
}

impl Followed {
    pub(crate) fn get(&self) -> &Run {
        self.0.get_or_init(|| {
            let simulate = Simulate::start_with("1", &["--flood", FLOOD]);
            let home = tempfile::tempdir().unwrap();
            let mut screen = Screen::start(&[simulate.run_of("flood")], home.path(), &simulate.environment());
            let ended = screen.until("the end of the run", is_whole);
            let time = ended - screen.started;
            // What is written behind the screen is on disk before it is quit.
            screen.look_on(Duration::from_secs(2));
            let peak = process::peak(screen.process_id());
            screen.quit();
            Run { simulate, home, peak, time }
        })
    }
}

/// Whether everything is folded. The run's end and its nodes alone would not do: the snapshot tells of them, too.
pub(crate) fn is_whole(text: &str) -> bool {
    text.contains("seq 1,000,000") && text.contains("succeeded") && text.contains("Nodes 1000/1000")
}
