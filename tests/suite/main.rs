//! The integration tests, one binary so that they link once. Each file states what it holds the program to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod settings;
mod simulator;
mod store;
