//! Requests that nobody should send, over real sockets: each gets an answer of the documented form that blames the
//! request, and whatever came before, the server still serves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::select;
use relay_console::simulator::{Scenario, Simulator, SimulatorConfig};
use serde_json::{Map, Value, json};

use super::bench::PATIENCE;

/// A simulator for all cases of this file, on a runtime of its own.
struct Victim {
    address: SocketAddr,
    api_key: String,
    run_id: String,
    _simulator: Simulator,
    _runtime: tokio::runtime::Runtime,
}

fn victim() -> &'static Victim {
    static VICTIM: OnceLock<Victim> = OnceLock::new();
    VICTIM.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let config = SimulatorConfig {
            scenarios: vec![Scenario::find("incident").unwrap()],
            speed: 1000.0,
            runs_kept: 40,
            ..SimulatorConfig::default()
        };
        let simulator = runtime.block_on(Simulator::start(config)).unwrap();
        let host = simulator.base_url().strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        Victim {
            address: host.parse().unwrap(),
            api_key: simulator.api_key().to_owned(),
            run_id: simulator.runs()[0].run_id.to_string(),
            _simulator: simulator,
            _runtime: runtime,
        }
    })
}

/// The head of an answer and the beginning of its body.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Sends bytes and reads the answer; of a success the head only, because an event stream may never end. `None` where
/// the server closes without a word.
fn exchange(request: &[u8]) -> Option<Answer> {
    let mut connection = TcpStream::connect(victim().address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may have refused and closed before it has read everything.
    let _ = connection.write_all(request);
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let end = read.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            let body = &read[end + 4..];
            if status < 400 || body.len() >= length || request.starts_with(b"HEAD ") {
                return Some(Answer { status, body: body.to_vec(), head });
            }
        }
        match connection.read(&mut piece) {
            Ok(0) => return (!read.is_empty()).then(|| panic!("cut off: {}", String::from_utf8_lossy(&read))),
            Ok(count) => read.extend_from_slice(&piece[..count]),
            Err(error) if read.is_empty() && error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&read)),
        }
    }
}

fn still_serves() {
    let Victim { run_id, api_key, .. } = victim();
    let request = format!("GET /api/v1/runs/{run_id} HTTP/1.1\r\nHost: x\r\nX-ModelRelay-Api-Key: {api_key}\r\n\r\n");
    assert_eq!(exchange(request.as_bytes()).unwrap().status, 200);
}

const WORDS: &[&str] = &[
    "spec",
    "plan_hash",
    "input",
    "stream",
    "options",
    "idempotency_key",
    "model_override",
    "model_overrides",
    "nodes",
    "fanout_subnodes",
    "session_id",
    "id",
    "type",
    "depends_on",
    "model",
    "system",
    "user",
    "outputs",
    "name",
    "from",
    "pointer",
    "subnode",
    "items_from",
    "items_from_input",
    "items_pointer",
    "items_path",
    "tools",
    "function",
    "parameters",
    "tool_execution",
    "mode",
    "max_parallelism",
    "predicate",
    "source",
    "op",
    "path",
    "value",
    "limit",
    "timeout_ms",
    "object",
    "merge",
    "kind",
    "inputs",
    "required",
    "default",
    "retry",
    "max_attempts",
    "backoff_ms",
    "output_format",
    "results",
    "node_id",
    "step",
    "request_id",
    "tool_call",
    "output",
    "error",
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "b",
    "f",
    "f__0",
    "x",
    "llm",
    "llm.responses",
    "route.switch",
    "join.all",
    "join.any",
    "join.collect",
    "map.fanout",
    "transform.json",
    "agent.run",
    "workflow",
    "workflow.v1",
    "{{a}}",
    "{{item}}",
    "{{",
    "/output/0",
    "/",
    "~2",
    "$.a.b[0]",
    "$[",
    "(",
    "client",
    "server",
    "agentic",
    "user_ask",
    "tasks.write",
    "matches",
    "equals",
    "exists",
    "node_output",
    "node_status",
    "claude-sonnet-4-5",
    "00000000-0000-0000-0000-000000000000",
    "550e8400-e29b-41d4-a716-446655440000",
    "\u{0}\u{202e}é",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        select(&[0_i64, 1, 2, -1, 10_001, i64::MAX, i64::MIN][..]).prop_map(Value::from),
        select(&[0.5_f64, 1e300, -0.0][..]).prop_map(Value::from),
        select(&[u64::MAX][..]).prop_map(Value::from),
        select(TEXTS).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((select(WORDS), inner), 0..6).prop_map(object),
        ]
    })
}

fn object(fields: Vec<(&str, Value)>) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// A node that is nearly right.
fn node() -> impl Strategy<Value = Value> {
    let types = ["llm", "route.switch", "join.all", "join.any", "join.collect", "map.fanout", "transform.json"];
    let fields = prop::collection::vec((select(WORDS), json_value()), 0..3);
    (select(&["a", "b", "f"][..]), select(types.to_vec()), fields).prop_map(|(id, node_type, fields)| {
        let mut node = json!({"id": id, "type": node_type, "user": "{{x}}"});
        node.as_object_mut().unwrap().extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        node
    })
}

/// A request for a run that is nearly right.
fn creation() -> impl Strategy<Value = Value> {
    let fields = prop::collection::vec((select(WORDS), json_value()), 0..3);
    (prop::collection::vec(node(), 0..4), fields).prop_map(|(nodes, fields)| {
        let spec = json!({"model": "m", "nodes": nodes, "inputs": [{"name": "x", "default": [1, 2]}]});
        let mut body = json!({"spec": spec});
        body.as_object_mut().unwrap().extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        body
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => creation().prop_map(|value| value.to_string().into_bytes()),
        // The calls that take a spec itself.
        2 => creation().prop_map(|value| value["spec"].to_string().into_bytes()),
        2 => json_value().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => Just(Vec::new()),
        1 => (1..400_usize).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let id = prop_oneof![
        4 => Just(victim().run_id.clone()),
        1 => select(vec!["run-17", "%ff", "%", "%2e%2e", "00000000-0000-0000-0000-000000000000", "é%20"]).prop_map(str::to_owned),
        1 => "[a-z0-9%._~-]{0,12}",
    ];
    let rest = select(vec![
        "",
        "/events",
        "/pending-tools",
        "/steps",
        "/tasks",
        "/tool-results",
        "/steps/0/tool-calls/x",
        "/steps/-1/tool-calls/%2F",
        "/steps/99999999999999999999/tool-calls/a",
        "/steps/0/tool-calls/",
        "/nothing",
        "//",
    ]);
    prop_oneof![
        4 => (id, rest).prop_map(|(id, rest)| format!("/api/v1/runs/{id}{rest}")),
        4 => select(vec!["/api/v1/runs", "/api/v1/workflows/compile", "/api/v1/workflows/lint"]).prop_map(str::to_owned),
        1 => select(vec!["/", "/api/v1", "/api/v1/schemas/x.json", "//runs"]).prop_map(str::to_owned),
        1 => "/[a-zA-Z0-9%._~/-]{0,30}",
    ]
}

fn query() -> impl Strategy<Value = String> {
    let name = select(vec!["after_seq", "limit", "wait", "include_output", "include", "stream", "compile", "x", ""]);
    let value = prop_oneof![
        select(vec!["0", "1", "true", "false", "steps,tool_calls", "18446744073709551616", "%ff", "", "&&", "=", "+"])
            .prop_map(str::to_owned),
        "[a-z0-9%,=&-]{0,8}",
    ];
    prop::collection::vec((name, value), 0..4).prop_map(|pairs| {
        let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    })
}

/// The value of a header: any bytes that a header can carry.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        select(vec!["*/*", "text/event-stream;q=0.3, */*;q=2", "application/json", "1", "-1", ";;,/=", "same"])
            .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(prop_oneof![0x20_u8..=0x7e, 0x80_u8..=0xff], 0..20),
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = select(vec![
        "GET", "GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW",
    ]);
    let names = vec!["Accept", "Content-Type", "X-ModelRelay-Request-Id", "Last-Event-ID", "Authorization", "X-Other"];
    let headers = prop::collection::vec((select(names), header_value()), 0..4);
    // Mostly let in: who is not gets no further.
    let with_key = prop::bool::weighted(0.95);
    (method, path(), query(), headers, with_key, body()).prop_map(|(method, path, query, headers, with_key, body)| {
        let mut request = format!("{method} {path}{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n").into_bytes();
        if with_key {
            request.extend_from_slice(format!("X-ModelRelay-Api-Key: {}\r\n", victim().api_key).as_bytes());
        }
        for (name, value) in headers {
            request.extend_from_slice(&[name.as_bytes(), b": ", value.as_slice(), b"\r\n"].concat());
        }
        request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        request.extend_from_slice(&body);
        request
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_of_any_kind_gets_an_answer_that_never_blames_the_server(request in request()) {
        let shown = String::from_utf8_lossy(&request).into_owned();
        let Some(answer) = exchange(&request) else { panic!("no answer to {shown}") };
        prop_assert!((200..500).contains(&answer.status), "{} to {shown}", answer.status);
        // What is not even HTTP, such as a path with a letter that paths cannot have, is refused before any route.
        let is_http = shown.lines().next().is_some_and(str::is_ascii);
        prop_assert!(!is_http || answer.head.contains("x-modelrelay-request-id: "), "{} to {shown}", answer.head);
        if answer.status >= 400 && is_http && !shown.starts_with("HEAD") {
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            let error = if body["error"].is_object() { &body["error"] } else { &body };
            let texts = [&error["code"], &error["message"], &body["request_id"]];
            let said = texts.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty()));
            prop_assert!(said, "{body} to {shown}");
        }
        still_serves();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_that_are_no_request_are_refused_and_harm_nobody(
        bytes in prop::collection::vec(any::<u8>(), 1..200),
        head in select(vec!["", "GET ", "GET / HTTP/1.1\r\n", "POST /api/v1/runs HTTP/1.1\r\nContent-Length: 5\r\n\r\n"]),
    ) {
        let bytes = [head.as_bytes(), bytes.as_slice(), b"\r\n\r\n"].concat();
        if let Some(answer) = exchange(&bytes) {
            prop_assert!((200..500).contains(&answer.status), "{}", answer.status);
        }
        still_serves();
    }
}
