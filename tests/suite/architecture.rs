//! Who may use whom: the table of the crate's modules, held against the `use` lines and paths of every file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules of ours that it may use. `main` and `cli` may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("run", &["api"]),
    ("store", &["api"]),
    ("simulator", &["api"]),
    ("feed", &["api", "store"]),
    ("submission", &["api", "store"]),
    // Types only: what the feed reports, what a submission ends in, what a draft on disk holds.
    ("app", &["run", "api", "submission", "feed", "store"]),
    ("view", &["app", "run", "api", "submission", "feed"]),
    ("console", &["app", "view", "feed", "submission", "store", "api", "run"]),
    ("settings", &["api"]),
    ("logging", &[]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The crate's modules that a source names, by `crate::x` paths, `use crate::{x, y}` lists included.
fn uses(source: &str) -> BTreeSet<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(name);
        }
    }
    found
}

#[test]
fn every_module_uses_only_the_modules_that_the_table_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(&src).unwrap().to_string_lossy().replace(".rs", "");
        let module = relative.split('/').next().unwrap();
        if matches!(module, "main" | "lib" | "cli") {
            continue;
        }
        let allowed = ARROWS.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = allowed else {
            wrong.push(format!("{module} ({}) is not in the table", file.display()));
            continue;
        };
        for used in uses(&fs::read_to_string(file).unwrap()) {
            let ours = ARROWS.iter().any(|(name, _)| *name == used) || used == "cli";
            if ours && used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{module} may not use {used}: {}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_forbidden_arrow_is_seen_in_every_spelling_of_a_path() {
    assert!(uses("use crate::view::text;").contains("view"));
    assert!(uses("use crate::{api, view};").contains("view"));
    assert!(uses("let x = crate::view::draw();").contains("view"));
    assert!(!uses("// use crate::view;").contains("view"));
}
