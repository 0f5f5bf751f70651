//! Requests of web pages from elsewhere. A browser shows a page what is
//! answered here only where the operator names the page's origin, as with a
//! node's `--cors-origin`.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};

/// All origins.
const ANY: &str = "*";
/// What a page may send: questions, and operations to be injected.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// Headers that a page may send.
const ACCEPTED: HeaderValue = HeaderValue::from_static("accept, authorization, content-type");
/// Headers of an answer that a page may read beside the usual ones.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "heliostat-assurance, heliostat-reason, heliostat-receipt, heliostat-handed-to",
);
/// How long a browser remembers what it may, in seconds: an operator who takes
/// an origin from the list sees the effect within that time.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// What is to be said of a request's origin, if it is one of those that an
/// operator named.
pub(super) fn allowed(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    if origins.iter().any(|known| known == ANY) {
        return Some(HeaderValue::from_static(ANY));
    }
    let is_known = |known: &String| known.as_bytes() == origin.as_bytes();
    origins.iter().any(is_known).then(|| origin.clone())
}

/// The answer to a browser that asks what a page may; `None` for any other
/// request. No endpoint is asked.
pub(super) fn preflight(parts: &Parts) -> Option<Response> {
    let asks = |name: HeaderName| parts.headers.contains_key(name);
    let is_one = parts.method == Method::OPTIONS
        && asks(header::ORIGIN)
        && asks(header::ACCESS_CONTROL_REQUEST_METHOD);
    is_one.then(|| {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    })
}

/// Lets a page of this origin read the answer.
pub(super) fn allow(response: &mut Response, origin: HeaderValue, is_preflight: bool) {
    let headers = response.headers_mut();
    if origin != ANY {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if is_preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ACCEPTED);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    } else {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// Whether a text is an origin as browsers send it, or stands for all.
pub fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return text == ANY;
    };
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"/?#@,\\".contains(&byte))
    };
    !scheme.is_empty()
        && scheme.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        && is_host(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        for good in [
            "*",
            "https://app.example",
            "http://127.0.0.1:3000",
            "http://[::1]:80",
            "chrome-extension://abcdef",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "app.example",
            "https://",
            "https://a/",
            "https://a b",
            "https://a,b",
            "null",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
