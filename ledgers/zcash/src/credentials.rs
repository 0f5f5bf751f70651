//! Where a node listens, and how we prove to it who we are.
//!
//! Credentials come from flags, from the address itself
//! (`http://user:password@host:port`), from the environment, from the node's
//! own configuration file, and from a cookie file, in this order; the first
//! that says anything counts. They appear in no error, log line or `Debug`
//! output.
//!
//! | variable | meaning |
//! |---|---|
//! | `HELIOSTAT_ZCASH_RPCUSER` | user name |
//! | `HELIOSTAT_ZCASH_RPCPASSWORD` | password |
//! | `HELIOSTAT_ZCASH_COOKIE` | path of a cookie file |
//!
//! | module | what it holds |
//! |---|---|
//! | `conf` | `zcash.conf` and `zebrad.toml` |
//! | `login` | the header that is sent, and its renewal from the cookie file |

mod conf;
mod login;
#[cfg(test)]
mod tests;

use std::{fmt, path::PathBuf};

use reqwest::Url;

pub use conf::from_file;
pub(crate) use login::Login;

use crate::error::Error;

/// The variable with the user name.
pub const ENV_USER: &str = "HELIOSTAT_ZCASH_RPCUSER";
/// The variable with the password.
pub const ENV_PASSWORD: &str = "HELIOSTAT_ZCASH_RPCPASSWORD";
/// The variable with the path of a cookie file.
pub const ENV_COOKIE: &str = "HELIOSTAT_ZCASH_COOKIE";

/// What proves to a node who we are.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nothing: the node lets everybody in.
    #[default]
    None,
    /// A user name and a password, as HTTP Basic.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// A user name, and a file whose first line is the password.
    PasswordFile {
        /// The user name.
        user: String,
        /// The file.
        file: PathBuf,
    },
    /// A cookie file that the node writes when it starts: `__cookie__:secret`.
    Cookie(PathBuf),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic { .. } => f.write_str("Basic(…)"),
            Self::PasswordFile { file, .. } => f.debug_tuple("PasswordFile").field(file).finish(),
            Self::Cookie(path) => f.debug_tuple("Cookie").field(path).finish(),
        }
    }
}

/// A node's address and what it wants to see.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://host:port` or `https://…`, without credentials.
    pub url: String,
    /// The credentials.
    pub auth: Auth,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Url::parse(&self.url).map(|url| {
            let host = url.host_str().unwrap_or_default();
            format!(
                "{}://{host}:{}",
                url.scheme(),
                url.port_or_known_default().unwrap_or(0)
            )
        });
        f.debug_struct("Endpoint")
            .field("url", &shown.unwrap_or_default())
            .field("auth", &self.auth)
            .finish()
    }
}

/// What an operator gave on the command line or in our configuration. Their
/// names are lightwalletd's, where it has them.
#[derive(Clone, Default)]
pub struct Given {
    /// The node's address (`--upstream`).
    pub url: Option<String>,
    /// `--rpchost`.
    pub host: Option<String>,
    /// `--rpcport`.
    pub port: Option<u16>,
    /// `--rpc-user`.
    pub user: Option<String>,
    /// `--rpcpassword`.
    pub password: Option<String>,
    /// A file whose first line is the password, in place of `password`.
    pub password_file: Option<PathBuf>,
    /// A cookie file.
    pub cookie: Option<PathBuf>,
    /// `--zcash-conf`: a `zcash.conf` or a `zebrad.toml`.
    pub conf: Option<PathBuf>,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given")
            .field("conf", &self.conf)
            .field("cookie", &self.cookie)
            .finish_non_exhaustive()
    }
}

impl Given {
    /// Finds the node's address and credentials. `env` reads a variable of the
    /// environment.
    ///
    /// # Errors
    ///
    /// No address is given at all, a file cannot be read or used, or half of a
    /// pair is missing; the words name the setting, the file and its line.
    pub fn resolve(&self, env: impl Fn(&str) -> Option<String>) -> Result<Endpoint, Error> {
        let conf = self.conf.as_deref().map(|path| from_file(path, &env));
        let conf = conf.transpose()?;
        let url = match (&self.url, &self.host, self.port) {
            (Some(url), ..) => url.clone(),
            (None, Some(host), port) => address(host, port.unwrap_or(conf::MAINNET_PORT)),
            (None, None, Some(port)) => address("127.0.0.1", port),
            (None, None, None) => match &conf {
                Some(conf) => conf.url.clone(),
                None => {
                    return Err(Error::Settings {
                        why: "no node is named",
                        hint: "name one with --upstream http://127.0.0.1:8232, or its \
                               configuration file with --zcash-conf",
                    });
                }
            },
        };
        let auth = self.flags()?;
        let (url, auth) = split_url(&url, auth)?;
        let auth = match (auth, environment(&env)?, conf) {
            (Auth::None, Auth::None, Some(conf)) => conf.auth,
            (Auth::None, environment, _) => environment,
            (given, ..) => given,
        };
        let url = url.to_string();
        Ok(Endpoint { url, auth })
    }

    fn flags(&self) -> Result<Auth, Error> {
        if let (Some(user), Some(file)) = (&self.user, &self.password_file) {
            let (user, file) = (user.clone(), file.clone());
            return Ok(Auth::PasswordFile { user, file });
        }
        let pair = pair(
            self.user.clone(),
            self.password.clone(),
            Error::Settings {
                why: "of --rpc-user and --rpc-password only one is given",
                hint: "give both, or neither and a cookie file or --zcash-conf",
            },
        )?;
        Ok(pair
            .or_else(|| self.cookie.clone().map(Auth::Cookie))
            .unwrap_or_default())
    }
}

fn environment(env: impl Fn(&str) -> Option<String>) -> Result<Auth, Error> {
    let get = |name: &str| env(name).filter(|value| !value.is_empty());
    let pair = pair(
        get(ENV_USER),
        get(ENV_PASSWORD),
        Error::Settings {
            why: "of HELIOSTAT_ZCASH_RPCUSER and HELIOSTAT_ZCASH_RPCPASSWORD only one is set",
            hint: "set both, or neither",
        },
    )?;
    let cookie = || get(ENV_COOKIE).map(|path| Auth::Cookie(path.into()));
    Ok(pair.or_else(cookie).unwrap_or_default())
}

/// Both, neither, or the error for half a pair.
fn pair(
    user: Option<String>,
    password: Option<String>,
    half: Error,
) -> Result<Option<Auth>, Error> {
    match (user, password) {
        (Some(user), Some(password)) => Ok(Some(Auth::Basic { user, password })),
        (None, None) => Ok(None),
        _ => Err(half),
    }
}

/// The URL of a host and a port.
fn address(host: &str, port: u16) -> String {
    let bare_v6 = host.contains(':') && !host.starts_with('[');
    match bare_v6 {
        true => format!("http://[{host}]:{port}"),
        false => format!("http://{host}:{port}"),
    }
}

/// Takes the credentials out of an address; those given elsewhere come first.
pub(crate) fn split_url(text: &str, auth: Auth) -> Result<(Url, Auth), Error> {
    let why = |why: &str| Error::Address {
        why: why.to_owned(),
    };
    // The parser's own words do not repeat the text, which may hold a password.
    let mut url = Url::parse(text).map_err(|error| why(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(why("it is neither http:// nor https:// with a host"));
    }
    let decode = |part: &str| {
        percent_decode(part).ok_or_else(|| why("its user name or password is not UTF-8"))
    };
    let within = match (url.username(), url.password()) {
        ("", None) => Auth::None,
        (user, password) => Auth::Basic {
            user: decode(user)?,
            password: decode(password.unwrap_or_default())?,
        },
    };
    // Both can only fail for addresses that have no host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let auth = match auth {
        Auth::None => within,
        given => given,
    };
    Ok((url, auth))
}

/// The URL parser keeps user names and passwords percent-encoded.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().filter(|_| byte == b'%');
        let value = digits.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        (rest, _) = match value {
            Some(value) => (&tail[2..], bytes.push(value)),
            None => (tail, bytes.push(byte)),
        };
    }
    String::from_utf8(bytes).ok()
}
