//! Copying tables from one database to another.

use crate::server::{Server, Told, table};
use rbk_core::ids::{ActionId, RunId};
use rbk_core::plan::{CopiedColumn, CopiedTable, TablePair};
use rbk_core::ports::{CopyFacts, Marker, PortError, PortErrorKind, Postgres, Progress, Sent};
use rbk_postgres::Limits;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Two databases on one server.
struct Pair {
    source: Server,
    target: Server,
}

impl Pair {
    async fn start(source: &str, target: &str) -> Self {
        let pair = Self {
            source: Server::start().await,
            target: Server::start().await,
        };
        pair.source.sql(source).await;
        pair.target.sql(target).await;
        pair
    }

    /// The same tables on both sides, and rows on one.
    async fn alike(tables: &str, rows: &str) -> Self {
        let pair = Self::start(tables, tables).await;
        pair.source.sql(rows).await;
        pair
    }

    async fn copy(&self, tables: &[CopiedTable]) -> Result<CopyFacts, PortError> {
        self.copy_telling(tables, &Told::default()).await
    }

    async fn copy_telling(
        &self,
        tables: &[CopiedTable],
        progress: &dyn Progress,
    ) -> Result<CopyFacts, PortError> {
        let (from, to) = (self.source.login(), self.target.login());
        self.source
            .connector()
            .copy(&from, &to, tables, &marker(), progress)
            .await
    }

    /// Rows of a table of the target.
    async fn rows(&self, name: &str) -> u64 {
        let session = self.target.session().await;
        session.count(&table(name)).await.unwrap()
    }

    /// Fails where a table isn't the same on both sides.
    async fn assert_equal(&self, tables: &[CopiedTable]) {
        let pairs: Vec<TablePair> = tables
            .iter()
            .map(|copied| TablePair {
                left: copied.table.clone(),
                right: copied.table.clone(),
                columns: copied
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .collect(),
            })
            .collect();
        let (left, right) = (self.source.login(), self.target.login());
        let connector = self.source.connector();
        let told = Told::default();
        let found = connector
            .compare(&left, &right, &pairs, &told)
            .await
            .unwrap();
        for finding in found {
            assert!(finding.is_equal(), "{finding:?}");
        }
    }
}

fn marker() -> Marker {
    Marker {
        run: RunId::from("run-1"),
        action: ActionId::from("1.2"),
        part: None,
        epoch: 1,
    }
}

fn copied(name: &str, columns: &[&str]) -> CopiedTable {
    CopiedTable {
        table: table(name),
        only: false,
        columns: columns
            .iter()
            .map(|column| CopiedColumn {
                name: (*column).to_owned(),
                cast: None,
            })
            .collect(),
        bytes: 8192,
    }
}

fn cast(mut table: CopiedTable, column: &str, to: &str) -> CopiedTable {
    for copied in table
        .columns
        .iter_mut()
        .filter(|copied| copied.name == column)
    {
        copied.cast = Some(to.to_owned());
    }
    table
}

/// Every table of the database that isn't a partition, with its columns that aren't generated.
async fn all_tables(server: &Server) -> Vec<CopiedTable> {
    let client = server.administrator().connect().await.unwrap();
    let rows = client
        .query(
            "SELECT n.nspname::text, c.relname::text, \
               array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '') \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
               AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'rbk') \
             GROUP BY 1, 2 ORDER BY 2",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let (schema, name): (String, String) = (row.get(0), row.get(1));
            let columns: Vec<String> = row.get(2);
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            copied(&format!("{schema}.{name}"), &columns)
        })
        .collect()
}

/// The schemas that drills create, with every type that is in them; tables in the order of their names, so that foreign keys
/// point both ways.
#[tokio::test]
async fn the_drills_databases_are_copied_whole() {
    let drills = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks/drill");
    for (drill, tables) in [("statistagpt", 7), ("parcels", 7)] {
        let read = |file: &str| std::fs::read_to_string(drills.join(drill).join(file)).unwrap();
        let schema = format!(
            "DO $$ BEGIN CREATE ROLE sgpt_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$; {}",
            read("schema.sql")
        );
        let pair = Pair::alike(
            &schema,
            &read("rows.sql").replace(":from", "1").replace(":to", "300"),
        )
        .await;
        let all = all_tables(&pair.source).await;
        assert_eq!(all.len(), tables, "{drill}");
        // What the schema itself puts there.
        for name in ["sources", "products"] {
            for copied in all.iter().filter(|copied| copied.table.table == name) {
                let truncate = format!("TRUNCATE {} CASCADE", copied.table);
                pair.target.sql(&truncate).await;
            }
        }
        let told = Told::default();
        let facts = pair.copy_telling(&all, &told).await.unwrap();
        assert_eq!(facts.tables, tables as u64);
        assert!(facts.rows > 1000 && facts.bytes > 100_000, "{facts:?}");
        pair.assert_equal(&all).await;
        // Generated columns, too, which nobody copied.
        let digests = async |server: &Server| {
            rbk_postgres::inspect::digest_tables(&mut server.superuser().await)
                .await
                .unwrap()
        };
        assert_eq!(digests(&pair.source).await, digests(&pair.target).await);
        let told = told.all();
        let (_, done, total) = told.last().unwrap();
        assert_eq!(done, total);
        assert!(told.is_sorted_by_key(|(_, done, _)| *done));
        assert!(told[0].0.starts_with("copying "), "{told:?}");
    }
}

#[tokio::test]
async fn types_whose_numbers_differ_between_databases_are_copied() {
    let types = "CREATE TYPE public.mood AS ENUM ('good', 'bad'); CREATE TYPE public.point3 AS (x int, mood public.mood); \
                 CREATE DOMAIN public.short AS text CHECK (length(VALUE) < 5); \
                 CREATE TYPE public.span AS RANGE (subtype = float8); CREATE EXTENSION vector; \
                 CREATE TABLE public.t (id int GENERATED ALWAYS AS IDENTITY, m public.mood, ms public.mood[], p public.point3, \
                   ps public.point3[], s public.short, ss public.short[], r public.span, rs public.span_multirange, \
                   v vector(2)[], h halfvec(2), n numeric(8, 3), x bit(3), xs varbit, i inet, u uuid, j json, at time, z timetz, \
                   b bytea, o oid, ts tsvector, w xml, twice int GENERATED ALWAYS AS (id * 2) STORED)";
    let pair = Pair {
        source: Server::start().await,
        target: Server::start().await,
    };
    pair.source.sql(types).await;
    // Other numbers for the same names.
    pair.target
        .sql("CREATE TYPE public.before AS ENUM ('x'); CREATE TABLE public.earlier (id int)")
        .await;
    pair.target.sql(types).await;
    pair.source
        .sql(
            "INSERT INTO public.t (m, ms, p, ps, s, ss, r, rs, v, h, n, x, xs, i, u, j, at, z, b, o, ts) VALUES \
               ('bad', '{good,NULL,bad}', '(1,good)', ARRAY[ROW(NULL, 'bad')::public.point3, NULL], 'abcd', '{a,b}', \
                '[0.1,0.2)', '{[1,2),[3,4)}', ARRAY['[1,2]'::vector(2)], '[0.5,1]', 12345.678, '101', '1', '10.0.0.0/8', \
                gen_random_uuid(), '{\"a\":  1}', '12:00:00.000001', '12:00+05:30', '\\x00ff', 4294967295, 'a:1 b:2'), \
               (NULL, '{}', NULL, NULL, '', '{}', 'empty', '{}', '{}', NULL, 'NaN', NULL, '', '::1', NULL, 'null', '24:00', \
                NULL, '', 0, '')",
        )
        .await;
    let all = all_tables(&pair.source).await;
    let facts = pair.copy(&all).await.unwrap();
    assert_eq!((facts.tables, facts.rows), (1, 2));
    pair.assert_equal(&all).await;
}

/// Some types have no binary form.
#[tokio::test]
async fn a_table_with_a_type_without_binary_form_is_copied_as_text() {
    let tables = "CREATE TABLE public.t (id int, acl aclitem[], f float8, a text, b bytea)";
    let pair = Pair::alike(
        tables,
        "INSERT INTO public.t SELECT g, ARRAY[makeaclitem(10, 10, 'SELECT', true)], random(), \
           E'tab\\t back\\\\ line\\n \\\\. \\\\N' || g, '\\x00010a5c' FROM generate_series(1, 5000) g; \
         INSERT INTO public.t VALUES (NULL, NULL, 'NaN', '\\N', ''), (0, '{}', '-Infinity', '', NULL)",
    )
    .await;
    let all = all_tables(&pair.source).await;
    assert_eq!(pair.copy(&all).await.unwrap().rows, 5002);
    pair.assert_equal(&all).await;
}

#[tokio::test]
async fn the_source_casts_where_types_differ() {
    let source = "CREATE EXTENSION vector; CREATE TABLE public.t (id int, v vector(3), c char(5), n text); \
                  INSERT INTO public.t SELECT g, ARRAY[g, 0.1, g / 7.0]::vector, 'ab', g || '.5' FROM generate_series(1, 100) g";
    let target = "CREATE EXTENSION vector; CREATE TABLE public.t (id bigint, v text, c varchar(5), n numeric(5, 1))";
    let pair = Pair::start(source, target).await;
    let there = cast(copied("public.t", &["id", "v", "c", "n"]), "v", "text");
    let there = cast(cast(there, "id", "bigint"), "n", "numeric(5,1)");
    let there = cast(there, "c", "character varying(5)");
    pair.copy(std::slice::from_ref(&there)).await.unwrap();
    let same = copied("public.t", &["id", "v", "n"]);
    pair.assert_equal(&[same]).await;

    // And back again: the name of a type needs no schema.
    let back = Pair {
        source: pair.target,
        target: Server::start().await,
    };
    back.target
        .sql("CREATE EXTENSION vector; CREATE TABLE public.t (id bigint, v vector(3))")
        .await;
    for name in ["vector(3)", "public.vector(3)"] {
        back.target
            .sql("TRUNCATE public.t; DROP SCHEMA IF EXISTS rbk CASCADE")
            .await;
        let copied = cast(copied("public.t", &["id", "v"]), "v", name);
        back.copy(&[copied]).await.unwrap();
        back.assert_equal(&[self::copied("public.t", &["id", "v"])])
            .await;
    }
}

#[tokio::test]
async fn partitions_may_differ_and_heirs_are_tables_of_their_own() {
    let source = "CREATE TABLE public.p (id int, k text) PARTITION BY HASH (id); \
                  CREATE TABLE public.p0 PARTITION OF public.p FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
                  CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
                  CREATE TABLE public.parent (id int, k text); CREATE TABLE public.heir () INHERITS (public.parent)";
    let target = "CREATE TABLE public.p (k text, id int) PARTITION BY RANGE (id); \
                  CREATE TABLE public.low PARTITION OF public.p FOR VALUES FROM (MINVALUE) TO (100); \
                  CREATE TABLE public.high PARTITION OF public.p DEFAULT; \
                  CREATE TABLE public.parent (id int, k text); CREATE TABLE public.heir () INHERITS (public.parent)";
    let pair = Pair::start(source, target).await;
    pair.source
        .sql(
            "INSERT INTO public.p SELECT g, 'k' || g FROM generate_series(1, 300) g; \
             INSERT INTO public.parent VALUES (1, 'own'); INSERT INTO public.heir VALUES (2, 'heir'), (3, 'heir')",
        )
        .await;
    let columns = ["id", "k"];
    let only = |name| CopiedTable {
        only: true,
        ..copied(name, &columns)
    };
    // The heir's rows are no reason to refuse its parent.
    let tables = [
        copied("public.heir", &columns),
        only("public.parent"),
        copied("public.p", &columns),
    ];
    let facts = pair.copy(&tables).await.unwrap();
    assert_eq!((facts.tables, facts.rows), (3, 303));
    pair.assert_equal(&tables).await;
    assert_eq!(pair.rows("public.low").await, 99);
}

#[tokio::test]
async fn tables_without_columns_and_hostile_names_are_copied() {
    let tables = "CREATE TABLE public.bare (); CREATE TABLE public.computed (n int GENERATED ALWAYS AS (7) STORED); \
                  CREATE SCHEMA \"a.b\"\"; --\"; \
                  CREATE TABLE \"a.b\"\"; --\".\"T ') \\\" (\"c \"\"1\"\"\" text, \"select\" text, \"ключ\" int)";
    let rows = "INSERT INTO public.bare SELECT FROM generate_series(1, 5); INSERT INTO public.computed SELECT FROM generate_series(1, 4); \
                INSERT INTO \"a.b\"\"; --\".\"T ') \\\" VALUES (E'\\\\000\\n', '\"', 1), (NULL, '\\.', NULL)";
    let pair = Pair::alike(tables, rows).await;
    let hostile = CopiedTable {
        table: rbk_core::environment::TableName {
            schema: "a.b\"; --".into(),
            table: "T ') \\".into(),
        },
        ..copied("x.y", &["ключ", "select", "c \"1\""])
    };
    let all = [
        copied("public.bare", &[]),
        copied("public.computed", &[]),
        hostile,
    ];
    let facts = pair.copy(&all).await.unwrap();
    assert_eq!(facts.rows, 11);
    pair.assert_equal(&all).await;
}

/// Foreign keys and triggers don't fire; constraints of the rows themselves hold.
#[tokio::test]
async fn triggers_stay_silent() {
    let tables = "CREATE TABLE public.a (id int PRIMARY KEY, b_id int); CREATE TABLE public.b (id int PRIMARY KEY, a_id int REFERENCES public.a); \
                  ALTER TABLE public.a ADD FOREIGN KEY (b_id) REFERENCES public.b; \
                  CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''fired''; END'; \
                  ";
    let pair = Pair::alike(
        tables,
        "INSERT INTO public.a VALUES (1, NULL); INSERT INTO public.b VALUES (1, 1); UPDATE public.a SET b_id = 1",
    )
    .await;
    pair.target
        .sql("CREATE TRIGGER fail BEFORE INSERT ON public.b FOR EACH ROW EXECUTE FUNCTION public.fail()")
        .await;
    let all = all_tables(&pair.source).await;
    assert_eq!(pair.copy(&all).await.unwrap().rows, 2);
    pair.assert_equal(&all).await;
    // Of later sessions nothing was changed.
    let error = pair.target.administrator().connect().await.unwrap();
    let fired = error
        .batch_execute("INSERT INTO public.b VALUES (9, 1)")
        .await;
    assert!(fired.is_err());
}

/// A trigger that fires even for replicas leaves a row out.
#[tokio::test]
async fn a_row_that_vanishes_on_its_way_is_noticed() {
    let pair = Pair::alike(
        "CREATE TABLE public.t (id int); \
         CREATE FUNCTION public.skip() RETURNS trigger LANGUAGE plpgsql AS \
           'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END'",
        "INSERT INTO public.t VALUES (1), (2), (3)",
    )
    .await;
    pair.target
        .sql(
            "CREATE TRIGGER skip BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.skip(); \
             ALTER TABLE public.t ENABLE ALWAYS TRIGGER skip",
        )
        .await;
    let error = pair.copy(&[copied("public.t", &["id"])]).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Statement);
    assert_eq!(error.sent, Sent::No);
    assert!(
        error.message.contains("3 rows were sent and 2 arrived"),
        "{error}"
    );
    assert_eq!(pair.rows("public.t").await, 0);
}

/// Everything that is known without reading a row is said at once, before anything is copied.
#[tokio::test]
async fn all_that_does_not_fit_is_said_first() {
    let pair = Pair::start(
        "CREATE TABLE public.good (id int); INSERT INTO public.good VALUES (1); \
         CREATE TABLE public.here (id int); \
         CREATE TABLE public.t (id int, gone int, n numeric(10, 2), v text, g int)",
        "CREATE TABLE public.good (id int); CREATE TABLE public.there (id int); \
         CREATE TABLE public.t (id bigint, n numeric(10, 1), v varchar(3), g int GENERATED ALWAYS AS (1) STORED, late int)",
    )
    .await;
    let tables = [
        copied("public.good", &["id"]),
        copied("public.here", &["id"]),
        copied("public.there", &["id"]),
        copied("public.nowhere", &["id"]),
        cast(
            cast(
                copied("public.t", &["id", "gone", "n", "v", "g", "late", "never"]),
                "v",
                "text",
            ),
            "id",
            "quux",
        ),
    ];
    let error = pair.copy(&tables).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
    assert_eq!(error.sent, Sent::No);
    for expected in [
        "`public.here` is missing in the target",
        "`public.there` is missing in the source",
        "`public.nowhere` is missing on both sides",
        "`public.t.id` should be cast to `quux`, and the source has no such type",
        "`public.t.gone` is missing in the target",
        "`public.t.n` is `numeric(10,2)` in the source and `numeric(10,1)` in the target",
        "`public.t.v` is `character varying(3)` in the target, and the plan casts it to `text`",
        "`public.t.g` is generated in the target",
        "`public.t.late` is missing in the source",
        "`public.t.never` is missing on both sides",
        "nothing was copied",
    ] {
        assert!(error.message.contains(expected), "{expected}: {error}");
    }
    assert_eq!(pair.rows("public.good").await, 0);
}

#[tokio::test]
async fn a_table_that_holds_rows_is_refused_and_stays_as_it_is() {
    let tables = "CREATE TABLE public.a (id int); CREATE TABLE public.b (id int)";
    let pair = Pair::alike(
        tables,
        "INSERT INTO public.a VALUES (1); INSERT INTO public.b VALUES (1), (2)",
    )
    .await;
    pair.target.sql("INSERT INTO public.b VALUES (1)").await;
    let tables = [copied("public.a", &["id"]), copied("public.b", &["id"])];
    let error = pair.copy(&tables).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
    assert!(error.message.contains("`public.b` holds rows"), "{error}");
    assert_eq!(
        (pair.rows("public.a").await, pair.rows("public.b").await),
        (0, 1)
    );
}

#[tokio::test]
async fn what_a_row_is_refused_for_is_said_and_nothing_of_its_table_is_kept() {
    let source = "CREATE TABLE public.t (id int, n int, v text)";
    let rows = "INSERT INTO public.t SELECT g, g, '[1,2,3]' FROM generate_series(1, 1000) g; \
                UPDATE public.t SET n = -1, v = '[1,2]' WHERE id = 700; CLUSTER public.t USING ord; DROP INDEX public.ord";
    for (target, column, kind, code) in [
        (
            "CREATE TABLE public.t (id int, n int CONSTRAINT positive CHECK (n > 0), v text)",
            None,
            "positive",
            "23514",
        ),
        (
            "CREATE TABLE public.t (id int, n int, v vector(3))",
            Some("column `v`"),
            "3 dimensions",
            "22000",
        ),
        (
            "CREATE TABLE public.t (id int, n int PRIMARY KEY, v text)",
            None,
            "t_pkey",
            "23505",
        ),
        (
            "CREATE TABLE public.t (id int, n int NOT NULL, v text)",
            None,
            "not-null",
            "23502",
        ),
    ] {
        let pair = Pair::start(
            &format!(
                "CREATE EXTENSION vector; {source}; CREATE INDEX ord ON public.t (id); {rows}"
            ),
            &format!("CREATE EXTENSION vector; {target}; CREATE TABLE public.before (id int)"),
        )
        .await;
        pair.source
            .sql("CREATE TABLE public.before (id int); INSERT INTO public.before VALUES (1)")
            .await;
        match code {
            "23505" => {
                pair.source
                    .sql("UPDATE public.t SET n = 1 WHERE id = 700")
                    .await
            }
            "23502" => {
                pair.source
                    .sql("UPDATE public.t SET n = NULL WHERE id = 700")
                    .await
            }
            _ => {}
        }
        let mut table = copied("public.t", &["id", "n", "v"]);
        if column.is_some() {
            table = cast(table, "v", "public.vector(3)");
        }
        let tables = [copied("public.before", &["id"]), table];
        let error = pair.copy(&tables).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Statement, "{error}");
        assert_eq!(error.code.as_deref(), Some(code), "{error}");
        assert_eq!(error.sent, Sent::No);
        assert!(error.doing.starts_with("copying `public.t`"), "{error}");
        for expected in [kind, "of the copy", "nothing of this table was copied"] {
            assert!(error.message.contains(expected), "{expected}: {error}");
        }
        assert!(error.message.contains(column.unwrap_or("row")), "{error}");
        assert_eq!(pair.rows("public.t").await, 0);
        assert_eq!(pair.rows("public.before").await, 1, "its own transaction");
    }
}

/// Far behind the first piece, so that rows of two commands count together.
#[tokio::test]
async fn a_large_table_is_taken_in_pieces_and_its_rows_are_numbered_through() {
    let tables = "CREATE TABLE public.t (id int, n int, v text)";
    let pair = Pair::alike(
        tables,
        "ALTER TABLE public.t ALTER v SET STORAGE EXTERNAL; \
         INSERT INTO public.t SELECT g, g, repeat('x', 100000) FROM generate_series(1, 1500) g",
    )
    .await;
    pair.target
        .sql("ALTER TABLE public.t ADD CONSTRAINT not_1234 CHECK (n <> 1234)")
        .await;
    let table = CopiedTable {
        bytes: 150_000_000,
        ..copied("public.t", &["id", "n", "v"])
    };
    let error = pair.copy(std::slice::from_ref(&table)).await.unwrap_err();
    assert!(error.message.contains("row 1234 of the copy"), "{error}");
    assert_eq!(pair.rows("public.t").await, 0);
    pair.target
        .sql("ALTER TABLE public.t DROP CONSTRAINT not_1234")
        .await;
    let facts = pair.copy(std::slice::from_ref(&table)).await.unwrap();
    assert_eq!(facts.rows, 1500);
    assert!(facts.bytes > 150_000_000);
    pair.assert_equal(&[table]).await;
}

#[tokio::test]
async fn what_was_copied_is_left_out_the_next_time() {
    let tables = "CREATE TABLE public.a (id int); CREATE TABLE public.b (id int CHECK (id > 0)); CREATE TABLE public.c (id int)";
    let pair = Pair::start(
        "CREATE TABLE public.a (id int); CREATE TABLE public.b (id int); CREATE TABLE public.c (id int)",
        tables,
    )
    .await;
    pair.source
        .sql("INSERT INTO public.a VALUES (1), (2); INSERT INTO public.b VALUES (-1); INSERT INTO public.c VALUES (1)")
        .await;
    let columns = &["id"];
    let tables = ["public.a", "public.b", "public.c"].map(|name| copied(name, columns));
    pair.copy(&tables).await.unwrap_err();
    let session = pair.target.session().await;
    let has = async |name: &str| {
        let marker = Marker {
            part: Some(name.to_owned()),
            ..marker()
        };
        session.has_marker(&marker).await.unwrap()
    };
    assert!(has("public.a").await);
    assert!(!has("public.b").await);

    pair.source.sql("UPDATE public.b SET id = 1").await;
    // A table that was copied may have been changed since, as the runbook has it.
    pair.target
        .sql("ALTER TABLE public.a ALTER id TYPE text")
        .await;
    let told = Told::default();
    let facts = pair.copy_telling(&tables, &told).await.unwrap();
    assert_eq!((facts.tables, facts.rows), (3, 2));
    assert!(
        told.all()
            .iter()
            .all(|(seen, ..)| !seen.contains("public.a"))
    );
    for (name, rows) in [("public.a", 2), ("public.b", 1), ("public.c", 1)] {
        assert_eq!(pair.rows(name).await, rows);
        assert!(has(name).await);
    }
    // Once more changes nothing.
    let facts = pair.copy(&tables).await.unwrap();
    assert_eq!((facts.tables, facts.rows, facts.bytes), (3, 0, 0));
    assert_eq!(pair.rows("public.a").await, 2);
}

/// Does something, once, as soon as some of a table has been copied.
struct Once<F> {
    table: &'static str,
    done: AtomicBool,
    act: F,
}

impl<F: Fn() + Send + Sync> Progress for Once<F> {
    fn tell(&self, seen: &str, _: u64, _: u64) {
        if seen.contains(self.table) && !self.done.swap(true, Ordering::SeqCst) {
            (self.act)();
        }
    }
}

/// Statements in the middle of a table of two.
async fn copied_while(
    pair: &Pair,
    table: &'static str,
    at: &Server,
    statements: &str,
) -> Result<CopyFacts, PortError> {
    let (at, statements) = (at.clone(), statements.to_owned());
    let once = Once {
        table,
        done: AtomicBool::new(false),
        act: move || {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(at.sql(&statements));
            });
        },
    };
    let result = pair
        .copy_telling(
            &[
                copied("public.a", &["id"]),
                copied("public.t", &["id", "v"]),
            ],
            &once,
        )
        .await;
    assert!(once.done.into_inner());
    result
}

const TWO: &str = "CREATE TABLE public.a (id int); CREATE TABLE public.t (id int, v text)";
const TWO_ROWS: &str = "INSERT INTO public.a VALUES (1); \
                        INSERT INTO public.t SELECT g, repeat('x', 10000) FROM generate_series(1, 5000) g";
const END_RBK: &str = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                       WHERE datname = current_database() AND application_name = 'rbk'";

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_is_ended_in_the_middle_leaves_whole_tables_and_can_go_on() {
    for source in [true, false] {
        let pair = Pair::alike(TWO, TWO_ROWS).await;
        let side = match source {
            true => &pair.source,
            false => &pair.target,
        };
        let error = copied_while(&pair, "public.t", side, END_RBK)
            .await
            .unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
        assert_eq!(
            error.sent,
            Sent::No,
            "nothing was committed meanwhile: {error}"
        );
        assert!(error.doing.contains(&side.database), "{error}");
        assert_eq!(pair.rows("public.t").await, 0);
        let tables = [
            copied("public.a", &["id"]),
            copied("public.t", &["id", "v"]),
        ];
        let facts = pair.copy(&tables).await.unwrap();
        assert_eq!(facts.rows, 5000, "the first was there already");
        pair.assert_equal(&tables).await;
    }
}

/// A constraint that looks at the commit, and ends its own session there.
#[tokio::test]
async fn a_session_that_ends_while_it_commits_is_an_outcome_that_nobody_knows() {
    let pair = Pair::alike(TWO, TWO_ROWS).await;
    let superuser = pair.target.superuser().await;
    superuser
        .batch_execute(
            "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \
               'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER die AFTER INSERT ON public.a DEFERRABLE INITIALLY DEFERRED \
               FOR EACH ROW EXECUTE FUNCTION public.die(); \
             ALTER TABLE public.a ENABLE ALWAYS TRIGGER die",
        )
        .await
        .unwrap();
    let table = [copied("public.a", &["id"])];
    let error = pair.copy(&table).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
    assert_eq!(error.sent, Sent::Maybe, "{error}");
    let session = pair.target.session().await;
    let part = Marker {
        part: Some("public.a".into()),
        ..marker()
    };
    assert!(!session.has_marker(&part).await.unwrap());
    superuser
        .batch_execute("DROP TRIGGER die ON public.a")
        .await
        .unwrap();
    assert_eq!(pair.copy(&table).await.unwrap().rows, 1);
}

/// All tables are of the instant at which the copy began.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_writes_meanwhile_is_not_copied_by_halves() {
    let pair = Pair::alike(TWO, TWO_ROWS).await;
    let insert = "INSERT INTO public.t SELECT 0, 'late' FROM generate_series(1, 100)";
    let facts = copied_while(&pair, "public.a", &pair.source, insert)
        .await
        .unwrap();
    assert_eq!(facts.rows, 5001);
    assert_eq!(pair.rows("public.t").await, 5000);
}

/// Between the look at all tables and the turn of the second.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_to_the_target_meanwhile_is_not_added_to() {
    let pair = Pair::alike(TWO, TWO_ROWS).await;
    let insert = "INSERT INTO public.t VALUES (0, 'early')";
    let error = copied_while(&pair, "public.a", &pair.target, insert)
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidRequest, "{error}");
    assert!(
        error.message.contains("somebody has written to it"),
        "{error}"
    );
    assert_eq!(pair.rows("public.a").await, 1);
    assert_eq!(pair.rows("public.t").await, 1);
}

#[tokio::test]
async fn a_role_that_may_not_silence_triggers_is_told_who_may() {
    let pair = Pair::alike(TWO, TWO_ROWS).await;
    let role = pair.target.role("copier").await;
    pair.target
        .sql(&format!(
            "GRANT CREATE ON DATABASE {} TO {}",
            pair.target.database, role.role
        ))
        .await;
    let error = pair
        .source
        .connector()
        .copy(
            &pair.source.login(),
            &role.login,
            &[copied("public.a", &["id"])],
            &marker(),
            &Told::default(),
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied, "{error}");
    assert!(error.message.contains("rds_superuser"), "{error}");
    assert_eq!(error.sent, Sent::No);
    assert_eq!(pair.rows("public.a").await, 0);
}

#[tokio::test]
async fn a_lock_on_a_table_is_a_state_that_may_pass() {
    let pair = Pair::alike(TWO, TWO_ROWS).await;
    let connector = pair.source.connector().with_limits(Limits {
        lock: Duration::from_millis(100),
        ..Limits::default()
    });
    let holder = pair.target.administrator().connect().await.unwrap();
    holder
        .batch_execute("BEGIN; INSERT INTO public.t VALUES (1, 'secret')")
        .await
        .unwrap();
    let tables = [
        copied("public.a", &["id"]),
        copied("public.t", &["id", "v"]),
    ];
    let (from, to) = (pair.source.login(), pair.target.login());
    let told = Told::default();
    let error = connector
        .copy(&from, &to, &tables, &marker(), &told)
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidState, "{error}");
    assert_eq!(error.sent, Sent::No);
    for expected in [
        "of `master` (`shop`)",
        "holds public.t",
        "INSERT INTO public.t",
    ] {
        assert!(error.message.contains(expected), "{expected}: {error}");
    }
    assert!(!error.message.contains("secret"), "{error}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    let facts = connector
        .copy(&from, &to, &tables, &marker(), &told)
        .await
        .unwrap();
    assert_eq!((facts.tables, facts.rows), (2, 5000));
}
