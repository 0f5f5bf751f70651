//! Tokens that do not hold.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::issuer::{Issuer, Key, now};

/// One bad request: what its `authorization` headers are.
pub struct Case {
    pub name: String,
    pub headers: Vec<String>,
}

impl Case {
    /// What must not be seen anywhere: every part of a token that is long
    /// enough not to be found by chance, but for the header, which says
    /// nothing.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let parts = self.headers.iter().flat_map(|header| {
            let token = header.split(' ').next_back().unwrap_or_default();
            token.split('.').skip(usize::from(token.contains('.')))
        });
        parts.filter(|part| part.len() >= 16)
    }
}

fn case(name: &str, token: &str) -> Case {
    Case {
        name: name.to_owned(),
        headers: vec![format!("Bearer {token}")],
    }
}

fn part(value: &Value) -> String {
    BASE64.encode(value.to_string())
}

/// Header and claims with a signature that `key` made over exactly these
/// bytes.
fn signed(key: &Key, header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key.signer, key.algorithm);
    format!("{message}.{}", signature.expect("signed"))
}

/// Every bad token.
pub fn bad(issuer: &Issuer) -> Vec<Case> {
    let mut cases = confusions(issuer);
    cases.extend(headers(issuer));
    cases.extend(keys(issuer));
    cases.extend(shapes(issuer));
    cases.extend(claims(issuer));
    cases.extend(requests(issuer));
    cases
}

/// Algorithms that are not what the key is for.
fn confusions(issuer: &Issuer) -> Vec<Case> {
    let claims = issuer.claims(json!({}));
    let mut cases = Vec::new();
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = part(&json!({"alg": none, "kid": "rsa"}));
        let body = part(&claims);
        cases.push(case(
            &format!("alg {none:?} unsigned"),
            &format!("{header}.{body}."),
        ));
        let good = issuer.token(json!({}));
        let signature = good.rsplit('.').next().expect("signed");
        let token = format!("{header}.{body}.{signature}");
        cases.push(case(&format!("alg {none:?} with a signature"), &token));
    }
    let n = issuer.rsa.jwk["n"].as_str().expect("RSA").to_owned();
    let secrets = [
        ("the public key", issuer.rsa.public_pem.clone()),
        (
            "the public key's lines",
            issuer.rsa.public_pem.trim().to_owned(),
        ),
        ("the modulus", n),
        ("the public set", issuer.rsa.jwk.to_string()),
        ("nothing", String::new()),
        ("the shared secret of the set", "secret".to_owned()),
    ];
    for (name, secret) in secrets {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let mut header = Header::new(algorithm);
            let id = if name.contains("shared") {
                "oct"
            } else {
                "rsa"
            };
            header.kid = Some(id.to_owned());
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = jsonwebtoken::encode(&header, &claims, &key).expect("signed");
            cases.push(case(&format!("{algorithm:?} with {name}"), &token));
        }
    }
    let body = claims.to_string();
    for (alg, kid, key) in [
        ("ES256", "ec", &issuer.rsa),
        ("ES256", "rsa", &issuer.rsa),
        ("RS256", "ec", &issuer.ec),
        ("RS256", "rsa", &issuer.ec),
        ("EdDSA", "ed", &issuer.ec),
        ("EdDSA", "ec", &issuer.ec),
        ("PS256", "rsa", &issuer.rsa),
        ("RS512", "rsa", &issuer.rsa),
        ("ES384", "ec", &issuer.ec),
        ("rs256", "rsa", &issuer.rsa),
        ("RS1", "rsa", &issuer.rsa),
    ] {
        let header = json!({"alg": alg, "kid": kid}).to_string();
        let token = signed(key, header.as_bytes(), body.as_bytes());
        let name = format!("{alg} for key {kid} signed with {}", key.id);
        cases.push(case(&name, &token));
    }
    for algorithm in [Algorithm::RS512, Algorithm::PS256] {
        let mut header = Header::new(algorithm);
        header.kid = Some("rsa".to_owned());
        let token = issuer.rsa.sign(&header, &claims);
        cases.push(case(
            &format!("{algorithm:?}, which is not on the list"),
            &token,
        ));
    }
    cases
}

/// Header fields that should impress nobody.
fn headers(issuer: &Issuer) -> Vec<Case> {
    let own = Key::new("own", Algorithm::ES256);
    let body = issuer.claims(json!({})).to_string();
    let good = |extra: Value| {
        let mut header = json!({"alg": "RS256", "kid": "rsa"});
        for (name, value) in extra.as_object().expect("an object") {
            header[name] = value.clone();
        }
        signed(&issuer.rsa, header.to_string().as_bytes(), body.as_bytes())
    };
    let forged = |extra: Value| {
        let mut header = json!({"alg": "ES256", "kid": "ec"});
        for (name, value) in extra.as_object().expect("an object") {
            header[name] = value.clone();
        }
        signed(&own, header.to_string().as_bytes(), body.as_bytes())
    };
    let own_jwk = own.jwk.clone();
    vec![
        case("its own key", &forged(json!({ "jwk": own_jwk }))),
        case(
            "its own key under another name",
            &forged(json!({"jwk": own_jwk, "kid": "own"})),
        ),
        case(
            "its own set's address",
            &forged(json!({"jku": "https://evil.example/jwks"})),
        ),
        case("its own certificate", &forged(json!({"x5c": ["AAAA"]}))),
        case(
            "its own certificate's address",
            &forged(json!({"x5u": "https://evil.example"})),
        ),
        case("something critical", &good(json!({"crit": ["exp"]}))),
        case(
            "an unencoded body",
            &good(json!({"crit": ["b64"], "b64": false})),
        ),
        case("crit null and more", &good(json!({"crit": []}))),
        case("the kind of a proof", &good(json!({"typ": "dpop+jwt"}))),
        case("the kind of a logout", &good(json!({"typ": "logout+jwt"}))),
        case("a kind that is a number", &good(json!({"typ": 7}))),
        case("an algorithm that is a number", &good(json!({"alg": 7}))),
        case("an algorithm in an array", &good(json!({"alg": ["RS256"]}))),
        case("no algorithm", &good(json!({"alg": null}))),
        case("a key name that is a number", &good(json!({"kid": 7}))),
    ]
}

/// Keys that are unknown, or another's.
fn keys(issuer: &Issuer) -> Vec<Case> {
    let body = issuer.claims(json!({})).to_string();
    let named = |kid: Value| {
        let header = json!({"alg": "RS256", "kid": kid}).to_string();
        signed(&issuer.rsa, header.as_bytes(), body.as_bytes())
    };
    let impostor = Key::new("rsa", Algorithm::RS256);
    let claims = issuer.claims(json!({}));
    let enc = &issuer.for_encryption;
    vec![
        case("an unknown key", &named(json!("unknown"))),
        case("a key without a name", &named(json!(""))),
        case("a path for a key", &named(json!("../../../../dev/null"))),
        case("SQL for a key", &named(json!("' OR 1=1 --"))),
        case(
            "another's key of the same name",
            &impostor.sign(&impostor.header(), &claims),
        ),
        case("a key for encryption", &enc.sign(&enc.header(), &claims)),
        case("a key that is not out yet", &issuer.rotated_in()),
        case("the wrong key of the set", &named(json!("enc"))),
    ]
}

/// What is no JWT, or was one.
fn shapes(issuer: &Issuer) -> Vec<Case> {
    let good = issuer.token(json!({}));
    let parts: Vec<_> = good.split('.').collect();
    let [header, body, signature] = parts[..] else {
        unreachable!("a JWT has three parts");
    };
    let other_body = part(&issuer.claims(json!({"sub": "root"})));
    let mut bytes = BASE64.decode(signature).expect("base64");
    bytes[7] ^= 1;
    let flipped = BASE64.encode(bytes);
    let raw =
        |header: &str, claims: &str| signed(&issuer.rsa, header.as_bytes(), claims.as_bytes());
    let rsa = "{\"alg\":\"RS256\",\"kid\":\"rsa\"}";
    let claims = issuer.claims(json!({})).to_string();
    let twice = claims.replacen('{', "{\"exp\":1,", 1);
    vec![
        case("no signature", &format!("{header}.{body}.")),
        case("two parts", &format!("{header}.{body}")),
        case("four parts", &format!("{good}.{signature}")),
        case(
            "five parts",
            &format!("{header}.{body}.{signature}.{body}.{signature}"),
        ),
        case(
            "half a signature",
            &format!("{header}.{body}.{}", &signature[..signature.len() / 2]),
        ),
        case(
            "a flipped bit in the signature",
            &format!("{header}.{body}.{flipped}"),
        ),
        case(
            "another's claims",
            &format!("{header}.{other_body}.{signature}"),
        ),
        case("padding", &format!("{header}==.{body}.{signature}")),
        case("no base64", &format!("{header}.!!!!.{signature}")),
        case("a header that is no JSON", &raw("RS256", &claims)),
        case("a header that is an array", &raw("[]", &claims)),
        case("claims that are no JSON", &raw(rsa, "claims")),
        case("claims that are an array", &raw(rsa, "[]")),
        case("claims with two ends", &raw(rsa, &twice)),
        case(
            "no bytes that are text",
            &signed(&issuer.rsa, rsa.as_bytes(), &[0xff, 0xfe]),
        ),
        case("nothing but dots", ".."),
        case(
            "one that is too long",
            &format!("{}.{}.{}", header, "A".repeat(9_000), signature),
        ),
    ]
}

/// Claims that do not hold.
fn claims(issuer: &Issuer) -> Vec<Case> {
    let long_ago = now() - 3_600;
    let changed = [
        ("expired", json!({"exp": long_ago})),
        ("expired beyond the leeway", json!({"exp": now() - 61})),
        ("expired before 1970", json!({"exp": -1})),
        ("without an end", json!({"exp": null})),
        (
            "with an end in words",
            json!({"exp": (now() + 600).to_string()}),
        ),
        ("with an end in an array", json!({"exp": [now() + 600]})),
        ("not valid yet", json!({"nbf": now() + 600})),
        ("with a beginning in words", json!({"nbf": "now"})),
        ("from the future", json!({"iat": now() + 600})),
        ("for another audience", json!({"aud": "other"})),
        ("for other audiences", json!({"aud": ["other", "another"]})),
        ("for nobody", json!({"aud": null})),
        ("for no audience in an array", json!({"aud": []})),
        ("for a longer audience", json!({"aud": "heliostat.example"})),
        ("for an audience in capitals", json!({"aud": "HELIOSTAT"})),
        ("for an object", json!({"aud": {"heliostat": true}})),
        (
            "from another issuer",
            json!({"iss": "https://evil.example"}),
        ),
        ("from nobody", json!({"iss": null})),
        (
            "from an issuer with a slash",
            json!({"iss": format!("{}/", issuer.url)}),
        ),
        (
            "from several issuers",
            json!({"iss": [issuer.url, "https://evil.example"]}),
        ),
        ("with a subject that is a number", json!({"sub": 7})),
    ];
    let token = |changed: &Value| issuer.token(changed.clone());
    let cases = changed.iter();
    cases
        .map(|(name, changed)| case(name, &token(changed)))
        .collect()
}

/// Tokens that may be good, in requests that are not.
fn requests(issuer: &Issuer) -> Vec<Case> {
    let good = issuer.token(json!({}));
    let with = |name: &str, headers: &[String]| Case {
        name: name.to_owned(),
        headers: headers.to_vec(),
    };
    vec![
        with("no token", &[]),
        with("an empty header", &[String::new()]),
        with("no scheme", std::slice::from_ref(&good)),
        with("a scheme alone", &["Bearer".to_owned()]),
        with("another scheme", &[format!("Basic {good}")]),
        with(
            "two tokens",
            &[format!("Bearer {good}"), format!("Bearer {good}")],
        ),
        with("two tokens in one", &[format!("Bearer {good},{good}")]),
        with("a word before it", &[format!("Bearer token {good}")]),
        with("a quoted token", &[format!("Bearer \"{good}\"")]),
    ]
}
