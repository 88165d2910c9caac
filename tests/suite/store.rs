//! Drafts on disk: promise "nothing lost", and that nothing a server says becomes part of a path.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use proptest::prelude::*;
use relay_console::api::ids::{CallId, NodeId, RequestId, RunId};
use relay_console::api::tool::{CallKey, StepKey};
use relay_console::store::{Access, Draft, DraftStore, Ending, StateDir, StoreError};
use tempfile::TempDir;

const BASE_URL: &str = "https://runs.example/api/v1";

fn run_id() -> RunId {
    RunId::parse("550e8400-e29b-41d4-a716-446655440000").unwrap()
}

fn key(node: &str, step: u64, call: &str) -> CallKey {
    let request = RequestId::parse("7d444840-9dc0-11d1-b245-5ffdce74fad2").unwrap();
    StepKey::new(&NodeId::from_wire(node).unwrap(), step, request).call(&CallId::from_wire(call).unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn draft(call: &str, text: &str, second: i64) -> Draft {
    Draft {
        key: key("roll_back", 1, call),
        tool: "roll_back_deploy".into(),
        text: text.into(),
        is_error: false,
        saved_at: at(second),
    }
}

fn open(home: &TempDir) -> DraftStore {
    DraftStore::open(&StateDir::open(home.path(), BASE_URL, run_id()).unwrap()).unwrap()
}

/// Every file below `dir`, with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn the_draft_file(store: &DraftStore) -> PathBuf {
    files(store.dir()).into_keys().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap()
}

#[test]
fn a_saved_draft_is_there_after_the_console_is_gone() {
    let home = TempDir::new().unwrap();
    let kept = draft("call_1", "{\"ok\": true}\r\n\t\u{202e}é", 1);
    open(&home).save(&kept).unwrap();
    assert_eq!(open(&home).load_all(), (vec![kept], vec![]));
}

#[test]
fn saving_again_replaces_the_text_of_that_call_only() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    store.save(&draft("call_1", "first", 1)).unwrap();
    store.save(&draft("call_2", "other", 2)).unwrap();
    store.save(&draft("call_1", "second", 3)).unwrap();
    let (drafts, problems) = store.load_all();
    assert_eq!(drafts, vec![draft("call_2", "other", 2), draft("call_1", "second", 3)]);
    assert_eq!(problems, vec![]);
}

#[test]
fn an_answered_draft_moves_into_the_history_and_its_text_stays_there() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    let kept = draft("call_1", "the answer", 1);
    store.save(&kept).unwrap();
    store.end(&kept.key, Ending::Accepted, at(5)).unwrap();
    assert_eq!(store.load_all(), (vec![], vec![]));
    let (history, problems) = store.history(10);
    assert_eq!(problems, vec![]);
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].ending, history[0].ended_at), (Ending::Accepted, at(5)));
    assert_eq!(history[0].draft, kept);
}

#[test]
fn an_older_text_goes_into_the_history_and_the_draft_of_its_call_stays() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    store.save(&draft("call", "newer", 2)).unwrap();
    store.archive(draft("call", "older", 1), Ending::Replaced, at(3)).unwrap();
    assert_eq!(store.load_all().0, [draft("call", "newer", 2)]);
    assert_eq!(store.history(9).0.iter().map(|ended| ended.draft.text.as_str()).collect::<Vec<_>>(), ["older"]);
}

#[test]
fn ending_a_call_that_has_no_draft_is_nothing_to_do() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    store.end(&key("n", 0, "c"), Ending::Withdrawn, at(1)).unwrap();
    assert_eq!(store.history(10), (vec![], vec![]));
}

#[test]
fn the_history_gives_the_latest_first_and_no_more_than_asked_for() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    for second in 0..5 {
        let one = draft(&format!("call_{second}"), "x", second);
        store.save(&one).unwrap();
        store.end(&one.key, Ending::Superseded, at(second)).unwrap();
    }
    let (history, _) = store.history(2);
    assert_eq!(history.iter().map(|ended| ended.ended_at).collect::<Vec<_>>(), vec![at(4), at(3)]);
}

#[test]
fn a_second_console_reads_the_drafts_and_knows_that_it_may_not_write_until_the_first_is_gone() {
    let home = TempDir::new().unwrap();
    let first = open(&home);
    first.save(&draft("call_1", "mine", 1)).unwrap();
    let mut second = open(&home);
    assert!(matches!(second.access(), Access::ReadOnly { why } if why.contains("another console")));
    assert!(matches!(second.save(&draft("call_1", "theirs", 2)), Err(StoreError::ReadOnly)));
    assert!(matches!(second.end(&key("roll_back", 1, "call_1"), Ending::Accepted, at(2)), Err(StoreError::ReadOnly)));
    assert_eq!(second.load_all().0, vec![draft("call_1", "mine", 1)]);
    assert!(!second.try_to_become_writer());
    drop(first);
    assert!(second.try_to_become_writer());
    second.save(&draft("call_1", "theirs", 2)).unwrap();
    assert_eq!(second.load_all().0, vec![draft("call_1", "theirs", 2)]);
}

#[test]
fn foreign_and_damaged_files_are_reported_left_alone_and_do_not_hide_a_draft() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    let good = draft("call_1", "good", 1);
    store.save(&good).unwrap();
    let whole = fs::read(the_draft_file(&store)).unwrap();
    let wrong = ["garbage.json", "torn.json", "renamed.json", "notes.txt"].map(|name| store.dir().join(name));
    fs::write(&wrong[0], b"\x00\xff{{").unwrap();
    fs::write(&wrong[1], &whole[..whole.len() / 2]).unwrap();
    fs::write(&wrong[2], &whole).unwrap();
    fs::write(&wrong[3], b"remember the milk").unwrap();
    let before = files(store.dir());
    let (drafts, problems) = store.load_all();
    assert_eq!(drafts, vec![good]);
    let mut reported: Vec<_> = problems.into_iter().map(|problem| problem.path).collect();
    let mut expected = wrong.to_vec();
    reported.sort();
    expected.sort();
    assert_eq!(reported, expected);
    assert_eq!(files(store.dir()), before);
}

#[test]
fn what_an_external_editor_wrote_before_its_console_was_killed_is_told_once_nobody_has_the_drafts_open() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    store.save(&draft("call", "kept", 1)).unwrap();
    let left = store.dir().join("edit-1.txt");
    fs::write(&left, "written there\n").unwrap();
    fs::write(store.dir().join("edit-2.txt"), "kept\n").unwrap();
    fs::write(store.dir().join("edit-3.txt"), "").unwrap();
    let second = open(&home);
    assert_eq!(second.load_all().1, [], "the editor may still be open");
    drop((store, second));
    let problems = open(&home).load_all().1;
    assert_eq!(problems.iter().map(|problem| &problem.path).collect::<Vec<_>>(), [&left]);
    assert_eq!(fs::read(&left).unwrap(), b"written there\n");
}

#[test]
fn a_draft_torn_at_any_byte_is_a_problem_and_never_a_shorter_draft() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    store.save(&draft("call_1", "some text", 1)).unwrap();
    let path = the_draft_file(&store);
    let whole = fs::read(&path).unwrap();
    // The last byte is the newline after the closing brace.
    for length in 0..whole.len() - 1 {
        fs::write(&path, &whole[..length]).unwrap();
        let (drafts, problems) = store.load_all();
        assert_eq!((drafts.len(), problems.len()), (0, 1), "cut at {length}");
    }
}

#[test]
fn a_kill_in_the_middle_of_writing_leaves_the_old_draft() {
    let home = TempDir::new().unwrap();
    let old = draft("call_1", "old", 1);
    let store = open(&home);
    store.save(&old).unwrap();
    let path = the_draft_file(&store);
    let torn = path.with_file_name(format!(".new-{}.a1b2c3", path.file_name().unwrap().to_string_lossy()));
    fs::write(&torn, &fs::read(&path).unwrap()[..20]).unwrap();
    drop(store);
    let store = open(&home);
    assert_eq!(store.load_all(), (vec![old], vec![]));
    assert!(!torn.exists(), "the writer clears up what is of no use");
}

#[test]
fn a_kill_between_the_whole_new_file_and_its_renaming_brings_the_newer_text_back() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    let newer = draft("call_1", "newer", 9);
    store.save(&newer).unwrap();
    let path = the_draft_file(&store);
    let unfinished = path.with_file_name(format!(".new-{}.a1b2c3", path.file_name().unwrap().to_string_lossy()));
    fs::rename(&path, &unfinished).unwrap();
    store.save(&draft("call_1", "older", 1)).unwrap();
    assert_eq!(store.load_all(), (vec![newer.clone()], vec![]));
    assert!(!unfinished.exists());
    assert_eq!(open(&home).load_all(), (vec![newer], vec![]), "it stands in its place now");
}

#[test]
fn an_unfinished_file_older_than_the_draft_changes_nothing() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    store.save(&draft("call_1", "older", 1)).unwrap();
    let path = the_draft_file(&store);
    fs::rename(&path, path.with_file_name(format!(".new-{}.zz", path.file_name().unwrap().to_string_lossy()))).unwrap();
    store.save(&draft("call_1", "newer", 9)).unwrap();
    assert_eq!(store.load_all(), (vec![draft("call_1", "newer", 9)], vec![]));
}

#[test]
fn when_the_disk_refuses_to_replace_a_draft_the_error_names_the_file_and_nothing_is_left_behind() {
    let home = TempDir::new().unwrap();
    let store = open(&home);
    store.save(&draft("call_1", "text", 1)).unwrap();
    let path = the_draft_file(&store);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("in_the_way"), b"").unwrap();
    let error = store.save(&draft("call_1", "text", 2)).unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    let left: Vec<_> = files(store.dir()).into_keys().filter(|path| path.to_string_lossy().contains(".new-")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn a_file_in_the_place_of_the_state_directory_is_an_error_that_says_where() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("relay-console"), b"").unwrap();
    let error = StateDir::open(home.path(), BASE_URL, run_id()).unwrap_err();
    assert!(error.to_string().contains("relay-console is a file, not a directory"), "{error}");
}

#[test]
fn two_servers_with_the_same_run_do_not_share_a_directory_and_a_slash_at_the_end_makes_no_other_server() {
    let home = TempDir::new().unwrap();
    let path = |url| StateDir::open(home.path(), url, run_id()).unwrap().path().to_path_buf();
    assert_ne!(path("https://a.example/api/v1"), path("https://b.example/api/v1"));
    assert_eq!(path("https://a.example/api/v1"), path("https://a.example/api/v1/"));
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn directories_are_made_0700_and_files_0600() {
        let home = TempDir::new().unwrap();
        let store = open(&home);
        store.save(&draft("call_1", "secret", 1)).unwrap();
        for (path, _) in files(home.path()) {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        let mut dir = store.dir().to_path_buf();
        while dir != home.path() {
            assert_eq!(mode(&dir), 0o700, "{}", dir.display());
            assert!(dir.pop());
        }
        assert_eq!(mode(&store.dir().join("ended")), 0o700);
    }

    #[test]
    fn a_directory_that_others_can_read_is_closed_on_opening() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("relay-console");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        drop(open(&home));
        assert_eq!(mode(&dir), 0o700);
    }

    #[test]
    fn a_symbolic_link_in_the_place_of_any_of_our_directories_is_refused() {
        let depth = open(&TempDir::new().unwrap()).dir().components().count();
        for level in 0..4 {
            let home = TempDir::new().unwrap();
            let elsewhere = TempDir::new().unwrap();
            let drafts = open(&home).dir().to_path_buf();
            assert_eq!(drafts.components().count(), depth);
            let place = drafts.ancestors().nth(level).unwrap();
            fs::remove_dir_all(place).unwrap();
            symlink(elsewhere.path(), place).unwrap();
            let error = StateDir::open(home.path(), BASE_URL, run_id()).and_then(|dir| DraftStore::open(&dir));
            assert!(error.unwrap_err().to_string().contains("is a symbolic link"), "level {level}");
            assert_eq!(files(elsewhere.path()), BTreeMap::new());
        }
    }

    #[test]
    fn a_symbolic_link_in_the_place_of_a_draft_is_reported_not_followed_and_replaced_by_saving() {
        let home = TempDir::new().unwrap();
        let elsewhere = home.path().join("elsewhere.json");
        let store = open(&home);
        let kept = draft("call_1", "text", 1);
        store.save(&kept).unwrap();
        let path = the_draft_file(&store);
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        let (drafts, problems) = store.load_all();
        assert_eq!((drafts, problems.len()), (vec![], 1));
        let before = fs::read(&elsewhere).unwrap();
        store.save(&draft("call_1", "other", 2)).unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), before);
        assert_eq!(store.load_all().0, vec![draft("call_1", "other", 2)]);
    }

    #[test]
    fn drafts_in_a_read_only_directory_can_be_read_and_the_console_knows_that_it_cannot_write() {
        if rustix::process::geteuid().is_root() {
            eprintln!("skipped: permissions do not bind root");
            return;
        }
        let home = TempDir::new().unwrap();
        let store = open(&home);
        store.save(&draft("call_1", "text", 1)).unwrap();
        let dir = store.dir().to_path_buf();
        drop(store);
        fs::remove_file(dir.join(".lock")).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o500)).unwrap();
        let store = open(&home);
        assert!(matches!(store.access(), Access::ReadOnly { why } if why.contains("cannot write")));
        assert_eq!(store.load_all().0, vec![draft("call_1", "text", 1)]);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_state_home_where_nobody_can_write_is_an_error_that_says_where() {
        let error = StateDir::open(Path::new("/proc/self"), BASE_URL, run_id()).unwrap_err();
        assert!(error.to_string().contains("cannot make /proc/self/relay-console"), "{error}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,20}", "[ -~\n]{0,40}", "(\\.\\./|/|\\\\|\u{0}|\n){1,8}"]
}

fn any_key() -> impl Strategy<Value = CallKey> {
    (any_text(), 0..3_u64, any_text())
        .prop_map(|(node, step, call)| key(&format!("n{node}"), step, &format!("c{call}")))
}

proptest! {
    // Each case syncs files to the disk.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_was_saved_last_for_each_call_is_what_is_loaded_whatever_the_server_calls_it(
        saved in proptest::collection::vec((any_key(), any_text(), any::<bool>()), 1..6)
    ) {
        let home = TempDir::new().unwrap();
        let store = open(&home);
        let mut expected = BTreeMap::new();
        for (second, (key, text, is_error)) in (0_i64..).zip(saved) {
            let one = Draft { key: key.clone(), tool: "t".into(), text, is_error, saved_at: at(second) };
            store.save(&one).unwrap();
            expected.insert(key, one);
        }
        let mut expected: Vec<_> = expected.into_values().collect();
        expected.sort_by_key(|one| one.saved_at);
        prop_assert_eq!(open(&home).load_all(), (expected.clone(), vec![]));
        // One file a draft, the lock, and the server's name; nothing anywhere else.
        prop_assert_eq!(files(home.path()).len(), expected.len() + 2);
        prop_assert_eq!(files(store.dir()).len(), expected.len() + 1);
    }
}
