//! Reading a stream to where it brings nothing new, folding it, and noting what was odd.
//!
//! Rule: the fold is made of events alone; no snapshot is ever taken into it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::api::client::Client;
use crate::api::ids::RunId;
use crate::api::run::RunSnapshot;
use crate::cli::exit::Failure;
use crate::cli::output::report;
use crate::cli::stream::{self, FEED_CHANNEL, Link, Patience};
use crate::feed::{Feed, FeedConfig, FeedHandle, FeedItem, FeedUpdate, LinkState, Recorder, ReplayFile};
use crate::run::agreement::agrees;
use crate::run::{Odd, OddLog, Run};

/// How many odd things of each kind are told one by one.
const TOLD: u64 = 20;

/// So many moments are held against a snapshot one by one; of what comes behind them only the last.
const MOMENTS: u32 = 10_000;

/// Whether a fold has met a snapshot on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// At one of the moments they said the same.
    Agreed,
    /// At none.
    Nowhere,
}

/// What was read so far.
pub(super) struct Reading {
    pub(super) run: Run,
    pub(super) odd: OddLog,
    /// How long the reading took.
    pub(super) took: Duration,
    /// Bytes of the lines that were read.
    pub(super) bytes: u64,
    /// Who keeps what is read.
    pub(super) recorder: Option<Recorder>,
    link: Link,
}

impl Reading {
    pub(super) fn new(run_id: RunId) -> Self {
        Self {
            run: Run::new(run_id),
            odd: OddLog::of_the_first(TOLD),
            took: Duration::ZERO,
            bytes: 0,
            recorder: None,
            link: Link::new(Patience::Reading),
        }
    }

    /// Connections that were made again.
    pub(super) fn reconnects(&self) -> u64 {
        self.link.reconnects
    }

    /// Reads what the server has behind the last event, until an answer brings nothing new; says whether the fold came
    /// to where `snapshot` is.
    pub(super) async fn server(&mut self, client: &Client, snapshot: Option<&RunSnapshot>) -> Result<Met, Failure> {
        // A journal has the outputs inline; the fold has no use for them.
        let include_output = self.recorder.is_some();
        let config = FeedConfig { after_seq: self.run.last_seq, include_output, wait: false, ..FeedConfig::default() };
        let (tx, rx) = mpsc::channel(FEED_CHANNEL);
        let (clients, run_id) = (client.clone().into(), self.run.run_id);
        let feed = match &self.recorder {
            Some(recorder) => Feed::spawn_recorded(clients, run_id, config, recorder, tx),
            None => Feed::spawn(clients, run_id, config, tx),
        };
        self.read(feed, rx, snapshot).await
    }

    /// Reads a file.
    pub(super) async fn file(&mut self, file: ReplayFile) -> Result<(), Failure> {
        let (tx, rx) = mpsc::channel(FEED_CHANNEL);
        let feed = Feed::replay(file, tx);
        self.read(feed, rx, None).await.map(drop)
    }

    /// Takes what a feed says until it ends by itself.
    async fn read(
        &mut self,
        feed: FeedHandle,
        mut updates: mpsc::Receiver<FeedUpdate>,
        snapshot: Option<&RunSnapshot>,
    ) -> Result<Met, Failure> {
        let begun = Instant::now();
        let (mut met, mut moments) = (Met::Nowhere, MOMENTS);
        let fits = |run: &Run| snapshot.is_some_and(|snapshot| agrees(run, snapshot));
        while let Some(update) = updates.recv().await {
            let items = match update {
                FeedUpdate::Link(state) => {
                    self.link(state)?;
                    continue;
                }
                FeedUpdate::Items(items) => items,
                FeedUpdate::Journal(why) => {
                    report(&stream::gist(&why));
                    continue;
                }
                FeedUpdate::Snapshot { .. } | FeedUpdate::Restarted { .. } => continue,
            };
            self.link.progressed();
            for item in items {
                self.item(item);
                moments = moments.saturating_sub(1);
                if moments > 0 && met == Met::Nowhere && fits(&self.run) {
                    met = Met::Agreed;
                }
            }
        }
        if fits(&self.run) {
            met = Met::Agreed;
        }
        self.took += begun.elapsed();
        self.bytes += feed.bytes();
        Ok(met)
    }

    fn link(&mut self, state: LinkState) -> Result<(), Failure> {
        match state {
            LinkState::Connecting | LinkState::Stale { .. } | LinkState::Ended | LinkState::EndOfFile => {}
            LinkState::CatchingUp { .. } | LinkState::Live => self.link.connected(),
            LinkState::Retrying { cause, class, wait, .. } => {
                self.link.trouble(&cause, class)?;
                self.note(Odd::reconnect(&cause));
                report(&format!("{cause}; trying again in {:.1} s", wait.as_secs_f64()));
            }
            LinkState::Refused { cause, class } => return Err(stream::refused(&cause, class)),
        }
        Ok(())
    }

    fn item(&mut self, item: FeedItem) {
        match item {
            FeedItem::Line(_) => {}
            FeedItem::Event(event) => {
                if let Some(odd) = Odd::event(&event) {
                    self.note(odd);
                }
                self.run.apply(event);
            }
            FeedItem::Rejected(error) => {
                self.note(Odd::rejected(&error));
                self.run.reject(error);
            }
            FeedItem::Gap { first, last } => {
                self.note(Odd::Gap { first, last });
                self.run.skip(first, last);
            }
            FeedItem::Duplicates(count) => {
                self.note(Odd::Duplicates { count, until: self.run.last_seq });
                self.run.counts.duplicates += count;
            }
        }
    }

    fn note(&mut self, odd: Odd) {
        self.odd.note(self.run.last_seq, Timestamp::now(), odd);
    }
}
