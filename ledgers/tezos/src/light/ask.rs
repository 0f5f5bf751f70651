//! Short questions: to one endpoint, or to all of them, of which enough must
//! give the same bytes.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use heliostat_core::Assurance;
use heliostat_node::Served;
use heliostat_tezos_verifier::{BlockHash, Header, ProtocolHash, operations};

use tokio::time::{Instant, timeout_at};

use super::{
    Core,
    first::Miss,
    resolve::{At, tally},
};
use crate::{
    consensus, defaults,
    endpoint::{Answer, Lack},
    error::ReadError,
    evidence, links,
};

impl Core {
    /// Who may be asked, best first: those that owe an answer come late, those
    /// in a pause last.
    pub(crate) fn askable(&self) -> Vec<usize> {
        let all = self.upstreams.all();
        let mut order: Vec<usize> = (0..all.len())
            .filter(|at| !all[*at].is_quarantined())
            .collect();
        order.sort_by_key(|at| (!all[*at].is_usable(), all[*at].source().is_overdue()));
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
        // How many said that there is no such thing.
        let mut absent = 0;
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
                Ok(Answer::Lack(lack)) => {
                    absent += usize::from(lack == Lack::NotFound);
                    trouble.push(format!("{}: {lack}", upstream.name()));
                }
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
            // One that cannot be asked may have it.
            None if absent == trouble.len() && absent >= self.needed => Err(ReadError::NoBlock(
                format!("{what}: no endpoint has it: {}", trouble.join("; ")),
            )),
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

    /// Asks one endpoint, and others where it has no answer.
    pub(crate) async fn ask_one(
        self: &Arc<Self>,
        path: &str,
        cap: usize,
    ) -> Result<Bytes, ReadError> {
        let answer = self.first(|core, at| {
            let path = path.to_owned();
            async move { core.value_from(at, &path, cap).await }
        });
        answer.await.map_err(|misses| match misses.are_absent {
            true => ReadError::NoBlock(misses.words),
            false => ReadError::Unavailable(format!("no endpoint answers: {}", misses.words)),
        })
    }

    /// A value from one endpoint.
    pub(crate) async fn value_from(
        &self,
        at: usize,
        path: &str,
        cap: usize,
    ) -> Result<Bytes, Miss> {
        let upstream = &self.upstreams.all()[at];
        match upstream.source().get_json(path, cap).await {
            Ok(Answer::Value(bytes)) => {
                self.upstreams.report_ok(upstream, Served::Data);
                Ok(bytes)
            }
            Ok(Answer::Lack(lack)) => Err(Miss::lacks(&lack)),
            Err(fault) => {
                self.upstreams.report(upstream, &fault);
                Err(fault.to_string().into())
            }
        }
    }

    /// Asks one endpoint for a header; its bytes are checked against the hash,
    /// and a contradiction is held against the endpoint.
    pub(crate) async fn header_from(
        self: &Arc<Self>,
        at: usize,
        hash: &BlockHash,
    ) -> Result<Arc<Header>, Miss> {
        let path = format!("/chains/{}/blocks/{hash}/header/raw", self.settings.chain);
        let header = self.read_header(at, &path).await?;
        self.learn_header(at, *hash, header)?;
        self.headers
            .header(hash)
            .ok_or_else(|| "the header was dropped".to_owned().into())
    }

    /// A header in hex, as an endpoint gives it.
    pub(crate) async fn read_header(
        self: &Arc<Self>,
        at: usize,
        path: &str,
    ) -> Result<Header, Miss> {
        let upstream = &self.upstreams.all()[at];
        let answer = upstream
            .source()
            .get_json(path, defaults::SHORT_BYTES)
            .await;
        match answer {
            Ok(Answer::Value(bytes)) => {
                let text: String = serde_json::from_slice(&bytes)
                    .map_err(|_| "a header that is no hex text".to_owned())?;
                Header::from_raw_hex(&text).map_err(|error| error.to_string().into())
            }
            Ok(Answer::Lack(lack)) => Err(Miss::lacks(&lack)),
            Err(fault) => {
                self.upstreams.report(upstream, &fault);
                Err(fault.to_string().into())
            }
        }
    }

    /// All operations of a block, or all their hashes, from the first endpoint
    /// whose answer has the root that the header says. One whose answer has
    /// another root lies.
    pub(crate) async fn checked_operations(
        self: &Arc<Self>,
        path: &str,
        header: &Arc<Header>,
    ) -> Result<Bytes, ReadError> {
        let answer = self.first(|core, at| {
            let (path, header) = (path.to_owned(), Arc::clone(header));
            async move { core.operations_from(at, &path, &header).await }
        });
        answer.await.map_err(|misses| {
            let (hash, words) = (header.hash(), misses.words);
            ReadError::Unavailable(format!(
                "no endpoint gives the operations of block {hash}: {words}"
            ))
        })
    }

    /// A whole block, from the first endpoint whose answer has the header and
    /// all the operations' hashes that the block's hash commits to.
    pub(crate) async fn checked_block(
        self: &Arc<Self>,
        path: &str,
        header: &Arc<Header>,
    ) -> Result<Bytes, ReadError> {
        let answer = self.first(|core, at| {
            let (path, header) = (path.to_owned(), Arc::clone(header));
            async move {
                let bytes = core.value_from(at, &path, defaults::RELAY_BYTES).await?;
                match links::is_block(&bytes, &header) {
                    true => Ok(bytes),
                    false => Err("its header or operations are not those of the block"
                        .to_owned()
                        .into()),
                }
            }
        });
        answer.await.map_err(|misses| {
            let (hash, words) = (header.hash(), misses.words);
            ReadError::Unavailable(format!("no endpoint gives the whole block {hash}: {words}"))
        })
    }

    async fn operations_from(
        self: &Arc<Self>,
        at: usize,
        path: &str,
        header: &Header,
    ) -> Result<Bytes, Miss> {
        let bytes = self
            .value_from(at, path, defaults::OPERATIONS_BYTES)
            .await?;
        let Some(listed) = links::listed(&bytes) else {
            return Err("no list of operations".to_owned().into());
        };
        let root = operations::operations_hash(&listed);
        if root != header.operations_hash {
            let lie = evidence::operations_root(path, &bytes, header, root.0);
            self.convict(at, lie);
            return Err("not the operations of the header".to_owned().into());
        }
        // Other lists have that root too, in which the last one is repeated.
        match links::is_whole(&listed, header) {
            true => Ok(bytes),
            false => Err("operations are listed twice, or lists are missing"
                .to_owned()
                .into()),
        }
    }

    /// The protocol that is in charge of the state after a block: as the
    /// pinned root says it, else as enough endpoints give it.
    pub(crate) async fn next_protocol(
        self: &Arc<Self>,
        at: &At,
    ) -> Result<(ProtocolHash, Assurance), ReadError> {
        if let Some(found) = self.shown_protocol(at, None)? {
            return Ok(found);
        }
        if self.finality_is_on() {
            // What endpoints agree on counts little here. Where there is no
            // proof the endpoints are asked.
            if self.show_root(&at.state).await.is_ok()
                && let Some(found) = self.shown_protocol(at, None)?
            {
                return Ok(found);
            }
        }
        let proto = self.headers.header(&at.hash).map(|header| header.proto);
        let known = proto.and_then(|proto| self.protocols().get(&proto).copied());
        if let Some((protocol, votes)) = known {
            return Ok((protocol, self.grade_of_votes(votes)));
        }
        let (_, protocol, votes) = self.ask_protocols(at).await?;
        if let Some(found) = self.shown_protocol(at, Some(protocol))? {
            return Ok(found);
        }
        if let Some(proto) = proto {
            self.protocols().insert(proto, (protocol, votes));
        }
        Ok((protocol, self.grade_of_votes(votes)))
    }

    /// The protocol that what was read of a block's state shows.
    fn shown_protocol(
        self: &Arc<Self>,
        at: &At,
        claimed: Option<ProtocolHash>,
    ) -> Result<Option<(ProtocolHash, Assurance)>, ReadError> {
        let tree = at.state.tree();
        let shown = tree.and_then(|tree| links::protocol(&tree, claimed));
        shown
            .map(|protocol| Ok((protocol, self.grade_of_read(at)?)))
            .transpose()
    }

    fn protocols(&self) -> MutexGuard<'_, HashMap<u8, (ProtocolHash, usize)>> {
        let protocols = self.protocols.lock();
        protocols.unwrap_or_else(PoisonError::into_inner)
    }

    /// The protocol that a block itself was made by: the one in charge of the
    /// state before it.
    pub(crate) async fn own_protocol(
        self: &Arc<Self>,
        at: &At,
        header: &Header,
    ) -> Result<(ProtocolHash, Assurance), ReadError> {
        match self.fetch_header(&header.predecessor).await {
            // The block did not change it.
            Ok(before) if before.proto == header.proto => self.next_protocol(at).await,
            Ok(_) => {
                let before = At::exact(self, header.predecessor);
                self.next_protocol(&before).await
            }
            Err(_) => {
                let (protocol, _, votes) = self.ask_protocols(at).await?;
                Ok((protocol, self.grade_of_votes(votes)))
            }
        }
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
