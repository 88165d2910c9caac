//! The first line: which server, which run, how it stands, the link, the money, what waits.
//!
//! ```text
//! relay-console  prod  550e8400  ⏸ waiting  00:04:12      ● live  seq 1,284  $0.42 +~0.03  ⏸ 2 wait, oldest 00:48
//! ```
//!
//! Rule: a narrow window drops the parts that matter least, and never the status, the link, the money or what waits.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::theme::{Role, Sign, Theme};
use super::{format, text};
use crate::app::App;
use crate::feed::LinkState;

/// Columns between two parts.
const GAP: usize = 2;

/// A part of the line. Those of the highest rank go first when there is no room; rank 0 stays.
struct Part {
    rank: u8,
    on_the_right: bool,
    spans: Vec<Span<'static>>,
}

pub(super) fn render(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    let mut parts = parts(app, theme);
    let room = usize::from(area.width).saturating_sub(2);
    while width(&parts) > room {
        let Some(least) = (0..parts.len()).filter(|i| parts[*i].rank > 0).max_by_key(|i| parts[*i].rank) else { break };
        parts.remove(least);
    }
    let used = width(&parts);
    let mut line = vec![Span::raw(" ")];
    let mut gap_taken = false;
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            let stretch = if part.on_the_right && !gap_taken { room.saturating_sub(used) } else { 0 };
            gap_taken |= part.on_the_right;
            line.push(Span::raw(" ".repeat(GAP + stretch)));
        }
        line.extend(part.spans);
    }
    super::pane::row(line, 0, area, buf);
}

fn width(parts: &[Part]) -> usize {
    let gaps = GAP * parts.len().saturating_sub(1);
    parts.iter().map(|part| text::spans_width(&part.spans)).sum::<usize>() + gaps
}

fn parts(app: &App, theme: Theme) -> Vec<Part> {
    let quiet = theme.style(Role::Quiet);
    let left = |rank, spans| Part { rank, on_the_right: false, spans };
    let right = |rank, spans| Part { rank, on_the_right: true, spans };
    let mut parts = vec![
        left(9, vec![Span::styled("relay-console", quiet)]),
        left(4, text::cut(&app.identity.server, 24, theme.style(Role::Strong), theme)),
        left(6, vec![Span::raw(app.run.run_id.short())]),
        left(0, status(app, theme)),
    ];
    if let Some(elapsed) = app.elapsed() {
        parts.push(left(5, vec![Span::raw(format::duration(elapsed))]));
    }
    if let Some(odd) = odd(app) {
        let text = format!("{} {odd}", theme.sign(Sign::Warning));
        parts.push(right(3, vec![Span::styled(text, theme.style(Role::Attention))]));
    }
    let (sign, role, words) = link(app);
    let words = format!("{} {words}", theme.sign(sign));
    parts.push(right(0, vec![Span::styled(words, theme.style(role))]));
    parts.push(right(8, vec![Span::styled(format!("seq {}", format::count(app.run.last_seq)), quiet)]));
    parts.extend(money(app, theme));
    parts.extend(waiting(app, theme).map(|spans| right(0, spans)));
    parts
}

fn status(app: &App, theme: Theme) -> Vec<Span<'static>> {
    let status = app.run.status();
    let (sign, role) = Theme::run_status(status.as_ref());
    let word = status.as_ref().map_or("not known yet", |status| status.as_str());
    let mut spans = vec![Span::styled(format!("{} ", theme.sign(sign)), theme.style(role))];
    spans.extend(text::cut(word, 20, theme.style(role), theme));
    spans
}

/// The link's state in words.
pub(super) fn link(app: &App) -> (Sign, Role, String) {
    let left = |at: jiff::Timestamp| -> u64 {
        let left: std::time::Duration = at.duration_since(app.now.wall).try_into().unwrap_or_default();
        left.as_secs() + u64::from(left.subsec_nanos() > 0)
    };
    match &app.link {
        LinkState::Connecting => (Sign::Connecting, Role::Attention, "connecting".into()),
        LinkState::CatchingUp { applied } => {
            (Sign::Retry, Role::Active, format!("catching up, {}", format::count(*applied)))
        }
        LinkState::Live => (Sign::Running, Role::Good, "live".into()),
        LinkState::Stale { since } => {
            let silent: std::time::Duration = app.now.wall.duration_since(*since).try_into().unwrap_or_default();
            (Sign::Stale, Role::Attention, format!("stale {}", format::duration(silent)))
        }
        LinkState::Retrying { at, .. } => match left(*at) {
            0 => (Sign::Retry, Role::Bad, "no link, trying now".into()),
            seconds => (Sign::Retry, Role::Bad, format!("no link, again in {seconds}s")),
        },
        LinkState::Ended => (Sign::Ended, Role::Quiet, "ended".into()),
        LinkState::Refused { .. } => (Sign::Failed, Role::Bad, "refused".into()),
    }
}

/// What is missing from what is shown.
fn odd(app: &App) -> Option<String> {
    let counts = &app.run.counts;
    let mut words = Vec::new();
    if counts.missing > 0 {
        words.push(format!("{} missing", format::plural(counts.missing, "event")));
    }
    if counts.rejected > 0 {
        words.push(format!("{} rejected", format::count(counts.rejected)));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// The server's figure stays in every window; what it has not billed yet goes where there is room.
fn money(app: &App, theme: Theme) -> Vec<Part> {
    let ledger = &app.run.ledger;
    let strong = theme.style(Role::Strong);
    let part = |rank, spans| Part { rank, on_the_right: true, spans };
    let (tokens, amount) = ledger.not_yet_billed(&app.identity.prices);
    let beyond = (tokens.requests > 0).then(|| format::estimate(&amount)).flatten();
    match (ledger.billed_cents(), beyond) {
        #[expect(clippy::cast_precision_loss, reason = "cents of a run stay far below 2^53")]
        (Some(cents), beyond) => {
            let figure = format!("${}", format::billed(cents as f64, ledger.billed_tokens()));
            let mut parts = vec![part(0, vec![Span::styled(figure, strong)])];
            parts.extend(beyond.map(|beyond| part(7, vec![Span::raw(format!("+{beyond}"))])));
            parts
        }
        (None, Some(beyond)) => vec![part(0, vec![Span::styled(format!("${beyond}"), strong)])],
        (None, None) => vec![part(0, vec![Span::styled(format!("${}", theme.sign(Sign::Dash)), strong)])],
    }
}

fn waiting(app: &App, theme: Theme) -> Option<Vec<Span<'static>>> {
    let calls = &app.run.pending;
    let oldest = format::age(app.age(calls.oldest()?));
    let words = match calls.len() {
        1 => format!("1 waits {oldest}"),
        count => format!("{count} wait, oldest {oldest}"),
    };
    let text = format!("{} {words}", theme.sign(Sign::Waiting));
    Some(vec![Span::styled(text, theme.style(Role::Attention))])
}
