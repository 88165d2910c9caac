//! The model at an earlier event: from the checkpoint before it, the journal, and what memory still has.
//!
//! Owns that these are put together, and finding milestones. Rules: what comes out has the facts that the console had
//! when that event was the last; contents of before the checkpoint are counted as dropped; a place that neither disk nor
//! memory has is an error, never a model of another moment. Blocks: not for the loop.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use crate::api::ids::RunId;
use crate::app::past::RECENT;
use crate::app::{PastRequest, Wish};
use crate::feed::{FeedItem, past};
use crate::run::history::Entry;
use crate::run::{Base, Run, is_milestone};

/// After so many items it is asked whether the model is still wanted.
const ASK: u32 = 1024;

/// The model at the event `seq`, or as near before it as the file goes. `journal` says whether the file is one of ours,
/// which ends where it is damaged.
///
/// # Errors
/// When the file cannot be read.
pub fn model_at(base: &Base, path: &Path, journal: bool, seq: u64) -> io::Result<Run> {
    let mut run = base.run();
    if run.last_seq < seq {
        past::read_again(path, run.run_id, run.last_seq, journal, |item| take(&mut run, seq, item).is_continue())?;
    }
    Ok(run)
}

/// Takes an item in unless it stands behind `seq`; breaks where there is nothing more to come up to there. A gap that
/// reaches beyond is not taken: who goes back goes to the event before it.
fn take(run: &mut Run, seq: u64, item: FeedItem) -> ControlFlow<()> {
    let entry = match item {
        FeedItem::Gap { last, .. } if last > seq => return ControlFlow::Break(()),
        FeedItem::Event(event) => Entry::Event(event),
        FeedItem::Rejected(error) => Entry::Rejected(error),
        FeedItem::Gap { first, last } => Entry::Gap { first, last },
        FeedItem::Duplicates(count) => {
            run.counts.duplicates += count;
            return ControlFlow::Continue(());
        }
        FeedItem::Line(_) => return ControlFlow::Continue(()),
    };
    if run.take_up_to(seq, entry) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

/// A way from one event of the run to an earlier or later one.
pub(super) struct Journey<'a> {
    pub(super) run_id: RunId,
    /// Where the events stand on disk, and whether that is a journal of ours.
    pub(super) file: Option<(&'a Path, bool)>,
    pub(super) request: &'a PastRequest,
    pub(super) is_wanted: &'a dyn Fn() -> bool,
}

/// Why a journey came to no model.
enum Lost {
    /// Nobody wants it any more.
    Unwanted,
    /// In words.
    Because(String),
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self::Because(error.to_string())
    }
}

impl Journey<'_> {
    /// The model where the journey ends; `None` in place of it where there is no such milestone; nothing at all where it
    /// is not wanted any more.
    pub(super) fn end(&self) -> Option<Result<Option<Box<Run>>, String>> {
        let PastRequest { from, wish, .. } = *self.request;
        let model = match wish {
            Wish::Events(by) if by < 0 => {
                self.back_to(&self.request.base, from.saturating_add_signed(by).max(1)).map(Some)
            }
            Wish::Events(by) => self.forth_to(from.saturating_add_signed(by)).map(Some),
            Wish::Milestones(by) if by < 0 => self.milestone_before(from, by.unsigned_abs()),
            Wish::Milestones(by) => self.milestone_after(from, by.unsigned_abs()),
        };
        match model {
            Ok(run) => Some(Ok(run.map(Box::new))),
            Err(Lost::Because(why)) => Some(Err(why)),
            Err(Lost::Unwanted) => None,
        }
    }

    /// The model at `seq`, or before the gap that it stands in.
    fn back_to(&self, base: &Base, seq: u64) -> Result<Run, Lost> {
        let mut run = base.run();
        if run.last_seq < seq {
            self.each_behind(run.last_seq, |item| take(&mut run, seq, item))?;
        }
        Ok(run)
    }

    /// The model at `seq`, or at the end of the gap that it stands in.
    fn forth_to(&self, seq: u64) -> Result<Run, Lost> {
        let mut run = self.beginning();
        if run.last_seq < seq {
            self.each_behind(run.last_seq, |item| {
                let _ = take(&mut run, u64::MAX, item);
                if run.last_seq < seq { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        Ok(run)
    }

    /// Where the way forth begins: at the model that is shown, unless a checkpoint is nearer.
    fn beginning(&self) -> Run {
        let shown = self.request.model.as_ref().filter(|shown| shown.last_seq >= self.request.base.seq());
        shown.map_or_else(|| self.request.base.run(), |shown| Run::clone(shown))
    }

    /// The model at the milestone that is `count` before the event `from`, or at the first one. They are looked for from
    /// checkpoint to checkpoint, the newest part first.
    fn milestone_before(&self, from: u64, count: u64) -> Result<Option<Run>, Lost> {
        let mut base = self.request.base.clone();
        let mut last = from.saturating_sub(1);
        let mut found = Vec::new();
        loop {
            let mut here = Vec::new();
            if last > base.seq() {
                self.each_behind(base.seq(), |item| {
                    here.extend(milestone(&item).filter(|seq| *seq <= last));
                    if reaches(&item, last) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })?;
            }
            found.extend(here.into_iter().rev());
            match base.earlier() {
                Some(earlier) if (found.len() as u64) < count => (last, base) = (base.seq(), earlier),
                _ => break,
            }
        }
        let wanted = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX).min(found.len().saturating_sub(1));
        let Some(seq) = found.get(wanted).copied() else { return Ok(None) };
        while base.seq() > seq.saturating_sub(RECENT)
            && let Some(earlier) = base.earlier()
        {
            base = earlier;
        }
        self.back_to(&base, seq).map(Some)
    }

    /// The model at the milestone that is `count` behind the event `from`, or at the last one.
    fn milestone_after(&self, from: u64, count: u64) -> Result<Option<Run>, Lost> {
        let (mut found, mut left, through) = (None, count, self.request.through);
        self.each_behind(from, |item| {
            if let Some(seq) = milestone(&item).filter(|seq| *seq <= through) {
                (found, left) = (Some(seq), left.saturating_sub(1));
            }
            if left == 0 || reaches(&item, through) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        found.map(|seq| self.forth_to(seq)).transpose()
    }

    /// Gives what stands behind the event `after`, from disk and then from memory, until `take` breaks. That it does not
    /// is an error: what it waits for stands nowhere.
    fn each_behind(&self, after: u64, take: impl FnMut(FeedItem) -> ControlFlow<()>) -> Result<(), Lost> {
        let mut walk = Walk { take, is_wanted: self.is_wanted, given: 0, last: after, state: Walking::On };
        if let Some((path, journal)) = self.file {
            match past::read_again(path, self.run_id, after, journal, |item| walk.give(item)) {
                Err(error) if journal && error.kind() == io::ErrorKind::NotFound => {}
                read => read?,
            }
        }
        if walk.state == Walking::On && self.request.recent_from <= walk.last.saturating_add(1) {
            let on_disk = walk.last;
            let rest = self.request.recent.iter().skip_while(|entry| entry.seq().is_none_or(|seq| seq <= on_disk));
            rest.map(item_of).all(|item| walk.give(item));
        }
        match walk.state {
            Walking::There => Ok(()),
            Walking::Unwanted => Err(Lost::Unwanted),
            Walking::On if self.file.is_none() => {
                Err(Lost::Because("no journal is kept, and memory has only the newest events".into()))
            }
            Walking::On => Err(Lost::Because(format!("the events on disk end with event {}", walk.last))),
        }
    }
}

/// Items given one by one.
struct Walk<'a, T> {
    take: T,
    is_wanted: &'a dyn Fn() -> bool,
    given: u32,
    /// The last seq that was given.
    last: u64,
    state: Walking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walking {
    On,
    There,
    Unwanted,
}

impl<T: FnMut(FeedItem) -> ControlFlow<()>> Walk<'_, T> {
    /// Gives an item; false where no more is wanted.
    fn give(&mut self, item: FeedItem) -> bool {
        if self.given.is_multiple_of(ASK) && !(self.is_wanted)() {
            self.state = Walking::Unwanted;
            return false;
        }
        self.given = self.given.wrapping_add(1);
        self.last = last_of(&item).map_or(self.last, |seq| seq.max(self.last));
        if (self.take)(item).is_break() {
            self.state = Walking::There;
        }
        self.state == Walking::On
    }
}

fn item_of(entry: &Entry) -> FeedItem {
    match entry {
        Entry::Event(event) => FeedItem::Event(event.clone()),
        Entry::Rejected(error) => FeedItem::Rejected(error.clone()),
        Entry::Gap { first, last } => FeedItem::Gap { first: *first, last: *last },
    }
}

/// The last seq whose place an item takes.
fn last_of(item: &FeedItem) -> Option<u64> {
    match item {
        FeedItem::Event(event) => Some(event.seq),
        FeedItem::Rejected(error) => error.seq,
        FeedItem::Gap { last, .. } => Some(*last),
        FeedItem::Line(_) | FeedItem::Duplicates(_) => None,
    }
}

fn reaches(item: &FeedItem, seq: u64) -> bool {
    last_of(item).is_some_and(|last| last >= seq)
}

fn milestone(item: &FeedItem) -> Option<u64> {
    match item {
        FeedItem::Event(event) if is_milestone(&event.body) => Some(event.seq),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
