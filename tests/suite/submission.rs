//! Submissions over real connections: what is sent, how often, and what is found out when an answer is lost.

use relay_console::api::client::{BaseUrl, Client, ClientConfig, Credentials};
use relay_console::api::ids::RunId;
use relay_console::api::run::RunStatus;
use relay_console::api::tool::ToolResultsRequest;
use relay_console::simulator::{Scenario, Simulator, SimulatorConfig};
use relay_console::submission::{CallVerdict, Intent, Progress, Verdict, submit, submit_within};
use uuid::Uuid;

use crate::raw_server::{Act, RawServer, Request, answer, json, stream_head};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";

/// Results for the calls `c0`, `c1`, … with the outputs `mine 0`, `mine 1`, ….
fn intent(calls: usize) -> Intent {
    let result = |call| format!(r#"{{"tool_call":{{"id":"c{call}","name":"lookup"}},"output":"mine {call}"}}"#);
    let results: Vec<String> = (0..calls).map(result).collect();
    let request: ToolResultsRequest = serde_json::from_str(&format!(
        r#"{{"node_id":"n","step":1,"request_id":"{REQUEST}","results":[{}]}}"#,
        results.join(",")
    ))
    .unwrap();
    Intent { request_id: Uuid::from_u128(42), run_id: RunId::parse(RUN).unwrap(), request, after_seq: 10 }
}

fn client(base_url: &str, key: &str) -> Client {
    let base_url = BaseUrl::parse(base_url, false).unwrap();
    Client::new(ClientConfig::new(base_url, Credentials::api_key(key).unwrap())).unwrap()
}

async fn submitted(server: &RawServer, calls: usize) -> (Verdict, Vec<Progress>) {
    let mut steps = Vec::new();
    let client = client(&server.base_url(), "mr_sk_0123456789");
    let verdict = submit(&client, &intent(calls), |step| steps.push(step)).await;
    (verdict, steps)
}

fn is_post(request: &Request) -> bool {
    request.line.starts_with("POST")
}

/// Pending-tools that lists these calls.
fn pending(calls: &[usize]) -> Vec<Act> {
    let calls: Vec<String> = calls
        .iter()
        .map(|call| format!(r#"{{"tool_call":{{"id":"c{call}","name":"lookup","arguments":"{{}}"}}}}"#))
        .collect();
    json(&format!(
        r#"{{"run_id":"{RUN}","pending":[{{"node_id":"n","step":1,"request_id":"{REQUEST}","tool_calls":[{}]}}]}}"#,
        calls.join(",")
    ))
}

/// An event stream with a result for each of these calls.
fn results(calls: &[(usize, &str)]) -> Vec<Act> {
    let line = |(place, (call, output)): (usize, &(usize, &str))| {
        format!(
            r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{},"ts":"2026-01-01T00:00:00Z","type":"node_tool_result","node_id":"n","tool_result":{{"step":1,"request_id":"{REQUEST}","tool_call":{{"id":"c{call}","name":"lookup"}},"output":"{output}"}}}}"#,
            11 + place
        )
    };
    let lines: Vec<String> = calls.iter().enumerate().map(line).collect();
    vec![stream_head(), Act::Send((lines.join("\n") + "\n").into_bytes())]
}

/// A server that answers reads with `pending` and `results`, and every POST by `post`, given how many came before.
async fn server(
    pending: Vec<Act>,
    results: Vec<Act>,
    post: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static,
) -> RawServer {
    let posts = std::sync::atomic::AtomicUsize::new(0);
    RawServer::start(move |request, _| match request.line.as_str() {
        _ if is_post(request) => post(posts.fetch_add(1, std::sync::atomic::Ordering::SeqCst)),
        line if line.contains("/pending-tools") => pending.clone(),
        line if line.contains("/events") => results.clone(),
        _ => json(&format!(r#"{{"run_id":"{RUN}","status":"running","cost_summary":{{"total_usd_cents":0}}}}"#)),
    })
    .await
}

fn verdicts(verdict: &Verdict) -> Vec<CallVerdict> {
    verdict.calls.iter().map(|(_, verdict)| verdict.clone()).collect()
}

#[tokio::test]
async fn an_answer_that_got_lost_is_found_in_the_events_and_not_sent_again() {
    let server = server(pending(&[]), results(&[(0, "mine 0")]), |_| vec![Act::Reset]).await;
    let (verdict, steps) = submitted(&server, 1).await;
    assert_eq!(verdicts(&verdict), [CallVerdict::Accepted]);
    assert_eq!((verdict.sends, verdict.status), (1, Some(RunStatus::Running)));
    let lines: Vec<String> = server.seen().requests.iter().map(|request| request.line.clone()).collect();
    assert!(lines[1].ends_with("/pending-tools"), "{lines:?}");
    assert!(lines[2].ends_with("/events?after_seq=10&wait=false"), "{lines:?}");
    assert_eq!(steps[0], Progress::Sending(1));
    assert!(matches!(&steps[1], Progress::Verifying { cause } if cause.contains("broke")), "{steps:?}");
}

#[tokio::test]
async fn what_still_waits_is_sent_again_under_the_same_id_with_the_same_bytes() {
    let taken = r#"{"accepted":1,"status":"running"}"#;
    let server = server(pending(&[0]), results(&[]), move |before| match before {
        0 => vec![Act::Reset],
        1 => answer(503, &["retry-after: 0"], ""),
        _ => json(taken),
    })
    .await;
    let (verdict, _) = submitted(&server, 1).await;
    assert_eq!(verdicts(&verdict), [CallVerdict::Accepted]);
    assert_eq!(verdict.sends, 3);
    let requests = server.seen().requests;
    let posts: Vec<&Request> = requests.iter().filter(|request| is_post(request)).collect();
    assert_eq!(posts.len(), 3);
    for post in posts {
        assert_eq!(post.header("x-modelrelay-request-id"), Some(Uuid::from_u128(42).to_string().as_str()));
        assert_eq!(post.body, serde_json::to_string(&intent(1).request).unwrap());
    }
}

#[tokio::test]
async fn three_lost_sends_are_the_last() {
    let server = server(pending(&[0]), results(&[]), |_| answer(500, &[], "broken")).await;
    let (verdict, _) = submitted(&server, 1).await;
    assert!(
        matches!(&verdicts(&verdict)[0], CallVerdict::StillPending { why } if why.contains("broken")),
        "{verdict:?}"
    );
    assert_eq!(server.seen().requests.iter().filter(|request| is_post(request)).count(), 3);
}

#[tokio::test]
async fn what_the_server_refuses_is_sent_once_and_never_again() {
    for status in [400, 401, 403] {
        let body = r#"{"error":{"code":"INVALID_INPUT","message":"bad step"}}"#;
        let server = server(pending(&[0]), results(&[]), move |_| answer(status, &[], body)).await;
        let (verdict, _) = submitted(&server, 1).await;
        assert!(
            matches!(&verdicts(&verdict)[0], CallVerdict::Refused { why } if why.contains("bad step")),
            "{verdict:?}"
        );
        assert_eq!(server.seen().requests.len(), 1);
    }
}

#[tokio::test]
async fn fewer_accepted_than_sent_is_resolved_call_by_call() {
    let server = server(pending(&[2]), results(&[(0, "mine 0"), (1, "theirs")]), |_| {
        json(r#"{"accepted":1,"status":"waiting"}"#)
    })
    .await;
    let (verdict, _) = submitted(&server, 3).await;
    assert_eq!(
        verdicts(&verdict),
        [
            CallVerdict::Accepted,
            CallVerdict::Superseded { output: "theirs".into(), error: None },
            CallVerdict::StillPending { why: "the server accepted 1 of 3 results".into() },
        ]
    );
    assert_eq!(verdict.sends, 1);
}

#[tokio::test]
async fn a_server_that_lets_nobody_look_leaves_the_outcome_unknown() {
    let server = server(answer(403, &[], ""), results(&[]), |_| vec![Act::Reset]).await;
    let (verdict, _) = submitted(&server, 1).await;
    assert!(matches!(&verdicts(&verdict)[0], CallVerdict::Unknown { why } if why.contains("403")), "{verdict:?}");
}

#[tokio::test]
async fn against_the_simulator_one_answer_wins_and_the_other_learns_of_it() {
    let config = SimulatorConfig {
        speed: 200.0,
        seed: 7,
        scenarios: vec![Scenario::builtin().remove(0)],
        ..SimulatorConfig::default()
    };
    let simulator = Simulator::start(config).await.unwrap();
    let client = client(simulator.base_url(), simulator.api_key());
    let run_id = simulator.runs()[0].run_id;
    let waiting = async {
        loop {
            let pending = client.pending_tools(&run_id).await.unwrap().value;
            if let Some(step) = pending.pending.into_iter().next() {
                break step;
            }
        }
    };
    let step = tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.unwrap();
    let submission = |output: &str| {
        let call = &step.tool_calls[0].tool_call;
        let result = relay_console::api::tool::ToolResult {
            tool_call: call.without_arguments(),
            output: output.to_owned(),
            error: None,
        };
        let request = ToolResultsRequest { step: step.step.clone(), results: vec![result] };
        Intent { request_id: Uuid::new_v4(), run_id, request, after_seq: 0 }
    };
    let (winner, loser) = (submission(r#"{"answer": "yes", "is_freeform": true}"#), submission("\"later\""));
    let first = submit(&client, &winner, |_| {}).await;
    assert_eq!((first.accepted(), first.sends), (1, 1), "{first:?}");
    let again = submit(&client, &winner, |_| {}).await;
    assert_eq!((again.accepted(), again.sends), (1, 1), "the same submission again: {again:?}");
    let late = submit(&client, &loser, |_| {}).await;
    let won = winner.request.results[0].output.clone();
    assert_eq!(verdicts(&late), [CallVerdict::Superseded { output: won, error: None }]);
    assert_eq!(late.sends, 1);
}

#[tokio::test]
async fn events_that_are_kept_open_without_a_word_prove_nothing_and_nothing_is_sent_again() {
    let open = vec![stream_head(), Act::Send(b"{\"type\":\"keepalive\"}\n".to_vec()), Act::Hold];
    let server = server(pending(&[0]), open, |_| vec![Act::Reset]).await;
    let client = client(&server.base_url(), "mr_sk_0123456789");
    let verdict = submit_within(&client, &intent(1), std::time::Duration::from_secs(4), |_| {}).await;
    assert!(matches!(verdicts(&verdict)[0], CallVerdict::Unknown { .. }), "{verdict:?}");
    assert_eq!(server.seen().requests.iter().filter(|request| is_post(request)).count(), 1);
}

#[tokio::test]
async fn a_result_behind_a_keepalive_and_a_blank_line_is_found() {
    let mut events = results(&[(0, "mine 0")]);
    events.insert(1, Act::Send(b"\n{\"type\":\"keepalive\"}\n\r\n".to_vec()));
    // Pending-tools is behind: it lists the call although its result is in the events.
    let server = server(pending(&[0]), events, |_| answer(502, &[], "")).await;
    let (verdict, _) = submitted(&server, 1).await;
    assert_eq!((verdicts(&verdict), verdict.sends), (vec![CallVerdict::Accepted], 1));
}

#[tokio::test]
async fn a_call_that_was_found_waiting_is_left_so_where_sending_again_would_take_too_long() {
    let server = server(pending(&[0]), results(&[]), |_| answer(429, &["retry-after: 30"], "")).await;
    let client = client(&server.base_url(), "mr_sk_0123456789");
    let verdict = submit_within(&client, &intent(1), std::time::Duration::from_secs(20), |_| {}).await;
    assert!(matches!(verdicts(&verdict)[0], CallVerdict::StillPending { .. }), "{verdict:?}");
    assert_eq!(verdict.sends, 1);
}
