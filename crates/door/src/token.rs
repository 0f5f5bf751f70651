//! Bearer tokens: who vouches for them, and what they allow.
//!
//! A token of three parts is a JWT and is checked here, with the keys its
//! issuer publishes; any other is opaque, and its issuer is asked (RFC 7662).
//! [`Tokens::authorize`] is all there is to it for a protocol without headers;
//! HTTP and gRPC requests pass through it before they reach a service.
//!
//! | module | what it holds |
//! |---|---|
//! | [`scopes`] | which scope covers which methods |
//! | [`secret`] | text that does not show in logs |
//! | `claims` | what a token says: audience, issuer, times |
//! | `jwt` | signatures and keys |
//! | `jwks` | the issuer's keys, fetched and kept |
//! | `introspection` | opaque tokens |
//! | `fetch` | HTTP of bounded size and time |

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use jsonwebtoken::Algorithm;

use crate::{DoorError, counts::Refused, defaults, identity::Identity, refusal::Refusal};

mod claims;
mod fetch;
mod introspection;
mod jwks;
mod jwt;
pub mod scopes;
pub mod secret;

use claims::Expected;
use scopes::{Grants, ScopeRule};
pub use secret::Secret;

/// Where the keys of JWTs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// At this URL, as a JSON Web Key Set (RFC 7517).
    Url(String),
    /// Where the issuer's `/.well-known/openid-configuration` says.
    Discovery,
}

/// Whom to ask about opaque tokens (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    /// The introspection endpoint.
    pub url: String,
    /// Our client id there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret,
}

/// Which tokens are good, and for what.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenOptions {
    /// Who has to have issued a token. Needed for JWTs.
    pub issuer: Option<String>,
    /// Whom a token may be for: one of these. Needed.
    pub audience: Vec<String>,
    /// Where the keys of JWTs are; without it JWTs are asked about like opaque
    /// tokens.
    pub keys: Option<Keys>,
    /// Whom to ask about opaque tokens.
    pub introspection: Option<Introspection>,
    /// Signature algorithms; only asymmetric ones.
    pub algorithms: Vec<Algorithm>,
    /// The authority (PEM) of the issuer's server; the system's without it.
    pub ca: Option<PathBuf>,
    /// Which scope covers which methods. Without rules every good token
    /// covers everything.
    pub rules: Vec<ScopeRule>,
    /// Methods that need no token, in the words of [`ScopeRule::methods`],
    /// such as health checks.
    pub open: Vec<String>,
    /// How long one request to the issuer may take.
    pub timeout: Duration,
    /// The shortest time between two fetches of the keys.
    pub refresh: Duration,
}

impl Default for TokenOptions {
    fn default() -> Self {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        Self {
            issuer: None,
            audience: Vec::new(),
            keys: None,
            introspection: None,
            algorithms: vec![
                RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA,
            ],
            ca: None,
            rules: Vec::new(),
            open: Vec::new(),
            timeout: defaults::ISSUER_TIMEOUT,
            refresh: defaults::JWKS_REFRESH,
        }
    }
}

/// Checks tokens. Clones share the issuer's keys.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    /// What it was made of, the authority's bytes included.
    made_of: (TokenOptions, Option<Vec<u8>>),
    expected: Expected,
    algorithms: Vec<Algorithm>,
    jwks: Option<jwks::Jwks>,
    introspection: Option<introspection::Introspector>,
    grants: Arc<Grants>,
    open: Vec<scopes::Pattern>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("expected", &self.0.expected)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Makes ready; asks nobody yet.
    ///
    /// # Errors
    /// A setting that makes no sense or would let too much through.
    pub fn new(options: TokenOptions) -> Result<Self, DoorError> {
        let wrong = |reason: &str| DoorError::Tokens {
            reason: reason.to_owned(),
        };
        if options.keys.is_none() && options.introspection.is_none() {
            return Err(wrong(
                "name a JWKS, an issuer to discover, or an introspection endpoint",
            ));
        }
        if options.audience.is_empty() {
            return Err(wrong(
                "name the audience, or tokens made for others would be taken",
            ));
        }
        if options.keys.is_some() && options.issuer.is_none() {
            return Err(wrong("name the issuer of the tokens"));
        }
        if !jwt::all_asymmetric(&options.algorithms) {
            return Err(wrong(
                "algorithms have to be asymmetric (RS256, PS256, ES256, EdDSA, …), and there has to be one",
            ));
        }
        let authority = options.ca.as_deref().map(crate::files::read).transpose()?;
        let made_of = (options.clone(), authority);
        let fetcher = fetch::Fetcher::new(options.ca.as_deref(), options.timeout)?;
        let issuer = options.issuer.clone();
        let jwks = options.keys.map(|keys| {
            let issuer = issuer.unwrap_or_default();
            jwks::Jwks::new(keys, issuer, fetcher.clone(), options.refresh)
        });
        let introspection = options
            .introspection
            .map(|setting| introspection::Introspector::new(setting, fetcher));
        Ok(Self(Arc::new(Inner {
            made_of,
            expected: Expected {
                issuer: options.issuer,
                audience: options.audience,
            },
            algorithms: options.algorithms,
            jwks: jwks.transpose()?,
            introspection: introspection.transpose()?,
            grants: Arc::new(Grants::new(options.rules)?),
            open: scopes::patterns(&options.open)?,
        })))
    }

    /// Who this token (without `Bearer`) stands for.
    ///
    /// # Errors
    /// It does not hold, or nobody can be asked whether it does. Nothing of
    /// the token is in the error.
    pub async fn authorize(&self, token: &str) -> Result<Identity, Refusal> {
        let inner = &self.0;
        if token.is_empty() || token.len() > defaults::MAX_TOKEN {
            return Err(refused("the token is empty or too long"));
        }
        let parts = token.split('.').count();
        let claims = match (&inner.jwks, &inner.introspection) {
            (Some(jwks), _) if parts == 3 => jwt::verify(token, &inner.algorithms, jwks).await?,
            (_, Some(introspector)) => introspector.ask(token).await?,
            (Some(_), None) => return Err(refused("the token is no JWT")),
            (None, None) => unreachable!("refused by `new`"),
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        let introspected = parts != 3 || inner.jwks.is_none();
        claims
            .check(&inner.expected, now, introspected)
            .map_err(refused)?;
        Ok(Identity {
            subject: claims.name(),
            scopes: claims.scopes(),
            expires: claims.expires(),
            grants: Arc::clone(&inner.grants),
        })
    }

    /// Whether both were made of the same.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        self.0.made_of == other.0.made_of
    }

    /// Whether `method` needs no token.
    pub(crate) fn is_open(&self, method: &str) -> bool {
        self.0.open.iter().any(|pattern| pattern.covers(method))
    }

    /// The refusal of a good token without the scope for `method`.
    pub(crate) fn lacks(&self, ledger: &str, method: &str) -> Refusal {
        let mut refusal = Refusal::new(
            Refused::Forbidden,
            "the token is good, but none of its scopes covers this method",
        );
        refusal.scope = self.0.grants.scope_for(ledger, method);
        refusal
    }
}

/// A token that does not hold.
fn refused(words: &'static str) -> Refusal {
    Refusal::new(Refused::Unauthenticated, words)
}
