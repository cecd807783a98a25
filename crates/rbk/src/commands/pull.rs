//! `rbk env pull`: reads the catalogs of an environment's databases into its lock file.

use crate::adapters::person::Approver;
use crate::cli::EnvironmentPullArgs;
use crate::exit::{Exit, Failure};
use crate::load::{EnvironmentFile, Near, load_environment};
use crate::lock::LockFile;
use crate::overlay;
use crate::render::colour::{Screen, printable};
use crate::render::diagnostics;
use crate::runbooks;
use crate::wiring;
use rbk_core::catalog::{Catalog, Difference, differences};
use rbk_core::environment::{Environment, Lock, LockError, LockSource};
use rbk_core::ids::DatabaseName;
use rbk_core::ports::{PortErrorKind, World};
use rbk_core::run::{self, Unread};
use rbk_core::shell::shell_word;
use std::sync::Arc;

/// The most differences of a database that are shown.
const SHOWN: usize = 20;

/// Reads databases, tells what changed since the lock file was written, and writes it again.
pub async fn pull(screen: Screen, args: EnvironmentPullArgs) -> Result<Exit, Failure> {
    let loaded = load_environment(screen, Near::Here, args.environment.env.as_deref())?;
    diagnostics::tell(screen, &[loaded.finding()]);
    let Some(environment) = &loaded.environment else {
        return Ok(Exit::Wrong);
    };
    let wanted = wanted(environment, &args.databases)?;
    let Some(before) = before(screen, &loaded, environment, args.check)? else {
        return Ok(Exit::Wrong);
    };
    let path = Lock::path(&loaded.file);
    let (world, environment) = world(screen, environment).await?;
    let mut after = before.clone();
    forget_what_is_gone(screen, &mut after, &environment);
    let (mut read, mut changed) = (0_usize, 0_usize);
    for database in wanted {
        let mut catalog = match run::read_catalog(&world, &environment, database).await {
            Ok(catalog) => catalog,
            Err(Unread::Nothing(why)) if args.databases.is_empty() => {
                screen.say(format_args!(
                    "{database}: {why}; the lock file keeps what it says of it"
                ));
                continue;
            }
            Err(Unread::Nothing(why)) => {
                return Err(Failure::outside(format!("reading `{database}`: {why}"))
                    .help("pull another database, or this one when it is there"));
            }
            Err(Unread::Failed(failure)) => return Err(unread(database, &failure)),
        };
        let own = environment.migrations.iter();
        catalog.remove_tables(&own.flat_map(|own| own.own_tables()).collect::<Vec<_>>());
        read += 1;
        changed += tell(screen, database, before.databases.get(database), &catalog);
        after.insert(database.clone(), catalog);
    }
    if read == 0 {
        return Err(Failure::outside(format!(
            "no database of {} could be read: none of them exists",
            environment.name
        ))
        .help("name the one that a recovery made: `rbk env pull DATABASE`"));
    }
    let gone = before.databases.len() > after.databases.len();
    if args.check {
        return Ok(if changed == 0 && !gone && path.exists() {
            let tick = screen.err.green("✓");
            screen.say(format_args!("{tick} {} says what is there", path.display()));
            Exit::Done
        } else {
            screen.say(format_args!(
                "{} doesn't say what is there: `rbk env pull{}` writes it again",
                path.display(),
                args.environment
                    .env
                    .as_ref()
                    .map_or_else(String::new, |env| format!(" --env {}", shell_word(env)))
            ));
            Exit::Wrong
        });
    }
    let text = after.write(&environment.name);
    let old = loaded.lock.as_ref().and_then(LockFile::text);
    let tick = screen.err.green("✓");
    if old == Some(text.as_str()) {
        screen.say(format_args!("{tick} {} stays as it is", path.display()));
        return Ok(Exit::Done);
    }
    runbooks::replace(&path, &text)
        .map_err(|error| Failure::outside(format!("writing {}: {error}", path.display())))?;
    let about = match (old, changed) {
        (Some(_), 0) => ": only figures changed",
        _ => "",
    };
    screen.say(format_args!(
        "{tick} {} is written{about}; commit it",
        path.display()
    ));
    Ok(Exit::Done)
}

/// The databases to read: those that were named, or all that aren't like another one.
fn wanted<'e>(
    environment: &'e Environment,
    named: &[String],
) -> Result<Vec<&'e DatabaseName>, Failure> {
    if named.is_empty() {
        return Ok(environment
            .databases
            .iter()
            .filter(|(_, database)| database.like.is_none())
            .map(|(name, _)| name)
            .collect());
    }
    let known = |name: &String| {
        environment
            .databases
            .keys()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| {
                let names = environment.databases.keys().map(DatabaseName::as_str);
                let help = match rbk_syntax::nearest(name, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
                };
                Failure::usage(format!(
                    "environment {} has no database `{name}`",
                    environment.name
                ))
                .help(help)
            })
    };
    named.iter().map(known).collect()
}

/// What the lock file says until now; `None` where it is wrong, which is told.
fn before(
    screen: Screen,
    loaded: &EnvironmentFile,
    environment: &Environment,
    check: bool,
) -> Result<Option<Lock>, Failure> {
    let Some(file) = &loaded.lock else {
        return Ok(Some(Lock::default()));
    };
    if let Some(lock) = file.lock() {
        return Ok(Some(lock.clone()));
    }
    let mut sources = loaded.sources.clone();
    let diagnostic = file.diagnostic(&environment.name, &mut sources)?;
    let diagnostics: Vec<_> = diagnostic.into_iter().collect();
    diagnostics::tell(
        screen,
        &[diagnostics::Finding {
            sources: &sources,
            diagnostics: &diagnostics,
        }],
    );
    if check || matches!(file.error(), Some(LockError::Newer { .. })) {
        return Ok(None);
    }
    screen.warn("it is written anew, and holds only what is read now");
    Ok(Some(Lock::default()))
}

/// The ports, aimed at the sandbox where the variables say so.
pub(super) async fn world(
    screen: Screen,
    environment: &Environment,
) -> Result<(World, Environment), Failure> {
    let mut environment = environment.clone();
    if let Some(overlay) = overlay::from_variables(screen)? {
        overlay.apply(&mut environment);
        screen.say(
            screen
                .err
                .yellow("from a sandbox (RBK_SANDBOX), not from the account itself"),
        );
    }
    wiring::warn_of_ambient_addresses(screen, &environment);
    let nobody = Approver::new(screen, Vec::new(), false, environment.name.clone());
    let aws = wiring::aws_of(&environment);
    let world = wiring::world(&environment, aws, Arc::new(nobody)).await?;
    run::prove_identity(&world, &environment)
        .await
        .map_err(|failure| {
            let help = help(&failure).unwrap_or_else(|| failure.help());
            Failure::outside(failure.to_string()).help(help)
        })?;
    Ok((world, environment))
}

/// Leaves out what the lock file says of databases that the environment doesn't have any more.
fn forget_what_is_gone(screen: Screen, lock: &mut Lock, environment: &Environment) {
    lock.databases.retain(|name, _| {
        let kept = environment.databases.contains_key(name);
        if !kept {
            screen.say(format_args!(
                "{name}: not in {} any more, and so taken out of the lock file",
                environment.name
            ));
        }
        kept
    });
}

/// Tells what a database holds and what changed; returns how many things did.
fn tell(screen: Screen, database: &DatabaseName, before: Option<&Catalog>, now: &Catalog) -> usize {
    let (mut tables, mut indexes) = (0_usize, 0_usize);
    let mut invalid = Vec::new();
    for (schema, content) in &now.schemas {
        tables += content.tables.len();
        for table in content.tables.values() {
            indexes += table.indexes.len();
            let bad = table.indexes.iter().filter(|(_, index)| index.invalid);
            invalid.extend(bad.map(|(name, _)| format!("{schema}.{name}")));
        }
    }
    let changes = before.map(|before| differences(before, now, &[]));
    let about = match &changes {
        None => "not in the lock file until now".to_owned(),
        Some(changes) => match changes.len() {
            0 => "as the lock file says".to_owned(),
            1 => "1 difference from the lock file".to_owned(),
            number => format!("{number} differences from the lock file"),
        },
    };
    screen.say(format_args!(
        "{database}: PostgreSQL {}, {tables} table{}, {indexes} index{}, {}; {about}",
        printable(&now.server_version),
        if tables == 1 { "" } else { "s" },
        if indexes == 1 { "" } else { "es" },
        in_all(now.bytes),
    ));
    let listed = changes.as_deref().unwrap_or_default();
    for Difference {
        object,
        expected,
        found,
    } in listed.iter().take(SHOWN)
    {
        let object = printable(object);
        screen.say(match (expected, found) {
            (Some(before), Some(now)) => {
                format!("  ~ {object}: {} -> {}", printable(before), printable(now))
            }
            (None, _) => format!("  + {object}"),
            (_, None) => format!("  - {object}"),
        });
    }
    if listed.len() > SHOWN {
        screen.say(format_args!("  and {} more", listed.len() - SHOWN));
    }
    for index in invalid {
        screen.warn(format_args!(
            "index {} is invalid, left so by a cancelled build: build it again, then pull once more",
            printable(&index)
        ));
    }
    changes.map_or(1, |changes| changes.len())
}

fn unread(database: &DatabaseName, failure: &run::Failure) -> Failure {
    let told = Failure::outside(format!("reading `{database}`: {failure}"));
    match help(failure) {
        Some(help) => told.help(help),
        None => told,
    }
}

/// What to do now, where that isn't what a run's failure says.
fn help(failure: &run::Failure) -> Option<String> {
    let run::Failure::Port(error) = failure else {
        return match failure {
            run::Failure::SecretMissing { secret } => Some(format!(
                "create `{secret}`, or correct its name in the environment"
            )),
            run::Failure::SecretUnusable { secret, .. } => Some(format!(
                "mend `{secret}`: a JSON object with `username` and `password`"
            )),
            run::Failure::WrongAccount { .. } | run::Failure::WrongRegion { .. } => {
                Some(failure.help())
            }
            _ => None,
        };
    };
    let help = match error.kind {
        PortErrorKind::AccessDenied => "get the permission, then repeat the command",
        PortErrorKind::Credentials => {
            "sign in again, for instance with `aws sso login`, and repeat the command"
        }
        PortErrorKind::Unreachable => {
            "look at `[access]` of the environment and at the network, then repeat the command"
        }
        PortErrorKind::Tls => "look at `access.ca` and the host's certificate",
        PortErrorKind::LoginRefused => "look at the secret that rbk administrates with",
        PortErrorKind::Throttled => "wait a little, then repeat the command",
        _ => return None,
    };
    Some(help.to_owned())
}

/// Bytes, about.
fn in_all(bytes: u64) -> String {
    let mut amount = bytes;
    for unit in ["B", "kB", "MB", "GB"] {
        if amount < 10_000 {
            return format!("{amount} {unit}");
        }
        amount = amount.div_ceil(1_000);
    }
    format!("{amount} TB")
}
