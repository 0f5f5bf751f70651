//! The header that is sent, and its renewal from the cookie or password file.

use std::{io, path::Path};

use arc_swap::ArcSwapOption;
use base64::{Engine, engine::general_purpose::STANDARD};
use heliostat_core::Fault;
use http::HeaderValue;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

use super::Auth;
use crate::defaults::CREDENTIALS_FILE;

/// Credentials in use.
pub(crate) struct Login {
    auth: Auth,
    header: ArcSwapOption<HeaderValue>,
}

impl Login {
    pub fn new(auth: Auth) -> Self {
        let header = match &auth {
            Auth::Basic { user, password } => Some(Arc::new(basic(&format!("{user}:{password}")))),
            Auth::None | Auth::PasswordFile { .. } | Auth::Cookie(_) => None,
        };
        Self {
            auth,
            header: ArcSwapOption::new(header),
        }
    }

    /// What to send with a request; `None` when the node wants nothing. Reads
    /// the file when that has not been done yet.
    ///
    /// # Errors
    ///
    /// There is a file to be read, and it cannot be.
    pub async fn header(&self) -> Result<Option<HeaderValue>, Fault> {
        if let Some(header) = &*self.header.load() {
            return Ok(Some((**header).clone()));
        }
        let Some(header) = self.read().await? else {
            return Ok(None);
        };
        self.header.store(Some(Arc::new(header.clone())));
        Ok(Some(header))
    }

    /// Reads the file again after `used` was refused: a node writes another
    /// cookie each time it starts, and passwords are changed. `None` when there
    /// is nothing newer.
    pub async fn renewed(&self, used: Option<&HeaderValue>) -> Option<Option<HeaderValue>> {
        let header = self.read().await.ok()??;
        self.header.store(Some(Arc::new(header.clone())));
        (Some(&header) != used).then_some(Some(header))
    }

    /// What is in the file now; `None` where there is no file.
    async fn read(&self) -> Result<Option<HeaderValue>, Fault> {
        match &self.auth {
            Auth::None | Auth::Basic { .. } => Ok(None),
            Auth::PasswordFile { user, file } => password(user, file).await.map(Some),
            Auth::Cookie(path) => cookie(path).await.map(Some),
        }
    }

    /// What an operator can do about credentials that are refused.
    pub fn hint(&self) -> String {
        match &self.auth {
            Auth::None => "none are set: give --rpc-user and --rpc-password-file, the node's \
                           cookie file, or its configuration with --zcash-conf"
                .to_owned(),
            Auth::Basic { .. } => "check the user name and the password against the node's \
                                   rpcuser and rpcpassword"
                .to_owned(),
            Auth::PasswordFile { file, .. } => format!(
                "check the user name, and the password in {}, against the node's rpcuser and \
                 rpcpassword",
                file.display()
            ),
            Auth::Cookie(path) => format!(
                "check that {} is the cookie file of this node",
                path.display()
            ),
        }
    }
}

/// The value of an `Authorization` header, never shown by `Debug`.
fn basic(pair: &str) -> HeaderValue {
    let value = format!("Basic {}", STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(value)
        .expect("base64 is a valid header value because it is plain ASCII");
    value.set_sensitive(true);
    value
}

/// The text of a file, bounded in bytes.
async fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(CREDENTIALS_FILE)
        .read_to_string(&mut text)
        .await?;
    Ok(text)
}

async fn password(user: &str, path: &Path) -> Result<HeaderValue, Fault> {
    let shown = path.display();
    let text = text(path).await.map_err(|error| {
        Fault::Unsupported(format!(
            "cannot read rpc-password-file {shown}: {error}; it must be there, and readable for \
             the user this runs as"
        ))
    })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(basic(&format!("{user}:{line}"))),
        _ => Err(Fault::Unsupported(format!(
            "the first line of rpc-password-file {shown} is empty; it must be the password"
        ))),
    }
}

async fn cookie(path: &Path) -> Result<HeaderValue, Fault> {
    let shown = path.display();
    let text = text(path).await.map_err(|error| {
        let words = format!("cannot read the cookie file {shown}: {error}");
        match error.kind() {
            io::ErrorKind::NotFound => Fault::Unreachable(format!(
                "{words}; the node writes it when it starts: is it running, and is this its \
                 cookie directory?"
            )),
            _ => Fault::Unsupported(format!(
                "{words}; it must be readable for the user this runs as"
            )),
        }
    })?;
    let pair = text.trim();
    if !pair.contains(':') {
        let words =
            format!("the cookie file {shown} does not hold name:secret; is it the node's .cookie?");
        return Err(Fault::Unsupported(words));
    }
    Ok(basic(pair))
}
