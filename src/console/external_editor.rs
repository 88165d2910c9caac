//! `$VISUAL` or `$EDITOR` on an answer: a private file out, the edited text back.
//!
//! Rules: an editor that fails, or is none, changes nothing; the editor's environment holds no credentials; line
//! endings and the last newline that editors add are told apart from what the operator wrote.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::app::editor::MAX_BYTES;

/// Environment variables that no child of ours gets.
const SECRETS: &[&str] = &["MODELRELAY_API_KEY", "MODELRELAY_TOKEN"];

/// Edits `text` in a file under `dir` (else in the system's directory for temporary files); waits for the editor.
///
/// # Errors
/// In words, when there is no editor, it ends with a failure, or its file cannot be written or read.
pub fn edit(text: &str, dir: Option<&Path>) -> Result<String, String> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    run(&editor, text, dir)
}

fn run(editor: &str, text: &str, dir: Option<&Path>) -> Result<String, String> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("edit-").suffix(".txt");
    let file = dir.map_or_else(|| builder.tempfile(), |dir| builder.tempfile_in(dir));
    let mut file = file.map_err(|error| format!("no file for the editor: {error}"))?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(|error| error.to_string())?;

    // Through the shell, as git and others do it: the variable may hold arguments.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg(editor).arg(file.path());
    for name in SECRETS {
        command.env_remove(name);
    }
    let status = command.status().map_err(|error| format!("{editor} could not be started: {error}"))?;
    if !status.success() {
        return Err(format!("{editor} ended with {status}"));
    }
    // By its path: editors write a new file in the old one's place.
    let edited = std::fs::read(file.path()).map_err(|error| format!("the edited file cannot be read: {error}"))?;
    if edited.len() > MAX_BYTES {
        return Err(format!("the edited text has {} bytes; 512 KiB at most", edited.len()));
    }
    let edited = String::from_utf8(edited).map_err(|_| "the edited text is not UTF-8".to_owned())?;
    // Editors end the last line; the operator did not ask for that.
    let added = edited.strip_suffix('\n').filter(|_| !text.ends_with('\n'));
    Ok(added.unwrap_or(&edited).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_editor_writes_comes_back_without_the_newline_that_it_added() {
        let edited = run(
            "sh -c 'printf \"%s, edited\\n\" \"$(cat \"$1\")\" > \"$1.new\" && mv \"$1.new\" \"$1\"' --",
            "text",
            None,
        );
        assert_eq!(edited.as_deref(), Ok("text, edited"));
        assert_eq!(run("true", "ends\n", None).as_deref(), Ok("ends\n"));
    }

    #[test]
    fn an_editor_that_fails_or_is_none_changes_nothing_and_is_named() {
        assert!(run("false", "text", None).unwrap_err().contains("false"));
        assert!(run("no-such-editor-here", "text", None).unwrap_err().contains("no-such-editor-here"));
    }

    #[test]
    fn the_editor_sees_no_credentials() {
        let dump = "sh -c 'env > \"$1\"' --";
        let environment = run(dump, "", None).unwrap();
        assert!(!environment.contains("MODELRELAY_API_KEY"), "{environment}");
    }
}
