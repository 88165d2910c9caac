//! What stands in the scrollback after the console has left the terminal.
//!
//! A pure function over plain values: every line is there each time, so that it can be found by eye and by script.
//! The rule that must stay true: every text in a [`Summary`] is inert before it comes here.

use std::fmt::Write as _;
use std::time::Duration;

use crate::app::shell;

/// What is said about a run on leaving it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The run's id in full.
    pub run_id: String,
    /// The run's status in the server's word; `None` when it never said one.
    pub status: Option<String>,
    /// How long the run has run, or ran.
    pub duration: Option<Duration>,
    /// The money, as the first line of the screen shows it; `None` when the server never said.
    pub cost: Option<String>,
    /// Each call that waits, in a few words.
    pub waiting: Vec<String>,
    /// Each draft that was not sent, in a few words.
    pub unsent: Vec<String>,
    /// What else the operator should know, each a sentence.
    pub notices: Vec<String>,
    /// The command to come back, word by word.
    pub command: Vec<String>,
}

impl Summary {
    /// Says of drafts that do not outlive the console that they are gone.
    pub fn forget_drafts(&mut self) {
        let count = std::mem::take(&mut self.unsent).len();
        if count > 0 {
            let drafts = if count == 1 { "1 unsent draft is".to_owned() } else { format!("{count} unsent drafts are") };
            self.notices.push(format!("{drafts} gone with the demo"));
        }
    }

    /// The text, each line with its end.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("run       {}\n", self.run_id);
        let unknown = || "unknown".to_owned();
        let duration = self.duration.map_or_else(unknown, clock);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "status    {}", self.status.clone().unwrap_or_else(unknown));
        let _ = writeln!(text, "duration  {duration}");
        let _ = writeln!(text, "cost      {}", self.cost.clone().unwrap_or_else(unknown));
        list(&mut text, "waiting", &self.waiting);
        list(&mut text, "unsent", &self.unsent);
        for notice in &self.notices {
            let _ = writeln!(text, "note      {notice}");
        }
        let _ = writeln!(text, "return    {}", shell::line(&self.command));
        text
    }
}

/// One line with `nothing`, or how many with a line each.
fn list(text: &mut String, name: &str, entries: &[String]) {
    let count = if entries.is_empty() { "nothing".to_owned() } else { entries.len().to_string() };
    let _ = writeln!(text, "{name:<9} {count}");
    for entry in entries {
        let _ = writeln!(text, "          {entry}");
    }
}

/// `00:04:12`; hours grow as long as it takes.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_waits_is_summed_up_with_all_that_is_open() {
        let summary = Summary {
            run_id: "550e8400-e29b-41d4-a716-446655440000".into(),
            status: Some("waiting".into()),
            duration: Some(Duration::from_secs(4 * 60 + 12)),
            cost: Some("$0.42".into()),
            waiting: vec!["roll_back 1  roll_back_deploy  00:48".into(), "ask_oncall 1  user_ask  00:12".into()],
            unsent: vec!["roll_back 1  roll_back_deploy  18 bytes".into()],
            notices: vec!["the drafts are in /home/op/.local/state/relay-console".into()],
            command: ["relay-console", "550e8400-e29b-41d4-a716-446655440000", "--profile", "my lab's"]
                .map(String::from)
                .to_vec(),
        };
        let expected = "\
run       550e8400-e29b-41d4-a716-446655440000
status    waiting
duration  00:04:12
cost      $0.42
waiting   2
          roll_back 1  roll_back_deploy  00:48
          ask_oncall 1  user_ask  00:12
unsent    1
          roll_back 1  roll_back_deploy  18 bytes
note      the drafts are in /home/op/.local/state/relay-console
return    relay-console 550e8400-e29b-41d4-a716-446655440000 --profile 'my lab'\\''s'
";
        assert_eq!(summary.render(), expected);
    }

    #[test]
    fn a_demo_says_that_its_drafts_are_gone_instead_of_naming_them_as_kept() {
        let mut summary = Summary { unsent: vec!["a 1  look  18 bytes".into()], ..Summary::default() };
        summary.forget_drafts();
        let text = summary.render();
        assert!(
            text.contains("unsent    nothing\n") && text.contains("1 unsent draft is gone with the demo"),
            "{text}"
        );
        summary.forget_drafts();
        assert_eq!(summary.render(), text);
    }

    #[test]
    fn what_is_not_known_is_said_to_be_unknown_and_no_line_is_left_out() {
        let summary = Summary { run_id: "r".into(), command: vec!["relay-console".into()], ..Summary::default() };
        let lines: Vec<String> =
            summary.render().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "run r",
            "status unknown",
            "duration unknown",
            "cost unknown",
            "waiting nothing",
            "unsent nothing",
            "return relay-console",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_duration_grows_beyond_a_day() {
        assert_eq!(clock(Duration::from_secs(27 * 3600 + 61)), "27:01:01");
    }
}
