//! What all nodes together hold, and what gives way.

use super::*;
use crate::run::room::{Held, Kind};

/// One event of one of a few kinds, of `bytes` bytes, about one of many nodes.
fn told(kind: u8, node: u16, bytes: usize, seq: u64) -> String {
    let text = "y".repeat(bytes);
    let node = format!(r#""node_id":"n{node}""#);
    let key = format!(r#""step":{},"request_id":"{REQUEST}""#, seq % 7);
    match kind {
        0 => format!(r#""type":"node_output_delta",{node},"delta":{{"kind":"message_delta","text_delta":"é{text}"}}"#),
        1 => format!(
            r#""type":"node_tool_call",{node},"tool_call":{{{key},"tool_call":{{"id":"c{}","name":"look","arguments":"{text}"}}}}"#,
            seq % 50
        ),
        2 => format!(
            r#""type":"node_tool_result",{node},"tool_result":{{{key},"tool_call":{{"id":"c{}","name":"look"}},"output":"{text}"}}"#,
            seq % 50
        ),
        3 => format!(
            r#""type":"node_output",{node},"output":{{"artifact_key":"k","info":{{"bytes":{bytes},"sha256":"aa","included":true}},"content":"{text}"}}"#
        ),
        4 => format!(
            r#""type":"node_llm_call",{node},"llm_call":{{"step":{seq},"request_id":"{REQUEST}","model":"m","response_id":"{text}","usage":{{"input_tokens":3,"output_tokens":1}}}}"#
        ),
        _ => waiting(&[&format!("w{seq}")]).replace(r#""node_id":"a""#, &node),
    }
}

fn sum(run: &Run) -> Held {
    run.nodes.values().map(Node::held).fold(Held::default(), |sum, held| Held {
        text: sum.text + held.text,
        calls: sum.calls + held.calls,
        steps: sum.steps + held.steps,
        outputs: sum.outputs + held.outputs,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_nodes_together_never_hold_more_than_the_limits_and_every_byte_is_kept_or_counted(
        most in 0_u8..5,
        script in proptest::collection::vec((0_u8..12, 0_u16..400, 0_usize..3, 1_usize..100_000), 600..700),
    ) {
        let mut run = fold(&[STARTED]);
        let mut again = run.clone();
        let (mut streamed, mut waits, mut tokens) = (0_u64, 0_usize, 0_u64);
        for (seq, (kind, node, large, bytes)) in (2..).zip(script) {
            // Half are of one kind, and most are large, so that each kind overflows in some of the cases.
            let kind = if kind < 6 { kind } else { most };
            let told = told(kind, node, if large > 0 { bytes } else { bytes % 50 }, seq);
            let event = event(seq, &told);
            if let EventBody::NodeOutputDelta(e) = &event.body {
                streamed += e.delta.text_delta.as_deref().map_or(0, str::len) as u64;
            }
            waits += usize::from(kind == 5);
            tokens += u64::from(kind == 4) * 4;
            again.apply(event.clone());
            run.apply(event);
            let held = run.room.held();
            prop_assert!(held.text <= limits::ALL_STREAMED_TEXT && held.steps <= limits::ALL_STEP_BYTES);
            prop_assert!(held.calls <= limits::ALL_CALL_BYTES && held.outputs <= limits::ALL_INLINE_OUTPUTS);
        }
        prop_assert_eq!(run.room.held(), sum(&run));
        let kept: u64 = run.nodes.values().map(|node| node.held().text as u64 + node.text.dropped).sum();
        prop_assert_eq!(kept, streamed);
        prop_assert_eq!(run.pending.len(), waits);
        prop_assert_eq!(run.nodes.values().map(|node| { let t = node.tokens(); t.input + t.output }).sum::<u64>(), tokens);
        prop_assert_eq!(run, again);
    }
}

#[test]
fn the_text_that_was_touched_longest_ago_gives_way_down_to_its_end_and_the_newest_stays() {
    let mut run = fold(&[STARTED]);
    let pieces = limits::ALL_STREAMED_TEXT / 200_000 + 1;
    for seq in 0..pieces as u64 {
        let node = u16::try_from(seq).unwrap();
        run.apply(event(seq + 2, &told(0, node, 200_000 - 2, seq)));
    }
    let text = |name: usize| &node(&run, &format!("n{name}")).text;
    assert_eq!(text(0).kept(), limits::LEFT_TO_A_NODE);
    assert_eq!(text(0).dropped, (200_000 - limits::LEFT_TO_A_NODE) as u64);
    assert!(text(0).segments().all(|segment| segment.text.ends_with('y')));
    assert_eq!(text(pieces - 1).kept(), 200_000);
    assert_eq!(text(pieces / 2).kept(), 200_000, "no more than a lump is dropped");
    assert!(run.room.held().text <= limits::ALL_STREAMED_TEXT * 3 / 4);
}

#[test]
fn ends_of_many_nodes_are_dropped_altogether_where_the_ends_alone_are_too_much() {
    let mut run = fold(&[STARTED]);
    let nodes = u16::try_from(limits::ALL_STREAMED_TEXT / 4_000 + 100).unwrap();
    for node in 0..nodes {
        run.apply(event(u64::from(node) + 2, &told(0, node, 3_998, 1)));
    }
    assert!(run.room.held().text <= limits::ALL_STREAMED_TEXT);
    assert_eq!((node(&run, "n0").text.kept(), node(&run, "n0").text.dropped), (0, 4_000));
    assert_eq!(node(&run, &format!("n{}", nodes - 1)).text.kept(), 4_000);
}

#[test]
fn one_result_that_is_larger_than_the_limit_is_kept_until_another_node_is_heard_of() {
    let mut run = fold(&[STARTED]);
    run.apply(event(2, &told(2, 1, limits::ALL_CALL_BYTES + 1, 1)));
    assert_eq!(node(&run, "n1").calls.len(), 1);
    run.apply(event(3, &told(0, 1, 10, 1)));
    assert_eq!(node(&run, "n1").calls.len(), 1);
    run.apply(event(4, &told(1, 2, 10, 1)));
    assert_eq!((node(&run, "n1").calls.len(), node(&run, "n1").dropped_calls), (0, 1));
    assert_eq!(node(&run, "n2").calls.len(), 1);
    let mut n2 = node(&run, "n2").clone();
    n2.shrink_to(Kind::Calls, 0);
    assert_eq!((n2.calls.len(), n2.dropped_calls, n2.held().calls), (0, 1, 0));
}
