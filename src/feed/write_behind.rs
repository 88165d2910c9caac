//! The task that writes a journal, beside the feed: the disk is waited for on a thread that may block.
//!
//! Rules: lines reach the file in the order in which they were sent here; after the first failure nothing more is
//! written, the operator is told once, and the run is followed all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::FeedUpdate;
use crate::store::journal::{WriteError, Writer};

/// Batches of lines that may wait for the disk; when it is full the feed waits.
const WAITING: usize = 8;

/// A disk that takes longer for one write hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// So many bytes are put together for one write: more would only be copied once more.
const TOGETHER: usize = 256 * 1024;

/// The way to the task.
#[derive(Debug)]
pub(super) struct WriteBehind {
    lines: mpsc::Sender<Vec<u8>>,
    /// Whether there is a writer: before, a hole is being closed.
    ready: Arc<AtomicBool>,
    task: JoinHandle<Option<Writer>>,
}

impl WriteBehind {
    /// Starts the task; `tell` hears of a failure.
    pub(super) fn start(writer: Writer, tell: mpsc::Sender<FeedUpdate>) -> Self {
        Self::run(WAITING, tell, std::future::ready(Ok(writer)))
    }

    /// Starts the task, which writes with what `writer` gives once it gives it.
    pub(super) fn run(
        room: usize,
        tell: mpsc::Sender<FeedUpdate>,
        writer: impl Future<Output = Result<Writer, String>> + Send + 'static,
    ) -> Self {
        let (lines, mut waiting) = mpsc::channel(room);
        let ready = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ready);
        let task = tokio::spawn(async move {
            let written = async {
                let writer = writer.await?;
                told.store(true, Ordering::Relaxed);
                write(writer, &mut waiting).await
            };
            match written.await {
                Ok(writer) => Some(writer),
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
    /// before there is a writer.
    pub(super) async fn place(&self) -> Option<mpsc::Permit<'_, Vec<u8>>> {
        if self.ready.load(Ordering::Relaxed) {
            return self.lines.reserve().await.ok();
        }
        self.lines.try_reserve().ok()
    }

    /// Whether nothing more is written.
    pub(super) fn has_failed(&self) -> bool {
        self.lines.is_closed()
    }

    /// Waits until everything is written; gives the writer back unless writing has failed.
    pub(super) async fn finish(self) -> Option<Writer> {
        drop(self.lines);
        self.task.await.ok().flatten()
    }
}

async fn write(mut writer: Writer, waiting: &mut mpsc::Receiver<Vec<u8>>) -> Result<Writer, String> {
    while let Some(mut lines) = waiting.recv().await {
        while lines.len() < TOGETHER
            && let Ok(more) = waiting.try_recv()
        {
            lines.extend_from_slice(&more);
        }
        writer = write_blocking(writer, lines).await?;
    }
    Ok(writer)
}

/// Writes on a thread that may block; gives the writer back, or why it is of no more use.
pub(super) async fn write_blocking(writer: Writer, lines: Vec<u8>) -> Result<Writer, String> {
    write_within(PATIENCE, writer, lines).await
}

async fn write_within(patience: Duration, mut writer: Writer, lines: Vec<u8>) -> Result<Writer, String> {
    let written = move || writer.write(&lines).map(|()| writer).map_err(|error: WriteError| error.to_string());
    off_the_loop(patience, written).await?
}

/// Does what may block on a thread of its own. A disk that hangs, such as one that is somewhere else, is not waited for:
/// the thread is left to it.
pub(super) async fn off_the_loop<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    match tokio::time::timeout(patience, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the disk has not answered for {} s", patience.as_secs_f32())),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::store::StateDir;
    use crate::store::journal::Journal;

    #[tokio::test]
    async fn a_disk_that_hangs_is_given_up() {
        let home = tempfile::tempdir().unwrap();
        let state = StateDir::open(home.path(), "https://a.example", crate::api::ids::RunId::random()).unwrap();
        let journal = Journal::of(&state);
        let writer = journal.writer(journal.lock().unwrap().unwrap(), 0).unwrap();
        let pipe = home.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Nobody reads what is written, until it is dropped.
        let open = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
        let reader = std::fs::File::open(&pipe).unwrap();
        let writer = writer.into_file(std::fs::File::options().write(true).open(&pipe).unwrap());
        drop(open);
        let given_up = write_within(Duration::from_millis(50), writer, vec![b'x'; 1 << 20]).await.unwrap_err();
        assert!(given_up.contains("has not answered"), "{given_up}");
        drop(reader);
    }
}
