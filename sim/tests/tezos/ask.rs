//! A client that expects what it asks for.

use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Asks one node.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    pub fn new(base: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.expect("a client without TLS of its own");
        Self { http, base }
    }

    /// The answer as it comes, or the connection's error.
    pub async fn get(&self, path: &str, accept: &str) -> reqwest::Result<Response> {
        let url = format!("{}{path}", self.base);
        self.http.get(url).header("accept", accept).send().await
    }

    /// The status and the body, or the connection's error.
    pub async fn raw(&self, path: &str) -> reqwest::Result<(StatusCode, Vec<u8>)> {
        let response = self.get(path, "application/json").await?;
        let status = response.status();
        Ok((status, response.bytes().await?.to_vec()))
    }

    pub async fn status(&self, path: &str) -> u16 {
        let answer = self.raw(path).await;
        answer.expect("an answer").0.as_u16()
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let (status, body) = self.raw(path).await.expect("an answer");
        let words = String::from_utf8_lossy(&body);
        assert_eq!(status, StatusCode::OK, "{path}: {words}");
        body
    }

    pub async fn binary(&self, path: &str) -> Vec<u8> {
        let kind = "application/octet-stream";
        let response = self.get(path, kind).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], kind);
        response.bytes().await.expect("a whole answer").to_vec()
    }

    pub async fn json(&self, path: &str) -> Value {
        self.value(path).await
    }

    pub async fn value<T: DeserializeOwned>(&self, path: &str) -> T {
        let bytes = self.bytes(path).await;
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{path}: {error}: {}", String::from_utf8_lossy(&bytes)))
    }

    /// Sends JSON; the status and what comes back.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.base);
        let request = self.http.post(url).body(body.to_string());
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let bytes = response.bytes().await.expect("a whole answer");
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
        )
    }
}
