//! Who may call the node.

use std::{io, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};

/// The user name of cookie credentials.
const COOKIE_USER: &str = "__cookie__";

/// What a caller must present.
#[derive(Clone)]
pub struct Access {
    user: String,
    password: String,
    refusal: Refusal,
}

/// How a caller without it is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// By an HTTP status: zcashd answers 401.
    Status(u16),
    /// By closing the connection without an answer: zebrad 7 does.
    Close,
}

impl Access {
    /// A user name and a password, refused the way zcashd does.
    pub fn password(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            refusal: Refusal::Status(401),
        }
    }

    /// Writes a cookie file as zebrad and zcashd do, and asks for what stands
    /// in it.
    pub fn cookie(file: &Path, secret: &str) -> io::Result<Self> {
        std::fs::write(file, format!("{COOKIE_USER}:{secret}"))?;
        Ok(Self::password(COOKIE_USER, secret))
    }

    /// The same, with another way to turn callers away.
    pub fn refusing_by(self, refusal: Refusal) -> Self {
        Self { refusal, ..self }
    }

    /// How a request is turned away, if it is.
    pub(super) fn refuses(&self, headers: &HeaderMap) -> Option<Refusal> {
        let wanted = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "));
        (given != Some(&wanted)).then_some(self.refusal)
    }
}
