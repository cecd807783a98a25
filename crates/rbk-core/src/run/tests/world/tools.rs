//! The migration tool, and commands.

use super::{Fake, error};
use crate::ports::{
    CommandFacts, CommandRequest, Commands, MigrateRequest, MigrationError, MigrationLock,
    MigrationRunner, PortError, PortErrorKind, Sent,
};
use async_trait::async_trait;
use secrecy::ExposeSecret;

#[async_trait]
impl MigrationRunner for Fake {
    async fn migrate(&self, request: &MigrateRequest<'_>) -> Result<(), MigrationError> {
        let mut failed = None;
        let done = self.call("migrate", |inner| {
            let lock = inner.lock.clone();
            let (broken, killed) = (inner.broken_change_set, inner.tool_is_killed);
            inner.tool_is_killed = false;
            for (id, table) in inner.changelog.clone() {
                let server = inner.database_of(request.login);
                if server.db.migration_lock.is_some() {
                    return Err(error(PortErrorKind::InvalidState, "migrating"));
                }
                if server.db.change_sets.iter().any(|applied| applied == id) {
                    continue;
                }
                if broken == Some(id) {
                    failed = Some(id);
                    return Ok(());
                }
                server.db.apply_change_set(id, table, &lock);
                let line = format!("{id} on {}", server.instance.id);
                if killed {
                    server.db.migration_lock = Some(MigrationLock {
                        by: format!("host#rbk-{} (10.0.0.1)", request.run),
                        since: Some("2026-11-22 09:16:00".to_owned()),
                    });
                }
                inner.ledger.push(line);
                if killed {
                    let mut lost = error(PortErrorKind::Unreachable, "migrating");
                    lost.sent = Sent::Maybe;
                    return Err(lost);
                }
            }
            Ok(())
        });
        done.map_err(MigrationError::Tool)?;
        match failed {
            None => Ok(()),
            Some(id) => Err(MigrationError::ChangeSet {
                change_set: id.to_owned(),
                reason: "relation \"documents\" already exists".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl Commands for Fake {
    async fn run(&self, request: &CommandRequest<'_>) -> Result<CommandFacts, PortError> {
        self.call("run", |inner| {
            let secrets = request.secrets.iter();
            let secrets = secrets
                .map(|(name, value)| format!("{name}={}", value.expose_secret()))
                .collect();
            inner.commands.push((request.program.to_vec(), secrets));
            if let Some(error) = inner.command_fails.clone() {
                return Err(error);
            }
            if let Some(said) = inner.says.get(request.name) {
                return Ok(CommandFacts {
                    last_line: said.clone(),
                });
            }
            inner.ledger.push(format!("command {}", request.name));
            if let [program, value] = request.program
                && program == "deploy"
            {
                inner.says.insert("read".to_owned(), value.clone());
            }
            Ok(CommandFacts {
                last_line: "warmed 3 tables".to_owned(),
            })
        })
    }
}
