//! What goes wrong around an operator: links that fail, windows that shrink, disks that refuse.

use std::time::Duration;

use super::desk::Desk;
use crate::app::Action;
use crate::feed::LinkState;

fn retrying() -> LinkState {
    LinkState::Retrying { at: "2026-11-22T10:00:30Z".parse().unwrap(), wait: Duration::from_secs(30), cause: "connection refused".into() }
}

/// Whether the next tick lies in the future, so that the loop can sleep.
fn rests(desk: &Desk) -> bool {
    desk.app.next_tick().is_none_or(|at| at > desk.app.now.uptime)
}

#[test]
fn a_read_that_waits_for_the_link_does_not_turn_the_loop() {
    for link in [retrying(), LinkState::Connecting, LinkState::CatchingUp { applied: 1 }] {
        let mut desk = Desk::new();
        desk.act(Action::RunRead(Err("the link broke".into())));
        desk.link(link.clone());
        desk.press('r');
        assert!(rests(&desk), "after r, {link:?}");
        desk.event(r#""type":"node_succeeded","node_id":"a""#);
        desk.wait(5_000);
        assert!(rests(&desk), "after an end of a node, {link:?}");
    }
}
