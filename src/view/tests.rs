//! What the screen holds to: every region at every size, and no character of a server's that acts on a terminal.

mod bytes;
mod cache;
mod format;
mod large;
mod looking;
mod past;
mod scene;
mod screens;
mod searching;
mod stream;
mod text;
