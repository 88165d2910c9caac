//! The matrix: each fault of the simulator with each of some scenarios and seeds, over real HTTP, with every waiting
//! call answered as the console answers it; the real `answer` in a script under the faults that befall submissions; and
//! the real console in a terminal, answered by keys.
//!
//! What is counted must be zero: events lost, duplicated or out of order; results lost, or sent again without need.
//! What the events add up to must equal what the server's own log adds up to. `--nocapture` shows the table;
//! `RELAY_CONSOLE_MATRIX_SEEDS` asks for more seeds than the suite has time for.

mod console;
mod operator;
mod script;

use std::sync::Arc;
use std::time::{Duration, Instant};

use relay_console::simulator::{Faults, Scenario, Simulator, SimulatorConfig};
use tokio::sync::Semaphore;

/// The faults, each with a name for the table. Times are short: what is waited for is the same.
const FAULTS: &[(&str, &str)] = &[
    ("none", ""),
    ("cut", "cut=0.4:6x"),
    ("cut answers", "cut@pending-tools=0.5:3x, cut@tool-results=0.7:3x, cut@snapshot=0.5:3x"),
    ("early end", "early-end=0.4:6x"),
    ("stall", "stall=0.4:4s:3x"),
    ("trickle", "trickle=0.3:8000B:2x"),
    ("408", "status-408=0.3:4x"),
    ("429 Retry-After", "status-429=0.3:1s:4x"),
    ("500 502 503", "status-500=0.2:3x, status-502=0.2:3x, status-503-date=0.2:3x"),
    ("401 for a while", "status-401:within-1s"),
    ("lost request", "lost-request=0.3:6x"),
    ("lost answer", "lost-answer@tool-results=0.7:4x, lost-answer@events=0.3:3x"),
    ("no answer", "no-answer@tool-results=0.5:500ms:3x"),
    ("false 503", "false-503@tool-results=0.7:4x"),
    ("restart", "restart=0.1:300ms:3x"),
    ("redirect", "redirect@events=0.4:3x"),
    ("content type", "content-type@events=0.4:3x"),
    ("content encoding", "content-encoding@events=0.4:3x"),
    ("skip", "skip=0.2:8x"),
    ("gap", "gap=0.02"),
    ("duplicate", "duplicate=0.3"),
    ("reorder", "reorder=0.2:8x"),
    ("from start", "from-start, cut=0.3:4x"),
    ("garbage", "garbage=0.2, invalid-utf8=0.1"),
    ("long line", "long-line=0.05:17MiB:1x"),
    ("CRLF, blanks, keepalives", "crlf=0.5, blank-lines=0.2, keepalives=0.2"),
    ("partial", "partial=0.7:4x"),
    ("rival", "rival=0.5:3x"),
    ("stale pending", "stale-pending=0.6:6x"),
    ("hostile text", "hostile-text=0.3"),
    ("hostile answers", "hostile-error=0.2:4x, hostile-headers=0.5"),
    (
        "all at once",
        "cut=0.2:3x, stall=0.1:3s:2x, status-503=0.1:3x, skip=0.05:4x, duplicate=0.1, reorder=0.05:4x, from-start=0.2, garbage=0.1, lost-answer@tool-results=0.5:3x, partial=0.3:2x, stale-pending=0.3:3x",
    ),
];

const SCENARIOS: &[&str] = &["rollback", "review"];

/// So many runs at a time: they wait far more than they work.
const AT_A_TIME: usize = 24;

fn seeds() -> u64 {
    std::env::var("RELAY_CONSOLE_MATRIX_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1)
}

async fn simulator(scenario: &str, faults: &str, seed: u64) -> Simulator {
    let config = SimulatorConfig {
        speed: 500.0,
        seed,
        scenarios: vec![Scenario::find(scenario).unwrap()],
        keepalive: Duration::from_millis(500),
        api_key: Some("mr_sk_0123456789".to_owned()),
        faults: (!faults.is_empty()).then(|| Faults::parse(faults).unwrap()),
        ..SimulatorConfig::default()
    };
    Simulator::start(config).await.unwrap()
}

/// What one run, or a row of them, has come to.
#[derive(Debug, Default, Clone, PartialEq)]
struct Tally {
    runs: u64,
    events: u64,
    faults: u64,
    results: u64,
    lost: u64,
    duplicated: u64,
    disordered: u64,
    results_lost: u64,
    twice: u64,
    /// How long the slowest run took.
    seconds: u64,
    /// What was not as the server's log has it, in words.
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.events += other.events;
        self.faults += other.faults;
        self.results += other.results;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.disordered += other.disordered;
        self.results_lost += other.results_lost;
        self.twice += other.twice;
        self.seconds = self.seconds.max(other.seconds);
        self.wrong.extend(other.wrong);
    }

    /// What must be zero.
    fn is_clean(&self) -> bool {
        let sum = self.lost + self.duplicated + self.disordered + self.results_lost + self.twice;
        sum == 0 && self.wrong.is_empty()
    }

    /// Counts what was submitted by the server's own books.
    fn count_submissions(&mut self, simulator: &Simulator) {
        let run_id = simulator.runs()[0].run_id;
        self.faults += simulator.faults().iter().map(|count| count.times).sum::<u64>();
        for submission in simulator.submissions(run_id) {
            self.twice += submission.sent_twice() as u64;
            self.results += u64::from(submission.taken.is_some());
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what --nocapture is asked for")]
fn print(title: &str, rows: &[(String, Tally)]) {
    let cells = |t: &Tally| {
        let kinds =
            [t.runs, t.events, t.faults, t.results, t.lost, t.duplicated, t.disordered, t.results_lost, t.twice];
        kinds.map(|count| format!("{count:>9}")).concat()
    };
    let head = ["runs", "events", "faults", "results", "lost", "dup", "order", "res lost", "twice", "slowest"];
    println!("\n{title}\n{:<26}{}", "fault", head.map(|name| format!("{name:>9}")).concat());
    let mut sum = Tally::default();
    for (name, tally) in rows {
        println!("{name:<26}{}{:>7} s", cells(tally), tally.seconds);
        sum.add(tally.clone());
    }
    println!("{:<26}{}", "sum", cells(&sum));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_sent_twice_whatever_fault_meets_whatever_scenario() {
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut cells = Vec::new();
    for (row, (name, faults)) in FAULTS.iter().enumerate() {
        for scenario in SCENARIOS {
            for seed in 1..=seeds() {
                let room = Arc::clone(&room);
                let cell = async move {
                    let _permit = room.acquire_owned().await.unwrap();
                    let begun = Instant::now();
                    let tally = operator::follow_and_answer(scenario, name, faults, seed).await;
                    Tally { seconds: begun.elapsed().as_secs(), ..tally }
                };
                cells.push((row, tokio::spawn(cell)));
            }
        }
    }
    let mut rows: Vec<(String, Tally)> =
        FAULTS.iter().map(|(name, _)| ((*name).to_owned(), Tally::default())).collect();
    for (row, cell) in cells {
        rows[row].1.add(cell.await.unwrap());
    }
    print("client, feed, fold and submission over HTTP", &rows);
    let unclean: Vec<_> = rows.iter().filter(|(_, tally)| !tally.is_clean()).collect();
    assert!(unclean.is_empty(), "{unclean:#?}");
    let silent: Vec<_> = rows[1..].iter().filter(|(_, tally)| tally.faults == 0).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "faults that never happened prove nothing: {silent:?}");
}
