//! Submissions on disk: written down before they leave, one sender a call, looked up after a crash.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use relay_console::api::client::{BaseUrl, Client, ClientConfig, Credentials};
use relay_console::api::ids::RunId;
use relay_console::api::tool::ToolResultsRequest;
use relay_console::store::StateDir;
use relay_console::store::intents::{Begun, Claim, IntentRecord, IntentStore, Outcome, Sender, Start};
use relay_console::submission::{CallVerdict, Intent, LookedUp, Progress, Records, look_up, submit_recorded};
use tempfile::TempDir;
use uuid::Uuid;

use crate::program::{Program, text};
use crate::raw_server::{Act, RawServer, json, stream_head};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";
const KEY: &str = "mr_sk_0123456789";

fn request(call: &str, output: &str) -> ToolResultsRequest {
    serde_json::from_value(serde_json::json!({
        "node_id": "n", "step": 1, "request_id": REQUEST,
        "results": [{"tool_call": {"id": call, "name": "lookup"}, "output": output}],
    }))
    .unwrap()
}

fn record(id: u128, call: &str, output: &str) -> IntentRecord {
    IntentRecord {
        request_id: Uuid::from_u128(id),
        run_id: RunId::parse(RUN).unwrap(),
        request: request(call, output),
        after_seq: u64::try_from(id).unwrap(),
        by: Sender::Console,
        decided_at: Timestamp::now(),
    }
}

fn intent(id: u128, call: &str, output: &str) -> Intent {
    let IntentRecord { request_id, run_id, request, .. } = record(id, call, output);
    Intent { request_id, run_id, request, after_seq: 0 }
}

struct Disk {
    _home: TempDir,
    state: StateDir,
    store: IntentStore,
}

fn disk() -> Disk {
    let home = TempDir::new().unwrap();
    let state = StateDir::open(home.path(), "https://runs.example", RunId::parse(RUN).unwrap()).unwrap();
    let store = IntentStore::open(&state).unwrap();
    Disk { _home: home, state, store }
}

impl Disk {
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state.path().join("intents")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
    }

    fn begin(&self, record: &IntentRecord) -> (Claim, Start) {
        match self.store.begin(record).unwrap() {
            Begun::Claimed { claim, start } => (claim, start),
            Begun::Busy { by, since } => panic!("busy: {by} since {since}"),
        }
    }
}

#[test]
fn of_two_that_begin_a_submission_to_the_same_call_one_gets_it_and_the_other_is_told() {
    let disk = disk();
    let (claim, start) = disk.begin(&record(1, "c", "mine"));
    assert_eq!(start, Start::Send);
    assert!(matches!(disk.store.begin(&record(2, "c", "mine")).unwrap(), Begun::Busy { by: Sender::Console, .. }));
    let (other, start) = disk.begin(&record(3, "d", "mine"));
    assert_eq!(start, Start::Send, "another call is another matter");
    assert_eq!(disk.store.take_up(Timestamp::now()).unwrap().0.len(), 0, "both are driven");
    drop((claim, other));
    let (left, problems) = disk.store.take_up(Timestamp::now()).unwrap();
    assert_eq!((left.len(), problems.len()), (2, 0));
}

#[test]
fn many_that_begin_at_once_get_it_once() {
    let disk = disk();
    let won = AtomicUsize::new(0);
    let end = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for id in 1..=8 {
            let (store, won, end) = (disk.store.clone(), &won, &end);
            scope.spawn(move || {
                let begun = store.begin(&record(id, "c", "mine")).unwrap();
                won.fetch_add(usize::from(matches!(begun, Begun::Claimed { .. })), Ordering::SeqCst);
                end.wait();
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
}

#[test]
fn the_same_bytes_go_again_under_the_same_id_and_after_a_look_while_their_fate_is_unknown() {
    let disk = disk();
    let (mut claim, _) = disk.begin(&record(1, "c", "mine"));
    claim.note_send(Timestamp::now()).unwrap();
    drop(claim);
    let (claim, start) = disk.begin(&record(2, "c", "mine"));
    assert_eq!((claim.stored().record.request_id, start), (Uuid::from_u128(1), Start::Look));
    assert_eq!((claim.stored().sends, disk.files().len()), (1, 1));
    claim.settle(vec![Outcome::StillPending], Timestamp::now()).unwrap();
    let (claim, start) = disk.begin(&record(3, "c", "mine"));
    assert_eq!((claim.stored().record.request_id, start), (Uuid::from_u128(1), Start::Send), "known not taken");
    drop(claim);
    let (claim, start) = disk.begin(&record(4, "c", "other"));
    assert_eq!((claim.stored().record.request_id, start), (Uuid::from_u128(4), Start::Look));
    assert_eq!(claim.stored().record.after_seq, 1, "its result may stand before what this console knew");
}

#[test]
fn what_the_server_has_answered_without_taking_it_goes_again_under_an_id_of_its_own() {
    let disk = disk();
    let (claim, _) = disk.begin(&record(1, "c", "mine"));
    claim.settle(vec![Outcome::NotTaken], Timestamp::now()).unwrap();
    let (claim, start) = disk.begin(&record(2, "c", "mine"));
    assert_eq!((claim.stored().record.request_id, start), (Uuid::from_u128(2), Start::Send));
}

#[test]
fn what_was_accepted_is_remembered_for_another_console_and_removed_when_it_is_old_news() {
    let disk = disk();
    let (claim, _) = disk.begin(&record(1, "c", "mine"));
    claim.settle(vec![Outcome::Accepted], Timestamp::now()).unwrap();
    let (claim, start) = disk.begin(&record(2, "c", "mine"));
    assert_eq!((claim.stored().record.request_id, start), (Uuid::from_u128(1), Start::Look));
    claim.settle(vec![Outcome::Accepted], Timestamp::now()).unwrap();
    assert_eq!(disk.store.take_up(Timestamp::now()).unwrap().0.len(), 0, "it is settled");
    assert_eq!(disk.files().len(), 1);
    let later = Timestamp::now() + Duration::from_secs(2 * 60 * 60);
    assert_eq!(disk.store.take_up(later).unwrap().0.len(), 0);
    assert_eq!(disk.files(), Vec::<PathBuf>::new());
    let (claim, _) = disk.begin(&record(3, "c", "mine"));
    claim.settle(vec![Outcome::Refused], Timestamp::now()).unwrap();
    assert_eq!(disk.files(), Vec::<PathBuf>::new(), "a refusal tells nobody anything");
}

#[test]
fn a_torn_last_line_is_no_damage_and_a_foreign_file_is_said_and_left() {
    let disk = disk();
    let (mut claim, _) = disk.begin(&record(1, "c", "mine"));
    claim.note_send(Timestamp::now()).unwrap();
    drop(claim);
    let whole = fs::read(&disk.files()[0]).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in first..whole.len() {
        fs::write(&disk.files()[0], &whole[..cut]).unwrap();
        let (claim, start) = disk.begin(&record(2, "c", "mine"));
        assert_eq!((claim.stored().record.request_id, start), (Uuid::from_u128(1), Start::Look));
        claim.settle(vec![Outcome::StillPending], Timestamp::now()).unwrap();
        assert!(IntentStore::list(&disk.state)[0].0.settled.is_some(), "what follows a torn line is read");
    }
    for (name, bytes) in [("foreign.json", "{}"), ("empty.json", ""), ("copy.json", text(&whole).as_str())] {
        fs::write(disk.state.path().join("intents").join(name), bytes).unwrap();
    }
    let (_, problems) = disk.store.take_up(Timestamp::now()).unwrap();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert_eq!(disk.files().len(), 4);
    let (_, start) = disk.begin(&record(3, "another", "mine"));
    assert_eq!(start, Start::Look, "what cannot be read may be a submission to the same call");
}

fn client(server: &RawServer) -> Client {
    let base_url = BaseUrl::parse(&server.base_url(), false).unwrap();
    Client::new(ClientConfig::new(base_url, Credentials::api_key(KEY).unwrap())).unwrap()
}

/// Pending-tools with the call `c`, or with none.
fn pending(is_there: bool) -> Vec<Act> {
    let call = r#"{"tool_call":{"id":"c","name":"lookup","arguments":"{}"}}"#;
    let step = format!(r#"{{"node_id":"n","step":1,"request_id":"{REQUEST}","tool_calls":[{call}]}}"#);
    json(&format!(r#"{{"run_id":"{RUN}","pending":[{}]}}"#, if is_there { &step } else { "" }))
}

fn result(output: &str) -> Vec<u8> {
    format!(
        "{{\"envelope_version\":\"v2\",\"run_id\":\"{RUN}\",\"seq\":1,\"ts\":\"2026-01-01T00:00:00Z\",\"type\":\"node_tool_result\",\"node_id\":\"n\",\"tool_result\":{{\"step\":1,\"request_id\":\"{REQUEST}\",\"tool_call\":{{\"id\":\"c\",\"name\":\"lookup\"}},\"output\":\"{output}\"}}}}\n"
    )
    .into_bytes()
}

/// A server on which the call `c` waits until `answered` says with what it was answered, and which answers every POST
/// by `post`.
async fn server(
    answered: impl Fn() -> Option<&'static str> + Send + Sync + 'static,
    post: impl Fn() -> Vec<Act> + Send + Sync + 'static,
) -> RawServer {
    RawServer::start(move |request, _| match request.line.as_str() {
        line if line.starts_with("POST") => post(),
        line if line.contains("/pending-tools") => pending(answered().is_none()),
        line if line.contains("/events") => {
            let mut events = vec![stream_head()];
            if let (Some(output), true) = (answered(), !line.contains("after_seq=1&")) {
                events.push(Act::Send(result(output)));
            }
            events
        }
        _ => json(&format!(r#"{{"run_id":"{RUN}","status":"running","cost_summary":{{"total_usd_cents":0}}}}"#)),
    })
    .await
}

fn posts(server: &RawServer) -> Vec<String> {
    let requests = server.seen().requests;
    let posts = requests.iter().filter(|request| request.line.starts_with("POST"));
    posts.map(|post| post.header("x-modelrelay-request-id").unwrap().to_owned()).collect()
}

/// Everything that is told while what ended processes have left is looked up.
async fn looked_up(client: &Client, records: &Records) -> Vec<LookedUp> {
    let (tell, mut told) = tokio::sync::mpsc::channel(16);
    look_up(client, records, None, tell).await;
    let mut all = Vec::new();
    while let Some(one) = told.recv().await {
        all.push(one);
    }
    all
}

fn taken() -> Vec<Act> {
    json(r#"{"accepted":1,"status":"running"}"#)
}

fn only(verdict: &relay_console::submission::Verdict) -> &CallVerdict {
    assert_eq!(verdict.calls.len(), 1);
    &verdict.calls[0].1
}

#[tokio::test]
async fn it_is_on_disk_before_it_leaves_and_settled_afterwards() {
    let disk = disk();
    let dir = disk.state.path().join("intents");
    let seen = Arc::new(AtomicUsize::new(0));
    let at_the_server = Arc::clone(&seen);
    let server = server(
        || None,
        move || {
            let file = fs::read_to_string(dir.join(format!("{}.json", Uuid::from_u128(1)))).unwrap();
            assert!(file.contains("\"mine\"") && file.contains("send_began") && !file.contains("settled"), "{file}");
            at_the_server.fetch_add(1, Ordering::SeqCst);
            taken()
        },
    )
    .await;
    let records = Records::new(&Ok(disk.state.clone()), Sender::Console);
    let verdict = submit_recorded(&client(&server), &intent(1, "c", "mine"), &records, None, |_| {}).await;
    assert_eq!((only(&verdict), seen.load(Ordering::SeqCst)), (&CallVerdict::Accepted, 1));
    assert!(IntentStore::list(&disk.state)[0].0.settled.is_some());
}

#[tokio::test]
async fn two_with_the_same_draft_at_once_send_once() {
    let disk = disk();
    let posted = Arc::new(AtomicUsize::new(0));
    let (at_the_server, known) = (Arc::clone(&posted), Arc::clone(&posted));
    let answered = move || (known.load(Ordering::SeqCst) > 0).then_some("mine");
    let server = server(answered, move || {
        at_the_server.fetch_add(1, Ordering::SeqCst);
        taken()
    })
    .await;
    let client = client(&server);
    let (console, answer) =
        (Records::new(&Ok(disk.state.clone()), Sender::Console), Records::new(&Ok(disk.state.clone()), Sender::Answer));
    let (one, two) = (intent(1, "c", "mine"), intent(2, "c", "mine"));
    let (one, two) = tokio::join!(
        submit_recorded(&client, &one, &console, None, |_| {}),
        submit_recorded(&client, &two, &answer, None, |_| {}),
    );
    assert_eq!(posts(&server).len(), 1, "{one:?} {two:?}");
    let accepted = [&one, &two].into_iter().filter(|verdict| verdict.accepted() == 1).count();
    assert!(accepted >= 1);
    for verdict in [&one, &two] {
        let told = only(verdict);
        let is_told = matches!(told, CallVerdict::StillPending { why } if why.contains("nothing was sent"));
        assert!(*told == CallVerdict::Accepted || is_told, "{told:?}");
    }
    // Whoever comes a moment later, before its console has read of it, finds it taken and sends nothing.
    let late = submit_recorded(&client, &intent(3, "c", "mine"), &answer, None, |_| {}).await;
    assert_eq!((only(&late), posts(&server).len()), (&CallVerdict::Accepted, 1));
}

#[tokio::test]
async fn a_server_that_took_nothing_of_an_id_gets_the_next_try_under_another() {
    let disk = disk();
    let server = server(|| None, || json(r#"{"accepted":0,"status":"waiting"}"#)).await;
    let (client, records) = (client(&server), Records::new(&Ok(disk.state.clone()), Sender::Console));
    for id in 1..=2 {
        let verdict = submit_recorded(&client, &intent(id, "c", "mine"), &records, None, |_| {}).await;
        assert!(matches!(only(&verdict), CallVerdict::StillPending { .. }), "{verdict:?}");
    }
    // A server answers whatever comes under one id with one answer.
    let posts = posts(&server);
    assert!(posts.len() == 2 && posts[0] != posts[1], "{posts:?}");
}

#[tokio::test]
async fn a_submission_that_a_dropped_driver_left_is_looked_up_and_never_sent() {
    for (answered, expected) in [
        (Some("mine"), CallVerdict::Accepted),
        (Some("theirs"), CallVerdict::Superseded { output: "theirs".into(), error: None }),
        (None, CallVerdict::StillPending { why: "it did not arrive (a console that sent it ended)".into() }),
    ] {
        let disk = disk();
        let server = server(move || answered, || vec![Act::Hold]).await;
        let client = client(&server);
        let records = Records::new(&Ok(disk.state.clone()), Sender::Console);
        let sent = intent(1, "c", "mine");
        let mut sending = Box::pin(submit_recorded(&client, &sent, &records, None, |_| {}));
        while posts(&server).is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(5), &mut sending).await;
        }
        drop(sending);
        // A thread that the dropped driver has given work to may hold the lock for a moment more.
        let mut told = Vec::new();
        let end = Instant::now() + Duration::from_secs(10);
        while told.is_empty() && Instant::now() < end {
            told = looked_up(&client, &records).await;
        }
        let [LookedUp::Begun(left), LookedUp::Ended(_, verdict)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((left.intent.request_id, left.sends), (Uuid::from_u128(1), 1));
        assert_eq!((only(verdict), posts(&server).len()), (&expected, 1));
        assert_eq!(looked_up(&client, &records).await, [], "what is settled is not looked up again");
    }
}

#[tokio::test]
async fn a_fate_that_cannot_be_found_out_stays_open_until_it_can() {
    let disk = disk();
    let (mut claim, _) = disk.begin(&IntentRecord { after_seq: 0, ..record(1, "c", "mine") });
    claim.note_send(Timestamp::now()).unwrap();
    drop(claim);
    let refusing = RawServer::start(|_, _| crate::raw_server::answer(403, &[], "")).await;
    let records = Records::new(&Ok(disk.state.clone()), Sender::Console);
    let told = looked_up(&client(&refusing), &records).await;
    let Some(LookedUp::Ended(_, verdict)) = told.last() else { panic!("{told:?}") };
    assert!(matches!(only(verdict), CallVerdict::Unknown { why } if why.contains("403")), "{verdict:?}");
    let server = server(|| Some("mine"), taken).await;
    let told = looked_up(&client(&server), &records).await;
    let Some(LookedUp::Ended(_, verdict)) = told.last() else { panic!("{told:?}") };
    assert_eq!((only(verdict), posts(&server).len()), (&CallVerdict::Accepted, 0));
}

#[tokio::test]
async fn a_submission_that_was_decided_over_another_history_is_found_in_the_events_before() {
    let disk = disk();
    // The server, begun anew, tells the result in its event 1; the journal that was shown then knew that one already.
    let (mut claim, _) = disk.begin(&IntentRecord { after_seq: 1, ..record(1, "c", "mine") });
    claim.note_send(Timestamp::now()).unwrap();
    drop(claim);
    let server = server(|| Some("mine"), taken).await;
    let told = looked_up(&client(&server), &Records::new(&Ok(disk.state.clone()), Sender::Console)).await;
    let Some(LookedUp::Ended(_, verdict)) = told.last() else { panic!("{told:?}") };
    assert_eq!((only(verdict), posts(&server).len()), (&CallVerdict::Accepted, 0));
}

#[tokio::test]
async fn a_disk_that_refuses_is_told_before_the_send_which_goes_on() {
    let server = server(|| None, taken).await;
    let records = Records::new(&Err("the disk is full".into()), Sender::Console);
    let mut told = Vec::new();
    let verdict =
        submit_recorded(&client(&server), &intent(1, "c", "mine"), &records, None, |one| told.push(one)).await;
    assert_eq!(only(&verdict), &CallVerdict::Accepted);
    assert_eq!(told[0], Progress::Unrecorded { why: "the disk is full".into() });
    assert_eq!(told[1], Progress::Sending(1));
}

/// `answer` killed while the server holds its request, then run again with `output`: how that ends, and every POST.
async fn answered_after_a_kill(answered: Option<&'static str>, output: &str) -> (i32, String, Vec<String>) {
    let is_held = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (known, held) = (Arc::clone(&is_held), Arc::clone(&is_held));
    // Until the kill it seems to wait; the server has already taken what it is said to have been answered with.
    let answered = move || answered.filter(|_| !known.load(Ordering::SeqCst));
    let post = move || if held.load(Ordering::SeqCst) { vec![Act::Hold] } else { taken() };
    let server = server(answered, post).await;
    let program = Program::new();
    let start = |output: &str| {
        let mut command = program.command(&["answer", RUN, "--call", "c", "--output", output]);
        command.env("MODELRELAY_API_BASE_URL", server.base_url()).env("MODELRELAY_API_KEY", KEY);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let mut killed = start("mine");
    while posts(&server).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    is_held.store(false, Ordering::SeqCst);
    let again = start(output);
    let ended = tokio::task::spawn_blocking(move || again.wait_with_output().unwrap()).await.unwrap();
    (ended.status.code().unwrap(), text(&ended.stdout) + &text(&ended.stderr), posts(&server))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_answer_finds_that_it_was_accepted_and_sends_nothing() {
    let (code, told, posts) = answered_after_a_kill(Some("mine"), "mine").await;
    assert_eq!((code, posts.len()), (0, 1), "{told}");
    assert!(told.contains("accepted earlier"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_another_text_for_a_call_that_was_answered_is_a_conflict() {
    let (code, told, posts) = answered_after_a_kill(Some("mine"), "other").await;
    assert_eq!((code, posts.len()), (6, 1), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_what_did_not_arrive_goes_again_under_the_same_id_and_another_text_under_its_own() {
    let (code, told, posts) = answered_after_a_kill(None, "mine").await;
    assert_eq!((code, posts.len()), (0, 2), "{told}");
    assert_eq!(posts[0], posts[1]);
    let (code, told, posts) = answered_after_a_kill(None, "other").await;
    assert_eq!((code, posts.len()), (0, 2), "{told}");
    assert_ne!(posts[0], posts[1]);
}
