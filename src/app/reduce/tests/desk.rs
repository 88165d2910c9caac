//! A desk with a console on it, for tests: feeds actions, keeps every effect.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use uuid::Uuid;

use crate::api::event::{Decoded, decode};
use crate::api::ids::RunId;
use crate::api::run::RunStatus;
use crate::api::tool::CallKey;
use crate::app::{Action, App, Effect, Identity, Measured, Mode, Moment, reduce};
use crate::feed::{FeedItem, FeedUpdate, LinkState};
use crate::run::Prices;
use crate::submission::{CallVerdict, Intent, Verdict};

pub(super) const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
pub(super) const REQUEST: &str = "550e8400-e29b-41d4-a716-446655440001";

pub(super) struct Desk {
    pub(super) app: App,
    pub(super) uptime: Duration,
    pub(super) effects: Vec<Effect>,
    seq: u64,
}

fn moment(uptime: Duration) -> Moment {
    let start: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    Moment { wall: start.checked_add(uptime).unwrap(), uptime }
}

impl Desk {
    /// A live console on a run whose node `a` works.
    pub(super) fn new() -> Self {
        let identity = Identity {
            server: "DEMO".into(),
            run_id: RunId::parse(RUN).unwrap(),
            prices: Prices::new(),
            instance: Uuid::from_u128(0x1234_5678_9abc_4def_8123_0000_0000_0000),
        };
        let app = App::new(identity, (120, 36), moment(Duration::ZERO));
        let mut desk = Self { app, uptime: Duration::ZERO, effects: Vec::new(), seq: 0 };
        desk.link(LinkState::Live);
        desk.event(r#""type":"run_started","plan_hash":"aa""#);
        desk.event(r#""type":"node_started","node_id":"a""#);
        desk
    }

    /// Does one action, then draws and advances the time by a millisecond.
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        let effects = reduce(&mut self.app, moment(self.uptime), action);
        self.effects.extend(effects.iter().cloned());
        self.uptime += Duration::from_millis(1);
        if let Mode::Review(_) = self.app.mode {
            let drawn = reduce(&mut self.app, moment(self.uptime), Action::Drawn(Measured::default()));
            self.effects.extend(drawn);
        }
        effects
    }

    pub(super) fn wait(&mut self, milliseconds: u64) -> Vec<Effect> {
        self.uptime += Duration::from_millis(milliseconds);
        self.act(Action::Tick)
    }

    pub(super) fn link(&mut self, link: LinkState) {
        self.act(Action::Feed(FeedUpdate::Link(link)));
    }

    pub(super) fn event(&mut self, rest: &str) -> Vec<Effect> {
        self.seq += 1;
        let seq = self.seq;
        let line =
            format!(r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-11-22T10:00:00Z",{rest}}}"#);
        let Decoded::Event(event) = decode(line.as_bytes()).unwrap() else { panic!("{line}") };
        self.act(Action::Feed(FeedUpdate::Items(vec![FeedItem::Event(event)])))
    }

    /// Calls of tool `look` begin to wait at node `a`, in one step.
    pub(super) fn calls(&mut self, step: u64, ids: &[&str]) -> Vec<Effect> {
        let calls: Vec<String> = ids
            .iter()
            .map(|id| format!(r#"{{"tool_call":{{"id":"{id}","name":"look","arguments":"{{\"q\":1}}"}}}}"#))
            .collect();
        self.event(&format!(
            r#""type":"node_waiting","node_id":"a","waiting":{{"step":{step},"request_id":"{REQUEST}","reason":"tool","pending_tool_calls":[{}]}}"#,
            calls.join(",")
        ))
    }

    /// A question with options begins to wait at node `a`.
    pub(super) fn question(&mut self, id: &str, options: &[&str], allow_freeform: bool) {
        let options: Vec<String> = options.iter().map(|label| format!(r#"{{"label":"{label}"}}"#)).collect();
        self.event(&format!(
            r#""type":"node_user_ask","node_id":"a","user_ask":{{"step":9,"request_id":"{REQUEST}","tool_call":{{"id":"{id}","name":"user_ask","arguments":"{{}}"}},"question":"Page them?","options":[{}],"allow_freeform":{allow_freeform}}}"#,
            options.join(",")
        ));
    }

    /// Another operator's result for a call of `look`.
    pub(super) fn answered_elsewhere(&mut self, step: u64, id: &str) {
        self.event(&format!(
            r#""type":"node_tool_result","node_id":"a","tool_result":{{"step":{step},"request_id":"{REQUEST}","tool_call":{{"id":"{id}","name":"look"}},"output":"theirs"}}"#
        ));
    }

    pub(super) fn key(&mut self, code: KeyCode) -> Vec<Effect> {
        self.act(Action::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    pub(super) fn press(&mut self, c: char) -> Vec<Effect> {
        self.key(KeyCode::Char(c))
    }

    pub(super) fn ctrl(&mut self, c: char) -> Vec<Effect> {
        self.act(Action::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)))
    }

    pub(super) fn enter(&mut self) -> Vec<Effect> {
        self.key(KeyCode::Enter)
    }

    pub(super) fn esc(&mut self) -> Vec<Effect> {
        self.key(KeyCode::Esc)
    }

    pub(super) fn write(&mut self, text: &str) {
        for c in text.chars() {
            if c == '\n' { drop(self.enter()) } else { drop(self.press(c)) }
        }
    }

    /// `w`, `Enter`, text, `Ctrl-S`, a moment to read, `Enter`.
    pub(super) fn answer(&mut self, text: &str) -> Intent {
        self.press('w');
        self.enter();
        self.write(text);
        self.ctrl('s');
        self.wait(400);
        self.enter();
        self.submitted().pop().expect("a submission")
    }

    pub(super) fn submitted(&self) -> Vec<Intent> {
        let intents = self.effects.iter().filter_map(|effect| match effect {
            Effect::Submit(intent) => Some(intent.clone()),
            _ => None,
        });
        intents.collect()
    }

    pub(super) fn verdict(&mut self, intent: &Intent, verdict: &CallVerdict) -> Vec<Effect> {
        let verdict = Verdict { status: Some(RunStatus::Running), ..ended(intent, std::iter::repeat(verdict.clone())) };
        self.act(Action::SubmissionEnded { request_id: intent.request_id, verdict })
    }

    pub(super) fn first_call(&self) -> CallKey {
        self.app.run.pending.at(0).expect("a call waits").key.clone()
    }

    pub(super) fn open_text(&self) -> String {
        self.app.answering().expect("an answer is open").editor.text()
    }

    pub(super) fn said(&self) -> String {
        self.app.notices.back().map(|notice| notice.text.clone()).unwrap_or_default()
    }
}

/// The end of a submission after one send, with a verdict for each of its calls.
pub(super) fn ended(intent: &Intent, verdicts: impl IntoIterator<Item = CallVerdict>) -> Verdict {
    Verdict {
        request_id: intent.request_id,
        calls: intent.request.keys().zip(verdicts).collect(),
        status: None,
        sends: 1,
        server_request_id: None,
        failure: None,
        id_is_spent: false,
    }
}
