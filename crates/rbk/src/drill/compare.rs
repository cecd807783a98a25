//! Looks at the database that the application uses now, and compares every table with what was saved.

use super::sandbox_failed;
use super::seed::{Stage, StandIn};
use crate::exit::Failure;
use rbk_core::environment::{Active, Application, Database, DrillTraffic, Environment, TableName};
use rbk_core::ids::{ApplicationName, DatabaseName};
use rbk_core::ports::TableDigest;
use rbk_postgres::inspect;
use rbk_sandbox::tokio_postgres::Client;
use secrecy::ExposeSecret;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One table, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparedTable {
    /// `public.documents`.
    pub name: String,
    /// Rows in the snapshot.
    pub rows_expected: u64,
    /// Rows now; absent where there is no such table.
    pub rows_found: Option<u64>,
    /// Whether all rows are the same, to the last column.
    pub checksum_equal: bool,
}

impl ComparedTable {
    /// Whether nothing is missing, changed or too much.
    pub fn is_equal(&self) -> bool {
        self.checksum_equal && self.rows_found == Some(self.rows_expected)
    }
}

/// Every table that was saved or is there now, by name.
pub fn compare(
    saved: &BTreeMap<TableName, TableDigest>,
    found: &BTreeMap<TableName, TableDigest>,
) -> Vec<ComparedTable> {
    let names: BTreeSet<&TableName> = saved.keys().chain(found.keys()).collect();
    names
        .into_iter()
        .map(|name| (name, saved.get(name), found.get(name)))
        .map(|(name, saved, found)| ComparedTable {
            name: name.to_string(),
            rows_expected: saved.map_or(0, |digest| digest.rows),
            rows_found: found.map(|digest| digest.rows),
            checksum_equal: match (saved, found) {
                (Some(saved), Some(found)) => saved.checksum == found.checksum,
                _ => false,
            },
        })
        .collect()
}

/// Digests every table of a database but those, without what the application's stand-in wrote meanwhile.
pub async fn digest(
    superuser: &mut Client,
    but: &[TableName],
    traffic: Option<&DrillTraffic>,
) -> Result<BTreeMap<TableName, TableDigest>, Failure> {
    let mut digests = match traffic {
        Some(said) => inspect::digest_tables_without(superuser, &said.table, &said.rows).await?,
        None => inspect::digest_tables(superuser).await?,
    };
    digests.retain(|name, _| !but.contains(name));
    Ok(digests)
}

/// The database that an application uses now, found as the application itself would: through its secrets, not
/// through anything that rbk says of them.
pub fn active_database(
    stage: &Stage,
    environment: &Environment,
    name: &ApplicationName,
    application: &Application,
) -> Result<Option<DatabaseName>, Failure> {
    let secret = |name: &str| stage.sandbox.secret(name).map_err(sandbox_failed);
    let credentials = match &application.active {
        Active::Copy { secret: active } => secret(active.as_str())?,
        Active::Stack { .. } => {
            let told = stage.stand_ins.get(name).and_then(StandIn::told);
            let Some(told) = told else {
                return Ok(None);
            };
            secret(&told)?
        }
        Active::Pointer {
            secret: active,
            field,
        } => {
            let value = secret(active.as_str())?;
            let Some(pointed) = pointed(value.expose_secret(), field.as_deref()) else {
                return Ok(None);
            };
            secret(&pointed)?
        }
    };
    let Some((host, port, dbname)) = address(credentials.expose_secret()) else {
        return Ok(None);
    };
    let is_there = |database: &Database| {
        let there = stage.sandbox.instance_address(database.instance.as_str());
        database.database == dbname
            && there.is_ok_and(|there| there.host == host && u64::from(there.port) == port)
    };
    let databases = environment.databases.iter();
    Ok(databases
        .filter(|(_, database)| is_there(database))
        .map(|(name, _)| name.clone())
        .next())
}

fn pointed(value: &str, field: Option<&str>) -> Option<String> {
    match field {
        None => Some(value.trim().to_owned()),
        Some(field) => {
            let document: serde_json::Value = serde_json::from_str(value).ok()?;
            document.get(field)?.as_str().map(str::to_owned)
        }
    }
}

fn address(credentials: &str) -> Option<(String, u64, String)> {
    let document: serde_json::Value = serde_json::from_str(credentials).ok()?;
    let port = document.get("port")?;
    Some((
        document.get("host")?.as_str()?.to_owned(),
        port.as_u64().or_else(|| port.as_str()?.parse().ok())?,
        document.get("dbname")?.as_str()?.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(table: &str, rows: u64, checksum: &str) -> (TableName, TableDigest) {
        let name = TableName {
            schema: "public".to_owned(),
            table: table.to_owned(),
        };
        let checksum = checksum.to_owned();
        (name, TableDigest { rows, checksum })
    }

    #[test]
    fn every_difference_is_found_and_only_those() {
        let saved = [
            digest("a", 2, "x"),
            digest("b", 3, "y"),
            digest("c", 1, "z"),
            digest("d", 0, "0"),
        ]
        .into();
        let found = [
            digest("a", 2, "x"),
            digest("b", 3, "other"),
            digest("d", 0, "0"),
            digest("e", 5, "w"),
        ]
        .into();
        let compared = compare(&saved, &found);
        let wrong: Vec<&str> = compared
            .iter()
            .filter(|table| !table.is_equal())
            .map(|table| table.name.as_str())
            .collect();
        assert_eq!(wrong, ["public.b", "public.c", "public.e"]);
    }

    #[test]
    fn an_address_is_read_with_its_port_as_number_or_text() {
        for port in ["5432", "\"5432\""] {
            let text = format!(
                r#"{{"host":"h","port":{port},"dbname":"d","username":"u","password":"p"}}"#
            );
            assert_eq!(address(&text), Some(("h".to_owned(), 5432, "d".to_owned())));
        }
        assert_eq!(address("rds/recovery"), None);
        assert_eq!(
            pointed(" rds/recovery\n", None).as_deref(),
            Some("rds/recovery")
        );
        assert_eq!(
            pointed(r#"{"secret":"rds/recovery"}"#, Some("secret")).as_deref(),
            Some("rds/recovery")
        );
    }
}
