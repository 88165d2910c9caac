//! The HTTP client against a raw socket: what it sends, what it takes, what it refuses, and what it never does.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use relay_console::api::client::{BaseUrl, Client, ClientConfig, Credentials, EventStream, EventsQuery, StreamItem};
use relay_console::api::error::{Class, Error, StreamError, TransportKind};
use relay_console::api::event::{EventBody, Problem};
use relay_console::api::ids::RunId;
use relay_console::api::tool::ToolResultsRequest;
use uuid::Uuid;

use crate::raw_server::{Act, RawServer, answer, chunk, chunked_head, json, stream_head};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const KEY: &str = "mr_sk_do-not-print-me";
const SNAPSHOT: &str =
    r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000","status":"running","cost_summary":{"total_usd_cents":3}}"#;

fn run_id() -> RunId {
    RunId::parse(RUN).unwrap()
}

fn config(base_url: &str) -> ClientConfig {
    ClientConfig::new(BaseUrl::parse(base_url, false).unwrap(), Credentials::api_key(KEY).unwrap())
}

fn client(server: &RawServer) -> Client {
    Client::new(config(&server.base_url())).unwrap()
}

fn delta(seq: u64, text: &str) -> String {
    format!(
        r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-01-01T00:00:00Z","type":"node_output_delta","node_id":"n","delta":{{"kind":"message_delta","text_delta":"{text}"}}}}"#
    )
}

fn results() -> ToolResultsRequest {
    serde_json::from_str(&format!(
        r#"{{"node_id":"n","step":2,"request_id":"{RUN}","results":[{{"tool_call":{{"id":"c","name":"fs.read"}},"output":"ü","error":"e"}}]}}"#
    ))
    .unwrap()
}

async fn events(server: &RawServer) -> Result<EventStream, Error> {
    client(server).events(&run_id(), &EventsQuery::default()).await
}

/// What a stream brings, in short: a delta's text, `keepalive`, `rejected`, `broken: kind`.
async fn play(mut stream: EventStream) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(item) = stream.next().await {
        words.push(match item {
            Ok(StreamItem::Event { event, .. }) => match event.body {
                EventBody::NodeOutputDelta(e) => e.delta.text_delta.unwrap_or_default().into(),
                other => other.type_name().to_owned(),
            },
            Ok(StreamItem::Keepalive) => "keepalive".into(),
            Ok(StreamItem::Partial) => continue,
            Err(StreamError::Protocol(error)) => format!("rejected {:?}", error.seq),
            Err(StreamError::Transport(error)) => format!("broken: {:?}", error.kind),
        });
    }
    words
}

#[tokio::test]
async fn a_request_carries_its_headers_and_keeps_the_path_prefix_of_the_base_url() {
    let headers = ["content-type: application/json", "x-request-id: fallback", "date: Sun, 06 Nov 1994 08:49:37 GMT"];
    let server = RawServer::answering(vec![answer(200, &headers, SNAPSHOT)]).await;
    let mut config = config(&server.base_url());
    config.customer_id = Some("customer-7".into());
    let reply = Client::new(config).unwrap().run(&run_id()).await.unwrap();
    assert_eq!(reply.value.cost_summary.unwrap().total_usd_cents, 3);
    assert_eq!(reply.request_id.as_deref(), Some("fallback"));
    assert_eq!(reply.date.unwrap().to_string(), "1994-11-06T08:49:37Z");
    let request = &server.seen().requests[0];
    assert_eq!(request.line, format!("GET /api/v1/runs/{RUN}"));
    assert_eq!(request.header("x-modelrelay-api-key"), Some(KEY));
    assert_eq!(request.header("x-modelrelay-customer-id"), Some("customer-7"));
    assert_eq!(request.header("x-modelrelay-client"), Some(concat!("relay-console/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn a_token_goes_in_the_authorization_header_alone() {
    let server = RawServer::answering(vec![json(SNAPSHOT)]).await;
    let base_url = BaseUrl::parse(&server.base_url(), false).unwrap();
    let config = ClientConfig::new(base_url, Credentials::token("a.b.c").unwrap());
    Client::new(config).unwrap().run(&run_id()).await.unwrap();
    let request = &server.seen().requests[0];
    assert_eq!(request.header("authorization"), Some("Bearer a.b.c"));
    assert_eq!(request.header("x-modelrelay-api-key"), None);
}

#[tokio::test]
async fn a_submission_is_one_attempt_under_its_own_request_id_with_its_bytes_as_they_are() {
    for acts in [vec![], vec![Act::Reset], answer(503, &[], "busy"), answer(429, &["retry-after: 0"], "")] {
        let server = RawServer::answering(vec![acts]).await;
        let id = Uuid::from_u128(42);
        client(&server).submit_tool_results(&run_id(), &results(), id).await.unwrap_err();
        let seen = server.seen();
        assert_eq!(seen.requests.len(), 1);
        assert_eq!(seen.requests[0].line, format!("POST /api/v1/runs/{RUN}/tool-results"));
        assert_eq!(seen.requests[0].header("x-modelrelay-request-id"), Some(id.to_string().as_str()));
        assert_eq!(seen.requests[0].body, serde_json::to_string(&results()).unwrap());
    }
}

#[tokio::test]
async fn a_read_is_tried_three_times_and_then_says_so() {
    let busy =
        answer(503, &["x-modelrelay-request-id: r-9"], r#"{"error":{"code":"SERVICE_UNAVAILABLE","message":"no"}}"#);
    let server = RawServer::answering(vec![vec![Act::Reset], busy.clone(), json(SNAPSHOT)]).await;
    client(&server).run(&run_id()).await.unwrap();
    assert_eq!(server.seen().requests.len(), 3);
    let server = RawServer::answering(vec![busy]).await;
    let error = client(&server).run(&run_id()).await.unwrap_err();
    assert_eq!(server.seen().requests.len(), 3);
    assert_eq!(error.request_id(), Some("r-9"));
    assert!(error.to_string().contains("tried 3 times"), "{error}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_says_how_often_it_was_tried_and_the_servers_id() {
    let id = "x-modelrelay-request-id: r-7";
    for last in [
        answer(302, &[id, "location: https://elsewhere.example/"], ""),
        answer(200, &[id, "content-type: text/html"], "<html>"),
        answer(200, &[id, "content-type: application/json", "content-encoding: gzip"], "{}"),
        answer(200, &[id, "content-type: application/json"], "{"),
        answer(200, &[id, "content-type: application/json"], &SNAPSHOT.replace("550e", "660e")),
    ] {
        let server = RawServer::answering(vec![answer(503, &[], ""), last]).await;
        let error = client(&server).run(&run_id()).await.unwrap_err();
        assert_eq!((error.attempts(), error.request_id()), (2, Some("r-7")));
        assert!(error.to_string().ends_with("; tried 2 times [request r-7]"), "{error}");
    }
}

#[tokio::test]
async fn a_read_that_cannot_succeed_is_not_tried_again() {
    for status in [400, 401, 403, 404, 409] {
        let server = RawServer::answering(vec![answer(status, &[], "{}")]).await;
        let error = client(&server).run(&run_id()).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert_eq!(server.seen().requests.len(), 1, "{status}");
    }
    let server = RawServer::answering(vec![answer(429, &["retry-after: 3600"], "")]).await;
    let error = client(&server).run(&run_id()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(server.seen().requests.len(), 1, "nobody waits an hour");
}

#[tokio::test]
async fn a_retry_after_is_waited_for() {
    let server = RawServer::answering(vec![answer(429, &["retry-after: 1"], ""), json(SNAPSHOT)]).await;
    let begun = Instant::now();
    client(&server).run(&run_id()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_credentials_along() {
    let thief = RawServer::answering(vec![json(SNAPSHOT)]).await;
    let location = format!("location: http://{}/api/v1/runs/{RUN}?a=b", thief.address);
    for status in [301, 302, 307, 308] {
        let server = RawServer::answering(vec![answer(status, &[&location], "")]).await;
        let target = thief.address.clone();
        let redirect = Error::Redirect { status, target: target.clone(), request_id: None, attempts: 1 };
        assert_eq!(client(&server).run(&run_id()).await.unwrap_err(), redirect);
        assert_eq!(events(&server).await.unwrap_err(), redirect);
        let sent = client(&server).submit_tool_results(&run_id(), &results(), Uuid::nil()).await.unwrap_err();
        assert!(sent.to_string().contains(&target), "{sent}");
    }
    assert_eq!(thief.seen().requests.len(), 0);
}

#[tokio::test]
async fn no_error_repeats_the_key_or_the_query() {
    let closed = RawServer::answering(vec![json("")]).await.base_url();
    let refused = Client::new(config(&closed)).unwrap().without_retries();
    let body = format!(r#"{{"error":{{"code":"UNAUTHORIZED","message":"bad key {KEY}"}}}}"#);
    let server = RawServer::answering(vec![answer(401, &[], &body)]).await;
    let cut = RawServer::answering(vec![vec![]]).await;
    let id = format!("x-modelrelay-request-id: {KEY}");
    let id_of_refusal = RawServer::answering(vec![answer(401, &[&id], "")]).await;
    let content_type = format!("content-type: text/{KEY}");
    let other_type = RawServer::answering(vec![answer(200, &[&id, &content_type], "x")]).await;
    let encoding = format!("content-encoding: {KEY}");
    let encoded = RawServer::answering(vec![answer(200, &[&id, &encoding], "x")]).await;
    let query = EventsQuery { after_seq: 987_654, ..EventsQuery::default() };
    let repeating = [client(&server), client(&cut), client(&id_of_refusal), client(&other_type), client(&encoded)];
    for client in [refused].into_iter().chain(repeating) {
        let errors = [
            client.events(&run_id(), &query).await.unwrap_err(),
            client.without_retries().run(&run_id()).await.unwrap_err(),
        ];
        for error in errors {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(KEY) && !shown.contains("987654"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_the_system_s_reason() {
    let address = RawServer::answering(vec![json("")]).await.address.clone();
    let client = Client::new(config(&format!("http://{address}"))).unwrap().without_retries();
    let Error::Transport(error) = client.run(&run_id()).await.unwrap_err() else { panic!("a transport error") };
    assert_eq!(error.kind, TransportKind::Connect);
    assert!(error.to_string().starts_with(&format!("cannot connect to {address}: ")), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_after_the_time_limit() {
    let server = RawServer::answering(vec![vec![Act::Hold]]).await;
    let mut config = config(&server.base_url());
    config.request_timeout = Duration::from_millis(200);
    let client = Client::new(config).unwrap().without_retries();
    for outcome in [
        client.run(&run_id()).await.map(|_| ()),
        client.events(&run_id(), &EventsQuery::default()).await.map(|_| ()),
        client.submit_tool_results(&run_id(), &results(), Uuid::nil()).await.map(|_| ()),
    ] {
        let Err(Error::Transport(error)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(error.kind, TransportKind::Timeout);
    }
    server.until("all three connections are given back", |seen| seen.hung_up == 3).await;
}

#[tokio::test]
async fn only_an_event_stream_in_plain_encoding_is_taken_for_one() {
    for content_type in ["application/x-ndjson", "application/ndjson", "Application/X-NDJSON; charset=utf-8"] {
        let server = RawServer::answering(vec![answer(200, &[&format!("content-type: {content_type}")], "")]).await;
        assert_eq!(play(events(&server).await.unwrap()).await, [""; 0]);
    }
    for headers in [vec!["content-type: application/json"], vec!["content-type: text/html"], vec![]] {
        let server = RawServer::answering(vec![answer(200, &headers, "")]).await;
        let error = events(&server).await.unwrap_err();
        assert!(matches!(error, Error::ContentType { .. }) && error.class() == Class::Protocol, "{error}");
    }
    let headers = ["content-type: application/x-ndjson", "content-encoding: gzip"];
    let server = RawServer::answering(vec![answer(200, &headers, "")]).await;
    assert!(matches!(events(&server).await.unwrap_err(), Error::Encoding { encoding, .. } if encoding == "gzip"));
}

#[tokio::test]
async fn an_answer_that_is_no_json_says_what_it_is() {
    let server = RawServer::answering(vec![answer(200, &["content-type: text/html"], "<html>")]).await;
    assert!(matches!(client(&server).run(&run_id()).await.unwrap_err(), Error::ContentType { .. }));
    let server = RawServer::answering(vec![json(r#"{"run_id":5}"#)]).await;
    let error = client(&server).run(&run_id()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read as a run"), "{error}");
}

#[tokio::test]
async fn characters_split_across_chunks_arrive_whole() {
    let texts = ["grüße", "日本語", "🦀", "é"];
    let lines: Vec<String> = texts.iter().zip(1..).map(|(text, seq)| delta(seq, text)).collect();
    let body = lines.join("\r\n") + "\r\n";
    let trickled = RawServer::answering(vec![vec![stream_head(), Act::Trickle(body.clone().into_bytes())]]).await;
    assert_eq!(play(events(&trickled).await.unwrap()).await, texts);
    let chunks = body.as_bytes().chunks(7).map(chunk);
    let acts: Vec<Act> = [chunked_head()].into_iter().chain(chunks).chain([Act::Send(b"0\r\n\r\n".to_vec())]).collect();
    let chunked = RawServer::answering(vec![acts]).await;
    assert_eq!(play(events(&chunked).await.unwrap()).await, texts);
}

#[tokio::test]
async fn not_one_of_many_events_is_lost_in_a_burst() {
    const EVENTS: u64 = 50_000;
    let lines: Vec<String> = (1..=EVENTS).map(|seq| delta(seq, "größer 日本語 🦀")).collect();
    let body = (lines.join("\n") + "\n").into_bytes();
    // A prime number of bytes, so that every part of a line is cut somewhere.
    let chunks = body.chunks(1009).map(chunk);
    let acts: Vec<Act> = [chunked_head()].into_iter().chain(chunks).chain([Act::Send(b"0\r\n\r\n".to_vec())]).collect();
    let server = RawServer::answering(vec![acts]).await;
    let mut stream = events(&server).await.unwrap();
    let mut next = 1;
    while let Some(item) = stream.next().await {
        match item.unwrap() {
            StreamItem::Event { event, .. } => {
                assert_eq!(event.seq, next);
                next += 1;
            }
            StreamItem::Keepalive => panic!("no keepalive was sent"),
            StreamItem::Partial => {}
        }
    }
    assert_eq!(next, EVENTS + 1);
}

#[tokio::test]
async fn one_bad_line_costs_no_other_within_the_same_chunk() {
    let mut body = Vec::new();
    for line in
        [delta(1, "a").as_bytes(), b"{\"seq\":2,\xff}", b"", b"{\"type\":\"keepalive\"}", delta(3, "b").as_bytes()]
    {
        body.extend_from_slice(line);
        body.push(b'\n');
    }
    let server = RawServer::answering(vec![vec![stream_head(), Act::Send(body)]]).await;
    let stream = events(&server).await.unwrap();
    assert_eq!(stream.request_id(), Some("server-1"));
    assert_eq!(play(stream).await, ["a", "rejected None", "keepalive", "keepalive", "b"]);
}

#[tokio::test]
async fn a_protocol_error_keeps_the_line_that_caused_it() {
    let bad = delta(0, "zero");
    let server = RawServer::answering(vec![vec![stream_head(), Act::Send(format!("{bad}\n").into_bytes())]]).await;
    let mut stream = events(&server).await.unwrap();
    let Some(Err(StreamError::Protocol(error))) = stream.next().await else { panic!("a protocol error") };
    assert_eq!((error.problem, &error.line[..]), (Problem::ZeroSeq, bad.as_bytes()));
}

#[tokio::test]
async fn a_last_line_without_a_line_end_is_an_event_and_half_a_line_is_a_cut_stream() {
    let whole = delta(1, "a");
    let server = RawServer::answering(vec![vec![stream_head(), Act::Send(whole.clone().into_bytes())]]).await;
    assert_eq!(play(events(&server).await.unwrap()).await, ["a"]);
    for end in 1..whole.len() {
        let half = format!("{}\n{}", delta(1, "a"), &delta(2, "b")[..end]).into_bytes();
        let server = RawServer::answering(vec![vec![stream_head(), Act::Send(half)]]).await;
        assert_eq!(play(events(&server).await.unwrap()).await, ["a", "broken: Cut"], "cut at {end}");
    }
}

#[tokio::test]
async fn a_broken_connection_is_an_error_after_the_events_that_came_before_it() {
    let line = format!("{}\n", delta(1, "a"));
    let acts = vec![chunked_head(), chunk(line.as_bytes())];
    let server = RawServer::answering(vec![acts]).await;
    assert_eq!(play(events(&server).await.unwrap()).await, ["a", "broken: Read"]);
}

#[tokio::test]
async fn canceling_interrupts_a_pending_read_ends_the_stream_and_closes_the_connection() {
    let server = RawServer::answering(vec![vec![chunked_head(), Act::Hold]]).await;
    let mut stream = events(&server).await.unwrap();
    let handle = stream.cancel_handle();
    let reading = tokio::spawn(async move { (stream.next().await, stream) });
    server.until("the stream is open", |seen| seen.requests.len() == 1).await;
    assert!(!reading.is_finished());
    handle.cancel();
    let (item, mut stream) = tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
    assert_eq!(item, None);
    server.until("the connection is closed", |seen| seen.hung_up == 1).await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn dropping_a_stream_closes_its_connection() {
    let server = RawServer::answering(vec![vec![chunked_head(), Act::Hold]]).await;
    let stream = events(&server).await.unwrap();
    let handle = stream.cancel_handle();
    drop(stream);
    assert!(handle.is_canceled());
    server.until("the connection is closed", |seen| seen.hung_up == 1).await;
    let mut stream = events(&server).await.unwrap();
    stream.cancel();
    assert_eq!(stream.next().await, None);
    server.until("the second connection is closed", |seen| seen.hung_up == 2).await;
}

/// Runs itself again in a process of its own, because the environment is the whole process's.
#[test]
fn this_machine_is_reached_without_proxy_and_without_certificates() {
    const NAME: &str = "client::this_machine_is_reached_without_proxy_and_without_certificates";
    const ADDRESS: &str = "RELAY_CONSOLE_TEST_ADDRESS";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Ok(base_url) = std::env::var(ADDRESS) {
        let client = Client::new(config(&base_url)).unwrap();
        runtime.block_on(client.run(&run_id())).unwrap();
        return;
    }
    let server = runtime.block_on(RawServer::answering(vec![json(SNAPSHOT)]));
    // Port 9 discards: a request through this proxy cannot succeed.
    let proxy = "http://127.0.0.1:9";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(ADDRESS, server.base_url())
        .envs([("HTTP_PROXY", proxy), ("http_proxy", proxy), ("ALL_PROXY", proxy), ("all_proxy", proxy)])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .envs([("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")])
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(server.seen().requests.len(), 1);
}

#[tokio::test]
async fn an_answer_about_another_run_is_refused_and_names_it() {
    let other = "550e8400-e29b-41d4-a716-4466554400ff";
    let pending = json(&format!(r#"{{"run_id":"{other}","pending":[]}}"#));
    let server = RawServer::answering(vec![json(&SNAPSHOT.replace(RUN, other)), pending]).await;
    let snapshot = client(&server).run(&run_id()).await.unwrap_err();
    let pending = client(&server).pending_tools(&run_id()).await.unwrap_err();
    for error in [snapshot, pending] {
        assert_eq!(error.class(), Class::Protocol);
        assert!(error.to_string().contains(other), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_whose_body_never_comes_is_a_refusal_all_the_same() {
    let head = b"HTTP/1.1 401 X\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{".to_vec();
    let server = RawServer::answering(vec![vec![Act::Send(head), Act::Hold]]).await;
    let mut config = config(&server.base_url());
    config.request_timeout = Duration::from_secs(2);
    let client = Client::new(config).unwrap();
    let stream = client.events(&run_id(), &EventsQuery::default()).await.unwrap_err();
    let snapshot = client.run(&run_id()).await.unwrap_err();
    assert_eq!((stream.status(), snapshot.status()), (Some(401), Some(401)));
}
