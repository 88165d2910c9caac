//! The feed over real connections: against a raw socket that misbehaves, and against the simulator to a run's end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use relay_console::api::client::{BaseUrl, Client, ClientConfig, ClientSource, Credentials};
use relay_console::api::event::EventBody;
use relay_console::api::ids::RunId;
use relay_console::api::run::RunStatus;
use relay_console::api::tool::{ToolCall, ToolResult, ToolResultsRequest};
use relay_console::feed::{Feed, FeedConfig, FeedItem, FeedUpdate, LinkState};
use relay_console::simulator::{Simulator, SimulatorConfig};
use relay_console::submission::{Intent, submit};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::raw_server::{Act, RawServer, Request, answer, chunk, chunked_head, json, stream_head};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

fn clients(base_url: &str, key: &str) -> ClientSource {
    let (base_url, key) = (base_url.to_owned(), key.to_owned());
    ClientSource::new(move || {
        let base_url = BaseUrl::parse(&base_url, false)?;
        Client::new(ClientConfig::new(base_url, Credentials::api_key(&key)?))
    })
}

/// The next update; a feed that ends or is silent for half a minute fails the test.
async fn next(rx: &mut mpsc::Receiver<FeedUpdate>) -> FeedUpdate {
    tokio::time::timeout(Duration::from_secs(30), rx.recv()).await.unwrap().unwrap()
}

fn line(seq: u64, kind: &str) -> String {
    format!(
        "{{\"envelope_version\":\"v2\",\"run_id\":\"{RUN}\",\"seq\":{seq},\"ts\":\"2026-01-01T00:00:00Z\",\"type\":{kind}}}\n"
    )
}

fn delta(seq: u64) -> String {
    line(seq, r#""node_output_delta","node_id":"n","delta":{"kind":"message_delta","text_delta":"grüße 🦀"}"#)
}

fn last(seq: u64) -> String {
    line(seq, &format!(r#""run_failed","plan_hash":"{}","error":{{"message":"m"}}"#, "a".repeat(64)))
}

fn snapshot(status: &str) -> Vec<Act> {
    json(&format!(r#"{{"run_id":"{RUN}","status":"{status}","cost_summary":{{"total_usd_cents":0}}}}"#))
}

fn stream(text: &str) -> Vec<Act> {
    vec![stream_head(), Act::Send(text.as_bytes().to_vec())]
}

/// A server that does something wrong with nearly every connection.
fn misbehave(request: &Request, before: usize) -> Vec<Act> {
    if !request.line.contains("/events") {
        return if before == 0 { answer(503, &[], "") } else { snapshot("running") };
    }
    let after: u64 = request
        .line
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("after_seq="))
        .map_or(0, |seq| seq.parse().unwrap());
    let waits = !request.line.contains("wait=false");
    let two = delta(2);
    let within_the_crab = two.find('🦀').unwrap() + 2;
    match (after, waits) {
        // The connection ends within a character.
        (0, _) => {
            vec![stream_head(), Act::Send(delta(1).into_bytes()), Act::Send(two.as_bytes()[..within_the_crab].to_vec())]
        }
        // Everything from the beginning again, a line that is no JSON, an event byte by byte.
        (1, false) => vec![
            stream_head(),
            Act::Send(format!("{}{two}nonsense\r\n\r\n", delta(1)).into_bytes()),
            Act::Trickle(delta(3).into_bytes()),
        ],
        // An event, then the connection breaks.
        (3, true) => vec![chunked_head(), chunk(delta(4).as_bytes()), Act::Reset],
        // Six is never there: a permanent gap.
        (4, false) => stream(&format!("{}{}", delta(5), delta(7))),
        (5, false) => stream(&delta(7)),
        // The last event comes without a line end.
        (7, true) => stream(last(8).trim_end()),
        // Nothing new in the history.
        _ => stream(""),
    }
}

#[tokio::test]
async fn nothing_is_missed_whatever_the_server_does() {
    let server = RawServer::start(misbehave).await;
    let (tx, mut rx) = mpsc::channel(8);
    let run_id = RunId::parse(RUN).unwrap();
    let _feed = Feed::spawn(clients(&server.base_url(), "mr_sk_0123456789"), run_id, FeedConfig::default(), tx);
    let (mut seqs, mut gaps, mut rejected, mut duplicates, mut outages) = (vec![], vec![], vec![], 0, vec![]);
    loop {
        match next(&mut rx).await {
            FeedUpdate::Link(LinkState::Ended) => break,
            FeedUpdate::Link(LinkState::Retrying { cause, .. }) => outages.push(cause),
            FeedUpdate::Link(LinkState::Refused { cause, .. }) => panic!("refused: {cause}"),
            FeedUpdate::Link(_) | FeedUpdate::Snapshot { .. } => {}
            odd @ (FeedUpdate::Restarted { .. } | FeedUpdate::Journal(_)) => panic!("{odd:?}"),
            FeedUpdate::Items(items) => {
                for item in items {
                    match item {
                        FeedItem::Line(_) => panic!("nobody asked for lines"),
                        FeedItem::Event(event) => {
                            if let EventBody::NodeOutputDelta(e) = &event.body {
                                assert_eq!(e.delta.text_delta.as_deref(), Some("grüße 🦀"));
                            }
                            seqs.push(event.seq);
                        }
                        FeedItem::Gap { first, last } => gaps.push((first, last)),
                        FeedItem::Rejected(error) => rejected.push(String::from_utf8(error.line.to_vec()).unwrap()),
                        FeedItem::Duplicates(count) => duplicates += count,
                    }
                }
            }
        }
    }
    assert_eq!(seqs, [1, 2, 3, 4, 5, 7, 8]);
    assert_eq!(gaps, [(6, 6)]);
    assert_eq!(rejected, ["nonsense"]);
    assert_eq!(duplicates, 1);
    let phrases = ["in trouble (503)", "middle of a line", "broke", "(1)", "(2)", "(3)"];
    assert_eq!(outages.len(), phrases.len(), "{outages:?}");
    for (outage, phrase) in outages.iter().zip(phrases) {
        assert!(outage.contains(phrase), "{outage} should say {phrase}");
    }
}

#[tokio::test]
async fn new_credentials_are_read_when_the_operator_asks_again() {
    let server = RawServer::start(|request, _| {
        if request.header("x-modelrelay-api-key") != Some("mr_sk_the-right-one") {
            return answer(401, &[], r#"{"error":{"code":"UNAUTHORIZED","message":"unknown key"}}"#);
        }
        if request.line.contains("/events") { stream(&last(1)) } else { snapshot("failed") }
    })
    .await;
    let corrected = Arc::new(AtomicBool::new(false));
    let (flag, base_url) = (Arc::clone(&corrected), server.base_url());
    let clients = ClientSource::new(move || {
        let key = if flag.load(Ordering::SeqCst) { "mr_sk_the-right-one" } else { "mr_sk_the-wrong-one" };
        Client::new(ClientConfig::new(BaseUrl::parse(&base_url, false)?, Credentials::api_key(key)?))
    });
    let (tx, mut rx) = mpsc::channel(8);
    let feed = Feed::spawn(clients, RunId::parse(RUN).unwrap(), FeedConfig::default(), tx);
    loop {
        if let FeedUpdate::Link(LinkState::Refused { cause, .. }) = next(&mut rx).await {
            assert!(cause.contains("unknown key") && cause.contains("401"), "{cause}");
            break;
        }
    }
    assert_eq!(server.seen().requests.len(), 1, "a refusal is not asked again by itself");
    corrected.store(true, Ordering::SeqCst);
    feed.reconnect_now();
    while next(&mut rx).await != FeedUpdate::Link(LinkState::Ended) {}
}

#[tokio::test]
async fn stopping_a_feed_closes_its_connection() {
    let server = RawServer::start(|request, _| match request.line.as_str() {
        line if !line.contains("/events") => snapshot("running"),
        line if line.contains("wait=false") => stream(""),
        _ => vec![chunked_head(), Act::Hold],
    })
    .await;
    let (tx, mut rx) = mpsc::channel(8);
    let clients = clients(&server.base_url(), "mr_sk_0123456789");
    let feed = Feed::spawn(clients, RunId::parse(RUN).unwrap(), FeedConfig::default(), tx);
    while next(&mut rx).await != FeedUpdate::Link(LinkState::Live) {}
    drop(feed);
    server.until("the connection is closed", |seen| seen.hung_up == 1).await;
    assert_eq!(rx.recv().await, None);
}

/// An answer to any call: the first option of a question, else some JSON.
fn answer_to(call: &ToolCall) -> ToolResult {
    let output = call.question().map_or_else(
        || r#"{"ok": true}"#.to_owned(),
        |question| {
            let text = question.options.first().map_or("go on", |option| option.label.as_str());
            question.answer(text).unwrap().to_output()
        },
    );
    ToolResult { tool_call: call.without_arguments(), output, error: None }
}

#[tokio::test]
async fn every_scenario_of_the_simulator_is_followed_and_answered_to_its_end() {
    let config = SimulatorConfig { speed: 200.0, seed: 7, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config).await.unwrap();
    let clients = clients(simulator.base_url(), simulator.api_key());
    for run in simulator.runs() {
        let (tx, mut rx) = mpsc::channel(16);
        let _feed = Feed::spawn(clients.clone(), run.run_id, FeedConfig::default(), tx);
        let client = clients.client().unwrap();
        let (mut last, mut ended, mut status) = (0, false, None);
        loop {
            let items = match next(&mut rx).await {
                FeedUpdate::Link(LinkState::Ended) => break,
                FeedUpdate::Link(state @ (LinkState::Refused { .. } | LinkState::Retrying { .. })) => {
                    panic!("{}: {state:?}", run.scenario)
                }
                FeedUpdate::Snapshot { snapshot, .. } => {
                    status = Some(snapshot.status);
                    continue;
                }
                FeedUpdate::Link(_) => continue,
                odd @ (FeedUpdate::Restarted { .. } | FeedUpdate::Journal(_)) => panic!("{odd:?}"),
                FeedUpdate::Items(items) => items,
            };
            let mut waits = false;
            for item in items {
                let FeedItem::Event(event) = item else { panic!("{}: {item:?}", run.scenario) };
                assert_eq!(event.seq, last + 1);
                last = event.seq;
                ended |= event.body.ends_run();
                waits |= matches!(event.body, EventBody::NodeWaiting(_) | EventBody::NodeUserAsk(_));
            }
            if !waits {
                continue;
            }
            for pending in client.pending_tools(&run.run_id).await.unwrap().value.pending {
                let results = pending.tool_calls.iter().map(|call| answer_to(&call.tool_call)).collect();
                let request = ToolResultsRequest { step: pending.step, results };
                let intent = Intent { request_id: Uuid::new_v4(), run_id: run.run_id, request, after_seq: last };
                let verdict = submit(&client, &intent, |_| {}).await;
                assert_eq!(verdict.accepted(), intent.request.results.len(), "{verdict:?}");
            }
        }
        assert!(ended && last > 0, "{} has not ended", run.scenario);
        assert!(status.as_ref().is_some_and(RunStatus::is_terminal), "{}: {status:?}", run.scenario);
    }
}
