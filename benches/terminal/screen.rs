//! A program in a pseudo-terminal, every frame with the time of its arrival.
//!
//! Rule: a thread does nothing but read and note the time, so that what is done with a frame delays none; a frame is
//! looked at when it is whole, and the time is that of its last byte.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, MasterPty, PtySize, native_pty_system};
use relay_console::console::modes::END_FRAME;

use crate::session;

/// How long a wait may take before it is a failure.
const BOUND: Duration = Duration::from_secs(120);

/// Columns and rows.
const SIZE: (u16, u16) = (120, 36);

/// A program and what it shows.
pub(crate) struct Screen {
    _master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    pieces: Receiver<(Instant, Vec<u8>)>,
    parser: vt100::Parser,
    /// Bytes of a frame that is not whole.
    rest: Vec<u8>,
    bytes: usize,
    /// When the last piece came.
    last: Instant,
    pub(crate) started: Instant,
}

impl Screen {
    /// Starts the program in a home of its own.
    pub(crate) fn start(arguments: &[&str], home: &Path, environment: &[(&str, &str)]) -> Self {
        let (cols, rows) = SIZE;
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        let started = Instant::now();
        let child = pair.slave.spawn_command(session::command(arguments, home, environment)).unwrap();
        Self {
            writer: pair.master.take_writer().unwrap(),
            _master: pair.master,
            child,
            pieces,
            parser: vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(cols).unwrap(), 0),
            rest: Vec::new(),
            bytes: 0,
            last: started,
            started,
        }
    }

    /// Types these bytes; the time at which they were written.
    pub(crate) fn send(&mut self, keys: &str) -> Instant {
        let now = Instant::now();
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
        now
    }

    /// The time at which a frame was whole of whose text `wanted` holds.
    pub(crate) fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> Instant {
        let end = Instant::now() + BOUND;
        self.look(end, wanted).unwrap_or_else(|| panic!("never on screen: {what}\n{}", self.text()))
    }

    /// Takes in what comes for so long.
    pub(crate) fn look_on(&mut self, time: Duration) {
        self.look(Instant::now() + time, |_| false);
    }

    fn look(&mut self, end: Instant, wanted: impl Fn(&str) -> bool) -> Option<Instant> {
        loop {
            while let Some(mark) = find(&self.rest, END_FRAME) {
                let frame: Vec<u8> = self.rest.drain(..mark + END_FRAME.len()).collect();
                self.parser.process(&frame);
                if wanted(&self.text()) {
                    return Some(self.last);
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            // A program that never stops writing is not waited for any longer.
            if left.is_zero() {
                return None;
            }
            match self.pieces.recv_timeout(left) {
                Ok((time, piece)) => {
                    self.bytes += piece.len();
                    self.rest.extend_from_slice(&piece);
                    self.last = time;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// When the last bytes came.
    pub(crate) fn last(&self) -> Instant {
        self.last
    }

    /// The text of the last whole frame.
    pub(crate) fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// The seq in the first line.
    pub(crate) fn seq(&self) -> u64 {
        let text = self.text();
        let behind = text.split("seq ").nth(1).unwrap_or_else(|| panic!("no seq on screen\n{text}"));
        let digits: String = behind.chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        digits.replace(',', "").parse().unwrap()
    }

    /// How many bytes were written to the terminal so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Quits, and waits for the end: nothing of it shall disturb what is measured next.
    pub(crate) fn quit(mut self) {
        self.send("q");
        let end = Instant::now() + BOUND;
        // Its output ends with it.
        while self.pieces.recv_timeout(Duration::from_secs(5)).is_ok() {
            assert!(Instant::now() < end, "it does not quit\n{}", self.text());
        }
        self.child.wait().unwrap();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, mark)
}
