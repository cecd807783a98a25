//! What DMS makes on the target: tables that are missing or renewed, and its own control tables.

use tokio_postgres::{
    Client,
    error::{DbError, SqlState},
};

use super::{
    catalog::{self, Relation, TableName},
    session::Trouble,
    settings::{LoadSettings, LobMode, Prepare},
    types::{Booleans, Transport, quoted},
};

/// How an error of a row is kept in `awsdms_full_load_exceptions`.
pub(crate) struct Exception {
    pub(crate) statement: &'static str,
    pub(crate) error: String,
}

/// Makes the control tables, and their schema if it isn't there.
///
/// `awsdms_apply_exceptions` is always made on a database target.
pub(crate) async fn make_control_tables(
    client: &Client,
    settings: &LoadSettings,
) -> Result<(), Trouble> {
    make_schema(client, &settings.control_schema).await?;
    let mut tables = vec!["awsdms_apply_exceptions"];
    if settings.full_load_exceptions {
        tables.push(FULL_LOAD_EXCEPTIONS);
    }
    for table in tables {
        let name = TableName::new(&settings.control_schema, table);
        if catalog::relation(client, &name).await?.is_none() {
            let sql = format!(
                "CREATE TABLE {} (\"TASK_NAME\" varchar(128) NOT NULL, \"TABLE_OWNER\" varchar(128) NOT NULL, \
                 \"TABLE_NAME\" varchar(128) NOT NULL, \"ERROR_TIME\" timestamp NOT NULL, \
                 \"STATEMENT\" text NOT NULL, \"ERROR\" text NOT NULL)",
                name.quoted()
            );
            client.batch_execute(&sql).await?;
        }
    }
    Ok(())
}

const FULL_LOAD_EXCEPTIONS: &str = "awsdms_full_load_exceptions";

/// Writes rows' errors down, if the settings ask for it.
pub(crate) async fn keep_exceptions(
    client: &Client,
    settings: &LoadSettings,
    task: &str,
    table: &TableName,
    exceptions: &[Exception],
) -> Result<(), Trouble> {
    if !settings.full_load_exceptions || exceptions.is_empty() {
        return Ok(());
    }
    let name = TableName::new(&settings.control_schema, FULL_LOAD_EXCEPTIONS);
    let sql = format!(
        "INSERT INTO {} SELECT left($1, 128), left($2, 128), left($3, 128), \
         clock_timestamp() AT TIME ZONE 'UTC', u.statement, u.error \
         FROM unnest($4::text[], $5::text[]) AS u (statement, error)",
        name.quoted()
    );
    let statements: Vec<&str> = exceptions.iter().map(|it| it.statement).collect();
    let errors: Vec<&str> = exceptions.iter().map(|it| it.error.as_str()).collect();
    client
        .execute(
            &sql,
            &[&task, &table.schema, &table.table, &statements, &errors],
        )
        .await?;
    Ok(())
}

/// Prepares a table as the settings say, and returns what it is then.
pub(crate) async fn prepare(
    client: &Client,
    name: &TableName,
    source: &Relation,
    settings: &LoadSettings,
    booleans: Booleans,
) -> Result<Relation, Trouble> {
    let found = catalog::relation(client, name).await?;
    match (settings.prepare, found) {
        (Prepare::DoNothing, Some(relation)) => return Ok(relation),
        (Prepare::Truncate, Some(relation)) => {
            let sql = format!("TRUNCATE TABLE {}", name.quoted());
            client.batch_execute(&sql).await?;
            return Ok(relation);
        }
        (Prepare::DropAndCreate, Some(_)) => {
            let sql = format!("DROP TABLE {}", name.quoted());
            client.batch_execute(&sql).await?;
        }
        (Prepare::DoNothing | Prepare::Truncate | Prepare::DropAndCreate, None) => {}
    }
    make_schema(client, &name.schema).await?;
    client
        .batch_execute(&create(name, source, settings, booleans))
        .await?;
    if !settings.key_after_load {
        add_primary_key(client, name, source).await?;
    }
    Ok(catalog::relation(client, name).await?.unwrap_or_default())
}

/// Gives a table that DMS made the source's primary key, which is all it carries over of that kind.
pub(crate) async fn add_primary_key(
    client: &Client,
    name: &TableName,
    source: &Relation,
) -> Result<(), Trouble> {
    let Some(key) = source.keys.first().filter(|_| source.has_primary_key) else {
        return Ok(());
    };
    let columns: Vec<String> = key.iter().map(|it| quoted(it)).collect();
    let sql = format!(
        "ALTER TABLE {} ADD PRIMARY KEY ({})",
        name.quoted(),
        columns.join(", ")
    );
    client.batch_execute(&sql).await?;
    Ok(())
}

/// A bare table: no defaults, identity, checks, foreign keys or further indexes.
fn create(
    name: &TableName,
    source: &Relation,
    settings: &LoadSettings,
    booleans: Booleans,
) -> String {
    let columns: Vec<String> = source
        .columns
        .iter()
        .filter(|column| match column.of.transport() {
            Transport::NotCarried => false,
            Transport::Lob(_) => settings.lobs != LobMode::Without,
            Transport::Plain | Transport::Unknown => true,
        })
        .map(|column| {
            let is_lob = matches!(column.of.transport(), Transport::Lob(_));
            let not_null = if column.not_null && !is_lob {
                " NOT NULL"
            } else {
                ""
            };
            format!(
                "{} {}{not_null}",
                quoted(&column.name),
                column.of.created(booleans)
            )
        })
        .collect();
    format!("CREATE TABLE {} ({})", name.quoted(), columns.join(", "))
}

async fn make_schema(client: &Client, schema: &str) -> Result<(), Trouble> {
    if !catalog::schema_exists(client, schema).await? {
        let sql = format!("CREATE SCHEMA {}", quoted(schema));
        match client.batch_execute(&sql).await.map_err(Trouble::from) {
            Err(trouble) if trouble.db().is_some_and(was_there) => {}
            made => made?,
        }
    }
    Ok(())
}

/// Another subtask was quicker: the schema is there, or about to be.
fn was_there(error: &DbError) -> bool {
    [SqlState::DUPLICATE_SCHEMA, SqlState::UNIQUE_VIOLATION].contains(error.code())
}
