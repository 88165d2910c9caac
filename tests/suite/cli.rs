//! The real binary without a terminal: help, refusals, exit codes, and that standard output carries only answers.

use std::fs;
use std::process::{Output, Stdio};

use crate::program::{Program, text};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

/// Exit code 2, nothing on standard output, and each phrase on standard error.
fn assert_refused(output: &Output, phrases: &[&str]) {
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{error}");
    for phrase in phrases {
        assert!(error.contains(phrase), "{phrase:?} is not in {error:?}");
    }
}

#[test]
fn help_and_version_are_answers_on_standard_output_without_an_escape() {
    for arguments in [&["--help"][..], &["-h"], &["--version"], &["demo", "--help"], &["simulate", "--help"]] {
        let output = Program::new().run(arguments);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
        assert!(!output.stdout.is_empty() && !output.stdout.contains(&0x1b));
    }
}

#[test]
fn no_arguments_and_wrong_ones_are_usage_errors() {
    let program = Program::new();
    assert_refused(&program.run(&[]), &["Usage"]);
    assert_refused(&program.run(&["--no-such-flag"]), &["--no-such-flag"]);
    assert_refused(&program.run(&[RUN, "--idle-timeout", "soon"]), &["15s or 2m"]);
    assert_refused(&program.run(&["simulate", "--listen", "0.0.0.0:0"]), &["this machine only"]);
}

#[test]
fn a_nil_or_malformed_run_id_is_refused_before_anything_else() {
    let program = Program::new();
    assert_refused(&program.run(&["run-17"]), &["is not a UUID", "run-17"]);
    assert_refused(&program.run(&["follow", "00000000-0000-0000-0000-000000000000"]), &["nil UUID"]);
    assert_eq!(fs::read_dir(program.home.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn missing_and_publishable_keys_are_refused_with_what_to_do() {
    let program = Program::new();
    assert_refused(&program.run(&[RUN]), &["relay-console: no credentials", "MODELRELAY_API_KEY", "demo"]);
    let output = program.command(&[RUN]).env("MODELRELAY_API_KEY", "mr_pk_1").output().unwrap();
    assert_refused(&output, &["publishable", "mr_sk_"]);
}

#[test]
fn the_configuration_is_found_where_xdg_says_and_its_errors_name_the_place() {
    let program = Program::new();
    let config = program.home.path().join("etc");
    fs::create_dir_all(config.join("relay-console")).unwrap();
    let file = config.join("relay-console/config.toml");
    fs::write(&file, "[profiles.a]\nkey = \"mr_sk_0123456789\"\n").unwrap();
    let output = program.command(&[RUN]).env("XDG_CONFIG_HOME", &config).output().unwrap();
    let place = format!("{}, line 2, column 1: unknown field `key`", file.display());
    assert_refused(&output, &[&place]);
    assert!(!text(&output.stderr).contains("0123456789"));
}

#[test]
fn a_key_file_that_is_not_there_is_named() {
    let program = Program::new();
    assert_refused(&program.run(&[RUN, "--api-key-file", "/no/such/file"]), &["cannot read /no/such/file"]);
}

#[test]
fn a_demo_of_no_scenario_is_refused_with_the_names_of_those_that_there_are() {
    assert_refused(&Program::new().run(&["demo", "no-such-scenario"]), &["no-such-scenario", "built-in ones"]);
}

#[cfg(unix)]
#[test]
fn simulate_prints_one_line_when_it_is_ready_serves_and_ends_by_signal() {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;

    let program = Program::new();
    let mut child = program.command(&["simulate"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(ready["api_key"].as_str().unwrap().starts_with("mr_sk_"));
    let run = ready["runs"][0]["run_id"].as_str().unwrap();
    let host = ready["base_url"].as_str().unwrap().strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut connection = TcpStream::connect(host).unwrap();
    write!(connection, "GET /api/v1/runs/{run} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");

    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), rest, text(&output.stderr)), (Some(143), String::new(), String::new()));
}

#[test]
fn what_simulate_cannot_start_with_is_refused_in_words() {
    let program = Program::new();
    let refused = |arguments: &[&str], phrases: &[&str]| {
        assert_refused(&program.run(&[&["simulate"], arguments].concat()), phrases);
    };
    refused(&["--scenario", "incident", "--scenario", "no-such-scenario"], &["no-such-scenario", "built-in ones"]);
    refused(&["--seed", "x"], &["--seed"]);
    refused(&["--api-key-file", "/no/such/file"], &["cannot read /no/such/file"]);
    let file = program.home.path().join("key");
    fs::write(&file, "hunter-two").unwrap();
    let output = program.run(&["simulate", "--api-key-file", file.to_str().unwrap()]);
    assert_refused(&output, &["mr_sk_"]);
    assert!(!text(&output.stderr).contains("hunter-two"), "a key is never shown");
}

#[cfg(unix)]
#[test]
fn simulate_starts_the_scenarios_that_it_is_given_with_the_seed_and_the_key_that_it_is_given() {
    use std::io::{BufRead, BufReader};

    let program = Program::new();
    let key = program.home.path().join("key");
    fs::write(&key, "mr_sk_of_my_own\n").unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenarios/failing.toml");
    let arguments = ["simulate", "--scenario", file, "--scenario", "incident", "--seed", "7", "--api-key-file"];
    let ready = || {
        let mut command = program.command(&arguments);
        let mut child = command.arg(&key).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    let first = ready();
    assert_eq!((&first["api_key"], &first["state"]), (&"mr_sk_of_my_own".into(), &"memory".into()));
    let scenarios: Vec<_> = first["runs"].as_array().unwrap().iter().map(|run| &run["scenario"]).collect();
    assert_eq!(scenarios, ["failing", "incident"]);
    assert_eq!(ready()["runs"], first["runs"], "the seed gives the same ids");
}

#[test]
fn an_address_that_is_taken_is_refused_in_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_refused(&Program::new().run(&["simulate", "--listen", &address]), &["cannot listen on", &address]);
}
