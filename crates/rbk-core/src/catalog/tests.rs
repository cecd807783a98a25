//! What counts as a difference, and how it is told.

use super::*;

fn column(name: &str, ty: &str) -> Column {
    Column {
        name: name.to_owned(),
        ty: ty.to_owned(),
        not_null: false,
        default: None,
        generated: None,
        identity: None,
        collation: None,
    }
}

fn table(columns: Vec<Column>) -> Table {
    Table {
        owner: "postgres".to_owned(),
        rows: 10,
        bytes: 8192,
        partitioned: None,
        partition: None,
        inherits: Vec::new(),
        columns,
        constraints: BTreeMap::new(),
        indexes: BTreeMap::new(),
        triggers: BTreeMap::new(),
        policies: BTreeMap::new(),
        grants: Grants::new(),
    }
}

fn index(definition: &str) -> Index {
    Index {
        definition: definition.to_owned(),
        columns: vec!["embedding_vector".to_owned()],
        method: "hnsw".to_owned(),
        unique: false,
        constraint: None,
        part_of: None,
        invalid: false,
        bytes: 8192,
    }
}

fn name(table: &str) -> TableName {
    TableName {
        schema: "public".to_owned(),
        table: table.to_owned(),
    }
}

fn grants(role: &str, privileges: &[&str]) -> Grants {
    let privileges = privileges.iter().map(ToString::to_string).collect();
    Grants::from([(role.to_owned(), privileges)])
}

fn sequence(owner: &str) -> Sequence {
    Sequence {
        ty: "bigint".to_owned(),
        start: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cycle: false,
        owner: Some(ColumnName {
            table: name(owner),
            column: "id".to_owned(),
        }),
        grants: Grants::new(),
    }
}

const HNSW: &str = "CREATE INDEX embeddings_embedding_vector_idx ON public.embeddings USING hnsw (embedding_vector vector_cosine_ops)";

fn catalog() -> Catalog {
    let mut embeddings = table(vec![
        column("id", "bigint"),
        column("embedding_vector", "vector(1536)"),
    ]);
    embeddings
        .indexes
        .insert("embeddings_embedding_vector_idx".to_owned(), index(HNSW));
    embeddings.grants = grants("sgpt_app", &["INSERT", "SELECT"]);
    let public = Schema {
        owner: "pg_database_owner".to_owned(),
        comment: Some("standard public schema".to_owned()),
        grants: grants("PUBLIC", &["USAGE"]),
        default_privileges: vec![DefaultPrivileges {
            creator: "postgres".to_owned(),
            objects: "TABLES".to_owned(),
            grants: grants("sgpt_app", &["SELECT"]),
        }],
        tables: BTreeMap::from([
            ("embeddings".to_owned(), embeddings),
            (
                "databasechangelog".to_owned(),
                table(vec![column("id", "text")]),
            ),
        ]),
        sequences: BTreeMap::from([("embeddings_id_seq".to_owned(), sequence("embeddings"))]),
        functions: BTreeMap::from([("touch()".to_owned(), "ab12".to_owned())]),
        ..Schema::default()
    };
    Catalog {
        server_version: "16.4".to_owned(),
        shared_buffers: 1 << 30,
        bytes: 1 << 40,
        extensions: BTreeMap::from([(
            "vector".to_owned(),
            Extension {
                version: "0.8.0".to_owned(),
                schema: "public".to_owned(),
            },
        )]),
        schemas: BTreeMap::from([("public".to_owned(), public)]),
    }
}

#[track_caller]
fn told(change: impl FnOnce(&mut Catalog), expected: &[&str]) {
    let before = catalog();
    let mut after = catalog();
    change(&mut after);
    let told: Vec<String> = differences(&before, &after, &[name("databasechangelog")])
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told, expected);
}

fn public(catalog: &mut Catalog) -> &mut Schema {
    catalog.schemas.get_mut("public").unwrap()
}

fn embeddings(catalog: &mut Catalog) -> &mut Table {
    public(catalog).tables.get_mut("embeddings").unwrap()
}

#[test]
fn figures_and_minor_versions_do_not_count() {
    told(
        |catalog| {
            catalog.server_version = "16.9".to_owned();
            catalog.shared_buffers = 1;
            catalog.bytes = 1;
            embeddings(catalog).rows = 1;
            embeddings(catalog).bytes = 1;
            for index in embeddings(catalog).indexes.values_mut() {
                index.bytes = 1;
            }
        },
        &[],
    );
}

#[test]
fn a_major_version_counts() {
    told(
        |catalog| catalog.server_version = "17beta1".to_owned(),
        &["the server's major version is 17, not 16"],
    );
}

#[test]
fn ignored_tables_do_not_count_nor_does_what_is_theirs() {
    told(
        |catalog| {
            let public = public(catalog);
            let log = public.tables.get_mut("databasechangelog").unwrap();
            log.columns.clear();
            log.grants = grants("PUBLIC", &["SELECT"]);
            log.indexes.insert("log_idx".to_owned(), index("…"));
            public
                .sequences
                .insert("log_seq".to_owned(), sequence("databasechangelog"));
        },
        &[],
    );
    told(
        |catalog| {
            public(catalog).tables.remove("databasechangelog");
        },
        &[],
    );
}

#[test]
fn types_and_missing_indexes_are_told_in_the_words_of_the_field() {
    told(
        |catalog| {
            let table = embeddings(catalog);
            table.columns[1].ty = "text".to_owned();
            table.columns[1].default = Some("''::text".to_owned());
            table.columns[0].not_null = true;
            table.indexes.clear();
        },
        &[
            "column public.embeddings.id is NOT NULL, not nullable",
            "column public.embeddings.embedding_vector is text, not vector(1536)",
            "the default of column public.embeddings.embedding_vector is ''::text, not absent",
            "index public.embeddings_embedding_vector_idx is missing",
        ],
    );
}

#[test]
fn an_invalid_index_counts() {
    told(
        |catalog| {
            for index in embeddings(catalog).indexes.values_mut() {
                index.invalid = true;
            }
        },
        &["index public.embeddings_embedding_vector_idx is invalid, not valid"],
    );
}

#[test]
fn the_order_of_columns_counts_once() {
    told(
        |catalog| embeddings(catalog).columns.reverse(),
        &[
            "the order of the columns of table public.embeddings is embedding_vector, id, not id, embedding_vector",
        ],
    );
    told(
        |catalog| {
            embeddings(catalog)
                .columns
                .insert(0, column("note", "text"));
        },
        &["column public.embeddings.note is there, but not expected"],
    );
}

#[test]
fn a_missing_table_is_told_without_what_is_in_it() {
    told(
        |catalog| {
            let public = public(catalog);
            public.tables.remove("embeddings");
            public.sequences.clear();
        },
        &["table public.embeddings is missing"],
    );
}

#[test]
fn grants_sequences_functions_and_extensions_count() {
    told(
        |catalog| {
            catalog.extensions.clear();
            let public = public(catalog);
            public
                .functions
                .insert("touch()".to_owned(), "cd34".to_owned());
            public
                .sequences
                .get_mut("embeddings_id_seq")
                .unwrap()
                .increment = 10;
            embeddings(catalog).grants = grants("sgpt_app", &["SELECT"]);
        },
        &[
            "extension vector is missing",
            "the SHA-256 of function public.touch() is cd34, not ab12",
            "sequence public.embeddings_id_seq is AS bigint START 1 INCREMENT 10 MINVALUE 1 MAXVALUE 9223372036854775807, not AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807",
            "what sgpt_app may do on table public.embeddings is SELECT, not INSERT, SELECT",
        ],
    );
}

/// What the first catalog has around a schema and would lose, being made as the second one says.
fn told_around(found: &Catalog, locked: &Catalog, schema: &str) -> Vec<String> {
    around(locked, found, &[schema.to_owned()])
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn what_is_around_a_schema_and_not_in_the_lock_file_is_told() {
    let found = catalog();
    let mut locked = catalog();
    let public = public(&mut locked);
    public.tables.clear();
    public.functions.clear();
    public.comment = None;
    public.grants.clear();
    public.default_privileges.clear();
    locked.extensions.clear();
    assert_eq!(
        told_around(&found, &locked, "public"),
        [
            "extension vector is there, but not expected",
            "the comment on schema public is standard public schema, not absent",
            "what PUBLIC may do on schema public is USAGE, not nothing",
            "what sgpt_app may do on TABLES that postgres will create in schema public is SELECT, not nothing",
        ]
    );
    assert_eq!(told_around(&found, &locked, "audit"), [""; 0]);
}

#[test]
fn what_a_disaster_took_from_around_a_schema_is_no_reason_to_stop() {
    let locked = catalog();
    // `DROP SCHEMA public CASCADE; CREATE SCHEMA public`, and then without the second half.
    let mut found = catalog();
    found.extensions.clear();
    let own = Schema {
        owner: "postgres".to_owned(),
        ..Schema::default()
    };
    found.schemas.insert("public".to_owned(), own);
    assert_eq!(told_around(&found, &locked, "public"), [""; 0]);
    found.schemas.remove("public");
    assert_eq!(told_around(&found, &locked, "public"), [""; 0]);
}

#[test]
fn another_version_of_an_extension_is_told() {
    let mut found = catalog();
    let vector = found.extensions.get_mut("vector").unwrap();
    vector.version = "0.9.0".to_owned();
    let told = told_around(&found, &catalog(), "public");
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("the version of extension vector is 0.9.0"),
        "{told:?}"
    );
}
