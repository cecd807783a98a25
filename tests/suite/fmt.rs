//! `rbk fmt`: what is written where, and as what exit code. The layout itself is tested beside the formatter.

use crate::process::{rbk, said};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Output, Stdio};
use tempfile::TempDir;

const LOOSE: &str = "runbook   \"R\"\r\nstep \"S\" {\r\n\trestore recovery from x\r\n}\r\n";
const NEAT: &str = "runbook \"R\"\n\nstep \"S\" {\n  restore recovery from x\n}\n";
const WRONG: &str = "runbook \"R\"\nstep \"S\" {\n  restor recovery from x\n}\n";

/// A folder with files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Runs `rbk fmt` in a folder.
fn fmt(folder: &TempDir, arguments: &[&str]) -> Output {
    let arguments = [&["fmt"], arguments].concat();
    rbk(&arguments).current_dir(folder.path()).output().unwrap()
}

/// Runs `rbk fmt` with a text on stdin.
fn piped(arguments: &[&str], text: &[u8]) -> Output {
    let mut child = rbk(&[&["fmt"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait_with_output().unwrap()
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

/// What tells a file from the one that took its place, and when it was written.
fn identity(path: &Path) -> (u64, i64, i64) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

#[test]
fn files_are_laid_out_in_their_place_and_others_are_not_touched() {
    let folder = folder(&[("loose.rbk", LOOSE), ("neat.rbk", NEAT)]);
    let neat = folder.path().join("neat.rbk");
    let before = identity(&neat);
    insta::assert_snapshot!(said(&fmt(&folder, &["loose.rbk", "neat.rbk"])), @"
    exit 0
    ---- stderr
    ✓ loose.rbk is laid out
    ");
    assert_eq!(read(&folder, "loose.rbk"), NEAT);
    assert_eq!(identity(&neat), before);
    insta::assert_snapshot!(said(&fmt(&folder, &["loose.rbk", "neat.rbk", "./neat.rbk"])), @"
    exit 0
    ---- stderr
    ✓ 2 files laid out already
    ");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "nothing is left beside the files");
}

#[test]
fn check_lists_what_would_change_and_writes_nothing() {
    let folder = folder(&[("a.rbk", LOOSE), ("b.rbk", NEAT), ("c.rbk", LOOSE)]);
    insta::assert_snapshot!(said(&fmt(&folder, &["--check", "."])), @"
    exit 1
    ---- stdout
    ./a.rbk
    ./c.rbk
    ---- stderr
    2 files would be laid out anew: `rbk fmt` does it
    ");
    assert_eq!(read(&folder, "a.rbk"), LOOSE);
    let output = fmt(&folder, &["--check", "b.rbk"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn diff_shows_what_would_change_and_writes_nothing() {
    let loose = LOOSE.replace("\r\n", "\n").replace('\t', "    ");
    let folder = folder(&[("a.rbk", &loose)]);
    let shown = said(&fmt(&folder, &["--diff", "a.rbk"]));
    insta::assert_snapshot!(shown.replace(" \n", "·\n"), @r#"
    exit 1
    ---- stdout
    --- a.rbk
    +++ a.rbk
    @@ -1,4 +1,5 @@
    -runbook   "R"
    +runbook "R"
    +
     step "S" {
    -    restore recovery from x
    +  restore recovery from x
     }
    ---- stderr
    1 file would be laid out anew: `rbk fmt` does it
    "#);
    assert_eq!(read(&folder, "a.rbk"), loose);
}

#[test]
fn stdin_is_laid_out_onto_stdout() {
    for arguments in [&[][..], &["-"]] {
        let output = piped(arguments, LOOSE.as_bytes());
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), NEAT);
        assert!(output.stderr.is_empty(), "{}", said(&output));
    }
    let output = piped(&["--check"], LOOSE.as_bytes());
    insta::assert_snapshot!(said(&output), @"
    exit 1
    ---- stdout
    <stdin>
    ");
    let output = piped(&["--check", "--diff"], NEAT.as_bytes());
    assert_eq!(said(&output), "exit 0\n");
    let output = piped(&["--diff"], LOOSE.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("+  restore recovery from x\n"),
        "{}",
        said(&output)
    );
}

#[test]
fn what_is_wrong_is_told_and_left_as_it_is() {
    let folder = folder(&[("a.rbk", WRONG), ("b.rbk", LOOSE)]);
    let output = fmt(&folder, &["a.rbk", "b.rbk"]);
    insta::assert_snapshot!(said(&output));
    assert_eq!(read(&folder, "a.rbk"), WRONG);
    assert_eq!(
        read(&folder, "b.rbk"),
        NEAT,
        "the others are laid out all the same"
    );

    let output = piped(&["-"], WRONG.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{}", said(&output));

    let output = piped(&["-"], b"runbook \"A\"\n\xff\xfe\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{}", said(&output));
    assert!(
        said(&output).contains("this is no character"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_folder_means_the_runbooks_below_it() {
    let folder = folder(&[
        ("books/a.rbk", LOOSE),
        (
            "books/used/login.rbk",
            "procedure  p( a :database ) { note \"x\" }",
        ),
        ("books/notes.txt", "  as it is"),
        ("books/.hidden/b.rbk", LOOSE),
        ("books/none/c.toml", ""),
    ]);
    symlink(
        folder.path().join("books"),
        folder.path().join("books/again"),
    )
    .unwrap();
    insta::assert_snapshot!(said(&fmt(&folder, &["books"])), @"
    exit 0
    ---- stderr
    ✓ books/a.rbk is laid out
    ✓ books/used/login.rbk is laid out
    ");
    assert_eq!(
        read(&folder, "books/used/login.rbk"),
        "procedure p(a: database) {\n  note \"x\"\n}\n"
    );
    assert_eq!(read(&folder, "books/.hidden/b.rbk"), LOOSE);
    insta::assert_snapshot!(said(&fmt(&folder, &["books/none"])), @"
    exit 1
    ---- stderr
    error: there is no runbook below `books/none`
      help: a runbook's file ends in `.rbk`
    ");
    insta::assert_snapshot!(said(&fmt(&folder, &["nowhere.rbk"])), @"
    exit 1
    ---- stderr
    error: reading `nowhere.rbk`: No such file or directory (os error 2)
    ");
}

#[test]
fn links_and_permissions_stay() {
    let folder = folder(&[("real/a.rbk", LOOSE)]);
    let (real, link) = (
        folder.path().join("real/a.rbk"),
        folder.path().join("link.rbk"),
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/a.rbk", &link).unwrap();
    let output = fmt(&folder, &["link.rbk"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(read(&folder, "real/a.rbk"), NEAT);
    assert_eq!(
        fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o640
    );
}

#[test]
fn a_file_that_may_not_be_written_is_refused() {
    let folder = folder(&[("a.rbk", LOOSE)]);
    let file = folder.path().join("a.rbk");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let output = fmt(&folder, &["a.rbk"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        said(&output).contains("writing `a.rbk`"),
        "{}",
        said(&output)
    );
    assert_eq!(read(&folder, "a.rbk"), LOOSE);
    // Looking needs no permission to write.
    assert_eq!(fmt(&folder, &["--check", "a.rbk"]).status.code(), Some(1));
}

#[test]
fn stdin_and_files_are_not_given_together() {
    let output = piped(&["-", "a.rbk"], b"");
    insta::assert_snapshot!(said(&output), @"
    exit 64
    ---- stderr
    error: `-` stands for stdin, and other files are given as well
      help: give either files or `-`
    ");
}
