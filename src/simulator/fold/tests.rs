//! That the fold of a large run does not look at everything for each of its events.

use super::*;
use crate::api::event::{NodeToolResult, NodeWaiting, SteppedToolResult, Waiting};
use crate::api::ids::{RequestId, ToolName};

const ITEMS: usize = 10_000;

/// The events of many nodes that wait at the same time, and then get their results.
#[test]
fn ten_thousand_nodes_that_wait_are_folded_and_read_without_looking_at_each_other() {
    let spec = serde_json::json!({"model": "m", "inputs": [{"name": "l"}], "nodes": [{"id": "each",
        "type": "map.fanout", "items_from_input": "l", "subnode": {"id": "one", "type": "llm"}}]});
    let plan = Plan::compile(&spec, &|_| false).unwrap();
    let mut fold = Fold::new(RunId::random(), None, &plan);
    let mut seq = 0;
    let mut apply = |fold: &mut Fold, body: EventBody| {
        seq += 1;
        fold.apply(&Event { run_id: fold.run_id, seq, ts: Timestamp::UNIX_EPOCH, body }, &plan);
    };
    let call =
        ToolCall { id: CallId::parse("c").unwrap(), name: ToolName::from_wire("look").unwrap(), arguments: None };
    let steps: Vec<StepKey> = (0..ITEMS)
        .map(|item| StepKey::new(&NodeId::parse(&format!("each__{item}")).unwrap(), 0, RequestId::random()))
        .collect();
    let begun = std::time::Instant::now();
    for key in &steps {
        let pending_tool_calls = wrapped([&call].into_iter());
        let reason = "tool_execution".to_owned();
        let waiting = Waiting { step: key.step, request_id: key.request_id, reason, pending_tool_calls };
        apply(&mut fold, EventBody::NodeWaiting(NodeWaiting { node_id: key.node_id.clone(), waiting }));
    }
    assert_eq!((fold.status(), fold.pending().pending.len()), (RunStatus::Waiting, ITEMS));
    assert_eq!(fold.steps_by_node(true).len(), ITEMS);
    assert_eq!(fold.steps().len(), ITEMS);
    for key in &steps {
        let tool_result = SteppedToolResult {
            step: key.step,
            request_id: key.request_id,
            tool_call: call.clone(),
            output: String::new(),
            error: None,
        };
        assert_eq!(fold.step(key), StepState::Open);
        let node_id = key.node_id.clone();
        apply(&mut fold, EventBody::NodeToolResult(NodeToolResult { node_id, tool_result }));
        assert_eq!(fold.step(key), StepState::Answered);
    }
    assert_eq!(fold.status(), RunStatus::Running);
    // Where each looked at all others this took minutes.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
