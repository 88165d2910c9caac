//! How a command ends: its exit code, and with a failure its message.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | done |
//! | 1 | the run failed; only from commands that follow it to the end |
//! | 2 | wrong usage, a request that the server calls invalid, a refused setting |
//! | 3 | the run was canceled; only from commands that follow it to the end |
//! | 4 | not authorised |
//! | 5 | not found |
//! | 6 | conflict: the call no longer waits, or another answer was taken |
//! | 7 | network or server trouble, an outcome that is unknown included |
//! | 8 | the stream broke its protocol, a wrong content type included |
//! | 9 | a limit given on the command line was reached |
//! | 10 | the run waits for an answer; only from `watch --exit-on-wait` |
//! | 70 | an internal error |
//! | 129, 130, 131, 143 | ended by SIGHUP, SIGINT, SIGQUIT, SIGTERM |

use std::process::ExitCode;

use crate::console::signals::Signal;
use crate::settings::SettingsError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1
    RunFailed,
    /// 2: wrong usage, a request that the server calls invalid, a refused setting.
    Refused,
    /// 3
    RunCanceled,
    /// 4
    NotAuthorised,
    /// 5
    NotFound,
    /// 6: the call no longer waits, or another answer was taken.
    Conflict,
    /// 7: network or server trouble.
    Unreachable,
    /// 8: the stream broke its protocol.
    Protocol,
    /// 9: a limit given on the command line was reached.
    LimitReached,
    /// 10: the run waits for an answer.
    Waiting,
    /// 70
    Internal,
    /// 129, 130, 131 or 143.
    Signal(Signal),
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::RunFailed => 1,
            Self::Refused => 2,
            Self::RunCanceled => 3,
            Self::NotAuthorised => 4,
            Self::NotFound => 5,
            Self::Conflict => 6,
            Self::Unreachable => 7,
            Self::Protocol => 8,
            Self::LimitReached => 9,
            Self::Waiting => 10,
            Self::Internal => 70,
            Self::Signal(signal) => signal.exit_code().unwrap_or_default(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Every exit code and what it means, as the man pages say it.
pub const MEANINGS: [(&str, &str); 13] = [
    ("0", "done"),
    ("1", "the run failed; only from commands that follow it to the end"),
    ("2", "wrong usage, a request that the server calls invalid, a refused setting"),
    ("3", "the run was canceled; only from commands that follow it to the end"),
    ("4", "not authorised"),
    ("5", "not found"),
    ("6", "conflict: the call no longer waits, or another answer was taken"),
    ("7", "network or server trouble, an outcome that is unknown included"),
    ("8", "the stream broke its protocol, a wrong content type included"),
    ("9", "a limit given on the command line was reached"),
    ("10", "the run waits for an answer; only from `watch --exit-on-wait`"),
    ("70", "an internal error"),
    ("129, 130, 131, 143", "ended by SIGHUP, SIGINT, SIGQUIT, SIGTERM"),
];

/// A command that could not do what it should.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong, where, and what to do.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure with its message.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// A failure of this program itself.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Exit::Internal, error)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::new(Exit::Refused, error)
    }
}

#[cfg(test)]
mod tests {
    use super::MEANINGS;

    #[test]
    fn the_table_of_exit_codes_says_the_same_as_this_files_head() {
        let head: Vec<String> = include_str!("exit.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! | "))
            .skip(2)
            .map(str::to_owned)
            .collect();
        let table: Vec<String> = MEANINGS.iter().map(|(code, meaning)| format!("{code} | {meaning} |")).collect();
        assert_eq!(head, table);
    }
}
