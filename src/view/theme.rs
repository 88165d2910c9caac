//! How things look: one style a role, one glyph a state.
//!
//! Owns every colour and every glyph of the chrome. Rule: a glyph or a word carries each state and colour only repeats
//! it; colours are ANSI by role, never RGB, never plain white or black, and a monochrome theme sets none at all. No
//! glyph needs a variation selector, and each is one column wide.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

use crate::api::run::{NodeStatus, RunStatus};
use crate::api::task::TaskStatus;

/// What the terminal is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Whether colours are set at all.
    pub color: bool,
    /// Whether glyphs and borders are ASCII only.
    pub ascii: bool,
}

impl Default for Theme {
    fn default() -> Self {
        Self { color: true, ascii: false }
    }
}

/// What a piece of the screen is, as far as looks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Text to read.
    Plain,
    /// What stands back: labels, hints, borders.
    Quiet,
    /// What stands out.
    Strong,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// Somebody has to do something.
    Attention,
    /// It is at work.
    Active,
    /// The name of a value in JSON.
    Key,
    /// A number, or a word of JSON's own.
    Literal,
    /// The mark of a character that cannot be shown.
    Mark,
}

/// A sign of the chrome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Pending,
    Running,
    Waiting,
    Succeeded,
    Failed,
    Canceled,
    Unknown,
    Selected,
    Chosen,
    NotChosen,
    Retry,
    Connecting,
    Stale,
    Ended,
    Below,
    Parent,
    Ellipsis,
    Dash,
    Dot,
    Back,
    Rule,
    Warning,
}

impl Theme {
    /// The style of a role.
    pub(super) fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let colored = |color: Color| if self.color { plain.fg(color) } else { plain };
        match role {
            Role::Plain => plain,
            Role::Quiet => plain.add_modifier(Modifier::DIM),
            Role::Strong => plain.add_modifier(Modifier::BOLD),
            Role::Good => colored(Color::Green),
            Role::Bad => colored(Color::Red).add_modifier(Modifier::BOLD),
            Role::Attention => colored(Color::Yellow).add_modifier(Modifier::BOLD),
            Role::Active | Role::Key => colored(Color::Cyan),
            Role::Literal => colored(Color::Magenta),
            Role::Mark => colored(Color::Magenta).add_modifier(Modifier::REVERSED),
        }
    }

    /// The sign, one column wide.
    pub(super) fn sign(self, sign: Sign) -> &'static str {
        let (unicode, ascii) = match sign {
            Sign::Pending | Sign::NotChosen => ("○", "."),
            Sign::Running => ("●", "*"),
            Sign::Chosen => ("●", "x"),
            Sign::Waiting => ("⏸", "!"),
            Sign::Succeeded => ("✓", "+"),
            Sign::Failed => ("✗", "x"),
            Sign::Canceled => ("⊘", "-"),
            Sign::Unknown => ("?", "?"),
            Sign::Selected => ("▸", ">"),
            Sign::Retry => ("↻", "@"),
            Sign::Connecting => ("◌", "."),
            Sign::Stale => ("◐", "?"),
            Sign::Ended => ("■", "="),
            Sign::Below => ("↓", "v"),
            Sign::Parent => ("↑", "^"),
            Sign::Ellipsis => ("…", ">"),
            Sign::Dash => ("–", "-"),
            Sign::Dot => ("·", "-"),
            Sign::Back => ("◂", "<"),
            Sign::Rule => ("─", "-"),
            Sign::Warning => ("▲", "!"),
        };
        if self.ascii { ascii } else { unicode }
    }

    /// The sign and the role of a node's status.
    pub(super) fn node_status(status: &NodeStatus) -> (Sign, Role) {
        match status {
            NodeStatus::Pending => (Sign::Pending, Role::Quiet),
            NodeStatus::Running => (Sign::Running, Role::Active),
            NodeStatus::Waiting => (Sign::Waiting, Role::Attention),
            NodeStatus::Succeeded => (Sign::Succeeded, Role::Good),
            NodeStatus::Failed => (Sign::Failed, Role::Bad),
            NodeStatus::Canceled => (Sign::Canceled, Role::Quiet),
            NodeStatus::Other(_) => (Sign::Unknown, Role::Plain),
        }
    }

    /// The sign and the role of a run's status; `None` before anything is known.
    pub(super) fn run_status(status: Option<&RunStatus>) -> (Sign, Role) {
        match status {
            Some(RunStatus::Running) => (Sign::Running, Role::Active),
            Some(RunStatus::Waiting) => (Sign::Waiting, Role::Attention),
            Some(RunStatus::Succeeded) => (Sign::Succeeded, Role::Good),
            Some(RunStatus::Failed) => (Sign::Failed, Role::Bad),
            Some(RunStatus::Canceled) => (Sign::Canceled, Role::Quiet),
            Some(RunStatus::Other(_)) => (Sign::Unknown, Role::Plain),
            None => (Sign::Pending, Role::Quiet),
        }
    }

    /// A node's status as sign and word, for tables outside the console. The word is the server's: not inert yet.
    #[must_use]
    pub fn node_words(self, status: &NodeStatus) -> String {
        format!("{} {status}", self.sign(Self::node_status(status).0))
    }

    /// A run's status as sign and word, as [`Theme::node_words`].
    #[must_use]
    pub fn run_words(self, status: &RunStatus) -> String {
        format!("{} {status}", self.sign(Self::run_status(Some(status)).0))
    }

    /// A task's status as sign and word, as [`Theme::node_words`].
    #[must_use]
    pub fn task_words(self, status: &TaskStatus) -> String {
        let sign = match status {
            TaskStatus::Pending => Sign::Pending,
            TaskStatus::InProgress => Sign::Running,
            TaskStatus::Completed => Sign::Succeeded,
            TaskStatus::Other(_) => Sign::Unknown,
        };
        format!("{} {status}", self.sign(sign))
    }

    /// The border of a pane: the one that keys go to is heavier, which needs no colour to be seen.
    pub(super) fn border(self, focused: bool) -> border::Set<'static> {
        match (self.ascii, focused) {
            (false, false) => border::ROUNDED,
            (false, true) => border::THICK,
            (true, false) => ascii_border("+", "-", "|"),
            (true, true) => ascii_border("#", "=", "#"),
        }
    }
}

fn ascii_border(corner: &'static str, horizontal: &'static str, vertical: &'static str) -> border::Set<'static> {
    border::Set {
        top_left: corner,
        top_right: corner,
        bottom_left: corner,
        bottom_right: corner,
        vertical_left: vertical,
        vertical_right: vertical,
        horizontal_top: horizontal,
        horizontal_bottom: horizontal,
    }
}
