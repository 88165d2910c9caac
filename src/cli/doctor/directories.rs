//! The directories: whether state can be kept, who can read it, how much room there is, which answers
//! are unsent or of unknown fate, and how large the journals are.
//!
//! The rule that must stay true: nothing stays behind. One small file is written where state would go and removed at
//! once; no directory is made.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::report::Finding;
use crate::api::client::BaseUrl;
use crate::cli::exit::Exit;
use crate::settings::Directories;
use crate::store::state_dir::{self, DRAFTS_DIR, PROGRAM_DIR, hash_name};
use crate::store::survey;
use crate::store::{Draft, private_file};
use crate::view::format;

/// Less room than this is worth a word, in bytes.
const LITTLE_ROOM: u64 = 100 * 1024 * 1024;

/// The most that is read of a file that may be a draft.
const MAX_DRAFT_BYTES: u64 = 64 * 1024 * 1024;

/// The most runs that are named.
const MOST_NAMED: usize = 5;

/// What is found of the directories. The base URL, where it is known, tells this server's drafts from others'.
pub(super) fn findings(directories: &Directories, base_url: Option<&BaseUrl>) -> Vec<Finding> {
    let state = directories.state_home.join(PROGRAM_DIR);
    vec![
        state_dir(&state),
        room(&nearest(&state)),
        drafts(&state, base_url),
        submissions(&directories.state_home),
        journals(&state),
        log(&state),
        config(directories),
    ]
}

/// The first directory on the way up that is there.
fn nearest(path: &Path) -> PathBuf {
    path.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/")).to_path_buf()
}

fn state_dir(path: &Path) -> Finding {
    let place = path.display().to_string();
    let finding = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => return in_the_way(&place, "a symbolic link"),
        Ok(metadata) if !metadata.is_dir() => return in_the_way(&place, "a file"),
        Ok(metadata) => match private(&metadata) {
            Ok(()) => Finding::fine("state", format!("{place}: present, writable, for you only")),
            Err(why) => Finding::note("state", format!("{place}: {why}"))
                .advise(format!("the next console makes it private; or run chmod 700 {place}")),
        },
        Err(_) => match path.ancestors().find(|above| above.exists()) {
            Some(above) if !above.is_dir() => return in_the_way(&above.display().to_string(), "a file"),
            _ => Finding::fine("state", format!("{place}: absent; it is made when it is needed")),
        },
    };
    let dir = nearest(path);
    match try_to_write(&dir) {
        Ok(()) => finding,
        Err(error) => {
            let why = private_file::without_path(error);
            let text = format!("{place}: nothing can be written in {}: {why}", dir.display());
            Finding::problem("state", Exit::Refused, text)
                .advise("drafts would not be kept: set XDG_STATE_HOME to a directory of yours, or make room")
        }
    }
    .fact("path", place)
}

fn in_the_way(place: &str, what: &str) -> Finding {
    Finding::problem("state", Exit::Refused, format!("{place} is {what}, not a directory"))
        .advise("drafts would not be kept: move it away, or set XDG_STATE_HOME to a directory of yours")
}

/// Writes a block into a file without a name for others, and removes it.
fn try_to_write(dir: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".relay-console-doctor-").tempfile_in(dir)?;
    file.write_all(&[0; 4096])?;
    file.as_file().sync_all()?;
    file.close()
}

#[cfg(unix)]
fn private(metadata: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let owner = rustix::process::geteuid().as_raw();
    let mode = metadata.mode() & 0o777;
    if metadata.uid() != owner {
        Err(format!("belongs to user {}, not to you ({owner})", metadata.uid()))
    } else if mode == 0o700 {
        Ok(())
    } else {
        Err(format!("mode {mode:04o}, not 0700"))
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where there are modes")]
fn private(_: &fs::Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

fn room(dir: &Path) -> Finding {
    let Some(bytes) = free_bytes(dir) else {
        return Finding::note("room", format!("not known in {}", dir.display()));
    };
    let text = format!("{} MiB free in {}", bytes / (1024 * 1024), dir.display());
    let finding = if bytes < LITTLE_ROOM {
        Finding::note("room", text).advise("make room: on a full disk drafts are not kept")
    } else {
        Finding::fine("room", text)
    };
    finding.fact("free_bytes", bytes)
}

/// A run with drafts: which server's, its id, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unsent {
    server: String,
    run: String,
    drafts: usize,
}

fn drafts(state: &Path, base_url: Option<&BaseUrl>) -> Finding {
    let unsent = unsent(state);
    let count: usize = unsent.iter().map(|run| run.drafts).sum();
    if count == 0 {
        return Finding::fine("drafts", "none is unsent").fact("unsent", 0);
    }
    let here = base_url.map(|url| hash_name(url.as_str().as_bytes()));
    let named: Vec<String> = unsent
        .iter()
        .take(MOST_NAMED)
        .map(|run| {
            let elsewhere = if here.as_ref() == Some(&run.server) { "" } else { " (another server)" };
            format!("{}{elsewhere}", run.run)
        })
        .collect();
    let more = more_than_named(unsent.len());
    let what = if count == 1 { "1 answer is unsent".to_owned() } else { format!("{count} answers are unsent") };
    Finding::note("drafts", format!("{what}: runs {}{more}", named.join(", ")))
        .advise("relay-console RUN_ID opens them again; whether the run still waits is shown there")
        .fact("unsent", count)
        .fact("runs", unsent.iter().map(|run| run.run.clone()).collect::<Vec<_>>())
}

/// How many of `runs` are not among those that are named.
fn more_than_named(runs: usize) -> String {
    match runs.saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

/// Every run with drafts that hold text.
fn unsent(state: &Path) -> Vec<Unsent> {
    let unsent = |run: PathBuf| {
        let drafts = below(&run.join(DRAFTS_DIR)).iter().filter(|path| is_unsent(path)).count();
        let server = run.parent().map(name).unwrap_or_default();
        (drafts > 0).then(|| Unsent { server, run: name(&run), drafts })
    };
    state_dir::runs(state).into_iter().filter_map(unsent).collect()
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether a file is a draft with text in it. One that cannot be read counts: there may be text in it.
fn is_unsent(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
    let is_draft = path.extension().is_some_and(|extension| extension == "json")
        && stem.len() == 32
        && stem.iter().all(u8::is_ascii_hexdigit);
    is_draft
        && private_file::read_bounded(path, MAX_DRAFT_BYTES)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Draft>(&bytes).ok())
            .is_none_or(|draft| !draft.text.trim().is_empty())
}

/// Submissions whose outcome nobody has found out yet.
fn submissions(state_home: &Path) -> Finding {
    let kept = survey::runs(state_home);
    let unknown =
        |run: &&survey::KeptRun| run.intents.iter().any(|(stored, driven)| stored.settled.is_none() && !driven);
    let runs: Vec<String> = kept.iter().filter(unknown).map(|run| run.run_id.clone()).collect();
    if runs.is_empty() {
        return Finding::fine("submissions", "none has an unknown outcome").fact("unknown", 0);
    }
    let named = runs.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = more_than_named(runs.len());
    Finding::note("submissions", format!("it is not known whether an answer arrived: runs {named}{more}"))
        .advise("relay-console RUN_ID finds it out; nothing is sent twice")
        .fact("unknown", runs.len())
        .fact("runs", runs)
}

/// How many runs have a journal, and how large they are together.
fn journals(state: &Path) -> Finding {
    let is_journal = |path: &PathBuf| {
        let name = name(path);
        name.starts_with("events") && path.extension().is_some_and(|extension| extension == "ndjson")
    };
    let (mut runs, mut bytes) = (0u64, 0u64);
    for run in state_dir::runs(state) {
        let files: Vec<PathBuf> = below(&run).into_iter().filter(is_journal).collect();
        runs += u64::from(!files.is_empty());
        bytes += files.iter().filter_map(|file| fs::symlink_metadata(file).ok()).map(|found| found.len()).sum::<u64>();
    }
    let text = match runs {
        0 => "none is kept".to_owned(),
        runs => format!(
            "{}, {} in all; a cache, cleared up after 30 days or over 2 GiB",
            format::plural(runs, "run"),
            format::bytes(bytes)
        ),
    };
    Finding::fine("journals", text).fact("runs", runs).fact("bytes", bytes)
}

fn log(state: &Path) -> Finding {
    let path = state.join("log").join("relay-console.log");
    let place = path.display().to_string();
    let text = match fs::metadata(&path) {
        Ok(metadata) => format!("{place}: {} KiB; -v writes more", metadata.len().div_ceil(1024)),
        Err(_) => format!("{place}: nothing is written yet"),
    };
    Finding::fine("log", text).fact("path", place)
}

fn config(directories: &Directories) -> Finding {
    let own = directories.own_config();
    let dir = own.parent().unwrap_or(&own);
    let state = if dir.is_dir() { "present" } else { "absent, and not needed" };
    Finding::fine("config", format!("{}: {state}", dir.display())).fact("path", dir.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::report::State;
    use super::*;

    #[test]
    fn a_state_home_that_is_absent_is_fine_and_stays_absent() {
        let home = tempfile::TempDir::new().unwrap();
        let state = home.path().join("state/relay-console");
        assert_eq!(state_dir(&state).state, State::Fine);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing stays behind");
    }

    #[cfg(unix)]
    #[test]
    fn what_stands_in_the_way_is_a_problem_and_a_mode_that_lets_others_in_a_note() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::TempDir::new().unwrap();
        let state = home.path().join("relay-console");
        fs::write(&state, "").unwrap();
        assert_eq!(state_dir(&state).state, State::Problem(Exit::Refused));
        assert_eq!(state_dir(&state.join("below")).state, State::Problem(Exit::Refused));
        fs::remove_file(&state).unwrap();
        std::os::unix::fs::symlink(home.path(), &state).unwrap();
        assert!(state_dir(&state).text.contains("a symbolic link"));
        fs::remove_file(&state).unwrap();
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(state_dir(&state).text.contains("mode 0755"), "{:?}", state_dir(&state));
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(state_dir(&state).state, State::Fine);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing stays behind");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_place_where_nothing_can_be_written_is_a_problem() {
        let finding = state_dir(Path::new("/proc/self/relay-console"));
        assert_eq!(finding.state, State::Problem(Exit::Refused));
        assert!(finding.text.contains("/proc/self") && finding.advice.unwrap().contains("XDG_STATE_HOME"));
    }

    #[test]
    fn only_drafts_with_text_or_damage_count_as_unsent() {
        let home = tempfile::TempDir::new().unwrap();
        let url = BaseUrl::parse("https://lab.example", false).unwrap();
        let run = "550e8400-e29b-41d4-a716-446655440000";
        let dir = home.path().join(hash_name(url.as_str().as_bytes())).join(run).join(DRAFTS_DIR);
        fs::create_dir_all(dir.join("ended")).unwrap();
        assert_eq!(drafts(home.path(), Some(&url)).state, State::Fine);
        let draft = |text: &str| {
            format!(
                r#"{{"key":{{"node_id":"n","step":1,"request_id":"{run}","call_id":"c"}},"tool":"t","text":"{text}","is_error":false,"saved_at":"2026-01-01T00:00:00Z"}}"#
            )
        };
        assert_eq!(serde_json::from_str::<Draft>(&draft("x")).unwrap().text, "x");
        let path = |digit: &str| dir.join(format!("{}.json", digit.repeat(32)));
        fs::write(path("a"), draft("text")).unwrap();
        fs::write(path("b"), draft(" ")).unwrap();
        fs::write(path("c"), "damaged").unwrap();
        fs::write(dir.join("edit-1.json"), draft("text")).unwrap();
        fs::write(dir.join("ended").join("x.json"), draft("text")).unwrap();
        let finding = drafts(home.path(), Some(&url));
        assert_eq!(finding.text, format!("2 answers are unsent: runs {run}"));
        assert!(drafts(home.path(), None).text.ends_with("(another server)"));
    }
}
