//! The command line: what can be typed, and nothing about what it does.

use clap::{Args, Parser, Subcommand, ValueEnum};
use rbk_syntax::SourceId;
use rbk_syntax::ast::ExprKind;
use std::path::PathBuf;
use std::time::Duration;

/// Typed runbooks for database recovery.
#[derive(Debug, Parser)]
#[command(
    name = "rbk",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = EXIT_CODES
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The table at the end of `rbk --help`.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 the runbook or environment is wrong, 2 the plan holds actions \
(--detailed-exitcode), 3 an assertion, precondition or deadline failed, 4 AWS, Postgres or a command failed, \
5 interrupted and resumable, 6 somebody else holds the lock, 7 an outcome could not be decided, 64 wrong usage, \
70 a bug in rbk.\n\nRBK_LOG=debug writes rbk's own log to stderr; it holds no secret.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check runbooks against an environment; never touches the network
    Check(CheckArgs),
    /// Lay runbooks out in the one way they are written
    #[command(name = "fmt")]
    Format(FmtArgs),
    /// Show every action of a runbook in order with its exact parameters, and run none
    Plan(PlanArgs),
    /// Run a runbook
    Run(RunArgs),
    /// Go on with a run that was suspended, killed or cut off
    Resume(ResumeArgs),
    /// End a suspended run: performs its `on failure`
    Abort(AbortArgs),
    /// Say what was found about an action whose outcome could not be decided
    Resolve(ResolveArgs),
    /// List runs
    Runs(RunsArgs),
    /// Tell where a run is and what state everything is in
    Status(StatusArgs),
    /// Rehearse runbooks in a throw-away sandbox with real Postgres and a staged disaster
    Drill(DrillArgs),
    /// Keep a sandbox running for `aws`, `psql` and `rbk run`
    #[command(subcommand)]
    Sandbox(SandboxCommand),
    /// Look after environment files
    #[command(subcommand, name = "env")]
    Environment(EnvironmentCommand),
    /// Begin a runbook or an environment from a template
    #[command(subcommand)]
    New(NewCommand),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Explain what rbk says: the page of a diagnostic, or a list of all
    Explain(ExplainArgs),
    /// Print the JSON Schema of what rbk writes or reads
    Schema(SchemaArgs),
}

/// What rbk writes or reads as a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// What `rbk plan --format json` writes
    Plan,
    /// What `rbk plan --diff BASE --format json` writes
    PlanDiff,
    /// What `rbk check --format json` writes
    Check,
    /// Environment files
    Environment,
}

/// `rbk schema`
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Of which document
    #[arg(value_enum, value_name = "DOCUMENT")]
    pub of: SchemaOf,
}

/// Which environment.
#[derive(Debug, Clone, Default, Args)]
pub struct EnvironmentArg {
    /// An environment's name (a file in `environments/`) or path; the default is named by rbk.toml
    #[arg(long = "env", value_name = "NAME|PATH")]
    pub env: Option<String>,
}

/// Values for parameters.
#[derive(Debug, Clone, Default, Args)]
pub struct SetArg {
    /// Give a parameter's value, written as in a runbook (repeatable)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

/// Human or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For reading
    #[default]
    Human,
    /// One JSON document on stdout
    Json,
}

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// For reading
    #[default]
    Human,
    /// One JSON document on stdout
    Json,
    /// One SARIF 2.1.0 document on stdout, for code scanning
    Sarif,
    /// GitHub's workflow commands, shown as annotations of a pull request
    Github,
    /// A line each: `file:line:column: error RBK2004: message`
    Compact,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PlanFormat {
    /// For reading
    #[default]
    Human,
    /// One JSON document on stdout
    Json,
    /// For the comment of a pull request, bounded so that it fits
    Markdown,
}

/// How the result is written.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatArg {
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Where journals are.
#[derive(Debug, Clone, Default, Args)]
pub struct StoreArg {
    /// The directory of the journals [default: the environment's, else the user's state directory]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
}

/// `rbk check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The runbooks
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub set: SetArg,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// Mend what can only have been meant otherwise (misspelt words, quotes, operators, units) in these files
    #[arg(long)]
    pub fix: bool,
}

/// `rbk fmt`
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Runbooks, files of procedures, folders of them; `-` or nothing: stdin, laid out onto stdout
    #[arg(value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Write nothing; list the files that would change, and exit with 1 if there is one
    #[arg(long)]
    pub check: bool,
    /// Write nothing; show what would change, and exit with 1 if anything would
    #[arg(long)]
    pub diff: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
}

/// The end of `rbk plan --help`.
const PLAN_EXIT_CODES: &str = "\
Exit codes: 0 the plan is made, or with --detailed-exitcode it changes nothing; 1 the runbook, its environment or the saved plan is \
wrong, or there is nothing to compare with; 2 with --detailed-exitcode: it holds actions that change something, or with --diff anything \
differs in what is done. With --online, first of all: 3 something was found that \
would stop a run; 4 something that a run asks before anything else could not be seen. What else could not be seen is listed, and \
changes no exit code.";

/// `rbk plan`
#[derive(Debug, Args)]
#[command(after_help = PLAN_EXIT_CODES)]
pub struct PlanArgs {
    /// The runbook, or a saved plan
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub set: SetArg,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub format: PlanFormat,
    /// Show what differs in what is done from a saved plan (`--out`, `--format json`) or from a git revision, for instance `origin/main`
    #[arg(long, value_name = "BASE")]
    pub diff: Option<String>,
    /// Exit with 2 when the plan holds actions that change something; with `--diff`, when anything differs in what is done
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Save the plan to a file, for `rbk run` to perform exactly it
    #[arg(long, value_name = "FILE.rbkplan")]
    pub out: Option<PathBuf>,
    /// Read the account and its databases, change nothing, and tell what a run would find there
    #[arg(long, conflicts_with = "diff")]
    pub online: bool,
}

/// Who says yes where nobody can be asked.
#[derive(Debug, Clone, Default, Args)]
pub struct ApproveArg {
    /// Give the approval of a step beforehand, or of `all` (repeatable)
    #[arg(long, value_name = "STEP|all")]
    pub approve: Vec<String>,
}

/// `rbk run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The runbook, or a saved plan: performed exactly as it was saved, once, or refused
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Perform a saved plan also where the files that it was made from aren't here to be compared; the journal says so
    #[arg(long)]
    pub without_inputs: bool,
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub set: SetArg,
    #[command(flatten)]
    pub approve: ApproveArg,
    #[command(flatten)]
    pub alone: AloneArg,
    #[command(flatten)]
    pub store: StoreArg,
}

/// Whether a lock that excludes this machine only is enough.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct AloneArg {
    /// Accept a journal store whose lock excludes only this machine; the journal says so
    #[arg(long)]
    pub alone: bool,
}

/// `rbk resume`
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The run, or the beginning or end of its name
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub store: StoreArg,
    #[command(flatten)]
    pub approve: ApproveArg,
    #[command(flatten)]
    pub alone: AloneArg,
    /// Give the `await` that the run stopped in this much more time, for instance `30m`; the journal says so
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub extend: Option<Duration>,
}

/// `rbk abort`
#[derive(Debug, Args)]
pub struct AbortArgs {
    /// The run, or the beginning or end of its name
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Why; goes into the journal
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub store: StoreArg,
    #[command(flatten)]
    pub approve: ApproveArg,
    #[command(flatten)]
    pub alone: AloneArg,
}

/// What a person found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Found {
    /// The effect is there
    Done,
    /// The effect is not there; it is sent again
    NotDone,
    /// The action failed for good; `on failure` follows
    Failed,
}

/// `rbk resolve`
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The run, or the beginning or end of its name
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The action, as `rbk status` names it, for instance `Restore#1`
    #[arg(value_name = "ACTION")]
    pub action: String,
    /// What was found
    #[arg(long = "as", value_enum, value_name = "FOUND")]
    pub found: Found,
    /// How that was found out; goes into the journal
    #[arg(long, value_name = "TEXT")]
    pub because: String,
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub store: StoreArg,
}

/// `rbk runs`
#[derive(Debug, Args)]
pub struct RunsArgs {
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub store: StoreArg,
    #[command(flatten)]
    pub format: FormatArg,
}

/// `rbk status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The run, or the beginning or end of its name
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub store: StoreArg,
    #[command(flatten)]
    pub format: FormatArg,
}

/// How long the sandbox's states last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Pace {
    /// States pass as fast as Postgres allows
    #[default]
    Fast,
    /// States last about as long as in RDS
    Real,
}

/// What the sandbox is made of.
#[derive(Debug, Clone, Args)]
pub struct SandboxArgs {
    #[command(flatten)]
    pub environment: EnvironmentArg,
    /// Rows written before the snapshot [default: the environment's drill section]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub rows: Option<u64>,
    /// How long the sandbox's states last
    #[arg(long, value_enum, default_value_t)]
    pub pace: Pace,
    /// Make calls fail (repeatable), for instance `DescribeDBInstances:1-2:throttle`
    #[arg(long = "fault", value_name = "SPEC")]
    pub faults: Vec<String>,
    /// What happens to the database: `drop-table:SCHEMA.TABLE`, `delete-rows:SCHEMA.TABLE` or `lose-instance`
    #[arg(long, value_name = "DISASTER", value_parser = crate::drill::disaster::parse)]
    pub disaster: Option<rbk_core::environment::Disaster>,
    /// Run the environment's commands for real: where a runbook says `run`, and to read or deploy a stack
    #[arg(long)]
    pub run_commands: bool,
}

/// `rbk drill`
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// The runbooks, run one after the other in the same sandbox until one is not done
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    #[command(flatten)]
    pub set: SetArg,
    #[command(flatten)]
    pub format: FormatArg,
    /// Empty this table behind the runbook's back before comparing, to see the drill notice
    #[arg(long, value_name = "SCHEMA.TABLE", value_parser = crate::drill::disaster::table)]
    pub tamper: Option<rbk_core::environment::TableName>,
    /// Leave the sandbox running after the summary, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
}

/// `rbk sandbox …`
#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Start a sandbox as an environment describes it and leave it running until Ctrl-C
    Up(UpArgs),
    /// Print the effects that a running sandbox has applied, one JSON line each
    Ledger(LedgerArgs),
}

/// `rbk sandbox up`
#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    /// The port to listen on, on the loopback interface [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// `rbk sandbox ledger`
#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// The sandbox's address [default: AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

/// `rbk env …`
#[derive(Debug, Subcommand)]
pub enum EnvironmentCommand {
    /// Validate an environment file
    Check(EnvironmentCheckArgs),
    /// Read the schemas of the databases into the lock file beside the environment file
    Pull(EnvironmentPullArgs),
    /// Compare environment file, lock file and stack with what is there; changes nothing
    Diff(EnvironmentDiffArgs),
    /// Print the JSON Schema of environment files, for editors
    Schema,
}

/// `rbk env check`
#[derive(Debug, Args)]
pub struct EnvironmentCheckArgs {
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub format: FormatArg,
}

/// `rbk env pull`
#[derive(Debug, Args)]
pub struct EnvironmentPullArgs {
    /// The databases to read [default: all that exist and aren't like another one]
    #[arg(value_name = "DATABASE")]
    pub databases: Vec<String>,
    #[command(flatten)]
    pub environment: EnvironmentArg,
    /// Write nothing; exit with 1 where the lock file doesn't say what is there
    #[arg(long)]
    pub check: bool,
}

/// `rbk env diff`: exits with 0 where nothing differs, with 1 where something does, and with 4 where nothing does as far as it
/// could be seen, which was not everything.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing differs, 1 something differs or is left over, 4 not everything could be seen."
)]
pub struct EnvironmentDiffArgs {
    #[command(flatten)]
    pub environment: EnvironmentArg,
    #[command(flatten)]
    pub format: FormatArg,
}

/// `rbk new …`
#[derive(Debug, Subcommand)]
pub enum NewCommand {
    /// Write a runbook from a template; never over a file that is there
    Runbook(NewRunbookArgs),
    /// Write an environment file, with what the account says of an instance where one is named
    #[command(name = "environment", visible_alias = "env")]
    Environment(NewEnvironmentArgs),
}

/// `rbk new runbook`
#[derive(Debug, Args)]
pub struct NewRunbookArgs {
    /// Where it is written; `.rbk` is added where it is missing
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What it begins as
    #[arg(long, value_enum, default_value_t)]
    pub template: Template,
    #[command(flatten)]
    pub environment: EnvironmentArg,
}

/// What a new runbook begins as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Template {
    /// The parts of a runbook, with a step that only looks
    #[default]
    Blank,
    /// The application goes on with the newest snapshot
    QuickRecovery,
    /// The application goes on with the last instant that was good
    PointInTime,
    /// It goes on with a snapshot, and the original is removed: for stage and dev
    ReplaceOriginal,
    /// Whether the backups are what all of this relies on; changes nothing
    BackupAudit,
    /// An empty schema by the migration tool, and the rows copied back
    RebuildSchema,
    /// The same through DMS serverless
    RepairOriginal,
    /// The application returns to the original
    ReturnToOriginal,
    /// All of it, from the disaster to the repaired original
    FullRecovery,
}

/// `rbk new environment`
#[derive(Debug, Args)]
pub struct NewEnvironmentArgs {
    /// What it is called: `stage` becomes `environments/stage.toml`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Read class, groups, retention and the like of this instance from the account (only reads)
    #[arg(long, value_name = "INSTANCE")]
    pub instance: Option<String>,
    /// The region [default: what the AWS configuration says, to read the account]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The database's name in Postgres
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The secret that the application logs in with
    #[arg(long, value_name = "SECRET")]
    pub secret: Option<String>,
    /// What the application is called in runbooks
    #[arg(long, value_name = "NAME", default_value = "app")]
    pub application: String,
}

/// `rbk completions`
#[derive(Debug, Args)]
#[command(
    after_help = "bash: rbk completions bash > ~/.local/share/bash-completion/completions/rbk\n\
zsh:  rbk completions zsh > a file `_rbk` in a folder of $fpath\n\
fish: rbk completions fish > ~/.config/fish/completions/rbk.fish"
)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `rbk man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder that gets `rbk.1`, `rbk-plan.1` and so on; without it, `rbk.1` goes to stdout
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// How an explanation is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExplainFormat {
    /// For reading
    #[default]
    Human,
    /// The page as it stands in `docs/diagnostics`
    Markdown,
    /// One JSON document on stdout
    Json,
}

/// `rbk explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// What rbk said, for instance `RBK2004` or `2004` [default: a list of all]
    #[arg(value_name = "CODE")]
    pub codes: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: ExplainFormat,
}

/// `NAME=VALUE`.
/// A length of time as a runbook writes it; none at all would extend nothing.
fn duration(text: &str) -> Result<Duration, String> {
    match rbk_syntax::parse_expression(SourceId(0), text).map(|expr| expr.kind) {
        Ok(ExprKind::Duration(seconds)) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("write it as in a runbook, for instance `90s`, `30m` or `1h30m`".to_owned()),
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write it as NAME=VALUE, for instance `--set max_loss=12h`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_assignment_may_hold_further_equals_signs() {
        assert_eq!(
            assignment("where=a=b"),
            Ok(("where".to_owned(), "a=b".to_owned()))
        );
        assert!(assignment("=b").is_err());
        assert!(assignment("b").is_err());
    }
}
