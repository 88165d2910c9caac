//! Arguments that several subcommands share.
//!
//! Owns which server is meant and as whom, how the console looks, and the checks of a word that need nothing but the
//! word itself. What only one subcommand takes stands in its own file.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::api::ids::RunId;
use crate::app::shell;
use crate::settings::Flags;

/// Which server, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArguments {
    /// Use this profile of relay-console/config.toml or mrl/config.toml
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Where the runs API is.
    #[arg(long, value_name = "URL", help = "Where the runs API is [default: https://api.modelrelay.ai/api/v1]")]
    pub base_url: Option<String>,
    /// Read the secret key from this file
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Trust the authorities in this file of PEM certificates besides the system's; may be given several times
    #[arg(long, value_name = "FILE")]
    pub ca_file: Vec<PathBuf>,
    /// Attribute calls to this customer
    #[arg(long, value_name = "ID")]
    pub customer: Option<String>,
    /// Allow plain http to a host that is not this machine
    #[arg(long)]
    pub allow_http: bool,
    /// Ignore the system's proxy
    #[arg(long)]
    pub no_proxy: bool,
}

impl ServerArguments {
    /// What the settings are resolved from, with nothing said about the console.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let Self { profile, base_url, api_key_file, ca_file, customer, allow_http, no_proxy } = self.clone();
        Flags {
            profile,
            base_url,
            api_key_file,
            ca_files: ca_file,
            customer_id: customer,
            allow_http,
            no_proxy,
            ..Flags::default()
        }
    }

    /// A command of this program for the same server, as a shell reads it.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        let words = ["relay-console"].iter().chain(words).map(|word| (*word).to_owned());
        shell::line(&words.chain(self.words()).collect::<Vec<_>>())
    }

    /// What the settings are resolved from, for a command that opens the console.
    #[must_use]
    pub fn flags_with(&self, display: &DisplayArguments) -> Flags {
        let Flags { no_output, no_journal, ascii, mouse, idle_timeout, .. } = display.flags();
        Flags { no_output, no_journal, ascii, mouse, idle_timeout, ..self.flags() }
    }

    /// The same words again, for a command that is suggested.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        option("--profile", self.profile.clone());
        option("--base-url", self.base_url.clone());
        option("--api-key-file", self.api_key_file.as_ref().map(|path| path.display().to_string()));
        for path in &self.ca_file {
            option("--ca-file", Some(path.display().to_string()));
        }
        option("--customer", self.customer.clone());
        for (given, name) in [(self.allow_http, "--allow-http"), (self.no_proxy, "--no-proxy")] {
            words.extend(given.then(|| name.to_owned()));
        }
        words
    }
}

/// What a command takes that reads one thing of one run.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ReadArguments {
    /// The run, such as 550e8400-e29b-41d4-a716-446655440000
    #[arg(value_name = "RUN_ID", value_parser = RunId::parse)]
    pub run_id: RunId,
    /// Print the server's answer
    #[arg(long)]
    pub json: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// How the console looks and behaves.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Console")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line, independent of the others")]
pub struct DisplayArguments {
    /// Do not ask for outputs with the events
    #[arg(long)]
    pub no_output: bool,
    /// Keep no journal of the run's events on disk, and read none
    #[arg(long)]
    pub no_journal: bool,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Capture the mouse; the terminal then selects no text
    #[arg(long)]
    pub mouse: bool,
    /// Check the link after so much silence, such as 15s or 2m [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub idle_timeout: Option<Duration>,
}

impl DisplayArguments {
    /// What the settings are resolved from, with nothing said about a server.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags {
            no_output: self.no_output,
            no_journal: self.no_journal,
            ascii: self.ascii,
            mouse: self.mouse,
            idle_timeout: self.idle_timeout,
            ..Flags::default()
        }
    }
}

/// A factor above 0, in thousandths, so that it can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor(u32);

impl Default for Factor {
    fn default() -> Self {
        Self(1000)
    }
}

impl Factor {
    /// The factor.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

pub(super) fn factor(text: &str) -> Result<Factor, String> {
    match text.parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked: at most 1,000,000 thousandths, never negative"
        )]
        Ok(factor) if (0.001..=1000.0).contains(&factor) => Ok(Factor((factor * 1000.0).round() as u32)),
        _ => Err("must be a number from 0.001 to 1000".to_owned()),
    }
}

/// Seconds or minutes, at most a day.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        _ => 0,
    };
    match digits.parse::<u64>() {
        Ok(count) if (1..=86_400).contains(&count.saturating_mul(seconds)) => Ok(Duration::from_secs(count * seconds)),
        _ => Err("must be seconds or minutes, such as 15s or 2m, at most a day".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_factors_are_checked() {
        assert_eq!(duration("15"), Ok(Duration::from_secs(15)));
        for wrong in ["", "0", "s", "-1", "15h", "1.5s", "9999999999999999999999", "86401"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(factor("0.5").map(|factor| factor.0), Ok(500));
        for wrong in ["0", "-1", "NaN", "inf", "fast", "1001"] {
            assert!(factor(wrong).is_err(), "{wrong}");
        }
    }
}
