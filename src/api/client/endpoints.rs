//! The calls of the runs API, one method each.
//!
//! Owns paths, queries and what each call is tried again for. Reads and the compiler's checks change nothing and are
//! tried again as [`crate::api::retry`] says. So is creating a run, because every attempt carries the same request id
//! and the server treats it as the same request (`wire/README.md`, "Base URL, credentials, headers"). A submission and
//! the opening of a stream are one attempt each: what to do next is decided elsewhere (`submission`, `feed`).

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::ACCEPT;
use reqwest::{Method, Response};
use uuid::Uuid;

use super::{Client, EventStream, EventsQuery, REQUEST_ID_HEADER, Reply, answer};
use crate::api::create::{CreateRun, CreatedRun, NotCreated};
use crate::api::error::{Error, SettingError, TransportError, TransportKind};
use crate::api::ids::{CallId, RunId};
use crate::api::plan::{CompiledPlan, LintReport};
use crate::api::run::RunSnapshot;
use crate::api::step::{RunSteps, ToolCallDetail};
use crate::api::task::RunTasks;
use crate::api::tool::{PendingTools, ToolResultsReply, ToolResultsRequest};
use crate::api::workflow::WorkflowSpec;

/// What a snapshot holds besides the plain answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Include {
    /// The steps of each node.
    pub steps: bool,
    /// The tool calls and results of each step.
    pub tool_calls: bool,
}

impl Client {
    /// Creates a run.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else. [`NotCreated::in_doubt`] says whether it
    /// may have created the run all the same; the same [`CreateRun`] can be sent again.
    pub async fn create(&self, run: &CreateRun) -> Result<Reply<CreatedRun>, NotCreated> {
        let url = self.config.base_url.join(&["runs"]);
        let id = run.request_id().to_string();
        let request = || self.http.post(url.clone()).header(REQUEST_ID_HEADER, &id).json(run);
        // Any attempt may be the one that was taken, not only the last.
        let in_doubt = AtomicBool::new(false);
        let note = |error: &Error| {
            in_doubt.fetch_or(may_have_been_taken(error), Ordering::Relaxed);
        };
        let reply = self.read_noted(request, "a created run", Ok, note).await;
        reply.map_err(|error| NotCreated { error, in_doubt: in_doubt.into_inner() })
    }

    /// Compiles a spec into a plan.
    ///
    /// # Errors
    /// When the server refuses (its issues are in [`crate::api::error::StatusError::issues`]), cannot be reached, or
    /// answers something else.
    pub async fn compile(&self, spec: &WorkflowSpec) -> Result<Reply<CompiledPlan>, Error> {
        let url = self.config.base_url.join(&["workflows", "compile"]);
        self.read(|| self.http.post(url.clone()).json(spec), "a compiled plan").await
    }

    /// Lints a spec, and compiles it where `compile` says so.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else. What is wrong with the spec is no error:
    /// it stands in the report.
    pub async fn lint(&self, spec: &WorkflowSpec, compile: bool) -> Result<Reply<LintReport>, Error> {
        let mut url = self.config.base_url.join(&["workflows", "lint"]);
        if !compile {
            url.query_pairs_mut().append_pair("compile", "false");
        }
        self.read(|| self.http.post(url.clone()).json(spec), "a lint report").await
    }

    /// Reads the run's snapshot.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else.
    pub async fn run(&self, run: &RunId) -> Result<Reply<RunSnapshot>, Error> {
        self.run_with(run, Include::default()).await
    }

    /// Reads the run's snapshot with its steps.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else.
    pub async fn run_with(&self, run: &RunId, include: Include) -> Result<Reply<RunSnapshot>, Error> {
        let mut url = self.config.base_url.join(&["runs", &run.to_string()]);
        let wanted = [(include.steps, "steps"), (include.tool_calls, "tool_calls")];
        let wanted: Vec<&str> = wanted.into_iter().filter_map(|(wanted, name)| wanted.then_some(name)).collect();
        if !wanted.is_empty() {
            url.query_pairs_mut().append_pair("include", &wanted.join(","));
        }
        let is_meant = |reply: Reply<RunSnapshot>| answer::about(reply.value.run_id, *run, "this run", reply);
        self.read_checked(|| self.http.get(url.clone()), "a run", is_meant).await
    }

    /// Reads the tool calls that the run waits for.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else.
    pub async fn pending_tools(&self, run: &RunId) -> Result<Reply<PendingTools>, Error> {
        let url = self.config.base_url.join(&["runs", &run.to_string(), "pending-tools"]);
        let is_meant = |reply: Reply<PendingTools>| {
            answer::about(reply.value.run_id, *run, "this run's pending tool calls", reply)
        };
        self.read_checked(|| self.http.get(url.clone()), "pending tool calls", is_meant).await
    }

    /// Reads the run's steps with requests, responses and tool calls.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else.
    pub async fn steps(&self, run: &RunId) -> Result<Reply<RunSteps>, Error> {
        let url = self.config.base_url.join(&["runs", &run.to_string(), "steps"]);
        self.read(|| self.http.get(url.clone()), "a run's steps").await
    }

    /// Reads one tool call with its result.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else.
    pub async fn tool_call(&self, run: &RunId, step: u64, call: &CallId) -> Result<Reply<ToolCallDetail>, Error> {
        // No URL can carry these as a segment, however encoded: the path would be another one.
        if matches!(call.as_str(), "." | "..") {
            let problem =
                format!("no URL can name a tool call whose id is {:?}: read all of the run's steps", call.as_str());
            return Err(Error::Setting(SettingError::Other(problem)));
        }
        let (run, step) = (run.to_string(), step.to_string());
        let url = self.config.base_url.join(&["runs", &run, "steps", &step, "tool-calls", call.as_str()]);
        self.read(|| self.http.get(url.clone()), "a tool call").await
    }

    /// Reads the run's task list.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else.
    pub async fn tasks(&self, run: &RunId) -> Result<Reply<RunTasks>, Error> {
        let url = self.config.base_url.join(&["runs", &run.to_string(), "tasks"]);
        self.read(|| self.http.get(url.clone()), "a run's tasks").await
    }

    /// Submits results, in one attempt: after a failure nobody knows whether it arrived, so finding out comes first
    /// (`submission`). `request_id` stays the same for every attempt of one submission.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something else.
    pub async fn submit_tool_results(
        &self,
        run: &RunId,
        results: &ToolResultsRequest,
        request_id: Uuid,
    ) -> Result<Reply<ToolResultsReply>, Error> {
        let url = self.config.base_url.join(&["runs", &run.to_string(), "tool-results"]);
        let request = self
            .http
            .request(Method::POST, url)
            .header(REQUEST_ID_HEADER, request_id.to_string())
            .timeout(self.config.request_timeout)
            .json(results);
        answer::json(self.send(request).await?, &self.config, "the outcome of a submission").await
    }

    /// Opens the run's event stream, in one attempt. There is no time limit on the stream, only on its beginning.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or answers something that is no event stream.
    pub async fn events(&self, run: &RunId, query: &EventsQuery) -> Result<EventStream, Error> {
        let request = self
            .http
            .get(query.append_to(self.config.base_url.join(&["runs", &run.to_string(), "events"])))
            .header(ACCEPT, "application/x-ndjson");
        let open = async {
            let response = answer::accepted(self.send(request).await?, &self.config).await?;
            answer::check_event_stream(&response, &self.config.base_url.host())?;
            Ok::<Response, Error>(response)
        };
        match tokio::time::timeout(self.config.request_timeout, open).await {
            Ok(response) => Ok(EventStream::new(response?, self.config.base_url.host())),
            Err(_) => Err(Error::Transport(TransportError {
                kind: TransportKind::Timeout,
                host: self.config.base_url.host(),
                cause: String::new(),
                attempts: 1,
            })),
        }
    }
}

/// Whether the server may have taken a request that changes something, as far as this failure of one attempt says.
fn may_have_been_taken(error: &Error) -> bool {
    match error {
        Error::Setting(_) | Error::Redirect { .. } => false,
        Error::Transport(error) => error.kind != TransportKind::Connect,
        Error::Status(status) => status.status >= 500 || status.status == 408,
        Error::ContentType { .. } | Error::Encoding { .. } | Error::Decode { .. } => true,
    }
}
