//! The simulator, held to `wire/README.md`: every built-in scenario and any other spec played to its end, and the server
//! over real HTTP.

mod bench;
mod compile;
mod create;
mod faults;
mod flood;
mod hostile;
mod http;
mod published;
mod scenarios;
mod specs;
mod steps;
mod wire;
