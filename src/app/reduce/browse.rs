//! Keys in the panes, in the filter and in the palette.

use super::super::layout::inside;
use super::super::{
    App, Command, Detail, Effect, Level, Mode, Page, PageContent, Pane, Read, RelatedRun, Selection, Tab, Wish,
};
use super::{answering, page, past, rows_of, scrolled, scrolled_row, searching};
use crate::api::ids::RunId;
use crate::api::run::NodeStatus;
use crate::feed::LinkState;
use crate::run::Node;

pub(super) fn command(app: &mut App, command: Command, out: &mut Vec<Effect>) {
    match command {
        Command::Open => open(app, out),
        Command::NextWaiting => next_waiting(app, out),
        Command::NextPane => turn_pane(app, 1),
        Command::PreviousPane => turn_pane(app, -1),
        Command::Left => turn_tab(app, -1),
        Command::Right => turn_tab(app, 1),
        Command::Leave => leave(app, out),
        Command::Filter if searching::is_asked_for(app) => searching::open_prompt(app),
        Command::Filter => {
            // What is typed narrows the nodes: they are to be in sight, also where panes are stacked.
            app.focus = Pane::Nodes;
            app.mode = Mode::Filter { before: app.filter.clone() };
        }
        Command::NextMatch if searching::with_focus(app) => searching::turn(app, 1),
        Command::PreviousMatch if searching::with_focus(app) => searching::turn(app, -1),
        Command::NextMatch => move_node(app, 1),
        Command::PreviousMatch => move_node(app, -1),
        Command::Fold => fold(app),
        Command::NextError => next_error(app),
        Command::EventBack => past::go(app, Wish::Events(-1), out),
        Command::EventForth => past::go(app, Wish::Events(1), out),
        Command::MilestoneBack => past::go(app, Wish::Milestones(-1), out),
        Command::MilestoneForth => past::go(app, Wish::Milestones(1), out),
        Command::Live => live(app, out),
        Command::Copy => out.extend(copied_text(app).map(Effect::Copy)),
        Command::PutAway => put_away(app, out),
        Command::ReadAgain if searching::with_focus(app) => searching::again(app, out),
        Command::ReadAgain => read_again(app, out),
        Command::Palette => app.mode = Mode::Palette { input: String::new(), selected: 0 },
        Command::Help => app.mode = Mode::Page(Page { content: PageContent::Help, scroll: 0 }),
        Command::Notices => app.mode = Mode::Page(Page { content: PageContent::Notices, scroll: 0 }),
        Command::Stream => app.mode = Mode::Page(Page { content: PageContent::Stream, scroll: 0 }),
        moving => move_in_pane(app, moving),
    }
}

fn open(app: &mut App, out: &mut Vec<Effect>) {
    match app.focus {
        Pane::Waiting => {
            if let Some(key) = app.waiting.clone() {
                // What waits, waits now: it is answered before the run as it stands.
                past::leave(app, out);
                if app.orphans().any(|answer| answer.key == key) {
                    app.mode = Mode::Page(Page { content: PageContent::Orphan { key }, scroll: 0 });
                } else {
                    answering::open(app, &key);
                }
            }
        }
        Pane::Detail => open_in_detail(app, out),
        Pane::Nodes => app.focus = Pane::Detail,
        Pane::Cost => {}
    }
}

fn open_in_detail(app: &mut App, out: &mut Vec<Effect>) {
    match app.shown_tab() {
        Tab::Events => page::open_event(app, out),
        Tab::Steps => page::open_step(app, out),
        Tab::Runs => copy_command(app, out),
        Tab::Output | Tab::Calls | Tab::Tasks => {}
    }
}

/// `Enter` on a related run: the command that follows it, since this console follows one run.
fn copy_command(app: &mut App, out: &mut Vec<Effect>) {
    let Some(run_id) = related(app) else { return };
    match app.command_to_follow(run_id) {
        Some(command) => out.push(Effect::Copy(command)),
        None => app.notify(Level::Info, "no command follows this run: it is gone when this console is left"),
    }
}

/// The selected one of the related runs.
fn related(app: &App) -> Option<RunId> {
    let runs = app.related_runs();
    runs.get(app.selected_related(&runs)).map(RelatedRun::run_id)
}

fn next_waiting(app: &mut App, out: &mut Vec<Effect>) {
    let rows = app.waiting_rows();
    if rows.is_empty() {
        app.notify(Level::Info, "nothing waits for you");
        return;
    }
    let here = app.waiting.as_ref().and_then(|key| rows.iter().position(|row| row.key() == key));
    let next = match here {
        Some(at) if app.focus == Pane::Waiting => (at + 1) % rows.len(),
        Some(at) => at,
        None => 0,
    };
    let key = rows[next].key().clone();
    app.waiting = Some(key);
    app.focus = Pane::Waiting;
    past::leave(app, out);
}

/// The selected draft, whose call is over, goes to the history.
fn put_away(app: &mut App, out: &mut Vec<Effect>) {
    match app.waiting.clone().filter(|_| app.focus == Pane::Waiting) {
        Some(key) => super::orphans::put_away(app, &key, out),
        None => app.notify(Level::Info, "nothing to put away: select a draft whose call no longer waits"),
    }
}

/// The panes that Tab turns through.
fn panes(app: &App) -> Vec<Pane> {
    let mut panes = vec![Pane::Nodes, Pane::Cost, Pane::Detail];
    if !app.waiting_rows().is_empty() {
        panes.push(Pane::Waiting);
    }
    panes
}

fn turn_pane(app: &mut App, by: isize) {
    let panes = panes(app);
    let here = panes.iter().position(|pane| *pane == app.focus).unwrap_or(0);
    app.focus = panes[wrapped(here, by, panes.len())];
    if app.focus == Pane::Waiting && app.waiting.is_none() {
        let first = app.waiting_rows().first().map(|row| row.key().clone());
        app.waiting = first;
    }
}

fn wrapped(at: usize, by: isize, len: usize) -> usize {
    at.checked_add_signed(by).unwrap_or(len - 1) % len
}

fn turn_tab(app: &mut App, by: isize) {
    let (tabs, shown) = (app.tabs().collect::<Vec<_>>(), app.shown_tab());
    let here = tabs.iter().position(|tab| *tab == shown).unwrap_or(0);
    app.detail = Detail::at(tabs[wrapped(here, by, tabs.len())]);
}

/// `Esc` in the panes: first the error in the footer, then the search, then the filter, then back to the nodes.
fn leave(app: &mut App, out: &mut Vec<Effect>) {
    if app.current_notice().is_some() {
        app.notices.iter_mut().for_each(|notice| notice.dismissed = true);
    } else if searching::with_focus(app) {
        searching::leave(app, out);
    } else if app.filter.is_empty() {
        app.focus = Pane::Nodes;
    } else {
        app.filter.clear();
    }
}

fn live(app: &mut App, out: &mut Vec<Effect>) {
    if !past::leave(app, out) {
        select(app, Selection::Follow);
    }
}

fn read_again(app: &mut App, out: &mut Vec<Effect>) {
    if app.replay {
        app.notify(Level::Info, "there is nothing to read again: this is a file, and no server is asked");
        return;
    }
    match app.link {
        LinkState::Retrying { .. } | LinkState::Refused { .. } | LinkState::Connecting => {
            app.notify(Level::Info, "connecting now");
            out.push(Effect::Reconnect);
        }
        LinkState::Stale { .. } => out.push(Effect::ProbeLink),
        LinkState::CatchingUp { .. } | LinkState::Live | LinkState::Ended | LinkState::EndOfFile => {}
    }
    app.reads.run.wanted = true;
    app.reads.run.asked_at = None;
    app.reads.pending.wanted = true;
    app.reads.intents.wanted = true;
    app.reads.tasks = Read { wanted: true, in_flight: app.reads.tasks.in_flight, ..Read::default() };
    (app.reads.run.failed_at, app.reads.pending.failed_at) = (None, None);
}

/// Folds or unfolds the fan-out that the selected node is, or is an item of; an item that is folded away leaves the
/// selection to its fan-out.
fn fold(app: &mut App) {
    let Some(id) = app.selected_node().map(|node| node.id.clone()) else {
        app.notify(Level::Info, "nothing to fold: select a fan-out or one of its items");
        return;
    };
    let Some(parent) = app.fan_out_of(&id) else {
        app.notify(Level::Info, format!("nothing to fold: {id} has no items and is none"));
        return;
    };
    let folded = app.fan_outs().get(&parent).is_some_and(|fan_out| fan_out.folded);
    // An item of a folded fan-out is in sight only because it is selected: what is wanted is to see the others.
    app.folds.insert(parent.clone(), !folded);
    if !folded {
        select(app, Selection::Node(parent));
    }
    app.focus = Pane::Nodes;
}

fn next_error(app: &mut App) {
    let nodes = &app.shown_run().nodes;
    let has_failed = |node: &&Node| app.shown_run().node_status(node) == NodeStatus::Failed || node.failures > 0;
    let selected = app.selected_node().filter(has_failed).and_then(|node| nodes.get_index_of(&node.id));
    let after = selected.map_or(0, |at| at + 1);
    let Some(next) = nodes.values().skip(after).chain(nodes.values().take(after)).find(has_failed) else {
        app.notify(Level::Info, "no node has failed");
        return;
    };
    let next = next.id.clone();
    select(app, Selection::Node(next));
    app.focus = Pane::Nodes;
}

fn select(app: &mut App, selection: Selection) {
    app.selection = selection;
    app.detail = Detail::at(app.detail.tab);
}

/// Moves the selection among the run's own row and the nodes that the filter shows.
fn move_node(app: &mut App, by: isize) {
    let nodes = app.listed_nodes(&app.fan_outs());
    let here = app.selected_node().and_then(|node| nodes.place(&node.id)).map_or(0, |at| at + 1);
    let to = here.saturating_add_signed(by).min(nodes.len());
    let chosen = to.checked_sub(1).and_then(|at| nodes.at(at));
    let selection = chosen.map_or(Selection::Run, |node| Selection::Node(node.id.clone()));
    select(app, selection);
}

fn move_in_pane(app: &mut App, command: Command) {
    let layout = app.layout();
    match app.focus {
        Pane::Nodes => {
            if let Some(by) = rows_of(command, inside(layout.nodes).height.into()) {
                move_node(app, by);
            }
        }
        Pane::Waiting => {
            if let Some(by) = rows_of(command, inside(layout.waiting).height.into()) {
                move_waiting(app, by);
            }
        }
        Pane::Detail => {
            // The tabs stand in the first row.
            let height = usize::from(inside(layout.detail).height.saturating_sub(1));
            if let Some(by) = rows_of(command, height) {
                move_detail(app, by, height);
            }
        }
        Pane::Cost => {
            let (rows, height) = (app.shown_run().ledger.rows(&app.identity.prices).len(), layout.cost_height());
            if let Some(by) = rows_of(command, height) {
                app.cost_scroll = scrolled_row(app.cost_scroll, by, rows, height);
            }
        }
    }
}

fn move_waiting(app: &mut App, by: isize) {
    let rows = app.waiting_rows();
    let here = app.waiting.as_ref().and_then(|key| rows.iter().position(|row| row.key() == key)).unwrap_or(0);
    let to = here.saturating_add_signed(by).min(rows.len().saturating_sub(1));
    let key = rows.get(to).map(|row| row.key().clone());
    app.waiting = key;
}

fn move_detail(app: &mut App, by: isize, height: usize) {
    match app.shown_tab() {
        Tab::Output | Tab::Calls | Tab::Tasks => {
            app.detail.scroll = scrolled(app.detail.scroll, by, app.measured.detail, height);
        }
        Tab::Events if app.shown_search().is_some() => searching::move_by(app, by),
        Tab::Events => {
            let rows = app.shown_entries().len();
            let here = app.detail.event.unwrap_or(rows.saturating_sub(1));
            let to = here.saturating_add_signed(by).min(rows.saturating_sub(1));
            app.detail.event = (to + 1 < rows).then_some(to);
        }
        Tab::Runs => {
            let runs = app.related_runs();
            let to = app.selected_related(&runs).saturating_add_signed(by).min(runs.len().saturating_sub(1));
            app.detail.related = runs.get(to).map(RelatedRun::run_id);
        }
        Tab::Steps => {
            let steps = app.shown_steps();
            let to = app.selected_step(&steps).saturating_add_signed(by).min(steps.len().saturating_sub(1));
            let key = steps.get(to).map(|step| step.key.clone());
            app.detail.step = key;
        }
    }
}

/// What `y` copies: what the focused pane is about.
fn copied_text(app: &App) -> Option<String> {
    let text = match app.focus {
        Pane::Waiting => app.waiting.as_ref().and_then(|key| {
            let answer = app.answers.get(key).filter(|_| app.pending(key).is_none());
            app.pending(key).map(|call| call.call.arguments().to_owned()).or_else(|| answer.map(|a| a.text.to_string()))
        }),
        Pane::Nodes => Some(app.selected_node().map_or_else(|| app.run.run_id.to_string(), |node| node.id.to_string())),
        Pane::Cost => app.shown_run().ledger.billed_cents().map(|cents| format!("{}.{:02}", cents / 100, cents % 100)),
        Pane::Detail if app.shown_tab() == Tab::Runs => related(app).map(|run_id| run_id.to_string()),
        Pane::Detail if app.shown_tab() == Tab::Tasks => Some(app.tasks.to_text()),
        Pane::Detail if app.shown_search().is_some() => {
            app.shown_search().and_then(|search| Some(search.selected_match()?.piece.text.clone()))
        }
        Pane::Detail if app.shown_tab() == Tab::Steps => {
            let steps = app.shown_steps();
            steps.get(app.selected_step(&steps)).map(|step| step.key.request_id.to_string())
        }
        Pane::Detail => {
            let output = app.selected_node().map_or(app.shown_run().outputs.as_ref(), |node| node.output.as_ref());
            let inline = output.and_then(|output| output.content.as_deref()).map(str::to_owned);
            inline.or_else(|| {
                let node = app.selected_node()?;
                Some(app.shown_text(node).segments().map(|segment| segment.text.as_str()).collect::<String>())
            })
        }
    };
    text.filter(|text| !text.is_empty())
}

/// Commands in the filter and in the palette.
pub(super) fn prompt_command(app: &mut App, asked: Command, out: &mut Vec<Effect>) {
    match (&mut app.mode, asked) {
        (Mode::Filter { .. }, Command::Open) => {
            app.mode = Mode::Browse;
            app.focus = Pane::Nodes;
        }
        (Mode::Filter { before }, Command::Leave) => {
            app.filter = std::mem::take(before);
            app.mode = Mode::Browse;
        }
        (Mode::Filter { .. }, Command::DeleteLeft) => drop(app.filter.pop()),
        (Mode::Filter { .. }, Command::DeleteToLineStart) => app.filter.clear(),
        (Mode::Search { input }, Command::Open) => {
            let text = std::mem::take(input);
            searching::start(app, text, out);
        }
        (Mode::Search { input }, Command::DeleteLeft) => drop(input.pop()),
        (Mode::Search { input }, Command::DeleteToLineStart) => input.clear(),
        (Mode::Palette { input, selected }, Command::DeleteLeft) => {
            input.pop();
            *selected = 0;
        }
        (Mode::Palette { input, selected }, Command::DeleteToLineStart) => {
            input.clear();
            *selected = 0;
        }
        (Mode::Palette { selected, .. }, Command::Up) => *selected = selected.saturating_sub(1),
        (Mode::Palette { input, selected }, Command::Down) => {
            *selected = (*selected + 1).min(palette(input).len().saturating_sub(1));
        }
        (Mode::Palette { input, selected }, Command::Open) => {
            let chosen = palette(input).get(*selected).copied();
            app.mode = Mode::Browse;
            match chosen {
                Some(Command::Quit) => super::quit(app, out),
                Some(Command::Suspend) => super::suspend(app, out),
                Some(Command::Repaint) => out.push(Effect::Repaint),
                Some(chosen) => command(app, chosen, out),
                None => {}
            }
        }
        (Mode::Search { .. } | Mode::Palette { .. }, Command::Leave) => app.mode = Mode::Browse,
        _ => {}
    }
}

/// The commands of the panes whose name or doc holds what was typed.
#[must_use]
pub(crate) fn palette(input: &str) -> Vec<Command> {
    let wanted = input.trim().to_lowercase();
    let offered = super::keys::KEYS.iter().filter(|binding| binding.context == super::keys::Context::Browse);
    let offered = offered.map(|binding| binding.command).filter(|command| *command != Command::Palette);
    let (mut by_name, mut by_doc) = (Vec::new(), Vec::new());
    for command in offered {
        if command.name().contains(&wanted) {
            by_name.push(command);
        } else if command.doc().to_lowercase().contains(&wanted) {
            by_doc.push(command);
        }
    }
    by_name.extend(by_doc);
    by_name
}
