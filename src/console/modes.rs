//! Which modes of the terminal the program has turned on, and how each is undone.
//!
//! Owns the bytes, and one process-wide note of what is on, so that a panic hook can give the terminal back without
//! the [`Terminal`](super::terminal::Terminal). The rule that must stay true: exactly what was turned on is turned
//! off, in reverse order, once.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU8, Ordering};

use std::time::Duration;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use super::output::Output;

/// A mode is one bit.
const RAW: u8 = 1;
const SCREEN: u8 = 1 << 1;
const MOUSE: u8 = 1 << 2;

static ON: AtomicU8 = AtomicU8::new(0);

/// Begins a frame that the terminal shows only when it is whole.
pub const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
/// Ends it.
pub const END_FRAME: &[u8] = b"\x1b[?2026l";

/// Alternate screen, kitty's unambiguous escape codes, bracketed paste, focus reports, no cursor. The keyboard mode is
/// pushed without asking whether the terminal knows it: asking a silent one would take two seconds, and one that does
/// not know it ignores it. It comes after the alternate screen, which has a stack of its own.
const ENTER_SCREEN: &[u8] = b"\x1b[?1049h\x1b[>1u\x1b[?2004h\x1b[?1004h\x1b[?25l\x1b[2J\x1b[H";
/// The same in reverse; first the end of a frame that was begun, and the colours back to the terminal's own.
const LEAVE_SCREEN: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?1004l\x1b[?2004l\x1b[<1u\x1b[?25h\x1b[?1049l";
/// How long a terminal has to take what turns the modes on or off.
const PATIENCE: Duration = Duration::from_millis(500);
/// Ends a sequence of which a part was dropped; between sequences it does nothing.
pub const CANCEL: &[u8] = b"\x18";
/// Clicks and the wheel only: reports of every motion would flood the input.
const ENTER_MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const LEAVE_MOUSE: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Turns everything on that is not on.
///
/// # Errors
/// When the terminal cannot be set or written to; what is on by then is known, and [`leave`] undoes it.
pub fn enter(mouse: bool) -> io::Result<()> {
    if ON.load(Ordering::SeqCst) & RAW == 0 {
        enable_raw_mode()?;
        ON.fetch_or(RAW, Ordering::SeqCst);
    }
    let mut out = Output::open()?;
    // Noted before it is written: half a sequence has to be undone as well.
    if ON.fetch_or(SCREEN, Ordering::SeqCst) & SCREEN == 0 {
        write(&mut out, ENTER_SCREEN)?;
    }
    if mouse && ON.fetch_or(MOUSE, Ordering::SeqCst) & MOUSE == 0 {
        write(&mut out, ENTER_MOUSE)?;
    }
    Ok(())
}

/// Writes to a terminal that has stopped as well: what it has not shown by then is dropped, or the terminal would stay
/// as it is when it goes on.
fn write(out: &mut Output, bytes: &[u8]) -> io::Result<()> {
    if out.write_some(bytes, PATIENCE)? == bytes.len() {
        return Ok(());
    }
    out.make_room();
    let again = [CANCEL, bytes].concat();
    if out.write_some(&again, PATIENCE)? == again.len() { Ok(()) } else { Err(ErrorKind::TimedOut.into()) }
}

/// Turns off what is on. Called again, from any thread, it does nothing.
///
/// # Errors
/// When the terminal cannot be set or written to; every step is tried all the same.
pub fn leave() -> io::Result<()> {
    let on = ON.swap(0, Ordering::SeqCst);
    let mut bytes = Vec::new();
    if on & MOUSE != 0 {
        bytes.extend_from_slice(LEAVE_MOUSE);
    }
    if on & SCREEN != 0 {
        bytes.extend_from_slice(LEAVE_SCREEN);
    }
    let written = if bytes.is_empty() { Ok(()) } else { Output::open().and_then(|mut out| write(&mut out, &bytes)) };
    let raw = if on & RAW == 0 { Ok(()) } else { disable_raw_mode() };
    written.and(raw)
}

/// Whether anything is on.
#[must_use]
pub fn is_entered() -> bool {
    ON.load(Ordering::SeqCst) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_that_is_turned_on_is_turned_off_in_reverse_order() {
        let modes = |bytes: &[u8], last: char| -> Vec<String> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.split('\x1b')
                .filter_map(|part| part.strip_prefix("[?")?.strip_suffix(last))
                .map(str::to_owned)
                .collect()
        };
        let entered = modes(&[ENTER_SCREEN, ENTER_MOUSE].concat(), 'h');
        let mut left = modes(&[LEAVE_MOUSE, LEAVE_SCREEN].concat(), 'l');
        left.retain(|mode| mode != "2026");
        left.reverse();
        assert_eq!(entered, left);
        assert_eq!(modes(ENTER_SCREEN, 'l'), ["25"], "the cursor is hidden …");
        assert_eq!(modes(LEAVE_SCREEN, 'h'), ["25"], "… and shown again");
        let kitty = |bytes: &[u8], code: &[u8]| bytes.windows(code.len()).filter(|window| *window == code).count();
        assert_eq!((kitty(ENTER_SCREEN, b"\x1b[>1u"), kitty(LEAVE_SCREEN, b"\x1b[<1u")), (1, 1));
    }

    #[test]
    fn leaving_what_was_never_entered_writes_nothing_and_succeeds() {
        leave().unwrap();
        assert!(!is_entered());
    }
}
