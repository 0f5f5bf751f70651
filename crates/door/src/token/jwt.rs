//! Signatures of JWTs (RFC 7515, with the advice of RFC 8725): the algorithm
//! has to be on our list and fit the key; nothing in the token says where a
//! key comes from.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::{claims::Claims, jwks::Jwks, refused};
use crate::refusal::Refusal;

/// The header fields that are looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// Whether there is an algorithm, and no secret to share.
pub(super) fn all_asymmetric(algorithms: &[Algorithm]) -> bool {
    use Algorithm::{HS256, HS384, HS512};
    let shared = |algorithm| matches!(algorithm, &HS256 | &HS384 | &HS512);
    !algorithms.is_empty() && !algorithms.iter().any(shared)
}

/// The claims of a token whose signature holds. They are not checked yet.
pub(super) async fn verify(
    token: &str,
    allowed: &[Algorithm],
    jwks: &Jwks,
) -> Result<Claims, Refusal> {
    let header = header(token).ok_or_else(|| refused("the token is no JWT"))?;
    let algorithm = Algorithm::from_str(&header.alg).ok();
    let Some(algorithm) = algorithm.filter(|algorithm| allowed.contains(algorithm)) else {
        return Err(refused("the token is signed in a way that is not accepted"));
    };
    if header.crit.is_some() {
        return Err(refused("the token wants something understood that is not"));
    }
    if let Some(kind) = &header.typ {
        let kind = kind.to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        if !["jwt", "at+jwt"].contains(&kind) {
            return Err(refused("the token is of a kind that gives no access"));
        }
    }
    let key = jwks.find(header.kid.as_deref(), algorithm).await?;
    let mut validation = Validation::new(algorithm);
    // Only the signature; the claims are our own business.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<Claims>(token, &key.key, &validation);
    // Its words could have parts of the token in them.
    let decoded = decoded.map_err(|_| refused("the token's signature or claims do not hold"))?;
    Ok(decoded.claims)
}

fn header(token: &str) -> Option<Header> {
    let first = token.split('.').next()?;
    let bytes = URL_SAFE_NO_PAD.decode(first).ok()?;
    serde_json::from_slice(&bytes).ok()
}
