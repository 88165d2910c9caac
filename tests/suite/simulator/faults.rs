//! Faults, each seen by a client on a bare socket as what it says it is; what the server has stays true all the while.

mod answers;
mod command;
mod language;
mod lines;

use std::time::Duration;

use relay_console::api::run::RunStatus;
use relay_console::simulator::{Faults, Scenario, SimulatorConfig};
use serde_json::Value;

use super::bench::{Bench, PATIENCE, REQUEST_ID};
use super::wire::{Answer, End, ask, get};

/// A simulator with these faults, whose run has come as far as it comes by itself.
async fn bench_of(scenario: &str, faults: &str, seed: u64) -> Bench {
    let config = SimulatorConfig {
        scenarios: vec![Scenario::find(scenario).unwrap()],
        speed: 2000.0,
        seed,
        start: Some("2026-11-22T14:00:00Z".parse().unwrap()),
        faults: Some(Faults::parse(faults).unwrap()),
        ..SimulatorConfig::default()
    };
    let bench = Bench::with(config).await;
    let settled = async {
        loop {
            let events = bench.simulator.log(bench.run_id);
            let settles = |name| ["run_completed", "run_failed", "run_canceled", "node_waiting"].contains(&name);
            if events.iter().any(|event| settles(event.body.type_name())) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.unwrap();
    bench
}

/// A run that fails by itself, with these faults.
async fn failing(faults: &str) -> Bench {
    bench_of("failing", faults, 7).await
}

/// The whole log as it goes over the wire.
fn log_of(bench: &Bench) -> Vec<u8> {
    bench.simulator.log_lines(bench.run_id, false).concat()
}

fn times(bench: &Bench) -> Vec<u64> {
    bench.simulator.faults().iter().map(|count| count.times).collect()
}

/// A whole JSON answer.
fn json_of(answer: &Answer) -> Value {
    assert!(answer.whole, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_cut_is_a_reset_at_its_byte_and_the_next_answer_is_whole() {
    let bench = failing("cut=#1:400B").await;
    let log = log_of(&bench);
    let cut = get(&bench, "/events").await;
    assert_eq!((cut.end, cut.whole, cut.body.as_slice()), (End::Reset, false, &log[..400]));
    let whole = get(&bench, "/events").await;
    assert_eq!((whole.end, whole.whole, whole.body), (End::Closed, true, log));
    assert_eq!(times(&bench), [1]);
}

#[tokio::test]
async fn an_answer_of_json_is_cut_somewhere_within_it() {
    let bench = failing("cut@snapshot").await;
    let whole = bench.simulator.log(bench.run_id).len();
    for _ in 0..4 {
        let cut = get(&bench, "").await;
        assert_eq!((cut.status(), cut.end, cut.whole), (200, End::Reset, false), "{whole}");
        assert!(serde_json::from_slice::<Value>(&cut.body).is_err() || cut.body.ends_with(b"}"));
    }
}

#[tokio::test]
async fn an_early_end_looks_like_the_end_of_the_answer() {
    let bench = failing("early-end=#1:401B,early-end@snapshot=#1:10B").await;
    let log = log_of(&bench);
    let early = get(&bench, "/events").await;
    assert_eq!((early.end, early.whole, early.body.as_slice()), (End::Closed, true, &log[..401]));
    let snapshot = get(&bench, "").await;
    assert_eq!((snapshot.end, snapshot.whole, snapshot.body.len()), (End::Closed, true, 10));
}

#[tokio::test]
async fn a_lost_request_is_not_taken_and_a_lost_answer_is() {
    let bench = bench_of("incident", "lost-request@tool-results=#1,lost-answer@tool-results=#2", 7).await;
    let submission = bench.first_wait().await;
    let body = serde_json::to_string(&submission).unwrap();
    let send = async || ask(&bench, "POST /tool-results", &[&format!("{REQUEST_ID}: mine")], &body, PATIENCE).await;
    let nothing = Answer { head: String::new(), body: Vec::new(), chunks: Vec::new(), whole: false, end: End::Reset };
    assert_eq!(send().await, nothing);
    let offered = bench.simulator.submissions(bench.run_id);
    assert_eq!(offered.len(), submission.results.len());
    assert!(offered.iter().all(|call| call.taken.is_none() && call.offers[0].times == 1), "{offered:?}");
    assert_eq!(send().await, nothing);
    // The same request once more is answered as the lost one would have been.
    let again = send().await;
    assert_eq!(again.status(), 200, "{}", again.text());
    let reply: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!(reply["accepted"], submission.results.len());
    for (call, result) in bench.simulator.submissions(bench.run_id).iter().zip(&submission.results) {
        let taken = call.taken.as_ref().unwrap();
        assert_eq!((taken.output.as_str(), taken.request_id.as_deref()), (result.output.as_str(), Some("mine")));
        assert_eq!((call.offers.len(), call.offers[0].times, call.sent_twice()), (1, 3, 0));
    }
    assert_eq!(times(&bench), [1, 1]);
}

#[tokio::test]
async fn statuses_are_refusals_with_a_published_body_and_say_when_to_come_again() {
    let bench = failing("status-503@snapshot=#1,status-429@snapshot=#2:3s,status-429-date@snapshot=#3:3s").await;
    let plain = get(&bench, "").await;
    assert_eq!((plain.status(), plain.header("retry-after")), (503, None));
    let body: Value = serde_json::from_slice(&plain.body).unwrap();
    assert_eq!(body["error"]["code"], "SERVICE_UNAVAILABLE");
    let seconds = get(&bench, "").await;
    assert_eq!((seconds.status(), seconds.header("retry-after")), (429, Some("3")));
    let dated = get(&bench, "").await;
    let time = |name| dated.header(name).unwrap().strip_suffix(" GMT").unwrap().to_owned();
    let (date, after) = (time("date"), time("retry-after"));
    assert_ne!(date, after);
    assert!(after.contains("2026"), "{after}");
    assert_eq!(get(&bench, "").await.status(), 200);
}

#[tokio::test]
async fn events_are_repeated_left_out_once_left_out_always_and_moved() {
    let bench = failing("duplicate=#2-3,skip=#4,gap=#6,reorder=#8").await;
    let log = bench.simulator.log(bench.run_id);
    assert!(log.len() > 9);
    let first = get(&bench, "/events").await.seqs();
    let count = |seqs: &[u64], seq| seqs.iter().filter(|other| **other == seq).count();
    assert_eq!([1, 2, 3, 4, 5, 6, 7, 8].map(|seq| count(&first, seq)), [1, 2, 2, 0, 1, 0, 1, 1]);
    let at = |seq| first.iter().position(|other| *other == seq).unwrap();
    assert_eq!(at(8), at(9) + 1, "{first:?}");
    let second = get(&bench, "/events").await.seqs();
    assert_eq!((count(&second, 4), count(&second, 6)), (1, 0));
    assert_eq!(bench.simulator.gaps(bench.run_id), [6]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults_and_another_seed_gives_others() {
    const FAULTS: &str = "cut=0.5,duplicate=0.2,reorder=0.1,status-500=0.2,garbage=0.1,skip=0.1,early-end=0.2";
    let answers = async |seed| {
        let bench = bench_of("failing", FAULTS, seed).await;
        let mut answers = Vec::new();
        for path in ["/events", "", "/events?after_seq=3", "/events", "", "/events"] {
            let answer = get(&bench, path).await;
            // The id of a request is the server's own, new each time.
            answers.push((answer.status(), answer.end, answer.whole, answer.seqs()));
        }
        (answers, bench.simulator.faults())
    };
    let first = answers(11).await;
    assert_eq!(first, answers(11).await);
    assert_ne!(first, answers(12).await);
    assert!(first.1.iter().any(|count| count.times > 0), "{:?}", first.1);
}

#[tokio::test]
async fn without_its_faults_the_server_is_right_and_the_run_goes_on() {
    let bench = bench_of("incident", "status-500:5x,lost-answer@snapshot=#6", 7).await;
    for _ in 0..5 {
        assert_eq!(get(&bench, "").await.status(), 500);
    }
    assert_eq!(get(&bench, "").await.end, End::Reset);
    assert_eq!(bench.snapshot().await.status, RunStatus::Waiting);
    assert_eq!(times(&bench), [5, 1]);
    let silent = ask(&bench, "GET /events?after_seq=1000", &[], "", Duration::from_millis(50)).await;
    assert_eq!((silent.status(), silent.end), (200, End::Silence));
}
