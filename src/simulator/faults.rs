//! Faults on demand: what `simulate --faults` and tests make go wrong between a server and its clients.
//!
//! Owns the list of faults (`catalogue`), the language that they are asked for in (`language`), the decision when each
//! happens (`injector`), and what they do to a stream of events (`distortion`). Carrying them out on real connections is
//! `http`'s. Rule: a fault changes what is sent and what arrives, never what the server has; and the same seed and the
//! same requests give the same faults, whatever the clock says and whatever else is asked meanwhile.
//!
//! ```text
//! NAME[@WHERE][=WHEN][:VALUE][:TIMESx][:within-TIME], …
//! cut=0.1, stall=0.05:20s, status-503=#2-4, lost-answer@tool-results=0.3:5x, status-401:within-10s
//! ```

mod catalogue;
mod chance;
mod distortion;
mod injector;
mod language;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub(crate) use catalogue::{Fault, Phase, Route};
pub(crate) use chance::offset;
pub(crate) use distortion::{Distortion, HOSTILE, Item};
pub(crate) use injector::{Drawn, Injector, Request};

/// Which faults happen, where, and how often. Without any, nothing goes wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    rules: Vec<Rule>,
}

/// One fault that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) fault: Fault,
    /// Everywhere, or in the answers to one call.
    pub(crate) at: Option<Route>,
    pub(crate) when: When,
    /// What the fault is to be like: how long, how large, which byte.
    pub(crate) value: Option<Value>,
    /// At most so often.
    pub(crate) times: Option<u64>,
    /// Only so long after the server's start.
    pub(crate) within: Option<Duration>,
}

/// Which requests, or which events, a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum When {
    /// This share of them, from 0 to 1.
    Chance(f64),
    /// Those from this number to that one: the requests of a run there in their order, from 1; or events by seq.
    Numbers(u64, u64),
}

/// What is said of a fault besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Duration(Duration),
    /// In bytes.
    Size(u64),
}

/// How often a fault has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultCount {
    /// The fault as it was asked for, such as `cut@events=0.1`.
    pub fault: String,
    /// How often it has happened so far.
    pub times: u64,
}

/// Why faults cannot be had as they were asked for.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// The file cannot be read.
    #[error("cannot read the faults in {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The file is not a list of faults.
    #[error("{file} does not list faults: {problem}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong and where.
        problem: String,
    },
    /// One fault cannot be understood.
    #[error("the fault {rule:?} cannot be understood: {problem}")]
    Rule {
        /// The fault as it was asked for.
        rule: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
}

impl Faults {
    /// Each fault as it was asked for, in the language's own spelling.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.rules.iter().map(Rule::to_string).collect()
    }

    /// The faults that there are, a line each, for `--help`.
    #[must_use]
    pub fn help() -> String {
        catalogue::help()
    }
}

impl Rule {
    /// A time that was given, or the fault's own.
    pub(crate) fn duration(&self) -> Option<Duration> {
        match self.value {
            Some(Value::Duration(duration)) => Some(duration),
            _ => self.fault.entry().value.default_duration(),
        }
    }

    /// A size that was given, or the fault's own.
    pub(crate) fn size(&self) -> Option<u64> {
        match self.value {
            Some(Value::Size(size)) => Some(size),
            _ => self.fault.entry().value.default_size(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.fault, self.at.map_or("any", Route::name))?;
        match self.when {
            When::Chance(chance) => write!(f, "={chance}")?,
            When::Numbers(first, last) if first == last => write!(f, "=#{first}")?,
            When::Numbers(first, u64::MAX) => write!(f, "=#{first}-")?,
            When::Numbers(first, last) => write!(f, "=#{first}-{last}")?,
        }
        match self.value {
            Some(Value::Duration(duration)) => write!(f, ":{}ms", duration.as_millis())?,
            Some(Value::Size(size)) => write!(f, ":{size}B")?,
            None => {}
        }
        if let Some(times) = self.times {
            write!(f, ":{times}x")?;
        }
        self.within.map_or(Ok(()), |within| write!(f, ":within-{}ms", within.as_millis()))
    }
}
