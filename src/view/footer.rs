//! The last line: what was said to the operator, else which keys do what here; or the line that is typed into.
//!
//! ```text
//!  Enter answer   w next call   Tab pane   / filter   ? help   q quit
//!  ✗ refused: the call belongs to another step. Your text is kept                                    Esc
//!  / diag▏                                                                      Enter keep   Esc leave
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::theme::{Role, Sign, Theme};
use super::{page, pane, text};
use crate::api::run::NodeType;
use crate::app::keys::{self, Context};
use crate::app::{App, Command, Level, Mode, Notice, Page, PageContent, Pane, Side, Tab};
use crate::feed::LinkState;

/// Rows that a long notice may take, from the panes.
const NOTICE_ROWS: usize = 3;
/// Columns that an error beside the hints leaves to them; a longer one stands above.
const ROOM_FOR_HINTS: usize = 40;

/// Draws the footer; returns where the cursor stands when something is typed into it.
pub(super) fn render(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    match typed(app) {
        Some((label, input)) => return Some(prompt(label, input, theme, area, buf)),
        None => match app.current_notice() {
            Some(notice) => said(app, notice, theme, area, buf),
            None => hints(app, theme, trouble(app, theme), area, buf),
        },
    }
    None
}

/// The text that is typed into the footer, and what it is for.
fn typed(app: &App) -> Option<(&'static str, &str)> {
    match &app.mode {
        Mode::Filter { .. } => Some(("filter the nodes /", &app.filter)),
        Mode::Search { input } if app.selected_node().is_some() => Some(("search the node's events /", input)),
        Mode::Search { input } => Some(("search all events /", input)),
        Mode::Answering(answering) => match &answering.side {
            Side::File(name) => Some(("insert the file", name)),
            _ => None,
        },
        _ => None,
    }
}

fn prompt(label: &str, input: &str, theme: Theme, area: Rect, buf: &mut Buffer) -> Position {
    let mut spans = vec![Span::styled(format!(" {label} "), theme.style(Role::Active))];
    let room = usize::from(area.width).saturating_sub(text::spans_width(&spans) + 1);
    // The end of what is typed stays in sight.
    let mut tail = input;
    while text::width(tail, theme) > room {
        let mut chars = tail.chars();
        chars.next();
        tail = chars.as_str();
    }
    spans.extend(text::inert(tail, theme.style(Role::Strong), theme));
    let column = u16::try_from(text::spans_width(&spans)).unwrap_or(u16::MAX);
    let keys = "Enter takes it   Esc leaves";
    if text::spans_width(&spans) + keys.len() + 4 <= usize::from(area.width) {
        text::fill(&mut spans, usize::from(area.width) - keys.len() - 1);
        spans.push(Span::styled(keys, theme.style(Role::Quiet)));
    }
    pane::row(spans, 0, area, buf);
    Position::new((area.x + column).min(area.right().saturating_sub(1)), area.y)
}

fn said(app: &App, notice: &Notice, theme: Theme, area: Rect, buf: &mut Buffer) {
    let role = page::level_role(notice.level);
    let sign = match notice.level {
        Level::Info => Sign::Dot,
        Level::Good => Sign::Succeeded,
        Level::Error => Sign::Failed,
    };
    if app.context() == Context::Review {
        // What is sent, and whether keys count yet, is never covered: the notice keeps to the footer, and `m` has it whole.
        let mut spans = vec![Span::styled(format!(" {} ", theme.sign(sign)), theme.style(role))];
        let room = usize::from(area.width).saturating_sub(text::spans_width(&spans) + 1);
        spans.extend(text::cut(&text::one_line(&notice.text), room, theme.style(role), theme));
        return pane::row(spans, 0, area, buf);
    }
    let leave = leave(app, notice);
    let mut rows = wrapped(app, notice, theme, area.width);
    if is_inline(notice, &rows, area.width) {
        let mut spans = vec![Span::styled(format!("{} ", theme.sign(sign)), theme.style(role))];
        spans.extend(rows.pop().into_iter().flat_map(|row| row.spans));
        spans.push(Span::styled(leave, theme.style(Role::Quiet)));
        spans.push(Span::raw("   "));
        hints(app, theme, spans, area, buf);
        return;
    }
    // Whatever is said, the keys that lead on stay in sight below it.
    for (at, row) in rows.into_iter().enumerate() {
        let head = if at == 0 { format!(" {} ", theme.sign(sign)) } else { "   ".to_owned() };
        let mut spans = vec![Span::styled(head, theme.style(role))];
        spans.extend(row.spans);
        if at == 0 && !leave.is_empty() {
            text::fill(&mut spans, usize::from(area.width).saturating_sub(leave.len() + 1));
            spans.push(Span::styled(leave, theme.style(Role::Quiet)));
        }
        pane::row(spans, at, area, buf);
    }
    hints(app, theme, Vec::new(), last_row(area), buf);
}

/// Rows that what is said now needs above the key hints.
pub(super) fn notice_rows(app: &App, theme: Theme, columns: u16) -> u16 {
    if typed(app).is_some() || app.context() == Context::Review {
        return 0;
    }
    let Some(notice) = app.current_notice() else { return 0 };
    let rows = wrapped(app, notice, theme, columns);
    if is_inline(notice, &rows, columns) { 0 } else { u16::try_from(rows.len()).unwrap_or(0) }
}

/// In an open answer Esc leaves the answer, not the error.
fn leave(app: &App, notice: &Notice) -> &'static str {
    if notice.level == Level::Error && app.context() == Context::Browse { "  Esc" } else { "" }
}

/// A notice in at most [`NOTICE_ROWS`] rows.
fn wrapped(app: &App, notice: &Notice, theme: Theme, columns: u16) -> Vec<Line<'static>> {
    let columns = usize::from(columns).saturating_sub(4 + leave(app, notice).len()).max(2);
    let role = page::level_role(notice.level);
    let mut rows = text::wrap(&notice.text, columns, theme.style(role), theme);
    if rows.len() > NOTICE_ROWS {
        rows.truncate(NOTICE_ROWS - 1);
        let shown: usize =
            rows.iter().map(|row| row.spans.iter().map(|span| span.content.chars().count()).sum::<usize>()).sum();
        let rest: String = notice.text.chars().skip(shown).collect();
        rows.push(text::cut(&text::one_line(&rest), columns, theme.style(role), theme).into());
    }
    rows
}

/// Whether a notice stands beside the hints.
fn is_inline(notice: &Notice, rows: &[Line<'_>], columns: u16) -> bool {
    let room = usize::from(columns).saturating_sub(ROOM_FOR_HINTS);
    matches!(rows, [row] if notice.level != Level::Error || text::spans_width(&row.spans) <= room)
}

fn last_row(area: Rect) -> Rect {
    Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area }
}

/// Why there is no link, where there is none.
fn trouble(app: &App, theme: Theme) -> Vec<Span<'static>> {
    let (LinkState::Retrying { cause, .. } | LinkState::Refused { cause, .. }) = &app.link else { return Vec::new() };
    if app.context() != Context::Browse {
        return Vec::new();
    }
    text::cut(&format!("no link: {cause}   "), usize::from(app.size.0 / 2), theme.style(Role::Bad), theme)
}

/// The keys, after `first`, as far as there is room.
fn hints(app: &App, theme: Theme, mut first: Vec<Span<'static>>, area: Rect, buf: &mut Buffer) {
    let context = app.context();
    first.insert(0, Span::raw(" "));
    let mut spans = first;
    let mut room = usize::from(area.width).saturating_sub(text::spans_width(&spans));
    if context == Context::EditorPrefix {
        let label = "Ctrl-X, then  ";
        room = room.saturating_sub(label.len());
        spans.push(Span::styled(label, theme.style(Role::Attention)));
    }
    for (command, label) in offered(app, context) {
        let Some(chord) = keys::chord_of(context, command) else { continue };
        let width = chord.len() + 1 + label.len() + 3;
        if width > room {
            continue;
        }
        room -= width;
        spans.push(Span::styled(chord, theme.style(Role::Active)));
        spans.push(Span::styled(format!(" {label}   "), theme.style(Role::Quiet)));
    }
    pane::row(spans, 0, area, buf);
}

/// The commands that the footer offers, the most needed first.
fn offered(app: &App, context: Context) -> Vec<(Command, &'static str)> {
    let labelled =
        |commands: &[Command]| commands.iter().map(|command| (*command, command.label())).collect::<Vec<_>>();
    match context {
        Context::Browse => browse(app),
        Context::Editor => labelled(&[
            Command::Review,
            Command::Leave,
            Command::SwitchSide,
            Command::ArgumentsDown,
            Command::Prefix,
            Command::Undo,
        ]),
        Context::EditorPrefix => labelled(&[
            Command::ExternalEditor,
            Command::FormatJson,
            Command::InsertFile,
            Command::ToggleError,
            Command::EarlierAnswer,
            Command::Leave,
        ]),
        Context::Arguments => {
            let mut offered = vec![(Command::SwitchSide, "to your answer")];
            offered.extend(labelled(&[Command::Review, Command::Leave]));
            offered.push((Command::Down, "scroll"));
            offered.extend(labelled(&[Command::PageDown, Command::Copy]));
            offered
        }
        Context::Review => Vec::new(),
        Context::Page => {
            let mut offered = vec![(Command::Leave, Command::Leave.label()), (Command::Down, "scroll")];
            offered.extend(labelled(&[Command::PageDown, Command::Last]));
            if !matches!(&app.mode, Mode::Page(page) if page.content.is_a_list()) {
                offered.extend(labelled(&[Command::Copy]));
            }
            if app.shown_search().is_some() {
                offered.push((Command::NextMatch, Command::NextMatch.label()));
            }
            if let Mode::Page(Page { content: PageContent::Event { .. } | PageContent::Step { .. }, .. }) = app.mode {
                offered.push((Command::ReadAgain, Command::ReadAgain.label()));
            }
            offered
        }
        Context::Prompt => vec![(Command::Open, "do it"), (Command::Down, "next"), (Command::Leave, "leave")],
    }
}

fn browse(app: &App) -> Vec<(Command, &'static str)> {
    let open = match app.focus {
        // A file takes no answer.
        Pane::Waiting if app.replay => None,
        Pane::Waiting => {
            let selected = app.waiting.as_ref();
            Some(if selected.is_some_and(|key| app.pending(key).is_none()) { "compare" } else { "answer" })
        }
        Pane::Nodes => Some("look into"),
        Pane::Detail if app.shown_tab() == Tab::Runs => Some("copy command"),
        Pane::Detail if matches!(app.shown_tab(), Tab::Events | Tab::Steps) => Some("read"),
        Pane::Detail | Pane::Cost => None,
    };
    let mut offered: Vec<_> = open.map(|label| (Command::Open, label)).into_iter().collect();
    if app.past.is_some() {
        offered.extend([
            (Command::Live, Command::Live.label()),
            (Command::EventBack, "back"),
            (Command::EventForth, "forth"),
            (Command::MilestoneBack, "milestone"),
        ]);
    }
    if matches!(app.link, LinkState::Retrying { .. } | LinkState::Refused { .. } | LinkState::Stale { .. }) {
        offered.push((Command::ReadAgain, "connect now"));
    }
    if app.has_waiting_rows() {
        offered.push((Command::NextWaiting, Command::NextWaiting.label()));
    }
    let selected =
        app.selected_node().filter(|node| app.focus == Pane::Nodes && node.node_type == Some(NodeType::MapFanout));
    if let Some(fan_out) = selected.and_then(|node| app.fan_outs().get(&node.id).copied()) {
        offered.push((Command::Fold, if fan_out.folded { "unfold" } else { Command::Fold.label() }));
    }
    if app.focus == Pane::Detail && app.shown_tab() == Tab::Events {
        offered.push((Command::Filter, "search"));
        if app.shown_search().is_some() {
            offered.extend([(Command::NextMatch, "next match"), (Command::Leave, "all events")]);
        }
    }
    let mut more = vec![Command::NextPane, Command::Help, Command::Quit];
    if !offered.iter().any(|(command, _)| *command == Command::Filter) {
        more.push(Command::Filter);
    }
    if app.shown_run().tally().failed > 0 {
        more.push(Command::NextError);
    }
    if app.past.is_none() && app.selection != crate::app::Selection::Follow {
        more.push(Command::Live);
    }
    if app.replay && app.past.is_none() {
        // A file is looked through; what waits in it is answered by nobody.
        more.push(Command::EventBack);
    }
    more.extend([Command::Copy, Command::Palette]);
    if app.focus == Pane::Detail {
        offered.push((Command::Right, "next tab"));
    }
    offered.extend(more.into_iter().map(|command| (command, command.label())));
    offered
}
