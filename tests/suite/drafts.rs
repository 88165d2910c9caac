//! `relay-console drafts`: what is kept on this machine is listed, shown and removed, without a server.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use relay_console::api::ids::{CallId, NodeId, RequestId, RunId};
use relay_console::api::tool::{CallKey, StepKey};
use relay_console::store::intents::{Begun, IntentRecord, IntentStore, Outcome, Sender};
use relay_console::store::{Draft, DraftStore, Ending, StateDir};

use crate::program::{Program, text};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const SERVER: &str = "https://operator:secret@runs.example/api/v1";

fn key(call: &str) -> CallKey {
    let request = RequestId::parse("7d444840-9dc0-11d1-b245-5ffdce74fad2").unwrap();
    StepKey::new(&NodeId::parse("n").unwrap(), 1, request).call(&CallId::parse(call).unwrap())
}

fn draft(call: &str, text: &str, days_ago: u64) -> Draft {
    let saved_at = Timestamp::now() - Duration::from_secs(days_ago * 24 * 60 * 60);
    Draft { key: key(call), tool: "look".into(), text: text.into(), is_error: false, saved_at }
}

fn state(program: &Program) -> StateDir {
    StateDir::open(&program.home.path().join(".local/state"), SERVER, RunId::parse(RUN).unwrap()).unwrap()
}

/// A home with an unsent draft of today, one of forty days ago, and one whose call is over.
fn kept() -> Program {
    let program = Program::new();
    let store = DraftStore::open(&state(&program)).unwrap();
    store.save(&draft("today", "{\"a\": 1}\n", 0)).unwrap();
    store.save(&draft("old", "old\u{1b}[2Jtext", 40)).unwrap();
    store.save(&draft("over", "sent", 1)).unwrap();
    store.end(&key("over"), Ending::Accepted, Timestamp::now()).unwrap();
    program
}

fn listed(program: &Program) -> Vec<(String, String)> {
    let output = program.run(&["drafts", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let word = |entry: &serde_json::Value, name: &str| entry[name].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(|entry| (word(entry, "call_id"), word(entry, "state"))).collect()
}

fn states(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    entries.iter().map(|(call, state)| ((*call).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn what_is_kept_is_listed_with_server_run_call_age_size_and_state() {
    let program = kept();
    assert_eq!(listed(&program), states(&[("old", "unsent"), ("today", "unsent"), ("over", "accepted")]));
    let output = program.run(&["drafts"]);
    let table = text(&output.stdout);
    for words in ["https://runs.example/api/v1", RUN, "n 1 look today", "unsent", "accepted", "9 B"] {
        assert!(table.contains(words), "{words:?} is not in:\n{table}");
    }
    assert!(!table.contains("secret"), "{table}");
    assert_eq!(text(&program.run(&["drafts", "list"]).stdout), table);
    let none = Program::new().run(&["drafts"]);
    assert_eq!((none.status.code(), text(&none.stdout)), (Some(0), String::new()));
}

#[test]
fn one_answer_is_printed_byte_for_byte() {
    let program = kept();
    assert_eq!(program.run(&["drafts", "show", RUN, "--call", "today"]).stdout, b"{\"a\": 1}\n");
    assert_eq!(program.run(&["drafts", "show", RUN, "--call", "old"]).stdout, "old\u{1b}[2Jtext".as_bytes());
    let several = program.run(&["drafts", "show", RUN]);
    assert_eq!((several.status.code(), several.stdout.len()), (Some(2), 0));
    assert!(text(&several.stderr).contains("--call"), "{}", text(&several.stderr));
    assert_eq!(program.run(&["drafts", "show", RUN, "--call", "none"]).status.code(), Some(5));
}

#[test]
fn purging_asks_first_and_removes_unsent_answers_only_with_all() {
    let program = kept();
    for refused in [&["drafts", "purge"][..], &["drafts", "purge", "--all"], &["drafts", "purge", "--ended"]] {
        assert_eq!(program.run(refused).status.code(), Some(2), "{refused:?}");
    }
    assert_eq!(listed(&program).len(), 3);
    let purge = |more: &[&str]| program.run(&[&["drafts", "purge", "--yes"], more].concat());
    assert_eq!(purge(&["--run", "550e8400-e29b-41d4-a716-44665544000f", "--all"]).status.code(), Some(0));
    assert_eq!(listed(&program).len(), 3, "another run");
    assert_eq!(purge(&["--older-than", "30d"]).status.code(), Some(0));
    assert_eq!(listed(&program).len(), 3, "what is older than that is unsent");
    assert_eq!(purge(&["--older-than", "30d", "--all"]).status.code(), Some(0));
    assert_eq!(listed(&program), states(&[("today", "unsent"), ("over", "accepted")]));
    assert_eq!(purge(&["--ended"]).status.code(), Some(0));
    assert_eq!(listed(&program), states(&[("today", "unsent")]));
    assert_eq!(purge(&["--all"]).status.code(), Some(0));
    assert_eq!(listed(&program), []);
}

#[test]
fn a_submission_that_was_settled_since_the_time_that_is_given_stays() {
    let program = Program::new();
    submission(&state(&program), "c", 0, true);
    let older = program.run(&["drafts", "purge", "--older-than", "1h", "--yes"]);
    assert!(text(&older.stderr).contains("nothing is to be removed"), "{}", text(&older.stderr));
    assert_eq!(IntentStore::list(&state(&program)).len(), 1);
    assert_eq!(program.run(&["drafts", "purge", "--ended", "--yes"]).status.code(), Some(0));
    assert_eq!(IntentStore::list(&state(&program)).len(), 0);
}

#[test]
fn nothing_is_removed_while_a_console_has_it_open() {
    let program = kept();
    let store = DraftStore::open(&state(&program)).unwrap();
    let output = program.run(&["drafts", "purge", "--all", "--yes"]);
    assert!(text(&output.stderr).contains("is open in a console"), "{}", text(&output.stderr));
    assert_eq!(listed(&program).len(), 3);
    drop(store);
}

#[test]
fn what_was_typed_into_a_second_console_is_listed_and_becomes_the_draft_of_a_call_that_has_none() {
    let program = Program::new();
    let state = state(&program);
    let first = DraftStore::open(&state).unwrap();
    first.save(&draft("both", "of the first", 0)).unwrap();
    let second = DraftStore::open(&state).unwrap();
    assert!(second.save(&draft("both", "of the second", 0)).is_err());
    second.set_aside(&draft("both", "of the second", 0)).unwrap();
    let path = second.set_aside(&draft("mine", "typed here", 0)).unwrap();
    drop((first, second));
    let aside = "unsent, of a second console";
    assert_eq!(listed(&program), states(&[("both", "unsent"), ("both", aside), ("mine", aside)]));
    let third = DraftStore::open(&state).unwrap();
    let (drafts, problems) = third.load_all();
    let texts: Vec<&str> = drafts.iter().map(|draft| draft.text.as_str()).collect();
    assert_eq!(texts, ["of the first", "typed here"]);
    assert!(problems.len() == 1 && problems[0].reason.contains("another text"), "{problems:?}");
    assert!(!path.exists() && fs::read_dir(state.drafts_path()).unwrap().count() > 2);
}

/// A submission to the call `call`, decided so many days ago, and settled a moment later where `settled` says so.
fn submission(state: &StateDir, call: &str, days_ago: u64, settled: bool) {
    let decided_at = Timestamp::now() - Duration::from_secs(days_ago * 24 * 60 * 60);
    let request = serde_json::from_value(serde_json::json!({
        "node_id": "n", "step": 1, "request_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
        "results": [{"tool_call": {"id": call, "name": "look"}, "output": "was sent"}],
    }));
    let record = IntentRecord {
        request_id: uuid::Uuid::new_v4(),
        run_id: RunId::parse(RUN).unwrap(),
        request: request.unwrap(),
        after_seq: 1,
        by: Sender::Console,
        decided_at,
    };
    let begun = IntentStore::open(state).unwrap().begin(&record).unwrap();
    let Begun::Claimed { claim, .. } = begun else { panic!("{begun:?}") };
    if settled {
        claim.settle(vec![Outcome::Accepted], decided_at).unwrap();
    }
}

#[test]
fn a_submission_of_unknown_outcome_is_listed_without_a_draft_and_goes_with_all_only() {
    let program = Program::new();
    submission(&state(&program), "doubtful", 1, false);
    assert_eq!(listed(&program), states(&[("doubtful", "outcome unknown")]));
    assert_eq!(program.run(&["drafts", "show", RUN]).stdout, b"was sent");
    let ended = program.run(&["drafts", "purge", "--ended", "--yes"]);
    assert!(text(&ended.stderr).contains("nothing is to be removed"), "{}", text(&ended.stderr));
    let all = program.run(&["drafts", "purge", "--all", "--yes"]);
    assert_eq!(text(&all.stdout), "removed 1 submission whose outcome is unknown\n");
    assert_eq!(listed(&program), []);
    assert_eq!(IntentStore::list(&state(&program)), []);
}

#[test]
fn submissions_are_as_old_as_their_end_and_each_thing_is_counted_in_its_own_words() {
    let program = kept();
    submission(&state(&program), "now", 0, true);
    submission(&state(&program), "then", 40, true);
    let purge = |more: &[&str]| text(&program.run(&[&["drafts", "purge", "--yes"], more].concat()).stdout);
    assert_eq!(purge(&["--older-than", "30d"]), "removed 1 settled submission\n");
    assert_eq!(purge(&["--ended"]), "removed 1 answer whose call is over, 1 settled submission\n");
    assert_eq!(purge(&["--all"]), "removed 2 unsent answers\n");
}

#[test]
fn purging_without_a_choice_names_every_choice() {
    let output = Program::new().run(&["drafts", "purge"]);
    for choice in ["--ended", "--all", "--older-than", "--run"] {
        assert!(text(&output.stderr).contains(choice), "{}", text(&output.stderr));
    }
}
