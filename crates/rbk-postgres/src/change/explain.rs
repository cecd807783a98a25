//! Why a change failed, said so that it can be mended: who holds the lock, which row, which view. Nothing was applied.

use super::obstacles::{null_rows, obstacles, owner, relation};
use super::{EXPLANATION, rows};
use crate::error::{Doing, Effect, Failure, words};
use crate::holders::{Locks, of_tables, outline};
use rbk_core::catalog::ColumnName;
use rbk_core::environment::TableName;
use rbk_core::plan::{Change, ColumnChange};
use rbk_core::ports::{ChangeRequest, PortErrorKind};
use rbk_core::value::duration_text;
use std::time::Duration;
use tokio_postgres::Client;

/// How many characters of a value's text the server's words may keep.
const SHOWN: usize = 16;

/// Looks up what stands behind a failure. Where the server didn't say it, or can't be asked any more, it stays as it is.
pub(super) async fn explain(
    client: &mut Client,
    request: &ChangeRequest<'_>,
    failure: Failure,
    at: Option<usize>,
) -> Failure {
    let (code, said) = match &failure {
        Failure::Postgres(error) if !client.is_closed() => match error.as_db_error() {
            Some(db) => (db.code().code().to_owned(), words(db)),
            None => return failure,
        },
        _ => return failure,
    };
    let kind = failure
        .while_doing(&Doing {
            what: String::new(),
            effect: Effect::Reads,
        })
        .kind;
    let statement = at.and_then(|at| request.statements.get(at));
    let found = Looking {
        client,
        request,
        statement: statement.map(String::as_str).unwrap_or_default(),
        code: &code,
        said: &said,
    };
    let (better, behind) = match tokio::time::timeout(EXPLANATION, found.look()).await {
        Ok(Ok(found)) => found,
        // The failure itself is told; that it couldn't be looked into helps nobody.
        Ok(Err(_)) | Err(_) => (None, None),
    };
    let mut message = match (at, statement) {
        (Some(_), Some(statement)) if request.statements.len() == 1 => {
            format!("`{}` failed: ", outline(statement))
        }
        (Some(at), Some(statement)) => format!(
            "statement {} of {}, `{}`, failed: ",
            at + 1,
            request.statements.len(),
            outline(statement)
        ),
        _ => String::new(),
    };
    message.push_str(&without_content(&said));
    if let Some(behind) = behind {
        message.push_str("; ");
        message.push_str(&behind);
    }
    Failure::Explained {
        kind: better.unwrap_or(kind),
        message,
        code: Some(code),
    }
}

/// The error of a setting that isn't taken.
pub(super) fn of_setting(error: tokio_postgres::Error, name: &str, value: &str) -> Failure {
    match error.as_db_error() {
        Some(db) => {
            let code = db.code().code().to_owned();
            Failure::Explained {
                kind: match code.as_str() {
                    "42501" => PortErrorKind::AccessDenied,
                    _ => PortErrorKind::InvalidRequest,
                },
                message: format!("`{name}` can't be set to `{value}`: {}", db.message()),
                code: Some(code),
            }
        }
        None => error.into(),
    }
}

/// A kind other than the code's own, and what was found out.
type Found = (Option<PortErrorKind>, Option<String>);

struct Looking<'a> {
    client: &'a mut Client,
    request: &'a ChangeRequest<'a>,
    statement: &'a str,
    code: &'a str,
    said: &'a str,
}

impl Looking<'_> {
    async fn look(mut self) -> Result<Found, Failure> {
        let change = self.request.change;
        Ok(match (self.code, change) {
            ("55P03", _) => (None, Some(self.holders().await?)),
            ("57014", _) => (
                None,
                Some(format!(
                    "it may take {} in all and wasn't done by then; nothing of it is left",
                    duration_text(self.request.deadline.as_secs())
                )),
            ),
            ("42501", _) => (
                Some(PortErrorKind::AccessDenied),
                Some(self.permission().await?),
            ),
            ("25006", _) => (
                Some(PortErrorKind::InvalidState),
                Some("the server is a replica, or the session's transactions were made read-only".to_owned()),
            ),
            ("42601", change) if !matches!(change, Change::Unchecked) && self.said.contains("multiple commands") => (
                Some(PortErrorKind::InvalidRequest),
                Some("it holds more than one statement, and was not run".to_owned()),
            ),
            (_, Change::Unchecked) => self.unfit_for_a_transaction(),
            (code, Change::AlterColumns { columns }) if code.starts_with("22") || code == "23514" => {
                (None, self.row(columns).await?)
            }
            ("0A000" | "42601" | "42804" | "42704" | "42P16" | "2BP01" | "42846" | "42883", Change::AlterColumns { columns }) => {
                let columns = self.of_this_statement(columns);
                let mut found = Vec::new();
                for change in columns {
                    found.extend(obstacles(self.client, &change.column).await?);
                }
                let mend = "what uses a column must be dropped before its type is changed, and made again afterwards";
                (None, (!found.is_empty()).then(|| format!("{}: {mend}", found.join("; "))))
            }
            ("42P07", Change::CreateIndexes { indexes }) => {
                let mut found = Vec::new();
                for index in indexes {
                    if let Some(there) = relation(self.client, &index.table.schema, &index.name).await? {
                        found.push(there);
                    }
                }
                (
                    Some(PortErrorKind::AlreadyExists),
                    (!found.is_empty()).then(|| found.join("; ")),
                )
            }
            ("42704" | "42804" | "0A000" | "42883", Change::CreateIndexes { .. }) => (
                None,
                Some(
                    "the column's type isn't the one that the index was made for: `restore column types` comes before \
                     `restore indexes`"
                        .to_owned(),
                ),
            ),
            ("23502", Change::RestoreNotNull { columns }) => {
                (None, self.nulls(columns).await?)
            }
            _ => (None, None),
        })
    }

    async fn holders(&self) -> Result<String, Failure> {
        let tables: Vec<TableName>;
        let schemas: Vec<String>;
        let locks = match self.request.change {
            Change::RecreateSchema { schema } | Change::RestoreGrants { schema } => {
                schemas = vec![schema.clone()];
                Locks::InSchemas(&schemas)
            }
            Change::CreateIndexes { indexes } => {
                tables = indexes.iter().map(|index| index.table.clone()).collect();
                Locks::ByWriters(&tables)
            }
            Change::Analyze { tables } => Locks::ByWriters(tables),
            Change::DropIndexes { indexes } => {
                tables = indexes.iter().map(|index| index.table.clone()).collect();
                Locks::Any(&tables)
            }
            Change::AlterColumns { columns } => {
                tables = columns
                    .iter()
                    .map(|change| change.column.table.clone())
                    .collect();
                Locks::Any(&tables)
            }
            Change::RelaxNotNull { columns } | Change::RestoreNotNull { columns } => {
                tables = columns.iter().map(|column| column.table.clone()).collect();
                Locks::Any(&tables)
            }
            Change::DropControlTables { tables } => Locks::Any(tables),
            Change::MakeControlSchema | Change::Unchecked => Locks::Whichever,
        };
        let waited = match self.request.lock_timeout.as_secs() {
            0 => format!("{}ms", self.request.lock_timeout.as_millis()),
            seconds => duration_text(seconds),
        };
        let why = format!(
            "rbk waits no longer than {waited} for a lock, since everybody who comes after it would wait, too"
        );
        let who = of_tables(self.client, &locks).await?;
        Ok(match (who, locks) {
            (Some(who), Locks::Whichever) => {
                format!("these hold locks of tables here, the longest first: {who}; {why}")
            }
            (Some(who), _) => format!("held by {who}; {why}"),
            (None, _) => format!("whoever held it has let go by now; {why}"),
        })
    }

    /// The first row whose value can't become one of the new type.
    async fn row(&mut self, columns: &[ColumnChange]) -> Result<Option<String>, Failure> {
        for change in self.of_this_statement(columns) {
            if let Some(row) = rows::unfit(self.client, change, self.request.settings).await? {
                return Ok(Some(format!(
                    "column `{}` of {row} can't become `{}`; mend that row or say how with `using`, and nothing was \
                     changed until then",
                    change.column, change.to
                )));
            }
        }
        Ok(None)
    }

    async fn nulls(&mut self, columns: &[ColumnName]) -> Result<Option<String>, Failure> {
        let mut found = Vec::new();
        for column in columns {
            found.extend(null_rows(self.client, column).await?);
        }
        Ok((!found.is_empty()).then(|| found.join("; ")))
    }

    async fn permission(&self) -> Result<String, Failure> {
        let role: String = self
            .client
            .query_one("SELECT current_user::text", &[])
            .await?
            .try_get(0)?;
        let tables: Vec<&TableName> = match self.request.change {
            Change::CreateIndexes { indexes } | Change::DropIndexes { indexes } => {
                indexes.iter().map(|index| &index.table).collect()
            }
            Change::AlterColumns { columns } => columns.iter().map(|c| &c.column.table).collect(),
            Change::RelaxNotNull { columns } | Change::RestoreNotNull { columns } => {
                columns.iter().map(|column| &column.table).collect()
            }
            Change::Analyze { tables } => tables.iter().collect(),
            _ => Vec::new(),
        };
        for table in tables {
            if let Some(owner) = owner(self.client, table)
                .await?
                .filter(|owner| *owner != role)
            {
                return Ok(format!(
                    "rbk is `{role}` here, and `{table}` belongs to `{owner}`: `GRANT {owner} TO {role}`, or name that \
                     role's login in `admin_secret`"
                ));
            }
        }
        Ok(format!(
            "rbk is `{role}` here: grant it what is missing, or name another login in `admin_secret`"
        ))
    }

    fn unfit_for_a_transaction(&self) -> Found {
        let transaction_command = self.said.contains("EXECUTE of transaction commands");
        let message = match self.code {
            "0A000" if transaction_command => {
                "the text says where its transaction ends, and rbk does: leave out COMMIT, ROLLBACK, BEGIN and SAVEPOINT"
            }
            "2D000" => {
                "the text calls a procedure that ends its transaction; that can't be done together with rbk's marker"
            }
            "25001" => {
                "what can't run in a transaction (CREATE INDEX CONCURRENTLY, VACUUM, …) can't be proven by a marker: do \
                 it by hand, or with a command of the environment"
            }
            "0A000" if self.said.contains("SELECT ... INTO") => "say CREATE TABLE … AS instead",
            _ => return (None, None),
        };
        (
            Some(PortErrorKind::InvalidRequest),
            Some(format!("{message}; nothing of the text was applied")),
        )
    }

    /// The columns of the tables that the statement names; all, where it names none.
    fn of_this_statement<'c>(&self, columns: &'c [ColumnChange]) -> Vec<&'c ColumnChange> {
        let named: Vec<&ColumnChange> = columns
            .iter()
            .filter(|change| {
                self.statement.contains(&change.column.table.table)
                    && self.statement.contains(&change.column.column)
            })
            .collect();
        match named.is_empty() {
            true => columns.iter().collect(),
            false => named,
        }
    }
}

/// The server quotes the value that it can't read, whole: of that only the beginning is told.
fn without_content(message: &str) -> String {
    let mut text = String::new();
    for (number, part) in message.split('"').enumerate() {
        if number > 0 {
            text.push('"');
        }
        let inside = number % 2 == 1;
        // A name is never longer than that.
        if inside && part.chars().count() > 63 {
            text.extend(part.chars().take(SHOWN));
            text.push('…');
        } else {
            text.push_str(part);
        }
    }
    text
}

/// A look's own limit, as a setting.
pub(super) fn limit(duration: Duration) -> String {
    format!(
        "SET LOCAL statement_timeout = {}",
        duration.as_millis().max(1)
    )
}

#[cfg(test)]
mod tests {
    use super::without_content;

    #[test]
    fn long_values_are_cut_and_names_are_not() {
        assert_eq!(
            without_content("invalid input syntax for type vector: \"no\" (SQLSTATE 22P02)"),
            "invalid input syntax for type vector: \"no\" (SQLSTATE 22P02)"
        );
        let long = format!("invalid input syntax: \"[{}]\" (22P02)", "1,".repeat(1000));
        assert_eq!(
            without_content(&long),
            "invalid input syntax: \"[1,1,1,1,1,1,1,1…\" (22P02)"
        );
    }
}
