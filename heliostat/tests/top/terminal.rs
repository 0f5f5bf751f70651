//! In a real terminal, against a real node.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use heliostat::{config::Config, node};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// Generous: the machine may be busy. Nothing is asserted about times.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal of 100 by 30: our end and the program's.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("it is ours");
    unlockpt(&ours).expect("it is ours");
    let size = Winsize {
        ws_row: 30,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&ours, size).expect("it has a size");
    let name = ptsname(&ours, Vec::new()).expect("it has a name");
    let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let theirs = OpenOptions::new().read(true).write(true).open(path);
    (File::from(ours), theirs.expect("it opens"))
}

/// Everything the program writes, as it comes.
fn reader(mut ours: File) -> mpsc::Receiver<Vec<u8>> {
    let (send, parts) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // Reading fails when the program has closed its end.
        while let Ok(length @ 1..) = ours.read(&mut bytes) {
            if send.send(bytes[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    parts
}

/// Reads until `wanted` was written.
fn until(parts: &mpsc::Receiver<Vec<u8>>, seen: &mut String, wanted: &str) {
    while !seen.contains(wanted) {
        let part = parts.recv_timeout(PATIENCE);
        let part = part.unwrap_or_else(|_| panic!("{wanted} is never shown:\n{seen}"));
        seen.push_str(&String::from_utf8_lossy(&part));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn top_shows_a_running_node_until_q_and_leaves_the_terminal_as_it_was() {
    // Nobody listens at port 1, which is no reason not to run.
    let config = "[store]\naddress = 'memory:'\n[observe]\nlisten = '127.0.0.1:0'\n\
                  [chain.mine]\nledger = 'zcash'\nnetwork = 'main'\nlisten = '127.0.0.1:0'\n\
                  [[chain.mine.upstream]]\nurl = 'http://127.0.0.1:1'";
    let config = Config::parse(config, "the test").expect("it is valid");
    let node = node::start(config).await;
    let node = node.unwrap_or_else(|failure| panic!("{failure:?}"));
    let url = format!("http://{}", node.observe_addr());

    let (mut ours, theirs) = terminal();
    let parts = reader(ours.try_clone().expect("a handle"));
    let handle = || Stdio::from(theirs.try_clone().expect("a handle"));
    let mut top = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["top", "--observe", &url])
        .env("TERM", "xterm-256color")
        .stdin(handle())
        .stdout(handle())
        .stderr(handle())
        .spawn()
        .expect("it starts");
    drop(theirs);
    let ended = tokio::task::spawn_blocking(move || {
        let mut seen = String::new();
        for wanted in ["mine", "not ready", "http://127.0.0.1:1", "no lies found"] {
            until(&parts, &mut seen, wanted);
        }
        ours.write_all(b"q").expect("it listens");
        // The other screen is left, and the cursor is back.
        until(&parts, &mut seen, "\x1b[?1049l");
        until(&parts, &mut seen, "\x1b[?25h");
        top.wait().expect("it ends")
    });
    let ended = ended.await.expect("nothing panicked");
    assert_eq!(ended.code(), Some(0));
    node.shutdown()
        .await
        .unwrap_or_else(|failure| panic!("{failure:?}"));
}

#[test]
fn top_without_a_terminal_says_what_to_use_instead() {
    let run = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .arg("top")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("heliostat status"), "{said}");
}
