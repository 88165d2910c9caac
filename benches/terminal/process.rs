//! What the system says of a process.

use std::fs;

/// Clock ticks a second that Linux counts for every process.
pub(crate) const TICKS: f64 = 100.0;

/// Clock ticks that a process has used so far, in its own and in system time.
pub(crate) fn ticks(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}

/// Bytes of memory that it holds.
pub(crate) fn resident(process: u32) -> u64 {
    memory(process, "VmRSS")
}

/// Bytes of memory that it has held at most.
pub(crate) fn peak(process: u32) -> u64 {
    memory(process, "VmHWM")
}

fn memory(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    // The system says kB and means 1,024 bytes.
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
