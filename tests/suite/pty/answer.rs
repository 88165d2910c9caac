//! `relay-console answer` on a terminal: it shows what would be sent, and only a yes to that sends it.

use super::session::Session;
use super::simulate::Simulate;

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
