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

/// A part of the line. Rank 0 always stands; the others come in the order of their ranks as far as there is room.
struct Part {
    rank: u8,
    on_the_right: bool,
    spans: Vec<Span<'static>>,
    /// The same in fewer words, for a window in which even the parts of rank 0 do not fit.
    short: Option<Vec<Span<'static>>>,
}

impl Part {
    fn width(&self) -> usize {
        GAP + text::spans_width(&self.spans)
    }
}

pub(super) fn render(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    let room = usize::from(area.width).saturating_sub(2);
    let (parts, used) = fitting(parts(app, theme), room);
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

/// The parts that fit into `room` columns, in their order, and the columns that they take.
fn fitting(mut parts: Vec<Part>, room: usize) -> (Vec<Part>, usize) {
    let always = |parts: &[Part]| parts.iter().filter(|part| part.rank == 0).map(Part::width).sum::<usize>();
    if always(&parts) > room + GAP {
        for part in &mut parts {
            part.spans = part.short.take().unwrap_or(std::mem::take(&mut part.spans));
        }
    }
    let mut used = always(&parts);
    let mut ranks: Vec<(u8, usize)> = parts.iter().map(|part| (part.rank, part.width())).collect();
    ranks.sort_unstable();
    let mut kept = vec![0];
    for (rank, width) in ranks.into_iter().filter(|(rank, _)| *rank > 0) {
        if used + width <= room + GAP {
            used += width;
            kept.push(rank);
        }
    }
    parts.retain(|part| kept.contains(&part.rank));
    (parts, used.saturating_sub(GAP))
}

fn parts(app: &App, theme: Theme) -> Vec<Part> {
    let quiet = theme.style(Role::Quiet);
    let left = |rank, spans| Part { rank, on_the_right: false, spans, short: None };
    let right = |rank, spans| Part { rank, on_the_right: true, spans, short: None };
    let mut parts = vec![
        left(9, vec![Span::styled("relay-console", quiet)]),
        server(app, theme),
        left(6, vec![Span::raw(app.run.run_id.short())]),
        left(0, status(app, theme)),
    ];
    if let Some(elapsed) = app.elapsed() {
        parts.push(left(5, vec![Span::raw(format::duration(elapsed))]));
    }
    if let Some(odd) = odd(app) {
        let text = format!("{} {odd}", theme.sign(Sign::Warning));
        parts.push(right(1, vec![Span::styled(text, theme.style(Role::Attention))]));
    }
    if app.differs() {
        let text = format!("{} snapshot differs", theme.sign(Sign::Warning));
        parts.push(right(2, vec![Span::styled(text, theme.style(Role::Attention))]));
    }
    let (sign, role, words) = link(app);
    let styled = |words: &str| vec![Span::styled(format!("{} {words}", theme.sign(sign)), theme.style(role))];
    let short = words.strip_prefix("no link, ").or(words.split(", ").next()).map(styled);
    // A file that was read to its end has no link to speak of.
    if !(app.replay && sign == Sign::Ended) {
        parts.push(Part { short, ..right(0, styled(&words)) });
    }
    parts.push(right(8, vec![Span::styled(format!("seq {}", format::count(app.run.last_seq)), quiet)]));
    parts.extend(money(app, theme));
    parts.extend(waiting(app, theme));
    parts
}

/// Which server; in a replay which file, and that it is one.
fn server(app: &App, theme: Theme) -> Part {
    let strong = theme.style(Role::Strong);
    let mut spans = text::cut(&app.identity.server, 24, strong, theme);
    if !app.replay {
        return Part { rank: 4, on_the_right: false, spans, short: None };
    }
    let word = Span::styled("replay", theme.style(Role::Attention));
    spans.splice(0..0, [word.clone(), Span::raw(" ")]);
    Part { rank: 0, on_the_right: false, spans, short: Some(vec![word]) }
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
        LinkState::EndOfFile => (Sign::Ended, Role::Quiet, "end of file".into()),
        LinkState::Refused { .. } => (Sign::Failed, Role::Bad, "refused".into()),
    }
}

/// What is missing from what is shown.
fn odd(app: &App) -> Option<String> {
    let counts = &app.run.counts;
    let mut words = Vec::new();
    if counts.missing > 0 {
        words.push(format!("{} missing", format::count(counts.missing)));
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
    let part = |rank, spans| Part { rank, on_the_right: true, spans, short: None };
    let (tokens, amount) = ledger.not_yet_billed(&app.identity.prices);
    let beyond = (tokens.requests > 0).then(|| format::estimate(&amount)).flatten();
    let unpriced = (tokens.requests > 0 && beyond.is_none()).then(|| format!("+{} unpriced", tokens.requests));
    match (ledger.billed_cents(), beyond) {
        #[expect(clippy::cast_precision_loss, reason = "cents of a run stay far below 2^53")]
        (Some(cents), beyond) => {
            let figure = format::with_sign(&format::billed(cents as f64, ledger.billed_tokens()));
            let mut parts = vec![part(0, vec![Span::styled(figure, strong)])];
            let beyond = beyond.map(|beyond| format!("+{beyond}")).or(unpriced);
            parts.extend(beyond.map(|beyond| part(7, vec![Span::raw(beyond)])));
            parts
        }
        (None, Some(beyond)) => vec![part(0, vec![Span::styled(format::with_sign(&beyond), strong)])],
        (None, None) => vec![part(0, vec![Span::styled(format!("${}", theme.sign(Sign::Dash)), strong)])],
    }
}

fn waiting(app: &App, theme: Theme) -> Option<Part> {
    let calls = &app.run.pending;
    let oldest = format::age(app.age(calls.oldest()?));
    let (words, short) = match calls.len() {
        1 => (format!("1 waits {oldest}"), format!("1 waits {oldest}")),
        count => (format!("{count} wait, oldest {oldest}"), format!("{count} wait {oldest}")),
    };
    let styled = |words: &str| {
        vec![Span::styled(format!("{} {words}", theme.sign(Sign::Waiting)), theme.style(Role::Attention))]
    };
    Some(Part { rank: 0, on_the_right: true, spans: styled(&words), short: Some(styled(&short)) })
}
