//! The whole screen and each pane, at the sizes that matter, looked at by eye before they were accepted.

use std::path::Path;

use crossterm::event::KeyCode;

use super::super::Theme;
use super::scene::{Scene, busy};

const MONO: Theme = Theme { color: false, ascii: false };

fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn screen(name: &str, scene: &mut Scene) {
    check(name, &scene.screen(MONO));
}

const SIZES: [(u16, u16); 4] = [(120, 36), (80, 24), (60, 16), (50, 10)];

#[test]
fn the_whole_screen_at_every_size() {
    for (columns, rows) in SIZES {
        screen(&format!("browse_{columns}x{rows}"), &mut busy(columns, rows));
    }
}

#[test]
fn an_answer_at_every_size() {
    for (columns, rows) in SIZES {
        let mut scene = busy(columns, rows);
        scene.keys("w").key(KeyCode::Enter).keys("{\"ok\": tru");
        screen(&format!("answer_{columns}x{rows}"), &mut scene);
    }
}

#[test]
fn a_review_at_every_size() {
    for (columns, rows) in SIZES {
        let mut scene = busy(columns, rows);
        scene.keys("w").key(KeyCode::Enter).keys("{\"ok\": true}").ctrl('s');
        scene.screen(MONO);
        scene.wait(1);
        screen(&format!("review_{columns}x{rows}"), &mut scene);
    }
}
