//! The configuration files of the nodes: `zcash.conf` and `zebrad.toml`.

use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{Auth, Endpoint, address};
use crate::{defaults::CREDENTIALS_FILE, error::Error};

/// Where zcashd's RPC listens unless `rpcport` says otherwise.
pub(super) const MAINNET_PORT: u16 = 8232;
/// The same on testnet and regtest.
const TESTNET_PORT: u16 = 18232;
/// The name both nodes give their cookie file.
const COOKIE: &str = ".cookie";

/// Reads the address and the credentials from a node's configuration file:
/// `zebrad.toml` when the name ends in `.toml`, else `zcash.conf`, as
/// lightwalletd's `--zcash-conf-path` does. `env` finds zebrad's default cache
/// directory.
///
/// # Errors
///
/// The file cannot be read or does not say enough; the words name the file,
/// the line or the key, and the fix. No value of the file is repeated.
pub fn from_file(path: &Path, env: impl Fn(&str) -> Option<String>) -> Result<Endpoint, Error> {
    let text = read(path)?;
    match path.extension().is_some_and(|ending| ending == "toml") {
        true => zebrad(path, &text, env),
        false => zcashd(path, &text),
    }
}

fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |error| Error::Unreadable {
        path: path.to_owned(),
        error,
        hint: "--zcash-conf names the node's zcash.conf or zebrad.toml",
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    let read = file.take(CREDENTIALS_FILE).read_to_string(&mut text);
    read.map_err(unreadable)?;
    Ok(text)
}

fn conf(path: &Path, line: Option<usize>, why: impl Into<String>, hint: &'static str) -> Error {
    Error::Conf {
        path: path.to_owned(),
        line,
        why: why.into(),
        hint,
    }
}

/// The keys of a `zcash.conf` before its first section, each with its line.
struct Keys<'a> {
    pairs: Vec<(&'a str, &'a str, usize)>,
}

impl<'a> Keys<'a> {
    fn read(path: &Path, text: &'a str) -> Result<Self, Error> {
        let mut pairs = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('[') {
                break;
            }
            let Some((key, value)) = line.split_once('=') else {
                let why = "the line is neither key=value nor a comment";
                return Err(conf(
                    path,
                    Some(index + 1),
                    why,
                    "write key=value, or # before it",
                ));
            };
            // A comment may follow a value; a # within one belongs to it.
            let value = value.split(" #").next().unwrap_or(value);
            pairs.push((key.trim(), value.trim(), index + 1));
        }
        Ok(Self { pairs })
    }

    /// The last value that is not empty.
    fn get(&self, key: &str) -> Option<(&'a str, usize)> {
        let same = |(name, value, _): &&(&str, &str, usize)| *name == key && !value.is_empty();
        let (_, value, line) = self.pairs.iter().rfind(same)?;
        Some((value, *line))
    }

    fn is_on(&self, key: &str) -> bool {
        self.get(key).is_some_and(|(value, _)| value != "0")
    }
}

fn zcashd(path: &Path, text: &str) -> Result<Endpoint, Error> {
    let keys = Keys::read(path, text)?;
    let network = match (keys.is_on("testnet"), keys.is_on("regtest")) {
        (_, true) => Some("regtest"),
        (true, _) => Some("testnet3"),
        _ => None,
    };
    let port = match keys.get("rpcport") {
        Some((text, line)) => text.parse().map_err(|_| {
            let why = "rpcport is no port number";
            conf(path, Some(line), why, "write a number from 1 to 65535")
        })?,
        None if network.is_some() => TESTNET_PORT,
        None => MAINNET_PORT,
    };
    let bound = keys.get("rpcbind").map_or("127.0.0.1", |(host, _)| host);
    let url = match bound.parse::<SocketAddr>() {
        Ok(socket) => reachable(socket),
        Err(_) => match bound.parse::<IpAddr>() {
            Ok(ip) => reachable(SocketAddr::new(ip, port)),
            Err(_) => address(bound, port),
        },
    };
    let user = keys.get("rpcuser").map_or("", |(user, _)| user).to_owned();
    if let Some((password, _)) = keys.get("rpcpassword") {
        let password = password.to_owned();
        let auth = Auth::Basic { user, password };
        return Ok(Endpoint { url, auth });
    }
    // Without a password zcashd writes a cookie into its data directory, which
    // is where its configuration usually lies.
    let directory = path.parent().unwrap_or(Path::new("."));
    let directory = keys
        .get("datadir")
        .map_or(directory.to_owned(), |(at, _)| PathBuf::from(at));
    let directory = network.map_or(directory.clone(), |name| directory.join(name));
    let cookie = keys
        .get("rpccookiefile")
        .map_or(directory.join(COOKIE), |(file, _)| directory.join(file));
    if !cookie.exists() {
        let why = format!(
            "rpcpassword is missing or empty, and there is no cookie file {}",
            cookie.display()
        );
        return Err(conf(
            path,
            None,
            why,
            "add rpcuser= and rpcpassword=, or start the node",
        ));
    }
    let auth = Auth::Cookie(cookie);
    Ok(Endpoint { url, auth })
}

/// A node that listens on every interface is asked on loopback.
fn reachable(mut socket: SocketAddr) -> String {
    match socket.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => socket.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => socket.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => (),
    }
    format!("http://{socket}")
}

fn zebrad(
    path: &Path,
    text: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Endpoint, Error> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        // The error's full text shows the line, which may hold a password.
        let line = error.span().map(|span| {
            let before = text.get(..span.start).unwrap_or_default();
            before.matches('\n').count() + 1
        });
        let why = format!(
            "it is not TOML: {}",
            error.message().lines().next().unwrap_or_default()
        );
        conf(
            path,
            line,
            why,
            "mend the line, or name the node's own zebrad.toml",
        )
    })?;
    let rpc = table.get("rpc").and_then(toml::Value::as_table);
    let text_of = |key: &str| {
        // lightwalletd matches these keys without regard to case.
        let same = |(name, _): &(&String, &toml::Value)| name.eq_ignore_ascii_case(key);
        rpc?.iter()
            .find(same)?
            .1
            .as_str()
            .filter(|text| !text.is_empty())
    };
    let Some(listen) = text_of("listen_addr") else {
        let why = "[rpc] listen_addr is missing, so this zebrad serves no JSON-RPC";
        let hint = "add listen_addr = \"127.0.0.1:8232\" under [rpc] and restart zebrad";
        return Err(conf(path, None, why, hint));
    };
    let url = match listen.parse::<SocketAddr>() {
        Ok(socket) => reachable(socket),
        Err(_) => {
            let why = "[rpc] listen_addr is no address with a port";
            return Err(conf(path, None, why, "write it like \"127.0.0.1:8232\""));
        }
    };
    if let Some(password) = text_of("rpcpassword") {
        let (user, password) = (
            text_of("rpcuser").unwrap_or_default().to_owned(),
            password.to_owned(),
        );
        let auth = Auth::Basic { user, password };
        return Ok(Endpoint { url, auth });
    }
    // zebrad 2 and later ask for their cookie unless told not to.
    let cookies = rpc.and_then(|rpc| rpc.get("enable_cookie_auth"));
    let cookies = cookies.and_then(toml::Value::as_bool).unwrap_or(true);
    if !cookies {
        let auth = Auth::None;
        return Ok(Endpoint { url, auth });
    }
    let directory = match text_of("cookie_dir") {
        // zebrad takes it from where it was started; beside its configuration
        // is the best guess from here.
        Some(directory) => path.parent().unwrap_or(Path::new(".")).join(directory),
        None => default_cache(env).ok_or_else(|| {
            let why = "[rpc] cookie_dir is not set, and neither is HOME, under which it would be";
            conf(
                path,
                None,
                why,
                "set cookie_dir, or give the cookie file itself",
            )
        })?,
    };
    let auth = Auth::Cookie(directory.join(COOKIE));
    Ok(Endpoint { url, auth })
}

/// zebrad's default cache directory: `zebra` under the user's.
fn default_cache(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let cache = if cfg!(target_os = "macos") {
        set("HOME")?.join("Library/Caches")
    } else if cfg!(windows) {
        set("LOCALAPPDATA")?
    } else {
        let absolute = set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        absolute.or_else(|| Some(set("HOME")?.join(".cache")))?
    };
    Some(cache.join("zebra"))
}
