//! The terminal: entering it, drawing on it, giving it back.
//!
//! Owns the writer, which turns a frame into one write that the terminal shows at once (`?2026`), and the guard that
//! leaves on every way out. Which bytes turn what on is the matter of [`modes`]; what is drawn is the view's.
//!
//! The rule that must stay true: between [`Terminal::enter`] and leaving, nothing else writes to the terminal.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::Duration;

use ratatui::Frame;

use super::backend::SparingBackend;
use super::output::Output;
use super::{modes, panics};

/// How long a frame waits for a terminal that takes it in parts, before the loop goes on without it.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a terminal that has stopped has for the rest of a frame when it is given back.
const LAST_PATIENCE: Duration = Duration::from_millis(200);

/// Who asks the process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspendedBy {
    /// The operator, by a key: the whole job is stopped, as the terminal would do, so that the shell takes over even
    /// where something like `cargo run` waits for this process.
    Key,
    /// A signal to this process.
    Signal,
}

/// The terminal while the console has it. Dropping it gives it back.
#[derive(Debug)]
pub struct Terminal {
    screen: ratatui::Terminal<SparingBackend<FrameWriter>>,
    writer: FrameWriter,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal: raw mode, the alternate screen, pastes and focus reported. Also sets the panic hook, with
    /// the calling thread as the one that draws.
    ///
    /// # Errors
    /// When standard input or output is no terminal, or it cannot be set.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "standard input and output must be a terminal"));
        }
        panics::install();
        // With NO_COLOR the library writes sequences that also wipe bold and reverse; the theme leaves the colours
        // out instead.
        crossterm::style::force_color_output(true);
        let writer = FrameWriter::new(Output::open()?);
        let screen = ratatui::Terminal::new(SparingBackend::new(writer.clone()))?;
        let terminal = Self { screen, writer, mouse };
        // From here on dropping undoes what has been done.
        modes::enter(mouse)?;
        Ok(terminal)
    }

    /// Draws one frame: one write, and none where the frame is as the one before.
    ///
    /// # Errors
    /// When the terminal does not take it; it is gone then.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let drawn = self.screen.draw(draw).map(|_| ());
        let written = self.writer.end_frame();
        drawn.and(written)
    }

    /// Whether the terminal has not taken all of the last frame: it is stopped, or slow. A frame that is drawn meanwhile
    /// only makes the rest longer.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.writer.is_behind()
    }

    /// Gives the terminal what it has room for of the rest.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn catch_up(&mut self) -> io::Result<()> {
        self.writer.catch_up(Duration::ZERO)
    }

    /// Forgets what stands on the screen, so that the next frame is drawn whole.
    ///
    /// # Errors
    /// When the size of the terminal cannot be read.
    pub fn clear(&mut self) -> io::Result<()> {
        // Not the library's `clear`: that one asks the terminal where the cursor is, and the answer would be read by
        // whoever reads the keys.
        let size = self.screen.size()?;
        self.screen.backend_mut().forget();
        self.screen.resize(size.into())
    }

    /// Rings the bell, unless the terminal has stopped: a bell that comes late tells nothing.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn bell(&mut self) -> io::Result<()> {
        if self.is_behind() { Ok(()) } else { self.writer.write_now(b"\x07") }
    }

    /// Puts `text` on the clipboard, as far as the terminal does that (OSC 52); it gives no answer.
    ///
    /// # Errors
    /// When the terminal has stopped, or is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        if self.is_behind() {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "the terminal takes nothing now"));
        }
        let mut bytes = Vec::new();
        crossterm::queue!(bytes, crossterm::clipboard::CopyToClipboard::to_clipboard_from(text))?;
        self.writer.write_now(&bytes)
    }

    /// Gives the terminal back. Doing it again does nothing.
    ///
    /// # Errors
    /// When the terminal does not take it.
    pub fn leave(&mut self) -> io::Result<()> {
        self.writer.discard();
        // A terminal that is gone says so again below.
        let _ = self.writer.catch_up(LAST_PATIENCE);
        self.writer.give_up();
        modes::leave()
    }

    /// Takes the terminal again after [`Terminal::leave`], with an empty screen.
    ///
    /// # Errors
    /// When it cannot be set, or is gone.
    pub fn enter_again(&mut self) -> io::Result<()> {
        modes::enter(self.mouse)?;
        self.clear()
    }

    /// Gives the terminal back, stops the process, and takes the terminal again when the process goes on.
    ///
    /// # Errors
    /// When the terminal cannot be set afterwards.
    #[cfg(unix)]
    pub fn suspend(&mut self, by: SuspendedBy) -> io::Result<()> {
        use rustix::process::{Signal, getpgrp, kill_current_process_group};
        self.leave()?;
        let stdin = io::stdin();
        let is_foreground_job = rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp());
        // Not SIGTSTP: it is listened to, and the system drops it where no shell is the parent.
        if by == SuspendedBy::Key && is_foreground_job {
            kill_current_process_group(Signal::STOP)?;
        } else {
            stop_this_process()?;
        }
        self.enter_again()
    }

    /// Does nothing: there is no job control here.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(unix))]
    pub fn suspend(&mut self, _: SuspendedBy) -> io::Result<()> {
        Ok(())
    }
}

/// Stops this process until someone lets it go on; the terminal must not be held.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub fn stop_this_process() -> io::Result<()> {
    Ok(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?)
}

/// Does nothing: there is no job control here.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn stop_this_process() -> io::Result<()> {
    Ok(())
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.leave();
    }
}

/// Collects what the backend writes and hands it to the terminal in one piece.
///
/// The backend flushes several times a frame and buffers nothing itself: a full frame would be a hundred writes, and a
/// terminal would show it in parts.
#[derive(Debug, Clone)]
struct FrameWriter(Rc<RefCell<Collected>>);

#[derive(Debug)]
struct Collected {
    /// The frame that is being drawn.
    frame: Vec<u8>,
    /// What the terminal has still to take of what was finished.
    rest: Vec<u8>,
    out: Output,
}

impl FrameWriter {
    fn new(out: Output) -> Self {
        Self(Rc::new(RefCell::new(Collected { frame: modes::BEGIN_FRAME.to_vec(), rest: Vec::new(), out })))
    }

    fn end_frame(&self) -> io::Result<()> {
        {
            let Collected { frame, rest, .. } = &mut *self.0.borrow_mut();
            if frame.len() == modes::BEGIN_FRAME.len() {
                return Ok(());
            }
            rest.extend_from_slice(frame);
            rest.extend_from_slice(modes::END_FRAME);
            frame.truncate(modes::BEGIN_FRAME.len());
        }
        self.catch_up(PATIENCE)
    }

    fn discard(&self) {
        self.0.borrow_mut().frame.truncate(modes::BEGIN_FRAME.len());
    }

    /// Drops what the terminal has not taken or not shown, so that there is room for what gives it back and for the
    /// last words.
    fn give_up(&self) {
        let Collected { rest, out, .. } = &mut *self.0.borrow_mut();
        if !rest.is_empty() {
            rest.clear();
            out.make_room();
            // A terminal that is gone says so again.
            let _ = out.write_some(modes::CANCEL, Duration::ZERO);
        }
    }

    fn is_behind(&self) -> bool {
        !self.0.borrow().rest.is_empty()
    }

    fn catch_up(&self, patience: Duration) -> io::Result<()> {
        let Collected { rest, out, .. } = &mut *self.0.borrow_mut();
        let written = out.write_some(rest, patience);
        // Of a terminal that is gone nothing is kept.
        rest.drain(..*written.as_ref().unwrap_or(&rest.len()));
        written.map(|_| ())
    }

    fn write_now(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().rest.extend_from_slice(bytes);
        self.catch_up(PATIENCE)
    }
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::net::UnixDatagram;

    use ratatui::layout::{Position, Rect};
    use ratatui::widgets::Paragraph;
    use ratatui::{TerminalOptions, Viewport};

    use super::*;

    /// A place to write to where each write stays apart: a datagram each.
    fn datagrams() -> (Output, UnixDatagram) {
        let (write, read) = UnixDatagram::pair().unwrap();
        read.set_nonblocking(true).unwrap();
        (File::from(std::os::fd::OwnedFd::from(write)).into(), read)
    }

    fn writes(read: &UnixDatagram) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 1 << 16];
        std::iter::from_fn(|| read.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())).collect()
    }

    #[test]
    fn a_frame_with_a_cursor_is_one_write_shown_at_once() {
        let (out, read) = datagrams();
        let writer = FrameWriter::new(out);
        let viewport = Viewport::Fixed(Rect::new(0, 0, 80, 24));
        let mut screen =
            ratatui::Terminal::with_options(SparingBackend::new(writer.clone()), TerminalOptions { viewport }).unwrap();
        let mut drawn = |text: &str, cursor: Option<Position>| {
            screen
                .draw(|frame| {
                    frame.render_widget(Paragraph::new(text), frame.area());
                    if let Some(cursor) = cursor {
                        frame.set_cursor_position(cursor);
                    }
                })
                .unwrap();
            writer.end_frame().unwrap();
            writes(&read)
        };
        let (here, there) = (Some(Position::new(1, 1)), Some(Position::new(2, 1)));
        let frames = [("first", here), ("second", here), ("second", there), ("second", None), ("third", None)];
        for (text, cursor) in frames {
            let written = drawn(text, cursor);
            assert_eq!(written.len(), 1, "{text} {cursor:?} {written:?}");
            assert!(written[0].starts_with(modes::BEGIN_FRAME) && written[0].ends_with(modes::END_FRAME));
            assert_eq!(
                drawn(text, cursor),
                Vec::<Vec<u8>>::new(),
                "nothing changed, nothing written: {text} {cursor:?}"
            );
        }
    }

    #[test]
    fn a_terminal_that_takes_a_part_gets_the_rest_in_order_and_nothing_waits_for_it() {
        let (mut reader, out) = std::os::unix::net::UnixStream::pair().unwrap();
        out.set_nonblocking(true).unwrap();
        let writer = FrameWriter::new(File::from(std::os::fd::OwnedFd::from(out)).into());
        let frame: Vec<u8> = (0..4u32 << 20).map(|at| b'a' + u8::try_from(at % 23).unwrap()).collect();
        writer.clone().write_all(&frame).unwrap();
        writer.end_frame().unwrap();
        assert!(writer.is_behind());
        let whole = [modes::BEGIN_FRAME, &frame, modes::END_FRAME].concat();
        let mut seen = Vec::new();
        while seen.len() < whole.len() {
            let mut buffer = vec![0; 1 << 16];
            let count = reader.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..count]);
            writer.catch_up(Duration::ZERO).unwrap();
        }
        assert!(seen == whole && !writer.is_behind());
    }

    #[test]
    fn a_frame_that_was_not_finished_is_not_written_after_leaving() {
        let (out, read) = datagrams();
        let mut writer = FrameWriter::new(out);
        writer.write_all(b"half a fra").unwrap();
        writer.discard();
        writer.end_frame().unwrap();
        assert_eq!(writes(&read), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_terminal_that_is_gone_is_an_error_and_the_next_frame_starts_afresh() {
        let (mut reader, out) = io::pipe().unwrap();
        let writer = FrameWriter::new(File::from(std::os::fd::OwnedFd::from(out)).into());
        writer.clone().write_all(b"frame").unwrap();
        writer.end_frame().unwrap();
        let mut seen = vec![0; modes::BEGIN_FRAME.len() + 5 + modes::END_FRAME.len()];
        reader.read_exact(&mut seen).unwrap();
        drop(reader);
        writer.clone().write_all(b"lost").unwrap();
        assert_eq!(writer.end_frame().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(writer.0.borrow().frame, modes::BEGIN_FRAME);
        assert!(!writer.is_behind());
    }
}
