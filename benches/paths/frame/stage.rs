//! A console with a large run in it, built as the console builds it: by actions through the reducer.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use relay_console::api::event::{Decoded, Event, decode};
use relay_console::api::ids::RunId;
use relay_console::app::{Action, App, Identity, Moment, reduce};
use relay_console::feed::{FeedItem, FeedUpdate, LinkState};
use relay_console::run::Prices;
use relay_console::view::{Cache, Theme, draw};
use uuid::Uuid;

/// Columns and rows of every frame.
pub(crate) const SIZE: (u16, u16) = (200, 60);

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";

/// An app, its clock and its terminal.
pub(crate) struct Stage {
    app: App,
    cache: Cache,
    terminal: Terminal<TestBackend>,
    uptime: Duration,
    seq: u64,
}

fn start() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// The line of an event; `rest` is what follows the envelope.
pub(crate) fn line(seq: u64, rest: &str) -> String {
    let ts = start() + Duration::from_millis(seq);
    format!(r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"{ts}",{rest}}}"#)
}

pub(crate) fn decoded(line: &str) -> Event {
    match decode(line.as_bytes()) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("{line}: {other:?}"),
    }
}

pub(crate) fn delta(node: usize, text: &str) -> String {
    format!(
        r#""type":"node_output_delta","node_id":"node_{node}","delta":{{"kind":"message_delta","text_delta":"{text}"}}"#
    )
}

/// The events of a run that works, one after the other.
fn worked(number: usize, nodes: usize) -> String {
    let node = number * 7 % nodes;
    match number % 20 {
        0 => format!(
            r#""type":"node_llm_call","node_id":"node_{node}","llm_call":{{"step":1,"request_id":"{REQUEST}","provider":"anthropic","model":"claude-sonnet-4-5","usage":{{"input_tokens":100,"output_tokens":20}}}}"#
        ),
        1 => format!(
            r#""type":"node_tool_call","node_id":"node_{node}","tool_call":{{"step":1,"request_id":"{REQUEST}","tool_call":{{"id":"call_{number}","name":"fs.search","arguments":"{{\"q\":\"the pool of five\"}}"}}}}"#
        ),
        _ => delta(node, "the error rate rose at noon "),
    }
}

/// The server's snapshot of a run of so many nodes, in their order or in reverse.
pub(crate) fn snapshot(nodes: usize, reversed: bool) -> FeedUpdate {
    let mut listed: Vec<_> = (0..nodes).map(|node| (format!("node_{node}"), "llm.responses")).collect();
    if reversed {
        listed.reverse();
    }
    snapshot_of(&listed)
}

fn snapshot_of(listed: &[(String, &str)]) -> FeedUpdate {
    let node = |(id, kind): &(String, &str)| serde_json::json!({"id": id, "type": kind, "status": "running"});
    let nodes: Vec<_> = listed.iter().map(node).collect();
    let snapshot = serde_json::json!({
        "run_id": RUN, "status": "running", "nodes": nodes,
        "cost_summary": {"total_usd_cents": 42, "line_items": [{
            "provider_id": "anthropic", "model": "claude-sonnet-4-5", "requests": 3,
            "input_tokens": 300, "output_tokens": 60, "usd_cents": 42}]},
    });
    FeedUpdate::Snapshot { snapshot: Box::new(serde_json::from_value(snapshot).unwrap()), server_date: None }
}

impl Stage {
    fn empty() -> Self {
        let identity = Identity {
            server: "prod".into(),
            run_id: RunId::parse(RUN).unwrap(),
            prices: Prices::new(),
            instance: Uuid::from_u128(7),
        };
        let app = App::new(identity, SIZE, Moment { wall: start(), uptime: Duration::ZERO });
        let terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap();
        Self { app, cache: Cache::default(), terminal, uptime: Duration::ZERO, seq: 0 }
    }

    /// A run of so many nodes: most of them done, some failed, some at work, some waiting to begin.
    pub(crate) fn of(nodes: usize) -> Self {
        let mut stage = Self::empty();
        stage.event(r#""type":"run_started","plan_hash":"3f""#);
        for node in 0..nodes {
            stage.event(&format!(r#""type":"node_started","node_id":"node_{node}""#));
            stage.event(&worked(node * 20, nodes));
            match node % 10 {
                0 => stage.event(&format!(
                    r#""type":"node_failed","node_id":"node_{node}","error":{{"code":"RATE_LIMIT","message":"overloaded"}}"#
                )),
                1..8 => stage.event(&format!(r#""type":"node_succeeded","node_id":"node_{node}""#)),
                _ => {}
            }
        }
        stage.feed(snapshot(nodes, false));
        stage.link(LinkState::Live);
        stage
    }

    /// A fan-out of so many items.
    pub(crate) fn fan_out(items: usize) -> Self {
        let mut stage = Self::empty();
        stage.event(r#""type":"run_started","plan_hash":"3f""#);
        stage.event(r#""type":"node_started","node_id":"map""#);
        let mut listed = vec![("map".to_owned(), "map.fanout")];
        for item in 0..items {
            listed.push((format!("map__{item}"), "llm.responses"));
            stage.event(&format!(r#""type":"node_started","node_id":"map__{item}""#));
        }
        stage.feed(snapshot_of(&listed));
        stage.link(LinkState::Live);
        stage
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn act(&mut self, action: Action) {
        let now = Moment { wall: start() + self.uptime, uptime: self.uptime };
        let _ = reduce(&mut self.app, now, action);
    }

    pub(crate) fn feed(&mut self, update: FeedUpdate) {
        self.act(Action::Feed(update));
    }

    fn link(&mut self, link: LinkState) {
        self.feed(FeedUpdate::Link(link));
    }

    /// The next event.
    pub(crate) fn event(&mut self, rest: &str) {
        self.seq += 1;
        let event = decoded(&line(self.seq, rest));
        self.feed(FeedUpdate::Items(vec![FeedItem::Event(event)]));
    }

    /// So many events more, in batches as the feed brings them.
    pub(crate) fn flood(&mut self, events: usize) {
        let nodes = self.app.run.nodes.len();
        let some: Vec<Event> =
            (0..events.min(20_000)).map(|number| decoded(&line(1, &worked(number, nodes)))).collect();
        let mut items = Vec::new();
        for event in some.iter().cycle().take(events) {
            self.seq += 1;
            items.push(FeedItem::Event(Event { seq: self.seq, ..event.clone() }));
            if items.len() == 256 {
                self.feed(FeedUpdate::Items(std::mem::take(&mut items)));
            }
        }
        self.feed(FeedUpdate::Items(items));
    }

    /// So many bytes of text streamed by the node that is followed.
    pub(crate) fn stream(&mut self, bytes: usize) {
        let piece = "The error rate rose at noon, right after the deploy: the pool of five is too small. \\n";
        for _ in 0..bytes / (piece.len() - 1) {
            self.event(&delta(0, piece));
        }
    }

    /// So many rejected lines and gaps.
    pub(crate) fn odd(&mut self, count: u64) {
        for _ in 0..count {
            let error = decode(br#"{"envelope_version":"v2","seq":"many things are wrong with this"}"#).unwrap_err();
            self.seq += 2;
            let gap = FeedItem::Gap { first: self.seq - 1, last: self.seq };
            self.feed(FeedUpdate::Items(vec![gap, FeedItem::Rejected(error)]));
        }
    }

    /// So many calls that wait for the operator.
    pub(crate) fn waits(&mut self, calls: usize) {
        for call in 0..calls {
            self.event(&format!(
                r#""type":"node_waiting","node_id":"node_{call}","waiting":{{"step":1,"request_id":"{REQUEST}","reason":"tool_execution","pending_tool_calls":[{{"tool_call":{{"id":"wait_{call}","name":"roll_back","arguments":"{{\"service\":\"api\",\"to\":\"4.17\"}}"}}}}]}}"#
            ));
        }
    }

    /// Puts so many bytes of JSON into the open draft.
    pub(crate) fn draft(&mut self, bytes: usize) {
        let row = "  \"the pool of five is too small for forty workers\",\n";
        self.act(Action::Paste(format!("[\n{}  1\n]", row.repeat(bytes / row.len()))));
        self.tick();
    }

    pub(crate) fn key(&mut self, code: KeyCode) {
        self.chord(code, KeyModifiers::NONE);
    }

    pub(crate) fn chord(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.act(Action::Key(KeyEvent::new(code, modifiers)));
    }

    pub(crate) fn keys(&mut self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    /// Lets half a second pass.
    pub(crate) fn tick(&mut self) {
        self.uptime += Duration::from_millis(500);
        self.act(Action::Tick);
    }

    pub(crate) fn draw(&mut self) {
        let (app, cache) = (&self.app, &mut self.cache);
        let mut measured = app.measured;
        self.terminal.draw(|frame| measured = draw(app, &Theme::default(), cache, frame)).unwrap();
        if measured != self.app.measured {
            self.act(Action::Drawn(measured));
        }
    }
}
