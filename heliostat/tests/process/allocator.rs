//! What the process says of its allocator.

use std::process::Command;

use crate::running::Process;

const GIVES_BACK: &str = "the allocator gives freed memory back to the system";

/// The log of a process whose environment has only this setting of an
/// allocator.
fn log(setting: Option<(&str, &str)>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
    command
        .args(["zcash", "--upstream", "http://127.0.0.1:1"])
        .args(["--store", "memory:", "--log-level", "debug"])
        .args(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"])
        .args(["--log-format", "json"]);
    command.env_clear().envs(setting);
    let process = Process::of(command);
    let log = process.logged();
    assert_eq!(process.terminate(), Some(0));
    log
}

#[tokio::test]
async fn with_glibc_it_gives_freed_memory_back_unless_the_operator_says_how() {
    let by_itself = log(None);
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        assert!(by_itself.contains("the C library is not glibc"));
        return;
    }
    assert!(by_itself.contains(GIVES_BACK), "{by_itself}");
    let told = log(Some(("MALLOC_ARENA_MAX", "2")));
    assert!(!told.contains(GIVES_BACK), "{told}");
    assert!(told.contains("the environment has settings of it"));
}
