//! The whole screen and each pane, at the sizes that matter, looked at by eye before they were accepted.

use std::path::Path;
use std::time::Duration;

use crossterm::event::KeyCode;

use super::super::Theme;
use super::scene::{REQUEST, RUN, Scene, at, busy};
use crate::api::error::Class;
use crate::app::{Action, Level, Mode, Page, PageContent};
use crate::feed::LinkState;

const MONO: Theme = Theme { color: false, ascii: false };

pub(super) fn check(name: &str, text: &str) {
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

/// Writes pictures of sample screens into the directory that `VIEW_PICTURES` names, to be looked at.
#[test]
fn sample_screens_become_pictures() {
    let color = Theme { color: true, ascii: false };
    for (columns, rows) in [(120, 36), (80, 24), (60, 16)] {
        let mut scene = busy(columns, rows);
        let mut pictures = vec![("browse", scene.draw(color).0)];
        scene.keys("w").key(KeyCode::Enter).keys("{\"ok\": tru");
        pictures.push(("answer", scene.draw(color).0));
        scene.keys("e}").ctrl('s');
        scene.draw(color);
        scene.wait(1);
        pictures.push(("review", scene.draw(color).0));
        scene.key(KeyCode::Esc).key(KeyCode::Esc).key(KeyCode::Tab).keys("l");
        scene.key(KeyCode::Tab).key(KeyCode::Tab);
        pictures.push(("calls", scene.draw(color).0));
        scene.keys("l");
        pictures.push(("events", scene.draw(color).0));
        scene.keys("?");
        pictures.push(("help", scene.draw(color).0));
        for (name, buffer) in pictures {
            let svg = super::super::picture::svg(&buffer, "relay-console");
            assert_eq!(svg.matches("<svg").count(), 1);
            assert!(svg.contains("relay-console</title>") && svg.ends_with("</svg>\n"), "{name}");
            if let Some(directory) = std::env::var_os("VIEW_PICTURES") {
                std::fs::write(Path::new(&directory).join(format!("{name}_{columns}x{rows}.svg")), svg).unwrap();
            }
        }
    }
}

/// How the screen is drawn beside its letters: per row, runs of cells that are not plain.
fn styles(buffer: &ratatui::buffer::Buffer) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for row in buffer.area.rows() {
        let mut runs: Vec<(ratatui::style::Style, String)> = Vec::new();
        for position in row.positions() {
            let cell = &buffer[position];
            match runs.last_mut() {
                Some((style, text)) if *style == cell.style() => text.push_str(cell.symbol()),
                _ => runs.push((cell.style(), cell.symbol().to_owned())),
            }
        }
        for (style, text) in runs {
            let (fg, bg) = (style.fg.unwrap_or_default(), style.bg.unwrap_or_default());
            let plain = fg == ratatui::style::Color::Reset && style.add_modifier.is_empty();
            if !plain && !text.trim_matches(['─', '│', ' ']).is_empty() {
                let text: String = text.trim().chars().take(40).collect();
                let _ = writeln!(out, "{:>3} {fg:?}/{bg:?} {:?} {text}", row.y, style.add_modifier);
            }
        }
    }
    out
}

const COLOR: Theme = Theme { color: true, ascii: false };
const ASCII: Theme = Theme { color: false, ascii: true };

#[test]
fn colours_repeat_what_glyphs_and_words_say() {
    let mut scene = busy(120, 36);
    check("styles_color", &styles(&scene.draw(COLOR).0));
    check("styles_monochrome", &styles(&scene.draw(MONO).0));
    scene.keys("w").key(KeyCode::Enter).keys("nope\u{200b}");
    check("styles_answer", &styles(&scene.draw(COLOR).0));
}

#[test]
fn a_monochrome_screen_sets_no_colour_and_an_ascii_screen_has_only_ascii_in_its_chrome() {
    let mut scene = busy(120, 36);
    scene.event(r#""type":"run_failed","plan_hash":"3f","error":{"message":"m"}"#);
    for mode in ["", "w", "?", ":"] {
        scene.key(KeyCode::Esc).keys(mode).key(KeyCode::Enter);
        let (buffer, _, _) = scene.draw(MONO);
        let colored = |cell: &&ratatui::buffer::Cell| {
            cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset
        };
        assert_eq!(buffer.content().iter().find(colored), None, "{mode:?}");
    }
    let mut scene = Scene::new(120, 36);
    scene
        .event(r#""type":"run_started","plan_hash":"3f""#)
        .event(r#""type":"node_failed","node_id":"a","error":{"message":"m"}"#);
    scene.link(LinkState::Live);
    for mode in ["", "?", ":", "/"] {
        scene.key(KeyCode::Esc).keys(mode);
        let text = scene.screen(ASCII);
        assert!(text.is_ascii(), "{mode:?}: {text}");
    }
    screen_in("browse_ascii", &mut busy(120, 36), ASCII);
}

fn screen_in(name: &str, scene: &mut Scene, theme: Theme) {
    check(name, &scene.screen(theme));
}

#[test]
fn every_state_of_the_link_and_of_the_run() {
    let mut out = Vec::new();
    let mut line = |name: &str, scene: &mut Scene| {
        let screen = scene.screen(MONO);
        out.push(format!("{name:<10}|{}", screen.lines().next().unwrap_or_default()));
    };
    for columns in [120, 80, 60] {
        line("unknown", &mut Scene::new(columns, 20));
        let mut scene = busy(columns, 20);
        for (name, link) in [
            ("catching", LinkState::CatchingUp { applied: 12_345 }),
            ("stale", LinkState::Stale { since: at(50) }),
            (
                "retrying",
                LinkState::Retrying {
                    at: at(93),
                    wait: Duration::from_secs(12),
                    cause: "reset".into(),
                    class: Some(Class::Unavailable),
                },
            ),
            (
                "retrying 0",
                LinkState::Retrying {
                    at: at(3),
                    wait: Duration::from_secs(12),
                    cause: "reset".into(),
                    class: Some(Class::Unavailable),
                },
            ),
            ("refused", LinkState::Refused { cause: "401".into(), class: Class::Unauthorized }),
        ] {
            line(name, scene.link(link));
        }
        line("gap", scene.link(LinkState::Live).gap(3));
        scene.event(r#""type":"node_started","node_id":7"#);
        line("rejected", &mut scene);
        scene.event(r#""type":"run_canceled","plan_hash":"3f","error":{"message":"by hand"}"#);
        line("canceled", scene.link(LinkState::Ended));
    }
    check("first_line", &out.join("\n"));
}

#[test]
fn an_empty_console_says_what_it_waits_for() {
    screen("empty_120x36", &mut Scene::new(120, 36));
    screen("empty_60x16", &mut Scene::new(60, 16));
}

#[test]
fn the_detail_pane_of_every_kind() {
    let mut scene = busy(120, 36);
    scene.event(&format!(
        r#""type":"node_tool_result","node_id":"roll_back","tool_result":{{"step":1,"request_id":"{REQUEST}","tool_call":{{"id":"call_1","name":"roll_back_deploy"}},"output":"{{\"ok\":true,\"took\":\"12s\"}}"}}"#
    ));
    scene.event(r#""type":"node_output","node_id":"roll_back","output":{"artifact_key":"k","info":{"bytes":54,"sha256":"00","included":true},"content":{"done":true,"targets":["eu-1","eu-2"]}}"#);
    scene.event(r#""type":"node_output","node_id":"collect_logs","output":{"artifact_key":"k","info":{"bytes":3400000,"sha256":"00","included":false}}"#);
    scene.key(KeyCode::Home);
    screen("detail_run", &mut scene);
    scene.key(KeyCode::Down);
    screen("detail_not_inline", &mut scene);
    scene.key(KeyCode::Down).key(KeyCode::Down);
    screen("detail_node", &mut scene);
    scene.keys("ll");
    screen("detail_calls", &mut scene);
    scene.key(KeyCode::Home).keys("l").key(KeyCode::Enter).key(KeyCode::Up).key(KeyCode::Up);
    screen("detail_events", &mut scene);
}

#[test]
fn a_run_that_ended_badly_with_everything_odd() {
    let mut scene = busy(120, 36);
    scene.gap(3).event(r#""type":"quantum_leap","x":1"#).event(r#""type":"node_started","node_id":7"#);
    scene.event(r#""type":"task_list_updated","plan_hash":"3f","task_list":{"artifact_key":"k","info":{"bytes":3,"sha256":"00","included":false}}"#);
    scene.event(r#""type":"memory_updated","plan_hash":"3f","memory_key":"findings","memory":{"artifact_key":"k","info":{"bytes":3,"sha256":"00","included":false}}"#);
    scene.key(KeyCode::Esc).keys("w").key(KeyCode::Enter).keys("kept").key(KeyCode::Esc);
    scene.event(r#""type":"run_failed","plan_hash":"3f","error":{"code":"TIMEOUT","message":"the run took too long"}"#);
    scene
        .snapshot(r#""status":"failed","parent_run_id":"550e8400-e29b-41d4-a716-446655440009""#)
        .link(LinkState::Ended);
    screen("ended_120x36", &mut scene);
}

#[test]
fn a_scheduler_with_its_agents() {
    let mut scene = Scene::new(120, 36);
    let told = |kind: &str, rest: &str| {
        format!(r#""type":"scheduler_{kind}","node_id":"panel","scheduler_{kind}":{{{rest}}}"#)
    };
    scene.event(r#""type":"run_started","plan_hash":"3f""#).event(r#""type":"node_started","node_id":"panel""#);
    for event in [
        told(
            "started",
            r#""topic":"Which fix is safest?","participants":[{"agent_id":"critic","role":"finds faults"},{"agent_id":"author","role":"writes"},{"agent_id":"judge"}],"policy":{"max_rounds":3,"max_concurrency":2,"max_steps":9,"timeout_ms":60000}"#,
        ),
        told("round_started", r#""round_index":1"#),
        told("coordinator_completed", r#""decision":{"next":["critic","author"]}"#),
        told("agent_started", r#""agent_id":"critic","agent_run_id":"550e8400-e29b-41d4-a716-446655440042""#),
        told(
            "agent_completed",
            r#""agent_id":"critic","status":"succeeded","summary":"The rollback is safe; the new pool size is the cause, and the old one worked.""#,
        ),
        told("message_sent", r#""message_id":"m1","to":"author""#),
        told("agent_started", r#""agent_id":"author","agent_run_id":"550e8400-e29b-41d4-a716-446655440043""#),
    ] {
        scene.event(&event);
    }
    screen("detail_scheduler", scene.link(LinkState::Live));
    scene.app.command = ["relay-console", RUN, "--profile", "staging"].map(str::to_owned).to_vec();
    scene.snapshot(r#""status":"running","parent_run_id":"550e8400-e29b-41d4-a716-446655440009""#);
    scene.wait(75);
    screen("runs_120x36", scene.key(KeyCode::Home).key(KeyCode::Enter).keys("hj"));
    scene.act(Action::Resize(60, 16));
    screen("runs_60x16", scene.keys("j"));
}

#[test]
fn the_lines_that_are_typed_into_and_the_pages() {
    let mut scene = busy(120, 36);
    screen("filter", scene.keys("/").keys("roll"));
    screen("palette", scene.key(KeyCode::Esc).keys(":").keys("re"));
    screen("help_120x36", scene.key(KeyCode::Esc).keys("?"));
    let mut scene = busy(60, 16);
    screen("help_60x16", scene.keys("?"));
    screen("palette_60x16", scene.key(KeyCode::Esc).keys(":"));
    let mut scene = busy(80, 24);
    scene.app.notify(Level::Error, "refused: the server says that this call belongs to another step (409 CONFLICT). Your text is kept (request 7f3a)");
    screen("notice_80x24", &mut scene);
    scene.app.mode = Mode::Page(Page { content: PageContent::Notices, scroll: 0 });
    screen("notices_80x24", &mut scene);
    let line = r#"{"envelope_version":"v2","seq":9,"node_id":"a","delta":{"kind":"message_delta","text_delta":"hi"}}"#;
    scene.app.mode =
        Mode::Page(Page { content: PageContent::Event { seq: 9, line: Some(Ok(line.into())) }, scroll: 0 });
    screen("event_80x24", &mut scene);
}

#[test]
fn no_notice_covers_what_a_review_shows_nor_whether_its_keys_count() {
    for (columns, rows) in [(120, 36), (80, 24), (60, 16)] {
        let mut scene = busy(columns, rows);
        scene.keys("w").key(KeyCode::Enter).keys("{}").ctrl('s');
        let before = scene.screen(MONO);
        assert!(before.contains("Read what is sent"), "{before}");
        scene.app.notify(Level::Error, "an error of many words ".repeat(20));
        let after = scene.screen(MONO);
        let but_the_last =
            |screen: &str| screen.trim_end().lines().take(usize::from(rows) - 1).collect::<Vec<_>>().join("\n");
        assert_eq!(but_the_last(&after), but_the_last(&before));
        assert!(after.contains("an error of many words"), "{after}");
    }
}

#[test]
fn no_notice_covers_what_waits_nor_the_end_of_a_text_nor_the_state_of_its_draft() {
    for (columns, rows) in [(120, 36), (80, 24), (60, 16)] {
        let mut scene = busy(columns, rows);
        scene.app.notify(Level::Error, "an error of many words ".repeat(20));
        let listed = scene.screen(MONO);
        let (list, said) = (listed.find("roll_back 1").unwrap(), listed.find("an error of many words").unwrap());
        assert!(list < said && listed[list..said].contains(['┛', '╯']), "{listed}");
        scene.keys("w").key(KeyCode::Enter);
        scene.act(Action::Paste(format!("{}the end", "a line\n".repeat(40))));
        let open = scene.screen(MONO);
        for words in ["an error of many words", "the end", "not JSON", "Ctrl-S"] {
            assert!(open.contains(words), "{words}: {open}");
        }
    }
}

#[test]
fn an_answer_in_each_of_its_states() {
    let mut scene = busy(120, 36);
    scene.keys("w").key(KeyCode::Enter);
    screen("answer_empty", &mut scene);
    scene.act(Action::Paste("{\n  \"stadt\": \"東京\",\n  \"note\": \"ok\u{200b}\"\n}".into()));
    screen("answer_hidden_characters", &mut scene);
    screen("answer_prefix", scene.ctrl('x'));
    screen("answer_error", scene.keys("t"));
    screen("answer_file", scene.ctrl('x').keys("o").keys("~/result.json"));
    screen("answer_arguments", scene.key(KeyCode::Esc).key(KeyCode::Tab));
    scene.key(KeyCode::Tab);
    let key = scene.app.answering().unwrap().key.clone();
    scene.act(Action::DraftSaved { key: key.clone(), result: Err("no space left on device".into()) });
    screen("answer_not_saved", scene.key(KeyCode::Esc).key(KeyCode::Esc).key(KeyCode::Enter));
    scene.act(Action::DraftSaved { key: key.clone(), result: Err(format!("cannot make {}", "/long/path".repeat(20))) });
    assert!(scene.screen(MONO).contains("NOT on disk: cannot"), "{}", scene.screen(MONO));
    scene.event(&format!(
        r#""type":"node_tool_result","node_id":"roll_back","tool_result":{{"step":1,"request_id":"{REQUEST}","tool_call":{{"id":"call_1","name":"roll_back_deploy"}},"output":"{{\"ok\":true}}"}}"#
    ));
    screen("answer_gone", &mut scene);
}

#[test]
fn a_question_with_its_options() {
    let mut scene = busy(120, 36);
    scene.keys("ww").key(KeyCode::Enter);
    screen("question", &mut scene);
    screen("question_chosen", scene.key(KeyCode::Down));
    let mut scene = busy(60, 16);
    screen("question_60x16", scene.keys("ww").key(KeyCode::Enter).keys("Ask me"));
}

#[test]
fn a_review_of_one_call_and_of_several() {
    let mut scene = busy(120, 36);
    scene.keys("ww").key(KeyCode::Enter).key(KeyCode::Down).ctrl('s');
    scene.screen(MONO);
    screen("review_swallowed", scene.key(KeyCode::Enter));
    let mut scene = Scene::new(120, 36);
    scene.event(r#""type":"run_started","plan_hash":"3f""#).event(&format!(
        r#""type":"node_waiting","node_id":"book","waiting":{{"step":2,"request_id":"{REQUEST}","reason":"tool_execution","pending_tool_calls":[{{"tool_call":{{"id":"c1","name":"hotel.find","arguments":"{{}}"}}}},{{"tool_call":{{"id":"c2","name":"flight.find","arguments":"{{}}"}}}}]}}"#
    ));
    scene.link(LinkState::Live);
    scene.keys("w").key(KeyCode::Enter).keys("{\"hotel\": 3}").key(KeyCode::Esc);
    scene.keys("w").key(KeyCode::Enter).keys("none\u{202e} found").ctrl('x').keys("t").ctrl('s');
    scene.screen(MONO);
    scene.wait(1).keys("a");
    scene.screen(MONO);
    screen("review_together", scene.wait(1));
}

#[test]
fn a_review_longer_than_its_window_is_read_to_its_end() {
    let mut scene = busy(60, 16);
    let text: Vec<String> = (0..5_000).map(|line| format!("line {line}")).collect();
    scene.keys("w").key(KeyCode::Enter).act(Action::Paste(text.join("\n"))).ctrl('s');
    assert!(scene.screen(MONO).contains("more below"));
    scene.wait(1);
    scene.screen(MONO);
    scene.key(KeyCode::PageDown).key(KeyCode::Down);
    screen("review_scrolled_60x16", &mut scene);
    for _ in 0..600 {
        scene.key(KeyCode::PageDown);
    }
    let end = scene.screen(MONO);
    assert!(end.contains("line 4999") && !end.contains("more below"), "{end}");
    assert!(matches!(scene.app.mode, Mode::Review(_)));
    scene.key(KeyCode::Home);
    assert!(matches!(scene.app.mode, Mode::Answering(_)), "any key that is not its own goes back");
    let mut short = busy(60, 16);
    short.keys("w").key(KeyCode::Enter).keys("1").ctrl('s');
    short.screen(MONO);
    short.wait(1);
    short.key(KeyCode::PageDown);
    assert!(matches!(short.app.mode, Mode::Answering(_)), "there is nothing to scroll");
}

#[test]
fn a_cost_pane_with_more_models_than_rows_is_read_to_its_end() {
    let mut scene = busy(60, 16);
    let line = |at: usize| {
        format!(
            r#"{{"provider_id":"p","model":"model-{at}","requests":1,"input_tokens":1,"output_tokens":1,"usd_cents":1}}"#
        )
    };
    let lines: Vec<String> = (0..30).map(line).collect();
    scene.snapshot(&format!(
        r#""status":"waiting","cost_summary":{{"total_usd_cents":30,"line_items":[{}]}}"#,
        lines.join(",")
    ));
    scene.key(KeyCode::Tab).key(KeyCode::PageDown);
    screen("cost_scrolled_60x16", &mut scene);
    scene.key(KeyCode::End);
    assert!(scene.screen(MONO).contains("model-29"), "{}", scene.screen(MONO));
    assert!(scene.key(KeyCode::Home).screen(MONO).contains("model-0 "), "{}", scene.screen(MONO));
}

#[test]
fn narrow_wide_and_crowded() {
    let mut scene = busy(100, 30);
    screen("browse_100x30", &mut scene);
    let mut scene = busy(200, 50);
    for item in 0..120 {
        scene.event(&format!(r#""type":"node_started","node_id":"任务[{item}].分类""#));
        if item % 3 > 0 {
            scene.event(&format!(r#""type":"node_succeeded","node_id":"任务[{item}].分类""#));
        }
    }
    screen("crowded_200x50", &mut scene);
    scene.act(Action::Resize(99, 20));
    screen("crowded_99x20", &mut scene);
}

#[test]
fn a_fan_out_is_one_row_with_what_fails_and_waits_in_it() {
    for (columns, rows) in [(120, 36), (60, 16)] {
        let mut scene = Scene::new(columns, rows);
        scene.event(r#""type":"run_started","plan_hash":"3f""#).event(r#""type":"node_started","node_id":"classify""#);
        for item in 0..40 {
            scene.event(&format!(r#""type":"node_started","node_id":"classify__{item}""#));
            match item % 10 {
                0 => scene
                    .event(&format!(r#""type":"node_failed","node_id":"classify__{item}","error":{{"message":"m"}}"#)),
                1..6 => scene.event(&format!(r#""type":"node_succeeded","node_id":"classify__{item}""#)),
                _ => &mut scene,
            };
        }
        scene.snapshot(r#""status":"running","nodes":[{"id":"classify","type":"map.fanout","status":"running"},{"id":"report","type":"llm.responses","status":"pending"}]"#);
        scene.link(LinkState::Live);
        scene.key(KeyCode::Home).key(KeyCode::Down);
        screen(&format!("fan_out_{columns}x{rows}"), &mut scene);
        screen(&format!("fan_out_open_{columns}x{rows}"), scene.keys(" "));
    }
}

#[test]
fn the_cursor_stands_where_the_next_letter_goes() {
    let mut scene = busy(120, 36);
    scene.keys("w").key(KeyCode::Enter);
    let inner = crate::app::layout::inside(scene.app.layout().editor);
    let cursor = |scene: &mut Scene| scene.draw(MONO).1.unwrap();
    assert_eq!(cursor(&mut scene), (inner.x + 1, inner.y).into());
    scene.keys("漢é");
    assert_eq!(cursor(&mut scene), (inner.x + 4, inner.y).into());
    scene.key(KeyCode::Enter).keys("ab").key(KeyCode::Left);
    assert_eq!(cursor(&mut scene), (inner.x + 2, inner.y + 1).into());
    scene.key(KeyCode::Tab);
    assert_eq!(scene.draw(MONO).1, None, "keys go to the arguments");
    let mut scene = busy(120, 36);
    let at = scene.keys("/ab").draw(MONO).1.unwrap();
    assert_eq!(at.y, 35);
}

#[test]
fn an_output_that_is_text_reads_as_text() {
    let mut scene = busy(120, 36);
    scene.event(r#""type":"node_output","node_id":"diagnose","output":{"artifact_key":"k","info":{"bytes":99,"sha256":"00","included":true},"content":{"id":"r1","output":[{"type":"message","content":[{"type":"text","text":"The pool is too small.\nRaise it to 40."}]}],"usage":{"input_tokens":5}}}"#);
    screen("detail_text", &mut scene);
    scene.event(r#""type":"run_completed","plan_hash":"3f","outputs":{"artifact_key":"k","info":{"bytes":99,"sha256":"00","included":true},"content":{"report":"Rolled back at 14:09.","lost":{"orders":12}}}"#);
    screen("detail_outputs", &mut scene);
}

#[test]
fn what_cannot_be_seen_stands_in_the_editor_as_a_mark_where_it_is_and_the_cursor_goes_over_it() {
    let mut scene = busy(120, 36);
    scene.keys("w").key(KeyCode::Enter);
    let text = "a\u{1b}[2J\u{202e}b\u{200d}\u{f0001}\n\u{301}c\u{feff}";
    scene.act(Action::Paste(text.into()));
    let inner = crate::app::layout::inside(scene.app.layout().editor);
    let (buffer, cursor, _) = scene.draw(MONO);
    let row = |y: u16| -> String {
        let cells = (inner.x..inner.right()).map(|x| buffer[(x, inner.y + y)].symbol());
        cells.collect::<String>().trim().to_owned()
    };
    assert_eq!((row(0).as_str(), row(1).as_str()), ("a␛[2J¿b¿\u{f0001}", "¿c¿"));
    assert_eq!(cursor, Some((inner.x + 4, inner.y + 1).into()));
    assert_eq!(scene.app.answering().unwrap().editor.text(), text);
    let line: String = (0..120).map(|x| buffer[(x, 35)].symbol()).collect();
    assert!(line.contains("pasted with 4 hidden characters"), "{line}");
    scene.key(KeyCode::Backspace).key(KeyCode::Backspace).key(KeyCode::Backspace);
    assert_eq!(scene.app.answering().unwrap().editor.text(), "a\u{1b}[2J\u{202e}b\u{200d}\u{f0001}\n");
}

#[test]
fn a_pile_of_accents_costs_the_editor_no_more_than_its_cells() {
    let mut scene = busy(120, 36);
    scene.keys("w").key(KeyCode::Enter);
    // Typed one by one, none of them is known to belong to a pile.
    scene.keys(&format!("a{}", "\u{301}".repeat(400)));
    scene.act(Action::Paste(format!("b{}", "\u{301}".repeat(10_000))));
    let (buffer, _, _) = scene.draw(MONO);
    assert!(buffer.content().iter().all(|cell| cell.symbol().len() <= 4 * 12), "a cell is bounded");
}
