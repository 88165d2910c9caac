//! The signals of the operating system as values.
//!
//! Owns which signals are listened to and the exit code of each. Does not act on them: the loop leaves, suspends or
//! goes on. The rule that must stay true: while the console runs, none of these ends the process before the terminal
//! is given back.

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT from outside: in raw mode `Ctrl-C` is a key.
    Interrupt,
    /// SIGTERM
    Terminate,
    /// SIGQUIT from outside: in raw mode `Ctrl-\` is a key.
    Quit,
    /// SIGHUP: the terminal is gone, or goes now.
    HangUp,
    /// SIGTSTP from outside: in raw mode `Ctrl-Z` is a key.
    Suspend,
    /// SIGCONT: the process was stopped and goes on.
    Continue,
}

impl Signal {
    /// The exit code of a process that this signal ends: 128 and the signal's number.
    #[must_use]
    pub fn exit_code(self) -> Option<u8> {
        match self {
            Self::HangUp => Some(129),
            Self::Interrupt => Some(130),
            Self::Quit => Some(131),
            Self::Terminate => Some(143),
            Self::Suspend | Self::Continue => None,
        }
    }
}

#[cfg(unix)]
pub use unix::Signals;

#[cfg(unix)]
mod unix {
    use std::io;

    use futures_util::FutureExt;
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::Signal;

    /// Listens from the moment it is made until it is dropped.
    #[derive(Debug)]
    pub struct Signals {
        interrupt: Stream,
        terminate: Stream,
        quit: Stream,
        hang_up: Stream,
        suspend: Stream,
        proceed: Stream,
        /// Signals without a meaning here: unheard they would end the process with the terminal still taken.
        _ignored: [Stream; 3],
    }

    impl Signals {
        /// Starts to listen; needs a running tokio runtime.
        ///
        /// # Errors
        /// When the operating system refuses.
        pub fn listen() -> io::Result<Self> {
            let kind = |signal: rustix::process::Signal| SignalKind::from_raw(signal.as_raw());
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                quit: signal(SignalKind::quit())?,
                hang_up: signal(SignalKind::hangup())?,
                suspend: signal(kind(rustix::process::Signal::TSTP))?,
                proceed: signal(kind(rustix::process::Signal::CONT))?,
                _ignored: [
                    signal(SignalKind::user_defined1())?,
                    signal(SignalKind::user_defined2())?,
                    signal(SignalKind::alarm())?,
                ],
            })
        }

        /// The next signal. Nothing is lost when the future is dropped.
        pub async fn next(&mut self) -> Signal {
            tokio::select! {
                // In this order: who wants the process gone is heard before who wants it stopped.
                biased;
                Some(()) = self.hang_up.recv() => Signal::HangUp,
                Some(()) = self.terminate.recv() => Signal::Terminate,
                Some(()) = self.quit.recv() => Signal::Quit,
                Some(()) = self.interrupt.recv() => Signal::Interrupt,
                // Told to stop and then to go on, before either was heard: to stop now would be to stop for ever.
                Some(()) = self.suspend.recv() => match self.proceed.recv().now_or_never() {
                    Some(Some(())) => Signal::Continue,
                    _ => Signal::Suspend,
                },
                Some(()) = self.proceed.recv() => Signal::Continue,
                else => std::future::pending().await,
            }
        }
    }
}

#[cfg(not(unix))]
pub use elsewhere::Signals;

#[cfg(not(unix))]
mod elsewhere {
    use std::io;

    use super::Signal;

    /// Listens for an interruption, the only signal that there is here.
    #[derive(Debug)]
    pub struct Signals;

    impl Signals {
        /// Starts to listen.
        ///
        /// # Errors
        /// Never.
        pub fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        /// The next signal.
        pub async fn next(&mut self) -> Signal {
            match tokio::signal::ctrl_c().await {
                Ok(()) => Signal::Interrupt,
                Err(_) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::Duration;

    use rustix::process::{getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn each_signal_arrives_as_its_value_and_does_not_end_the_process() {
        let mut signals = Signals::listen().unwrap();
        for (number, expected) in [
            (rustix::process::Signal::HUP, Signal::HangUp),
            (rustix::process::Signal::TERM, Signal::Terminate),
            (rustix::process::Signal::QUIT, Signal::Quit),
            (rustix::process::Signal::INT, Signal::Interrupt),
            (rustix::process::Signal::TSTP, Signal::Suspend),
            (rustix::process::Signal::CONT, Signal::Continue),
        ] {
            kill_process(getpid(), number).unwrap();
            let heard = tokio::time::timeout(Duration::from_secs(10), signals.next()).await.unwrap();
            assert_eq!(heard, expected);
        }
        // In one test with the others: a signal is the whole process's.
        let witness = |kind: rustix::process::Signal| {
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(kind.as_raw())).unwrap()
        };
        for kind in [rustix::process::Signal::TSTP, rustix::process::Signal::CONT] {
            let mut witness = witness(kind);
            kill_process(getpid(), kind).unwrap();
            // It may be handled by another thread, after the call has returned.
            tokio::time::timeout(Duration::from_secs(10), witness.recv()).await.unwrap();
        }
        let heard = tokio::time::timeout(Duration::from_secs(10), signals.next()).await.unwrap();
        assert_eq!(heard, Signal::Continue, "it goes on at once, and nobody would tell it to again");
    }

    #[test]
    fn exit_codes_are_128_and_the_number_of_the_signal() {
        let codes = [Signal::HangUp, Signal::Interrupt, Signal::Quit, Signal::Terminate, Signal::Suspend];
        assert_eq!(codes.map(Signal::exit_code), [Some(129), Some(130), Some(131), Some(143), None]);
    }
}
