//! The server that a command without a screen talks to.
//!
//! Owns making a client from the settings, and what an error of the API means for the exit code. Rule: what an operator
//! should know about the settings is said on standard error before the first request.

use anyhow::anyhow;

use crate::api::client::Client;
use crate::api::error::{Class, Error};
use crate::api::ids::RunId;
use crate::cli::arguments::ServerArguments;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::failure::{explained, said};
use crate::cli::output::report;
use crate::settings::{self, Server};

/// A server to ask.
#[derive(Debug)]
pub struct Remote {
    /// Its client.
    pub client: Client,
    /// What people call the server: the profile, else the host.
    pub label: String,
}

impl Remote {
    /// The server that the settings name. Nothing is sent yet.
    ///
    /// # Errors
    /// When the settings are refused.
    pub fn open(server: &ServerArguments, verbosity: u8) -> Result<Self, Failure> {
        Self::of(&Context::new(server.flags(), verbosity)?)
    }

    /// The server that these settings name. Nothing is sent yet.
    ///
    /// # Errors
    /// When the settings are refused.
    pub fn of(context: &Context) -> Result<Self, Failure> {
        let Context { directories, environment, files, flags, notices } = context;
        let server = settings::server(flags, environment, files, directories)?;
        for notice in notices.iter().chain(&server.notices) {
            report(notice);
        }
        let label = server.label();
        Ok(Self { client: client(&server)?, label })
    }

    /// The failure of a call: what was asked of whom, what went wrong, and what to do.
    #[must_use]
    pub fn failure(&self, asked: &str, error: &Error) -> Failure {
        Failure::new(exit_of(error.class()), anyhow!(explained(&self.refused(asked), error)))
    }

    /// The same where the command knows better what to do.
    #[must_use]
    pub fn failure_with(&self, asked: &str, error: &Error, what_to_do: &str) -> Failure {
        let message = said(&self.refused(asked), error);
        Failure::new(exit_of(error.class()), anyhow!("{message}\nWhat to do: {what_to_do}"))
    }

    fn refused(&self, asked: &str) -> String {
        format!("cannot {asked} ({}): ", self.label)
    }

    /// The failure of reading something of a run.
    #[must_use]
    pub fn read_failure(&self, what: &str, run: &RunId, error: &Error) -> Failure {
        self.failure(&format!("read {what} {run}"), error)
    }
}

/// The client of this server.
///
/// # Errors
/// When it cannot be built.
pub fn client(server: &Server) -> Result<Client, Error> {
    Client::new(server.client_config())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(exit_of(error.class()), anyhow!(explained("", &error)))
    }
}

/// The exit code of each class of error.
#[must_use]
pub fn exit_of(class: Class) -> Exit {
    match class {
        Class::Setting | Class::Invalid => Exit::Refused,
        Class::Unauthorized => Exit::NotAuthorised,
        Class::NotFound => Exit::NotFound,
        Class::Conflict => Exit::Conflict,
        Class::Unavailable => Exit::Unreachable,
        Class::Protocol => Exit::Protocol,
    }
}
