//! Clearing up journals that nobody needs any more: those untouched for a month, then the oldest over a bound in all.
//!
//! Rules: a journal is a cache, and only caches are removed: a run with an unsent draft or an intent keeps everything,
//! ended drafts stay, and a journal that another console has open is left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::{BESIDE_NAME, FILE_NAME, LOCK_NAME, Lock, set_aside_in};
use crate::store::StateDir;
use crate::store::intents::{INTENTS_DIR, IntentStore};
use crate::store::state_dir::{self, DRAFTS_DIR};

/// A journal that nobody has touched for so long goes.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// All journals together may have so many bytes.
pub const KEPT_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// What was cleared up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pruned {
    /// Runs whose journal was removed.
    runs: u64,
    bytes: u64,
}

/// The journals of one run.
struct Kept {
    dir: PathBuf,
    files: Vec<PathBuf>,
    bytes: u64,
    touched: SystemTime,
}

/// Clears up beside `own`, on every server. Blocks. What cannot be removed stays; the log says what was done.
pub fn prune(own: &StateDir, now: SystemTime) {
    let Pruned { runs, bytes } = prune_to(own, now, KEPT_BYTES);
    if runs > 0 {
        tracing::info!(runs, bytes, "old journals were removed");
    }
}

fn prune_to(own: &StateDir, now: SystemTime, kept_bytes: u64) -> Pruned {
    let Some(program) = own.path().parent().and_then(Path::parent) else { return Pruned::default() };
    let mut kept: Vec<Kept> = state_dir::runs(program).into_iter().filter_map(journals_in).collect();
    kept.sort_by_key(|kept| kept.touched);
    let mut bytes: u64 = kept.iter().map(|kept| kept.bytes).sum();
    let mut pruned = Pruned::default();
    for old in kept {
        let untouched = now.duration_since(old.touched).unwrap_or_default();
        if untouched <= KEPT_FOR && bytes <= kept_bytes {
            break;
        }
        if old.dir != own.path() && !is_needed(&old.dir, now) && remove(&old) {
            bytes -= old.bytes;
            pruned.runs += 1;
            pruned.bytes += old.bytes;
        }
    }
    pruned
}

fn journals_in(dir: PathBuf) -> Option<Kept> {
    let (mut bytes, mut touched) = (0, SystemTime::UNIX_EPOCH);
    let mut files = set_aside_in(&dir);
    files.extend([FILE_NAME, BESIDE_NAME].map(|name| dir.join(name)));
    files.retain(|file| {
        let Ok(metadata) = fs::symlink_metadata(file) else { return false };
        bytes += metadata.len();
        touched = touched.max(metadata.modified().unwrap_or_else(|_| SystemTime::now()));
        !metadata.is_dir()
    });
    (!files.is_empty()).then_some(Kept { dir, files, bytes, touched })
}

/// Whether the run has text that was not sent, or a submission whose outcome may be unknown.
fn is_needed(dir: &Path, now: SystemTime) -> bool {
    let unsent = |name: &String| name != ".lock" && name != "ended";
    let Ok(now) = Timestamp::try_from(now) else { return true };
    names(&dir.join(DRAFTS_DIR)).iter().any(unsent) || !IntentStore::clear_up(dir, now)
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name().to_string_lossy().into_owned())).collect()
}

/// Removes the journals, and the run's directory where nothing else is in it.
fn remove(old: &Kept) -> bool {
    let lock_path = old.dir.join(LOCK_NAME);
    // Held until everything is gone: nobody begins to write meanwhile.
    let _lock = match Lock::take(&lock_path) {
        Ok(Some(lock)) => lock,
        Ok(None) => return false,
        Err(error) => {
            tracing::warn!(%error, path = %lock_path.display(), "an old journal cannot be locked and stays");
            return false;
        }
    };
    for file in &old.files {
        if let Err(error) = fs::remove_file(file) {
            tracing::warn!(%error, path = %file.display(), "an old journal cannot be removed");
            return false;
        }
    }
    // What is not empty stays, and is not ours to remove.
    let _ = fs::remove_dir(old.dir.join(DRAFTS_DIR).join("ended"));
    for name in [DRAFTS_DIR, INTENTS_DIR] {
        let dir = old.dir.join(name);
        let lock = dir.join(".lock");
        if names(&dir) == [".lock"] && matches!(Lock::take(&lock), Ok(Some(_))) {
            let _ = fs::remove_file(lock);
        }
        let _ = fs::remove_dir(dir);
    }
    let _ = fs::remove_file(&lock_path);
    let _ = fs::remove_dir(&old.dir);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::intents::{Begun, IntentRecord, Outcome, Sender};

    struct Home {
        home: tempfile::TempDir,
        own: StateDir,
    }

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    impl Home {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let own = StateDir::open(home.path(), "https://a.example", crate::api::ids::RunId::random()).unwrap();
            journal(&own, 10, 90);
            Self { home, own }
        }

        fn run(&self, server: &str) -> StateDir {
            StateDir::open(self.home.path(), server, crate::api::ids::RunId::random()).unwrap()
        }

        fn prune(&self, bytes: u64) -> Pruned {
            prune_to(&self.own, SystemTime::now(), bytes)
        }
    }

    /// A journal of so many bytes that was touched so many days ago.
    fn journal(state: &StateDir, bytes: usize, days: u32) {
        for name in [FILE_NAME, "events-set-aside-1.ndjson"] {
            let path = state.path().join(name);
            fs::write(&path, vec![b'x'; bytes / 2]).unwrap();
            let touched = SystemTime::now() - DAY * days;
            fs::File::options().append(true).open(&path).unwrap().set_modified(touched).unwrap();
        }
        fs::write(state.path().join(LOCK_NAME), "").unwrap();
    }

    fn has_journal(state: &StateDir) -> bool {
        state.path().join(FILE_NAME).exists()
    }

    #[test]
    fn a_journal_that_was_not_touched_for_a_month_goes_with_its_directory() {
        let home = Home::new();
        let (old, young) = (home.run("https://b.example"), home.run("https://b.example"));
        journal(&old, 100, 31);
        journal(&young, 100, 29);
        assert_eq!(home.prune(KEPT_BYTES), Pruned { runs: 1, bytes: 100 });
        assert!(!old.path().exists() && has_journal(&young));
        assert!(has_journal(&home.own), "the run that is being opened");
    }

    #[test]
    fn over_the_bound_the_oldest_go_first_and_no_more_than_needed() {
        let home = Home::new();
        let runs: Vec<StateDir> = (1..=4).map(|_| home.run("https://a.example")).collect();
        for (days, run) in (1..).zip(&runs) {
            journal(run, 100, days);
        }
        assert_eq!(home.prune(250), Pruned { runs: 2, bytes: 200 });
        assert_eq!(runs.iter().map(has_journal).collect::<Vec<_>>(), [true, true, false, false]);
    }

    #[test]
    fn a_run_with_a_draft_or_an_intent_or_an_open_console_keeps_everything() {
        let home = Home::new();
        let runs: Vec<StateDir> = (0..4).map(|_| home.run("https://a.example")).collect();
        for run in &runs {
            journal(run, 100, 90);
        }
        fs::write(runs[0].subdirectory(DRAFTS_DIR).unwrap().join("0123.json"), "{}").unwrap();
        fs::create_dir(runs[1].path().join(INTENTS_DIR)).unwrap();
        fs::write(runs[1].path().join(INTENTS_DIR).join("1.json"), "{}").unwrap();
        let _open = super::super::Journal::of(&runs[2]).lock().unwrap().unwrap();
        fs::create_dir_all(runs[3].subdirectory(DRAFTS_DIR).unwrap().join("ended")).unwrap();
        fs::write(runs[3].path().join(DRAFTS_DIR).join("ended").join("1.json"), "{}").unwrap();
        assert_eq!(home.prune(0), Pruned { runs: 1, bytes: 100 });
        assert_eq!(runs.iter().map(has_journal).collect::<Vec<_>>(), [true, true, true, false]);
        assert!(runs[3].path().join(DRAFTS_DIR).join("ended").join("1.json").exists(), "history is no cache");
    }

    #[test]
    fn what_is_left_of_drafts_and_intents_that_are_over_is_cleared_up_too() {
        let home = Home::new();
        let run = home.run("https://a.example");
        journal(&run, 100, 90);
        for name in [DRAFTS_DIR, INTENTS_DIR] {
            fs::create_dir_all(run.path().join(name).join("ended")).unwrap();
            fs::write(run.path().join(name).join(".lock"), "").unwrap();
        }
        fs::remove_dir(run.path().join(INTENTS_DIR).join("ended")).unwrap();
        home.prune(KEPT_BYTES);
        assert!(!run.path().exists());
    }

    #[test]
    fn a_submission_that_was_settled_long_ago_keeps_no_journal_and_one_of_unknown_fate_does() {
        let home = Home::new();
        for (settled, gone) in [(true, true), (false, false)] {
            let run = home.run("https://a.example");
            journal(&run, 100, 90);
            let request = r#"{"node_id":"n","step":1,"request_id":"550e8400-e29b-41d4-a716-446655440001","results":[{"tool_call":{"id":"c","name":"look"},"output":"1"}]}"#;
            let long_ago = Timestamp::now() - jiff::SignedDuration::from_hours(2);
            let record = IntentRecord {
                request_id: uuid::Uuid::new_v4(),
                run_id: crate::api::ids::RunId::random(),
                request: serde_json::from_str(request).unwrap(),
                after_seq: 1,
                by: Sender::Console,
                decided_at: long_ago,
            };
            let begun = IntentStore::open(&run).unwrap().begin(&record).unwrap();
            let Begun::Claimed { claim, .. } = begun else { panic!("{begun:?}") };
            if settled {
                claim.settle(vec![Outcome::Accepted], long_ago).unwrap();
            } else {
                drop(claim);
            }
            home.prune(KEPT_BYTES);
            assert_eq!(run.path().exists(), !gone);
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_behind_a_link_and_nothing_that_is_not_a_runs_is_removed() {
        let home = Home::new();
        let elsewhere = tempfile::tempdir().unwrap();
        let other = StateDir::open(elsewhere.path(), "https://a.example", crate::api::ids::RunId::random()).unwrap();
        journal(&other, 100, 90);
        let program = home.own.path().parent().unwrap().parent().unwrap();
        std::os::unix::fs::symlink(other.path(), home.own.path().parent().unwrap().join("link")).unwrap();
        fs::create_dir_all(program.join("log").join("run")).unwrap();
        fs::write(program.join("log").join("run").join(FILE_NAME), "x").unwrap();
        assert_eq!(home.prune(0), Pruned::default());
        assert!(has_journal(&other) && program.join("log").join("run").join(FILE_NAME).exists());
    }
}
