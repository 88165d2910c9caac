//! Searching the run's events: the journal or the replayed file, then what of memory they lack.
//!
//! Rules: a search runs on a thread of its own, which leaving does not wait for; a newer one ends it; events are
//! searched once, by seq, wherever they stand; what stands nowhere is said.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Performer;
use crate::api::ids::RunId;
use crate::app::{Action, SearchAnswer, SearchRequest};
use crate::run::history::Entry;
use crate::store::journal::scan::{Found, Needle, Scope, match_line, scan};
use crate::store::private_file;

/// How often the operator is told how far a search is.
const TELL: Duration = Duration::from_millis(50);

/// Which search is wanted; 0 for none.
#[derive(Debug, Default, Clone)]
pub(super) struct Wanted(Arc<AtomicU64>);

impl Wanted {
    /// From now on this one is.
    pub(super) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    pub(super) fn is(&self, number: u64) -> bool {
        self.0.load(Ordering::Relaxed) == number
    }

    /// Ends the search that runs.
    pub(super) fn stop(&self) {
        self.set(0);
    }
}

impl Performer {
    pub(super) fn on_disk(&self) -> OnDisk {
        match (&self.replayed, &self.journal) {
            (Some(path), _) => OnDisk::Replayed(path.clone()),
            (None, Some(journal)) => OnDisk::Journal(journal.path()),
            (None, None) => OnDisk::Nowhere,
        }
    }

    pub(super) fn search(&self, request: SearchRequest) {
        let (number, wanted, outcomes) = (request.number, self.wanted.clone(), self.outcomes.clone());
        wanted.set(number);
        let (run_id, on_disk) = (self.run_id, self.on_disk());
        let search = move || {
            if let Some(result) = answer(on_disk.open(), request, run_id, &wanted, &outcomes) {
                let _ = outcomes.blocking_send(Action::SearchEnded { number, result });
            }
        };
        if let Err(error) = std::thread::Builder::new().name("search".into()).spawn(search) {
            self.tell(Action::SearchEnded { number, result: Err(error.to_string()) });
        }
    }
}

/// Where the run's events stand on disk, if they do.
pub(super) enum OnDisk {
    Replayed(PathBuf),
    Journal(PathBuf),
    Nowhere,
}

impl OnDisk {
    /// The file; `None` where there is none.
    pub(super) fn open(&self) -> io::Result<Option<File>> {
        match self {
            Self::Replayed(path) => private_file::open_named(path).map(Some),
            Self::Journal(path) => there(private_file::open_to_read(path)),
            Self::Nowhere => Ok(None),
        }
    }
}

/// A file, if it is there.
fn there(opened: io::Result<File>) -> io::Result<Option<File>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// What the file and memory hold; `None` where the search is not wanted any more.
fn answer(
    file: io::Result<Option<File>>,
    request: SearchRequest,
    run_id: RunId,
    wanted: &Wanted,
    outcomes: &mpsc::Sender<Action>,
) -> Option<Result<Box<SearchAnswer>, String>> {
    let needle = match Needle::new(&request.text) {
        Ok(needle) => needle,
        Err(error) => return Some(Err(error.to_string())),
    };
    let scope = Scope { run_id, node_id: request.node_id };
    let mut answer = SearchAnswer::default();
    let scanned = file.and_then(|file| match file {
        Some(file) => scan_file(file, &needle, &scope, request.number, wanted, outcomes),
        None => Ok(Some(Found::default())),
    });
    match scanned {
        Ok(Some(found)) => answer.found = found,
        Ok(None) => return None,
        Err(error) => answer.problem = Some(error.to_string()),
    }
    add_recent(&mut answer, &request.recent, request.recent_from, &needle, &scope);
    Some(Ok(Box::new(answer)))
}

fn scan_file(
    file: File,
    needle: &Needle,
    scope: &Scope,
    number: u64,
    wanted: &Wanted,
    outcomes: &mpsc::Sender<Action>,
) -> io::Result<Option<Found>> {
    let bytes = file.metadata()?.len().max(1);
    let mut told = Instant::now();
    scan(file, needle, scope, |read| {
        if !wanted.is(number) {
            return ControlFlow::Break(());
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            let percent = u8::try_from((read.min(bytes) * 100) / bytes).unwrap_or(100);
            // A progress that finds no place is old news by the time it would.
            let _ = outcomes.try_send(Action::SearchProgress { number, percent });
        }
        ControlFlow::Continue(())
    })
}

/// Adds what memory holds and the file does not: the newest events are not written yet, and there may be no file.
fn add_recent(answer: &mut SearchAnswer, recent: &[Entry], recent_from: u64, needle: &Needle, scope: &Scope) {
    let on_disk = answer.found.last_seq;
    if recent_from > on_disk + 1 {
        answer.unsearched = Some((on_disk + 1, recent_from - 1));
    }
    for entry in recent.iter().filter(|entry| entry.seq().is_some_and(|seq| seq > on_disk)) {
        let found = match entry {
            Entry::Event(event) => match serde_json::to_vec(event) {
                Ok(line) => match_line(&line, needle, scope, None),
                Err(_) => None,
            },
            Entry::Rejected(error) => match_line(&error.line, needle, scope, None),
            Entry::Gap { .. } => None,
        };
        if let Some(found) = found {
            answer.found.push(found);
        }
        answer.found.last_seq = entry.seq().unwrap_or(0).max(answer.found.last_seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::event::{Decoded, decode};
    use crate::store::StateDir;

    const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

    fn line(seq: u64, text: &str) -> String {
        format!(
            r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-11-22T10:00:00Z","type":"node_output_delta","node_id":"a","delta":{{"kind":"message_delta","text_delta":"{text}"}}}}"#
        )
    }

    fn entry(seq: u64, text: &str) -> Entry {
        let Ok(Decoded::Event(event)) = decode(line(seq, text).as_bytes()) else { panic!("{seq}") };
        Entry::Event(event)
    }

    fn request(text: &str, recent: Vec<Entry>, recent_from: u64) -> SearchRequest {
        SearchRequest { number: 1, text: text.into(), node_id: None, recent, recent_from }
    }

    fn ask(file: io::Result<Option<File>>, request: SearchRequest) -> Option<Result<Box<SearchAnswer>, String>> {
        let wanted = Wanted::default();
        wanted.set(1);
        answer(file, request, RUN.parse().unwrap(), &wanted, &mpsc::channel(1).0)
    }

    fn file_of(lines: &[String]) -> File {
        use std::io::{Seek, Write};
        let mut file = tempfile::tempfile().unwrap();
        file.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
        file.rewind().unwrap();
        file
    }

    fn seqs(answer: &SearchAnswer) -> Vec<u64> {
        answer.found.matches.iter().filter_map(|found| found.seq).collect()
    }

    #[test]
    fn an_event_on_disk_and_in_memory_is_found_once_and_what_is_in_neither_is_said() {
        let lines: Vec<String> = (1..=4).map(|seq| line(seq, "pool")).collect();
        let recent = |from: u64| (from..=6).map(|seq| entry(seq, "Pool")).collect::<Vec<_>>();
        let overlapping = ask(Ok(Some(file_of(&lines))), request("pool", recent(3), 3)).unwrap().unwrap();
        assert_eq!((seqs(&overlapping), overlapping.unsearched), (vec![1, 2, 3, 4, 5, 6], None));
        assert_eq!((overlapping.found.count, overlapping.found.last_seq), (6, 6));
        let apart = ask(Ok(Some(file_of(&lines))), request("pool", recent(6), 6)).unwrap().unwrap();
        assert_eq!((seqs(&apart), apart.unsearched), (vec![1, 2, 3, 4, 6], Some((5, 5))));
        let none = ask(Ok(None), request("Pool", recent(3), 3)).unwrap().unwrap();
        assert_eq!((seqs(&none), none.unsearched), (vec![3, 4, 5, 6], Some((1, 2))));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_said_and_memory_is_searched_all_the_same() {
        let refused = ask(Err(io::Error::other("the disk is gone")), request("x", vec![entry(1, "x")], 1)).unwrap();
        let refused = refused.unwrap();
        assert_eq!((seqs(&refused), refused.problem.as_deref()), (vec![1], Some("the disk is gone")));
    }

    #[tokio::test]
    async fn a_newer_search_ends_the_one_that_runs() {
        let lines: Vec<String> = (1..=4).map(|seq| line(seq, "pool")).collect();
        let ended = answer(
            Ok(Some(file_of(&lines))),
            request("pool", Vec::new(), 1),
            RUN.parse().unwrap(),
            &Wanted::default(),
            &mpsc::channel(1).0,
        );
        assert_eq!(ended, None);
        let home = tempfile::tempdir().unwrap();
        let state = StateDir::open(home.path(), "https://a.example", RUN.parse().unwrap()).unwrap();
        let journal = crate::store::journal::Journal::of(&state);
        std::fs::write(journal.path(), lines.join("\n") + "\n").unwrap();
        let (outcomes, mut told) = mpsc::channel(4);
        let clients = crate::api::client::ClientSource::new(|| unreachable!("nothing is read"));
        let (disk, _jobs) = std::sync::mpsc::sync_channel(1);
        let performer = Performer::with(RUN.parse().unwrap(), clients, &Err("a test".into()), outcomes, disk);
        let performer = performer.with_journal(Some(journal));
        performer.perform(crate::app::Effect::Search(Box::new(request("pool", Vec::new(), 1))));
        let Some(Action::SearchEnded { number: 1, result: Ok(answer) }) = told.recv().await else { panic!() };
        assert_eq!(seqs(&answer), [1, 2, 3, 4]);
    }
}
