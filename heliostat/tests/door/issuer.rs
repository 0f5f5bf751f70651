//! Whoever vouches for tokens: one key, published as a JWKS.

use std::time::SystemTime;

use axum::{Json, Router, routing::get};
use heliostat_door::{Door, Options};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

pub struct Issuer {
    pub url: String,
    key: EncodingKey,
    _stop: DropGuard,
}

impl Issuer {
    pub async fn start() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!("one");
        let keys = json!({ "keys": [jwk] });
        let door = Door::bind("127.0.0.1:0", Options::default()).await.unwrap();
        let url = format!("http://{}", door.local_addr());
        let router = Router::new().route("/jwks.json", get(|| async { Json(keys) }));
        let stop = CancellationToken::new();
        tokio::spawn(door.serve(router, stop.clone()));
        Self {
            url,
            key,
            _stop: stop.drop_guard(),
        }
    }

    /// A token with these scopes that ends in `seconds`, perhaps in the past.
    pub fn token(&self, scopes: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap().as_secs()).unwrap();
        let claims = json!({
            "iss": self.url,
            "aud": "heliostat",
            "sub": "a wallet",
            "iat": now - 600,
            "exp": now + seconds,
            "scope": scopes,
        });
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("one".to_owned());
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    /// The lines of `[door.auth]`.
    pub fn auth(&self) -> String {
        let url = &self.url;
        format!(
            "[door.auth]\nissuer = '{url}'\naudience = ['heliostat']\njwks-url = '{url}/jwks.json'\n\
             open-methods = ['Check']\n\
             [[door.auth.scope]]\nname = 'read'\nchain = 'zcash'\nmethods = ['Get*']\n\
             [[door.auth.scope]]\nname = 'watch'\nchain = 'observe'\nmethods = ['GET /status']\n"
        )
    }
}
