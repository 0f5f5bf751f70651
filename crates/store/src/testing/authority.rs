//! A certificate authority of one's own.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

/// Signs certificates for as long as a test runs; nobody trusts it by
/// themselves.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, with a key of its own.
    #[expect(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let name = "Heliostat test authority";
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("keys can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("the parameters are sound"))
    }

    /// Its own certificate in PEM form.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server called `host`, and its private key, both in
    /// PEM form.
    pub fn sign(&self, host: &str) -> (String, String) {
        self.finish(named(host))
    }

    /// The same, valid from the first day of `year` to the first of the next.
    pub fn sign_for_year(&self, host: &str, year: i32) -> (String, String) {
        let mut params = named(host);
        params.not_before = rcgen::date_time_ymd(year, 1, 1);
        params.not_after = rcgen::date_time_ymd(year + 1, 1, 1);
        self.finish(params)
    }

    fn finish(&self, params: CertificateParams) -> (String, String) {
        let key = KeyPair::generate().expect("keys can be made");
        let signed = params.signed_by(&key, &self.0).expect("the key can sign");
        (signed.pem(), key.serialize_pem())
    }
}

fn named(host: &str) -> CertificateParams {
    CertificateParams::new([host.to_owned()]).expect("it is a name")
}
