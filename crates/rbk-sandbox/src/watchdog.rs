//! Cleans up, also when the process was killed: a shell that waits for the end of a pipe.

use std::{path::Path, process::Stdio};

use tokio::process::{Child, ChildStdin, Command};

/// Marks a directory as one that the watchdog may remove.
pub(crate) const MARKER: &str = ".rbk-sandbox";

/// Reads until the sandbox's process ends, however it ends. Then it stops every server whose pid
/// file is in the directory and whose command line names it, and removes the directory. A server
/// or a copy that was just being started may write something once more, hence the rounds.
const SCRIPT: &str = r#"
trap '' INT HUP TERM PIPE
directory=$1
while read -r _; do :; done
[ -f "$directory/.rbk-sandbox" ] || exit 0
round=0
while [ "$round" -lt 100 ]; do
    for file in "$directory"/c/*/data/postmaster.pid; do
        [ -f "$file" ] || continue
        read -r pid < "$file" || continue
        case $(ps -o args= -p "$pid" 2>/dev/null) in
            *"$directory"/*) kill -QUIT "$pid" 2>/dev/null ;;
        esac
    done
    round=$((round + 1))
    alive=
    for file in "$directory"/c/*/data/postmaster.pid; do
        [ -f "$file" ] || continue
        read -r pid < "$file" || continue
        case $(ps -o args= -p "$pid" 2>/dev/null) in
            *"$directory"/*) alive=yes ;;
        esac
    done
    if [ -z "$alive" ]; then
        rm -rf "$directory" 2>/dev/null
        [ -e "$directory" ] || exit 0
    fi
    sleep 0.1
done
"#;

/// The waiting shell. Dropping it lets the shell clean up.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Marks the directory, and starts to wait.
    pub(crate) fn start(directory: &Path) -> std::io::Result<Watchdog> {
        std::fs::write(directory.join(MARKER), "")?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "rbk-sandbox-watchdog"])
            .arg(directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take();
        Ok(Watchdog { child, pipe })
    }

    /// Lets the shell clean up, and waits until it has.
    pub(crate) async fn finish(mut self) {
        drop(self.pipe.take());
        if let Err(error) = self.child.wait().await {
            tracing::warn!(%error, "the watchdog's end wasn't seen");
        }
    }
}
