//! A file as the source of a run: read to its end, once.
//!
//! Owns what stands round the reading: which run the file holds, and what the link's state is meanwhile. The rule that
//! must stay true: whatever the file holds, memory is bounded, and what is odd in it is counted and not fatal.

use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::file::{self, FileRead, Stop, Trust};
use super::outbox::{Closed, Outbox};
use super::sequence::Sequence;
use super::write_behind::PATIENCE;
use super::{Feed, FeedHandle, FeedItem, FeedUpdate, LinkState, Signals};
use crate::api::error::Class;
use crate::api::event::{Decoded, decode};
use crate::api::ids::RunId;
use crate::api::ndjson::Line;
use crate::store::journal::Lines;
use crate::store::private_file;

/// The first event is looked for in so many bytes.
const LOOKED_THROUGH: u64 = 64 * 1024 * 1024;

/// Batches between the thread that reads and the task that sends.
const BATCHES: usize = 4;

/// A file with the events of a run: a journal, or what `events --raw` has written.
#[derive(Debug)]
pub struct ReplayFile {
    path: PathBuf,
    file: File,
    run_id: RunId,
}

/// Why a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} holds no events of a run; a journal (events.ndjson) is wanted, or what events --raw prints", path.display())]
    NoEvents {
        /// The file.
        path: PathBuf,
    },
}

impl ReplayFile {
    /// Opens a file and reads as far as its first event. Blocks.
    ///
    /// # Errors
    /// When it cannot be read, is not a regular file, or has no event near its beginning.
    pub fn open(path: &Path) -> Result<Self, ReplayError> {
        let opened = private_file::open_named(path);
        Self::of(path, opened.map_err(|source| ReplayError::Unreadable { path: path.to_path_buf(), source })?)
    }

    /// The same of a file that is open already and stands at its beginning; `path` is what people call it. Blocks.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of(path: &Path, mut file: File) -> Result<Self, ReplayError> {
        let unreadable = |source| ReplayError::Unreadable { path: path.to_path_buf(), source };
        let run_id = first_run_id(&file).map_err(unreadable)?;
        let run_id = run_id.ok_or_else(|| ReplayError::NoEvents { path: path.to_path_buf() })?;
        file.rewind().map_err(unreadable)?;
        Ok(Self { path: path.to_path_buf(), file, run_id })
    }

    /// The run of its first event; events of others are rejected.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.run_id
    }
}

fn first_run_id(file: &File) -> io::Result<Option<RunId>> {
    let mut lines = Lines::new(file, 0, LOOKED_THROUGH);
    while let Some(found) = lines.next_line()? {
        if let Line::Whole(line) = found.line
            && let Ok(Decoded::Event(event)) = decode(&line)
        {
            return Ok(Some(event.run_id));
        }
    }
    Ok(None)
}

impl Feed {
    /// Starts a task that says everything that stands in a file into `tx`: `CatchingUp` and items, then `Ended` where
    /// the run's last event was among them, `EndOfFile` where it was not, `Refused` where reading has failed. Then the
    /// feed ends. Needs a tokio runtime.
    #[must_use = "dropping the handle stops the feed"]
    pub fn replay(file: ReplayFile, tx: mpsc::Sender<FeedUpdate>) -> FeedHandle {
        let signals = Arc::new(Signals::default());
        let stop = signals.stop.clone();
        let finished = signals.finished.clone().drop_guard();
        let told = Arc::clone(&signals);
        tokio::spawn(async move {
            let _finished = finished;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = replay(file, Outbox::new(tx), &told) => {}
            }
        });
        FeedHandle { signals }
    }
}

async fn replay(source: ReplayFile, mut outbox: Outbox, signals: &Signals) -> Result<(), Closed> {
    outbox.link(LinkState::CatchingUp { applied: 0 }).await?;
    let ReplayFile { path, file, run_id } = source;
    let lines = Lines::new(file, 0, u64::MAX);
    let read = read_and_send(lines, Sequence::new(run_id, 0), Trust::Nothing, &mut outbox).await?;
    signals.bytes.store(read.as_ref().map_or(0, |read| read.end), Ordering::Relaxed);
    let end = match read.map(|read| (read.stop, read.sequence.run_ended())) {
        Some((Stop::Unreadable(why), _)) => {
            let cause = format!("cannot read {}: {why}", path.display());
            LinkState::Refused { cause, class: Class::Unavailable }
        }
        Some((_, true)) => LinkState::Ended,
        Some((_, false)) => LinkState::EndOfFile,
        None => LinkState::Refused { cause: "the file was not read to its end".into(), class: Class::Unavailable },
    };
    outbox.link(end).await
}

/// Reads on a thread of its own and sends on what it gives. `None` where that thread has failed, or the disk hangs.
pub(super) async fn read_and_send(
    lines: Lines<File>,
    sequence: Sequence,
    trust: Trust,
    outbox: &mut Outbox,
) -> Result<Option<FileRead>, Closed> {
    send_within(PATIENCE, lines, sequence, trust, outbox).await
}

/// The same; a disk that gives nothing for longer than `patience` hangs, and the thread is left to it.
pub(super) async fn send_within(
    patience: Duration,
    lines: Lines<File>,
    sequence: Sequence,
    trust: Trust,
    outbox: &mut Outbox,
) -> Result<Option<FileRead>, Closed> {
    let (give, mut batches) = mpsc::channel::<Vec<FeedItem>>(BATCHES);
    let reading = tokio::task::spawn_blocking(move || {
        file::read(lines, sequence, trust, |items| give.blocking_send(items).is_ok())
    });
    let mut applied = 0;
    loop {
        let Ok(items) = tokio::time::timeout(patience, batches.recv()).await else {
            tracing::error!(?patience, "the disk has not answered for too long");
            return Ok(None);
        };
        let Some(items) = items else { break };
        applied += items.iter().filter(|item| takes_a_place(item)).count() as u64;
        outbox.send(FeedUpdate::Items(items)).await?;
        outbox.link(LinkState::CatchingUp { applied }).await?;
    }
    Ok(reading.await.inspect_err(|error| tracing::error!(%error, "the reader of a file has failed")).ok())
}

fn takes_a_place(item: &FeedItem) -> bool {
    match item {
        FeedItem::Event(_) => true,
        FeedItem::Rejected(error) => error.seq.is_some(),
        FeedItem::Line(_) | FeedItem::Gap { .. } | FeedItem::Duplicates(_) => false,
    }
}
