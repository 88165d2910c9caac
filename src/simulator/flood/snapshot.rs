//! What the run is after so many of its events.
//!
//! Owns the snapshot of a flood. Rule: it is counted by formulas, node by node, and never folded: however many events
//! there are, it costs as much as it has nodes.

use serde_json::value::RawValue;

use crate::api::event::Failure;
use crate::api::ids::{NodeId, PlanHash};
use crate::api::run::{CostLine, CostSummary, NodeSnapshot, NodeStatus, NodeType, RunSnapshot, RunStatus, RunSummary};

use super::super::prices;
use super::life::{Counts, Life};
use super::line::REPORT;
use super::traits::{MODELS, Traits};
use super::{Flood, OF_THE_RUN};

impl Flood {
    /// What the server says of the run when the event of this seq is its last so far.
    #[must_use]
    pub fn snapshot_at(&self, seq: u64) -> RunSnapshot {
        let seq = seq.min(self.config.events);
        let ended = seq == self.config.events;
        let of_nodes = seq.saturating_sub(2).min(self.config.events - OF_THE_RUN);
        let mut lines = MODELS.map(|(provider_id, model)| CostLine {
            provider_id,
            model: model.to_owned(),
            requests: 0,
            input_tokens: 0,
            output_tokens: 0,
            usd_cents: 0,
        });
        let mut summary = RunSummary::default();
        let mut nodes = Vec::new();
        for node in 0..self.config.nodes {
            let events = self.lanes.count(node, of_nodes);
            let life = Life::new(self.lanes.length(node), self.traits.fails(node));
            let Counts { llm_calls, tool_calls } = life.counts(events);
            let (read, written) = self.traits.tokens_of_first(node, llm_calls);
            let bill = &mut lines[self.traits.model(node)];
            bill.requests += llm_calls;
            bill.input_tokens += read;
            bill.output_tokens += written;
            summary.total_steps += llm_calls;
            summary.total_llm_calls += llm_calls;
            summary.total_tool_calls += tool_calls;
            summary.total_input_tokens += read;
            summary.total_output_tokens += written;
            nodes.extend(self.node(node, life, events));
        }
        for line in &mut lines {
            line.usd_cents = prices::usd_cents(&line.model, line.input_tokens, line.output_tokens);
        }
        let line_items: Vec<CostLine> = lines.into_iter().filter(|line| line.requests > 0).collect();
        let total_usd_cents = line_items.iter().map(|line| line.usd_cents).sum();
        summary.total_cost_cents = total_usd_cents;
        let report = || Some(("report".to_owned(), RawValue::from_string(REPORT.to_owned()).ok()?));
        RunSnapshot {
            run_id: self.run_id,
            status: if ended { RunStatus::Succeeded } else { RunStatus::Running },
            plan_hash: PlanHash::from_wire(&self.plan_hash),
            cost_summary: Some(CostSummary { total_usd_cents, line_items }),
            nodes: Some(nodes),
            outputs: ended.then(|| report().into_iter().collect()),
            summary: Some(summary),
            steps: None,
            parent_run_id: None,
        }
    }

    /// A node after so many of its events.
    fn node(&self, node: u64, life: Life, events: u64) -> Option<NodeSnapshot> {
        let (length, fails) = (self.lanes.length(node), self.traits.fails(node));
        let status = match events {
            0 => NodeStatus::Pending,
            events if events < length => NodeStatus::Running,
            _ if fails => NodeStatus::Failed,
            _ => NodeStatus::Succeeded,
        };
        let time = |position| self.clock.timestamp(self.lanes.event(node, position) + OF_THE_RUN);
        let error = (status == NodeStatus::Failed).then(|| {
            let (code, message) = self.traits.failure(node);
            Failure { code: Some(code.to_owned()), message: message.to_owned() }
        });
        let put_out = status == NodeStatus::Succeeded && life.puts_out();
        Some(NodeSnapshot {
            id: NodeId::from_wire(&format!("{}_{node}", Traits::name(node)))?,
            node_type: NodeType::LlmResponses,
            status,
            started_at: (events > 0).then(|| time(0)),
            ended_at: (events == length).then(|| time(length - 1)),
            output: put_out.then(|| RawValue::from_string(self.output(node, life)).ok()).flatten(),
            error,
        })
    }
}
