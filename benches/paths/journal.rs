//! Writing and opening a journal.

use criterion::Criterion;

pub fn bench(_criterion: &mut Criterion) {}
