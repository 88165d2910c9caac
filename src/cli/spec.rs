//! Workflow specs in files: reading them, finding a place in them, and showing what is wrong there.

pub mod file;
pub mod issues;
pub mod locate;
