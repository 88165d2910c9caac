//! The real binary, run without a terminal in a home of its own.

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The binary in a home of its own, with nothing of the environment that these tests run in.
pub(crate) struct Program {
    pub(crate) home: TempDir,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { home: TempDir::new().unwrap() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relay-console"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

/// What was written, which must be UTF-8.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
