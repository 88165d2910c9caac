//! A file in the place of a server: read once, to its end.

use std::fmt::Write as _;

use super::*;
use crate::feed::file::Trust;
use crate::feed::outbox::{ITEMS, Outbox};
use crate::feed::replay::send_within;
use crate::feed::sequence::Sequence;
use crate::store::journal::Lines;

fn line(piece: &Piece) -> String {
    match item(piece) {
        Some(Ok(StreamItem::Event { line, .. })) => String::from_utf8(line.to_vec()).unwrap(),
        Some(Err(StreamError::Protocol(error))) => String::from_utf8(error.line.to_vec()).unwrap(),
        _ => r#"{"type":"keepalive"}"#.into(),
    }
}

/// A file of these lines, with `rest` behind them.
fn file(pieces: &[Piece], rest: &str) -> tempfile::NamedTempFile {
    let mut text = String::new();
    for piece in pieces {
        let _ = writeln!(text, "{}", line(piece));
    }
    text.push_str(rest);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// What the feed says of a file, to its end.
async fn replayed(file: &tempfile::NamedTempFile) -> Vec<String> {
    let (tx, mut rx) = mpsc::channel(1);
    let handle = Feed::replay(ReplayFile::open(file.path()).unwrap(), tx);
    let mut words = Vec::new();
    while let Some(update) = rx.recv().await {
        words.push(word(&update));
    }
    drop(handle);
    words
}

#[tokio::test]
async fn a_file_is_read_to_its_end_and_says_whether_the_run_had_ended() {
    let whole = file(&[Ev(1), Keepalive, Ev(2), Last(3)], "");
    assert_eq!(replayed(&whole).await, ["catching up 0", "1 2 3", "catching up 3", "ended"]);
    let part = file(&[Ev(1)], "");
    assert_eq!(replayed(&part).await, ["catching up 0", "1", "catching up 1", "endoffile"]);
}

#[tokio::test]
async fn what_is_odd_in_a_file_is_counted_and_the_rest_is_read() {
    let odd = file(&[Ev(1), Ev(3), Ev(2), Ev(2), Garbled(4), Ev(5), Ev(9)], "nonsense\n\n");
    assert_eq!(replayed(&odd).await[1], "1 2 3 x1 !4 5 ! 6-8 9");
}

#[tokio::test]
async fn a_last_line_without_an_end_counts_where_it_is_whole() {
    let whole = file(&[Ev(1)], &line(&Ev(2)));
    assert_eq!(replayed(&whole).await[1], "1 2");
    let torn = file(&[Ev(1)], &line(&Ev(2))[..40]);
    assert_eq!(replayed(&torn).await[1], "1 !");
}

#[tokio::test]
async fn a_rejected_line_of_a_file_tells_which_line_it_is() {
    let other = line(&Ev(3)).replace(RUN, "550e8400-e29b-41d4-a716-44665544000f");
    let odd = file(&[Ev(1), Garbled(2)], &format!("\n{other}\nnonsense\n{}\ncut", line(&Ev(3))));
    let (tx, mut rx) = mpsc::channel(8);
    let _handle = Feed::replay(ReplayFile::open(odd.path()).unwrap(), tx);
    let mut lines = Vec::new();
    while let Some(update) = rx.recv().await {
        let FeedUpdate::Items(items) = update else { continue };
        lines.extend(items.into_iter().filter_map(|item| match item {
            FeedItem::Rejected(error) => error.line_number,
            _ => None,
        }));
    }
    assert_eq!(lines, [2, 4, 5, 7]);
}

#[tokio::test]
async fn a_long_file_comes_in_bounded_batches_and_in_order() {
    let pieces: Vec<Piece> = (1..=3000).map(Ev).collect();
    let words = replayed(&file(&pieces, "")).await;
    let seqs: Vec<u64> = words
        .iter()
        .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .flat_map(|word| {
            assert!(word.split(' ').count() <= ITEMS);
            word.split(' ').map(|seq| seq.parse().unwrap())
        })
        .collect();
    assert_eq!(seqs, (1..=3000).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_file_without_events_is_refused_with_its_name() {
    for file in [file(&[], "nonsense\n"), file(&[], ""), file(&[Keepalive], "\0\0\0")] {
        let error = ReplayFile::open(file.path()).unwrap_err().to_string();
        assert!(error.contains(&file.path().display().to_string()) && error.contains("no events"), "{error}");
    }
    let directory = ReplayFile::open(&std::env::temp_dir()).unwrap_err().to_string();
    assert!(directory.contains("not a regular file"), "{directory}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = ReplayFile::open(&pipe).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
}

#[tokio::test]
async fn a_file_knows_its_run_and_rejects_the_events_of_another() {
    let other = line(&Ev(2)).replace(RUN, "550e8400-e29b-41d4-a716-44665544000f");
    let mixed = file(&[Ev(1)], &format!("{other}\n"));
    assert_eq!(ReplayFile::open(mixed.path()).unwrap().run_id().to_string(), RUN);
    assert_eq!(replayed(&mixed).await[1], "1 !");
}

#[cfg(unix)]
#[tokio::test]
async fn a_disk_that_hangs_while_it_is_read_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Whoever holds it writes nothing, until it is dropped.
    let held = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let lines = Lines::new(std::fs::File::open(&pipe).unwrap(), 0, u64::MAX);
    let (tx, _rx) = mpsc::channel(1);
    let order = Sequence::new(RUN.parse().unwrap(), 0);
    let patience = Duration::from_millis(50);
    let read = send_within(patience, lines, order, Trust::Nothing, &mut Outbox::new(tx)).await;
    assert!(matches!(read, Ok(None)), "{read:?}");
    drop(held);
}
