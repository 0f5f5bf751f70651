//! What cannot be checked, tree states and tree sizes, is never claimed to
//! be; and transactions, which can.

use heliostat_core::Assurance;
use heliostat_sim::zcash::{Filter, Misbehaviour, Node};
use heliostat_zcash_proto::{BlockId, Empty, TreeState, TxFilter};
use heliostat_zcash_verifier::rule;
use tonic::{Code, Response, metadata::MetadataMap};

use super::stage::{BLOCKS, LIE, Stage, chain, generator, honest, of};

fn grade_in(metadata: &MetadataMap) -> String {
    let grade = metadata.get(Assurance::FIELD).expect("a grade");
    grade.to_str().unwrap().to_owned()
}

async fn tree_state(stage: &Stage, height: u64) -> Response<TreeState> {
    let wanted = BlockId {
        height,
        hash: Default::default(),
    };
    stage.client().get_tree_state(wanted).await.unwrap()
}

async fn misbehaving(what: Misbehaviour, filter: Filter) -> Node {
    let node = honest().await;
    node.misbehave(what, filter);
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_tree_state_is_relayed_and_nothing_better() {
    let (bad, good) = (
        misbehaving(Misbehaviour::TreeStates, Filter::all()).await,
        honest().await,
    );
    let truth = Stage::before(&[&good]).await;
    let stage = Stage::before(&[&bad, &good]).await;
    for stage in [&truth, &stage] {
        stage.serves(&chain()).await;
    }
    stage.graded(BLOCKS, "agreed 2/2").await;
    let (told, right) = (tree_state(&stage, LIE).await, tree_state(&truth, LIE).await);
    assert_ne!(told.get_ref(), right.get_ref(), "the lie gets through");
    assert_eq!(grade_in(told.metadata()), "relayed");
    let mut client = stage.client();
    let latest = client.get_latest_tree_state(Empty {}).await.unwrap();
    assert_eq!(grade_in(latest.metadata()), "relayed");
    // Nothing in it contradicts itself, so nobody is convicted.
    stage.quarantined(&[]).await;
    stage.end().await;

    // An operator can refuse to pass on what nobody vouches for.
    let settings = "network = 'regtest'\nminimum = { GetTreeState = 'agreed 2/2' }";
    let strict = Stage::with(settings, &[&bad, &good]).await;
    strict.serves(&chain()).await;
    let wanted = BlockId {
        height: LIE,
        hash: Default::default(),
    };
    let refused = strict.client().get_tree_state(wanted).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    strict.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_liar_said_of_a_tree_state_is_forgotten_with_the_liar() {
    let (bad, good) = (
        misbehaving(Misbehaviour::TreeStates, Filter::all()).await,
        honest().await,
    );
    let truth = Stage::before(&[&good]).await;
    let stage = Stage::before(&[&bad, &good]).await;
    for stage in [&truth, &stage] {
        stage.serves(&chain()).await;
    }
    let right = tree_state(&truth, LIE).await.into_inner();
    assert_ne!(tree_state(&stage, LIE).await.into_inner(), right);
    // It is caught at something else.
    bad.misbehave(
        Misbehaviour::WrongBytes,
        Filter::method("getrawtransaction"),
    );
    transaction(&stage, generator().plan().notes[0].txid)
        .await
        .unwrap();
    stage.quarantined(&[&bad]).await;
    assert_eq!(tree_state(&stage, LIE).await.into_inner(), right);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn false_tree_sizes_below_a_checkpoint_keep_every_block_at_relayed() {
    let joint = LIE - 1;
    let block = chain().at(joint).unwrap().clone();
    let hash: String = block
        .hash
        .iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let trees = block.trees.clone().unwrap();
    let sizes = [&trees.sapling, &trees.orchard, &trees.ironwood].map(|pool| pool.size.to_string());
    let given = format!("{joint}:{hash}:{}", sizes.join(":"));
    let asked = format!("{joint}:{hash}");
    // Who vouches for the sizes: the operator, or the first node.
    for (checkpoint, wrong_by, grade) in [(given, 0, "agreed 2/2"), (asked, 1, "relayed")] {
        let (bad, good) = (
            misbehaving(Misbehaviour::TreeSizes, Filter::all()).await,
            honest().await,
        );
        let settings = format!("network = 'regtest'\ncheckpoint = '{checkpoint}'");
        let stage = Stage::with(&settings, &[&bad, &good]).await;
        stage
            .until("there", |status| status.local_height == Some(BLOCKS))
            .await;
        // The ids are agreed on before grades are looked at.
        stage
            .until("both good", |status| of(status, &good).state == "ok")
            .await;
        let graded = async {
            loop {
                let (blocks, is) = stage.range(LIE, BLOCKS, &[]).await.unwrap();
                if is == grade {
                    return blocks;
                }
                tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            }
        };
        let within = std::time::Duration::from_secs(60);
        let blocks = tokio::time::timeout(within, graded).await.expect(grade);
        for block in &blocks {
            let own = chain().at(block.height).unwrap().clone();
            assert_eq!(block.hash[..], own.hash);
            let served = block.chain_metadata.unwrap().sapling_commitment_tree_size;
            assert_eq!(served, own.trees.clone().unwrap().sapling.size + wrong_by);
        }
        stage.quarantined(&[]).await;
        stage.end().await;
    }
}

async fn transaction(
    stage: &Stage,
    txid: [u8; 32],
) -> Result<Response<heliostat_zcash_proto::RawTransaction>, tonic::Status> {
    let wanted = TxFilter {
        hash: txid.to_vec().into(),
        ..TxFilter::default()
    };
    stage.client().get_transaction(wanted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_the_transaction_asked_for_convict_and_the_next_node_is_asked() {
    for note in &generator().plan().notes[..3] {
        let filter = Filter::method("getrawtransaction");
        let (bad, good) = (
            misbehaving(Misbehaviour::WrongBytes, filter).await,
            honest().await,
        );
        let stage = Stage::before(&[&bad, &good]).await;
        stage.serves(&chain()).await;
        stage.graded(BLOCKS, "agreed 2/2").await;
        let reply = transaction(&stage, note.txid).await.unwrap();
        let block = chain().at(note.height).unwrap().clone();
        let index = block.txids.iter().position(|id| *id == note.txid).unwrap();
        assert_eq!(
            reply.get_ref().data[..],
            block.raw[block.txs[index].clone()]
        );
        // The liar's word for the chain is gone, and one voice is none.
        assert_eq!(grade_in(reply.metadata()), "relayed");
        assert_eq!(stage.quarantined(&[&bad]).await, [rule::TXID]);
        stage.serves(&chain()).await;
        assert_eq!(stage.grade(BLOCKS).await, "relayed");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn false_bytes_of_a_transaction_reach_no_wallet_when_there_is_nobody_else() {
    let note = &generator().plan().notes[0];
    let filter = Filter::method("getrawtransaction");
    let bad = misbehaving(Misbehaviour::WrongBytes, filter).await;
    let stage = Stage::before(&[&bad]).await;
    stage.serves(&chain()).await;
    let refused = transaction(&stage, note.txid).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("false answer"), "{refused}");
    assert_eq!(stage.quarantined(&[&bad]).await, [rule::TXID]);
    // What was verified before goes on being served.
    stage.serves(&chain()).await;
    stage.end().await;
}
