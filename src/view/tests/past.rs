//! The panes at an earlier event.

use super::super::Theme;
use super::scene::{Scene, busy, stream};
use super::screens::check;
use crate::app::Action;
use crate::run::Run;

const MONO: Theme = Theme { color: false, ascii: false };

/// Goes back to the event, as the disk would answer.
fn back_to(scene: &mut Scene, seq: u64) {
    scene.keys("[");
    let mut run = Run::new(scene.app.run.run_id);
    for entry in scene.app.run.history.entries() {
        run.take_up_to(seq, entry.clone());
    }
    let (number, _) = scene.app.past.as_ref().and_then(|past| past.loading).expect("it is on its way");
    scene.act(Action::PastLoaded { number, result: Ok(Some(Box::new(run))) });
}

#[test]
fn the_panes_at_an_earlier_event_at_every_size() {
    for (columns, rows) in [(120, 36), (80, 24), (60, 16)] {
        let mut scene = busy(columns, rows);
        // The node has waited for some seconds when the next one fails.
        back_to(&mut scene, 12);
        check(&format!("past_{columns}x{rows}"), &scene.screen(MONO));
    }
}

#[test]
fn while_the_first_model_is_made_the_line_says_so_and_the_panes_are_live() {
    let mut scene = busy(120, 36);
    let live = scene.screen(MONO);
    let going = scene.keys("[").screen(MONO);
    let told = going.lines().nth(1).unwrap();
    assert!(told.contains("going back from event") && told.ends_with("L live"), "{told}");
    assert_eq!(going.lines().nth(3), live.lines().nth(2));
}

#[test]
fn a_text_of_another_event_is_never_drawn_from_what_was_wrapped_before() {
    let mut scene = busy(120, 36);
    stream(&mut scene, "diagnose", "message_delta", "a piece of then\\n");
    let then = scene.app.run.last_seq;
    stream(&mut scene, "diagnose", "message_delta", "a line of now\\nand a piece of now");
    assert!(scene.screen(MONO).contains("a piece of now"));
    back_to(&mut scene, then);
    let then = scene.screen(MONO);
    assert!(then.contains("a piece of then") && !then.contains("of now"), "{then}");
    assert!(scene.keys("L").screen(MONO).contains("a piece of now"));
}

#[test]
fn time_stands_still_in_the_panes_and_goes_on_in_the_first_line() {
    let mut scene = busy(120, 36);
    back_to(&mut scene, 12);
    let before = scene.screen(MONO);
    let after = scene.wait(600).screen(MONO);
    let rows = |screen: &str, from: usize| screen.lines().skip(from).take(20).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&before, 1), rows(&after, 1));
    assert_ne!(rows(&before, 0)[0], rows(&after, 0)[0]);
}
