//! Files of who may enter.

use std::{fs, path::Path};

use heliostat_door::{
    ClientAuth, Identities, IdentityFiles, Limits, NodeId, Options, Rate, Refused, Tls,
};

use crate::{
    pki::{self, Made, authority, client, self_signed, server, signed_by},
    serving::{measuring, serving},
    tls::get,
};

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path
}

fn reqwest_as(ca: &Made, shown: &Made) -> reqwest::Client {
    let both = format!("{}{}", shown.pem, shown.key.serialize_pem());
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(ca.pem.as_bytes()).expect("PEM")])
        .identity(reqwest::Identity::from_pem(both.as_bytes()).expect("PEM"))
        .build()
        .expect("a client")
}

#[tokio::test]
async fn names_and_fingerprints_are_let_in_and_out_while_connections_are_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = self_signed(authority("ca"));
    let served = signed_by(&ca, server("server"));
    let alice = signed_by(&ca, client("alice"));
    let bob = signed_by(&ca, client("bob"));
    let fingerprint = heliostat_door::Certificate::from_der(&bob.der).fingerprint;
    let print: Vec<_> = fingerprint
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let allow = format!("# who may\nAlice  # by name\n\n{}\n", print.join(":"));
    let allow = write(folder.path(), "allow", &allow);
    let deny = write(folder.path(), "deny", "");
    let lists = Identities::load(IdentityFiles {
        allow: Some(allow.clone()),
        deny: Some(deny.clone()),
    })
    .expect("good lists");
    let files = pki::files(folder.path(), &served, Some(&ca.pem), ClientAuth::Optional);
    let options = Options {
        tls: Some(Tls::load(files).expect("good files")),
        identities: Some(lists),
        ..Options::default()
    };
    let serving = serving(measuring(), options).await;
    let url = format!("https://localhost:{}/", serving.address.port());

    let (as_alice, as_bob) = (reqwest_as(&ca, &alice), reqwest_as(&ca, &bob));
    for known in [&as_alice, &as_bob] {
        let reply = known.get(&url).send().await.expect("answered");
        assert_eq!(reply.status(), 200);
    }
    let carol = reqwest_as(&ca, &signed_by(&ca, client("carol")));
    let reply = carol.get(&url).send().await.expect("answered");
    assert_eq!(reply.status(), 403);
    let words = reply.text().await.expect("a body");
    assert!(words.contains("ask the operator"), "{words}");
    let reply = get(&serving, &ca, None, "/").await.expect("answered");
    assert!(reply.starts_with("HTTP/1.1 403"), "{reply}");
    assert_eq!(serving.refused(Refused::Identity), 2);

    // Deny beats allow, also for a connection that is open.
    let accepted = serving.connections.accepted();
    fs::write(&deny, "bob").expect("written");
    serving.reloader.reload().expect("good lists");
    let grpc = as_bob.post(&url).header("content-type", "application/grpc");
    let reply = grpc.send().await.expect("answered");
    assert_eq!(reply.headers()["grpc-status"], "7");
    assert_eq!(serving.connections.accepted(), accepted);
    let reply = as_alice.get(&url).send().await.expect("answered");
    assert_eq!(reply.status(), 200);

    // A broken file changes nothing.
    fs::write(&deny, "two words\n").expect("written");
    let errors = serving.reloader.reload().expect_err("broken");
    assert!(errors[0].to_string().contains("line 1"), "{errors:?}");
    let reply = as_bob.get(&url).send().await.expect("answered");
    assert_eq!(reply.status(), 403);
    fs::remove_file(&allow).expect("there");
    serving.reloader.reload().expect_err("missing");
    let reply = as_alice.get(&url).send().await.expect("answered");
    assert_eq!(reply.status(), 200);
    assert!(serving.connections.counts().reload_failures >= 2);
    drop((as_alice, as_bob, carol));
    serving.end().await;
}

#[tokio::test]
async fn an_identity_has_its_burst_over_all_its_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = self_signed(authority("ca"));
    let served = signed_by(&ca, server("server"));
    let files = pki::files(folder.path(), &served, Some(&ca.pem), ClientAuth::Required);
    let options = Options {
        tls: Some(Tls::load(files).expect("good files")),
        limits: Limits {
            identity_rate: Rate::new(1, 3),
            ..Limits::default()
        },
        ..Options::default()
    };
    let serving = serving(measuring(), options).await;
    let alice = signed_by(&ca, client("alice"));
    let mut passed = 0;
    let mut refused = 0;
    for _ in 0..50 {
        let shown = Some((vec![alice.der.clone()], alice.key_der()));
        let reply = get(&serving, &ca, shown, "/").await.expect("answered");
        match &reply[..12] {
            "HTTP/1.1 200" => passed += 1,
            "HTTP/1.1 429" => refused += 1,
            other => panic!("{other}"),
        }
        assert!(passed >= 3 || refused == 0, "the burst passes first");
    }
    assert!(refused > 0);
    assert_eq!(serving.refused(Refused::IdentityRate), refused);
    let bob = signed_by(&ca, client("bob"));
    let shown = Some((vec![bob.der.clone()], bob.key_der()));
    let reply = get(&serving, &ca, shown, "/").await.expect("answered");
    assert!(
        reply.starts_with("HTTP/1.1 200"),
        "another's bucket: {reply}"
    );
    serving.end().await;
}

fn node(digit: char) -> (NodeId, String) {
    let key = digit.to_string().repeat(128);
    let id = key.parse().expect("128 digits");
    (id, format!("enode://{key}@192.0.2.1:30303?discport=0"))
}

#[test]
fn quorums_files_decide_about_nodes() {
    let folder = tempfile::tempdir().expect("a folder");
    let ((one, one_url), (two, two_url), (three, _)) = (node('1'), node('2'), node('3'));
    let permissioned = format!("[\"{one_url}\", \"\", \"enode://short@h:1\", \"{two_url}\"]");
    let allow = write(folder.path(), "permissioned-nodes.json", &permissioned);
    let deny = write(folder.path(), "disallowed-nodes.json", "[]");
    let lists = Identities::load(IdentityFiles {
        allow: Some(allow.clone()),
        deny: Some(deny.clone()),
    })
    .expect("good lists");
    let may = |lists: &Identities| [one, two, three].map(|node| lists.may_enter_node(&node));
    assert_eq!(may(&lists), [true, true, false]);
    assert!(!lists.may_enter(None), "a list of nodes lets no other in");

    fs::write(&deny, format!("[\"{two_url}\"]")).expect("written");
    assert!(lists.reload(false).expect("good lists"));
    assert!(!lists.reload(false).expect("unchanged"));
    assert_eq!(may(&lists), [true, false, false]);

    // A deny list is not read by halves.
    for broken in ["[\"enode://short@h:1\"]", "{}", "[1]", "", "\u{0}"] {
        fs::write(&deny, broken).expect("written");
        lists.reload(false).expect_err("broken");
        assert_eq!(may(&lists), [true, false, false], "{broken}");
    }
    assert_eq!(lists.reloads().failed, 5);
    fs::remove_file(&deny).expect("there");
    lists.reload(false).expect_err("missing");
    assert!(!lists.reload(false).expect("said once"));

    let only_deny = Identities::load(IdentityFiles {
        allow: None,
        deny: Some(write(folder.path(), "d.json", &format!("[\"{two_url}\"]"))),
    })
    .expect("a good list");
    assert_eq!(may(&only_deny), [true, false, true]);
}

#[test]
fn a_list_may_be_as_large_as_the_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let limit = heliostat_door::defaults::MAX_FILE as usize;
    for (length, good) in [(limit, true), (limit + 1, false)] {
        let text = format!("alice\n{}", "#".repeat(length - 6));
        let allow = Some(write(folder.path(), "allow", &text));
        let lists = Identities::load(IdentityFiles { allow, deny: None });
        assert_eq!(lists.is_ok(), good, "{length} bytes");
    }
}
