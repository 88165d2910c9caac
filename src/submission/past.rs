//! Reading the events that a run already has.
//!
//! Owns paging through them; who looks for what is the caller's. Rule: they are read when the server has ended an
//! answer that brought nothing new. One that it keeps open, silent or with keepalives only, proves nothing: a late event
//! looks the same, and a submission must not be sent again because of it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::time::Instant;

use super::patience::Patience;
use crate::api::client::{Client, EventsQuery, StreamItem};
use crate::api::error::{Error, StreamError, TransportError, TransportKind};
use crate::api::event::{Event, EventBody};
use crate::api::ids::RunId;
use crate::api::tool::{CallKey, StepKey, ToolResult};

/// The longest wait for the next event, or for the end of an answer.
const QUIET: Duration = Duration::from_secs(10);

/// The longest that the events may take to be read through, beginning to end; of a long log each event may be in time.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Reads every event after `after_seq`, however many answers they come in, until `take` breaks off.
pub(super) async fn read_events(
    client: &Client,
    run: RunId,
    after_seq: u64,
    patience: &Patience,
    mut take: impl FnMut(&Event) -> ControlFlow<()>,
) -> Result<(), Error> {
    let read = async {
        let mut last = after_seq;
        loop {
            let before = last;
            let query = EventsQuery { after_seq: last, wait: false, ..EventsQuery::default() };
            let mut stream = client.events(&run, &query).await?;
            patience.renew();
            let quiet = tokio::time::sleep(QUIET);
            let mut quiet = std::pin::pin!(quiet);
            loop {
                let item = tokio::select! {
                    biased;
                    item = stream.next() => item,
                    () = &mut quiet => return Err(unended(client, "the events stopped without an end")),
                };
                let Some(item) = item else { break };
                match item {
                    Ok(StreamItem::Event { event, .. }) if event.run_id == run => {
                        patience.renew();
                        quiet.as_mut().reset(Instant::now() + QUIET);
                        last = last.max(event.seq);
                        if take(&event).is_break() {
                            return Ok(());
                        }
                    }
                    Err(StreamError::Transport(error)) => return Err(Error::Transport(error)),
                    // A line that cannot be read tells nothing of any call, and a keepalive of no end.
                    Ok(_) | Err(StreamError::Protocol(_)) => {}
                }
            }
            if last == before {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(TIMEOUT, read).await.unwrap_or_else(|_| Err(unended(client, "the events do not end")))
}

fn unended(client: &Client, cause: &str) -> Error {
    let (kind, host) = (TransportKind::Timeout, client.base_url().host());
    Error::Transport(TransportError { kind, host, cause: cause.to_owned(), attempts: 1 })
}

/// What a run's events tell of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PastCall {
    /// It has a result.
    Answered {
        /// Which call: the step that it belongs to.
        key: CallKey,
        /// The result.
        result: ToolResult,
        /// When, by the server's clock.
        at: Timestamp,
    },
    /// It was made or waited for, and no event has a result of it.
    Unanswered {
        /// Which call.
        key: CallKey,
    },
    /// No event names it.
    Unknown,
}

/// Searches the whole run for the calls that `wanted` names; the last one that was found counts.
///
/// # Errors
/// When the events cannot be read.
pub async fn find_call(
    client: &Client,
    run: RunId,
    mut wanted: impl FnMut(&CallKey) -> bool,
) -> Result<PastCall, Error> {
    let mut found = PastCall::Unknown;
    let take = |event: &Event| {
        tell(event, |key, past| {
            if wanted(key) {
                found = past();
            }
        });
        ControlFlow::Continue(())
    };
    read_events(client, run, 0, &Patience::endless(), take).await?;
    Ok(found)
}

/// Searches the whole run for these calls; what is found of each, in their order.
///
/// # Errors
/// When the events cannot be read.
pub async fn find_calls(client: &Client, run: RunId, keys: &[CallKey]) -> Result<Vec<PastCall>, Error> {
    let mut found: HashMap<CallKey, PastCall> = HashMap::new();
    let take = |event: &Event| {
        tell(event, |key, past| {
            // What is told of a call after its result is told of it again by a server that repeats itself.
            let is_answered = matches!(found.get(key), Some(PastCall::Answered { .. }));
            if keys.contains(key) && !is_answered {
                found.insert(key.clone(), past());
            }
        });
        ControlFlow::Continue(())
    };
    read_events(client, run, 0, &Patience::endless(), take).await?;
    Ok(keys.iter().map(|key| found.remove(key).unwrap_or(PastCall::Unknown)).collect())
}

/// Tells `note` of each call that an event is about, and what the event says of it.
fn tell(event: &Event, mut note: impl FnMut(&CallKey, &dyn Fn() -> PastCall)) {
    match &event.body {
        EventBody::NodeToolCall(body) => {
            let call = &body.tool_call;
            let key = StepKey::new(&body.node_id, call.step, call.request_id).call(&call.tool_call.id);
            note(&key, &|| PastCall::Unanswered { key: key.clone() });
        }
        EventBody::NodeWaiting(body) => {
            let step = StepKey::new(&body.node_id, body.waiting.step, body.waiting.request_id);
            for call in &body.waiting.pending_tool_calls {
                let key = step.call(&call.tool_call.id);
                note(&key, &|| PastCall::Unanswered { key: key.clone() });
            }
        }
        EventBody::NodeToolResult(body) => {
            let told = &body.tool_result;
            let key = StepKey::new(&body.node_id, told.step, told.request_id).call(&told.tool_call.id);
            note(&key, &|| {
                let (output, error) = (told.output.clone(), told.error.clone());
                let result = ToolResult { tool_call: told.tool_call.clone(), output, error };
                PastCall::Answered { key: key.clone(), result, at: event.ts }
            });
        }
        _ => {}
    }
}
