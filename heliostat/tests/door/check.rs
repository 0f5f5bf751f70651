//! What `heliostat check` says of the door.

use heliostat_store::testing::Authority;

use crate::{
    issuer::Issuer,
    rig::{OBSERVE, Rig},
    running::heliostat,
};

/// The exit code and words of `check` with `more` in the configuration.
fn check(rig: &Rig, more: &str) -> (Option<i32>, String) {
    let file = rig.configure(&format!("{OBSERVE}{more}"));
    let (code, words) = heliostat(&["check", "--config", file.to_str().unwrap()]);
    (code, words)
}

#[tokio::test(flavor = "multi_thread")]
async fn good_files_and_an_issuer_that_answers_are_in_order() {
    let (rig, issuer) = (Rig::new().await, Issuer::start().await);
    let more = rig.mutual("required") + &issuer.auth();
    let (code, words) = check(&rig, &more);
    assert_eq!(code, Some(0), "{words}");
    for part in [
        "the key is that of the certificate",
        "clients have to show a certificate",
        "jwks.json: answers",
    ] {
        assert!(words.contains(part), "{part} is not in {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_is_said_with_the_file() {
    let rig = Rig::new().await;
    let other = Authority::new().sign("localhost");
    let good = std::fs::read_to_string(rig.path("server.key")).unwrap();
    for (file, text, part) in [
        (
            "server.key",
            other.1.as_str(),
            "the key the certificate was made with",
        ),
        ("server.pem", "", "BEGIN CERTIFICATE"),
        ("clients.pem", other.0.as_str(), "it lacks CA:TRUE"),
    ] {
        let path = rig.path(file);
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        let (code, words) = check(&rig, &rig.mutual("required"));
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains(part) && words.contains(file), "{words}");
        // The rest is looked at all the same.
        assert!(words.contains("chain.zcash.listen"), "{words}");
        std::fs::write(&path, before).unwrap();
    }
    assert!(
        !check(&rig, &rig.tls(""))
            .1
            .contains(good.lines().nth(1).unwrap())
    );
    let list = rig.path("denied.txt");
    let access = format!("[door.access]\ndeny-identities = '{}'\n", list.display());
    let (code, words) = check(&rig, &(rig.mutual("required") + &access));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("denied.txt"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_cannot_be_asked_is_named() {
    let rig = Rig::new().await;
    let auth = "[door.auth]\nissuer = 'http://127.0.0.1:1'\naudience = ['heliostat']\n\
                jwks-url = 'http://127.0.0.1:1/jwks.json'\n";
    let (code, words) = check(&rig, auth);
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("door.auth.jwks-url http://127.0.0.1:1/jwks.json"),
        "{words}"
    );
}
