//! Carries out what [`super::machine`] decides: the one way in which anything is submitted.
//!
//! Owns the requests and the waits, no decision. Rule: whatever happens, it returns a verdict; dropping it on the way
//! leaves a submission of unknown fate.

use std::ops::ControlFlow;
use std::time::Duration;

use super::machine::{Command, Findings, Input, Machine};
use super::past::read_events;
use super::patience::Patience;
use super::search::Search;
use super::{Intent, Progress, Verdict};
use crate::api::client::Client;
use crate::api::error::{Error, TransportError, TransportKind};
use crate::api::retry;

/// Submits `intent` and sees it through. `progress` hears of every step before it is taken.
pub async fn submit(client: &Client, intent: &Intent, progress: impl FnMut(Progress) + Send) -> Verdict {
    drive(client, intent, &Patience::endless(), progress).await
}

/// As [`submit`], but ends within `limit` of the server's last reply, with whatever is known then.
pub async fn submit_within(
    client: &Client,
    intent: &Intent,
    limit: Duration,
    progress: impl FnMut(Progress) + Send,
) -> Verdict {
    drive(client, intent, &Patience::new(Some(limit)), progress).await
}

async fn drive(
    client: &Client,
    intent: &Intent,
    patience: &Patience,
    mut progress: impl FnMut(Progress) + Send,
) -> Verdict {
    let client = client.without_retries();
    let (mut machine, mut command) = Machine::start(intent);
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
                let send = async {
                    tokio::time::sleep(after).await;
                    progress(Progress::Sending(machine.sends()));
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
                    match look(&client, intent, patience).await {
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

/// Reads pending-tools, then the events since the submission, then the run's status.
async fn look(client: &Client, intent: &Intent, patience: &Patience) -> Result<Findings, Error> {
    let pending = bounded(client, patience, client.pending_tools(&intent.run_id)).await?;
    let mut search = Search::new(intent, &pending.value);
    let take = |event: &_| {
        search.take(event);
        if search.is_complete() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    read_events(client, intent.run_id, intent.after_seq, patience, take).await?;
    // Only to be told: a look succeeds without it.
    let status = bounded(client, patience, client.run(&intent.run_id)).await.ok().map(|run| run.value.status);
    Ok(Findings { calls: search.finish(), status })
}
