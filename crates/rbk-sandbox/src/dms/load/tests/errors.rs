//! What goes wrong, and by which policy it is dealt with.

use super::bench::{bench, rows};

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
    bench.replica_role();
    assert_eq!(
        bench.finish().await,
        ["a_parent: Completed 5/0", "b_child: Completed 5/0"]
    );
    bench.shutdown().await;
}
