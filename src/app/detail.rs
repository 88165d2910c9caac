//! The detail pane's state: which tab, where its text stands, what is selected in it.
//!
//! Rule: a selection follows an identity (a step's key), never a row, except among the events, which have nothing else;
//! a tab that has nothing to show for what is selected is not offered, and its place is kept for when it has.

use super::App;
use crate::api::ids::RunId;
use crate::api::tool::StepKey;
use crate::run::history::Entry;
use crate::run::{Node, StepRecord};

/// The detail pane's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// What of the node it shows.
    pub tab: Tab,
    /// Where its text stands.
    pub scroll: Scroll,
    /// The selected event's place among those shown; `None` is the newest.
    pub event: Option<usize>,
    /// The selected step; `None` is the newest.
    pub step: Option<StepKey>,
    /// The selected one of the related runs; `None` is the first.
    pub related: Option<RunId>,
}

impl Detail {
    /// A tab as it opens: a text that grows at its end, a list that is written as a whole at its beginning.
    #[must_use]
    pub fn at(tab: Tab) -> Self {
        let scroll = if tab == Tab::Tasks { Scroll::At(0) } else { Scroll::Tail };
        Self { tab, scroll, event: None, step: None, related: None }
    }
}

/// The tabs of the detail pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// What the node puts out.
    Output,
    /// Its steps, each with its calls.
    Steps,
    /// Its tool calls.
    Calls,
    /// Its events.
    Events,
    /// The run's task list.
    Tasks,
    /// Its parent run and its child runs.
    Runs,
}

impl Tab {
    /// Every tab, left to right.
    pub const ALL: [Self; 6] = [Self::Output, Self::Steps, Self::Calls, Self::Events, Self::Tasks, Self::Runs];

    /// The tab's title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Output => "Output",
            Self::Steps => "Steps",
            Self::Calls => "Calls",
            Self::Events => "Events",
            Self::Tasks => "Tasks",
            Self::Runs => "Runs",
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
    /// The first row is so many rows before the end: until it is drawn, nobody knows how many rows were put above it.
    FromEnd(usize),
}

impl App {
    /// The tabs that have something to show for what is selected, left to right.
    pub fn tabs(&self) -> impl Iterator<Item = Tab> {
        let of_run = self.selected_node().is_none();
        Tab::ALL.into_iter().filter(move |tab| match tab {
            Tab::Tasks => of_run && self.has_tasks(),
            Tab::Runs => self.has_related_runs(),
            Tab::Output | Tab::Steps | Tab::Calls | Tab::Events => true,
        })
    }

    /// The tab that is shown: the one that was chosen, while it is offered.
    #[must_use]
    pub fn shown_tab(&self) -> Tab {
        self.tabs().find(|tab| *tab == self.detail.tab).unwrap_or(Tab::Output)
    }

    /// The nodes that the detail pane is about: the selected one, or all of the run's.
    #[must_use]
    pub fn detail_nodes(&self) -> Vec<&Node> {
        match self.selected_node() {
            Some(node) => vec![node],
            None => self.shown_run().nodes.values().collect(),
        }
    }

    /// The entries of the history that the events tab shows: the node's, or all of the run's.
    #[must_use]
    pub fn shown_entries(&self) -> Vec<&Entry> {
        let node = self.selected_node().map(|node| &node.id);
        self.shown_run().history.entries().filter(|entry| node.is_none() || entry.node_id() == node).collect()
    }

    /// The steps that the steps tab shows, node by node.
    #[must_use]
    pub fn shown_steps(&self) -> Vec<&StepRecord> {
        self.detail_nodes().into_iter().flat_map(|node| node.steps.iter()).collect()
    }

    /// Where the selected step stands among those shown: the newest where none was selected, or the selected one is no
    /// longer kept.
    #[must_use]
    pub fn selected_step(&self, shown: &[&StepRecord]) -> usize {
        let selected = self.detail.step.as_ref();
        let newest = || {
            let newest = shown.iter().enumerate().max_by_key(|(_, step)| step.last_at);
            newest.map_or(0, |(at, _)| at)
        };
        selected.and_then(|key| shown.iter().position(|step| step.key == *key)).unwrap_or_else(newest)
    }
}
