//! The program as it runs in a terminal: the loop, and everything that touches the terminal and the process.
//!
//! One loop: wait for one action, take every other that is ready, reduce them all, perform the effects, draw once.
//! What reduces and draws never waits; what waits runs in tasks of its own.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`terminal`] | entering, drawing on and giving back the terminal |
//! | [`modes`] | which modes of the terminal are on, and how they are undone from anywhere |
//! | [`panics`] | what happens when a thread panics |
//! | [`signals`] | the signals of the operating system |
//! | [`keyboard`] | keys and pastes, whole even over links that split them |
//! | [`escape`] | putting split escape sequences together, pure |
//! | [`frame_pacer`] | when to draw, pure |
//! | [`summary`] | what stands in the scrollback after leaving |
//!
//! The rule that must stay true: the terminal is given back as it was, however the program ends.

pub mod escape;
pub mod frame_pacer;
pub mod keyboard;
pub mod modes;
pub mod panics;
pub mod signals;
pub mod summary;
pub mod terminal;
