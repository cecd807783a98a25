//! What is left after a sandbox: nothing, however it ended.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rbk_sandbox::{Options, Sandbox};

use crate::client::{orders, sandbox, sandbox_with_orders, wait_until};

/// Tells the test below that it is the child.
const CHILD: &str = "RBK_SANDBOX_TEST_CHILD";

/// The processes whose command line names the directory.
fn processes(directory: &Path) -> Vec<String> {
    let output = Command::new("ps")
        .args(["-eo", "pid=,args="])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains(&*directory.to_string_lossy()))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn a_shut_down_sandbox_leaves_no_process_and_no_file() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let directory = sandbox.directory().to_owned();
    assert!(processes(&directory).len() >= 2);
    sandbox.shutdown().await;
    assert!(!directory.exists());
    assert_eq!(processes(&directory), Vec::<String>::new());
}

#[tokio::test]
async fn a_dropped_sandbox_is_cleaned_up_soon() {
    let (sandbox, _) = sandbox_with_orders().await;
    let directory = sandbox.directory().to_owned();
    drop(sandbox);
    wait_until("nothing is left", async || {
        !directory.exists() && processes(&directory).is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_killed_sandbox_is_cleaned_up_by_its_watchdog() {
    let name = "death::a_killed_sandbox_is_cleaned_up_by_its_watchdog";
    if std::env::var_os(CHILD).is_some() {
        let sandbox = sandbox().await;
        sandbox.create_instance(orders()).await.unwrap();
        println!("\ndirectory {}", sandbox.directory().display());
        std::future::pending::<()>().await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let directory: PathBuf = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("directory ").map(PathBuf::from))
        .expect("the child tells its directory");
    assert!(processes(&directory).len() >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("nothing is left", async || {
        !directory.exists() && processes(&directory).is_empty()
    })
    .await;
}

#[tokio::test]
async fn two_sandboxes_dont_touch_each_other() {
    let (first, _) = sandbox_with_orders().await;
    let second = Sandbox::start(Options::default(), |_| {}).await.unwrap();
    second.shutdown().await;
    first.superuser("orders", "shop").await.unwrap();
    first.shutdown().await;
}
