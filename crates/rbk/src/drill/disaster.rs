//! Staged disasters: how they are written on the command line and what they do to the database.

use super::seed::{Stage, quoted};
use super::{sandbox_failed, sql_failed};
use crate::exit::Failure;
use rbk_core::environment::{Database, Disaster, TableName};
use rbk_sandbox::Loss;

/// Reads `drop-table:SCHEMA.TABLE`, `delete-rows:SCHEMA.TABLE` or `lose-instance`.
pub fn parse(text: &str) -> Result<Disaster, String> {
    let wrong = || {
        "write it as `drop-table:SCHEMA.TABLE`, `delete-rows:SCHEMA.TABLE` or `lose-instance`"
            .to_owned()
    };
    match text.split_once(':') {
        None if text == "lose-instance" => Ok(Disaster::LoseInstance),
        Some(("drop-table", name)) => Ok(Disaster::DropTable(table(name)?)),
        Some(("delete-rows", name)) => Ok(Disaster::DeleteRows(table(name)?)),
        _ => Err(wrong()),
    }
}

/// Reads `SCHEMA.TABLE`.
pub fn table(text: &str) -> Result<TableName, String> {
    match text.split_once('.') {
        Some((schema, table))
            if !schema.is_empty() && !table.is_empty() && !table.contains('.') =>
        {
            Ok(TableName {
                schema: schema.to_owned(),
                table: table.to_owned(),
            })
        }
        _ => Err("write the table as SCHEMA.TABLE, for instance `public.documents`".to_owned()),
    }
}

/// Lets it happen, and returns when it did.
pub async fn strike(
    stage: &Stage,
    database: &Database,
    disaster: &Disaster,
) -> Result<jiff::Timestamp, Failure> {
    let at = jiff::Timestamp::now();
    match disaster {
        Disaster::DropTable(table) => {
            execute(
                stage,
                database,
                &format!("DROP TABLE {} CASCADE", quoted(table)),
            )
            .await?;
        }
        Disaster::DeleteRows(table) => empty(stage, database, table).await?,
        Disaster::LoseInstance => {
            let instance = database.instance.as_str();
            stage
                .sandbox
                .lose_instance(instance, Loss::Failed)
                .await
                .map_err(sandbox_failed)?;
        }
    }
    Ok(at)
}

/// Deletes all rows of a table, whatever refers to them.
pub async fn empty(stage: &Stage, database: &Database, table: &TableName) -> Result<(), Failure> {
    let sql = format!(
        "SET session_replication_role = replica; DELETE FROM {}",
        quoted(table)
    );
    execute(stage, database, &sql).await
}

async fn execute(stage: &Stage, database: &Database, sql: &str) -> Result<(), Failure> {
    let instance = database.instance.as_str();
    let superuser = stage
        .sandbox
        .superuser(instance, &database.database)
        .await
        .map_err(sandbox_failed)?;
    superuser.batch_execute(sql).await.map_err(sql_failed(sql))
}

/// One line about what happens.
pub fn describe(disaster: &Disaster, database: &str) -> String {
    match disaster {
        Disaster::DropTable(table) => {
            format!("table {table} of {database} is dropped, with all that depends on it")
        }
        Disaster::DeleteRows(table) => format!("all rows of {table} of {database} are deleted"),
        Disaster::LoseInstance => format!("the instance of {database} fails for good"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disasters_are_read_as_they_are_written_in_the_help() {
        assert_eq!(parse("lose-instance"), Ok(Disaster::LoseInstance));
        assert_eq!(
            parse("drop-table:public.documents"),
            Ok(Disaster::DropTable(table("public.documents").unwrap()))
        );
        for wrong in [
            "drop-table",
            "drop-table:documents",
            "drop-table:a.b.c",
            "lose",
            "",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
