//! Fuzz targets that run on stable Rust as part of the suite, a second each.
//!
//! Each begins with a committed corpus of small cases (`tests/corpus/<target>/`) and goes on with mutations of them. A
//! target states properties, not only that nothing panics. `RELAY_CONSOLE_FUZZ_SECONDS` gives each target more time,
//! `RELAY_CONSOLE_FUZZ_SEED` other mutations; `--nocapture` shows how many cases were run. An input that breaks a
//! property is written to the directory for temporary files: put it into the corpus with the mend.

mod given;
mod lines;
mod mutator;
mod stored;
mod text;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutator::Mutator;

/// Inputs are no longer than this: the properties know no other scale.
const MOST_BYTES: usize = 1 << 14;

/// A variable's number, or what stands in for it.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus")).join(target);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", dir.display());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Runs a target: its corpus as it is, then mutations until the time is over.
#[expect(clippy::print_stdout, reason = "shown with --nocapture, or where it failed")]
fn fuzz(target: &str, dictionary: &[&[u8]], mut property: impl FnMut(&[u8])) {
    let corpus = corpus(target);
    let seed = number("RELAY_CONSOLE_FUZZ_SEED", 1);
    let end = Instant::now() + Duration::from_secs(number("RELAY_CONSOLE_FUZZ_SECONDS", 1));
    let mut held = |input: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(input))) {
            let path = std::env::temp_dir().join(format!("relay-console-fuzz-{target}"));
            std::fs::write(&path, input).unwrap();
            println!("{target}: broken by {} (seed {seed}): {}", path.display(), input.escape_ascii());
            resume_unwind(panic);
        }
    };
    for input in &corpus {
        held(input);
    }
    let mut mutator = Mutator::new(seed, &corpus, dictionary);
    let mut cases = corpus.len();
    while Instant::now() < end {
        held(&mutator.next(MOST_BYTES));
        cases += 1;
    }
    println!("fuzz {target}: {cases} cases of {} seeds, seed {seed}", corpus.len());
}
