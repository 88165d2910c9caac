//! Carries out what [`super::machine`] decides: the one way in which anything is submitted.
//!
//! Owns the requests, the waits and what is written down of them, no decision. Rule: whatever happens, it returns a
//! verdict; dropping it on the way leaves a submission of unknown fate, which the disk then tells of.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::machine::{Command, Findings, Input, Machine};
use super::past::read_events;
use super::patience::Patience;
use super::records::{Opening, Page, Records};
use super::search::Search;
use super::{CallVerdict, Intent, Progress, Verdict};
use crate::api::client::Client;
use crate::api::error::{Error, TransportError, TransportKind};
use crate::api::retry;
use crate::store::intents::{Claim, Sender};

/// Submits `intent` and sees it through, without writing it down. `progress` hears of every step before it is taken.
pub async fn submit(client: &Client, intent: &Intent, progress: impl FnMut(Progress) + Send) -> Verdict {
    let (machine, command) = Machine::start(intent);
    drive(client, machine, command, intent, &Patience::endless(), &mut None, progress).await
}

/// As [`submit`], but ends within `limit` of the server's last reply, with whatever is known then.
pub async fn submit_within(
    client: &Client,
    intent: &Intent,
    limit: Duration,
    progress: impl FnMut(Progress) + Send,
) -> Verdict {
    let (machine, command) = Machine::start(intent);
    drive(client, machine, command, intent, &Patience::new(Some(limit)), &mut None, progress).await
}

/// As [`submit`], within `limit` where one is given, and written down before it leaves: where an earlier submission to
/// the same calls may have been taken it looks first, and where a living process is sending to one of them it sends
/// nothing. Sends the same bytes under the same id as an earlier submission of them.
pub async fn submit_recorded(
    client: &Client,
    intent: &Intent,
    records: &Records,
    limit: Option<Duration>,
    mut progress: impl FnMut(Progress) + Send,
) -> Verdict {
    let opened = match records.open(intent).await {
        Opening::Go(opened) => opened,
        Opening::Busy(who) => return not_sent(intent, &who),
    };
    let intent = opened.intent;
    let mut page = match opened.page {
        Ok(page) => Some(page),
        Err(why) => {
            progress(Progress::Unrecorded { why });
            None
        }
    };
    let (machine, command) = match opened.earlier {
        Some(why) => Machine::look_first(&intent, &why),
        None => Machine::start(&intent),
    };
    let verdict = drive(client, machine, command, &intent, &Patience::new(limit), &mut page, progress).await;
    if let Some(page) = page {
        page.close(&verdict).await;
    }
    verdict
}

/// The verdict on a submission that never left, and why.
#[must_use]
pub fn not_sent(intent: &Intent, why: &str) -> Verdict {
    let calls =
        intent.request.keys().map(|key| (key, CallVerdict::StillPending { why: format!("nothing was sent: {why}") }));
    Verdict {
        request_id: intent.request_id,
        calls: calls.collect(),
        status: None,
        sends: 0,
        server_request_id: None,
        failure: None,
        id_is_spent: false,
    }
}

/// A submission that was under way when its process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What was sent.
    pub intent: Intent,
    /// By whom.
    pub by: Sender,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How many sends began.
    pub sends: u32,
}

/// What is told while submissions of ended processes are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookedUp {
    /// This one is being looked up.
    Begun(Left),
    /// It has ended; where a call's outcome is still unknown it stays on disk.
    Ended(Left, Verdict),
    /// Something on disk could not be read; in words.
    Problem(String),
}

/// Looks up what became of every submission that was under way when its process ended, and sends nothing. Who no longer
/// listens ends it.
pub async fn look_up(client: &Client, records: &Records, limit: Option<Duration>, tell: mpsc::Sender<LookedUp>) {
    let (claims, problems) = match records.take_up().await {
        Ok(found) => found,
        Err(why) => return drop(tell.send(LookedUp::Problem(why)).await),
    };
    let found: Vec<(Left, Page)> = claims.into_iter().map(left).collect();
    let problems = problems.into_iter().map(|problem| LookedUp::Problem(problem.to_string()));
    for told in problems.chain(found.iter().map(|(left, _)| LookedUp::Begun(left.clone()))) {
        if tell.send(told).await.is_err() {
            return;
        }
    }
    for (left, page) in found {
        let why = format!("{} that sent it ended", left.by);
        let (machine, command) = Machine::look_only(&left.intent, &why);
        let patience = Patience::new(limit);
        let verdict = drive(client, machine, command, &left.intent, &patience, &mut None, |_| {}).await;
        page.close(&verdict).await;
        if tell.send(LookedUp::Ended(left, verdict)).await.is_err() {
            return;
        }
    }
}

fn left(claim: Claim) -> (Left, Page) {
    (Left::of(claim.stored()), Page::of(claim))
}

async fn drive(
    client: &Client,
    mut machine: Machine,
    mut command: Command,
    intent: &Intent,
    patience: &Patience,
    page: &mut Option<Page>,
    mut progress: impl FnMut(Progress) + Send,
) -> Verdict {
    let client = client.without_retries();
    let mut looked_back = false;
    loop {
        if let Command::Send { after, .. } | Command::Look { after } = &command
            && let Some(limit) = patience.is_too_short_for(*after)
        {
            // Only to wait until nothing can be done any more helps nobody.
            let reason = format!("going on takes a longer wait than this command has ({} s)", limit.as_secs());
            return match command {
                // Only what was found waiting is sent again, and this was not.
                Command::Send { .. } => machine.leave_pending(&reason),
                _ => machine.give_up(&reason),
            };
        }
        let input = match command {
            Command::Finish(verdict) => {
                tracing::info!(sends = verdict.sends, accepted = verdict.accepted(), "a submission has ended");
                return verdict;
            }
            Command::Send { after, request_id } => {
                let sends = machine.sends();
                let send = async {
                    tokio::time::sleep(after).await;
                    progress(Progress::Sending(sends));
                    if let Some(page) = page {
                        page.note_send().await;
                    }
                    let send = client.submit_tool_results(&intent.run_id, &intent.request, request_id);
                    match bounded(&client, patience, send).await {
                        Ok(reply) => Input::Taken {
                            accepted: reply.value.accepted,
                            status: reply.value.status,
                            request_id: reply.request_id,
                        },
                        Err(error) => Input::SendFailed(error.into()),
                    }
                };
                patience.within(send).await
            }
            Command::Look { after } => {
                progress(Progress::Verifying { cause: machine.why().to_owned() });
                let look = async {
                    tokio::time::sleep(after).await;
                    match look(&client, intent, patience, &mut looked_back).await {
                        Ok(findings) => Input::Found(findings),
                        Err(error) => Input::LookFailed(error.into()),
                    }
                };
                patience.within(look).await
            }
        };
        let Some(input) = input else {
            tracing::warn!(sends = machine.sends(), "a submission was given up without a verdict of the server");
            return machine.give_up("the server has said nothing that settles it for too long since");
        };
        command = machine.on(input, retry::jitter());
    }
}

/// One request, cut short so that there is time left to find out what became of it. A reply renews the patience.
async fn bounded<T>(
    client: &Client,
    patience: &Patience,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let outcome = tokio::time::timeout(patience.of_a_request(), request).await.unwrap_or_else(|_| {
        let (kind, host) = (TransportKind::Timeout, client.base_url().host());
        Err(Error::Transport(TransportError { kind, host, cause: String::new(), attempts: 1 }))
    });
    if !matches!(outcome, Err(Error::Transport(_) | Error::Setting(_))) {
        patience.renew();
    }
    outcome
}

/// Reads pending-tools, then the events since the submission, then the run's status. Where they tell nothing of a call,
/// the events before are read too, once: the submission may have been decided over a journal of another history.
async fn look(
    client: &Client,
    intent: &Intent,
    patience: &Patience,
    looked_back: &mut bool,
) -> Result<Findings, Error> {
    let pending = bounded(client, patience, client.pending_tools(&intent.run_id)).await?;
    let mut search = Search::new(intent, &pending.value);
    let take = |event: &_| {
        search.take(event);
        if search.is_complete() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    read_events(client, intent.run_id, intent.after_seq, patience, take).await?;
    if intent.after_seq > 0 && !*looked_back && search.has_nowhere() {
        let take = |event: &_| {
            search.take(event);
            if search.has_nowhere() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        read_events(client, intent.run_id, 0, patience, take).await?;
        *looked_back = true;
    }
    // Only to be told: a look succeeds without it.
    let status = bounded(client, patience, client.run(&intent.run_id)).await.ok().map(|run| run.value.status);
    Ok(Findings { calls: search.finish(), status })
}
