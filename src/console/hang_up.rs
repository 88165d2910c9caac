//! Notices that the terminal is gone, also where no SIGHUP says so.
//!
//! The library that reads the keys reads a terminal that is gone again and again, for ever, on the thread that asks it:
//! the program would stay behind and turn a processor. So it is asked only while the terminal is there ([`is_gone`]),
//! and a thread of its own waits for the end of the terminal. The rule that must stay true: a program without its
//! terminal ends, whatever its loop does.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll};
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::Stream;
use tokio::sync::Notify;

/// How long the loop has for leaving before the process is ended without it; longer than it waits for the disk.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(5);

/// Tells that the terminal is gone.
#[derive(Debug, Clone, Default)]
pub struct HangUp(Arc<Notify>);

impl HangUp {
    /// Starts to watch standard input, once a process.
    #[must_use]
    pub fn watch() -> Self {
        static STARTED: Once = Once::new();
        let watch = Self::default();
        let told = watch.clone();
        // Without the thread, the signal and the check before each reading are left.
        STARTED.call_once(|| drop(std::thread::Builder::new().name("hang-up".into()).spawn(move || told.wait())));
        watch
    }

    /// Ends when the terminal is gone.
    pub async fn happened(&self) {
        self.0.notified().await;
    }

    #[cfg(unix)]
    fn wait(&self) {
        if hung_up(&io::stdin(), None) {
            self.0.notify_one();
            std::thread::sleep(GRACE);
            tracing::error!("the terminal is gone and the loop does not end");
            std::process::exit(super::signals::Signal::HangUp.exit_code().unwrap_or_default().into());
        }
    }

    #[cfg(not(unix))]
    fn wait(&self) {}
}

/// Whether the terminal is gone.
#[cfg(unix)]
#[must_use]
pub fn is_gone() -> bool {
    hung_up(&io::stdin(), Some(Duration::ZERO))
}

/// Whether the terminal is gone; not known here.
#[cfg(not(unix))]
#[must_use]
pub fn is_gone() -> bool {
    false
}

/// Waits until the other end of `terminal` is closed, at most `limit`; whether it is.
#[cfg(unix)]
fn hung_up(terminal: &impl std::os::fd::AsFd, limit: Option<Duration>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    loop {
        // Asked for nothing, it reports only that the other end is gone.
        let mut descriptors = [PollFd::new(terminal, PollFlags::empty())];
        match poll(&mut descriptors, limit.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return descriptors[0].revents().contains(PollFlags::HUP),
            Err(_) => return false,
        }
    }
}

/// The library's events of a terminal that is there; they end when it is gone.
#[derive(Debug, Default)]
pub struct TerminalEvents(EventStream);

impl Stream for TerminalEvents {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if is_gone() { Poll::Ready(None) } else { Pin::new(&mut self.0).poll_next(context) }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use portable_pty::{PtySize, native_pty_system};

    use super::*;

    #[test]
    fn a_terminal_is_there_until_its_other_end_is_closed() {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let terminal = std::fs::File::open(pair.master.tty_name().unwrap()).unwrap();
        drop(pair.slave);
        assert!(!hung_up(&terminal, Some(Duration::ZERO)));
        drop(pair.master);
        assert!(hung_up(&terminal, None));
    }
}
