//! Secrets: a marked key goes to the server and nowhere else, whatever a command does and however it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::program::Program;
use crate::pty::session::Session;
use crate::pty::simulate::Simulate;
use crate::raw_server::{RawServer, Request, answer};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
/// The part of every secret here that is searched for.
const CANARY: &str = "5ecr3tc4n4ry";
const KEY: &str = "mr_sk_5ecr3tc4n4ry0123456789abcdefc4f2";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.5ecr3tc4n4ry.c2lnbmF0dXJl";

/// Every file below a directory, however deep.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

/// The files of state in which the secret stands, log included; those that the test itself wrote do not count.
fn leaks(home: &Path) -> Vec<PathBuf> {
    let state = home.join(".local/state");
    if !state.exists() {
        return Vec::new();
    }
    files(&state).into_iter().filter(|path| holds(&fs::read(path).unwrap())).collect()
}

/// A server that repeats whatever it was shown, in every place that it has.
fn parrot(request: &Request, status: u16) -> Vec<crate::raw_server::Act> {
    let said = [request.header("x-modelrelay-api-key"), request.header("authorization")];
    let said = said.into_iter().flatten().collect::<Vec<_>>().join(" ");
    // As JSON may spell it, so that a search for the secret finds nothing.
    let spelt = said.chars().fold(String::new(), |spelt, c| format!("{spelt}\\u{:04x}", u32::from(c)));
    let id = format!("x-modelrelay-request-id: {said}");
    let location = format!("location: http://{}/{said}", said.trim_start_matches("Bearer "));
    let body = format!(
        r#"{{"error":{{"code":"{said}","message":"bad key {said} {spelt}","fields":[{{"field":"{said}","message":"{spelt}"}}]}},"request_id":"{said}"}}"#
    );
    answer(status, &["content-type: application/json", &id, &location], &body)
}

const COMMANDS: [&[&str]; 14] = [
    &["get", RUN],
    &["get", RUN, "--json"],
    &["pending", RUN],
    &["steps", RUN],
    &["steps", RUN, "--step", "0", "--call", "c"],
    &["tasks", RUN],
    &["events", RUN],
    &["events", RUN, "--pretty"],
    &["check", RUN],
    &["answer", RUN, "--call", "c", "--output", "1", "--yes"],
    &["compile", "spec.json"],
    &["lint", "spec.json"],
    &["start", "--spec", "spec.json", "--detach"],
    &["doctor", "--json"],
];

fn prepared(program: &Program) {
    fs::write(program.home.path().join("spec.json"), r#"{"kind":"workflow","nodes":[]}"#).unwrap();
}

fn run(command: &mut Command) -> (Option<i32>, Vec<u8>) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code(), [output.stdout, output.stderr].concat())
}

#[test]
fn no_command_shows_or_keeps_a_key_or_a_token_however_the_server_repeats_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for status in [200, 307, 400, 401, 409] {
        let server = runtime.block_on(RawServer::start(move |request, _| parrot(request, status)));
        for (variable, secret) in [("MODELRELAY_API_KEY", KEY), ("MODELRELAY_TOKEN", TOKEN)] {
            let program = Program::new();
            prepared(&program);
            for arguments in COMMANDS {
                let mut command = program.command(&[arguments, &["-vv"]].concat());
                command.current_dir(program.home.path()).env("RELAY_CONSOLE_LOG", "trace");
                command.env("MODELRELAY_API_BASE_URL", server.base_url()).env(variable, secret);
                let (_, said) = run(&mut command);
                assert!(!holds(&said), "{status} {arguments:?}: {}", String::from_utf8_lossy(&said));
            }
            assert_eq!(leaks(program.home.path()), Vec::<PathBuf>::new(), "{status} {variable}");
            let log = program.home.path().join(".local/state/relay-console/log/relay-console.log");
            assert!(fs::metadata(log).unwrap().len() > 0, "the log is what was searched");
        }
        assert!(server.seen().requests.iter().any(|request| request.header("x-modelrelay-api-key") == Some(KEY)));
    }
}

#[test]
fn a_key_in_the_wrong_place_is_refused_and_not_repeated() {
    let program = Program::new();
    prepared(&program);
    let path = program.home.path().join("key");
    fs::write(&path, format!("{KEY}\n{KEY}\n")).unwrap();
    let config = program.home.path().join(".config/relay-console/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    let url = format!("https://host/{KEY}/v1");
    for (arguments, settings) in [
        (&[KEY][..], ""),
        (&["get", KEY], ""),
        (&["get", RUN, "--api-key", KEY], ""),
        (&["get", RUN, "--profile", KEY], ""),
        (&["get", RUN, "--base-url", &url], ""),
        (&["get", RUN, "--api-key-file", path.to_str().unwrap()], ""),
        (&["get", RUN], "profiles = \"KEY\""),
        (&["get", RUN], "[profiles]\nprod = \"KEY\""),
        (&["get", RUN], "[profiles.prod]\napi_key = \"KEY"),
        (&["get", RUN], "[profiles.prod]\n\"KEY\" = 1"),
        (&["get", RUN], "current_profile = \"KEY\""),
        (&["doctor"], "current_profile = \"KEY\""),
        (&["doctor", "--base-url", &url], ""),
    ] {
        fs::write(&config, settings.replace("KEY", KEY)).unwrap();
        let (code, said) = run(program.command(arguments).env("RELAY_CONSOLE_LOG", "trace"));
        let said = String::from_utf8_lossy(&said);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(!said.contains(CANARY), "{arguments:?} {settings}: {said}");
    }
    assert_eq!(leaks(program.home.path()), Vec::<PathBuf>::new());
}

#[test]
fn neither_the_console_nor_its_editor_nor_anything_on_disk_holds_the_key() {
    let home = tempfile::tempdir().unwrap();
    // The key that the simulator wants is the marked one.
    let key_file = home.path().join("key");
    fs::write(&key_file, KEY).unwrap();
    let simulate = Simulate::start_with("20", &["--api-key-file", key_file.to_str().unwrap()]);
    let dump = home.path().join("environment");
    let editor = format!("sh -c 'env > \"{}\"; echo edited > \"$1\"' --", dump.display());
    let run = simulate.run_of("incident").to_owned();
    let mut environment = simulate.environment().to_vec();
    environment.extend([
        ("EDITOR", editor.as_str()),
        ("MODELRELAY_TOKEN", TOKEN),
        ("CI_COPY_OF_KEY", KEY),
        ("RELAY_CONSOLE_LOG", "trace"),
    ]);
    let mut session = Session::start_with(&[&run], home.path(), (120, 36), &environment);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.send("\"typed\"");
    session.wait_for("· saved");
    #[cfg(target_os = "linux")]
    {
        let arguments = fs::read(format!("/proc/{}/cmdline", session.process_id())).unwrap();
        assert!(!holds(&arguments));
    }
    session.send("\x18e");
    session.wait_for("edited");
    session.send("\x13");
    session.wait_for("Enter sends 1 result");
    session.send("\r");
    session.wait_for("accepted");
    session.send("q");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 0, "{output}");
    assert!(!output.contains(CANARY));
    let seen = fs::read_to_string(&dump).unwrap();
    assert!(seen.contains("HOME=") && !seen.contains(CANARY), "{seen}");
    assert_eq!(leaks(home.path()), Vec::<PathBuf>::new());
    assert!(files(&home.path().join(".local/state")).len() > 1, "something was kept, and searched");
}

#[cfg(unix)]
#[test]
fn everything_that_is_kept_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    fn loose(dir: &Path) -> Vec<(PathBuf, u32)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let (path, metadata) = (entry.path(), entry.metadata().unwrap());
            let (mode, expected) =
                (metadata.permissions().mode() & 0o777, if metadata.is_dir() { 0o700 } else { 0o600 });
            if mode != expected {
                found.push((path.clone(), mode));
            }
            if metadata.is_dir() {
                found.extend(loose(&path));
            }
        }
        found
    }
    let home = tempfile::tempdir().unwrap();
    let simulate = Simulate::start("20");
    let mut environment = simulate.environment().to_vec();
    // A mask that lets everybody read must not matter.
    let editor = "sh -c 'cp -p \"$1\" \"$HOME/seen\"; stat -c %a \"$1\" > \"$HOME/mode\"; echo edited > \"$1\"' --";
    environment.push(("EDITOR", editor));
    let run = simulate.run_of("incident").to_owned();
    let mut session = Session::start_with(&[&run, "-v"], home.path(), (120, 36), &environment);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.send("\"typed\"");
    session.wait_for("· saved");
    session.send("\x18e");
    session.wait_for("edited");
    session.leave_answer();
    session.send("q");
    session.wait_for_end();
    assert_eq!(loose(&home.path().join(".local/state/relay-console")), Vec::new());
    assert_eq!(fs::read_to_string(home.path().join("mode")).unwrap().trim(), "600", "the editor's file");
}
