//! Pages that are only read: help, an event or a step in full, a rejected line.
//!
//! Rule: what a page reads is asked for when it is opened and when the operator asks again; an answer for another page
//! than the open one is dropped.

use super::super::event_search::MatchedLine;
use super::super::{App, Command, Effect, Mode, Page, PageContent};
use super::{back_to_browse, rows_of, scrolled_row, searching};
use crate::api::event::ProtocolError;
use crate::api::step::StepDetail;
use crate::api::tool::{CallKey, StepKey};
use crate::run::history::Entry;

pub(super) fn command(app: &mut App, command: Command, out: &mut Vec<Effect>) {
    // A page has a border and covers everything between the first line and the footer.
    let height = usize::from(app.size.1.saturating_sub(4));
    let total = app.measured.page;
    match command {
        Command::NextMatch => return searching::turn_page(app, 1, out),
        Command::PreviousMatch => return searching::turn_page(app, -1, out),
        _ => {}
    }
    let Mode::Page(page) = &mut app.mode else { return };
    match command {
        Command::Leave => back_to_browse(app),
        Command::Copy => {
            let draft = |key: &CallKey| app.answers.get(key).map(|answer| answer.text.to_string());
            out.extend(text_of(page, draft).map(Effect::Copy));
        }
        Command::ReadAgain => match &page.content {
            PageContent::Orphan { key } => super::orphans::ask_again(&mut app.answers, key),
            _ => out.extend(read_again(page)),
        },
        Command::PutAway => {
            if let PageContent::Orphan { key } = &page.content {
                let key = key.clone();
                super::orphans::put_away(app, &key, out);
            }
        }
        moving => {
            if let Some(by) = rows_of(moving, height) {
                page.scroll = scrolled_row(page.scroll, by, total, height);
            }
        }
    }
}

fn text_of(page: &Page, draft: impl FnOnce(&CallKey) -> Option<String>) -> Option<String> {
    match &page.content {
        PageContent::Orphan { key } => draft(key),
        PageContent::Event { line: Some(Ok(line)), .. } | PageContent::Rejected { line, .. } => Some(line.clone()),
        // Raw JSON is written as it came.
        PageContent::Step { read: Some(Ok(step)), .. } => serde_json::to_string(step).ok(),
        PageContent::Event { .. }
        | PageContent::Step { .. }
        | PageContent::Help
        | PageContent::Notices
        | PageContent::Stream => None,
    }
}

/// Asks again for what the page reads; an answer that is still to come is waited for.
fn read_again(page: &mut Page) -> Option<Effect> {
    match &mut page.content {
        PageContent::Event { seq, line } => line.take().map(|_| Effect::ReadEvent { seq: *seq }),
        PageContent::Step { key, read, .. } => read.take().map(|_| Effect::ReadStep { key: key.clone() }),
        PageContent::Help
        | PageContent::Rejected { .. }
        | PageContent::Orphan { .. }
        | PageContent::Notices
        | PageContent::Stream => None,
    }
}

/// Opens the selected step: what the events have told of it stands at once, the rest is read from the server.
pub(super) fn open_step(app: &mut App, out: &mut Vec<Effect>) {
    let steps = app.shown_steps();
    let Some(key) = steps.get(app.selected_step(&steps)).map(|step| step.key.clone()) else { return };
    // Coming back from the page finds the same step selected.
    app.detail.step = Some(key.clone());
    out.push(Effect::ReadStep { key: key.clone() });
    app.mode = Mode::Page(Page { content: PageContent::Step { key, read: None, answers: 0 }, scroll: 0 });
}

pub(super) fn step_read(app: &mut App, key: &StepKey, result: Result<Box<StepDetail>, String>) {
    if let Mode::Page(Page { content: PageContent::Step { key: open, read, answers }, .. }) = &mut app.mode
        && open == key
    {
        *read = Some(result);
        *answers += 1;
    }
}

/// Opens the selected entry of the events tab, or the selected match. A rejected line is here already; an event is read
/// from the journal, else from the server.
pub(super) fn open_event(app: &mut App, out: &mut Vec<Effect>) {
    if let Some(search) = app.shown_search() {
        let opened = search.selected_match().and_then(|found| match &found.line {
            MatchedLine::Event { .. } => found.seq.map(|seq| PageContent::Event { seq, line: None }),
            MatchedLine::Rejected(error) => Some(rejected(error)),
        });
        let Some(content) = opened else { return };
        if let PageContent::Event { seq, .. } = &content {
            out.push(Effect::ReadEvent { seq: *seq });
        }
        app.mode = Mode::Page(Page { content, scroll: 0 });
        return;
    }
    let entries = app.shown_entries();
    let at = app.detail.event.unwrap_or(entries.len().saturating_sub(1));
    let content = match entries.get(at) {
        Some(Entry::Event(event)) => {
            out.push(Effect::ReadEvent { seq: event.seq });
            PageContent::Event { seq: event.seq, line: None }
        }
        Some(Entry::Rejected(error)) => rejected(error),
        Some(Entry::Gap { .. }) | None => return,
    };
    app.mode = Mode::Page(Page { content, scroll: 0 });
}

fn rejected(error: &ProtocolError) -> PageContent {
    PageContent::Rejected { reason: error.to_string(), line: String::from_utf8_lossy(&error.line).into_owned() }
}

pub(super) fn event_read(app: &mut App, seq: u64, result: Result<String, String>) {
    if let Mode::Page(Page { content: PageContent::Event { seq: open, line }, .. }) = &mut app.mode
        && *open == seq
    {
        *line = Some(result);
    }
}
