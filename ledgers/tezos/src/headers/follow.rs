//! Following the heads of one endpoint: by its stream of heads, or by asking
//! where it has none. Every header is checked before it counts.

use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use futures::future::join_all;
use heliostat_core::{Fault, Id, Point};
use heliostat_node::Served;
use heliostat_tezos_verifier::{BlockHash, Header, LinkError};
use tokio::time::{sleep, timeout};

use super::Refused;
use crate::{defaults, endpoint::Answer, evidence, light::Core};

/// Follows one endpoint for as long as it is asked to.
pub(crate) async fn follow(core: &Arc<Core>, at: usize) {
    let upstream = &core.upstreams.all()[at];
    loop {
        if upstream.is_quarantined() {
            return;
        }
        if !upstream.is_usable() {
            sleep(defaults::MONITOR_RETRY).await;
            continue;
        }
        if !core.is_on_our_chain(at).await {
            sleep(defaults::POLL).await;
            continue;
        }
        if !stream(core, at).await {
            // No stream here: ask for a while, then look for one again.
            for _ in 0..defaults::CAPABILITY_RETRY.as_secs() {
                if upstream.is_quarantined() {
                    return;
                }
                core.ask_head(at).await;
                sleep(defaults::POLL).await;
            }
        }
        sleep(defaults::MONITOR_RETRY).await;
    }
}

/// Reads the stream of heads; `false` when the endpoint has none, or one in
/// which there is no head.
async fn stream(core: &Arc<Core>, at: usize) -> bool {
    let upstream = &core.upstreams.all()[at];
    let path = format!("/monitor/heads/{}", core.settings.chain);
    let mut response = match upstream.source().open(&path, None).await {
        Ok(response) if response.status().is_success() => response,
        Ok(_) => return false,
        Err(fault) => {
            core.upstreams.report(upstream, &fault);
            return true;
        }
    };
    let mut buffer = BytesMut::new();
    let mut has_heads = false;
    loop {
        let piece = match timeout(defaults::MONITOR_SILENCE, response.chunk()).await {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None)) | Err(_) => return has_heads,
            Ok(Err(_)) => {
                let fault = Fault::Unreachable("the stream of heads broke off".to_owned());
                core.upstreams.report(upstream, &fault);
                return true;
            }
        };
        buffer.extend_from_slice(&piece);
        while let Some(line) = next_value(&mut buffer) {
            let Ok(line) = line else {
                let fault = Fault::Unreachable("the stream of heads is no JSON".to_owned());
                core.upstreams.report(upstream, &fault);
                return true;
            };
            match core.learn_head_line(at, &line).await {
                Ok(()) => has_heads = true,
                Err(why) => tracing::debug!(upstream = upstream.name(), why, "head not taken"),
            }
            if upstream.is_quarantined() {
                return true;
            }
        }
        if buffer.len() > defaults::MONITOR_LINE {
            return false;
        }
    }
}

/// The next whole JSON value of a stream, which may or may not have line ends
/// between them; `None` when it has not all come yet.
fn next_value(buffer: &mut BytesMut) -> Option<Result<serde_json::Value, serde_json::Error>> {
    let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace());
    let blank = blank.count();
    buffer.advance(blank);
    let mut values = serde_json::Deserializer::from_slice(buffer).into_iter();
    match values.next()? {
        Ok(value) => {
            let end = values.byte_offset();
            buffer.advance(end);
            Some(Ok(value))
        }
        Err(error) if error.is_eof() => None,
        Err(error) => Some(Err(error)),
    }
}

impl Core {
    /// Asks every endpoint for its head, once for everybody who wants to know.
    pub(crate) async fn refresh_heads(self: &Arc<Self>) {
        let _alone = self.refreshing.lock().await;
        // Where the streams of heads are about to tell, nobody need be asked.
        let told = timeout(defaults::HEDGE_FIRST, self.headers.wait_agreed());
        if self.is_following() && told.await.is_ok() {
            return;
        }
        join_all(self.askable().into_iter().map(|at| async move {
            if self.is_on_our_chain(at).await {
                self.ask_head(at).await;
            }
        }))
        .await;
    }

    /// Asks one endpoint for its head.
    async fn ask_head(self: &Arc<Self>, at: usize) {
        let path = format!("/chains/{}/blocks/head/header/raw", self.settings.chain);
        match self.read_header(at, &path).await {
            Ok(header) => {
                let hash = header.hash();
                if let Err(why) = self.learn_head(at, hash, header).await {
                    tracing::debug!(why, "head not taken");
                }
            }
            Err(miss) => tracing::debug!(why = miss.words, "no head"),
        }
    }

    /// Whether an endpoint is on the operator's chain; asked once, where the
    /// operator says which it is.
    async fn is_on_our_chain(self: &Arc<Self>, at: usize) -> bool {
        let Some(expected) = self.settings.chain_id else {
            return true;
        };
        let upstream = &self.upstreams.all()[at];
        if upstream.source().chain().is_some() {
            return true;
        }
        let path = format!("/chains/{}/chain_id", self.settings.chain);
        match upstream
            .source()
            .get_json(&path, defaults::SHORT_BYTES)
            .await
        {
            Ok(Answer::Value(json)) => {
                let found = String::from_utf8_lossy(json.trim_ascii()).into_owned();
                if found.trim_matches('"') == expected.to_string() {
                    upstream.source().set_chain(found);
                    return true;
                }
                let why = format!(
                    "it is on chain {}, not on {expected}",
                    found.chars().take(32).collect::<String>()
                );
                self.upstreams.report(upstream, &Fault::Unsupported(why));
                false
            }
            Ok(Answer::Lack(lack)) => {
                let fault = Fault::Unsupported(format!("its chain's id is not known: {lack}"));
                self.upstreams.report(upstream, &fault);
                false
            }
            Err(fault) => {
                self.upstreams.report(upstream, &fault);
                false
            }
        }
    }

    async fn learn_head_line(
        self: &Arc<Self>,
        at: usize,
        line: &serde_json::Value,
    ) -> Result<(), String> {
        let hash = line.get("hash").and_then(serde_json::Value::as_str);
        let hash: BlockHash = hash
            .and_then(|hash| hash.parse().ok())
            .ok_or("a head without a hash")?;
        let header = Header::from_json(line).map_err(|error| error.to_string())?;
        if header.hash() != hash {
            // The text may say something in a way that is not known here. Only
            // bytes convict.
            let header = self.header_from(at, &hash).await;
            let header = header.map_err(|miss| miss.words)?;
            return self.learn_head(at, hash, Header::clone(&header)).await;
        }
        self.learn_head(at, hash, header).await
    }

    /// Takes an endpoint's head, with the headers between it and what is known.
    pub(crate) async fn learn_head(
        self: &Arc<Self>,
        at: usize,
        hash: BlockHash,
        header: Header,
    ) -> Result<(), String> {
        let depth = match self.headers.agreed() {
            Some(_) => defaults::BACKFILL,
            None => defaults::FIRST_BACKFILL,
        };
        let (level, mut before) = (header.level, header.predecessor);
        self.learn_header(at, hash, header)?;
        // At the start all endpoints miss the same headers: one fetches them, the
        // others wait, though not long for a slow one. Whoever did not wait would
        // stand behind fewer blocks than it does.
        let turn = self.backfilling.lock();
        let _turn = timeout(defaults::HEDGE_FIRST, turn).await;
        for _ in 0..depth {
            if self.headers.header(&before).is_some() {
                break;
            }
            // What does not come is missing only for older blocks.
            let Ok(header) = self.header_from(at, &before).await else {
                break;
            };
            before = header.predecessor;
        }
        let upstream = &self.upstreams.all()[at];
        if upstream.is_quarantined() || self.headers.header(&hash).is_none() {
            return Err("the head breaks the chain".to_owned());
        }
        self.headers.set_head(at, &hash);
        let point = Point {
            height: u64::try_from(level).unwrap_or(0),
            id: Id(hash.0),
        };
        self.upstreams.report_ok(upstream, Served::Head(point));
        self.upstreams.report_ok(upstream, Served::Data);
        Ok(())
    }

    /// Takes a header that an endpoint gave for a hash. One that contradicts
    /// its hash, its predecessor or its chain's proof of work is a lie.
    pub(crate) fn learn_header(
        self: &Arc<Self>,
        at: usize,
        hash: BlockHash,
        header: Header,
    ) -> Result<(), String> {
        if self.headers.header(&hash).is_some() && header.hash() == hash {
            return Ok(());
        }
        if header.level == 0 && header.hash() != hash {
            // The hash of the first block of all is chosen, not computed.
            return Err("the header of the genesis block, which proves nothing".to_owned());
        }
        if header.hash() == hash
            && let Some(threshold) = self.settings.proof_of_work
            && !header.has_proof_of_work(threshold).unwrap_or(true)
        {
            self.convict(at, evidence::proof_of_work(&header, threshold));
            return Err("a header without its stamp".to_owned());
        }
        let before = self.headers.header(&header.predecessor);
        match self.headers.insert(hash, header.clone()) {
            Ok(_) => Ok(()),
            Err(Refused::Hash(_)) => {
                self.convict(at, evidence::header_hash(&hash, &header));
                Err("a header of another block".to_owned())
            }
            Err(Refused::Link(error)) => {
                // A fitness that cannot be read may be a newer protocol's.
                let is_known = !matches!(error, LinkError::Malformed { .. });
                if let Some(before) = before.filter(|_| is_known) {
                    let lie = evidence::header_link(&header, &before, &error.to_string());
                    self.convict(at, lie);
                }
                Err(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_off_a_stream_as_they_become_whole() {
        let mut buffer = BytesMut::from(&b"\n{\"a\":1}{\"b\""[..]);
        assert_eq!(next_value(&mut buffer).unwrap().unwrap()["a"], 1);
        assert!(next_value(&mut buffer).is_none());
        buffer.extend_from_slice(b":2}\n");
        assert_eq!(next_value(&mut buffer).unwrap().unwrap()["b"], 2);
        assert!(next_value(&mut buffer).is_none());
        buffer.extend_from_slice(b"}");
        assert!(next_value(&mut buffer).unwrap().is_err());
    }
}
