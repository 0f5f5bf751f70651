//! What all connections of a door share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use hyper_util::{rt::TokioExecutor, server::conn::auto};
use tokio::{task::spawn_blocking, time};

use crate::{
    Options, connection,
    connection::{
        flow::Clock,
        watch::{Entrant, Watches},
    },
    counts::{Counters, Counts, Refused},
    defaults,
    error::DoorError,
    identity::{Identity, Peer},
    limits::{addresses::Addresses, rates::Rates},
    networks,
    refusal::Refusal,
};

/// What all connections of a door share.
pub(crate) struct House {
    pub(crate) options: Options,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) watches: Watches,
    pub(crate) addresses: Addresses,
    pub(crate) http: auto::Builder<TokioExecutor>,
    rates: Rates,
    stopping: AtomicBool,
    cutting: AtomicBool,
}

impl House {
    pub(crate) fn new(options: Options) -> Arc<Self> {
        let limits = &options.limits;
        Arc::new(Self {
            counters: Arc::default(),
            clock: Arc::new(Clock::new()),
            watches: Watches::default(),
            addresses: Addresses::default(),
            http: connection::http(limits),
            rates: Rates::new(limits.address_rate, limits.identity_rate),
            options,
            stopping: AtomicBool::new(false),
            cutting: AtomicBool::new(false),
        })
    }

    /// Asks all connections to finish what is under way.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, SeqCst);
        self.watches.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(SeqCst)
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.cutting.store(true, SeqCst);
        self.watches.wake();
    }

    pub(crate) fn is_cutting(&self) -> bool {
        self.cutting.load(SeqCst)
    }

    /// Whether this address has no limits of its own.
    pub(crate) fn is_exempt(&self, address: std::net::IpAddr) -> bool {
        networks::contains(&self.options.limits.exempt, address)
    }

    /// Whether the lists of identities let this peer in.
    pub(crate) fn knows(&self, entrant: &Entrant) -> bool {
        let lists = self.options.identities.as_ref();
        let (certificate, node) = (entrant.certificate.as_deref(), entrant.node.as_ref());
        lists.is_none_or(|lists| lists.may_enter_as(certificate, node))
    }

    /// The state of the lists, to find out whether they changed.
    pub(crate) fn generation(&self) -> u64 {
        let lists = self.options.identities.as_ref();
        lists.map_or(0, crate::Identities::generation)
    }

    /// One more request by this peer, of `bytes` if that is known.
    pub(crate) fn admit(&self, peer: &Peer, bytes: Option<u64>) -> Result<(), Refusal> {
        if !self.is_exempt(peer.address.ip()) {
            self.address_rate(peer.address.ip())?;
        }
        if let Some(certificate) = &peer.certificate {
            self.identity_rate(&certificate.key())?;
        }
        if !self.options.memory.has_room() {
            return Err(Refusal::new(
                Refused::Memory,
                "the node has no memory left for further requests; try again later",
            )
            .after(Duration::from_secs(1)));
        }
        match bytes {
            Some(bytes) if bytes > self.options.limits.max_request => Err(self.too_large()),
            _ => Ok(()),
        }
    }

    /// The refusal of a request that is larger than the limit.
    pub(crate) fn too_large(&self) -> Refusal {
        let limit = self.options.limits.max_request;
        Refusal::new(
            Refused::Size,
            format!("the request is larger than {limit} bytes; send less at a time"),
        )
    }

    /// Who a token stands for, if it covers `method`; `None` where no token is
    /// asked for.
    pub(crate) async fn authorize(
        &self,
        token: &str,
        method: &str,
    ) -> Result<Option<Identity>, Refusal> {
        let Some(tokens) = &self.options.tokens else {
            return Ok(None);
        };
        let identity = tokens.authorize(token).await?;
        self.identity_rate(&identity.subject)?;
        let ledger = &self.options.ledger;
        match identity.may(ledger, method) {
            true => Ok(Some(identity)),
            false => Err(tokens.lacks(ledger, method)),
        }
    }

    /// One more request from this address.
    fn address_rate(&self, address: std::net::IpAddr) -> Result<(), Refusal> {
        self.rates.address(address).map_err(|wait| {
            too_fast(
                Refused::AddressRate,
                "too many requests from this address; wait, or ask for more at a time",
                wait,
            )
        })
    }

    /// One more request by this identity.
    fn identity_rate(&self, name: &str) -> Result<(), Refusal> {
        self.rates.identity(name).map_err(|wait| {
            too_fast(
                Refused::IdentityRate,
                "too many requests by this identity; wait, or ask for more at a time",
                wait,
            )
        })
    }

    pub(crate) fn counts(&self) -> Counts {
        let options = &self.options;
        let tls = options.tls.as_ref();
        let tls_reloads = tls.map(crate::Tls::reloads).unwrap_or_default();
        let lists = options.identities.as_ref();
        let list_reloads = lists.map(crate::Identities::reloads).unwrap_or_default();
        Counts {
            reloads: tls_reloads.done + list_reloads.done,
            reload_failures: tls_reloads.failed + list_reloads.failed,
            certificate_not_after: tls.map(crate::Tls::not_after),
            memory_used: options.memory.used(),
            memory_budget: options.memory.budget(),
            ..self.counters.snapshot()
        }
    }

    /// Takes over changed files; `force` reads unchanged ones too. A broken
    /// one changes nothing.
    ///
    /// # Errors
    /// What is broken.
    pub(crate) fn reload(&self, force: bool) -> Result<(), Vec<DoorError>> {
        let tls = self.options.tls.as_ref().map(|tls| tls.reload(force));
        let lists = self.options.identities.as_ref();
        let lists = lists.map(|lists| lists.reload(force));
        let mut errors = Vec::new();
        for (what, result) in [("certificate", tls), ("identities", lists)] {
            match result {
                Some(Ok(true)) => tracing::info!(what, "reloaded"),
                Some(Err(error)) => {
                    tracing::error!(what, %error, "reload failed; what was in force stays");
                    errors.push(error);
                }
                Some(Ok(false)) | None => {}
            }
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(errors),
        }
    }

    /// Cuts connections that wait too long, until dropped.
    pub(crate) async fn sweep(self: Arc<Self>) {
        let mut tick = time::interval(self.options.limits.tick());
        tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let now = self.clock.tick();
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let unix = since.map_or(0, |since| since.as_secs());
            let (limits, generation) = (&self.options.limits, self.generation());
            let knows = |entrant: &Entrant| self.knows(entrant);
            self.watches.sweep(now, unix, limits, generation, knows);
        }
    }

    /// Looks after files, until dropped.
    pub(crate) async fn look_after_files(self: Arc<Self>) {
        if self.options.tls.is_none() && self.options.identities.is_none() {
            return std::future::pending().await;
        }
        let mut tick = time::interval(defaults::FILE_POLL);
        tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let house = Arc::clone(&self);
            // Errors are logged and counted where they occur.
            let _ = spawn_blocking(move || house.reload(false)).await;
        }
    }
}

fn too_fast(reason: Refused, words: &'static str, wait: Duration) -> Refusal {
    Refusal::new(reason, words).after(wait)
}
