//! Key scripts: what an operator does, and what must come of it.

mod answers;
mod browsing;
mod desk;
mod intents;
mod loading;
mod looking;
mod past;
mod searching;
mod stream;
mod stream_check;
mod trouble;
