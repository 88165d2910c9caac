//! The line that says that the panes are at an earlier event, and at which.
//!
//! ```text
//!  ◂ event 512,340 of 1,000,000 · 14:02:11 · node_succeeded collect_logs                                L live
//! ```
//!
//! Rule: it stands reversed over its whole width as long as any pane shows the past, and the key that leads back to the
//! run as it stands is never cut.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Span;

use super::theme::{Role, Sign, Theme};
use super::{format, pane, text};
use crate::app::keys::chord_of;
use crate::app::{App, Command, Context, Past, Wish};
use crate::run::Run;
use crate::run::history::Entry;

pub(super) fn render(app: &App, past: &Past, theme: Theme, area: Rect, buf: &mut Buffer) {
    let style = theme.style(Role::Attention).add_modifier(Modifier::REVERSED);
    let live = chord_of(Context::Browse, Command::Live).unwrap_or_default();
    let live = format!("{live} live ");
    let room = usize::from(area.width).saturating_sub(text::width(&live, theme) + 2);
    let mut spans = vec![Span::styled(" ", style)];
    spans.extend(text::cut(&words(app, past, theme), room, style, theme));
    let used = text::spans_width(&spans);
    let gap = usize::from(area.width).saturating_sub(used + text::width(&live, theme));
    spans.push(Span::styled(" ".repeat(gap), style));
    spans.push(Span::styled(live, style));
    pane::row(spans, 0, area, buf);
}

fn words(app: &App, past: &Past, theme: Theme) -> String {
    let (back, dot) = (theme.sign(Sign::Back), theme.sign(Sign::Dot));
    let newest = format::count(app.run.last_seq);
    let Some(run) = past.shown.as_deref() else {
        return format!("{back} going back from event {newest}; the panes are live until it is there");
    };
    let mut parts = vec![format!("{back} event {} of {newest}", format::count(run.last_seq))];
    let time = run.last_event_at.map(|at| at.to_zoned(app.time_zone.clone()).strftime("%H:%M:%S").to_string());
    parts.extend(time);
    parts.extend(going(past));
    parts.extend(event(run));
    parts.join(&format!(" {dot} "))
}

fn going(past: &Past) -> Option<String> {
    let (_, wish) = past.loading?;
    let what = match past.next.map_or(wish, |next| wish.and(next)) {
        Wish::Events(_) => "events",
        Wish::Milestones(_) => "milestones",
    };
    Some(format!("going on by {what}"))
}

/// What the event is.
fn event(run: &Run) -> Option<String> {
    match run.history.entries().next_back()? {
        Entry::Event(event) if event.seq == run.last_seq => {
            let node = event.body.node_id().map(|node| format!(" {node}")).unwrap_or_default();
            Some(format!("{}{node}", event.body.type_name()))
        }
        Entry::Gap { .. } => Some("a gap".to_owned()),
        Entry::Rejected(_) => Some("a rejected line".to_owned()),
        Entry::Event(_) => None,
    }
}
