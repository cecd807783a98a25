//! `rbk plan --diff`: against a saved plan, and against revisions of a real repository.

use super::Repository;
use crate::process::said;
use serde_json::Value;

const QUICK: &str = "runbooks/quick-recovery.rbk";

#[track_caller]
fn stdout(output: &std::process::Output) -> String {
    assert!(output.status.code() != Some(70), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(output)))
}

/// Another time-out, no approval, a renamed step, a larger instance.
fn change(repository: &Repository) {
    repository.edit(QUICK, "within 60m", "within 90m");
    repository.edit(QUICK, "  approve \"Point {app} at {target}?\"\n", "");
    repository.edit(QUICK, "step \"Look at the data\"", "step \"Look\"");
    let prod = "runbooks/environments/prod.toml";
    let text =
        repository
            .read(prod)
            .replacen("class = \"db.r6g.large\"", "class = \"db.r6g.xlarge\"", 1);
    repository.write(prod, text);
}

#[test]
fn a_change_is_told_by_what_it_does() {
    let repository = Repository::new();
    change(&repository);
    let output = repository.rbk(&["plan", QUICK, "--diff", "HEAD"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    insta::assert_snapshot!("human", said(&output));
    let output = repository.rbk(&["plan", QUICK, "--diff", "HEAD", "--format", "markdown"]);
    insta::assert_snapshot!("markdown", stdout(&output));

    // The same once it is committed, by any name of a revision, from any folder.
    let human = stdout(&repository.rbk(&["plan", QUICK, "--diff", "HEAD"]));
    let commit = repository.git(&["rev-parse", "HEAD"]);
    repository.commit("Change it");
    for revision in ["HEAD~1", "HEAD^", &commit, &commit[..10], "main~1"] {
        let output = repository.rbk(&["plan", QUICK, "--diff", revision]);
        assert_eq!(stdout(&output), human, "{revision}");
    }
    let inside = crate::process::rbk(&[
        "plan",
        "../quick-recovery.rbk",
        "--env",
        "prod",
        "--diff",
        "HEAD~1",
    ])
    .current_dir(repository.path("runbooks/environments"))
    .env("GIT_DIR", "/nowhere")
    .env("GIT_WORK_TREE", "/nowhere")
    .output()
    .expect("rbk starts");
    let there = human.replace(QUICK, "../quick-recovery.rbk");
    assert_eq!(stdout(&inside), there, "{}", said(&inside));
}

#[test]
fn the_exit_code_tells_whether_anything_differs_in_every_format() {
    let repository = Repository::new();
    for format in ["human", "json", "markdown"] {
        let with = |base: &str| {
            let arguments = [
                "plan",
                QUICK,
                "--diff",
                base,
                "--format",
                format,
                "--detailed-exitcode",
            ];
            repository.rbk(&arguments).status.code()
        };
        assert_eq!(with("HEAD"), Some(0), "{format}");
        let plain = repository.rbk(&["plan", QUICK, "--format", format, "--detailed-exitcode"]);
        assert_eq!(plain.status.code(), Some(2), "{format}");
    }
    repository.edit(QUICK, "within 60m", "within 90m");
    for format in ["human", "json", "markdown"] {
        let arguments = ["plan", QUICK, "--diff", "HEAD", "--format", format];
        assert_eq!(repository.rbk(&arguments).status.code(), Some(0));
        let arguments = [&arguments[..], &["--detailed-exitcode"]].concat();
        assert_eq!(
            repository.rbk(&arguments).status.code(),
            Some(2),
            "{format}"
        );
    }
    repository.edit(
        QUICK,
        "restore target from snap",
        "restore target form snap",
    );
    for format in ["human", "json", "markdown"] {
        let arguments = [
            "plan",
            QUICK,
            "--diff",
            "HEAD",
            "--format",
            format,
            "--detailed-exitcode",
        ];
        assert_eq!(
            repository.rbk(&arguments).status.code(),
            Some(1),
            "{format}"
        );
    }
}

#[test]
fn comments_change_nothing_and_it_is_said() {
    let repository = Repository::new();
    repository.edit(
        QUICK,
        "step \"Restore\" {",
        "# At night, too.\nstep \"Restore\"   {",
    );
    let output = repository.rbk(&["plan", QUICK, "--diff", "HEAD", "--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output)
            .contains("Nothing changes in what is done: only comments, titles or layout differ.")
    );
    let document = json(&repository.rbk(&["plan", QUICK, "--diff", "HEAD", "--format", "json"]));
    assert_eq!(document["differs"], false);
    assert_eq!(document["text_differs"], true);
}

#[test]
fn a_saved_plan_is_a_base_and_wins_over_a_revision_of_its_name() {
    let repository = Repository::new();
    let plan = stdout(&repository.rbk(&["plan", QUICK, "--format", "json"]));
    repository.write("main", &plan);
    repository.edit(QUICK, "max_loss: duration = 24h", "max_loss: duration = 1h");
    repository.commit("Less");
    let output = repository.rbk(&["plan", QUICK, "--diff", "main", "--format", "json"]);
    let document = json(&output);
    assert_eq!(document["parameters"][0]["path"], "max_loss.value");
    assert_eq!(document["parameters"][0]["old"], "1d");
    assert_eq!(document["parameters"][0]["new"], "1h");
    // Given values hold for both sides, as far as both have them.
    let output = repository.rbk(&[
        "plan",
        QUICK,
        "--set",
        "max_loss=2h",
        "--diff",
        "HEAD~1",
        "--format",
        "json",
    ]);
    assert_eq!(json(&output)["differs"], false, "{}", said(&output));
    repository.write(
        "new.rbk",
        repository.read(QUICK).replace("max_loss", "most_lost"),
    );
    repository.write(QUICK, repository.read("new.rbk"));
    let output = repository.rbk(&[
        "plan",
        QUICK,
        "--set",
        "most_lost=2h",
        "--diff",
        "HEAD",
        "--format",
        "json",
    ]);
    assert_eq!(json(&output)["differs"], true, "{}", said(&output));

    // So is one that `--out` saved.
    let saved = [
        "plan",
        QUICK,
        "--set",
        "most_lost=2h",
        "--out",
        "it.rbkplan",
    ];
    assert_eq!(repository.rbk(&saved).status.code(), Some(0));
    let arguments = [
        "plan",
        QUICK,
        "--set",
        "most_lost=3h",
        "--diff",
        "it.rbkplan",
    ];
    let output = repository.rbk(&arguments);
    assert!(
        stdout(&output).contains("most_lost.value: 2h → 3h"),
        "{}",
        said(&output)
    );

    for (text, why) in [
        ("not json", "no saved plan"),
        ("{}", "it has no version"),
        ("{\"version\": 1}", "no saved plan"),
        ("{\"version\": 900}", "of version 900, and this rbk knows"),
    ] {
        repository.write("main", text);
        let output = repository.rbk(&["plan", QUICK, "--diff", "main", "--set", "most_lost=2h"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
        assert!(said(&output).contains("help:"), "{}", said(&output));
    }
}

#[test]
fn what_was_not_there_is_new() {
    let repository = Repository::new();
    repository.write("runbooks/new.rbk", repository.read(QUICK));
    let output = repository.rbk(&[
        "plan",
        "runbooks/new.rbk",
        "--diff",
        "HEAD",
        "--detailed-exitcode",
    ]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("runbooks/new.rbk isn't in HEAD ("),
        "{}",
        said(&output)
    );
    assert!(stdout(&output).contains("New step \"Restore\""));

    let prod = repository.read("runbooks/environments/prod.toml");
    repository.write("runbooks/environments/spare.toml", prod);
    for env in ["spare", "runbooks/environments/spare.toml"] {
        let output = repository.rbk(&["plan", QUICK, "--env", env, "--diff", "HEAD"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(
            said(&output).contains("its environment isn't in HEAD"),
            "{}",
            said(&output)
        );
    }
    // Another default environment is another place.
    repository.write("runbooks/rbk.toml", "environment = \"parcels\"\n");
    let output = repository.rbk(&["plan", QUICK, "--diff", "HEAD", "--format", "json"]);
    let document = json(&output);
    assert_eq!(document["base"]["environment"], "prod");
    assert_eq!(document["head"]["environment"], "parcels");
}

#[test]
fn used_files_and_the_lock_file_are_those_of_the_revision() {
    let repository = Repository::new();
    let rebuild = "runbooks/rebuild-schema.rbk";
    let lock = "runbooks/environments/prod.lock.toml";
    repository.write(
        "shared/steps.rbk",
        "procedure look(which: database) {\n  await which is available within 5m\n}\n",
    );
    repository.write(
        "runbooks/uses.rbk",
        "runbook \"Uses\"\nuse \"../shared/steps.rbk\"\n\nstep \"Look\" {\n  do look(original)\n}\n",
    );
    repository.commit("Uses");
    let output = repository.rbk(&[
        "plan",
        "runbooks/uses.rbk",
        "--diff",
        "HEAD",
        "--format",
        "json",
    ]);
    assert_eq!(json(&output)["differs"], false, "{}", said(&output));
    repository.edit("shared/steps.rbk", "5m", "7m");
    let output = repository.rbk(&["plan", "runbooks/uses.rbk", "--diff", "HEAD"]);
    assert!(
        stdout(&output).contains("within: 5m → 7m"),
        "{}",
        said(&output)
    );

    let text = repository.read(lock);
    let output = repository.rbk(&["plan", rebuild, "--diff", "HEAD", "--format", "json"]);
    assert_eq!(json(&output)["differs"], false, "{}", said(&output));
    std::fs::remove_file(repository.path(lock)).expect("it was there");
    repository.commit("Without a lock file");
    repository.write(lock, text);
    let output = repository.rbk(&["plan", rebuild, "--diff", "HEAD"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("isn't right, so there is nothing to compare with"),
        "{}",
        said(&output)
    );
    let output = repository.rbk(&["plan", rebuild, "--diff", "HEAD~1"]);
    assert!(
        stdout(&output).contains("Nothing changes"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_link_is_followed_within_the_revision() {
    let repository = Repository::new();
    std::os::unix::fs::symlink("quick-recovery.rbk", repository.path("runbooks/night.rbk"))
        .expect("a link");
    repository.commit("A link");
    repository.edit(QUICK, "within 60m", "within 61m");
    let output = repository.rbk(&["plan", "runbooks/night.rbk", "--diff", "HEAD"]);
    assert!(
        stdout(&output).contains("within: 1h → 1h1m"),
        "{}",
        said(&output)
    );
}

#[test]
fn what_cannot_be_compared_says_what_to_do() {
    let repository = Repository::new();
    for (base, why) in [
        ("no-such-branch", "there is no revision `no-such-branch`"),
        ("--help", "there is no revision `--help`"),
        ("HEAD~99", "there is no revision `HEAD~99`"),
        ("", "there is no revision ``"),
    ] {
        let output = repository.rbk(&["plan", QUICK, &format!("--diff={base}")]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
        assert!(
            said(&output).contains("git fetch origin"),
            "{}",
            said(&output)
        );
    }
    let shallow = tempfile::tempdir().expect("a folder");
    repository.commit("Another");
    let from = format!("file://{}", repository.0.path().display());
    let cloned = super::git(shallow.path())
        .args(["clone", "--quiet", "--depth=1", &from, "."])
        .status()
        .expect("git starts");
    assert!(cloned.success());
    let output = crate::process::rbk(&["plan", QUICK, "--diff", "HEAD~1"])
        .current_dir(shallow.path())
        .output()
        .expect("rbk starts");
    assert!(
        said(&output).contains("fetch-depth: 0"),
        "{}",
        said(&output)
    );

    let folder = tempfile::tempdir().expect("a folder");
    super::copy(
        &repository.path("runbooks"),
        &folder.path().join("runbooks"),
    );
    let nowhere = |path: Option<&str>| {
        let mut command = crate::process::rbk(&["plan", QUICK, "--diff", "HEAD"]);
        command
            .current_dir(folder.path())
            .env("GIT_CEILING_DIRECTORIES", "/");
        if let Some(path) = path {
            command.env("PATH", path);
        }
        said(&command.output().expect("rbk starts"))
    };
    assert!(
        nowhere(None).contains("is in no git repository"),
        "{}",
        nowhere(None)
    );
    assert!(
        nowhere(Some("/nowhere")).contains("`git` can't be started"),
        "{}",
        nowhere(Some("/nowhere"))
    );
    assert!(nowhere(Some("/nowhere")).contains("rbk plan FILE --format json"));
}

#[test]
fn the_same_plan_is_the_same_document_to_the_byte() {
    for file in super::shipped() {
        for format in ["json", "markdown", "human"] {
            let once = || {
                crate::process::rbk(&["plan", &file, "--format", format])
                    .output()
                    .expect("rbk starts")
                    .stdout
            };
            assert!(once() == once(), "{file} as {format}");
        }
    }
}
