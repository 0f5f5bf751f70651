//! An issuer of tokens, honest or not.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect},
    routing::{any, get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{StreamExt, stream};
use heliostat_door::{Door, Options};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, SignatureAlgorithm};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// One signing key.
pub struct Key {
    pub id: &'static str,
    pub algorithm: Algorithm,
    pub signer: EncodingKey,
    pub public_pem: String,
    pub jwk: Value,
}

impl Key {
    pub fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let kind: &'static SignatureAlgorithm = match algorithm {
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::EdDSA => &PKCS_ED25519,
            _ => &PKCS_RSA_SHA256,
        };
        let pair = KeyPair::generate_for(kind).expect("a key");
        let pem = pair.serialize_pem();
        let signer = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pem.as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        let signer = signer.expect("a key");
        let mut jwk = match algorithm {
            Algorithm::EdDSA => {
                let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x})
            }
            _ => {
                let jwk = Jwk::from_encoding_key(&signer, algorithm);
                serde_json::to_value(jwk.expect("a public key")).expect("JSON")
            }
        };
        jwk["kid"] = json!(id);
        Self {
            id,
            algorithm,
            signer,
            public_pem: pair.public_key_pem(),
            jwk,
        }
    }

    pub fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.to_owned());
        header
    }

    pub fn sign(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.signer).expect("signed")
    }

    /// How long [`sign`](Self::sign)'s token would be, for RSA keys of 2048
    /// bits.
    pub fn length(&self, header: &Header, claims: &Value) -> usize {
        let header = serde_json::to_vec(header).expect("JSON").len();
        let claims = claims.to_string().len();
        let lengths = [header, claims, 256].map(|bytes| (bytes * 4).div_ceil(3));
        lengths.iter().sum::<usize>() + 2
    }
}

/// The issuer.
pub struct Issuer {
    pub url: String,
    pub rsa: Arc<Key>,
    pub ec: Arc<Key>,
    pub ed: Arc<Key>,
    /// In the set, but for encryption.
    pub for_encryption: Arc<Key>,
    new: Arc<Key>,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Default)]
struct Shared {
    rotated: AtomicBool,
    fetches: AtomicU64,
    introspections: AtomicU64,
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

impl Issuer {
    pub async fn start() -> Self {
        let door = Door::bind("127.0.0.1:0", Options::default()).await;
        let door = door.expect("a port");
        let url = format!("http://{}", door.local_addr());
        let key = |id, algorithm| Arc::new(Key::new(id, algorithm));
        let stop = CancellationToken::new();
        let issuer = Self {
            rsa: key("rsa", Algorithm::RS256),
            ec: key("ec", Algorithm::ES256),
            ed: key("ed", Algorithm::EdDSA),
            for_encryption: key("enc", Algorithm::RS256),
            new: key("new", Algorithm::ES256),
            url,
            shared: Arc::default(),
            _stop: stop.clone().drop_guard(),
        };
        tokio::spawn(door.serve(issuer.router(), stop));
        issuer
    }

    /// Claims that hold, with some changed. `null` takes one away.
    pub fn claims(&self, changed: Value) -> Value {
        let mut claims = json!({
            "iss": self.url, "sub": "alice", "aud": "heliostat",
            "exp": now() + 600, "nbf": now(), "iat": now(),
        });
        for (name, value) in changed.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let claims = claims.as_object_mut().expect("an object");
        claims.retain(|_, value| !value.is_null());
        Value::Object(claims.clone())
    }

    /// A token that is good but for what is changed.
    pub fn token(&self, changed: Value) -> String {
        self.rsa.sign(&self.rsa.header(), &self.claims(changed))
    }

    /// One good token for each algorithm.
    pub fn good(&self) -> Vec<String> {
        let claims = self.claims(json!({"aud": ["other", "heliostat"]}));
        let keys = [&self.rsa, &self.ec, &self.ed];
        keys.map(|key| key.sign(&key.header(), &claims)).to_vec()
    }

    /// Signed with a key that comes with [`rotate`](Self::rotate).
    pub fn rotated_in(&self) -> String {
        self.new.sign(&self.new.header(), &self.claims(json!({})))
    }

    pub fn rotate(&self) {
        self.shared.rotated.store(true, SeqCst);
    }

    pub fn fetches(&self) -> u64 {
        self.shared.fetches.load(SeqCst)
    }

    pub fn introspections(&self) -> u64 {
        self.shared.introspections.load(SeqCst)
    }

    fn set(&self) -> Vec<Value> {
        let mut for_encryption = self.for_encryption.jwk.clone();
        for_encryption["use"] = json!("enc");
        let mut set: Vec<_> = [&self.rsa, &self.ec, &self.ed]
            .map(|key| key.jwk.clone())
            .to_vec();
        set.push(for_encryption);
        set.push(json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"}));
        set.push(json!({"kty": "of a kind nobody knows", "kid": 7}));
        set
    }

    fn router(&self) -> Router {
        let (set, shared, new) = (self.set(), Arc::clone(&self.shared), self.new.jwk.clone());
        let jwks = move || {
            let mut keys = set.clone();
            shared.fetches.fetch_add(1, SeqCst);
            if shared.rotated.load(SeqCst) {
                keys.push(new.clone());
            }
            async move { Json(json!({ "keys": keys })) }
        };
        let (url, shared) = (self.url.clone(), Arc::clone(&self.shared));
        let introspect = move |headers: HeaderMap, form: Bytes| {
            shared.introspections.fetch_add(1, SeqCst);
            let url = url.clone();
            async move { introspect(&url, &headers, &form) }
        };
        let document = |issuer: String, keys: String| {
            let document = json!({"issuer": issuer, "jwks_uri": keys});
            get(|| async { Json(document) })
        };
        const DOCUMENT: &str = "/.well-known/openid-configuration";
        let (url, keys) = (&self.url, format!("{}/jwks", self.url));
        let many: Vec<_> = (0..101).map(|_| self.rsa.jwk.clone()).collect();
        Router::new()
            .route("/jwks", get(jwks))
            .route("/introspect", post(introspect))
            .route(DOCUMENT, document(url.clone(), keys.clone()))
            .route(
                &format!("/other-issuer{DOCUMENT}"),
                document(url.clone(), keys),
            )
            .route(
                &format!("/plain-keys{DOCUMENT}"),
                document(
                    format!("{url}/plain-keys"),
                    "http://192.0.2.1/jwks".to_owned(),
                ),
            )
            .route(
                "/many",
                any(move || async move { Json(json!({ "keys": many })) }),
            )
            .merge(broken())
    }
}

/// Answers that make no sense, or no end.
fn broken() -> Router {
    let endless = |pause: Duration| {
        let chunks = stream::repeat(()).then(move |()| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, Infallible>(Bytes::from(vec![b' '; 1 << 10]))
        });
        Body::from_stream(chunks).into_response()
    };
    Router::new()
        .route("/huge", any(move || async move { endless(Duration::ZERO) }))
        .route(
            "/trickle",
            any(move || async move { endless(Duration::from_millis(50)) }),
        )
        .route("/slow", any(std::future::pending::<()>))
        .route(
            "/error",
            any(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
        )
        .route("/redirect", any(|| async { Redirect::temporary("/jwks") }))
        .route("/text", any(|| async { "{\"keys\": [" }))
        .route("/object", any(|| async { "{\"keys\": {}}" }))
        .route("/empty", any(|| async { "{\"keys\": []}" }))
        .route(
            "/secrets",
            any(|| async { "{\"keys\": [{\"kty\":\"oct\",\"kid\":\"rsa\",\"k\":\"c2VjcmV0\"}]}" }),
        )
}

fn introspect(url: &str, headers: &HeaderMap, form: &[u8]) -> axum::response::Response {
    // "door%3A1:p%26ss%20word", as RFC 6749 has it.
    let ours = "Basic ZG9vciUzQTE6cCUyNnNzJTIwd29yZA==";
    if headers["authorization"] != ours {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let form = String::from_utf8_lossy(form);
    let token = form.split('&').find_map(|pair| pair.strip_prefix("token="));
    let token = token.expect("a token").replace("%2D", "-");
    let mut answer = json!({
        "active": true, "sub": "bob", "scope": "read", "aud": "heliostat", "iss": url,
        "exp": now() + 600,
    });
    match token.as_str() {
        "opaque-good" => {}
        "opaque-expired" => answer["exp"] = json!(now() - 61),
        "opaque-other-audience" => answer["aud"] = json!("other"),
        "opaque-no-audience" => answer["aud"] = Value::Null,
        "opaque-other-issuer" => answer["iss"] = json!("other"),
        "opaque-future" => answer["nbf"] = json!(now() + 600),
        _ => answer = json!({"active": false}),
    }
    Json(answer).into_response()
}
