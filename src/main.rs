//! The `relay-console` program: hands the command line over and gives its exit code to the system.

use std::process::ExitCode;

fn main() -> ExitCode {
    relay_console::cli::main(std::env::args_os()).into()
}
