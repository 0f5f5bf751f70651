//! A light node behind its own REST interface on loopback, as a wallet sees
//! it, and a client of it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heliostat_node::Findings;
use heliostat_tezos::{Light, Settings};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::world::{Reading, Scene};

/// How long a new head may take to arrive.
const HEAD: Duration = Duration::from_secs(20);

/// How often it is looked for. The daemon answers out of its memory.
const POLL: Duration = Duration::from_millis(5);

/// A daemon that follows its nodes and serves. It stops when dropped.
pub struct Daemon {
    client: reqwest::Client,
    base: String,
    stop: CancellationToken,
    _served: AbortOnDropHandle<()>,
    _followed: AbortOnDropHandle<()>,
}

impl Daemon {
    /// Starts it over a scene's nodes.
    pub async fn start(scene: &Scene, min_agreement: f64) -> Result<Self> {
        let world = scene.network.world();
        let mut settings = Settings::new(scene.urls());
        settings.min_agreement = min_agreement;
        settings.proof_of_work = Some(world.numbers().proof_of_work_threshold);
        let light = Light::start(settings, Findings::in_memory())?;
        let stop = CancellationToken::new();
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let router = light.router();
        let served = tokio::spawn(async move {
            // Ends with the daemon; a client would see it end earlier.
            let _ = axum::serve(listener, router).await;
        });
        let stopping = stop.clone();
        let followed = tokio::spawn(async move { light.run(stopping).await });
        Ok(Self {
            client: reqwest::Client::new(),
            base,
            stop,
            _served: AbortOnDropHandle::new(served),
            _followed: AbortOnDropHandle::new(followed),
        })
    }

    /// Waits until the daemon's head is the chain's.
    pub async fn reach(&self, scene: &Scene) -> Result<()> {
        let wanted = scene.head().hash.to_string();
        let wait = async {
            loop {
                // The streams of heads, which it opens first, bring the head.
                tokio::time::sleep(POLL).await;
                let hash = self.text("/chains/main/blocks/head/hash").await;
                if hash.is_ok_and(|hash| hash == wanted) {
                    return;
                }
            }
        };
        tokio::time::timeout(HEAD, wait)
            .await
            .context("the daemon does not reach the head")
    }

    /// An account's balance at a block, in mutez.
    pub async fn balance(&self, block: &str, account: &Reading) -> Result<u64> {
        Ok(self.row(block, account, "balance").await?.parse()?)
    }

    /// An account's counter at a block.
    pub async fn counter(&self, block: &str, account: &Reading) -> Result<i64> {
        Ok(self.row(block, account, "counter").await?.parse()?)
    }

    async fn row(&self, block: &str, account: &Reading, row: &str) -> Result<String> {
        let address = &account.address;
        self.text(&format!(
            "/chains/main/blocks/{block}/context/contracts/{address}/{row}"
        ))
        .await
    }

    async fn text(&self, path: &str) -> Result<String> {
        let response = self
            .client
            .get(format!("{}{path}", self.base))
            .send()
            .await?;
        let status = response.status();
        let body = response.bytes().await?;
        ensure!(
            status.is_success(),
            "{path}: {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(serde_json::from_slice(&body)?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
