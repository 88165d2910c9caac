//! The edge of the settings: the only place that reads the environment and the configuration files.

use std::env::{self, VarError};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use secrecy::SecretString;

use super::file::OwnConfig;
use super::{
    API_KEY_VARIABLE, BASE_URL_VARIABLE, Directories, Environment, Files, Flags, SettingsError, TOKEN_VARIABLE,
    TextFile,
};

/// No configuration is larger; a device or a log given by mistake is.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads the environment and the files that `flags` and the XDG directories name.
///
/// # Errors
/// When a variable is not text. A file that cannot be read is only an error if it is needed.
pub fn load(flags: &Flags, directories: &Directories) -> Result<(Environment, Files), SettingsError> {
    Ok((environment()?, files(flags, directories)))
}

/// Reads the environment.
///
/// # Errors
/// When a variable is not text.
pub fn environment() -> Result<Environment, SettingsError> {
    Ok(Environment {
        api_key: variable(API_KEY_VARIABLE)?.map(SecretString::from),
        token: variable(TOKEN_VARIABLE)?.map(SecretString::from),
        base_url: variable(BASE_URL_VARIABLE)?,
        no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
    })
}

/// Reads the files that `flags` and the XDG directories name.
#[must_use]
pub fn files(flags: &Flags, directories: &Directories) -> Files {
    let own = read_if_there(&directories.own_config());
    let authorities = if flags.ca_files.is_empty() {
        // What is wrong with the file is said by whoever needs it.
        let named = own.as_ref().and_then(|file| OwnConfig::read(file).ok()?.ca_file);
        let beside = directories.own_config();
        named.map(|path| beside.with_file_name(path)).into_iter().collect()
    } else {
        flags.ca_files.clone()
    };
    Files {
        own,
        vendor: read_if_there(&directories.vendor_config()),
        api_key: flags.api_key_file.as_deref().map(read),
        authorities: authorities.iter().map(|path| read(path)).collect(),
    }
}

fn variable(name: &'static str) -> Result<Option<String>, SettingsError> {
    match env::var(name) {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(SettingsError::NotText(name)),
    }
}

/// A configuration file, which nobody has named: a pipe or a device in its place is not waited for.
fn read_if_there(path: &Path) -> Option<TextFile> {
    match open_regular(path) {
        // A directory on the way that is a file means the same: there is no such configuration.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
        opened => Some(text_file(path, opened.and_then(content))),
    }
}

/// A file that the operator has named; it may be a pipe, as from `--api-key-file <(…)`.
fn read(path: &Path) -> TextFile {
    text_file(path, File::open(path).and_then(content))
}

fn text_file(path: &Path, content: io::Result<String>) -> TextFile {
    TextFile {
        path: path.to_path_buf(),
        readable_by_others: content.is_ok() && readable_by_others(path),
        text: content.map(SecretString::from).map_err(|error| error.to_string()),
    }
}

fn open_regular(path: &Path) -> io::Result<File> {
    let file = without_waiting(File::options().read(true)).open(path)?;
    // Asked of what was opened: what the name stands for may change in between.
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

/// Opening a pipe for reading waits for somebody who writes.
#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default())
}

#[cfg(not(unix))]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn content(file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    // The text may hold a secret: the error must not carry the bytes along.
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-8"))
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    // A pipe, as from `--api-key-file <(…)`, has no readers but us.
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}
