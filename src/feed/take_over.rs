//! Taking a journal over from a console that is gone: its file ends somewhere behind what this console has.
//!
//! A watch looks every few seconds whether the lock is free. Then the file is read, its last line is compared with the
//! server's, and the events between it and what this console has are asked for again, into the file only: nothing of it
//! is given out or counted. What is given out meanwhile waits for its turn behind them.
//!
//! Rule: the file has no hole. Where one cannot be closed, this console does not write.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::file::{self, FileRead, Stop, Trust};
use super::follow::Follower;
use super::journal::{Found, begin_anew, find, mend};
use super::sequence::{Effect, REREADS, Sequence};
use super::source::Source;
use super::tail::{Screened, Tail};
use super::write_behind::{WriteBehind, write_blocking};
use super::{FeedUpdate, Signals, events_named};
use crate::api::client::{EventsQuery, StreamItem};
use crate::api::error::StreamError;
use crate::api::ids::RunId;
use crate::store;
use crate::store::journal::Writer;

/// How often it is looked whether the console that writes is gone.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How often the server is asked in vain for the lines of a hole, and the wait between.
const ATTEMPTS: u32 = 6;
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// An answer that brings nothing for so long has no more.
const QUIET: Duration = Duration::from_secs(5);

/// Batches that may wait while a hole is closed. Where they are full the journal is given up: the feed waits for no hole.
const WAITING_BEHIND: usize = 256;

/// So many bytes of lines make a write.
const BATCH: usize = 1024 * 1024;

/// What was taken over.
#[derive(Debug)]
pub(super) struct TakenOver {
    writer: Writer,
    /// The order as the file has it.
    order: Sequence,
    /// Its last line, which the server has to show again.
    tail: Option<Tail>,
}

/// Waits for the lock; the feed is told by [`Signals::taken_over`].
#[derive(Debug)]
pub(super) struct Watch {
    taken: Arc<Mutex<Option<TakenOver>>>,
    _task: AbortOnDropHandle<()>,
}

impl Watch {
    pub(super) fn start(place: store::journal::Journal, run_id: RunId, signals: Arc<Signals>) -> Self {
        let taken = Arc::new(Mutex::new(None));
        let found = Arc::clone(&taken);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_AGAIN).await;
                let place = place.clone();
                let looked = tokio::task::spawn_blocking(move || take(&place, run_id)).await;
                match looked {
                    Ok(Ok(None)) => {}
                    Ok(Ok(Some(taken))) => {
                        *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
                        signals.taken_over.notify_one();
                        return;
                    }
                    Ok(Err(why)) => return tracing::warn!(why, "the journal is not taken over"),
                    Err(error) => return tracing::error!(%error, "the journal is not taken over"),
                }
            }
        });
        Self { taken, _task: AbortOnDropHandle::new(task) }
    }
}

/// Takes the journal where its lock is free, and reads where it ends. Blocks.
fn take(place: &store::journal::Journal, run_id: RunId) -> Result<Option<TakenOver>, String> {
    let Found { lock, lines } = find(place);
    let Some(lock) = lock? else { return Ok(None) };
    let order = Sequence::new(run_id, 0);
    let (order, tail, read) = match lines {
        Ok(Some(lines)) => {
            let FileRead { sequence, end, tail, stop } = file::read(lines, order, Trust::Journal, |_| true);
            let tail = tail.map(|line| Tail::new(run_id, sequence.last(), line));
            (sequence, tail, Ok((end, stop)))
        }
        Ok(None) => (order, None, Ok((0, Stop::End))),
        Err(why) => (order, None, Err(why)),
    };
    let (writer, said) = mend(place, lock, &read, Timestamp::now());
    if let Some(said) = said {
        tracing::warn!(said, "the journal that was taken over");
    }
    Ok(Some(TakenOver { writer: writer?, order: order.with_rereads(REREADS), tail }))
}

impl<S: Source> Follower<S> {
    /// The console that wrote is gone: this one writes, from where the file ends.
    pub(super) fn take_over(&mut self) {
        let run_id = self.sequence.run_id();
        let Some(journal) = &mut self.journal else { return };
        let taken = journal.watch.take().and_then(|watch| {
            let mut taken = watch.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.take()
        });
        let Some(taken) = taken else { return };
        let (stands, ends) = (self.sequence.last(), taken.order.last());
        tracing::info!(ends, stands, "the journal is taken over");
        // What was given out so far is older than the hole's end, or is in the file.
        drop(self.sequence.take_record());
        self.sequence.record_after(Some(stands.max(ends)));
        if ends >= stands {
            return self.write_with(taken.writer);
        }
        let hole = Hole {
            source: Arc::clone(&self.source),
            place: journal.place.clone(),
            run_id,
            order: taken.order,
            tail: taken.tail,
            until: stands,
            include_output: self.config.include_output,
        };
        journal.write_behind = Some(WriteBehind::start_behind(hole, taken.writer, self.outbox.listener()));
    }
}

/// The events between the end of a file and what this console has given out.
struct Hole<S> {
    source: Arc<S>,
    place: store::journal::Journal,
    run_id: RunId,
    /// The order as the file has it, which records what is written.
    order: Sequence,
    tail: Option<Tail>,
    /// The last place that is missing.
    until: u64,
    include_output: bool,
}

impl WriteBehind {
    /// As [`WriteBehind::start`], but what closes the hole is written first.
    fn start_behind<S: Source>(hole: Hole<S>, writer: Writer, tell: mpsc::Sender<FeedUpdate>) -> Self {
        Self::run(WAITING_BEHIND, tell, async move { hole.close(writer).await })
    }
}

/// How an answer ended for a hole.
enum Answer {
    /// It is closed.
    Closed,
    /// More is to be asked for.
    More,
    /// The file is of another history.
    Differs,
}

impl<S: Source> Hole<S> {
    /// Asks the server for what is missing, and writes it.
    async fn close(mut self, mut writer: Writer) -> Result<Writer, String> {
        self.order.record_after(Some(self.order.last()));
        let mut failures = 0;
        while failures < ATTEMPTS {
            let before = (self.order.last(), self.tail.is_some());
            let (back, answer) = self.ask(writer).await?;
            writer = back;
            match answer {
                Answer::Closed => return Ok(writer),
                Answer::Differs => writer = self.begin_anew(writer).await?,
                Answer::More if before == (self.order.last(), self.tail.is_some()) => {
                    failures += 1;
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                Answer::More => failures = 0,
            }
        }
        let (first, last) = (self.order.last() + 1, self.until);
        let range = events_named(first, last);
        Err(format!("the server does not send {range} again, which the console before has not written"))
    }

    /// One request: what it brings is written. `Err` where the disk refuses; trouble with the server is no more than an
    /// answer that brings nothing.
    async fn ask(&mut self, mut writer: Writer) -> Result<(Writer, Answer), String> {
        if let Some(tail) = &mut self.tail {
            tail.forget();
        }
        self.order.forget();
        let after_seq = self.tail.as_ref().map_or(self.order.last(), Tail::ask_after);
        let query = EventsQuery { after_seq, limit: 0, wait: false, include_output: self.include_output };
        let mut stream = match self.source.events(query).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "the hole in the journal stays open");
                return Ok((writer, Answer::More));
            }
        };
        let mut answer = None;
        while answer.is_none()
            && let Ok(Some(item)) = tokio::time::timeout(QUIET, stream.next()).await
        {
            answer = self.screen(item);
            if self.order.record_len() >= BATCH {
                writer = write_blocking(writer, self.order.take_record()).await?;
            }
        }
        let answer = answer.unwrap_or_else(|| self.ended());
        if self.order.record_len() > 0 {
            writer = write_blocking(writer, self.order.take_record()).await?;
        }
        Ok((writer, answer))
    }

    /// The answer has no more.
    fn ended(&mut self) -> Answer {
        self.order.settle(&mut Vec::new());
        match self.tail.as_mut().map(Tail::missed) {
            Some(Err(_)) => Answer::Differs,
            None if self.order.last() >= self.until => Answer::Closed,
            Some(Ok(_)) | None => Answer::More,
        }
    }

    /// Takes an item, an unproved last line before it; says how the answer ends where it ends with it.
    fn screen(&mut self, item: Result<StreamItem, StreamError>) -> Option<Answer> {
        let Some(tail) = &mut self.tail else { return self.take(item) };
        match tail.screen(item) {
            Screened::Pass(_) | Screened::Kept => None,
            Screened::Proved(early) => {
                self.tail = None;
                early.into_iter().find_map(|item| self.take(item))
            }
            Screened::Differs => Some(Answer::Differs),
            Screened::Full => Some(Answer::More),
        }
    }

    fn take(&mut self, item: Result<StreamItem, StreamError>) -> Option<Answer> {
        let mut out = Vec::new();
        let effect = match item {
            Ok(StreamItem::Event { event, .. }) if event.seq > self.until => Effect::Nothing,
            Ok(StreamItem::Event { event, line }) => self.order.event(event, &line, true, &mut out),
            Err(StreamError::Protocol(error)) => self.order.rejected(error, &mut out),
            Err(StreamError::Transport(_)) => return Some(Answer::More),
            Ok(StreamItem::Keepalive | StreamItem::Partial) => Effect::Nothing,
        };
        match effect {
            Effect::Reread { .. } => Some(Answer::More),
            Effect::New | Effect::Nothing => (self.order.last() >= self.until).then_some(Answer::Closed),
        }
    }

    /// The file is of another history than the server's: it is written from the beginning.
    async fn begin_anew(&mut self, writer: Writer) -> Result<Writer, String> {
        self.order = Sequence::new(self.run_id, 0);
        self.order.record_after(Some(0));
        self.tail = None;
        let place = self.place.clone();
        let begun = tokio::task::spawn_blocking(move || begin_anew(&place, writer.into_lock())).await;
        let (writer, aside) = begun.map_err(|error| error.to_string())??;
        tracing::warn!(?aside, "the journal of the console before was of another history");
        Ok(writer)
    }
}
