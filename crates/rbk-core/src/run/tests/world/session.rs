//! Logins, and what is done in databases.

use super::super::database::Db;
use super::{Fake, Inner, error};
use crate::catalog::Catalog;
use crate::environment::{Checks, TableName};
use crate::ids::{InstanceId, RoleName};
use crate::plan::{CopiedTable, ForeignKeyFacts, Freeze, IndexFacts, SequenceFacts, TablePair};
use crate::ports::{
    ChangeRequest, ChangeSets, CheckFinding, CopyFacts, FreezeState, Login, LongTransaction,
    Marker, MigrationLock, Orphans, PortError, PortErrorKind, Postgres, Progress, Sent,
    SequenceState, Session, SessionFacts, TableFinding,
};
use crate::value::{Type, Value};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

struct FakeSession {
    world: Fake,
    instance: InstanceId,
    role: String,
}

#[async_trait]
impl Postgres for Fake {
    async fn connect(&self, to: &Login) -> Result<Box<dyn Session>, PortError> {
        self.call("connect", |inner| {
            let server = inner.servers.values().find(|server| {
                let endpoint = server.instance.endpoint.as_ref();
                endpoint.is_some_and(|it| it.host == to.host && it.port == to.port)
            });
            let Some(server) = server.filter(|server| server.is_reachable) else {
                return Err(error(PortErrorKind::Unreachable, "logging in"));
            };
            let password = to.password.expose_secret();
            let may = if to.username == server.instance.master_username {
                password == server.master_password
            } else {
                server
                    .roles
                    .get(&to.username)
                    .is_some_and(|(right, may_log_in)| password == right && *may_log_in)
            };
            if !may {
                return Err(error(PortErrorKind::LoginRefused, "logging in"));
            }
            Ok(Box::new(FakeSession {
                world: self.clone(),
                instance: server.instance.id.clone(),
                role: to.username.clone(),
            }) as Box<dyn Session>)
        })
    }

    async fn compare(
        &self,
        left: &Login,
        right: &Login,
        tables: &[TablePair],
        progress: &dyn Progress,
    ) -> Result<Vec<TableFinding>, PortError> {
        let found = self.call("compare", |inner| {
            let left = inner.database_of(left).instance.id.clone();
            let right = inner.database_of(right).instance.id.clone();
            let (left, right) = (&inner.servers[&left].db, &inner.servers[&right].db);
            let pairs = tables.iter().map(|pair| {
                let [left, right] = left.pair(right, pair);
                TableFinding {
                    pair: pair.clone(),
                    left,
                    right,
                }
            });
            Ok(pairs.collect())
        })?;
        for (done, pair) in (1_u64..).zip(tables) {
            progress.tell(&format!("{}", pair.left), done, tables.len() as u64);
        }
        Ok(found)
    }

    async fn copy(
        &self,
        from: &Login,
        to: &Login,
        tables: &[CopiedTable],
        marker: &Marker,
        progress: &dyn Progress,
    ) -> Result<CopyFacts, PortError> {
        progress.tell("copying", 0, tables.len() as u64);
        if self.lock().copy_hangs {
            std::future::pending::<()>().await;
        }
        self.call("copy", |inner| {
            let cut = inner.copy_is_cut.take();
            let mut facts = CopyFacts::default();
            for (index, table) in tables.iter().enumerate() {
                if cut == Some(index) {
                    let mut cut = error(PortErrorKind::Unreachable, "copying");
                    cut.sent = Sent::Maybe;
                    return Err(cut);
                }
                let source = &inner.database_of(from).db;
                let rows = source.rows.get(&table.table).cloned().unwrap_or_default();
                let target = inner.database_of(to);
                let count = rows.len() as u64;
                let line = format!("copy {} to {}", table.table, target.instance.id);
                facts.tables += 1;
                if target.db.take_over(table, rows, marker) {
                    facts.rows += count;
                    facts.bytes += count * 100;
                    inner.ledger.push(line);
                }
            }
            Ok(facts)
        })
    }
}

#[async_trait]
impl Session for FakeSession {
    async fn long_transactions(&self, _: Duration) -> Result<Vec<LongTransaction>, PortError> {
        self.ask("long_transactions", |db| Ok(db.long.clone()))
    }

    async fn whoami(&self) -> Result<SessionFacts, PortError> {
        self.world.call("whoami", |_| {
            Ok(SessionFacts {
                server_version: "16.4".to_owned(),
                role: self.role.clone(),
                in_recovery: false,
            })
        })
    }

    async fn count(&self, table: &TableName) -> Result<u64, PortError> {
        self.world.call("count", |inner| {
            let server = &inner.servers[&self.instance];
            let rows = server.db.rows.get(table);
            Ok(rows.map_or(server.rows, |rows| rows.len() as u64))
        })
    }

    async fn query(&self, sql: &str, _ty: Type) -> Result<Value, PortError> {
        self.world.call("query", |inner| {
            Ok(if sql.contains("awsdms_") {
                Value::Text(inner.dms.control_error.to_owned())
            } else {
                Value::Integer(1)
            })
        })
    }

    async fn checks(&self, checks: &Checks) -> Result<Vec<CheckFinding>, PortError> {
        self.world.call("checks", |inner| {
            let rows = inner.servers[&self.instance].rows;
            let tables = checks.not_empty.iter();
            Ok(tables
                .map(|table| CheckFinding {
                    check: format!("{table} is not empty"),
                    holds: rows > 0,
                    seen: format!("{rows} rows"),
                })
                .collect())
        })
    }

    async fn sessions(&self, _role: Option<&RoleName>) -> Result<u64, PortError> {
        self.world.call("sessions", |inner| {
            Ok(inner.servers[&self.instance].sessions)
        })
    }

    async fn set_role_password(
        &self,
        role: &RoleName,
        password: &SecretString,
    ) -> Result<(), PortError> {
        self.world.call("set_role_password", |inner| {
            let id = &self.instance;
            let server = inner.servers.get_mut(id).unwrap();
            let entry = (password.expose_secret().to_owned(), true);
            server.roles.insert(role.to_string(), entry);
            inner.ledger.push(format!("password of {role} on {id}"));
            Ok(())
        })
    }

    async fn freeze_state(&self, freeze: &Freeze) -> Result<FreezeState, PortError> {
        let Freeze::NoLogin { roles } = freeze else {
            panic!("this world freezes roles");
        };
        self.world.call("freeze_state", |inner| {
            let server = &inner.servers[&self.instance];
            let frozen = roles.iter().filter(|role| !server.roles[role.as_str()].1);
            Ok(match frozen.count() {
                0 => FreezeState::Open,
                all if all == roles.len() && server.sessions == 0 => FreezeState::Frozen,
                _ => FreezeState::Partly,
            })
        })
    }

    async fn freeze(&self, freeze: &Freeze) -> Result<(), PortError> {
        self.world
            .call("freeze", |inner| self.set_login(inner, freeze, false))
    }

    async fn thaw(&self, freeze: &Freeze) -> Result<(), PortError> {
        self.world
            .call("thaw", |inner| self.set_login(inner, freeze, true))
    }

    async fn catalog(&self) -> Result<Catalog, PortError> {
        self.ask("catalog", |db| Ok(db.catalog.clone()))
    }

    async fn dependents(&self, _schemas: &[String]) -> Result<Vec<String>, PortError> {
        self.ask("dependents", |db| Ok(db.dependents.clone()))
    }

    async fn has_marker(&self, marker: &Marker) -> Result<bool, PortError> {
        self.ask("has_marker", |db| db.has_marker(marker))
    }

    async fn change(&self, request: &ChangeRequest<'_>, marker: &Marker) -> Result<(), PortError> {
        self.world.call("change", |inner| {
            let (now, id) = (inner.now, &self.instance);
            let late = inner.commits_late.take();
            let db = &mut inner.servers.get_mut(id).unwrap().db;
            if let Some(late) = late {
                return Err(db.change_late(now + late, request.change, marker));
            }
            let what = db.change(now, request.change, marker)?;
            if !what.is_empty() {
                inner.ledger.push(format!("{what} {id}"));
            }
            Ok(())
        })
    }

    async fn indexes(&self, indexes: &[IndexFacts]) -> Result<Vec<Option<String>>, PortError> {
        self.ask("indexes", |db| Ok(db.indexes(indexes)))
    }

    async fn orphans(&self, key: &ForeignKeyFacts, within: Duration) -> Result<Orphans, PortError> {
        self.world.lock().proof_may_take.push(within);
        self.ask("orphans", |db| Ok(db.orphans(key)))
    }

    async fn sequences(
        &self,
        sequences: &[SequenceFacts],
    ) -> Result<Vec<SequenceState>, PortError> {
        self.ask("sequences", |db| Ok(db.sequence_states(sequences)))
    }

    async fn set_sequences(&self, next: &[(SequenceFacts, i64)]) -> Result<(), PortError> {
        self.world.call("set_sequences", |inner| {
            let server = inner.servers.get_mut(&self.instance).unwrap();
            server.db.set_sequences(next);
            inner.ledger.push(format!("sequences {}", self.instance));
            Ok(())
        })
    }

    async fn size(&self, _table: Option<&TableName>) -> Result<u64, PortError> {
        self.ask("size", |_| Ok(3 << 30))
    }

    async fn migration_lock(&self, _schema: &str) -> Result<Option<MigrationLock>, PortError> {
        self.ask("migration_lock", |db| Ok(db.migration_lock.clone()))
    }

    async fn release_migration_lock(
        &self,
        _schema: &str,
        lock: &MigrationLock,
    ) -> Result<(), PortError> {
        self.ask("release_migration_lock", |db| {
            match db.migration_lock.take_if(|held| held == lock) {
                Some(_) => Ok(()),
                None => Err(error(PortErrorKind::Conflict, "releasing")),
            }
        })
    }

    async fn end_sessions(&self, _application_name: &str) -> Result<(), PortError> {
        self.ask("end_sessions", |_| Ok(()))
    }

    async fn change_sets(&self, _schema: &str) -> Result<ChangeSets, PortError> {
        self.ask("change_sets", |db| Ok(db.applied()))
    }
}

impl FakeSession {
    fn ask<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Db) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        self.world.call(operation, |inner| {
            work(&mut inner.servers.get_mut(&self.instance).unwrap().db)
        })
    }

    fn set_login(&self, inner: &mut Inner, freeze: &Freeze, may: bool) -> Result<(), PortError> {
        let Freeze::NoLogin { roles } = freeze else {
            panic!("this world freezes roles");
        };
        let server = inner.servers.get_mut(&self.instance).unwrap();
        for role in roles {
            server.roles.get_mut(role.as_str()).unwrap().1 = may;
        }
        if !may {
            server.sessions = 0;
        }
        let what = if may { "thaw" } else { "freeze" };
        inner.ledger.push(format!("{what} {}", self.instance));
        Ok(())
    }
}
