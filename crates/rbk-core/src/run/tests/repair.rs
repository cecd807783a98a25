//! The repair of the original, lowered by hand, and the world that it finds: a schema is recreated, migrated, made ready, loaded,
//! brought back and proven.

use super::scenario::{actions, incident, original, plan_of, recovery, settings, step, text};
use super::world::{Fake, endpoint_of};
use crate::catalog::{
    Catalog, Column, ColumnName, Extension, Index, Schema, Sequence, Table as CatalogTable,
};
use crate::environment::{Command, MigrationTool, Migrations, SecretField, TableName};
use crate::ids::{InstanceId, ResourceId, SecretName};
use crate::plan::{
    Action, CatalogScope, Change, ColumnChange, CopiedColumn, CopiedTable, Expr, ForeignKeyFacts,
    IndexFacts, InstanceSettings, Plan, Preflight, SequenceFacts, TablePair,
};
use crate::ports::Instance;
use crate::value::{Type, Value};
use std::collections::BTreeMap;

/// What the repair changes, each thing once.
pub const LEDGER: &[&str] = &[
    "recreate db-original",
    "v1::documents on db-original",
    "v2::embeddings on db-original",
    "drop indexes db-original",
    "alter columns db-original",
    "copy public.documents to db-original",
    "copy public.embeddings to db-original",
    "alter columns db-original",
    "create indexes db-original",
    "sequences db-original",
    "command warm",
];

const HNSW: &str =
    "CREATE INDEX embeddings_hnsw ON public.embeddings USING hnsw (vector vector_cosine_ops)";

pub fn table(name: &str) -> TableName {
    TableName {
        schema: "public".to_owned(),
        table: name.to_owned(),
    }
}

pub fn index(definition: &str) -> Index {
    Index {
        definition: definition.to_owned(),
        columns: vec!["vector".to_owned()],
        method: "hnsw".to_owned(),
        unique: false,
        constraint: None,
        part_of: None,
        invalid: false,
        bytes: 0,
    }
}

fn column(name: &str, ty: &str) -> Column {
    Column {
        name: name.to_owned(),
        ty: ty.to_owned(),
        not_null: true,
        default: None,
        generated: None,
        identity: None,
        collation: None,
    }
}

fn catalog_table(columns: Vec<Column>, indexes: BTreeMap<String, Index>) -> CatalogTable {
    CatalogTable {
        owner: "master".to_owned(),
        rows: 3,
        bytes: 8192,
        partitioned: None,
        partition: None,
        inherits: Vec::new(),
        columns,
        constraints: BTreeMap::new(),
        indexes,
        triggers: BTreeMap::new(),
        policies: BTreeMap::new(),
        grants: BTreeMap::new(),
    }
}

/// What the lock file says of both.
pub fn lock() -> Catalog {
    let documents = catalog_table(vec![column("id", "bigint")], BTreeMap::new());
    let hnsw = BTreeMap::from([("embeddings_hnsw".to_owned(), index(HNSW))]);
    let columns = vec![
        column("document_id", "bigint"),
        column("vector", "vector(3)"),
    ];
    let embeddings = catalog_table(columns, hnsw);
    let sequence = Sequence {
        ty: "bigint".to_owned(),
        start: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cycle: false,
        owner: Some(ColumnName {
            table: table("documents"),
            column: "id".to_owned(),
        }),
        grants: BTreeMap::new(),
    };
    let public = Schema {
        owner: "master".to_owned(),
        sequences: BTreeMap::from([("documents_id_seq".to_owned(), sequence)]),
        tables: BTreeMap::from([
            ("documents".to_owned(), documents),
            ("embeddings".to_owned(), embeddings),
        ]),
        ..Schema::default()
    };
    let vector = Extension {
        version: "0.8.0".to_owned(),
        schema: "public".to_owned(),
    };
    Catalog {
        server_version: "16.4".to_owned(),
        shared_buffers: 0,
        bytes: 0,
        extensions: BTreeMap::from([("vector".to_owned(), vector)]),
        schemas: BTreeMap::from([("public".to_owned(), public)]),
    }
}

pub fn migrations() -> Migrations {
    Migrations {
        tool: MigrationTool::Liquibase,
        changelog: "db/changelog.xml".into(),
        search_path: "db".into(),
        program: None,
        contexts: Vec::new(),
        schema: "public".to_owned(),
        within: 1800,
    }
}

pub fn warm(repeatable: bool) -> Action {
    Action::RunCommand {
        command: "warm".to_owned(),
        declared: Command {
            program: ["warm", "--rows={rows}", "{where}"]
                .map(str::to_owned)
                .to_vec(),
            arguments: BTreeMap::from([
                ("rows".to_owned(), Type::Integer),
                ("where".to_owned(), Type::Database),
            ]),
            secrets: BTreeMap::from([(
                "WARM_PASSWORD".to_owned(),
                SecretField {
                    secret: SecretName::from("original"),
                    field: Some("password".to_owned()),
                },
            )]),
            within: 60,
            repeatable,
        },
        arguments: BTreeMap::from([
            ("rows".to_owned(), Expr::Value(Value::Integer(3))),
            ("where".to_owned(), Expr::Value(Value::Database(original()))),
        ]),
    }
}

pub fn change(change: Change) -> Action {
    Action::ChangeSchema {
        database: original(),
        change,
        statements: vec!["whatever".to_owned()],
        settings: BTreeMap::new(),
        lock_timeout: 5,
    }
}

fn hnsw() -> Vec<IndexFacts> {
    vec![IndexFacts {
        name: "embeddings_hnsw".to_owned(),
        table: table("embeddings"),
        definition: HNSW.to_owned(),
    }]
}

pub fn drop_indexes() -> Action {
    change(Change::DropIndexes { indexes: hnsw() })
}

fn alter(from: &str, to: &str) -> Action {
    change(Change::AlterColumns {
        columns: vec![ColumnChange {
            column: ColumnName {
                table: table("embeddings"),
                column: "vector".to_owned(),
            },
            from: from.to_owned(),
            to: to.to_owned(),
            using: None,
        }],
    })
}

pub fn prove_keys() -> Action {
    Action::ProveForeignKeys {
        database: original(),
        keys: vec![ForeignKeyFacts {
            name: "embeddings_document_id_fkey".to_owned(),
            table: table("embeddings"),
            columns: vec!["document_id".to_owned()],
            references: table("documents"),
            referenced: vec!["id".to_owned()],
            match_full: false,
        }],
    }
}

pub fn matches() -> Action {
    let pair = |name: &str, columns: &[&str]| TablePair {
        left: table(name),
        right: table(name),
        columns: columns.iter().map(ToString::to_string).collect(),
    };
    Action::Assert {
        condition: Expr::Matches {
            left: recovery(),
            right: original(),
            left_path: "recovery.public".to_owned(),
            right_path: "original.public".to_owned(),
            tables: vec![
                pair("documents", &["id"]),
                pair("embeddings", &["document_id", "vector"]),
            ],
        },
        otherwise: None,
    }
}

pub fn no_drift() -> Action {
    Action::Assert {
        condition: Expr::AsLocked {
            database: original(),
        },
        otherwise: None,
    }
}

pub fn copy() -> Action {
    let copied = |name: &str, column: &str, cast: Option<&str>| CopiedTable {
        table: table(name),
        only: false,
        columns: vec![CopiedColumn {
            name: column.to_owned(),
            cast: cast.map(str::to_owned),
        }],
        bytes: 8192,
    };
    Action::Copy {
        replication: None,
        from: recovery(),
        to: original(),
        tables: vec![
            copied("documents", "id", None),
            copied("embeddings", "vector", Some("text")),
        ],
    }
}

pub fn migrate() -> Action {
    Action::Migrate {
        database: original(),
        migrations: migrations(),
    }
}

pub fn sync_sequences() -> Action {
    Action::SyncSequences {
        from: recovery(),
        to: original(),
        sequences: vec![SequenceFacts {
            schema: "public".to_owned(),
            name: "documents_id_seq".to_owned(),
            owner: Some(ColumnName {
                table: table("documents"),
                column: "id".to_owned(),
            }),
            increment: 1,
        }],
    }
}

/// A plan of one step with these actions, for the world of the repair.
pub fn plan_with(of: Vec<Action>) -> Plan {
    let mut plan = plan_of(Vec::new(), vec![step("Repair", of)], Vec::new());
    plan.on_failure = actions(
        "on failure",
        vec![Action::Note {
            text: text("the original is broken"),
        }],
    );
    plan.environment.migrations = Some(migrations());
    plan.catalogs = BTreeMap::from([(original(), lock()), (recovery(), lock())]);
    plan
}

pub fn repair() -> Plan {
    let recreate = change(Change::RecreateSchema {
        schema: "public".to_owned(),
    });
    let mut plan = plan_with(Vec::new());
    plan.preflight.push(Preflight::Catalog {
        database: original(),
        scope: CatalogScope::Around {
            schemas: vec!["public".to_owned()],
        },
    });
    plan.preflight.push(Preflight::Catalog {
        database: recovery(),
        scope: CatalogScope::Whole,
    });
    plan.steps = vec![
        step("Rebuild the schema", vec![recreate, migrate()]),
        step(
            "Make ready and load",
            vec![
                drop_indexes(),
                alter("vector(3)", "text"),
                copy(),
                alter("text", "vector(3)"),
                change(Change::CreateIndexes { indexes: hnsw() }),
                sync_sequences(),
            ],
        ),
        step(
            "Prove",
            vec![prove_keys(), matches(), no_drift(), warm(true)],
        ),
    ];
    plan
}

/// Both databases are there; the original's rows are damaged.
pub fn damaged() -> Fake {
    let fake = incident();
    let id = InstanceId::from("db-recovery");
    fake.add_server(
        Instance {
            endpoint: Some(endpoint_of(&id)),
            resource: ResourceId::from("db-RECOVERY"),
            status: "available".to_owned(),
            engine: "postgres".to_owned(),
            engine_version: "16.4".to_owned(),
            master_username: "master".to_owned(),
            created_at: None,
            settings: InstanceSettings {
                instance: id.clone(),
                ..settings()
            },
            pending: Vec::new(),
            unsettled: Vec::new(),
            latest_restorable_time: None,
            managed_master_secret: false,
            tags: BTreeMap::new(),
            id,
        },
        "of long ago",
    );
    let mut inner = fake.lock();
    // A quick recovery has moved the application already.
    let active = r#"{"key":"recovery"}"#.to_owned();
    inner.secret("active").take_over_with(active);
    inner.lock = lock();
    inner.changelog = vec![
        ("v1::documents", "documents"),
        ("v2::embeddings", "embeddings"),
    ];
    let rows = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let open = ("of the application".to_owned(), true);
    let source = inner.server("db-recovery");
    source.roles.insert("sgpt_app".to_owned(), open);
    let source = &mut source.db;
    source.catalog = lock();
    source.rows = BTreeMap::from([
        (table("documents"), rows(&["1", "2", "3"])),
        (table("embeddings"), rows(&["1 [1,2,3]", "3 [4,5,6]"])),
    ]);
    source.sequences = BTreeMap::from([("documents_id_seq".to_owned(), 7)]);
    let target = &mut inner.server("db-original").db;
    target.catalog = lock();
    target.rows = BTreeMap::from([(table("documents"), rows(&["damaged"]))]);
    target.sequences = BTreeMap::from([("documents_id_seq".to_owned(), 2)]);
    target.change_sets = rows(&["v1::documents", "v2::embeddings"]);
    drop(inner);
    fake
}

/// A fresh schema, as the migration leaves it.
pub fn migrated() -> Fake {
    let fake = damaged();
    let mut inner = fake.lock();
    let target = &mut inner.server("db-original").db;
    target.rows.clear();
    target.sequences.insert("documents_id_seq".to_owned(), 1);
    drop(inner);
    fake
}
