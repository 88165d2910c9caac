//! The terminal for writing, which may stop taking what is written.
//!
//! A terminal stops for a while on a bad link, under `Ctrl-S`, or when its window hangs; a write would then wait, and
//! with it the loop, the keys and the signals. So the terminal is opened once more, for this program alone, in a way
//! that a write takes what there is room for and returns. What cannot be opened so (a terminal of another user, or of
//! another container) is written to as it is, and waited for.
//!
//! The rule that must stay true: the terminal's own description, which it shares with the shell, is left as it is.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

/// The terminal for writing.
#[derive(Debug)]
pub struct Output(File);

impl Output {
    /// The terminal that standard output is, past the lock and the buffer of [`io::stdout`]: a panic in the middle of a
    /// write holds both.
    ///
    /// # Errors
    /// When standard output is closed.
    #[cfg(unix)]
    pub fn open() -> io::Result<Self> {
        use std::os::fd::AsFd;
        let shared = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self(open_again(&shared).unwrap_or(shared)))
    }

    /// The terminal.
    ///
    /// # Errors
    /// When there is no console.
    #[cfg(not(unix))]
    pub fn open() -> io::Result<Self> {
        File::options().write(true).open("CONOUT$").map(Self)
    }

    /// Writes the beginning of `bytes` that the terminal takes within `patience`; returns how many that were.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn write_some(&mut self, bytes: &[u8], patience: Duration) -> io::Result<usize> {
        let end = Instant::now() + patience;
        let mut written = 0;
        while written < bytes.len() {
            match self.0.write(&bytes[written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.has_room(end.saturating_duration_since(Instant::now())) {
                        return Ok(written);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Waits until something can be written, at most `limit`; whether it can, or the terminal is gone, which the next
    /// write tells.
    #[cfg(unix)]
    fn has_room(&self, limit: Duration) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Ok(limit) = Timespec::try_from(limit) else { return true };
        let mut descriptors = [PollFd::new(&self.0, PollFlags::OUT)];
        match poll(&mut descriptors, Some(&limit)) {
            Ok(ready) => ready > 0,
            Err(error) => error == rustix::io::Errno::INTR,
        }
    }

    #[cfg(not(unix))]
    fn has_room(&self, _: Duration) -> bool {
        true
    }

    /// Makes room in a terminal that takes nothing: lets it go on where it was stopped, and drops what it has not shown.
    #[cfg(unix)]
    pub fn make_room(&self) {
        use rustix::termios::{Action, QueueSelector, tcflow, tcflush};
        // A terminal that refuses is none of which more could be asked.
        let _ = tcflow(&self.0, Action::OOn);
        let _ = tcflush(&self.0, QueueSelector::OFlush);
    }

    /// Does nothing: there is no way to ask for it here.
    #[cfg(not(unix))]
    pub fn make_room(&self) {}
}

impl From<File> for Output {
    fn from(file: File) -> Self {
        Self(file)
    }
}

/// The same terminal through a description of its own, whose writes do not wait.
#[cfg(unix)]
fn open_again(shared: &File) -> Option<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let name = rustix::termios::ttyname(shared, Vec::new()).ok()?;
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).ok()?;
    let own = File::options().write(true).custom_flags(flags).open(name.to_str().ok()?).ok()?;
    // In another container the name may stand for another terminal.
    let (own_device, device) = (own.metadata().ok()?.rdev(), shared.metadata().ok()?.rdev());
    (own_device == device).then_some(own)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use portable_pty::{PtySize, native_pty_system};

    use super::*;

    #[test]
    fn a_terminal_that_nobody_reads_takes_a_part_and_the_write_returns() {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let shared = File::options().write(true).open(pair.master.tty_name().unwrap()).unwrap();
        let mut output = Output(open_again(&shared).unwrap());
        let flood = vec![b'x'; 4 << 20];
        let begun = Instant::now();
        let written = output.write_some(&flood, Duration::from_millis(10)).unwrap();
        assert!(written < flood.len() && begun.elapsed() < Duration::from_secs(5), "{written}");
        assert_eq!(output.write_some(b"more", Duration::ZERO).unwrap(), 0);
        output.make_room();
        assert_eq!(output.write_some(b"more", Duration::from_secs(5)).unwrap(), 4);
    }

    #[test]
    fn a_terminal_that_is_gone_is_an_error() {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let shared = File::options().write(true).open(pair.master.tty_name().unwrap()).unwrap();
        let mut output = Output(open_again(&shared).unwrap());
        drop((pair.slave, pair.master));
        assert!(output.write_some(b"x", Duration::ZERO).is_err());
    }
}
