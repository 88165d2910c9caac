//! One run, followed and answered as the console does it: the feed's events are folded, what the fold says that waits
//! is asked for, and each step is submitted by the one driver.

use std::time::Duration;

use relay_console::api::client::{BaseUrl, Client, ClientConfig, ClientSource, Credentials};
use relay_console::api::ids::RunId;
use relay_console::api::tool::{CallKey, ToolCall, ToolResult, ToolResultsRequest};
use relay_console::feed::{Feed, FeedConfig, FeedHandle, FeedItem, FeedUpdate, LinkState};
use relay_console::run::Run;
use relay_console::run::agreement::{self, Agreement};
use relay_console::simulator::Simulator;
use relay_console::submission::{CallVerdict, Intent, submit};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Tally, simulator};

/// The longest that a run may take, faults and all.
const BOUND: Duration = Duration::from_secs(90);

pub(super) fn client(simulator: &Simulator) -> ClientSource {
    let (base_url, key) = (simulator.base_url().to_owned(), simulator.api_key().to_owned());
    ClientSource::new(move || {
        let base_url = BaseUrl::parse(&base_url, false)?;
        Client::new(ClientConfig::new(base_url, Credentials::api_key(&key)?))
    })
}

/// A result that no other has.
fn result(call: &ToolCall) -> ToolResult {
    let output = call.question().map_or_else(
        || format!(r#"{{"mine": "{}"}}"#, Uuid::new_v4()),
        |question| {
            let text = question.options.first().map_or("go on", |option| option.label.as_str());
            question.answer(text).unwrap().to_output()
        },
    );
    ToolResult { tool_call: call.without_arguments(), output, error: None }
}

/// The operator at work.
struct Operator {
    run: Run,
    run_id: RunId,
    clients: ClientSource,
    seqs: Vec<u64>,
    /// The results that the driver has called accepted.
    accepted: Vec<(CallKey, String)>,
}

impl Operator {
    fn take(&mut self, items: Vec<FeedItem>) {
        for item in items {
            match item {
                FeedItem::Event(event) => {
                    self.seqs.push(event.seq);
                    self.run.apply(event);
                }
                FeedItem::Rejected(error) => self.run.reject(error),
                FeedItem::Gap { first, last } => self.run.skip(first, last),
                FeedItem::Duplicates(count) => self.run.counts.duplicates += count,
                FeedItem::Line(..) => panic!("nobody asked for lines"),
            }
        }
    }

    /// Submits what the server says that waits; what cannot be read now is read at the next time.
    async fn answer(&mut self) {
        let client = self.clients.client().unwrap();
        let Ok(reply) = client.pending_tools(&self.run_id).await else { return };
        for pending in reply.value.pending {
            let unanswered = |key: &CallKey| !self.accepted.iter().any(|(accepted, _)| accepted == key);
            let calls = pending.tool_calls.iter().filter(|call| unanswered(&pending.step.call(&call.tool_call.id)));
            let results: Vec<ToolResult> = calls.map(|call| result(&call.tool_call)).collect();
            if results.is_empty() {
                continue;
            }
            let request = ToolResultsRequest { step: pending.step, results };
            let outputs: Vec<String> = request.results.iter().map(|result| result.output.clone()).collect();
            let intent =
                Intent { request_id: Uuid::new_v4(), run_id: self.run_id, request, after_seq: self.run.last_seq };
            let verdict = submit(&client, &intent, |_| {}).await;
            for ((key, verdict), output) in verdict.calls.into_iter().zip(outputs) {
                if verdict == CallVerdict::Accepted {
                    self.accepted.push((key, output));
                }
            }
        }
    }

    /// Follows the run to its end.
    async fn follow(&mut self, rx: &mut mpsc::Receiver<FeedUpdate>, feed: &FeedHandle) {
        let mut look = tokio::time::interval(Duration::from_millis(200));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                update = rx.recv() => match update.unwrap() {
                    FeedUpdate::Link(LinkState::Ended) => return,
                    // The operator has put the credentials right, or the base URL.
                    FeedUpdate::Link(LinkState::Refused { .. }) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        feed.reconnect_now();
                    }
                    FeedUpdate::Items(items) => self.take(items),
                    _ => {}
                },
                _ = look.tick(), if !self.run.pending.is_empty() || self.run.counts.gaps > 0 => self.answer().await,
            }
        }
    }
}

pub(super) async fn follow_and_answer(scenario: &str, name: &str, faults: &str, seed: u64) -> Tally {
    let simulator = simulator(scenario, faults, seed).await;
    let run_id = simulator.runs()[0].run_id;
    let (clients, run) = (client(&simulator), Run::new(run_id));
    let mut operator = Operator { run, run_id, clients: clients.clone(), seqs: Vec::new(), accepted: Vec::new() };
    let (tx, mut rx) = mpsc::channel(16);
    let config = FeedConfig { idle_timeout: Duration::from_secs(1), ..FeedConfig::default() };
    let feed = Feed::spawn(clients, run_id, config, tx);
    let ended = tokio::time::timeout(BOUND, operator.follow(&mut rx, &feed)).await;
    drop(feed);
    let mut tally = Tally { runs: 1, events: operator.seqs.len() as u64, ..Tally::default() };
    if ended.is_err() {
        tally.wrong.push(format!("{scenario} {seed}: not at its end after {BOUND:?}, at {}", operator.run.last_seq));
    }
    judge(&simulator, operator, &mut tally, (scenario, name, seed)).await;
    simulator.shutdown().await;
    tally
}

/// Compares with the server's truth.
async fn judge(simulator: &Simulator, operator: Operator, tally: &mut Tally, cell: (&str, &str, u64)) {
    let Operator { run, run_id, clients, seqs, accepted } = operator;
    let (log, gaps) = (simulator.log(run_id), simulator.gaps(run_id));
    let mut truth = Run::new(run_id);
    for event in log {
        if gaps.contains(&event.seq) {
            truth.skip(event.seq, event.seq);
            continue;
        }
        tally.lost += u64::from(!seqs.contains(&event.seq));
        truth.apply(event);
    }
    let mut seen = std::collections::BTreeSet::new();
    tally.duplicated += seqs.iter().filter(|seq| !seen.insert(**seq)).count() as u64;
    tally.disordered += seqs.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64;
    let submissions = simulator.submissions(run_id);
    tally.count_submissions(simulator);
    for (key, output) in accepted {
        let taken = submissions.iter().find(|submission| submission.call == key).and_then(|s| s.taken.as_ref());
        tally.results_lost += u64::from(taken.is_none_or(|taken| taken.output != output));
    }
    // What was odd on the way is not in the log.
    truth.counts = run.counts;
    truth.history = run.history.clone();
    if run != truth && cell.1 != "hostile text" {
        tally.wrong.push(format!("{cell:?}: the fold differs: {run:?}\nfrom {truth:?}"));
    }
    let client = clients.client().unwrap();
    let mut reply = client.run(&run_id).await;
    while reply.is_err() {
        reply = client.run(&run_id).await;
    }
    if let Agreement::Differs(differences) = agreement::compare(&run, Some(&reply.unwrap().value))
        && gaps.is_empty()
    {
        tally.wrong.push(format!("{cell:?}: the snapshot differs: {differences:?}"));
    }
}
