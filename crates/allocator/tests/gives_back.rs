//! A freed block goes back to the system although a large one was freed
//! before, and a small one lies behind it.

use std::{env, fs, hint::black_box, process::Command, thread};

use heliostat_allocator::{Unchanged, keep_little, outcome};

/// What is allocated and freed, in bytes.
const BLOCK: usize = 8 << 20;
/// Has the test look at its environment only.
const ENVIRONMENT: &str = "--environment";

fn main() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        assert_eq!(keep_little(), Err(Unchanged::NotGlibc));
        return;
    }
    if env::args().any(|arg| arg == ENVIRONMENT) {
        assert_eq!(keep_little(), Err(Unchanged::SetByEnvironment));
        return;
    }
    let before = kept_of_a_freed_block();
    assert_eq!(outcome(), None);
    let done = keep_little();
    if done == Err(Unchanged::SetByEnvironment) {
        eprintln!("skipped: the environment has settings of the allocator");
        return;
    }
    assert_eq!(done, Ok(()));
    assert!(before > BLOCK / 2, "glibc alone keeps only {before} bytes");
    let kept = kept_of_a_freed_block();
    assert!(kept < BLOCK / 8, "{kept} bytes kept");

    let beside_another = thread::spawn(keep_little).join();
    assert_eq!(beside_another.expect("no panic"), Err(Unchanged::Threads));

    assert_eq!(outcome(), Some(Ok(())), "the first call counts");

    let itself = env::current_exe().expect("it has a path");
    let in_charge = Command::new(itself)
        .arg(ENVIRONMENT)
        .env("MALLOC_ARENA_MAX", "1")
        .status();
    assert!(in_charge.expect("it runs").success());
}

/// How much more is resident after a block was filled and freed.
fn kept_of_a_freed_block() -> usize {
    // What teaches the allocator that such blocks are not large.
    drop(black_box(vec![1_u8; BLOCK]));
    let before = resident();
    let block = black_box(vec![1_u8; BLOCK]);
    let behind = black_box(vec![1_u8; 1 << 10]);
    drop(block);
    let after = resident();
    drop(behind);
    after.saturating_sub(before)
}

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("it exists");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("a number").parse::<usize>().expect("in kB") << 10
}
