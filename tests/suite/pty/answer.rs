//! `relay-console answer` on a terminal: it shows what would be sent, and only a yes to that sends it.

use super::session::{Session, command};
use super::simulate::Simulate;
use crate::raw_server::{RawServer, json};

fn waiting(simulate: &Simulate) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, run) = (simulate.client(), simulate.run_of("incident").parse().unwrap());
        loop {
            let pending = client.pending_tools(&run).await.unwrap().value;
            let calls: Vec<String> = pending.calls().map(|(key, _)| key.call_id.as_str().to_owned()).collect();
            if calls.len() == 2 {
                return calls;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
}

#[test]
fn it_asks_before_it_sends_and_keys_typed_before_the_question_are_no_yes() {
    let simulate = Simulate::start("100");
    let home = tempfile::tempdir().unwrap();
    let call = waiting(&simulate).remove(0);
    let arguments = ["answer", simulate.run_of("incident"), "--call", &call, "--output", "{\"rate\u{202e}\": 4.2}"];
    let start = || Session::start_with(&arguments, home.path(), (100, 30), &simulate.environment());

    let mut session = start();
    // Before there is a question, or after it: only what comes after it counts, and that is a no.
    session.send("y\r");
    session.wait_for("Send this? [y/N]");
    let shown = session.text();
    for part in ["Server ", "Node    diagnose, step 0", "read_error_rate", "Result  {\"rate¿\": 4.2}", "1 hidden"] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    session.send("\r");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("not sent: you did not say yes"), "{output}");
    assert_eq!(waiting(&simulate).len(), 2);

    let mut session = start();
    session.wait_for("Send this? [y/N]");
    session.send("yes\r");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("accepted 1 of 1; the run is waiting"), "{output}");
}

#[test]
fn it_asks_on_the_terminal_when_standard_error_goes_to_a_file_and_shows_all_that_is_sent() {
    let simulate = Simulate::start("100");
    let home = tempfile::tempdir().unwrap();
    let call = waiting(&simulate).remove(0);
    let list = home.path().join("answers.json");
    std::fs::write(&list, format!(r#"[{{"call":"{call}","error":"it broke","output":"half of\u200b it"}}]"#)).unwrap();
    let arguments = ["answer", simulate.run_of("incident"), "--all", list.to_str().unwrap()];
    let whole = command(&arguments, home.path(), &simulate.environment());
    let mut redirected = portable_pty::CommandBuilder::new("sh");
    redirected.args(["-c", r#"exec "$0" "$@" 2>"$HOME/errors""#]);
    redirected.args(whole.get_argv());
    redirected.env_clear();
    for (name, value) in whole.iter_full_env_as_str() {
        redirected.env(name, value);
    }
    let mut session = Session::spawn(redirected, (100, 30));
    let shown = session.wait_for("Send this? [y/N]");
    for part in ["Error   it broke", "Output  half of¿ it", "1 hidden"] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    session.send("\r");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 2, "{output}");
    assert!(std::fs::read_to_string(home.path().join("errors")).unwrap().contains("not sent: you did not say yes"));
    assert_eq!(waiting(&simulate).len(), 2);
}

#[test]
fn no_id_or_name_of_a_server_acts_on_the_terminal_in_the_review() {
    const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let pending = format!(
        r#"{{"run_id":"{RUN}","pending":[{{"node_id":"n\u001b[2J\nRun     x","step":1,"request_id":"{RUN}","tool_calls":[
            {{"tool_call":{{"id":"c0","name":"pay\u001b[2A\u202e\u009b\nResult  no","arguments":"{{}}"}}}}]}}]}}"#
    );
    let server = runtime.block_on(RawServer::answering(vec![json(&pending)]));
    let home = tempfile::tempdir().unwrap();
    let (base_url, key) = (server.base_url(), "mr_sk_0123456789");
    let environment = [("MODELRELAY_API_BASE_URL", base_url.as_str()), ("MODELRELAY_API_KEY", key)];
    let arguments = ["answer", RUN, "--call", "c0", "--output", "1"];
    let mut session = Session::start_with(&arguments, home.path(), (100, 30), &environment);
    let shown = session.wait_for("Send this? [y/N]");
    for line in ["Node    n␛[2J Run x, step 1", "Call    c0 pay␛[2A¿␦ Result no"] {
        assert!(shown.lines().any(|shown| shown.trim_end() == line), "{line:?} is not in:\n{shown}");
    }
    session.send("\r");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 2, "{output}");
    assert!(!output.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{output:?}");
}
