//! Scenarios: data files that say which workflow runs and what its stand-in models do.
//!
//! Owns reading and checking a scenario file (TOML; `assets/scenarios/` holds those that are built in) and the list
//! of the built-in ones. Playing them is the engine's.
//!
//! ```toml
//! name = "incident"                  # what `demo` and `simulate` call it
//! title = "A checkout goes wrong"    # one line for people
//! summary = "What there is to see"   # a sentence or two
//!
//! [input]                            # the run's input, by name
//! [cancel]                           # after_ms, message, code: the run is canceled from outside
//! [spec]                             # the workflow spec, in the form that clients send
//! [[script.NODE]]                    # the steps of a node; the words are in `script`
//! [runs.NAME]                        # child runs: input, spec, script of their own
//! ```
//!
//! Rule: a scenario that loads can be played; whatever is wrong with one is said with its file, its place, and what
//! to do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::emitted::{self, Origin};
use super::issues::Issues;
use super::part::{self, Part};
use super::plan::Plan;
use super::script::{Cancel, Script, Step};
use super::spec;
use super::template;
use crate::api::ids::{NodeId, RunId};
use crate::api::plan::Issue;
use crate::api::workflow::ToolMode;

/// The built-in scenarios by file name; the first is the newcomer's.
const BUILTIN: &[(&str, &str)] = &[
    ("incident.toml", include_str!("../../assets/scenarios/incident.toml")),
    ("rollback.toml", include_str!("../../assets/scenarios/rollback.toml")),
    ("agents.toml", include_str!("../../assets/scenarios/agents.toml")),
    ("review.toml", include_str!("../../assets/scenarios/review.toml")),
    ("migration.toml", include_str!("../../assets/scenarios/migration.toml")),
    ("failing.toml", include_str!("../../assets/scenarios/failing.toml")),
    ("canceled.toml", include_str!("../../assets/scenarios/canceled.toml")),
];

/// A workflow, what its stand-in models say, and when.
#[derive(Debug, Clone)]
pub struct Scenario {
    name: String,
    title: String,
    summary: String,
    part: Arc<Part>,
    children: Arc<IndexMap<String, Arc<Part>>>,
}

/// Why a scenario cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is no built-in scenario of that name.
    #[error("there is no scenario {name:?}; the built-in ones are {known}. For a file of your own, give its path")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read the scenario {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The file is not a scenario.
    #[error("{file} is not a scenario: {problem}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong and where.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioFile {
    name: String,
    title: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    input: Map<String, Value>,
    #[serde(default)]
    cancel: Option<Cancel>,
    spec: Value,
    #[serde(default)]
    script: Script,
    #[serde(default)]
    runs: IndexMap<String, PartFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartFile {
    #[serde(default)]
    input: Map<String, Value>,
    #[serde(default)]
    cancel: Option<Cancel>,
    spec: Value,
    #[serde(default)]
    script: Script,
}

impl Scenario {
    /// Every built-in scenario; the first is the newcomer's default.
    #[must_use]
    pub fn builtin() -> Vec<Self> {
        // A test loads each of them, so none is ever left out.
        BUILTIN.iter().filter_map(|(file, text)| Self::parse(file, text).ok()).collect()
    }

    /// The built-in scenario of this name.
    ///
    /// # Errors
    /// When there is none; the message lists those that there are.
    pub fn find(name: &str) -> Result<Self, ScenarioError> {
        let all = Self::builtin();
        let known: Vec<&str> = all.iter().map(Self::name).collect();
        let known = known.join(", ");
        all.into_iter()
            .find(|scenario| scenario.name == name)
            .ok_or_else(|| ScenarioError::Unknown { name: name.to_owned(), known })
    }

    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is not a scenario; the message names the file and the place in it.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ScenarioError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads a scenario from its text; `file` is what errors call it.
    ///
    /// # Errors
    /// When the text is not a scenario.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let invalid = |problem: String| ScenarioError::Invalid { file: file.to_owned(), problem };
        let read: ScenarioFile = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let names: Vec<String> = read.runs.keys().cloned().collect();
        let main = PartFile { input: read.input, cancel: read.cancel, spec: read.spec, script: read.script };
        let part = check(main, &names).map_err(|issue| invalid(issue.to_string()))?;
        let mut children = IndexMap::new();
        for (name, child) in read.runs {
            let child = check(child, &[]).map_err(|issue| invalid(format!("runs.{name}.{issue}")))?;
            children.insert(name, Arc::new(child));
        }
        Ok(Self {
            name: read.name,
            title: read.title,
            summary: read.summary,
            part: Arc::new(part),
            children: Arc::new(children),
        })
    }

    /// What `demo` and `simulate` call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is about, in one line.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What there is to see, in a sentence or two.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    pub(crate) fn part(&self) -> Arc<Part> {
        Arc::clone(&self.part)
    }

    pub(crate) fn child(&self, name: &str) -> Option<Arc<Part>> {
        self.children.get(name).cloned()
    }
}

/// Checks the file of one run.
fn check(file: PartFile, children: &[String]) -> Result<Part, Issue> {
    let plan = Plan::compile(&file.spec, &|id| file.script.contains_key(id)).map_err(in_file)?;
    let mut issues = Issues::default();
    let input = part::with_defaults(&plan, file.input, &mut issues);
    issues.into_result().map_err(in_file)?;
    for (node, steps) in &file.script {
        check_script(&plan, node, steps, children)?;
    }
    Ok(Part::scripted(Arc::new(plan), input, file.script, file.cancel))
}

/// The first of several issues, its place as a scenario file has it, and how many more there are.
fn in_file(issues: Vec<Issue>) -> Issue {
    let more = issues.len().saturating_sub(1);
    let Some(first) = issues.into_iter().next() else { return Issue::default() };
    let path = match first.path.strip_prefix('$').unwrap_or(&first.path) {
        input if input.starts_with(".input") => input[1..].to_owned(),
        of_spec => format!("spec{of_spec}"),
    };
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Issue { code: String::new(), path, message: format!("{}{more}", first.message) }
}

fn issue(path: &str, message: impl Into<String>) -> Issue {
    Issue { path: path.to_owned(), message: message.into(), ..Issue::default() }
}

fn check_script(plan: &Plan, node: &str, steps: &[Step], children: &[String]) -> Result<(), Issue> {
    let base = node.split('#').next().unwrap_or(node);
    let specs = plan.specs();
    let Some(spec) = specs.clone().find(|spec| spec.id == base) else {
        let known: Vec<&str> = specs.map(|spec| spec.id.as_str()).collect();
        return Err(issue(&format!("script.{node}"), format!("names no node; the nodes are {}", known.join(", "))));
    };
    if spec::runs_by_itself(spec) {
        let message = format!("a {} runs by itself: there is nothing for a script to say", spec.node_type);
        return Err(issue(&format!("script.{node}"), message));
    }
    for (index, step) in steps.iter().enumerate() {
        let path = format!("script.{node}[{index}]");
        if step.piece == 0 || step.repeat == 0 {
            return Err(issue(&path, "piece and repeat must be at least 1"));
        }
        for call in &step.calls {
            let declared = spec.tools.is_empty() || spec.tools.iter().any(|tool| tool.name() == call.name);
            if !declared {
                return Err(issue(&path, format!("calls {:?}, which is no tool of the node", call.name)));
            }
            if call.result.is_some() && spec::tool_mode(spec) == ToolMode::Client {
                return Err(issue(&path, format!("gives a result of {:?}, which a client executes", call.name)));
            }
        }
        for emit in &step.emit {
            let words = [emit.event.is_some(), emit.start_run.is_some(), emit.await_run.is_some()];
            if words.iter().filter(|given| **given).count() != 1 {
                return Err(issue(&path, "each emit needs one of event, start_run and await_run"));
            }
            if let Some(event) = &emit.event {
                try_event(plan, base, event).map_err(|problem| issue(&path, format!("an event: {problem}")))?;
            }
            for name in emit.start_run.iter().chain(&emit.await_run) {
                if !children.contains(name) {
                    return Err(issue(&path, format!("names the run {name:?}, which is not among [runs]")));
                }
            }
        }
    }
    Ok(())
}

/// Whether an event of the script is one: its names stand for an id, which fits wherever a text does.
fn try_event(plan: &Plan, node: &str, event: &Value) -> Result<(), String> {
    let run_id = RunId::random();
    let text = template::render(&event.to_string(), usize::MAX, |_| Some(run_id.to_string()));
    let event: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let node = NodeId::parse(node).map_err(|error| error.to_string())?;
    emitted::body(&event, Origin { run_id, plan_hash: &plan.hash, node: &node }).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_loads_and_has_a_name_of_its_own() {
        let mut names = Vec::new();
        for (file, text) in BUILTIN {
            let scenario = Scenario::parse(file, text).unwrap();
            assert_eq!(format!("{}.toml", scenario.name()), *file);
            assert!(!scenario.title().is_empty() && !scenario.summary().is_empty(), "{file}");
            assert!(!names.contains(&scenario.name), "{file}");
            names.push(scenario.name);
        }
        assert_eq!(Scenario::builtin().len(), BUILTIN.len());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_names_that_there_are() {
        let message = Scenario::find("inciden").unwrap_err().to_string();
        assert!(message.contains("\"inciden\"") && message.contains("incident"), "{message}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name_and_place() {
        let head = "name='x'\ntitle='x'\n";
        let spec = "[spec]\nmodel='m'\nnodes=[{id='a',type='llm',tools=['t'],tool_execution={mode='client'}}]\n";
        let cases = [
            (format!("{head}{spec}[[script.b]]\ntext='x'"), "script.b: names no node; the nodes are a"),
            (format!("{head}{spec}[[script.a]]\ntexts='x'"), "unknown field `texts`"),
            (format!("{head}{spec}[[script.a]]\ncalls=[{{name='u'}}]"), "calls \"u\", which is no tool"),
            (format!("{head}{spec}[[script.a]]\ncalls=[{{name='t',result='x'}}]"), "which a client executes"),
            (format!("{head}{spec}[[script.a]]\nemit=[{{start_run='r'}}]"), "not among [runs]"),
            (format!("{head}{spec}[[script.a]]\nemit=[{{}}]"), "each emit needs one of"),
            (format!("{head}{spec}[[script.a]]\nemit=[{{event={{type='x'}}}}]"), "\"x\" is no published event type"),
            (format!("{head}{spec}[[script.a]]\nemit=[{{event={{type='scheduler_stopped'}}}}]"), "is missing"),
            (format!("{head}[spec]\nmodel='m'\nnodes=[]"), "spec.nodes: is empty"),
            (format!("{head}[spec\n"), "line 3"),
        ];
        for (text, expected) in cases {
            let message = Scenario::parse("own.toml", &text).unwrap_err().to_string();
            assert!(message.starts_with("own.toml is not a scenario"), "{message}");
            assert!(message.contains(expected), "{message:?} should contain {expected:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let message = Scenario::load(Path::new("/nowhere/own.toml")).unwrap_err().to_string();
        assert!(message.contains("/nowhere/own.toml"), "{message}");
    }
}
