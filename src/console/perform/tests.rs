//! What is read for an effect, and that nothing waits without an end.

use futures_util::stream;

use super::*;
use crate::api::event::{Decoded, decode};
use crate::store::Ending;

#[test]
fn of_two_attempts_at_a_step_the_one_with_its_request_is_taken() {
    let (first, second) = ("550e8400-e29b-41d4-a716-446655440001", "550e8400-e29b-41d4-a716-446655440002");
    let steps = || -> RunSteps {
        let step = |request: &str| format!(r#"{{"node_id":"a","step":1{request}}}"#);
        let named = |id| step(&format!(r#","request_id":"{id}""#));
        let unnamed = r#"{"node_id":"b","step":1}"#;
        serde_json::from_str(&format!(r#"{{"steps":[{},{},{unnamed}]}}"#, named(first), named(second))).unwrap()
    };
    let key =
        |node: &str, step: u64| StepKey { node_id: node.parse().unwrap(), step, request_id: first.parse().unwrap() };
    assert_eq!(step_of(steps(), &key("a", 1)).unwrap().request_id, Some(first.parse().unwrap()));
    assert_eq!(step_of(steps(), &key("b", 1)).unwrap().request_id, None, "a server that names no request");
    assert!(step_of(steps(), &key("a", 2)).unwrap_err().contains("step 2 of a"));
}

const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";
const OTHER_RUN: &str = "550e8400-e29b-41d4-a716-44665544000f";

fn event(run: &str, seq: u64) -> StreamItem {
    let line = format!(
        r#"{{"envelope_version":"v2","run_id":"{run}","seq":{seq},"ts":"2026-11-22T10:00:00Z","type":"run_started","plan_hash":"aa"}}"#
    );
    let Decoded::Event(event) = decode(line.as_bytes()).unwrap() else { panic!("{line}") };
    StreamItem::Event { event, line: line.into() }
}

#[tokio::test]
async fn only_the_event_of_this_run_and_this_seq_is_shown_as_it() {
    let read = async |items: Vec<_>| {
        let items = stream::iter(items.into_iter().map(Ok));
        line_of(async { Ok(items) }, RUN.parse().unwrap(), 7).await
    };
    let line = read(vec![StreamItem::Keepalive, event(RUN, 6), event(OTHER_RUN, 7), event(RUN, 7)]).await;
    assert!(line.as_ref().is_ok_and(|line| line.contains(RUN) && line.contains(r#""seq":7"#)), "{line:?}");
    let line = read(vec![event(RUN, 8), event(OTHER_RUN, 7)]).await;
    assert_eq!(line, Err("the server sent no event 7".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_event_is_not_waited_for_without_an_end() {
    let alive = stream::repeat_with(|| Ok(StreamItem::Keepalive));
    let alive = alive.then(|item| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        item
    });
    let read = line_of(async { Ok(Box::pin(alive)) }, RUN.parse().unwrap(), 7);
    let line = tokio::time::timeout(Duration::from_hours(1), read).await.expect("an end");
    assert_eq!(line, Err("the server sent no event 7 within 60 seconds".to_owned()));
}

#[tokio::test]
async fn an_accepted_draft_is_ended_also_where_the_disk_does_not_keep_up() {
    let (disk, jobs) = sync_channel(1);
    let (outcomes, _actions) = mpsc::channel(1);
    let clients = ClientSource::new(|| unreachable!("nothing is read"));
    let performer = Performer::with(RUN.parse().unwrap(), clients, &Err("a test".into()), outcomes, disk);
    let step = StepKey { node_id: "a".parse().unwrap(), step: 1, request_id: OTHER_RUN.parse().unwrap() };
    let (first, second) = (step.call(&"c1".parse().unwrap()), step.call(&"c2".parse().unwrap()));
    performer.perform(Effect::EndDraft { key: first.clone(), ending: Ending::Accepted });
    performer.perform(Effect::EndDraft { key: second.clone(), ending: Ending::Accepted });
    let disk = std::thread::spawn(move || {
        let mut ended = Vec::new();
        for job in jobs {
            match job {
                DiskJob::End(key, _) => ended.push(key),
                DiskJob::Save(_) | DiskJob::Archive(_) | DiskJob::Flush(_) => {}
                DiskJob::Leave(done) => {
                    let _ = done.send(std::collections::HashMap::new());
                    break;
                }
            }
        }
        ended
    });
    performer.leave().await;
    drop(performer);
    assert_eq!(disk.join().unwrap(), [first, second], "before the flush, which leaving waits for");
}

#[cfg(unix)]
#[test]
fn a_directory_a_pipe_and_a_terminal_are_no_files_to_insert() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [home.path(), &pipe, Path::new("/dev/null")] {
        assert_eq!(read_text(path), Err("it is not a file".to_owned()), "{}", path.display());
    }
    let file = home.path().join("file");
    std::fs::write(&file, "[1]").unwrap();
    assert_eq!(read_text(&file).as_deref(), Ok("[1]"));
}
