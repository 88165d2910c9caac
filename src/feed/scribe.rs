//! The task that writes a journal, beside the feed: the disk is waited for on a thread that may block.
//!
//! Rules: lines reach the file in the order in which they were sent here; after the first failure nothing more is
//! written, the operator is told once, and the run is followed all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::FeedUpdate;
use crate::store::journal::{Pen, PenError};

/// Batches of lines that may wait for the disk; when it is full the feed waits.
const WAITING: usize = 16;

/// So many bytes are put together for one write.
const TOGETHER: usize = 1024 * 1024;

/// The way to the task.
#[derive(Debug)]
pub(super) struct Scribe {
    lines: mpsc::Sender<Vec<u8>>,
    /// Whether there is a pen: before, a hole is being closed.
    ready: Arc<AtomicBool>,
    task: JoinHandle<Option<Pen>>,
}

impl Scribe {
    /// Starts the task; `tell` hears of a failure.
    pub(super) fn start(pen: Pen, tell: mpsc::Sender<FeedUpdate>) -> Self {
        Self::run(WAITING, tell, std::future::ready(Ok(pen)))
    }

    /// Starts the task, which writes with what `pen` gives once it gives it.
    pub(super) fn run(
        room: usize,
        tell: mpsc::Sender<FeedUpdate>,
        pen: impl Future<Output = Result<Pen, String>> + Send + 'static,
    ) -> Self {
        let (lines, mut waiting) = mpsc::channel(room);
        let ready = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ready);
        let task = tokio::spawn(async move {
            let written = async {
                let pen = pen.await?;
                told.store(true, Ordering::Relaxed);
                write(pen, &mut waiting).await
            };
            match written.await {
                Ok(pen) => Some(pen),
                Err(why) => {
                    // Closed before the operator is told, which may wait for a place: the feed must not wait meanwhile.
                    drop(waiting);
                    let text = format!("the journal is not written any more: {why}. The run is followed all the same");
                    let _ = tell.send(FeedUpdate::Journal(text)).await;
                    None
                }
            }
        });
        Self { lines, ready, task }
    }

    /// A place for whole lines; `None` where nothing more is written. It is waited for while the disk works, and not
    /// before there is a pen.
    pub(super) async fn place(&self) -> Option<mpsc::Permit<'_, Vec<u8>>> {
        if self.ready.load(Ordering::Relaxed) {
            return self.lines.reserve().await.ok();
        }
        self.lines.try_reserve().ok()
    }

    /// Waits until everything is written; gives the pen back unless writing has failed.
    pub(super) async fn finish(self) -> Option<Pen> {
        drop(self.lines);
        self.task.await.ok().flatten()
    }
}

async fn write(mut pen: Pen, waiting: &mut mpsc::Receiver<Vec<u8>>) -> Result<Pen, String> {
    while let Some(mut lines) = waiting.recv().await {
        while lines.len() < TOGETHER
            && let Ok(more) = waiting.try_recv()
        {
            lines.extend_from_slice(&more);
        }
        pen = write_blocking(pen, lines).await?;
    }
    Ok(pen)
}

/// Writes on a thread that may block; gives the pen back, or why it is of no more use.
pub(super) async fn write_blocking(mut pen: Pen, lines: Vec<u8>) -> Result<Pen, String> {
    let written = tokio::task::spawn_blocking(move || pen.write(&lines).map(|()| pen)).await;
    match written {
        Ok(result) => result.map_err(|error: PenError| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
