//! Keeping what is read as the run's journal, by one who reads from the first event whatever stands on disk.
//!
//! Owns the file from its opening beside the journal to its taking the journal's place. One feed after the other writes
//! it: each begins behind the last one's events. Rule: the journal that stands there is touched only by [`Recorder::keep`];
//! without it, or after a write that failed, everything stands as it was.

use std::sync::{Arc, Mutex, PoisonError};

use super::write_behind::{PATIENCE, off_the_loop};
use crate::store::StoreError;
use crate::store::journal::{Journal, Writer};

/// What feeds write for somebody else to keep. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    place: Journal,
    /// `None` while a feed writes with it, and once writing has failed.
    writer: Arc<Mutex<Option<Writer>>>,
}

impl Recorder {
    /// Begins a file beside the journal that `place` names, on a thread that may block; `None` where a console writes
    /// that journal.
    ///
    /// # Errors
    /// When it cannot be written, in words.
    pub async fn open(
        place: impl FnOnce() -> Result<Journal, StoreError> + Send + 'static,
    ) -> Result<Option<Self>, String> {
        let opened = off_the_loop(PATIENCE, move || -> Result<Option<Self>, StoreError> {
            let place = place()?;
            let Some(lock) = place.lock()? else { return Ok(None) };
            let writer = Arc::new(Mutex::new(Some(place.writer_beside(lock)?)));
            Ok(Some(Self { place, writer }))
        });
        opened.await?.map_err(|error| error.to_string())
    }

    pub(super) fn place(&self) -> &Journal {
        &self.place
    }

    /// The writer, for a feed that gives it back when it ends.
    pub(super) fn take(&self) -> Option<Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn give_back(&self, writer: Writer) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    }

    /// Puts what was written into the journal's place; call it when every feed has ended. Nothing is done where nothing
    /// was written, or writing has failed, which the feed has said.
    ///
    /// # Errors
    /// When the disk refuses, in words.
    pub async fn keep(self) -> Result<(), String> {
        let Some(writer) = self.take().filter(|writer| !writer.is_empty()) else { return Ok(()) };
        let kept = off_the_loop(PATIENCE, move || self.place.put_in_place(writer).map(drop));
        kept.await?.map_err(|error| error.to_string())
    }
}
