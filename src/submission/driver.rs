//! Carries out what [`super::machine`] decides: the one way in which anything is submitted.
//!
//! Owns the requests and the waits, no decision. Rule: whatever happens, it returns a verdict; dropping it on the way
//! leaves a submission of unknown fate.

use std::time::Duration;

use futures_util::StreamExt;

use super::machine::{Command, Findings, Input, Machine};
use super::search::Search;
use super::{Intent, Progress, Verdict};
use crate::api::client::{Client, EventsQuery, StreamItem};
use crate::api::error::{Error, StreamError, TransportError, TransportKind};
use crate::api::retry;

/// The longest that the events may take to be read through, beginning to end.
const EVENTS_TIMEOUT: Duration = Duration::from_secs(60);

/// An answer that is quiet for so long without ending comes from a server that keeps it open: it has nothing more.
const EVENTS_QUIET: Duration = Duration::from_secs(5);

/// Submits `intent` and sees it through. `progress` hears of every step before it is taken.
pub async fn submit(client: &Client, intent: &Intent, mut progress: impl FnMut(Progress) + Send) -> Verdict {
    let client = client.without_retries();
    let (mut machine, mut command) = Machine::start(intent);
    loop {
        let input = match command {
            Command::Finish(verdict) => {
                tracing::info!(sends = verdict.sends, accepted = verdict.accepted(), "a submission has ended");
                return verdict;
            }
            Command::Send { after, request_id } => {
                tokio::time::sleep(after).await;
                progress(Progress::Sending(machine.sends()));
                match client.submit_tool_results(&intent.run_id, &intent.request, request_id).await {
                    Ok(reply) => Input::Taken {
                        accepted: reply.value.accepted,
                        status: reply.value.status,
                        request_id: reply.request_id,
                    },
                    Err(error) => Input::SendFailed(error.into()),
                }
            }
            Command::Look { after } => {
                progress(Progress::Verifying { cause: machine.why().to_owned() });
                tokio::time::sleep(after).await;
                match look(&client, intent).await {
                    Ok(findings) => Input::Found(findings),
                    Err(error) => Input::LookFailed(error.into()),
                }
            }
        };
        command = machine.on(input, retry::jitter());
    }
}

/// Reads pending-tools, then the events since the submission, then the run's status.
async fn look(client: &Client, intent: &Intent) -> Result<Findings, Error> {
    let pending = client.pending_tools(&intent.run_id).await?;
    let mut search = Search::new(intent, &pending.value);
    let read = read_events(client, intent, &mut search);
    tokio::time::timeout(EVENTS_TIMEOUT, read).await.unwrap_or_else(|_| {
        let (kind, host) = (TransportKind::Timeout, client.base_url().host());
        Err(Error::Transport(TransportError { kind, host, cause: "the events do not end".into(), attempts: 1 }))
    })?;
    // Only to be told: a look succeeds without it.
    let status = client.run(&intent.run_id).await.ok().map(|run| run.value.status);
    Ok(Findings { calls: search.finish(), status })
}

/// Reads every event since the submission, however many answers they come in.
async fn read_events(client: &Client, intent: &Intent, search: &mut Search<'_>) -> Result<(), Error> {
    let mut last = intent.after_seq;
    loop {
        let before = last;
        let query = EventsQuery { after_seq: last, wait: false, ..EventsQuery::default() };
        let mut stream = client.events(&intent.run_id, &query).await?;
        while let Ok(Some(item)) = tokio::time::timeout(EVENTS_QUIET, stream.next()).await {
            match item {
                Ok(StreamItem::Event { event, .. }) if event.run_id == intent.run_id => {
                    last = last.max(event.seq);
                    search.take(&event);
                    if search.is_complete() {
                        return Ok(());
                    }
                }
                // A server that keeps the answer open has nothing more.
                Ok(StreamItem::Keepalive) => break,
                Err(StreamError::Transport(error)) => return Err(Error::Transport(error)),
                // A line that cannot be read tells nothing of any call.
                Ok(_) | Err(StreamError::Protocol(_)) => {}
            }
        }
        if last == before {
            return Ok(());
        }
    }
}
