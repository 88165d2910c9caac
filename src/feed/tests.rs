//! The feed's rules against a scripted source, in paused time: no network, no waiting.

mod bounded;
mod journal;
mod network;
mod replay;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::outbox::ITEMS;
use super::source::Source;
use super::*;
use crate::api::client::{EventsQuery, Reply, StreamItem};
use crate::api::error::{Error, StatusError, StreamError, TransportError, TransportKind};
use crate::api::event::{Decoded, decode};

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

/// What a scripted stream does next.
#[derive(Debug, Clone)]
enum Piece {
    /// The event of this seq.
    Event(u64),
    /// The run's last event.
    Last(u64),
    Keepalive,
    /// A piece of a long line.
    Part,
    /// A line that cannot be read.
    Garbled(u64),
    Pause(Duration),
    /// The connection breaks.
    Break,
    /// Nothing more comes, and the stream stays open.
    Hang,
}
use Piece::{Break, Event as Ev, Garbled, Hang, Keepalive, Last, Part, Pause};

fn item(piece: &Piece) -> Option<Result<StreamItem, StreamError>> {
    let (seq, kind) = match piece {
        Ev(seq) => (seq, r#""node_started","node_id":"n""#.to_owned()),
        Last(seq) => (seq, format!(r#""run_failed","plan_hash":"{}","error":{{"message":"m"}}"#, "a".repeat(64))),
        Keepalive => return Some(Ok(StreamItem::Keepalive)),
        Part => return Some(Ok(StreamItem::Partial)),
        Garbled(seq) => {
            let error = decode(format!(r#"{{"seq":{seq},"type":"x"}}"#).as_bytes()).unwrap_err();
            return Some(Err(StreamError::Protocol(error)));
        }
        Break => {
            let (kind, host, cause) = (TransportKind::Read, "host".into(), "reset".into());
            return Some(Err(StreamError::Transport(TransportError { kind, host, cause, attempts: 1 })));
        }
        Pause(_) | Hang => return None,
    };
    let line = format!(
        r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":{seq},"ts":"2026-01-01T00:00:00Z","type":{kind}}}"#
    );
    let Ok(Decoded::Event(event)) = decode(line.as_bytes()) else { panic!("{line}") };
    Some(Ok(StreamItem::Event { event, line: Bytes::from(line) }))
}

/// A source that answers as scripted; where the script has ended, the run is running and its streams hang.
#[derive(Default)]
struct Script {
    snapshots: VecDeque<Result<&'static str, Error>>,
    streams: VecDeque<Result<Vec<Piece>, Error>>,
    /// What was asked for, and when.
    queries: Vec<(Duration, EventsQuery)>,
    refreshes: u32,
    /// Whether a probe's question for events is left without an answer.
    deaf_to_probes: bool,
}

struct Scripted {
    script: Arc<Mutex<Script>>,
    start: Instant,
}

impl Source for Scripted {
    type Stream = Pin<Box<dyn Stream<Item = Result<StreamItem, StreamError>> + Send>>;

    async fn snapshot(&self) -> Result<Reply<RunSnapshot>, Error> {
        let status = self.script.lock().unwrap().snapshots.pop_front().unwrap_or(Ok("running"))?;
        let json = format!(r#"{{"run_id":"{RUN}","status":"{status}","cost_summary":{{"total_usd_cents":0}}}}"#);
        Ok(Reply { value: serde_json::from_str(&json).unwrap(), body: json.into(), request_id: None, date: None })
    }

    async fn events(&self, query: EventsQuery) -> Result<Self::Stream, Error> {
        if query.limit == 1 && self.script.lock().unwrap().deaf_to_probes {
            std::future::pending::<()>().await;
        }
        let mut script = self.script.lock().unwrap();
        script.queries.push((self.start.elapsed(), query));
        let pieces = script.streams.pop_front().unwrap_or_else(|| Ok(vec![Hang]))?;
        let played = stream::iter(pieces).filter_map(|piece| async move {
            match &piece {
                Pause(time) => tokio::time::sleep(*time).await,
                Hang => std::future::pending().await,
                _ => {}
            }
            item(&piece)
        });
        Ok(Box::pin(played.fuse()))
    }

    fn refresh(&self) {
        self.script.lock().unwrap().refreshes += 1;
    }
}

struct Trial {
    rx: mpsc::Receiver<FeedUpdate>,
    handle: FeedHandle,
    script: Arc<Mutex<Script>>,
}

impl Trial {
    fn new(snapshots: Vec<Result<&'static str, Error>>, streams: Vec<Result<Vec<Piece>, Error>>) -> Self {
        Self::with_room(64, snapshots, streams)
    }

    fn with_room(
        room: usize,
        snapshots: Vec<Result<&'static str, Error>>,
        streams: Vec<Result<Vec<Piece>, Error>>,
    ) -> Self {
        Self::with_config(room, FeedConfig::default(), snapshots, streams)
    }

    fn with_config(
        room: usize,
        config: FeedConfig,
        snapshots: Vec<Result<&'static str, Error>>,
        streams: Vec<Result<Vec<Piece>, Error>>,
    ) -> Self {
        let script = Script { snapshots: snapshots.into(), streams: streams.into(), ..Script::default() };
        let script = Arc::new(Mutex::new(script));
        let source = Scripted { script: Arc::clone(&script), start: Instant::now() };
        let (tx, rx) = mpsc::channel(room);
        let signals = Arc::new(Signals::default());
        let run_id = RunId::parse(RUN).unwrap();
        let follower = Follower::new(source, run_id, config, tx, Arc::clone(&signals));
        tokio::spawn(follower.run());
        Self { rx, handle: FeedHandle { signals }, script }
    }

    async fn next(&mut self) -> FeedUpdate {
        let update = tokio::time::timeout(Duration::from_secs(600), self.rx.recv()).await;
        update.expect("an update within ten minutes").expect("a feed that goes on")
    }

    /// Everything up to the first link state that `stop` names, in words.
    async fn until(&mut self, stop: &str) -> Vec<String> {
        let mut words = Vec::new();
        loop {
            let word = word(&self.next().await);
            let stopped = word.starts_with(stop);
            words.push(word);
            if stopped {
                return words;
            }
            assert!(words.len() < 1000, "{stop} never comes: {:?}", &words[..50]);
        }
    }

    /// What was asked for: `after_seq`, and whether it waited.
    fn queries(&self) -> Vec<(u64, bool)> {
        self.script.lock().unwrap().queries.iter().map(|(_, query)| (query.after_seq, query.wait)).collect()
    }
}

/// An update in short: a link state, `snapshot`, or items as `1 2 !3 4-5 x2`.
fn word(update: &FeedUpdate) -> String {
    let items = match update {
        FeedUpdate::Link(LinkState::Retrying { cause, .. }) => return format!("retrying: {cause}"),
        FeedUpdate::Link(LinkState::Refused { cause, .. }) => return format!("refused: {cause}"),
        FeedUpdate::Link(LinkState::Stale { .. }) => return "stale".into(),
        FeedUpdate::Link(LinkState::CatchingUp { applied }) => return format!("catching up {applied}"),
        FeedUpdate::Link(state) => return format!("{state:?}").to_lowercase(),
        FeedUpdate::Snapshot { snapshot, .. } => return format!("snapshot {}", snapshot.status),
        FeedUpdate::Restarted { why } => return format!("restarted: {why}"),
        FeedUpdate::Journal(text) => return format!("journal: {text}"),
        FeedUpdate::Items(items) => items,
    };
    let items: Vec<String> = items
        .iter()
        .map(|item| match item {
            FeedItem::Line(line) => format!("[{} bytes]", line.len()),
            FeedItem::Event(event) => event.seq.to_string(),
            FeedItem::Rejected(error) => error.seq.map_or("!".into(), |seq| format!("!{seq}")),
            FeedItem::Gap { first, last } => format!("{first}-{last}"),
            FeedItem::Duplicates(count) => format!("x{count}"),
        })
        .collect();
    items.join(" ")
}

fn status(status: u16, retry_after: Option<Duration>) -> Error {
    Error::Status(Box::new(StatusError {
        status,
        code: None,
        message: "said so".into(),
        fields: Vec::new(),
        issues: Vec::new(),
        request_id: None,
        retry_after,
        attempts: 1,
    }))
}

#[tokio::test(start_paused = true)]
async fn a_run_is_followed_from_its_snapshot_through_its_history_to_its_end() {
    let mut trial = Trial::new(
        vec![Ok("running"), Ok("failed")],
        vec![
            Ok(vec![Ev(1), Ev(2)]),
            Ok(vec![Pause(Duration::from_secs(1)), Ev(3), Pause(Duration::from_secs(1)), Last(4), Hang]),
            Ok(vec![]),
        ],
    );
    assert_eq!(
        trial.until("ended").await,
        [
            "connecting",
            "snapshot running",
            "catching up 0",
            "1 2",
            "catching up 2",
            "live",
            "3",
            "4",
            "snapshot failed",
            "ended"
        ]
    );
    assert_eq!(trial.queries(), [(0, false), (2, true), (4, false)]);
    assert!(trial.script.lock().unwrap().queries.iter().all(|(_, query)| query.include_output && query.limit == 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_had_ended_before_is_ended_once_its_events_are_read() {
    let mut trial = Trial::new(vec![Ok("failed"), Ok("failed")], vec![Ok(vec![Ev(1)]), Ok(vec![Last(2)]), Ok(vec![])]);
    let words = trial.until("ended").await;
    assert_eq!(words[2..], ["catching up 0", "1", "catching up 1", "2", "catching up 2", "snapshot failed", "ended"]);
    assert_eq!(trial.queries(), [(0, false), (1, true), (2, false)]);
}

/// The snapshots of a run that has ended, for so many connections.
fn over(connections: usize) -> Vec<Result<&'static str, Error>> {
    (0..connections).map(|_| Ok("failed")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_last_event_is_missing_is_read_three_times_more_before_it_counts_as_ended() {
    let mut never = Trial::new(over(4), (0..8).map(|_| Ok(vec![Ev(1)])).collect());
    let words = never.until("ended").await;
    let retries: Vec<&String> = words.iter().filter(|word| word.starts_with("retrying")).collect();
    assert_eq!(retries.len(), 3, "{words:?}");
    assert!(retries[2].contains("its last event is missing; reading again (3)"), "{retries:?}");
    let answers = [vec![Ev(1)], vec![], vec![], vec![Last(2)]];
    let mut healed = Trial::new(over(2), answers.into_iter().map(Ok).collect());
    let words = healed.until("ended").await;
    assert!(words.contains(&"2".to_owned()), "an answer that was cut short hides nothing: {words:?}");
    // Behind the last event there is none, and nothing is missing.
    let config = FeedConfig { after_seq: 2, ..FeedConfig::default() };
    let mut behind = Trial::with_config(64, config, over(1), vec![Ok(vec![]), Ok(vec![])]);
    assert_eq!(behind.until("ended").await[2..], ["catching up 0", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_ahead_of_the_events_costs_none_of_them() {
    let late = vec![Pause(Duration::from_secs(3)), Ev(2), Pause(Duration::from_secs(3)), Last(3)];
    let mut trial = Trial::new(vec![Ok("failed")], vec![Ok(vec![Ev(1)]), Ok(late)]);
    let words = trial.until("ended").await;
    assert!(words.contains(&"2".to_owned()) && words.contains(&"3".to_owned()), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_although_the_server_keeps_every_answer_open() {
    let mut ended = Trial::new(vec![], vec![Ok(vec![Ev(1), Last(2), Hang])]);
    assert_eq!(ended.until("ended").await[3..], ["1 2", "catching up 2", "snapshot running", "ended"]);
    let mut without_end = Trial::new(over(4), vec![Ok(vec![Ev(1), Hang])]);
    let begun = Instant::now();
    without_end.until("ended").await;
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    let mut alive = Trial::new(over(4), (0..8).map(|_| Ok(vec![Ev(1), Keepalive, Hang])).collect());
    alive.until("ended").await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_answer_stays_open_has_found_nothing() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![]), Ok(vec![Hang]), Ok(vec![Hang])]);
    trial.until("live").await;
    assert_eq!(trial.until("live").await, ["stale", "snapshot running", "live"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_snapshot_cannot_be_read_is_followed_by_its_events() {
    let unreadable =
        || Err(Error::Decode { what: "a run", cause: "html".into(), status: 200, request_id: None, attempts: 1 });
    for broken in [unreadable(), Err(status(500, None))] {
        let mut trial = Trial::new(vec![broken, unreadable()], vec![Ok(vec![Ev(1)]), Ok(vec![Hang]), Ok(vec![Ev(1)])]);
        assert_eq!(trial.until("live").await, ["connecting", "catching up 0", "1", "catching up 1", "live"]);
        assert_eq!(trial.until("live").await, ["stale", "live"]);
    }
}

#[tokio::test(start_paused = true)]
async fn events_out_of_order_are_put_in_order_and_none_is_missed() {
    let mut history = Trial::new(vec![], vec![Ok(vec![Ev(1), Ev(3), Ev(2), Ev(4)])]);
    assert_eq!(history.until("live").await[3..], ["1 2 3 4", "catching up 4", "live"]);
    let scrambled = || vec![Ev(3), Ev(2), Last(5), Ev(4)];
    let mut live = Trial::new(vec![], vec![Ok(vec![Ev(1)]), Ok(scrambled()), Ok(scrambled())]);
    let words = live.until("ended").await;
    assert!(words.contains(&"2 3 4 5".to_owned()), "{words:?}");
    assert!(!words.iter().any(|word| word.contains('x') || word.contains('-')), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_stream_is_resumed_after_the_last_event_however_long_it_takes() {
    let down = || Err(status(503, None));
    let mut trial = Trial::new(
        vec![Ok("running"), down(), down(), down(), down(), down(), down(), down(), down(), down()],
        vec![Ok(vec![]), Ok(vec![Ev(1), Break]), Ok(vec![Ev(2)])],
    );
    trial.until("live").await;
    let mut waits = Vec::new();
    let resumed = loop {
        match trial.next().await {
            FeedUpdate::Link(LinkState::Retrying { wait, .. }) => waits.push(wait.as_secs_f64()),
            FeedUpdate::Items(items) if items.len() == 1 && word(&FeedUpdate::Items(items.clone())) == "2" => {
                break items;
            }
            _ => {}
        }
    };
    assert_eq!(resumed.len(), 1);
    assert_eq!(trial.queries()[2], (1, false));
    assert_eq!(waits.len(), 10);
    for (failures, wait) in waits.iter().enumerate() {
        let middle = (0.3 * f64::from(1_u32 << failures)).min(30.0);
        assert!(*wait >= middle * 0.5 && *wait <= (middle * 1.5).min(30.0), "wait {failures} is {wait}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_new_event_takes_the_back_off_to_its_beginning() {
    let mut streams = Vec::new();
    for seq in 1..=6 {
        streams.extend([Ok(vec![Ev(seq)]), Ok(vec![Break])]);
    }
    let mut trial = Trial::new(vec![], streams);
    for _ in 1..=6 {
        let FeedUpdate::Link(LinkState::Retrying { wait, .. }) = ({
            loop {
                let update = trial.next().await;
                if matches!(update, FeedUpdate::Link(LinkState::Retrying { .. })) {
                    break update;
                }
            }
        }) else {
            unreachable!()
        };
        assert!(wait <= Duration::from_millis(450), "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_before_the_run_has_ended_is_opened_again() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![]), Ok(vec![Ev(1)])]);
    let words = trial.until("retrying").await;
    assert!(words.last().unwrap().contains("before the run had ended"), "{words:?}");
    trial.until("catching up").await;
    assert_eq!(trial.queries(), [(0, false), (0, true), (1, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_link_is_stale_until_a_probe_finds_that_nothing_was_missed() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![]), Ok(vec![Hang]), Ok(vec![])]);
    trial.until("live").await;
    let live = Instant::now();
    assert_eq!(trial.until("live").await, ["stale", "snapshot running", "live"]);
    assert_eq!(live.elapsed(), Duration::from_secs(15));
    let probe = trial.script.lock().unwrap().queries[2].1;
    assert_eq!((probe.wait, probe.limit), (false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_brings_an_event_opens_the_stream_again() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![Ev(1)]), Ok(vec![Hang]), Ok(vec![Ev(2)]), Ok(vec![Ev(2), Ev(3)])]);
    trial.until("stale").await;
    assert_eq!(trial.until("2").await, ["connecting", "snapshot running", "catching up 0", "2 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_keepalive_before_the_event_of_a_probe_hides_nothing() {
    let probe = vec![Keepalive, Pause(Duration::from_secs(1)), Keepalive, Ev(2)];
    let mut trial = Trial::new(vec![], vec![Ok(vec![Ev(1)]), Ok(vec![Hang]), Ok(probe), Ok(vec![Ev(2)])]);
    trial.until("stale").await;
    assert_eq!(trial.until("2").await, ["connecting", "snapshot running", "catching up 0", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_only_keepalives_answer_has_found_nothing_once_the_quiet_time_is_over() {
    let alive = (0..100).flat_map(|_| [Keepalive, Pause(Duration::from_secs(1))]).collect();
    let mut trial = Trial::new(vec![], vec![Ok(vec![]), Ok(vec![Hang]), Ok(alive)]);
    trial.until("stale").await;
    let stale = Instant::now();
    assert_eq!(trial.until("live").await, ["snapshot running", "live"]);
    assert_eq!(stale.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_finds_the_run_ended_opens_the_stream_again_and_ends() {
    let mut trial = Trial::new(
        vec![Ok("running"), Ok("failed"), Ok("failed")],
        vec![Ok(vec![Ev(1)]), Ok(vec![Hang]), Ok(vec![]), Ok(vec![Last(2)]), Ok(vec![])],
    );
    trial.until("stale").await;
    let words = trial.until("ended").await;
    assert!(words.contains(&"2".to_owned()), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_an_answer_means_that_the_link_is_down() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![]), Ok(vec![Hang])]);
    trial.script.lock().unwrap().deaf_to_probes = true;
    trial.until("stale").await;
    let words = trial.until("retrying").await;
    assert!(words[0].contains("no answer to a probe within 15 s"), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn keepalives_and_events_keep_a_link_from_being_stale() {
    let quiet = Pause(Duration::from_secs(14));
    let pieces = vec![quiet.clone(), Keepalive, quiet.clone(), Ev(1), quiet, Keepalive, Break];
    let mut trial = Trial::new(vec![], vec![Ok(vec![]), Ok(pieces)]);
    trial.until("live").await;
    assert_eq!(trial.until("retrying").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_keepalives_only_is_probed_now_and_then_without_a_word() {
    let alive = || -> Vec<Piece> { (0..200).flat_map(|_| [Keepalive, Pause(Duration::from_secs(1))]).collect() };
    let answers = vec![Ok(vec![Ev(1)]), Ok(alive()), Ok(vec![Ev(1)]), Err(status(503, None)), Ok(vec![Ev(2)])];
    let mut trial = Trial::new(vec![], answers);
    trial.until("live").await;
    let begun = Instant::now();
    // The first look finds nothing new, the second fails, and the third, soon after, finds what the stream keeps back.
    assert_eq!(trial.until("connecting").await, ["snapshot running", "connecting"]);
    assert_eq!(begun.elapsed().as_secs(), 60 + 60 + 15);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_claims_a_wild_seq_is_no_news_to_a_probe() {
    let wild = || vec![Ev(1), Garbled(1_000_000_000_000)];
    let mut trial = Trial::new(vec![], vec![Ok(wild()), Ok(vec![Hang]), Ok(wild()), Ok(vec![Hang])]);
    trial.until("live").await;
    assert_eq!(trial.until("live").await, ["stale", "snapshot running", "live"]);
    assert_eq!(
        trial.script.lock().unwrap().queries[2].1.limit,
        3,
        "the event before, the line, and what stands behind it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_meets_the_long_line_that_the_stream_is_in_does_not_begin_it_again() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![]), Ok(vec![Part, Hang]), Ok(vec![Part, Hang])]);
    trial.until("live").await;
    trial.until("stale").await;
    let begun = Instant::now();
    assert_eq!(trial.until("live").await, ["snapshot running", "live"]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_begun_the_run_anew_is_noticed_and_read_from_its_beginning() {
    // Its log is shorter than what was read: asked three times more, it still has no such event.
    let mut streams = vec![Ok(vec![Ev(1), Ev(2)]), Ok(vec![Break])];
    streams.extend((0..4).flat_map(|_| [Ok(vec![]), Ok(vec![Hang]), Ok(vec![])]));
    streams.push(Ok(vec![Ev(1)]));
    let mut shorter = Trial::new(vec![], streams);
    let words = shorter.until("restarted").await;
    let asked = words.iter().filter(|word| word.contains("did not come again")).count();
    assert_eq!(asked, 3, "{words:?}");
    assert!(words.last().unwrap().contains("no event 2 any more"), "{words:?}");
    assert_eq!(shorter.until("1").await[1..], ["snapshot running", "catching up 0", "1"]);
    // Another event stands in the last one's place.
    let streams = vec![Ok(vec![Ev(1)]), Ok(vec![Hang]), Ok(vec![Last(1)]), Ok(vec![Last(1)])];
    let mut other = Trial::new(vec![], streams);
    let words = other.until("restarted").await;
    assert!(words.last().unwrap().contains("event 1 on the server is another"), "{words:?}");
    let words = other.until("ended").await;
    assert!(words.contains(&"1".to_owned()), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_always_begins_from_1_is_not_taken_for_a_new_one() {
    let streams = vec![Ok(vec![Ev(1), Ev(2), Ev(3)]), Ok(vec![Hang]), Ok(vec![Ev(1), Ev(2)])];
    let mut trial = Trial::new(vec![], streams);
    trial.until("live").await;
    assert_eq!(trial.until("live").await, ["stale", "snapshot running", "live"]);
}

#[tokio::test(start_paused = true)]
async fn servers_that_do_not_agree_are_read_again_with_longer_and_longer_rests() {
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.extend([Ok(vec![Ev(1)]), Ok(vec![Hang]), Ok(vec![Last(1)])]);
    }
    let mut trial = Trial::new(vec![], streams);
    for rest in [0, 2, 3] {
        trial.until("restarted").await;
        let begun = Instant::now();
        trial.until("connecting").await;
        assert_eq!(begun.elapsed().as_secs(), rest);
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubted_link_is_stale_until_it_is_probed_whatever_was_on_its_way() {
    let second = Pause(Duration::from_millis(50));
    let mut trial = Trial::new(
        vec![],
        vec![
            Ok(vec![]),
            Ok(vec![Pause(Duration::from_secs(5)), Ev(1), Hang]),
            Ok(vec![Pause(Duration::from_secs(8)), second]),
        ],
    );
    trial.until("live").await;
    trial.handle.probe_now();
    assert_eq!(trial.until("live").await, ["stale", "1", "snapshot running", "live"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_keeps_the_history_open_counts_as_live_once_it_is_quiet() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![Ev(1), Keepalive, Ev(2), Hang])]);
    assert_eq!(trial.until("live").await[3..], ["1 2", "live"]);
    let mut silent = Trial::new(vec![], vec![Ok(vec![Ev(1), Hang])]);
    assert_eq!(silent.until("live").await[3..], ["1", "catching up 1", "live"]);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_goes_on_for_ever_without_a_word_that_is_new_counts_as_read() {
    let again = || (0..400).flat_map(|_| [Pause(Duration::from_secs(2)), Ev(1)]);
    let endless = || [Ev(1)].into_iter().chain(again()).chain([Ev(2), Hang]).collect();
    let mut trial = Trial::new(vec![], vec![Ok(endless())]);
    let words = trial.until("live").await;
    assert!(!words.iter().any(|word| word.ends_with('2')), "{words:?}");
    // One that is to end by itself is left.
    let config = FeedConfig { wait: false, ..FeedConfig::default() };
    let mut trial = Trial::with_config(64, config, vec![], vec![Ok(endless()), Ok(vec![])]);
    let words = trial.until("live").await;
    assert!(!words.iter().any(|word| word.ends_with('2')), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_history_that_begins_with_much_that_is_known_is_read_to_where_it_is_new() {
    let known = (1..=100).map(Ev).chain([Break]).collect();
    let again = (1..=101).flat_map(|seq| [Pause(Duration::from_secs(2)), Ev(seq)]).chain([Hang]).collect();
    let mut trial = Trial::new(vec![], vec![Ok(known), Ok(again)]);
    let words = trial.until("live").await;
    assert!(words.iter().any(|word| word == "101"), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final_until_the_operator_asks_again_with_credentials_read_anew() {
    for code in [401, 403, 404] {
        let mut trial = Trial::new(vec![Err(status(code, None))], vec![]);
        let words = trial.until("refused").await;
        assert!(words[1].contains(&code.to_string()) && words[1].contains("said so"), "{words:?}");
        let silence = tokio::time::timeout(Duration::from_secs(3600), trial.rx.recv()).await;
        assert!(silence.is_err(), "{silence:?}");
        assert_eq!(trial.script.lock().unwrap().refreshes, 0);
        trial.handle.reconnect_now();
        trial.until("snapshot").await;
        assert_eq!(trial.script.lock().unwrap().refreshes, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_honoured_and_the_operator_can_cut_it_short() {
    let busy = || Err(status(429, Some(Duration::from_secs(50))));
    let mut trial = Trial::new(vec![busy(), busy()], vec![]);
    trial.until("retrying").await;
    let begun = Instant::now();
    trial.until("retrying").await;
    assert_eq!(begun.elapsed(), Duration::from_secs(50));
    let begun = Instant::now();
    trial.handle.reconnect_now();
    trial.until("snapshot").await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_read_again_three_times_and_is_then_given_out_as_permanent() {
    let skipping = || Ok(vec![Ev(1), Ev(4), Ev(5)]);
    let mut trial = Trial::new(vec![], vec![skipping(), skipping(), skipping(), skipping(), Ok(vec![])]);
    let words = trial.until("live").await;
    let retries: Vec<&String> = words.iter().filter(|word| word.starts_with("retrying")).collect();
    assert_eq!(retries.len(), 3);
    assert!(retries[0].contains("events 2 to 3 missing"), "{retries:?}");
    assert!(words.contains(&"2-3 4 5".to_owned()), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_line_is_given_out_in_its_place_and_the_stream_goes_on() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![Ev(1), Garbled(2), Ev(3)])]);
    let words = trial.until("1").await;
    assert_eq!(words.last().unwrap(), "1 !2 3");
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_and_an_impatient_operator_lose_nothing() {
    let long: Vec<Piece> = (1..=4000).map(Ev).collect();
    let mut trial = Trial::with_room(1, vec![], vec![Ok(long.clone()), Ok(long.clone()), Ok(long.clone()), Ok(long)]);
    let mut seqs = Vec::new();
    let mut updates = 0;
    while seqs.len() < 4000 {
        updates += 1;
        assert!(updates < 5000, "only {} events came", seqs.len());
        if [5, 7, 9].contains(&updates) {
            trial.handle.reconnect_now();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if let FeedUpdate::Items(items) = trial.next().await {
            assert!(items.len() <= ITEMS + 1, "a batch of {}", items.len());
            seqs.extend(items.into_iter().filter_map(|item| match item {
                FeedItem::Event(event) => Some(event.seq),
                _ => None,
            }));
        }
    }
    assert_eq!(seqs, (1..=4000).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_feed_says_nothing_more() {
    let mut trial = Trial::new(vec![], vec![Ok(vec![])]);
    trial.until("live").await;
    trial.handle.stop();
    assert_eq!(trial.rx.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_feed_without_a_receiver_comes_to_its_end() {
    let Trial { rx, handle, script } = Trial::new(vec![], vec![Ok(vec![])]);
    drop(rx);
    // The source is dropped with the task.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&script), 1);
    drop(handle);
}
