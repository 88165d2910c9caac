//! The `relay-console` program: hands the command line over and gives its exit code to the system.

use std::process::ExitCode;

/// An event is made on one thread and dropped on another, some millions of times: the system's allocator makes the two
/// wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    relay_console::cli::main(std::env::args_os()).into()
}
