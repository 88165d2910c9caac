//! The real `answer` in a script: `pending --json` says what waits, and `answer` is run for each call until nothing does.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Tally, print, seeds, simulator};
use crate::program::Program;

/// The faults that befall a submission.
const FAULTS: &[(&str, &str)] = &[
    ("none", ""),
    ("lost request", "lost-request@tool-results=0.6:3x"),
    ("lost answer", "lost-answer@tool-results=0.8:3x"),
    ("false 503", "false-503@tool-results=0.8:3x"),
    ("503 429", "status-503@tool-results=0.4:2x, status-429@tool-results=0.4:1s:2x"),
    ("cut", "cut@tool-results=0.8:3x, cut@pending-tools=0.4:3x, cut@events=0.4:3x"),
    ("stale pending", "stale-pending=0.6:5x, lost-answer@tool-results=0.5:3x"),
    ("rival", "rival=0.5:2x, lost-answer@tool-results=0.5:2x"),
];

/// The longest that a script may take.
const BOUND: Duration = Duration::from_secs(60);

struct Script {
    program: Program,
    base_url: String,
    run_id: String,
}

impl Script {
    fn command(&self, command: &str, options: &[&str]) -> Command {
        let arguments = [&[command, &self.run_id], options].concat();
        let mut command = self.program.command(&arguments);
        command.env("MODELRELAY_API_BASE_URL", &self.base_url).env("MODELRELAY_API_KEY", "mr_sk_0123456789");
        command
    }

    fn json(&self, command: &str) -> Option<Value> {
        let output = self.command(command, &["--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Answers until the run has ended; gives what was wrong, and how many answers the program called accepted.
    fn play(&self) -> (Vec<String>, u64) {
        let begun = Instant::now();
        let (mut wrong, mut accepted) = (Vec::new(), 0);
        while begun.elapsed() < BOUND {
            let status = self.json("get").and_then(|run| run["status"].as_str().map(str::to_owned));
            if matches!(status.as_deref(), Some("succeeded" | "failed" | "canceled")) {
                return (wrong, accepted);
            }
            let Some(pending) = self.json("pending") else { continue };
            let steps = pending["pending"].as_array().cloned().unwrap_or_default();
            for call in steps.iter().flat_map(|step| step["tool_calls"].as_array().cloned().unwrap_or_default()) {
                let (id, name) =
                    (call["tool_call"]["id"].as_str().unwrap(), call["tool_call"]["name"].as_str().unwrap());
                let asks = matches!(name, "user_ask" | "user.ask");
                let given = if asks { ["--text", "go on"] } else { ["--output", r#"{"ok": true}"#] };
                let output = self.command("answer", &[&["--call", id], &given[..]].concat()).output().unwrap();
                match output.status.code() {
                    Some(0) => accepted += 1,
                    // No longer pending, another's, or unknown: it is looked at again.
                    Some(6 | 7) => {}
                    code => wrong.push(format!("{code:?}: {}", String::from_utf8_lossy(&output.stderr))),
                }
            }
        }
        wrong.push(format!("the run has not ended after {BOUND:?}"));
        (wrong, accepted)
    }
}

async fn play(faults: &str, seed: u64) -> Tally {
    let simulator = simulator("rollback", faults, seed).await;
    let run = simulator.runs()[0].clone();
    let script =
        Script { program: Program::new(), base_url: simulator.base_url().to_owned(), run_id: run.run_id.to_string() };
    let (wrong, accepted) = tokio::task::spawn_blocking(move || script.play()).await.unwrap();
    let mut tally = Tally { runs: 1, wrong, ..Tally::default() };
    tally.count_submissions(&simulator);
    let submissions = simulator.submissions(run.run_id);
    let taken = submissions.iter().filter(|submission| submission.taken.as_ref().is_some_and(|taken| !taken.rival));
    tally.results_lost = accepted.abs_diff(taken.count() as u64);
    tally.events = simulator.log(run.run_id).len() as u64;
    simulator.shutdown().await;
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_of_answers_sends_nothing_twice_under_the_faults_that_befall_submissions() {
    let mut rows = Vec::new();
    let cells: Vec<_> = FAULTS
        .iter()
        .map(|(name, faults)| {
            let seeds = (1..=seeds()).map(|seed| tokio::spawn(play(faults, seed))).collect::<Vec<_>>();
            ((*name).to_owned(), seeds)
        })
        .collect();
    for (name, seeds) in cells {
        let mut row = Tally::default();
        for cell in seeds {
            row.add(cell.await.unwrap());
        }
        rows.push((name, row));
    }
    print("answer in a script", &rows);
    let unclean: Vec<_> = rows.iter().filter(|(_, tally)| !tally.is_clean()).collect();
    assert!(unclean.is_empty(), "{unclean:#?}");
}
