//! Runs the binary that was just built, cut off from the settings of whoever runs the tests.

use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The workspace's root.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .expect("the crate stands in crates/rbk")
        .to_owned()
}

/// `rbk`, in the workspace's root, without a terminal, colour, AWS or Postgres settings.
pub fn rbk(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rbk"));
    command
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "120");
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_")
            || name.starts_with("PG")
            || name.starts_with("RBK_")
            || name == "DATABASE_URL"
        {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// All that a finished process said, for snapshots: exit code, stdout, stderr.
pub fn said(output: &Output) -> String {
    let mut text = format!(
        "exit {}\n",
        output
            .status
            .code()
            .map_or("by a signal".to_owned(), |code| code.to_string())
    );
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            text.push_str(&format!("---- {name}\n{}", String::from_utf8_lossy(bytes)));
        }
    }
    text
}

/// Runs a command to its end, which must come in time: a hang is a failure.
#[track_caller]
pub fn finish(command: &mut Command, within: Duration) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    wait(command.spawn().expect("rbk starts"), within)
}

/// Waits for the end of a process whose streams are kept.
#[track_caller]
pub fn wait(child: Child, within: Duration) -> Output {
    let id = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let _ = sender.send(child.wait_with_output().expect("an end"));
    });
    let output = receiver.recv_timeout(within).ok();
    if output.is_none() {
        let _ = kill_process(id, Signal::KILL);
    }
    waiting.join().expect("a thread that ends");
    output.unwrap_or_else(|| {
        let killed = receiver.recv().expect("what it had said");
        panic!("it hangs: {}", said(&killed))
    })
}

/// Asks a process to end, and makes it if it doesn't.
pub fn stop(child: &mut Child, signal: Signal) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let _ = kill_process(Pid::from_child(child), signal);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}
