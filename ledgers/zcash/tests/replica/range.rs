//! The range calls over real gRPC on loopback, on every engine.

#[path = "range/rig.rs"]
mod rig;

use std::sync::Arc;

use futures::StreamExt as _;
use heliostat_core::{Assurance, Id};
use heliostat_node::Minimum;
use heliostat_store::testing::PrivatePostgres;
use heliostat_zcash::{
    filter::Pools,
    frames::Projection,
    range::{RangeContext, Which, block, range_routes},
};
use heliostat_zcash_proto::CompactBlock;
use http_body_util::BodyExt as _;
use prost::Message as _;
use tonic::Code;

use self::rig::{Engine, chain, drain, request, rig};
use crate::blocks::{project, run};

/// What every engine must serve.
async fn suite(on: &Engine) {
    every_pool_subset_streams_both_ways(on).await;
    a_range_past_the_tip_gives_what_there_is_and_then_out_of_range(on).await;
    the_trailer_carries_the_lowest_grade_that_was_sent(on).await;
    a_grade_below_the_operators_minimum_is_refused_before_a_byte_is_sent(on).await;
    a_rewind_under_an_open_stream_aborts_it_and_never_mixes_chains(on).await;
    a_client_that_goes_away_ends_its_stream(on).await;
    an_empty_replica_is_unavailable(on).await;
    single_blocks_are_found_by_height_and_by_id(on).await;
    the_time_a_client_gives_is_kept(on).await;
}

#[tokio::test]
async fn ranges_are_served_out_of_memory() {
    suite(&Engine::Memory).await;
}

#[tokio::test]
async fn ranges_are_served_out_of_sqlite() {
    suite(&Engine::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_served_out_of_postgresql() {
    // Without one it says on stderr what is missing.
    if let Some(server) = PrivatePostgres::start_new() {
        suite(&Engine::Postgres(server)).await;
    }
}

#[expect(deprecated, reason = "wallets still call the nullifier method")]
async fn every_pool_subset_streams_both_ways(on: &Engine) {
    let mut rig = rig(on, "subsets", chain(1_500), Assurance::Relayed).await;
    for bits in 0..16 {
        let pools: Vec<i32> = (1..=4).filter(|pool| bits >> (pool - 1) & 1 == 1).collect();
        for (start, end) in [(10, 1_509), (1_509, 10), (700, 700), (1_000, 300)] {
            let wanted = request(start, end, &pools);
            let heights: Vec<u64> = match start <= end {
                true => (start..=end).collect(),
                false => (end..=start).rev().collect(),
            };
            let expect = |projection| -> Vec<CompactBlock> {
                let at = |height: &u64| &rig.blocks[(*height - 10) as usize];
                heights.iter().map(|h| project(at(h), projection)).collect()
            };
            let (blocks, code, ..) = drain(rig.client.get_block_range(wanted.clone()).await).await;
            assert_eq!(code, Code::Ok);
            let projection = Projection::pools(Pools::requested(&pools));
            assert!(blocks == expect(projection), "{start}..{end} {pools:?}");
            let nullifiers = rig.client.get_block_range_nullifiers(wanted).await;
            let (blocks, code, ..) = drain(nullifiers).await;
            assert_eq!(code, Code::Ok);
            let projection = Projection::range_nullifiers(&pools);
            assert!(blocks == expect(projection), "{start}..{end} {pools:?}");
        }
    }
}

async fn a_range_past_the_tip_gives_what_there_is_and_then_out_of_range(on: &Engine) {
    let mut rig = rig(on, "tip", chain(100), Assurance::Relayed).await;
    for (start, end, count, words) in [
        (
            50,
            200,
            60,
            "GetBlock: block 110 is newer than the latest block",
        ),
        (
            200,
            50,
            0,
            "GetBlock: block 200 is newer than the latest block",
        ),
        (
            300,
            400,
            0,
            "GetBlock: block 300 is newer than the latest block",
        ),
        (
            5,
            20,
            0,
            "GetBlock: block 5 is older than the first block kept here, 10",
        ),
        (
            20,
            5,
            11,
            "GetBlock: block 9 is older than the first block kept here, 10",
        ),
        (
            u64::MAX,
            u64::MAX,
            0,
            "GetBlock: block 18446744073709551615 is newer than the latest block",
        ),
    ] {
        let stream = rig.client.get_block_range(request(start, end, &[])).await;
        let (blocks, code, message, grade) = drain(stream).await;
        assert_eq!(
            (blocks.len(), code),
            (count, Code::OutOfRange),
            "{start}..{end}"
        );
        assert_eq!(message, words);
        assert_eq!(grade, None);
    }
}

async fn the_trailer_carries_the_lowest_grade_that_was_sent(on: &Engine) {
    let mut blocks = chain(1_500);
    for block in &mut blocks {
        block.cap = Assurance::Proven;
    }
    blocks[700].cap = Assurance::Relayed;
    let mut rig = rig(on, "trailer", blocks, Assurance::Relayed).await;
    for (start, end, grade) in [
        (10, 709, "proven"),
        (711, 1_000, "proven"),
        (711, 1_001, "agreed 2/3"),
        (1_400, 711, "agreed 2/3"),
        (710, 710, "relayed"),
        (10, 1_500, "relayed"),
    ] {
        let stream = rig.client.get_block_range(request(start, end, &[])).await;
        let (_, code, _, found) = drain(stream).await;
        assert_eq!(
            (code, found.as_deref()),
            (Code::Ok, Some(grade)),
            "{start}..{end}"
        );
    }
    let ends = rig.ends.lock().expect("no observer panics");
    assert_eq!(ends.len(), 6);
    assert_eq!(ends[0].blocks, 700);
    assert_eq!(ends[5].grade, Some(Assurance::Relayed));
}

async fn a_grade_below_the_operators_minimum_is_refused_before_a_byte_is_sent(on: &Engine) {
    let mut blocks = chain(300);
    for block in &mut blocks {
        block.cap = Assurance::Proven;
    }
    blocks[200].cap = Assurance::Relayed;
    let mut rig = rig(on, "minimum", blocks, Assurance::Proven).await;
    let stream = rig.client.get_block_range(request(10, 209, &[])).await;
    assert_eq!(drain(stream).await.1, Code::Ok);
    let stream = rig.client.get_block_range(request(10, 210, &[])).await;
    let (blocks, code, message, _) = drain(stream).await;
    assert_eq!((blocks.len(), code), (0, Code::FailedPrecondition));
    assert!(message.contains("the answer is relayed"), "{message}");
}

async fn a_rewind_under_an_open_stream_aborts_it_and_never_mixes_chains(on: &Engine) {
    let mut rig = rig(
        on,
        "rewind",
        run(3, 10, Id([0; 32]), 8_000, 12),
        Assurance::Relayed,
    )
    .await;
    for (start, end) in [(10, 8_009), (8_009, 10)] {
        let old = rig.log.view().tip().expect("there are blocks");
        let stream = rig
            .client
            .get_block_range(request(start, end, &[1, 2, 3, 4]))
            .await;
        let mut stream = stream.expect("the range exists").into_inner();
        let first = stream.message().await.expect("the stream goes on");
        let mut last = first.expect("there are blocks");

        // The last block and its replacement; most of the stream is not sent
        // yet, because the client has read one block.
        let parent = rig
            .log
            .view()
            .link(8_008)
            .await
            .expect("the store is sound");
        let parent = parent.expect("it is stored").id;
        let branch = run(old.height + start, 8_009, parent, 1, 3);
        rig.log
            .commit(Some(8_008), branch, true)
            .await
            .expect("the store is there");

        let mut count = 1;
        let status = loop {
            match stream.message().await {
                Ok(Some(block)) => {
                    let linked = match start < end {
                        true => block.prev_hash == last.hash,
                        false => block.hash == last.prev_hash,
                    };
                    assert!(linked, "block {} is of another chain", block.height);
                    last = block;
                    count += 1;
                }
                Ok(None) => panic!("a stream over a rewound block ended well"),
                Err(status) => break status,
            }
        };
        assert_eq!(status.code(), Code::Aborted);
        let words = "GetBlockRange: chain discontinuity during reorg repair";
        assert_eq!(status.message(), words);
        assert!(count < 8_000, "{count} blocks were sent");
    }
    // A range below the rewind is not disturbed.
    let stream = rig.client.get_block_range(request(10, 8_008, &[])).await;
    let mut stream = stream.expect("the range exists").into_inner();
    let first = stream.message().await.expect("the stream goes on");
    assert!(first.is_some());
    let parent = rig
        .log
        .view()
        .link(8_008)
        .await
        .expect("the store is sound");
    let branch = run(99, 8_009, parent.expect("it is stored").id, 1, 3);
    rig.log
        .commit(Some(8_008), branch, true)
        .await
        .expect("the store is there");
    let rest = stream
        .filter(|block| std::future::ready(block.is_ok()))
        .count()
        .await;
    assert_eq!(rest, 7_998);
}

async fn a_client_that_goes_away_ends_its_stream(on: &Engine) {
    let mut rig = rig(
        on,
        "away",
        run(3, 10, Id([0; 32]), 4_000, 12),
        Assurance::Relayed,
    )
    .await;
    let wanted = request(10, 4_009, &[1, 2, 3, 4]);
    let stream = rig.client.get_block_range(wanted).await;
    let mut stream = stream.expect("the range exists").into_inner();
    assert!(stream.message().await.is_ok());
    drop(stream);
    loop {
        let ends = rig.ends.lock().expect("no observer panics").clone();
        if let [end] = &ends[..] {
            assert_eq!(end.code, Code::Cancelled);
            break;
        }
        tokio::task::yield_now().await;
    }
}

async fn the_time_a_client_gives_is_kept(on: &Engine) {
    let rig = rig(on, "time", chain(50), Assurance::Relayed).await;
    let context = RangeContext {
        shared: rig.log.shared().clone(),
        chain_grade: Arc::new(|_| Assurance::Proven),
        minimum: Minimum::default(),
        observer: None,
    };
    let message = request(10, 59, &[]).encode_to_vec();
    let mut frame = vec![0, 0, 0, 0, message.len() as u8];
    frame.extend_from_slice(&message);
    for (timeout, status) in [("1n", "4"), ("1H", "0")] {
        let request = http::Request::post("/cash.z.wallet.sdk.rpc.CompactTxStreamer/GetBlockRange")
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout)
            .body(axum::body::Body::from(frame.clone()))
            .expect("the parts are valid");
        let mut routes = range_routes(context.clone());
        let response = tower::Service::call(&mut routes, request).await;
        let body = response.expect("routes never fail").into_body();
        let body = body.collect().await.expect("the body never fails");
        let trailers = body.trailers().expect("a gRPC stream ends with them");
        assert_eq!(trailers["grpc-status"], status, "{timeout}");
    }
}

async fn an_empty_replica_is_unavailable(on: &Engine) {
    let mut rig = rig(on, "empty", Vec::new(), Assurance::Relayed).await;
    let stream = rig.client.get_block_range(request(0, 1, &[])).await;
    assert_eq!(drain(stream).await.1, Code::Unavailable);
}

async fn single_blocks_are_found_by_height_and_by_id(on: &Engine) {
    let rig = rig(on, "single", chain(200), Assurance::Relayed).await;
    let view = rig.log.view();
    for wanted in &rig.blocks {
        for projection in [Projection::Full, Projection::block_nullifiers()] {
            for which in [Which::Height(wanted.link.height), Which::Id(wanted.link.id)] {
                let slab = block(&view, which, projection).await.expect("it is stored");
                let height = wanted.link.height;
                assert_eq!(slab.heights, height..=height);
                let message = project(wanted, projection).encode_to_vec();
                let mut frame = vec![0];
                frame.extend((message.len() as u32).to_be_bytes());
                frame.extend(message);
                assert_eq!(slab.bytes, frame);
            }
        }
    }
    let code = async |which| {
        block(&view, which, Projection::Full)
            .await
            .err()
            .map(|s| s.code())
    };
    assert_eq!(code(Which::Height(210)).await, Some(Code::OutOfRange));
    assert_eq!(code(Which::Height(9)).await, Some(Code::OutOfRange));
    assert_eq!(code(Which::Id(Id([5; 32]))).await, Some(Code::NotFound));
}

/// A grade is about the chain there is; what was read before a rewind is not
/// of it.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_whose_chain_is_left_before_they_are_graded_are_not_sent() {
    let rig = rig(&Engine::Memory, "left", chain(300), Assurance::Relayed).await;
    let log = rig.log.clone();
    let rewind = move || {
        let rewound = log.commit(Some(200), Vec::new(), true);
        let runtime = tokio::runtime::Handle::current();
        let done = tokio::task::block_in_place(|| runtime.block_on(rewound));
        done.expect("memory does not fail");
    };
    *rig.before_grade.lock().expect("no hook panics") = Some(Box::new(rewind));
    let mut client = rig.client.clone();
    let (blocks, code, words, _) = drain(client.get_block_range(request(10, 309, &[])).await).await;
    assert_eq!((blocks.len(), code), (0, Code::Aborted), "{words}");
    let (blocks, code, ..) = drain(client.get_block_range(request(10, 200, &[])).await).await;
    assert_eq!((blocks.len(), code), (191, Code::Ok));
}
