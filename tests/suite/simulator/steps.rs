//! Steps and tool calls of a run, as the client of this program reads them.

use relay_console::api::client::Include;
use relay_console::api::error::Error;
use relay_console::api::ids::CallId;
use relay_console::api::run::RunStatus;
use reqwest::Method;

use super::bench::{Bench, error_of};

#[tokio::test]
async fn a_waiting_step_shows_its_calls_and_what_it_waits_for() {
    let bench = Bench::of("incident").await;
    let submission = bench.first_wait().await;
    let (api, run) = (bench.api(), bench.run_id);
    let steps = api.steps(&run).await.unwrap().value.steps;
    let step = steps.iter().find(|step| step.request_id == Some(submission.step.request_id)).unwrap();
    assert_eq!((&step.node_id, step.step), (&submission.step.node_id, submission.step.step));
    let ids: Vec<&CallId> = step.tool_calls.iter().map(|call| &call.tool_call.id).collect();
    assert_eq!(ids, submission.results.iter().map(|result| &result.tool_call.id).collect::<Vec<_>>());
    assert!(step.tool_calls.iter().all(|call| call.tool_call.arguments.is_some()));
    assert!(step.tool_results.is_empty());
    assert!(step.llm_call.as_ref().unwrap().usage.is_some());

    let bare = api.run(&run).await.unwrap().value;
    assert_eq!(bare.steps, None);
    let with_steps = api.run_with(&run, Include { steps: true, tool_calls: false }).await.unwrap().value.steps.unwrap();
    let node = with_steps.iter().find(|node| node.node_id == submission.step.node_id).unwrap();
    let waiting = node.steps.last().unwrap().waiting.as_ref().unwrap();
    assert_eq!(waiting.pending_tool_calls, step.tool_calls);
    assert!(waiting.reason.is_some());
    assert!(with_steps.iter().flat_map(|node| &node.steps).all(|step| step.tool_calls.is_empty()));
    let all = Include { steps: true, tool_calls: true };
    let with_calls = api.run_with(&run, all).await.unwrap().value.steps.unwrap();
    let node = with_calls.iter().find(|node| node.node_id == submission.step.node_id).unwrap();
    assert_eq!(node.steps.last().unwrap().tool_calls, step.tool_calls);
}

#[tokio::test]
async fn the_steps_of_a_run_that_has_ended_hold_every_call_and_result_of_its_log() {
    let bench = Bench::of("incident").await;
    let log = bench.to_the_end(0).await;
    let (api, run) = (bench.api(), bench.run_id);
    let steps = api.steps(&run).await.unwrap().value.steps;
    let count = |event: &str| log.lines().filter(|line| line.contains(&format!("\"type\":\"{event}\""))).count();
    assert_eq!(steps.iter().map(|step| step.tool_calls.len()).sum::<usize>(), count("node_tool_call"));
    assert_eq!(steps.iter().map(|step| step.tool_results.len()).sum::<usize>(), count("node_tool_result"));
    assert_eq!(steps.iter().filter(|step| step.llm_call.is_some()).count(), count("node_llm_call"));
    let snapshot = api.run_with(&run, Include { steps: true, tool_calls: true }).await.unwrap().value;
    assert_eq!(snapshot.status, RunStatus::Succeeded);
    let nodes = snapshot.steps.unwrap();
    assert!(nodes.iter().flat_map(|node| &node.steps).all(|step| step.waiting.is_none()));
    let order: Vec<_> =
        nodes.iter().flat_map(|node| node.steps.iter().map(|step| (&node.node_id, step.step))).collect();
    assert_eq!(order, steps.iter().map(|step| (&step.node_id, step.step)).collect::<Vec<_>>());

    for step in &steps {
        for call in &step.tool_calls {
            let detail = api.tool_call(&run, step.step, &call.tool_call.id).await.unwrap().value;
            assert_eq!((&detail.node_id, &detail.tool_call), (&step.node_id, &call.tool_call));
            let result = step.tool_results.iter().find(|result| result.tool_call.id == call.tool_call.id);
            assert_eq!(detail.tool_result.as_ref(), result);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_not_in_the_step_is_not_found_and_its_place_is_said() {
    let bench = Bench::of("incident").await;
    let submission = bench.first_wait().await;
    let call = &submission.results[0].tool_call.id;
    let Error::Status(error) = bench.api().tool_call(&bench.run_id, 99, call).await.unwrap_err() else {
        panic!("no answer of the server")
    };
    assert_eq!((error.status, error.code.as_deref()), (404, Some("NOT_FOUND")));
    let place = format!("step {} of node {}", submission.step.step, submission.step.node_id);
    assert!(error.message.contains(&place), "{}", error.message);
    let odd = CallId::parse("no/such call?#%2F ü").unwrap();
    let Error::Status(error) = bench.api().tool_call(&bench.run_id, 0, &odd).await.unwrap_err() else {
        panic!("no answer of the server")
    };
    assert_eq!(error.status, 404);
    assert!(error.message.contains("no/such call?#%2F ü"), "the id comes through whole: {}", error.message);
    let step = bench.request(Method::GET, &format!("/steps/first/tool-calls/{call}")).send().await.unwrap();
    assert_eq!(error_of(step).await.0, 400);
}

#[tokio::test]
async fn the_task_list_is_the_one_that_was_written_last() {
    let bench = Bench::of("agents").await;
    bench.first_wait().await;
    bench.to_the_end(0).await;
    let tasks = bench.api().tasks(&bench.run_id).await.unwrap().value.tasks;
    assert!(tasks.len() > 1, "{tasks:?}");
    assert!(tasks.iter().all(|task| !task.content.is_empty()));
    let other = Bench::of("incident").await;
    assert!(other.api().tasks(&other.run_id).await.unwrap().value.tasks.is_empty());
}
