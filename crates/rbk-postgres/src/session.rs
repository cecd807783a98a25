//! A session of rbk's own on a database: the port's methods, each with a deadline and with words for what it does.

use crate::connect::Limits;
use crate::error::{Doing, Effect, Failure, explain};
use crate::freeze::FreezeTimes;
use crate::others::{self, Other, long_transactions, others};
use crate::{
    catalog, change, checks, foreign_keys, freeze, liquibase_tables, marker, query, sequences,
};
use async_trait::async_trait;
use postgres_protocol::escape::{escape_identifier, escape_literal};
use postgres_protocol::password::scram_sha_256;
use rbk_core::catalog::Catalog;
use rbk_core::environment::{Checks, TableName};
use rbk_core::ids::RoleName;
use rbk_core::plan::{ForeignKeyFacts, Freeze, IndexFacts, SequenceFacts};
use rbk_core::ports::{
    ChangeRequest, ChangeSets, CheckFinding, FreezeState, Login, LongTransaction, Marker,
    MigrationLock, Orphans, PortError, PortErrorKind, Sent, SequenceState, Session, SessionFacts,
};
use rbk_core::value::{Type, Value};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Display;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_postgres::{Client, IsolationLevel, Transaction};

/// How much longer than the server's own deadline an answer is waited for.
pub(crate) const GRACE: Duration = Duration::from_secs(15);

/// What ended a connection, once it has.
pub(crate) type Ended = Arc<OnceLock<tokio_postgres::Error>>;

/// A session on one database, whose calls take turns.
pub(crate) struct PgSession {
    client: tokio::sync::Mutex<Client>,
    /// ``in `statistagpt` on `host:5432` ``.
    place: String,
    /// Tells this database from others, for what is remembered about it.
    key: String,
    ended: Ended,
    limits: Limits,
    freezes: Arc<FreezeTimes>,
}

impl PgSession {
    pub fn new(
        client: Client,
        to: &Login,
        ended: Ended,
        limits: Limits,
        freezes: Arc<FreezeTimes>,
    ) -> Self {
        Self {
            client: tokio::sync::Mutex::new(client),
            place: format!("in `{}` on `{}:{}`", to.database, to.host, to.port),
            key: format!("{}:{}/{}", to.host, to.port, to.database),
            ended,
            limits,
            freezes,
        }
    }

    fn reading(&self, what: impl Display) -> Doing {
        Doing {
            what: format!("{what} {}", self.place),
            effect: Effect::Reads,
        }
    }

    fn changing(&self, what: impl Display) -> Doing {
        Doing {
            what: format!("{what} {}", self.place),
            effect: Effect::Changes,
        }
    }

    /// Waits for statements that together may take `limit`, and says what was being done where they fail.
    async fn finish<T>(
        &self,
        doing: Doing,
        limit: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, PortError> {
        match tokio::time::timeout(limit + GRACE, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(self.explain(failure, &doing)),
            Err(_) => Err(PortError {
                sent: match doing.effect {
                    Effect::Reads => Sent::No,
                    Effect::Changes => Sent::Maybe,
                },
                ..PortError::new(
                    PortErrorKind::Unreachable,
                    &doing.what,
                    "no answer came in time",
                )
            }),
        }
    }

    fn explain(&self, failure: Failure, doing: &Doing) -> PortError {
        explain_with(failure, &self.ended, doing)
    }
}

/// Where the session has ended, the reason is what ended it.
pub(crate) fn explain_with(failure: Failure, ended: &Ended, doing: &Doing) -> PortError {
    let closed = matches!(&failure, Failure::Postgres(error) if error.is_closed());
    match ended.get() {
        Some(reason) if closed => explain(reason, doing),
        _ => failure.while_doing(doing),
    }
}

#[async_trait]
impl Session for PgSession {
    async fn long_transactions(
        &self,
        longer_than: Duration,
    ) -> Result<Vec<LongTransaction>, PortError> {
        let work = async {
            let client = self.client.lock().await;
            long_transactions(&client, longer_than).await
        };
        let doing = self.reading("looking for long transactions");
        self.finish(doing, self.limits.statement, work).await
    }

    async fn whoami(&self) -> Result<SessionFacts, PortError> {
        let work = async {
            let client = self.client.lock().await;
            let row = client
                .query_one(
                    "SELECT current_setting('server_version'), current_user::text, pg_is_in_recovery()",
                    &[],
                )
                .await?;
            let version: String = row.try_get(0)?;
            Ok(SessionFacts {
                // Distributions put their own version behind it.
                server_version: version.split_whitespace().next().unwrap_or("").to_owned(),
                role: row.try_get(1)?,
                in_recovery: row.try_get(2)?,
            })
        };
        self.finish(
            self.reading("asking who we are"),
            self.limits.statement,
            work,
        )
        .await
    }

    async fn count(&self, table: &TableName) -> Result<u64, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            let transaction = read_only(&mut client).await?;
            let sql = format!("SELECT count(*) FROM {}", quoted(table));
            let rows: i64 = transaction.query_one(&sql, &[]).await?.try_get(0)?;
            Ok(rows.unsigned_abs())
        };
        let doing = self.reading(format_args!("counting `{table}`"));
        self.finish(doing, self.limits.statement, work).await
    }

    async fn query(&self, sql: &str, ty: Type) -> Result<Value, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            query::one_value(&mut client, sql, ty).await
        };
        self.finish(self.reading("querying"), self.limits.statement, work)
            .await
    }

    async fn checks(&self, checks: &Checks) -> Result<Vec<CheckFinding>, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            checks::evaluate(&mut client, checks).await
        };
        let statements = u32::try_from(checks.not_empty.len() + 1).unwrap_or(u32::MAX);
        let limit = self.limits.statement.saturating_mul(statements);
        self.finish(self.reading("checking the data"), limit, work)
            .await
    }

    async fn sessions(&self, role: Option<&RoleName>) -> Result<u64, PortError> {
        let (doing, which) = match role {
            Some(role) => (
                self.reading(format_args!("counting sessions of `{role}`")),
                Other::Of(std::slice::from_ref(role)),
            ),
            None => (self.reading("counting sessions"), Other::Any),
        };
        let work = async {
            let client = self.client.lock().await;
            Ok(others(&client, &which).await?.len() as u64)
        };
        self.finish(doing, self.limits.statement, work).await
    }

    async fn set_role_password(
        &self,
        role: &RoleName,
        password: &SecretString,
    ) -> Result<(), PortError> {
        let doing = self.changing(format_args!("setting the password of `{role}`"));
        if password.expose_secret().is_empty() {
            let refusal = Failure::invalid("an empty password can't be logged in with");
            return Err(refusal.while_doing(&doing));
        }
        let sql = format!(
            "ALTER ROLE {} LOGIN PASSWORD {}",
            escape_identifier(role.as_str()),
            escape_literal(&scram_sha_256(password.expose_secret().as_bytes())),
        );
        let work = async {
            let client = self.client.lock().await;
            client
                .batch_execute(&sql)
                .await
                .map_err(|error| freeze::of_role(error, role))
        };
        self.finish(doing, self.limits.statement, work).await
    }

    async fn freeze_state(&self, freeze: &Freeze) -> Result<FreezeState, PortError> {
        let work = async {
            let client = self.client.lock().await;
            freeze::state(&client, freeze, self.freezes.of(&self.key)).await
        };
        let doing = self.reading("looking whether writes are frozen");
        self.finish(doing, self.limits.statement, work).await
    }

    async fn freeze(&self, freeze: &Freeze) -> Result<(), PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            freeze::freeze(&mut client, freeze, &self.limits, |instant| {
                self.freezes.remember(&self.key, instant);
            })
            .await
        };
        // The freeze has its own bound, and words for who is still writing.
        let limit = self.limits.freeze.saturating_mul(2);
        self.finish(self.changing("freezing writes"), limit, work)
            .await
    }

    async fn thaw(&self, freeze: &Freeze) -> Result<(), PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            freeze::thaw(&mut client, freeze).await?;
            self.freezes.forget(&self.key);
            Ok(())
        };
        self.finish(self.changing("thawing writes"), self.limits.statement, work)
            .await
    }

    async fn catalog(&self) -> Result<Catalog, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            catalog::read(&mut client).await
        };
        let doing = self.reading("reading the catalog");
        self.finish(doing, self.limits.statement, work).await
    }

    async fn dependents(&self, schemas: &[String]) -> Result<Vec<String>, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            catalog::dependents(&mut client, schemas).await
        };
        let doing = self.reading("looking what depends on schemas");
        self.finish(doing, self.limits.statement, work).await
    }

    async fn indexes(&self, indexes: &[IndexFacts]) -> Result<Vec<Option<String>>, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            catalog::indexes(&mut client, indexes).await
        };
        let doing = self.reading("looking at indexes");
        self.finish(doing, self.limits.statement, work).await
    }

    async fn orphans(&self, key: &ForeignKeyFacts, within: Duration) -> Result<Orphans, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            foreign_keys::orphans(&mut client, key, within).await
        };
        let doing = self.reading(format_args!(
            "looking for rows of `{}` that break `{}`",
            key.table, key.name
        ));
        // It is looked twice where there are some.
        self.finish(doing, within.saturating_mul(2), work).await
    }

    async fn sequences(
        &self,
        sequences: &[SequenceFacts],
    ) -> Result<Vec<SequenceState>, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            sequences::states(&mut client, sequences).await
        };
        let doing = self.reading("looking how sequences stand");
        self.finish(doing, self.limits.statement, work).await
    }

    async fn set_sequences(&self, next: &[(SequenceFacts, i64)]) -> Result<(), PortError> {
        let work = async {
            let client = self.client.lock().await;
            sequences::set(&client, next).await
        };
        let doing = self.changing(format_args!("setting {} sequences", next.len()));
        self.finish(doing, self.limits.statement, work).await
    }

    async fn size(&self, table: Option<&TableName>) -> Result<u64, PortError> {
        let doing = self.reading(match table {
            Some(table) => format!("measuring `{table}`"),
            None => "measuring the database".to_owned(),
        });
        let work = async {
            let mut client = self.client.lock().await;
            catalog::size(&mut client, table).await?.ok_or_else(|| {
                Failure::Refused(PortErrorKind::NotFound, "there is no such table".to_owned())
            })
        };
        self.finish(doing, self.limits.statement, work).await
    }

    async fn has_marker(&self, marker: &Marker) -> Result<bool, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            marker::is_there(&mut client, marker).await
        };
        let doing = self.reading(format_args!(
            "looking for the marker of `{}`",
            marker.action
        ));
        self.finish(doing, self.limits.statement, work).await
    }

    async fn change(&self, request: &ChangeRequest<'_>, marker: &Marker) -> Result<(), PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            change::change(&mut client, request, marker).await
        };
        let doing = self.changing(request.change.doing());
        let limit = request.deadline + change::EXPLANATION;
        self.finish(doing, limit, work).await
    }

    async fn migration_lock(&self, schema: &str) -> Result<Option<MigrationLock>, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            liquibase_tables::lock(&mut client, schema).await
        };
        let doing = self.reading("looking at Liquibase's lock");
        self.finish(doing, self.limits.statement, work).await
    }

    async fn release_migration_lock(
        &self,
        schema: &str,
        lock: &MigrationLock,
    ) -> Result<(), PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            liquibase_tables::release(&mut client, schema, lock).await
        };
        let doing = self.changing("releasing Liquibase's lock");
        self.finish(doing, self.limits.statement, work).await
    }

    async fn end_sessions(&self, application_name: &str) -> Result<(), PortError> {
        let work = async {
            let client = self.client.lock().await;
            others::end_named(&client, application_name).await
        };
        let doing = self.changing(format_args!("ending the sessions of `{application_name}`"));
        self.finish(doing, self.limits.statement, work).await
    }

    async fn change_sets(&self, schema: &str) -> Result<ChangeSets, PortError> {
        let work = async {
            let mut client = self.client.lock().await;
            liquibase_tables::change_sets(&mut client, schema).await
        };
        let doing = self.reading("reading which change sets were applied");
        self.finish(doing, self.limits.statement, work).await
    }
}

/// A transaction in which nothing can be written.
pub(crate) async fn read_only(
    client: &mut Client,
) -> Result<Transaction<'_>, tokio_postgres::Error> {
    client.build_transaction().read_only(true).start().await
}

/// A transaction that sees one instant, and in which nothing can be written.
pub(crate) async fn instant(client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
    client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
}

/// A table's name as SQL wants it.
pub(crate) fn quoted(table: &TableName) -> String {
    format!(
        "{}.{}",
        escape_identifier(&table.schema),
        escape_identifier(&table.table)
    )
}
