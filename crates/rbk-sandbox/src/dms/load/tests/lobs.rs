//! LOBs by mode.

use super::{
    super::LoadEnd,
    bench::{bench, rows},
};

#[tokio::test]
async fn full_lob_mode_needs_columns_that_can_be_empty() {
    let data =
        "INSERT INTO doc VALUES (1, 'a', '{}'), (2, 'b', '[]'); INSERT INTO note VALUES (1, 'x')";
    let bench = bench(
        &format!(
            "CREATE TABLE doc (id int PRIMARY KEY, body text, j jsonb); CREATE TABLE note (id int PRIMARY KEY, body text); {data}"
        ),
        "CREATE TABLE doc (id int PRIMARY KEY, body text NOT NULL DEFAULT '', j jsonb); \
         CREATE TABLE note (id int PRIMARY KEY, body text)",
    )
    .await;
    assert_eq!(
        bench.finish().await,
        ["doc: Error 0/0", "note: Completed 1/0"]
    );
    bench.logged("null value in column \"body\" of relation \"doc\" violates not-null constraint");
    bench
        .target
        .batch_execute("TRUNCATE note; ALTER TABLE doc ALTER body DROP NOT NULL")
        .await
        .unwrap();
    assert_eq!(
        bench.finish().await,
        ["doc: Completed 2/0", "note: Completed 1/0"]
    );
    let all = "SELECT * FROM doc ORDER BY id";
    assert_eq!(
        rows(&bench.target, all).await,
        rows(&bench.source, all).await
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn full_lob_mode_needs_a_key_on_both_sides_that_is_no_lob() {
    let bench = bench(
        "CREATE TABLE keyless (id int, body text); INSERT INTO keyless VALUES (1, 'lost'); \
         CREATE TABLE listed (id int, tags text[]); INSERT INTO listed VALUES (1, '{a}'); \
         CREATE TABLE named (name text PRIMARY KEY, n int); INSERT INTO named VALUES ('a', 1); \
         CREATE TABLE onesided (id int PRIMARY KEY, body text); INSERT INTO onesided VALUES (1, 'lost'); \
         CREATE TABLE uniquely (a int NOT NULL, b varchar(3) NOT NULL, body text, UNIQUE (a, b)); INSERT INTO uniquely VALUES (1, 'x', 'kept')",
        "CREATE TABLE keyless (id int, body text); CREATE TABLE listed (id int, tags text[]); \
         CREATE TABLE named (name text PRIMARY KEY, n int); CREATE TABLE onesided (id int, body text); \
         CREATE TABLE uniquely (a int NOT NULL, b varchar(3) NOT NULL, body text, UNIQUE (b, a))",
    )
    .await;
    assert_eq!(
        bench.finish().await,
        [
            "keyless: Completed 1/0",
            "listed: Error 0/0",
            "named: Error 0/0",
            "onesided: Completed 1/0",
            "uniquely: Completed 1/0"
        ]
    );
    assert_eq!(
        rows(
            &bench.target,
            "SELECT k.body, o.body, u.body FROM keyless k, onesided o, uniquely u"
        )
        .await,
        ["∅|∅|kept"]
    );
    bench.logged("LOB column 'body' of table 'public'.'keyless' is not replicated");
    bench.logged("has the ARRAY column 'tags' but no primary key");
    bench
        .logged("null value in column \"name\" of relation \"named\" violates not-null constraint");
    bench.shutdown().await;
}

#[tokio::test]
async fn a_lob_that_cannot_be_set_leaves_its_row_without_it() {
    let bench = bench(
        "CREATE TABLE doc (id int PRIMARY KEY, body text); \
         INSERT INTO doc SELECT i, CASE i WHEN 70 THEN 'too long' ELSE 'ok' END FROM generate_series(1, 200) i",
        "CREATE TABLE doc (id int PRIMARY KEY, body varchar(4))",
    )
    .await;
    assert_eq!(bench.finish().await, ["doc: Completed 200/1"]);
    bench.logged(
        "UPDATE of a row of table 'public'.'doc' failed: ERROR: value too long for type character varying(4)",
    );
    assert_eq!(
        rows(
            &bench.target,
            "SELECT id, body FROM doc WHERE body IS DISTINCT FROM 'ok'"
        )
        .await,
        ["70|∅"]
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn small_lobs_may_come_with_their_row() {
    let schema = "CREATE TABLE doc (id int PRIMARY KEY, body text NOT NULL)";
    let mut bench = bench(
        &format!("{schema}; INSERT INTO doc VALUES (1, 'small'), (2, repeat('x', 1024)), (3, repeat('x', 1025))"),
        schema,
    )
    .await;
    bench.set("TargetMetadata", "InlineLobMaxSize", 1);
    // The third is too large for that, and can't be empty.
    assert_eq!(bench.finish().await, ["doc: Error 0/0"]);
    bench
        .source
        .batch_execute("DELETE FROM doc WHERE id = 3")
        .await
        .unwrap();
    assert_eq!(bench.finish().await, ["doc: Completed 2/0"]);
    bench
        .target
        .batch_execute("TRUNCATE doc; ALTER TABLE doc ALTER body DROP NOT NULL")
        .await
        .unwrap();
    bench
        .source
        .batch_execute("INSERT INTO doc VALUES (3, repeat('x', 1025))")
        .await
        .unwrap();
    assert_eq!(bench.finish().await, ["doc: Completed 3/0"]);
    assert_eq!(
        rows(&bench.target, "SELECT length(body) FROM doc ORDER BY id").await,
        ["5", "1024", "1025"]
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn limited_lob_mode_truncates_with_a_mere_log_line() {
    let schema = "CREATE TABLE doc (id int, body text NOT NULL, raw bytea, j jsonb)";
    let mut bench = bench(
        &format!(
            "{schema}; INSERT INTO doc VALUES (1, repeat('ä', 600), decode(repeat('ab', 2000), 'hex'), '{{}}'), \
             (2, repeat('x', 512), '\\x00', jsonb_build_array(repeat('y', 600)))"
        ),
        schema,
    )
    .await;
    bench
        .set("TargetMetadata", "FullLobMode", false)
        .set("TargetMetadata", "LimitedSizeLobMode", true)
        .set("TargetMetadata", "LobMaxSize", 1);
    // A truncated document is none, which is an error of its row.
    assert_eq!(bench.finish().await, ["doc: Completed 1/1"]);
    assert_eq!(
        rows(
            &bench.target,
            "SELECT id, length(body), octet_length(raw), j FROM doc"
        )
        .await,
        ["1|512|1024|{}"]
    );
    bench
        .logged("a value of LOB column 'body' of table 'public'.'doc' was truncated to 1024 bytes");
    bench.logged("invalid input syntax for type json");

    bench.target.batch_execute("TRUNCATE doc").await.unwrap();
    bench.set(
        "ErrorBehavior",
        "DataTruncationErrorPolicy",
        "SUSPEND_TABLE",
    );
    assert_eq!(bench.finish().await, ["doc: Error 0/0"]);
    bench.set("ErrorBehavior", "DataTruncationErrorPolicy", "STOP_TASK");
    assert!(matches!(bench.run().await.0, LoadEnd::Failed { .. }));
    bench.set(
        "ErrorBehavior",
        "DataTruncationErrorPolicy",
        "IGNORE_RECORD",
    );
    bench.task.source.fail_on_lob_truncation = true;
    let (end, _) = bench.run().await;
    let LoadEnd::Failed { messages } = end else {
        panic!("{end:?}");
    };
    assert!(
        messages[0].contains("was truncated to 1024 bytes"),
        "{messages:?}"
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn without_lob_support_lobs_stay_behind() {
    let schema = "CREATE TABLE doc (id int PRIMARY KEY, body text, name varchar(5))";
    let mut bench = bench(
        &format!("{schema}; INSERT INTO doc VALUES (1, 'lost', 'kept')"),
        schema,
    )
    .await;
    bench.set("TargetMetadata", "SupportLobs", false);
    assert_eq!(bench.finish().await, ["doc: Completed 1/0"]);
    assert_eq!(rows(&bench.target, "SELECT * FROM doc").await, ["1|∅|kept"]);
    bench.shutdown().await;
}
