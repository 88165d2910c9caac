//! What befalls an answer as a whole, its connection, or the taking of results.

use std::io::{ErrorKind, Read as _};

use relay_console::simulator::Submission;
use tokio::net::TcpStream;

use super::*;

const SHORT: Duration = Duration::from_millis(100);

/// Submits results for all that waits under a request id of its own.
async fn submit(bench: &Bench, request_id: &str) -> Answer {
    let body = serde_json::to_string(&bench.first_wait().await).unwrap();
    ask(bench, "POST /tool-results", &[&format!("{REQUEST_ID}: {request_id}")], &body, PATIENCE).await
}

fn submissions(bench: &Bench) -> Vec<Submission> {
    bench.simulator.submissions(bench.run_id)
}

#[tokio::test]
async fn a_stall_is_silence_in_the_middle_and_then_it_goes_on() {
    let bench = failing("stall=#1:1h,stall=#2:50ms").await;
    let log = log_of(&bench);
    let silent = ask(&bench, "GET /events", &[], "", SHORT).await;
    assert_eq!((silent.end, silent.whole, log.starts_with(&silent.body)), (End::Silence, false, true));
    let late = get(&bench, "/events").await;
    assert_eq!((late.end, late.whole, late.body == log), (End::Closed, true, true));
    assert_eq!(times(&bench), [1, 1]);
}

#[tokio::test]
async fn a_trickle_comes_in_small_pieces_and_is_whole() {
    let bench = failing("trickle@snapshot:20000B").await;
    let slow = get(&bench, "").await;
    assert!(slow.chunks.len() > 1 && slow.chunks.iter().all(|size| *size <= 1000), "{:?}", slow.chunks);
    assert_eq!(json_of(&slow)["status"], "failed");
}

#[tokio::test]
async fn a_false_status_is_told_of_what_was_done() {
    let bench = bench_of("incident", "false-502@tool-results=#1", 7).await;
    let told = submit(&bench, "mine").await;
    assert_eq!((told.status(), json_of(&told)["error"]["code"].as_str()), (502, Some("INTERNAL")));
    assert!(submissions(&bench).iter().all(|call| call.taken.is_some()));
}

#[tokio::test]
async fn an_answer_that_never_comes_is_silence_or_a_reset_after_a_while_and_the_request_is_done() {
    let bench = bench_of("incident", "no-answer@snapshot,no-answer@tool-results:50ms", 7).await;
    let silent = ask(&bench, "GET ", &[], "", SHORT).await;
    assert_eq!((silent.end, silent.head.as_str()), (End::Silence, ""));
    let reset = submit(&bench, "mine").await;
    assert_eq!((reset.end, reset.head.as_str()), (End::Reset, ""));
    assert!(submissions(&bench).iter().all(|call| call.taken.is_some()));
}

#[tokio::test]
async fn a_restart_drops_every_connection_refuses_new_ones_and_the_runs_live_on() {
    let bench = bench_of("incident", "restart@steps=#1:400ms", 7).await;
    let host = bench.simulator.base_url().split('/').nth(2).unwrap().to_owned();
    let after_seq = bench.simulator.log(bench.run_id).len() + 1000;
    let path = format!("GET /events?after_seq={after_seq}");
    let (open, restart) = tokio::join!(ask(&bench, &path, &[], "", PATIENCE), async {
        // The stream is open once its head is there; a second one shows when the server has come to it.
        let open = ask(&bench, &path, &[], "", SHORT).await;
        assert_eq!((open.status(), open.end), (200, End::Silence));
        let restart = get(&bench, "/steps").await;
        let refused = TcpStream::connect(&host).await.map(|_| ()).map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::ConnectionRefused));
        restart
    });
    assert_eq!((open.status(), open.end), (200, End::Reset));
    assert_eq!((restart.head.as_str(), restart.end), ("", End::Reset));
    let back = async { while TcpStream::connect(&host).await.is_err() {} };
    tokio::time::timeout(PATIENCE, back).await.unwrap();
    assert_eq!(json_of(&get(&bench, "").await)["status"], "waiting");
    assert_eq!(times(&bench), [1]);
}

#[tokio::test]
async fn a_stream_that_a_restart_befalls_breaks_off_within() {
    let bench = failing("restart@events=#1:10ms").await;
    let broken = get(&bench, "/events").await;
    assert_eq!((broken.status(), broken.end, broken.whole), (200, End::Reset, false));
    assert!(log_of(&bench).starts_with(&broken.body));
}

#[tokio::test]
async fn headers_that_lie_say_so_byte_for_byte() {
    let bench = failing("redirect=#1,hostile-headers@tasks").await;
    let away = get(&bench, "").await;
    assert_eq!(away.status(), 307);
    let location = away.header("location").unwrap();
    assert!(location.starts_with("https://elsewhere.invalid/api/v1/runs/"), "{location}");
    let page = get(&bench, "").await;
    assert_eq!(page.header("content-type"), Some("application/json"), "the first was the redirect");
    let hostile = get(&bench, "/tasks").await;
    for name in ["x-modelrelay-request-id", "x-request-id", "server"] {
        let value = hostile.header(name).unwrap();
        assert!(value.contains("\u{202e}") && value.contains("\u{9b}") && !value.contains('\u{1b}'), "{value:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_called_html_is_the_answer_all_the_same() {
    let bench = failing("content-type@snapshot,content-type@events,content-type@steps,false-404@steps").await;
    for path in ["", "/events", "/steps"] {
        let answer = get(&bench, path).await;
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(answer.body.starts_with(b"{") && answer.whole, "{path}");
    }
}

#[tokio::test]
async fn a_packed_answer_unpacks_to_the_answer() {
    let bench = failing("content-encoding@events").await;
    let packed = get(&bench, "/events").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, log_of(&bench));
}

#[tokio::test]
async fn a_partial_acceptance_leaves_the_rest_really_pending() {
    let bench = bench_of("incident", "partial=#1", 7).await;
    let waiting = bench.first_wait().await.results.len() as u64;
    let reply = json_of(&submit(&bench, "mine").await);
    let accepted = reply["accepted"].as_u64().unwrap();
    assert!(accepted < waiting, "{reply}");
    let taken = submissions(&bench).iter().filter(|call| call.taken.is_some()).count() as u64;
    assert_eq!(taken, accepted);
    assert_eq!(bench.pending().await.calls().count() as u64, waiting - accepted);
}

#[tokio::test]
async fn a_rival_is_first_and_the_submission_a_conflict() {
    let bench = bench_of("incident", "rival=#1", 7).await;
    let refused = submit(&bench, "mine").await;
    assert_eq!(refused.status(), 409, "{}", refused.text());
    for call in submissions(&bench) {
        let taken = call.taken.as_ref().unwrap();
        assert!(taken.rival && taken.request_id.is_none() && taken.output.contains("another operator"), "{taken:?}");
        assert_eq!((call.offers.len(), call.sent_twice()), (1, 0));
    }
    assert_eq!(times(&bench), [1]);
}

#[tokio::test]
async fn pending_calls_are_those_of_a_while_ago() {
    let bench = bench_of("incident", "stale-pending=#2-20", 7).await;
    let before = bench.pending().await;
    assert_eq!(bench.submit(&Bench::results_for(&before)).await.status(), 200);
    let mut seen = Vec::new();
    for _ in 2..=20 {
        seen.push(bench.pending().await);
    }
    assert!(seen.contains(&before), "the submission is not there yet, and nothing of it is: {seen:?}");
    assert!(!bench.pending().await.calls().any(|(key, _)| before.calls().any(|(old, _)| old == key)));
    assert_eq!(times(&bench), [19]);
}

#[tokio::test]
async fn an_error_can_carry_what_no_terminal_may_get() {
    let bench = failing("hostile-error@snapshot").await;
    let refused = get(&bench, "").await;
    assert_eq!(refused.status(), 500);
    let message = json_of(&refused)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains('\u{1b}') && message.contains('\u{202e}') && message.contains('\u{200b}'), "{message:?}");
}
