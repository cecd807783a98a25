//! Bad input of every kind: files, stores, names, machines. Each ends in a clear message and its exit code; nothing
//! hangs, nothing is half done, and no secret's value is seen anywhere.

use crate::account::{Account, PATIENCE, PROD, RUNBOOK, Running, assert_exit, assert_says};
use crate::process::{finish, rbk, root, said};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Long enough for any answer that needs no waiting.
const SOON: Duration = Duration::from_secs(60);

#[track_caller]
fn assert_refused(arguments: &[&str], code: i32, words: &str) {
    let output = finish(&mut rbk(arguments), SOON);
    assert_exit(&output, code);
    assert_says(&output, words);
}

#[test]
fn deep_and_endless_texts_are_bounded_however_they_are_nested() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep =
        |open: &str, close: &str| format!("{}true{}", open.repeat(10_000), close.repeat(10_000));
    let step = |inside: &str| format!("runbook \"R\"\nstep \"A\" {{\n{inside}\n}}\n");
    let texts = [
        step(&format!("  assert {}", deep("not ", ""))),
        step(&format!("  assert {}", deep("age(", ")"))),
        step(&format!("  note \"{}\"", deep("{", "}"))),
        deep("step \"A\" {", "}"),
        format!("runbook \"R\"\n{}", "step \"A\" {".repeat(10_000)),
        format!("runbook \"R\"\nlet x = {}", "1 + ".repeat(200_000)),
        format!("runbook \"{}\"", "x".repeat(11_000_000)),
        format!("runbook \"R\"\n{}", "let a = 1h\n".repeat(1_000_000)),
        "\"".repeat(100_000),
        "runbook \"R\"\nlet a\u{0} = 1\n".to_owned(),
    ];
    let file = folder.path().join("it.rbk");
    for text in texts {
        std::fs::write(&file, &text).expect("written");
        let path = file.to_str().expect("UTF-8");
        let output = finish(&mut rbk(&["check", path, "--env", PROD]), SOON);
        let start: String = text.chars().take(60).collect();
        assert_eq!(output.status.code(), Some(1), "{start}: {}", said(&output));
        let length = said(&output).len();
        assert!(length < 20_000, "{start}: {length} bytes are told");
    }
}

#[test]
fn what_is_no_file_or_no_text_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let environment = folder.path().join("it.toml");
    let environment = environment.to_str().expect("UTF-8");
    assert_refused(&["check", "runbooks", "--env", "prod"], 1, "runbooks");
    assert_refused(&["check", RUNBOOK, "--env", "./runbooks"], 1, "runbooks");
    assert_refused(&["run", "no-such.rbk", "--env", PROD], 1, "no-such.rbk");
    assert_refused(&["drill", "no-such.rbk", "--env", PROD], 1, "no-such.rbk");
    assert_refused(
        &["run", RUNBOOK, "--env", "prood"],
        1,
        "did you mean `prod`?",
    );
    assert_refused(
        &["sandbox", "up", "--env", "parcel"],
        1,
        "did you mean `parcels`?",
    );
    for bytes in [
        b"region = \"\xff\"".as_slice(),
        b"region = \"a\0b\"",
        b"\0\0",
        b"",
    ] {
        std::fs::write(environment, bytes).expect("written");
        assert_refused(&["check", RUNBOOK, "--env", environment], 1, "it.toml");
    }
    let nested = format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    std::fs::write(environment, nested).expect("written");
    assert_refused(&["env", "check", "--env", environment], 1, "it.toml");
}

#[test]
fn names_of_runs_are_names_and_nothing_else() {
    let store = tempfile::tempdir().expect("a folder");
    let run = store.path().join("20260101t000000-0badcafe");
    std::fs::create_dir(&run).expect("made");
    std::fs::write(run.join("journal.jsonl"), "").expect("written");
    let store = store.path().to_str().expect("UTF-8");
    for name in [
        "",
        "../../etc",
        "$(id)",
        "\u{1b}[2J",
        "20260101t000000-0badcafe/.",
        "*",
    ] {
        for verb in ["status", "resume", "abort"] {
            let mut arguments = vec![verb, name, "--store", store];
            arguments.extend((verb != "status").then_some("--alone"));
            let output = finish(&mut rbk(&arguments), SOON);
            assert_exit(&output, 64);
            assert_says(&output, "there is no run");
            assert!(!said(&output).contains('\u{1b}'), "{}", said(&output));
        }
    }
    // One that died before its first record is a run of which nothing is to be gone on with.
    let output = finish(
        &mut rbk(&["resume", "0badcafe", "--store", store, "--alone"]),
        SOON,
    );
    assert_exit(&output, 64);
    assert_says(&output, "did nothing: it died before its first record");
}

/// What is done to the files of a run, and what `rbk resume` says then.
const DAMAGES: [(&str, Damage, i32, &str); 11] = [
    (
        "a flipped bit in the middle",
        |run| {
            change(run, JOURNAL, |bytes| {
                let middle = bytes.len() / 2;
                flip(bytes, middle);
            })
        },
        7,
        "is damaged at record",
    ),
    (
        "a flipped bit at the start",
        |run| change(run, JOURNAL, |bytes| flip(bytes, 3)),
        7,
        "damaged at record 0",
    ),
    (
        "a record cut out",
        |run| change(run, JOURNAL, |bytes| cut_line(bytes, 5)),
        7,
        "damaged at record 5",
    ),
    (
        "two records in each other's place",
        |run| change(run, JOURNAL, swap_lines),
        7,
        "damaged at record 4",
    ),
    (
        "bytes of another kind behind it",
        |run| change(run, JOURNAL, |bytes| bytes.extend(b"\xff\xfe\n")),
        7,
        "damaged",
    ),
    (
        "a newer record",
        |run| change(run, JOURNAL, newer),
        64,
        "journal format 9",
    ),
    (
        "no record at all",
        |run| change(run, JOURNAL, Vec::clear),
        64,
        "did nothing",
    ),
    (
        "a changed plan",
        |run| {
            change(run, PLAN, |bytes| {
                raise(bytes, "statistagptdb-recovery", "statistagptdb-recoverx")
            })
        },
        7,
        "isn't the one that was begun",
    ),
    (
        "half a plan",
        |run| change(run, PLAN, |bytes| bytes.truncate(1000)),
        7,
        "isn't the one that was begun",
    ),
    (
        "no plan",
        |run| std::fs::remove_file(run.join(PLAN)).expect("removed"),
        7,
        "isn't the one that was begun",
    ),
    (
        "a folder for a journal",
        folder_for_journal,
        64,
        "there is no run",
    ),
];

type Damage = fn(&Path);
const JOURNAL: &str = "journal.jsonl";
const PLAN: &str = "plan.json";

#[test]
fn a_store_that_was_damaged_is_refused_by_name_and_the_rest_still_listed() {
    let account = Account::start();
    assert_exit(&account.finish(&["run", RUNBOOK, "--env", "prod"]), 4);
    let name = account.only_run();
    let effects = account.ledger().len();
    for (what, damage, code, words) in DAMAGES {
        let store = copied(&account.store());
        damage(&store.path().join(&name));
        let path = store.path().to_str().expect("UTF-8");
        for verb in ["resume", "abort", "status"] {
            let output = account.finish(&[verb, &name, "--store", path]);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{what}: {}",
                said(&output)
            );
            assert!(said(&output).contains(words), "{what}: {}", said(&output));
        }
        let listed = account.finish(&["runs", "--store", path]);
        assert_exit(&listed, 0);
    }
    assert_eq!(account.ledger().len(), effects);

    // A torn last record is what a crash leaves, and is forgiven; the copy goes on.
    let store = copied(&account.store());
    change(&store.path().join(&name), JOURNAL, |bytes| {
        bytes.truncate(bytes.len() - 20);
    });
    let path = store.path().to_str().expect("UTF-8");
    let resumed = account.finish(&["resume", &name, "--store", path, "--approve", "all"]);
    assert_exit(&resumed, 0);
    account.end().assert_recovered();
}

#[test]
fn a_disk_that_fills_up_suspends_the_run() {
    let account = Account::start();
    let waiting = account.finish(&["run", RUNBOOK, "--env", "prod"]);
    assert_exit(&waiting, 4);
    let name = account.only_run();
    let journal = account.store().join(&name).join(JOURNAL);
    let length = std::fs::metadata(&journal).expect("a journal").len();
    // Room for a few records more, in blocks of 512 bytes.
    let blocks = length / 512 + 4;
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let resume = account.rbk(&["resume", &name, "--env", "prod", "--approve", "all"]);
    let mut command = through_shell(&limited, &resume);
    let output = finish(&mut command, PATIENCE);
    assert_exit(&output, 4);
    assert_says(&output, "RBK4042");
    assert_says(&output, "make room or mend the disk, then `rbk resume");
    assert!(!account.runs().is_empty(), "{}", said(&output));
    assert_exit(&account.resume(), 0);
    account.end().assert_recovered();
}

#[test]
fn a_place_for_journals_that_is_none_is_told_before_anything_is_touched() {
    let account = Account::start();
    let file = account.home().join("a file");
    std::fs::write(&file, "").expect("written");
    let mut command = account.rbk(&["run", RUNBOOK, "--env", "prod", "--approve", "all"]);
    let output = finish(command.env("XDG_STATE_HOME", &file), SOON);
    assert_exit(&output, 4);
    assert_says(&output, "a file/rbk");
    assert!(account.ledger().is_empty());
}

/// In one text: ends of strings for shells and SQL, a substitution, a tag, and bytes for the terminal.
const HOSTILE: &str =
    r#"it's \"over\" $(touch pwned) `touch pwned`; DROP TABLE x; -- <b>&amp; %s 100%"#;

#[test]
fn hostile_texts_stay_texts() {
    let account = Account::start();
    let text = std::fs::read_to_string(root().join(RUNBOOK)).expect("the runbook");
    let text = text
        .replace("Switch the application", HOSTILE)
        .replace("Quick recovery", HOSTILE)
        .replace("Point {app} at {target}?", HOSTILE)
        .replace("it serves until the original is repaired", HOSTILE);
    let folder = account.home().join("a folder; touch pwned");
    std::fs::create_dir(&folder).expect("made");
    let runbook = folder.join("run $(touch pwned).rbk");
    std::fs::write(&runbook, text).expect("written");
    let runbook = runbook.to_str().expect("UTF-8");
    let store = folder.join("store");
    let store = store.to_str().expect("UTF-8");
    let output = account.finish(&["run", runbook, "--env", PROD, "--store", store]);
    assert_exit(&output, 4);

    // The command that is told can be pasted as it stands: it names the step, and runs nothing else.
    let all = said(&output);
    let command = all
        .split('`')
        .find(|word| word.starts_with("rbk resume") && word.contains("--approve"));
    let start = all.find("say yes with `rbk resume").expect("it is told");
    let told = &all[start + "say yes with `".len()..];
    let told = told.split("`, or resume on").next().expect("its end");
    assert!(command.is_some(), "{all}");
    let here = tempfile::tempdir().expect("a folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_rbk"));
    let path = format!(
        "{}:{}",
        binary.parent().expect("a folder").display(),
        std::env::var("PATH").expect("a path")
    );
    let mut pasted = Command::new("/bin/sh");
    pasted.args(["-c", told]).current_dir(here.path());
    let run = account.rbk(&[]);
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => pasted.env(name, value),
            None => pasted.env_remove(name),
        };
    }
    let output = finish(pasted.env("PATH", path), PATIENCE);
    assert_exit(&output, 0);
    account.end().assert_recovered();
    let left = std::fs::read_dir(here.path()).expect("readable").count();
    assert_eq!(left, 0, "something was run");
    assert!(!root().join("pwned").exists());
}

#[test]
fn a_machine_without_postgres_is_told_what_to_install() {
    let empty = tempfile::tempdir().expect("a folder");
    let mut command = rbk(&["sandbox", "up", "--env", "prod"]);
    let output = finish(command.env("RBK_POSTGRES_BIN", empty.path()), SOON);
    assert_exit(&output, 4);
    assert_says(&output, "RBK_POSTGRES_BIN names");
    assert_says(&output, "or unset it");

    let mut command = rbk(&["drill", RUNBOOK, "--env", "prod"]);
    let output = finish(command.env("RBK_POSTGRES_BIN", "/no/such/place"), SOON);
    assert_exit(&output, 4);
    assert_says(&output, "RBK_POSTGRES_BIN names `/no/such/place`");

    // Where the machine has an installation of its own in a usual place, that one is found, and nothing is missing.
    if !has_postgres_of_its_own() {
        let mut command = rbk(&["drill", RUNBOOK, "--env", "prod"]);
        command
            .env("PATH", empty.path())
            .env("RBK_CACHE", empty.path().join("cache"));
        let output = finish(&mut command, SOON);
        assert_exit(&output, 4);
        assert_says(&output, "python3 can't be started");
        assert_says(&output, "RBK_POSTGRES_BIN");
    }
}

#[test]
fn a_port_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    assert_refused(
        &["sandbox", "up", "--env", "prod", "--port", &port],
        4,
        &format!("port {port}"),
    );
}

#[test]
fn no_secret_is_seen_anywhere() {
    let account = Account::start();
    let mut command = account.rbk(&["run", RUNBOOK, "--env", "prod", "--approve", "all"]);
    command.env("RBK_LOG", "trace");
    let run = Running::start(command);
    let mut seen = Vec::new();
    let mut lines = BTreeSet::new();
    while account
        .journal_or_none()
        .last()
        .is_none_or(|last| last["type"] != "end")
    {
        lines.extend(command_lines());
        if !run.is_alive() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = run.end();
    assert_exit(&output, 0);
    assert!(
        lines.iter().any(|line| line.contains("quick-recovery")),
        "{lines:?}"
    );
    assert_says(&output, "DEBUG rbk_aws");
    seen.push(("what it said".to_owned(), said(&output).into_bytes()));
    seen.push((
        "arguments".to_owned(),
        lines
            .into_iter()
            .collect::<Vec<_>>()
            .join("\n")
            .into_bytes(),
    ));
    let name = account.only_run();
    for arguments in [
        ["status", &name, "--env", "prod", "--format", "json"].as_slice(),
        &["status", &name, "--env", "prod"],
        &["runs", "--env", "prod", "--format", "json"],
        &["sandbox", "ledger"],
    ] {
        let output = account.finish(arguments);
        seen.push((arguments.join(" "), said(&output).into_bytes()));
    }
    for path in files_below(account.home()) {
        seen.push((
            path.display().to_string(),
            std::fs::read(&path).expect("readable"),
        ));
    }
    assert!(seen.iter().any(|(name, _)| name.ends_with(PLAN)));

    let mut passwords = BTreeSet::new();
    for secret in [
        "rds/statistagptdb",
        "rds/statistagptdb_admin",
        "rds/statistagptdb_recovery",
        "rds/statistagptdb_recovery_admin",
    ] {
        for value in account.all_values(secret) {
            let content: Value = serde_json::from_str(&value).expect("JSON");
            passwords.insert(content["password"].as_str().expect("a password").to_owned());
        }
    }
    // The original's two, the placeholder, and the two that the run made.
    assert_eq!(passwords.len(), 5);
    for password in &passwords {
        assert_eq!(password.len(), 32);
        for (name, bytes) in &seen {
            let found = bytes
                .windows(32)
                .any(|window| window == password.as_bytes());
            assert!(!found, "a password is in {name}");
        }
    }
}

/// The arguments of all processes.
fn command_lines() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten();
    let lines =
        processes.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Where distributions and Homebrew put it; what isn't in `PATH` is looked for there.
fn has_postgres_of_its_own() -> bool {
    let places = [
        "/usr/lib/postgresql",
        "/usr/pgsql-16",
        "/usr/pgsql-17",
        "/usr/local/pgsql",
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/Applications/Postgres.app",
    ];
    places.iter().any(|place| Path::new(place).exists())
}

/// The same command, with words before it in a shell.
fn through_shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script, "sh"]).arg(command.get_program());
    shell.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(std::process::Stdio::null());
    shell
}

fn copied(store: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for path in files_below(store) {
        let to = copy.path().join(path.strip_prefix(store).expect("below"));
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        std::fs::copy(&path, &to).expect("copied");
    }
    copy
}

fn change(run: &Path, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = run.join(file);
    let mut bytes = std::fs::read(&path).expect("readable");
    let before = bytes.clone();
    change(&mut bytes);
    assert!(bytes != before, "nothing was changed");
    std::fs::write(&path, bytes).expect("written");
}

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 0x10;
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.map(<[u8]>::to_vec).collect()
}

fn cut_line(bytes: &mut Vec<u8>, nth: usize) {
    let mut lines = lines(bytes);
    lines.remove(nth);
    *bytes = lines.concat();
}

fn swap_lines(bytes: &mut Vec<u8>) {
    let mut lines = lines(bytes);
    lines.swap(4, 5);
    *bytes = lines.concat();
}

fn raise(bytes: &mut Vec<u8>, old: &str, new: &str) {
    let text = String::from_utf8(bytes.clone()).expect("UTF-8");
    assert!(text.contains(old), "`{old}` isn't in it");
    *bytes = text.replacen(old, new, 1).into_bytes();
}

/// Gives the first record a version of the future, and the checksum that goes with it.
fn newer(bytes: &mut Vec<u8>) {
    raise(bytes, "\"v\":1", "\"v\":9");
    let mut lines = lines(bytes);
    let length = lines[0].len() - ",\"crc\":\"00000000\"}\n".len();
    lines[0].truncate(length);
    let checksum = crc32fast::hash(&lines[0]);
    lines[0].extend(format!(",\"crc\":\"{checksum:08x}\"}}\n").bytes());
    *bytes = lines.concat();
}

fn folder_for_journal(run: &Path) {
    std::fs::remove_file(run.join(JOURNAL)).expect("removed");
    std::fs::create_dir(run.join(JOURNAL)).expect("made");
}
