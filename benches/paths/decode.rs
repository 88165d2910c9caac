//! A line of the stream to an event.

use criterion::Criterion;

pub fn bench(_criterion: &mut Criterion) {}
