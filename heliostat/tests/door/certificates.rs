//! TLS, client certificates, lists of identities.

use heliostat_store::testing::Authority;
use tonic::Code;

use crate::{
    reload::hang_up,
    rig::{Denied, HEIGHT, OBSERVE, Rig, fingerprint, replace, trusting},
};

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_only_tls_is_spoken_and_the_status_stays_on_loopback() {
    let rig = Rig::new().await;
    let process = rig.start(&(OBSERVE.to_owned() + &rig.tls(""))).await;
    assert_eq!(rig.ask(&process, None).await, Ok(HEIGHT));
    let other = Authority::new().pem();
    assert!(trusting(&other, &process, None).await.is_err());
    let plain = tonic::transport::Endpoint::from_shared(process.grpc.clone());
    let plain = plain.unwrap().connect().await;
    let answered = match plain {
        Err(_) => false,
        Ok(channel) => {
            let mut client =
                heliostat_zcash_proto::compact_tx_streamer_client::CompactTxStreamerClient::new(
                    channel,
                );
            crate::rig::newest(&mut client).await.is_ok()
        }
    };
    assert!(!answered, "nothing is answered in plaintext");
    let doors = process.status().await.doors;
    assert!(doors["zcash"].certificate_not_after.is_some());
    assert_eq!(doors["observe"].certificate_not_after, None);
    assert!(doors["zcash"].handshake_failures > 0);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn required_client_certificates_keep_everybody_else_out() {
    let rig = Rig::new().await;
    let process = rig
        .start(&(OBSERVE.to_owned() + &rig.mutual("required")))
        .await;
    let wallet = rig.clients.sign("wallet");
    assert_eq!(rig.ask(&process, Some(&wallet)).await, Ok(HEIGHT));
    assert_eq!(rig.ask(&process, None).await, Err(Denied::Handshake));
    let stranger = Authority::new().sign("wallet");
    let refused = rig.ask(&process, Some(&stranger)).await;
    assert_eq!(refused, Err(Denied::Handshake));
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn optional_client_certificates_have_to_be_good_if_shown() {
    let rig = Rig::new().await;
    let process = rig
        .start(&(OBSERVE.to_owned() + &rig.mutual("optional")))
        .await;
    assert_eq!(rig.ask(&process, None).await, Ok(HEIGHT));
    let stranger = Authority::new().sign("wallet");
    let refused = rig.ask(&process, Some(&stranger)).await;
    assert_eq!(refused, Err(Denied::Handshake));
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_say_which_certificates_enter_and_deny_beats_allow() {
    let rig = Rig::new().await;
    let wallet = rig.clients.sign("wallet");
    let (allowed, denied) = (rig.path("allowed.txt"), rig.path("denied.txt"));
    let prints = [&wallet, &rig.clients.sign("other")].map(|pair| fingerprint(&pair.0));
    replace(&allowed, &format!("# wallets\n{}\n", prints[0]));
    replace(&denied, "# nobody\n");
    let access = format!(
        "[door.access]\nallow-identities = '{}'\ndeny-identities = '{}'\n",
        allowed.display(),
        denied.display()
    );
    let process = rig
        .start(&(OBSERVE.to_owned() + &rig.mutual("required") + &access))
        .await;
    assert_eq!(rig.ask(&process, Some(&wallet)).await, Ok(HEIGHT));
    let other = rig.clients.sign("other");
    let refused = rig.ask(&process, Some(&other)).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::PermissionDenied), "{refused:?}");
    assert!(refused.words().contains("ask the operator"), "{refused:?}");

    // Now the other way round, by signal.
    replace(
        &allowed,
        &format!("{}\n{}\n", prints[0], fingerprint(&other.0)),
    );
    replace(&denied, &format!("{}\n", prints[0]));
    hang_up(&process, 1).await;
    let refused = rig.ask(&process, Some(&wallet)).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::PermissionDenied), "{refused:?}");
    assert_eq!(rig.ask(&process, Some(&other)).await, Ok(HEIGHT));
    let refusals = &process.status().await.doors["zcash"].refused;
    assert!(refusals["identity"] >= 2, "{refusals:?}");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_made_on_the_spot_is_served() {
    let rig = Rig::new().await;
    let process = rig
        .start(&(OBSERVE.to_owned() + "[door.tls]\ngen-cert-very-insecure = true\n"))
        .await;
    // No client can check it.
    assert_eq!(rig.ask(&process, None).await, Err(Denied::Handshake));
    let blind = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let address = process.grpc.replace("http://", "https://");
    let reply = blind.get(address).send().await.unwrap();
    assert!(reply.status().as_u16() > 0);
    assert_eq!(process.terminate(), Some(0));
}
