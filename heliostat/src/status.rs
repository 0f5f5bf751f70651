//! `heliostat status`: asks a running process, and says what it answers.

use std::fmt::Write as _;

use heliostat_observe::{ChainStatus, Status};

use crate::{cli::exit::Failure, defaults, run::runtime};

/// Prints the status of the process that observes at `url`.
///
/// # Errors
/// Nobody answers there, or the process is not ready and `live` is not set.
pub fn run(url: &str, json: bool, live: bool) -> Result<(), Failure> {
    let url = &with_scheme(url);
    let text = runtime()?.block_on(ask(url))?;
    let status: Status = serde_json::from_str(&text).map_err(|error| {
        Failure::failed(format!(
            "{url} does not answer like Heliostat ({error}); give its observe address with --observe URL"
        ))
    })?;
    match json {
        true => println!("{text}"),
        false => print!("{}", words(&status)),
    }
    match status.ready || live {
        true => Ok(()),
        false if status.chains.is_empty() => Err(Failure::NotReady("it runs no chain".into())),
        false => Err(Failure::NotReady(status.not_ready.join("; "))),
    }
}

/// A process is told its observe address as HOST:PORT, so that is taken here
/// too.
pub(crate) fn with_scheme(address: &str) -> String {
    match address.contains("://") {
        true => address.to_owned(),
        false => format!("http://{address}"),
    }
}

/// A client of the process that observes at `url`. For plain HTTP the machine's
/// authorities are not looked for: small containers have none, and without any
/// there would be no client.
pub(crate) fn client_for(url: &str) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().no_proxy();
    match url.starts_with("https://") {
        true => builder,
        false => builder.tls_certs_only([]),
    }
}

/// The document of `/status`, bounded in time and size.
pub(crate) async fn ask(url: &str) -> Result<String, Failure> {
    let unreachable = |error: reqwest::Error| {
        Failure::failed(format!(
            "nothing answers at {url}: {}; is it running, and is this its observe address (--observe URL)?",
            innermost(&error)
        ))
    };
    let client = client_for(url)
        .timeout(defaults::STATUS_TIMEOUT)
        .build()
        .map_err(unreachable)?;
    let address = format!("{}/status", url.trim_end_matches('/'));
    let mut reply = client.get(address).send().await.map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(part) = reply.chunk().await.map_err(unreachable)? {
        if body.len() + part.len() > defaults::STATUS_BYTES {
            return Err(Failure::failed(format!(
                "{url} sends too much for a status"
            )));
        }
        body.extend_from_slice(&part);
    }
    String::from_utf8(body).map_err(|_| Failure::failed(format!("{url} does not answer in text")))
}

/// The cause that a person can act on is at the end of the chain.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// A status for people.
pub fn words(status: &Status) -> String {
    let mut text = format!(
        "heliostat {}, up {}\n",
        status.version,
        duration(status.uptime_seconds)
    );
    for (name, chain) in &status.chains {
        chain_words(&mut text, name, chain);
    }
    text
}

fn chain_words(text: &mut String, name: &str, chain: &ChainStatus) {
    let _ = writeln!(
        text,
        "\n{name}: {} {}, {}",
        chain.ledger, chain.network, chain.state
    );
    let known = |height: Option<u64>| height.map_or_else(|| "?".to_owned(), |h| h.to_string());
    let _ = writeln!(
        text,
        "  height    {} of {}{}",
        known(chain.local_height),
        known(chain.target_height),
        chain.blocks_per_second.map_or_else(String::new, pace)
    );
    if let Some(head) = &chain.head {
        let _ = writeln!(
            text,
            "  head      {} ({}), {} old",
            head.id,
            head.assurance,
            duration(head.age_seconds)
        );
    }
    let _ = writeln!(
        text,
        "  serving   {}, {} connections open",
        chain.listen, chain.connections
    );
    let store = &chain.store;
    let state = store.error.as_deref().unwrap_or("ok");
    let _ = writeln!(
        text,
        "  store     {}, {}, {state}",
        store.address,
        indicatif::HumanBytes(store.bytes)
    );
    for upstream in &chain.upstreams {
        let why = match upstream.why.as_str() {
            "" => String::new(),
            why => format!(": {why}"),
        };
        let _ = writeln!(
            text,
            "  upstream  {} ({}) {}{why}",
            upstream.name, upstream.role, upstream.state
        );
    }
    for finding in &chain.findings {
        let _ = writeln!(
            text,
            "  LIE       {}: {} [{}]",
            finding.upstream, finding.words, finding.rule
        );
    }
    for fork in &chain.disagreements {
        let _ = writeln!(
            text,
            "  fork      height {}: {} has {}, we have {}",
            fork.height, fork.upstream, fork.theirs, fork.ours
        );
    }
    for why in &chain.not_ready {
        let _ = writeln!(text, "  not ready {why}");
    }
}

/// How fast a replica grows.
fn pace(blocks: f64) -> String {
    format!(", {blocks:.0} blocks/s")
}

/// Seconds the way people say them: the two largest units.
pub(crate) fn duration(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut parts = Vec::new();
    let mut rest = seconds;
    for (name, length) in units {
        if rest >= length {
            parts.push(format!("{} {name}", rest / length));
            rest %= length;
        }
    }
    parts.truncate(2);
    match parts.is_empty() {
        true => "0 s".to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_is_read_has_no_pace() {
        let mut chain = ChainStatus {
            local_height: Some(5),
            target_height: Some(7),
            ..ChainStatus::default()
        };
        let said = |chain: &ChainStatus| {
            let mut text = String::new();
            chain_words(&mut text, "t", chain);
            text
        };
        assert!(said(&chain).contains("height    5 of 7\n"));
        chain.blocks_per_second = Some(0.0);
        assert!(said(&chain).contains("height    5 of 7, 0 blocks/s\n"));
    }

    #[test]
    fn durations_have_two_units() {
        let said = [0, 59, 60, 3_661, 90_061].map(duration);
        assert_eq!(said, ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }
}
