//! The program's own log: tracing to a file below the state home, never to the terminal.
//!
//! Owns the file `<state home>/relay-console/log/relay-console.log` (0600, in a directory 0700) and its bound: at
//! 8 MiB it becomes `relay-console.log.1` and a new one begins. Does not own what is logged.
//!
//! The rules that must stay true: nothing here stops the program, a full or read-only disk least of all; and other
//! crates' lines below `info` stay out, since they may print headers and bodies.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, FilterExt, FilterFn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The environment variable with a filter as `tracing_subscriber` reads it, such as `relay_console::feed=trace`.
pub const FILTER_VARIABLE: &str = "RELAY_CONSOLE_LOG";

/// A log larger than this, in bytes, makes way for a new one.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// What came of starting the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// The file that is written, if one is.
    pub file: Option<PathBuf>,
    /// What went wrong, in a sentence for the operator.
    pub problem: Option<String>,
}

/// Starts the log. `verbosity` is how many `-v` were given; `filter` is the value of [`FILTER_VARIABLE`], which wins.
///
/// Never fails: what goes wrong is told in the outcome.
#[must_use]
pub fn start(state_home: &Path, verbosity: u8, filter: Option<&str>) -> Logging {
    let (filter, wrong_filter) = choose_filter(verbosity, filter);
    let dir = state_home.join("relay-console").join("log");
    let writer = match BoundedFile::open(&dir, MAX_BYTES) {
        Ok(writer) => writer,
        Err(error) => {
            let problem = format!("no log is written: cannot write in {}: {error}", dir.display());
            return Logging { file: None, problem: Some(problem) };
        }
    };
    let file = writer.path.clone();
    let ours_or_info =
        FilterFn::new(|metadata| metadata.target().starts_with("relay_console") || *metadata.level() <= Level::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Mutex::new(writer))
        .with_filter(filter.and(ours_or_info));
    // A second start in one process (tests) keeps the first log.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    Logging { file: Some(file), problem: wrong_filter }
}

fn choose_filter(verbosity: u8, filter: Option<&str>) -> (EnvFilter, Option<String>) {
    let default = match verbosity {
        0 => "warn,relay_console=info",
        1 => "info,relay_console=debug",
        _ => "info,relay_console=trace",
    };
    match filter.filter(|text| !text.trim().is_empty()).map(EnvFilter::try_new) {
        None => (EnvFilter::new(default), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => {
            (EnvFilter::new(default), Some(format!("{FILTER_VARIABLE} is not a log filter and is not used: {error}")))
        }
    }
}

/// A log file that begins again when it has become too large, and whose writing always succeeds.
#[derive(Debug)]
struct BoundedFile {
    path: PathBuf,
    max_bytes: u64,
    file: File,
    bytes: u64,
}

impl BoundedFile {
    fn open(dir: &Path, max_bytes: u64) -> io::Result<Self> {
        make_private(dir)?;
        let path = dir.join("relay-console.log");
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.len() >= max_bytes) {
            set_aside(&path)?;
        }
        let file = open_private(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, max_bytes, file, bytes })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes.saturating_add(line.len() as u64) > self.max_bytes && self.bytes > 0 {
            set_aside(&self.path)?;
            self.file = open_private(&self.path)?;
            self.bytes = 0;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

impl Write for BoundedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Dropped, not reported: the subscriber would print the error on the screen.
        let _ = self.append(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn set_aside(path: &Path) -> io::Result<()> {
    fs::rename(path, path.with_extension("log.1"))
}

#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().mode(0o700).recursive(true).create(dir)?;
    if fs::symlink_metadata(dir)?.is_symlink() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is a symbolic link"));
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(unix)]
fn open_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    File::options().append(true).create(true).mode(0o600).custom_flags(no_follow).open(path)
}

#[cfg(not(unix))]
fn make_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(not(unix))]
fn open_private(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_log_that_has_become_too_large_is_set_aside_once_and_a_new_one_begins() {
        let home = tempfile::TempDir::new().unwrap();
        let mut log = BoundedFile::open(home.path(), 10).unwrap();
        for line in ["first\n", "second\n", "third\n", "x\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(read(&log.path), "third\nx\n");
        assert_eq!(read(&home.path().join("relay-console.log.1")), "second\n");
        fs::write(&log.path, "0123456789").unwrap();
        let again = BoundedFile::open(home.path(), 10).unwrap();
        assert_eq!((read(&again.path), again.bytes), (String::new(), 0));
        assert_eq!(read(&home.path().join("relay-console.log.1")), "0123456789");
    }

    #[test]
    fn a_log_that_is_small_enough_is_continued() {
        let home = tempfile::TempDir::new().unwrap();
        BoundedFile::open(home.path(), 100).unwrap().write_all(b"first\n").unwrap();
        let mut again = BoundedFile::open(home.path(), 100).unwrap();
        again.write_all(b"second\n").unwrap();
        assert_eq!(read(&again.path), "first\nsecond\n");
    }

    #[test]
    fn a_disk_that_refuses_costs_the_lines_and_nothing_else() {
        let home = tempfile::TempDir::new().unwrap();
        let mut log = BoundedFile::open(home.path(), 10).unwrap();
        log.write_all(b"0123456789").unwrap();
        drop(home);
        log.write_all(b"too much for this file\n").unwrap();
        log.write_all(b"and again\n").unwrap();
        assert!(!log.path.exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_does_not_stop_the_program() {
        let file = File::options().append(true).open("/dev/full").unwrap();
        let mut log = BoundedFile { path: "/dev/full".into(), max_bytes: 1 << 20, file, bytes: 0 };
        assert!(log.append(b"line\n").is_err());
        log.write_all(b"line\n").unwrap();
    }

    #[test]
    fn where_no_log_can_be_written_the_operator_is_told_and_the_program_goes_on() {
        let home = tempfile::TempDir::new().unwrap();
        fs::write(home.path().join("relay-console"), "").unwrap();
        let outcome = start(home.path(), 0, None);
        assert_eq!(outcome.file, None);
        assert!(outcome.problem.unwrap().contains("relay-console/log"));
    }

    #[test]
    fn a_filter_that_is_none_is_told_of_and_the_flags_count() {
        let (filter, problem) = choose_filter(2, Some("relay_console=loud"));
        assert_eq!(filter.to_string(), EnvFilter::new("info,relay_console=trace").to_string());
        assert!(problem.unwrap().contains("RELAY_CONSOLE_LOG"));
        let (filter, problem) = choose_filter(2, Some("warn"));
        assert_eq!((filter.to_string().as_str(), problem), ("warn", None));
    }

    #[cfg(unix)]
    #[test]
    fn the_log_is_for_its_owner_only_and_a_link_in_its_place_is_not_followed() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::TempDir::new().unwrap();
        let dir = home.path().join("log");
        let log = BoundedFile::open(&dir, MAX_BYTES).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&log.path)), (0o700, 0o600));
        fs::remove_file(&log.path).unwrap();
        let elsewhere = home.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, &log.path).unwrap();
        assert!(BoundedFile::open(&dir, MAX_BYTES).is_err());
        assert!(!elsewhere.exists());
    }
}
