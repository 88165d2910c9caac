//! `$VISUAL` or `$EDITOR` on an answer: a private file out, the edited text back.
//!
//! Rules: an editor that fails, or is none, changes nothing, and what it wrote stays where the message says; the editor's
//! environment holds no credentials; line endings and the last newline that editors add are told apart from what the
//! operator wrote.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::app::editor::MAX_BYTES;
use crate::store::drafts::EDITOR_PREFIX;

/// How the names of this API's variables begin, the vendor's own tools' included.
const API_VARIABLES: &str = "MODELRELAY_";
/// What the names of those among them say that hold a secret.
const SECRET_NAMES: [&str; 4] = ["KEY", "TOKEN", "SECRET", "PASSWORD"];
/// How keys of this API begin, under whatever name they stand.
const KEY_STARTS: [&str; 2] = ["mr_sk_", "mr_pk_"];

/// Whether a variable is kept from every child of ours.
fn is_secret(name: &str, value: &str) -> bool {
    let is_named_so = name.starts_with(API_VARIABLES) && SECRET_NAMES.iter().any(|part| name.contains(part));
    is_named_so || KEY_STARTS.iter().any(|start| value.contains(start))
}

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
    builder.prefix(EDITOR_PREFIX).suffix(".txt");
    let file = dir.map_or_else(|| builder.tempfile(), |dir| builder.tempfile_in(dir));
    let mut file = file.map_err(|error| format!("no file for the editor: {error}"))?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(|error| error.to_string())?;

    // Through the shell, as git and others do it: the variable may hold arguments.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg(editor).arg(file.path());
    for (name, value) in std::env::vars_os() {
        if is_secret(&name.to_string_lossy(), &value.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    let status = command.status().map_err(|error| format!("{editor} could not be started: {error}"))?;
    // By its path: editors write a new file in the old one's place.
    let written = std::fs::read(file.path()).map_err(|error| format!("the edited file cannot be read: {error}"))?;
    let edited = if status.success() { usable(&written) } else { Err(format!("{editor} ended with {status}")) };
    match edited {
        Ok(edited) => {
            // Editors end the last line; the operator did not ask for that.
            let added = edited.strip_suffix('\n').filter(|_| !text.ends_with('\n'));
            Ok(added.unwrap_or(edited).to_owned())
        }
        Err(why) if written.is_empty() || written == text.as_bytes() => Err(why),
        Err(why) => Err(match file.into_temp_path().keep() {
            Ok(path) => format!("{why}; what it wrote is in {}", path.display()),
            Err(error) => format!("{why}; what it wrote cannot be kept: {error}"),
        }),
    }
}

fn usable(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("the edited text has {} bytes; 512 KiB at most", bytes.len()));
    }
    std::str::from_utf8(bytes).map_err(|_| "the edited text is not UTF-8".to_owned())
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
    fn what_a_failing_editor_or_an_unusable_one_wrote_is_kept_and_the_message_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let kept = |why: &str| std::fs::read(why.rsplit(' ').next().unwrap()).unwrap();
        let failed = run("sh -c 'printf written > \"$1\"; exit 3' --", "text", Some(dir.path())).unwrap_err();
        assert_eq!(kept(&failed), b"written", "{failed}");
        let not_text = run("sh -c 'printf \"\\377\" > \"$1\"' --", "text", Some(dir.path())).unwrap_err();
        assert!(not_text.contains("not UTF-8"), "{not_text}");
        assert_eq!(kept(&not_text), b"\xff");
        let unchanged = run("false", "text", Some(dir.path())).unwrap_err();
        assert!(!unchanged.contains(" is in "), "{unchanged}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_variable_is_secret_by_its_name_or_by_what_stands_in_it() {
        for (name, value) in [
            ("MODELRELAY_API_KEY", "x"),
            ("MODELRELAY_TOKEN", "eyJ"),
            ("MODELRELAY_CLIENT_SECRET", "x"),
            ("CI_KEY", "k=mr_sk_1"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [("MODELRELAY_API_BASE_URL", "https://x"), ("PATH", "/bin"), ("SSH_AUTH_SOCK", "/tmp/s")] {
            assert!(!is_secret(name, value), "{name}");
        }
    }
}
