//! Events into the model of a run.

use criterion::Criterion;

pub fn bench(_criterion: &mut Criterion) {}
