//! `doctor` as a person on call runs it: the real binary, a server that behaves in every way, broken settings, and no
//! secret anywhere.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::{Program, text};
use crate::raw_server::{Act, RawServer, answer};

/// A key of the usual length; no part of it that could be used may be shown anywhere.
const KEY: &str = "mr_sk_5ecr3tc4n4ry0123456789abcdefc4f2";
const CANARY: &str = "5ecr3tc4n4ry";

const ID: &str = "x-modelrelay-request-id: r-42";
const JSON: &str = "content-type: application/json";
const NOT_FOUND: &str = r#"{"error":{"code":"NOT_FOUND","message":"no such run"}}"#;

/// Runs a command without holding up the server of the same test.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn doctor(program: &Program, base_url: &str, arguments: &[&str]) -> Command {
    let mut command = program.command(&[&["doctor"], arguments].concat());
    command.env("MODELRELAY_API_BASE_URL", base_url).env("MODELRELAY_API_KEY", KEY);
    command.env("LANG", "C.UTF-8").env("TERM", "xterm-256color");
    command
}

/// The report as JSON, its exit code checked against what it says itself, and no secret in it.
async fn report(command: Command) -> (i32, Value) {
    let output = output(command).await;
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let code = output.status.code().unwrap();
    assert_eq!(json["exit_code"], code);
    assert!(output.stderr.is_empty(), "{output:?}");
    assert!(!json.to_string().contains(CANARY), "{json}");
    (code, json)
}

/// The finding about `item`.
fn finding<'a>(json: &'a Value, item: &str) -> &'a Value {
    let findings = json["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["item"] == item).unwrap_or_else(|| panic!("{item} is not in {json:#}"))
}

fn state_of(json: &Value, item: &str) -> String {
    finding(json, item)["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_server_that_says_404_is_reachable_and_authorised_and_everything_is_reported() {
    let server = RawServer::answering(vec![answer(404, &[ID, JSON], NOT_FOUND)]).await;
    let program = Program::new();
    let (code, json) = report(doctor(&program, &server.base_url(), &["--json"])).await;
    assert_eq!((code, &json["problems"]), (0, &Value::from(0)), "{json:#}");
    assert_eq!(state_of(&json, "answer"), "ok");
    assert_eq!(finding(&json, "request id")["facts"]["request_id"], "r-42");
    assert!(finding(&json, "round trip")["facts"]["round_trip_ms"].is_u64());
    assert_eq!(finding(&json, "credentials")["facts"]["masked"], "key mr_sk_…c4f2");
    assert_eq!(finding(&json, "credentials")["source"], "MODELRELAY_API_KEY");
    let sections: Vec<&Value> =
        json["findings"].as_array().unwrap().iter().map(|finding| &finding["section"]).collect();
    for section in ["settings", "server", "clock", "terminal", "directories", "program"] {
        assert!(sections.contains(&&Value::from(section)), "{section}");
    }
    let seen = server.seen();
    let asked = seen.requests.last().unwrap();
    assert!(asked.line.starts_with("GET /api/v1/runs/"), "{asked:?}");
    assert_eq!(asked.header("x-modelrelay-api-key"), Some(KEY));
    assert_eq!(fs::read_dir(program.home.path()).unwrap().count(), 0, "nothing stays behind");
}

#[tokio::test]
async fn each_answer_of_a_server_has_its_exit_code_and_says_what_to_do() {
    let html = "content-type: text/html";
    let cases = vec![
        (answer(401, &[ID, JSON], r#"{"error":{"code":"UNAUTHORIZED","message":"no"}}"#), 4, "make or copy a new one"),
        (answer(403, &[ID, JSON], "{}"), 4, "ask for the right"),
        (answer(404, &[html], "<html>"), 8, "/api/v1"),
        (answer(404, &["content-type: text/plain"], "404 page not found"), 8, "/api/v1"),
        (answer(200, &[JSON], "{}"), 8, "/api/v1"),
        (answer(302, &["location: https://login.example/?key=1"], ""), 8, "base URL"),
        (answer(429, &[ID, "retry-after: 7"], ""), 7, "wait"),
        (answer(503, &[ID], "busy"), 7, "wait a little"),
        (answer(400, &[JSON], r#"{"message":"odd"}"#), 2, "mend"),
        (vec![Act::Reset], 7, "check port and scheme"),
        (vec![Act::Send(b"SSH-2.0-OpenSSH\r\n".to_vec())], 7, "check port and scheme"),
    ];
    for (acts, expected, advice) in cases {
        // The first connection is made and given up: it only shows that there is one.
        let server = RawServer::answering(vec![acts.clone()]).await;
        let (code, json) = report(doctor(&Program::new(), &server.base_url(), &["--json"])).await;
        let found = finding(&json, "answer");
        assert_eq!((code, &found["state"]), (expected, &Value::from("problem")), "{acts:?}: {json:#}");
        assert!(found["advice"].as_str().unwrap().contains(advice), "{acts:?}: {found}");
        assert!(!found["advice"].as_str().unwrap().contains("relay-console doctor"), "it runs: {found}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_not_said_to_be_connected() {
    let mut command = doctor(&Program::new(), "https://api.example/api/v1", &["--json"]);
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env_remove("NO_PROXY").env_remove("no_proxy");
    let (code, json) = report(command).await;
    let found = finding(&json, "answer");
    // A machine without CA certificates cannot even begin.
    if code == 7 {
        let advice = found["advice"].as_str().unwrap();
        assert!(advice.contains("--no-proxy") && !advice.contains("the connection is made"), "{found}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_a_name_without_an_address_and_no_encryption_are_told_apart() {
    let closed = RawServer::answering(vec![vec![]]).await.base_url();
    let (code, json) = report(doctor(&Program::new(), &closed, &["--json"])).await;
    assert_eq!((code, state_of(&json, "connection")), (7, "problem".to_owned()));
    let (code, json) = report(doctor(&Program::new(), "https://no-such-host.invalid/api", &["--json"])).await;
    assert_eq!((code, state_of(&json, "name")), (7, "problem".to_owned()));
    let plain = RawServer::answering(vec![answer(400, &[], "")]).await;
    let url = plain.base_url().replace("http://", "https://");
    let output = output(doctor(&Program::new(), &url, &[])).await;
    let shown = text(&output.stdout);
    // A machine without CA certificates cannot even begin.
    assert!(matches!(output.status.code(), Some(2 | 7)), "{shown}");
    assert!(shown.contains("encryption") || shown.contains("CA certificates"), "{shown}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_of_and_fails_nothing() {
    let old = "date: Sun, 06 Nov 1994 08:49:37 GMT";
    let server = RawServer::answering(vec![answer(404, &[ID, JSON, old], NOT_FOUND)]).await;
    let (code, json) = report(doctor(&Program::new(), &server.base_url(), &["--json"])).await;
    let clock = finding(&json, "difference");
    assert_eq!((code, &clock["state"]), (0, &Value::from("note")), "{json:#}");
    assert!(clock["facts"]["ahead_seconds"].as_i64().unwrap() > 900_000_000, "{clock}");
    assert!(clock["advice"].as_str().unwrap().contains("NTP"));
}

#[tokio::test]
async fn broken_settings_are_told_with_their_place_and_the_rest_is_looked_at() {
    let server = RawServer::answering(vec![answer(404, &[ID, JSON], NOT_FOUND)]).await;
    let program = Program::new();
    let own = program.home.path().join(".config/relay-console/config.toml");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, format!("[profiles.a]\napi_kye = \"{KEY}\"\n")).unwrap();
    let (code, json) = report(doctor(&program, &server.base_url(), &["--json"])).await;
    assert_eq!(code, 2);
    let file = finding(&json, "own file");
    assert!(file["text"].as_str().unwrap().contains("line 2, column 1: unknown field `api_kye`"), "{file}");
    assert_eq!((state_of(&json, "answer"), state_of(&json, "state")), ("ok".to_owned(), "ok".to_owned()));
    // Without a base URL from before the profile, nobody knows which server is meant: no key goes anywhere.
    let mut unknown = doctor(&program, "", &["--json"]);
    unknown.env_remove("MODELRELAY_API_BASE_URL");
    let (code, json) = report(unknown).await;
    assert_eq!((code, state_of(&json, "base URL"), state_of(&json, "answer")), (2, "note".into(), "note".into()));
}

#[tokio::test]
async fn without_credentials_the_server_is_looked_at_all_the_same() {
    let server = RawServer::answering(vec![answer(401, &[ID, JSON], "{}")]).await;
    let mut command = doctor(&Program::new(), &server.base_url(), &["--json"]);
    command.env_remove("MODELRELAY_API_KEY");
    let (code, json) = report(command).await;
    assert_eq!((code, state_of(&json, "credentials"), state_of(&json, "answer")), (2, "problem".into(), "ok".into()));
    let mut publishable = doctor(&Program::new(), &server.base_url(), &["--json"]);
    publishable.env("MODELRELAY_API_KEY", format!("mr_pk_{CANARY}0123456789"));
    let (code, json) = report(publishable).await;
    assert_eq!((code, state_of(&json, "credentials")), (2, "problem".to_owned()));
    let seen = server.seen();
    assert!(seen.requests.iter().all(|request| !format!("{request:?}").contains(CANARY)), "it was sent: {seen:?}");
}

#[tokio::test]
async fn no_secret_is_shown_whoever_repeats_it_and_wherever_it_stands() {
    let echo = format!("x-request-id: {KEY}");
    let location = format!("location: https://{CANARY}.example/{KEY}");
    let content_type = format!("content-type: {KEY}/json");
    let body = format!(r#"{{"error":{{"code":"{KEY}","message":"key {KEY}"}},"request_id":"{KEY}"}}"#);
    let answers = [
        answer(401, &[&echo, JSON], &body),
        answer(404, &[&content_type, &echo], &body),
        answer(302, &[&location.replace(CANARY, "login"), &echo], ""),
        answer(500, &[&echo], &body),
    ];
    for acts in answers {
        let server = RawServer::answering(vec![acts]).await;
        for arguments in [&["--json", "-vv"][..], &["-vv"], &[]] {
            let program = Program::new();
            let key_file = program.home.path().join("key");
            fs::write(&key_file, format!("{KEY}\n")).unwrap();
            let vendor = program.home.path().join(".config/mrl/config.toml");
            fs::create_dir_all(vendor.parent().unwrap()).unwrap();
            fs::write(&vendor, format!("current_profile = \"{KEY}\"\n[profiles.\"{KEY}\"]\ntoken = \"{KEY}\"\n"))
                .unwrap();
            let mut command = doctor(&program, &server.base_url(), arguments);
            command.args(["--api-key-file", key_file.to_str().unwrap()]);
            command.env("MODELRELAY_TOKEN", KEY).env("HTTPS_PROXY", format!("http://u:{KEY}@127.0.0.1:9"));
            let output = output(command).await;
            let shown = text(&output.stdout) + &text(&output.stderr);
            assert!(!shown.contains(CANARY), "{shown}");
            assert!(shown.contains("mr_sk_…c4f2"), "{shown}");
            let log = program.home.path().join(".local/state/relay-console/log/relay-console.log");
            assert_eq!(log.exists(), arguments.contains(&"-vv"));
            assert!(!fs::read_to_string(&log).unwrap_or_default().contains(CANARY));
        }
    }
    let query = format!("https://api.example/v1?{CANARY}={CANARY}");
    for wrong_place in [&["--base-url", KEY][..], &["--base-url", &query], &["--profile", KEY], &["--customer", KEY]] {
        let mut command = doctor(&Program::new(), "http://127.0.0.1:9/api", wrong_place);
        command.env_remove("MODELRELAY_API_KEY");
        let output = output(command).await;
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert!(!shown.contains(CANARY), "{wrong_place:?}: {shown}");
    }
}

#[tokio::test]
async fn the_report_is_plain_text_that_can_be_read_and_pasted() {
    let server = RawServer::answering(vec![answer(401, &[ID, JSON], "{\"message\":\"\\u001b[2Jno\"}")]).await;
    let program = Program::new();
    let output = output(doctor(&program, &server.base_url(), &[])).await;
    let shown = text(&output.stdout);
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let mut settings = crate::snapshots();
    settings.add_filter(&regex_free(program.home.path().to_str().unwrap()), "[home]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[port]");
    settings.add_filter(r"\d+ ms", "[n] ms");
    settings.add_filter(r"\d+ MiB free in \S+", "[n] MiB free in [directory]");
    settings.add_filter(r"path (\s+)\S+relay-console\n", "path $1[program]\n");
    settings.add_filter(r"built for (\s+)\S+ \S+", "built for $1[system]");
    settings.bind(|| insta::assert_snapshot!("doctor", shown));
    assert_eq!(output.status.code(), Some(4));
}

/// A text as a pattern that matches only itself.
fn regex_free(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\{c}") }).collect()
}

#[tokio::test]
async fn a_place_where_no_state_can_be_kept_is_a_problem_and_the_rest_is_looked_at() {
    let server = RawServer::answering(vec![answer(404, &[ID, JSON], NOT_FOUND)]).await;
    let program = Program::new();
    let file = program.home.path().join("file");
    fs::write(&file, "").unwrap();
    let mut command = doctor(&program, &server.base_url(), &["--json", "-v"]);
    command.env("XDG_STATE_HOME", &file).env("XDG_CONFIG_HOME", &file).env_remove("HOME");
    let (code, json) = report(command).await;
    assert_eq!((code, state_of(&json, "state"), state_of(&json, "answer")), (2, "problem".into(), "ok".into()));
    assert!(finding(&json, "state")["text"].as_str().unwrap().contains("is a file, not a directory"), "{json:#}");
    assert_eq!(state_of(&json, "own file"), "ok", "a home for settings that is none holds none");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_with_a_key_that_others_can_read_is_told_of_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt;
    let server = RawServer::answering(vec![answer(404, &[ID, JSON], NOT_FOUND)]).await;
    let program = Program::new();
    let key_file = program.home.path().join("key");
    fs::write(&key_file, KEY).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o644)).unwrap();
    let path = key_file.to_str().unwrap();
    let (code, json) = report(doctor(&program, &server.base_url(), &["--json", "--api-key-file", path])).await;
    assert_eq!((code, state_of(&json, "notice")), (0, "note".to_owned()), "{json:#}");
    assert!(finding(&json, "notice")["text"].as_str().unwrap().contains(&format!("chmod 600 {path}")));
    assert_eq!(finding(&json, "key file")["facts"]["mode"], "0644");
    let credentials = finding(&json, "credentials")["text"].as_str().unwrap();
    assert!(credentials.contains("not used: MODELRELAY_API_KEY"), "{credentials}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_whose_key_is_not_used_is_told_of_as_well_where_others_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let server = RawServer::answering(vec![answer(404, &[ID, JSON], NOT_FOUND)]).await;
    for (mode, key, expected) in
        [(0o644, "api_key = \"mr_sk_1\"", "note"), (0o600, "api_key = \"mr_sk_1\"", "ok"), (0o644, "", "ok")]
    {
        let program = Program::new();
        let file = program.home.path().join(".config/mrl/config.toml");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("[profiles.lab]\n{key}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let (code, json) = report(doctor(&program, &server.base_url(), &["--json"])).await;
        assert_eq!((code, state_of(&json, "vendor file").as_str()), (0, expected), "{mode:o} {key}: {json:#}");
    }
}

#[tokio::test]
async fn a_proxy_is_one_only_where_no_proxy_does_not_name_the_host() {
    let found = async |base_url: &str, variable: &str, no_proxy: &str| {
        let mut command = doctor(&Program::new(), base_url, &["--json"]);
        command.env(variable, "http://me:hunter2@127.0.0.1:9").env("NO_PROXY", no_proxy);
        let (_, json) = report(command).await;
        assert!(!json.to_string().contains("hunter2"), "{json}");
        let proxy = finding(&json, "proxy");
        (proxy["state"].as_str().unwrap().to_owned(), proxy["text"].as_str().unwrap().to_owned())
    };
    let https = "https://api.invalid/api/v1";
    assert_eq!(found(https, "HTTPS_PROXY", "").await, ("note".into(), "http://127.0.0.1:9".into()));
    for (variable, no_proxy) in [("HTTPS_PROXY", "other, .invalid"), ("HTTPS_PROXY", "*"), ("http_proxy", "")] {
        let (state, text) = found(https, variable, no_proxy).await;
        assert_eq!(state, "ok", "{variable} {no_proxy}: {text}");
        assert!(text.starts_with("not used"), "{text}");
    }
}
