//! Which tables and columns come, and what is left behind.

use super::bench::{bench, rows};

#[tokio::test]
async fn rows_travel_with_their_types() {
    let schema = "CREATE TABLE item (id int PRIMARY KEY, name varchar(20) NOT NULL, price numeric(10,2), \
                  at timestamptz, ok boolean, tags text[], doc jsonb, body text, raw bytea, code uuid, bits bit(4), span interval)";
    let bench = bench(
        &format!(
            "{schema}; INSERT INTO item VALUES \
             (1, 'one', 1.50, '2026-01-02 03:04:05.678+02', true, '{{a,\"b c\"}}', '{{\"k\": [1, null]}}', 'ä\\n\"x''', '\\x00ff', \
              'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1010', '1 day 02:00'), \
             (2, 'two', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
        ),
        schema,
    )
    .await;
    assert_eq!(bench.finish().await, ["item: Completed 2/0"]);
    let all = "SELECT * FROM item ORDER BY id";
    assert_eq!(
        rows(&bench.target, all).await,
        rows(&bench.source, all).await
    );
    bench.shutdown().await;
}
