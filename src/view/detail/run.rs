//! The run itself: how it stands, why it failed, what was odd, what it puts out.

use super::super::blocks::Block;
use super::super::cache::Cache;
use super::super::theme::{Role, Sign, Theme};
use super::super::{first_line, format, stream};
use super::{Context, output};
use crate::feed::LinkState;

pub(super) fn blocks(context: &Context<'_>, cache: &mut Cache) -> Vec<Block<'static>> {
    let app = context.app;
    let run = app.shown_run();
    let mut rows = Vec::new();
    let status = run.status();
    let (sign, role) = Theme::run_status(status.as_ref());
    let status = status.as_ref().map_or("not known yet", |status| status.as_str());
    context.fact(&mut rows, "status", role, &format!("{} {status}", context.theme.sign(sign)));
    if let Some(failure) = &run.failure {
        let code = failure.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
        context.fact(&mut rows, "reason", Role::Bad, &format!("{}{code}", failure.message));
    }
    context.fact(&mut rows, "run", Role::Plain, &run.run_id.to_string());
    if let Some(parent) = run.parent_run_id {
        context.fact(&mut rows, "parent run", Role::Plain, &parent.to_string());
    }
    if let Some(plan) = &run.plan_hash {
        context.fact(&mut rows, "plan", Role::Quiet, plan.as_str());
    }
    if let Some(elapsed) = app.shown_elapsed() {
        let word = if run.ended_at.is_some() { "took" } else { "runs for" };
        context.fact(&mut rows, word, Role::Plain, &format::duration(elapsed));
    }
    let (_, role, words) = first_line::link(app);
    context.fact(&mut rows, "link", role, &words);
    if let LinkState::Retrying { cause, .. } | LinkState::Refused { cause, .. } = &app.link {
        context.fact(&mut rows, "", Role::Bad, cause);
    }
    stream::facts(context, &mut rows);
    if let Some((done, all)) = app.tasks.progress().filter(|_| app.has_tasks()) {
        context.fact(&mut rows, "task list", Role::Plain, &format!("{done} of {all} done; see Tasks"));
        if let Some(task) = app.tasks.current() {
            let now = task.active_form.as_deref().unwrap_or(&task.content);
            context.fact(&mut rows, "", Role::Active, &format!("{} {now}", context.theme.sign(Sign::Running)));
        }
    } else if run.task_list_updates > 0 && app.past_run().is_some() {
        let times = format::plural(run.task_list_updates, "time");
        context.fact(&mut rows, "task list", Role::Plain, &format!("written {times} by then"));
    } else if run.task_list_updates > 0 {
        let times = format::plural(run.task_list_updates, "time");
        context.fact(&mut rows, "task list", Role::Plain, &format!("written {times}; see Tasks"));
    }
    if !run.memories.is_empty() {
        context.fact(&mut rows, "memories", Role::Plain, &run.memories.join(", "));
    }
    let mut blocks = vec![Block::Made(rows)];
    if let Some(outputs) = &run.outputs {
        blocks.extend(output::shown_output(context, cache, "outputs", outputs, None));
    }
    blocks
}
