//! What befalls the lines of an event stream.

use relay_console::api::event;

use super::*;

#[tokio::test]
async fn after_seq_is_ignored_where_the_stream_starts_again() {
    let bench = failing("from-start=#1").await;
    assert_eq!(get(&bench, "/events?after_seq=5").await.seqs()[..2], [1, 2]);
    assert_eq!(get(&bench, "/events?after_seq=5").await.seqs()[..2], [6, 7]);
}

#[tokio::test]
async fn lines_that_are_no_events_stand_between_events_that_are_untouched() {
    let bench = failing("garbage=#2-9,invalid-utf8=#3,blank-lines=#4,keepalives=#5").await;
    let log = log_of(&bench);
    let events: Vec<&[u8]> = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let answer = get(&bench, "/events").await;
    let sent: Vec<&[u8]> = answer.body.split(|byte| *byte == b'\n').collect();
    let (known, foreign): (Vec<&[u8]>, Vec<&[u8]>) =
        sent[..sent.len() - 1].iter().partition(|line| events.contains(line));
    assert_eq!(known, events);
    assert!(foreign.iter().any(|line| line.is_empty()), "a blank line");
    assert!(foreign.iter().any(|line| std::str::from_utf8(line).is_err()), "no UTF-8");
    assert!(foreign.contains(&b"{\"type\":\"keepalive\"}".as_slice()), "a keepalive");
    let value = |line: &[u8]| serde_json::from_slice::<Value>(line).ok();
    assert!(foreign.iter().all(|line| value(line).is_none_or(|value| value["seq"].is_null())));
    assert_eq!(times(&bench), [8, 1, 1, 1]);
}

#[tokio::test]
async fn lines_end_as_was_asked() {
    let bench = failing("crlf=#1").await;
    let log = String::from_utf8(log_of(&bench)).unwrap();
    assert_eq!(get(&bench, "/events").await.text(), log.replace('\n', "\r\n"));
    assert_eq!(get(&bench, "/events").await.text(), log);
}

#[tokio::test]
async fn a_long_line_has_the_length_that_was_asked_for_and_is_one_line_of_json() {
    let bench = failing("long-line=#2:300000B,long-line=#3:1x").await;
    let answer = get(&bench, "/events").await;
    let lines: Vec<&[u8]> = answer.body.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines[1].len(), 300_000);
    assert_eq!(serde_json::from_slice::<Value>(lines[1]).unwrap()["type"], "noise");
    assert_eq!(lines[3].len(), 64 * 1024 * 1024, "64 MiB where no size is given");
    assert!(answer.whole);
}

#[tokio::test]
async fn hostile_characters_stand_in_texts_the_same_for_every_reader_and_not_in_the_log() {
    let bench = failing("hostile-text=0.9").await;
    let log = log_of(&bench);
    let (first, second) = (get(&bench, "/events").await, get(&bench, "/events").await);
    assert_eq!(first.body, second.body);
    assert_ne!(first.body, log);
    assert_eq!(first.seqs(), bench.simulator.log(bench.run_id).iter().map(|event| event.seq).collect::<Vec<_>>());
    assert!(first.text().contains("\\u001b") && first.text().contains('\u{202e}'));
    assert!(!String::from_utf8(log).unwrap().contains('\u{202e}'));
    // They are events all the same: nothing that the wire's types forbid.
    for line in first.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(matches!(event::decode(line), Ok(event::Decoded::Event(_))), "{}", String::from_utf8_lossy(line));
    }
}

#[tokio::test]
async fn faults_befall_server_sent_events_in_their_own_form() {
    let bench = failing("garbage=#2,blank-lines=#3,long-line=#4:1KiB,crlf").await;
    let accept = "accept: text/event-stream";
    let answer = ask(&bench, "GET /events?limit=5", &[accept], "", PATIENCE).await;
    let text = answer.text();
    assert!(text.lines().all(|line| ["", "event", "id", "data"].contains(&line.split(": ").next().unwrap())), "{text}");
    assert_eq!(text.matches("\r\n").count(), text.matches('\n').count());
    assert_eq!(text.matches("id: ").count(), 5);
    assert!(text.contains("data: {\"type\":\"noise\""));
}

#[tokio::test]
async fn an_event_that_is_held_back_comes_all_the_same_when_nothing_follows() {
    // Events change places two by two: the last one has no partner in one of these.
    for (faults, first) in [("reorder", 1), ("gap=#1,reorder", 2)] {
        let bench = bench_of("incident", faults, 7).await;
        let live = ask(&bench, "GET /events", &[], "", Duration::from_secs(2)).await;
        let there = bench.simulator.log(bench.run_id).len() as u64;
        let mut seqs = live.seqs();
        assert_eq!(seqs[0], first + 1);
        seqs.sort_unstable();
        assert_eq!((seqs, live.end), ((first..=there).collect(), End::Silence), "{faults}");
    }
}
