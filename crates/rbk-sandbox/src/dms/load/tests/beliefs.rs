//! What the checker believes of loads by DMS and no other test here shows: each test does without the checker what it refuses,
//! and sees data go wrong. Which test shows which diagnostic is said in `tests/lang/beliefs.md`.

use super::{
    super::LoadEnd,
    bench::{bench, rows},
    sessions::{running, wait_until, waiting},
};

/// RBK2059, RBK2061: what is done to loaded tables before the load is complete is done to none of their rows.
#[tokio::test]
async fn what_is_done_before_a_load_is_complete_is_done_to_nothing() {
    let schema = "CREATE TABLE item (id serial PRIMARY KEY)";
    let bench = bench(
        &format!("{schema}; INSERT INTO item SELECT generate_series(1, 10)"),
        schema,
    )
    .await;
    let target = &bench.target;
    target
        .batch_execute("BEGIN; LOCK TABLE item IN SHARE MODE")
        .await
        .unwrap();
    let (going, _tell) = running(&bench).await;
    wait_until("the load waits", async || waiting(target).await == "1").await;
    // The sequence is put past the rows that are there, the statistics are those of an empty table.
    let synced = "SELECT count(*), setval('item_id_seq', (SELECT coalesce(max(id), 1) FROM item), false) FROM item";
    assert_eq!(rows(target, synced).await, ["0|1"]);
    target.batch_execute("COMMIT").await.unwrap();
    assert_eq!(going.await.unwrap(), LoadEnd::Finished);
    assert_eq!(bench.states(), ["item: Completed 10/0"]);
    let error = target
        .batch_execute("INSERT INTO item DEFAULT VALUES")
        .await
        .unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23505");
    bench.shutdown().await;
}

/// RBK2059, RBK2066, RBK2035: a source that is written to while it is copied arrives as it never was.
#[tokio::test]
async fn a_source_that_is_thawed_while_it_is_copied_arrives_as_it_never_was() {
    let schema = "CREATE TABLE a_customer (id int PRIMARY KEY); \
                  CREATE TABLE b_order (id int PRIMARY KEY, customer int REFERENCES a_customer)";
    let mut bench = bench(
        &format!("{schema}; INSERT INTO a_customer VALUES (1); INSERT INTO b_order VALUES (1, 1)"),
        schema,
    )
    .await;
    bench
        .replica_role()
        .set("FullLoadSettings", "MaxFullLoadSubTasks", 1);
    // The first table is loaded, the second can't be read yet.
    let source = &bench.source;
    source
        .batch_execute("BEGIN; LOCK TABLE b_order")
        .await
        .unwrap();
    let (going, _tell) = running(&bench).await;
    wait_until("the first table is there", async || {
        bench.states() == ["a_customer: Completed 1/0", "b_order: FullLoad 0/0"]
            && waiting(source).await == "1"
    })
    .await;
    source
        .batch_execute(
            "INSERT INTO a_customer VALUES (2); INSERT INTO b_order VALUES (2, 2); COMMIT",
        )
        .await
        .unwrap();
    assert_eq!(going.await.unwrap(), LoadEnd::Finished);
    // Everything says that it is complete, and an order refers to nobody.
    assert_eq!(
        bench.states(),
        ["a_customer: Completed 1/0", "b_order: Completed 2/0"]
    );
    let lost =
        "SELECT o.id FROM b_order o LEFT JOIN a_customer c ON c.id = o.customer WHERE c.id IS NULL";
    assert_eq!(rows(&bench.target, lost).await, ["2"]);
    bench.shutdown().await;
}
