//! `rbk new`, `rbk completions`, `rbk man`: from an empty folder to something that the checker likes.

use crate::account::{Account, assert_exit, assert_says};
use crate::process::{rbk, said};
use std::path::Path;
use std::process::{Command, Output};

const TEMPLATES: [&str; 8] = [
    "blank",
    "quick-recovery",
    "point-in-time",
    "backup-audit",
    "rebuild-schema",
    "repair-original",
    "return-to-original",
    "full-recovery",
];

#[track_caller]
fn within(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = rbk(arguments);
    command.current_dir(folder).output().expect("rbk starts")
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).expect(file)
}

#[test]
fn an_empty_folder_becomes_a_project_that_checks() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = within(folder.path(), &["new", "environment", "prod"]);
    assert_exit(&output, 0);
    insta::assert_snapshot!("new_environment", said(&output));
    insta::assert_snapshot!(
        "new_environment_file",
        read(folder.path(), "runbooks/environments/prod.toml")
    );
    assert_exit(&within(folder.path(), &["env", "check"]), 0);

    let output = within(folder.path(), &["new", "runbook", "runbooks/monthly-audit"]);
    assert_exit(&output, 0);
    insta::assert_snapshot!("new_runbook", said(&output));
    insta::assert_snapshot!(
        "new_runbook_file",
        read(folder.path(), "runbooks/monthly-audit.rbk")
    );
    let checked = within(folder.path(), &["check", "runbooks/monthly-audit.rbk"]);
    assert_exit(&checked, 0);
    assert!(!said(&checked).contains("RBK"), "{}", said(&checked));
}

#[test]
fn each_template_is_a_runbook_of_the_environment_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_exit(
        &within(
            folder.path(),
            &["new", "env", "prod", "--application", "shop"],
        ),
        0,
    );
    for template in TEMPLATES {
        let file = format!("runbooks/{template}.rbk");
        assert_exit(
            &within(
                folder.path(),
                &["new", "runbook", &file, "--template", template],
            ),
            0,
        );
        // What is about schema objects needs a lock file, and says so; all names are the environment's.
        let text = said(&within(folder.path(), &["check", &file]));
        assert!(!text.contains("sgpt"), "{template}: {text}");
        assert!(!text.contains("RBK1001"), "{template}: {text}");
        let is_about_schemas = text.contains("rbk env pull");
        assert!(
            is_about_schemas || text.starts_with("exit 0"),
            "{template}: {text}"
        );
    }
}

#[test]
fn a_runbook_gets_the_names_that_can_only_be_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_exit(
        &within(
            folder.path(),
            &["new", "environment", "prod", "--application", "shop"],
        ),
        0,
    );
    let environment = folder.path().join("runbooks/environments/prod.toml");
    let text = std::fs::read_to_string(&environment).expect("written");
    let text = text.replace("[databases.original", "[databases.orders");
    let text = text.replace("\"original\"", "\"orders\"");
    let text = text.replace("[parameters]\napp = \"shop\"\n", "");
    std::fs::write(&environment, text).expect("written");
    let output = within(
        folder.path(),
        &[
            "new",
            "runbook",
            "runbooks/quick",
            "--template",
            "quick-recovery",
        ],
    );
    assert_exit(&output, 0);
    assert_says(&output, "`original` is `orders` in it");
    assert_says(&output, "`sgpt` is `shop` in it");
    assert_exit(&within(folder.path(), &["check", "runbooks/quick.rbk"]), 0);
}

#[test]
fn nothing_is_written_over_and_nothing_outside() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_exit(&within(folder.path(), &["new", "environment", "prod"]), 0);
    let before = read(folder.path(), "runbooks/environments/prod.toml");
    let again = within(
        folder.path(),
        &["new", "environment", "prod", "--application", "shop"],
    );
    assert_exit(&again, 64);
    assert_says(&again, "is there already");
    assert_eq!(
        read(folder.path(), "runbooks/environments/prod.toml"),
        before
    );

    std::fs::write(folder.path().join("a.rbk"), "mine").expect("written");
    assert_exit(&within(folder.path(), &["new", "runbook", "a"]), 64);
    assert_eq!(read(folder.path(), "a.rbk"), "mine");

    for name in ["../prod", "a/b", ".prod", "a b"] {
        assert_exit(&within(folder.path(), &["new", "environment", name]), 64);
    }
    let wrong = within(
        folder.path(),
        &["new", "environment", "stage", "--application", "my-shop"],
    );
    assert_exit(&wrong, 64);
}

#[test]
fn an_environment_is_filled_from_the_account() {
    let account = Account::start();
    let folder = tempfile::tempdir().expect("a folder");
    let create = |name: &str, instance: &str| {
        let arguments = [
            "new",
            "environment",
            name,
            "--instance",
            instance,
            "--region",
            "eu-central-1",
        ];
        let mut command = account.rbk(&arguments);
        command
            .current_dir(folder.path())
            .output()
            .expect("rbk starts")
    };
    let output = create("prod", "statistagptdb");
    assert_exit(&output, 0);
    let text = read(folder.path(), "runbooks/environments/prod.toml");
    for line in [
        "account = \"123456789012\"",
        "subnet_group = \"statistagpt-db\"",
        "security_groups = [\"sg-0a1b2c3d4e5f60718\"]",
        "instance = \"statistagptdb\"",
        "class = \"db.r6g.large\"",
        "parameter_group = \"statistagpt-pg16\"",
        "retention = \"7d\"",
    ] {
        let found = text.lines().find(|found| found.starts_with(line));
        let found = found.unwrap_or_else(|| panic!("no `{line}` in\n{text}"));
        assert!(!found.contains("to fill in"), "{found}");
    }
    assert_exit(&within(folder.path(), &["env", "check"]), 0);
    assert!(account.effects().is_empty(), "{:?}", account.effects());

    let missing = create("stage", "no-such-instance");
    assert_exit(&missing, 4);
    assert_says(&missing, "has no instance `no-such-instance`");
    assert!(
        !folder
            .path()
            .join("runbooks/environments/stage.toml")
            .exists()
    );
}

#[test]
fn shells_are_given_completions_that_they_can_read() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = rbk(&["completions", shell]).output().expect("rbk starts");
        assert_exit(&output, 0);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.contains("drill"), "{shell}");
        // The others know of commands and options only.
        if ["bash", "zsh", "fish"].contains(&shell) {
            assert!(text.contains("quick-recovery"), "{shell}");
        }
        if shell == "bash" {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), text).expect("written");
            let read = Command::new("bash")
                .arg("-n")
                .arg(file.path())
                .output()
                .expect("bash");
            assert!(read.status.success(), "{}", said(&read));
        }
    }
}

#[test]
fn each_command_has_its_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = within(folder.path(), &["man", "pages"]);
    assert_exit(&output, 0);
    for page in [
        "rbk",
        "rbk-plan",
        "rbk-env-pull",
        "rbk-sandbox-up",
        "rbk-new-runbook",
    ] {
        let text = read(folder.path(), &format!("pages/{page}.1"));
        assert!(text.contains(&format!(".TH {page} 1")), "{page}: {text}");
    }
    let alone = within(folder.path(), &["man"]);
    assert!(String::from_utf8_lossy(&alone.stdout).contains(".TH rbk 1"));
}

#[test]
fn a_word_that_is_no_command_tells_the_one_that_was_meant() {
    for (word, meant) in [
        ("apply", "`rbk run FILE`"),
        ("validate", "`rbk check FILE`"),
        ("rollback", "`rbk abort RUN`"),
        ("init", "`rbk new runbook FILE`"),
        ("quick-recovery.rbk", "`rbk plan quick-recovery.rbk`"),
        ("reviewed.rbkplan", "`rbk run reviewed.rbkplan`"),
        ("RBK2004", "`rbk explain RBK2004`"),
        ("xyzzy", "`rbk --help` lists"),
    ] {
        let output = rbk(&[word]).output().expect("rbk starts");
        assert_exit(&output, 64);
        assert_says(&output, meant);
    }
}
