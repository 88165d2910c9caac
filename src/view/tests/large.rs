//! Lists of which only what is in sight is made show what the whole list shows there.

use crossterm::event::KeyCode;

use super::super::Theme;
use super::scene::{REQUEST, Scene, text_of};
use crate::app::Tab;
use crate::feed::LinkState;

const MONO: Theme = Theme { color: false, ascii: false };

/// A run of so many nodes with two steps and two calls each, and one in three without any.
fn run_of(nodes: usize, rows: u16) -> Scene {
    let mut scene = Scene::new(120, rows);
    scene.link(LinkState::Live).event(r#""type":"run_started","plan_hash":"3f""#);
    for node in 0..nodes {
        scene.event(&format!(r#""type":"node_started","node_id":"node_{node}""#));
        for step in (1..=2).filter(|_| node % 3 != 1) {
            scene.event(&format!(
                r#""type":"node_tool_call","node_id":"node_{node}","tool_call":{{"step":{step},"request_id":"{REQUEST}","tool_call":{{"id":"call_{node}_{step}","name":"look_{node}_{step}","arguments":"{{}}"}}}}"#
            ));
        }
    }
    scene.key(KeyCode::Home).key(KeyCode::Enter);
    scene
}

/// Turns to a tab of the detail pane.
fn turn_to(scene: &mut Scene, tab: Tab) {
    while scene.app.shown_tab() != tab {
        scene.key(KeyCode::Right);
    }
}

/// What stands in the detail pane, without its border, its tabs and the row of titles.
fn body(scene: &mut Scene) -> Vec<String> {
    let (buffer, _, _) = scene.draw(MONO);
    let (area, left) = (scene.app.layout().detail, usize::from(scene.app.layout().detail.x));
    let rows = text_of(&buffer);
    let rows = rows.lines().skip(usize::from(area.y) + 3).take(usize::from(area.height) - 4);
    let inside = rows.map(|row| row.chars().skip(left + 1).take(usize::from(area.width) - 2).collect::<String>());
    inside.map(|row| row.trim_end().to_owned()).collect()
}

#[test]
fn the_steps_in_sight_are_those_of_the_whole_list_whichever_is_selected() {
    let (mut tall, mut low) = (run_of(24, 120), run_of(24, 30));
    for scene in [&mut tall, &mut low] {
        turn_to(scene, Tab::Steps);
        scene.key(KeyCode::Home);
    }
    let mut firsts = Vec::new();
    for _ in 0..32 {
        let (whole, part) = (body(&mut tall), body(&mut low));
        assert!(whole.iter().filter(|row| row.contains("look_")).count() == 32, "all of it: {whole:#?}");
        let first = whole.windows(part.len()).position(|rows| rows == part);
        assert!(part.iter().any(|row| row.contains('▸')), "{part:#?}");
        firsts.push(first.unwrap_or_else(|| panic!("{part:#?} is no part of {whole:#?}")));
        tall.key(KeyCode::Down);
        low.key(KeyCode::Down);
    }
    assert!(firsts.is_sorted() && firsts.first() < firsts.last(), "{firsts:?}");
}

#[test]
fn of_very_many_calls_the_runs_own_list_shows_the_newest_and_says_so_and_a_node_shows_all_of_its_own() {
    let mut scene = run_of(240, 30);
    turn_to(&mut scene, Tab::Calls);
    assert!(body(&mut scene).join("\n").contains("look_239_2"), "the newest at its end");
    scene.key(KeyCode::Home);
    let first = body(&mut scene).join("\n");
    let above = scene.screen(MONO);
    assert!(above.contains("the newest 200 of 320"), "{above}");
    assert!(!first.contains("look_0_1") && first.contains("look_90_1"), "{first}");
    scene.key(KeyCode::Esc).key(KeyCode::Home).key(KeyCode::Down);
    turn_to(&mut scene, Tab::Calls);
    let first = body(&mut scene).join("\n");
    assert!(first.contains("look_0_2"), "{first}");
}
