//! The twenty methods: each admits, answers and grades.

use std::sync::Arc;

use futures::stream;
use heliostat_core::Assurance;
use heliostat_zcash_proto::{
    Address, AddressList, Balance, BlockId, BlockRange, ChainSpec, CompactBlock, CompactTx,
    Duration, Empty, GetAddressUtxosArg, GetAddressUtxosReply, GetAddressUtxosReplyList,
    GetMempoolTxRequest, GetSubtreeRootsArg, LightdInfo, PingResponse, RawTransaction,
    SendResponse, SubtreeRoot, TransparentAddressBlockFilter, TreeState, TxFilter,
    compact_tx_streamer_server::CompactTxStreamer,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Service,
    grade::{Graded, streamed, unary},
    send,
};

/// What tonic serves; a handle, so that streams can outlive the call.
pub(super) struct Methods(pub(super) Arc<Service>);

impl Methods {
    /// Refuses a method whose answers are relayed when the operator asks for
    /// more, before anything is asked or sent.
    fn relayed(&self, method: &str) -> Result<Assurance, Status> {
        self.0.admit(method, Assurance::Relayed)
    }
}

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CompactTxStreamer for Methods {
    async fn get_latest_block(&self, _: Request<ChainSpec>) -> Reply<BlockId> {
        let (id, grade) = self.0.latest_block().await?;
        Ok(unary(id, self.0.admit("GetLatestBlock", grade)?))
    }

    /// Never called: a raw route answers this path with stored frames.
    async fn get_block(&self, _: Request<BlockId>) -> Reply<CompactBlock> {
        Err(off_route("GetBlock"))
    }

    /// Never called: a raw route answers this path with stored frames.
    async fn get_block_nullifiers(&self, _: Request<BlockId>) -> Reply<CompactBlock> {
        Err(off_route("GetBlockNullifiers"))
    }

    type GetBlockRangeStream = Graded<CompactBlock>;

    /// Never called: the range routes answer this path with stored frames.
    async fn get_block_range(&self, _: Request<BlockRange>) -> Reply<Self::GetBlockRangeStream> {
        Err(off_route("GetBlockRange"))
    }

    type GetBlockRangeNullifiersStream = Graded<CompactBlock>;

    /// Never called: the range routes answer this path with stored frames.
    async fn get_block_range_nullifiers(
        &self,
        _: Request<BlockRange>,
    ) -> Reply<Self::GetBlockRangeNullifiersStream> {
        Err(off_route("GetBlockRangeNullifiers"))
    }

    async fn get_transaction(&self, request: Request<TxFilter>) -> Reply<RawTransaction> {
        let (transaction, grade) = self.0.transaction(request.into_inner()).await?;
        Ok(unary(transaction, self.0.admit("GetTransaction", grade)?))
    }

    async fn send_transaction(&self, request: Request<RawTransaction>) -> Reply<SendResponse> {
        let grade = self.relayed("SendTransaction")?;
        let (reply, receipt) = send::answer(&self.0.outbox, request.into_inner()).await?;
        let mut response = unary(reply, grade);
        if let Some(receipt) = receipt {
            send::name(response.metadata_mut(), receipt);
        }
        Ok(response)
    }

    type GetTaddressTxidsStream = Graded<RawTransaction>;

    async fn get_taddress_txids(
        &self,
        request: Request<TransparentAddressBlockFilter>,
    ) -> Reply<Self::GetTaddressTxidsStream> {
        let grade = self.relayed("GetTaddressTxids")?;
        let service = Arc::clone(&self.0);
        let items = service.address_transactions(request.into_inner()).await?;
        Ok(streamed(items, grade))
    }

    type GetTaddressTransactionsStream = Graded<RawTransaction>;

    async fn get_taddress_transactions(
        &self,
        request: Request<TransparentAddressBlockFilter>,
    ) -> Reply<Self::GetTaddressTransactionsStream> {
        let grade = self.relayed("GetTaddressTransactions")?;
        let service = Arc::clone(&self.0);
        let items = service.address_transactions(request.into_inner()).await?;
        Ok(streamed(items, grade))
    }

    async fn get_taddress_balance(&self, request: Request<AddressList>) -> Reply<Balance> {
        let grade = self.relayed("GetTaddressBalance")?;
        let balance = self.0.balance(request.into_inner().addresses).await?;
        Ok(unary(balance, grade))
    }

    async fn get_taddress_balance_stream(
        &self,
        request: Request<Streaming<Address>>,
    ) -> Reply<Balance> {
        let grade = self.relayed("GetTaddressBalanceStream")?;
        let balance = self.0.balance_of_stream(request.into_inner()).await?;
        Ok(unary(balance, grade))
    }

    type GetMempoolTxStream = Graded<CompactTx>;

    async fn get_mempool_tx(
        &self,
        request: Request<GetMempoolTxRequest>,
    ) -> Reply<Self::GetMempoolTxStream> {
        let grade = self.relayed("GetMempoolTx")?;
        let items = self.0.mempool_transactions(request.into_inner()).await?;
        Ok(streamed(stream::iter(items.map(Ok)), grade))
    }

    type GetMempoolStreamStream = Graded<RawTransaction>;

    async fn get_mempool_stream(&self, _: Request<Empty>) -> Reply<Self::GetMempoolStreamStream> {
        let grade = self.relayed("GetMempoolStream")?;
        let items = Arc::clone(&self.0).mempool_stream().await?;
        Ok(streamed(items, grade))
    }

    async fn get_tree_state(&self, request: Request<BlockId>) -> Reply<TreeState> {
        let grade = self.relayed("GetTreeState")?;
        Ok(unary(self.0.tree_state(request.into_inner()).await?, grade))
    }

    async fn get_latest_tree_state(&self, _: Request<Empty>) -> Reply<TreeState> {
        let grade = self.relayed("GetLatestTreeState")?;
        Ok(unary(self.0.latest_tree_state().await?, grade))
    }

    type GetSubtreeRootsStream = Graded<SubtreeRoot>;

    async fn get_subtree_roots(
        &self,
        request: Request<GetSubtreeRootsArg>,
    ) -> Reply<Self::GetSubtreeRootsStream> {
        let grade = self.relayed("GetSubtreeRoots")?;
        let roots = self.0.subtree_roots(request.into_inner()).await?;
        let items = (0..roots.len()).map(move |index| Ok(roots[index].clone()));
        Ok(streamed(stream::iter(items), grade))
    }

    async fn get_address_utxos(
        &self,
        request: Request<GetAddressUtxosArg>,
    ) -> Reply<GetAddressUtxosReplyList> {
        let grade = self.relayed("GetAddressUtxos")?;
        let address_utxos = self.0.utxos(request.into_inner()).await?;
        Ok(unary(GetAddressUtxosReplyList { address_utxos }, grade))
    }

    type GetAddressUtxosStreamStream = Graded<GetAddressUtxosReply>;

    async fn get_address_utxos_stream(
        &self,
        request: Request<GetAddressUtxosArg>,
    ) -> Reply<Self::GetAddressUtxosStreamStream> {
        let grade = self.relayed("GetAddressUtxosStream")?;
        let utxos = self.0.utxos(request.into_inner()).await?;
        Ok(streamed(stream::iter(utxos.into_iter().map(Ok)), grade))
    }

    async fn get_lightd_info(&self, _: Request<Empty>) -> Reply<LightdInfo> {
        let grade = self.relayed("GetLightdInfo")?;
        Ok(unary(self.0.lightd_info().await?, grade))
    }

    async fn ping(&self, request: Request<Duration>) -> Reply<PingResponse> {
        let enabled = self.0.settings.ping_very_insecure;
        let interval = request.into_inner().interval_us;
        let reply = self.0.pings.answer(enabled, interval).await?;
        // What is said is about this process alone: it knows.
        Ok(unary(reply, Assurance::Proven))
    }
}

fn off_route(method: &str) -> Status {
    Status::internal(format!(
        "{method}: the raw routes are missing from this server"
    ))
}
