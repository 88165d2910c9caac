//! A model that begins at a checkpoint, and the fold of all events.

use super::*;
use crate::run::history::Entry;

/// What a fold is held against: everything but contents.
fn facts(run: &Run) -> Run {
    let nodes = run.nodes.iter().map(|(id, node)| (id.clone(), node.facts())).collect();
    Run { nodes, ..run.facts() }
}

fn rejected(seq: Option<u64>) -> Entry {
    let Err(mut error) = decode(b"{") else { panic!() };
    error.seq = seq;
    Entry::Rejected(error)
}

/// A run of some nodes: each pick is an event about a node, a rejected line or a gap.
fn entries(picks: &[(u8, u8)]) -> Vec<Entry> {
    let menu = [
        NODE.to_owned(),
        waiting(&["c1", "c2"]),
        result("c1"),
        result("c2"),
        llm_call(3, 4),
        llm_call(5, 6).replace(r#""step":1"#, r#""step":2"#),
        r#""type":"node_output_delta","node_id":"a","delta":{"kind":"message_delta","text_delta":"é"}"#.to_owned(),
        r#""type":"node_succeeded","node_id":"a""#.to_owned(),
        r#""type":"node_failed","node_id":"a","error":{"message":"m"}"#.to_owned(),
        r#""type":"node_output","node_id":"a","output":{"artifact_key":"k","info":{"bytes":2,"sha256":"aa","included":true},"content":{}}"#.to_owned(),
        r#""type":"scheduler_round_started","node_id":"a","scheduler_round_started":{"round_index":1}"#.to_owned(),
        r#""type":"memory_updated","plan_hash":"aa","memory_key":"m","memory":{"artifact_key":"k","info":{"bytes":2,"sha256":"aa","included":false}}"#.to_owned(),
    ];
    let mut seq = 1;
    let mut all = vec![Entry::Event(event(1, STARTED))];
    for (pick, node) in picks {
        seq += 1;
        let of_node = format!(r#""node_id":"n{node}""#);
        match usize::from(*pick) {
            pick if pick < menu.len() => {
                all.push(Entry::Event(event(seq, &menu[pick].replace(r#""node_id":"a""#, &of_node))));
            }
            12 => all.push(rejected(Some(seq))),
            13 => {
                seq -= 1;
                all.push(rejected(None));
            }
            _ => {
                all.push(Entry::Gap { first: seq, last: seq + 2 });
                seq += 2;
            }
        }
    }
    all
}

proptest! {
    #[test]
    fn the_model_at_any_event_is_the_fold_of_all_events_up_to_it(
        picks in proptest::collection::vec((0_u8..15, 0_u8..5), 1..120),
        spacing in 1_u64..20,
        budget in 5_000_usize..60_000,
        at in 1_u64..140,
    ) {
        let entries = entries(&picks);
        let mut checkpoints = Checkpoints::new(spacing, budget);
        let mut live = Run::new(RunId::parse(RUN).unwrap());
        for entry in entries.clone() {
            let is_event = matches!(entry, Entry::Event(_));
            live.take_up_to(u64::MAX, entry);
            if is_event {
                checkpoints.offer(&live);
            }
        }
        let mut fresh = Run::new(live.run_id);
        let mut all = entries.iter().cloned();
        while let Some(entry) = all.next() && fresh.take_up_to(at, entry) {}

        let base = checkpoints.before(live.run_id, at);
        prop_assert!(base.seq() <= at);
        let mut past = base.run();
        // What stands behind the checkpoint's event, as in the journal.
        let stands = entries.iter().position(|entry| matches!(entry, Entry::Event(e) if e.seq == base.seq()));
        let mut rest = entries.into_iter().skip(stands.map_or(0, |place| place + 1));
        while let Some(entry) = rest.next() && past.take_up_to(at, entry) {}
        prop_assert_eq!(facts(&past), facts(&fresh));
        prop_assert_eq!(past.status(), fresh.status());
        prop_assert_eq!(past.progress(), fresh.progress());
    }
}

#[test]
fn checkpoints_of_a_run_of_any_length_stay_within_their_budget_and_thin_out_evenly() {
    let mut run = fold(&[STARTED]);
    let budget = 40_000;
    let mut checkpoints = Checkpoints::new(4, budget);
    for seq in 2..2_000 {
        run.apply(event(seq, &llm_call(1, 1).replace(r#""node_id":"a""#, &format!(r#""node_id":"n{}""#, seq % 20))));
        checkpoints.offer(&run);
        let (kept, bytes) = checkpoints.extent();
        assert!(bytes <= budget || kept == 1, "{kept} checkpoints of {bytes} bytes");
    }
    let (kept, _) = checkpoints.extent();
    assert!(kept >= 2 && checkpoints.spacing() > 4);
    let seqs: Vec<u64> = (1..2_000).map(|seq| checkpoints.before(run.run_id, seq).seq()).collect();
    assert!(seqs.iter().zip(1..).all(|(base, seq)| seq - base < 2 * checkpoints.spacing()));
}

#[test]
fn a_run_that_begins_anew_has_no_checkpoints_of_what_it_was() {
    let mut run = fold(&[STARTED, NODE, NODE, NODE]);
    let mut checkpoints = Checkpoints::new(2, usize::MAX);
    checkpoints.offer(&run);
    assert_eq!(checkpoints.before(run.run_id, 4).seq(), 4);
    run.begin_anew();
    run.apply(event(1, STARTED));
    checkpoints.offer(&run);
    assert_eq!(checkpoints.before(run.run_id, 4).seq(), 0);
    assert_eq!(checkpoints.before(run.run_id, 4).run(), Run::new(run.run_id));
}

#[test]
fn a_model_of_the_past_has_the_nodes_of_now_in_their_order_and_none_of_their_statuses() {
    let mut now = fold(&[STARTED, NODE]);
    let past = now.clone();
    now.observe(&snapshot(
        r#""status":"succeeded","nodes":[{"id":"b","type":"join.all","status":"succeeded"},{"id":"a","type":"llm.responses","status":"succeeded"}]"#,
    ));
    let past = past.placed_as(&now);
    let nodes: Vec<_> = past.nodes.values().map(|node| (node.id.as_str(), past.node_status(node))).collect();
    assert_eq!(nodes, [("b", NodeStatus::Pending), ("a", NodeStatus::Running)]);
    assert_eq!(node(&past, "a").node_type, node(&now, "a").node_type);
}
