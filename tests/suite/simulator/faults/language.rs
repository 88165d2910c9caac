//! The language that faults are asked for in.

use std::fs;

use super::*;

#[test]
fn each_word_of_the_language_is_understood_and_said_again() {
    let line = " cut=0.1, stall=0.05:20s,status-503=#2-4 ,lost-answer@tool-results=0.3:5x,status-401:within-10s,\
                long-line=#7:2MiB:1x,cut@snapshot=#1-:400B,status-429-date,false-500@any,restart@events";
    let said = [
        "cut@events=0.1",
        "stall@events=0.05:20000ms",
        "status-503@any=#2-4",
        "lost-answer@tool-results=0.3:5x",
        "status-401@any=1:within-10000ms",
        "long-line@events=#7:2097152B:1x",
        "cut@snapshot=#1-:400B",
        "status-429-date@any=1",
        "false-500@any=1",
        "restart@events=1",
    ];
    let faults = Faults::parse(line).unwrap();
    assert_eq!(faults.names(), said);
    assert_eq!(Faults::parse(&said.join(",")).unwrap(), faults, "what is said is understood as the same");
}

#[test]
fn what_cannot_be_understood_is_named_with_what_is_wrong_and_what_would_be_right() {
    for (line, phrases) in [
        ("ctu=0.1", &["\"ctu=0.1\"", "there is no fault \"ctu\"", "cut, early-end", "stale-pending"] as &[&str]),
        ("status-200", &["there is no fault", "a status from 400 to 599"]),
        ("cut@event=1", &["there is no place \"event\"", "events, snapshot", "any"]),
        ("skip@snapshot", &["it happens at events only"]),
        ("rival@any", &["it happens at tool-results only"]),
        ("cut=1.5", &["\"1.5\"", "from 0 to 1", "#2-5"]),
        ("cut=NaN", &["from 0 to 1"]),
        ("cut=#0", &["such as #3"]),
        ("cut=#5-2", &["such as #3"]),
        ("stall=0.1:20", &["\"20\" is no time", "such as 20s"]),
        ("stall=0.1:99h", &["at most 24h"]),
        ("cut=0.1:20s", &["is no size", "such as 400B"]),
        ("long-line:9999999GiB", &["is no size"]),
        ("crlf:20s", &["says nothing about it", "5x"]),
        ("cut:4B:5B", &["\"5B\" says again"]),
        ("cut:within-soon", &["\"soon\" is no time"]),
        (" , ", &["no fault is named", "cut"]),
    ] {
        let message = Faults::parse(line).unwrap_err().to_string();
        for phrase in phrases {
            assert!(message.contains(phrase), "{line}: {message}");
        }
    }
}

#[test]
fn a_file_says_the_same_as_a_line_and_its_errors_name_the_file_and_the_fault() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faults.toml");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        Faults::read(path.to_str().unwrap())
    };
    let text = "[[fault]]\nname = \"stall\"\nat = \"events\"\nwhen = 0.05\nvalue = \"20s\"\ntimes = 3\nwithin = \"1m\"\n\
                [[fault]]\nname = \"lost-answer\"\nat = \"tool-results\"\nwhen = \"#1\"\n\
                [[fault]]\nname = \"status-503\"\nwhen = 1\n";
    let line = "stall@events=0.05:20s:3x:within-1m,lost-answer@tool-results=#1,status-503";
    assert_eq!(read(text).unwrap(), Faults::parse(line).unwrap());
    for (text, phrases) in [
        (
            "[[fault]]\nname = \"cut\"\n[[fault]]\nname = \"ctu\"",
            &["faults.toml", "fault 2", "no fault \"ctu\""] as &[&str],
        ),
        ("[[fault]]\nname = \"cut\"\nhow = 1", &["faults.toml", "how", "times"]),
        ("fault = 3", &["faults.toml does not list faults"]),
        ("", &["faults.toml does not list faults"]),
    ] {
        let message = read(text).unwrap_err().to_string();
        for phrase in phrases {
            assert!(message.contains(phrase), "{text}: {message}");
        }
    }
    let missing = Faults::read("no/such/file.toml").unwrap_err().to_string();
    assert!(missing.contains("cannot read the faults in no/such/file.toml"), "{missing}");
}

#[tokio::test]
async fn a_bound_in_number_and_one_in_time_end_a_fault() {
    let bench = failing("status-500@snapshot:2x,status-503@steps:within-0s").await;
    let statuses = [get(&bench, "").await, get(&bench, "").await, get(&bench, "").await, get(&bench, "/steps").await];
    assert_eq!(statuses.map(|answer| answer.status()), [500, 500, 200, 200]);
    assert_eq!(times(&bench), [2, 0]);
    assert_eq!(bench.simulator.faults()[0].fault, "status-500@snapshot=1:2x");
}
