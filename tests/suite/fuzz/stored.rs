//! What is read back from the disk.

use relay_console::api::event::{Decoded, decode};
use relay_console::api::ids::RunId;
use relay_console::api::ndjson::Line;
use relay_console::store::journal::{self, Lines};
use relay_console::store::state_dir::hash_name;
use relay_console::store::{Draft, DraftStore, StateDir};

use super::fuzz;

const WORDS: &[&[u8]] = &[
    b"\"key\":",
    b"\"text\":",
    b"\"saved_at\":",
    b"null",
    b"\"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"9999-12-31T23:59:59Z",
    b"-000001-01-01T00:00:00Z",
    b"\xff",
    b"\0",
    b"18446744073709551616",
    b"00000000-0000-0000-0000-000000000000",
    b"../",
];

/// The name under which a draft is kept.
fn name_of(draft: &Draft) -> String {
    let (step, call) = (&draft.key.step, draft.key.call_id.as_str());
    let node = step.node_id.as_str();
    let text = format!("{}:{node} {} {} {}:{call}", node.len(), step.step, step.request_id, call.len());
    format!("{}.json", hash_name(text.as_bytes()))
}

#[test]
fn a_draft_is_read_as_it_was_written_or_told_to_be_damaged_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let run: RunId = "550e8400-e29b-41d4-a716-446655440000".parse().unwrap();
    let state = StateDir::open(home.path(), "http://127.0.0.1:1", run).unwrap();
    let store = DraftStore::open(&state).unwrap();
    fuzz("draft_reader", WORDS, |input| {
        let meant = serde_json::from_slice::<Draft>(input).ok();
        let name = meant.as_ref().map_or_else(|| format!("{}.json", "a".repeat(32)), name_of);
        let path = store.dir().join(name);
        std::fs::write(&path, input).unwrap();
        let (drafts, problems) = store.load_all();
        if let Some(draft) = meant {
            assert_eq!((drafts, problems.len()), (vec![draft.clone()], 0));
            // Written by us it is the same again.
            store.save(&draft).unwrap();
            assert_eq!(store.load_all().0, [draft]);
        } else {
            assert_eq!((drafts.len(), problems.len()), (0, 1));
            assert_eq!(problems[0].path, path);
            assert_eq!(std::fs::read(&path).unwrap(), input, "damaged or not, it is left as it is");
        }
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn the_lines_of_a_journal_are_its_bytes_and_an_event_that_is_found_is_the_one_that_was_looked_for() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(journal::FILE_NAME);
    let run: RunId = "550e8400-e29b-41d4-a716-446655440000".parse().unwrap();
    let words: &[&[u8]] = &[
        b"\n",
        b"\r\n",
        b"\r",
        b"\0\0\0\0",
        b"\"seq\":2",
        b"\"seq\":7",
        b"\"seq\":0",
        b"\xff",
        b"{}\n",
        b"{\"type\":\"keepalive\"}\n",
    ];
    fuzz("journal_reader", words, |input| {
        let mut lines = Lines::new(input, 0, u64::MAX);
        let mut begin = 0;
        while let Some(found) = lines.next_line().unwrap() {
            let end = usize::try_from(found.end).unwrap();
            let whole = &input[begin..end];
            let Line::Whole(line) = found.line else { panic!("no line here is over the limit") };
            let ending: &[u8] = match (found.marked, found.ended) {
                (true, true) => b"\r\n",
                (false, true) => b"\n",
                (true, false) => b"\r",
                (false, false) => b"",
            };
            assert_eq!(whole, [&line, ending].concat());
            begin = end;
        }
        assert_eq!(begin, input.len(), "every byte stands in a line");
        std::fs::write(&path, input).unwrap();
        for seq in [0, 1, 2, 7] {
            if let Some(line) = journal::event_line(&path, run, seq).unwrap() {
                let Ok(Decoded::Event(event)) = decode(&line) else { panic!("{}", line.escape_ascii()) };
                assert_eq!((event.run_id, event.seq), (run, seq));
            }
        }
        assert_eq!(std::fs::read(&path).unwrap(), input, "reading changes nothing");
    });
}
