//! The feed's journal: what is read from it at the start, what goes into it, and when it is begun anew.
//!
//! Owns the order of things: read what is there and give it out, let the server prove its last line ([`Tail`]), write
//! what is given out from then on ([`WriteBehind`]). A console that finds another one writing follows without, and takes over
//! when that one is gone ([`take_over`](super::take_over)).
//!
//! Rules: the run is followed whatever the disk does; nothing here waits for the disk on the feed's task but for a place
//! in the queue; what is in the file is what was given out, in that order, or a part from its beginning.

use std::time::Duration;

use jiff::Timestamp;

use super::file::{FileRead, Stop, Trust};
use super::follow::{End, Follower};
use super::outbox::Closed;
use super::recorder::Recorder;
use super::replay::read_and_send;
use super::sequence::{REREADS, Sequence};
use super::source::Source;
use super::tail::{Screened, Tail};
use super::take_over::Watch;
use super::write_behind::{PATIENCE, WriteBehind, off_the_loop};
use super::{FeedUpdate, LinkState};
use crate::api::client::StreamItem;
use crate::api::error::StreamError;
use crate::store;
use crate::store::journal::{Lines, Lock, Writer};

/// Setting a damaged journal aside copies what is sound of it, which may take longer than one write. A disk that takes
/// still longer hangs: the run is followed without a journal then.
const MENDING: Duration = Duration::from_secs(60);

/// The journal of a feed that has one.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) place: store::journal::Journal,
    /// Its last line, until the server has shown it again.
    pub(super) tail: Option<Tail>,
    /// Writes; `None` where another console does, or nobody can.
    pub(super) write_behind: Option<WriteBehind>,
    /// Looks whether the console that writes is gone.
    pub(super) watch: Option<Watch>,
    /// Whose the writer is, where it is written for somebody else: nothing is read then.
    recorder: Option<Recorder>,
}

impl Journal {
    pub(super) fn new(place: store::journal::Journal) -> Self {
        Self { place, tail: None, write_behind: None, watch: None, recorder: None }
    }

    /// What is given out is written for `recorder`.
    pub(super) fn recorded(recorder: &Recorder) -> Self {
        Self { recorder: Some(recorder.clone()), ..Self::new(recorder.place().clone()) }
    }
}

/// A journal as it was found: who may write it, and its lines or why it has none that can be used.
pub(super) struct Found {
    pub(super) lock: Result<Option<Lock>, String>,
    pub(super) lines: Result<Option<Lines<std::fs::File>>, String>,
}

/// Looks at a journal. Blocks.
pub(super) fn find(place: &store::journal::Journal) -> Found {
    Found {
        lock: place.lock().map_err(|error| error.to_string()),
        lines: place.lines().map_err(|error| error.to_string()),
    }
}

/// Makes a journal ready to be written behind what was read of it; what cannot be used is set aside or cut off. Returns
/// why it cannot be written, as `Err`, and what the operator is to know. Blocks.
pub(super) fn mend(
    place: &store::journal::Journal,
    lock: Lock,
    read: &Result<(u64, Stop), String>,
    at: Timestamp,
) -> (Result<Writer, String>, Option<String>) {
    let aside = |lock: &Lock, end: u64| {
        let result = if end == 0 { place.set_aside(lock, at) } else { place.set_aside_behind(lock, end, at) };
        result.map_err(|error| error.to_string())
    };
    let name = place.path();
    let name = name.display();
    let (end, wrong) = match read {
        Ok((end, Stop::End | Stop::Closed)) => (*end, None),
        Ok((end, Stop::Torn)) => {
            tracing::info!(path = %name, "the last line of the journal was not whole and is cut off");
            (*end, None)
        }
        Ok((end, Stop::Damaged { line, why })) => (*end, Some(format!("is damaged in line {line}: {why}"))),
        // What cannot be read is better not written either.
        Ok((_, Stop::Unreadable(why))) => return (Err(format!("{name} cannot be read: {why}")), None),
        Err(why) => (0, Some(format!("cannot be used: {why}"))),
    };
    let mut said = None;
    if let Some(wrong) = wrong {
        match aside(&lock, end) {
            Ok(aside) => {
                let aside =
                    aside.map_or_else(String::new, |aside| format!("; it was set aside as {}", aside.display()));
                said = Some(format!("the journal {name} {wrong}{aside}"));
            }
            Err(why) => return (Err(format!("{name} {wrong}, and cannot be set aside: {why}")), None),
        }
    }
    (place.writer(lock, end).map_err(|error| error.to_string()), said)
}

impl<S: Source> Follower<S> {
    /// Reads the journal and gives out what it holds, before anything is asked of the server.
    pub(super) async fn open_journal(&mut self) -> Result<(), Closed> {
        let Some(journal) = &self.journal else { return Ok(()) };
        if let Some(recorder) = &journal.recorder {
            let writer = recorder.take();
            self.sequence.record_after(Some(self.sequence.last()));
            if let Some(writer) = writer {
                self.write_with(writer);
            }
            return Ok(());
        }
        let place = journal.place.clone();
        let run_id = self.sequence.run_id();
        let looked = place.clone();
        let Found { lock, lines } = match off_the_loop(PATIENCE, move || find(&looked)).await {
            Ok(found) => found,
            Err(why) => return self.no_journal(&why).await,
        };
        let read = match lines {
            Ok(Some(lines)) => {
                self.outbox.link(LinkState::CatchingUp { applied: 0 }).await?;
                let order = Sequence::new(run_id, 0).with_lines(self.config.lines);
                let read = read_and_send(lines, order, Trust::Journal, &mut self.outbox).await?;
                if let Some(read) = read {
                    Ok(self.adopt(read))
                } else {
                    self.outbox
                        .send(FeedUpdate::Restarted { why: "the journal was not read to its end".into() })
                        .await?;
                    Ok((0, Stop::Unreadable("its reader has failed".into())))
                }
            }
            Ok(None) => Ok((0, Stop::End)),
            Err(why) => Err(why),
        };
        self.sequence.record_after(Some(self.sequence.last()));
        match lock {
            Ok(Some(lock)) => {
                let mended = off_the_loop(MENDING, move || mend(&place, lock, &read, Timestamp::now())).await;
                let (writer, said) = mended.unwrap_or_else(|why| (Err(why), None));
                if let Some(said) = said {
                    let said = format!("{said}. What it does not hold is read from the server");
                    self.outbox.send(FeedUpdate::Journal(said)).await?;
                }
                match writer {
                    Ok(writer) => self.write_with(writer),
                    Err(why) => self.no_journal(&why).await?,
                }
                Ok(())
            }
            Ok(None) => {
                tracing::info!(?read, "another console writes the journal of this run");
                if let Some(journal) = &mut self.journal {
                    journal.watch = Some(Watch::start(journal.place.clone(), run_id, self.signals.clone()));
                }
                Ok(())
            }
            Err(why) => self.no_journal(&why).await,
        }
    }

    /// Goes on behind what was read; the server has to show its last line again.
    fn adopt(&mut self, read: FileRead) -> (u64, Stop) {
        self.sequence = read.sequence.with_rereads(REREADS);
        self.sequence.take_given();
        self.run_ended = self.sequence.run_ended();
        if let (Some(journal), Some(line)) = (&mut self.journal, read.tail) {
            journal.tail = Some(Tail::new(self.sequence.run_id(), self.sequence.last(), line));
        }
        (read.end, read.stop)
    }

    pub(super) fn write_with(&mut self, writer: Writer) {
        if let Some(journal) = &mut self.journal {
            journal.write_behind = Some(WriteBehind::start(writer, self.outbox.listener()));
        }
    }

    async fn no_journal(&mut self, why: &str) -> Result<(), Closed> {
        tracing::warn!(why, "no journal is written");
        let text = format!("the journal is not written: {why}. The run is followed all the same");
        self.outbox.send(FeedUpdate::Journal(text)).await
    }

    /// Gives what was given out to the one who writes it.
    pub(super) async fn record(&mut self) {
        if self.sequence.record_len() == 0 {
            return;
        }
        // The record is taken only when there is a place for it: this wait may be given up.
        if let Some(write_behind) = self.journal.as_ref().and_then(|journal| journal.write_behind.as_ref())
            && let Some(place) = write_behind.place().await
        {
            return place.send(self.sequence.take_record());
        }
        drop(self.sequence.take_record());
        if let Some(write_behind) = self.journal.as_mut().and_then(|journal| journal.write_behind.take())
            && !write_behind.has_failed()
        {
            // A failure has been said already. A receiver that is gone is noticed elsewhere.
            let _ = self.no_journal("too much has come while a hole in it was closed").await;
        }
    }

    /// Writes what is still to be written.
    pub(super) async fn close_journal(&mut self) {
        self.record().await;
        let Some(journal) = &mut self.journal else { return };
        let Some(write_behind) = journal.write_behind.take() else { return };
        let writer = write_behind.finish().await;
        if let (Some(recorder), Some(writer)) = (&journal.recorder, writer) {
            recorder.give_back(writer);
        }
    }

    /// Events after this seq are to be asked for: the last one again while the journal is unproved.
    pub(super) fn ask_after(&self) -> u64 {
        self.unproved().map_or(self.sequence.last(), Tail::ask_after)
    }

    pub(super) fn unproved(&self) -> Option<&Tail> {
        self.journal.as_ref()?.tail.as_ref()
    }

    /// Lets an unproved journal see an item first; returns those that go their way.
    pub(super) fn screen(
        &mut self,
        item: Result<StreamItem, StreamError>,
    ) -> Result<Vec<Result<StreamItem, StreamError>>, End> {
        let Some(journal) = &mut self.journal else { return Ok(vec![item]) };
        let Some(tail) = &mut journal.tail else { return Ok(vec![item]) };
        match tail.screen(item) {
            Screened::Pass(item) => Ok(vec![item]),
            Screened::Kept => Ok(Vec::new()),
            Screened::Proved(early) => {
                journal.tail = None;
                Ok(early)
            }
            Screened::Differs => Err(End::Restart { why: Screened::differs(self.sequence.last()) }),
            Screened::Full => Err(missed(tail)),
        }
    }

    /// A history has ended: a journal that it did not prove is asked for again, and given up in the end.
    pub(super) fn history_ended(&mut self) -> Result<(), End> {
        match self.journal.as_mut().and_then(|journal| journal.tail.as_mut()) {
            Some(tail) => Err(missed(tail)),
            None => Ok(()),
        }
    }

    /// Another connection is made.
    pub(super) fn forget_early(&mut self) {
        if let Some(tail) = self.journal.as_mut().and_then(|journal| journal.tail.as_mut()) {
            tail.forget();
        }
    }

    /// Begins anew: the journal on disk is of another history than the server's.
    pub(super) async fn restart(&mut self, why: String) -> Result<(), Closed> {
        tracing::warn!(why, "what was read is not the server's: the run begins anew");
        let config = self.config;
        self.sequence = Sequence::new(self.sequence.run_id(), 0).with_lines(config.lines);
        self.run_ended = false;
        self.endless = 0;
        self.outbox.discard();
        // What was written for somebody else is of no more use.
        self.journal.take_if(|journal| journal.recorder.is_some());
        let Some(journal) = &mut self.journal else {
            return self.outbox.send(FeedUpdate::Restarted { why }).await;
        };
        self.sequence.record_after(Some(0));
        journal.tail = None;
        let mut said = None;
        if let Some(write_behind) = journal.write_behind.take()
            && let Some(writer) = write_behind.finish().await
        {
            let place = journal.place.clone();
            match off_the_loop(PATIENCE, move || begin_anew(&place, writer.into_lock())).await.and_then(|begun| begun) {
                Ok((writer, aside)) => {
                    said = aside;
                    self.write_with(writer);
                }
                Err(why) => self.no_journal(&why).await?,
            }
        }
        let why = said.map_or_else(|| why.clone(), |aside| format!("{why}; the journal was set aside as {aside}"));
        self.outbox.send(FeedUpdate::Restarted { why }).await
    }
}

/// Sets the journal aside and opens an empty one. Blocks.
pub(super) fn begin_anew(place: &store::journal::Journal, lock: Lock) -> Result<(Writer, Option<String>), String> {
    let aside = place.set_aside(&lock, Timestamp::now()).map_err(|error| error.to_string())?;
    let writer = place.writer(lock, 0).map_err(|error| error.to_string())?;
    Ok((writer, aside.map(|aside| aside.display().to_string())))
}

fn missed(tail: &mut Tail) -> End {
    match tail.missed() {
        Ok(cause) => End::Failed { cause, class: None, retry_after: None },
        Err(why) => End::Restart { why },
    }
}
