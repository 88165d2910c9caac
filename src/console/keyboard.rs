//! What the operator does: keys, pastes, a new size, the focus of the window.
//!
//! Owns the reader of the terminal's input and what is made of it: releases dropped, split sequences put together,
//! line endings in pastes made one, pastes bounded. Does not know what a key means.
//!
//! The rule that must stay true: while the reader is closed ([`Keyboard::stop`]) nothing reads the terminal, so that
//! an external editor gets every key.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseEvent};
use futures_util::{Stream, StreamExt};

use super::escape::{Assembled, Assembler};
use super::hang_up::{self, TerminalEvents};
use super::until;

/// A pasted text larger than this, in bytes, is refused whole: half of a JSON text is worse than none. A file of any
/// size can be inserted.
pub const MAX_PASTE_BYTES: usize = 512 * 1024;

/// Something that the operator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed, or repeats.
    Key(KeyEvent),
    /// A text was pasted; its lines end with `\n`.
    Paste(String),
    /// A text of so many bytes was pasted and is too large.
    PasteTooLarge(usize),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// The window got (true) or lost (false) the focus.
    WindowFocus(bool),
    /// The mouse was used.
    Mouse(MouseEvent),
}

/// Reads what the operator does.
#[derive(Debug)]
pub struct Keyboard<S = TerminalEvents> {
    source: Option<S>,
    assembler: Assembler,
    ready: VecDeque<Input>,
}

impl Keyboard<TerminalEvents> {
    /// Starts to read the terminal.
    #[must_use]
    pub fn open() -> Self {
        Self::new(TerminalEvents::default())
    }

    /// Stops reading. The reader is woken to be told; where nobody was reading any more, that wake-up would stay behind
    /// and hide, from the next reader, the first key that comes at the same time.
    pub fn stop(&mut self) {
        self.pause();
        // It takes nothing from the terminal: a key that has arrived is kept for whoever reads next. A terminal that is
        // gone is never asked.
        if !hang_up::is_gone() {
            let _ = crossterm::event::poll(std::time::Duration::ZERO);
        }
    }

    /// Reads the terminal again after [`Keyboard::stop`].
    pub fn resume(&mut self) {
        self.source.get_or_insert_with(TerminalEvents::default);
    }
}

impl<S: Stream<Item = io::Result<Event>> + Unpin> Keyboard<S> {
    /// Reads from `source`.
    pub fn new(source: S) -> Self {
        Self { source: Some(source), assembler: Assembler::default(), ready: VecDeque::new() }
    }

    /// Stops reading; the terminal is free for another program when this returns. Split sequences are forgotten.
    fn pause(&mut self) {
        self.source = None;
        self.assembler = Assembler::default();
    }

    /// The next thing that the operator did; `None` when the terminal is gone, and then the program has to end: to
    /// go on reading would turn a processor. Waits for ever while paused. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Input> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return Some(input);
            }
            let deadline = self.assembler.deadline();
            tokio::select! {
                // What has already arrived counts before the time that has passed.
                biased;
                event = next_of(&mut self.source) => match event {
                    Some(Ok(event)) => self.take(event),
                    Some(Err(_)) | None => return None,
                },
                () = until(deadline) => {
                    let mut assembled = Vec::new();
                    self.assembler.expire(now(), &mut assembled);
                    self.ready.extend(assembled.into_iter().map(Input::from));
                }
            }
        }
    }

    fn take(&mut self, event: Event) {
        let mut assembled = Vec::new();
        if let Event::Key(key) = event {
            if key.kind != KeyEventKind::Release {
                self.assembler.key(key, now(), &mut assembled);
            }
        } else if matches!(event, Event::Paste(_) | Event::Mouse(_)) {
            self.assembler.release(&mut assembled);
        }
        self.ready.extend(assembled.into_iter().map(Input::from));
        self.ready.extend(match event {
            Event::Key(_) => None,
            Event::Paste(text) => Some(pasted(&text)),
            Event::Resize(columns, rows) => Some(Input::Resize(columns, rows)),
            Event::FocusGained => Some(Input::WindowFocus(true)),
            Event::FocusLost => Some(Input::WindowFocus(false)),
            Event::Mouse(mouse) => Some(Input::Mouse(mouse)),
        });
    }
}

impl From<Assembled> for Input {
    fn from(assembled: Assembled) -> Self {
        match assembled {
            Assembled::Key(key) => Self::Key(key),
            Assembled::WindowFocus(focused) => Self::WindowFocus(focused),
            Assembled::Paste(text) => pasted(&text),
        }
    }
}

/// A pasted text with its line endings made one: terminals send a line's end as `\r`.
fn pasted(text: &str) -> Input {
    if text.len() > MAX_PASTE_BYTES {
        return Input::PasteTooLarge(text.len());
    }
    Input::Paste(text.replace("\r\n", "\n").replace('\r', "\n"))
}

async fn next_of<S: Stream<Item = io::Result<Event>> + Unpin>(source: &mut Option<S>) -> Option<io::Result<Event>> {
    match source {
        Some(source) => source.next().await,
        None => std::future::pending().await,
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crossterm::event::{KeyCode, KeyModifiers};
    use futures_util::stream;
    use tokio::sync::mpsc;

    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    /// A keyboard whose events are sent by the test.
    fn keyboard() -> (mpsc::UnboundedSender<io::Result<Event>>, Keyboard<impl Stream<Item = io::Result<Event>> + Unpin>)
    {
        let (sender, receiver) = mpsc::unbounded_channel();
        let source = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
        (sender, Keyboard::new(Box::pin(source)))
    }

    async fn all(events: Vec<Event>) -> Vec<Input> {
        let (sender, mut keyboard) = keyboard();
        for event in events {
            sender.send(Ok(event)).unwrap();
        }
        let mut inputs = Vec::new();
        while let Ok(Some(input)) = tokio::time::timeout(Duration::from_secs(1), keyboard.next()).await {
            inputs.push(input);
        }
        inputs
    }

    #[tokio::test(start_paused = true)]
    async fn releases_are_no_keys_and_repeats_are() {
        let kind = |kind| Event::Key(KeyEvent::new_with_kind(KeyCode::Char('a'), KeyModifiers::NONE, kind));
        let inputs =
            all(vec![kind(KeyEventKind::Press), kind(KeyEventKind::Repeat), kind(KeyEventKind::Release)]).await;
        assert_eq!(inputs.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_escape_comes_after_its_window_and_a_split_arrow_as_one_key() {
        let (sender, mut keyboard) = keyboard();
        let start = tokio::time::Instant::now();
        sender.send(Ok(Event::Key(key(KeyCode::Esc)))).unwrap();
        assert_eq!(keyboard.next().await, Some(Input::Key(key(KeyCode::Esc))));
        // The timer of the runtime counts in whole milliseconds.
        assert!((50..=51).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        for code in [KeyCode::Esc, KeyCode::Char('['), KeyCode::Char('A')] {
            sender.send(Ok(Event::Key(key(code)))).unwrap();
        }
        assert_eq!(keyboard.next().await, Some(Input::Key(key(KeyCode::Up))));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_survives_a_future_that_is_dropped() {
        let (sender, mut keyboard) = keyboard();
        sender.send(Ok(Event::Key(key(KeyCode::Esc)))).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(10), keyboard.next()).await.is_err());
        assert_eq!(keyboard.next().await, Some(Input::Key(key(KeyCode::Esc))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pasted_text_has_one_kind_of_line_ending_and_comes_after_the_keys_before_it() {
        let inputs = all(vec![Event::Key(key(KeyCode::Esc)), Event::Paste("a\r\nb\rc\nd".into())]).await;
        assert_eq!(inputs, [Input::Key(key(KeyCode::Esc)), Input::Paste("a\nb\nc\nd".into())]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paste_that_is_too_large_is_refused_whole() {
        let largest = "x".repeat(MAX_PASTE_BYTES);
        let inputs = all(vec![Event::Paste(largest.clone()), Event::Paste(largest.clone() + "y")]).await;
        assert_eq!(inputs, [Input::Paste(largest), Input::PasteTooLarge(MAX_PASTE_BYTES + 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_that_is_gone_ends_the_input() {
        let (sender, mut gone) = keyboard();
        drop(sender);
        assert_eq!(gone.next().await, None);
        let (sender, mut failing) = keyboard();
        sender.send(Err(io::Error::other("EIO"))).unwrap();
        assert_eq!(failing.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_keyboard_reads_nothing() {
        let (sender, mut keyboard) = keyboard();
        keyboard.pause();
        assert!(sender.send(Ok(Event::FocusGained)).is_err(), "the reader is gone");
        assert!(tokio::time::timeout(Duration::from_secs(60), keyboard.next()).await.is_err());
    }
}
