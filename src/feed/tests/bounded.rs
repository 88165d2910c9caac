//! A feed that is to read only so much: what is there, or so many events; and the lines behind the events.

use super::*;
use crate::api::error::Class;

fn bounded(config: FeedConfig, streams: Vec<Result<Vec<Piece>, Error>>) -> Trial {
    Trial::with_config(64, config, vec![], streams)
}

/// Everything up to the feed's own end.
async fn all(trial: &mut Trial) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(update) = trial.rx.recv().await {
        words.push(word(&update));
    }
    words
}

/// The limits that were asked for, and after which seq.
fn limits(trial: &Trial) -> Vec<(u64, u32)> {
    trial.script.lock().unwrap().queries.iter().map(|(_, query)| (query.after_seq, query.limit)).collect()
}

#[tokio::test(start_paused = true)]
async fn without_waiting_the_feed_ends_when_an_answer_brings_nothing_new() {
    let config = FeedConfig { wait: false, ..FeedConfig::default() };
    let mut trial = bounded(config, vec![Ok(vec![Ev(1), Ev(2)]), Ok(vec![Ev(3)]), Ok(vec![])]);
    let words = all(&mut trial).await;
    let items: Vec<&String> = words.iter().filter(|word| !word.starts_with(char::is_alphabetic)).collect();
    assert_eq!(items, ["1 2", "3"], "{words:?}");
    assert_eq!(words.last().unwrap(), "live");
    assert_eq!(trial.queries(), [(0, false), (2, false), (3, false)]);
}

#[tokio::test(start_paused = true)]
async fn without_waiting_the_feed_ends_with_the_run_and_at_keepalives_that_nothing_comes_between() {
    let config = FeedConfig { wait: false, ..FeedConfig::default() };
    let mut ended = bounded(config, vec![Ok(vec![Ev(1), Last(2)])]);
    assert_eq!(all(&mut ended).await.last().unwrap(), "ended");
    let mut open = bounded(config, vec![Ok(vec![Ev(1), Keepalive, Hang]), Ok(vec![Keepalive, Hang])]);
    assert_eq!(all(&mut open).await.last().unwrap(), "live");
    let never_ends = (0..100).flat_map(|_| [Keepalive, Pause(Duration::from_secs(1))]).collect();
    let mut alive = bounded(config, vec![Ok(never_ends)]);
    let begun = tokio::time::Instant::now();
    assert_eq!(all(&mut alive).await.last().unwrap(), "live");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_waiting_a_keepalive_before_the_first_event_hides_none() {
    let config = FeedConfig { wait: false, ..FeedConfig::default() };
    let slow = vec![
        Keepalive,
        Pause(Duration::from_secs(2)),
        Keepalive,
        Pause(Duration::from_secs(2)),
        Ev(1),
        Keepalive,
        Ev(2),
    ];
    let mut trial = bounded(config, vec![Ok(slow), Ok(vec![Keepalive, Pause(Duration::from_secs(1)), Last(3)])]);
    let words = all(&mut trial).await;
    let items: Vec<&String> = words.iter().filter(|word| !word.starts_with(char::is_alphabetic)).collect();
    assert_eq!(items.last().map(|words| words.ends_with('3')), Some(true), "{words:?}");
    assert_eq!(words.last().unwrap(), "ended");
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_asked_for_page_by_page_and_ends_the_feed() {
    let config = FeedConfig { wait: false, limit: Some(10_003), ..FeedConfig::default() };
    let page = |from, to| Ok((from..=to).map(Ev).collect());
    let mut trial = bounded(config, vec![page(1, 10_000), page(10_001, 10_003), page(10_004, 10_004)]);
    let mut events = 0;
    while let Some(update) = trial.rx.recv().await {
        let FeedUpdate::Items(items) = update else { continue };
        events += items.len();
    }
    assert_eq!(events, 10_003);
    assert_eq!(limits(&trial), [(0, 10_000), (10_000, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_counts_what_was_given_out_and_not_the_place_of_a_line_that_was_given_out_before() {
    let config = FeedConfig { limit: Some(4), ..FeedConfig::default() };
    let history = vec![Ev(1), Garbled(3), Ev(4)];
    let again = vec![Ev(2), Garbled(3), Ev(4)];
    let mut trial = bounded(config, vec![Ok(history), Ok(again), Ok(vec![Ev(5), Hang])]);
    let words = all(&mut trial).await;
    let items: Vec<&String> = words.iter().filter(|word| !word.starts_with(char::is_alphabetic)).collect();
    assert_eq!(items, ["1 !", "2 4", "5"], "{words:?}");
    assert_eq!(limits(&trial), [(0, 4), (1, 3), (4, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_full_page_of_the_live_stream_is_no_outage() {
    let config = FeedConfig { limit: Some(3), ..FeedConfig::default() };
    let mut trial = bounded(config, vec![Ok(vec![Ev(1)]), Ok(vec![Ev(2), Ev(3), Hang])]);
    let words = all(&mut trial).await;
    assert!(!words.iter().any(|word| word.starts_with("retrying")), "{words:?}");
    assert_eq!(limits(&trial), [(0, 3), (1, 2)]);
    assert_eq!(words.last().unwrap(), "2 3");
}

#[tokio::test(start_paused = true)]
async fn each_line_comes_before_its_event_also_where_events_are_out_of_order() {
    let config = FeedConfig { wait: false, lines: true, ..FeedConfig::default() };
    let mut trial = bounded(config, vec![Ok(vec![Ev(1), Ev(3), Ev(2)]), Ok(vec![])]);
    let words = all(&mut trial).await.join(" ");
    let length = {
        let Some(Ok(StreamItem::Event { line, .. })) = item(&Ev(1)) else { panic!("an event") };
        line.len()
    };
    let expected = format!("[{length} bytes] 1 [{length} bytes] 2 [{length} bytes] 3");
    assert!(words.contains(&expected), "{words}");
}

#[tokio::test(start_paused = true)]
async fn trouble_says_what_kind_it_is_and_a_gap_is_none() {
    let not_ndjson = Error::ContentType {
        host: "h".into(),
        expected: "application/x-ndjson",
        got: "text/html".into(),
        attempts: 1,
        request_id: None,
    };
    let mut trial =
        bounded(FeedConfig::default(), vec![Err(not_ndjson), Ok(vec![Break]), Ok(vec![Ev(2)]), Err(status(404, None))]);
    let mut classes = Vec::new();
    loop {
        match trial.next().await {
            FeedUpdate::Link(LinkState::Retrying { class, .. }) => classes.push(class),
            FeedUpdate::Link(LinkState::Refused { class, .. }) => {
                assert_eq!(class, Class::NotFound);
                break;
            }
            _ => {}
        }
    }
    assert_eq!(classes, [Some(Class::Protocol), Some(Class::Unavailable), None]);
}
