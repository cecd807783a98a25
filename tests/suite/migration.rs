//! The migration in the middle of a repair: a changelog that is wrong, and a run that is killed while Liquibase works.

use crate::account::{Account, Running, assert_exit, assert_says, eventually};
use crate::process::root;
use rbk_core::value::{Type, Value};
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;

const REBUILD: &str = "runbooks/rebuild-schema.rbk";
const CHANGELOG: &str = "runbooks/changelog/statistagpt";
const USAGE: &str = "004-usage-events.sql";

/// An account after the quick recovery, with a changelog of its own.
struct Recovered {
    account: Account,
    environment: String,
    changelog: PathBuf,
}

impl Recovered {
    fn start() -> Self {
        let account = Account::start();
        assert_exit(&account.run(), 0);
        let changelog = account.home().join("changelog");
        fs::create_dir_all(changelog.join("sql")).expect("a folder");
        for name in ["db.changelog.xml", "sql"] {
            let from = root().join(CHANGELOG).join(name);
            let files = match fs::read_dir(&from) {
                Ok(entries) => entries
                    .map(|entry| entry.expect("an entry").path())
                    .collect(),
                Err(_) => vec![from],
            };
            for file in files {
                let inside = file.strip_prefix(root().join(CHANGELOG)).expect("inside");
                fs::copy(&file, changelog.join(inside)).expect("copied");
            }
        }
        let environment = account.environment_with("../changelog/statistagpt/db", "changelog/db");
        let lock = root().join("runbooks/environments/prod.lock.toml");
        fs::copy(lock, account.home().join("changed.lock.toml")).expect("copied");
        Self {
            account,
            environment,
            changelog,
        }
    }

    /// Changes the change set of the usage events.
    fn change(&self, change: impl Fn(String) -> String) {
        let shipped = fs::read_to_string(root().join(CHANGELOG).join("sql").join(USAGE));
        let text = change(shipped.expect("the shipped file"));
        fs::write(self.changelog.join("sql").join(USAGE), text).expect("written");
    }

    fn rebuild(&self) -> Vec<&str> {
        vec![
            "run",
            REBUILD,
            "--env",
            &self.environment,
            "--approve",
            "all",
        ]
    }

    /// The run that came after the recovery's.
    fn run(&self) -> String {
        self.account.runs().into_iter().max().expect("a run")
    }

    #[track_caller]
    fn resume_to_the_end(&self) {
        let run = self.run();
        let resumed = self.account.finish(&[
            "resume",
            &run,
            "--env",
            &self.environment,
            "--approve",
            "all",
        ]);
        assert_exit(&resumed, 0);
        assert_says(&resumed, "6 change sets are applied");
        let rows = |secret: &str| {
            let mut rows = self.account.rows(secret);
            rows.retain(|table, _| table.starts_with("public.") && !table.contains("changelog"));
            rows
        };
        let rebuilt = rows("rds/statistagptdb_admin");
        assert_eq!(rebuilt, rows("rds/statistagptdb_recovery_admin"));
        assert_eq!(rebuilt.get("public.documents"), Some(&20), "{rebuilt:?}");
    }
}

#[test]
fn a_changelog_that_fails_half_way_is_told_with_its_change_set_and_gone_on_with_when_it_is_mended()
{
    let recovered = Recovered::start();
    recovered.change(|sql| sql.replace("happened_at timestamptz", "happened_at timestampz"));
    let stopped = recovered.account.finish(&recovered.rebuild());
    assert_exit(&stopped, 4);
    assert_says(
        &stopped,
        "change set `db.changelog.xml::usage-events::statistagpt` failed",
    );
    assert_says(&stopped, "type \"timestampz\" does not exist");
    assert_says(&stopped, &format!("rbk resume {}", recovered.run()));
    recovered.change(|sql| sql);
    recovered.resume_to_the_end();
}

#[test]
fn a_run_that_is_killed_while_liquibase_works_takes_its_own_lock_back() {
    let recovered = Recovered::start();
    recovered.change(|sql| format!("{sql}\nSELECT pg_sleep(600);\n"));
    let rebuild = Running::start(recovered.account.rbk(&recovered.rebuild()));
    let asleep = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        let account = &recovered.account;
        let sleepers = account.value("rds/statistagptdb_admin", sql, Type::Integer);
        (sleepers == Some(Value::Integer(1))).then_some(())
    };
    eventually("the change set sleeps", asleep);
    rebuild.signal(Signal::KILL);
    rebuild.end();
    recovered.change(|sql| sql);
    recovered.resume_to_the_end();
}
