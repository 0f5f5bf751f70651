//! What a door goes by, and can be told anew while it serves.

use std::{sync::Arc, time::Duration};

use crate::{Limits, Networks, Options, Tokens, connection::http::Http, limits::rates::Rates};

/// What can be changed while a door serves. Everything else of [`Options`]
/// stays as it was when the door was opened.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Which addresses may connect. Connections of others are cut.
    pub networks: Networks,
    /// What a peer may cost us. What is counted for a connection from its
    /// beginning (streams, queued bytes, control frames) holds for new ones.
    pub limits: Limits,
    /// Which tokens are good, from the next request on.
    pub tokens: Option<Tokens>,
    /// How many connections are open at once. Nobody is cut for it.
    pub max_connections: usize,
    /// How long answers under way may take after the stop.
    pub drain: Duration,
    /// The memory budget in bytes, for every door that shares it.
    pub memory: u64,
}

impl From<&Options> for Changed {
    fn from(options: &Options) -> Self {
        Self {
            networks: options.networks.clone(),
            limits: options.limits.clone(),
            tokens: options.tokens.clone(),
            max_connections: options.max_connections,
            drain: options.drain,
            memory: options.memory.budget(),
        }
    }
}

/// The rules in force.
pub(crate) struct Rules {
    pub(crate) networks: Networks,
    pub(crate) limits: Limits,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) drain: Duration,
    /// For as long as a connection that began under these rules.
    pub(crate) http: Arc<Http>,
    pub(crate) rates: Arc<Rates>,
}

impl Rules {
    pub(crate) fn new(changed: Changed) -> Self {
        let rates = Rates::new(changed.limits.address_rate, changed.limits.identity_rate);
        Self::with(changed, Arc::new(rates))
    }

    /// The rules after these. What was counted and fetched under settings
    /// that have not changed is kept: nobody gets a new burst, and no issuer
    /// is asked again, because of another setting.
    pub(crate) fn followed_by(&self, mut changed: Changed) -> Self {
        if let (Some(ours), Some(theirs)) = (&self.tokens, &changed.tokens)
            && ours.is_alike(theirs)
        {
            changed.tokens = Some(ours.clone());
        }
        let rates = |limits: &Limits| (limits.address_rate, limits.identity_rate);
        match rates(&self.limits) == rates(&changed.limits) {
            true => Self::with(changed, Arc::clone(&self.rates)),
            false => Self::new(changed),
        }
    }

    fn with(changed: Changed, rates: Arc<Rates>) -> Self {
        Self {
            http: Arc::new(Http::new(&changed.limits)),
            networks: changed.networks,
            limits: changed.limits,
            tokens: changed.tokens,
            drain: changed.drain,
            rates,
        }
    }
}
