//! The run's task list, as its agents write it.
//!
//! Source: `RunTasksResponse` in the published OpenAPI document.

use serde::{Deserialize, Serialize};

use super::open_enum::open_enum;

open_enum! {
    /// A task's status.
    TaskStatus {
        /// Not begun.
        Pending = "pending",
        /// Being worked on.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
    }
}

/// `GET /runs/{id}/tasks`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTasks {
    /// The tasks in the server's order; absent on the wire means none.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub tasks: Vec<Task>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What is to be done.
    pub content: String,
    /// How far it is.
    pub status: TaskStatus,
    /// What is to be done, said of a task that is being worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_form: Option<String>,
}
