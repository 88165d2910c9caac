//! The integration tests, one binary so that they link once. Each file states what it holds the program to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;
mod architecture;
mod calls;
mod check;
mod checkpoints;
mod cli;
mod client;
mod doctor;
mod drafts;
mod endpoints;
mod errors;
mod events;
mod feed;
mod fuzz;
mod help;
mod intents;
mod matrix;
mod picture;
mod program;
mod pty;
mod raw_server;
mod readme;
mod secrets;
mod settings;
mod shells;
mod simulator;
mod soak;
mod store;
mod stream_bench;
mod submission;
mod tls;
mod watch;
mod wild;

/// Settings under which a snapshot is read from and written to `snapshots/`, by its own name only.
fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
