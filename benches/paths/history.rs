//! The model at any event of a run.

use criterion::Criterion;

pub fn bench(_criterion: &mut Criterion) {}
