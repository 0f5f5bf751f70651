//! SIGHUP takes over settings of the configuration file: limits, networks,
//! tokens, minimum grades.

use std::fs;

use heliostat_zcash_proto::{
    ChainSpec, Empty, compact_tx_streamer_client::CompactTxStreamerClient,
};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tonic::{Code, Request, Status, transport::Channel};

use crate::{
    issuer::Issuer,
    reload::hang_up,
    rig::{HEIGHT, OBSERVE, Rig, newest, replace},
    running::Process,
};

/// Changes the configuration file of a process, and has it read again; what
/// the process says of it.
async fn changed(rig: &Rig, process: &Process, times: usize, from: &str, to: &str) -> String {
    let file = rig.path("heliostat.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    replace(&file, &text.replacen(from, to, 1));
    let before = process.logged().len();
    hang_up(process, times).await;
    process.logged()[before..].to_owned()
}

/// The last line of the log that has `words`.
fn line<'a>(log: &'a str, words: &str) -> &'a str {
    let mut lines = log.lines().filter(|line| line.contains(words));
    lines
        .next_back()
        .unwrap_or_else(|| panic!("{words}: {log}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_taken_over_by_connections_that_are_open() {
    let rig = Rig::new().await;
    // The observe address is asked from loopback too.
    let limits = "[door.limits]\nexempt-networks = []\naddress-rate = 1000\naddress-burst = 1000\n";
    let process = rig.start(&format!("{OBSERVE}{limits}")).await;
    let mut client = process.client().await;
    for _ in 0..20 {
        assert_eq!(newest(&mut client).await.unwrap(), HEIGHT);
    }
    let strict = "address-rate = 1\naddress-burst = 5";
    let lenient = "address-rate = 1000\naddress-burst = 1000";
    let log = changed(&rig, &process, 1, lenient, strict).await;
    let said = line(&log, "\"message\":\"reloaded\"");
    let names = "door.limits.address-rate, door.limits.address-burst";
    assert!(said.contains(names), "{said}");
    let mut refused = 0;
    for _ in 0..20 {
        match newest(&mut client).await {
            Ok(height) => assert_eq!(height, HEIGHT),
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    changed(&rig, &process, 2, strict, lenient).await;
    assert_eq!(newest(&mut client).await.unwrap(), HEIGHT);
    let door = &process.status().await.doors["zcash"];
    assert_eq!(door.accepted, 1, "the same connection all along");
    assert!(door.reloads >= 2 && door.reload_failures == 0, "{door:?}");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_denied_is_cut_where_it_is_connected() {
    let rig = Rig::new().await;
    let access = "[door.access]\ndeny-networks = []\n";
    let process = rig.start(&format!("{OBSERVE}{access}")).await;
    let mut client = process.client().await;
    let stream = client.get_mempool_stream(Empty {}).await.unwrap();
    let denied = "deny-networks = ['127.0.0.0/8']";
    let log = changed(&rig, &process, 1, "deny-networks = []", denied).await;
    assert!(log.contains("door.access.deny-networks"), "{log}");
    // An answer that would have lasted until the next block.
    let ended = stream.into_inner().message().await;
    assert!(ended.is_err(), "{ended:?}");
    assert!(newest(&mut client).await.is_err());
    // A client may have said so without a new connection.
    for url in [&process.grpc, &process.observe] {
        let address = url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let read = stream.read(&mut [0]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    changed(&rig, &process, 2, denied, "deny-networks = []").await;
    assert_eq!(process.served_height().await, HEIGHT);
    let door = &process.status().await.doors["zcash"];
    assert_eq!(door.cut["network"], 1, "{door:?}");
    assert!(door.refused["network"] >= 1, "{door:?}");
    assert_eq!(process.terminate(), Some(0));
}

async fn newest_with(
    client: &mut CompactTxStreamerClient<Channel>,
    token: &str,
) -> Result<u64, Status> {
    let mut request = Request::new(ChainSpec {});
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    let latest = client.get_latest_block(request).await;
    latest.map(|latest| latest.into_inner().height)
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_switched_on_and_off_and_scopes_change() {
    let (rig, issuer) = (Rig::new().await, Issuer::start().await);
    let process = rig.start(OBSERVE).await;
    let mut client = process.client().await;
    assert_eq!(newest(&mut client).await.unwrap(), HEIGHT);
    let with = issuer.auth() + "[store]";
    let log = changed(&rig, &process, 1, "[store]", &with).await;
    assert!(log.contains("door.auth.jwks-url"), "{log}");
    assert!(log.contains("door.auth.scope"), "{log}");
    let refused = newest(&mut client).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    let token = issuer.token("read", 600);
    assert_eq!(newest_with(&mut client, &token).await.unwrap(), HEIGHT);
    // The observe address on loopback asks for none, as before.
    assert_eq!(process.code_of("/status").await, 200);

    let log = changed(&rig, &process, 2, "['Get*']", "['Send*']").await;
    let said = line(&log, "\"message\":\"reloaded\"");
    assert!(said.contains("\"changed\":\"door.auth.scope\""), "{said}");
    let refused = newest_with(&mut client, &token).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");

    let with = with.replace("['Get*']", "['Send*']");
    changed(&rig, &process, 3, &with, "[store]").await;
    assert_eq!(newest(&mut client).await.unwrap(), HEIGHT);
    assert_eq!(process.status().await.doors["zcash"].accepted, 1);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_grade_is_taken_over() {
    let rig = Rig::new().await;
    let process = rig.start(OBSERVE).await;
    let mut client = process.client().await;
    assert_eq!(newest(&mut client).await.unwrap(), HEIGHT);
    let minimum = "[chain.zcash.minimum]\nGetLatestBlock = 'agreed 2/3'\n[store]";
    let log = changed(&rig, &process, 1, "[store]", minimum).await;
    let said = line(&log, "\"message\":\"reloaded\"");
    assert!(said.contains("chain.zcash.minimum"), "{said}");
    let refused = newest(&mut client).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(
        refused.message().contains("agreed 2/3 or better"),
        "{refused}"
    );
    changed(&rig, &process, 2, minimum, "[store]").await;
    assert_eq!(newest(&mut client).await.unwrap(), HEIGHT);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_for_one_chain_changes_none() {
    let rig = Rig::new().await;
    let chain = format!(
        "[chain.second]\nledger = 'zcash'\nlisten = '127.0.0.1:0'\n\
         [[chain.second.upstream]]\nurl = '{}'\n",
        rig.node_url()
    );
    let process = rig.start(&format!("{OBSERVE}{chain}")).await;
    let mut client = process.client().await;
    let file = rig.path("heliostat.toml");
    let text = fs::read_to_string(&file).unwrap();
    let minimum = |first: &str, second: &str| {
        format!(
            "[chain.zcash.minimum]\nGetLatestBlock = '{first}'\n\
             [chain.second.minimum]\nGetLatestBlock = '{second}'\n[store]"
        )
    };
    for (times, first, second) in [(1, "agreed 2/3", "good"), (2, "good", "agreed 2/3")] {
        let wrong = minimum(first, second);
        let log = changed(&rig, &process, times, "[store]", &wrong).await;
        line(&log, "the configuration in force stays");
        assert_eq!(newest(&mut client).await.unwrap(), HEIGHT);
        replace(&file, &text);
    }
    let right = minimum("agreed 2/3", "agreed 2/3");
    let log = changed(&rig, &process, 3, "[store]", &right).await;
    let said = line(&log, "\"message\":\"reloaded\"");
    for name in ["chain.second.minimum", "chain.zcash.minimum"] {
        assert!(said.contains(name), "{said}");
    }
    let refused = newest(&mut client).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_broken_anywhere_changes_nothing_and_is_counted() {
    let rig = Rig::new().await;
    let more = format!("{OBSERVE}[door.access]\ndeny-networks = []\n");
    let process = rig.start(&more).await;
    let mut client = process.client().await;
    let good = "deny-networks = []";
    // Each would deny us, were it not for what follows: on which of the lines
    // that are put in that is, and what is said of it.
    let broken = [
        (
            "[door.limits]\nadress-rate = 5",
            3,
            "adress-rate; did you mean address-rate?",
        ),
        (
            "[door.limits]\naddress-burst = 0",
            3,
            "door.limits.address-burst: 0 lets nobody in",
        ),
        (
            "[door.limits]\naddress-rate = 'many'",
            3,
            "door.limits.address-rate is a text in quotes, and has to be a whole number",
        ),
        (
            "[door.auth]\njwks-url = 'http://127.0.0.1:1/'\nissuer = 'me'",
            2,
            "door.auth.audience: ",
        ),
        (
            "[chain.zcash.minimum]\nGetBlock = 'good'",
            3,
            "chain.zcash.minimum.GetBlock: ",
        ),
        ("[door.limits\naddress-burst = 9", 2, "table"),
    ];
    let file = rig.path("heliostat.toml");
    let text = fs::read_to_string(&file).unwrap();
    for (times, (wrong, offset, words)) in broken.into_iter().enumerate() {
        let denied = format!("deny-networks = ['127.0.0.0/8']\n{wrong}");
        let log = changed(&rig, &process, times + 1, good, &denied).await;
        let error = line(&log, "the configuration in force stays");
        assert!(error.contains("\"level\":\"ERROR\""), "{error}");
        let before = text.lines().take_while(|line| *line != good).count();
        let number = format!("heliostat.toml line {}: ", before + offset);
        assert!(error.contains(&number), "{number}: {error}");
        assert!(error.contains(words), "{words}: {error}");
        assert_eq!(newest(&mut client).await.unwrap(), HEIGHT);
        let status = process.status().await;
        for door in ["zcash", "observe"] {
            let failures = status.doors[door].reload_failures;
            assert_eq!(failures, times as u64 + 1, "{door}");
        }
        replace(&file, &text);
    }
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_restart_is_named_and_the_rest_is_taken_over() {
    let rig = Rig::new().await;
    let process = rig.start(OBSERVE).await;
    let more = "[door]\nmax-connections = 77\nno-tls-very-insecure = true\n[store]";
    let log = changed(&rig, &process, 1, "[store]", more).await;
    let warning = line(&log, "takes effect after a restart");
    assert!(
        warning.contains("\"settings\":\"door.no-tls-very-insecure\""),
        "{warning}"
    );
    assert!(warning.contains("\"level\":\"WARN\""), "{warning}");
    let said = line(&log, "\"message\":\"reloaded\"");
    assert!(
        said.contains("\"changed\":\"door.max-connections\""),
        "{said}"
    );
    // It is still waiting for its restart at the next signal; what was taken
    // over is not named again.
    hang_up(&process, 2).await;
    let log = process.logged();
    let said = line(&log, "\"message\":\"reloaded\"");
    assert!(said.contains("\"changed\":\"\""), "{said}");
    assert_eq!(log.matches("takes effect after a restart").count(), 2);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_identities_wait_for_the_restart_that_tls_needs() {
    let rig = Rig::new().await;
    let process = rig.start(OBSERVE).await;
    // Whoever has no certificate could not get in, and nobody can show one
    // before the restart.
    let list = rig.path("allowed.txt");
    fs::write(&list, "wallet\n").unwrap();
    let access = format!("[door.access]\nallow-identities = '{}'\n", list.display());
    let with = rig.mutual("required") + &access + "[store]";
    let log = changed(&rig, &process, 1, "[store]", &with).await;
    let warning = line(&log, "takes effect after a restart");
    assert!(
        warning.contains("door.access.allow-identities"),
        "{warning}"
    );
    assert!(warning.contains("door.tls.client-auth"), "{warning}");
    assert_eq!(process.served_height().await, HEIGHT);
    assert_eq!(process.terminate(), Some(0));
}
