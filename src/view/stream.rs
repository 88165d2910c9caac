//! What the event stream has proved: in the run's own page in a few rows, and in full on a page of its own.
//!
//! ```text
//! stream     1,284 events, in order, 0 gaps, 3 duplicates dropped, 0 rejected, 1 reconnect
//! snapshot   ✓ agrees with the server's
//!
//! ── odd, newest first ────────────────────────────
//!   4m ago  17–19     gap            3 events missing for good
//!   5m ago  after 12  rejected line  `ts` is missing
//!                     {"envelope_version":"v2","seq":12}
//! ```
//!
//! Rule: a verdict is of the moment at which it was found, and says so as soon as the run has gone on.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::detail::Context;
use super::theme::{Role, Sign};
use super::{format, odd, text};
use crate::app::{Command, Compared, keys};
use crate::run::{Agreement, Odd, Oddity};

/// Differences that the run's own page tells one by one.
const TOLD: usize = 3;

/// The rows of the run's own page.
pub(super) fn facts(context: &Context<'_>, rows: &mut Vec<Line<'static>>) {
    let app = context.app;
    context.fact(rows, "stream", Role::Plain, &counted(context));
    warnings(context, rows);
    verdict(context, rows, TOLD);
    if (!app.stream_check.odd.is_empty() || app.differs())
        && let Some(key) = keys::chord_of(keys::Context::Browse, Command::Stream)
    {
        context.fact(rows, "", Role::Quiet, &format!("{key} lists what was odd"));
    }
}

/// The stream in one sentence.
fn counted(context: &Context<'_>) -> String {
    let counts = &context.app.run.counts;
    let count = |number: u64, noun: &str| format::plural(number, noun);
    format!(
        "{}, in order, {}, {} dropped, {} rejected, {}",
        count(counts.events, "event"),
        count(counts.gaps, "gap"),
        count(counts.duplicates, "duplicate"),
        format::count(counts.rejected),
        count(context.app.stream_check.odd.reconnects(), "reconnect"),
    )
}

/// What an operator must know who looks at the figures.
fn warnings(context: &Context<'_>, rows: &mut Vec<Line<'static>>) {
    let counts = &context.app.run.counts;
    let sign = context.theme.sign(Sign::Warning);
    if counts.gaps > 0 {
        let words = format!(
            "{sign} {} in {}: {} does not have them",
            format::plural(counts.missing, "event"),
            format::plural(counts.gaps, "gap"),
            context.app.source_word(),
        );
        context.fact(rows, "missing", Role::Attention, &words);
    }
    if counts.rejected > 0 {
        let words = format!("{sign} {} broke the protocol", format::plural(counts.rejected, "line"));
        context.fact(rows, "rejected", Role::Attention, &words);
    }
    if counts.unknown > 0 {
        let words = format!("{} of a type unknown here, kept", format::plural(counts.unknown, "event"));
        context.fact(rows, "unknown", Role::Plain, &words);
    }
}

/// Whether the events add up to what the server's snapshot says, with at most `told` differences.
fn verdict(context: &Context<'_>, rows: &mut Vec<Line<'static>>, told: usize) {
    let last_seq = context.app.run.last_seq;
    let Some(Compared { seq, agreement }) = &context.app.stream_check.compared else {
        let words = if context.app.replay { "absent: a file has none" } else { "not compared yet" };
        context.fact(rows, "snapshot", Role::Quiet, words);
        return;
    };
    let at = format::count(*seq);
    match agreement {
        Agreement::Agrees | Agreement::Absent if *seq == last_seq => {
            let words = format!("{} agrees with the server's", context.theme.sign(Sign::Succeeded));
            context.fact(rows, "snapshot", Role::Good, &words);
        }
        Agreement::Agrees | Agreement::Absent => {
            let words = format!("agreed with the server's at seq {at}; not compared since");
            context.fact(rows, "snapshot", Role::Plain, &words);
        }
        Agreement::Differs(differences) => {
            let points = format::plural(differences.count as u64, "point");
            let (verb, since, role) = if *seq == last_seq {
                ("differs from", String::new(), Role::Bad)
            } else {
                ("differed from", format!(" at seq {at}; not compared since"), Role::Attention)
            };
            let sign = context.theme.sign(Sign::Failed);
            context.fact(rows, "snapshot", role, &format!("{sign} {verb} the server's in {points}{since}"));
            for difference in differences.kept.iter().take(told) {
                context.fact(rows, "", role, &text::one_line(&difference.to_string()));
            }
            let more = differences.count.saturating_sub(told.min(differences.kept.len()));
            if more > 0 {
                context.fact(rows, "", Role::Quiet, &format!("and {} more", format::count(more as u64)));
            }
            if differences.events_lack {
                context.fact(rows, "", Role::Quiet, "what is missing or unknown may be the reason");
            }
        }
    }
}

/// The page.
pub(super) fn rows(context: &Context<'_>) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    context.fact(&mut rows, "stream", Role::Plain, &counted(context));
    verdict(context, &mut rows, usize::MAX);
    let log = &context.app.stream_check.odd;
    rows.push(Line::default());
    if log.is_empty() {
        rows.extend(context.words(Role::Good, "nothing was odd"));
        return rows;
    }
    rows.push(context.rule("odd, newest first"));
    let entries: Vec<(&Oddity, String)> = log.entries().rev().map(|entry| (entry, odd::place(entry))).collect();
    let place = entries.iter().map(|(_, place)| text::width(place, context.theme)).max().unwrap_or(0);
    for (entry, at) in entries {
        entry_rows(context, entry, &at, place.min(context.columns / 3), &mut rows);
    }
    if log.dropped() > 0 {
        let words = format!("and {} before", format::count(log.dropped()));
        rows.extend(context.words(Role::Quiet, &words));
    }
    rows
}

/// One odd thing: when, where, what; a rejected line stands below it as far as it is kept.
fn entry_rows(context: &Context<'_>, entry: &Oddity, at: &str, place: usize, rows: &mut Vec<Line<'static>>) {
    let theme = context.theme;
    let quiet = theme.style(Role::Quiet);
    let ago: Duration = context.app.now.wall.duration_since(entry.at).try_into().unwrap_or_default();
    let mut head = vec![Span::styled(format!("{:>7} ago  ", format::age(ago)), quiet)];
    head.extend(text::left(at, place, quiet, theme));
    head.push(Span::raw("  "));
    let indent = text::spans_width(&head);
    let columns = context.columns.saturating_sub(indent).max(10);
    let words = format!("{}: {}", odd::kind(&entry.what), text::one_line(&odd::words(&entry.what)));
    let mut parts = text::wrap(&words, columns, theme.style(role(&entry.what)), theme);
    if let Some((line, all)) = odd::line(&entry.what) {
        parts.extend(text::wrap(line, columns, quiet, theme));
        let all = all.map(|all| format!("({all} in all)"));
        parts.extend(all.map(|all| Line::styled(all, quiet)));
    }
    for (at, mut part) in parts.into_iter().enumerate() {
        let mut spans = if at == 0 { std::mem::take(&mut head) } else { vec![Span::raw(" ".repeat(indent))] };
        spans.append(&mut part.spans);
        rows.push(Line::from(spans));
    }
}

fn role(odd: &Odd) -> Role {
    match odd {
        Odd::Gap { .. } => Role::Bad,
        Odd::Rejected { .. } => Role::Attention,
        Odd::Unknown { .. } | Odd::Duplicates { .. } | Odd::Reconnect { .. } => Role::Plain,
    }
}
