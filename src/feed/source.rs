//! Where a run is read from. A trait, so that the feed's rules are tested without a network.

use std::future::Future;

use futures_util::Stream;

use crate::api::client::{Client, ClientSource, EventStream, EventsQuery, Reply, StreamItem};
use crate::api::error::{Error, StreamError};
use crate::api::ids::RunId;
use crate::api::run::RunSnapshot;

/// Gives a run's snapshot and events. Every call is one attempt: trying again is the feed's, and is shown.
pub(super) trait Source: Send + Sync + 'static {
    /// A run's events, until the source ends them.
    type Stream: Stream<Item = Result<StreamItem, StreamError>> + Unpin + Send;

    /// Reads the snapshot.
    fn snapshot(&self) -> impl Future<Output = Result<Reply<RunSnapshot>, Error>> + Send;

    /// Opens the event stream.
    fn events(&self, query: EventsQuery) -> impl Future<Output = Result<Self::Stream, Error>> + Send;

    /// Reads the settings again: the next call uses them.
    fn refresh(&self);
}

/// A run on a server.
#[derive(Debug)]
pub(super) struct Server {
    clients: ClientSource,
    run_id: RunId,
}

impl Server {
    pub(super) fn new(clients: ClientSource, run_id: RunId) -> Self {
        Self { clients, run_id }
    }

    fn client(&self) -> Result<Client, Error> {
        self.clients.client().map(|client| client.without_retries())
    }
}

impl Source for Server {
    type Stream = EventStream;

    async fn snapshot(&self) -> Result<Reply<RunSnapshot>, Error> {
        self.client()?.run(&self.run_id).await
    }

    async fn events(&self, query: EventsQuery) -> Result<EventStream, Error> {
        self.client()?.events(&self.run_id, &query).await
    }

    fn refresh(&self) {
        // A failure shows up again, as a refusal, on the next call.
        if let Err(error) = self.clients.refresh() {
            tracing::debug!(%error, "the client cannot be built");
        }
    }
}
