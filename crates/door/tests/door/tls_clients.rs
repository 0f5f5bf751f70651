//! Client certificates, and those that are refused.

use heliostat_door::ClientAuth;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, NameConstraints, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use crate::{
    pki::{self, Made, authority, client, self_signed, server, signed_by},
    serving::{measuring, serving},
    tls::{Shown, get, with},
};

/// Clients' certificates that no server should take.
fn bad_clients(ca: &Made) -> Vec<(&'static str, Shown)> {
    let other_ca = self_signed(authority("other"));
    let namesake = self_signed(authority("ca"));
    let show = |made: &Made| Some((vec![made.der.clone()], made.key_der()));
    let made = |issuer: &Made, change: fn(&mut CertificateParams)| {
        let mut params = client("client");
        change(&mut params);
        show(&signed_by(issuer, params))
    };
    let same = |_: &mut CertificateParams| {};
    let good = signed_by(ca, client("client"));
    let mut corrupt = good.der.to_vec();
    *corrupt.last_mut().expect("not empty") ^= 1;
    let mut renamed = good.der.to_vec();
    let at = renamed.windows(6).position(|six| six == b"client");
    renamed[at.expect("its name")] = b'C';
    vec![
        ("none", None),
        (
            "expired",
            made(ca, |p| p.not_after = date_time_ymd(2020, 1, 1)),
        ),
        (
            "not yet valid",
            made(ca, |p| p.not_before = date_time_ymd(2999, 1, 1)),
        ),
        ("another authority's", made(&other_ca, same)),
        ("an authority's of the same name", made(&namesake, same)),
        ("self-signed", show(&self_signed(client("client")))),
        (
            "a self-signed authority",
            show(&self_signed(authority("ca"))),
        ),
        (
            "for servers only",
            made(ca, |p| {
                p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
            }),
        ),
        (
            "for code",
            made(ca, |p| {
                p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]
            }),
        ),
        (
            "with an unknown critical extension",
            made(ca, |p| {
                let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
                unknown.set_criticality(true);
                p.custom_extensions = vec![unknown];
            }),
        ),
        (
            "with a flipped bit in its signature",
            Some((vec![corrupt.into()], good.key_der())),
        ),
        (
            "with another name in it",
            Some((vec![renamed.into()], good.key_der())),
        ),
        (
            "with another's key",
            Some((vec![good.der.clone()], signed_by(ca, client("x")).key_der())),
        ),
        ("the authority itself", show(ca)),
        (
            "not DER",
            Some((vec![CertificateDer::from(vec![1, 2, 3])], good.key_der())),
        ),
        ("with bytes after it", {
            let mut long = good.der.to_vec();
            long.push(0);
            Some((vec![long.into()], good.key_der()))
        }),
    ]
}

/// Chains that lead nowhere.
fn bad_chains(ca: &Made) -> Vec<(&'static str, Shown)> {
    let middle = signed_by(ca, authority("middle"));
    let below = signed_by(&middle, client("client"));
    let not_ca = signed_by(ca, client("not a ca"));
    let below_not_ca = signed_by(&not_ca, client("client"));
    let mut short = authority("short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = signed_by(ca, short);
    let too_deep = signed_by(&short, authority("deep"));
    let below_deep = signed_by(&too_deep, client("client"));
    let mut narrow = authority("narrow");
    narrow.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let narrow = signed_by(ca, narrow);
    let outside = signed_by(&narrow, client("client"));
    let mut dead = authority("dead");
    dead.not_after = date_time_ymd(2020, 1, 1);
    let dead = signed_by(ca, dead);
    let below_dead = signed_by(&dead, client("client"));
    let chain = |made: &Made, more: &[&Made]| {
        let rest = more.iter().map(|one| one.der.clone());
        Some((
            std::iter::once(made.der.clone()).chain(rest).collect(),
            made.key_der(),
        ))
    };
    vec![
        ("without its intermediate", chain(&below, &[])),
        (
            "below a certificate that is no authority",
            chain(&below_not_ca, &[&not_ca]),
        ),
        (
            "deeper than its authority may sign",
            chain(&below_deep, &[&too_deep, &short]),
        ),
        ("outside its authority's names", chain(&outside, &[&narrow])),
        ("below an expired authority", chain(&below_dead, &[&dead])),
    ]
}

#[tokio::test]
async fn bad_client_certificates_do_not_get_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = self_signed(authority("ca"));
    let served = signed_by(&ca, server("server"));
    let clients_ca = self_signed(authority("ca"));
    for auth in [ClientAuth::Required, ClientAuth::Optional] {
        let files = pki::files(folder.path(), &served, Some(&clients_ca.pem), auth);
        let serving = serving(measuring(), with(files)).await;
        let good = signed_by(&clients_ca, client("Alice"));
        let shown = Some((vec![good.der.clone()], good.key_der()));
        let reply = get(&serving, &ca, shown, "/who").await.expect("good");
        assert!(reply.contains("\"alice\""), "{reply}");
        assert_eq!(serving.connections.counts().handshake_failures, 0);
        let mut cases = bad_clients(&clients_ca);
        cases.extend(bad_chains(&clients_ca));
        let mut failed = 0;
        for (name, shown) in cases {
            let may_do_without = auth == ClientAuth::Optional && shown.is_none();
            let reply = get(&serving, &ca, shown, "/").await;
            assert_eq!(reply.is_ok(), may_do_without, "{name}: {reply:?}");
            failed += u64::from(!may_do_without);
            serving
                .until(|door| door.connections.counts().handshake_failures == failed)
                .await;
        }
        assert!(failed >= 20);
        serving.end().await;
    }
}
