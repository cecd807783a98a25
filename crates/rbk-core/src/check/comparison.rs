//! `A matches B`, `no drift in DB`, and the tables that `count` and `size` name.

use super::expressions::{Need, Read, Typed, observed};
use super::objects::Object;
use super::{CheckError, Checker, SchemaError};
use crate::catalog::{Catalog, Table};
use crate::environment::{LockSource, Migrations, TableName};
use crate::ids::DatabaseName;
use crate::plan::{Expr, TablePair};
use crate::value::Type;
use rbk_syntax::{Span, ast};
use std::collections::{BTreeMap, BTreeSet};

/// The most tables and columns that are named as missing on one side.
const TOLD: usize = 3;

impl Checker<'_> {
    /// `source.public matches broken.public`: schemas table by table, or two tables.
    pub(super) fn matches(
        &mut self,
        left: &ast::Path,
        right: &ast::Path,
        span: Span,
    ) -> Option<Typed> {
        let (here, there) = (self.schema_object(left), self.schema_object(right));
        let ((left_database, here), (right_database, there)) = (here?, there?);
        let pairs = match (&here, &there) {
            _ if left_database == right_database && here == there => {
                let path = right.to_string();
                self.report(CheckError::MatchesItself { span, path });
                return None;
            }
            (Object::Schema(here), Object::Schema(there)) => self.tables_of_both(
                (&left_database, here),
                (&right_database, there),
                left,
                right,
            )?,
            (Object::Table(here), Object::Table(there)) => vec![(here.clone(), there.clone())],
            _ => {
                self.report(CheckError::NotComparable {
                    span,
                    left: left.to_string(),
                    right: right.to_string(),
                });
                return None;
            }
        };
        let mut tables = Vec::with_capacity(pairs.len());
        let mut missing: Vec<(Span, DatabaseName, String)> = Vec::new();
        for (here, there) in pairs {
            let columns = [
                (&left_database, &here, left.span),
                (&right_database, &there, right.span),
            ]
            .map(|(database, table, span)| self.columns_of(database, table, span));
            let [Some(ours), Some(theirs)] = columns else {
                return None;
            };
            let lacks = |database: &DatabaseName, table: &TableName, span, column: &String| {
                (span, database.clone(), format!("column `{table}.{column}`"))
            };
            missing.extend(
                ours.difference(&theirs)
                    .map(|column| lacks(&right_database, &there, right.span, column)),
            );
            missing.extend(
                theirs
                    .difference(&ours)
                    .map(|column| lacks(&left_database, &here, left.span, column)),
            );
            tables.push(TablePair {
                left: here,
                right: there,
                columns: ours.into_iter().collect(),
            });
        }
        self.nothing_is_missing(missing)?;
        let reads = [(&left_database, left.span), (&right_database, right.span)];
        let reads = reads.map(|(database, span)| Read {
            database: database.clone(),
            need: Need::Login,
            span,
        });
        let expr = Expr::Matches {
            left_path: said(&left_database, left),
            right_path: said(&right_database, right),
            left: left_database,
            right: right_database,
            tables,
        };
        Some(Typed {
            reads: reads.into(),
            ..observed(expr, Type::Boolean, span)
        })
    }

    /// `no drift in broken`
    pub(super) fn no_drift(&mut self, database: Option<&ast::Path>, span: Span) -> Option<Typed> {
        let Some(database) = database else {
            return self.no_drift_anywhere(span);
        };
        let name = self.database(database)?;
        // The plan keeps what it is compared with.
        self.catalog(&name, database.span)?;
        let read = Read {
            database: name.clone(),
            need: Need::Login,
            span,
        };
        Some(Typed {
            reads: vec![read],
            ..observed(
                Expr::NoDrift {
                    database: Some(name),
                },
                Type::Boolean,
                span,
            )
        })
    }

    /// `no drift`: of every database of the environment, with its schema where the lock file knows it.
    fn no_drift_anywhere(&mut self, span: Span) -> Option<Typed> {
        let names: Vec<DatabaseName> = self.environment.databases.keys().cloned().collect();
        if let (None, Some(first)) = (self.lock, names.first()) {
            self.catalog(first, span)?;
        }
        for name in &names {
            if self.is_in_lock(name) {
                self.catalog(name, span)?;
            }
        }
        Some(observed(
            Expr::NoDrift { database: None },
            Type::Boolean,
            span,
        ))
    }

    /// Whether the lock file says anything of a database. One that can't be read is asked again, and reports itself.
    fn is_in_lock(&self, database: &DatabaseName) -> bool {
        match self.lock.map(LockSource::lock) {
            Some(Some(lock)) => lock.catalog(self.environment, database).is_some(),
            Some(None) => true,
            None => false,
        }
    }

    /// Reports a table that the lock file doesn't know, where there is one that could.
    pub(super) fn known_table(
        &mut self,
        database: &DatabaseName,
        schema: &ast::Name,
        table: &ast::Name,
    ) -> Option<TableName> {
        let name = TableName {
            schema: schema.value.clone(),
            table: table.value.clone(),
        };
        let elsewhere = is_left_out(&schema.value) || self.own_tables().contains(&name);
        let lock = self.lock.and_then(LockSource::lock);
        let catalog = lock.and_then(|lock| lock.catalog(self.environment, database));
        let (Some(catalog), false) = (catalog, elsewhere) else {
            return Some(name);
        };
        let error = match catalog.schemas.get(&schema.value) {
            None => SchemaError::UnknownSchema {
                span: schema.span,
                name: schema.value.clone(),
                database: database.clone(),
                candidates: catalog.schemas.keys().cloned().collect(),
            },
            Some(content)
                if content.tables.contains_key(&table.value)
                    || content.views.contains_key(&table.value) =>
            {
                return Some(name);
            }
            Some(content) => SchemaError::UnknownTable {
                span: table.span,
                name: table.value.clone(),
                schema: schema.value.clone(),
                database: database.clone(),
                candidates: content
                    .tables
                    .keys()
                    .chain(content.views.keys())
                    .cloned()
                    .collect(),
            },
        };
        self.report(error);
        None
    }

    /// The tables of two schemas by name, without the migration tool's own; all must be on both sides.
    fn tables_of_both(
        &mut self,
        (left, left_schema): (&DatabaseName, &str),
        (right, right_schema): (&DatabaseName, &str),
        left_path: &ast::Path,
        right_path: &ast::Path,
    ) -> Option<Vec<(TableName, TableName)>> {
        let own = self.own_tables();
        let without = |tables: BTreeMap<String, TableName>| -> BTreeMap<String, TableName> {
            tables
                .into_iter()
                .filter(|(_, table)| !own.contains(table))
                .collect()
        };
        let here = without(tops(self.catalog(left, left_path.span)?, left_schema));
        let mut there = without(tops(self.catalog(right, right_path.span)?, right_schema));
        let mut missing = Vec::new();
        let mut pairs = Vec::with_capacity(here.len());
        for (name, table) in here {
            match there.remove(&name) {
                Some(other) => pairs.push((table, other)),
                None => {
                    let what = format!("table `{right_schema}.{name}`");
                    missing.push((right_path.span, right.clone(), what));
                }
            }
        }
        for name in there.into_keys() {
            let what = format!("table `{left_schema}.{name}`");
            missing.push((left_path.span, left.clone(), what));
        }
        self.nothing_is_missing(missing)?;
        if pairs.is_empty() {
            let path = left_path.to_string();
            self.report(CheckError::NothingToCompare {
                span: left_path.span,
                path,
            });
            return None;
        }
        Some(pairs)
    }

    /// The names of a table's columns, those that are computed included.
    fn columns_of(
        &mut self,
        database: &DatabaseName,
        table: &TableName,
        span: Span,
    ) -> Option<BTreeSet<String>> {
        let found = self.catalog(database, span)?.table(table);
        let Some(found) = found else {
            let path = format!("{database}.{table}");
            self.report(CheckError::NotRows { span, path });
            return None;
        };
        let columns = found.columns.iter();
        Some(columns.map(|column| column.name.clone()).collect())
    }

    /// Reports what a side lacks, once for each side.
    fn nothing_is_missing(&mut self, missing: Vec<(Span, DatabaseName, String)>) -> Option<()> {
        let mut sides: BTreeMap<(Span, DatabaseName), Vec<String>> = BTreeMap::new();
        for (span, database, what) in missing {
            sides.entry((span, database)).or_default().push(what);
        }
        let good = sides.is_empty();
        for ((span, database), mut lacks) in sides {
            let more = lacks.len().saturating_sub(TOLD);
            lacks.truncate(TOLD);
            let mut what = lacks.join(", ");
            if more > 0 {
                what.push_str(&format!(" and {more} more"));
            }
            self.report(SchemaError::MissingThere {
                span,
                what,
                database,
            });
        }
        good.then_some(())
    }

    fn own_tables(&self) -> Vec<TableName> {
        let migrations = self.environment.migrations.as_ref();
        migrations.map(Migrations::own_tables).unwrap_or_default()
    }
}

/// Schemas that a catalog doesn't list.
fn is_left_out(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema" || schema == "rbk"
}

/// The tables of a schema that hold rows by themselves: partitions are read through the table that they are a part of, unless
/// that is in another schema.
fn tops(catalog: &Catalog, schema: &str) -> BTreeMap<String, TableName> {
    let tables = catalog.schemas.get(schema).map(|schema| &schema.tables);
    tables
        .into_iter()
        .flatten()
        .filter(|(_, table)| !has_parent_in(catalog, schema, table))
        .map(|(name, _)| {
            let table = TableName {
                schema: schema.to_owned(),
                table: name.clone(),
            };
            (name.clone(), table)
        })
        .collect()
}

fn has_parent_in(catalog: &Catalog, schema: &str, table: &Table) -> bool {
    let mut partition = table.partition.as_ref();
    // Partitions can't go in circles in a database; in a file written by hand they could.
    for _ in 0..64 {
        match partition {
            Some(part) if part.of.schema == schema => return true,
            Some(part) => {
                partition = catalog
                    .table(&part.of)
                    .and_then(|table| table.partition.as_ref());
            }
            None => return false,
        }
    }
    false
}

/// A path with the database that a parameter stands for, as plans and reports say it.
fn said(database: &DatabaseName, path: &ast::Path) -> String {
    std::iter::once(database.as_str())
        .chain(path.names.iter().skip(1).map(|name| name.value.as_str()))
        .collect::<Vec<_>>()
        .join(".")
}
