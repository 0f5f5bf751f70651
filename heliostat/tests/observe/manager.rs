//! What systemd hears of a real process.

use std::time::Duration;

use heliostat_sim::zcash::Node;
use tokio::{net::UnixDatagram, time::timeout};

use crate::running::{Process, chain};

/// Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads until the manager was told this.
async fn until(manager: &UnixDatagram, wanted: &str) {
    let mut heard = Vec::new();
    let waited = timeout(PATIENCE, async {
        loop {
            let mut bytes = [0; 4096];
            let length = manager.recv(&mut bytes).await.unwrap();
            let told = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if told.contains(wanted) {
                return;
            }
            heard.push(told);
        }
    });
    let came = waited.await;
    assert!(came.is_ok(), "{wanted} never came: {heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_hears_of_start_state_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let node = Node::start(chain(20).chain().clone()).await.unwrap();
    let url = node.handle().url();
    let environment = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "400000"),
    ];
    let args = ["--upstream", &url, "--store", "memory:"];
    let process = Process::start_in(&args, &environment);
    until(&manager, "READY=1").await;
    until(&manager, "WATCHDOG=1").await;
    until(&manager, "STATUS=zcash: 20, following").await;
    process.signal("-HUP");
    until(&manager, "RELOADING=1\nMONOTONIC_USEC=").await;
    until(&manager, "READY=1").await;
    assert_eq!(process.terminate(), Some(0));
    until(&manager, "STOPPING=1").await;
}
