//! Certificates and tokens over jumps of the clock: what ended by the clock
//! does not get in, and does again once the clock is right.

use std::time::{SystemTime, UNIX_EPOCH};

use heliostat_zcash_proto::{ChainSpec, compact_tx_streamer_client::CompactTxStreamerClient};
use tonic::{Code, Request, transport::Channel};

use crate::{
    clock::Clock,
    issuer::Issuer,
    rig::{HEIGHT, OBSERVE, Pair, Rig},
    running::Process,
};

/// The middle of 2030.
const RIGHT: i64 = 1_907_755_200;
const YEAR: i64 = 365 * 24 * 3_600;

async fn ask(
    rig: &Rig,
    process: &Process,
    pair: Option<&Pair>,
    token: &str,
) -> Result<u64, Option<Code>> {
    let client = rig.client(process, pair).await;
    let mut client: CompactTxStreamerClient<Channel> = client.map_err(|_| None)?;
    let mut request = Request::new(ChainSpec {});
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    match client.get_latest_block(request).await {
        Ok(latest) => Ok(latest.into_inner().height),
        // With TLS 1.3 a client learns after its handshake that its
        // certificate is not taken.
        Err(status) if std::error::Error::source(&status).is_some() => Err(None),
        Err(status) => Err(Some(status.code())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_by_the_clock_is_refused_until_the_clock_is_right_again() {
    let Some(clock) = Clock::showing(RIGHT) else {
        return;
    };
    let (rig, issuer) = (Rig::new().await, Issuer::start().await);
    let wallet = rig.clients.sign_for_year("wallet", 2030);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    // Good until an hour after the right time, however far that is off.
    let token = issuer.token("read", RIGHT + 3_600 - now);
    let file = rig.configure(&(OBSERVE.to_owned() + &rig.mutual("optional") + &issuer.auth()));
    let file = file.to_str().unwrap();
    let process = Process::of(clock.heliostat(&["run", "--config", file]));
    process.until("ready", |status| status.ready).await;
    let told = rig.client(&process, None).await;
    assert!(told.is_ok(), "the server's own certificate is good");

    for (jump, with_certificate, with_token_alone) in [
        (0, Ok(HEIGHT), Ok(HEIGHT)),
        (YEAR, Err(None), Err(Some(Code::Unauthenticated))),
        (0, Ok(HEIGHT), Ok(HEIGHT)),
        // Not valid yet; that a token was made later is not looked at.
        (-YEAR, Err(None), Ok(HEIGHT)),
        (0, Ok(HEIGHT), Ok(HEIGHT)),
    ] {
        clock.jump(jump);
        let asked = ask(&rig, &process, Some(&wallet), &token).await;
        assert_eq!(asked, with_certificate, "{jump}");
        let asked = ask(&rig, &process, None, &token).await;
        assert_eq!(asked, with_token_alone, "{jump}");
        assert_eq!(process.code_of("/livez").await, 200, "{jump}");
    }
    assert!(!process.logged().contains(&token), "tokens are not logged");
    assert_eq!(process.terminate(), Some(0));
}
