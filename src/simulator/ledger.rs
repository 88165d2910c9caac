//! The append-only log of one run's events, and the snapshot that they fold into.
//!
//! Owns seq, timestamps, and the two spellings of each event's line: with its output inline and without. Rule: an
//! event, once appended, never changes; the snapshot is made from events alone (`fold`), so the two cannot disagree.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::api::event::{Artifact, ArtifactInfo, Event, EventBody};
use crate::api::ids::RunId;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::fold::Fold;
use super::plan::{Plan, hex};

/// Outputs up to this many bytes stand inline where a client asks for them (`wire/README.md`, "Endpoints").
const INLINE_LIMIT: u64 = 1024 * 1024;

/// Where an event's time comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    /// The time at which it is appended.
    Real,
    /// This, plus the run's own elapsed time: the same in every repetition.
    From(Timestamp),
}

impl Clock {
    /// The time, `elapsed` after the run's start, in whole milliseconds.
    pub(crate) fn at(self, elapsed: Duration) -> Timestamp {
        let time = match self {
            Self::Real => Timestamp::now(),
            Self::From(start) => start.checked_add(elapsed).unwrap_or(Timestamp::MAX),
        };
        Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
    }
}

/// One event as it is kept: its lines end with a newline.
#[derive(Debug)]
struct Entry {
    bare: Bytes,
    with_output: Option<Bytes>,
}

/// The events of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    run_id: RunId,
    clock: Clock,
    last_ts: Timestamp,
    entries: Vec<Entry>,
    fold: Fold,
    length: watch::Sender<u64>,
}

impl Ledger {
    pub(crate) fn new(run_id: RunId, parent: Option<RunId>, plan: &Plan, clock: Clock) -> Self {
        Self {
            run_id,
            clock,
            last_ts: Timestamp::MIN,
            entries: Vec::new(),
            fold: Fold::new(run_id, parent, plan),
            length: watch::Sender::new(0),
        }
    }

    /// Appends what happened `elapsed` after the run's start. `plan` types the nodes that appear as the run goes.
    pub(crate) fn append(&mut self, elapsed: Duration, body: EventBody, plan: &Plan) {
        // A wall clock that is set back must not make a log whose times go back.
        self.last_ts = self.clock.at(elapsed).max(self.last_ts);
        let seq = self.entries.len() as u64 + 1;
        let mut event = Event { run_id: self.run_id, seq, ts: self.last_ts, body };
        self.fold.apply(&event, plan);
        let with_output = inline(&mut event.body, true).then(|| line(&event));
        inline(&mut event.body, false);
        self.entries.push(Entry { bare: line(&event), with_output });
        self.length.send_replace(seq);
    }

    /// What the events so far fold into.
    pub(crate) fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Tells the number of events whenever it grows.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.length.subscribe()
    }

    /// The lines of the events after `after_seq`, at most `limit`, and the last one's seq.
    pub(crate) fn lines(&self, after_seq: u64, limit: usize, with_output: bool) -> (Vec<Bytes>, u64) {
        let start = usize::try_from(after_seq).unwrap_or(usize::MAX).min(self.entries.len());
        let entries = &self.entries[start..][..limit.min(self.entries.len() - start)];
        let choose = |entry: &Entry| entry.with_output.as_ref().filter(|_| with_output).unwrap_or(&entry.bare).clone();
        (entries.iter().map(choose).collect(), after_seq.max((start + entries.len()) as u64))
    }
}

/// Puts an output inline or takes it out; whether it can stand inline at all. Task lists and memories never do.
fn inline(body: &mut EventBody, included: bool) -> bool {
    let artifact = match body {
        EventBody::NodeOutput(event) => &mut event.output,
        EventBody::RunCompleted(event) => &mut event.outputs,
        _ => return false,
    };
    artifact.info.included = included && artifact.info.bytes <= INLINE_LIMIT && artifact.content.is_some();
    if !included {
        artifact.content = None;
    }
    artifact.info.included
}

fn line(event: &Event) -> Bytes {
    // Maps with string keys, numbers and texts always serialise.
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// A value as the server stores it, with its content at hand for the log to inline.
pub(crate) fn artifact(key: String, value: &serde_json::Value) -> Artifact {
    let text = value.to_string();
    let info =
        ArtifactInfo { bytes: text.len() as u64, sha256: hex(&Sha256::digest(text.as_bytes())), included: false };
    Artifact { artifact_key: key, info, content: RawValue::from_string(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::event::NodeOutput;
    use crate::api::ids::NodeId;
    use serde_json::json;

    fn ledger_of(text: &str) -> Ledger {
        let plan = Plan::compile(&json!({"model": "m", "nodes": [{"id": "a", "type": "llm"}]}), &|_| false).unwrap();
        let mut ledger = Ledger::new(RunId::random(), None, &plan, Clock::From(Timestamp::UNIX_EPOCH));
        let output = artifact("k".into(), &json!(text));
        let node_id = NodeId::parse("a").unwrap();
        ledger.append(Duration::from_millis(1500), EventBody::NodeOutput(NodeOutput { node_id, output }), &plan);
        ledger
    }

    fn first(ledger: &Ledger, with_output: bool) -> serde_json::Value {
        serde_json::from_slice(&ledger.lines(0, 9, with_output).0[0]).unwrap()
    }

    #[test]
    fn an_output_stands_inline_only_where_it_was_asked_for() {
        let ledger = ledger_of("x");
        let asked = first(&ledger, true);
        assert_eq!((&asked["output"]["content"], &asked["output"]["info"]["included"]), (&json!("x"), &json!(true)));
        let bare = first(&ledger, false);
        assert_eq!(bare["output"].get("content"), None);
        assert_eq!(bare["output"]["info"]["included"], json!(false));
        assert_eq!(bare["output"]["info"]["bytes"], json!(3));
        assert_eq!(bare["ts"], json!("1970-01-01T00:00:01.5Z"));
    }

    #[test]
    fn an_output_of_more_than_a_megabyte_never_stands_inline() {
        let fits = "x".repeat(1024 * 1024 - 2);
        assert_eq!(first(&ledger_of(&fits), true)["output"]["info"]["included"], json!(true));
        let ledger = ledger_of(&format!("{fits}x"));
        let asked = first(&ledger, true);
        assert_eq!(asked["output"]["info"]["included"], json!(false));
        assert_eq!(asked["output"].get("content"), None);
    }

    #[test]
    fn lines_are_those_after_a_seq_up_to_a_limit() {
        let ledger = ledger_of("x");
        assert_eq!(ledger.lines(0, 1, false).1, 1);
        assert_eq!(ledger.lines(1, 5, false), (Vec::new(), 1));
        assert_eq!(ledger.lines(u64::MAX, 5, false), (Vec::new(), u64::MAX));
    }
}
