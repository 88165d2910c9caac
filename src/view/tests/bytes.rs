//! Promise "nothing executed", on the bytes that a terminal gets: whatever a server says, in whichever region.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

use crossterm::event::KeyCode;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{TerminalOptions, Viewport};

use super::super::{Theme, draw};
use super::scene::{REQUEST, Scene};
use crate::api::error::Class;
use crate::api::step::RunSteps;
use crate::app::inert::mark;
use crate::app::{Action, Level, Mode, Page, PageContent};
use crate::feed::LinkState;

/// Each begins and ends what a terminal acts on, in ways in which no backend writes it.
const HOSTILE: [&str; 8] = [
    "\u{1b}]0;owned\u{7}",
    "\u{1b}[5q\u{1b}[2J\u{1b}c",
    "\u{9b}31m\u{9d}8;;x\u{9c}",
    "\u{202e}desrever\u{2066}x\u{2069}",
    "a\u{200b}b\u{feff}c\u{200d}d\u{ad}",
    "\u{1b}P1$r0m\u{1b}\\\u{8}\u{8}\r\u{b}",
    "\u{e0041}\u{e0042}\u{fe0f}\u{3164}",
    "\u{301}\u{0600}1\u{2028}\u{85}",
];

#[derive(Clone, Default)]
struct Bytes(Rc<RefCell<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a terminal gets for the screen as it stands.
fn written(scene: &mut Scene, theme: Theme) -> String {
    let bytes = Bytes::default();
    let (columns, rows) = scene.app.size;
    let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, columns, rows)) };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(bytes.clone()), options).unwrap();
    let mut measured = scene.app.measured;
    terminal.draw(|frame| measured = draw(&scene.app, &theme, &mut scene.cache, frame)).unwrap();
    scene.act(Action::Drawn(measured));
    let bytes = bytes.0.borrow().clone();
    String::from_utf8(bytes).unwrap()
}

/// The text without the backend's own sequences (place, style, cursor); the first other control is an error.
fn plain(written: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = written;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        let sequence = &rest[at + 1..];
        let body = sequence.strip_prefix('[').ok_or_else(|| format!("an escape that is no CSI: {sequence:.20?}"))?;
        let end = body.find(|c: char| c.is_ascii_alphabetic()).ok_or("an escape without an end")?;
        let (parameters, last) = (&body[..end], &body[end..=end]);
        let own = match last {
            "H" | "m" => parameters.chars().all(|c| c.is_ascii_digit() || c == ';'),
            "h" | "l" => parameters == "?25",
            _ => false,
        };
        if !own {
            return Err(format!("an escape of somebody else's: {parameters:?}{last}"));
        }
        rest = &body[end + 1..];
    }
    out.push_str(rest);
    match out.chars().find(|c| mark(*c).is_some()) {
        Some(c) => Err(format!("U+{:04X} reaches the terminal", c as u32)),
        None => Ok(out),
    }
}

/// A run in which the server says `bad` wherever it can say anything.
fn hostile(columns: u16, rows: u16, bad: &str) -> Scene {
    let mut scene = Scene::new(columns, rows);
    let quoted = serde_json::to_string(bad).unwrap();
    let bad = &quoted[1..quoted.len() - 1];
    let node = format!("n{bad}");
    scene.app.identity.server = serde_json::from_str(&format!("\"s{bad}\"")).unwrap();
    let nested = bad.replace('\\', "\\\\");
    let call =
        |id: &str| format!(r#"{{"id":"{id}{bad}","name":"t{bad}","arguments":"{{\"a\":\"{nested}\", {bad}}}"}}"#);
    let step = format!(r#""step":1,"request_id":"{REQUEST}""#);
    let option = format!(r#"{{"label":"l{bad}","description":"d{bad}"}}"#);
    let scheduler = |kind: &str, rest: String| {
        format!(r#""type":"scheduler_{kind}","node_id":"{node}","scheduler_{kind}":{{{rest}}}"#)
    };
    for event in [
        r#""type":"run_started","plan_hash":"3f""#.to_owned(),
        format!(r#""type":"node_started","node_id":"{node}""#),
        format!(
            r#""type":"memory_updated","plan_hash":"3f","memory_key":"m{bad}","memory":{{"artifact_key":"k{bad}","info":{{"bytes":3,"sha256":"00","included":false}}}}"#
        ),
        format!(
            r#""type":"node_llm_call","node_id":"{node}","llm_call":{{{step},"provider":"p{bad}","model":"m{bad}","stop_reason":"s{bad}","response_id":"i{bad}","usage":{{"input_tokens":5}}}}"#
        ),
        scheduler(
            "started",
            format!(
                r#""topic":"t{bad}","participants":[{{"agent_id":"a{bad}","role":"r{bad}"}}],"policy":{{"max_rounds":1,"max_concurrency":1,"max_steps":1,"timeout_ms":1}}"#
            ),
        ),
        scheduler("coordinator_completed", format!(r#""decision":"d{bad}""#)),
        scheduler(
            "agent_completed",
            format!(r#""agent_id":"a{bad}","agent_run_id":"{REQUEST}","status":"s{bad}","summary":"u{bad}""#),
        ),
        scheduler("message_sent", format!(r#""message_id":"i","to":"t{bad}""#)),
        scheduler("stopped", format!(r#""reason":"r{bad}""#)),
        format!(
            r#""type":"node_output_delta","node_id":"{node}","delta":{{"kind":"message_delta","text_delta":"x{bad}\n{bad}"}}"#
        ),
        format!(r#""type":"node_output_delta","node_id":"{node}","delta":{{"kind":"k{bad}","text_delta":"y{bad}"}}"#),
        format!(
            r#""type":"node_output","node_id":"{node}","output":{{"artifact_key":"k","info":{{"bytes":3,"sha256":"00","included":true}},"content":{{"o{bad}":"{bad}"}}}}"#
        ),
        format!(r#""type":"node_tool_call","node_id":"{node}","tool_call":{{{step},"tool_call":{}}}"#, call("c0")),
        format!(
            r#""type":"node_tool_result","node_id":"{node}","tool_result":{{{step},"tool_call":{},"output":"o{bad}","error":"e{bad}"}}"#,
            call("c0")
        ),
        format!(
            r#""type":"node_waiting","node_id":"{node}","waiting":{{{step},"reason":"r{bad}","pending_tool_calls":[{{"tool_call":{}}}]}}"#,
            call("c1")
        ),
        format!(
            r#""type":"node_user_ask","node_id":"{node}","user_ask":{{{step},"tool_call":{},"question":"q{bad}","options":[{option}],"allow_freeform":true}}"#,
            call("c2")
        ),
        format!(r#""type":"node_failed","node_id":"other{bad}","error":{{"code":"c{bad}","message":"m{bad}"}}"#),
        format!(r#""type":"new{bad}","node_id":"{node}","x":"{bad}""#),
        format!(r#""type":"node_started","node_id":7,"x":"{bad}""#),
    ] {
        scene.event(&event);
    }
    scene.snapshot(&format!(
        r#""status":"st{bad}","cost_summary":{{"total_usd_cents":5,"line_items":[{{"provider_id":"p{bad}","model":"m{bad}","requests":1,"input_tokens":1,"output_tokens":1,"usd_cents":5}}]}},"nodes":[{{"id":"{node}","type":"ty{bad}","status":"st{bad}"}}]"#
    ));
    scene
}

/// What a server may answer to what a page reads.
fn answers(content: &PageContent, bad: &str) -> Vec<Action> {
    match content {
        PageContent::Event { seq, .. } => vec![
            Action::EventRead { seq: *seq, result: Ok(format!("{{\"a\":\"{bad}\"}}{bad}")) },
            Action::EventRead { seq: *seq, result: Err(bad.to_owned()) },
        ],
        PageContent::Step { key, .. } => {
            let text = serde_json::to_string(bad).unwrap();
            let call = format!(r#"{{"id":"other","name":"t","arguments":{text}}}"#);
            let step = format!(
                r#"{{"steps":[{{"node_id":"a","step":1,"llm_request":{{"a":{text}}},"llm_response":{text},"llm_call":{{"provider":{text},"model":{text},"stop_reason":{text},"response_id":{text}}},"tool_calls":[{{"tool_call":{call}}}],"tool_results":[{{"tool_call":{call},"output":{text},"error":{text}}}]}}]}}"#
            );
            let steps: RunSteps = serde_json::from_str(&step).unwrap();
            let detail = Box::new(steps.steps.into_iter().next().unwrap());
            vec![
                Action::StepRead { key: key.clone(), result: Ok(detail) },
                Action::StepRead { key: key.clone(), result: Err(bad.to_owned()) },
            ]
        }
        other => panic!("{other:?}"),
    }
}

/// Shows every region in turn; `look` is called for each screen.
fn tour(scene: &mut Scene, bad: &str, mut look: impl FnMut(&mut Scene, &str)) {
    scene.link(LinkState::Live);
    look(scene, "nodes");
    for tab in ["output", "steps", "calls", "events", "runs"] {
        scene.key(KeyCode::Tab).key(KeyCode::Tab);
        look(scene, tab);
        scene.key(KeyCode::Up).key(KeyCode::Up);
        look(scene, tab);
        scene.key(KeyCode::Enter);
        if matches!(scene.app.mode, Mode::Page(_)) {
            look(scene, "page loading");
            let Mode::Page(Page { content, .. }) = scene.app.mode.clone() else { return };
            for answer in answers(&content, bad) {
                scene.act(answer);
                look(scene, "page");
                scene.key(KeyCode::End);
                look(scene, "page's end");
            }
            scene.key(KeyCode::Esc);
        }
        scene.keys("l").key(KeyCode::Tab).key(KeyCode::Tab);
    }
    scene.app.mode =
        Mode::Page(Page { content: PageContent::Rejected { reason: bad.to_owned(), line: bad.to_owned() }, scroll: 0 });
    look(scene, "rejected");
    scene.app.notify(Level::Error, format!("{bad} {bad}\n{bad}"));
    scene.app.mode = Mode::Page(Page { content: PageContent::Notices, scroll: 0 });
    look(scene, "notices");
    scene.app.mode = Mode::Browse;
    look(scene, "notice");
    scene.key(KeyCode::Esc).keys("/").act(Action::Paste(format!("n{bad}")));
    look(scene, "filter");
    scene.key(KeyCode::Esc).keys(":").act(Action::Paste(bad.to_owned()));
    look(scene, "palette");
    scene.key(KeyCode::Esc);
    for call in ["a call", "a question"] {
        scene.keys("w").key(KeyCode::Enter).act(Action::Paste(format!("{{\"x\": \"{bad}\"")));
        look(scene, call);
        scene.key(KeyCode::Tab);
        look(scene, "arguments");
        scene.key(KeyCode::Tab).ctrl('x').keys("o").act(Action::Paste(bad.to_owned()));
        look(scene, "file");
        scene.key(KeyCode::Esc).ctrl('s');
        look(scene, "review");
        scene.wait(1);
        look(scene, "armed review");
        scene.key(KeyCode::Esc).key(KeyCode::Esc);
    }
    scene.link(LinkState::Refused { cause: bad.to_owned(), class: Class::Unauthorized });
    look(scene, "refused");
    scene.key(KeyCode::Esc).key(KeyCode::Home);
    scene.app.selection = crate::app::Selection::Run;
    look(scene, "run");
    scene.event(r#""type":"task_list_updated","plan_hash":"3f","task_list":{"artifact_key":"k","info":{"bytes":3,"sha256":"00","included":false}}"#);
    let task = |status: &str| {
        let text = |start: &str| serde_json::to_string(&format!("{start}{bad}")).unwrap();
        format!(r#"{{"content":{},"status":{},"active_form":{}}}"#, text("c"), text(status), text("f"))
    };
    let tasks = format!(r#"{{"tasks":[{},{}]}}"#, task("s"), r#"{"content":"c","status":"completed"}"#);
    scene.act(Action::TasksRead(Ok(serde_json::from_str(&tasks).unwrap())));
    scene.app.detail.tab = crate::app::Tab::Tasks;
    look(scene, "tasks");
    scene.act(Action::TasksRead(Err(bad.to_owned())));
    look(scene, "tasks that failed");
    scene.app.detail.tab = crate::app::Tab::Output;
    scene.event(&format!(
        r#""type":"run_failed","plan_hash":"3f","error":{{"code":"c","message":{}}}"#,
        serde_json::to_string(&format!("m{bad}")).unwrap()
    ));
    look(scene, "orphans");
    scene.keys("w").key(KeyCode::Enter);
    look(scene, "an answer whose call is gone");
}

#[test]
fn whatever_a_server_says_no_control_bidi_or_hidden_character_reaches_the_terminal() {
    for bad in HOSTILE {
        for (columns, rows) in [(140, 45), (70, 20)] {
            for theme in [Theme { color: true, ascii: false }, Theme { color: false, ascii: true }] {
                let mut scene = hostile(columns, rows, bad);
                let mut screens = 0;
                tour(&mut scene, bad, |scene, name| {
                    screens += 1;
                    let written = written(scene, theme);
                    if let Err(why) = plain(&written) {
                        panic!("{name} at {columns}x{rows} of {bad:?}: {why}");
                    }
                });
                assert!(screens > 32, "{screens}");
            }
        }
    }
}

#[test]
fn the_check_itself_sees_what_does_not_belong_there() {
    assert_eq!(plain("\u{1b}[1;1HA\u{1b}[0mB\u{1b}[?25l"), Ok("AB".into()));
    for bad in HOSTILE {
        assert!(plain(bad).is_err(), "{bad:?}");
    }
}
