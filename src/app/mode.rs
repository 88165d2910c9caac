//! What is open over the panes, as one enum: keys go to it.
//!
//! Rule: whatever is open carries all that it needs to be left again without a loss.

use std::time::Duration;

use super::Editor;
use crate::api::step::StepDetail;
use crate::api::tool::{CallKey, StepKey, ToolResult};

/// What is open over the panes. Keys go to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Mode {
    /// Nothing: keys go to the panes.
    Browse,
    /// The filter is being typed; `before` is what `Esc` goes back to.
    Filter {
        /// The filter before.
        before: String,
    },
    /// The text to search the events for is being typed.
    Search {
        /// What was typed.
        input: String,
    },
    /// A command is being looked for.
    Palette {
        /// What was typed.
        input: String,
        /// Which match is selected.
        selected: usize,
    },
    /// A page is read.
    Page(Page),
    /// An answer is being written.
    Answering(Answering),
    /// An answer is reviewed before it is sent.
    Review(Review),
}

/// A page that is only read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it shows.
    pub content: PageContent,
    /// The first row shown.
    pub scroll: usize,
}

/// What a [`Page`] shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageContent {
    /// Every key and what it does.
    Help,
    /// One event in full.
    Event {
        /// Which.
        seq: u64,
        /// Its line, once it is here, or why it is not.
        line: Option<Result<String, String>>,
    },
    /// One step in full.
    Step {
        /// Which.
        key: StepKey,
        /// What the server has of it, once it is here, or why it is not.
        read: Option<Result<Box<StepDetail>, String>>,
        /// How often an answer came: what is read again may be another text.
        answers: u64,
    },
    /// A line that was rejected, and why.
    Rejected {
        /// Why.
        reason: String,
        /// The line.
        line: String,
    },
    /// A draft whose call no longer waits, beside what became of the call.
    Orphan {
        /// The call.
        key: CallKey,
    },
    /// Everything that was said to the operator.
    Notices,
    /// Whether the stream agrees with the server's snapshot, and what was odd about it.
    Stream,
}

impl PageContent {
    /// Whether it lists what the program says, so that there is no foreign text to copy.
    #[must_use]
    pub fn is_a_list(&self) -> bool {
        matches!(self, Self::Help | Self::Notices | Self::Stream)
    }
}

/// An answer being written.
#[derive(Debug, Clone, PartialEq)]
pub struct Answering {
    /// The call.
    pub key: CallKey,
    /// Its text.
    pub editor: Editor,
    /// Where keys go.
    pub side: Side,
    /// The first row of the arguments that is shown.
    pub arguments_scroll: usize,
    /// Which of the earlier results of the same tool was put in last.
    pub earlier: Option<usize>,
}

/// Where keys go while an answer is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// To the editor.
    Editor,
    /// To the editor, after `Ctrl-X`.
    Prefix,
    /// To the arguments.
    Arguments,
    /// To the line that asks for a file's name.
    File(String),
}

/// The review of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// What `Esc` goes back to.
    pub answering: Answering,
    /// The calls that would be sent.
    pub keys: Vec<CallKey>,
    /// What would be sent for them, as it is shown: this and nothing else is sent.
    pub results: Vec<ToolResult>,
    /// Whether all ready calls of the step are meant, not only this one.
    pub together: bool,
    /// When (uptime) it was first drawn as it stands; keys count only a while later.
    pub drawn_at: Option<Duration>,
    /// A key came too early and was swallowed.
    pub swallowed: bool,
    /// The first row shown.
    pub scroll: usize,
}

/// How long after it was drawn a review swallows every key but `Esc`.
pub const REVIEW_GUARD: Duration = Duration::from_millis(400);
