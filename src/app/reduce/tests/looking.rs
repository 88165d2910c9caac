//! What is looked into: a node's steps, and what is read from the server for them.

use crossterm::event::KeyCode;

use super::desk::{Desk, REQUEST, RUN};
use crate::api::step::{RunSteps, StepDetail};
use crate::api::task::RunTasks;
use crate::app::{Action, Effect, Mode, PageContent, Pane, Tab};
use crate::feed::{FeedUpdate, LinkState};

const OTHER: &str = "550e8400-e29b-41d4-a716-446655440002";

fn called(desk: &mut Desk, step: u64, request: &str) {
    desk.event(&format!(
        r#""type":"node_llm_call","node_id":"a","llm_call":{{"step":{step},"request_id":"{request}","model":"m"}}"#
    ));
}

/// A desk with two steps of node `a`, the steps tab in front.
fn at_steps() -> Desk {
    let mut desk = Desk::new();
    called(&mut desk, 1, REQUEST);
    called(&mut desk, 2, OTHER);
    desk.app.focus = Pane::Detail;
    desk.press('l');
    assert_eq!(desk.app.shown_tab(), Tab::Steps);
    desk
}

fn detail(step: u64, response: &str) -> Box<StepDetail> {
    let text = format!(r#"{{"steps":[{{"node_id":"a","step":{step},"llm_response":{response}}}]}}"#);
    Box::new(serde_json::from_str::<RunSteps>(&text).unwrap().steps.remove(0))
}

fn asked(effects: &[Effect]) -> Vec<u64> {
    let steps = effects.iter().filter_map(|effect| match effect {
        Effect::ReadStep { key } => Some(key.step),
        _ => None,
    });
    steps.collect()
}

fn read(desk: &Desk) -> Option<Result<Box<StepDetail>, String>> {
    match &desk.app.mode {
        Mode::Page(page) => match &page.content {
            PageContent::Step { read, .. } => read.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn enter_opens_the_newest_step_and_reads_what_is_not_in_the_events() {
    let mut desk = at_steps();
    assert_eq!(asked(&desk.enter()), [2]);
    assert_eq!(read(&desk), None, "it says that it loads");
    let key = desk.app.run.nodes[0].steps.iter().next_back().unwrap().key.clone();
    desk.act(Action::StepRead { key, result: Ok(detail(2, r#"{"x":1.0}"#)) });
    assert_eq!(read(&desk), Some(Ok(detail(2, r#"{"x":1.0}"#))));
    let copied = desk.press('y');
    assert!(
        matches!(&copied[..], [Effect::Copy(text)] if text.contains(r#""llm_response":{"x":1.0}"#)),
        "letter for letter: {copied:?}"
    );
    desk.esc();
    assert_eq!((desk.app.mode.clone(), desk.app.shown_tab()), (Mode::Browse, Tab::Steps));
}

#[test]
fn a_selected_step_stays_selected_while_new_ones_come() {
    let mut desk = at_steps();
    desk.press('k');
    called(&mut desk, 3, "550e8400-e29b-41d4-a716-446655440003");
    let steps = desk.app.shown_steps();
    assert_eq!(steps[desk.app.selected_step(&steps)].key.step, 1);
    assert!(desk.press('y').contains(&Effect::Copy(REQUEST.to_owned())), "the request's id is what support asks for");
    assert_eq!(asked(&desk.enter()), [1]);
    desk.esc();
    desk.key(KeyCode::End);
    assert_eq!(asked(&desk.enter()), [3]);
}

#[test]
fn a_step_that_could_not_be_read_says_why_and_r_reads_it_again() {
    let mut desk = at_steps();
    desk.enter();
    let key = desk.app.run.nodes[0].steps.iter().next_back().unwrap().key.clone();
    assert!(asked(&desk.press('r')).is_empty(), "it is being read already");
    desk.act(Action::StepRead { key: key.clone(), result: Err("503".into()) });
    assert_eq!(read(&desk), Some(Err("503".into())));
    assert_eq!(asked(&desk.press('r')), [2]);
    assert_eq!(read(&desk), None);
    let late = desk.app.run.nodes[0].steps.iter().next().unwrap().key.clone();
    desk.act(Action::StepRead { key: late, result: Ok(detail(1, "1")) });
    assert_eq!(read(&desk), None, "an answer for another step than the open one is dropped");
}

const WRITTEN: &str = r#""type":"task_list_updated","plan_hash":"3f","task_list":{"artifact_key":"k","info":{"bytes":3,"sha256":"00","included":false}}"#;

fn task_reads(desk: &Desk) -> usize {
    desk.effects.iter().filter(|effect| **effect == Effect::ReadTasks).count()
}

fn tasks(json: &str) -> RunTasks {
    serde_json::from_str(&format!(r#"{{"tasks":{json}}}"#)).unwrap()
}

#[test]
fn the_task_list_is_read_when_it_was_written_and_at_most_every_five_seconds() {
    let mut desk = Desk::new();
    desk.wait(60_000);
    assert_eq!(task_reads(&desk), 0, "a run that never wrote a list is not asked for one");
    assert!(!desk.app.tabs().any(|tab| tab == Tab::Tasks));
    for _ in 0..40 {
        desk.event(WRITTEN);
        desk.act(Action::TasksRead(Ok(tasks(
            r#"[{"content":"a","status":"completed"},{"content":"b","status":"new"}]"#,
        ))));
        desk.wait(250);
    }
    assert!((2..=3).contains(&task_reads(&desk)), "{} in 10 s", task_reads(&desk));
    assert_eq!(desk.app.tasks.progress(), Some((1, 2)));
    desk.key(KeyCode::Home);
    assert!(desk.app.tabs().any(|tab| tab == Tab::Tasks));
    let before = task_reads(&desk);
    desk.wait(60_000);
    let coalesced = task_reads(&desk) - before;
    assert!(coalesced <= 1, "the last write is read once more, then nothing: {coalesced}");
}

#[test]
fn r_reads_the_task_list_at_once_and_history_only_when_it_has_caught_up() {
    let mut desk = Desk::new();
    desk.link(LinkState::CatchingUp { applied: 0 });
    desk.event(WRITTEN);
    assert_eq!(task_reads(&desk), 0);
    desk.link(LinkState::Live);
    assert_eq!(task_reads(&desk), 1);
    desk.act(Action::TasksRead(Ok(tasks("[]"))));
    desk.press('r');
    assert_eq!(task_reads(&desk), 2);
}

#[test]
fn a_task_list_that_could_not_be_read_stays_and_says_so_and_is_read_again_later() {
    let mut desk = Desk::new();
    desk.event(WRITTEN);
    desk.act(Action::TasksRead(Ok(tasks(r#"[{"content":"a","status":"completed"}]"#))));
    desk.press('r');
    desk.act(Action::TasksRead(Err("503".into())));
    assert!(desk.said().contains("503"));
    assert_eq!((desk.app.tasks.progress(), desk.app.tasks.failure.as_deref()), (Some((1, 1)), Some("503")));
    let before = task_reads(&desk);
    desk.wait(5_500);
    assert_eq!(task_reads(&desk), before + 1);
    desk.act(Action::TasksRead(Ok(tasks(r#"[{"content":"a","status":"completed"}]"#))));
    assert_eq!(desk.app.tasks.failure, None);
}

#[test]
fn a_server_without_a_task_list_is_not_complained_about() {
    let mut desk = Desk::new();
    desk.press('r');
    assert_eq!(task_reads(&desk), 1, "the run may have one from before");
    desk.act(Action::TasksRead(Err("404".into())));
    desk.wait(60_000);
    assert_eq!((desk.said(), task_reads(&desk)), (String::new(), 1));
}

const PARENT: &str = "550e8400-e29b-41d4-a716-446655440009";
const CHILD: &str = "550e8400-e29b-41d4-a716-446655440042";

/// A desk on a run with a parent and a child run, the runs tab in front.
fn at_runs() -> Desk {
    let mut desk = Desk::new();
    assert!(!desk.app.tabs().any(|tab| tab == Tab::Runs));
    let turn = format!(r#"{{"agent_id":"critic","agent_run_id":"{CHILD}"}}"#);
    desk.event(&format!(r#""type":"scheduler_agent_started","node_id":"panel","scheduler_agent_started":{turn}"#));
    let snapshot =
        serde_json::from_str(&format!(r#"{{"run_id":"{RUN}","status":"running","parent_run_id":"{PARENT}"}}"#))
            .unwrap();
    desk.act(Action::Feed(FeedUpdate::Snapshot { snapshot: Box::new(snapshot), server_date: None }));
    desk.key(KeyCode::Home);
    desk.app.focus = Pane::Detail;
    desk.press('h');
    assert_eq!(desk.app.shown_tab(), Tab::Runs);
    desk
}

#[test]
fn the_parent_run_and_each_child_run_are_copied_by_their_full_id() {
    let mut desk = at_runs();
    assert!(desk.press('y').contains(&Effect::Copy(PARENT.to_owned())));
    desk.press('j');
    assert!(desk.press('y').contains(&Effect::Copy(CHILD.to_owned())));
}

#[test]
fn the_command_that_follows_a_related_run_is_this_consoles_own_with_the_other_id() {
    let mut desk = at_runs();
    desk.enter();
    assert!(desk.said().contains("no command"), "a demo's run is gone when it is left: {}", desk.said());
    desk.app.command = ["relay-console", RUN, "--profile", "my lab's"].map(str::to_owned).to_vec();
    let copied = desk.enter();
    assert_eq!(copied, [Effect::Copy(format!("relay-console {PARENT} --profile 'my lab'\\''s'"))]);
}
