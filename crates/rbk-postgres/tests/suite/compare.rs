//! Comparing tables of two databases.

use crate::server::{Server, Told, table};
use rbk_core::plan::TablePair;
use rbk_core::ports::{PortErrorKind, Postgres, TableFinding};

/// Two databases, each with a table `public.t` of its own.
struct Pair {
    left: Server,
    right: Server,
}

impl Pair {
    async fn start(left: &str, right: &str) -> Self {
        let pair = Self {
            left: Server::start().await,
            right: Server::start().await,
        };
        pair.left.sql(left).await;
        pair.right.sql(right).await;
        pair
    }

    async fn compare(&self, name: &str, columns: &[&str]) -> TableFinding {
        let pair = TablePair {
            left: table(name),
            right: table(name),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
        };
        let [finding] = self.compare_all(&[pair]).await.try_into().unwrap();
        finding
    }

    async fn compare_all(&self, pairs: &[TablePair]) -> Vec<TableFinding> {
        let (left, right) = (self.left.login(), self.right.login());
        let connector = self.left.connector();
        connector
            .compare(&left, &right, pairs, &Told::default())
            .await
            .unwrap()
    }
}

const COLUMNS: &[&str] = &["id", "a", "b"];

/// Compares what these statements put into a table of three columns.
async fn compared(left: &str, right: &str) -> TableFinding {
    let create = "CREATE TABLE public.t (id int, a text, b text)";
    let pair = Pair::start(&format!("{create}; {left}"), &format!("{create}; {right}")).await;
    pair.compare("public.t", COLUMNS).await
}

const THREE: &str = "INSERT INTO public.t VALUES (1, 'x', 'y'), (2, 'z', NULL), (3, 'v', '')";

#[tokio::test]
async fn the_order_of_rows_does_not_matter() {
    let finding = compared(
        THREE,
        "INSERT INTO public.t VALUES (3, 'v', ''); INSERT INTO public.t VALUES (2, 'z', NULL), (1, 'x', 'y'), (4, '', ''); \
         DELETE FROM public.t WHERE id = 4",
    )
    .await;
    assert!(finding.is_equal(), "{finding:?}");
    assert_eq!(finding.left.unwrap().rows, 3);
}

#[tokio::test]
async fn every_difference_is_seen() {
    for (what, change) in [
        (
            "values swapped between rows",
            "UPDATE public.t SET a = CASE id WHEN 1 THEN 'z' WHEN 2 THEN 'x' ELSE a END",
        ),
        (
            "values swapped between columns",
            "UPDATE public.t SET a = b, b = a WHERE id = 1",
        ),
        (
            "a text moved over the border of columns",
            "UPDATE public.t SET a = 'x,y', b = '' WHERE id = 1",
        ),
        (
            "a row twice instead of another",
            "DELETE FROM public.t WHERE id = 3; INSERT INTO public.t VALUES (1, 'x', 'y')",
        ),
        (
            "two rows twice, which cancel each other out in an XOR",
            "INSERT INTO public.t SELECT * FROM public.t WHERE id < 3",
        ),
        ("NULL for ''", "UPDATE public.t SET b = NULL WHERE id = 3"),
        ("'' for NULL", "UPDATE public.t SET b = '' WHERE id = 2"),
        (
            "'NULL' for NULL",
            "UPDATE public.t SET b = 'NULL' WHERE id = 2",
        ),
        (
            "an escape for what it stands for",
            "UPDATE public.t SET b = '\\000' WHERE id = 3",
        ),
        (
            "a space at the end",
            "UPDATE public.t SET a = 'x ' WHERE id = 1",
        ),
        ("a row missing", "DELETE FROM public.t WHERE id = 3"),
    ] {
        let finding = compared(THREE, &format!("{THREE}; {change}")).await;
        assert!(!finding.is_equal(), "{what}");
        assert!(finding.left.is_some() && finding.right.is_some(), "{what}");
    }
}

/// Twice the same rows of one other duplicate: rows and an XOR of them are equal on both sides.
#[tokio::test]
async fn a_duplicate_is_not_another_duplicate() {
    let finding = compared(
        "INSERT INTO public.t VALUES (1, 'x', 'y'), (1, 'x', 'y')",
        "INSERT INTO public.t VALUES (2, 'z', 'w'), (2, 'z', 'w')",
    )
    .await;
    assert!(!finding.is_equal());
}

/// What isn't the same type is the same row where its text is the same.
#[tokio::test]
async fn rows_are_compared_as_text_by_column_name() {
    let pair = Pair::start(
        "CREATE EXTENSION vector; \
         CREATE TABLE public.t (id bigint GENERATED ALWAYS AS IDENTITY, v vector(3), j jsonb, d int, \
           twice int GENERATED ALWAYS AS (d * 2) STORED, dropped int); \
         ALTER TABLE public.t DROP dropped; \
         INSERT INTO public.t (v, j, d) SELECT ARRAY[g, g / 3.0, 1e-7]::vector(3), jsonb_build_object('b', g, 'a', '\"'), g \
         FROM generate_series(1, 500) g",
        "CREATE TABLE public.t (d numeric, j text, v text, twice bigint, id int)",
    )
    .await;
    let client = pair.left.administrator().connect().await.unwrap();
    let other = pair.right.administrator().connect().await.unwrap();
    for row in client
        .query(
            "SELECT d::text, j::text, v::text, twice::text, id::text FROM public.t",
            &[],
        )
        .await
        .unwrap()
    {
        let [d, j, v, twice, id]: [String; 5] = std::array::from_fn(|column| row.get(column));
        other
            .execute(
                "INSERT INTO public.t VALUES ($1::text::numeric, $2, $3, $4::text::bigint, $5::text::int)",
                &[&d, &j, &v, &twice, &id],
            )
            .await
            .unwrap();
    }
    let columns = ["id", "v", "j", "d", "twice"];
    let finding = pair.compare("public.t", &columns).await;
    assert!(finding.is_equal(), "{finding:?}");
    assert_eq!(finding.left.unwrap().rows, 500);
    pair.right
        .sql("UPDATE public.t SET v = replace(v, '1e-07', '1e-06') WHERE id = 77")
        .await;
    assert!(!pair.compare("public.t", &columns).await.is_equal());
}

/// Settings of a role or of a database change how values look in its sessions.
#[tokio::test]
async fn settings_of_roles_and_databases_do_not_matter() {
    let create = "CREATE TABLE public.t (at timestamptz, d date, i interval, f float8, r real, b bytea, m money, x tstzrange); \
         INSERT INTO public.t VALUES \
           ('2026-07-01 12:00:00.123456+02', '2026-02-01', '1 year 2 days 03:04:05', 0.1::float8 + 0.2, 0.3, '\\xdeadbeef', 12.5, \
            '[2026-01-01 00:00+00, 2026-01-02 00:00+00)'), \
           ('-infinity', 'infinity', '-1 mon', '-Infinity', 'NaN', '', -1, 'empty'), \
           ('4713-01-01 00:00+00 BC', '5874897-12-31', '0', 5e-324, 3.4028235e38, NULL, NULL, '(,)'), \
           (NULL, NULL, NULL, 1.7976931348623157e308, -0.0::real, '\\x00', 0, NULL)";
    let pair = Pair::start(create, create).await;
    let odd = pair.left.role("odd").await;
    pair.left
        .sql(&format!(
            "ALTER ROLE {0} SET \"TimeZone\" = 'Asia/Kathmandu'; ALTER ROLE {0} SET \"DateStyle\" = 'German'; \
             ALTER ROLE {0} SET extra_float_digits = -15; ALTER ROLE {0} SET bytea_output = 'escape'; \
             ALTER ROLE {0} SET \"IntervalStyle\" = 'iso_8601'; ALTER ROLE {0} SET search_path = public; \
             ALTER ROLE {0} SET lc_monetary = 'C.UTF-8'",
            odd.role
        ))
        .await;
    let columns = ["at", "d", "i", "f", "r", "b", "m", "x"];
    let pairs = [TablePair {
        left: table("public.t"),
        right: table("public.t"),
        columns: columns.map(str::to_owned).to_vec(),
    }];
    let connector = pair.left.connector();
    let told = Told::default();
    let found = connector
        .compare(&odd.login, &pair.right.login(), &pairs, &told)
        .await
        .unwrap();
    assert!(found[0].is_equal(), "{found:?}");
    // One bit of a float is a difference.
    pair.right
        .sql("UPDATE public.t SET f = 0.3 WHERE f BETWEEN 0.29 AND 0.31")
        .await;
    let found = connector
        .compare(&odd.login, &pair.right.login(), &pairs, &told)
        .await
        .unwrap();
    assert!(!found[0].is_equal());
}

#[tokio::test]
async fn sides_may_be_partitioned_differently() {
    let rows = "INSERT INTO public.t SELECT g, md5(g::text), NULL FROM generate_series(1, 3000) g";
    let pair = Pair::start(
        &format!(
            "CREATE TABLE public.t (id int, a text, b text) PARTITION BY HASH (id); \
             CREATE TABLE public.t0 PARTITION OF public.t FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
             CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY RANGE (id); \
             CREATE TABLE public.t10 PARTITION OF public.t1 FOR VALUES FROM (0) TO (1000); \
             CREATE TABLE public.t11 PARTITION OF public.t1 DEFAULT; {rows}"
        ),
        &format!("CREATE TABLE public.t (id int, a text, b text); {rows}"),
    )
    .await;
    let finding = pair.compare("public.t", COLUMNS).await;
    assert!(finding.is_equal(), "{finding:?}");
    assert_eq!(finding.left.unwrap().rows, 3000);
    pair.left
        .sql("UPDATE public.t SET a = 'other' WHERE id = 999")
        .await;
    assert!(!pair.compare("public.t", COLUMNS).await.is_equal());
}

#[tokio::test]
async fn what_inherits_from_a_table_is_not_its_own() {
    let rows = "INSERT INTO public.t VALUES (1, 'x', 'y')";
    let create = "CREATE TABLE public.t (id int, a text, b text)";
    let pair = Pair::start(
        &format!(
            "{create}; {rows}; CREATE TABLE public.child () INHERITS (public.t); INSERT INTO public.child VALUES (2)"
        ),
        &format!("{create}; {rows}"),
    )
    .await;
    assert!(pair.compare("public.t", COLUMNS).await.is_equal());
}

#[tokio::test]
async fn a_missing_table_or_column_is_a_finding() {
    let pair = Pair::start(
        "CREATE TABLE public.both (id int); CREATE TABLE public.only_left (id int); INSERT INTO public.both VALUES (1); \
         CREATE TABLE public.narrow (id int, a text); CREATE SEQUENCE public.s",
        "CREATE TABLE public.both (id int); INSERT INTO public.both VALUES (1); CREATE TABLE public.narrow (id int); \
         CREATE TABLE public.s (id int)",
    )
    .await;
    let of = |name: &str, columns: &[&str]| TablePair {
        left: table(name),
        right: table(name),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
    };
    let found = pair
        .compare_all(&[
            of("public.only_left", &["id"]),
            of("public.narrow", &["id", "a"]),
            of("public.both", &["id"]),
            of("elsewhere.both", &["id"]),
            of("public.s", &["id"]),
            of("public.narrow", &["id"]),
        ])
        .await;
    let there: Vec<(bool, bool, bool)> = found
        .iter()
        .map(|finding| {
            (
                finding.left.is_some(),
                finding.right.is_some(),
                finding.is_equal(),
            )
        })
        .collect();
    assert_eq!(
        there,
        [
            (true, false, false),
            (true, false, false),
            (true, true, true),
            (false, false, false),
            (false, true, false),
            (true, true, true),
        ]
    );
}

#[tokio::test]
async fn hostile_names_and_texts_are_just_names_and_texts() {
    let create = "CREATE SCHEMA \"S \"\"; DROP--\"; \
         CREATE TABLE \"S \"\"; DROP--\".\"T'; \\t\" (\"c \"\"1\"\"\" text, \"\\000\" text, \"ключ\" text); \
         INSERT INTO \"S \"\"; DROP--\".\"T'; \\t\" VALUES (E'\\\\000', '(\"', E',\\n\\t\"\"'), ('\\N', E'\\x01', '😀'), ('{}', '$1', '%s')";
    let pair = Pair::start(create, create).await;
    let name = rbk_core::environment::TableName {
        schema: "S \"; DROP--".into(),
        table: "T'; \\t".into(),
    };
    let columns = vec!["c \"1\"".to_owned(), "\\000".to_owned(), "ключ".to_owned()];
    let pairs = [TablePair {
        left: name.clone(),
        right: name,
        columns,
    }];
    let found = pair.compare_all(&pairs).await;
    assert!(found[0].is_equal(), "{found:?}");
    assert_eq!(found[0].left.as_ref().unwrap().rows, 3);
}

/// Large enough to be cut into several pieces, each side differently: the right one's text is compressed.
#[tokio::test]
async fn one_row_in_a_large_table_is_found() {
    let rows = "INSERT INTO public.t SELECT g, repeat(md5(g::text), 400), 'y' FROM generate_series(1, 12000) g";
    let create = "CREATE TABLE public.t (id int, a text, b text)";
    let inline = "ALTER TABLE public.t ALTER a SET STORAGE EXTERNAL";
    let pair = Pair::start(
        &format!("{create}; {inline}; {rows}; DELETE FROM public.t WHERE id % 10 = 0"),
        &format!("{create}; {rows}; DELETE FROM public.t WHERE id % 10 = 0"),
    )
    .await;
    pair.right.sql("VACUUM FULL public.t").await;
    let pairs = [TablePair {
        left: table("public.t"),
        right: table("public.t"),
        columns: COLUMNS.iter().map(|&column| column.to_owned()).collect(),
    }];
    let told = Told::default();
    let connector = pair.left.connector();
    let (left, right) = (pair.left.login(), pair.right.login());
    let found = connector
        .compare(&left, &right, &pairs, &told)
        .await
        .unwrap();
    assert!(found[0].is_equal(), "{found:?}");
    assert_eq!(found[0].left.as_ref().unwrap().rows, 10_800);
    let told = told.all();
    assert!(told.len() >= 4, "it was not cut: {told:?}");
    let (seen, done, total) = told.last().unwrap();
    assert_eq!(seen, "comparing public.t");
    assert_eq!(done, total);
    assert!(*total > 130_000_000, "{total}");
    assert!(told.is_sorted_by_key(|(_, done, _)| *done));

    pair.right
        .sql("UPDATE public.t SET b = 'z' WHERE id = 7777")
        .await;
    assert!(!pair.compare("public.t", COLUMNS).await.is_equal());
}

/// All sessions of a side see what was there when the comparison began.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_meanwhile_is_not_seen_by_halves() {
    let tables: Vec<String> = (0..12).map(|n| format!("public.t{n}")).collect();
    let create: String = tables
        .iter()
        .map(|name| {
            format!(
                "CREATE TABLE {name} (id int); INSERT INTO {name} SELECT generate_series(1, 2000); "
            )
        })
        .collect();
    let pair = Pair::start(&create, &create).await;
    // Writes into all tables as soon as the first is done: those that are read later would hold more rows.
    struct Writes {
        server: Server,
        tables: Vec<String>,
        written: std::sync::atomic::AtomicBool,
    }
    impl rbk_core::ports::Progress for Writes {
        fn tell(&self, _: &str, _: u64, _: u64) {
            if self.written.swap(true, std::sync::atomic::Ordering::SeqCst) {
                return;
            }
            let insert: String = self
                .tables
                .iter()
                .map(|name| format!("INSERT INTO {name} VALUES (0); "))
                .collect();
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(self.server.sql(&insert));
            });
        }
    }
    let pairs: Vec<TablePair> = tables
        .iter()
        .map(|name| TablePair {
            left: table(name),
            right: table(name),
            columns: vec!["id".into()],
        })
        .collect();
    let writes = Writes {
        server: pair.right.clone(),
        tables,
        written: false.into(),
    };
    let found = tokio::spawn(async move {
        let (left, right) = (pair.left.login(), pair.right.login());
        let connector = pair.left.connector();
        let found = connector
            .compare(&left, &right, &pairs, &writes)
            .await
            .unwrap();
        assert!(writes.written.into_inner());
        found
    })
    .await
    .unwrap();
    assert!(found.iter().all(TableFinding::is_equal), "{found:?}");
}

#[tokio::test]
async fn a_comparison_without_the_right_to_read_is_an_error_and_not_a_finding() {
    let create = "CREATE TABLE public.t (id int, a text, b text)";
    let pair = Pair::start(create, create).await;
    let reader = pair.left.role("reader").await;
    let of = || {
        [TablePair {
            left: table("public.t"),
            right: table("public.t"),
            columns: vec!["id".into()],
        }]
    };
    let connector = pair.left.connector();
    let right = pair.right.login();
    connector
        .compare(&reader.login, &right, &of(), &Told::default())
        .await
        .unwrap();
    // A policy that would hide rows hides nothing silently.
    pair.left
        .sql("ALTER TABLE public.t ENABLE ROW LEVEL SECURITY")
        .await;
    let error = connector
        .compare(&reader.login, &right, &of(), &Told::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied, "{error}");
    pair.left
        .sql(&format!("REVOKE ALL ON public.t FROM {}", reader.role))
        .await;
    let error = connector
        .compare(&reader.login, &right, &of(), &Told::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied, "{error}");
}

#[tokio::test]
async fn servers_that_hash_differently_are_not_compared() {
    let server = Server::start().await;
    server
        .sql("CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        .await;
    let mut other = server.login();
    other.database = "latin1".into();
    let error = server
        .connector()
        .compare(&server.login(), &other, &[], &Told::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidRequest, "{error}");
}
