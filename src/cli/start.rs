//! `relay-console start`: create a run, then follow it in the console or leave it to itself.
//!
//! Rules: all that can be known to be wrong is refused before anything is sent; once the run is created its id is on
//! standard error before anything else happens; every run is created under an idempotency key, the operator's or one
//! made here, so that after a failure that leaves the outcome open the command can be repeated without a second run.

pub mod inputs;
pub mod overrides;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{ArgGroup, Args};
use uuid::Uuid;

use crate::api::create::{CreateRun, CreatedRun, NotCreated};
use crate::api::error::{Class, Error};
use crate::api::ids::{PlanHash, SessionId};
use crate::app::shell;
use crate::cli::arguments::{DisplayArguments, ServerArguments};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::follow::FollowArguments;
use crate::cli::output;
use crate::cli::output::report;
use crate::cli::remote::Remote;
use crate::cli::runtime::{block_on, unless_stopped};
use crate::cli::session::Session;
use crate::cli::spec::file::{STANDARD_INPUT, SpecFile};
use crate::cli::spec::issues;
use crate::cli::start::inputs::{InputFile, InputWord};
use crate::cli::start::overrides::{FanoutModel, NodeModel};
use crate::settings;

/// `start`
#[derive(Debug, Clone, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group = ArgGroup::new("source").required(true).args(["spec", "plan"]))]
pub struct StartArguments {
    /// The workflow spec; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub spec: Option<PathBuf>,
    /// A plan that the server has compiled, by its hash
    #[arg(long, value_name = "HASH", value_parser = PlanHash::parse)]
    pub plan: Option<PlanHash>,
    /// An input: name=text, or name:=json
    #[arg(long, value_name = "NAME=TEXT", value_parser = InputWord::parse)]
    pub input: Vec<InputWord>,
    /// Inputs from a file: name=FILE its text, name:=FILE its JSON, FILE an object of inputs
    #[arg(long, value_name = "NAME=FILE", value_parser = InputFile::parse)]
    pub input_file: Vec<InputFile>,
    /// One model for every node
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The model of one node
    #[arg(long, value_name = "NODE=MODEL", value_parser = NodeModel::parse)]
    pub node_model: Vec<NodeModel>,
    /// The model of a fan-out's subnode
    #[arg(long, value_name = "PARENT/SUBNODE=MODEL", value_parser = FanoutModel::parse)]
    pub fanout_model: Vec<FanoutModel>,
    /// Link the run to this session
    #[arg(long, value_name = "UUID", value_parser = SessionId::parse)]
    pub session: Option<SessionId>,
    /// Ask for every model's text while it is written
    #[arg(long, conflicts_with = "no_stream")]
    pub stream: bool,
    /// Send stream: false, which servers take as leaving it to the spec
    #[arg(long)]
    pub no_stream: bool,
    /// Create one run under this key, however often it is asked for [default: a fresh one]
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Print the server's answer and leave; without this the run is followed
    #[arg(long)]
    pub detach: bool,
    /// Changes nothing: what --detach prints is JSON
    #[arg(long, requires = "detach")]
    pub json: bool,
    /// Which server, and as whom.
    #[command(flatten)]
    pub server: ServerArguments,
    /// How the console looks and behaves.
    #[command(flatten)]
    pub display: DisplayArguments,
}

/// Creates the run, and follows it unless it is to be left.
///
/// # Errors
/// When something is refused before it is sent, the server does not create the run, or following it fails.
pub fn run(arguments: &StartArguments, verbosity: u8) -> Result<Exit, Failure> {
    check_standard_input(arguments)?;
    let key = arguments.idempotency_key.as_deref().map(str::trim).filter(|key| !key.is_empty());
    let key = key.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let spec = arguments.spec.as_deref().map(SpecFile::read).transpose()?;
    let create = request(arguments, spec.as_ref(), &key)?;

    let context = Context::new(arguments.server.flags_with(&arguments.display), verbosity)?;
    // What would keep the console from opening must not be found out when the run is there.
    settings::preferences(&context.flags, &context.environment, &context.files)?;
    let remote = Remote::of(&context)?;
    block_on(async {
        let reply = match unless_stopped(remote.client.create(&create)).await? {
            Ok(reply) => reply.map_err(|error| not_created(arguments, spec.as_ref(), &remote, &key, &error))?,
            Err(signal) => {
                report(&format!("stopped while the request was under way: {}", in_doubt(&key)));
                return Ok(Exit::Signal(signal));
            }
        };
        let CreatedRun { run_id, status, .. } = &reply.value;
        let follow =
            FollowArguments { run_id: *run_id, server: arguments.server.clone(), display: arguments.display.clone() };
        let command = follow.command_to_return();
        // Not "created": under an idempotency key it may have been there.
        report(&format!("the run is {run_id} ({status}); follow it with: {}", shell::line(&command)));
        if !arguments.detach {
            return Session::with_server(context, *run_id, command)?.run().await;
        }
        output::json(&reply.body)?;
        Ok(Exit::Done)
    })
}

fn in_doubt(key: &str) -> String {
    let key = shell::line(&[key.to_owned()]);
    format!(
        "it is not known whether the run was created; to repeat this without a second run, add\n  \
         --idempotency-key {key}"
    )
}

/// One stream can be read once, and the console reads keys from it.
fn check_standard_input(arguments: &StartArguments) -> Result<(), Failure> {
    let spec = arguments.spec.iter().filter(|path| path.as_os_str() == STANDARD_INPUT).count();
    let readers = spec + arguments.input_file.iter().filter(|file| file.is_standard_input()).count();
    if readers > 1 {
        return Err(refused("standard input can be read once: only one of the files can be -"));
    }
    if arguments.detach {
        return Ok(());
    }
    if readers == 1 {
        return Err(refused("the console reads keys from standard input: name a file instead of -, or add --detach"));
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(refused(
            "standard input and output must be a terminal to follow the run; --detach creates it and leaves",
        ));
    }
    Ok(())
}

/// What is sent, with all that can be checked here checked.
fn request(arguments: &StartArguments, spec: Option<&SpecFile>, key: &str) -> Result<CreateRun, Failure> {
    let mut create = match (spec, &arguments.plan) {
        (Some(spec), _) => CreateRun::from_spec(spec.spec.clone()),
        (None, Some(plan)) => CreateRun::from_plan(plan.clone()),
        (None, None) => return Err(refused("name a spec or a plan")),
    };
    for (name, value) in inputs::collect(&arguments.input, &arguments.input_file)? {
        if let Some(spec) = spec.filter(|spec| spec.spec.inputs().iter().all(|input| input.name != name)) {
            report(&format!("warning: {} declares no input {name}", spec.file.name));
        }
        create = create.with_input(&name, value);
    }
    let missing = create.missing_inputs();
    if !missing.is_empty() {
        let name = spec.map_or("the spec", |spec| &spec.file.name);
        let words: Vec<String> = missing.iter().map(|name| format!("--input {name}=…")).collect();
        return Err(refused(&format!("{name} needs inputs that are not given: {}", words.join(" "))));
    }
    let workflow = spec.and_then(|spec| spec.spec.workflow().ok());
    let overrides = overrides::collect(&arguments.node_model, &arguments.fanout_model, workflow.as_ref())
        .map_err(|message| refused(&message))?;
    create = create.with_model_overrides(overrides).with_idempotency_key(key);
    if let Some(model) = &arguments.model {
        create = create.with_model(model);
    }
    if let Some(session) = arguments.session {
        create = create.with_session(session);
    }
    if arguments.stream || arguments.no_stream {
        create = create.with_stream(arguments.stream);
    }
    Ok(create)
}

/// Why there is no run, or none that is known of, and what to do.
fn not_created(
    arguments: &StartArguments,
    spec: Option<&SpecFile>,
    remote: &Remote,
    key: &str,
    NotCreated { error, in_doubt: unclear }: &NotCreated,
) -> Failure {
    const ASKED: &str = "create the run";
    if *unclear {
        let Failure { error, .. } = remote.failure_with(ASKED, error, &in_doubt(key));
        return Failure { exit: Exit::Unreachable, error };
    }
    if arguments.plan.is_some() && is_about_the_plan(error) {
        let command = arguments.server.command(&["compile", "FILE"]);
        let again = format!(
            "compile the spec again, since a plan is known only to the server process that compiled it:\n  {command}"
        );
        return remote.failure_with(ASKED, error, &again);
    }
    if error.class() == Class::Conflict && arguments.idempotency_key.is_some() {
        let other = "take another --idempotency-key, unless this was to be the run that the key stands for.";
        return remote.failure_with(ASKED, error, other);
    }
    match spec {
        Some(spec) => issues::failure(remote, ASKED, spec, error),
        None => remote.failure(ASKED, error),
    }
}

/// Whether the server refuses the plan: it says 404, or speaks of a plan.
fn is_about_the_plan(error: &Error) -> bool {
    let Error::Status(status) = error else { return false };
    let speaks = |words: &str| words.to_ascii_lowercase().contains("plan");
    match error.class() {
        Class::NotFound => true,
        Class::Invalid | Class::Conflict => {
            speaks(&status.message)
                || status.code.as_deref().is_some_and(speaks)
                || status.fields.iter().any(|field| field.field.as_deref().is_some_and(speaks))
                || status
                    .issues
                    .iter()
                    .any(|issue| speaks(&issue.code) || speaks(&issue.path) || speaks(&issue.message))
        }
        _ => false,
    }
}

fn refused(message: &str) -> Failure {
    Failure::new(Exit::Refused, anyhow!(message.to_owned()))
}
