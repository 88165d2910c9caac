//! The run's task list, as it was read last.
//!
//! No event carries it, only that it was written: it is read from the server after each of these. Rule: a list that
//! could not be read again stays, and says so; a run without a list shows nothing.

use super::App;
use crate::api::task::{Task, TaskStatus};

/// What is known of the run's task list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskList {
    /// The tasks in the server's order, once they were read.
    pub tasks: Option<Vec<Task>>,
    /// Why the last reading failed, in words.
    pub failure: Option<String>,
    /// How often an answer came.
    pub answers: u64,
}

impl TaskList {
    /// Tasks that are done, of all; `None` where there are none.
    #[must_use]
    pub fn progress(&self) -> Option<(usize, usize)> {
        let tasks = self.tasks.as_ref().filter(|tasks| !tasks.is_empty())?;
        let done = tasks.iter().filter(|task| task.status == TaskStatus::Completed).count();
        Some((done, tasks.len()))
    }

    /// The first task that is being worked on.
    #[must_use]
    pub fn current(&self) -> Option<&Task> {
        self.tasks.iter().flatten().find(|task| task.status == TaskStatus::InProgress)
    }

    /// The list as text, one task a line, for the clipboard.
    #[must_use]
    pub fn to_text(&self) -> String {
        let line = |task: &Task| {
            let mark = match task.status {
                TaskStatus::Completed => "x",
                TaskStatus::InProgress => "~",
                TaskStatus::Pending | TaskStatus::Other(_) => " ",
            };
            format!("- [{mark}] {}\n", task.content)
        };
        self.tasks.iter().flatten().map(line).collect()
    }
}

impl App {
    /// Whether the run has a task list: one was read, or events say that one was written. Of an earlier event nobody
    /// can say what stood in it.
    #[must_use]
    pub fn has_tasks(&self) -> bool {
        self.past_run().is_none() && (self.run.task_list_updates > 0 || self.tasks.progress().is_some())
    }
}
