//! `rbk env pull` against sandboxes, and what a runbook sees of the lock file that it writes.

use crate::account::{Account, PROD, assert_exit, assert_says};
use crate::process::{rbk, root, said};
use std::path::{Path, PathBuf};

/// The secret with which the original is administrated in `prod`.
const ADMIN: &str = "rds/statistagptdb_admin";

/// A copy of an environment file at a place where a lock file may be written.
fn copy(account: &Account, name: &str) -> (String, PathBuf) {
    let file = account.home().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(root().join(PROD)).expect("prod.toml");
    std::fs::write(&file, text).expect("written");
    let lock = file.with_extension("lock.toml");
    (file.to_str().expect("UTF-8").to_owned(), lock)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files beside a lock file, without those of the account itself.
fn beside(lock: &Path) -> Vec<String> {
    let folder = lock.parent().expect("a folder");
    let stem = lock.file_name().expect("a name").to_str().expect("UTF-8");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name.starts_with(stem))
        .collect();
    names.sort();
    names
}

#[test]
fn the_committed_lock_files_say_what_a_fresh_pull_finds() {
    for environment in ["prod", "parcels"] {
        let account = Account::of(environment, &[]);
        let output = account.finish(&["env", "pull", "--check", "--env", environment]);
        assert_exit(&output, 0);
        assert_says(&output, "as the lock file says");
    }
}

#[test]
fn what_changed_is_told_and_written_once() {
    let account = Account::start();
    let (environment, lock) = copy(&account, "copied");
    let pull = |options: &[&str]| {
        let arguments: Vec<&str> = ["env", "pull", "--env", &environment]
            .into_iter()
            .chain(options.iter().copied())
            .collect();
        account.finish(&arguments)
    };

    // Without a lock file a check fails and writes none.
    let missing = pull(&["--check"]);
    assert_exit(&missing, 1);
    assert_says(&missing, "not in the lock file until now");
    assert!(!lock.exists());
    let plan = rbk(&["env", "check", "--env", &environment])
        .output()
        .expect("rbk starts");
    assert_says(&plan, "no lock file: statements on schema objects need one");

    let first = pull(&[]);
    assert_exit(&first, 0);
    assert_says(&first, "is written; commit it");
    let written = read(&lock);
    assert!(
        written.contains("type = \"public.vector(1536)\""),
        "{written}"
    );
    assert!(!written.contains("password"), "{written}");
    let plan = rbk(&["env", "check", "--env", &environment])
        .output()
        .expect("rbk starts");
    assert_says(&plan, "knows the schemas of original, recovery");

    // Nothing changed, and rows that come and go change nothing.
    account
        .execute(
            ADMIN,
            "INSERT INTO public.sources (key, title) VALUES ('more', 'More'); ANALYZE",
        )
        .expect("written");
    let again = pull(&[]);
    assert_exit(&again, 0);
    assert_says(&again, "as the lock file says");
    assert_says(&again, "stays as it is");
    assert_eq!(read(&lock), written);

    // What changed is told thing by thing. The migration tool's own tables are no change.
    account
        .execute(
            ADMIN,
            "CREATE TABLE public.databasechangelog (id text); \
             CREATE TABLE public.databasechangeloglock (id serial PRIMARY KEY); \
             ALTER TABLE public.documents ALTER COLUMN language DROP NOT NULL, DROP COLUMN published_on; \
             DROP INDEX public.embeddings_embedding_vector_idx; \
             ALTER TABLE public.embeddings ALTER COLUMN embedding_vector TYPE text; \
             CREATE INDEX conversations_started_at_idx ON public.conversations (started_at); \
             REVOKE DELETE ON public.sources FROM sgpt_app",
        )
        .expect("changed");
    let check = pull(&["--check"]);
    assert_exit(&check, 1);
    assert_eq!(read(&lock), written);
    for line in [
        "original: PostgreSQL",
        "6 differences from the lock file",
        "+ index public.conversations_started_at_idx",
        "~ column public.documents.language: NOT NULL -> nullable",
        "- column public.documents.published_on",
        "~ column public.embeddings.embedding_vector: public.vector(1536) -> text",
        "- index public.embeddings_embedding_vector_idx",
        "~ what sgpt_app may do on table public.sources: DELETE, INSERT, SELECT, UPDATE -> INSERT, SELECT, UPDATE",
        "doesn't say what is there",
    ] {
        assert_says(&check, line);
    }
    let second = pull(&["original"]);
    assert_exit(&second, 0);
    assert_says(&second, "is written; commit it");
    assert_ne!(read(&lock), written);
    assert_exit(&pull(&["--check"]), 0);
    assert_eq!(beside(&lock), ["copied.lock.toml"]);
}

#[test]
fn what_can_not_be_read_is_said_and_nothing_is_written() {
    let account = Account::start();
    let (environment, lock) = copy(&account, "copied");
    let pull = |environment: &str, more: &[&str]| {
        let arguments: Vec<&str> = ["env", "pull", "--env", environment]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        account.finish(&arguments)
    };

    let unknown = pull(&environment, &["origin"]);
    assert_exit(&unknown, 64);
    assert_says(&unknown, "did you mean `original`?");

    let absent = pull(&environment, &["recovery"]);
    assert_exit(&absent, 4);
    assert_says(&absent, "there is no instance `statistagptdb-recovery`");

    let nothing =
        account.environment_with("instance = \"statistagptdb\"", "instance = \"another\"");
    let nothing = pull(&nothing, &[]);
    assert_exit(&nothing, 4);
    assert_says(&nothing, "none of them exists");

    let secret = account.environment_with(ADMIN, "rds/nobody_made_it");
    let secret = pull(&secret, &[]);
    assert_exit(&secret, 4);
    assert_says(&secret, "there is no secret `rds/nobody_made_it`");
    assert_says(&secret, "correct its name in the environment");

    let elsewhere =
        account.environment_with("account = \"123456789012\"", "account = \"210987654321\"");
    let elsewhere = pull(&elsewhere, &[]);
    assert_exit(&elsewhere, 4);
    assert_says(&elsewhere, "the environment is account 210987654321");

    account.meddle_with(
        ADMIN,
        "{\"username\": \"postgres\", \"password\": \"an old one\"}",
    );
    let refused = pull(&environment, &[]);
    assert_exit(&refused, 4);
    assert_says(&refused, "look at the secret that rbk administrates with");
    assert!(!said(&refused).contains("an old one"));
    assert_eq!(beside(&lock), Vec::<String>::new());

    // A newer rbk's file is never written over; one that is torn is, and that is said.
    std::fs::write(&lock, "version = 2\n").expect("written");
    let newer = pull(&environment, &[]);
    assert_exit(&newer, 1);
    assert_says(&newer, "RBK3036");
    assert_eq!(read(&lock), "version = 2\n");
    std::fs::write(&lock, "version = 1\n<<<<<<< HEAD\n").expect("written");
    let torn = pull(&environment, &["--check"]);
    assert_exit(&torn, 1);
    assert_says(&torn, "RBK3035");
    let check = rbk(&["env", "check", "--env", &environment])
        .output()
        .expect("rbk starts");
    assert_exit(&check, 1);
    assert_says(&check, "a merge left this");
}

/// What names no schema object can be checked and run whatever became of the lock file.
#[test]
fn a_broken_lock_file_stops_only_what_needs_it() {
    let home = tempfile::tempdir().expect("a directory");
    let environment = home.path().join("copied.toml");
    std::fs::copy(root().join(PROD), &environment).expect("copied");
    std::fs::write(
        home.path().join("copied.lock.toml"),
        "version = 1\nrows = 5\n",
    )
    .expect("written");
    let environment = environment.to_str().expect("UTF-8");
    let without = rbk(&["check", "runbooks/quick-recovery.rbk", "--env", environment])
        .output()
        .expect("rbk starts");
    assert_exit(&without, 0);
    let runbook = home.path().join("drift.rbk");
    let text = "runbook \"Drift\"\n\nrequire original is available\n\nstep \"Look\" {\n  assert no drift in original\n}\n";
    std::fs::write(&runbook, text).expect("written");
    let with = rbk(&[
        "check",
        runbook.to_str().expect("UTF-8"),
        "--env",
        environment,
    ])
    .output()
    .expect("rbk starts");
    assert_exit(&with, 1);
    assert_says(&with, "RBK3037");
    assert!(!said(&with).contains("RBK1019"), "{}", said(&with));
}
