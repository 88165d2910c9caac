//! Apps for the tests, built as the console builds them: by events through the reducer.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Position;
use uuid::Uuid;

use super::super::{Cache, Theme, draw};
use crate::api::event::{Decoded, decode};
use crate::api::ids::RunId;
use crate::app::{Action, App, Identity, Measured, Moment, reduce};
use crate::feed::{FeedItem, FeedUpdate, LinkState};
use crate::run::Prices;

pub(super) const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
pub(super) const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";

/// An app, its clock and its terminal.
pub(super) struct Scene {
    pub(super) app: App,
    seconds: u64,
    seq: u64,
    pub(super) cache: Cache,
}

/// The wall clock so many seconds after the run's start.
pub(super) fn at(seconds: u64) -> Timestamp {
    let start: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    start + Duration::from_secs(seconds)
}

impl Scene {
    pub(super) fn new(columns: u16, rows: u16) -> Self {
        let identity = Identity {
            server: "prod".into(),
            run_id: RunId::parse(RUN).unwrap(),
            prices: Prices::new(),
            instance: Uuid::from_u128(7),
        };
        let app = App::new(identity, (columns, rows), Moment { wall: at(0), uptime: Duration::ZERO });
        Self { app, seconds: 0, seq: 0, cache: Cache::default() }
    }

    /// Lets time pass.
    pub(super) fn wait(&mut self, seconds: u64) -> &mut Self {
        self.seconds += seconds;
        self.act(Action::Tick)
    }

    pub(super) fn act(&mut self, action: Action) -> &mut Self {
        let now = Moment { wall: at(self.seconds), uptime: Duration::from_secs(self.seconds) };
        let _ = reduce(&mut self.app, now, action);
        self
    }

    pub(super) fn link(&mut self, link: LinkState) -> &mut Self {
        self.act(Action::Feed(FeedUpdate::Link(link)))
    }

    /// The next event, recorded now; `rest` is what follows the envelope.
    pub(super) fn event(&mut self, rest: &str) -> &mut Self {
        self.seq += 1;
        let line = format!(
            r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{},"ts":"{}",{rest}}}"#,
            self.seq,
            at(self.seconds)
        );
        let item = match decode(line.as_bytes()) {
            Ok(Decoded::Event(event)) => FeedItem::Event(event),
            Err(error) => FeedItem::Rejected(error),
            Ok(other) => panic!("{other:?}"),
        };
        self.act(Action::Feed(FeedUpdate::Items(vec![item])))
    }

    pub(super) fn gap(&mut self, events: u64) -> &mut Self {
        let first = self.seq + 1;
        self.seq += events;
        self.act(Action::Feed(FeedUpdate::Items(vec![FeedItem::Gap { first, last: self.seq }])))
    }

    pub(super) fn snapshot(&mut self, rest: &str) -> &mut Self {
        let snapshot = serde_json::from_str(&format!(r#"{{"run_id":"{RUN}",{rest}}}"#)).unwrap();
        self.act(Action::Feed(FeedUpdate::Snapshot { snapshot: Box::new(snapshot), server_date: None }))
    }

    pub(super) fn key(&mut self, code: KeyCode) -> &mut Self {
        self.act(Action::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    pub(super) fn ctrl(&mut self, c: char) -> &mut Self {
        self.act(Action::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)))
    }

    pub(super) fn keys(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
        self
    }

    /// Draws, and tells the app that it was drawn.
    pub(super) fn draw(&mut self, theme: Theme) -> (Buffer, Option<Position>, Measured) {
        let (columns, rows) = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let mut measured = Measured::default();
        let mut buffer = Buffer::default();
        terminal
            .draw(|frame| {
                measured = draw(&self.app, &theme, &mut self.cache, frame);
                buffer = frame.buffer_mut().clone();
            })
            .unwrap();
        let cursor = terminal.backend().cursor_visible().then(|| terminal.backend().cursor_position());
        self.act(Action::Drawn(measured));
        (buffer, cursor, measured)
    }

    /// The screen as text.
    pub(super) fn screen(&mut self, theme: Theme) -> String {
        let (buffer, _, _) = self.draw(theme);
        text_of(&buffer)
    }
}

/// A buffer's text, without the spaces at the ends of its rows.
pub(super) fn text_of(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in buffer.area.rows() {
        let mut row = String::new();
        let mut skip = 0_usize;
        for position in y.positions() {
            let symbol = buffer[position].symbol();
            if skip == 0 {
                row.push_str(symbol);
                skip = unicode_width::UnicodeWidthStr::width(symbol).max(1);
            }
            skip -= 1;
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

const LLM: &str = r#""type":"node_llm_call","#;

/// A run that shows most of what a run can be: done, working, waiting, failed and pending nodes.
pub(super) fn busy(columns: u16, rows: u16) -> Scene {
    let mut scene = Scene::new(columns, rows);
    scene.link(LinkState::CatchingUp { applied: 0 });
    scene.event(r#""type":"run_compiled","plan_hash":"3f""#).event(r#""type":"run_started","plan_hash":"3f""#);
    scene.event(r#""type":"node_started","node_id":"collect_logs""#);
    llm(&mut scene, "collect_logs", 1, "anthropic", "claude-sonnet-4-5", (12_100, 900));
    scene.wait(9).event(r#""type":"node_succeeded","node_id":"collect_logs""#);
    scene.event(r#""type":"node_started","node_id":"diagnose""#);
    scene.event(r#""type":"node_started","node_id":"roll_back""#);
    scene.event(r#""type":"node_started","node_id":"notify""#);
    llm(&mut scene, "roll_back", 1, "openai", "gpt-5", (4_000, 210));
    let call = r#"{"id":"call_1","name":"roll_back_deploy","arguments":"{\"service\":\"api\",\"to\":\"4.17\",\"reason\":\"error rate at 14:02\",\"targets\":[\"eu-1\",\"eu-2\",\"us-1\"]}"}"#;
    scene.wait(24).event(&format!(
        r#""type":"node_tool_call","node_id":"roll_back","tool_call":{{"step":1,"request_id":"{REQUEST}","tool_call":{call}}}"#
    ));
    scene.event(&format!(
        r#""type":"node_waiting","node_id":"roll_back","waiting":{{"step":1,"request_id":"{REQUEST}","reason":"tool_execution","pending_tool_calls":[{{"tool_call":{call}}}]}}"#
    ));
    scene.event(
        r#""type":"node_failed","node_id":"notify","error":{"code":"RATE_LIMIT","message":"overloaded, try later"}"#,
    );
    scene.wait(2).event(r#""type":"node_started","node_id":"notify""#);
    scene.wait(34).event(&format!(
        r#""type":"node_user_ask","node_id":"ask_oncall","user_ask":{{"step":1,"request_id":"{REQUEST}","tool_call":{{"id":"ask_1","name":"user_ask","arguments":"{{\"question\":\"Page the database team?\"}}"}},"question":"Page the database team?","options":[{{"label":"yes","description":"wake them now"}},{{"label":"no"}}],"allow_freeform":true}}"#
    ));
    stream(&mut scene, "diagnose", "message_start", "");
    for piece in [
        "The error rate rose at 14:02, right after the deploy of api 4.18. ",
        "The new pool size of 5 is too small for the 40 workers: requests queue for a connection until they time out.\\n\\n",
        "Next: compare with 4.17. 数据库连接池太小 🚀\\n",
    ] {
        stream(&mut scene, "diagnose", "message_delta", piece);
    }
    stream(&mut scene, "diagnose", "message_stop", "");
    stream(&mut scene, "diagnose", "tool_use_start", "{\\\"query\\\": \\\"pool size\\\"}");
    llm(&mut scene, "diagnose", 3, "anthropic", "claude-sonnet-4-5", (31_000, 2_200));
    scene.link(LinkState::Live);
    scene.snapshot(
        r#""status":"waiting","cost_summary":{"total_usd_cents":42,"line_items":[
            {"provider_id":"anthropic","model":"claude-sonnet-4-5","requests":1,"input_tokens":12100,"output_tokens":900,"usd_cents":31},
            {"provider_id":"openai","model":"gpt-5","requests":1,"input_tokens":4000,"output_tokens":210,"usd_cents":9}]},
        "nodes":[
            {"id":"collect_logs","type":"llm.responses","status":"succeeded"},
            {"id":"diagnose","type":"llm.responses","status":"running"},
            {"id":"roll_back","type":"llm.responses","status":"waiting"},
            {"id":"ask_oncall","type":"llm.responses","status":"waiting"},
            {"id":"notify","type":"llm.responses","status":"running"},
            {"id":"gather","type":"join.all","status":"pending"},
            {"id":"summarize","type":"transform.json","status":"pending"}]"#,
    );
    scene.wait(12);
    scene
}

pub(super) fn llm(scene: &mut Scene, node: &str, step: u64, provider: &str, model: &str, (input, output): (u64, u64)) {
    scene.event(&format!(
        r#"{LLM}"node_id":"{node}","llm_call":{{"step":{step},"request_id":"{REQUEST}","provider":"{provider}","model":"{model}","usage":{{"input_tokens":{input},"output_tokens":{output}}}}}"#
    ));
}

pub(super) fn stream(scene: &mut Scene, node: &str, kind: &str, text: &str) {
    scene.event(&format!(
        r#""type":"node_output_delta","node_id":"{node}","delta":{{"kind":"{kind}","text_delta":"{text}"}}"#
    ));
}
