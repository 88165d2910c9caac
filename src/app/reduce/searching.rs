//! Searching all events of the run, from the Events tab.
//!
//! Rule: searching and looking through matches change nothing but the search itself, and pin what is selected: a search
//! that belongs to a node must not go away because another one works.

use super::super::event_search::{EventSearch, SearchAnswer, SearchRequest, SearchState};
use super::super::{App, Effect, Mode, Page, PageContent, Pane, Selection, Tab};
use super::page;
use crate::run::History;
use crate::run::history::Entry;

/// Whether `/` searches events: keys go to the Events tab.
pub(super) fn is_asked_for(app: &App) -> bool {
    app.focus == Pane::Detail && app.shown_tab() == Tab::Events
}

/// The search that keys act on.
pub(super) fn with_focus(app: &App) -> bool {
    app.focus == Pane::Detail && app.shown_search().is_some()
}

/// Opens the line that asks for the text.
pub(super) fn open_prompt(app: &mut App) {
    if app.selection == Selection::Follow {
        app.selection = app.selected_node().map_or(Selection::Run, |node| Selection::Node(node.id.clone()));
    }
    app.mode = Mode::Search { input: String::new() };
}

/// `Enter` in that line.
pub(super) fn start(app: &mut App, text: String, out: &mut Vec<Effect>) {
    app.mode = Mode::Browse;
    if text.is_empty() {
        return;
    }
    app.searches += 1;
    let number = app.searches;
    let node_id = app.selected_node().map(|node| node.id.clone());
    // A file holds all that there is.
    let history = Some(&app.run.history).filter(|_| !app.replay);
    let entries = || history.into_iter().flat_map(History::entries);
    let first = entries().find_map(Entry::seq);
    let recent_from = if app.run.history.dropped == 0 { 1 } else { first.unwrap_or(app.run.last_seq + 1) };
    let recent = entries().filter(|entry| node_id.is_none() || entry.node_id() == node_id.as_ref()).cloned().collect();
    out.push(Effect::Search(Box::new(SearchRequest {
        number,
        text: text.clone(),
        node_id: node_id.clone(),
        recent,
        recent_from,
    })));
    app.search = Some(EventSearch { number, text, node_id, state: SearchState::Running(0), selected: None });
}

/// Searches for the same text again: events have come since.
pub(super) fn again(app: &mut App, out: &mut Vec<Effect>) {
    let text = app.shown_search().filter(|search| !matches!(search.state, SearchState::Running(_)));
    if let Some(text) = text.map(|search| search.text.clone()) {
        start(app, text, out);
    }
}

/// Goes back to the list of events.
pub(super) fn leave(app: &mut App, out: &mut Vec<Effect>) {
    if app.search.take().is_some() {
        out.push(Effect::StopSearch);
    }
}

pub(super) fn progress(app: &mut App, number: u64, percent: u8) {
    if let Some(search) = app.search.as_mut().filter(|search| search.number == number)
        && let SearchState::Running(before) = &mut search.state
    {
        *before = percent.max(*before);
    }
}

pub(super) fn ended(app: &mut App, number: u64, result: Result<Box<SearchAnswer>, String>) {
    if let Some(search) = app.search.as_mut().filter(|search| search.number == number) {
        search.state = match result {
            Ok(answer) => SearchState::Ended(answer),
            Err(why) => SearchState::Failed(why),
        };
    }
}

/// Moves among the matches; at the ends it stays.
pub(super) fn move_by(app: &mut App, by: isize) {
    step(app, |here, count| here.saturating_add_signed(by).min(count - 1));
}

/// The next match or the one before, round and round.
pub(super) fn turn(app: &mut App, by: isize) {
    step(app, |here, count| here.checked_add_signed(by).unwrap_or(count - 1) % count);
}

/// Goes to the next match from within an event that is read; the page changes to it.
pub(super) fn turn_page(app: &mut App, by: isize, out: &mut Vec<Effect>) {
    let of_event = |page: &Page| matches!(page.content, PageContent::Event { .. } | PageContent::Rejected { .. });
    if matches!(&app.mode, Mode::Page(page) if of_event(page)) && app.shown_search().is_some() {
        turn(app, by);
        page::open_event(app, out);
    }
}

fn step(app: &mut App, to: impl FnOnce(usize, usize) -> usize) {
    let Some(search) = app.shown_search() else { return };
    let count = search.matches().len();
    let Some(here) = search.selected_place() else { return };
    let to = to(here, count);
    if let Some(search) = &mut app.search {
        search.selected = (to + 1 < count).then_some(to);
    }
}
