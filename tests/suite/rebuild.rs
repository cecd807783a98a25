//! The rebuild of the original, end to end: killed around each of its effects, and with what goes wrong in databases.

use crate::account::{Account, PATIENCE, PROD, Running, assert_exit, assert_says, eventually};
use crate::process::{finish, said};
use crate::recovered::{ORIGINAL, RECOVERY, assert_same, newest, recovered, resume, run, text};
use rbk_core::value::Type;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;

const REBUILD: &str = "runbooks/rebuild-schema.rbk";

fn journal(account: &Account) -> Vec<Value> {
    let path = account.store().join(newest(account)).join("journal.jsonl");
    let text = std::fs::read_to_string(path).expect("a journal");
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The original holds what the recovery holds, is made as the migration makes it, and takes new rows.
#[track_caller]
fn assert_rebuilt(account: &Account) {
    assert_same(account);
    let index =
        "SELECT count(*)::text FROM pg_indexes WHERE indexname = 'embeddings_embedding_vector_idx'";
    assert_eq!(text(account, ORIGINAL, index), "1");
    // Six change sets, each applied once, and nobody holds the tool's lock.
    let applied = "SELECT count(DISTINCT id) || ' of ' || count(*) FROM public.databasechangelog";
    assert_eq!(text(account, ORIGINAL, applied), "6 of 6");
    let held = "SELECT count(*)::text FROM public.databasechangeloglock WHERE locked";
    assert_eq!(text(account, ORIGINAL, held), "0");
    // The next row of each table with a sequence gets a number of its own.
    account
        .execute(
            ORIGINAL,
            "BEGIN; \
             INSERT INTO public.sources (key, title) VALUES ('next', 'next'); \
             INSERT INTO public.conversations (user_key) VALUES ('next'); \
             INSERT INTO public.usage_events (user_key, kind) VALUES ('next', 'next'); \
             INSERT INTO public.documents (source_id, external_id, title, body) \
               SELECT min(id), 'next', 'next', 'next' FROM public.sources; \
             INSERT INTO public.embeddings (document_id, chunk, content, model, embedding_vector) \
               SELECT document_id, 1000, 'next', 'next', embedding_vector FROM public.embeddings LIMIT 1; \
             ROLLBACK",
        )
        .expect("every sequence is past the rows");
    // The application goes on where it was, and may write there again.
    assert!(account.writes("rds/statistagptdb_recovery"));
}

#[test]
fn a_rebuild_that_is_killed_around_each_effect_ends_like_an_undisturbed_one() {
    let account = recovered();
    let mut begun: Option<String> = None;
    let mut kills = 0;
    // Each effect: killed behind its intent, then behind its sending, then before its outcome is written.
    for point in ["after-intent:1", "after-send:1", "before-outcome:1"]
        .into_iter()
        .cycle()
    {
        let [command, what] = match &begun {
            None => ["run", REBUILD],
            Some(run) => ["resume", run.as_str()],
        };
        let mut command = account.rbk(&[command, what, "--env", "prod", "--approve", "all"]);
        command.env("RBK_KILL_AT", point);
        let output = finish(&mut command, PATIENCE);
        if output.status.signal() != Some(9) {
            assert_exit(&output, 0);
            break;
        }
        kills += 1;
        assert!(kills < 150, "it goes round in circles: {}", said(&output));
        begun = Some(newest(&account));
    }
    let records = journal(&account);
    let effects: BTreeSet<String> = records
        .iter()
        .filter(|record| record["type"] == "intent")
        .map(|record| record["action"].to_string())
        .collect();
    assert!(effects.len() >= 12, "{effects:?}");
    assert!(kills >= 3 * effects.len(), "{kills} kills of {effects:?}");
    assert_eq!(records.last().expect("a record")["body"]["kind"], "done");
    assert_rebuilt(&account);
    // Each change was committed once: its marker is its primary key, and no change is without one.
    let markers =
        "SELECT count(DISTINCT (run, action, part)) || ' of ' || count(*) FROM rbk.markers";
    let counted = text(&account, ORIGINAL, markers);
    let (distinct, all) = counted.split_once(" of ").expect("two numbers");
    assert_eq!(distinct, all);
    assert_no_secret_is_kept(&account);
}

/// No journal, plan or output of any run holds a password that ever opened anything.
#[track_caller]
fn assert_no_secret_is_kept(account: &Account) {
    let mut passwords = BTreeSet::new();
    for secret in [
        "rds/statistagptdb",
        ORIGINAL,
        "rds/statistagptdb_recovery",
        RECOVERY,
    ] {
        for value in account.all_values(secret) {
            let content: Value = serde_json::from_str(&value).expect("JSON");
            passwords.insert(content["password"].as_str().expect("text").to_owned());
        }
    }
    let mut files = 0;
    for run in account.runs() {
        for entry in std::fs::read_dir(account.store().join(run)).expect("a folder") {
            let text = std::fs::read(entry.expect("readable").path()).expect("readable");
            let text = String::from_utf8_lossy(&text);
            assert!(!passwords.iter().any(|password| text.contains(password)));
            files += 1;
        }
    }
    assert!(passwords.len() >= 4 && files >= 4, "{files} files");
}

#[test]
fn a_transaction_that_stands_in_the_way_is_named() {
    let account = recovered();
    // Somebody reads a table in a transaction that they forgot to end.
    let forgotten = account.superuser();
    forgotten.execute("BEGIN; SELECT count(*) FROM public.sources");
    let run = Running::start(account.rbk(&["run", REBUILD, "--env", "prod", "--approve", "all"]));
    run.until_says("rdsadmin");
    forgotten.execute("ROLLBACK");
    let output = run.end();
    assert_exit(&output, 0);
    assert_rebuilt(&account);
}

#[test]
fn a_change_set_that_fails_is_named_and_gone_on_with_once_it_is_mended() {
    let account = recovered();
    // The server refuses one kind of statement, in the middle of the changelog.
    account.superuser().execute(
        "CREATE SCHEMA sabotage; \
         CREATE FUNCTION sabotage.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ \
           BEGIN RAISE EXCEPTION 'no views today'; END $$; \
         CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE VIEW') \
           EXECUTE FUNCTION sabotage.refuse()",
    );
    let output = run(&account, REBUILD);
    assert_exit(&output, 4);
    assert_says(&output, "db.changelog.xml::document-overview::statistagpt");
    assert_says(&output, "rbk resume");
    assert_says(&output, "no views today");
    account
        .superuser()
        .execute("DROP EVENT TRIGGER refuse; DROP SCHEMA sabotage CASCADE");
    let output = resume(&account);
    assert_exit(&output, 0);
    assert_rebuilt(&account);
}

#[test]
fn liquibase_killed_with_its_lock_held_is_gone_on_with() {
    let account = recovered();
    // It is held in the middle of its first change set: killed between a change set and the record of it, Liquibase would leave one
    // that it doesn't know of.
    let holder = account.superuser();
    holder.execute(
        "CREATE SCHEMA sabotage; \
         CREATE FUNCTION sabotage.hold() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF current_query() LIKE '%public.sources%' THEN PERFORM pg_advisory_xact_lock(4711); END IF; END $$; \
         CREATE EVENT TRIGGER hold ON ddl_command_end WHEN TAG IN ('CREATE TABLE') \
           EXECUTE FUNCTION sabotage.hold(); \
         SELECT pg_advisory_lock(4711)",
    );
    let run = Running::start(account.rbk(&["run", REBUILD, "--env", "prod", "--approve", "all"]));
    let held = "SELECT count(*)::text FROM public.databasechangeloglock WHERE locked";
    eventually("Liquibase holds its lock", || {
        account
            .value(ORIGINAL, held, Type::Text)
            .is_some_and(|value| value.to_string() == "1")
            .then_some(())
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    eventually("Liquibase is in its first change set", || {
        (holder.number(waiting) == 1).then_some(())
    });
    run.signal(Signal::KILL);
    assert_eq!(run.end().status.signal(), Some(9));
    holder.execute(
        "SELECT pg_advisory_unlock(4711); DROP EVENT TRIGGER hold; DROP SCHEMA sabotage CASCADE",
    );
    let output = resume(&account);
    assert_exit(&output, 0);
    assert_rebuilt(&account);
}

#[test]
fn somebody_elses_lock_is_waited_for_and_named() {
    let account = recovered();
    let runbook = account.runbook_of(REBUILD, "  recreate schema broken.public\n", "  recreate schema broken.public\n  sql on broken \"CREATE TABLE public.databasechangeloglock (id integer PRIMARY KEY, locked boolean NOT NULL, lockgranted timestamp, lockedby varchar(255)); INSERT INTO public.databasechangeloglock VALUES (1, true, now(), 'deploy-7 (10.0.0.7)')\"\n");
    let run = Running::start(account.rbk(&["run", &runbook, "--env", PROD, "--approve", "all"]));
    run.until_says("deploy-7");
    // The deployment on the other machine ends.
    account
        .execute(
            ORIGINAL,
            "UPDATE public.databasechangeloglock SET locked = false, lockedby = NULL",
        )
        .expect("released");
    let output = run.end();
    assert_exit(&output, 0);
    assert_rebuilt(&account);
}

#[test]
fn a_backend_that_is_killed_inside_a_change_leaves_it_decided() {
    let account = recovered();
    let run = Running::start(account.rbk(&["run", REBUILD, "--env", "prod", "--approve", "all"]));
    // rbk's own backends on the original die one after the other, whatever they are doing.
    let mut killed = 0;
    let superuser = account.superuser();
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                WHERE application_name LIKE 'rbk%' AND pid <> pg_backend_pid() AND state = 'active' \
                  AND datname = 'statistagpt' AND query !~ 'pg_stat_activity'";
    while killed < 5 && run.is_alive() {
        killed += superuser.number(kill);
    }
    let mut output = run.end();
    for _ in 0..5 {
        if output.status.success() {
            break;
        }
        assert_exit(&output, 4);
        output = resume(&account);
    }
    assert_exit(&output, 0);
    assert!(killed > 0);
    assert_rebuilt(&account);
}

#[test]
fn a_role_that_loses_its_right_suspends_the_run() {
    let account = recovered();
    account
        .superuser()
        .execute("REVOKE SET ON PARAMETER session_replication_role FROM rds_superuser CASCADE");
    let output = run(&account, REBUILD);
    assert_exit(&output, 4);
    assert_says(&output, "session_replication_role");
    account
        .superuser()
        .execute("GRANT SET ON PARAMETER session_replication_role TO rds_superuser");
    let output = resume(&account);
    assert_exit(&output, 0);
    assert_rebuilt(&account);
}

#[test]
fn drift_is_found_before_anything_happens() {
    let account = recovered();
    account
        .execute(
            RECOVERY,
            "ALTER TABLE public.documents ADD COLUMN subtitle text",
        )
        .expect("altered");
    let output = run(&account, REBUILD);
    assert_exit(&output, 3);
    assert_says(&output, "subtitle");
    assert_says(&output, "rbk env pull");
    // Nothing was dropped: what the disaster left of the original is still there.
    let tables = "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'";
    assert_ne!(text(&account, ORIGINAL, tables), "0");
}

/// What Liquibase and a role of its own have left in production, and so in its snapshots.
const LEFT_BEHIND: &str = "\
    GRANT sgpt_app TO postgres; GRANT CREATE ON SCHEMA public TO sgpt_app; \
    CREATE TABLE public.databasechangeloglock (id integer PRIMARY KEY, locked boolean NOT NULL, lockgranted timestamp, \
      lockedby varchar(255)); \
    INSERT INTO public.databasechangeloglock VALUES (1, false); \
    CREATE TABLE public.databasechangelog (id varchar(255) NOT NULL, author varchar(255) NOT NULL, \
      filename varchar(255) NOT NULL, dateexecuted timestamp NOT NULL, orderexecuted integer NOT NULL, \
      exectype varchar(10) NOT NULL, md5sum varchar(35), description varchar(255), comments varchar(255), \
      tag varchar(255), liquibase varchar(20), contexts varchar(255), labels varchar(255), deployment_id varchar(10)); \
    INSERT INTO public.databasechangelog SELECT 'old-' || n, 'statistagpt', 'db.changelog.xml', now(), n, 'EXECUTED' \
      FROM generate_series(1, 9) AS n; \
    DO $$ DECLARE t regclass; BEGIN \
      FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') LOOP \
        EXECUTE format('ALTER TABLE %s OWNER TO sgpt_app', t); \
      END LOOP; END $$";

/// Such a production with an environment of its own, whose lock file is pulled from it.
fn production() -> (Account, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a directory");
    let runbooks = crate::process::root().join("runbooks");
    let left_behind = folder.path().join("left-behind.sql");
    std::fs::write(&left_behind, LEFT_BEHIND).expect("written");
    let last = "\"../drill/statistagpt/sources.sql\",";
    let text = std::fs::read_to_string(runbooks.join("environments/prod.toml")).expect("prod.toml");
    assert!(text.contains(last));
    let text = text
        .replace(last, &format!("{last} \"{}\",", left_behind.display()))
        .replace("\"../", &format!("\"{}/", runbooks.display()));
    let environment = folder.path().join("production.toml");
    std::fs::write(&environment, text).expect("written");
    let environment = environment.to_str().expect("UTF-8").to_owned();
    let account = Account::of(&environment, &[]);
    let pulled = account.finish(&["env", "pull", "--env", &environment]);
    assert_exit(&pulled, 0);
    (account, folder, environment)
}

#[test]
fn a_production_that_a_role_of_its_own_has_migrated_is_rebuilt_as_it_was() {
    let (account, _folder, environment) = production();
    let lock = std::fs::read_to_string(environment.replace(".toml", ".lock.toml")).expect("pulled");
    assert!(!lock.contains("databasechangelog"), "{lock}");
    assert!(lock.contains("owner = \"sgpt_app\""), "{lock}");
    for runbook in ["runbooks/quick-recovery.rbk", REBUILD] {
        let run = ["run", runbook, "--env", &environment, "--approve", "all"];
        assert_exit(&account.finish(&run), 0);
    }
    assert_rebuilt(&account);
    // All belong to the role that migrates, the tool's own tables included: it can go on.
    let owners = "SELECT string_agg(DISTINCT pg_get_userbyid(relowner)::text, ', ') FROM pg_class \
                  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')";
    assert_eq!(text(&account, ORIGINAL, owners), "sgpt_app");
    // The recovery has what the snapshot had.
    let applied = "SELECT count(*)::text FROM public.databasechangelog";
    assert_eq!(text(&account, RECOVERY, applied), "9");
}
