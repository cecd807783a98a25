//! That a lock file says what it was told to say, and tells what is wrong with it.

use super::diagnostics::rendered_of;
use crate::catalog::{Catalog, Extension, Grants, Schema, View};
use crate::environment::{Lock, LockError};
use crate::ids::DatabaseName;
use proptest::prelude::*;
use rbk_syntax::SourceId;
use std::collections::BTreeMap;
use std::path::Path;

const TEAM: &str = include_str!("../../../../../tests/lang/team.lock.toml");

#[track_caller]
fn read(text: &str) -> Lock {
    Lock::read(text).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Spoils the sound file, and compares what is told.
#[track_caller]
fn told(name: &str, from: &str, to: &str) {
    assert!(TEAM.contains(from), "`{from}` is not in the file");
    let text = TEAM.replacen(from, to, 1);
    let error = Lock::read(&text).expect_err("it is spoilt");
    let diagnostic = error.into_diagnostic(SourceId(0), "team");
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, rendered_of("team.lock.toml", &text, &[diagnostic]));
    });
}

#[test]
fn the_file_is_beside_its_environment() {
    for (environment, lock) in [
        (
            "runbooks/environments/prod.toml",
            "runbooks/environments/prod.lock.toml",
        ),
        ("prod.eu.toml", "prod.eu.lock.toml"),
    ] {
        assert_eq!(Lock::path(Path::new(environment)), Path::new(lock));
    }
}

#[test]
fn what_was_written_is_read_and_written_the_same() {
    let lock = read(TEAM);
    assert_eq!(lock.databases.len(), 1);
    assert_eq!(lock.write("team"), TEAM);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    told("lock_syntax", "rows = 14", "rows = ");
    told("lock_merge", "version = 1\n", "<<<<<<< HEAD\nversion = 1\n");
    told(
        "lock_newer",
        "version = 1\n",
        "version = 2\nsomething = \"new\"\n",
    );
    told("lock_no_version", "version = 1\n", "");
    told("lock_unknown_key", "rows = 14", "row_count = 14");
    told("lock_wrong_type", "rows = 14", "rows = \"14\"");
    told(
        "lock_column_without_type",
        "{ name = \"rank\", type = \"smallint\", not_null = true }",
        "{ name = \"rank\" }",
    );
}

#[test]
fn a_newer_version_is_refused_before_its_keys_are_judged() {
    for version in ["2", "0x10", "4294967296"] {
        let error = Lock::read(&format!("version = {version}\nunknown = 1\n"));
        assert!(matches!(error, Err(LockError::Newer { .. })), "{error:?}");
    }
}

#[test]
fn a_pull_that_found_the_same_changes_nothing() {
    let mut lock = read(TEAM);
    let name = DatabaseName::new("original");
    let mut catalog = lock.databases.get(&name).expect("it is there").clone();
    catalog.server_version = "16.9".to_owned();
    catalog.bytes += catalog.bytes / 3;
    for schema in catalog.schemas.values_mut() {
        for table in schema.tables.values_mut() {
            table.rows += table.rows / 7;
            table.bytes -= table.bytes / 5;
            for index in table.indexes.values_mut() {
                index.bytes += index.bytes / 2;
            }
        }
    }
    lock.insert(name, catalog);
    assert_eq!(lock.write("team"), TEAM);
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_]{1,6}", "[ -~]{1,8}", "\\PC{1,4}", any::<String>()]
}

fn grants() -> impl Strategy<Value = Grants> {
    prop::collection::btree_map(names(), prop::collection::btree_set(names(), 0..3), 0..3)
}

proptest! {
    /// Names, definitions and comments are whatever Postgres lets them be.
    #[test]
    fn every_text_comes_back(
        database in names(),
        table in names(),
        texts in prop::collection::btree_map(names(), names(), 0..4),
        definition in names(),
        grants in grants(),
    ) {
        let schema = Schema {
            owner: definition.clone(),
            comment: Some(definition.clone()),
            grants,
            types: texts.clone(),
            functions: texts,
            views: BTreeMap::from([(table.clone(), View {
                materialized: true,
                definition: format!("{definition}\n{definition}"),
                reads: Vec::new(),
                indexes: BTreeMap::new(),
                grants: Grants::new(),
            })]),
            ..Schema::default()
        };
        let catalog = Catalog {
            server_version: "16.4".to_owned(),
            extensions: BTreeMap::from([(table.clone(), Extension { version: definition, schema: table.clone() })]),
            schemas: BTreeMap::from([(table, schema)]),
            ..Catalog::default()
        };
        let lock = Lock { databases: BTreeMap::from([(DatabaseName::new(database), catalog)]) };
        prop_assert_eq!(read(&lock.write("any")), lock);
    }
}
