//! A search through all events of the run: what was asked for, what has come of it, which match is selected.
//!
//! Rules: only the newest search counts, and what arrives for another is dropped; a search belongs to what was selected
//! when it was asked for (a node, or the run), and is shown with that only; what was not searched is said.

use super::{App, Tab};
use crate::api::ids::NodeId;
use crate::run::history::Entry;
pub use crate::store::journal::scan::{Found, KEPT, Match, MatchedLine, Piece};

/// What is to be searched.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// Which search it is.
    pub number: u64,
    /// The text.
    pub text: String,
    /// Only events of this node.
    pub node_id: Option<NodeId>,
    /// The last entries of the history, as far as memory has them: the journal may lack the newest.
    pub recent: Vec<Entry>,
    /// Every entry from this seq on is in `recent`.
    pub recent_from: u64,
}

/// What a search has found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchAnswer {
    /// The matches.
    pub found: Found,
    /// The first and the last event that could not be searched, since they stand neither on disk nor in memory.
    pub unsearched: Option<(u64, u64)>,
    /// Why the journal or the file could not be read, in words; not yet inert.
    pub problem: Option<String>,
}

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSearch {
    /// Which search it is.
    pub number: u64,
    /// The text.
    pub text: String,
    /// The node whose events are searched; `None` for all of the run's.
    pub node_id: Option<NodeId>,
    /// Where it stands.
    pub state: SearchState,
    /// The selected match's place among those kept; `None` is the newest.
    pub selected: Option<usize>,
}

/// Where a search stands.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchState {
    /// So much of the file was searched, in percent.
    Running(u8),
    /// It has ended.
    Ended(Box<SearchAnswer>),
    /// It could not be begun: why, in words.
    Failed(String),
}

impl EventSearch {
    /// The matches that are kept, oldest first.
    #[must_use]
    pub fn matches(&self) -> impl ExactSizeIterator<Item = &Match> {
        let answer = match &self.state {
            SearchState::Ended(answer) => Some(&answer.found.matches),
            SearchState::Running(_) | SearchState::Failed(_) => None,
        };
        // A queue that is empty stands for none.
        let none = const { &std::collections::VecDeque::new() };
        answer.unwrap_or(none).iter()
    }

    /// The selected match's place, where there is a match.
    #[must_use]
    pub fn selected_place(&self) -> Option<usize> {
        let last = self.matches().len().checked_sub(1)?;
        Some(self.selected.unwrap_or(last).min(last))
    }

    /// The selected match.
    #[must_use]
    pub fn selected_match(&self) -> Option<&Match> {
        self.matches().nth(self.selected_place()?)
    }
}

impl App {
    /// The search whose matches stand in the place of the events.
    #[must_use]
    pub fn shown_search(&self) -> Option<&EventSearch> {
        let node_id = self.selected_node().map(|node| &node.id);
        self.search.as_ref().filter(|search| self.shown_tab() == Tab::Events && search.node_id.as_ref() == node_id)
    }
}
