//! A streamed text that memory has dropped, read again from disk.

use crossterm::event::KeyCode;
use proptest::prelude::*;

use super::desk::Desk;
use crate::api::event::Delta;
use crate::app::loaded_text::Streamed;
use crate::app::{Action, Effect, Measured, Scroll, Selection, TextRequest, TextState};
use crate::run::limits;

/// A desk whose run can be read again from what it was fed, as from a journal.
struct Fed {
    desk: Desk,
    deltas: Vec<(u64, Delta)>,
    last_seq: u64,
    /// Rows of the text as it was drawn last.
    rows: usize,
}

fn delta(text: &str) -> Delta {
    Delta { kind: "message_delta".into(), text_delta: Some(text.into()), response_id: None, model: None }
}

impl Fed {
    fn new() -> Self {
        let mut desk = Desk::new();
        desk.app.selection = Selection::Node("a".parse().unwrap());
        Self { desk, deltas: Vec::new(), last_seq: 2, rows: 0 }
    }

    /// The node streams a piece of so many bytes, which says which one it is.
    fn stream(&mut self, bytes: usize) -> Vec<Effect> {
        self.last_seq += 1;
        let text = format!("[{:>1$}]", self.last_seq, bytes.max(12) - 2);
        self.deltas.push((self.last_seq, delta(&text)));
        self.desk.event(&format!(
            r#""type":"node_output_delta","node_id":"a","delta":{{"kind":"message_delta","text_delta":"{text}"}}"#
        ))
    }

    /// The node has streamed more than memory keeps.
    fn dropped() -> Self {
        let mut fed = Self::new();
        while fed.desk.app.run.nodes[0].text.dropped == 0 {
            fed.stream(limits::STREAMED_TEXT / 4);
        }
        fed
    }

    /// What a disk that has written everything up to `through` has to say.
    fn on_disk(&self, request: &TextRequest, through: u64) -> Streamed {
        let through = through.min(request.through);
        let mut left = request.bytes;
        let within = self.deltas.iter().filter(|(seq, _)| *seq <= through).rev();
        let taken = within.take_while(|(_, delta)| {
            let more = left > 0;
            left = left.saturating_sub(delta.text_delta.as_deref().map_or(0, str::len));
            more
        });
        let mut deltas: Vec<_> = taken.cloned().collect();
        deltas.reverse();
        Streamed { deltas, through, whole: left > 0 }
    }

    fn answer(&mut self, request: &TextRequest, through: u64) -> Option<TextRequest> {
        let result = Ok(self.on_disk(request, through));
        asked(&self.desk.act(Action::TextLoaded { number: request.number, result }))
    }

    fn shown(&self) -> String {
        let node = &self.desk.app.run.nodes[0];
        self.desk.app.shown_text(node).segments().map(|segment| segment.text.as_str()).collect()
    }

    fn all(&self) -> String {
        self.deltas.iter().filter_map(|(_, delta)| delta.text_delta.as_deref()).collect()
    }

    /// The text is drawn, in so many rows more than before.
    fn draw(&mut self, more: usize) {
        self.rows += more;
        self.desk.act(Action::Drawn(Measured { detail: self.rows, ..Measured::default() }));
    }

    /// The operator goes to the top of the text.
    fn go_to_top(&mut self) -> Option<TextRequest> {
        self.desk.app.focus = crate::app::Pane::Detail;
        self.draw(5_000);
        asked(&self.desk.key(KeyCode::Home))
    }
}

fn asked(effects: &[Effect]) -> Option<TextRequest> {
    effects.iter().find_map(|effect| match effect {
        Effect::LoadText(request) => Some(request.clone()),
        _ => None,
    })
}

#[test]
fn what_memory_has_dropped_is_read_at_the_top_and_the_place_is_held() {
    let mut fed = Fed::dropped();
    assert_eq!(fed.desk.app.loaded, None, "a long rest is enough until its top is looked at");
    let request = fed.go_to_top().expect("it is read");
    assert_eq!(request.through, fed.last_seq);
    fed.answer(&request, fed.last_seq);
    assert_eq!(fed.shown(), fed.all());
    let node = &fed.desk.app.run.nodes[0];
    assert_eq!(fed.desk.app.shown_text(node).dropped, 0);
    assert_eq!(fed.desk.app.detail.scroll, Scroll::FromEnd(5_000));
    fed.draw(2_000);
    assert_eq!(fed.desk.app.detail.scroll, Scroll::At(2_000));
    fed.stream(100);
    assert_eq!(fed.shown(), fed.all(), "it goes on growing");
}

#[test]
fn it_goes_when_another_node_is_looked_at_and_a_late_answer_is_dropped() {
    let mut fed = Fed::dropped();
    let request = fed.go_to_top().unwrap();
    fed.desk.app.selection = Selection::Run;
    fed.desk.wait(1);
    assert_eq!(fed.desk.app.loaded, None);
    fed.answer(&request, fed.last_seq);
    assert_eq!(fed.desk.app.loaded, None);
}

#[test]
fn while_the_run_is_followed_nothing_is_read_by_itself() {
    let mut fed = Fed::dropped();
    fed.desk.app.selection = Selection::Follow;
    for _ in 0..10 {
        assert_eq!(asked(&fed.stream(100)), None);
    }
}

#[test]
fn what_the_disk_has_not_written_yet_is_asked_for_again_and_in_the_end_it_is_said() {
    let mut fed = Fed::dropped();
    for _ in 0..limits::RECENT_EVENTS + 10 {
        fed.stream(12);
    }
    let mut request = fed.go_to_top().unwrap();
    assert!(request.wait.is_zero());
    let mut tries = 0;
    while let Some(again) = fed.answer(&request, 10) {
        assert!(again.number > request.number && !again.wait.is_zero());
        request = again;
        tries += 1;
    }
    assert_eq!(tries, 5);
    let loaded = fed.desk.app.loaded.as_ref().unwrap();
    assert_eq!(loaded.state, TextState::Failed("the journal ends with event 10".into()));
    assert!(fed.all().ends_with(&fed.shown()), "the short rest is still shown");
}

#[test]
fn more_is_read_at_the_top_of_what_was_read_until_there_is_no_more() {
    let mut fed = Fed::new();
    while fed.all().len() < 900 * 1024 {
        fed.stream(20_000);
    }
    let first = fed.go_to_top().unwrap();
    fed.answer(&first, fed.last_seq);
    assert!(fed.shown().len() >= first.bytes && fed.shown().len() < fed.all().len());
    let second = fed.go_to_top().expect("more");
    assert!(second.bytes > first.bytes);
    fed.stream(20_000);
    assert!(fed.shown().len() > first.bytes, "what was read stays while more is read");
    fed.answer(&second, fed.last_seq);
    assert_eq!(fed.shown(), fed.all());
    assert_eq!(fed.go_to_top(), None, "there is no more");
}

#[test]
fn without_a_disk_it_is_said_why_and_asked_once() {
    let mut fed = Fed::dropped();
    let request = fed.go_to_top().unwrap();
    let why = Err("there is no journal".to_owned());
    assert_eq!(asked(&fed.desk.act(Action::TextLoaded { number: request.number, result: why })), None);
    assert_eq!(asked(&fed.desk.wait(1_000)), None);
    assert_eq!(fed.desk.app.loaded.as_ref().unwrap().state, TextState::Failed("there is no journal".into()));
    fed.stream(50);
    assert!(fed.all().ends_with(&fed.shown()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whenever_the_disk_answers_and_whatever_it_has_written_no_piece_is_missing_or_doubled(
        meanwhile in 0_usize..40,
        behind in 0_u64..60,
        after in 0_usize..20,
    ) {
        let mut fed = Fed::dropped();
        let mut request = fed.go_to_top();
        let mut written = fed.last_seq.saturating_sub(behind);
        for _ in 0..meanwhile {
            fed.stream(30);
        }
        while let Some(asked) = request {
            request = fed.answer(&asked, written);
            written = fed.last_seq;
        }
        for _ in 0..after {
            fed.stream(30);
        }
        prop_assert_eq!(fed.shown(), fed.all());
    }
}
