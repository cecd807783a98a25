//! One module a command: from its arguments to its exit code.

mod check;
mod diff;
mod drill;
mod env;
mod explain;
mod fmt;
mod manual;
mod new;
mod online;
mod plan;
mod plan_diff;
mod pull;
mod run;
mod runs;
mod sandbox;
pub mod saved;
mod schema;
mod status;

use crate::cli::{Cli, Command, EnvironmentCommand, NewCommand, SandboxCommand};
use crate::exit::{Exit, Failure};
use crate::render::colour::{Screen, printable};
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use rbk_core::shell::shell_word;
use std::future::Future;

/// What `rbk` alone says.
const NOTHING_TYPED: &str = "\
rbk: typed runbooks for database recovery

  rbk check FILE…             is the runbook right?
  rbk plan FILE --env E       what would it do?
  rbk drill FILE              rehearse it here, in a throw-away sandbox
  rbk run FILE --env E        do it
  rbk new runbook FILE        begin one from a template

`rbk --help` lists all commands, `rbk COMMAND --help` explains one.";

/// Reads the command line, does what it says, and tells what went wrong.
pub fn main() -> Exit {
    let screen = Screen::detect();
    log(screen);
    let command = match Cli::try_parse() {
        Ok(Cli {
            command: Some(command),
        }) => command,
        Ok(Cli { command: None }) => {
            screen.say(NOTHING_TYPED);
            return Exit::Usage;
        }
        Err(error) => return not_a_command(screen, &error),
    };
    match perform(screen, command) {
        Ok(exit) => exit,
        Err(failure) => {
            tell(screen, &failure);
            failure.exit
        }
    }
}

fn perform(screen: Screen, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::check(screen, &args),
        Command::Format(args) => fmt::fmt(screen, &args),
        Command::Plan(args) => plan::plan(screen, &args),
        Command::Run(args) => block_on(run::run(screen, args)),
        Command::Resume(args) => block_on(run::resume(screen, args)),
        Command::Abort(args) => block_on(run::abort(screen, args)),
        Command::Resolve(args) => block_on(run::resolve(screen, args)),
        Command::Runs(args) => block_on(runs::runs(screen, args)),
        Command::Status(args) => block_on(status::status(screen, args)),
        Command::Drill(args) => block_on(drill::drill(screen, args)),
        Command::Sandbox(SandboxCommand::Up(args)) => block_on(sandbox::up(screen, args)),
        Command::Sandbox(SandboxCommand::Ledger(args)) => block_on(sandbox::ledger(screen, args)),
        Command::Environment(EnvironmentCommand::Check(args)) => env::check(screen, &args),
        Command::Environment(EnvironmentCommand::Pull(args)) => block_on(pull::pull(screen, args)),
        Command::Environment(EnvironmentCommand::Diff(args)) => block_on(diff::diff(screen, args)),
        Command::Environment(EnvironmentCommand::Schema) => env::schema(screen),
        Command::New(NewCommand::Runbook(args)) => new::runbook(screen, &args),
        Command::New(NewCommand::Environment(args)) => block_on(new::environment(screen, args)),
        Command::Completions(args) => manual::completions(screen, &args),
        Command::Man(args) => manual::man(screen, &args),
        Command::Explain(args) => explain::explain(screen, &args),
        Command::Schema(args) => schema::schema(screen, &args),
    }
}

/// Writes rbk's own log to stderr if `RBK_LOG` names a level. Other crates' logs are left out: at their finest, some
/// of them print bodies and so passwords.
fn log(screen: Screen) {
    let Some(level) = std::env::var("RBK_LOG")
        .ok()
        .filter(|level| !level.is_empty())
    else {
        return;
    };
    let Ok(level) = level.parse::<tracing::Level>() else {
        screen.warn(format_args!(
            "RBK_LOG is `{}`: write error, warn, info, debug or trace",
            printable(&level)
        ));
        return;
    };
    let own = ["rbk", "rbk_aws", "rbk_core", "rbk_postgres", "rbk_sandbox"];
    let directives: Vec<String> = own.iter().map(|name| format!("{name}={level}")).collect();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(directives.join(",")))
        .with_writer(std::io::stderr)
        .with_ansi(screen.err.is_on())
        .init();
}

/// Help and version are data; the rest is wrong usage.
fn not_a_command(screen: Screen, error: &clap::Error) -> Exit {
    let text = error.render();
    let help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if help {
        let text = if screen.out.is_on() {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        return match screen.data(&text) {
            Ok(()) => Exit::Done,
            Err(_) => Exit::Outside,
        };
    }
    let text = if screen.err.is_on() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    screen.say(text.trim_end());
    if let Some(next) = instead(error) {
        screen.say(format_args!(
            "\n{} {}",
            screen.err.cyan("help:"),
            printable(&next)
        ));
    }
    Exit::Usage
}

/// What was probably meant by a word that is no command, where clap knows none that is spelt like it.
fn instead(error: &clap::Error) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    if error.kind() != ErrorKind::InvalidSubcommand
        || error.get(ContextKind::SuggestedSubcommand).is_some()
    {
        return None;
    }
    let word = context(ContextKind::InvalidSubcommand)?;
    let file = shell_word(&word);
    let path = std::path::Path::new(&word);
    let is = |extension: &str| path.extension().is_some_and(|found| found == extension);
    if is("rbk") {
        return Some(format!(
            "to see what it would do: `rbk plan {file}`; to do it: `rbk run {file}`"
        ));
    }
    if is("rbkplan") {
        return Some(format!("to do what was reviewed: `rbk run {file}`"));
    }
    if word.len() == 7 && word.starts_with("RBK") {
        return Some(format!("`rbk explain {file}` tells what it means"));
    }
    let meant = MEANT
        .iter()
        .find(|(words, _)| words.contains(&&*word.to_lowercase()));
    Some(match meant {
        Some((_, command)) => format!("that is `rbk {command}` here"),
        None => {
            "the commands are `check`, `plan`, `run`, `drill` and those that `rbk --help` lists"
                .to_owned()
        }
    })
}

/// What other tools call what rbk does.
const MEANT: [(&[&str], &str); 9] = [
    (&["apply", "execute", "exec", "start", "deploy"], "run FILE"),
    (&["validate", "lint", "verify"], "check FILE"),
    (&["preview", "diff", "show", "dry-run"], "plan FILE"),
    (&["rehearse", "test", "simulate", "practice"], "drill FILE"),
    (&["format"], "fmt"),
    (&["continue", "restart", "retry"], "resume RUN"),
    (&["cancel", "stop", "rollback"], "abort RUN"),
    (&["list", "ls", "history"], "runs"),
    (&["init", "create", "scaffold"], "new runbook FILE"),
];

/// Prints what went wrong and what to do now.
fn tell(screen: Screen, failure: &Failure) {
    let paint = screen.err;
    if !failure.message.is_empty() {
        let word = match failure.code {
            Some(code) => format!("error {code}:"),
            None => "error:".to_owned(),
        };
        screen.say(format_args!(
            "{} {}",
            paint.red(word),
            printable(&failure.message)
        ));
    }
    if let Some(help) = &failure.help {
        screen.say(format_args!(
            "  {} {}",
            paint.cyan("help:"),
            printable(help)
        ));
    }
}

/// Starts the asynchronous part of rbk, for the commands that have one.
fn block_on(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::outside(format!("the system gives no threads: {error}")))?;
    let result = runtime.block_on(work);
    // A read of the keyboard may still be blocked; it must not hold up the end.
    runtime.shutdown_background();
    result
}

/// A failed write of results, for instance to a full disk.
fn unwritten(error: std::io::Error) -> Failure {
    Failure::outside(format!("writing the result: {error}"))
}
