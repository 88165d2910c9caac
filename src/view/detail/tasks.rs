//! The Tasks tab: what the run's agents have set out to do, and how far they are.
//!
//! ```text
//! ✓ completed    Read the logs
//! ● in_progress  Comparing the deploys
//! ○ pending      Write the report
//! ```

use ratatui::text::{Line, Span};

use super::super::blocks::Block;
use super::super::cache::{Cache, What};
use super::super::text;
use super::super::theme::{Role, Sign, Theme};
use super::Context;
use crate::api::task::{Task, TaskStatus};

/// Columns of a status in the server's word.
const STATUS: usize = 16;

pub(super) fn blocks(context: &Context<'_>, cache: &mut Cache) -> Vec<Block<'static>> {
    let list = &context.app.tasks;
    let mut blocks = Vec::new();
    if let Some(why) = &list.failure {
        let old =
            if list.tasks.is_some() { "this list may be old: it could not be read again" } else { "could not be read" };
        let words = format!("{} {old}: {why}. r reads it again", context.theme.sign(Sign::Warning));
        blocks.push(Block::Made(context.words(Role::Bad, &words)));
    }
    match &list.tasks {
        None if list.failure.is_none() => blocks.push(Block::Made(context.words(Role::Quiet, "loading"))),
        None => {}
        Some(tasks) if tasks.is_empty() => blocks.push(Block::Made(context.words(Role::Quiet, "the list is empty"))),
        Some(tasks) => {
            let (columns, theme) = (context.columns, context.theme);
            let what = What::Tasks { answer: list.answers };
            blocks.push(Block::Kept(cache.rows(what, columns, theme, || rows(tasks, columns, theme))));
        }
    }
    blocks
}

fn rows(tasks: &[Task], columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let status = tasks.iter().map(|task| text::width(task.status.as_str(), theme)).max().unwrap_or(0).min(STATUS);
    let indent = 2 + status + 2;
    let mut rows = Vec::new();
    for task in tasks {
        let (sign, role) = match task.status {
            TaskStatus::Completed => (Sign::Succeeded, Role::Good),
            TaskStatus::InProgress => (Sign::Running, Role::Active),
            TaskStatus::Pending => (Sign::Pending, Role::Quiet),
            TaskStatus::Other(_) => (Sign::Unknown, Role::Plain),
        };
        let active = task.active_form.as_deref().filter(|_| task.status == TaskStatus::InProgress);
        let words = active.filter(|words| !words.trim().is_empty()).unwrap_or(&task.content);
        let words = text::wrap(words, columns.saturating_sub(indent), theme.style(Role::Plain), theme);
        for (at, row) in words.into_iter().enumerate() {
            let mut spans = Vec::new();
            if at == 0 {
                spans.push(Span::styled(format!("{} ", theme.sign(sign)), theme.style(role)));
                spans.extend(text::left(task.status.as_str(), status, theme.style(role), theme));
                spans.push(Span::raw("  "));
            } else {
                spans.push(Span::raw(" ".repeat(indent)));
            }
            spans.extend(row.spans);
            rows.push(Line::from(spans));
        }
    }
    rows
}
