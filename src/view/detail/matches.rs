//! The Events tab while a search stands in it: what was searched, then the matches, newest below, one row each.
//!
//! ```text
//! /pool  newest 1,000 of 1,204 matches, up to event 98,003
//!    1,284  04:12  node_tool_call   diagnose  …api":"pool
//! ▸  1,285  04:12  node_tool_result diagnose  the pool is full
//! ── 1,285  04:12  node_tool_result  diagnose ─────────────────
//! the pool is full: 40 workers wait for 5 connections
//! ```
//!
//! Rule: only the rows in sight are built.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::theme::{Role, Sign};
use super::super::{format, pane, text};
use super::Context;
use crate::app::event_search::{Match, MatchedLine, Piece};
use crate::app::{EventSearch, Pane as Focus, SearchState, layout};
use crate::feed::events_named;

/// Columns of a time.
const TIME: usize = 7;

/// Rows that the selected match takes below the list, at most: more than a rule and the match is read with `Enter`.
const PREVIEW: usize = 4;

/// Draws the search; returns its rows, and where the selection stands in words.
pub(super) fn render(context: &Context<'_>, search: &EventSearch, area: Rect, buf: &mut Buffer) -> (usize, String) {
    let head = head(context, search);
    pane::rows(&head, area, buf);
    let above = u16::try_from(head.len()).unwrap_or(u16::MAX).min(area.height);
    let body = Rect { y: area.y + above, height: area.height - above, ..area };
    let (Some(selected), Some(read)) = (search.selected_place(), search.selected_match()) else {
        return (0, String::new());
    };
    let preview = preview(context, read, usize::from(body.height));
    let below = u16::try_from(preview.len()).unwrap_or(0);
    let list = Rect { height: body.height - below, ..body };
    pane::rows(&preview, Rect { y: list.bottom(), height: below, ..body }, buf);
    let (rows, height) = (search.matches().len(), usize::from(list.height));
    let first = layout::first_shown(selected, rows, height);
    let shown: Vec<&Match> = search.matches().skip(first).take(height).collect();
    let mut widths = Widths {
        seq: shown.iter().filter_map(|found| found.seq).max().map_or(0, |seq| format::count(seq).len()),
        name: widest(context, &shown, name).min(context.columns / 3),
        node: if search.node_id.is_some() { 0 } else { widest(context, &shown, node).min(context.columns / 5) },
    };
    if widths.fixed() + context.columns / 3 > context.columns {
        // The node stands below, and what matches is what is looked for.
        widths.node = 0;
    }
    for (at, found) in (first..).zip(shown) {
        pane::row(row(context, found, at == selected, &widths), at - first, list, buf);
        if at == selected && context.app.focus == Focus::Detail {
            pane::select(at - first, list, buf);
        }
    }
    (rows, format!("{} of {}", format::count(selected as u64 + 1), format::count(rows as u64)))
}

/// What was searched for, how far it is or what came of it, and what could not be searched.
fn head(context: &Context<'_>, search: &EventSearch) -> Vec<Line<'static>> {
    let theme = context.theme;
    let words = match &search.state {
        SearchState::Running(percent) => format!("searching, {percent} %"),
        SearchState::Failed(why) => format!("not searched: {why}"),
        SearchState::Ended(answer) => {
            let (count, kept) = (answer.found.count, answer.found.matches.len() as u64);
            let matches = match count {
                0 => "no match".to_owned(),
                1 => "1 match".to_owned(),
                count if count > kept => {
                    format!("newest {} of {} matches", format::count(kept), format::count(count))
                }
                count => format!("{} matches", format::count(count)),
            };
            let whole = format!("{matches}, up to event {}", format::count(answer.found.last_seq));
            let room = context.columns.saturating_sub(text::width(&search.text, theme).min(context.columns / 4) + 3);
            if whole.len() <= room { whole } else { matches }
        }
    };
    let mut spans = vec![Span::styled("/", theme.style(Role::Active))];
    let room = context.columns.saturating_sub(words.len() + 3).max(context.columns / 4);
    spans.extend(text::cut(&search.text, room, theme.style(Role::Strong), theme));
    spans.push(Span::raw("  "));
    let role = if matches!(search.state, SearchState::Failed(_)) { Role::Bad } else { Role::Quiet };
    spans.extend(text::cut(
        &words,
        context.columns.saturating_sub(text::spans_width(&spans)),
        theme.style(role),
        theme,
    ));
    let mut rows = vec![Line::from(spans)];
    if let SearchState::Ended(answer) = &search.state {
        if let Some(problem) = &answer.problem {
            rows.extend(context.words(Role::Bad, &format!("the events on disk were not searched: {problem}")));
        }
        if let Some((first, last)) = answer.unsearched {
            let were = if first == last { "was" } else { "were" };
            let words = format!("{} {were} not searched: neither on disk nor in memory", events_named(first, last));
            rows.extend(context.words(Role::Attention, &words));
        }
        if answer.found.too_long > 0 {
            let lines = format::plural(answer.found.too_long, "line");
            rows.extend(context.words(Role::Attention, &format!("{lines} over 16 MiB not searched")));
        }
    }
    rows
}

/// The columns of the seq, of the type and of the node.
struct Widths {
    seq: usize,
    name: usize,
    node: usize,
}

impl Widths {
    /// The columns of everything in front of the matching text.
    fn fixed(&self) -> usize {
        let node = if self.node > 0 { self.node + 2 } else { 0 };
        2 + self.seq + 2 + TIME + 2 + self.name + 1 + node
    }
}

/// What matches, with more of what stands round it, under what it is; nothing in a pane of few rows.
fn preview(context: &Context<'_>, found: &Match, height: usize) -> Vec<Line<'static>> {
    let rows = (height / 2).saturating_sub(1).min(PREVIEW);
    if rows < 2 {
        return Vec::new();
    }
    let seq = found.seq.map(format::count).unwrap_or_default();
    let time = time(context, found);
    let words = [&seq, &time, name(found), node(found)];
    let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ");
    let mut preview = vec![context.rule(&words)];
    preview.extend(context.words(Role::Plain, flat(&found.piece.text).trim()).into_iter().take(rows - 1));
    preview
}

fn widest(context: &Context<'_>, shown: &[&Match], word: impl Fn(&Match) -> &str) -> usize {
    shown.iter().map(|found| text::width(word(found), context.theme)).max().unwrap_or(0)
}

fn name(found: &Match) -> &str {
    match &found.line {
        MatchedLine::Event { event_type, .. } => event_type,
        MatchedLine::Rejected(_) => "rejected line",
    }
}

fn node(found: &Match) -> &str {
    match &found.line {
        MatchedLine::Event { node_id: Some(node_id), .. } => node_id.as_str(),
        MatchedLine::Event { .. } | MatchedLine::Rejected(_) => "",
    }
}

/// When it was recorded, from the run's start on.
fn time(context: &Context<'_>, found: &Match) -> String {
    let MatchedLine::Event { ts, .. } = &found.line else { return String::new() };
    let since = context.app.run.started_at.unwrap_or(*ts);
    let time: Duration = ts.duration_since(since).try_into().unwrap_or_default();
    format::duration(time)
}

/// A text in one line, character for character: only white space that would break it is changed.
fn flat(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect()
}

fn row(context: &Context<'_>, found: &Match, selected: bool, widths: &Widths) -> Vec<Span<'static>> {
    let theme = context.theme;
    let quiet = theme.style(Role::Quiet);
    let mut spans = vec![pane::marker(selected, theme)];
    let seq = found.seq.map(format::count).unwrap_or_default();
    spans.extend(text::right(&seq, widths.seq, quiet, theme));
    let role = if matches!(found.line, MatchedLine::Event { .. }) { Role::Plain } else { Role::Bad };
    spans.push(Span::raw("  "));
    spans.extend(text::right(&time(context, found), TIME, quiet, theme));
    spans.push(Span::raw("  "));
    spans.extend(text::left(name(found), widths.name, theme.style(role), theme));
    spans.push(Span::raw(" "));
    if widths.node > 0 {
        spans.push(Span::raw(" "));
        spans.extend(text::left(node(found), widths.node, quiet, theme));
        spans.push(Span::raw(" "));
    }
    let room = context.columns.saturating_sub(text::spans_width(&spans));
    spans.extend(piece(context, &found.piece, room));
    spans
}

/// The matching text in sight, with what stands before it as far as there is room.
fn piece(context: &Context<'_>, piece: &Piece, room: usize) -> Vec<Span<'static>> {
    let theme = context.theme;
    let (quiet, strong) = (theme.style(Role::Quiet), theme.style(Role::Active));
    let (before, rest) = piece.text.split_at(piece.at.start);
    let (matched, behind) = rest.split_at(piece.at.len());
    let (before, matched, behind) = (flat(before), flat(matched), flat(behind));
    let mut spans = Vec::new();
    // A third of the room is for what stands before, more where the rest needs less.
    let wanted = text::width(&matched, theme) + text::width(&behind, theme);
    let ahead = room.saturating_sub(wanted).max(room / 3);
    let mut tail = before.trim_start();
    if text::width(tail, theme) > ahead {
        while text::width(tail, theme) > ahead.saturating_sub(1) {
            let mut chars = tail.chars();
            chars.next();
            tail = chars.as_str();
        }
        spans.push(Span::styled(theme.sign(Sign::Ellipsis), quiet));
    }
    for (part, style) in [(tail, quiet), (&matched, strong), (&behind, quiet)] {
        let left = room.saturating_sub(text::spans_width(&spans));
        if left > 0 {
            spans.extend(text::cut(part, left, style, theme));
        }
    }
    spans
}
