//! `simulate --faults`, as a user starts it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn simulate(faults: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relay-console"));
    command.args(["simulate", "--seed", "7", "--scenario", "failing", "--faults", faults]).stdin(Stdio::null());
    command
}

#[cfg(unix)]
#[tokio::test]
async fn simulate_says_which_faults_it_has_and_at_the_end_how_often_each_happened() {
    let faults = "status-500@snapshot:2x,lost-answer@tasks,cut";
    let mut process = simulate(faults).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["faults"], serde_json::json!(["status-500@snapshot=1:2x", "lost-answer@tasks=1", "cut@events=1"]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let url = format!("{}/runs/{}", text(&ready["base_url"]), text(&ready["runs"][0]["run_id"]));
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(Vec::new()).build().unwrap();
    let get = async |url: &str| client.get(url).header(super::super::bench::KEY, text(&ready["api_key"])).send().await;
    for status in [500, 500, 200] {
        assert_eq!(get(&url).await.unwrap().status().as_u16(), status);
    }
    // A client of this kind asks again by itself where a connection was used before: once or more.
    assert!(get(&format!("{url}/tasks")).await.is_err());
    let terminated = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(terminated.success());
    let mut said = String::new();
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(143));
    assert!(said.contains("faults that happened: status-500@snapshot=1:2x 2 times, lost-answer@tasks=1 "), "{said}");
    assert!(said.trim_end().ends_with("cut@events=1 never"), "{said}");
}

#[test]
fn a_fault_that_there_is_not_is_wrong_usage_and_nothing_is_served() {
    let Output { status, stdout, stderr } = simulate("ctu=0.1").output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(2), 0), "{message}");
    assert!(message.contains("there is no fault \"ctu\"") && message.contains("stale-pending"), "{message}");
}
