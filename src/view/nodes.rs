//! The nodes: one row each, under the run's own row.
//!
//! ```text
//! ╭ Nodes 7/9 ──────────────────────────────────────────────╮
//! │   node            step   time   in/out tok     ~$        │
//! │ ▸ ⏸ run                04:12   52.0k/4.1k    0.42        │
//! │   ✓ collect_logs     2  00:09   12.1k/0.9k   ~0.05       │
//! ╰──────────────────────────────────────────────────────────╯
//! ```
//!
//! Rule: only the rows in sight are built.

use indexmap::IndexMap;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::pane::{self, Pane};
use super::theme::{Role, Sign, Theme};
use super::{format, text};
use crate::api::ids::NodeId;
use crate::app::{App, FanOut, Listing, Pane as Focus, layout};
use crate::run::Node;

/// The columns right of the name: title and width, the least needed last.
const COLUMNS: [(Column, &str, usize); 4] = [
    (Column::Time, "time", 8),
    (Column::Money, "~$", 8),
    (Column::Tokens, "in/out tok", 13),
    (Column::Step, "step", 5),
];
/// Columns for how often a node was started again.
const RETRIES: usize = 4;
/// Columns that names get, where they need them, before the least needed column goes.
const NAME: usize = 18;
/// The same, where a fan-out's name says how far its items are.
const FAN_OUT: usize = 28;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Step,
    Time,
    Tokens,
    Money,
}

/// The columns that are shown, and the width of the names.
struct Grid {
    name: usize,
    columns: Vec<(Column, &'static str, usize)>,
}

impl Grid {
    fn new(width: usize, wanted_name: usize) -> Self {
        let mut columns = COLUMNS.to_vec();
        let rest = |columns: &[(Column, &str, usize)]| {
            width.saturating_sub(5 + columns.iter().map(|(_, _, width)| width).sum::<usize>())
        };
        while columns.len() > 1 && rest(&columns) < wanted_name.max(8) {
            columns.pop();
        }
        let name = rest(&columns);
        let place = [Column::Step, Column::Time, Column::Tokens, Column::Money];
        columns.sort_by_key(|(column, _, _)| place.iter().position(|known| known == column));
        Self { name, columns }
    }

    fn cells(&self, theme: Theme, of: impl Fn(Column) -> String) -> Vec<Span<'static>> {
        let cell = |(column, _, width): &(Column, &str, usize)| {
            text::right(&of(*column), *width, theme.style(Role::Plain), theme)
        };
        self.columns.iter().flat_map(cell).collect()
    }
}

pub(super) fn render(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    let focused = app.focus == Focus::Nodes;
    let inner = Pane::new(title(app, theme), focused).render(theme, area, buf);
    let fan_outs = app.fan_outs();
    let nodes = app.listed_nodes(&fan_outs);
    let grid = Grid::new(usize::from(inner.width), wanted_name(app, &nodes, &fan_outs, theme));
    let quiet = theme.style(Role::Quiet);
    let mut header = vec![Span::raw("    ")];
    header.extend(text::left("node", grid.name, quiet, theme));
    for (_, title, width) in &grid.columns {
        header.extend(text::right(title, *width, quiet, theme));
    }
    pane::row(header, 0, inner, buf);

    let selected_node = app.selected_node().map(|node| &node.id);
    let selected = match selected_node {
        None => Some(0),
        Some(id) => nodes.place(id).map(|at| at + 1),
    };
    let height = usize::from(inner.height.saturating_sub(1));
    let first = layout::first_shown(selected.unwrap_or(0), nodes.len() + 1, height);
    for at in first..(nodes.len() + 1).min(first + height) {
        let is_selected = Some(at) == selected;
        let spans = match at.checked_sub(1).and_then(|at| nodes.at(at)) {
            None => run_row(app, theme, &grid, is_selected),
            Some(node) => node_row(app, node, fan_outs.get(&node.id), theme, &grid, is_selected),
        };
        pane::row(spans, at - first + 1, inner, buf);
        if is_selected && focused {
            pane::select(at - first + 1, inner, buf);
        }
    }
    if nodes.is_empty() && height > 1 {
        let words = if app.filter.is_empty() { "no node yet" } else { "no node fits the filter; Esc clears it" };
        pane::row(vec![Span::raw("    "), Span::styled(words, quiet)], 2, inner, buf);
    }
}

/// The columns that the longest name needs, as far as it gets them.
fn wanted_name(app: &App, nodes: &Listing<'_>, fan_outs: &IndexMap<&NodeId, FanOut>, theme: Theme) -> usize {
    // A fan-out's row stands for all of its items: it gets more.
    let most = if fan_outs.is_empty() { NAME } else { FAN_OUT };
    if let (Listing::All(_), true) = (nodes, fan_outs.is_empty()) {
        let tally = app.shown_run().tally();
        let retried = if tally.longest_retried_id > 0 { tally.longest_retried_id + RETRIES } else { 0 };
        return tally.longest_id.max(retried).min(most);
    }
    let suffix = |node: &Node| match fan_outs.get(&node.id) {
        Some(fan_out) => text::spans_width(&items(fan_out, theme)),
        None if node.retries() > 0 => RETRIES,
        None => 0,
    };
    let mut longest = 0;
    for node in nodes.iter() {
        longest = longest.max(node.id.as_str().len() + suffix(node));
        if longest >= most {
            return most;
        }
    }
    longest
}

fn title(app: &App, theme: Theme) -> Vec<Span<'static>> {
    let (ended, all) = app.shown_run().progress();
    let mut title = pane::title(&format!("Nodes {ended}/{all}"), theme);
    if !app.filter.is_empty() {
        title.push(Span::styled(format!(" {} filter ", theme.sign(Sign::Dot)), theme.style(Role::Quiet)));
        title.extend(text::cut(&app.filter, 24, theme.style(Role::Attention), theme));
    }
    title
}

fn run_row(app: &App, theme: Theme, grid: &Grid, selected: bool) -> Vec<Span<'static>> {
    let (sign, role) = Theme::run_status(app.shown_run().status().as_ref());
    let tokens = app.shown_run().ledger.tokens();
    let mut spans = vec![pane::marker(selected, theme)];
    spans.push(Span::styled(format!("{} ", theme.sign(sign)), theme.style(role)));
    spans.extend(run_name(app, grid.name, theme));
    spans.extend(grid.cells(theme, |column| match column {
        Column::Step => String::new(),
        Column::Time => app.shown_elapsed().map(format::duration).unwrap_or_default(),
        Column::Tokens if tokens.requests == 0 => String::new(),
        Column::Tokens => format!("{}/{}", format::tokens(tokens.input), format::tokens(tokens.output)),
        Column::Money => run_money(app),
    }));
    spans
}

#[expect(clippy::cast_precision_loss, reason = "cents of a run stay far below 2^53")]
fn run_money(app: &App) -> String {
    let ledger = &app.shown_run().ledger;
    ledger
        .billed_cents()
        .filter(|cents| *cents > 0 || ledger.billed_tokens() > 0)
        .map(|cents| format::billed(cents as f64, ledger.billed_tokens()))
        .unwrap_or_default()
}

fn node_row(
    app: &App,
    node: &Node,
    fan_out: Option<&FanOut>,
    theme: Theme,
    grid: &Grid,
    selected: bool,
) -> Vec<Span<'static>> {
    let (sign, role, _) = status(app, node);
    let tokens = node.tokens();
    let mut spans = vec![pane::marker(selected, theme)];
    spans.push(Span::styled(format!("{} ", theme.sign(sign)), theme.style(role)));
    spans.extend(name(node, fan_out, grid.name, role, theme));
    spans.extend(grid.cells(theme, |column| match column {
        Column::Step => node.step.map(|step| step.to_string()).unwrap_or_default(),
        Column::Time => time(app, node),
        Column::Tokens | Column::Money if tokens.requests == 0 => String::new(),
        Column::Tokens => format!("{}/{}", format::tokens(tokens.input), format::tokens(tokens.output)),
        Column::Money => money(app, node, theme),
    }));
    spans
}

/// The run's own name, with its tasks where there is room for them.
fn run_name(app: &App, columns: usize, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = text::cut("run", columns, theme.style(Role::Strong), theme);
    if let Some((done, all)) = app.tasks.progress().filter(|_| app.has_tasks()) {
        let words = format!("  {done}/{all} tasks");
        if 3 + words.len() <= columns {
            spans.push(Span::styled(words, theme.style(Role::Quiet)));
        }
    }
    text::fill(&mut spans, columns);
    spans
}

/// How far the items of a fan-out are, and what of them fails or waits while they cannot be seen.
fn items(fan_out: &FanOut, theme: Theme) -> Vec<Span<'static>> {
    let quiet = theme.style(Role::Quiet);
    let mut spans = vec![Span::styled(format!("  {} of {}", fan_out.ended, fan_out.items), quiet)];
    let marks = [(fan_out.failed, Sign::Failed, Role::Bad), (fan_out.waiting, Sign::Waiting, Role::Attention)];
    for (count, sign, role) in marks {
        if fan_out.folded && count > 0 {
            spans.push(Span::styled(format!(" {}{count}", theme.sign(sign)), theme.style(role)));
        }
    }
    spans
}

fn name(node: &Node, fan_out: Option<&FanOut>, columns: usize, role: Role, theme: Theme) -> Vec<Span<'static>> {
    let role = if matches!(role, Role::Attention | Role::Bad | Role::Quiet) { role } else { Role::Plain };
    let retries = node.retries();
    if let Some(fan_out) = fan_out {
        let items = items(fan_out, theme);
        let room = columns.saturating_sub(text::spans_width(&items)).max(4);
        let mut spans = text::cut(node.id.as_str(), room, theme.style(role), theme);
        spans.extend(items);
        text::fill(&mut spans, columns);
        return spans;
    }
    if retries == 0 {
        return text::left(node.id.as_str(), columns, theme.style(role), theme);
    }
    let suffix = format!(" {}{retries}", theme.sign(Sign::Retry));
    let room = columns.saturating_sub(suffix.chars().count());
    let mut spans = text::cut(node.id.as_str(), room, theme.style(role), theme);
    spans.push(Span::styled(suffix, theme.style(Role::Attention)));
    text::fill(&mut spans, columns);
    spans
}

/// How a node stands: sign, role and word. The word is the server's, but for a node that the run's end has left open,
/// of which no server says anything.
pub(super) fn status(app: &App, node: &Node) -> (Sign, Role, String) {
    if app.shown_run().was_left_open(node) {
        return (Sign::Canceled, Role::Quiet, "ended with the run".to_owned());
    }
    let status = app.shown_run().node_status(node);
    let (sign, role) = Theme::node_status(&status);
    (sign, role, status.as_str().to_owned())
}

/// How long the node works, or worked.
pub(super) fn time(app: &App, node: &Node) -> String {
    let Some(start) = node.started_at else { return String::new() };
    let ended = node.ended_at.or(app.shown_run().ended_at);
    let time = match ended {
        Some(end) => end.duration_since(start).try_into().unwrap_or_default(),
        None => app.shown_age(start),
    };
    format::duration(time)
}

/// The node's money: always an estimate; calls without a price are counted.
pub(super) fn money(app: &App, node: &Node, theme: Theme) -> String {
    let amount = app.shown_run().ledger.estimate_all(&node.usage, &app.identity.prices);
    match (format::estimate(&amount), amount.unpriced_calls) {
        (Some(money), 0) => money,
        (Some(money), unpriced) => format!("{money}+{unpriced}?"),
        (None, _) => theme.sign(Sign::Dash).to_owned(),
    }
}
