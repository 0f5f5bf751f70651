//! A request taken apart.

use axum::http::{HeaderMap, Method, header};
use bytes::Bytes;

use crate::error::ReadError;

/// A request.
pub(super) struct Asked {
    /// Its method.
    pub verb: Method,
    /// Path and query as sent.
    pub path: String,
    /// The path's segments, percent-decoded where that gives text.
    segments: Vec<String>,
    /// The decoded pairs of the query.
    pub query: Vec<(String, String)>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Asked {
    pub fn new(
        verb: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Self, ReadError> {
        let (bare, query) = path.split_once('?').unwrap_or((path, ""));
        // A URL's parser takes it for a slash: what is passed on would have
        // other steps than what was looked at here.
        if bare.contains('\\') {
            return Err(ReadError::BadRequest(
                "the path has a backslash, which no call has".to_owned(),
            ));
        }
        let segments = bare
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decoded)
            .collect::<Result<Vec<_>, _>>()?;
        if segments
            .iter()
            .any(|step| matches!(step.as_str(), "." | ".."))
        {
            return Err(ReadError::BadRequest(
                "the path has a step . or .., which names nothing".to_owned(),
            ));
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decoded(name)?, decoded(&value.replace('+', " "))?))
            })
            .collect::<Result<_, ReadError>>()?;
        Ok(Self {
            verb,
            path: path.to_owned(),
            segments,
            query,
            headers,
            body,
        })
    }

    /// The path's segments.
    pub fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// The path as sent behind its first segments, without the query.
    pub fn raw_below(&self, segments: usize) -> &str {
        let mut rest = self.path.split('?').next().unwrap_or_default();
        for _ in 0..segments {
            rest = rest.trim_start_matches('/');
            rest = &rest[rest.find('/').unwrap_or(rest.len())..];
        }
        rest
    }

    /// The query as sent, with its question mark; empty without one.
    pub fn raw_query(&self) -> &str {
        self.path.find('?').map_or("", |at| &self.path[at..])
    }

    /// The value of a query's name.
    pub fn value(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// A flag as a node reads it; `default` without one.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, ReadError> {
        let Some(value) = self.value(name) else {
            return Ok(default);
        };
        match value.to_ascii_lowercase().as_str() {
            "" | "true" | "t" | "yes" | "y" => Ok(true),
            "false" | "f" | "no" | "n" => Ok(false),
            _ => Err(ReadError::BadRequest(format!(
                "Failed to parse query string: {value:?} is no boolean for {name}"
            ))),
        }
    }

    /// Whether the client wants bytes rather than JSON: it names them, and
    /// names JSON or anything not before.
    pub fn wants_binary(&self) -> bool {
        let accept = self.headers.get(header::ACCEPT);
        let Some(accept) = accept.and_then(|value| value.to_str().ok()) else {
            return false;
        };
        let weight = |name: &str| -> f32 {
            let part = accept.split(',').find(|part| part.trim().starts_with(name));
            part.map_or(0.0, |part| {
                let q = part.split(';').find_map(|p| p.trim().strip_prefix("q="));
                q.map_or(1.0, |q| q.trim().parse().unwrap_or(0.0))
            })
        };
        let json = weight("application/json").max(weight("*/*"));
        let bytes = weight("application/octet-stream");
        bytes > json
    }
}

fn decoded(text: &str) -> Result<String, ReadError> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| ReadError::BadRequest("the path is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asked(path: &str, accept: Option<&'static str>) -> Asked {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        Asked::new(Method::GET, path, headers, Bytes::new()).unwrap()
    }

    #[test]
    fn paths_and_queries_are_taken_apart() {
        let asked = asked("/chains/main/blocks/head~2/context/a%2Fb?holey=Yes&x", None);
        assert_eq!(
            asked.segments(),
            ["chains", "main", "blocks", "head~2", "context", "a/b"]
        );
        assert_eq!(asked.flag("holey", false), Ok(true));
        assert_eq!(asked.flag("x", false), Ok(true));
        assert_eq!(asked.flag("none", false), Ok(false));
        assert_eq!(asked.raw_query(), "?holey=Yes&x");
    }

    #[test]
    fn what_lies_below_a_block_is_found_however_often_slashes_are_written() {
        for (path, below) in [
            ("/chains/main/blocks/head/a%2Fb/c?x=/y", "/a%2Fb/c"),
            ("//chains//main/blocks///head/a/b", "/a/b"),
            ("/chains/main/blocks/head", ""),
            ("/chains/main/blocks/head/?x", "/"),
        ] {
            assert_eq!(asked(path, None).raw_below(4), below, "{path}");
        }
    }

    #[test]
    fn paths_cannot_climb() {
        for path in ["/a/../b", "/..", "/a/%2e%2E/b", "/./a", "/%ff", "/a\\..\\b"] {
            let asked = Asked::new(Method::GET, path, HeaderMap::new(), Bytes::new());
            assert!(matches!(asked, Err(ReadError::BadRequest(_))), "{path}");
        }
    }

    #[test]
    fn bytes_are_sent_only_to_those_who_prefer_them() {
        for (accept, binary) in [
            (None, false),
            (Some("application/json"), false),
            (Some("application/octet-stream"), true),
            (Some("application/json, application/octet-stream"), false),
            (
                Some("application/octet-stream;q=0.9, application/json;q=0.1"),
                true,
            ),
            (Some("*/*"), false),
        ] {
            assert_eq!(asked("/", accept).wants_binary(), binary, "{accept:?}");
        }
    }
}
