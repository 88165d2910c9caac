//! The README's pictures: the real screen, rendered by the program itself from its first scenario.
//!
//! `UPDATE_PICTURE=1 cargo test --locked picture` draws them anew.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use relay_console::app::{Action, App, Identity, Moment, reduce};
use relay_console::feed::{FeedItem, FeedUpdate, LinkState};
use relay_console::run::Prices;
use relay_console::simulator::Scenario;
use relay_console::simulator::play::{PlayConfig, play};
use relay_console::view::{self, Cache, Theme, picture};

const SIZE: (u16, u16) = (112, 32);
/// How long after the run's start the picture is taken.
const AT: Duration = Duration::from_secs(23);

struct Scene {
    app: App,
    now: Moment,
}

impl Scene {
    /// The first scenario's run at its first wait.
    fn at_first_wait() -> Self {
        let start: Timestamp = "2026-11-22T14:02:00Z".parse().unwrap();
        let scenario = Scenario::builtin().remove(0);
        let run = play(&scenario, PlayConfig { seed: 7, start, until: None }, |_| None).remove(0);
        let identity = Identity {
            server: "DEMO".into(),
            run_id: run.run_id,
            prices: Prices::new(),
            instance: uuid::Uuid::from_u128(7),
        };
        let now = Moment { wall: start.checked_add(AT).unwrap(), uptime: AT };
        let mut scene = Self { app: App::new(identity, SIZE, now), now };
        let items = run.events().into_iter().map(FeedItem::Event).collect();
        scene.act(Action::Feed(FeedUpdate::Items(items)));
        scene.act(Action::Feed(FeedUpdate::Snapshot { snapshot: Box::new(run.snapshot), server_date: None }));
        scene.act(Action::Feed(FeedUpdate::Link(LinkState::Live)));
        scene
    }

    fn act(&mut self, action: Action) {
        // What would be done outside is nothing for a picture.
        let _ = reduce(&mut self.app, self.now, action);
    }

    fn keys(&mut self, keys: &str) {
        for c in keys.chars() {
            let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
            self.act(Action::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
    }

    fn picture(&self) -> String {
        let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap();
        let theme = Theme { color: true, ascii: false };
        terminal
            .draw(|frame| {
                view::draw(&self.app, &theme, &mut Cache::default(), frame);
            })
            .unwrap();
        picture::svg(terminal.backend().buffer(), "relay-console")
    }
}

fn is_current(name: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name);
    if std::env::var_os("UPDATE_PICTURE").is_some() {
        fs::write(&path, drawn).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == drawn, "assets/{name} is not what the program draws now: UPDATE_PICTURE=1 draws it anew");
}

#[test]
fn the_picture_of_the_screen_is_what_the_program_draws() {
    let mut scene = Scene::at_first_wait();
    scene.keys("w");
    is_current("screen.svg", &scene.picture());
}

#[test]
fn the_picture_of_an_answer_is_what_the_program_draws() {
    let mut scene = Scene::at_first_wait();
    scene.keys("w\n{\"error_rate_percent\": 4.2,\n \"since\": \"14:02\"}");
    is_current("answer.svg", &scene.picture());
}
