//! A run that is made as it is read: by its own events, and over real HTTP.

use std::time::{Duration, Instant};

use relay_console::api::event::{self, Decoded, Event};
use relay_console::api::ids::RunId;
use relay_console::run::{Run, agreement};
use relay_console::simulator::flood::{Flood, FloodConfig};
use relay_console::simulator::{Faults, Scenario, SimulatorConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::bench::Bench;
use crate::program::{Program, text};

fn decoded(line: &[u8]) -> Event {
    match event::decode(line.trim_ascii_end()).unwrap() {
        Decoded::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

/// A simulator with a flood and nothing else.
async fn flooded(flood: FloodConfig, faults: Option<&str>) -> Bench {
    let faults = faults.map(|faults| Faults::parse(faults).unwrap());
    Bench::with(SimulatorConfig { scenarios: Vec::new(), flood: Some(flood), faults, seed: 7, ..Default::default() })
        .await
}

async fn lines(bench: &Bench, query: &str) -> Vec<String> {
    let body = bench.get(&format!("/events?{query}")).await.text().await.unwrap();
    body.lines().map(str::to_owned).collect()
}

#[test]
fn the_snapshot_agrees_with_a_fold_at_every_seq() {
    for (events, nodes) in [(7, 1), (15, 3), (300, 12), (1500, 9)] {
        let flood = Flood::new(FloodConfig::of(events, nodes), RunId::random());
        let mut run = Run::new(flood.run_id());
        for seq in 1..=events {
            run.apply(decoded(flood.line(seq).as_bytes()));
            let snapshot = flood.snapshot_at(seq);
            assert!(agreement::agrees(&run, &snapshot), "{seq}: {:?}", agreement::compare(&run, Some(&snapshot)));
        }
    }
}

/// What `check --json` of the real binary says of the bench's run.
async fn check(bench: &Bench) -> Value {
    let program = Program::new();
    let mut command = program.command(&["check", &bench.run_id.to_string(), "--json"]);
    command.env("MODELRELAY_API_BASE_URL", bench.simulator.base_url());
    command.env("MODELRELAY_API_KEY", bench.simulator.api_key());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_reads_a_whole_flood_and_finds_that_it_agrees() {
    let figures = check(&flooded(FloodConfig::of(20_000, 300), None).await).await;
    let wanted = json!({"events": 20_000, "gaps": 0, "duplicates": 0, "unknown": 0, "rejected": 0, "reconnects": 0});
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(&figures[name], value, "{name} of {figures}");
    }
    assert_eq!((&figures["status"], &figures["snapshot"]), (&json!("succeeded"), &json!("agrees")));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_befall_a_flood_as_any_other_run_and_it_still_agrees() {
    let faults = "cut@events=#1:200KiB,duplicate=0.01,reorder=0.01,skip=#1000,crlf=0.5";
    let bench = flooded(FloodConfig::of(3000, 30), Some(faults)).await;
    let figures = check(&bench).await;
    assert_eq!((&figures["events"], &figures["snapshot"]), (&json!(3000), &json!("agrees")), "{figures}");
    assert!(figures["duplicates"].as_u64() > Some(0), "{figures}");
    let happened: Vec<_> = bench.simulator.faults().into_iter().map(|count| (count.times > 0, count.fault)).collect();
    assert!(happened.iter().filter(|(happened, _)| *happened).count() >= 4, "{happened:?}");
}

#[tokio::test]
async fn a_reader_may_begin_anywhere_and_stop_anywhere() {
    let bench = flooded(FloodConfig::of(5000, 40), None).await;
    let all = lines(&bench, "").await;
    assert_eq!(all.len(), 5000);
    assert_eq!(lines(&bench, "after_seq=4990").await, all[4990..]);
    assert_eq!(lines(&bench, "after_seq=1200&limit=17").await, all[1200..1217]);
    assert_eq!(lines(&bench, "after_seq=4999&limit=17&wait=false").await, all[4999..]);
    assert_eq!(lines(&bench, "after_seq=5000").await, Vec::<String>::new());
    assert_eq!(lines(&bench, "after_seq=18446744073709551615&wait=false").await, Vec::<String>::new());
    let log: Vec<_> = bench.simulator.log_lines(bench.run_id, false);
    assert!(log.iter().map(|line| line.trim_ascii_end()).eq(all.iter().map(String::as_bytes)));
}

#[tokio::test]
async fn outputs_stand_inline_where_they_are_asked_for_and_server_sent_events_say_the_same() {
    let bench = flooded(FloodConfig::of(400, 4), None).await;
    let content = |lines: &[String]| lines.iter().filter(|line| line.contains("\"content\":")).count();
    let (bare, inline) = (lines(&bench, "").await, lines(&bench, "include_output=true").await);
    assert_eq!((content(&bare), bare.len(), inline.len()), (0, 400, 400));
    assert!(content(&inline) >= 4, "{}", content(&inline));
    let request = bench.request(Method::GET, "/events").header("accept", "text/event-stream");
    let sent = request.send().await.unwrap().text().await.unwrap();
    let data: Vec<&str> = sent.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data, bare);
    assert!(sent.starts_with("event: run_compiled\nid: 1\n"));
}

#[tokio::test]
async fn a_flood_with_a_rate_is_read_as_it_happens() {
    let before = Instant::now();
    let bench = flooded(FloodConfig { rate: 4000, ..FloodConfig::of(2000, 20) }, None).await;
    let early = lines(&bench, "wait=false").await;
    let all = lines(&bench, "").await;
    // The last of 2,000 events happens half a second after the start.
    assert!(before.elapsed() >= Duration::from_millis(500), "{:?}", before.elapsed());
    assert_eq!((all.len(), &all[..early.len()]), (2000, early.as_slice()));
    assert_eq!(bench.snapshot().await.status.as_str(), "succeeded");
}

#[tokio::test]
async fn a_flood_stands_behind_the_scenarios_and_has_nothing_but_events_and_a_snapshot() {
    let scenarios = vec![Scenario::find("incident").unwrap()];
    let flood = Some(FloodConfig::of(400, 4));
    let mut bench = Bench::with(SimulatorConfig { scenarios, flood, ..Default::default() }).await;
    let runs = bench.simulator.runs();
    assert_eq!(runs.iter().map(|run| run.scenario.as_str()).collect::<Vec<_>>(), ["incident", "flood"]);
    bench.run_id = runs[1].run_id;
    assert_eq!(bench.pending().await.pending, Vec::new());
    assert_eq!(bench.get("/tasks").await.json::<Value>().await.unwrap(), json!({"tasks": []}));
    for path in ["/steps", "/steps/0/tool-calls/x"] {
        let response = bench.get(path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(response.text().await.unwrap().contains("this run is a flood"));
    }
    let answer = bench.submit(&json!({"node_id": "a", "step": 0, "request_id": RunId::random(), "results": []})).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[test]
fn a_flood_that_cannot_be_had_is_refused_with_the_reason() {
    let output = Program::new().run(&["simulate", "--flood", "events=100,nodes=1000"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("1000 nodes need at least 4003 events; ask for more events or fewer nodes"), "{said}");
}
