//! The loop: wait for one thing, take all that is ready, reduce, perform, draw once.
//!
//! Owns the order of things and nothing else: what an action means is the reducer's, what an effect does is
//! [`perform`](super::perform)'s. Rules: a key is drawn at once, frames that events cause are paced; a burst is bounded
//! in count and time, so that a flood of events never delays a key by more than a frame.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::frame_pacer::FramePacer;
use super::hang_up::HangUp;
use super::keyboard::{Input, Keyboard};
use super::output::Output;
use super::perform::Performer;
use super::signals::{Signal, Signals};
use super::terminal::{SuspendedBy, Terminal};
use super::{ConsoleConfig, Left, Source, panics, until};
use crate::app::{Action, App, Effect, Level, Mode, Moment, reduce};
use crate::feed::{Feed, FeedConfig, FeedHandle, FeedUpdate};
use crate::store::StateDir;
use crate::store::journal::{Journal, prune::prune};
use crate::view;

/// Batches of events that may wait for the loop; when it is full the feed waits, and so does the server.
const FEED_CHANNEL: usize = 4;
/// Outcomes of effects that may wait for the loop.
const OUTCOME_CHANNEL: usize = 256;
/// How many ready actions are reduced before the next frame is considered, and for how long.
const BURST: (usize, Duration) = (256, Duration::from_millis(8));
/// The wall clock and the monotonic clock may differ by this much before the link is doubted.
const CLOCK_JUMP: Duration = Duration::from_secs(30);
/// How often a terminal that has stopped is asked whether it goes on.
const BEHIND: Duration = Duration::from_millis(10);
/// How long, after leaving, a submission that is on its way may still tell its verdict.
const LAST_VERDICTS: Duration = Duration::from_secs(3);
/// How long, after leaving, the journal may still be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// One thing that the loop waited for.
enum Happened {
    Input(Option<Input>),
    Signal(Signal),
    Panicked,
    Outcome(Action),
    Feed(FeedUpdate),
    /// The terminal may have room for the rest of a frame.
    Behind,
    Time,
}

/// Why the loop ends.
enum End {
    Quit,
    Signal(Signal),
    TerminalGone,
    Panicked,
}

struct Loop {
    app: App,
    theme: view::Theme,
    cache: view::Cache,
    terminal: Terminal,
    keyboard: Keyboard,
    signals: Signals,
    hang_up: HangUp,
    pacer: FramePacer,
    started: Instant,
    last: Moment,
    outcomes: mpsc::Receiver<Action>,
    updates: mpsc::Receiver<FeedUpdate>,
    performer: Performer,
    feed: FeedHandle,
    /// An external editor has the terminal: the loop goes on reducing and does not draw.
    editing: bool,
    end: Option<End>,
}

/// Runs the console until the operator leaves, a signal ends it, or the terminal is gone.
///
/// The first frame stands before anything is read from network or disk.
///
/// # Errors
/// When standard input or output is no terminal, or it cannot be set.
pub async fn run(config: ConsoleConfig, source: Source) -> io::Result<Left> {
    let started = Instant::now();
    let signals = Signals::listen()?;
    let mut terminal = Terminal::enter(config.mouse)?;
    let now = Moment { wall: Timestamp::now(), uptime: Duration::ZERO };
    let mut app = App::new(config.identity.clone(), crossterm::terminal::size()?, now);
    app.command.clone_from(&config.command);
    app.replay = matches!(source, Source::File { .. });
    let mut cache = view::Cache::default();
    terminal.draw(|frame| {
        view::draw(&app, &config.theme, &mut cache, frame);
    })?;

    app.time_zone = jiff::tz::TimeZone::system();
    let (outcome_tx, outcomes) = mpsc::channel(OUTCOME_CHANNEL);
    let (update_tx, updates) = mpsc::channel(FEED_CHANNEL);
    let run_id = config.identity.run_id;
    let feed_config = FeedConfig {
        include_output: config.include_output,
        idle_timeout: config.idle_timeout,
        ..FeedConfig::default()
    };
    let (feed, performer) = match source {
        Source::Server(clients) => {
            let journal = config.state.as_ref().ok().filter(|_| config.journal).map(Journal::of);
            let feed = match &journal {
                Some(journal) => {
                    Feed::spawn_with_journal(clients.clone(), run_id, feed_config, journal.clone(), update_tx)
                }
                None => Feed::spawn(clients.clone(), run_id, feed_config, update_tx),
            };
            if let (Some(_), Ok(state)) = (&journal, &config.state) {
                clear_up(state.clone());
            }
            let performer = Performer::new(run_id, clients, config.state, config.include_output, outcome_tx);
            (feed, performer.with_journal(journal))
        }
        Source::File { file, path } => (Feed::replay(file, update_tx), Performer::of_a_file(run_id, path, outcome_tx)),
    };
    // On the heap: what a future holds is copied as it is handed on.
    let mut console = Box::new(Loop {
        app,
        theme: config.theme,
        cache,
        terminal,
        keyboard: Keyboard::open(),
        signals,
        hang_up: HangUp::watch(),
        pacer: FramePacer::default(),
        started,
        last: now,
        outcomes,
        updates,
        performer,
        feed,
        editing: false,
        end: None,
    });
    for problem in config.problems {
        console.app.notify(Level::Error, problem);
    }
    let end = console.turn().await;
    Ok(console.leave(&end, &config.command).await)
}

/// Clears up old journals in the background; whatever is not done when the console is left is done the next time.
fn clear_up(state: StateDir) {
    let clear_up = move || prune(&state, std::time::SystemTime::now());
    if let Err(error) = std::thread::Builder::new().name("prune".into()).spawn(clear_up) {
        tracing::warn!(%error, "old journals are not cleared up");
    }
}

impl Loop {
    async fn turn(&mut self) -> End {
        loop {
            let happened = self.wait().await;
            let begun = Instant::now();
            let mut taken = 1;
            let mut next = Some(happened);
            while let Some(happened) = next {
                self.take(happened);
                if let Some(end) = self.end.take() {
                    return end;
                }
                let more = taken < BURST.0 && begun.elapsed() < BURST.1;
                next = if more { self.ready().await } else { None };
                taken += 1;
            }
            if self.terminal.is_behind() && self.terminal.catch_up().is_err() {
                return End::TerminalGone;
            }
            if self.may_draw() && self.pacer.is_due(Instant::now()) && self.draw().is_err() {
                return End::TerminalGone;
            }
        }
    }

    /// Not while an external editor has the terminal, nor while the terminal has not taken the frame before: it has
    /// stopped, and keys, signals and drafts do not wait for it.
    fn may_draw(&self) -> bool {
        !self.editing && !self.terminal.is_behind()
    }

    /// Waits for one thing: what the operator does comes before what the server does.
    async fn wait(&mut self) -> Happened {
        let tick = self.app.next_tick().map(|uptime| self.started + uptime);
        let frame = if self.may_draw() { self.pacer.due(Instant::now()) } else { None };
        let behind = self.terminal.is_behind().then(|| Instant::now() + BEHIND);
        let wake = [tick, frame].into_iter().flatten().min();
        tokio::select! {
            biased;
            () = self.hang_up.happened() => Happened::Input(None),
            input = self.keyboard.next() => Happened::Input(input),
            signal = self.signals.next() => Happened::Signal(signal),
            () = panics::panicked() => Happened::Panicked,
            Some(action) = self.outcomes.recv() => Happened::Outcome(action),
            Some(update) = self.updates.recv() => Happened::Feed(update),
            () = until(behind) => Happened::Behind,
            () = until(wake) => Happened::Time,
        }
    }

    /// Something more that is ready now. The keyboard is polled with this task's own waker, never with an idle one: its
    /// stream keeps the waker that it is given first, and would wake nobody for the next key.
    async fn ready(&mut self) -> Option<Happened> {
        tokio::select! {
            biased;
            input = self.keyboard.next() => return Some(Happened::Input(input)),
            () = std::future::ready(()) => {}
        }
        if let Ok(action) = self.outcomes.try_recv() {
            return Some(Happened::Outcome(action));
        }
        self.updates.try_recv().ok().map(Happened::Feed)
    }

    fn take(&mut self, happened: Happened) {
        match happened {
            Happened::Input(Some(input)) => self.input(input),
            Happened::Input(None) => self.end = Some(End::TerminalGone),
            Happened::Signal(signal) => self.signal(signal),
            Happened::Panicked => self.end = Some(End::Panicked),
            Happened::Outcome(action) => {
                if let Action::ExternalEditorClosed { .. } = action {
                    self.editor_closed();
                }
                self.pacer.want_now();
                self.reduce(action);
            }
            Happened::Feed(update) => {
                self.pacer.want_soon();
                self.reduce(Action::Feed(update));
            }
            Happened::Behind => {}
            Happened::Time => {
                // Either a frame that was held back is due, or a clock turns.
                self.pacer.want_now();
                self.reduce(Action::Tick);
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.pacer.want_now();
        match input {
            Input::Key(key) => self.reduce(Action::Key(key)),
            Input::Paste(text) => self.reduce(Action::Paste(text)),
            Input::PasteTooLarge(bytes) => self.app.notify(
                Level::Error,
                format!("{bytes} bytes were pasted and not taken: 512 KiB at most. Ctrl-X o inserts a file"),
            ),
            Input::Resize(columns, rows) => self.reduce(Action::Resize(columns, rows)),
            Input::WindowFocus(focus) => self.reduce(Action::WindowFocus(focus)),
            Input::Mouse(mouse) => {
                if let Some(action) = wheel(mouse.kind) {
                    self.reduce(action);
                }
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            // While an external editor has the terminal, the terminal's Ctrl-C, Ctrl-\ and Ctrl-Z are meant for it.
            Signal::Interrupt | Signal::Quit if self.editing => {}
            Signal::Suspend if self.editing => self.or_gone(|_| super::terminal::stop_this_process()),
            Signal::Suspend => self.suspend(SuspendedBy::Signal),
            Signal::Continue => self.resumed(),
            Signal::Interrupt | Signal::Quit | Signal::Terminate | Signal::HangUp => {
                self.reduce(Action::Quit);
                self.end = Some(End::Signal(signal));
            }
        }
    }

    fn reduce(&mut self, action: Action) {
        let now = self.now();
        for effect in reduce(&mut self.app, now, action) {
            self.perform(effect);
        }
    }

    /// The time; a jump of the wall clock (the machine slept) puts the link in doubt.
    fn now(&mut self) -> Moment {
        let now = Moment { wall: Timestamp::now(), uptime: self.started.elapsed() };
        let wall = now.wall.duration_since(self.last.wall).as_secs_f64();
        let uptime = now.uptime.saturating_sub(self.last.uptime).as_secs_f64();
        self.last = now;
        if (wall - uptime).abs() > CLOCK_JUMP.as_secs_f64() {
            self.feed.probe_now();
        }
        now
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Quit => self.end = Some(End::Quit),
            Effect::Reconnect => self.feed.reconnect_now(),
            Effect::ProbeLink => self.feed.probe_now(),
            Effect::Suspend => self.suspend(SuspendedBy::Key),
            Effect::Repaint => self.or_gone(|console| console.terminal.clear()),
            Effect::Bell => self.or_gone(|console| console.terminal.bell()),
            Effect::Copy(text) => {
                let copied = super::clipboard::copy(&mut self.terminal, &text);
                self.reduce(Action::Copied(copied));
            }
            Effect::EditExternally { key, text } => {
                self.keyboard.stop();
                self.editing = true;
                self.or_gone(|console| console.terminal.leave());
                self.performer.edit_externally(key, text);
            }
            other => self.performer.perform(other),
        }
    }

    fn editor_closed(&mut self) {
        self.editing = false;
        self.keyboard.resume();
        self.or_gone(|console| console.terminal.enter_again());
        self.size_again();
    }

    fn suspend(&mut self, by: SuspendedBy) {
        self.performer.flush_now();
        self.keyboard.stop();
        self.or_gone(|console| console.terminal.suspend(by));
        self.keyboard.resume();
        self.size_again();
        self.pacer.want_now();
    }

    /// The process was stopped and goes on. It may have been stopped from outside, without giving the terminal back:
    /// the shell has then written on it and has set it as it needs it.
    fn resumed(&mut self) {
        if !self.editing {
            self.or_gone(|console| console.terminal.leave().and_then(|()| console.terminal.enter_again()));
            self.size_again();
            self.pacer.want_now();
        }
        self.reduce(Action::Resumed);
    }

    fn size_again(&mut self) {
        if let Ok((columns, rows)) = crossterm::terminal::size() {
            self.reduce(Action::Resize(columns, rows));
        }
    }

    fn or_gone(&mut self, act: impl FnOnce(&mut Self) -> io::Result<()>) {
        if act(self).is_err() {
            self.end = Some(End::TerminalGone);
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let mut measured = self.app.measured;
        let (app, theme, cache) = (&self.app, &self.theme, &mut self.cache);
        self.terminal.draw(|frame| measured = view::draw(app, theme, cache, frame))?;
        self.pacer.drawn(Instant::now());
        if self.terminal.is_behind() {
            // What the operator has not seen is not drawn: a review must not take a key yet.
            self.pacer.want_now();
            return Ok(());
        }
        let reviewing = matches!(self.app.mode, Mode::Review(_));
        if reviewing || measured != self.app.measured {
            self.reduce(Action::Drawn(measured));
        }
        Ok(())
    }

    /// Gives the terminal back, lets drafts reach the disk and submissions their verdict, and sums up.
    async fn leave(mut self: Box<Self>, end: &End, command: &[String]) -> Left {
        if !matches!(end, End::Quit) {
            self.reduce(Action::Quit);
        }
        let given_back = self.terminal.leave();
        // A reader of a terminal that is gone would turn a processor while the disk is waited for.
        self.keyboard.stop();
        let hung_up = matches!(end, End::TerminalGone | End::Signal(Signal::HangUp)) || given_back.is_err();
        if !hung_up {
            self.last_verdicts().await;
        }
        let set_aside = self.performer.leave().await;
        // What the disk has not taken by then is read from the server again.
        let _ = tokio::time::timeout(LAST_LINES, self.feed.finish()).await;
        while let Ok(action) = self.outcomes.try_recv() {
            self.reduce(action);
        }
        Left {
            summary: super::leaving::summary(&self.app, self.theme, command, &set_aside),
            status: self.app.run.status(),
            signal: match end {
                End::Signal(signal) => Some(*signal),
                End::TerminalGone => Some(Signal::HangUp),
                End::Quit | End::Panicked => None,
            },
            terminal_gone: hung_up,
            panic: panics::take_message(),
        }
    }

    async fn last_verdicts(&mut self) {
        let deadline = Instant::now() + LAST_VERDICTS;
        let under_way = |app: &App| app.answers.values().any(|answer| answer.sending.is_some());
        if under_way(&self.app) {
            let seconds = LAST_VERDICTS.as_secs();
            let words = format!("an answer is on its way; waiting up to {seconds} s for the server's word on it\n");
            // Only to be told: on a terminal that has stopped nobody reads it.
            let _ = Output::open().and_then(|mut out| out.write_some(words.as_bytes(), Duration::from_millis(100)));
        }
        while under_way(&self.app) {
            tokio::select! {
                Some(action) = self.outcomes.recv() => self.reduce(action),
                () = until(Some(deadline)) => return,
            }
        }
    }
}

/// The wheel scrolls as the arrow keys do.
fn wheel(kind: crossterm::event::MouseEventKind) -> Option<Action> {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEventKind};
    let code = match kind {
        MouseEventKind::ScrollUp => KeyCode::Up,
        MouseEventKind::ScrollDown => KeyCode::Down,
        _ => return None,
    };
    Some(Action::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}
