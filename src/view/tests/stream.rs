//! The stream's verdict in the run's own page, and the page that lists what was odd.

use std::time::Duration;

use super::super::Theme;
use super::scene::{REQUEST, RUN, Scene, at};
use super::screens::check;
use crate::api::event::decode;
use crate::app::Action;
use crate::feed::{FeedItem, FeedUpdate, LinkState};

const MONO: Theme = Theme { color: false, ascii: false };
const SIZES: [(u16, u16); 3] = [(120, 36), (100, 30), (60, 16)];

fn items(scene: &mut Scene, items: Vec<FeedItem>) {
    scene.act(Action::Feed(FeedUpdate::Items(items)));
}

fn rejected(line: &str) -> FeedItem {
    FeedItem::Rejected(decode(line.as_bytes()).unwrap_err())
}

/// A run that has ended and whose stream had a bit of everything.
fn odd(columns: u16, rows: u16) -> Scene {
    let mut scene = Scene::new(columns, rows);
    scene.link(LinkState::Live);
    scene.event(r#""type":"run_started","plan_hash":"3f""#).event(r#""type":"node_started","node_id":"a""#);
    items(&mut scene, vec![FeedItem::Duplicates(3)]);
    scene.event(r#""type":"run_\u001b[2Jdreams","dream":{"of":"sheep"}"#);
    scene.wait(70);
    let cause = "prod.example: the connection was cut within a line".to_owned();
    scene.link(LinkState::Retrying { at: at(71), wait: Duration::from_secs(1), cause, class: None });
    scene.link(LinkState::Live);
    let long = format!(r#"{{"seq":"\u202e{}"}}"#, "x".repeat(3_000));
    items(&mut scene, vec![rejected("nonsense \u{1b}]52;c;aGk=\u{7} \u{202e}"), rejected(&long)]);
    scene.event(&format!(
        r#""type":"node_waiting","node_id":"a","waiting":{{"step":1,"request_id":"{REQUEST}","reason":"","pending_tool_calls":[]}}"#
    ));
    scene.gap(3).event(r#""type":"run_failed","plan_hash":"3f","error":{"message":"boom"}"#);
    scene.link(LinkState::Ended).wait(5);
    scene
}

/// The snapshot as it is read when nothing moves, until it counts.
fn read(scene: &mut Scene, rest: &str) {
    for _ in 0..4 {
        let snapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}",{rest}}}"#)).unwrap();
        scene.act(Action::RunRead(Ok((Box::new(snapshot), None)))).wait(2);
    }
}

#[test]
fn the_runs_own_page_says_what_the_stream_has_proved() {
    for (columns, rows) in SIZES {
        let mut scene = odd(columns, rows);
        read(
            &mut scene,
            r#""status":"failed","nodes":[{"id":"a","type":"llm.responses","status":"succeeded"},{"id":"b","type":"join.all","status":"succeeded"}]"#,
        );
        if columns < 100 {
            scene.keys("\t\t");
        }
        scene.key(crossterm::event::KeyCode::Tab).key(crossterm::event::KeyCode::Tab).keys("g");
        check(&format!("stream_run_{columns}x{rows}"), &scene.screen(MONO));
    }
}

#[test]
fn the_page_lists_what_was_odd_with_its_place_and_the_rejected_lines() {
    for (columns, rows) in SIZES {
        let mut scene = odd(columns, rows);
        read(&mut scene, r#""status":"failed""#);
        scene.keys("o");
        check(&format!("stream_page_{columns}x{rows}"), &scene.screen(MONO));
    }
}

#[test]
fn a_stream_without_anything_odd_says_so_and_a_verdict_is_of_its_moment() {
    let mut scene = Scene::new(120, 36);
    scene.link(LinkState::Live);
    scene.event(r#""type":"run_started","plan_hash":"3f""#);
    assert!(scene.keys("o").screen(MONO).contains("not compared yet"));
    read(&mut scene, r#""status":"running""#);
    let page = scene.screen(MONO);
    assert!(page.contains("agrees with the server's") && page.contains("nothing was odd"), "{page}");
    scene.event(r#""type":"node_started","node_id":"a""#);
    let page = scene.screen(MONO);
    assert!(page.contains("agreed with the server's at seq 1; not compared since"), "{page}");
}

#[test]
fn a_run_that_differs_says_so_in_the_first_line() {
    let mut scene = Scene::new(120, 36);
    scene.link(LinkState::Live);
    scene.event(r#""type":"run_started","plan_hash":"3f""#);
    // The first reading was asked for before the event came.
    read(scene.keys("r"), r#""status":"failed""#);
    let screen = scene.screen(MONO);
    assert!(screen.lines().next().unwrap().contains("▲ snapshot differs"), "{screen}");
}

#[test]
fn a_replay_names_its_file_in_the_place_of_server_and_link() {
    for (columns, rows) in SIZES {
        let mut scene = super::scene::busy(columns, rows);
        scene.app.replay = true;
        scene.app.identity.server = "events.ndjson".into();
        scene.link(LinkState::EndOfFile);
        check(&format!("replay_{columns}x{rows}"), &scene.screen(MONO));
    }
}
