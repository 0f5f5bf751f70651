//! The events and the evidence of a process, over HTTP.

use std::collections::VecDeque;

use heliostat_observe::{News, evidence::Shown};
use tokio::{sync::mpsc, time};
use tokio_util::task::AbortOnDropHandle;

use super::view::Told;
use crate::{
    defaults::{STATUS_BYTES, STATUS_TIMEOUT, TOP_RETRY, TOP_SILENCE},
    status::client_for,
};

/// What was told and not drawn yet; the process is heard no faster than the
/// terminal draws.
const WAITING: usize = 16;

/// One process. Dropping it hangs up.
pub struct Feed {
    url: String,
    told: mpsc::Receiver<Told>,
    tell: mpsc::Sender<Told>,
    _listening: AbortOnDropHandle<()>,
    fetching: Option<AbortOnDropHandle<()>>,
}

impl Feed {
    /// Begins to listen; a process that is away is tried again and again.
    pub fn open(url: &str) -> Self {
        let (tell, told) = mpsc::channel(WAITING);
        let url = url.trim_end_matches('/').to_owned();
        let listening = listen(url.clone(), tell.clone());
        Self {
            url,
            told,
            tell,
            _listening: AbortOnDropHandle::new(tokio::spawn(listening)),
            fetching: None,
        }
    }

    /// What is told next.
    pub async fn next(&mut self) -> Told {
        let told = self.told.recv().await;
        told.expect("a sender is held beside the receiver, so that it never closes")
    }

    /// Asks for one finding with both of its sides, and for no other one any
    /// more.
    pub fn open_evidence(&mut self, chain: String, nth: usize) {
        let (url, tell) = (self.url.clone(), self.tell.clone());
        let task = tokio::spawn(async move {
            let shown = fetch_evidence(&url, &chain, nth).await;
            let _ = tell.send(Told::Evidence { chain, nth, shown }).await;
        });
        self.fetching = Some(AbortOnDropHandle::new(task));
    }
}

async fn listen(url: String, tell: mpsc::Sender<Told>) {
    loop {
        let Err(why) = follow(&url, &tell).await else {
            return;
        };
        if tell.send(Told::Away(why)).await.is_err() {
            return;
        }
        time::sleep(TOP_RETRY).await;
    }
}

/// Passes events on until nobody listens, or with an error when they end.
async fn follow(url: &str, tell: &mpsc::Sender<Told>) -> Result<(), String> {
    // No time-out for the whole: it goes on for ever.
    let client = client_for(url)
        .connect_timeout(STATUS_TIMEOUT)
        .read_timeout(TOP_SILENCE)
        .build()
        .map_err(words)?;
    let reply = client.get(format!("{url}/events")).send().await;
    let mut reply = reply.and_then(|it| it.error_for_status()).map_err(words)?;
    let mut lines = Lines::default();
    let mut first = true;
    while let Some(part) = reply.chunk().await.map_err(words)? {
        lines.push(&part)?;
        while let Some(line) = lines.next() {
            let Some(data) = line.strip_prefix(b"data:") else {
                continue;
            };
            let news: News = serde_json::from_slice(data)
                .map_err(|error| format!("it does not answer like Heliostat ({error})"))?;
            let told = Told::News {
                news: Box::new(news),
                first: std::mem::take(&mut first),
            };
            if tell.send(told).await.is_err() {
                return Ok(());
            }
        }
    }
    Err("it hung up".to_owned())
}

/// The lines of a stream, as they come.
#[derive(Default)]
struct Lines {
    bytes: VecDeque<u8>,
    /// So many of them are known to have no line's end.
    searched: usize,
}

impl Lines {
    fn push(&mut self, part: &[u8]) -> Result<(), String> {
        if self.bytes.len() + part.len() > STATUS_BYTES {
            return Err("it sends too much for an event".to_owned());
        }
        self.bytes.extend(part);
        Ok(())
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let rest = self.bytes.iter().skip(self.searched);
        let Some(end) = rest.into_iter().position(|&byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let mut line: Vec<u8> = self.bytes.drain(..=self.searched + end).collect();
        self.searched = 0;
        line.pop();
        Some(line)
    }
}

async fn fetch_evidence(url: &str, chain: &str, nth: usize) -> Result<Shown, String> {
    let client = client_for(url)
        .timeout(STATUS_TIMEOUT)
        .build()
        .map_err(words)?;
    let nth = nth.to_string();
    let mut address =
        reqwest::Url::parse(&format!("{url}/evidence/one")).map_err(|error| error.to_string())?;
    address
        .query_pairs_mut()
        .extend_pairs([("chain", chain), ("nth", &nth)]);
    let reply = client.get(address).send().await;
    let mut reply = reply.and_then(|it| it.error_for_status()).map_err(words)?;
    let mut body = Vec::new();
    while let Some(part) = reply.chunk().await.map_err(words)? {
        if body.len() + part.len() > STATUS_BYTES {
            return Err("it sends too much for a finding".to_owned());
        }
        body.extend_from_slice(&part);
    }
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

/// The cause that a person can act on.
fn words(error: reqwest::Error) -> String {
    crate::status::innermost(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_the_stream_is_cut() {
        let text = b"data: 1\n\ndata: 22\n\n: keep\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for part in text.chunks(size) {
                lines.push(part).expect("it is short");
                while let Some(line) = lines.next() {
                    found.push(String::from_utf8(line).expect("text"));
                }
            }
            assert_eq!(found, ["data: 1", "", "data: 22", "", ": keep"]);
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut lines = Lines::default();
        let part = vec![b'x'; 1 << 20];
        let pushed = (0..).map_while(|_| lines.push(&part).ok()).count();
        assert_eq!(pushed, STATUS_BYTES >> 20);
    }
}
