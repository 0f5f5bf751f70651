//! A request taken apart.

use bytes::Bytes;
use http::{HeaderMap, Method, header};

/// A request.
pub(super) struct Asked {
    pub method: Method,
    /// The path's segments, without percent signs.
    segments: Vec<String>,
    query: Vec<(String, String)>,
    /// Whether bytes are wanted rather than JSON.
    pub binary: bool,
    /// Whether JSON would do.
    pub json: bool,
    pub body: Bytes,
}

impl Asked {
    pub fn new(method: Method, uri: &http::Uri, headers: &HeaderMap, body: Bytes) -> Self {
        let segments = uri.path().split('/').filter(|segment| !segment.is_empty());
        let pairs = uri.query().unwrap_or_default().split('&');
        let accept = headers.get(header::ACCEPT);
        let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or("");
        let weight = |name: &str| weight(accept, name);
        let json = weight("application/json").max(weight("*/*"));
        let binary = weight("application/octet-stream");
        Self {
            method,
            segments: segments.map(decoded).collect(),
            query: pairs
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect(),
            binary: binary > json,
            json: accept.is_empty() || json > 0.0,
            body,
        }
    }

    pub fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    pub fn query(&self) -> Vec<(&str, &str)> {
        self.query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// A query's value.
    pub fn value(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// A flag: `Err` for what is neither yes nor no.
    pub fn flag(&self, name: &str) -> Result<bool, ()> {
        let value = self.value(name).unwrap_or("no").to_ascii_lowercase();
        match value.as_str() {
            "" | "true" | "t" | "yes" | "y" => Ok(true),
            "false" | "f" | "no" | "n" => Ok(false),
            _ => Err(()),
        }
    }

    /// The body as JSON.
    pub fn json_body(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// How much a media type is wanted, from 0 to 1.
fn weight(accept: &str, name: &str) -> f32 {
    let part = accept.split(',').find(|part| part.trim().starts_with(name));
    part.map_or(0.0, |part| {
        let q = part.split(';').find_map(|p| p.trim().strip_prefix("q="));
        q.map_or(1.0, |q| q.trim().parse().unwrap_or(0.0))
    })
}

/// A segment without its percent signs; one that is no text stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| hex::decode(digits).ok());
        match (first, digits) {
            (b'%', Some(byte)) => {
                bytes.extend(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The name of a call, for [`super::Filter`] and [`super::Handle::count`]: the
/// last word of its path that is no argument.
///
/// | name | path |
/// |---|---|
/// | `merkle_tree_v2`, `merkle_tree`, `raw` | `context/…` of a block |
/// | `context`, `helpers`, `votes` | all else below these of a block |
/// | `header`, `hash`, `protocols`, `metadata`, `operations`, `operation_hashes`, … | the same of a block |
/// | `block` | a block as a whole |
/// | `chain_id`, `mempool`, … | the same of a chain |
/// | `heads` | `monitor/heads` |
/// | `injection`, `version`, … | the first word of any other path |
pub fn call<'a>(path: &[&'a str]) -> &'a str {
    match path {
        ["chains", _, "blocks", _] => "block",
        [
            "chains",
            _,
            "blocks",
            _,
            "context",
            name @ ("merkle_tree" | "merkle_tree_v2" | "raw"),
            ..,
        ]
        | ["chains", _, "blocks", _, name, ..]
        | ["chains", _, name, ..]
        | ["monitor", name, ..]
        | [name, ..] => name,
        [] => "",
    }
}
