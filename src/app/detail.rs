//! The detail pane's state: which tab, where its text stands, what is selected in it.

/// The detail pane's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// What of the node it shows.
    pub tab: Tab,
    /// Where its text stands.
    pub scroll: Scroll,
    /// The selected event's place among those shown; `None` is the newest.
    pub event: Option<usize>,
}

/// The tabs of the detail pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// What the node puts out.
    Output,
    /// Its tool calls.
    Calls,
    /// Its events.
    Events,
}

impl Tab {
    /// Every tab, left to right.
    pub const ALL: [Self; 3] = [Self::Output, Self::Calls, Self::Events];

    /// The tab's title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Output => "Output",
            Self::Calls => "Calls",
            Self::Events => "Events",
        }
    }
}

/// Where a text that may grow is scrolled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    /// Its end stays in sight.
    Tail,
    /// This row is the first.
    At(usize),
}
