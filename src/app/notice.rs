//! What was said to the operator, and for how long it stands.

use std::time::Duration;

use jiff::Timestamp;

/// Something said to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When, by uptime.
    pub at: Duration,
    /// When, by the wall clock.
    pub wall: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// What; not yet inert.
    pub text: String,
    /// Whether it was left with `Esc`, and no longer stands in the footer.
    pub dismissed: bool,
}

/// How much a [`Notice`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something was achieved.
    Good,
    /// Something went wrong; it stands until it is left with `Esc`.
    Error,
}

/// How long a notice that is no error stands in the footer.
pub const NOTICE_TIME: Duration = Duration::from_secs(10);
/// How many notices are kept.
pub(super) const NOTICES: usize = 200;
