//! Which tables and columns come, and what is left behind.

use serde_json::json;

use super::{
    super::{LoadEnd, fetch_metadata, test_connections},
    bench::{bench, rows, selection},
};

#[tokio::test]
async fn rows_travel_with_their_types() {
    let schema = "CREATE TABLE item (id int PRIMARY KEY, name varchar(20) NOT NULL, price numeric(10,2), \
                  at timestamptz, ok boolean, tags text[], doc jsonb, body text, raw bytea, code uuid, bits bit(4), \
                  span interval, day date, ratio float8, letter char(3), short varchar(3)[], place point)";
    let nulls = ", NULL".repeat(15);
    let bench = bench(
        &format!(
            "{schema}; INSERT INTO item VALUES \
             (1, 'one', 1.50, '2026-01-02 03:04:05.678+02', true, '{{a,\"b c\"}}', '{{\"k\": [1, null]}}', 'ä\\n\"x''', '\\x00ff', \
              'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1010', '1 day 02:00', '0044-03-15 BC', 0.1, 'ab', '{{abc}}', '(1,2)'), \
             (2, 'two'{nulls}), (3, ''{nulls})"
        ),
        schema,
    )
    .await;
    assert_eq!(bench.finish().await, ["item: Completed 3/0"]);
    let all = "SELECT * FROM item ORDER BY id";
    assert_eq!(
        rows(&bench.target, all).await,
        rows(&bench.source, all).await
    );
    let tables = bench.board.tables.lock().unwrap().clone();
    assert!(tables[0].started_at.unwrap() <= tables[0].ended_at.unwrap());
    bench.shutdown().await;
}

#[tokio::test]
async fn odd_names_and_many_columns_are_no_obstacle() {
    let many: Vec<String> = (0..300).map(|n| format!("c{n} int DEFAULT {n}")).collect();
    let schema = format!(
        "CREATE SCHEMA \"Odd.schema\"; \
         CREATE TABLE \"Odd.schema\".\"a \"\"b\"\" %\" (\"select\" int PRIMARY KEY, \"x\"\"y\" text); \
         CREATE TABLE many (id int PRIMARY KEY, {})",
        many.join(", ")
    );
    let mut bench = bench(
        &format!("{schema}; INSERT INTO \"Odd.schema\".\"a \"\"b\"\" %\" VALUES (1, 'x'); INSERT INTO many VALUES (1)"),
        &schema,
    )
    .await;
    bench.task.mappings["rules"][0]["object-locator"]["schema-name"] = json!("%");
    assert_eq!(
        bench.finish().await,
        ["a \"b\" %: Completed 1/0", "many: Completed 1/0"]
    );
    assert_eq!(
        rows(
            &bench.target,
            "SELECT o.*, m.c299 FROM \"Odd.schema\".\"a \"\"b\"\" %\" o, many m"
        )
        .await,
        ["1|x|299"]
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn values_are_cut_where_dms_cuts_them() {
    let schema = "CREATE TABLE t (id int PRIMARY KEY, n numeric, m numeric(12,8), at timestamp, day date, tz timestamptz)";
    let bench = bench(
        &format!(
            "{schema}; INSERT INTO t VALUES (1, 0.611111104488373, 1.23456789, 'infinity', '-infinity', 'infinity'), \
             (2, -1.9999999, NULL, '-infinity', 'infinity', '-infinity')"
        ),
        schema,
    )
    .await;
    assert_eq!(bench.finish().await, ["t: Completed 2/0"]);
    assert_eq!(
        rows(
            &bench.target,
            "SET timezone = 'UTC'; SELECT * FROM t ORDER BY id"
        )
        .await,
        [
            "1|0.611111|1.23456789|9999-12-31 00:00:00|4713-01-01 BC|9999-12-31 00:00:00+00",
            "2|-1.999999|∅|4713-01-01 00:00:00 BC|9999-12-31|4713-01-01 00:00:00+00 BC"
        ]
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn types_that_dms_does_not_carry_arrive_empty_or_fail() {
    let types = "CREATE TYPE mood AS ENUM ('well', 'ill'); CREATE TYPE pair AS (a int, b int)";
    let columns =
        "id int PRIMARY KEY, e mood, i inet, v tsvector, r int4range, c pair, b box, g polygon";
    let bench = bench(
        &format!(
            "{types}; CREATE TABLE nullable ({columns}); \
             INSERT INTO nullable VALUES (1, 'well', '10.0.0.1', 'a b', '[1,2)', '(1,2)', '(0,0),(1,1)', '((0,0),(1,1))'); \
             CREATE TABLE required (id int PRIMARY KEY, e mood NOT NULL); INSERT INTO required VALUES (1, 'ill'); \
             CREATE TABLE preset (id int PRIMARY KEY, e mood NOT NULL DEFAULT 'well'); INSERT INTO preset VALUES (1, 'ill')"
        ),
        &format!(
            "{types}; CREATE TABLE nullable ({columns}); CREATE TABLE required (id int PRIMARY KEY, e mood NOT NULL); \
             CREATE TABLE preset (id int PRIMARY KEY, e mood NOT NULL DEFAULT 'well')"
        ),
    )
    .await;
    assert_eq!(
        bench.finish().await,
        [
            "nullable: Completed 1/0",
            "preset: Completed 1/0",
            "required: Error 0/0"
        ]
    );
    assert_eq!(
        rows(&bench.target, "SELECT * FROM nullable").await,
        ["1|∅|∅|∅|∅|∅|∅|((0,0),(1,1))"]
    );
    // A value, but not the source's.
    assert_eq!(
        rows(&bench.target, "SELECT * FROM preset").await,
        ["1|well"]
    );
    bench
        .logged("null value in column \"e\" of relation \"required\" violates not-null constraint");
    bench.logged("Column 'i' was removed from table definition 'public'.'nullable': data type inet is not supported");
    bench.shutdown().await;
}

#[tokio::test]
async fn generated_columns_and_missing_ones_are_postgres_own_refusals() {
    let bench = bench(
        "CREATE TABLE doubled (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED); INSERT INTO doubled VALUES (1); \
         CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int); INSERT INTO counted (n) VALUES (1); \
         CREATE TABLE narrow (id int PRIMARY KEY, gone int); INSERT INTO narrow VALUES (1, 1)",
        "CREATE TABLE doubled (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED); \
         CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int); \
         CREATE TABLE narrow (id int PRIMARY KEY)",
    )
    .await;
    assert_eq!(
        bench.finish().await,
        [
            "counted: Error 0/0",
            "doubled: Error 0/0",
            "narrow: Error 0/0"
        ]
    );
    bench.logged("cannot insert a non-DEFAULT value into column \"twice\"");
    bench.logged("cannot insert a non-DEFAULT value into column \"id\"");
    bench.logged("column \"gone\" of relation \"narrow\" does not exist");
    bench.shutdown().await;
}

#[tokio::test]
async fn views_and_control_tables_are_not_taken_and_partitions_come_twice() {
    let schema = "CREATE TABLE m (id int, day date) PARTITION BY RANGE (day); \
                  CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')";
    let mut bench = bench(
        &format!(
            "{schema}; INSERT INTO m VALUES (1, '2026-01-01'), (2, '2026-01-02'); \
             CREATE VIEW v AS SELECT 1 AS one; CREATE MATERIALIZED VIEW w AS SELECT 1 AS one; \
             CREATE TABLE awsdms_apply_exceptions (id int)"
        ),
        schema,
    )
    .await;
    assert_eq!(
        bench.finish().await,
        ["m: Completed 2/0", "m_1: Completed 2/0"]
    );
    let count = "SELECT count(*) FROM m";
    assert_eq!(rows(&bench.target, count).await, ["4"]);
    bench.target.batch_execute("TRUNCATE m").await.unwrap();
    bench.task.mappings =
        json!({ "rules": [selection("1", "include", "%"), selection("2", "exclude", "m")] });
    assert_eq!(bench.finish().await, ["m_1: Completed 2/0"]);
    assert_eq!(rows(&bench.target, count).await, ["2"]);
    bench.shutdown().await;
}

#[tokio::test]
async fn do_nothing_appends_truncate_empties_and_both_keep_the_schema() {
    let schema = "CREATE TABLE log (line varchar(10)); CREATE INDEX log_line ON log (line)";
    let mut bench = bench(
        &format!("{schema}; INSERT INTO log VALUES ('a')"),
        &format!("{schema}; INSERT INTO log VALUES ('old')"),
    )
    .await;
    let all = "SELECT * FROM log ORDER BY 1";
    assert_eq!(bench.finish().await, ["log: Completed 1/0"]);
    assert_eq!(rows(&bench.target, all).await, ["a", "old"]);
    bench.set(
        "FullLoadSettings",
        "TargetTablePrepMode",
        "TRUNCATE_BEFORE_LOAD",
    );
    assert_eq!(bench.finish().await, ["log: Completed 1/0"]);
    assert_eq!(rows(&bench.target, all).await, ["a"]);
    let index = "SELECT count(*) FROM pg_indexes WHERE indexname = 'log_line'";
    assert_eq!(rows(&bench.target, index).await, ["1"]);
    bench.shutdown().await;
}

#[tokio::test]
async fn truncating_fails_where_foreign_keys_refer_even_under_the_replica_role() {
    let schema = "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY REFERENCES parent)";
    let mut bench = bench(schema, schema).await;
    bench.replica_role().set(
        "FullLoadSettings",
        "TargetTablePrepMode",
        "TRUNCATE_BEFORE_LOAD",
    );
    assert_eq!(
        bench.finish().await,
        ["child: Completed 0/0", "parent: Error 0/0"]
    );
    bench.logged("cannot truncate a table referenced in a foreign key constraint");
    bench.shutdown().await;
}

#[tokio::test]
async fn a_table_that_dms_makes_is_bare() {
    let schema = "CREATE TABLE kept (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name varchar(9) NOT NULL DEFAULT 'x', \
                  doc jsonb NOT NULL, ok boolean, n numeric, at timestamptz, v vector(2), UNIQUE (name), CHECK (id > 0))";
    let data = "INSERT INTO kept (doc, ok, n, v) VALUES ('{}', true, 1.5, '[1,2]')";
    let mut bench = bench(
        &format!("{schema}; {data}; CREATE TABLE missing (a int, b text); INSERT INTO missing VALUES (1, 'x')"),
        schema,
    )
    .await;
    bench.set("FullLoadSettings", "TargetTablePrepMode", "DROP_AND_CREATE");
    assert_eq!(
        bench.finish().await,
        ["kept: Completed 1/0", "missing: Completed 1/0"]
    );
    let columns = "SELECT attname, format_type(atttypid, atttypmod), attnotnull, atthasdef, attidentity FROM pg_attribute \
                   WHERE attrelid = 'kept'::regclass AND attnum > 0 ORDER BY attnum";
    assert_eq!(
        rows(&bench.target, columns).await,
        [
            "id|integer|t|f|",
            "name|character varying(9)|t|f|",
            "doc|text|f|f|",
            "ok|character varying(5)|f|f|",
            "n|numeric(28,6)|f|f|",
            "at|timestamp without time zone|f|f|",
            "v|character varying|f|f|",
        ]
    );
    let rest = "SELECT conname FROM pg_constraint WHERE conrelid = 'kept'::regclass AND contype <> 'n' \
                UNION SELECT indexname::text FROM pg_indexes WHERE tablename = 'kept'";
    assert_eq!(rows(&bench.target, rest).await, ["kept_pkey"]);
    assert_eq!(
        rows(&bench.target, "SELECT doc, ok, v FROM kept").await,
        ["{}|true|[1,2]"]
    );
    // No key, so its LOB stays behind.
    assert_eq!(rows(&bench.target, "SELECT * FROM missing").await, ["1|∅"]);
    bench.shutdown().await;
}

#[tokio::test]
async fn tables_may_go_to_another_schema_which_is_made() {
    let mut bench = bench(
        "CREATE TABLE item (id int PRIMARY KEY, price money, at timestamptz); INSERT INTO item VALUES (1, 1234.5, '2026-01-02 03:00+02'); \
         CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int)",
        "",
    )
    .await;
    bench.set("TargetMetadata", "TargetSchema", "copied");
    assert_eq!(
        bench.finish().await,
        [
            "a: Completed 0/0",
            "b: Completed 0/0",
            "c: Completed 0/0",
            "item: Completed 1/0"
        ]
    );
    assert_eq!(
        rows(&bench.target, "SELECT * FROM copied.item").await,
        ["1|1234.5000|2026-01-02 01:00:00"]
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn sequences_and_triggers_stay_behind_and_the_control_table_comes() {
    let schema = "CREATE TABLE item (id serial PRIMARY KEY, n int); CREATE TABLE seen (n int)";
    let mut bench = bench(
        &format!("{schema}; INSERT INTO item (n) SELECT generate_series(1, 7)"),
        &format!(
            "{schema}; CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.n); RETURN NEW; END'; \
             CREATE TRIGGER see AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION see()"
        ),
    )
    .await;
    bench.replica_role();
    bench.task.mappings = json!({ "rules": [selection("1", "include", "item")] });
    assert_eq!(bench.finish().await, ["item: Completed 7/0"]);
    assert_eq!(
        rows(
            &bench.target,
            "SELECT (SELECT count(*) FROM seen), nextval('item_id_seq')"
        )
        .await,
        ["0|1"]
    );
    let tables =
        "SELECT schemaname, tablename FROM pg_tables WHERE tablename LIKE 'awsdms%' ORDER BY 1, 2";
    assert_eq!(
        rows(&bench.target, tables).await,
        ["rbk|awsdms_apply_exceptions"]
    );
    // By default it lands among the application's tables; nobody's trigger fires in the replica role only.
    bench.task.target.after_connect = None;
    bench.set("ControlTablesSettings", "ControlSchema", "");
    bench.target.batch_execute("TRUNCATE item").await.unwrap();
    bench.finish().await;
    assert_eq!(
        rows(&bench.target, tables).await,
        [
            "public|awsdms_apply_exceptions",
            "rbk|awsdms_apply_exceptions"
        ]
    );
    assert_eq!(
        rows(&bench.target, "SELECT count(*) FROM seen").await,
        ["7"]
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn a_selection_of_nothing_fails_and_a_vanished_table_says_so() {
    let mut bench = bench("CREATE TABLE gone (id int)", "").await;
    fetch_metadata(&bench.task, &bench.board).await.unwrap();
    bench.source.batch_execute("DROP TABLE gone").await.unwrap();
    let (_tell, stop) = tokio::sync::watch::channel(false);
    let end = super::super::load(&bench.task, &bench.board, &stop).await;
    assert_eq!(end, LoadEnd::Finished);
    assert_eq!(bench.states(), ["gone: DoesNotExist 0/0"]);
    let error = fetch_metadata(&bench.task, &bench.board).await.unwrap_err();
    assert!(
        error.starts_with("No tables were found at task initialization."),
        "{error}"
    );
    bench.set("ErrorBehavior", "FailOnNoTablesCaptured", false);
    assert!(bench.finish().await.is_empty());
    bench.shutdown().await;
}

#[tokio::test]
async fn a_connection_that_does_not_work_is_named_without_its_password() {
    let mut bench = bench("", "").await;
    test_connections(&bench.task).await.unwrap();
    let good = bench.task.clone();
    bench.task.target.password = "wrong-Password1".into();
    let error = test_connections(&bench.task).await.unwrap_err();
    assert!(
        error.starts_with(
            "Test connection failed for endpoint 'rbk-original' and replication config 'rbk-load'."
        ),
        "{error}"
    );
    assert!(
        error.contains("password authentication failed for user \"postgres\""),
        "{error}"
    );
    assert!(!error.contains("wrong-Password1"), "{error}");
    bench.task = good.clone();
    bench.task.source.ssl_mode = "none".to_owned();
    let error = test_connections(&bench.task).await.unwrap_err();
    assert!(error.contains("no encryption"), "{error}");
    bench.task = good.clone();
    bench.task.source.database = "other".to_owned();
    let error = test_connections(&bench.task).await.unwrap_err();
    assert!(
        error.contains("database \"other\" does not exist"),
        "{error}"
    );
    bench.task = good.clone();
    bench.task.target.after_connect = Some("SET nothing = 1".to_owned());
    let error = test_connections(&bench.task).await.unwrap_err();
    assert!(error.contains("the after-connect script failed"), "{error}");
    if cfg!(target_os = "linux") {
        // Elsewhere there is only one loopback address to begin with.
        bench.task = good;
        bench.task.client_address = "127.0.0.9".parse().unwrap();
        let error = test_connections(&bench.task).await.unwrap_err();
        assert!(error.contains("'rbk-recovery'"), "{error}");
    }
    bench.shutdown().await;
}
