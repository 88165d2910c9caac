//! The inputs of a run as the command line gives them.
//!
//! | words | the input is |
//! | --- | --- |
//! | `--input name=text` | the text |
//! | `--input name:=json` | the JSON value |
//! | `--input-file name=FILE` | the text of the file, byte for byte |
//! | `--input-file name:=FILE` | the JSON value in the file |
//! | `--input-file FILE` | each member of the JSON object in the file |
//!
//! Rules: JSON is carried letter for letter; an input that is given twice, wherever, is refused; nothing is sent before
//! all of them are known to be right.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use indexmap::IndexMap;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::app::json;
use crate::cli::exit::{Exit, Failure};
use crate::cli::spec::file::{STANDARD_INPUT, SourceFile};

/// `name=text` or `name:=json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputWord {
    name: String,
    is_json: bool,
    value: String,
}

impl InputWord {
    /// Reads the word.
    ///
    /// # Errors
    /// When it has no name, or what should be JSON is none.
    pub fn parse(word: &str) -> Result<Self, String> {
        let (name, is_json, value) = assignment(word).ok_or_else(|| "must be name=text or name:=json".to_owned())?;
        if is_json {
            json::check(value).map_err(|wrong| {
                format!("is not JSON at column {}: {}; name=text gives a text", wrong.column, wrong.reason)
            })?;
        }
        Ok(Self { name: name.to_owned(), is_json, value: value.to_owned() })
    }
}

/// `name=FILE`, `name:=FILE` or `FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// The input, and whether the file holds it as JSON; `None` where the file holds inputs by name.
    named: Option<(String, bool)>,
    path: PathBuf,
}

impl InputFile {
    /// Reads the word. What has a `/` before its first `=` is a path: `./a=b.json` is a file.
    ///
    /// # Errors
    /// When it names no file.
    pub fn parse(word: &str) -> Result<Self, String> {
        let named = assignment(word).filter(|(name, _, _)| !name.contains('/'));
        let (named, path) = match named {
            Some((name, is_json, path)) => (Some((name.to_owned(), is_json)), path),
            None => (None, word),
        };
        if path.is_empty() || word.starts_with('=') {
            return Err("must be name=FILE, name:=FILE or FILE".to_owned());
        }
        Ok(Self { named, path: path.into() })
    }

    /// Whether it is standard input.
    #[must_use]
    pub fn is_standard_input(&self) -> bool {
        self.path.as_os_str() == STANDARD_INPUT
    }
}

/// Name, whether it is JSON, and what is given; `None` without a name.
fn assignment(word: &str) -> Option<(&str, bool, &str)> {
    let (name, value) = word.split_once('=')?;
    let (name, is_json) = name.strip_suffix(':').map_or((name, false), |name| (name, true));
    (!name.is_empty()).then_some((name, is_json, value))
}

/// Inputs by name, as raw JSON.
pub type Inputs = IndexMap<String, Box<RawValue>>;

/// All the inputs that these words give.
///
/// # Errors
/// When a file cannot be read or is not what it should be, or an input is given twice.
pub fn collect(words: &[InputWord], files: &[InputFile]) -> Result<Inputs, Failure> {
    let mut inputs = Inputs::new();
    for InputWord { name, is_json, value } in words {
        let value = if *is_json { raw(value) } else { text(value) };
        give(&mut inputs, name, value.map_err(Failure::internal)?)?;
    }
    for InputFile { named, path } in files {
        match named {
            Some((name, false)) => {
                let value = text(&SourceFile::read(path)?.text).map_err(Failure::internal)?;
                give(&mut inputs, name, value)?;
            }
            Some((name, true)) => give(&mut inputs, name, json_file(path)?)?,
            None => {
                for (name, value) in members(path)? {
                    give(&mut inputs, &name, value)?;
                }
            }
        }
    }
    Ok(inputs)
}

fn give(inputs: &mut Inputs, name: &str, value: Box<RawValue>) -> Result<(), Failure> {
    if inputs.insert(name.to_owned(), value).is_some() {
        return Err(refused(format!("the input {name} is given twice")));
    }
    Ok(())
}

fn text(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::value::to_raw_value(text)
}

fn raw(json: &str) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(json.trim().to_owned())
}

fn json_file(path: &Path) -> Result<Box<RawValue>, Failure> {
    let file = SourceFile::read(path)?;
    serde_json::from_str(&file.text).map_err(|error| not_json(&file, &error))
}

fn members(path: &Path) -> Result<Vec<(String, Box<RawValue>)>, Failure> {
    let file = SourceFile::read(path)?;
    let mut reader = serde_json::Deserializer::from_str(&file.text);
    let members = reader.deserialize_map(Members).and_then(|members| reader.end().map(|()| members));
    members.map_err(|error| not_json(&file, &error))
}

fn not_json(file: &SourceFile, error: &serde_json::Error) -> Failure {
    let full = error.to_string();
    let problem = full.split(" at line ").next().unwrap_or(&full);
    file.wrong_at(&file.place(error.line(), error.column()), problem)
}

fn refused(message: String) -> Failure {
    Failure::new(Exit::Refused, anyhow!(message))
}

/// Reads an object with every member that stands in it, so that one that stands twice is seen.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the inputs by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn collected(words: &[&str], files: &[&str]) -> Result<String, String> {
        let words: Vec<InputWord> = words.iter().map(|word| InputWord::parse(word).unwrap()).collect();
        let files: Vec<InputFile> = files.iter().map(|word| InputFile::parse(word).unwrap()).collect();
        let inputs = collect(&words, &files).map_err(|failure| failure.error.to_string())?;
        Ok(serde_json::to_string(&inputs).unwrap())
    }

    #[test]
    fn a_text_stays_a_text_and_json_stays_letter_for_letter() {
        let inputs = collected(&["a=1", "b:=1.50", "c==x", "d=", "e:=\"x\"", "f.g: =h=:="], &[]).unwrap();
        assert_eq!(inputs, r#"{"a":"1","b":1.50,"c":"=x","d":"","e":"x","f.g: ":"h=:="}"#);
        for word in ["a", "=x", ":=1", ""] {
            assert!(InputWord::parse(word).is_err(), "{word}");
        }
        assert!(InputWord::parse("a:=[1,x]").unwrap_err().contains("column 4"));
    }

    #[test]
    fn a_file_gives_a_text_a_value_or_all_inputs() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &str| {
            let path = home.path().join(name);
            fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        let note = path("note.txt", "ü\n\"x\"\n");
        let list = path("list.json", "\u{feff} [1, 2.0]\n");
        let all = path("all=1.json", "{\"p\": 1e400, \"q\": {}}");
        let inputs = collected(&[], &[&format!("n={note}"), &format!("l:={list}"), &all]).unwrap();
        assert_eq!(inputs, r#"{"n":"ü\n\"x\"\n","l":[1, 2.0],"p":1e400,"q":{}}"#);
        let twice = path("twice.json", "{\"p\": 1, \"p\": 1}");
        assert_eq!(collected(&[], &[&twice]).unwrap_err(), "the input p is given twice");
        assert_eq!(collected(&["q=1"], &[&all]).unwrap_err(), "the input q is given twice");
        let broken = path("broken.json", "{\n\"p\": }");
        assert!(collected(&[], &[&broken]).unwrap_err().starts_with(&format!("{broken}:2:6: expected value\n 2 | ")));
        let other = path("other.json", "[1]");
        assert!(collected(&[], &[&other]).unwrap_err().contains("an object with the inputs by name"));
        assert!(collected(&[], &[&format!("n={}", home.path().display())]).unwrap_err().contains("cannot read"));
        for word in ["", "=x", "a=", "a:="] {
            assert!(InputFile::parse(word).is_err(), "{word}");
        }
    }
}
