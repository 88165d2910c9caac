//! What the nodes add up to is known without counting them, and is the same.

use proptest::prelude::*;

use super::super::*;
use super::{REQUEST, RUN, event, snapshot};

/// What may happen to a run, by number; `node` is one of a few.
fn happen(run: &mut Run, seq: u64, what: usize, node: usize) {
    let id = ["a", "map", "map__1", "longer_than_the_others"][node];
    let about = |kind: &str, rest: &str| format!(r#""type":"{kind}","node_id":"{id}"{rest}"#);
    let call = r#""tool_call":{"id":"c","name":"look","arguments":"{}"}"#;
    let step = format!(r#""step":{seq},"request_id":"{REQUEST}""#);
    let rest = match what {
        0 => about("node_started", ""),
        1 => about("node_succeeded", ""),
        2 => about("node_failed", r#","error":{"message":"no"}"#),
        3 => about("node_llm_call", &format!(r#","llm_call":{{{step}}}"#)),
        4 => about("node_tool_call", &format!(r#","tool_call":{{{step},{call}}}"#)),
        5 => about("node_output_delta", r#","delta":{"kind":"message_delta","text_delta":"x"}"#),
        6 => r#""type":"run_started","plan_hash":"aa""#.to_owned(),
        7 => r#""type":"run_canceled","plan_hash":"aa","error":{"message":"no"}"#.to_owned(),
        8 => return run.skip(seq, seq),
        9 => {
            return run.observe(&snapshot(&format!(
                r#""status":"running","nodes":[{{"id":"map","type":"map.fanout","status":"succeeded"}},{{"id":"{id}","type":"llm.responses","status":"failed"}}]"#
            )));
        }
        _ => return run.begin_anew(),
    };
    run.apply(event(seq, &rest));
}

proptest! {
    #[test]
    fn whatever_happens_the_tally_is_what_counting_all_nodes_gives(
        happened in proptest::collection::vec((0_usize..11, 0_usize..4), 0..40),
    ) {
        let mut run = Run::new(RunId::parse(RUN).unwrap());
        for (seq, (what, node)) in (1..).zip(happened) {
            happen(&mut run, seq, what, node);
            prop_assert_eq!(*run.tally(), Tally::of(&run.nodes, run.circumstances()));
            let ended = run.nodes.values().filter(|node| run.node_status(node).is_terminal()).count();
            prop_assert_eq!(run.progress(), (ended, run.nodes.len()));
        }
    }
}

#[test]
fn nodes_stand_in_the_servers_order_and_those_that_it_does_not_list_follow() {
    let mut run = Run::new(RunId::parse(RUN).unwrap());
    for (seq, id) in (1..).zip(["d", "x", "b", "y", "a"]) {
        run.apply(event(seq, &format!(r#""type":"node_started","node_id":"{id}""#)));
    }
    let listed = ["a", "b", "c", "d"].map(|id| format!(r#"{{"id":"{id}","type":"llm.responses","status":"running"}}"#));
    run.observe(&snapshot(&format!(r#""status":"running","nodes":[{}]"#, listed.join(","))));
    let order: Vec<_> = run.nodes.keys().map(NodeId::as_str).collect();
    assert_eq!(order, ["a", "b", "c", "d", "x", "y"]);
}
