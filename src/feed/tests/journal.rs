//! The journal in the feed: read first, proved by the server, written in order, taken over, survived.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::store::StateDir;
use crate::store::journal::Journal;

/// A run's directory.
struct Disk {
    _home: TempDir,
    state: StateDir,
}

impl Disk {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let state = StateDir::open(home.path(), "https://a.example", RUN.parse().unwrap()).unwrap();
        Self { _home: home, state }
    }

    fn with(pieces: &[Piece]) -> Self {
        let disk = Self::new();
        std::fs::write(disk.path(), text(pieces)).unwrap();
        disk
    }

    fn path(&self) -> PathBuf {
        Journal::of(&self.state).path()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap_or_default()
    }

    fn set_aside(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.state.path()).unwrap().map(|entry| entry.unwrap());
        let aside = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("events-set-aside-"));
        aside.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect()
    }

    fn follow(&self, streams: Vec<Result<Vec<Piece>, Error>>) -> Trial {
        let script = Script { streams: streams.into(), ..Script::default() };
        self.follow_script(script)
    }

    fn follow_script(&self, script: Script) -> Trial {
        let script = Arc::new(Mutex::new(script));
        let source = Scripted { script: Arc::clone(&script), start: Instant::now() };
        let (rx, handle) = self.follow_source(source);
        Trial { rx, handle, script }
    }

    fn follow_source(&self, source: impl Source) -> (mpsc::Receiver<FeedUpdate>, FeedHandle) {
        let (tx, rx) = mpsc::channel(64);
        let signals = Arc::new(Signals::default());
        let run_id = RunId::parse(RUN).unwrap();
        let follower = Follower::new(source, run_id, FeedConfig::default(), tx, Arc::clone(&signals));
        tokio::spawn(follower.with_journal(Journal::of(&self.state)).run());
        (rx, FeedHandle { signals })
    }
}

/// Lines as a journal has them.
fn text(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut last = 0;
    for piece in pieces {
        match item(piece) {
            Some(Ok(StreamItem::Event { event, line })) => {
                let mark = if event.seq == last + 1 { "\n" } else { "\r\n" };
                text.push_str(std::str::from_utf8(&line).unwrap());
                text.push_str(mark);
                last = event.seq;
            }
            Some(Err(StreamError::Protocol(error))) => {
                text.push_str(std::str::from_utf8(&error.line).unwrap());
                text.push_str("\r\n");
                last += 1;
            }
            _ => panic!("not a line"),
        }
    }
    text
}

/// The same place, another event.
fn other_line(seq: u64) -> String {
    text(&[Ev(seq)]).replace("\"n\"", "\"m\"").replace("\r\n", "\n")
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_the_journal_comes_before_the_network_and_the_stream_goes_on_behind_it() {
    let disk = Disk::with(&[Ev(1), Ev(2), Ev(3)]);
    let mut trial = disk.follow(vec![Ok(vec![Ev(3), Ev(4)]), Ok(vec![Ev(5), Hang])]);
    assert_eq!(
        trial.until("live").await,
        [
            "catching up 0",
            "1 2 3",
            "catching up 3",
            "connecting",
            "snapshot running",
            "catching up 0",
            "4",
            "catching up 1",
            "live"
        ]
    );
    trial.until("5").await;
    assert_eq!(trial.queries(), [(2, false), (4, true)]);
    trial.handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1), Ev(2), Ev(3), Ev(4), Ev(5)]));
    assert_eq!(disk.set_aside(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_first_start_writes_what_it_is_given_private_to_its_owner() {
    let disk = Disk::new();
    let mut trial = disk.follow(vec![Ok(vec![Ev(1), Garbled(2), Ev(3)])]);
    trial.until("live").await;
    trial.handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1), Garbled(2), Ev(3)]));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(disk.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut again = disk.follow(vec![Ok(vec![Ev(3)])]);
    assert_eq!(again.until("live").await[1], "1 !2 3");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_gap_is_one_at_once_when_it_is_read_again() {
    let disk = Disk::new();
    let skipping = || Ok(vec![Ev(1), Ev(4)]);
    let mut trial = disk.follow(vec![skipping(), skipping(), skipping(), skipping()]);
    trial.until("live").await;
    trial.handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1), Ev(4)]));
    let mut again = disk.follow(vec![Ok(vec![Ev(4)])]);
    let words = again.until("live").await;
    assert_eq!(words[1], "1 2-3 4");
    assert!(!words.iter().any(|word| word.starts_with("retrying")), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_lost_its_beginning_and_one_with_a_wild_number_are_read_again_as_they_were() {
    let far = 5_000_000;
    for log in [vec![Ev(far), Ev(far + 1), Last(far + 2)], vec![Ev(1), Ev(far), Ev(2), Last(3)]] {
        let disk = Disk::new();
        let (rx, handle) = disk.follow_source(Log::of(&log));
        let alone = items(rx).await;
        handle.finish().await;
        let whole = disk.text();
        let (rx, handle) = disk.follow_source(Log::of(&log));
        let seqs = |items: &[FeedItem]| -> Vec<String> {
            items.iter().map(|item| word(&FeedUpdate::Items(vec![item.clone()]))).collect()
        };
        assert_eq!(seqs(&items(rx).await), seqs(&alone), "{whole}");
        handle.finish().await;
        assert_eq!((disk.text(), disk.set_aside()), (whole, vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_server_the_journal_stands_there_and_the_link_says_that_it_is_down() {
    let disk = Disk::with(&[Ev(1), Last(2)]);
    let down = || Err(status(503, None));
    let script = Script { snapshots: vec![down(), down()].into(), ..Script::default() };
    let mut trial = disk.follow_script(script);
    let words = trial.until("retrying").await;
    assert_eq!(words[..4], ["catching up 0", "1 2", "catching up 2", "connecting"], "{words:?}");
    trial.handle.finish().await;
    let mut back = disk.follow(vec![Ok(vec![Last(2)]), Ok(vec![])]);
    assert_eq!(back.until("ended").await.last().unwrap(), "ended");
}

#[tokio::test(start_paused = true)]
async fn a_journal_whose_last_event_is_another_on_the_server_is_set_aside_and_everything_begins_anew() {
    let disk = Disk::new();
    let old = text(&[Ev(1)]) + &other_line(2);
    std::fs::write(disk.path(), &old).unwrap();
    let mut trial = disk.follow(vec![Ok(vec![Ev(2), Ev(3)]), Ok(vec![Ev(1), Ev(2), Ev(3)])]);
    let words = trial.until("restarted").await;
    assert!(words.last().unwrap().contains("event 2 on the server is another"), "{words:?}");
    assert!(words.last().unwrap().contains("set aside as"), "{words:?}");
    assert!(!words.contains(&"3".to_owned()), "nothing of the other history: {words:?}");
    let words = trial.until("live").await;
    assert!(words.contains(&"1 2 3".to_owned()), "{words:?}");
    assert_eq!(trial.queries()[..2], [(1, false), (0, false)]);
    trial.handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1), Ev(2), Ev(3)]));
    assert_eq!(disk.set_aside(), [old]);
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_history_ends_before_the_journal_is_asked_again_before_it_is_believed() {
    let disk = Disk::with(&[Ev(1), Ev(2), Ev(3)]);
    let empty = || Ok(vec![]);
    let mut trial = disk.follow(vec![empty(), empty(), empty(), empty(), Ok(vec![Ev(1)])]);
    let words = trial.until("restarted").await;
    assert_eq!(words.iter().filter(|word| word.starts_with("retrying")).count(), 3, "{words:?}");
    assert!(words.last().unwrap().contains("no event 3"), "{words:?}");
    assert!(trial.until("live").await.contains(&"1".to_owned()));
    trial.handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1)]));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cuts_skips_and_reorders_proves_the_journal_all_the_same() {
    let disk = Disk::with(&[Ev(1), Ev(2)]);
    let mut trial =
        disk.follow(vec![Ok(vec![Break]), Ok(vec![Ev(3)]), Ok(vec![Garbled(2)]), Ok(vec![Ev(4), Ev(3), Ev(2), Ev(5)])]);
    let words = trial.until("live").await;
    assert!(words.contains(&"3 4 5".to_owned()), "{words:?}");
    assert!(!words.iter().any(|word| word.starts_with("restarted") || word.contains('x')), "{words:?}");
    trial.handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1), Ev(2), Ev(3), Ev(4), Ev(5)]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_whose_keepalive_comes_first_is_waited_for() {
    let disk = Disk::with(&[Ev(1), Ev(2)]);
    let slow = vec![Keepalive, Pause(Duration::from_secs(2)), Keepalive, Ev(2), Ev(3), Hang];
    let mut trial = disk.follow(vec![Ok(slow)]);
    let words = trial.until("live").await;
    assert!(words.contains(&"3".to_owned()) && !words.iter().any(|word| word.starts_with("retrying")), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_cut_at_any_byte_is_used_as_far_as_it_is_whole() {
    let whole = text(&[Ev(1), Garbled(2), Ev(3), Ev(6), Ev(7)]);
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    let seqs = [0, 1, 2, 3, 6, 7];
    let server = [Ev(1), Garbled(2), Ev(3), Ev(6), Ev(7)];
    for cut in 0..=whole.len() {
        let disk = Disk::new();
        std::fs::write(disk.path(), &whole[..cut]).unwrap();
        let (mut rx, handle) = disk.follow_source(Log::of(&server));
        let mut words = Vec::new();
        loop {
            let word = word(&rx.recv().await.unwrap());
            if word == "live" {
                break;
            }
            words.push(word);
        }
        let kept = ends.iter().filter(|end| **end <= cut).count();
        let given = words.iter().take_while(|word| *word != "connecting").filter(|word| !word.starts_with("catching"));
        let last = given.last().map_or(0, |word| word.rsplit(' ').next().unwrap().trim_matches('!').parse().unwrap());
        assert_eq!(last, seqs[kept], "cut at {cut}: {words:?}");
        assert!(!words.iter().any(|word| word.starts_with("journal") || word.starts_with("restarted")), "{words:?}");
        handle.finish().await;
        assert_eq!(disk.text(), whole, "cut at {cut}");
        assert_eq!(disk.set_aside(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_journal_is_used_up_to_the_damage_and_kept_aside() {
    let whole = text(&[Ev(1), Ev(2), Ev(3), Ev(4)]);
    let (first, third) = (text(&[Ev(1)]), text(&[Ev(1), Ev(2)]).len());
    let other_run = other_line(2).replace(RUN, "550e8400-e29b-41d4-a716-44665544000f");
    let damaged = [
        (format!("{first}{}{}", "\0".repeat(third - first.len()), &whole[third..]), "1"),
        (format!("{first}nonsense\n{}", &whole[first.len()..]), "1"),
        (format!("{first}\n{}", &whole[first.len()..]), "1"),
        (format!("{first}{}", &whole[third..]), "1"),
        (format!("{first}{first}{}", &whole[first.len()..]), "1"),
        (format!("{first}{other_run}{}", &whole[third..]), "1"),
        (format!("{other_run}{whole}"), ""),
        ("\u{0}\u{1}binary\n\u{2}".to_owned(), ""),
        (format!("{}\n{whole}", "x".repeat(17 * 1024 * 1024)), ""),
    ];
    for (text_on_disk, kept) in damaged {
        let disk = Disk::new();
        std::fs::write(disk.path(), &text_on_disk).unwrap();
        let (mut rx, handle) = disk.follow_source(Log::of(&[Ev(1), Ev(2), Ev(3), Ev(4)]));
        let mut words = Vec::new();
        while words.last().is_none_or(|word| word != "live") {
            words.push(word(&rx.recv().await.unwrap()));
        }
        let said: Vec<&String> = words.iter().filter(|word| word.starts_with("journal: ")).collect();
        assert!(said.len() == 1 && said[0].contains("damaged in line") && said[0].contains("set aside"), "{words:?}");
        let items: Vec<&str> = words
            .iter()
            .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
            .flat_map(|word| word.split(' '))
            .collect();
        assert_eq!(items, ["1", "2", "3", "4"], "{words:?}");
        assert_eq!(words.get(1).is_some_and(|word| word == kept), !kept.is_empty(), "{words:?}");
        handle.finish().await;
        assert_eq!(disk.text(), whole);
        assert_eq!(disk.set_aside(), [text_on_disk]);
    }
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn an_event_of_another_run_is_read_again_as_it_was_rejected_wherever_its_seq_would_stand() {
    let ahead = text(&[Garbled(9)]);
    let foreign = text(&[Ev(1)]).replace(RUN, "550e8400-e29b-41d4-a716-44665544000f").replace('\n', "\r\n");
    let whole =
        format!("{}{ahead}{foreign}{}", text(&[Ev(1), Ev(2)]), text(&[Ev(1), Ev(2), Ev(3)]).lines().last().unwrap());
    let disk = Disk::new();
    std::fs::write(disk.path(), format!("{whole}\n")).unwrap();
    let (mut rx, handle) = disk.follow_source(Log::of(&[Ev(1), Ev(2), Ev(3)]));
    let mut words = Vec::new();
    while words.last().is_none_or(|word| word != "live") {
        words.push(word(&rx.recv().await.unwrap()));
    }
    assert_eq!(words[1], "1 2 ! ! 3", "{words:?}");
    assert!(!words.iter().any(|word| word.starts_with("journal") || word.starts_with("restarted")), "{words:?}");
    handle.finish().await;
    assert_eq!(disk.text(), format!("{whole}\n"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_file_of_ours_in_the_journals_place_is_set_aside() {
    let elsewhere = TempDir::new().unwrap();
    let target = elsewhere.path().join("target");
    std::fs::write(&target, "precious").unwrap();
    let make: [&dyn Fn(&std::path::Path); 4] = [
        &|path| std::os::unix::fs::symlink(&target, path).unwrap(),
        &|path| std::fs::create_dir(path).unwrap(),
        &|path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
        &|path| std::fs::File::create(path).unwrap().set_len(3 << 30).unwrap(),
    ];
    for make in make {
        let disk = Disk::new();
        make(&disk.path());
        let mut trial = disk.follow(vec![Ok(vec![Ev(1)])]);
        let words = trial.until("live").await;
        assert!(words[0].starts_with("journal: ") && words[0].contains("cannot be used"), "{words:?}");
        trial.handle.finish().await;
        assert_eq!(disk.text(), text(&[Ev(1)]));
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_is_said_once_and_the_run_is_followed() {
    let disk = Disk::with(&[Ev(1)]);
    std::fs::create_dir(disk.state.path().join("events.lock")).unwrap();
    let mut trial = disk.follow(vec![Ok(vec![Ev(1), Ev(2)]), Ok(vec![Ev(3), Hang])]);
    let words = trial.until("3").await;
    assert_eq!(words.iter().filter(|word| word.starts_with("journal: the journal is not written")).count(), 1);
    assert!(words.contains(&"1".to_owned()) && words.contains(&"2".to_owned()), "what it holds is used: {words:?}");
    trial.handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1)]));
}

#[tokio::test(start_paused = true)]
async fn only_one_console_writes_and_another_takes_over_without_a_hole() {
    let disk = Disk::with(&[Ev(1), Ev(2)]);
    let writer = Journal::of(&disk.state).lock().unwrap().unwrap();
    let (mut rx, handle) = disk.follow_source(Log::of(&[
        Ev(1),
        Ev(2),
        Ev(3),
        Garbled(4),
        Ev(7),
        Ev(8),
        Pause(Duration::from_secs(60)),
        Ev(9),
    ]));
    let mut words = Vec::new();
    while words.last().is_none_or(|word| word != "live") {
        words.push(word(&rx.recv().await.unwrap()));
    }
    assert_eq!(disk.text(), text(&[Ev(1), Ev(2)]), "another console writes");
    drop(writer);
    while words.last().is_none_or(|word| word != "9") {
        words.push(word(&rx.recv().await.unwrap()));
    }
    let items: Vec<&str> = words
        .iter()
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit() || c == '!'))
        .flat_map(|word| word.split(' '))
        .collect();
    assert_eq!(items, ["1", "2", "3", "!4", "5-6", "7", "8", "9"], "nothing twice, nothing counted: {words:?}");
    handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1), Ev(2), Ev(3), Garbled(4), Ev(7), Ev(8), Ev(9)]));
}

#[tokio::test(start_paused = true)]
async fn a_journal_of_another_history_is_written_anew_when_it_is_taken_over() {
    let disk = Disk::new();
    let writer = Journal::of(&disk.state).lock().unwrap().unwrap();
    let (mut rx, handle) = disk.follow_source(Log::of(&[Ev(1), Ev(2), Ev(3), Pause(Duration::from_secs(60)), Ev(4)]));
    let mut words: Vec<String> = Vec::new();
    while words.last().is_none_or(|word| word != "live") {
        words.push(word(&rx.recv().await.unwrap()));
    }
    let old = text(&[Ev(1)]) + &other_line(2);
    std::fs::write(disk.path(), &old).unwrap();
    drop(writer);
    while words.last().is_none_or(|word| word != "4") {
        words.push(word(&rx.recv().await.unwrap()));
    }
    assert!(!words.iter().any(|word| word.starts_with("restarted")), "what is shown was right: {words:?}");
    handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1), Ev(2), Ev(3), Ev(4)]));
    assert_eq!(disk.set_aside(), [old]);
}

#[tokio::test(start_paused = true)]
async fn a_console_that_lags_behind_the_one_before_writes_no_event_twice() {
    let disk = Disk::new();
    let writer = Journal::of(&disk.state).lock().unwrap().unwrap();
    let pause = || Pause(Duration::from_secs(60));
    let (mut rx, handle) = disk.follow_source(Log::of(&[Ev(1), pause(), Ev(2), pause(), Ev(3), pause(), Ev(4)]));
    while word(&rx.recv().await.unwrap()) != "live" {}
    std::fs::write(disk.path(), text(&[Ev(1), Ev(2), Ev(3)])).unwrap();
    drop(writer);
    while word(&rx.recv().await.unwrap()) != "4" {}
    handle.finish().await;
    assert_eq!(disk.text(), text(&[Ev(1), Ev(2), Ev(3), Ev(4)]));
}

/// A server with a log, which answers as it is asked; without a pause among them its streams bring all at once.
struct Log {
    /// Each with the place that it stands at or behind.
    pieces: Vec<(u64, Piece)>,
    /// The last place that any stream has shown: what stands before it has happened for all.
    shown: Arc<AtomicU64>,
}

impl Log {
    fn of(pieces: &[Piece]) -> Self {
        let mut place = 0;
        let placed = pieces.iter().map(|piece| {
            if let Ev(seq) | Last(seq) | Garbled(seq) = piece {
                place = *seq;
            }
            (place, piece.clone())
        });
        Self { pieces: placed.collect(), shown: Arc::default() }
    }
}

impl Source for Log {
    type Stream = Pin<Box<dyn Stream<Item = Result<StreamItem, StreamError>> + Send>>;

    async fn snapshot(&self) -> Result<Reply<RunSnapshot>, Error> {
        let json = format!(r#"{{"run_id":"{RUN}","status":"running","cost_summary":{{"total_usd_cents":0}}}}"#);
        Ok(Reply { value: serde_json::from_str(&json).unwrap(), body: json.into(), request_id: None, date: None })
    }

    async fn events(&self, query: EventsQuery) -> Result<Self::Stream, Error> {
        let shown = Arc::clone(&self.shown);
        let now = shown.load(Ordering::SeqCst);
        let behind = self.pieces.iter().filter(|(place, piece)| match piece {
            Pause(_) => *place >= query.after_seq.max(now),
            _ => *place > query.after_seq,
        });
        let mut pieces: Vec<Piece> = behind.map(|(_, piece)| piece.clone()).collect();
        if !query.wait {
            pieces.truncate(pieces.iter().position(|piece| matches!(piece, Pause(_))).unwrap_or(pieces.len()));
        } else if !matches!(pieces.last(), Some(Last(_))) {
            pieces.push(Hang);
        }
        let played = stream::iter(pieces).filter_map(move |piece| {
            let shown = Arc::clone(&shown);
            async move {
                match &piece {
                    Pause(time) => tokio::time::sleep(*time).await,
                    Hang => std::future::pending().await,
                    Ev(seq) | Last(seq) | Garbled(seq) => drop(shown.fetch_max(*seq, Ordering::SeqCst)),
                    _ => {}
                }
                item(&piece)
            }
        });
        Ok(Box::pin(played.fuse()))
    }

    fn refresh(&self) {}
}

/// Every item that a feed gives until it is live or the run has ended.
async fn items(mut rx: mpsc::Receiver<FeedUpdate>) -> Vec<FeedItem> {
    let mut all = Vec::new();
    loop {
        match rx.recv().await.unwrap() {
            // What came again depends on how often was asked.
            FeedUpdate::Items(items) => {
                all.extend(items.into_iter().filter(|item| !matches!(item, FeedItem::Duplicates(_))));
            }
            FeedUpdate::Link(LinkState::Live | LinkState::Ended) => return all,
            FeedUpdate::Restarted { why } => panic!("restarted: {why}"),
            _ => {}
        }
    }
}

/// Logs with gaps and lines that cannot be read, some of runs that have ended.
fn logs() -> impl Strategy<Value = Vec<Piece>> {
    let steps = proptest::collection::vec((0_u8..10, 1_u64..4), 1..40);
    (steps, any::<bool>()).prop_map(|(steps, ends)| {
        let mut seq = 0;
        let mut pieces = Vec::new();
        for (kind, skipped) in steps {
            seq += 1;
            match kind {
                0 if !pieces.is_empty() => {
                    seq += skipped;
                    pieces.push(Ev(seq));
                }
                1 => pieces.push(Garbled(seq)),
                _ => pieces.push(Ev(seq)),
            }
        }
        pieces.push(if ends { Last(seq + 1) } else { Ev(seq + 1) });
        pieces
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_journal_cut_anywhere_and_the_server_give_what_the_server_alone_gives(log in logs(), cut in 0.0..1.0_f64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let disk = Disk::new();
            let (rx, handle) = disk.follow_source(Log::of(&log));
            let alone = items(rx).await;
            handle.finish().await;
            let whole = disk.text();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place within a short text")]
            let cut = (whole.len() as f64 * cut) as usize;
            std::fs::write(disk.path(), &whole[..cut]).unwrap();
            let (rx, handle) = disk.follow_source(Log::of(&log));
            let again = items(rx).await;
            handle.finish().await;
            assert_eq!(again, alone, "cut at {cut}");
            assert_eq!(disk.text(), whole, "cut at {cut}");
        });
    }
}
