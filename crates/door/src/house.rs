//! What all connections of a door share.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, SystemTime},
};

use arc_swap::{ArcSwap, Guard};
use tokio::{task::spawn_blocking, time};

use crate::{
    Identities, Memory, Options, Tls, Tokens,
    connection::{
        flow::Clock,
        watch::{Entrant, Watch, Watches},
    },
    counts::{Counters, Counts, Cut, Refused},
    defaults,
    error::DoorError,
    identity::{Identity, Peer},
    limits::{addresses::Addresses, parked::Parked, penalties::Penalties, places::Places},
    networks,
    refusal::Refusal,
    rules::{Changed, Rules},
};

/// What all connections of a door share.
pub(crate) struct House {
    pub(crate) ledger: String,
    pub(crate) tls: Option<Tls>,
    pub(crate) identities: Option<Identities>,
    pub(crate) memory: Memory,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) watches: Watches,
    pub(crate) addresses: Addresses,
    pub(crate) penalties: Arc<Penalties>,
    pub(crate) parked: Parked,
    pub(crate) places: Places,
    rules: ArcSwap<Rules>,
    replaced: AtomicU64,
    not_replaced: AtomicU64,
    stopping: AtomicBool,
    cutting: AtomicBool,
}

impl House {
    pub(crate) fn new(options: Options) -> Arc<Self> {
        let changed = Changed::from(&options);
        Arc::new(Self {
            ledger: options.ledger,
            tls: options.tls,
            identities: options.identities,
            memory: options.memory,
            counters: Arc::default(),
            clock: Arc::new(Clock::new()),
            watches: Watches::default(),
            addresses: Addresses::default(),
            penalties: Arc::new(Penalties::new(options.limits.longest_penalty)),
            parked: Parked::default(),
            places: Places::new(options.max_connections),
            rules: ArcSwap::from_pointee(Rules::new(changed)),
            replaced: AtomicU64::new(0),
            not_replaced: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            cutting: AtomicBool::new(false),
        })
    }

    /// The rules in force. Not to be held while waiting for anything.
    pub(crate) fn rules(&self) -> Guard<Arc<Rules>> {
        self.rules.load()
    }

    /// Goes by other rules from now on, and cuts whom they shut out.
    pub(crate) fn replace(&self, changed: Changed) {
        self.places.resize(changed.max_connections);
        self.penalties.resize(changed.limits.longest_penalty);
        self.memory.resize(changed.memory);
        let rules = self.rules.load().followed_by(changed);
        self.rules.store(Arc::new(rules));
        // After the store: who was let in by the old rules is either found
        // here or finds the new ones, see `watch`.
        let rules = self.rules();
        self.watches
            .expel(|address| rules.networks.may_enter(address));
        self.replaced.fetch_add(1, Relaxed);
    }

    /// Counts rules that could not be read.
    pub(crate) fn keep(&self) {
        self.not_replaced.fetch_add(1, Relaxed);
    }

    /// Looks after a new connection; it is cut if the networks have shut its
    /// address out since it was accepted.
    pub(crate) fn watch(&self, address: IpAddr) -> Arc<Watch> {
        let tls = self.tls.is_some();
        let penalties = (!self.is_exempt(address)).then_some(&self.penalties);
        let watch = Watch::new(address, penalties, &self.clock, &self.counters, tls);
        self.watches.add(&watch);
        if !self.rules().networks.may_enter(address) {
            watch.cut(Cut::Network);
        }
        watch
    }

    /// Why nobody at this address may connect now, if that is so; counted.
    pub(crate) fn turns_away(&self, address: IpAddr) -> Option<Refused> {
        let reason = if !self.rules().networks.may_enter(address) {
            Refused::Network
        } else if self.penalties.refuse(address, self.clock.now()) && !self.is_exempt(address) {
            Refused::Penalty
        } else {
            return None;
        };
        self.counters.refused(reason);
        Some(reason)
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
    pub(crate) fn is_exempt(&self, address: IpAddr) -> bool {
        networks::contains(&self.rules().limits.exempt, address)
    }

    /// Whether the lists of identities let this peer in.
    pub(crate) fn knows(&self, entrant: &Entrant) -> bool {
        let lists = self.identities.as_ref();
        let (certificate, node) = (entrant.certificate.as_deref(), entrant.node.as_ref());
        lists.is_none_or(|lists| lists.may_enter_as(certificate, node))
    }

    /// The state of the lists, to find out whether they changed.
    pub(crate) fn generation(&self) -> u64 {
        let lists = self.identities.as_ref();
        lists.map_or(0, Identities::generation)
    }

    /// One more request by this peer, of `bytes` if that is known.
    pub(crate) fn admit(&self, peer: &Peer, bytes: Option<u64>) -> Result<(), Refusal> {
        if !self.is_exempt(peer.address.ip()) {
            self.address_rate(peer.address.ip())?;
        }
        if let Some(certificate) = &peer.certificate {
            self.identity_rate(&certificate.key())?;
        }
        if !self.memory.has_room() {
            return Err(Refusal::new(
                Refused::Memory,
                "the node has no memory left for further requests; try again later",
            )
            .after(Duration::from_secs(1)));
        }
        match bytes {
            Some(bytes) if bytes > self.rules().limits.max_request => Err(self.too_large()),
            _ => Ok(()),
        }
    }

    /// The refusal of a request that is larger than the limit.
    pub(crate) fn too_large(&self) -> Refusal {
        let limit = self.rules().limits.max_request;
        Refusal::new(
            Refused::Size,
            format!("the request is larger than {limit} bytes; send less at a time"),
        )
    }

    /// Who a token stands for, if it covers `method`.
    pub(crate) async fn authorize(
        &self,
        tokens: &Tokens,
        token: &str,
        method: &str,
    ) -> Result<Identity, Refusal> {
        let identity = tokens.authorize(token).await?;
        self.identity_rate(&identity.subject)?;
        match identity.may(&self.ledger, method) {
            true => Ok(identity),
            false => Err(tokens.lacks(&self.ledger, method)),
        }
    }

    /// One more request from this address.
    fn address_rate(&self, address: IpAddr) -> Result<(), Refusal> {
        self.rules().rates.address(address).map_err(|wait| {
            too_fast(
                Refused::AddressRate,
                "too many requests from this address; wait, or ask for more at a time",
                wait,
            )
        })
    }

    /// One more request by this identity.
    fn identity_rate(&self, name: &str) -> Result<(), Refusal> {
        self.rules().rates.identity(name).map_err(|wait| {
            too_fast(
                Refused::IdentityRate,
                "too many requests by this identity; wait, or ask for more at a time",
                wait,
            )
        })
    }

    pub(crate) fn counts(&self) -> Counts {
        let tls = self.tls.as_ref();
        let tls_reloads = tls.map(Tls::reloads).unwrap_or_default();
        let lists = self.identities.as_ref();
        let list_reloads = lists.map(Identities::reloads).unwrap_or_default();
        let (replaced, kept) = (&self.replaced, &self.not_replaced);
        Counts {
            reloads: tls_reloads.done + list_reloads.done + replaced.load(Relaxed),
            reload_failures: tls_reloads.failed + list_reloads.failed + kept.load(Relaxed),
            certificate_not_after: tls.map(Tls::not_after),
            memory_used: self.memory.used(),
            memory_budget: self.memory.budget(),
            ..self.counters.snapshot()
        }
    }

    /// Takes over changed files; `force` reads unchanged ones too. A broken
    /// one changes nothing.
    ///
    /// # Errors
    /// What is broken.
    pub(crate) fn reload(&self, force: bool) -> Result<(), Vec<DoorError>> {
        let tls = self.tls.as_ref().map(|tls| tls.reload(force));
        let lists = self.identities.as_ref();
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
        let mut told = 0;
        loop {
            let tick = self.rules().limits.tick();
            time::sleep(tick).await;
            let now = self.clock.tick();
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let unix = since.map_or(0, |since| since.as_secs());
            let (rules, generation) = (self.rules(), self.generation());
            let knows = |entrant: &Entrant| self.knows(entrant);
            self.watches
                .sweep(now, unix, &rules.limits, generation, knows);
            self.parked.release(now);
            // One line for all of a tick: attackers should not fill the log.
            let penalties = self.penalties.imposed() - told;
            if penalties > 0 {
                told += penalties;
                tracing::warn!(
                    addresses = penalties,
                    "addresses are refused for a while: their connections were cut for floods or slowness"
                );
            }
        }
    }

    /// Looks after files, until dropped.
    pub(crate) async fn look_after_files(self: Arc<Self>) {
        if self.tls.is_none() && self.identities.is_none() {
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
