//! TLS: versions of HTTP, and the certificates that are refused.

use std::fs;

use heliostat_door::{ClientAuth, Cut, Limits, Options, Tls, TlsFiles};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    pki::{self, Made, authority, connector, self_signed, server, signed_by},
    serving::{Serving, measuring, send, serving, until_cut},
};

pub type Shown = Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>;

/// What the server answers to `GET path` over TLS; an error if the
/// connection does not get that far.
pub async fn get(
    serving: &Serving,
    ca: &Made,
    shown: Shown,
    path: &str,
) -> std::io::Result<String> {
    let tcp = TcpStream::connect(serving.address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector(ca, shown).connect(name, tcp).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    // A server that closes without saying so first is no error here.
    let ended = stream.read_to_string(&mut reply).await;
    match reply.is_empty() {
        true => ended.and(Err(std::io::ErrorKind::UnexpectedEof.into())),
        false => Ok(reply),
    }
}

/// A door with these files.
pub fn with(tls: TlsFiles) -> Options {
    Options {
        tls: Some(Tls::load(tls).expect("good files")),
        ..Options::default()
    }
}

#[tokio::test]
async fn both_versions_of_http_are_offered_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = self_signed(authority("ca"));
    let served = signed_by(&ca, server("server"));
    let files = pki::files(folder.path(), &served, None, ClientAuth::Off);
    let serving = serving(measuring(), with(files)).await;
    let trusted = reqwest::Certificate::from_pem(ca.pem.as_bytes()).expect("PEM");
    for (http1_only, version) in [
        (false, reqwest::Version::HTTP_2),
        (true, reqwest::Version::HTTP_11),
    ] {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([trusted.clone()]);
        let builder = match http1_only {
            true => builder.http1_only(),
            false => builder,
        };
        let client = builder.build().expect("a client");
        let url = format!("https://localhost:{}/", serving.address.port());
        let reply = client.get(url).send().await.expect("answered");
        assert_eq!(reply.version(), version);
        assert_eq!(reply.text().await.expect("a body"), "hello");
    }
    assert!(serving.connections.counts().certificate_not_after.is_some());
    serving.end().await;
}

#[tokio::test]
async fn a_certificate_made_on_the_spot_serves() {
    let tls = Tls::self_signed(&["localhost".to_owned()]).expect("made");
    let trusted = reqwest::Certificate::from_der(&tls.certificate()).expect("DER");
    let options = Options {
        tls: Some(tls),
        ..Options::default()
    };
    let serving = serving(measuring(), options).await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([trusted])
        .build()
        .expect("a client");
    let url = format!("https://localhost:{}/", serving.address.port());
    let reply = client.get(url).send().await.expect("answered");
    assert_eq!(reply.status(), 200);
    drop(client);
    serving.end().await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_cut_and_plaintext_fails_it() {
    let options = Options {
        tls: Some(Tls::self_signed(&["localhost".to_owned()]).expect("made")),
        limits: Limits {
            handshake_timeout: std::time::Duration::from_millis(200),
            ..Limits::default()
        },
        ..Options::default()
    };
    let serving = serving(measuring(), options).await;
    for said in [&b""[..], &[22, 3, 1], &[22, 3, 1, 1, 0, 1, 0, 0]] {
        let before = serving.cut(Cut::Handshake);
        let mut stream = send(serving.address, said).await;
        until_cut(&mut stream).await;
        assert_eq!(serving.cut(Cut::Handshake), before + 1, "{said:?}");
    }
    let mut stream = send(serving.address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let heard = until_cut(&mut stream).await;
    assert!(!heard.starts_with(b"HTTP"));
    assert_eq!(serving.connections.counts().handshake_failures, 1);
    serving.end().await;
}

/// Ways to break the files of a server: what is written where.
fn broken_files(ca: &Made) -> Vec<(&'static str, [String; 3])> {
    let good = signed_by(ca, server("server"));
    let (pem, key) = (good.pem.clone(), good.key.serialize_pem());
    let made = |change: fn(&mut CertificateParams)| {
        let mut params = server("server");
        change(&mut params);
        let made = signed_by(ca, params);
        [made.pem.clone(), made.key.serialize_pem(), ca.pem.clone()]
    };
    let expired_ca = |change: fn(&mut CertificateParams)| {
        let mut params = authority("ca");
        change(&mut params);
        [pem.clone(), key.clone(), self_signed(params).pem]
    };
    let with = |pem: &str, key: &str, ca: &str| [pem, key, ca].map(str::to_owned);
    let other = KeyPair::generate().expect("a key").serialize_pem();
    let middle = pem.len() / 2;
    let corrupt = format!("{}AAAA{}", &pem[..middle], &pem[middle + 4..]);
    vec![
        ("expired", made(|p| p.not_after = date_time_ymd(2020, 1, 1))),
        (
            "not yet valid",
            made(|p| p.not_before = date_time_ymd(2999, 1, 1)),
        ),
        (
            "for clients only",
            made(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ),
        ("another's key", with(&pem, &other, &ca.pem)),
        ("no certificate", with("", &key, &ca.pem)),
        ("no key", with(&pem, "", &ca.pem)),
        ("garbage for a key", with(&pem, "garbage", &ca.pem)),
        ("the two swapped", with(&key, &pem, &ca.pem)),
        (
            "corrupted base64",
            with(&pem.replace('M', "!"), &key, &ca.pem),
        ),
        ("corrupted bytes", with(&corrupt, &other, &ca.pem)),
        ("cut short", with(&pem[..middle], &key, &ca.pem)),
        (
            "no DER inside",
            with(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &key,
                &ca.pem,
            ),
        ),
        (
            "a key with a passphrase",
            with(&pem, &key.replace("PRIVATE", "ENCRYPTED PRIVATE"), &ca.pem),
        ),
        (
            "a key of no bytes",
            with(
                &pem,
                "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
                &ca.pem,
            ),
        ),
        ("too large", with(&"x".repeat(5 << 20), &key, &ca.pem)),
        ("no client CA in its file", with(&pem, &key, "")),
        ("a client CA that is none", with(&pem, &key, &pem)),
        (
            "garbage for a client CA",
            with(
                &pem,
                &key,
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ),
        ),
        (
            "an expired client CA",
            expired_ca(|p| p.not_after = date_time_ymd(2020, 1, 1)),
        ),
        (
            "a client CA not yet valid",
            expired_ca(|p| p.not_before = date_time_ymd(2999, 1, 1)),
        ),
    ]
}

#[tokio::test]
async fn broken_files_are_refused_with_their_name_and_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = self_signed(authority("ca"));
    let served = signed_by(&ca, server("server"));
    let files = pki::files(folder.path(), &served, Some(&ca.pem), ClientAuth::Optional);
    let serving = serving(measuring(), with(files.clone())).await;
    let not_after = serving.connections.counts().certificate_not_after;
    let cases = broken_files(&ca);
    assert!(cases.len() >= 20);
    for (name, [certificate, key, client_ca]) in &cases {
        fs::write(&files.certificate, certificate).expect("written");
        fs::write(&files.key, key).expect("written");
        fs::write(files.client_ca.as_ref().expect("named"), client_ca).expect("written");
        let error = Tls::load(files.clone()).expect_err(name).to_string();
        let folder = folder.path().to_str().expect("text");
        assert!(error.contains(folder), "{name}: {error}");
        let before = serving.connections.counts().reload_failures;
        let errors = serving.reloader.reload().expect_err(name);
        assert_eq!(errors.len(), 1, "{name}");
        assert!(
            serving.connections.counts().reload_failures > before,
            "{name}"
        );
        let reply = get(&serving, &ca, None, "/").await.expect("still served");
        assert!(reply.ends_with("hello"), "{name}: {reply}");
    }
    for missing in [&files.certificate, &files.key] {
        pki::files(folder.path(), &served, Some(&ca.pem), ClientAuth::Optional);
        fs::remove_file(missing).expect("there");
        let error = Tls::load(files.clone()).expect_err("missing").to_string();
        assert!(error.contains(missing.to_str().expect("text")), "{error}");
    }
    pki::files(folder.path(), &served, None, ClientAuth::Optional);
    let without = TlsFiles {
        client_ca: None,
        ..files.clone()
    };
    Tls::load(without).expect_err("client certificates without a CA");
    assert_eq!(
        serving.connections.counts().certificate_not_after,
        not_after
    );
    serving.end().await;
}
