//! Short questions: to one endpoint, or to all of them, of which enough must
//! give the same bytes.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use heliostat_core::Assurance;
use heliostat_node::Served;
use heliostat_tezos_verifier::{BlockHash, ChainId, Header, ProtocolHash};

use tokio::time::{Instant, timeout_at};

use super::{
    Core,
    resolve::{At, tally},
};
use crate::{consensus, defaults, endpoint::Answer, error::ReadError, evidence, links};

impl Core {
    /// Who may be asked, best first: those in a pause come last.
    pub(crate) fn askable(&self) -> Vec<usize> {
        let all = self.upstreams.all();
        let mut order: Vec<usize> = (0..all.len())
            .filter(|at| !all[*at].is_quarantined())
            .collect();
        order.sort_by_key(|at| !all[*at].is_usable());
        order
    }

    /// Who may be asked now, and who is in a pause.
    fn askable_now(&self) -> (Vec<usize>, Vec<usize>) {
        let all = self.upstreams.all();
        self.askable()
            .into_iter()
            .partition(|at| all[*at].is_usable())
    }

    /// Asks everybody; the answer that enough of them give, with how many did.
    pub(crate) async fn agree(
        self: &Arc<Self>,
        path: &str,
        what: &str,
    ) -> Result<(Bytes, usize), ReadError> {
        let begun = Instant::now();
        let (usable, paused) = self.askable_now();
        let ask = |at: usize| async move {
            let answer = self
                .endpoint(at)
                .get_json(path, defaults::SHORT_BYTES)
                .await;
            (at, answer)
        };
        let mut running: FuturesUnordered<_> = usable.into_iter().map(ask).collect();
        let mut paused = paused.into_iter();
        let mut answers = Vec::new();
        let mut trouble = Vec::new();
        let mut until = None;
        loop {
            let next = async {
                match until {
                    None => running.next().await,
                    Some(until) => timeout_at(until, running.next()).await.unwrap_or(None),
                }
            };
            let Some((at, answer)) = next.await else {
                // Those in a pause are asked only where the others are not enough.
                let enough = tally(&answers).iter().any(|(_, k)| *k >= self.needed);
                match paused.next().filter(|_| !enough) {
                    Some(at) => running.push(ask(at)),
                    None => break,
                }
                continue;
            };
            let upstream = &self.upstreams.all()[at];
            match answer {
                Ok(Answer::Lack(lack)) => trouble.push(format!("{}: {lack}", upstream.name())),
                Ok(answer) => {
                    self.upstreams.report_ok(upstream, Served::Data);
                    answers.push((at, answer));
                }
                Err(fault) => {
                    trouble.push(format!("{}: {fault}", upstream.name()));
                    self.upstreams.report(upstream, &fault);
                }
            }
            // Where nothing else can win any more, the rest is waited for only
            // as long as it took so far: their voices better the grade.
            let won = tally(&answers).iter().any(|(_, k)| *k >= self.needed);
            if won && 2 * self.needed > self.n() && until.is_none() {
                until = Some(Instant::now() + begun.elapsed().max(defaults::HEDGE_LEAST));
            }
        }
        let mut tally = tally(&answers);
        // The first of the best: endpoints come in the operator's order.
        tally.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
        match tally.into_iter().next() {
            Some((bytes, votes)) if votes >= self.needed => Ok((bytes, votes)),
            None if trouble.iter().all(|why| why.contains("404")) && !trouble.is_empty() => {
                Err(ReadError::NoBlock(format!(
                    "{what}: no endpoint has it: {}",
                    trouble.join("; ")
                )))
            }
            best => {
                let votes = best.map_or(0, |(_, votes)| votes);
                let share = self.settings.min_agreement;
                let mut words = consensus::shortfall(share, votes, self.n());
                for why in trouble {
                    words.push_str("; ");
                    words.push_str(&why);
                }
                Err(ReadError::NoAgreement(format!("{what}: {words}")))
            }
        }
    }

    /// Asks one endpoint after the other until one has an answer.
    pub(crate) async fn ask_one(
        self: &Arc<Self>,
        path: &str,
        cap: usize,
    ) -> Result<Bytes, ReadError> {
        let mut trouble = Vec::new();
        let mut all_missing = true;
        for at in self.askable() {
            let upstream = &self.upstreams.all()[at];
            match upstream.source().get_json(path, cap).await {
                Ok(Answer::Value(bytes)) => {
                    self.upstreams.report_ok(upstream, Served::Data);
                    return Ok(bytes);
                }
                Ok(Answer::Lack(lack)) => {
                    all_missing &= lack == crate::endpoint::Lack::NotFound;
                    trouble.push(format!("{}: {lack}", upstream.name()));
                }
                Err(fault) => {
                    all_missing = false;
                    trouble.push(format!("{}: {fault}", upstream.name()));
                    self.upstreams.report(upstream, &fault);
                }
            }
        }
        let words = trouble.join("; ");
        Err(match all_missing && !trouble.is_empty() {
            true => ReadError::NoBlock(words),
            false => ReadError::Unavailable(format!("no endpoint answers: {words}")),
        })
    }

    /// Asks one endpoint for a header; its bytes are checked against the hash,
    /// and a contradiction is held against the endpoint.
    pub(crate) async fn header_from(
        self: &Arc<Self>,
        at: usize,
        hash: &BlockHash,
    ) -> Result<Arc<Header>, String> {
        let path = format!("/chains/{}/blocks/{hash}/header/raw", self.settings.chain);
        let header = self.read_header(at, &path).await?;
        self.learn_header(at, *hash, header)?;
        self.headers
            .header(hash)
            .ok_or_else(|| "the header was dropped".to_owned())
    }

    /// A header in hex, as an endpoint gives it.
    pub(crate) async fn read_header(
        self: &Arc<Self>,
        at: usize,
        path: &str,
    ) -> Result<Header, String> {
        let upstream = &self.upstreams.all()[at];
        let answer = upstream
            .source()
            .get_json(path, defaults::SHORT_BYTES)
            .await;
        match answer {
            Ok(Answer::Value(bytes)) => {
                let text: String = serde_json::from_slice(&bytes)
                    .map_err(|_| "a header that is no hex text".to_owned())?;
                Header::from_raw_hex(&text).map_err(|error| error.to_string())
            }
            Ok(Answer::Lack(lack)) => Err(lack.to_string()),
            Err(fault) => {
                self.upstreams.report(upstream, &fault);
                Err(fault.to_string())
            }
        }
    }

    /// All operations of a block, or all their hashes, from the first endpoint
    /// whose answer has the root that the header says. One whose answer has
    /// another root lies.
    pub(crate) async fn checked_operations(
        self: &Arc<Self>,
        path: &str,
        header: &Header,
    ) -> Result<Bytes, ReadError> {
        let mut trouble = Vec::new();
        for at in self.askable() {
            let upstream = &self.upstreams.all()[at];
            let name = upstream.name();
            let answer = upstream.source().get_json(path, defaults::OPERATIONS_BYTES);
            let bytes = match answer.await {
                Ok(Answer::Value(bytes)) => bytes,
                Ok(Answer::Lack(lack)) => {
                    trouble.push(format!("{name}: {lack}"));
                    continue;
                }
                Err(fault) => {
                    trouble.push(format!("{name}: {fault}"));
                    self.upstreams.report(upstream, &fault);
                    continue;
                }
            };
            match links::operations_root(&bytes) {
                Some(root) if root == header.operations_hash => {
                    self.upstreams.report_ok(upstream, Served::Data);
                    return Ok(bytes);
                }
                Some(root) => {
                    trouble.push(format!("{name}: not the operations of the header"));
                    let lie = evidence::operations_root(path, &bytes, header, root.0);
                    self.convict(at, lie);
                }
                None => trouble.push(format!("{name}: no list of operations")),
            }
        }
        Err(ReadError::Unavailable(format!(
            "no endpoint gives the operations of block {}: {}",
            header.hash(),
            trouble.join("; ")
        )))
    }

    /// The chain's id: the operator's, else as enough endpoints give it.
    pub(crate) async fn chain_id(self: &Arc<Self>) -> Result<(ChainId, Assurance), ReadError> {
        if let Some(id) = self.settings.chain_id {
            return Ok((id, Assurance::Proven));
        }
        let path = format!("/chains/{}/chain_id", self.settings.chain);
        let asked = self.chain_id.get_or_try_init(|| async {
            let (json, votes) = self.agree(&path, "the chain's id").await?;
            let id = serde_json::from_slice(&json).map_err(|error| {
                ReadError::Unavailable(format!("the chain's id cannot be read: {error}"))
            })?;
            Ok::<_, ReadError>((id, votes))
        });
        let (id, votes) = *asked.await?;
        let grade = match votes {
            usize::MAX => Assurance::Proven,
            votes => self.grade_of_votes(votes),
        };
        Ok((id, grade))
    }

    /// The protocol that is in charge of the state after a block: as the
    /// pinned root says it, else as enough endpoints give it.
    pub(crate) async fn next_protocol(
        self: &Arc<Self>,
        at: &At,
    ) -> Result<(ProtocolHash, Assurance), ReadError> {
        if let Some(protocol) = at
            .state
            .tree()
            .and_then(|tree| links::protocol(&tree, None))
        {
            return Ok((protocol, self.grade_of_read(at)?));
        }
        let proto = self.headers.header(&at.hash).map(|header| header.proto);
        let known = proto.and_then(|proto| {
            let protocols = self.protocols.lock();
            let protocols = protocols.unwrap_or_else(PoisonError::into_inner);
            protocols.get(&proto).copied()
        });
        if let Some((protocol, votes)) = known {
            return Ok((protocol, self.grade_of_votes(votes)));
        }
        let (_, protocol, votes) = self.ask_protocols(at).await?;
        let tree = at.state.tree();
        if tree.and_then(|tree| links::protocol(&tree, Some(protocol))) == Some(protocol) {
            return Ok((protocol, self.grade_of_read(at)?));
        }
        if let Some(proto) = proto {
            let protocols = self.protocols.lock();
            let mut protocols = protocols.unwrap_or_else(PoisonError::into_inner);
            protocols.insert(proto, (protocol, votes));
        }
        Ok((protocol, self.grade_of_votes(votes)))
    }

    /// `protocol` and `next_protocol` of a block, as enough endpoints give them.
    pub(crate) async fn ask_protocols(
        self: &Arc<Self>,
        at: &At,
    ) -> Result<(ProtocolHash, ProtocolHash, usize), ReadError> {
        #[derive(serde::Deserialize)]
        struct Protocols {
            protocol: ProtocolHash,
            next_protocol: ProtocolHash,
        }
        let path = format!(
            "/chains/{}/blocks/{}/protocols",
            self.settings.chain, at.state.text
        );
        let (json, votes) = self.agree(&path, "the block's protocols").await?;
        let read: Protocols = serde_json::from_slice(&json).map_err(|error| {
            ReadError::Unavailable(format!("the block's protocols cannot be read: {error}"))
        })?;
        Ok((read.protocol, read.next_protocol, votes))
    }
}
