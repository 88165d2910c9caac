//! Whether what the events add up to is what the server's snapshot says.
//!
//! Owns the comparison of a fold with a snapshot, and the words for what differs; pure. Does not own when the two are
//! of the same moment: whoever compares sees to that. Rules: only what the events alone have told is compared, never
//! what an earlier snapshot has lent to the fold; what no event can tell is no difference: a node that was canceled, a
//! status that this version does not know, a node that the snapshot does not list, a bill that a running run is behind
//! with.

use std::fmt;

use super::Run;
use super::cost::Tokens;
use crate::api::event::Failure;
use crate::api::run::{NodeSnapshot, NodeStatus, RunSnapshot, RunStatus};

/// How many differences are kept in words; the others are counted.
pub const DIFFERENCES_KEPT: usize = 100;

/// What a comparison has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// Everything that both know is the same.
    Agrees,
    /// Something is not.
    Differs(Differences),
    /// There is no snapshot to compare with.
    Absent,
}

impl Agreement {
    /// The outcome in one word, as `check --json` has it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Differs(_) => "differs",
            Self::Absent => "absent",
        }
    }
}

/// What is not the same; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differences {
    /// The first [`DIFFERENCES_KEPT`] of them.
    pub kept: Vec<Difference>,
    /// How many there are.
    pub count: usize,
    /// Whether events are missing, unreadable or of unknown type, so that they may be the reason.
    pub events_lack: bool,
}

/// One thing that is not the same. Its texts are foreign: not inert yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub what: String,
    /// What the events add up to.
    pub folded: String,
    /// What the snapshot says.
    pub snapshot: String,
}

impl Difference {
    fn new(what: impl fmt::Display, folded: impl fmt::Display, snapshot: impl fmt::Display) -> Self {
        Self { what: what.to_string(), folded: folded.to_string(), snapshot: snapshot.to_string() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} by the events, {} by the snapshot", self.what, self.folded, self.snapshot)
    }
}

/// Compares a fold with the snapshot of the same moment.
#[must_use]
pub fn compare(run: &Run, snapshot: Option<&RunSnapshot>) -> Agreement {
    let Some(snapshot) = snapshot else { return Agreement::Absent };
    let mut all = differences(run, snapshot);
    let kept: Vec<Difference> = all.by_ref().take(DIFFERENCES_KEPT).collect();
    if kept.is_empty() {
        return Agreement::Agrees;
    }
    let count = kept.len() + all.count();
    let counts = &run.counts;
    let events_lack = counts.missing > 0 || run.unread_places() > 0 || counts.unknown > 0;
    Agreement::Differs(Differences { kept, count, events_lack })
}

/// Whether everything is the same; looks no further than to the first difference.
#[must_use]
pub fn agrees(run: &Run, snapshot: &RunSnapshot) -> bool {
    differences(run, snapshot).next().is_none()
}

/// Everything that differs, what is cheap to find first.
fn differences<'a>(run: &'a Run, snapshot: &'a RunSnapshot) -> impl Iterator<Item = Difference> + 'a {
    let nodes = snapshot.nodes.iter().flatten();
    status(run, snapshot).into_iter().chain(tokens(run, snapshot)).chain(nodes.flat_map(|listed| node(run, listed)))
}

fn status(run: &Run, snapshot: &RunSnapshot) -> Option<Difference> {
    let same = match (run.folded_status(), &snapshot.status) {
        (_, RunStatus::Other(_)) | (None, RunStatus::Running) => true,
        // Whether anything waits is what the server itself is not at one about.
        (Some(RunStatus::Running | RunStatus::Waiting), RunStatus::Running | RunStatus::Waiting)
            if run.pending.is_in_doubt() =>
        {
            true
        }
        (Some(folded), said) => folded == *said,
        (None, _) => false,
    };
    let folded = || run.folded_status().map_or_else(|| "not told".to_owned(), |status| status.to_string());
    (!same).then(|| Difference::new("status", folded(), &snapshot.status))
}

/// Token totals, by the summary and by the lines of the bill: each where the snapshot has it.
fn tokens(run: &Run, snapshot: &RunSnapshot) -> Vec<Difference> {
    let told = run.ledger.tokens();
    let mut found = Vec::new();
    let mut compare = |what: &str, least: u64, most: u64, said: u64| {
        // While a run goes on its bill may be behind.
        let behind = said < least && !snapshot.status.is_terminal();
        if !(least..=most).contains(&said) && !behind {
            found.push(Difference::new(what, if said < least { least } else { most }, said));
        }
    };
    if let Some(summary) = &snapshot.summary {
        compare("input tokens", told.input, told.input, summary.total_input_tokens);
        compare("output tokens", told.output, told.output, summary.total_output_tokens);
    }
    if let Some(bill) = snapshot.cost_summary.as_ref().filter(|bill| !bill.line_items.is_empty()) {
        // A call that names no provider or no model may stand in no line, or in any.
        let named = run.ledger.named_tokens();
        let billed: Tokens = bill.line_items.iter().map(Tokens::of_line).sum();
        compare("billed input tokens", named.input, told.input, billed.input);
        compare("billed output tokens", named.output, told.output, billed.output);
    }
    found
}

fn node(run: &Run, listed: &NodeSnapshot) -> Vec<Difference> {
    let node = run.nodes.get(&listed.id);
    let folded = node.and_then(super::Node::folded_status).cloned().unwrap_or(NodeStatus::Pending);
    let same = match (&folded, &listed.status) {
        (_, NodeStatus::Other(_)) => true,
        // No event tells that a node was canceled; one that has ended was not.
        (folded, NodeStatus::Canceled) => !folded.is_terminal(),
        (folded, said) => folded == said,
    };
    let mut found = Vec::new();
    if !same {
        found.push(Difference::new(format_args!("node {}", listed.id), &folded, &listed.status));
    } else if folded == NodeStatus::Failed
        && let (Some(told), Some(said)) = (node.and_then(|node| node.failure.as_ref()), &listed.error)
        && !same_failure(told, said)
    {
        found.push(Difference::new(format_args!("why node {} failed", listed.id), words(told), words(said)));
    }
    found
}

/// A failure is the same where the codes are, else where the messages are: one of them may be cut or reworded.
fn same_failure(told: &Failure, said: &Failure) -> bool {
    match (&told.code, &said.code) {
        (Some(told), Some(said)) => told == said,
        _ => told.message == said.message,
    }
}

fn words(failure: &Failure) -> String {
    let code = failure.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    format!("{}{code}", failure.message)
}

#[cfg(test)]
mod tests;
