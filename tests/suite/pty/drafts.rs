//! Promise "nothing lost": what was typed survives the process, and a refusal.

use super::WIDE;
use super::session::Session;
use super::simulate::Simulate;

fn follow(simulate: &Simulate, home: &std::path::Path, size: (u16, u16)) -> Session {
    Session::start_with(&[simulate.run_of("incident")], home, size, &simulate.environment())
}

#[test]
fn a_draft_survives_the_death_of_the_process_and_is_restored() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut session = follow(&simulate, home.path(), WIDE);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.send("{\"half\": \"an ans");
    session.wait_for("an ans");
    session.wait_for("· saved");
    session.signal("KILL");
    session.wait_for_end();

    let mut session = follow(&simulate, home.path(), WIDE);
    session.wait_for("restored");
    session.wait_for("Waiting for you 2");
    session.send("w\r");
    session.wait_for("{\"half\": \"an ans");
    session.leave_answer();
    session.send("q");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 0);
    let summary = output.rsplit("\x1b[?1049l").next().unwrap();
    assert!(summary.contains("unsent    1") && summary.contains("read_error_rate"), "{summary}");
}

#[test]
fn an_answer_that_somebody_else_gave_first_is_told_and_mine_is_kept() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut session = follow(&simulate, home.path(), WIDE);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.send("\"mine\"");
    session.wait_for("valid JSON");

    // Another client answers both calls.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, run) = (simulate.client(), simulate.run_of("incident").parse().unwrap());
        let step = client.pending_tools(&run).await.unwrap().value.pending.remove(0);
        let results = step.tool_calls.iter().map(|call| relay_console::api::tool::ToolResult {
            tool_call: call.tool_call.without_arguments(),
            output: "\"theirs\"".into(),
            error: None,
        });
        let request =
            relay_console::api::tool::ToolResultsRequest { step: step.step.clone(), results: results.collect() };
        client.submit_tool_results(&run, &request, uuid::Uuid::new_v4()).await.unwrap();
    });

    session.wait_for("no longer waits");
    assert!(session.text().contains("\"mine\""), "{}", session.text());
    session.send("\x13");
    session.wait_for("no longer waits; your text is kept");
    assert!(session.text().contains("\"mine\""), "{}", session.text());
}

#[test]
fn a_second_console_says_at_once_that_it_keeps_no_drafts_and_takes_over_when_the_first_is_gone() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut first = follow(&simulate, home.path(), WIDE);
    first.wait_for("Waiting for you 2");
    first.open_answer();
    first.send("\"of the first\"");
    first.wait_for("· saved");

    let mut second = follow(&simulate, home.path(), WIDE);
    second.wait_for("NOT kept on disk");
    second.wait_for("Waiting for you 2");
    second.send("wj\r");
    second.wait_for("Your result");
    second.send("\"of the second\"");
    second.wait_for("is not on disk");
    first.signal("KILL");
    first.wait_for_end();
    second.wait_for("the other console is gone");
    second.wait_for("· saved");
    second.signal("KILL");
    second.wait_for_end();

    let mut third = follow(&simulate, home.path(), WIDE);
    third.wait_for("Waiting for you 2");
    third.wait_for("restored");
    third.send("q");
    let (_, output) = third.wait_for_end();
    assert!(output.contains("unsent    2"), "{output}");
}

#[test]
fn a_text_of_the_first_console_that_the_second_replaces_goes_to_the_history() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut first = follow(&simulate, home.path(), WIDE);
    first.wait_for("Waiting for you 2");
    first.open_answer();
    let mut second = follow(&simulate, home.path(), WIDE);
    second.wait_for("NOT kept on disk");
    second.wait_for("Waiting for you 2");
    second.send("w\r");
    second.wait_for("Your result");
    first.send("\"first\"");
    first.wait_for("· saved");
    second.send("\"second\"");
    second.wait_for("is not on disk");
    first.leave_answer();
    first.send("q");
    first.wait_for_end();
    second.wait_for("differ from yours");
    second.wait_for("· saved");
    let texts = |directory: &str| {
        let found = std::process::Command::new("find")
            .arg(home.path())
            .args(["-path", &format!("*/{directory}/*.json"), "-exec", "cat", "{}", "+"])
            .output()
            .unwrap();
        String::from_utf8(found.stdout).unwrap()
    };
    assert!(texts("ended").contains("first"), "{}", texts("ended"));
    assert!(texts("drafts").contains("second"), "{}", texts("drafts"));
}

#[test]
fn what_was_typed_into_a_second_console_is_in_a_file_that_quitting_names() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let first = follow(&simulate, home.path(), WIDE);
    first.wait_for("Waiting for you 2");
    let mut second = follow(&simulate, home.path(), WIDE);
    second.wait_for("NOT kept on disk");
    second.wait_for("Waiting for you 2");
    second.open_answer();
    second.send("\"of the second\"");
    second.wait_for("is not on disk");
    second.leave_answer();
    second.send("q");
    let (_, output) = second.wait_for_end();
    let summary = output.rsplit("\x1b[?1049l").next().unwrap();
    let said = summary.split("what you typed for").nth(1).unwrap();
    let path = said.split(" is in ").nth(1).unwrap().lines().next().unwrap().trim();
    assert!(std::fs::read_to_string(path).unwrap().contains("of the second"), "{summary}");
    assert!(!summary.contains("not every draft is on disk"), "{summary}");
}

fn state(home: &std::path::Path) -> std::path::PathBuf {
    home.join(".local/state/relay-console")
}

#[test]
fn drafts_and_submissions_are_kept_on_disk_though_somebody_removes_the_directory_meanwhile() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut session = follow(&simulate, home.path(), WIDE);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.send("\"before");
    session.wait_for("· saved");
    std::fs::remove_dir_all(state(home.path())).unwrap();
    session.send(" and after\"");
    session.wait_for("valid JSON");
    session.wait_for("· saved");
    session.send("\x13");
    session.wait_for("Enter sends 1 result");
    assert!(!session.text().contains("cannot be recorded"), "{}", session.text());
    session.signal("KILL");
    session.wait_for_end();

    let mut session = follow(&simulate, home.path(), WIDE);
    session.wait_for("restored");
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.wait_for("\"before and after\"");
}

#[test]
fn a_draft_that_no_disk_takes_is_in_the_scrollback_after_quitting() {
    let simulate = Simulate::start("20");
    let home = tempfile::tempdir().unwrap();
    let mut session = follow(&simulate, home.path(), WIDE);
    session.wait_for("Waiting for you 2");
    let mut server = std::fs::read_dir(state(home.path())).unwrap().map(|entry| entry.unwrap().path());
    let server = server.find(|path| path.is_dir() && !path.ends_with("log")).unwrap();
    let drafts = server.join(simulate.run_of("incident")).join("drafts");
    std::fs::remove_dir_all(&drafts).unwrap();
    std::fs::write(&drafts, "in the way").unwrap();
    session.open_answer();
    session.send("first line\rsecond\u{200b}line");
    session.wait_for("is not on disk");
    // What is wrong is said to its end.
    session.wait_until("the reason", |text| text.to_lowercase().contains("not a directory"));
    session.leave_answer();
    session.send("q");
    let (_, output) = session.wait_for_end();
    let summary = output.rsplit("\x1b[?1049l").next().unwrap();
    assert!(summary.contains("is on no disk (cannot write"), "{summary}");
    assert!(summary.contains("\nfirst line\r\nsecond") && !summary.contains('\u{200b}'), "{summary}");
}

#[test]
fn leaving_with_an_answer_on_its_way_says_what_is_waited_for_and_what_comes_of_it() {
    let simulate = Simulate::start_with("20", &["--faults", "no-answer@tool-results:10m"]);
    let home = tempfile::tempdir().unwrap();
    let mut session = follow(&simulate, home.path(), WIDE);
    session.wait_for("Waiting for you 2");
    session.open_answer();
    session.send("1");
    session.wait_for("valid JSON");
    session.send("\x13");
    session.wait_for("nothing is sent yet");
    session.wait_for("Enter sends 1 result");
    session.send("\r");
    session.wait_for("sending");
    session.send("q");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 0);
    let left = output.rsplit("\x1b[?1049l").next().unwrap();
    let (waiting, summary) = (left.find("an answer is on its way; waiting up to 3 s"), left.find("run       "));
    assert!(waiting.is_some() && waiting < summary, "{left}");
    assert!(left.contains("1 byte, on its way when the console was left"), "{left}");
    assert!(left.contains("whether the answer on its way arrived is not known"), "{left}");
}
