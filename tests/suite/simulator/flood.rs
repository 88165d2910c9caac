//! A run that is made as it is read: by its own events, and over real HTTP.

use relay_console::api::event::{self, Decoded, Event};
use relay_console::api::ids::RunId;
use relay_console::run::{Run, agreement};
use relay_console::simulator::flood::{Flood, FloodConfig};

fn decoded(line: &[u8]) -> Event {
    match event::decode(line.trim_ascii_end()).unwrap() {
        Decoded::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_snapshot_agrees_with_a_fold_at_every_seq() {
    for (events, nodes) in [(7, 1), (15, 3), (300, 12), (1500, 9)] {
        let flood = Flood::new(FloodConfig::of(events, nodes), RunId::random());
        let mut run = Run::new(flood.run_id());
        for seq in 1..=events {
            run.apply(decoded(flood.line(seq).as_bytes()));
            let snapshot = flood.snapshot_at(seq);
            assert!(agreement::agrees(&run, &snapshot), "{seq}: {:?}", agreement::compare(&run, Some(&snapshot)));
        }
    }
}
