//! One answer on the command line, in the manner of `octez-client`: the same
//! interface that the daemon serves, asked once.

use axum::body::Body;
use heliostat_core::Assurance;
use http::{Method, Request, StatusCode};
use tower::ServiceExt as _;

use crate::light::Light;

/// An answer to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The text for stdout.
    pub text: String,
    /// How it was checked.
    pub assurance: Option<Assurance>,
}

/// Why there is nothing to print, in the words of `octez-client`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// HTTP 404.
    #[error("Fatal error:\n  No service found at this URL\n")]
    NoService,
    /// A JSON array of errors, or other words.
    #[error("Fatal error:\n  {0}\n")]
    Other(String),
}

/// The longest answer that is printed.
const LONGEST: usize = 64 << 20;

/// `rpc get PATH`: the JSON, laid out for people.
pub async fn rpc_get(light: &Light, path: &str) -> Result<Printed, Fatal> {
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let (bytes, assurance) = ask(light, &path).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let text = match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => laid_out(&text),
        Err(_) => text,
    };
    Ok(Printed { text, assurance })
}

/// JSON laid out for people: fields stay in a node's order, and numbers and
/// texts as they are written.
fn laid_out(json: &str) -> String {
    let mut out = String::with_capacity(2 * json.len());
    let mut depth = 0_usize;
    let (mut is_text, mut is_escaped, mut is_empty) = (false, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    for c in json.chars() {
        if is_text {
            out.push(c);
            is_text = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        // Nothing stands in an empty list or object, not even a line's end.
        if is_empty != closes {
            line(&mut out, depth);
        }
        is_empty = matches!(c, '{' | '[');
        depth += usize::from(is_empty);
        is_text = c == '"';
        out.push(c);
        match c {
            ',' => line(&mut out, depth),
            ':' => out.push(' '),
            _ => {}
        }
    }
    out
}

/// `get balance for ADDRESS`: the balance in tez, such as `1.5 ꜩ`.
pub async fn balance(light: &Light, address: &str, block: &str) -> Result<Printed, Fatal> {
    let chain = light.chain();
    let path = format!("/chains/{chain}/blocks/{block}/context/contracts/{address}/balance");
    let (bytes, assurance) = ask(light, &path).await?;
    let read: Option<String> = serde_json::from_slice(&bytes).ok();
    let mutez = read.and_then(|text| text.parse::<u64>().ok());
    let mutez = mutez.ok_or_else(|| Fatal::Other("the balance is no number".to_owned()))?;
    Ok(Printed {
        text: format!("{} ꜩ", tez(mutez)),
        assurance,
    })
}

/// Millionths of a tez as a node's client prints them: without trailing zeros.
fn tez(mutez: u64) -> String {
    let (whole, part) = (mutez / 1_000_000, mutez % 1_000_000);
    if part == 0 {
        return whole.to_string();
    }
    let part = format!("{part:06}");
    format!("{whole}.{}", part.trim_end_matches('0'))
}

async fn ask(light: &Light, path: &str) -> Result<(bytes::Bytes, Option<Assurance>), Fatal> {
    let request = Request::builder()
        .method(Method::GET)
        .uri(path)
        .body(Body::empty())
        .map_err(|_| Fatal::Other(format!("Cannot parse URL: {path}")))?;
    let response = match light.router().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let grade = response.headers().get(Assurance::FIELD);
    let grade = grade.and_then(|value| value.to_str().ok()?.parse().ok());
    let body = axum::body::to_bytes(response.into_body(), LONGEST)
        .await
        .map_err(|error| Fatal::Other(error.to_string()))?;
    match status {
        StatusCode::OK => Ok((body, grade)),
        StatusCode::NOT_FOUND if body.is_empty() => Err(Fatal::NoService),
        _ => Err(Fatal::Other(words(&body))),
    }
}

/// The words in a node's JSON array of errors, else the text as it is.
fn words(body: &[u8]) -> String {
    let read: Option<Vec<serde_json::Value>> = serde_json::from_slice(body).ok();
    let told: Vec<_> = read
        .iter()
        .flatten()
        .map(
            |one| match one.get("msg").and_then(serde_json::Value::as_str) {
                Some(words) => words.to_owned(),
                None => one.to_string(),
            },
        )
        .collect();
    match told.is_empty() {
        true => String::from_utf8_lossy(body).into_owned(),
        false => told.join("\n  "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_as_it_was_sent() {
        let sent =
            r#"{"z":[{"b":-1e400,"a":"x\\\"{[,:"} ,[]],"a":{ },"n":12345678901234567890123}"#;
        let expected = r#"{
  "z": [
    {
      "b": -1e400,
      "a": "x\\\"{[,:"
    },
    []
  ],
  "a": {},
  "n": 12345678901234567890123
}"#;
        assert_eq!(laid_out(sent), expected);
        assert_eq!(laid_out("\"a b\""), "\"a b\"");
        assert_eq!(laid_out("[1,2]"), "[\n  1,\n  2\n]");
    }

    #[test]
    fn tez_are_printed_without_trailing_zeros() {
        for (mutez, text) in [
            (0, "0"),
            (1, "0.000001"),
            (1_500_000, "1.5"),
            (4_000_000_000_000, "4000000"),
            (1_000_010, "1.00001"),
        ] {
            assert_eq!(tez(mutez), text);
        }
    }
}
