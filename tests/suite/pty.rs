//! The real binary in a real pseudo-terminal, driven by keys and looked at as a person would.

mod answer;
mod demo;
mod drafts;
mod endings;
mod hostile;
mod journal;
mod keys;
mod kills;
mod panics;
mod replay;
pub(crate) mod session;
pub(crate) mod simulate;
mod stopped;
mod storm;

/// A size at which the panes stand side by side.
const WIDE: (u16, u16) = (120, 36);
