//! The commands against the simulator in a process of its own: one after the other, as a script calls them.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{assert_fails, text};
use crate::program::Program;
use crate::pty::simulate::Simulate;

const SPEC: &str = r#"{
  "kind": "workflow", "name": "trial", "model": "claude-sonnet-4-5",
  "inputs": [{"name": "topic", "required": true}],
  "nodes": [
    {"id": "draft", "type": "llm", "user": "Write about {{topic}}"},
    {"id": "all", "type": "join.all", "depends_on": ["draft"]}
  ],
  "outputs": [{"name": "text", "from": "draft", "pointer": "/output/0/content/0/text"}, {"name": "all", "from": "all"}]
}
"#;

/// How long a run may take before it is a failure.
const BOUND: Duration = Duration::from_secs(30);

struct Shell {
    simulator: Simulate,
    program: Program,
}

impl Shell {
    fn new() -> Self {
        let shell = Self { simulator: Simulate::start("100"), program: Program::new() };
        std::fs::write(shell.program.home.path().join("spec.json"), SPEC).unwrap();
        let broken = SPEC.replace(r#"["draft"]"#, r#"["draft", "nobody"]"#);
        std::fs::write(shell.program.home.path().join("broken.json"), broken).unwrap();
        shell
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command: Command = self.program.command(arguments);
        command.current_dir(self.program.home.path()).envs(self.simulator.environment()).output().unwrap()
    }

    /// What a command that succeeds prints, without the last line's end.
    fn answer(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    }

    /// Asks until the answer fulfils the condition.
    fn until(&self, arguments: &[&str], condition: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + BOUND;
        loop {
            let answer = self.answer(arguments);
            if condition(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{arguments:?} never came to it: {answer}");
        }
    }
}

/// The run that the server's answer names.
fn run_id(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    answer["run_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_script_compiles_a_spec_starts_it_by_either_way_and_reads_its_output() {
    let shell = Shell::new();
    let hash = shell.answer(&["compile", "spec.json"]);
    let by_spec = run_id(&shell.answer(&["start", "--spec", "spec.json", "--input", "topic=tea", "--detach"]));
    let by_plan = run_id(&shell.answer(&["start", "--plan", &hash, "--input", "topic=tea", "--detach"]));
    assert_ne!(by_spec, by_plan);
    for run in [by_spec, by_plan] {
        let snapshot =
            shell.until(&["get", &run, "--json"], |json| json.contains("\"status\":\"succeeded\",\"plan_hash\""));
        let snapshot: Value = serde_json::from_str(&snapshot).unwrap();
        assert_eq!(snapshot["plan_hash"], Value::from(hash.as_str()));
        let shown = shell.answer(&["get", &run, "--output", "text"]);
        assert_eq!(snapshot["outputs"]["text"], Value::from(shown));
        assert!(shell.answer(&["get", &run]).contains("✓ succeeded"));
        assert!(shell.answer(&["steps", &run]).contains("claude-sonnet-4-5"));
        assert!(text(&shell.run(&["pending", &run]).stderr).contains("waits for no tool call"));
        assert!(text(&shell.run(&["tasks", &run]).stderr).contains("has no tasks"));
    }
}

#[test]
fn the_same_key_gives_the_same_run_and_another_body_under_it_is_a_conflict() {
    let shell = Shell::new();
    let start = |topic: &str| {
        shell.run(&["start", "--spec", "spec.json", "--input", topic, "--detach", "--idempotency-key", "k"])
    };
    let first = start("topic=tea");
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert_eq!(run_id(&text(&start("topic=tea").stdout)), run_id(&text(&first.stdout)));
    assert_fails(&start("topic=coffee"), 6, &["take another --idempotency-key"]);
}

#[test]
fn what_the_simulator_finds_wrong_points_into_the_file() {
    let shell = Shell::new();
    let place = "broken.json:6:63";
    assert_fails(&shell.run(&["compile", "broken.json"]), 2, &[place, "nobody"]);
    let lint = shell.run(&["lint", "broken.json"]);
    assert_eq!((lint.status.code(), text(&lint.stderr)), (Some(2), String::new()));
    assert!(text(&lint.stdout).contains(place), "{}", text(&lint.stdout));
    assert_eq!(shell.run(&["lint", "spec.json"]).status.code(), Some(0));
    let start = shell.run(&["start", "--spec", "broken.json", "--input", "topic=x", "--detach"]);
    assert_fails(&start, 2, &[place]);
    let unknown = shell.run(&["start", "--plan", &"0a".repeat(32), "--detach"]);
    assert_fails(&unknown, 5, &["relay-console compile FILE"]);
}

#[test]
fn a_call_that_waits_is_found_by_pending_and_shown_in_full_by_steps() {
    let shell = Shell::new();
    let run = shell.simulator.run_of("incident");
    let pending = shell.until(&["pending", run], |table| table.lines().count() > 1);
    let row: Vec<&str> = pending.lines().nth(1).unwrap().split_whitespace().collect();
    let (node, step, call, tool) = (row[0], row[1], row[2], row[3]);
    let detail = shell.answer(&["steps", run, "--step", step, "--call", call]);
    for part in [node, call, tool, "no result", "arguments"] {
        assert!(detail.contains(part), "{part} is not in {detail}");
    }
    let steps = shell.answer(&["steps", run, "--node", node]);
    assert!(steps.contains(&format!("{tool} {call}")), "{steps}");
    let run_with_steps = shell.answer(&["get", run, "--include", "steps,tool_calls"]);
    assert!(run_with_steps.contains(&format!("{tool} {call} waiting")), "{run_with_steps}");
}

/// The README's workflow, which asks its operator twice: for a tool's result, then for a decision.
const ASKING: &str = include_str!("../../../assets/refund.json");

#[test]
fn a_script_starts_a_run_waits_for_its_questions_answers_them_and_reads_what_came_out() {
    let shell = Shell::new();
    std::fs::write(shell.program.home.path().join("asking.json"), ASKING).unwrap();
    let hash = shell.answer(&["compile", "asking.json"]);
    let run = run_id(&shell.answer(&["start", "--plan", &hash, "--input", "order=A-1042", "--detach"]));
    let results: [&[&str]; 2] = [&["--output", "{\"payment\": \"p-7\"}"], &["--text", "refund it in full"]];
    for (index, result) in results.into_iter().enumerate() {
        let waited = shell.run(&["watch", &run, "--exit-on-wait"]);
        assert_eq!(waited.status.code(), Some(10), "{}", text(&waited.stderr));
        let pending: Value = serde_json::from_str(&shell.answer(&["pending", &run, "--json"])).unwrap();
        let call = pending["pending"][0]["tool_calls"][0]["tool_call"]["id"].as_str().unwrap();
        let way = format!("relay-console answer {run} --call {call}");
        assert!(text(&waited.stdout).contains(&way), "{}", text(&waited.stdout));
        let verdict = shell.answer(&[&["answer", &run, "--call", call], result].concat());
        assert!(verdict.starts_with("accepted 1 of 1"), "answer {index}: {verdict}");
    }
    let ended = shell.run(&["watch", &run]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let decision = shell.answer(&["get", &run, "--output", "decision"]);
    assert!(decision.contains("A-1042") && decision.contains("p-7"), "{decision}");
    assert!(decision.contains("refund it in full"), "{decision}");
    let events = shell.run(&["events", &run]);
    assert_eq!(events.status.code(), Some(0));
    assert_eq!(text(&events.stdout).lines().filter(|line| line.contains("\"node_tool_result\"")).count(), 2);
}
