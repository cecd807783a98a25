//! Reading a catalog, and what depends on schemas from outside.

use crate::server::Server;
use rbk_core::catalog::{
    Catalog, ColumnName, ConstraintKind, Identity, Index, Partition, Schema, Table,
};
use rbk_core::environment::TableName;
use rbk_core::plan::IndexFacts;
use rbk_core::ports::PortErrorKind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// `public.documents`, of names without dots.
pub fn name(table: &str) -> TableName {
    let (schema, table) = table.split_once('.').unwrap();
    TableName {
        schema: schema.into(),
        table: table.into(),
    }
}

/// `public.documents.id`
pub fn column(text: &str) -> ColumnName {
    let (table, column) = text.rsplit_once('.').unwrap();
    ColumnName {
        table: name(table),
        column: column.into(),
    }
}

/// A shop with everything that a schema can hold.
const SHOP: &str = r#"
    CREATE SCHEMA ext;
    CREATE EXTENSION vector SCHEMA ext;
    CREATE SCHEMA "Odd ""one"".é";
    COMMENT ON SCHEMA public IS 'the shop''s own';
    CREATE TYPE public.mood AS ENUM ('so ''so''', 'glad');
    CREATE DOMAIN public.email AS text COLLATE "C" NOT NULL CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
    CREATE TYPE public.point3 AS (x double precision, "Y z" text COLLATE "C");
    CREATE TYPE public.span AS RANGE (SUBTYPE = integer);
    CREATE FUNCTION public.twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
    CREATE PROCEDURE public.tidy(a text, OUT b text) LANGUAGE plpgsql AS $$BEGIN b := a; END$$;
    CREATE AGGREGATE public.total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');
    CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
    CREATE TABLE public.documents (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      tenant integer NOT NULL,
      title text COLLATE "C" NOT NULL DEFAULT 'it''s new',
      mood public.mood DEFAULT 'glad',
      price numeric(10,2) CHECK (price > 0),
      words tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, title)) STORED,
      gone text,
      created_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (tenant, title) INCLUDE (price),
      EXCLUDE USING gist (int4range(tenant, tenant + 1) WITH &&) WHERE (price > 1000)
    );
    ALTER TABLE public.documents DROP COLUMN gone;
    CREATE TABLE public.embeddings (
      id serial PRIMARY KEY,
      document_id bigint NOT NULL REFERENCES public.documents ON DELETE CASCADE,
      part integer NOT NULL,
      embedding_vector ext.vector(3)
    );
    CREATE INDEX embeddings_hnsw ON public.embeddings USING hnsw (embedding_vector ext.vector_cosine_ops)
      WITH (m = 24, ef_construction = 100);
    CREATE INDEX embeddings_ivf ON public.embeddings USING ivfflat (embedding_vector ext.vector_l2_ops) WITH (lists = 5);
    CREATE INDEX partial ON public.embeddings (part DESC NULLS LAST) WHERE document_id > 7;
    CREATE UNIQUE INDEX expression ON public.documents (lower(title) COLLATE "C", tenant) WHERE price IS NOT NULL;
    CREATE INDEX including ON public.documents (created_at) INCLUDE (mood, tenant) WITH (fillfactor = 70);
    CREATE TABLE public.events (
      tenant integer NOT NULL, at date NOT NULL, note text, PRIMARY KEY (tenant, at)
    ) PARTITION BY RANGE (at);
    CREATE TABLE public.events_old PARTITION OF public.events FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
    CREATE TABLE public.events_new PARTITION OF public.events DEFAULT PARTITION BY HASH (tenant);
    CREATE TABLE public.events_new_0 PARTITION OF public.events_new FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    CREATE INDEX " ON ONLY " ON public.events (note) WHERE note <> ' ON ONLY ';
    CREATE TABLE public.notes (
      tenant integer, at date, FOREIGN KEY (tenant, at) REFERENCES public.events MATCH FULL
    );
    CREATE TABLE public.animals (name text);
    CREATE TABLE public.dogs (bark text) INHERITS (public.animals);
    CREATE VIEW public.titles AS SELECT d.title, e.part FROM public.documents d JOIN public.embeddings e ON e.document_id = d.id;
    CREATE MATERIALIZED VIEW public.dear AS SELECT id, price FROM public.documents WHERE price > 10;
    CREATE UNIQUE INDEX dear_id ON public.dear (id);
    CREATE SEQUENCE public.tickets AS integer START 100 INCREMENT -5 MINVALUE -10 MAXVALUE 100 CYCLE;
    CREATE TRIGGER touched BEFORE UPDATE OF title ON public.documents FOR EACH ROW EXECUTE FUNCTION public.touch();
    CREATE TRIGGER asleep BEFORE INSERT ON public.documents FOR EACH ROW EXECUTE FUNCTION public.touch();
    ALTER TABLE public.documents DISABLE TRIGGER asleep;
    ALTER TABLE public.documents ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own_tenant ON public.documents FOR SELECT USING (tenant = 1);
    CREATE TABLE "Odd ""one"".é"."The.table" ("a ""b"".c" integer PRIMARY KEY, "select" ext.vector(2));
    CREATE INDEX "An ""index"".x" ON "Odd ""one"".é"."The.table" (("a ""b"".c" + 1)) WHERE "a ""b"".c" > 0;
    CREATE TEMPORARY TABLE passing (id int);
    CREATE SCHEMA rbk;
    CREATE TABLE rbk.markers (id int);
"#;

async fn shop() -> Server {
    let server = Server::start().await;
    server.sql(SHOP).await;
    server
}

async fn read(server: &Server) -> Catalog {
    server.session().await.catalog().await.unwrap()
}

/// The same without what is for people only.
pub fn without_figures(mut catalog: Catalog) -> Catalog {
    catalog.bytes = 0;
    for schema in catalog.schemas.values_mut() {
        for table in schema.tables.values_mut() {
            table.rows = 0;
            table.bytes = 0;
            for index in table.indexes.values_mut() {
                index.bytes = 0;
            }
        }
    }
    catalog
}

fn table<'a>(schema: &'a Schema, name: &str) -> &'a Table {
    schema.tables.get(name).unwrap()
}

fn index<'a>(table: &'a Table, name: &str) -> &'a Index {
    table.indexes.get(name).unwrap()
}

fn keys<T>(map: &BTreeMap<String, T>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn schemas_and_extensions_are_read_without_what_is_not_the_users() {
    let server = shop().await;
    let catalog = read(&server).await;
    assert!(
        catalog.server_version.starts_with(char::is_numeric),
        "{}",
        catalog.server_version
    );
    assert!(catalog.shared_buffers >= 1 << 17 && catalog.bytes > 1 << 20);
    assert_eq!(keys(&catalog.extensions), ["vector"]);
    assert_eq!(catalog.extensions["vector"].schema, "ext");
    assert!(!catalog.extensions["vector"].version.is_empty());
    assert_eq!(keys(&catalog.schemas), ["Odd \"one\".é", "ext", "public"]);
    let ext = &catalog.schemas["ext"];
    assert!(ext.functions.is_empty() && ext.types.is_empty() && ext.tables.is_empty());
    let public = &catalog.schemas["public"];
    assert_eq!(public.comment.as_deref(), Some("the shop's own"));
    assert_eq!(
        keys(&public.tables),
        [
            "animals",
            "documents",
            "dogs",
            "embeddings",
            "events",
            "events_new",
            "events_new_0",
            "events_old",
            "notes"
        ]
    );
    assert_eq!(
        public.types,
        [
            (
                "email",
                r#"DOMAIN text COLLATE "C" NOT NULL CONSTRAINT has_at CHECK ((VALUE ~~ '%@%'::text))"#
            ),
            ("mood", "ENUM ('so ''so''', 'glad')"),
            ("point3", r#"COMPOSITE (x double precision, "Y z" text COLLATE "C")"#),
            ("span", "RANGE (SUBTYPE = integer)"),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into()
    );
    assert_eq!(
        keys(&public.functions),
        ["tidy(text)", "total(integer)", "touch()", "twice(integer)"]
    );
    assert!(public.functions.values().all(|hash| hash.len() == 64));
}

#[tokio::test]
async fn columns_are_read_as_they_would_be_written() {
    let catalog = read(&shop().await).await;
    let documents = table(&catalog.schemas["public"], "documents");
    let lines: Vec<String> = documents
        .columns
        .iter()
        .map(|c| {
            format!(
                "{} {}{} default {:?} generated {:?} {:?} {:?}",
                c.name,
                c.ty,
                if c.not_null { " not null" } else { "" },
                c.default,
                c.generated,
                c.identity,
                c.collation
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "id bigint not null default None generated None Some(Always) None",
            "tenant integer not null default None generated None None None",
            r#"title text not null default Some("'it''s new'::text") generated None None Some("\"C\"")"#,
            r#"mood public.mood default Some("'glad'::public.mood") generated None None None"#,
            "price numeric(10,2) default None generated None None None",
            r#"words tsvector default None generated Some("to_tsvector('english'::regconfig, title)") None None"#,
            r#"created_at timestamp with time zone not null default Some("now()") generated None None None"#,
        ]
    );
    assert_eq!(documents.columns[0].identity, Some(Identity::Always));
    assert_eq!(documents.primary_key(), ["id"]);
    let embeddings = table(&catalog.schemas["public"], "embeddings");
    let vector = embeddings.column("embedding_vector").unwrap();
    assert_eq!(vector.ty, "ext.vector(3)");
}

#[tokio::test]
async fn constraints_are_read_with_what_they_are_of() {
    let catalog = read(&shop().await).await;
    let public = &catalog.schemas["public"];
    let documents = table(public, "documents");
    let kinds: BTreeMap<_, _> = documents
        .constraints
        .iter()
        .map(|(name, c)| (name.as_str(), (c.kind, c.columns.join(","))))
        .collect();
    assert_eq!(
        kinds,
        [
            (
                "documents_int4range_excl",
                (ConstraintKind::Exclusion, "".to_owned())
            ),
            (
                "documents_pkey",
                (ConstraintKind::PrimaryKey, "id".to_owned())
            ),
            (
                "documents_price_check",
                (ConstraintKind::Check, "price".to_owned())
            ),
            (
                "documents_tenant_title_price_key",
                (ConstraintKind::Unique, "tenant,title".to_owned())
            ),
        ]
        .into()
    );
    let exclusion = index(documents, "documents_int4range_excl");
    assert_eq!(
        exclusion.constraint.as_deref(),
        Some("documents_int4range_excl")
    );
    assert_eq!(exclusion.columns, ["tenant", "price"]);

    let embeddings = table(public, "embeddings");
    let key = &embeddings.constraints["embeddings_document_id_fkey"];
    assert_eq!(
        key.definition,
        "FOREIGN KEY (document_id) REFERENCES public.documents(id) ON DELETE CASCADE"
    );
    // A key to a partitioned table is one key, not one more for each partition.
    let notes = table(public, "notes");
    assert_eq!(keys(&notes.constraints), ["notes_tenant_at_fkey"]);
    let references = notes.constraints["notes_tenant_at_fkey"]
        .references
        .as_ref()
        .unwrap();
    assert_eq!(references.table, name("public.events"));
    assert_eq!(references.columns, ["tenant", "at"]);
    assert!(references.match_full);
}

#[tokio::test]
async fn indexes_know_each_column_that_they_read() {
    let catalog = read(&shop().await).await;
    let public = &catalog.schemas["public"];
    let embeddings = table(public, "embeddings");
    let hnsw = index(embeddings, "embeddings_hnsw");
    assert_eq!(
        hnsw.definition,
        "CREATE INDEX embeddings_hnsw ON public.embeddings USING hnsw (embedding_vector ext.vector_cosine_ops) \
         WITH (m='24', ef_construction='100')"
    );
    assert_eq!(
        (hnsw.method.as_str(), hnsw.unique, hnsw.invalid),
        ("hnsw", false, false)
    );
    assert_eq!(hnsw.columns, ["embedding_vector"]);
    assert!(hnsw.bytes > 0);
    assert_eq!(index(embeddings, "embeddings_ivf").method, "ivfflat");
    assert_eq!(
        index(embeddings, "partial").columns,
        ["part", "document_id"]
    );
    assert_eq!(
        index(embeddings, "embeddings_pkey").constraint.as_deref(),
        Some("embeddings_pkey")
    );
    let documents = table(public, "documents");
    let expression = index(documents, "expression");
    assert_eq!(expression.columns, ["tenant", "title", "price"]);
    assert!(expression.unique && expression.constraint.is_none());
    assert_eq!(
        index(documents, "including").columns,
        ["created_at", "mood", "tenant"]
    );
    assert_eq!(public.views["dear"].indexes["dear_id"].columns, ["id"]);

    let odd = &catalog.schemas["Odd \"one\".é"];
    let odd = index(table(odd, "The.table"), "An \"index\".x");
    assert_eq!(odd.columns, ["a \"b\".c"]);
}

#[tokio::test]
async fn an_index_left_by_a_cancelled_build_is_invalid() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.t AS SELECT 1 AS id FROM generate_series(1, 2)")
        .await;
    let client = server.administrator().connect().await.unwrap();
    client
        .execute(
            "CREATE UNIQUE INDEX CONCURRENTLY broken ON public.t (id)",
            &[],
        )
        .await
        .unwrap_err();
    let catalog = read(&server).await;
    assert!(index(table(&catalog.schemas["public"], "t"), "broken").invalid);
}

#[tokio::test]
async fn partitions_and_heirs_know_their_parents() {
    let server = shop().await;
    server
        .sql("INSERT INTO public.events SELECT n, '2026-02-01', repeat('x', 1000) FROM generate_series(1, 500) n; ANALYZE public.events")
        .await;
    let catalog = read(&server).await;
    let public = &catalog.schemas["public"];
    let events = table(public, "events");
    assert_eq!(events.partitioned.as_deref(), Some("RANGE (at)"));
    assert_eq!(events.partition, None);
    let middle = table(public, "events_new");
    assert_eq!(middle.partitioned.as_deref(), Some("HASH (tenant)"));
    assert_eq!(
        middle.partition,
        Some(Partition {
            of: name("public.events"),
            bound: "DEFAULT".into()
        })
    );
    let leaf = table(public, "events_new_0");
    assert_eq!(
        leaf.partition,
        Some(Partition {
            of: name("public.events_new"),
            bound: "FOR VALUES WITH (modulus 1, remainder 0)".into()
        })
    );
    assert_eq!((leaf.rows, middle.rows, events.rows), (500, 500, 500));
    assert!(leaf.bytes > 500_000 && events.bytes > leaf.bytes);

    let whole = index(events, " ON ONLY ");
    assert_eq!(
        whole.definition,
        "CREATE INDEX \" ON ONLY \" ON ONLY public.events USING btree (note) WHERE (note <> ' ON ONLY '::text)"
    );
    let part = leaf
        .indexes
        .iter()
        .find(|(_, i)| i.columns == ["note"])
        .unwrap();
    let of = middle
        .indexes
        .iter()
        .find(|(_, i)| i.columns == ["note"])
        .unwrap();
    assert_eq!(part.1.part_of.as_ref(), Some(of.0));
    assert_eq!(of.1.part_of.as_deref(), Some(" ON ONLY "));

    assert_eq!(table(public, "dogs").inherits, [name("public.animals")]);
    assert_eq!(table(public, "dogs").partition, None);
}

#[tokio::test]
async fn views_sequences_triggers_and_policies_are_read() {
    let catalog = read(&shop().await).await;
    let public = &catalog.schemas["public"];
    let titles = &public.views["titles"];
    assert_eq!(
        titles.reads,
        [
            "public.documents.id",
            "public.documents.title",
            "public.embeddings.document_id",
            "public.embeddings.part"
        ]
        .map(column)
    );
    assert!(
        titles.definition.contains("public.documents d"),
        "{}",
        titles.definition
    );
    assert!(public.views["dear"].materialized && !titles.materialized);

    let owners: Vec<_> = public
        .sequences
        .iter()
        .map(|(name, s)| (name.as_str(), s.ty.as_str(), s.owner.clone()))
        .collect();
    assert_eq!(
        owners,
        [
            (
                "documents_id_seq",
                "bigint",
                Some(column("public.documents.id"))
            ),
            (
                "embeddings_id_seq",
                "integer",
                Some(column("public.embeddings.id"))
            ),
            ("tickets", "integer", None),
        ]
    );
    let tickets = &public.sequences["tickets"];
    assert_eq!(
        (
            tickets.start,
            tickets.increment,
            tickets.min,
            tickets.max,
            tickets.cycle
        ),
        (100, -5, -10, 100, true)
    );

    let documents = table(public, "documents");
    assert_eq!(
        documents.triggers["touched"],
        "CREATE TRIGGER touched BEFORE UPDATE OF title ON public.documents FOR EACH ROW EXECUTE FUNCTION public.touch()"
    );
    assert!(documents.triggers["asleep"].ends_with("/* disabled */"));
    assert!(table(public, "embeddings").triggers.is_empty());
    assert_eq!(
        documents.policies,
        [
            ("(row level security)", "ENABLED"),
            (
                "own_tenant",
                "PERMISSIVE FOR SELECT TO PUBLIC USING ((tenant = 1))"
            ),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into()
    );
}

#[tokio::test]
async fn grants_are_read_without_the_owners() {
    let server = shop().await;
    let app = server.role("app").await.role;
    server
        .sql(&format!(
            "GRANT USAGE ON SCHEMA ext TO PUBLIC; \
             REVOKE ALL ON public.documents, public.tickets FROM {app}; \
             GRANT SELECT, INSERT ON public.documents TO {app} WITH GRANT OPTION; \
             GRANT UPDATE (title) ON public.documents TO {app}; \
             GRANT USAGE ON SEQUENCE public.tickets TO {app}; \
             GRANT SELECT ON public.titles TO PUBLIC; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {app}; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {app}; \
             ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO {app}"
        ))
        .await;
    let catalog = read(&server).await;
    let set = |privileges: &[&str]| {
        privileges
            .iter()
            .map(|p| (*p).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        catalog.schemas["ext"].grants,
        [("PUBLIC".to_owned(), set(&["USAGE"]))].into()
    );
    let public = &catalog.schemas["public"];
    assert_eq!(public.grants[&app], set(&["CREATE", "USAGE"]));
    assert_eq!(
        table(public, "documents").grants,
        [(app.clone(), set(&["INSERT*", "SELECT*", "UPDATE (title)"]))].into()
    );
    assert_eq!(
        public.sequences["tickets"].grants,
        [(app.clone(), set(&["USAGE"]))].into()
    );
    assert_eq!(public.views["titles"].grants["PUBLIC"], set(&["SELECT"]));
    let defaults: Vec<_> = public
        .default_privileges
        .iter()
        .map(|d| {
            (
                d.creator.as_str(),
                d.objects.as_str(),
                d.grants[&app].clone(),
            )
        })
        .collect();
    assert_eq!(
        defaults,
        [
            ("master", "SEQUENCES", set(&["USAGE"])),
            ("master", "TABLES", set(&["SELECT"]))
        ]
    );
}

#[tokio::test]
async fn nothing_that_a_database_or_a_role_has_set_changes_the_text() {
    let server = shop().await;
    let before = read(&server).await;
    server
        .sql(&format!(
            "ALTER DATABASE {0} SET search_path = public, ext; ALTER DATABASE {0} SET quote_all_identifiers = on; \
             ALTER DATABASE {0} SET \"DateStyle\" = 'German'; ALTER DATABASE {0} SET default_transaction_read_only = on; \
             ALTER DATABASE {0} SET \"IntervalStyle\" = 'iso_8601'; ALTER DATABASE {0} SET extra_float_digits = -10",
            server.database
        ))
        .await;
    assert_eq!(read(&server).await, before);
}

#[tokio::test]
async fn a_dropped_index_is_made_again_from_its_definition() {
    let server = shop().await;
    let before = read(&server).await;
    let client = server.administrator().connect().await.unwrap();
    let quoted = |schema: &str, name: &str| {
        format!(
            "\"{}\".\"{}\"",
            schema.replace('"', "\"\""),
            name.replace('"', "\"\"")
        )
    };
    let mut made = 0;
    for (schema_name, schema) in &before.schemas {
        let tables = schema.tables.values().map(|t| &t.indexes);
        let views = schema.views.values().map(|v| &v.indexes);
        let all: Vec<(&String, &Index)> = tables.chain(views).flatten().collect();
        for (index_name, index) in &all {
            if index.constraint.is_some() || index.part_of.is_some() {
                continue;
            }
            let mut family = vec![(*index_name, *index)];
            let mut next = 0;
            while next < family.len() {
                let parent = family[next].0;
                family.extend(
                    all.iter()
                        .filter(|(_, i)| i.part_of.as_ref() == Some(parent)),
                );
                next += 1;
            }
            let drop = format!("DROP INDEX {}", quoted(schema_name, index_name));
            client.batch_execute(&drop).await.unwrap();
            for (_, index) in &family {
                client.batch_execute(&index.definition).await.unwrap();
            }
            for (name, index) in family.iter().rev() {
                if let Some(parent) = &index.part_of {
                    let attach = format!(
                        "ALTER INDEX {} ATTACH PARTITION {}",
                        quoted(schema_name, parent),
                        quoted(schema_name, name)
                    );
                    client.batch_execute(&attach).await.unwrap();
                }
            }
            made += family.len();
        }
    }
    assert_eq!(made, 11);
    assert_eq!(
        without_figures(read(&server).await),
        without_figures(before)
    );
}

#[tokio::test]
async fn indexes_are_found_by_name() {
    let server = shop().await;
    let session = server.session().await;
    let facts = |name_: &str, table: TableName| IndexFacts {
        name: name_.into(),
        table,
        definition: String::new(),
    };
    let odd = TableName {
        schema: "Odd \"one\".é".into(),
        table: "The.table".into(),
    };
    let found = session
        .indexes(&[
            facts("gone", name("public.documents")),
            facts("partial", name("public.embeddings")),
            facts("An \"index\".x", odd),
            facts("partial", name("ext.embeddings")),
            // A table's name is no index's.
            facts("documents", name("public.documents")),
        ])
        .await
        .unwrap();
    let catalog = read(&server).await;
    assert_eq!(
        found,
        [
            None,
            Some(index(table(&catalog.schemas["public"], "embeddings"), "partial").definition.clone()),
            Some(r#"CREATE INDEX "An ""index"".x" ON "Odd ""one"".é"."The.table" USING btree ((("a ""b"".c" + 1))) WHERE ("a ""b"".c" > 0)"#.to_owned()),
            None,
            None,
        ]
    );
}

#[tokio::test]
async fn a_size_is_that_of_the_table_with_its_indexes_and_partitions() {
    let server = shop().await;
    let session = server.session().await;
    let empty = session.size(Some(&name("public.events"))).await.unwrap();
    server
        .sql("INSERT INTO public.events SELECT n, '2026-02-01', repeat('x', 1000) FROM generate_series(1, 500) n")
        .await;
    let full = session.size(Some(&name("public.events"))).await.unwrap();
    assert!(full > empty + 500_000, "{empty} {full}");
    assert!(session.size(None).await.unwrap() > full);
    let gone = session.size(Some(&name("public.gone"))).await.unwrap_err();
    assert_eq!(gone.kind, PortErrorKind::NotFound, "{gone}");
}

#[tokio::test]
async fn a_locked_table_is_read_without_its_size() {
    let server = shop().await;
    let holder = server.administrator().connect().await.unwrap();
    holder
        .batch_execute("BEGIN; LOCK TABLE public.animals")
        .await
        .unwrap();
    let catalog = read(&server).await;
    assert!(catalog.table(&name("public.animals")).is_some());
}

#[tokio::test]
async fn a_thousand_tables_are_read_in_a_moment() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.parent (id bigint PRIMARY KEY); \
             DO $$ BEGIN FOR n IN 1..1000 LOOP EXECUTE format( \
               'CREATE TABLE public.t%s (id bigserial PRIMARY KEY, parent bigint REFERENCES public.parent, a text, b text, \
                  c timestamptz DEFAULT now(), d jsonb); CREATE INDEX ON public.t%1$s (a, b) WHERE c IS NOT NULL', n); \
             END LOOP; END $$",
        )
        .await;
    let session = server.session().await;
    let begun = Instant::now();
    let catalog = session.catalog().await.unwrap();
    let took = begun.elapsed();
    println!("1,000 tables were read in {took:?}");
    assert_eq!(catalog.schemas["public"].tables.len(), 1001);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let begun = Instant::now();
    assert!(
        session
            .dependents(&["public".into()])
            .await
            .unwrap()
            .is_empty()
    );
    let took = begun.elapsed();
    println!("what depends on them was read in {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn what_stands_outside_and_would_go_is_named() {
    let server = shop().await;
    server
        .sql(
            "CREATE SCHEMA reports; \
             CREATE TABLE reports.own (id bigint PRIMARY KEY, mood public.mood, doc bigint REFERENCES public.documents, \
               n integer DEFAULT nextval('public.tickets'), near ext.vector(3)); \
             CREATE INDEX own_near ON reports.own USING hnsw (near ext.vector_l2_ops); \
             CREATE VIEW reports.totals AS SELECT count(*), max(d.title) FROM public.documents d, reports.own o WHERE d.id = o.id; \
             CREATE VIEW reports.over AS SELECT * FROM reports.totals; \
             CREATE MATERIALIZED VIEW reports.kept AS SELECT name FROM public.animals; \
             CREATE FUNCTION reports.f(public.mood) RETURNS int LANGUAGE sql AS 'SELECT 1'; \
             CREATE TABLE reports.cats (purr text) INHERITS (public.animals); \
             CREATE TABLE reports.events_first PARTITION OF public.events \
               FOR VALUES FROM ('2026-05-01') TO ('2026-06-01'); \
             CREATE TABLE reports.watched (id int); \
             CREATE TRIGGER watch BEFORE INSERT ON reports.watched FOR EACH ROW EXECUTE FUNCTION public.touch(); \
             CREATE POLICY doubled ON reports.watched USING (id = public.twice(1)); \
             CREATE PUBLICATION feed FOR TABLE public.documents, reports.watched",
        )
        .await;
    let session = server.session().await;
    let lines = session.dependents(&["public".into()]).await.unwrap();
    assert_eq!(
        lines,
        [
            "column reports.own.mood is of type public.mood",
            "constraint own_doc_fkey on reports.own refers to public.documents",
            "default for reports.own.n uses sequence public.tickets",
            "function reports.f(public.mood) uses type public.mood",
            "materialized view reports.kept reads public.animals",
            "policy doubled on reports.watched uses function public.twice(integer)",
            "published table public.documents in publication feed",
            "table reports.cats is a part of public.animals",
            "table reports.events_first is a part of public.events",
            "trigger watch on reports.watched uses function public.touch()",
            "view reports.over reads reports.totals",
            "view reports.totals reads public.documents",
        ]
    );
    let lines = session.dependents(&["ext".into()]).await.unwrap();
    assert_eq!(
        lines,
        [
            "column \"Odd \"\"one\"\".é\".\"The.table\".\"select\" is of type ext.vector",
            "column public.embeddings.embedding_vector is of type ext.vector",
            "column reports.own.near is of type ext.vector",
        ]
    );

    // What is said is what Postgres does.
    let before = read(&server).await;
    server.sql("DROP SCHEMA public CASCADE").await;
    let mut after = read(&server).await;
    let reports = &after.schemas["reports"];
    assert!(reports.views.is_empty() && reports.functions.is_empty());
    assert_eq!(keys(&reports.tables), ["own", "watched"]);
    let own = table(reports, "own");
    assert_eq!(keys(&own.constraints), ["own_pkey"]);
    assert_eq!(
        own.columns
            .iter()
            .map(|c| c.name.as_str())
            .collect::<Vec<_>>(),
        ["id", "doc", "n", "near"]
    );
    assert_eq!(own.column("n").unwrap().default, None);
    assert!(
        table(reports, "watched").triggers.is_empty()
            && table(reports, "watched").policies.is_empty()
    );
    assert_eq!(
        after.schemas.remove("ext"),
        before.schemas.get("ext").cloned()
    );
    server.sql("DROP SCHEMA ext CASCADE").await;
    let after = read(&server).await;
    assert_eq!(keys(&after.extensions), Vec::<&str>::new());
    assert_eq!(table(&after.schemas["reports"], "own").column("near"), None);
}

#[tokio::test]
async fn a_plain_schema_has_nobody_outside() {
    let server = shop().await;
    let session = server.session().await;
    // The columns of `public` that are vectors stand outside of `ext`.
    assert_eq!(
        session
            .dependents(&["public".into(), "ext".into(), "Odd \"one\".é".into()])
            .await
            .unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(session.dependents(&[]).await.unwrap(), Vec::<String>::new());
    assert_eq!(
        session.dependents(&["nowhere".into()]).await.unwrap(),
        Vec::<String>::new()
    );
}
