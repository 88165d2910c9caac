//! The runs API over HTTP: typed ids, events, snapshots, tool calls, and the client that fetches and sends them.
//!
//! Owns every fact about the wire. Knows nothing of screens, of disks, or of how a run is folded into a model.
//! What a server may add without notice (event types, statuses, node types, providers, delta kinds) is kept as it
//! came; what breaks the protocol is an error that carries the line that broke it.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`ids`] | validated ids of runs, nodes, requests, tool calls, plans |
//! | [`event`] | one run event: the 28 published types, decoding a line, encoding it again |
//! | [`ndjson`] | splitting bytes into lines, whatever the network cuts |
//! | [`run`] | the run snapshot: statuses, nodes, costs |
//! | [`step`], [`task`] | a run's steps with their tool calls; its task list |
//! | [`tool`] | pending tool calls, questions, results and their submission |
//! | [`workflow`] | the workflow spec as clients send it |
//! | [`create`], [`plan`] | creating a run; compiling and linting a spec |
//! | [`client`] | the HTTP client and its event stream |
//! | [`retry`] | when to try again and how long to wait, as pure functions |
//! | [`error`] | everything that can go wrong between here and the server |

pub mod client;
pub mod create;
pub mod error;
pub mod event;
pub mod ids;
pub mod ndjson;
mod nullable;
mod open_enum;
pub mod plan;
pub mod retry;
pub mod run;
pub mod step;
pub mod task;
pub mod tool;
pub mod workflow;

pub use client::{Client, ClientConfig, ClientSource, Credentials, EventStream, Reply};
pub use create::{CreateRun, CreatedRun};
pub use error::{Error, StreamError};
pub use event::{Event, EventBody, ProtocolError};
pub use ids::{CallId, NodeId, PlanHash, RequestId, RunId, SessionId, ToolName};
pub use run::{NodeStatus, NodeType, Provider, RunSnapshot, RunStatus};
pub use tool::{CallKey, PendingTools, ToolCall, ToolResult};
pub use workflow::WorkflowSpec;
