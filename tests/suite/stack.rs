//! An application whose active database is a setting of a deployed stack: deployed and read by commands, followed by its stand-in.

use crate::account::{Account, RUNBOOK, assert_exit, assert_says};
use crate::process::{root, said};
use std::path::{Path, PathBuf};

const POINTER: &str = "active = { pointer = \"sgpt/active_secret_key\" }";

/// A folder with an environment whose stack is a file with one line: the name of the active secret.
struct Team {
    folder: tempfile::TempDir,
}

impl Team {
    /// `deploy`: the words of the command that deploys; `None` leaves that to a person.
    fn new(deploy: Option<&str>) -> Team {
        let folder = tempfile::tempdir().expect("a folder");
        let runbooks = root().join("runbooks");
        let read = |name: &str| {
            let text = std::fs::read_to_string(runbooks.join("environments").join(name));
            text.expect("it is shipped")
        };
        let stack = folder.path().join("stack.txt");
        let active = match deploy {
            Some(_) => "active = { stack = { apply = \"deploy\", read = \"active_secret\" } }",
            None => "active = { stack = { read = \"active_secret\" } }",
        };
        let mut text = read("prod.toml");
        assert!(text.contains(POINTER));
        text = text
            .replace(POINTER, active)
            .replace("\"../", &format!("\"{}/", runbooks.display()));
        text.push_str(&format!(
            "\n[commands.active_secret]\nprogram = [\"cat\", \"{}\"]\nrepeatable = true\nwithin = \"5s\"\n",
            stack.display()
        ));
        if let Some(deploy) = deploy {
            text.push_str(&format!(
                "\n[commands.deploy]\nprogram = [\"sh\", \"-c\", '{deploy}', \"deploy\", \"{{value}}\", \"{}\"]\n\
                 arguments = {{ value = \"text\" }}\nrepeatable = true\nwithin = \"5s\"\n",
                stack.display()
            ));
        }
        std::fs::write(folder.path().join("team.toml"), text).expect("written");
        std::fs::write(folder.path().join("team.lock.toml"), read("prod.lock.toml"))
            .expect("written");
        std::fs::write(stack, "rds/statistagptdb\n").expect("written");
        Team { folder }
    }

    fn environment(&self) -> String {
        let path = self.folder.path().join("team.toml");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn stack(&self) -> PathBuf {
        self.folder.path().join("stack.txt")
    }

    fn account(&self) -> Account {
        Account::of(&self.environment(), &["--run-commands"])
    }
}

fn deployed(stack: &Path) -> String {
    std::fs::read_to_string(stack)
        .expect("readable")
        .trim()
        .to_owned()
}

#[test]
fn a_stack_is_deployed_and_read_and_the_application_follows_it() {
    let team = Team::new(Some("printf \"%s\\n\" \"$1\" > \"$2\""));
    let account = team.account();
    let environment = team.environment();
    let run = ["run", RUNBOOK, "--env", &environment, "--approve", "all"];
    let output = account.finish(&run);
    assert_exit(&output, 0);
    assert_eq!(deployed(&team.stack()), "rds/statistagptdb_recovery");
    assert_eq!(
        account.application(),
        (200, "rds/statistagptdb_recovery".to_owned())
    );
    assert!(account.writes("rds/statistagptdb_recovery"));
}

/// Whoever only says yes hasn't deployed: what the stack says counts.
#[test]
fn a_person_deploys_and_the_run_goes_on_when_the_stack_says_so() {
    let team = Team::new(None);
    let account = team.account();
    let environment = team.environment();
    let run = ["run", RUNBOOK, "--env", &environment, "--approve", "all"];
    let output = account.finish(&run);
    assert_exit(&output, 4);
    assert_says(&output, "RBK4089");
    assert_says(&output, "s; nothing was undone");
    assert_says(&output, "rds/statistagptdb_recovery");
    let name = account.only_run();
    let status = account.finish(&["status", &name, "--env", &environment]);
    assert_says(&status, "RBK4089");
    std::fs::write(team.stack(), "rds/statistagptdb_recovery\n").expect("deployed");
    let resume = ["resume", &name, "--env", &environment, "--approve", "all"];
    assert_exit(&account.finish(&resume), 0);
    assert_eq!(
        account.application(),
        (200, "rds/statistagptdb_recovery".to_owned())
    );
    assert!(account.writes("rds/statistagptdb_recovery"));
    assert!(!account.opens("rds/statistagptdb"));
}

#[test]
fn a_deployment_that_did_not_deploy_is_noticed() {
    let team = Team::new(Some("echo deployed"));
    let account = team.account();
    let environment = team.environment();
    let run = ["run", RUNBOOK, "--env", &environment, "--approve", "all"];
    let output = account.finish(&run);
    assert!(!output.status.success(), "{}", said(&output));
    // What the stack says is believed, not what the command says.
    assert_says(&output, "rds/statistagptdb");
    assert_eq!(deployed(&team.stack()), "rds/statistagptdb");
}

#[test]
fn a_stand_in_for_a_stack_needs_leave_to_run_its_command() {
    let team = Team::new(Some("true"));
    let account = Account::of(&team.environment(), &[]);
    let log = std::fs::read_to_string(account.home().join("up.err")).expect("a log");
    assert!(log.contains("--run-commands"), "{log}");
}
