//! The terminal: whether there is one, how large it is, what it says of itself, and what stands between.
//!
//! Nothing here is a problem: commands without a screen work without a terminal.

use std::env;
use std::io::{self, IsTerminal};

use super::report::Finding;

/// The smallest window in which everything can be reached (design: columns by rows).
const LEAST: (u16, u16) = (60, 16);

/// The window from which the console stands in two columns.
const ROOMY: (u16, u16) = (120, 36);

/// What a process can learn of its terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Facts {
    /// Whether standard input and output are a terminal.
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    /// Columns and rows, where there is a terminal.
    pub(super) size: Option<(u16, u16)>,
    pub(super) term: Option<String>,
    pub(super) no_color: bool,
    /// The first of `LC_ALL`, `LC_CTYPE`, `LANG` that says something.
    pub(super) locale: Option<String>,
    pub(super) tmux: bool,
    pub(super) screen: bool,
    pub(super) ssh: bool,
}

impl Facts {
    /// Asks the system.
    pub(super) fn gather() -> Self {
        let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let (stdin, stdout) = (io::stdin().is_terminal(), io::stdout().is_terminal());
        Self {
            stdin,
            stdout,
            // Some terminals, and those of no window, say 0 by 0.
            size: (stdin || stdout)
                .then(|| crossterm::terminal::size().ok())
                .flatten()
                .filter(|(columns, rows)| *columns > 0 && *rows > 0),
            term: text("TERM"),
            no_color: text("NO_COLOR").is_some(),
            locale: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(text),
            tmux: text("TMUX").is_some(),
            screen: text("STY").is_some(),
            ssh: text("SSH_CONNECTION").is_some() || text("SSH_TTY").is_some(),
        }
    }

    /// Whether the locale says that text is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        let locale = self.locale.as_deref().unwrap_or_default().to_ascii_lowercase().replace('-', "");
        locale.contains("utf8")
    }
}

/// What these facts mean for the console.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![match (facts.stdin, facts.stdout) {
        (true, true) => Finding::fine("terminal", "standard input and output are one"),
        (stdin, stdout) => {
            let text = match (stdin, stdout) {
                (true, _) => "standard input is one, standard output is not",
                (_, true) => "standard output is one, standard input is not",
                _ => "neither standard input nor standard output is one",
            };
            Finding::note("terminal", text).advise("the console needs both; every other command works without")
        }
    }];
    findings.extend(facts.size.map(size));
    findings.push(match facts.term.as_deref() {
        None => Finding::note("TERM", "not set").advise("the console may draw wrongly: set TERM, as to xterm-256color"),
        Some("dumb") => Finding::note("TERM", "dumb").advise("no cursor can be moved here: use watch, get and answer"),
        Some(term) => Finding::fine("TERM", term),
    });
    findings.push(if facts.no_color {
        Finding::fine("colour", "none, by NO_COLOR; words and glyphs carry everything")
    } else {
        Finding::fine("colour", "the terminal's own 16")
    });
    let locale = facts.locale.as_deref().unwrap_or("none set");
    findings.push(if facts.is_utf8() {
        Finding::fine("locale", locale)
    } else {
        Finding::note("locale", format!("{locale}, which does not say UTF-8"))
            .advise("if borders look broken, set LANG to a UTF-8 locale or start with --ascii")
    });
    findings.extend(between(facts));
    findings
}

fn size((columns, rows): (u16, u16)) -> Finding {
    let text = format!("{columns} columns, {rows} rows");
    let finding = if columns < LEAST.0 || rows < LEAST.1 {
        Finding::note("size", text)
            .advise(format!("the console needs {} by {}: make the window larger", LEAST.0, LEAST.1))
    } else if columns < ROOMY.0 || rows < ROOMY.1 {
        Finding::fine("size", format!("{text}; from {} by {} on more stands side by side", ROOMY.0, ROOMY.1))
    } else {
        Finding::fine("size", text)
    };
    finding.fact("columns", columns).fact("rows", rows)
}

/// What stands between this program and the window, and what follows for copying and for keys.
fn between(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.tmux {
        findings.push(Finding::note("tmux", "copying (y) and Esc go through tmux").advise(
            "put `set -g set-clipboard on`, `set -sg escape-time 10` and `set -g focus-events on` into ~/.tmux.conf",
        ));
    }
    if facts.screen {
        findings.push(
            Finding::note("screen", "GNU screen passes no clipboard on, so y copies nothing")
                .advise("copy with the terminal's own selection, or use tmux"),
        );
    }
    if facts.ssh {
        findings.push(Finding::note("ssh", "copying (y) goes to the clipboard of the machine that you sit at").advise(
            "the terminal there must allow OSC 52; a run is followed better from tmux, which survives a lost link",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::report::State;
    use super::*;

    fn good() -> Facts {
        Facts {
            stdin: true,
            stdout: true,
            size: Some((120, 36)),
            term: Some("xterm-256color".into()),
            locale: Some("en_US.UTF-8".into()),
            ..Facts::default()
        }
    }

    fn advised(facts: &Facts) -> Vec<&'static str> {
        findings(facts).iter().filter(|finding| finding.advice.is_some()).map(|finding| finding.item).collect()
    }

    #[test]
    fn a_good_terminal_needs_no_advice_and_each_lack_has_its_own() {
        assert_eq!(advised(&good()), [""; 0]);
        assert!(findings(&good()).iter().all(|finding| finding.state == State::Fine));
        for (facts, item) in [
            (Facts { stdout: false, ..good() }, "terminal"),
            (Facts { size: Some((59, 40)), ..good() }, "size"),
            (Facts { size: Some((80, 15)), ..good() }, "size"),
            (Facts { term: None, ..good() }, "TERM"),
            (Facts { term: Some("dumb".into()), ..good() }, "TERM"),
            (Facts { locale: Some("C".into()), ..good() }, "locale"),
            (Facts { locale: None, ..good() }, "locale"),
            (Facts { tmux: true, ..good() }, "tmux"),
            (Facts { screen: true, ..good() }, "screen"),
            (Facts { ssh: true, ..good() }, "ssh"),
        ] {
            assert_eq!(advised(&facts), [item], "{facts:?}");
        }
        let in_tmux = findings(&Facts { tmux: true, ..good() });
        assert!(in_tmux.iter().any(|f| f.advice.as_deref().is_some_and(|advice| advice.contains("set-clipboard on"))));
    }

    #[test]
    fn a_locale_says_utf8_in_several_spellings() {
        for (locale, utf8) in [("de_DE.utf8", true), ("C.UTF-8", true), ("POSIX", false), ("en_US.ISO-8859-1", false)] {
            assert_eq!(Facts { locale: Some(locale.into()), ..good() }.is_utf8(), utf8, "{locale}");
        }
    }
}
