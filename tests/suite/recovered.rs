//! An account whose application runs on the recovery, and what is asked of its two databases while the original is made whole again.

use crate::account::{Account, assert_exit};
use rbk_core::value::Type;
use std::process::Output;

/// The secret of the original's administrator.
pub const ORIGINAL: &str = "rds/statistagptdb_admin";
/// The secret of the recovery's.
pub const RECOVERY: &str = "rds/statistagptdb_recovery_admin";

/// As the quick recovery leaves it.
pub fn recovered() -> Account {
    let account = Account::start();
    assert_exit(&account.run(), 0);
    account
}

/// Runs a runbook, all approved, to its end.
pub fn run(account: &Account, runbook: &str) -> Output {
    account.finish(&["run", runbook, "--env", "prod", "--approve", "all"])
}

/// The newest run's name: names begin with their time.
pub fn newest(account: &Account) -> String {
    account.runs().pop().expect("a run")
}

/// Goes on with the newest run, all approved.
pub fn resume(account: &Account) -> Output {
    let run = newest(account);
    account.finish(&["resume", &run, "--env", "prod", "--approve", "all"])
}

/// What a value of SQL is in a secret's database.
pub fn text(account: &Account, secret: &str, sql: &str) -> String {
    account
        .value(secret, sql, Type::Text)
        .expect("it can be logged in to")
        .to_string()
}

/// Every row of every table by which both databases can differ, as one text of sums. Not rbk's own comparison.
pub const ROWS: &str = "SELECT string_agg(line, E'\\n') FROM ( \
    SELECT 'embeddings ' || count(*) || ' ' || sum(hashtext(e::text)::bigint) AS line FROM public.embeddings e UNION ALL \
    SELECT 'documents ' || count(*) || ' ' || sum(hashtext(d::text)::bigint) FROM public.documents d UNION ALL \
    SELECT 'sources ' || count(*) || ' ' || sum(hashtext(s::text)::bigint) FROM public.sources s UNION ALL \
    SELECT 'conversations ' || count(*) || ' ' || sum(hashtext(c::text)::bigint) FROM public.conversations c UNION ALL \
    SELECT 'messages ' || count(*) || ' ' || sum(hashtext(m::text)::bigint) FROM public.messages m UNION ALL \
    SELECT 'citations ' || count(*) || ' ' || sum(hashtext(c::text)::bigint) FROM public.citations c UNION ALL \
    SELECT 'usage_events ' || count(*) || ' ' || sum(hashtext(u::text)::bigint) FROM public.usage_events u \
    ) AS lines";

/// The original holds what the recovery holds, and its vectors are vectors again.
#[track_caller]
pub fn assert_same(account: &Account) {
    assert_eq!(text(account, ORIGINAL, ROWS), text(account, RECOVERY, ROWS));
    let column = "SELECT format_type(atttypid, atttypmod) || ' ' || attnotnull FROM pg_attribute \
                  WHERE attrelid = 'public.embeddings'::regclass AND attname = 'embedding_vector'";
    assert_eq!(text(account, ORIGINAL, column), "vector(1536) true");
}
