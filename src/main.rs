//! The `relay-console` program.

fn main() {}
