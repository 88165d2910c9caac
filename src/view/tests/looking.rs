//! A node's steps, one step in full, and what else is looked into.

use crossterm::event::KeyCode;

use super::super::Theme;
use super::scene::{REQUEST, Scene, busy};
use super::screens::check;
use crate::api::step::RunSteps;
use crate::app::{Action, Mode, PageContent, Tab};

const MONO: Theme = Theme { color: false, ascii: false };

const SIZES: [(u16, u16); 4] = [(120, 36), (100, 30), (80, 24), (60, 16)];

fn screen(name: &str, scene: &mut Scene) {
    check(name, &scene.screen(MONO));
}

const OTHER: &str = "550e8400-e29b-41d4-a716-446655440002";

/// The busy run, where `diagnose` has made two steps with calls.
fn stepped(columns: u16, rows: u16) -> Scene {
    let mut scene = busy(columns, rows);
    let call = |name: &str, id: &str| {
        format!(r#"{{"id":"{id}","name":"{name}","arguments":"{{\"query\":\"pool size\",\"days\":7}}"}}"#)
    };
    let step = |kind: &str, step: u64, request: &str, rest: &str| {
        format!(
            r#""type":"node_{kind}","node_id":"diagnose","{kind}":{{"step":{step},"request_id":"{request}",{rest}}}"#
        )
    };
    let (logs, metrics) = (call("logs.search", "call_7"), call("metrics", "call_8"));
    scene.event(&step("tool_call", 3, REQUEST, &format!(r#""tool_call":{logs}"#)));
    scene.event(&step("tool_call", 3, REQUEST, &format!(r#""tool_call":{metrics}"#)));
    scene.wait(3).event(&step(
        "tool_result",
        3,
        REQUEST,
        &format!(r#""tool_call":{logs},"output":"{{\"hits\":31,\"first\":\"14:02\"}}""#),
    ));
    scene.event(&step(
        "tool_result",
        3,
        REQUEST,
        &format!(r#""tool_call":{metrics},"output":"","error":"no such\u001b[31m metric""#),
    ));
    let usage = r#""provider":"anthropic","model":"claude-sonnet-4-5","response_id":"msg_01","stop_reason":"tool_use","usage":{"input_tokens":32400,"output_tokens":310}"#;
    scene.wait(11).event(&step("llm_call", 4, OTHER, usage));
    scene.wait(2).event(&step(
        "waiting",
        4,
        OTHER,
        &format!(r#""reason":"tool_execution","pending_tool_calls":[{{"tool_call":{}}}]"#, call("roll_back", "call_9")),
    ));
    scene.wait(5);
    scene
}

/// Goes to the steps of `diagnose`.
fn steps(scene: &mut Scene) -> &mut Scene {
    scene.key(KeyCode::Home).key(KeyCode::Down).key(KeyCode::Down).key(KeyCode::Enter).keys("l")
}

#[test]
fn the_steps_of_a_node_at_every_size_and_of_the_run() {
    for (columns, rows) in SIZES {
        screen(&format!("steps_{columns}x{rows}"), steps(&mut stepped(columns, rows)));
    }
    let mut scene = stepped(120, 36);
    screen("steps_run", scene.key(KeyCode::Home).key(KeyCode::Enter).keys("lk"));
}

#[test]
fn a_step_in_full_while_it_loads_and_when_it_is_here_and_when_it_cannot_be_read() {
    for (columns, rows) in [(120, 36), (60, 16)] {
        let mut scene = stepped(columns, rows);
        steps(&mut scene).keys("k").key(KeyCode::Enter);
        screen(&format!("step_loading_{columns}x{rows}"), &mut scene);
        let Mode::Page(page) = &scene.app.mode else { panic!("{:?}", scene.app.mode) };
        let PageContent::Step { key, .. } = page.content.clone() else { panic!("{page:?}") };
        scene.act(Action::StepRead { key: key.clone(), result: Err("the server answered 503".into()) });
        scene.screen(MONO);
        assert!(scene.key(KeyCode::End).screen(MONO).contains("503"), "{}", scene.screen(MONO));
        let steps: RunSteps = serde_json::from_str(&format!(
            r#"{{"steps":[{{"node_id":"diagnose","step":3,"request_id":"{REQUEST}","llm_request":{{"model":"claude-sonnet-4-5","messages":[{{"role":"user","content":"Why?"}}]}},"llm_response":{{"id":"msg_00","stop_reason":"tool_use"}}}}]}}"#
        ))
        .unwrap();
        let detail = steps.steps.into_iter().next().unwrap();
        scene.keys("r").act(Action::StepRead { key, result: Ok(Box::new(detail)) });
        screen(&format!("step_{columns}x{rows}"), scene.key(KeyCode::Home));
        screen(&format!("step_end_{columns}x{rows}"), scene.key(KeyCode::End));
    }
}

#[test]
fn after_the_end_of_a_run_no_node_seems_to_work() {
    let mut scene = Scene::new(120, 36);
    scene.event(r#""type":"run_started","plan_hash":"3f""#).event(r#""type":"node_started","node_id":"a""#);
    scene.event(r#""type":"run_failed","plan_hash":"3f","error":{"message":"m"}"#);
    scene.snapshot(r#""status":"failed""#).key(KeyCode::Home).key(KeyCode::Down);
    let text = scene.screen(MONO);
    assert!(text.contains("⊘ ended with the run") && !text.contains('●'), "{text}");
}

#[test]
fn the_task_list_stands_with_the_run() {
    for (columns, rows) in SIZES {
        let mut scene = stepped(columns, rows);
        scene.event(r#""type":"task_list_updated","plan_hash":"3f","task_list":{"artifact_key":"k","info":{"bytes":3,"sha256":"00","included":false}}"#);
        let tasks = r#"{"tasks":[{"content":"Read the logs of the last deploy","status":"completed"},{"content":"Compare with 4.17","status":"in_progress","active_form":"Comparing 4.18 with 4.17, pool by pool, on every target that was rolled out"},{"content":"Write the\u001b[31m report","status":"pending"},{"content":"Ask the team","status":"blocked"}]}"#;
        scene.act(Action::TasksRead(Ok(serde_json::from_str(tasks).unwrap())));
        scene.key(KeyCode::Home).key(KeyCode::Enter).keys("h");
        assert_eq!(scene.app.shown_tab(), Tab::Tasks);
        screen(&format!("tasks_{columns}x{rows}"), &mut scene);
        if columns == 120 {
            screen("tasks_run", scene.keys("l"));
            scene.act(Action::TasksRead(Err("the server answered 503".into())));
            screen("tasks_old", scene.keys("h"));
        }
    }
}
