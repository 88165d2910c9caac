//! Where configuration and state stand: the XDG base directories, on every system, as command line users expect.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::SettingsError;

/// The directories of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// `$XDG_CONFIG_HOME`
    pub config_home: PathBuf,
    /// `$XDG_STATE_HOME`
    pub state_home: PathBuf,
}

impl Directories {
    /// The directories that the environment says.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn of_this_user() -> Result<Self, SettingsError> {
        let xdg = etcetera::base_strategy::Xdg::new().map_err(|_| SettingsError::NoHome)?;
        let state_home = xdg.state_dir().ok_or(SettingsError::NoHome)?;
        Ok(Self { config_home: xdg.config_dir(), state_home })
    }

    /// Our own configuration file.
    #[must_use]
    pub fn own_config(&self) -> PathBuf {
        config_file(&self.config_home, "relay-console")
    }

    /// The vendor CLI's configuration file.
    #[must_use]
    pub fn vendor_config(&self) -> PathBuf {
        config_file(&self.config_home, "mrl")
    }
}

fn config_file(home: &Path, program: &str) -> PathBuf {
    home.join(program).join("config.toml")
}
