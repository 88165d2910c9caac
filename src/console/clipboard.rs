//! Copying: to the terminal's clipboard by OSC 52, or to a private file where the text is too long for that.
//!
//! The terminal gives no answer, so what is told is what was done, not that it worked.

use std::io::Write;

use super::terminal::Terminal;

/// Terminals take at most about 74 kB of base64, some much less.
const MOST: usize = 54 * 1024;

/// Copies `text` byte for byte; tells in words what was done.
///
/// # Errors
/// In words, when neither the terminal nor a file takes it.
pub fn copy(terminal: &mut Terminal, text: &str) -> Result<String, String> {
    let hidden = crate::app::inert::count_hidden(text);
    let hidden = if hidden > 0 { format!("; it holds {hidden} hidden characters") } else { String::new() };
    if text.len() <= MOST {
        terminal.copy(text).map_err(|error| format!("not copied: {error}"))?;
        return Ok(format!("{} bytes sent to the terminal's clipboard{hidden}", text.len()));
    }
    let written = tempfile::Builder::new()
        .prefix("relay-console-copy-")
        .suffix(".txt")
        .tempfile()
        .and_then(|mut file| file.write_all(text.as_bytes()).map(|()| file))
        .and_then(|file| file.keep().map_err(Into::into));
    match written {
        Ok((_, path)) => {
            Ok(format!("{} bytes are too many for the clipboard: written to {}{hidden}", text.len(), path.display()))
        }
        Err(error) => Err(format!("not copied: {error}")),
    }
}
