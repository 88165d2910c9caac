//! An operator's console in the terminal for live ModelRelay workflow runs.
//!
//! An async task reads the run's event stream into channels, they feed a pure reducer, and ratatui draws its state:
//!
//! ```text
//! server ──HTTP NDJSON──► feed ── batches of events, link state ──┐
//! keyboard, paste, resize ──► console ────────────────────────────┤ Action
//! outcomes of effects, clock ─────────────────────────────────────┘   │
//!                                                                     ▼
//!                               app::reduce(&mut App, Moment, Action) -> Vec<Effect>
//!                                    │                             │
//!                  view::draw(&App, &mut Cache, &mut Frame)   console::perform(Effect)
//! ```
//!
//! Who may use whom is the table in `tests/suite/architecture.rs`, which fails on any other arrow.

pub mod api;
pub mod app;
pub mod cli;
pub mod console;
pub mod feed;
pub mod logging;
pub mod run;
pub mod settings;
pub mod simulator;
pub mod store;
pub mod submission;
pub mod view;
