//! One program in one pseudo-terminal: keys in, a screen out.
//!
//! Frames are shown whole, as a terminal shows them that knows `?2026`. Nothing sleeps: every wait is for words on the
//! screen, or for the program's end, with a bound.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use relay_console::console::modes::{BEGIN_FRAME, END_FRAME};

/// How long a wait may take before it is a failure.
const BOUND: Duration = Duration::from_secs(30);

/// What the terminal shows, and every byte that was written to it.
struct Shown {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    closed: bool,
    /// The terminal has stopped: it takes nothing more.
    stopped: bool,
}

/// A program in a pseudo-terminal.
pub(crate) struct Session {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
}

/// How many of the bytes a terminal shows that waits for the end of a frame: those before a frame that is not whole.
fn whole_frames(bytes: &[u8]) -> usize {
    let last = |mark: &[u8]| bytes.windows(mark.len()).rposition(|window| window == mark);
    match (last(BEGIN_FRAME), last(END_FRAME)) {
        (Some(begun), ended) if ended.is_none_or(|ended| ended < begun) => begun,
        // The mark itself may come in pieces.
        _ => (0..bytes.len())
            .rev()
            .take(BEGIN_FRAME.len())
            .find(|at| BEGIN_FRAME.starts_with(&bytes[*at..]))
            .unwrap_or(bytes.len()),
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// `relay-console` with `arguments` in an empty home directory under `home`, and nothing else in its environment.
pub(crate) fn command(arguments: &[&str], home: &Path, environment: &[(&str, &str)]) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_relay-console"));
    command.args(arguments);
    command.env_clear();
    command.env("HOME", home);
    command.env("TERM", "xterm-256color");
    command.env("PATH", std::env::var("PATH").unwrap_or_default());
    for (name, value) in environment {
        command.env(name, value);
    }
    command
}

impl Session {
    /// Starts `relay-console` with `arguments` in an empty home directory under `home`.
    pub(crate) fn start(arguments: &[&str], home: &Path, (columns, rows): (u16, u16)) -> Self {
        Self::start_with(arguments, home, (columns, rows), &[])
    }

    /// The same, with environment variables.
    pub(crate) fn start_with(
        arguments: &[&str],
        home: &Path,
        (columns, rows): (u16, u16),
        environment: &[(&str, &str)],
    ) -> Self {
        Self::spawn(command(arguments, home, environment), (columns, rows))
    }

    /// Starts any program.
    pub(crate) fn spawn(command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let parser = vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap(), 0);
        let shown =
            Arc::new((Mutex::new(Shown { parser, bytes: Vec::new(), closed: false, stopped: false }), Condvar::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let sink = Arc::clone(&shown);
        std::thread::spawn(move || {
            let (mut buffer, mut held) = (vec![0; 65536], Vec::new());
            loop {
                let (shown, changed) = &*sink;
                let Ok(waiting) = shown.lock() else { return };
                drop(changed.wait_while(waiting, |shown| shown.stopped));
                let count = reader.read(&mut buffer).unwrap_or(0);
                // A test that fails while it looks poisons the lock; there is nothing to show any more.
                let Ok(mut shown) = shown.lock() else { return };
                held.extend_from_slice(&buffer[..count]);
                let whole = if count == 0 { held.len() } else { whole_frames(&held) };
                let now: Vec<u8> = held.drain(..whole).collect();
                shown.parser.process(&now);
                shown.bytes.extend_from_slice(&buffer[..count]);
                shown.closed |= count == 0;
                changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self { master: pair.master, writer, child, shown }
    }

    /// Waits until `wanted` holds of the screen's text; panics with the screen when it never does.
    pub(crate) fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let found = self.look_for(BOUND, wanted);
        found.unwrap_or_else(|text| panic!("never on screen: {what}\n--- the screen was:\n{text}\n---"))
    }

    /// The same for what may never come; `None` then.
    pub(crate) fn wait_at_most(&self, bound: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.look_for(bound, wanted).ok()
    }

    /// The screen's text once `wanted` holds of it, or the last one when it never does.
    fn look_for(&self, bound: Duration, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        let (shown, changed) = &*self.shown;
        let end = Instant::now() + bound;
        let mut shown = shown.lock().unwrap();
        loop {
            let text = shown.parser.screen().contents();
            if wanted(&text) {
                return Ok(text);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || shown.closed {
                return Err(text);
            }
            shown = changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Waits until the words are on screen.
    pub(crate) fn wait_for(&self, words: &str) -> String {
        self.wait_until(words, |text| text.contains(words))
    }

    /// Waits until the words are no longer on screen.
    pub(crate) fn wait_for_no(&self, words: &str) -> String {
        self.wait_until(&format!("no {words}"), |text| !text.contains(words))
    }

    /// The screen's text now.
    pub(crate) fn text(&self) -> String {
        self.shown.0.lock().unwrap().parser.screen().contents()
    }

    /// Waits until `wanted` holds of the screen itself.
    pub(crate) fn wait_until_screen(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        let (shown, changed) = &*self.shown;
        let end = Instant::now() + BOUND;
        let mut shown = shown.lock().unwrap();
        while !wanted(shown.parser.screen()) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !shown.closed, "never shown: {what}\n{}", shown.parser.screen().contents());
            shown = changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Waits until the process is stopped, as `ps` shows it.
    pub(crate) fn wait_until_stopped(&self) {
        let end = Instant::now() + BOUND;
        let process = self.process_id().to_string();
        loop {
            let state = std::process::Command::new("ps").args(["-o", "stat=", "-p", &process]).output().unwrap();
            if state.stdout.starts_with(b"T") {
                return;
            }
            assert!(Instant::now() < end, "it never stopped");
        }
    }

    /// Whether the terminal echoes what is typed and reads by lines, as a shell expects.
    pub(crate) fn echoes(&self) -> bool {
        let local = self.master.get_termios().unwrap().local_flags;
        let names = format!("{local:?}");
        names.contains("ECHO") && names.contains("ICANON")
    }

    /// Whether the alternate screen is shown.
    pub(crate) fn in_alternate_screen(&self) -> bool {
        self.shown.0.lock().unwrap().parser.screen().alternate_screen()
    }

    /// Whether any mode is still on that a shell does not expect.
    pub(crate) fn modes_left_on(&self) -> Vec<&'static str> {
        let shown = self.shown.0.lock().unwrap();
        let screen = shown.parser.screen();
        let mut left = Vec::new();
        if screen.alternate_screen() {
            left.push("alternate screen");
        }
        if screen.hide_cursor() {
            left.push("hidden cursor");
        }
        if screen.bracketed_paste() {
            left.push("bracketed paste");
        }
        if screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None {
            left.push("mouse");
        }
        left
    }

    /// Every byte that was written to the terminal so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shown.0.lock().unwrap().bytes.clone()
    }

    /// Stops the terminal, as a link that hangs does, or lets it go on. What is on its way may still be shown.
    pub(crate) fn set_stopped(&self, stopped: bool) {
        // Also where a test has failed while it looked: a panic in a drop would end all tests without a word.
        self.shown.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).stopped = stopped;
        self.shown.1.notify_all();
    }

    /// Puts bytes on the screen as another program does that writes to the same terminal.
    pub(crate) fn scribble(&self, bytes: &str) {
        let (shown, changed) = &*self.shown;
        shown.lock().unwrap().parser.process(bytes.as_bytes());
        changed.notify_all();
    }

    /// Types bytes as they are.
    pub(crate) fn send(&mut self, bytes: &str) {
        self.writer.write_all(bytes.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Goes to the next waiting call and opens its answer.
    pub(crate) fn open_answer(&mut self) {
        self.send("w\r");
        self.wait_for("Ctrl-S");
    }

    /// Leaves the open answer with `Esc`, and waits until it is left: `Esc` and a key at once would be `Alt` and the key.
    pub(crate) fn leave_answer(&mut self) {
        // Not before the whole frame is there: what is not drawn yet would count as left.
        self.wait_for("Ctrl-S");
        self.send("\x1b");
        self.wait_for_no("Ctrl-S");
    }

    /// Changes the window's size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.shown
            .0
            .lock()
            .unwrap()
            .parser
            .screen_mut()
            .set_size(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Says that the window has no size at all; what it shows stays as it is.
    pub(crate) fn resize_to_nothing(&mut self) {
        self.master.resize(size(0, 0)).unwrap();
    }

    /// The program's process id.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Sends a signal by its name, as `kill` does.
    pub(crate) fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([&format!("-{name}"), &self.process_id().to_string()])
            .status()
            .unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// Whether the program still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the program's end; returns its exit code and everything that it wrote.
    pub(crate) fn wait_for_end(&mut self) -> (u32, String) {
        let end = Instant::now() + BOUND;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let (shown, changed) = &*self.shown;
            let guard = shown.lock().unwrap();
            assert!(Instant::now() < end, "it never ended\n{}", guard.parser.screen().contents());
            drop(changed.wait_timeout(guard, Duration::from_millis(20)).unwrap());
        };
        let (shown, changed) = &*self.shown;
        let mut guard = shown.lock().unwrap();
        while !guard.closed && Instant::now() < end {
            guard = changed.wait_timeout(guard, Duration::from_millis(50)).unwrap().0;
        }
        (status.exit_code(), String::from_utf8_lossy(&guard.bytes).into_owned())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.set_stopped(false);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
