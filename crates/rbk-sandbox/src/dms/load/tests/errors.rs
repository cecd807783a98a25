//! What goes wrong, and by which policy it is dealt with.

use serde_json::json;

use super::{
    super::LoadEnd,
    bench::{bench, rows, selection},
};

#[tokio::test]
async fn a_vector_column_refuses_the_string_that_dms_sends() {
    let data = "INSERT INTO e SELECT i, '[1,2,3.5]' FROM generate_series(1, 10) i";
    let bench = bench(
        &format!(
            "CREATE TABLE e (id int PRIMARY KEY, v vector(3)); {data}; \
             CREATE TABLE f (id int PRIMARY KEY, v vector(3)); INSERT INTO f SELECT * FROM e"
        ),
        "CREATE TABLE e (id int PRIMARY KEY, v vector(3)); CREATE TABLE f (id int PRIMARY KEY, v text)",
    )
    .await;
    assert_eq!(bench.finish().await, ["e: Error 0/0", "f: Completed 10/0"]);
    bench.logged("column \"v\" is of type vector but expression is of type character varying");
    assert_eq!(
        rows(
            &bench.target,
            "SELECT count(*), min(v) FROM f WHERE v::vector = '[1,2,3.5]'"
        )
        .await,
        ["10|[1,2,3.5]"]
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn foreign_keys_bite_without_the_replica_role() {
    let schema = "CREATE TABLE a_parent (id int PRIMARY KEY); \
                  CREATE TABLE b_child (id int PRIMARY KEY, parent int REFERENCES a_parent)";
    let mut bench = bench(
        &format!(
            "{schema}; INSERT INTO a_parent SELECT generate_series(1, 5); INSERT INTO b_child SELECT i, i FROM generate_series(1, 5) i"
        ),
        schema,
    )
    .await;
    assert_eq!(
        bench.finish().await,
        ["a_parent: Completed 5/0", "b_child: Error 0/0"]
    );
    bench.logged("violates foreign key constraint \"b_child_parent_fkey\"");
    bench
        .target
        .batch_execute("TRUNCATE a_parent, b_child")
        .await
        .unwrap();
    let both = ["a_parent: Completed 5/0", "b_child: Completed 5/0"];
    // One at a time, in a stated order.
    bench.set("FullLoadSettings", "MaxFullLoadSubTasks", 1);
    let mut first = selection("1", "include", "a%");
    first["load-order"] = json!(2);
    bench.task.mappings = json!({ "rules": [first, selection("2", "include", "%")] });
    assert_eq!(bench.finish().await, both);
    bench
        .target
        .batch_execute("TRUNCATE a_parent, b_child")
        .await
        .unwrap();
    bench.task.mappings = json!({ "rules": [selection("2", "include", "%")] });
    bench
        .replica_role()
        .set("FullLoadSettings", "MaxFullLoadSubTasks", 8);
    assert_eq!(bench.finish().await, both);
    bench.shutdown().await;
}

#[tokio::test]
async fn bad_rows_are_skipped_and_the_table_says_completed() {
    let schema = "CREATE TABLE item (id int PRIMARY KEY, n int)";
    let mut bench = bench(
        &format!("{schema}; INSERT INTO item SELECT i, i FROM generate_series(1, 1000) i"),
        &format!(
            "{schema}; ALTER TABLE item ADD CHECK (n <> 500); INSERT INTO item VALUES (7, 0), (700, 0)"
        ),
    )
    .await;
    bench
        .set(
            "ControlTablesSettings",
            "FullLoadExceptionTableEnabled",
            true,
        )
        .set("FullLoadSettings", "CommitRate", 300);
    assert_eq!(bench.finish().await, ["item: Completed 997/3"]);
    assert_eq!(
        rows(
            &bench.target,
            "SELECT count(*), count(*) FILTER (WHERE n = 0) FROM item"
        )
        .await,
        ["999|2"]
    );
    assert_eq!(
        rows(
            &bench.target,
            "SELECT \"TASK_NAME\", \"TABLE_OWNER\", \"TABLE_NAME\", \"STATEMENT\", \"ERROR\" FROM rbk.awsdms_full_load_exceptions ORDER BY \"ERROR\""
        )
        .await,
        [
            "rbk-load|public|item|INSERT|ERROR: duplicate key value violates unique constraint \"item_pkey\"",
            "rbk-load|public|item|INSERT|ERROR: duplicate key value violates unique constraint \"item_pkey\"",
            "rbk-load|public|item|INSERT|ERROR: new row for relation \"item\" violates check constraint \"item_n_check\"",
        ]
    );
    bench.logged("INSERT of a row of table 'public'.'item' failed: ERROR: duplicate key");

    // The second time each row is there.
    bench.board.log.lock().unwrap().clear();
    bench.set("ErrorBehavior", "DataErrorPolicy", "IGNORE_RECORD");
    assert_eq!(bench.finish().await, ["item: Completed 0/1000"]);
    assert!(!bench.log().contains("duplicate key"), "{}", bench.log());
    bench.shutdown().await;
}

#[tokio::test]
async fn no_value_of_a_row_is_said() {
    let bench = bench(
        "CREATE TABLE a (id int PRIMARY KEY, n varchar(20)); INSERT INTO a VALUES (1, 'a secret'); CREATE TABLE b (n int); INSERT INTO b VALUES (4711)",
        "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (n int); \
         CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no %'', NEW.n; END'; \
         CREATE TRIGGER shout BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION shout()",
    )
    .await;
    assert_eq!(
        bench.finish().await,
        ["a: Completed 0/1", "b: Completed 0/1"]
    );
    bench.logged("ERROR: invalid input syntax for type integer: \"…\"");
    bench.logged("ERROR: a trigger or a function raised an exception (P0001)");
    let log = bench.log();
    assert!(!log.contains("a secret") && !log.contains("4711"), "{log}");
    bench.shutdown().await;
}

#[tokio::test]
async fn a_target_that_cannot_be_written_fails_the_task() {
    let mut bench = bench("CREATE TABLE a (id int)", "CREATE TABLE a (id int)").await;
    bench.task.target.after_connect = Some("SET default_transaction_read_only = on".to_owned());
    let (end, states) = bench.run().await;
    assert_eq!(states, ["a: Cancelled 0/0"]);
    let LoadEnd::Failed { messages } = end else {
        panic!("{end:?}");
    };
    assert!(
        messages[0].contains("the control tables can't be made in schema 'rbk' of the target: ERROR: cannot execute CREATE"),
        "{messages:?}"
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn policies_for_rows_suspend_the_table_or_stop_the_task() {
    let schema = "CREATE TABLE item (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)";
    let data = "INSERT INTO item SELECT generate_series(1, 10); INSERT INTO other SELECT generate_series(1, 10)";
    let mut bench = bench(
        &format!("{schema}; {data}"),
        &format!("{schema}; INSERT INTO item VALUES (5), (6), (7)"),
    )
    .await;
    // One table after the other, so that what follows is seen.
    bench.set("FullLoadSettings", "MaxFullLoadSubTasks", 1).set(
        "ErrorBehavior",
        "DataErrorPolicy",
        "SUSPEND_TABLE",
    );
    assert_eq!(
        bench.finish().await,
        ["item: Error 4/1", "other: Completed 10/0"]
    );
    let reset = "TRUNCATE item, other; INSERT INTO item VALUES (5), (6), (7)";
    bench.target.batch_execute(reset).await.unwrap();
    bench.set("ErrorBehavior", "DataErrorPolicy", "STOP_TASK");
    let (end, states) = bench.run().await;
    assert_eq!(states, ["item: Error 4/1", "other: Cancelled 0/0"]);
    let LoadEnd::Failed { messages } = end else {
        panic!("{end:?}");
    };
    assert!(
        messages[0].contains("duplicate key value violates unique constraint \"item_pkey\"")
            && messages[0].contains("'public'.'item'")
            && messages[0].contains("FATAL_ERROR"),
        "{messages:?}"
    );
    bench.target.batch_execute(reset).await.unwrap();
    bench
        .set("ErrorBehavior", "DataErrorPolicy", "LOG_ERROR")
        .set("ErrorBehavior", "DataErrorEscalationCount", 2);
    assert_eq!(
        bench.finish().await,
        ["item: Error 4/2", "other: Completed 10/0"]
    );
    bench.shutdown().await;
}

#[tokio::test]
async fn policies_for_tables_stop_the_task() {
    let schema = "CREATE TABLE a (id int PRIMARY KEY, v vector(1)); CREATE TABLE b (id int PRIMARY KEY, v vector(1)); CREATE TABLE c (id int)";
    let mut bench = bench(schema, schema).await;
    bench.set("FullLoadSettings", "MaxFullLoadSubTasks", 1).set(
        "ErrorBehavior",
        "TableErrorPolicy",
        "STOP_TASK",
    );
    let (end, states) = bench.run().await;
    assert_eq!(
        states,
        ["a: Error 0/0", "b: Cancelled 0/0", "c: Cancelled 0/0"]
    );
    let LoadEnd::Failed { messages } = end else {
        panic!("{end:?}");
    };
    assert!(messages[0].contains("is of type vector"), "{messages:?}");
    bench
        .set("ErrorBehavior", "TableErrorPolicy", "SUSPEND_TABLE")
        .set("ErrorBehavior", "TableErrorEscalationCount", 2);
    let (end, states) = bench.run().await;
    assert_eq!(states, ["a: Error 0/0", "b: Error 0/0", "c: Cancelled 0/0"]);
    assert!(matches!(end, LoadEnd::Failed { .. }));
    bench.shutdown().await;
}
