//! What the commands share that print line by line until a run ends: what ends them from outside, how their lines reach
//! standard output, and what trouble with the link means for them.
//!
//! Rules: nothing here waits for a reader: while a line is stuck in a full pipe, signals are heard and a reader that
//! leaves ends the command at once, also while no line comes. What is not written yet is one batch, never more.

use std::sync::Arc;

use anyhow::anyhow;
use tokio::sync::Notify;

use crate::api::error::Class;
use crate::api::retry;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::remote::exit_of;
use crate::console::signals::{Signal, Signals};
use crate::console::terminal;
use crate::view::text;

/// Updates of the feed on their way to the command: a reader that is slow holds the server back, and nothing piles up.
pub const FEED_CHANNEL: usize = 16;

/// Characters of foreign text that are looked at for one line, and columns of it that are shown.
const LOOKED_AT: usize = 2_000;
const GIST: usize = 400;

/// Foreign text as a part of one line: inert, each run of white space one space, at most `GIST` columns.
#[must_use]
pub fn gist(foreign: &str) -> String {
    let head: String = foreign.chars().take(LOOKED_AT).collect();
    text::cut_plain(&output::one_line(&head), GIST, output::PLAIN)
}

/// Does the work until it is done, a signal ends it, or nobody reads standard output any more. `resumed` is told when
/// the process was stopped and goes on.
///
/// # Errors
/// When the work fails, or signals cannot be listened to.
pub async fn until_interrupted(
    work: impl Future<Output = Result<Exit, Failure>>,
    resumed: &Notify,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen().map_err(Failure::internal)?;
    let unread = watch_standard_output();
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => match signal {
                Signal::Suspend => terminal::stop_this_process().map_err(Failure::internal)?,
                Signal::Continue => resumed.notify_one(),
                Signal::HangUp | Signal::Interrupt | Signal::Quit | Signal::Terminate => return Ok(Exit::Signal(signal)),
            },
            () = unread.notified() => return Ok(Exit::Done),
            outcome = &mut work => return outcome,
        }
    }
}

/// Tells when the other end of standard output is closed: a thread of its own waits for that, since a pipe tells a
/// writer only when it writes.
fn watch_standard_output() -> Arc<Notify> {
    let unread = Arc::new(Notify::new());
    #[cfg(unix)]
    {
        let told = Arc::clone(&unread);
        // Without the thread the next line finds out.
        drop(std::thread::Builder::new().name("stdout".into()).spawn(move || {
            if is_closed_at_the_other_end(&std::io::stdout()) {
                told.notify_one();
            }
        }));
    }
    unread
}

/// Waits until nobody reads what is written; false where that cannot be known.
#[cfg(unix)]
fn is_closed_at_the_other_end(out: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    loop {
        // Asked for nothing, it reports only that the other end is gone.
        let mut descriptors = [PollFd::new(out, PollFlags::empty())];
        match poll(&mut descriptors, None) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return descriptors[0].revents().intersects(PollFlags::HUP | PollFlags::ERR),
            Err(_) => return false,
        }
    }
}

/// Lines on their way to standard output.
#[derive(Debug, Default)]
pub struct Lines {
    batch: Vec<u8>,
}

impl Lines {
    /// One line more, with its end; it is written by the next [`Self::flush`].
    pub fn push(&mut self, line: &[u8]) {
        self.batch.extend_from_slice(line);
        self.batch.push(b'\n');
    }

    /// What was pushed and is not written.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.batch.clone()).unwrap()
    }

    /// Writes what was pushed, and waits until it is written; other tasks go on meanwhile.
    ///
    /// # Errors
    /// When it cannot be written; with [`Exit::Done`] where nobody reads any more.
    pub async fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        tokio::task::spawn_blocking(move || output::bytes(&batch)).await.map_err(Failure::internal)?
    }
}

/// When a command gives up on a link that is in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// At the first trouble of any kind.
    None,
    /// After as many attempts in a row as any reading makes.
    Reading,
    /// As [`Self::Reading`] until a connection was made, and from then on never.
    Following,
    /// Never.
    Endless,
}

/// How the link has fared.
#[derive(Debug)]
pub struct Link {
    patience: Patience,
    connected: bool,
    failures: u32,
    /// Connections that were made again.
    pub reconnects: u64,
}

impl Link {
    /// A link of which nothing is known yet.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        Self { patience, connected: false, failures: 0, reconnects: 0 }
    }

    /// A connection stands.
    pub fn connected(&mut self) {
        self.connected = true;
    }

    /// Something has come: the next trouble is a first one.
    pub fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Whether it was in trouble as often in a row as any reading is tried.
    #[must_use]
    pub fn is_tired(&self) -> bool {
        self.failures >= retry::ATTEMPTS
    }

    /// The link is in trouble; `class` is `None` where events are missing.
    ///
    /// # Errors
    /// When it is time to give up.
    pub fn trouble(&mut self, cause: &str, class: Option<Class>) -> Result<(), Failure> {
        // What speaks another protocol will go on doing so.
        if class == Some(Class::Protocol) {
            return Err(refused(cause, Class::Protocol));
        }
        self.failures += u32::from(class.is_some());
        self.reconnects += 1;
        let tired = match self.patience {
            Patience::None => true,
            Patience::Reading => self.failures >= retry::ATTEMPTS,
            Patience::Following => !self.connected && self.failures >= retry::ATTEMPTS,
            Patience::Endless => false,
        };
        if !tired {
            return Ok(());
        }
        let tried = if self.failures > 1 { format!(" (tried {} times)", self.failures) } else { String::new() };
        Err(refused(&format!("{cause}{tried}"), class.unwrap_or(Class::Protocol)))
    }
}

/// The end of a command that the server refuses.
#[must_use]
pub fn refused(cause: &str, class: Class) -> Failure {
    Failure::new(exit_of(class), anyhow!("{cause}"))
}

/// The end of a command whose feed has ended by itself, which it never does.
#[must_use]
pub fn feed_is_gone() -> Failure {
    Failure::internal(anyhow!("internal error: the feed has ended by itself; please report this with the log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(outcome: Result<(), Failure>) -> Option<Exit> {
        outcome.err().map(|failure| failure.exit)
    }

    #[test]
    fn a_follower_gives_up_before_its_first_connection_and_never_after_it() {
        let mut link = Link::new(Patience::Following);
        let trouble = Some(Class::Unavailable);
        assert_eq!(exit(link.trouble("c", trouble)), None);
        assert_eq!(exit(link.trouble("c", trouble)), None);
        let failure = link.trouble("cannot connect", trouble).unwrap_err();
        assert_eq!(
            (failure.exit, failure.error.to_string().as_str()),
            (Exit::Unreachable, "cannot connect (tried 3 times)")
        );
        let mut link = Link::new(Patience::Following);
        link.connected();
        assert!((0..100).all(|_| link.trouble("c", trouble).is_ok()));
        assert_eq!(link.reconnects, 100);
    }

    #[test]
    fn a_reader_gives_up_after_three_troubles_in_a_row_and_missing_events_are_none() {
        let mut link = Link::new(Patience::Reading);
        link.connected();
        for _ in 0..5 {
            assert_eq!(exit(link.trouble("c", Some(Class::Unavailable))), None);
            assert_eq!(exit(link.trouble("c", None)), None);
            assert_eq!(exit(link.trouble("c", Some(Class::Unavailable))), None);
            link.progressed();
        }
    }

    #[test]
    fn without_patience_the_first_trouble_is_the_end_and_another_protocol_always_is() {
        assert_eq!(exit(Link::new(Patience::None).trouble("c", Some(Class::Unavailable))), Some(Exit::Unreachable));
        assert_eq!(exit(Link::new(Patience::None).trouble("c", None)), Some(Exit::Protocol));
        for patience in [Patience::Reading, Patience::Following, Patience::Endless] {
            assert_eq!(exit(Link::new(patience).trouble("c", Some(Class::Protocol))), Some(Exit::Protocol));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_without_a_reader_is_noticed_without_writing_into_it() {
        let (reader, writer) = std::io::pipe().unwrap();
        let waiting = std::thread::spawn(move || is_closed_at_the_other_end(&writer));
        drop(reader);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_gist_is_one_inert_line_of_bounded_width() {
        assert_eq!(gist("a\n  b\u{1b}[31m"), "a b␛[31m");
        assert_eq!(gist(&"x".repeat(5_000)).chars().count(), GIST);
    }
}
