//! The run snapshot, `GET /runs/{id}`: what the server says a run is right now.
//!
//! Source: `RunsGetResponse` in the published OpenAPI document. Clients were written for answers without `nodes`,
//! `outputs` or `summary`, so each of these may be absent here; money is in whole US cents throughout.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event::Failure;
use super::ids::{NodeId, PlanHash, RunId};
use super::open_enum::open_enum;
use super::step::NodeSteps;

open_enum! {
    /// A run's status.
    RunStatus {
        /// Nodes are working.
        Running = "running",
        /// At least one node waits for a tool result from outside.
        Waiting = "waiting",
        /// The run ended and its outputs stand.
        Succeeded = "succeeded",
        /// The run ended with an error.
        Failed = "failed",
        /// The run was stopped from outside.
        Canceled = "canceled",
    }
}

impl RunStatus {
    /// Whether the run has ended: no event can follow.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

open_enum! {
    /// A node's status.
    NodeStatus {
        /// Not started.
        Pending = "pending",
        /// Working.
        Running = "running",
        /// Waits for a tool result from outside.
        Waiting = "waiting",
        /// Ended with an output.
        Succeeded = "succeeded",
        /// Ended with an error.
        Failed = "failed",
        /// Stopped with its run.
        Canceled = "canceled",
    }
}

impl NodeStatus {
    /// Whether the node has ended.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

open_enum! {
    /// What a node does.
    NodeType {
        /// A call of a language model, with its tool loop.
        LlmResponses = "llm.responses",
        /// A model chooses a branch.
        RouteSwitch = "route.switch",
        /// Waits for all of its dependencies.
        JoinAll = "join.all",
        /// Goes on with the first dependency that fits.
        JoinAny = "join.any",
        /// Collects dependencies that fit, up to a limit or a time.
        JoinCollect = "join.collect",
        /// Runs a subnode for each item of a list.
        MapFanout = "map.fanout",
        /// Builds JSON from other outputs.
        TransformJson = "transform.json",
        /// An agent as a node.
        AgentRun = "agent.run",
        /// Several agents in rounds.
        AgentScheduler = "agent.scheduler",
    }
}

open_enum! {
    /// Who serves a model.
    Provider {
        /// Anthropic.
        Anthropic = "anthropic",
        /// OpenAI.
        Openai = "openai",
        /// xAI.
        Xai = "xai",
        /// Google AI Studio.
        GoogleAiStudio = "google-ai-studio",
    }
}

/// A run as the server folds it from its own events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunSnapshot {
    /// The run's id.
    pub run_id: RunId,
    /// The run's status.
    pub status: RunStatus,
    /// Hash of the plan that the run executes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<PlanHash>,
    /// What the run has cost so far, by provider and model; `None` where the server does not say, which is not nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_summary: Option<CostSummary>,
    /// The nodes, in the server's order; `None` where the server sends no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<NodeSnapshot>>,
    /// The run's outputs by name, as raw JSON; `None` where the server sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<IndexMap<String, Box<RawValue>>>,
    /// Totals over the whole run; `None` where the server sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<RunSummary>,
    /// The steps of each node; only where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<NodeSteps>>,
    /// The run that started this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
}

impl PartialEq for RunSnapshot {
    /// Compares JSON values by their text, which is how they came.
    fn eq(&self, other: &Self) -> bool {
        let texts = |outputs: &Option<IndexMap<String, Box<RawValue>>>| -> Option<Vec<(String, String)>> {
            outputs.as_ref().map(|map| map.iter().map(|(k, v)| (k.clone(), v.get().to_owned())).collect())
        };
        self.run_id == other.run_id
            && self.status == other.status
            && self.plan_hash == other.plan_hash
            && self.cost_summary == other.cost_summary
            && self.nodes == other.nodes
            && texts(&self.outputs) == texts(&other.outputs)
            && self.summary == other.summary
            && self.steps == other.steps
            && self.parent_run_id == other.parent_run_id
    }
}

/// One node of a [`RunSnapshot`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeSnapshot {
    /// The node's id.
    pub id: NodeId,
    /// What the node does.
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// The node's status.
    pub status: NodeStatus,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Its output as raw JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Box<RawValue>>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl PartialEq for NodeSnapshot {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.node_type == other.node_type
            && self.status == other.status
            && self.started_at == other.started_at
            && self.ended_at == other.ended_at
            && self.output.as_deref().map(RawValue::get) == other.output.as_deref().map(RawValue::get)
            && self.error == other.error
    }
}

/// What a run has cost: the server's own figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostSummary {
    /// All of it, in US cents.
    pub total_usd_cents: u64,
    /// By provider and model.
    #[serde(default, deserialize_with = "super::nullable::or_default")]
    pub line_items: Vec<CostLine>,
}

/// One line of a [`CostSummary`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    /// Who served the model.
    pub provider_id: Provider,
    /// The model's name.
    pub model: String,
    /// Number of LLM requests.
    pub requests: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// US cents.
    pub usd_cents: u64,
}

/// A run's totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Steps of all nodes.
    pub total_steps: u64,
    /// LLM calls.
    pub total_llm_calls: u64,
    /// Tool calls.
    pub total_tool_calls: u64,
    /// Tokens read.
    pub total_input_tokens: u64,
    /// Tokens written.
    pub total_output_tokens: u64,
    /// US cents.
    pub total_cost_cents: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_without_nodes_outputs_or_summary_is_read() {
        let snapshot: RunSnapshot = serde_json::from_str(
            r#"{"run_id":"550e8400-e29b-41d4-a716-446655440000","status":"paused","cost_summary":{"total_usd_cents":0}}"#,
        )
        .unwrap();
        assert_eq!(snapshot.status, RunStatus::Other("paused".into()));
        assert_eq!(snapshot.nodes, None);
        assert_eq!(snapshot.summary, None);
    }

    #[test]
    fn new_node_types_and_providers_are_kept_as_they_came() {
        let node: NodeSnapshot =
            serde_json::from_str(r#"{"id":"a","type":"quantum.leap","status":"dreaming","x":1}"#).unwrap();
        assert_eq!(node.node_type.as_str(), "quantum.leap");
        assert_eq!(node.status.as_str(), "dreaming");
        let line: CostLine = serde_json::from_str(
            r#"{"provider_id":"acme","model":"m","requests":1,"input_tokens":2,"output_tokens":3,"usd_cents":4}"#,
        )
        .unwrap();
        assert_eq!(serde_json::to_value(&line).unwrap()["provider_id"], "acme");
    }
}
