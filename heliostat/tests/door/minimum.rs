//! Answers below the wanted grade.

use tonic::Code;

use crate::rig::{HEIGHT, OBSERVE, Rig, newest};

#[tokio::test(flavor = "multi_thread")]
async fn a_method_below_its_minimum_is_refused_with_the_grade_it_reached() {
    let rig = Rig::new().await;
    // One node without proof-of-work: nothing is better than relayed.
    let minimum = "[chain.zcash.minimum]\nGetLatestBlock = 'agreed 2/3'\n";
    let file = rig.configure(OBSERVE);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + minimum).unwrap();
    let process = crate::running::Process::run(&file);
    process.until("ready", |status| status.ready).await;
    let mut client = process.client().await;
    let refused = newest(&mut client).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    for part in ["GetLatestBlock", "is relayed", "agreed 2/3 or better"] {
        assert!(refused.message().contains(part), "{refused}");
    }
    // Other methods have no minimum.
    let info = client
        .get_lightd_info(heliostat_zcash_proto::Empty {})
        .await;
    assert_eq!(info.unwrap().into_inner().block_height, HEIGHT);
    assert_eq!(process.terminate(), Some(0));
}
