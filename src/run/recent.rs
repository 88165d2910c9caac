//! The last records of one kind, oldest first, each found by a fingerprint of what it is known by.
//!
//! Owns the order and the search. Does not own how many records are kept, nor how large they are: whoever holds them
//! does. Rule: a fingerprint only says where to look; a record is the one that was sought if its holder says so. So
//! that a search costs the same few nanoseconds whether a record is known or not, the fingerprints stand side by side.

use std::collections::VecDeque;
use std::collections::vec_deque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Index;

use crate::api::ids::RequestId;

/// Records of one kind, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Recent<T> {
    records: VecDeque<T>,
    /// One for each record; before them those of records that were forgotten but would still be known.
    fingerprints: VecDeque<u32>,
}

/// What a search has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The record stands here.
    At(usize),
    /// There was such a record; it was forgotten.
    Forgotten,
    /// There is none.
    Nowhere,
}

/// What a record is looked up by. The same on every machine and in every process.
pub(super) fn fingerprint(step: u64, request: RequestId, rest: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    (step, request, rest).hash(&mut hasher);
    let hash = hasher.finish();
    u32::try_from(hash >> 32).unwrap_or_default()
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { records: VecDeque::new(), fingerprints: VecDeque::new() }
    }
}

impl<T> Recent<T> {
    /// The records, oldest first.
    #[must_use]
    pub fn iter(&self) -> vec_deque::Iter<'_, T> {
        self.records.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The newest.
    #[must_use]
    pub fn back(&self) -> Option<&T> {
        self.records.back()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.records.get_mut(place)
    }

    /// How many there are, those included that were forgotten and would still be known.
    pub(super) fn known(&self) -> usize {
        self.fingerprints.len()
    }

    /// Where the newest record of this fingerprint stands for which `is` holds.
    pub(super) fn find(&self, fingerprint: u32, is: impl Fn(&T) -> bool) -> Found {
        let forgotten = self.fingerprints.len() - self.records.len();
        let (front, back) = self.fingerprints.as_slices();
        let hits = |slice: &[u32]| slice.contains(&fingerprint);
        // Most of what is sought is new: that is known without a look at each place.
        if !hits(front) && !hits(back) {
            return Found::Nowhere;
        }
        for (place, known) in self.fingerprints.iter().enumerate().rev() {
            if *known == fingerprint {
                match place.checked_sub(forgotten) {
                    None => return Found::Forgotten,
                    Some(place) if self.records.get(place).is_some_and(&is) => return Found::At(place),
                    Some(_) => {}
                }
            }
        }
        Found::Nowhere
    }

    /// Adds a record and returns it.
    pub(super) fn push(&mut self, fingerprint: u32, record: T) -> usize {
        self.fingerprints.push_back(fingerprint);
        self.records.push_back(record);
        self.records.len() - 1
    }

    /// Takes the oldest away: the record, unless it was forgotten before.
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let whole = self.fingerprints.len() == self.records.len();
        self.fingerprints.pop_front();
        if whole { self.records.pop_front() } else { None }
    }

    /// Records of which nothing but their fingerprints is left.
    pub(super) fn of_forgotten(fingerprints: VecDeque<u32>) -> Self {
        Self { records: VecDeque::new(), fingerprints }
    }

    /// The fingerprints of all that would be known.
    pub(super) fn fingerprints(&self) -> &VecDeque<u32> {
        &self.fingerprints
    }

    /// The same with every record forgotten.
    #[cfg(test)]
    pub(super) fn forgotten(&self) -> Self {
        Self::of_forgotten(self.fingerprints.clone())
    }

    /// Gives back what is reserved beyond what is needed.
    pub(super) fn shrink(&mut self) {
        self.records.shrink_to_fit();
        self.fingerprints.shrink_to_fit();
    }
}

impl<T> Index<usize> for Recent<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.records[place]
    }
}

impl<'a, T> IntoIterator for &'a Recent<T> {
    type Item = &'a T;
    type IntoIter = vec_deque::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_records_of_one_fingerprint_are_told_apart_by_what_they_are() {
        let mut recent = Recent::default();
        recent.push(7, "a");
        recent.push(7, "b");
        assert_eq!(recent.find(7, |record| *record == "a"), Found::At(0));
        assert_eq!(recent.find(7, |record| *record == "b"), Found::At(1));
        assert_eq!(recent.find(7, |record| *record == "c"), Found::Nowhere);
        assert_eq!(recent.find(8, |record| *record == "a"), Found::Nowhere);
        assert_eq!(recent.pop_front(), Some("a"));
        assert_eq!(recent.find(7, |record| *record == "b"), Found::At(0));
    }
}
